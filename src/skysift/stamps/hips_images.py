"""Images out of a HiPS: tiles of HEALPix cells, sampled where a stamp wants pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, SkysiftError, UsageError
from skysift.base.store import is_url, local_copy
from skysift.sky.beam import Beam
from skysift.sky.frame import Frame
from skysift.sky.healpix import cell_width, cells_at
from skysift.sky.systems import System
from skysift.stamps.grid import north_up
from skysift.stamps.patch import LARGEST, Patch

__all__ = ["HipsImage", "open_hips"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FINER = 6  # orders by which places within a cell are told: 1/64 of its side
_SYSTEMS = {"equatorial": System("ICRS"), "galactic": System("Galactic"), "ecliptic": System("Ecliptic")}


@dataclass(frozen=True)
class HipsImage:
    """A HiPS around one source: sampled onto a grid of its own pixel size, north up.

    Parameters
    ----------
    root
        Folder or URL.
    order
        Order of its finest tiles.
    side
        Pixels along the side of a tile.
    system
        Celestial system of its cells.
    beam, unit, frequency, name
        As for `skysift.stamps.patch.Patch`.
    scale
        What the pixels are multiplied by to be in the unit.
    """

    root: str
    order: int
    side: int
    system: System
    beam: Beam | None
    unit: str
    frequency: float
    name: str
    scale: float = 1.0

    @property
    def pixel(self) -> float:
        """Size of a pixel (arcsec)."""
        return cell_width(self.order) / self.side

    @property
    def frame(self) -> Frame:
        """A frame of the pixel size, at no place in particular: a HiPS has none of its own."""
        return north_up(0.0, 0.0, 2, self.pixel)

    def covers(self, wanted: Frame) -> tuple[float, float]:
        """Part of the stamp for which there are tiles."""
        ny, nx = wanted.shape
        x, y = np.meshgrid(np.linspace(0, nx - 1, 5), np.linspace(0, ny - 1, 5))
        cells = cells_at(self.order, *self._native(*wanted.to_sky(x, y)))
        there = {
            int(cell): _tile(self.root, self.order, int(cell), self.side) is not None
            for cell in np.unique(cells)
        }
        return float(np.mean([there[int(cell)] for cell in cells.ravel()])), math.inf

    def read(self, wanted: Frame, margin: float) -> Patch:
        """The pixels around a stamp, and so many arcsec more on every side."""
        ny, nx = wanted.shape
        ra, dec = wanted.to_sky((nx - 1) / 2, (ny - 1) / 2)
        side = math.hypot(ny * wanted.scale[0], nx * wanted.scale[1]) + 2.0 * margin
        size = math.ceil(side / self.pixel) + 4
        if size > LARGEST:
            raise UsageError(
                f"a stamp of {self.name} would be too large", got=f"{size} px", allowed=f"{LARGEST} px"
            )
        frame = north_up(float(ra), float(dec), size, self.pixel)
        x, y = np.meshgrid(np.arange(size), np.arange(size))
        data = self._sampled(*frame.to_sky(x, y)) * self.scale
        return Patch(
            data.astype(np.float32), frame, self.beam, self.unit, self.frequency, self.name, self.scale
        )

    def _native(self, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
        return self.system.from_icrs(ra.ravel(), dec.ravel())

    def _sampled(self, ra: Floats, dec: Floats) -> Floats:
        """Brightness at places (deg), interpolated between the four nearest pixels of the same base cell."""
        levels = round(math.log2(self.side))
        fine = self.order + levels + _FINER
        cells = cells_at(fine, *self._native(ra, dec))
        known = cells >= 0
        face, *inside = _unpacked(np.where(known, cells, 0), fine)
        step, last = 1 << _FINER, (1 << (self.order + levels)) - 1
        u, v = ((each + 0.5) / step - 0.5 for each in inside)  # in pixels, from the middle of the first
        u0, v0 = (
            np.clip(np.floor(u), 0, last).astype(np.int64),
            np.clip(np.floor(v), 0, last).astype(np.int64),
        )
        du, dv = np.clip(u - u0, 0.0, 1.0), np.clip(v - v0, 0.0, 1.0)
        out = np.zeros(u.shape)
        for a, b, weight in (
            (0, 0, (1 - du) * (1 - dv)),
            (1, 0, du * (1 - dv)),
            (0, 1, (1 - du) * dv),
            (1, 1, du * dv),
        ):
            value = self._pixels(face, np.minimum(u0 + a, last), np.minimum(v0 + b, last))
            out += np.where(weight > 0.0, weight * value, 0.0)
        return np.asarray(np.where(known, out, np.nan).reshape(ra.shape))

    def _pixels(self, face: Ints, u: Ints, v: Ints) -> Floats:
        """The pixels (u, v) of base cells; NaN where there is no tile."""
        tile = _packed(face, u // self.side, v // self.side, self.order)
        out = np.full(tile.shape, np.nan)
        for number in np.unique(tile):  # a handful
            data = _tile(self.root, self.order, int(number), self.side)
            if data is not None:
                here = tile == number
                out[here] = data[u[here] % self.side, v[here] % self.side]
        return out


def open_hips(
    root: str, *, beam: Beam | None, unit: str, frequency: float, name: str, scale: float = 1.0
) -> HipsImage:
    """The HiPS of a folder or URL, as its ``properties`` tell.

    Raises
    ------
    UsageError
        There is none, or it has no FITS tiles.
    FormatError
        Its properties do not tell what is needed.
    """
    told = _properties(root.rstrip("/"))
    if "fits" not in told.get("hips_tile_format", "").split():
        raise UsageError("the HiPS has no FITS tiles", got=told.get("hips_tile_format", ""), allowed="fits")
    system = _SYSTEMS.get(told.get("hips_frame", "equatorial"))
    try:
        order, side = int(told["hips_order"]), int(told.get("hips_tile_width", "512"))
    except (KeyError, ValueError) as error:
        raise FormatError("the properties of the HiPS lack its order", got=root) from error
    if system is None or side & (side - 1) or side < 1:
        raise FormatError(
            "the HiPS is of a kind that is not known", got=f"{told.get('hips_frame')}, tiles of {side} px"
        )
    return HipsImage(root.rstrip("/"), order, side, system, beam, unit, frequency, name, scale)


@lru_cache(maxsize=64)
def _properties(root: str) -> dict[str, str]:
    place = f"{root}/properties"
    try:
        text = Path(local_copy(place) if is_url(place) else place).read_text(encoding="utf-8")
    except (OSError, UsageError) as error:
        raise UsageError(
            "there is no HiPS", got=root, todo=f"a HiPS has a file named properties ({error})"
        ) from error
    pairs = (line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {key.strip(): value.strip() for key, mark, value in pairs if mark}


@lru_cache(maxsize=96)
def _tile(root: str, order: int, number: int, side: int) -> NDArray[np.float32] | None:
    """The pixels [u, v] of a tile along the axes of its cell; None where there is no such tile."""
    place = f"{root}/Norder{order}/Dir{number // 10000 * 10000}/Npix{number}.fits"
    if is_url(place):
        try:
            place = local_copy(place)
        except SkysiftError as error:
            if error.kind == "transient":
                raise
            return None
    if not Path(place).is_file():
        return None
    from astropy.io import fits  # late: only a HiPS needs it

    try:
        with fits.open(place, memmap=False) as hdus:
            data = next(hdu.data for hdu in hdus if hdu.data is not None)
    except (OSError, StopIteration, ValueError, TypeError) as error:
        raise FormatError("a tile of the HiPS cannot be read", got=place, todo=str(error)) from error
    if data.shape != (side, side):
        raise FormatError("a tile of the HiPS has another size", got=data.shape, allowed=f"{side} x {side}")
    return np.ascontiguousarray(data[::-1, :], dtype=np.float32)


def _unpacked(cells: Ints, order: int) -> tuple[Ints, Ints, Ints]:
    """Base cell and the two places along its sides of nested cells."""
    inside = cells & ((1 << 2 * order) - 1)
    return cells >> 2 * order, _every_other(inside), _every_other(inside >> 1)


def _every_other(bits: Ints) -> Ints:
    out = np.zeros(bits.shape, np.int64)
    for k in range(30):
        out |= ((bits >> 2 * k) & 1) << k
    return out


def _packed(face: Ints, u: Ints, v: Ints, order: int) -> Ints:
    out = face << 2 * order
    for k in range(order):
        out |= (((u >> k) & 1) << 2 * k) | (((v >> k) & 1) << (2 * k + 1))
    return out

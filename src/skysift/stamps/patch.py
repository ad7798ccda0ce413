"""`Patch`: the pixels of one image around one source, and where they come from."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import SkysiftError, UsageError
from skysift.base.store import name_of, place_of
from skysift.io.beams import map_beam
from skysift.io.cards import read_hdus
from skysift.io.headers import choose_plane, map_frame, map_frequency
from skysift.io.open import check_length, chosen_hdu, file_of, plane_source
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.image import PixelSource
from skysift.sky.systems import vectors
from skysift.stamps.grid import reach_of
from skysift.stamps.known import KnownSurvey
from skysift.stamps.options import BandOptions
from skysift.stamps.window import read_box, turn_of

__all__ = ["Image", "Patch", "StoredImage", "open_stored"]

Floats = NDArray[np.float64]

LARGEST = 6000  # pixels along the side of a patch
_LOOKS = 9  # places along the side of a stamp at which it is asked how much an image covers


@dataclass(frozen=True, eq=False)
class Patch:
    """The pixels of an image around a source, in the image's own unit.

    Parameters
    ----------
    data
        Pixels (y, x), blanks as NaN.
    frame
        Their geometry.
    beam
        What a point looks like, in the frame; None where it is not known.
    unit
        Of the pixels; empty where it is not known.
    frequency
        Hz; NaN where it is not known.
    name
        Of the image.
    scale
        What the stored numbers were multiplied by to be in the unit.
    """

    data: NDArray[np.float32]
    frame: Frame
    beam: Beam | None
    unit: str
    frequency: float
    name: str
    scale: float = 1.0


class Image(Protocol):
    """An image of a survey that may cover a source."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def beam(self) -> Beam | None:
        """What a point looks like; None where it is not known."""
        ...

    @property
    def frame(self) -> Frame:
        """Its geometry, or that around the source where it has none of its own."""
        ...

    def covers(self, wanted: Frame) -> tuple[float, float]:
        """Part of a stamp that it covers, and how far its middle is from the edge of the image (pixel)."""
        ...

    def read(self, wanted: Frame, margin: float) -> Patch:
        """Its pixels around a stamp, and so many arcsec more on every side."""
        ...


@dataclass(frozen=True)
class StoredImage:
    """An image in a FITS file or behind a URL.

    Parameters
    ----------
    source
        Its pixels.
    frame, beam, unit, frequency, name
        As for `Patch`.
    scale
        What the pixels are multiplied by to be in the unit.
    middle, reach
        The middle of the image as a unit vector, and the angle (deg) from there to its farthest corner.
    """

    source: PixelSource
    frame: Frame
    beam: Beam | None
    unit: str
    frequency: float
    name: str
    scale: float = 1.0
    middle: tuple[float, float, float] = (0.0, 0.0, 0.0)
    reach: float = 180.0

    def near(self, places: Floats, within: float) -> NDArray[np.bool_]:
        """Which directions, unit vectors (n, 3), lie within so many degrees of the image, roughly."""
        angle = np.degrees(np.arccos(np.clip(places @ np.array(self.middle), -1.0, 1.0)))
        return np.asarray(angle <= self.reach + within)

    def covers(self, wanted: Frame) -> tuple[float, float]:
        """Part of a stamp that the image covers, and how far its middle is from the edge (pixel)."""
        ny, nx = wanted.shape
        rows, columns = np.linspace(0, ny - 1, _LOOKS), np.linspace(0, nx - 1, _LOOKS)
        x, y = self.frame.to_pixel(*wanted.to_sky(*np.meshgrid(columns, rows)))
        inside = Box.of(self.frame.shape).contains(x, y)
        at_x, at_y = float(x[_LOOKS // 2, _LOOKS // 2]), float(y[_LOOKS // 2, _LOOKS // 2])
        height, width = self.frame.shape
        edge = min(at_x, at_y, width - 1 - at_x, height - 1 - at_y)
        return float(inside.mean()), edge if math.isfinite(edge) else -math.inf

    def read(self, wanted: Frame, margin: float) -> Patch:
        """The pixels around a stamp, and so many arcsec more on every side; NaN outside the image."""
        more = math.ceil(margin / min(self.frame.scale)) + 3
        box = reach_of(self.frame, wanted, more)
        if max(box.shape) > LARGEST:
            raise UsageError(
                f"a stamp of {self.name} would be too large",
                got=f"{box.shape[0]} x {box.shape[1]} px",
                allowed=f"{LARGEST} px along a side",
            )
        data = read_box(self.source, box, turn_of(self.frame))
        if self.scale != 1.0:
            data = data * np.float32(self.scale)
        return Patch(data, self.frame.crop(box), self.beam, self.unit, self.frequency, self.name, self.scale)


@lru_cache(maxsize=4096)
def open_stored(path: str, band: BandOptions, known: KnownSurvey | None = None) -> StoredImage:
    """The image of a file with what its header, the menu of its survey, or common knowledge tells.

    A header comes before `known`; a unit in the menu before the header.

    Raises
    ------
    UsageError
        There is no such file or HDU.
    FormatError
        It is not FITS, or is truncated.
    HeaderError
        It has no place on the sky.
    """
    name = file_of(path)
    hdus, hdu = read_hdus(name), chosen_hdu(path, band.hdu)
    check_length(hdu, name)
    plane = replace(choose_plane(hdu, None), notes=())
    frame, _ = map_frame(hdu.header, plane, pixel_scale=1.0)
    if not frame.celestial:
        raise UsageError("an image of a survey needs a place on the sky", got=os.fspath(path))
    corner_x, corner_y = np.array([0, 0, 1, 1, 0.5, 0.5, 0, 1]), np.array([0, 1, 0, 1, 0, 1, 0.5, 0.5])
    ny, nx = frame.shape
    ra, dec = frame.to_sky(
        np.append(corner_x * (nx - 1), (nx - 1) / 2), np.append(corner_y * (ny - 1), (ny - 1) / 2)
    )
    v = vectors(ra, dec)
    middle, reach = (0.0, 0.0, 1.0), 180.0
    if np.isfinite(v).all():
        middle = (float(v[-1, 0]), float(v[-1, 1]), float(v[-1, 2]))
        reach = float(np.degrees(np.arccos(np.clip(v[:-1] @ v[-1], -1.0, 1.0))).max())
        reach = 180.0 if reach > 40.0 else 1.05 * reach + max(frame.scale) / 3600.0
    beam: Beam | None = None
    try:
        beam = map_beam(hdus, hdu, plane, frame, name)[0]
    except SkysiftError:  # the menu tells it, or nobody does
        if band.beam is not None:
            beam = Beam(band.beam[0], band.beam[0]) if len(band.beam) == 1 else Beam(*band.beam)
        elif known is not None and np.isfinite(dec[-1]):
            beam = known.beam_at(float(dec[-1]))
    unit, scale = band.unit or hdu.header.text("BUNIT"), band.scale
    if known is not None and known.unit and not band.unit and (known.scale != 1.0 or not unit):
        unit, scale = known.unit, scale * known.scale
    frequency = map_frequency(hdu.header, plane)[0]
    if not math.isfinite(frequency):
        frequency = band.frequency or (known.frequency if known is not None else math.nan)
    source = plane_source(hdu, plane, place_of(name))
    return StoredImage(source, frame, beam, unit, frequency, name_of(name), scale, middle, reach)

"""`HipsMap`: a map as HiPS 1.4, tile by tile when a tile is asked for; FITS tiles of 512 pixels, ICRS.

Coarse tiles show means: the map is halved, again and again, each half kept on disk, and a tile is taken from the
one whose pixels are just finer than its own. So brightness stays what it is at every zoom, and a tile costs no more
than its pixels. A map of many gigabytes is read once in full, when its first coarse tile is asked for.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from skysift.base.errors import HeaderError, OptionError, UnknownName
from skysift.io.moc import moc_of, write_moc
from skysift.io.open import open_image
from skysift.io.output import whole_file
from skysift.sky.box import Box
from skysift.sky.healpix import cell_width, cells_at, centres_of

__all__ = ["DEEPEST", "HipsMap", "hips_folder"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ZOOM = 9  # a tile has 2^9 pixels along its side
SIDE = 1 << ZOOM
DEEPEST = 20
_STRIP = 512  # rows of a map that are halved at once
ALLSKY = 3  # the order whose tiles are shown small in one picture
DIGITS = 32  # of the checksum of a map, in the name of the folder of its tiles
_SMALL = 64  # pixels along a tile there
AT_ONCE = 1 << 28  # pixels of a map that is halved while somebody waits
_LARGEST = 4096  # pixels along a window that is read for one tile


def hips_folder(folder: Path, checksum: str, name: str, hdu: int) -> Path:
    """Where the tiles of a map are kept, below the folder of all: by its content, else by its name."""
    content = checksum.rpartition(":")[2][:DIGITS] or name
    return folder / f"{content}-{max(hdu, 0)}"


class HipsMap:
    """A map as HiPS.

    Parameters
    ----------
    path, hdu
        The map.
    folder
        Where tiles and halved maps are kept; made where it is missing.

    Raises
    ------
    HeaderError
        The map has no place on the sky.
    """

    def __init__(self, path: str | Path, folder: str | Path, *, hdu: int | None = None) -> None:
        self.image = open_image(path, hdu=hdu, beam=(1.0, 1.0, 0.0), unit="Jy/beam")  # pixels as they are
        if not self.image.frame.celestial:
            raise HeaderError("a map without a place on the sky cannot be a HiPS", got=str(path))
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()

    @cached_property
    def scale(self) -> float:
        """Side of a pixel of the map (arcsec)."""
        return math.sqrt(self.image.frame.pixel_area)

    @cached_property
    def order(self) -> int:
        """The order of the finest tiles: their pixels are no larger than those of the map."""
        for order in range(DEEPEST - ZOOM + 1):
            if cell_width(order + ZOOM) <= self.scale:
                return order
        return DEEPEST - ZOOM

    @property
    def pixels(self) -> int:
        """How many the map has."""
        return math.prod(self.image.shape)

    @property
    def at_once(self) -> int:
        """How many pixels a map may have that is halved while somebody waits."""
        return AT_ONCE

    @property
    def large(self) -> bool:
        """Whether the halving of the map takes long."""
        return self.pixels > AT_ONCE

    @property
    def halved(self) -> bool:
        """Whether the map was halved for all its coarse tiles already."""
        return (self.folder / f"halved-{self._levels}.npy").exists()

    @property
    def _levels(self) -> int:
        """How often the map is halved for its coarsest tiles and for its cuts."""
        coarse = math.floor(math.log2(max(1.0, cell_width(ZOOM) / self.scale)))
        shown = math.ceil(math.log2(max(self.image.shape) / 256.0))
        most = math.ceil(math.log2(max(self.image.shape)))  # one pixel
        return max(1, min(max(coarse, shown), most))

    def make(self, progress: Callable[[str, int, int], None] = lambda stage, done, total: None) -> int:
        """Make all that there is: halved maps, tiles, the map of the area and the small picture; how many tiles.

        Parameters
        ----------
        progress
            Called as progress(stage, done, total).
        """
        progress("halves", 0, 1)
        self._halved(self._levels)
        progress("halves", 1, 1)
        every = [(order, int(cell)) for order in range(self.order + 1) for cell in self.cells(order)]
        made = 0
        for done, (order, cell) in enumerate(every):
            progress("tiles", done, len(every))
            with suppress(UnknownName):  # blank throughout
                self.tile(order, cell)
                made += 1
        self.moc()
        if self.order >= ALLSKY:
            self.allsky(ALLSKY)
        progress("tiles", len(every), len(every))
        return made

    def allsky(self, order: int) -> Path:
        """The FITS file of the tiles of the third order, small, side by side: 27 a row, from the top left.

        Raises
        ------
        UnknownName
            There is none of this order.
        """
        if order != ALLSKY or self.order < ALLSKY:
            raise UnknownName("there is no such picture of the whole sky", got=f"Norder{order}/Allsky.fits")
        path = self.folder / f"Norder{order}" / "Allsky.fits"
        if not path.exists():
            number = 12 * 4**order
            width = math.isqrt(number)
            rows = -(-number // width)
            shown = np.full((rows * _SMALL, width * _SMALL), np.nan, dtype=np.float32)
            for cell in self.cells(order):
                with suppress(UnknownName):
                    tile = fits.getdata(self.tile(order, int(cell)))[::-1]  # as it is seen: from the top
                    y, x = (_SMALL * part for part in divmod(int(cell), width))
                    for _ in range(ZOOM - 6):
                        tile = _means(tile)
                    shown[y : y + _SMALL, x : x + _SMALL] = tile
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path, overwrite=True) as part:
                fits.PrimaryHDU(shown[::-1]).writeto(part, overwrite=True)
        return path

    def cells(self, order: int) -> Ints:
        """The tiles of an order that the map reaches."""
        height, width = self.image.shape
        step = max(1, int(cell_width(order) / self.scale / 4.0))
        y = np.unique(np.append(np.arange(0, height, step), height - 1))
        x = np.unique(np.append(np.arange(0, width, step), width - 1))
        found: set[int] = set()
        for rows in np.array_split(y, max(1, len(y) // 256)):
            xx, yy = np.meshgrid(x, rows)
            found |= set(cells_at(order, *self.image.frame.to_sky(xx, yy)).ravel().tolist())
        return np.array(sorted(found - {-1}), dtype=np.int64)

    def tile(self, order: int, cell: int) -> Path:
        """The FITS file of a tile.

        Raises
        ------
        OptionError
            There is no such order.
        UnknownName
            The map does not reach there.
        """
        if not 0 <= order <= self.order:
            raise OptionError("there are no tiles of such an order", got=order, allowed=f"0 to {self.order}")
        if not 0 <= cell < 12 * 4**order:
            raise UnknownName("there is no such tile", got=cell)
        path = self.folder / f"Norder{order}" / f"Dir{cell // 10000 * 10000}" / f"Npix{cell}.fits"
        if not path.exists():
            data = self._tile(order, cell)
            if data is None:
                raise UnknownName("the map does not reach this tile", got=f"Norder{order}/Npix{cell}")
            path.parent.mkdir(parents=True, exist_ok=True)
            hdu = fits.PrimaryHDU(data)
            hdu.header["ORDER"], hdu.header["NPIX"] = order, cell
            with whole_file(path, overwrite=True) as part:
                hdu.writeto(part, overwrite=True)
        return path

    def moc(self) -> Path:
        """The file of the area that the tiles cover."""
        path = self.folder / "Moc.fits"
        if not path.exists():
            with whole_file(path, overwrite=True) as part:
                write_moc(moc_of(self.order, self.cells(self.order)), part)
        return path

    def properties(self, *, did: str, title: str, collection: str = "", unit: str = "") -> str:
        """The text of the file ``properties``.

        Parameters
        ----------
        did, title, collection, unit
            What the map is.
        """
        height, width = self.image.shape
        ra, dec = (float(each) for each in self.image.frame.to_sky((width - 1) / 2.0, (height - 1) / 2.0))
        low, high = self.cuts
        told = {
            "creator_did": did,
            "obs_title": title,
            "obs_collection": collection,
            "hips_version": "1.4",
            "hips_release_date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
            "hips_status": "private master unclonable",
            "hips_builder": "skysift",
            "hips_order": self.order,
            "hips_order_min": 0,
            "hips_tile_width": SIDE,
            "hips_tile_format": "fits",
            "hips_frame": "equatorial",
            "hips_pixel_bitpix": -32,
            "hips_pixel_scale": f"{cell_width(self.order + ZOOM) / 3600.0:.8g}",
            "hips_pixel_cut": f"{low:.6g} {high:.6g}",
            "hips_initial_ra": f"{ra:.6f}",
            "hips_initial_dec": f"{dec:.6f}",
            "hips_initial_fov": f"{max(height, width) * self.scale / 3600.0:.6g}",
            "s_pixel_scale": f"{self.scale / 3600.0:.8g}",
            "dataproduct_type": "image",
            "data_pixel_unit": unit,
            "moc_sky_fraction": f"{len(self.cells(self.order)) / (12 * 4**self.order):.6g}",
        }
        return "".join(
            f"{name:<20} = {' '.join(str(value).split())}\n" for name, value in told.items() if value != ""
        )

    @cached_property
    def cuts(self) -> tuple[float, float]:
        """The range of brightness that shows the map well: percentiles of it, halved to a few thousand pixels."""
        level = max(0, math.ceil(math.log2(max(self.image.shape) / 256.0)))
        data = self._halved(level)
        good = np.asarray(data[np.isfinite(data)])
        if good.size == 0:
            return 0.0, 1.0
        low, high = (float(each) for each in np.percentile(good, (2.0, 99.7)))
        return (low, high) if high > low else (low, low + 1.0)

    # -- pixels

    def _tile(self, order: int, cell: int) -> NDArray[np.float32] | None:
        """The pixels of a tile; None where the map has none of them."""
        ra, dec = centres_of(order + ZOOM, (cell << (2 * ZOOM)) + _numbers())
        x, y = self.image.frame.to_pixel(ra, dec)
        back = self.image.frame.to_sky(x, y)  # of a projection that wraps, only the near side counts
        with np.errstate(invalid="ignore"):
            height, width = self.image.shape
            inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
            inside &= np.abs(back[1] - dec) < 1e-3
        if not inside.any():
            return None
        level = max(0, math.floor(math.log2(max(1.0, cell_width(order + ZOOM) / self.scale))))
        grown = 2.0**level
        x, y = (x[inside] + 0.5) / grown - 0.5, (y[inside] + 0.5) / grown - 0.5
        data = np.full(inside.shape, np.nan, dtype=np.float32)
        data[inside] = self._sampled(level, x, y)
        return data if np.isfinite(data).any() else None

    def _sampled(self, level: int, x: Floats, y: Floats) -> Floats:
        """Values between pixels, linear; NaN beside blanks. At the border the last pixel goes on."""
        shape = tuple(-(-each // (1 << level)) for each in self.image.shape)
        x, y = np.clip(x, 0.0, shape[1] - 1.0), np.clip(y, 0.0, shape[0] - 1.0)
        x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        x1, y1 = np.minimum(x0 + 1, shape[1] - 1), np.minimum(y0 + 1, shape[0] - 1)
        box = Box(int(y0.min()), int(y1.max()) + 1, int(x0.min()), int(x1.max()) + 1)
        if max(box.shape) > _LARGEST:
            return self._sampled(level + 1, (x + 0.5) / 2.0 - 0.5, (y + 0.5) / 2.0 - 0.5)
        window = np.asarray(self._window(level, box), dtype=np.float64)
        x0, x1, y0, y1 = x0 - box.x0, x1 - box.x0, y0 - box.y0, y1 - box.y0
        fx, fy = x - box.x0 - x0, y - box.y0 - y0
        top = window[y1, x0] * (1.0 - fx) + window[y1, x1] * fx
        bottom = window[y0, x0] * (1.0 - fx) + window[y0, x1] * fx
        values: Floats = bottom * (1.0 - fy) + top * fy
        return values

    def _window(self, level: int, box: Box) -> NDArray[np.float32]:
        if level == 0:
            return self.image.read(box)
        return self._halved(level)[box.y0 : box.y1, box.x0 : box.x1]

    def _halved(self, level: int) -> NDArray[np.float32]:
        """The map, halved so many times, on disk."""
        if level == 0:
            return self.image.read()
        path = self.folder / f"halved-{level}.npy"
        with self._lock:
            for each in range(1, level + 1):
                self._halve(each)
        found: NDArray[np.float32] = np.load(path, mmap_mode="r")
        return found

    def _halve(self, level: int) -> None:
        path = self.folder / f"halved-{level}.npy"
        if path.exists():
            return
        before = None if level == 1 else np.load(self.folder / f"halved-{level - 1}.npy", mmap_mode="r")
        shape = self.image.shape if before is None else before.shape
        height, width = -(-shape[0] // 2), -(-shape[1] // 2)
        with whole_file(path, overwrite=True) as part:
            half = np.lib.format.open_memmap(part, "w+", np.float32, (height, width))
            for start in range(0, shape[0], _STRIP):
                stop = min(start + _STRIP, shape[0])
                strip = (
                    self.image.read(Box(start, stop, 0, shape[1])) if before is None else before[start:stop]
                )
                half[start // 2 : -(-stop // 2)] = _means(np.asarray(strip))
            half.flush()
            del half


def _means(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of blocks of 2 by 2 pixels, of those that are not blank."""
    odd = [(0, each % 2) for each in data.shape]
    padded = np.pad(data, odd, constant_values=np.nan).astype(np.float64)
    blocks = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2)
    good = np.isfinite(blocks)
    count = good.sum(axis=(1, 3))
    total = np.where(good, blocks, 0.0).sum(axis=(1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _numbers() -> Ints:
    """Numbers (y, x) of the cells below a tile as its pixels lie: x has the odd bits, y from the top the even ones."""
    i = np.arange(SIDE, dtype=np.int64)
    bits = np.zeros(SIDE, dtype=np.int64)
    for k in range(ZOOM):
        bits |= ((i >> k) & 1) << (2 * k)
    return bits[::-1, None] + (bits[None, :] << 1)

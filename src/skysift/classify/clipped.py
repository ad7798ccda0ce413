"""Pictures as published sets of cut-outs show them: below 3 sigma nothing, 256 levels, a field of one size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skysift.stamps.pictures import Ints, Pictures, Pixels, Store, centred

__all__ = ["SIGMA", "clipped", "ground", "shown_in"]

SIGMA = 3.0
_LEVELS = 255.0


@dataclass(frozen=True, eq=False)
class _Shown:
    """A store whose pictures are shown otherwise."""

    store: Store
    side: int
    clip: bool

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (*self.store.shape[:2], self.side, self.side)

    def read(self, rows: Ints) -> Pixels:
        pixels = self.store.read(rows)
        return centred(clipped(pixels) if self.clip else pixels, self.side)


def shown_in(pictures: Pictures, side: int | None = None, clip: bool = False) -> Pictures:
    """The same pictures, cut to so many pixels about their middle, and clipped where this is wanted.

    Parameters
    ----------
    pictures
        With pixels that are read when they are asked for.
    side
        Pixels along the side; as it is by default.
    clip
        Whether they are clipped.
    """
    if side is None and not clip:
        return pictures
    store = _Shown(pictures.store, side or pictures.shape[2], clip)
    shown = replace(pictures, store=store)
    return replace(shown, unit="", band_units=None) if clip else shown


def clipped(pixels: Pixels) -> Pixels:
    """Pictures (row, band, y, x): 0 up to 3 sigma of the sky, whole numbers from there to 255 at the brightest pixel.

    Level and sigma of the sky are the median and 1.4826 times the median distance from it (Aniyan & Thorat 2017, ApJS
    230, 20, clip so). Levels count from 3 sigma on, as in the set of Griese et al. (2023, Data in Brief 47, 108974):
    where that has 0, the same sources of MiraBest, in Jy/beam, have 2.9 sigma. Where more than half of the pixels have
    one value a picture is clipped already, and stays. Blank pixels stay blank.
    """
    out = pixels.copy()
    for row in range(pixels.shape[0]):
        for band in range(pixels.shape[1]):
            seen = pixels[row, band]
            good = np.isfinite(seen)
            if not good.any():
                continue
            level, sigma = ground(seen)
            floor = level + SIGMA * sigma
            top = float(seen[good].max()) - floor
            if sigma <= 0.0 or top <= 0.0:
                continue
            out[row, band] = np.where(good, np.round(np.maximum(seen - floor, 0.0) / top * _LEVELS), np.nan)
    return out


def ground(seen: NDArray[np.float32]) -> tuple[float, float]:
    """Level and sigma of the sky of one picture (y, x) with a pixel that is not blank; sigma is 0 where it is clipped."""
    values = seen[np.isfinite(seen)]
    level = float(np.median(values))
    return level, 1.4826 * float(np.median(np.abs(values - level)))

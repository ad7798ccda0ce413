"""Pictures as published sets of cut-outs show them: below 3 sigma nothing, 256 levels, a field of one size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skysift.stamps.pictures import Ints, Pictures, Pixels, Store, centred

__all__ = ["clipped", "shown_in"]

_SIGMA = 3.0
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
    """Pictures (row, band, y, x) with 0 below 3 sigma of the sky and whole numbers up to 255 at the brightest pixel.

    Level and sigma of the sky are the median and 1.4826 times the median distance from it (Aniyan & Thorat 2017, ApJS
    230, 20, clip so). Where more than half of the pixels have one value a picture is clipped already, and stays. Blank
    pixels stay blank.
    """
    out = pixels.copy()
    for row in range(pixels.shape[0]):
        for band in range(pixels.shape[1]):
            seen = pixels[row, band]
            good = np.isfinite(seen)
            if not good.any():
                continue
            level = float(np.median(seen[good]))
            sigma = 1.4826 * float(np.median(np.abs(seen[good] - level)))
            top = float(seen[good].max()) - level
            if sigma <= 0.0 or top <= 0.0:
                continue
            above = np.where(seen - level > _SIGMA * sigma, seen - level, 0.0)
            out[row, band] = np.where(good, np.round(above / top * _LEVELS), np.nan)
    return out

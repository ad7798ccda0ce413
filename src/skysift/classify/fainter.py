"""Fainter copies of pictures: the same sources under more noise, as far as what they show can still be seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from skysift.base.errors import UsageError
from skysift.base.random import generator
from skysift.classify.clipped import SIGMA, clipped, ground
from skysift.classify.options import TableOptions
from skysift.stamps.pictures import Ints, Pictures, Pixels, Store

__all__ = ["FAINT", "faint_note", "fainter", "too_faint"]

FAINT = "fainter_than_learnt"
"""What is known of sources: whether they are fainter than the faintest copies that were learnt."""

_FWHM = 2.3548  # of a Gaussian, in sigma
_MIDDLE = 0.25  # of the side: how far from the middle the source is looked for


@dataclass(frozen=True, eq=False)
class _Fainter:
    """A store whose pictures are fainter ones of another."""

    store: Store
    options: TableOptions
    beam: float
    copy: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.store.shape

    def read(self, rows: Ints) -> Pixels:
        pixels = self.store.read(rows)
        middle = _middle(pixels.shape[2:], _side(pixels.shape, self.options))
        out = np.full_like(pixels, np.nan)
        for picture, made, row in zip(pixels[:, 0], out[:, 0], rows, strict=True):
            rng = generator(self.options.random_seed, "classify", "fainter", str(self.copy), str(row))
            made[:] = _fainter(picture, middle, self.options, self.beam, rng)
        return out


def fainter(pictures: Pictures, options: TableOptions, beam: float, copy: int) -> Pictures:
    """Fainter copies of pictures, one each, in their order; blank where a source is too faint for one.

    The peak of a copy, in units of its noise, is drawn between `options.faintest` and `options.brightest`, in the
    logarithm, but not so low that pixels above 3 sigma hold less than `options.shown` of the flux of the source, nor
    above that of the picture itself. What is added is noise of the beam. A picture that is clipped (more than half of
    its pixels have one value) counts as free of noise, and its copy is clipped too.

    Parameters
    ----------
    pictures
        Of one band.
    options
        What copies are like.
    beam
        FWHM (pixel).
    copy
        Number of the copy: each has other noise.

    Raises
    ------
    UsageError
        There are several bands, or the beam is not known.
    """
    if len(pictures.bands) > 1:
        raise UsageError(
            "fainter copies are made of pictures of one band",
            got=f"{len(pictures.bands)} ({', '.join(pictures.bands)})",
            todo="set fainter=0",
        )
    if not beam > 0.0:
        raise UsageError(
            "fainter copies have noise of the beam, and this is not known",
            got="pictures without a beam",
            todo="give --features scale=ARCSEC --features beam=ARCSEC, or set fainter=0",
        )
    return replace(pictures, store=_Fainter(pictures.store, options, beam, copy))


def too_faint(pictures: Pictures, options: TableOptions) -> NDArray[np.bool_]:
    """Which pictures have a peak in their middle below `options.faintest`; of one that is clipped this is not known."""
    told = []
    for pixels in pictures.batches():
        middle = _middle(pixels.shape[2:], _side(pixels.shape, options))
        for picture in pixels[:, 0]:
            known = np.isfinite(picture[middle]).any()
            level, sigma = ground(picture) if known else (0.0, 0.0)
            told.append(sigma > 0.0 and float(np.nanmax(picture[middle])) - level < options.faintest * sigma)
    return np.array(told, np.bool_)


def faint_note(faint: NDArray[np.bool_], options: TableOptions) -> str:
    """One line that says how many sources are fainter than what was learnt; empty where none is."""
    if not faint.any():
        return ""
    return (
        f"{int(faint.sum())} of {len(faint)} sources have a peak below {options.faintest:g} times the noise, and nothing "
        "as faint was learnt: their ood is 1, do not trust their classes"
    )


def _side(shape: tuple[int, ...], options: TableOptions) -> int:
    """Pixels along the side of pictures (..., y, x) as they are measured."""
    return min(options.side or min(shape[-2:]), *shape[-2:])


def _middle(shape: tuple[int, ...], side: int) -> NDArray[np.bool_]:
    y, x = (np.arange(n) - (n - 1) / 2.0 for n in shape)
    return np.asarray(np.hypot(y[:, None], x) < _MIDDLE * side, np.bool_)


def _fainter(
    picture: NDArray[np.float32],
    middle: NDArray[np.bool_],
    options: TableOptions,
    beam: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """One copy (y, x), blank where there can be none."""
    blank = np.full_like(picture, np.nan)
    level, sigma = ground(picture)
    signal = picture - level
    seen = signal[middle & (signal > SIGMA * sigma)]  # blank pixels are not
    if not seen.size:
        return blank
    seen = np.sort(seen.astype(np.float64))[::-1]
    part = np.cumsum(seen) / seen.sum()
    least = SIGMA * seen[0] / seen[np.searchsorted(part, options.shown)]
    own = seen[0] / sigma if sigma > 0.0 else np.inf
    low, high = max(options.faintest, least), min(options.brightest, own)
    if low > high:
        return blank
    peak = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    noise = gaussian_filter(rng.normal(size=picture.shape), beam / _FWHM, mode="wrap")
    made = signal * (peak / seen[0]) + noise * (np.sqrt(1.0 - (peak / own) ** 2) / noise.std())
    if sigma > 0.0:
        return np.asarray(level + sigma * made, np.float32)
    return np.asarray(clipped(np.asarray(made, np.float32)[None, None])[0, 0], np.float32)

"""Fainter copies of pictures: the same sources under more noise, as far as what they show can still be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from skysift.base.errors import UsageError
from skysift.base.random import generator
from skysift.classify.clipped import SIGMA, clipped, ground
from skysift.classify.options import TableOptions
from skysift.stamps.pictures import Ints, Pictures, Pixels, Store

__all__ = ["FAINT", "TABLE", "faint_note", "fainter", "peaks_of"]

FAINT = "fainter_than_learnt"
"""What is known of sources: whether they are fainter than all that was learnt."""

TABLE = (
    "a table does not tell how far sources stand above the noise, so ood does not mark those that are fainter than all "
    "that was learnt: give the pictures"
)

_FWHM = 2.3548  # of a Gaussian, in sigma
_RADIUS = 0.125  # of the side: how far from the middle islands of the source may begin, as when features are measured


@dataclass(frozen=True, eq=False)
class _Fainter:
    """A store whose pictures are fainter ones of another."""

    store: Store
    options: TableOptions
    beam: float
    copy: int
    names: Mapping[int, str]  # of the rows

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.store.shape

    def read(self, rows: Ints) -> Pixels:
        pixels = self.store.read(rows)
        middle = _middle(pixels.shape[2:], _side(pixels.shape, self.options))
        out = np.full_like(pixels, np.nan)
        for picture, made, row in zip(pixels[:, 0], out[:, 0], rows, strict=True):
            name = self.names.get(int(row), str(row))
            rng = generator(self.options.random_seed, "classify", "fainter", str(self.copy), name)
            if np.isfinite(picture).any():
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
    names = dict(zip(map(int, pictures.rows), pictures.names, strict=True))
    return replace(pictures, store=_Fainter(pictures.store, options, beam, copy, names))


def peaks_of(pictures: Pictures, options: TableOptions) -> NDArray[np.float64]:
    """The brightest pixel of the source of each picture, in units of its noise; NaN where it is clipped, or blank.

    The source is what features are measured on: islands above 3 sigma that begin near the middle. Where there is none, it
    is the brightest pixel near the middle.
    """
    told = []
    for pixels in pictures.batches():
        middle = _middle(pixels.shape[2:], _side(pixels.shape, options))
        for picture in pixels[:, 0]:
            level, sigma = ground(picture) if np.isfinite(picture[middle]).any() else (0.0, 0.0)
            if sigma <= 0.0:
                told.append(np.nan)
                continue
            signal = (picture - level) / sigma
            source = _source(signal, 1.0, middle)
            told.append(float(np.nanmax(signal[source if source.any() else middle])))
    return np.array(told, np.float64)


def faint_note(faint: NDArray[np.bool_], faintest: float) -> str:
    """One line that says how many sources are fainter than what was learnt; empty where none is."""
    if not faint.any():
        return ""
    return (
        f"{int(faint.sum())} of {len(faint)} sources have a peak below {faintest:.3g} times the noise, and nothing as "
        "faint was learnt: their ood is 1, do not trust their classes"
    )


def _side(shape: tuple[int, ...], options: TableOptions) -> int:
    """Pixels along the side of pictures (..., y, x) as they are measured."""
    return min(options.side or min(shape[-2:]), *shape[-2:])


def _middle(shape: tuple[int, ...], side: int) -> NDArray[np.bool_]:
    y, x = (np.arange(n) - (n - 1) / 2.0 for n in shape)
    return np.asarray(np.hypot(y[:, None], x) <= _RADIUS * side, np.bool_)


def _source(signal: NDArray[np.float32], sigma: float, middle: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of the islands above 3 sigma that have one in the middle."""
    numbers, n = label(signal > SIGMA * sigma, np.ones((3, 3)))  # blank pixels are not
    kept = np.zeros(n + 1, np.bool_)
    kept[numbers[middle]] = True
    kept[0] = False
    return np.asarray(kept[numbers], np.bool_)


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
    seen = signal[_source(signal, sigma, middle)]
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

"""The completeness curve: the error function that goes best through what was found and what was missed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfinv, ndtr

from skysift.base.random import generator

__all__ = ["CompletenessCurve", "fit_curve"]

Floats = NDArray[np.float64]

_FEWEST = 5  # found, and missed, below which no curve is fitted
_RESAMPLED = 200  # bootstrap samples of the fit
_BINS = 400  # of the strength, far narrower than any curve
_STEPS = 40  # of the fit, at most
_CLOSE = 1e-6  # a step of the parameters that is shorter is the last
_NARROW, _WIDE = 0.004, 2.0  # dex; bounds of the width


@dataclass(frozen=True)
class CompletenessCurve:
    """``C(s) = ceiling Phi((log10 s - log10 middle) / width)``, Phi the error function's normal integral.

    Noise of one sigma on a threshold makes the curve rise over a width; crowding and artefacts keep its
    ceiling below 1.

    Parameters
    ----------
    middle
        Where half of the ceiling is reached, in the unit of s; NaN where nothing could be fitted.
    width
        In dex.
    ceiling
        Completeness of the brightest.
    samples
        (sample, 3): middle, width and ceiling of resampled data, for errors.
    """

    middle: float
    width: float
    ceiling: float
    samples: tuple[tuple[float, float, float], ...] = ()

    def at(self, strength: ArrayLike) -> Floats:
        """Completeness at these strengths."""
        with np.errstate(divide="ignore", invalid="ignore"):
            x = np.log10(np.asarray(strength, dtype=np.float64))
        return np.asarray(_curve(x, math.log10(self.middle), self.width, self.ceiling))

    def reaches(self, share: float) -> tuple[float, float, float]:
        """The strength at which this share is found, and its 95 % interval; NaN where that is never so."""
        value = _inverse(share, self.middle, self.width, self.ceiling)
        several = np.array([_inverse(share, *each) for each in self.samples])
        several = several[np.isfinite(several)]
        if not math.isfinite(value) or several.size < 0.5 * len(self.samples) or not several.size:
            return value, math.nan, math.nan
        low, high = np.percentile(several, [2.5, 97.5])
        return value, min(float(low), value), max(float(high), value)


def fit_curve(strength: ArrayLike, found: ArrayLike, random_seed: int = 1) -> CompletenessCurve:
    """The curve of highest likelihood for made sources of which some were found.

    Parameters
    ----------
    strength
        Flux or S/N of each made source, above 0.
    found
        Whether it was found.
    random_seed
        Of the resampling that gives the errors.
    """
    x = np.log10(np.asarray(strength, dtype=np.float64))
    seen = np.asarray(found, dtype=np.bool_)
    if seen.sum() < _FEWEST or (~seen).sum() < _FEWEST:
        return CompletenessCurve(math.nan, math.nan, math.nan)
    low, high = float(x.min()), float(x.max())
    step = max(high - low, 1e-6) / _BINS
    which = np.minimum(((x - low) / step).astype(np.int64), _BINS - 1)
    middles = np.asarray(low + (np.arange(_BINS) + 0.5) * step, dtype=np.float64)
    rng = generator(random_seed, "completeness curve")
    made, kept = np.empty((_RESAMPLED + 1, _BINS)), np.empty((_RESAMPLED + 1, _BINS))
    for sample in range(_RESAMPLED + 1):  # the first is the data themselves
        rows = rng.integers(0, x.size, x.size) if sample else np.arange(x.size)
        made[sample] = np.bincount(which[rows], minlength=_BINS)
        kept[sample] = np.bincount(which[rows], weights=seen[rows], minlength=_BINS)
    fitted = _fit(middles, made, kept, _guess(middles, made[:1], kept[:1]))
    fitted[:, 0], fitted[:, 1] = 10.0 ** fitted[:, 0], np.exp(fitted[:, 1])
    best, *several = ((float(a), float(b), float(c)) for a, b, c in fitted)
    return CompletenessCurve(*best, tuple(several))


def _curve(x: Floats, middle: float, width: float, ceiling: float) -> Floats:
    return np.asarray(ceiling * ndtr((x - middle) / width))


def _inverse(share: float, middle: float, width: float, ceiling: float) -> float:
    if not share < ceiling:  # NaN too
        return math.nan
    return float(middle * 10.0 ** (width * math.sqrt(2.0) * float(erfinv(2.0 * share / ceiling - 1.0))))


def _guess(x: Floats, made: Floats, kept: Floats) -> Floats:
    """The most likely curve of a coarse grid: middle (log10), logarithm of the width, ceiling."""
    axes = (
        np.linspace(x[0], x[-1], 42)[1:-1],
        np.log(np.geomspace(0.02, 1.0, 9)),
        np.array([0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95, 0.99]),
    )
    grid = np.stack([each.ravel() for each in np.meshgrid(*axes, indexing="ij")], axis=1)
    best = np.argmax(_likelihood(x, made, kept, grid))
    return np.asarray(grid[best])


def _fit(x: Floats, made: Floats, kept: Floats, start: Floats) -> Floats:
    """Middle (log10), logarithm of the width, and ceiling (sample, 3) of highest likelihood, all samples at once.

    Fisher scoring with steps that are halved until they gain, within bounds.

    Parameters
    ----------
    x
        Middles of the bins (log10).
    made, kept
        Made sources of each sample in the bins, and those found; (sample, bin).
    start
        Where all begin.
    """
    lowest = np.array([x[0], math.log(_NARROW), 0.02])
    highest = np.array([x[-1], math.log(_WIDE), 1.0])
    p = np.tile(start, (len(made), 1))
    value = _likelihood(x, made, kept, p)
    done = np.zeros(len(p), dtype=np.bool_)
    for _ in range(_STEPS):
        slope, curvature = _derivatives(x, made, kept, p)
        stuck = ((p <= lowest) & (slope < 0.0)) | ((p >= highest) & (slope > 0.0))
        slope[stuck] = 0.0
        curvature[stuck[:, :, np.newaxis] | stuck[:, np.newaxis, :]] = 0.0
        curvature[:, np.arange(3), np.arange(3)] += np.where(stuck, 1.0, 1e-9)
        step = np.clip(np.linalg.solve(curvature, slope[..., np.newaxis])[..., 0], -0.5, 0.5)
        gained = done.copy()
        for _ in range(8):
            if gained.all():
                break
            tried = np.clip(p + step, lowest, highest)
            new = _likelihood(x, made, kept, tried)
            better = ~gained & (new > value)
            p[better], value[better] = tried[better], new[better]
            gained |= better
            step = 0.5 * step
        done |= ~gained | (np.abs(step).max(axis=1) < _CLOSE)
        if done.all():
            break
    return p


def _shares(x: Floats, p: Floats) -> tuple[Floats, Floats, Floats]:
    """Completeness in the bins, the normal integral and its argument; (sample, bin)."""
    z = (x - p[:, :1]) / np.exp(p[:, 1:2])
    normal = ndtr(z)
    return np.clip(p[:, 2:] * normal, 1e-9, 1.0 - 1e-9), normal, z


def _likelihood(x: Floats, made: Floats, kept: Floats, p: Floats) -> Floats:
    share, _, _ = _shares(x, p)
    return np.asarray((kept * np.log(share) + (made - kept) * np.log1p(-share)).sum(axis=1))


def _derivatives(x: Floats, made: Floats, kept: Floats, p: Floats) -> tuple[Floats, Floats]:
    """Slope (sample, 3) of the likelihood, and its expected curvature (sample, 3, 3), without its sign."""
    share, normal, z = _shares(x, p)
    density = p[:, 2:] * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    change = np.stack(
        [-density / np.exp(p[:, 1:2]), -density * z, normal], axis=1
    )  # (sample, parameter, bin)
    spread = share * (1.0 - share)
    slope = (change * ((kept - made * share) / spread)[:, np.newaxis]).sum(axis=2)
    curvature = np.einsum("sib,sjb,sb->sij", change, change, made / spread)
    return slope, curvature

"""The completeness curve: the error function that goes best through what was found and what was missed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import erfinv, ndtr

from skysift.base.random import generator

__all__ = ["CompletenessCurve", "fit_curve"]

Floats = NDArray[np.float64]

_FEWEST = 5  # found, and missed, below which no curve is fitted
_RESAMPLED = 100  # bootstrap samples of the fit
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
    """The curve of highest likelihood for made sources of which some were found; not binned.

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
    best = _fit(x, seen, _guess(x, seen))
    rng = generator(random_seed, "completeness curve")
    several = []
    for _ in range(_RESAMPLED):
        rows = rng.integers(0, x.size, x.size)
        if 0 < seen[rows].sum() < x.size:
            several.append(_told(_fit(x[rows], seen[rows], best)))
    return CompletenessCurve(*_told(best), tuple(several))


def _told(fitted: tuple[float, float, float]) -> tuple[float, float, float]:
    return 10.0 ** fitted[0], fitted[1], fitted[2]


def _curve(x: Floats, middle: float, width: float, ceiling: float) -> Floats:
    return np.asarray(ceiling * ndtr((x - middle) / width))


def _inverse(share: float, middle: float, width: float, ceiling: float) -> float:
    if not share < ceiling:  # NaN too
        return math.nan
    return float(middle * 10.0 ** (width * math.sqrt(2.0) * float(erfinv(2.0 * share / ceiling - 1.0))))


def _guess(x: Floats, seen: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Where as many are missed above as are found below."""
    order = np.argsort(x, kind="stable")
    wrong = np.cumsum(seen[order]) + np.cumsum((~seen[order])[::-1])[::-1]
    middle = float(x[order][int(np.argmin(wrong))])
    above = seen[x > middle + 0.2]
    return middle, 0.08, min(float(above.mean()) if above.size else 1.0, 0.999)


def _fit(x: Floats, seen: NDArray[np.bool_], start: tuple[float, float, float]) -> tuple[float, float, float]:
    """log10 of the middle, width and ceiling of highest likelihood."""

    def cost(p: Floats) -> float:
        share = np.clip(_curve(x, p[0], math.exp(p[1]), p[2]), 1e-9, 1.0 - 1e-9)
        return -float(np.log(np.where(seen, share, 1.0 - share)).sum())

    bounds = [(float(x.min()), float(x.max())), (math.log(_NARROW), math.log(_WIDE)), (0.02, 1.0)]
    begin = np.array([start[0], math.log(start[1]), start[2]])
    answer = minimize(cost, begin, method="L-BFGS-B", bounds=bounds)
    middle, width, ceiling = (float(value) for value in answer.x)
    return middle, math.exp(width), ceiling

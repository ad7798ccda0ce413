"""Intervals of 95 %: of shares, of numbers, of medians and widths. All are exact in what they assume and none is drawn.

Shares: Wilson (1927, JASA 22, 209), and Jeffreys' interval for comparison (Brown, Cai and DasGupta 2001,
Statistical Science 16, 101). Numbers: Garwood (1936, Biometrika 28, 437); Gehrels (1986, ApJ 303, 336).
Quantiles: asymptotic, with the density at the quantile from the spacing of the values (Hall and
Sheather 1988, JRSS B 50, 381).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, gammaincinv

__all__ = ["Spread", "jeffreys", "poisson", "share_numbers", "spread", "wilson"]

Floats: TypeAlias = NDArray[np.float64]

Z = 1.959963984540054  # two-sided 95 % of a normal distribution
_TAIL = 0.025
_FEWEST = 8  # values, of which quantiles 16 % apart from the ends say something


def wilson(k: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Lower and upper end of Wilson's interval of a share k / n; NaN where n is 0."""
    k, n = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / n
        middle = (share + Z**2 / (2.0 * n)) / (1.0 + Z**2 / n)
        half = Z / (1.0 + Z**2 / n) * np.sqrt(share * (1.0 - share) / n + Z**2 / (4.0 * n**2))
    low = np.where(k == 0, 0.0, middle - half)
    high = np.where(k == n, 1.0, middle + half)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def share_numbers(name: str, k: int, n: int) -> dict[str, float]:
    """A share k / n as reports tell it: under `name`, with both ends of Wilson's interval; NaN where n is 0."""
    low, high = wilson(k, n)
    return {name: k / n if n else math.nan, f"{name}_low": float(low), f"{name}_high": float(high)}


def jeffreys(k: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Lower and upper end of Jeffreys' interval of a share k / n; NaN where n is 0."""
    k, n = np.broadcast_arrays(np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64))
    low = np.where(k == 0, 0.0, betaincinv(k + 0.5, n - k + 0.5, _TAIL))
    high = np.where(k == n, 1.0, betaincinv(k + 0.5, n - k + 0.5, 1.0 - _TAIL))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def poisson(n: ArrayLike) -> tuple[Floats, Floats]:
    """Lower and upper end of the exact interval of the mean of which n were counted."""
    n = np.asarray(n, dtype=np.float64)
    low = np.where(n > 0, gammaincinv(np.maximum(n, 1.0), _TAIL), 0.0)
    return low, np.asarray(gammaincinv(n + 1.0, 1.0 - _TAIL))


@dataclass(frozen=True)
class Spread:
    """Median and half the 16-84 % width of values, with their intervals, and the share beyond 5."""

    n: int
    median: float
    median_low: float
    median_high: float
    width: float
    width_low: float
    width_high: float
    beyond: float


def spread(values: ArrayLike) -> Spread:
    """How finite values lie: where their middle is and how wide they are, whatever their tails do."""
    given = np.asarray(values, dtype=np.float64)
    good = np.sort(given[np.isfinite(given)])
    n = int(good.size)
    if n == 0:
        return Spread(0, *(math.nan,) * 7)
    low, middle, high = (float(value) for value in np.quantile(good, (0.16, 0.5, 0.84)))
    beyond = float(np.mean(np.abs(good) > 5.0))
    width = (high - low) / 2.0
    if n < _FEWEST:
        return Spread(n, middle, math.nan, math.nan, width, math.nan, math.nan, beyond)
    gap = {p: _sparsity(good, p) for p in (0.16, 0.5, 0.84)}
    of_median = Z * gap[0.5] * math.sqrt(0.25 / n)
    variance = (
        0.16 * 0.84 * (gap[0.16] ** 2 + gap[0.84] ** 2) - 2.0 * 0.16 * 0.16 * gap[0.16] * gap[0.84]
    ) / n
    of_width = Z * math.sqrt(max(variance, 0.0)) / 2.0
    return Spread(
        n,
        middle,
        middle - of_median,
        middle + of_median,
        width,
        max(width - of_width, 0.0),
        width + of_width,
        beyond,
    )


def _sparsity(values: Floats, p: float) -> float:
    """The reciprocal of the density at the quantile p of sorted values: the slope of the quantiles around it."""
    # the width of Hall and Sheather for 95 %, with a normal density for its constant
    half = min((0.971 if p == 0.5 else 0.486) * values.size ** (-1.0 / 3.0), 0.9 * min(p, 1.0 - p))
    low, high = np.quantile(values, (p - half, p + half))
    return float((high - low) / (2.0 * half))

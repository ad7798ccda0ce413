"""Kernels of the scales: B3-spline smoothing by holes, with blanks, and what noise is left on each scale.

The smoothing of Starck & Murtagh's a trous transform (Starck, Murtagh & Fadili 2010, *Sparse Image and Signal
Processing*): each step convolves with the B3 spline whose taps are twice as far apart as those of the step before.
All taps are whole sixteenths, so that weights of a map without blanks stay 1 to the last bit.
"""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.measure.ellipse import FWHM

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.float32]

TAPS = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
ENOUGH = 0.25  # of the weight of a smoothed pixel must be data


def reach(level: int) -> int:
    """Pixels that a smoothed value of a level (1, 2, ...) depends on, to each side."""
    return int(2 * (2**level - 1))


def width(level: int) -> float:
    """FWHM (pixels) of what the smoothing of a level does to a point."""
    return FWHM * float(np.sqrt((4.0**level - 1.0) / 3.0))


def response(level: int) -> Floats:
    """What the smoothing of a level makes of a point, along one axis: ``(2 reach + 1,)``, of sum 1."""
    total = np.array([1.0])
    for k in range(level):
        holes = np.zeros(4 * 2**k + 1)
        holes[:: 2**k] = TAPS
        total = np.convolve(total, holes)
    return total


def _overlap(a: Floats, b: Floats, lags: int) -> Floats:
    """Correlation of two responses of one axis at lags from -lags to lags."""
    half = max(len(a), len(b)) // 2
    wide = [np.pad(each, half + lags - len(each) // 2) for each in (a, b)]
    middle = len(wide[0]) - 1
    return np.asarray(np.correlate(wide[0], wide[1], "full")[middle - lags : middle + lags + 1])


def smoothed_variance(correlation: Floats, level: int) -> float:
    """
    Variance of unit noise with this autocorrelation ``(dy, dx)`` after the smoothing of a level.

    With the response g of a level it is the sum of the autocorrelation times that of g over all lags.
    """
    g = response(level)
    n_y, n_x = correlation.shape[0] // 2, correlation.shape[1] // 2
    return float(_overlap(g, g, n_y) @ correlation @ _overlap(g, g, n_x))


def detail_variance(correlation: Floats, level: int) -> float:
    """Variance of unit noise in the wavelet coefficients of a level: the difference of two smoothings."""
    a, b = response(level - 1), response(level)
    n_y, n_x = correlation.shape[0] // 2, correlation.shape[1] // 2
    parts = [
        float(_overlap(u, v, n_y) @ correlation @ _overlap(u, v, n_x)) for u, v in ((a, a), (a, b), (b, b))
    ]
    return parts[0] - 2.0 * parts[1] + parts[2]


@kernel
def smooth_step(values: Floats, step: int, out: Floats, row: Floats) -> None:
    """
    One step of the smoothing of ``values (y, x)``, with taps `step` pixels apart; beyond the array all is zero.

    ``row (y, x)`` is room for the half done.
    """
    ny, nx = values.shape
    far = 2 * step
    inner, outer = min(far, nx), max(nx - far, 0)
    for i in range(ny):
        for j in range(far, nx - far):
            near = values[i, j - step] + values[i, j + step]
            row[i, j] = (
                0.375 * values[i, j] + 0.25 * near + 0.0625 * (values[i, j - far] + values[i, j + far])
            )
        for part in range(2):
            for j in range(0 if part == 0 else max(outer, inner), inner if part == 0 else nx):
                near = (values[i, j - step] if j >= step else 0.0) + (
                    values[i, j + step] if j + step < nx else 0.0
                )
                wide = (values[i, j - far] if j >= far else 0.0) + (
                    values[i, j + far] if j + far < nx else 0.0
                )
                row[i, j] = 0.375 * values[i, j] + 0.25 * near + 0.0625 * wide
    nothing = np.zeros(nx)
    for i in range(ny):
        a, b = row[i - step] if i >= step else nothing, row[i + step] if i + step < ny else nothing
        c, d = row[i - far] if i >= far else nothing, row[i + far] if i + far < ny else nothing
        for j in range(nx):
            out[i, j] = 0.375 * row[i, j] + 0.25 * (a[j] + b[j]) + 0.0625 * (c[j] + d[j])


@kernel
def significance(sums: Floats, weights: Floats, sigma: float, enough: float, out: Pixels) -> None:
    """Smoothed values in units of their noise: ``sums / weights`` over ``sigma / sqrt(weights)``; NaN with few data."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            w = weights[i, j]
            out[i, j] = sums[i, j] / (np.sqrt(w) * sigma) if w >= enough else np.nan


@kernel
def clip_found(sums: Floats, weights: Floats, found: Pixels, seed: float, clip: float) -> None:
    """Bring smoothed values where ``found`` (sigma) is above `seed` down to `clip`, in units of the map's noise."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            if found[i, j] > seed:
                sums[i, j] = min(sums[i, j], clip * weights[i, j])


def levels_of(beam: float, largest: float) -> tuple[int, ...]:
    """Levels whose width goes from about one beam (FWHM, pixels) to `largest` beams; the first of them at least."""
    first = 1
    while width(first) < 0.8 * beam:
        first += 1
    last = first
    while width(last + 1) <= largest * beam:
        last += 1
    return tuple(range(first, last + 1))

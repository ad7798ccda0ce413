"""Loops over the pixels of sources in several bands: correlation of the noise, errors of sums, local similarity."""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel

__all__ = ["correlated_squares", "correlation_widths", "similarity"]

Pixels: TypeAlias = NDArray[np.float32]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]


@kernel
def correlation_widths(pixels: Pixels, source: Bools, level: Floats, noise: Floats, widths: Floats) -> None:
    """
    Rms width (pixel) of the Gaussian that the autocorrelation of each picture's noise is like; 0 for white noise.

    Parameters
    ----------
    pixels
        ``(picture, y, x)``.
    source
        ``(picture, y, x)`` pixels that are no noise.
    level, noise
        ``(picture,)``.
    widths
        ``(picture,)``, written; from the correlation at lags of one and two pixels along both axes.
    """
    n, ny, nx = pixels.shape
    for k in range(n):
        top = 4.0 * noise[k]
        square, first, second = 0.0, 0.0, 0.0
        squares, firsts, seconds = 0, 0, 0
        for y in range(ny):
            for x in range(nx):
                a = pixels[k, y, x] - level[k]
                if source[k, y, x] or not abs(a) < top:
                    continue
                square += a * a
                squares += 1
                for lag in (1, 2):
                    for j, i in ((y + lag, x), (y, x + lag)):
                        if j >= ny or i >= nx or source[k, j, i]:
                            continue
                        b = pixels[k, j, i] - level[k]
                        if not abs(b) < top:
                            continue
                        if lag == 1:
                            first += a * b
                            firsts += 1
                        else:
                            second += a * b
                            seconds += 1
        widths[k] = 0.0
        if squares < 100 or firsts < 100 or seconds < 100 or not square > 0.0:
            continue
        one, two = first / firsts / (square / squares), second / seconds / (square / squares)
        if two > 0.1:
            widths[k] = math.sqrt(-2.0 / math.log(min(two, 0.999)))
        elif one > 0.02:
            widths[k] = math.sqrt(-0.5 / math.log(min(one, 0.999)))


@kernel
def correlated_squares(weights: Floats, widths: Floats, out: Floats) -> None:
    """
    The variance of a weighted sum of pixels in units of that of one pixel: sum over pairs of w w' times correlation.

    Parameters
    ----------
    weights
        ``(picture, y, x)``; 0 where a pixel does not count.
    widths
        ``(picture,)`` rms of the Gaussian autocorrelation (pixel).
    out
        ``(picture,)``, written.
    """
    n, ny, nx = weights.shape
    for k in range(n):
        reach = math.ceil(3.5 * widths[k])
        table = np.ones((reach + 1, reach + 1))
        for j in range(reach + 1):
            for i in range(reach + 1):
                if j + i > 0:
                    table[j, i] = math.exp(-0.5 * (j * j + i * i) / widths[k] ** 2)
        total = 0.0
        for y in range(ny):
            for x in range(nx):
                if weights[k, y, x] == 0.0:
                    continue
                inner = 0.0
                for j in range(max(y - reach, 0), min(y + reach + 1, ny)):
                    for i in range(max(x - reach, 0), min(x + reach + 1, nx)):
                        if weights[k, j, i] != 0.0:
                            inner += weights[k, j, i] * table[abs(j - y), abs(i - x)]
                total += weights[k, y, x] * inner
        out[k] = total


@kernel
def similarity(first: Floats, second: Floats, source: Bools, half: int, out: Floats) -> None:
    """
    Median structural similarity of two bands over the source, from windows of ``2 half + 1`` pixels; NaN without one.

    The images ``(picture, y, x)`` are in units of their ranges; `out` is written.
    """
    n, ny, nx = first.shape
    c1, c2 = 0.01**2, 0.03**2
    for k in range(n):
        held = np.empty(int(source[k].sum()), np.float64)
        m = 0
        for y in range(ny):
            for x in range(nx):
                if not source[k, y, x]:
                    continue
                count, a, b, aa, bb, ab = 0, 0.0, 0.0, 0.0, 0.0, 0.0
                for j in range(max(y - half, 0), min(y + half + 1, ny)):
                    for i in range(max(x - half, 0), min(x + half + 1, nx)):
                        p, q = first[k, j, i], second[k, j, i]
                        if np.isfinite(p) and np.isfinite(q):
                            count += 1
                            a += p
                            b += q
                            aa += p * p
                            bb += q * q
                            ab += p * q
                if count < 4:
                    continue
                a, b = a / count, b / count
                spare = count / (count - 1.0)
                aa, bb, ab = (
                    spare * (aa / count - a * a),
                    spare * (bb / count - b * b),
                    spare * (ab / count - a * b),
                )
                above = (2.0 * a * b + c1) * (2.0 * ab + c2)
                held[m] = above / ((a * a + b * b + c1) * (aa + bb + c2))
                m += 1
        out[k] = np.median(held[:m]) if m > 0 else np.nan

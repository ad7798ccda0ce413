"""Level and noise of small pictures, also of those whose faint pixels were cut off or rounded."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel

__all__ = ["level_and_noise"]

Pixels: TypeAlias = NDArray[np.float32]
Floats: TypeAlias = NDArray[np.float64]

_MOST = 12000  # pixels of a picture that are looked at


def level_and_noise(pixels: Pixels, clip: float) -> tuple[Floats, Floats]:
    """Level of the ground and its noise (1 sigma), one a picture; NaN where a picture holds nothing.

    The median and the lower half of the scatter about it, with what lies above three sigma left out. Where many
    pixels share the least value, as in pictures whose negative or faint pixels were set to 0, the noise comes from
    quantiles of the others; where nearly all do, from the faintest pixel that is left, which then lies `clip` sigma
    above the level.

    Parameters
    ----------
    pixels
        (picture, y, x).
    clip
        In sigma, where faint pixels were cut off.
    """
    n = len(pixels)
    level, noise = np.full(n, np.nan), np.full(n, np.nan)
    step = max(1, math.isqrt(pixels.shape[1] * pixels.shape[2] // _MOST))
    _levels(pixels, step, clip, level, noise)
    return level, noise


@kernel
def _levels(pixels: Pixels, step: int, clip: float, level: Floats, noise: Floats) -> None:
    n, ny, nx = pixels.shape
    held = np.empty(((ny + step - 1) // step) * ((nx + step - 1) // step), np.float64)
    for k in range(n):
        m = 0
        for y in range(k % step, ny, step):
            for x in range(k % step, nx, step):
                value = pixels[k, y, x]
                if np.isfinite(value):
                    held[m] = value
                    m += 1
        if m < 16:
            continue
        values = np.sort(held[:m])
        least = np.searchsorted(values, values[0], side="right")
        share = least / m
        if share > 0.97:
            faintest, brightest = np.inf, -np.inf
            for y in range(ny):
                for x in range(nx):
                    value = pixels[k, y, x]
                    if values[0] < value < faintest:
                        faintest = value
                    if value > brightest:
                        brightest = value
            level[k] = values[0]
            if faintest < np.inf:
                noise[k] = (faintest - values[0]) / clip
        elif share > 0.2:
            low, high = share + 0.2 * (1.0 - share), share + 0.5 * (1.0 - share)
            a, b = values[min(int(low * m), m - 1)], values[min(int(high * m), m - 1)]
            za, zb = _normal(low), _normal(high)
            noise[k] = (b - a) / (zb - za)
            level[k] = a - za * noise[k]
        else:
            end = m
            for _ in range(6):
                middle = values[end // 2]
                sigma = middle - values[int(0.158655 * end)]
                level[k], noise[k] = middle, sigma
                further = np.searchsorted(values, middle + 3.0 * sigma, side="right")
                if further == end or further < 8:
                    break
                end = further
        if not noise[k] > 0.0:
            noise[k] = np.nan


@kernel
def _normal(share: float) -> float:
    """The normal deviate below which this share lies, by bisection."""
    low, high = -8.0, 8.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if 0.5 * math.erfc(-middle / math.sqrt(2.0)) < share:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)

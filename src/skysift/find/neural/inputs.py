"""What a network is shown: a map in units of its noise, in a few ranges; and told: its beam, the colour of its noise.

A cube ``(z, y, x)``, z along its channels, is shown as a map is; the colour of its noise is told along z, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel
from skysift.learn.shown import (
    CHANNELS,
    COMPRESSED,
    CONDITIONS,
    FLOOR,
    LAGS,
    LEAST,
    LINEAR,
    MOST,
    REACH,
    TOLD,
)
from skysift.measure.ellipse import FWHM

__all__ = [
    "CHANNELS", "CONDITIONS", "TOLD", "beam_condition", "channels", "conditions", "largest_around",
    "noise_colour", "told_along",
]  # fmt: skip

Pixels = NDArray[np.float32]
Floats = NDArray[np.float64]

_LIKE = 2.5  # pixels across a usual beam (FWHM)
_WHITE = 0.9539  # median of the absolute difference of two independent numbers of unit variance
_ENOUGH = 256  # differences that make a colour
_EVERY = 4  # rows and columns: neighbours tell the same


@kernel
def largest_near(z: Pixels, reach: int, out: Pixels) -> None:
    """Largest value in the square around each pixel (2 reach + 1 wide); what is NaN does not count, -inf where all is."""
    ny, nx = z.shape
    rows = np.empty((ny, nx), np.float32)
    for y in range(ny):
        for x in range(nx):
            best = np.float32(-np.inf)
            for k in range(max(0, x - reach), min(nx, x + reach + 1)):
                if z[y, k] > best:
                    best = z[y, k]
            rows[y, x] = best
    for y in range(ny):
        low, high = max(0, y - reach), min(ny, y + reach + 1)
        for x in range(nx):
            out[y, x] = rows[low, x]
        for k in range(low + 1, high):
            for x in range(nx):
                if rows[k, x] > out[y, x]:
                    out[y, x] = rows[k, x]


def told_along(axes: int) -> int:
    """How many numbers `conditions` tells of a map (2) or a cube (3)."""
    return TOLD + (axes - 2) * len(LAGS)


def largest_around(z: Pixels, reach: int) -> Pixels:
    """Largest value in the square, of a cube the cube, around each pixel; as `largest_near` gives it."""
    if z.ndim == 2:
        top = np.empty(z.shape, np.float32)
        largest_near(np.ascontiguousarray(z, np.float32), reach, top)
        return top
    planes = np.stack([largest_around(plane, reach) for plane in z])
    top = planes.copy()
    for step in range(1, min(reach, len(z) - 1) + 1):
        np.maximum(top[step:], planes[:-step], out=top[step:])
        np.maximum(top[:-step], planes[step:], out=top[:-step])
    return top


def channels(z: Pixels) -> Pixels:
    """
    The channels ``(CHANNELS, ..., y, x)`` of a map or cube in units of its noise; all are 0 where that is NaN.

    They are 0.4 asinh(z); 0.2 z, cut at -1.5 and 3; z over the largest value near, which counts as 4 at least; and 1
    where there are data.
    """
    good = np.isfinite(z)
    top = largest_around(z, REACH)
    values = np.where(good, z, np.float32(0.0)).astype(np.float32)
    result = np.empty((CHANNELS, *z.shape), np.float32)
    np.multiply(np.arcsinh(values), np.float32(COMPRESSED), out=result[0])
    np.clip(np.float32(LINEAR) * values, LEAST, MOST, out=result[1])
    np.divide(values, np.maximum(top, np.float32(FLOOR)), out=result[2])
    np.maximum(result[2], -1.0, out=result[2])
    result[3] = good
    return result


def beam_condition(beam: Floats) -> NDArray[np.float32]:
    """
    What a network is told of beams ``(n, 3)`` (covariance xx, xy, yy; pixels squared): ``(n, CONDITIONS)``.

    The logarithm of the geometric mean of its axes over 2.5 pixels; the logarithm of the ratio of the axes times
    cosine and sine of twice the angle; and the inverse of the width, for undersampled maps.
    """
    xx, xy, yy = np.asarray(beam, np.float64).T
    width = FWHM * np.sqrt(np.sqrt(np.maximum(xx * yy - xy * xy, 1e-12)))
    mean, half = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    ratio = 0.5 * np.log((mean + half) / np.maximum(mean - half, 1e-12))
    safe = np.where(half > 0.0, half, 1.0)
    along, across = 0.5 * (xx - yy) / safe, xy / safe
    told = np.stack([np.log(width / _LIKE), ratio * along, ratio * across, _LIKE / width - 1.0], axis=1)
    return np.asarray(told, np.float32)


def noise_colour(z: Pixels) -> NDArray[np.float32]:
    """
    How the noise of a map or cube in units of its noise is correlated: one number for each of `LAGS`.

    Ln of the median absolute difference of pixels that far apart along rows or columns, over that of white noise: 0
    for white noise, the lower the smoother the noise is. Sources hardly change a median. 0 where there are too few
    pixels with data. Every fourth row (column) is looked at. Of a cube the same along its channels follows.
    """
    told = []
    for lag in LAGS:
        along, across = (
            z[..., ::_EVERY, lag:] - z[..., ::_EVERY, :-lag],
            z[..., lag:, ::_EVERY] - z[..., :-lag, ::_EVERY],
        )
        told.append(_smoothness(along, across) if min(z.shape[-2:]) > lag else 0.0)
    if z.ndim == 3:
        sparse = z[:, ::_EVERY, ::_EVERY]
        told += [_smoothness(sparse[lag:] - sparse[:-lag]) for lag in LAGS]
    return np.array(told, np.float32)


def _smoothness(*apart: Pixels) -> float:
    """Ln of the median absolute difference over that of white noise; 0 where there are too few."""
    every = np.abs(np.concatenate([each.ravel() for each in apart]))
    every = every[np.isfinite(every)]
    if every.size < _ENOUGH:
        return 0.0
    return float(np.log(max(float(np.median(every)), 1e-2) / _WHITE))


def conditions(z: Pixels, beam: Floats) -> NDArray[np.float32]:
    """What a network is told of a map or cube in units of its noise with a beam ``(3,)``: ``(told_along(axes),)``."""
    return np.concatenate([beam_condition(beam[None])[0], noise_colour(z)])

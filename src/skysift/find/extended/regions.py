"""Regions of a window: superpixels, and the mean of each with its noise."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.segmentation import slic

from skysift.base.compiled import kernel

Pixels = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int64]

NEAR_ZERO = 0.01  # of the variance; pixels correlated less than this are taken as independent
ROUNDS = 5  # of SLIC; more change little


def superpixels(values: Pixels, size: float, contrast: float) -> Labels:
    """
    The superpixel of each pixel, from 0, by SLIC (Achanta et al. 2012, IEEE TPAMI 34, 2274).

    Parameters
    ----------
    values
        What is alike within a superpixel, float32 ``(y, x)``, finite.
    size
        Side of a superpixel in pixels.
    contrast
        Difference in values that weighs as much as one side in distance.
    """
    many = round(values.size / size**2)
    span = float(np.ptp(values))
    if many < 2 or not span:
        return np.zeros(values.shape, np.int64)
    labels = slic(
        values, many, contrast / span, max_num_iter=ROUNDS, channel_axis=None, start_label=0
    )  # slic scales the values to 0 .. 1
    return np.asarray(labels, np.int64)


@kernel
def add_correlations(labels: Labels, lags: Ints, correlation: Floats, out: Floats) -> None:
    """
    Add to each region twice the correlation of all pairs of its pixels that are one of the lags apart.

    Parameters
    ----------
    labels
        Regions ``(y, x)``, from 0; below 0 for none.
    lags
        ``(n, 2)`` (dy, dx), dy not below 0.
    correlation
        ``(n,)``.
    out
        ``(region,)``.
    """
    ny, nx = labels.shape
    for k in range(lags.shape[0]):
        dy, dx, twice = lags[k, 0], lags[k, 1], 2.0 * correlation[k]
        for i in range(ny - dy):
            for j in range(max(0, -dx), min(nx, nx - dx)):
                region = labels[i, j]
                if region >= 0 and region == labels[i + dy, j + dx]:
                    out[region] += twice


@dataclass(frozen=True, eq=False)
class Lags:
    """
    How noise at two pixels is correlated.

    Attributes
    ----------
    lags
        ``(n, 2)`` (dy, dx) of half the plane, without 0, 0.
    correlation
        ``(n,)``.
    """

    lags: Ints
    correlation: Floats

    @classmethod
    def of(cls, correlation: Floats) -> "Lags":
        """Those of an autocorrelation ``(dy, dx)``, 1 at its centre."""
        v, u = np.nonzero(np.abs(correlation) >= NEAR_ZERO)
        dy, dx = v - correlation.shape[0] // 2, u - correlation.shape[1] // 2
        half = (dy > 0) | ((dy == 0) & (dx > 0))
        lags = np.stack([dy[half], dx[half]], axis=1).astype(np.int64)
        return cls(np.ascontiguousarray(lags), np.ascontiguousarray(correlation[v[half], u[half]]))


@dataclass(frozen=True, eq=False)
class Regions:
    """
    What the pixels of regions say together.

    Attributes
    ----------
    count
        Pixels with data ``(n,)``.
    mean
        Mean signal to noise ``(n,)``; NaN without data.
    noise
        Standard deviation of the mean of as many pixels, of noise, at the same places.
    y, x
        Centres in pixels of the window.
    """

    count: Ints
    mean: Floats
    noise: Floats
    y: Floats
    x: Floats

    @classmethod
    def of(cls, labels: Labels, z: Pixels, lags: Lags) -> "Regions":
        """Those of a window with labels from 0, none below, and signal to noise, NaN where there are no data."""
        n = int(labels.max(initial=-1)) + 1
        good = np.isfinite(z) & (labels >= 0)
        own = np.ascontiguousarray(np.where(good, labels, -1))
        flat, (y, x) = labels[good], np.nonzero(good)
        count = np.bincount(flat, minlength=n)
        pairs = count.astype(np.float64)
        add_correlations(own, lags.lags, lags.correlation, pairs)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean, cy, cx = (np.bincount(flat, each, n) / count for each in (z[good].astype(np.float64), y, x))
            noise = np.sqrt(np.maximum(pairs, 1.0)) / count
        return cls(count, mean, noise, cy, cx)

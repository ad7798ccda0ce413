"""Weights of the cells of the uv plane, and the taper that makes the dirty beam the one that is wanted."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from skysift.sim.gridding import transform_at
from skysift.sim.options import InstrumentOptions

__all__ = ["main_lobe", "offsets", "tapered", "weighted"]

Floats = NDArray[np.float64]

_DENSITY_FIELD = 120.0  # beams: FWHM on the sky of what the density of samples is smoothed with
_CLOSE = 1e-3  # of the squares of the axes, where a taper is good enough
_STEPS = 40
_RASTER = 16  # points of the beam on each side of its middle that a Gaussian is fitted to


def offsets(n: int) -> tuple[Floats, Floats]:
    """Rows and columns of a grid as a discrete Fourier transform numbers them, (n, 1) and (1, n)."""
    k = fft.fftfreq(n, 1.0 / n)
    return k[:, None], k[None, :]


def weighted(options: InstrumentOptions, counts: Floats, wanted: Floats) -> Floats:
    """Weights of the cells before the taper, in sum 1.

    Parameters
    ----------
    options
        Kind of weights.
    counts
        Samples in each cell, (ky, kx).
    wanted
        Covariance (2, 2) of the wanted beam, pixels squared.
    """
    if options.weighting == "natural":
        return counts / float(counts.sum())
    y, x = offsets(len(counts))
    spread = _DENSITY_FIELD**2 * math.sqrt(float(np.linalg.det(wanted)))
    density = fft.fft2(fft.ifft2(counts).real * np.exp(-0.5 * (x * x + y * y) / spread)).real
    density = np.maximum(density, 1e-3 * counts)  # rounding aside, it is positive where there are samples
    if options.weighting == "uniform":
        weights = np.divide(counts, density, out=np.zeros_like(counts), where=counts > 0)
    else:
        f2 = (5.0 * 10.0**-options.robust) ** 2 * counts.sum() / float(np.sum(counts * density))
        weights = counts / (1.0 + density * f2)
    return np.asarray(weights / float(weights.sum()))


def tapered(weights: Floats, wanted: Floats) -> tuple[Floats, Floats]:
    """Weights under the Gaussian taper that brings the main lobe nearest to `wanted`, and that lobe (2, 2)."""
    n = len(weights)
    ky, kx = (each / n for each in offsets(n))
    taper, step = np.zeros((2, 2)), 1.0
    made, lobe = weights, main_lobe(weights)
    miss = float(np.linalg.norm(wanted - lobe))
    for _ in range(_STEPS):
        if miss < _CLOSE * np.max(wanted) or step < 1e-3:
            break
        values, vectors = np.linalg.eigh(taper + step * (wanted - lobe))
        tried = (vectors * np.maximum(values, 0.0)) @ vectors.T
        q = tried[0, 0] * kx * kx + 2.0 * tried[0, 1] * kx * ky + tried[1, 1] * ky * ky
        under = weights * np.exp(-2.0 * math.pi**2 * q)
        total = float(under.sum())
        seen = main_lobe(under / total) if total > 0 else np.full((2, 2), np.inf)
        if not np.linalg.norm(wanted - seen) < miss:  # too far: the lobe answers more than the taper changes
            step *= 0.5
            continue
        taper, made, lobe, miss = tried, under / total, seen, float(np.linalg.norm(wanted - seen))
    return made, lobe


def main_lobe(weights: Floats) -> Floats:
    """Covariance (2, 2), pixels squared, axes (x, y), of the Gaussian that fits the beam above half of its peak."""
    n = len(weights)
    ky, kx = (each / n for each in offsets(n))
    columns, rows = weights.sum(axis=0), weights.sum(axis=1)
    xx, yy = float(np.sum(columns * kx[0] ** 2)), float(np.sum(rows * ky[:, 0] ** 2))
    xy = float(np.sum(kx[0] * np.sum(weights * ky, axis=0)))
    least = 0.5 * (xx + yy) - math.hypot(0.5 * (xx - yy), xy)
    far = 1.2 / (2.0 * math.pi * math.sqrt(max(least, 1e-12)))  # a first guess at half the FWHM
    for _ in range(12):
        y, x = (
            np.linspace(0.0, far, _RASTER + 1),
            np.linspace(-far, far, 2 * _RASTER + 1),
        )  # half of it tells all
        wave_y, wave_x = 2.0 * math.pi * np.outer(y, ky), 2.0 * math.pi * np.outer(x, kx)
        lobe = np.empty((y.size, x.size))
        transform_at(weights, np.cos(wave_y), np.sin(wave_y), np.cos(wave_x), np.sin(wave_x), lobe)
        if max(lobe[:, 0].max(), lobe[-1].max(), lobe[:, -1].max()) < 0.5:
            break
        far *= 1.3
    y, x = np.meshgrid(y, x, indexing="ij")
    chosen = lobe > 0.5
    terms = np.stack([x * x, 2.0 * x * y, y * y], axis=-1)[chosen] * lobe[chosen, None]
    fitted = np.linalg.lstsq(terms, -2.0 * np.log(lobe[chosen]) * lobe[chosen])[0]
    return np.linalg.inv(np.array([[fitted[0], fitted[1]], [fitted[1], fitted[2]]]))

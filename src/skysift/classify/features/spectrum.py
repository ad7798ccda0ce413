"""Power laws through fluxes, and slopes of two bands against each other: many sources at once, bare arrays."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_power_laws", "orthogonal_slopes"]

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

_STEPS = 12


def fit_power_laws(
    flux: Floats, error: Floats, log_frequency: Floats, use: Bools, terms: int
) -> tuple[Floats, Floats]:
    """
    Parameters and 1-sigma errors of ``exp(p0 + p1 t + p2 t^2)``, t = ln(frequency), through fluxes.

    Least squares in the fluxes themselves, not in their logarithms, which would bend faint ones; bands may hold any
    value then, negative ones too. NaN where fewer bands are used than there are parameters.

    Parameters
    ----------
    flux, error
        (source, band).
    log_frequency
        (band,), best from a frequency amid them.
    use
        (source, band).
    terms
        2 for a power law, 3 with curvature.
    """
    n = len(flux)
    values, errors = np.full((n, terms), np.nan), np.full((n, terms), np.nan)
    good = np.flatnonzero(use.sum(axis=1) >= terms)
    if not len(good):
        return values, errors
    design = log_frequency[:, None] ** np.arange(terms)  # (band, term)
    f, e, u = flux[good], error[good], use[good]
    weight = np.where(u, 1.0 / np.where(u, e, 1.0) ** 2, 0.0)
    f = np.where(u, f, 0.0)
    bright = np.where(u, np.maximum(f, 0.3 * np.where(u, e, 1.0)), 1.0)
    start = np.where(u, (bright / np.where(u, e, 1.0)) ** 2, 0.0)
    p = _solve(design, start, np.log(bright) * start)
    for _ in range(_STEPS):
        model = np.exp(np.clip(p @ design.T, -80.0, 80.0))
        step = _solve(design, weight * model**2, weight * model * (f - model))
        p = p + np.clip(step, -1.0, 1.0)
    model = np.exp(np.clip(p @ design.T, -80.0, 80.0))
    normal = np.einsum("sb,bi,bj->sij", weight * model**2, design, design)
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = np.linalg.pinv(normal)
        values[good], errors[good] = p, np.sqrt(np.einsum("sii->si", covariance))
    return values, errors


def _solve(design: Floats, weight: Floats, right: Floats) -> Floats:
    """Weighted least squares of all sources: (source, term)."""
    normal = np.einsum("sb,bi,bj->sij", weight, design, design)
    scale = np.einsum("sii->s", normal)[:, None, None] / design.shape[1]
    normal = normal / np.maximum(scale, 1e-300) + 1e-12 * np.eye(design.shape[1])
    vector = np.einsum("sb,bi->si", right, design) / np.maximum(scale[:, 0], 1e-300)
    return np.asarray(np.linalg.solve(normal, vector[..., None])[..., 0])


def orthogonal_slopes(
    sxx: Floats, syy: Floats, sxy: Floats, noise_x: Floats, noise_y: Floats
) -> tuple[Floats, Floats]:
    """
    Slope of y against x where both have noise, and Pearson's r; NaN where they do not go together.

    Orthogonal-distance regression in units of the noises (Deming's): the same line whichever band is called x.

    Parameters
    ----------
    sxx, syy, sxy
        Mean squares and products of the deviations from the means.
    noise_x, noise_y
        1 sigma of a pixel.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (noise_y / noise_x) ** 2
        half = syy - ratio * sxx
        slope = (half + np.sqrt(half**2 + 4.0 * ratio * sxy**2)) / (2.0 * sxy)
        r = sxy / np.sqrt(sxx * syy)
    good = np.isfinite(slope) & (sxy > 0)
    return np.where(good, slope, np.nan), np.where(np.isfinite(r), r, np.nan)

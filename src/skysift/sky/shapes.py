"""Elliptical Gaussians as arrays: axes and angles to covariances and back, the beam taken out.

Covariances ``(n, 3)`` are east-east, east-north, north-north (arcsec^2, sigma not FWHM); axes are FWHM in arcsec,
angles in degrees from north through east.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.sky.beam import FWHM_PER_SIGMA

__all__ = ["axes_of", "covariances", "deconvolved", "determinants"]

Floats = NDArray[np.float64]

_ROUNDING = 1e-9  # of the variances: what is left of a shape that is the beam


def covariances(major: ArrayLike, minor: ArrayLike, pa: ArrayLike) -> Floats:
    """Covariances ``(n, 3)`` of ellipses; what is NaN or below zero counts as zero: no width, an angle of zero."""
    a, b, angle = (np.nan_to_num(np.asarray(each, np.float64), nan=0.0) for each in (major, minor, pa))
    a, b = (np.maximum(each, 0.0) / FWHM_PER_SIGMA for each in (a, b))
    sin, cos = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    a, b = a * a, b * b
    return np.stack([a * sin**2 + b * cos**2, (a - b) * sin * cos, a * cos**2 + b * sin**2], axis=-1)


def determinants(covariance: Floats) -> Floats:
    """Determinants ``(n,)`` of covariances ``(n, 3)``: the square of their area but for a factor."""
    return np.asarray(covariance[:, 0] * covariance[:, 2] - covariance[:, 1] ** 2)


def axes_of(covariance: Floats) -> tuple[Floats, Floats, Floats]:
    """Major and minor axes and angles ``(n,)`` of covariances ``(n, 3)``; the angle of a round one is 0."""
    ee, en, nn = covariance.T
    mean, radius = 0.5 * (ee + nn), np.hypot(0.5 * (nn - ee), en)
    angle = np.where(radius > 0.0, np.degrees(0.5 * np.arctan2(2.0 * en, nn - ee)) % 180.0, 0.0)
    major, minor = (
        FWHM_PER_SIGMA * np.sqrt(np.maximum(each, 0.0)) for each in (mean + radius, mean - radius)
    )
    return major, minor, angle


def deconvolved(seen: Floats, beam: Floats) -> Floats:
    """Covariances ``(n, 3)`` of shapes less those of the beam that they were seen with; no axis below zero."""
    ee, en, nn = (seen - beam).T
    mean, half = 0.5 * (ee + nn), 0.5 * (ee - nn)
    radius = np.hypot(half, en)
    floor = _ROUNDING * (seen[:, 0] + seen[:, 2])
    large, small = mean + radius, np.where(mean - radius > floor, mean - radius, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine, sine = np.where(radius > 0, half / radius, 0.0), np.where(radius > 0, en / radius, 0.0)
    mean, half = 0.5 * (large + small), 0.5 * (large - small)
    left: Floats = np.stack([mean + half * cosine, half * sine, mean - half * cosine], axis=1)
    return np.where((large > floor)[:, None], left, 0.0)

"""Power patterns of dishes: how much of a source one antenna sees, by its distance from the pointing.

Widths at half power, in wavelengths over diameter: 1.029 of an evenly lit aperture (Airy's pattern); 1.13 of a tapered
one, MeerKAT's 57.5 arcmin at 1.5 GHz for 13.5 m, with the cosine-tapered pattern of Mauch et al. (2020, ApJ 888, 61,
eq. 3); 1.09 for ASKAP's beams, taken as Gaussians (Hotan et al. 2021, PASA 38, e009). Beams are round and the same for
all dishes, and do not turn with the sky.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

from skysift.sky.units import ARCSEC, LIGHT

__all__ = ["NULLS", "PATTERNS", "Pattern", "bend", "half_power", "power", "steepness"]

Floats = NDArray[np.float64]
Pattern: TypeAlias = Literal["cosine", "airy", "gaussian"]
PATTERNS: tuple[Pattern, ...] = get_args(Pattern)

NULLS: dict[str, float] = {"cosine": 1.5 / 1.18896478, "airy": 1.1853032445965894, "gaussian": math.inf}
"""Distance of the first null from the axis, in FWHM: where the main lobe ends."""

_WIDTHS: dict[str, float] = {"airy": 1.028993969962188, "cosine": 1.13, "gaussian": 1.09}
_AIRY_HALF = 1.61633994831070  # where (2 J1(z) / z)^2 = 1/2
_STEP = 1e-4  # of the distance, of numerical derivatives
_BEND = 3e-3  # the same, of second ones


def half_power(pattern: str, frequency: float, diameter: float) -> float:
    """FWHM (arcsec) of a power pattern at a frequency (Hz), for a dish of a diameter (m)."""
    return _WIDTHS[pattern] * LIGHT / frequency / diameter / ARCSEC


def power(pattern: str, rho: Floats) -> Floats:
    """Power pattern in [0, 1] at distances in FWHM."""
    if pattern == "gaussian":
        return np.asarray(np.exp(-4.0 * math.log(2.0) * rho**2))
    if pattern == "airy":
        z = np.maximum(2.0 * _AIRY_HALF * rho, 1e-9)
        return np.asarray(np.minimum((2.0 * j1(z) / z) ** 2, 1.0))
    z = 1.18896478 * rho
    below = 1.0 - 4.0 * z * z
    safe = np.where(np.abs(below) < 1e-7, 1.0, below)
    return np.asarray(np.where(np.abs(below) < 1e-7, math.pi / 4.0, np.cos(math.pi * z) / safe) ** 2)


def steepness(pattern: str, rho: Floats) -> Floats:
    """Derivatives d ln A / d ln w at distances in FWHM: by how much the power grows, relatively, as the pattern widens.

    ``2 |ln A|`` for a Gaussian, exactly.
    """
    wider, narrower = power(pattern, rho / (1.0 + _STEP)), power(pattern, rho / (1.0 - _STEP))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(wider / narrower) / (2.0 * _STEP))


def bend(pattern: str, rho: Floats) -> Floats:
    """Half the second derivatives of ln A by ln(frequency), at distances in FWHM; ``2 ln A`` for a Gaussian, exactly.

    A(nu) = A exp(-s u + b u^2 + ...), with u = ln(nu / nu0), s the `steepness` and b this.
    """
    lower, middle, higher = (power(pattern, rho * math.exp(step)) for step in (-_BEND, 0.0, _BEND))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(lower * higher / middle**2) / (2.0 * _BEND**2))

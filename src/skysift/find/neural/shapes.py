"""Beams and shapes in pixels, as networks are told of them and tell of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysift.find.places import places_at
from skysift.measure.ellipse import FWHM
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage

__all__ = ["beam_area", "beam_of", "beam_width", "intrinsic"]

Floats = NDArray[np.float64]


def beam_of(image: SkyImage) -> Floats:
    """Covariance ``(3,)`` (xx, xy, yy; pixels squared) of the beam in the middle of a map: a network is told of one."""
    x, y = (np.array([0.5 * (size - 1)]) for size in image.shape[::-1])
    return np.asarray(places_at(image, x, y).beam[0])


def beam_width(beam: Floats) -> float:
    """Geometric mean of the axes (FWHM, pixel) of a beam ``(3,)``."""
    return FWHM * float((beam[0] * beam[2] - beam[1] ** 2) ** 0.25)


def beam_area(beam: Floats) -> float:
    """Area (pixels) under a beam ``(3,)`` whose peak is 1."""
    return float(2.0 * np.pi * np.sqrt(beam[0] * beam[2] - beam[1] ** 2))


def intrinsic(found: Detections) -> Floats:
    """Covariances ``(n, 3)`` (pixels squared) of what a network found, without the beam."""
    a, b = (np.maximum(found[name], 0.0) ** 2 / FWHM**2 for name in ("major", "minor"))
    mean, half = 0.5 * (a + b), 0.5 * (a - b)
    return np.stack([mean + half * found["cos"], half * found["sin"], mean - half * found["cos"]], axis=1)

"""Noise for made maps."""

import numpy as np
from scipy import ndimage

from bench.morphology import SIGMA


def noise_like(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise of unit rms that is correlated like the beam."""
    white = rng.standard_normal(shape)
    return ndimage.gaussian_filter(white, SIGMA, mode="wrap") * 2 * np.sqrt(np.pi) * SIGMA

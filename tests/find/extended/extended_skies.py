"""Made skies of extended sources for the tests of their finders."""

import numpy as np
from scipy.ndimage import gaussian_filter
from tests import images, skies

BEAM = 4.0  # pixels, round
AREA = np.pi * BEAM**2 / (4 * np.log(2))


def seen(shape, mean):
    """A shape (true where it shines) as the beam shows it, ``mean`` times the rms bright in its middle."""
    return mean * images.RMS * gaussian_filter(shape.astype(float), BEAM / 2.35482)


def disc(size, x, y, radius):
    v, u = np.indices(size)
    return np.hypot(u - x, v - y) <= radius


def sky(size, *parts, seed=0, points=None):
    """The image of parts, and of points, on noise."""
    data, _ = skies.paint(size, (BEAM, BEAM, 0.0), rms=images.RMS, noise="beam", sources=points, seed=seed)
    return images.image(data + sum(parts).astype("f4") if parts else data, centre=(80.0, -30.0))

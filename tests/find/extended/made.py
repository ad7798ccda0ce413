"""Maps of signal to noise with beam-like noise, and what segmenters find in them."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from skysift.base.parallel import Crew
from skysift.base.registry import Registry
from skysift.find.extended.options import ExtendedOptions
from skysift.find.extended.segmenter import Setting
from skysift.find.extended.segments import find_segments

BEAM = 4.0  # pixels


def noise(shape, seed):
    """Noise of 1 sigma, smooth as the beam, and its autocorrelation."""
    sigma = BEAM / 2.3548
    pad = 20
    white = np.random.default_rng(seed).normal(size=(shape[0] + 2 * pad, shape[1] + 2 * pad))
    smooth = gaussian_filter(white, sigma)[pad:-pad, pad:-pad] * (2.0 * np.sqrt(np.pi) * sigma)
    v, u = np.mgrid[-10:11, -10:11]
    return smooth.astype(np.float32), np.exp(-(v * v + u * u) / (4.0 * sigma * sigma))


def disc(shape, y, x, radius):
    v, u = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(v - y, u - x) <= radius


def segmenter(method, shape, **options):
    _, correlation = noise((8, 8), 0)
    setting = Setting(ExtendedOptions(method=method, **options), BEAM, correlation, shape)
    return Registry("segmenter").load(method)(setting)


@dataclass
class Made:
    """What `find_segments` reads of a residual."""

    z: np.ndarray

    @property
    def image(self):
        return self

    @property
    def shape(self):
        return self.z.shape

    def snr(self, box):
        return np.ascontiguousarray(self.z[box.y0 : box.y1, box.x0 : box.x1])


def found(method, z, sign=1, tile=1024, **options):
    """Segments of a map, at the default thresholds."""
    one = segmenter(method, z.shape, **options)
    return find_segments(Made(sign * z), [one], 5.0, 2.0, Crew(workers=1, tile=tile))[0]

"""Pictures of made sources."""

from dataclasses import dataclass

import numpy as np

from skysift.stamps.pictures import Pictures


@dataclass(frozen=True, eq=False)
class Held:
    """Pixels in memory: (row, band, y, x)."""

    pixels: np.ndarray

    @property
    def shape(self):
        return self.pixels.shape

    def read(self, rows):
        return self.pixels[rows].astype(np.float32)


def blob(size, y=0.0, x=0.0, height=1.0, rms=2.0, minor=None, pa=0.0):
    """A Gaussian; place from the middle, rms along both axes, angle from x towards y (deg)."""
    v, u = np.mgrid[:size, :size] - 0.5 * (size - 1)
    c, s = np.cos(np.radians(pa)), np.sin(np.radians(pa))
    along, across = c * (u - x) + s * (v - y), c * (v - y) - s * (u - x)
    return height * np.exp(-0.5 * (along / rms) ** 2 - 0.5 * (across / (minor or rms)) ** 2)


def pictures_of(pixels, noise=0.0, seed=1, bands=None, **more):
    """Pictures of images (row, y, x) or (row, band, y, x)."""
    pixels = np.asarray(pixels, float)
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    pixels = pixels + noise * np.random.default_rng(seed).normal(size=pixels.shape)
    names = tuple(f"s{k}" for k in range(len(pixels)))
    bands = bands or tuple(f"b{k}" for k in range(pixels.shape[1]))
    return Pictures(names, bands, Held(pixels), np.arange(len(pixels)), **more)

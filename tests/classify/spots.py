"""Small made pictures of sources with one or two spots, in one band or more."""

import numpy as np

from skysift.classify.classifier import Labelled
from skysift.stamps.pictures import Pictures


class Kept:
    """Pixels in memory."""

    def __init__(self, values):
        self.values = values

    @property
    def shape(self):
        return self.values.shape

    def read(self, rows):
        return np.asarray(self.values[rows], np.float32)


def pictures_of(pixels, bands=("radio",), errors=(), names=None):
    names = names or tuple(f"s{k:03d}" for k in range(len(pixels)))
    return Pictures(names, tuple(bands), Kept(pixels), np.arange(len(pixels)), {}, tuple(errors))


def spot(y, x, side=24, width=1.6):
    at = np.arange(side)
    return np.exp(-((at[:, None] - y) ** 2 + (at[None, :] - x) ** 2) / (2 * width**2))


def spots(n=120, side=24, bands=1, seed=1):
    """(pixels, class): one spot in the middle, or two on both sides of it, turned by chance; noise of 3 %."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(n) % 2
    out = np.empty((n, bands, side, side), np.float32)
    for k, kind in enumerate(kinds):
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(4.5, 6.5) * kind
        dy, dx = far * np.sin(angle), far * np.cos(angle)
        middle = side / 2
        image = spot(middle + dy, middle + dx, side) + spot(middle - dy, middle - dx, side) * rng.uniform(
            0.5, 1
        )
        for band in range(bands):
            out[k, band] = image * (band + 1) + 0.03 * rng.standard_normal((side, side))
    return out, kinds


def labelled(n=120, bands=1, seed=1, names=("one", "two")):
    pixels, kinds = spots(n, bands=bands, seed=seed)
    pictures = pictures_of(pixels, tuple(f"b{k}" for k in range(bands)))
    return Labelled(pictures.names, names, kinds, pictures)

"""`painted`: small images of made sources in all bands, each with the beam and noise of its survey."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from skysift.base.random import generator
from skysift.sim.colours.options import SamplesOptions
from skysift.sim.colours.sample import Sources, bands_of
from skysift.sky.beam import FWHM_PER_SIGMA

__all__ = ["RADIO", "painted"]

RADIO = "radio"
_RADIO_BEAM = 10.0  # arcsec
_BLOCK = 256  # sources painted at once


def painted(sources: Sources, options: SamplesOptions) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """
    Bands, the radio first, and images (source, band, y, x) in mJy/beam, NaN where a survey has no data.

    Each source is a round Gaussian in the middle, as wide as it is and as the beam; its flux in the image, summed over
    beams, is the true one. The noise is smooth as the beam, with the scatter that a point source meets.
    """
    from scipy.ndimage import gaussian_filter  # late: only here

    n, side = len(sources), options.stamps
    bands = bands_of(options)
    beams = (_RADIO_BEAM, *(band.beam for band in bands))
    names = (RADIO, *(band.name for band in bands))
    images = np.empty((n, len(names), side, side), np.float32)
    at = (np.arange(side) - side // 2) * options.pixel
    squares = at[:, None] ** 2 + at[None, :] ** 2
    near = np.abs(sources.glat) < 1.0
    for b, (name, beam) in enumerate(zip(names, beams, strict=True)):
        rng = generator(options.random_seed, "colours", "stamps", name)
        width = beam / FWHM_PER_SIGMA / options.pixel
        unit = _spread(width)
        for start in range(0, n, _BLOCK):
            rows = slice(start, min(start + _BLOCK, n))
            flux = sources.intrinsic[rows] if b == 0 else sources.true[rows, b - 1]
            wide = sources.size[rows] ** 2 + beam**2
            peak = flux * beam**2 / wide
            made = peak[:, None, None] * np.exp(-4.0 * math.log(2.0) * squares / wide[:, None, None])
            white = rng.standard_normal(made.shape)
            level = (
                np.full(len(flux), options.rms)
                if b == 0
                else np.where(near[rows], bands[b - 1].plane, bands[b - 1].depth)
            )
            noise = gaussian_filter(white, (0.0, width, width), mode="wrap") / unit
            images[rows, b] = made + level[:, None, None] * noise
        if b:
            images[np.isnan(sources.flux[:, b - 1]), b] = np.nan
    return names, images


def _spread(width: float) -> float:
    """Scatter of white noise of scatter 1 after a Gaussian filter, as `scipy.ndimage` makes it."""
    from scipy.ndimage import gaussian_filter  # late: only here

    reach = max(3, 2 * math.ceil(4.0 * width) + 3)
    point = np.zeros((reach, reach))
    point[reach // 2, reach // 2] = 1.0
    return float(np.sqrt((gaussian_filter(point, width, mode="constant") ** 2).sum()))

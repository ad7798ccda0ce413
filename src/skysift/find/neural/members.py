"""What the members of an ensemble say of a map, all in the terms of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.parallel import Crew
from skysift.find.finder import IslandFinder
from skysift.find.neural.found import RAW, as_detections
from skysift.find.neural.shapes import beam_of, beam_width
from skysift.find.noise import Noise
from skysift.find.run import measured_islands
from skysift.learn.fields import Field
from skysift.measure import island as row
from skysift.measure.ellipse import FWHM
from skysift.sky.beam import Beam
from skysift.sky.detections import Detections
from skysift.sky.frame import Frame
from skysift.sky.image import SkyImage
from skysift.sky.shapes import axes_of, determinants
from skysift.sky.truth import CLASSES

__all__ = ["image_of", "score_of_snr", "told_by_islands"]

Floats = NDArray[np.float64]

_HALF = 5.0  # sigma: the signal to noise whose score is a half
_UNKNOWN = np.pi / np.sqrt(12.0)  # error (rad) of an angle of which nothing is known


def score_of_snr(snr: Floats) -> Floats:
    """A score from 0 to 1 that grows with the peak over its noise; 0.5 at 5 sigma."""
    value = np.maximum(np.nan_to_num(snr), 0.0)
    return np.asarray(value / (value + _HALF))


def image_of(field: Field) -> SkyImage:
    """The map of a field: its noise is 1 Jy/beam, its pixels are arcsec and have no place on the sky."""
    beam = axes_of(np.array([field.beam]) * (1.0, -1.0, 1.0))
    return SkyImage.from_array(
        np.asarray(field.pixels),
        beam=Beam(*(float(each[0]) for each in beam)),
        frame=Frame.pixels_only(field.shape, (1.0, 1.0)),
        name=field.name,
    )


def told_by_islands(image: SkyImage, noise: Noise, finder: IslandFinder[Any], crew: Crew) -> Detections:
    """The Gaussians that a finder of islands fits, as a network would tell them; scores are of their peaks."""
    c = measured_islands(image, noise, finder, crew).components
    c = c[(c[:, row.AMPLITUDE] > 0.0) & (c[:, row.FLUX] > 0.0) & (c[:, row.RMS] > 0.0)]
    c = c[image.box.contains(c[:, row.X], c[:, row.Y])]
    beam, n = beam_of(image), len(c)
    width = beam_width(beam)
    own = c[:, row.SHAPE : row.SHAPE + 3] - beam
    mean, half = 0.5 * (own[:, 0] + own[:, 2]), np.hypot(0.5 * (own[:, 0] - own[:, 2]), own[:, 1])
    safe = np.maximum(half, 1e-12)
    major, minor = (FWHM * np.sqrt(np.maximum(each, 0.0)) for each in (mean + half, mean - half))
    seen = determinants(c[:, row.SHAPE : row.SHAPE + 3]) ** 0.25
    snr = np.maximum(c[:, row.FLUX] / c[:, row.RMS], 1e-3)
    error = np.clip(c[:, row.RMS] / c[:, row.AMPLITUDE], 1e-4, 1.0)
    columns = {
        "x": c[:, row.X],
        "y": c[:, row.Y],
        "snr": snr,
        "major": major,
        "minor": minor,
        "cos": np.where(half > 0.0, 0.5 * (own[:, 0] - own[:, 2]) / safe, 1.0),
        "sin": np.where(half > 0.0, own[:, 1] / safe, 0.0),
        "core": np.zeros(n),
        "x_err": 0.6 * FWHM * seen * error,
        "snr_err": error,
        "major_err": error,
        "minor_err": error,
        "pa_err": np.full(n, _UNKNOWN),
        "core_err": np.ones(n),
        "class": np.full(n, float(CLASSES.index("compact"))),
        "class_score": np.ones(n),
        "reach": np.full(n, 0.95 * width),
    }
    assert tuple(columns) == RAW
    return as_detections(columns, score_of_snr(c[:, row.AMPLITUDE] / c[:, row.RMS]))

"""The field of a made sky: frame, beams, noise and what the shortest baseline loses, from the options."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import i0e

from skysift.sim.options import FieldOptions
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame

__all__ = ["MARGIN", "area_of", "beam_of", "frame_of", "kept_flux", "shape_of", "wavelengths"]

Floats = NDArray[np.float64]

USUAL_BEAM, USUAL_FREQUENCY = 0.6, 1.4e9  # arcsec at Hz, as in the SKA Science Data Challenge 1
SAMPLES = 2.5  # pixels across the minor axis of the sharpest beam
MARGIN = 90.0  # arcsec around the map in which there are objects too
_LIGHT = 299792458.0  # m/s


def beam_of(options: FieldOptions, frequency: float) -> Beam:
    """The beam at a frequency: that of the options at the first one, as large as its wavelength at others."""
    if options.beam is None:
        return Beam.of(USUAL_BEAM * USUAL_FREQUENCY / frequency)
    given, ratio = Beam.of(options.beam), options.frequencies[0] / frequency
    return Beam(given.major * ratio, given.minor * ratio, given.pa)


def shape_of(options: FieldOptions) -> tuple[int, int]:
    """Rows and columns of the maps, (ny, nx)."""
    given = options.n_pixels
    return given if isinstance(given, tuple) else (given, given)


def frame_of(options: FieldOptions) -> Frame:
    """The frame of all maps: SIN projection, north up, the middle at the middle pixel (ny // 2, nx // 2)."""
    ny, nx = shape_of(options)
    scale = options.pixel or min(beam_of(options, each).minor for each in options.frequencies) / SAMPLES
    cards: dict[str, str | float | int] = {
        "WCSAXES": 2,
        "CTYPE1": "RA---SIN",
        "CTYPE2": "DEC--SIN",
        "CRVAL1": options.ra,
        "CRVAL2": options.dec,
        "CRPIX1": float(nx // 2 + 1),
        "CRPIX2": float(ny // 2 + 1),
        "CDELT1": -scale / 3600.0,
        "CDELT2": scale / 3600.0,
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "RADESYS": "ICRS",
    }
    return Frame.from_cards(cards, (ny, nx))


def area_of(frame: Frame) -> tuple[float, float, float, float]:
    """The rectangle of the plane of the projection that a map sees, with a margin: east, east, north, north (arcsec).

    The margin is 90 arcsec and 0.2 % of the side, more than the difference of any two projections over 5 deg.
    """
    box = Box.of(frame.shape)
    x, y = frame.reference
    corners = np.array(
        [[box.x0 - x, box.x1 - x, box.x0 - x, box.x1 - x], [box.y0 - y] * 2 + [box.y1 - y] * 2]
    )
    east, north = frame.jacobian @ corners
    return (
        1.002 * float(east.min()) - MARGIN,
        1.002 * float(east.max()) + MARGIN,
        1.002 * float(north.min()) - MARGIN,
        1.002 * float(north.max()) + MARGIN,
    )


def wavelengths(metres: float, frequency: float) -> float:
    """A length in wavelengths."""
    return metres * frequency / _LIGHT


def kept_flux(sky: Floats, shortest: float) -> Floats:
    """The part of the flux of Gaussians that the shortest baseline sees, averaged over its direction.

    A Gaussian of variance s^2 (rad^2) along a baseline of u wavelengths has the visibility exp(-2 pi^2 u^2 s^2)
    of its flux. The mean over all directions is exp(-a) I0(b), with a and b of half the sum and half the
    difference of its principal variances. Each Gaussian of an object is taken by itself: an approximation,
    that loses too little of large smooth emission made of many small ones.

    Parameters
    ----------
    sky
        Covariances (n, 3): ee, en, nn (arcsec^2).
    shortest
        Length of the shortest baseline (wavelengths); 0 where nothing is lost.
    """
    factor = 2.0 * math.pi**2 * shortest**2 * math.radians(1.0 / 3600.0) ** 2
    ee, en, nn = sky.T
    a, b = factor * 0.5 * (ee + nn), factor * np.hypot(0.5 * (ee - nn), en)
    return np.asarray(i0e(b) * np.exp(b - a))

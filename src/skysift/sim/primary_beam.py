"""The primary beam: what part of a source's flux a map shows, by where it lies; and how its noise grows.

A dish has a power pattern A in [0, 1] whose width goes with wavelength over diameter. Several pointings, or the
beams of a phased-array feed, are put together as a linear mosaic, each weighted by its own pattern: a source of
flux S then stands at ``S sum A^2 / sum A^2`` over noise that goes as ``1 / sqrt(sum A^2)`` (Sault, Staveley-Smith &
Brouw 1996, A&AS 120, 375). The response of a mosaic is therefore ``sqrt(sum A^2)``, 1 where it is largest: that is
what a map of even noise shows of the flux, and a map divided by it has noise that grows as 1 / response.

Widths at half power, in wavelengths over diameter: 1.029 of an evenly lit aperture (Airy's pattern); 1.13 of a tapered
one, MeerKAT's 57.5 arcmin at 1.5 GHz for 13.5 m, with the cosine-tapered pattern of Mauch et al. (2020, ApJ 888, 61,
eq. 3); 1.09 for ASKAP's beams, taken as Gaussians (Hotan et al. 2021, PASA 38, e009). Beams are round and the same for
all dishes, and do not turn with the sky.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import j1

from skysift.sim.arrays import array
from skysift.sim.options import InstrumentOptions
from skysift.sky.units import ARCSEC, LIGHT

__all__ = ["dish_diameter", "half_power_width", "mosaic_centres", "primary_beam"]

Floats = NDArray[np.float64]

_WIDTHS = {"airy": 1.028993969962188, "cosine": 1.13, "gaussian": 1.09}  # wavelengths over diameter
_AIRY_HALF = 1.61633994831070  # where (2 J1(z) / z)^2 = 1/2
_BEAMS = 6  # of a phased-array feed, along each side
_DIAMETER = 15.0  # m, of a dish of no array


def dish_diameter(options: InstrumentOptions) -> float:
    """Diameter (m) of a dish: as given, or that of the array."""
    if options.diameter is not None:
        return options.diameter
    return _DIAMETER if options.array == "none" else array(options.array).diameter


def half_power_width(options: InstrumentOptions, frequency: float) -> float:
    """FWHM (arcsec) of the power pattern of one dish or of one beam of a phased-array feed at a frequency (Hz)."""
    pattern = "gaussian" if options.primary_beam == "footprint" else options.pattern
    return _WIDTHS[pattern] * LIGHT / frequency / dish_diameter(options) / ARCSEC


def primary_beam(options: InstrumentOptions, frequency: float, east: ArrayLike, north: ArrayLike) -> Floats:
    """Response in [0, 1] at places of a map, 1 where it is largest; the noise of a corrected map grows as 1 over it.

    Parameters
    ----------
    options
        Kind of primary beam, pattern, diameter, pointings.
    frequency
        Hz.
    east, north
        Offsets from the middle of the map (arcsec), of one shape.
    """
    e, n = np.broadcast_arrays(np.asarray(east, np.float64), np.asarray(north, np.float64))
    if options.primary_beam == "none":
        return np.ones(e.shape)
    width = half_power_width(options, frequency)
    if options.primary_beam == "dish":
        return _power(options.pattern, np.hypot(e, n) / width)
    pattern = "gaussian" if options.primary_beam == "footprint" else options.pattern
    centres = mosaic_centres(options)
    total = _summed(pattern, centres, width, e, n) / _largest(pattern, centres, width)
    return np.asarray(np.sqrt(np.minimum(total, 1.0)))


def mosaic_centres(options: InstrumentOptions) -> Floats:
    """Where pointings or beams lie, (pointing, 2): offsets east and north (arcsec) from the middle of the map.

    A mosaic has rows a step times sqrt(3) / 2 apart, every other one half a step aside; so has a hexagonal
    footprint. They do not depend on the frequency of the map.
    """
    if options.primary_beam == "footprint":
        side, step, hexagonal = _BEAMS, options.pitch * 3600.0, options.footprint == "hexagonal"
    else:
        step = options.pointing_step * half_power_width(options, options.reference_frequency)
        side, hexagonal = options.pointings, True
    row, column = (each.ravel().astype(np.float64) for each in np.mgrid[:side, :side])
    if hexagonal:
        column = column + 0.5 * (row % 2)
        row = row * math.sqrt(0.75)
    return np.stack([(column - column.mean()) * step, (row - row.mean()) * step], axis=1)


def _power(pattern: str, rho: Floats) -> Floats:
    """Power pattern at distances in FWHM."""
    if pattern == "gaussian":
        return np.asarray(np.exp(-4.0 * math.log(2.0) * rho**2))
    if pattern == "airy":
        z = np.maximum(2.0 * _AIRY_HALF * rho, 1e-9)
        return np.asarray(np.minimum((2.0 * j1(z) / z) ** 2, 1.0))
    z = 1.18896478 * rho
    below = 1.0 - 4.0 * z * z
    safe = np.where(np.abs(below) < 1e-7, 1.0, below)
    return np.asarray(np.where(np.abs(below) < 1e-7, math.pi / 4.0, np.cos(math.pi * z) / safe) ** 2)


def _summed(pattern: str, centres: Floats, width: float, east: Floats, north: Floats) -> Floats:
    """Sum of the squared patterns of all pointings."""
    total = np.zeros(np.shape(east))
    for e, n in centres:
        total += _power(pattern, np.hypot(east - e, north - n) / width) ** 2
    return total


def _largest(pattern: str, centres: Floats, width: float) -> float:
    """The largest value of the sum of squared patterns: on a grid over the pointings, then on ever finer ones."""
    low, high = centres.min(axis=0) - 1e-3 * width, centres.max(axis=0) + 1e-3 * width
    cells = max(21, 4 * math.ceil(math.sqrt(len(centres))) + 1)
    best = 0.0
    for _ in range(4):
        e, n = np.meshgrid(*(np.linspace(low[i], high[i], cells) for i in (0, 1)))
        total = _summed(pattern, centres, width, e, n)
        best = max(best, float(total.max()))
        at = np.unravel_index(np.argmax(total), total.shape)
        middle, step = np.array([e[at], n[at]]), (high - low) / (cells - 1)
        low, high = middle - 1.5 * step, middle + 1.5 * step
    return best

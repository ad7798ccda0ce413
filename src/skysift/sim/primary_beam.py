"""The primary beam: what part of a source's flux a map shows, by where it lies; and how its noise grows.

A dish has a power pattern A in [0, 1] whose width goes with wavelength over diameter. Several pointings, or the
beams of a phased-array feed, are put together as a linear mosaic, each weighted by its own pattern: a source of
flux S then stands at ``S sum A^2 / sum A^2`` over noise that goes as ``1 / sqrt(sum A^2)`` (Sault, Staveley-Smith &
Brouw 1996, A&AS 120, 375). The response of a mosaic is therefore ``sqrt(sum A^2)``, 1 where it is largest: that is
what a map of even noise shows of the flux, and a map divided by it has noise that grows as 1 / response.

Patterns and widths of single beams are those of `skysift.sky.power_pattern`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.sim.arrays import array
from skysift.sim.options import InstrumentOptions
from skysift.sky.power_pattern import half_power, power

__all__ = ["dish_diameter", "half_power_width", "mosaic_centres", "primary_beam"]

Floats = NDArray[np.float64]

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
    return half_power(pattern, frequency, dish_diameter(options))


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
        return power(options.pattern, np.hypot(e, n) / width)
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


def _summed(pattern: str, centres: Floats, width: float, east: Floats, north: Floats) -> Floats:
    """Sum of the squared patterns of all pointings."""
    total = np.zeros(np.shape(east))
    for e, n in centres:
        total += power(pattern, np.hypot(east - e, north - n) / width) ** 2
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

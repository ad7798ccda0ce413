"""How far two catalogues lie apart and how their flux scales compare, from their matched rows.

Everything is right minus left, or right over left: what the second catalogue has to be corrected by. Medians
and absolute deviations are used, so that a few false matches do not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.match.entries import Entries
from skysift.match.sky import offset_by, offsets, unit_vectors
from skysift.sky.units import ARCSEC

__all__ = ["Astrometry", "FluxScale", "astrometry", "flux_scale", "median_of", "robust_scatter"]

Floats = NDArray[np.float64]

_MAD = 1.482602218505602  # sigma of a Gaussian over its median absolute deviation
_MEDIAN = math.sqrt(math.pi / 2.0)  # error of the median over that of the mean
_HUBER = 1.345  # sigma beyond which a residual counts less (Huber 1981, Robust Statistics)
_ROUNDS = 30
_LEAST_FOR_PLANE = 12
_SAME_FREQUENCY = 0.01  # relative; below it fluxes are compared as they are


@dataclass(frozen=True)
class Astrometry:
    """Offsets of the right positions from the left ones (arcsec; east is RA times cos(dec)).

    Parameters
    ----------
    n
        Pairs that were used.
    east, north, east_err, north_err
        Medians and their errors.
    east_scatter, north_scatter
        Robust widths (1.4826 times the median absolute deviation).
    ra, dec
        Centre of the field (deg).
    plane, plane_err
        (east, north) x (constant, per degree east, per degree north); empty for a constant offset.
    """

    n: int = 0
    east: float = math.nan
    north: float = math.nan
    east_err: float = math.nan
    north_err: float = math.nan
    east_scatter: float = math.nan
    north_scatter: float = math.nan
    ra: float = math.nan
    dec: float = math.nan
    plane: tuple[tuple[float, ...], ...] = ()
    plane_err: tuple[tuple[float, ...], ...] = ()

    def at(self, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
        """The offset (east, north; arcsec) at positions; 0 where none could be measured."""
        if not self.n:
            return np.zeros_like(ra), np.zeros_like(ra)
        if not self.plane:
            return np.full_like(ra, self.east), np.full_like(ra, self.north)
        x, y = _field_degrees(self.ra, self.dec, ra, dec)
        (a, b, c), (d, e, f) = self.plane
        return a + b * x + c * y, d + e * x + f * y

    def correct(self, entries: Entries) -> Entries:
        """The right catalogue with the offset taken away."""
        east, north = self.at(entries.ra, entries.dec)
        return entries.moved(*offset_by(entries.ra, entries.dec, -east, -north)) if self.n else entries


@dataclass(frozen=True)
class FluxScale:
    """The ratio of the right fluxes to the left ones.

    Parameters
    ----------
    n
        Pairs that were used.
    ratio, ratio_err
        Median and its error.
    scatter
        Robust width of the ratio's natural logarithm.
    n_scale
        Pairs at one frequency, or all that have frequencies where a spectral index is expected.
    scale, scale_err
        Median of these ratios over what the spectral index makes of the frequencies: the ratio of the flux
        scales; NaN where no pair tells.
    """

    n: int = 0
    ratio: float = math.nan
    ratio_err: float = math.nan
    scatter: float = math.nan
    n_scale: int = 0
    scale: float = math.nan
    scale_err: float = math.nan

    @property
    def factor(self) -> float:
        """What the right fluxes have to be divided by; 1 where nothing can be said."""
        return self.scale if self.n_scale and self.scale > 0 else 1.0


def robust_scatter(values: Floats) -> float:
    """1.4826 times the median absolute deviation; NaN of nothing."""
    return float(_MAD * np.median(np.abs(values - np.median(values)))) if values.size else math.nan


def bright(left: Entries, right: Entries, min_snr: float) -> NDArray[np.bool_]:
    """Pairs (equally long entries) of which both rows are bright enough, as far as their S/N is known."""
    with np.errstate(invalid="ignore"):
        return ~((np.abs(left.snr) < min_snr) | (np.abs(right.snr) < min_snr))


def astrometry(left: Entries, right: Entries, *, plane: bool = False) -> Astrometry:
    """The offsets between rows that are pairs.

    Parameters
    ----------
    left, right
        The rows of each pair.
    plane
        Fit an offset that changes linearly over the field (by Huber's weights), where there are 12 pairs.
    """
    n = len(left)
    if not n:
        return Astrometry()
    east, north = offsets(left.ra, left.dec, right.ra, right.dec)
    middle = unit_vectors(left.ra, left.dec).mean(axis=0)
    ra = math.degrees(math.atan2(middle[1], middle[0])) % 360.0
    dec = math.degrees(math.atan2(middle[2], math.hypot(middle[0], middle[1])))
    widths = robust_scatter(east), robust_scatter(north)
    error = _MEDIAN / math.sqrt(n) if n > 2 else math.nan
    fit: tuple[tuple[float, ...], ...] = ()
    fit_err = fit
    if plane and n >= _LEAST_FOR_PLANE:
        x, y = _field_degrees(ra, dec, left.ra, left.dec)
        fits = [_fit_plane(x, y, each) for each in (east, north)]
        fit, fit_err = tuple(each[0] for each in fits), tuple(each[1] for each in fits)
    return Astrometry(
        n,
        float(np.median(east)),
        float(np.median(north)),
        error * widths[0],
        error * widths[1],
        *widths,
        ra,
        dec,
        fit,
        fit_err,
    )


def flux_scale(left: Entries, right: Entries, expected_index: float | None = None) -> FluxScale:
    """The ratio of fluxes of rows that are pairs; those with a flux that is not positive are left out.

    Parameters
    ----------
    left, right
        The rows of each pair.
    expected_index
        Spectral index by which fluxes at other frequencies are compared.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        good = (left.flux > 0) & (right.flux > 0) & np.isfinite(left.flux) & np.isfinite(right.flux)
        ratio = np.log(right.flux[good] / left.flux[good])
        shift = np.log(right.frequency[good] / left.frequency[good])
    if not ratio.size:
        return FluxScale()
    ratio_middle, ratio_err, width = median_of(ratio)
    with np.errstate(invalid="ignore"):
        same = np.abs(shift) < _SAME_FREQUENCY if expected_index is None else np.isfinite(shift)
    clean = ratio[same] - (expected_index or 0.0) * shift[same]
    scale, scale_err, _ = median_of(clean)
    return FluxScale(
        ratio.size,
        math.exp(ratio_middle),
        math.exp(ratio_middle) * ratio_err,
        width,
        clean.size,
        math.exp(scale),
        math.exp(scale) * scale_err,
    )


def median_of(values: Floats) -> tuple[float, float, float]:
    """Median, its error, and the robust width of values; NaN where there are too few."""
    if not values.size:
        return math.nan, math.nan, math.nan
    width = robust_scatter(values)
    return (
        float(np.median(values)),
        _MEDIAN * width / math.sqrt(values.size) if values.size > 2 else math.nan,
        width,
    )


def _field_degrees(ra0: float, dec0: float, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Positions as degrees east and north of a centre, along great circles."""
    east, north = offsets(np.full_like(ra, ra0), np.full_like(dec, dec0), ra, dec)
    return east / 3600.0, north / 3600.0


def _fit_plane(x: Floats, y: Floats, values: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Constant and two slopes of a plane through the values, with errors, by Huber's weights."""
    design = np.stack([np.ones_like(x), x, y], axis=1)
    weight = np.ones_like(values)
    for _ in range(_ROUNDS):
        root = np.sqrt(weight)
        solution = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
        residual = values - design @ solution
        width = max(robust_scatter(residual), 1e-9 * ARCSEC)
        fresh = np.minimum(1.0, _HUBER * width / np.maximum(np.abs(residual), 1e-300))
        if np.max(np.abs(fresh - weight)) < 1e-9:
            break
        weight = fresh
    # Huber's estimate has 95 % of the efficiency of least squares where errors are Gaussian
    inverse = np.linalg.pinv(design.T @ design)
    errors = width * np.sqrt(np.diag(inverse) / 0.95)
    return tuple(float(each) for each in solution), tuple(float(each) for each in errors)

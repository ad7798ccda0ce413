"""Spectral indices, S ~ frequency^alpha, of sources that several catalogues know; and limits where one does not.

Logarithms of fluxes are fitted with the weights of their errors: between two frequencies this is the usual
ln(S1/S2) / ln(nu1/nu2), among more a weighted straight line, or a parabola
ln S = ln S0 + alpha ln(nu/nu0) + beta ln(nu/nu0)^2. Errors of logarithms are symmetric for bright sources only:
below S/N 5 an index is biased by what the catalogues' limits select.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skysift.match.entries import Entries
from skysift.match.sky import unit_vectors

__all__ = ["Spectra", "index_limits", "local_rms", "spectra"]

Floats = NDArray[np.float64]

_DISTINCT = 0.01  # of ln frequency; what is closer is one frequency
_HOLE = (
    3.0  # a place farther from all rows than this many typical distances between neighbours was not looked at
)


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectral indices of sources; NaN where there are no two frequencies.

    Parameters
    ----------
    index, index_err
        alpha and its error, by the errors of the fluxes; the error is NaN where one of these is not known; (n,).
    curvature, curvature_err
        beta, where it was asked for and there are three frequencies; (n,).
    chi2
        Weighted sum of squared residuals; 0 where the fit goes through all points; (n,).
    points
        Number of fluxes used; (n,).
    """

    index: Floats
    index_err: Floats
    curvature: Floats
    curvature_err: Floats
    chi2: Floats
    points: NDArray[np.int64]


def spectra(
    flux: Floats,
    flux_err: Floats,
    frequency: Floats,
    *,
    reference: float = np.nan,
    curved: bool = False,
    scale_error: float = 0.0,
) -> Spectra:
    """Spectral indices of sources from fluxes at several frequencies.

    Parameters
    ----------
    flux, flux_err, frequency
        Jy and Hz, NaN for what is not known; (source, catalogue).
    reference
        Where the index of a curved spectrum holds (Hz); the middle of a source's own frequencies if NaN.
    curved
        Fit a parabola where there are three frequencies.
    scale_error
        Error of each catalogue's flux scale, as a fraction.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        used = (flux > 0) & (frequency > 0) & np.isfinite(flux) & np.isfinite(frequency)
        x = np.where(used, np.log(np.where(used, frequency, 1.0)), 0.0)
        y = np.where(used, np.log(np.where(used, flux, 1.0)), 0.0)
        sigma = np.hypot(flux_err / flux, scale_error)
    told = np.all(~used | ((flux_err > 0) & np.isfinite(flux_err)), axis=1)
    weight = np.where(
        used, np.where(told[:, None], 1.0 / np.where(used & told[:, None], sigma, 1.0) ** 2, 1.0), 0.0
    )
    points = used.sum(axis=1)
    total = np.maximum(weight.sum(axis=1), 1e-300)
    mean_x, mean_y = (weight * x).sum(axis=1) / total, (weight * y).sum(axis=1) / total
    dx, dy = np.where(used, x - mean_x[:, None], 0.0), np.where(used, y - mean_y[:, None], 0.0)
    sxx = (weight * dx * dx).sum(axis=1)
    possible = _distinct(x, used) >= 2
    with np.errstate(invalid="ignore", divide="ignore"):
        index = np.where(possible, (weight * dx * dy).sum(axis=1) / sxx, np.nan)
        error = np.where(possible & told, 1.0 / np.sqrt(sxx), np.nan)
        rest = np.where(used, dy - index[:, None] * dx, 0.0)
    chi2 = np.where(possible & told, (weight * rest * rest).sum(axis=1), np.nan)
    nothing = np.full(index.shape, np.nan)
    if not curved:
        return Spectra(index, error, nothing, nothing.copy(), chi2, points.astype(np.int64))
    return _curved(
        x, y, weight, used, told, reference, Spectra(index, error, nothing, nothing.copy(), chi2, points)
    )


def index_limits(
    flux: Floats, frequency: Floats, limit: Floats, limit_frequency: Floats
) -> tuple[Floats, Floats]:
    """Lower and upper limits of the spectral index of sources that were seen at one frequency alone.

    A source fainter than the limit at a higher frequency is steeper than the line to it, which is an upper
    limit of alpha; at a lower frequency it is a lower limit. Of several the tightest counts.

    Parameters
    ----------
    flux, frequency
        What was seen (Jy, Hz), NaN for what was not; (source, catalogue).
    limit, limit_frequency
        What it would have been brighter than, where it was not seen (Jy, Hz; else NaN); (source, catalogue).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        used = (flux > 0) & (frequency > 0)
        x = np.where(used, np.log(frequency), np.nan)
        single = (_distinct(np.where(used, x, 0.0), used) == 1) & used.any(axis=1)
        first = np.argmax(used, axis=1)
        rows = np.arange(len(flux))
        step = np.log(limit_frequency) - x[rows, first][:, None]
        slope = (np.log(limit) - np.log(flux[rows, first])[:, None]) / step
        slope = np.where(single[:, None] & (np.abs(step) > _DISTINCT), slope, np.nan)
        least = np.max(np.where((step < 0) & np.isfinite(slope), slope, -np.inf), axis=1, initial=-np.inf)
        most = np.min(np.where((step > 0) & np.isfinite(slope), slope, np.inf), axis=1, initial=np.inf)
    return np.where(np.isfinite(least), least, np.nan), np.where(np.isfinite(most), most, np.nan)


def local_rms(ra: Floats, dec: Floats, entries: Entries) -> tuple[Floats, Floats]:
    """The rms (Jy/beam) and the frequency (Hz) of the nearest row of a catalogue that tells its rms.

    They are NaN where the catalogue did not look: farther from all of its rows than three times the median
    distance between neighbours, within which all but one in 500 places of a random field lie.
    """
    told = np.flatnonzero(entries.placed & (entries.rms > 0) & np.isfinite(entries.frequency))
    nothing = np.full(np.shape(ra), np.nan)
    asked = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    if told.size < 2 or not asked.size:
        return nothing, nothing.copy()
    tree = cKDTree(unit_vectors(entries.ra[told], entries.dec[told]))
    typical = float(np.median(np.asarray(tree.query(tree.data, k=2)[0])[:, 1]))
    far, nearest = (np.asarray(each) for each in tree.query(unit_vectors(ra[asked], dec[asked])))
    inside = far <= _HOLE * typical
    rms, frequency = nothing, nothing.copy()
    rms[asked[inside]] = entries.rms[told][nearest[inside]]
    frequency[asked[inside]] = entries.frequency[told][nearest[inside]]
    return rms, frequency


def _distinct(x: Floats, used: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many distinct values of ``x (source, catalogue)`` are in use in each row."""
    ordered = np.sort(np.where(used, x, np.inf), axis=1)
    with np.errstate(invalid="ignore"):
        fresh = np.diff(ordered, axis=1) > _DISTINCT
    fresh &= np.isfinite(ordered[:, 1:])
    return np.asarray(fresh.sum(axis=1) + np.isfinite(ordered[:, 0]), np.int64)


def _curved(
    x: Floats,
    y: Floats,
    weight: Floats,
    used: NDArray[np.bool_],
    told: NDArray[np.bool_],
    reference: float,
    line: Spectra,
) -> Spectra:
    """The parabola instead of the straight line where there are three frequencies."""
    rows = np.flatnonzero(_distinct(x, used) >= 3)
    x, y, weight, used, told = x[rows], y[rows], weight[rows], used[rows], told[rows]
    count = np.maximum(used.sum(axis=1), 1)
    zero = np.log(reference) if np.isfinite(reference) else (x * used).sum(axis=1) / count
    d = np.where(used, x - np.broadcast_to(zero, len(rows))[:, None], 0.0)
    design = np.stack([np.ones_like(d), d, d * d], axis=-1)  # (source, catalogue, term)
    normal = np.einsum("sc,sci,scj->sij", weight, design, design)
    right = np.einsum("sc,sci,sc->si", weight, design, y)
    inverse = np.linalg.inv(normal) if len(rows) else np.empty((0, 3, 3))
    solution = np.einsum("sij,sj->si", inverse, right)
    errors = np.where(told[:, None], np.sqrt(np.abs(np.einsum("sii->si", inverse))), np.nan)
    rest = np.where(used, y - np.einsum("sci,si->sc", design, solution), 0.0)
    index, error, chi2 = line.index.copy(), line.index_err.copy(), line.chi2.copy()
    curvature, curvature_err = line.curvature.copy(), line.curvature_err.copy()
    index[rows], curvature[rows] = solution[:, 1], solution[:, 2]
    error[rows], curvature_err[rows] = errors[:, 1], errors[:, 2]
    chi2[rows] = np.where(told, (weight * rest * rest).sum(axis=1), np.nan)
    return Spectra(index, error, curvature, curvature_err, chi2, line.points)

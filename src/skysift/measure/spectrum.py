"""Spectra of sources, S ~ frequency^alpha: power laws fitted to fluxes, and the ratios of Taylor terms.

Fluxes are fitted as they are, S0 (nu/nu0)^(alpha + beta ln(nu/nu0)), each with the weight of its error: fluxes
near zero or below it count as what they are, which a fit to logarithms cannot do (it is biased where the S/N of a
channel is low). All sources are fitted at once, by damped Gauss-Newton steps.

Taylor terms are those of multi-frequency synthesis (Rau & Cornwell 2011, A&A 532, A71), I(nu) = I0 + I1 w + I2 w^2
with w = (nu - nu0) / nu0: alpha = I1 / I0 and beta = I2 / I0 - alpha (alpha - 1) / 2, where beta is the factor of
ln(nu/nu0)^2 in ln S (for logarithms to base 10, beta ln 10). Terms are the polynomial of least squares through a
band: where it ends, what is left of a power law goes into its terms, and `truncation` tells how much.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["PowerLaws", "TaylorBand", "power_laws", "taylor_laws", "truncation"]

Floats = NDArray[np.float64]

_DISTINCT = 0.003  # of ln frequency; what is closer is one frequency
_STEEPEST = 12.0  # an index beyond that is no measurement
_VAGUE = 5.0  # nor is one with a larger error
_STARTS = np.linspace(-4.0, 4.0, 17)  # indices tried before the first step
_STEPS = 40
_DONE = 1e-9  # of an index; a smaller step is the last
_NODES = 64  # of the integrals over a band


@dataclass(frozen=True)
class TaylorBand:
    """The data that Taylor terms were made of.

    Parameters
    ----------
    low, high
        Frequencies over that of reference, less 1.
    terms
        How many terms were solved for.
    """

    low: float
    high: float
    terms: int


@dataclass(frozen=True, eq=False)
class PowerLaws:
    """Spectra of sources; NaN where there are too few frequencies, no fit holds, or the index errs by more than 5.

    Parameters
    ----------
    flux, flux_err
        Flux density at the reference frequency (Jy); (n,).
    index, index_err
        alpha, at the reference frequency where the spectrum is curved; (n,).
    curvature, curvature_err
        beta; NaN where it was not fitted, None where it was not asked for; (n,).
    chi2
        Weighted sum of squared residuals; None for Taylor terms; (n,).
    points
        Number of fluxes used; (n,).
    index_trunc_err, curvature_trunc_err
        By how much index and curvature err since Taylor terms end; None where that was not asked for; (n,).
    """

    flux: Floats
    flux_err: Floats
    index: Floats
    index_err: Floats
    curvature: Floats | None
    curvature_err: Floats | None
    chi2: Floats | None
    points: NDArray[np.int64]
    index_trunc_err: Floats | None = None
    curvature_trunc_err: Floats | None = None


def power_laws(
    flux: Floats, flux_err: Floats, frequency: Floats, *, reference: float, curved: bool = False
) -> PowerLaws:
    """Power laws fitted to fluxes at several frequencies.

    Parameters
    ----------
    flux, flux_err
        Jy, signed; NaN for what is not known; (source, channel).
    frequency
        Of each channel (Hz); (channel,).
    reference
        Frequency of the flux that is fitted, and of the index of a curved spectrum (Hz).
    curved
        Fit beta where there are three frequencies or more.
    """
    n = len(flux)
    used = np.isfinite(flux) & (flux_err > 0) & np.isfinite(flux_err) & np.isfinite(frequency)
    x = np.where(np.isfinite(frequency), np.log(frequency / reference), 0.0)
    distinct = _distinct(x, used)
    points = used.sum(axis=1).astype(np.int64)
    result = [np.full(n, np.nan) for _ in range(7)]
    for terms, rows in (
        (2, np.flatnonzero((distinct >= 2) & ~(curved & (distinct >= 3)))),
        (3, np.flatnonzero(curved & (distinct >= 3))),
    ):
        if not rows.size:
            continue
        weight = np.where(used[rows], 1.0 / np.where(used[rows], flux_err[rows], 1.0), 0.0)
        scaled = np.where(used[rows], flux[rows], 0.0) * weight
        found, errors, rest = _fit(scaled, weight, x, terms)
        for k in range(terms):
            result[2 * k][rows], result[2 * k + 1][rows] = found[:, k], errors[:, k]
        result[6][rows] = rest
    first, err, index, index_err, bend, bend_err, chi2 = result
    if not curved:
        return PowerLaws(first, err, index, index_err, None, None, chi2, points)
    return PowerLaws(first, err, index, index_err, bend, bend_err, chi2, points)


def taylor_laws(
    flux: Floats,
    flux_err: Floats,
    correlation: Floats,
    response: Floats | None = None,
    band: TaylorBand | None = None,
) -> PowerLaws:
    """Spectra from fluxes in the Taylor terms of a map.

    Parameters
    ----------
    flux, flux_err
        Of I0, I1 and perhaps I2 (Jy); (source, term).
    correlation
        Of the noise of the terms; (term, term).
    response
        Index and curvature of the primary beam through which the terms were seen, -s and b of
        A exp(-s u + b u^2), u = ln(nu/nu0): the terms are multiplied by the series of 1/A,
        1 + s w + (s (s - 1) / 2 - b) w^2; (source, 2).
    band
        The data that the terms were made of, if `truncation` is to be told.
    """
    n, terms = flux.shape
    curvature: Floats | None = None
    curvature_err: Floats | None = None
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = flux_err[:, :, None] * correlation * flux_err[:, None, :]
        if response is not None:
            s, b = -response[:, 0], response[:, 1]
            free = np.tile(np.eye(terms), (n, 1, 1))
            free[:, 1, 0] = s
            if terms > 2:
                free[:, 2, 0], free[:, 2, 1] = 0.5 * s * (s - 1.0) - b, s
            flux = np.einsum("sij,sj->si", free, flux)
            covariance = free @ covariance @ free.transpose(0, 2, 1)
        i0 = flux[:, 0]
        index = flux[:, 1] / i0
        slope = np.stack([-index / i0, 1.0 / i0, *([np.zeros(n)] * (terms - 2))], axis=1)
        index_err = np.sqrt(np.einsum("si,sij,sj->s", slope, covariance, slope))
        if terms > 2:
            second = flux[:, 2] / i0
            curvature = second - 0.5 * index * (index - 1.0)
            bend = np.stack([(index * (index - 0.5) - second) / i0, (0.5 - index) / i0, 1.0 / i0], axis=1)
            curvature_err = np.sqrt(np.einsum("si,sij,sj->s", bend, covariance, bend))
        vague = ~((index_err < _VAGUE) & (np.abs(index) < _STEEPEST))
        index[vague], index_err[vague] = np.nan, np.nan
        if curvature is not None and curvature_err is not None:
            curvature[vague], curvature_err[vague] = np.nan, np.nan
    points = np.isfinite(flux).sum(axis=1).astype(np.int64)
    found = PowerLaws(i0, flux_err[:, 0], index, index_err, curvature, curvature_err, None, points)
    if band is None:
        return found
    seen = index if response is None else index + response[:, 0]  # the terms are those of what the dish saw
    shifts = np.abs(truncation(seen, band))
    return replace(
        found, index_trunc_err=shifts[:, 0], curvature_trunc_err=None if curvature is None else shifts[:, 1]
    )


def truncation(index: Floats, band: TaylorBand) -> Floats:
    """By how much index and curvature (source, 2) of power laws come out wrong when they are read from Taylor terms.

    The terms are taken as the polynomial of least squares through the band, all of whose frequencies count alike. NaN
    where the index is, and for the curvature of two terms.

    Parameters
    ----------
    index
        alpha, (source,).
    band
        The data that the terms were made of.
    """
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    w = band.low + (band.high - band.low) * 0.5 * (node + 1.0)
    root = np.sqrt(weight)
    solve = np.linalg.pinv(np.vander(w, band.terms, increasing=True) * root[:, None])
    with np.errstate(invalid="ignore"):
        terms = (np.exp(index[:, None] * np.log1p(w)) * root) @ solve.T
    slope = terms[:, 1] / terms[:, 0]
    bend = np.full(len(index), np.nan)
    if band.terms > 2:
        bend = terms[:, 2] / terms[:, 0] - 0.5 * slope * (slope - 1.0)
    return np.stack([slope - index, bend], axis=1)


def _distinct(x: Floats, used: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many distinct frequencies of ``x (channel,)`` each source uses."""
    order = np.argsort(x, kind="stable")
    group = np.concatenate([[0], np.cumsum(np.diff(x[order]) > _DISTINCT)]) if x.size else np.zeros(0, int)
    several = [used[:, order[group == each]].any(axis=1) for each in np.unique(group)]
    return np.sum(several, axis=0, dtype=np.int64) if several else np.zeros(len(used), np.int64)


def _fit(scaled: Floats, weight: Floats, x: Floats, terms: int) -> tuple[Floats, Floats, Floats]:
    """Parameters and errors ``(source, flux and index and perhaps curvature)`` and chi squared.

    Parameters
    ----------
    scaled, weight
        Fluxes over their errors, and one over the errors; 0 where not known; (source, channel).
    x
        ln of frequency over that of reference; (channel,).
    terms
        2, or 3 for a curved spectrum.
    """
    n = len(scaled)
    # about the middle of a source's own frequencies flux and index are nearly independent
    share = weight**2
    middle = (share @ x) / share.sum(axis=1)
    d = x - middle[:, None]
    p = _starts(scaled, weight, d, terms)
    best = _chi2(p, scaled, weight, d)
    damping = np.full(n, 1e-3)
    going = np.arange(n)
    moved = np.full(n, np.inf)
    eye = np.eye(terms)
    for _ in range(_STEPS):
        model, jacobian = _model(p[going], weight[going], d[going])
        normal = np.einsum("sci,scj->sij", jacobian, jacobian)
        right = np.einsum("sci,sc->si", jacobian, scaled[going] - model)
        size = np.einsum("sii->si", normal)
        size = np.where(size > 0.0, size, 1.0)
        damped = normal + eye * (size * damping[going, None])[:, :, None]
        step = np.linalg.solve(damped, right[:, :, None])[:, :, 0]
        tried = p[going] + step
        tried[:, 1:] = np.clip(tried[:, 1:], -2.0 * _STEEPEST, 2.0 * _STEEPEST)
        chi2 = _chi2(tried, scaled[going], weight[going], d[going])
        better = chi2 <= best[going]
        p[going[better]], best[going[better]] = tried[better], chi2[better]
        damping[going] *= np.where(better, 0.1, 10.0)
        moved[going] = np.where(better, np.abs(step[:, 1:]).max(axis=1), moved[going])
        going = going[~(better & (np.abs(step[:, 1:]).max(axis=1) < _DONE)) & (damping[going] < 1e12)]
        if not going.size:
            break
    _, jacobian = _model(p, weight, d)
    normal = np.einsum("sci,scj->sij", jacobian, jacobian)
    good = (np.abs(p[:, 1]) < _STEEPEST) & (moved < 1e-3) & (p[:, 0] != 0.0)
    good &= np.linalg.cond(np.where(good[:, None, None], normal, eye)) < 1e14
    covariance = np.linalg.inv(np.where(good[:, None, None], normal, eye))
    p, covariance = _at_reference(p, covariance, middle)
    errors = np.sqrt(np.einsum("sii->si", covariance))
    bad = ~good | ~(errors[:, 1] < _VAGUE)
    p[bad], errors[bad] = np.nan, np.nan
    return p, errors, np.where(bad, np.nan, best)


def _starts(scaled: Floats, weight: Floats, d: Floats, terms: int) -> Floats:
    """The best of some indices, each with the flux that fits it best."""
    p = np.zeros((len(scaled), terms))
    best = np.full(len(scaled), np.inf)
    for index in _STARTS:
        shape = weight * np.exp(index * d)
        flux = (shape * scaled).sum(axis=1) / (shape * shape).sum(axis=1)
        chi2 = ((scaled - flux[:, None] * shape) ** 2).sum(axis=1)
        better = chi2 < best
        p[better, 0], p[better, 1], best[better] = flux[better], index, chi2[better]
    return p


def _model(p: Floats, weight: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Model over errors (source, channel) and its derivatives (source, channel, parameter)."""
    power = p[:, 1:2] * d + (p[:, 2:3] * d * d if p.shape[1] > 2 else 0.0)
    shape = weight * np.exp(np.clip(power, -50.0, 50.0))
    model = p[:, :1] * shape
    slopes = [shape, model * d, model * d * d]
    return model, np.stack(slopes[: p.shape[1]], axis=2)


def _chi2(p: Floats, scaled: Floats, weight: Floats, d: Floats) -> Floats:
    chi2: Floats = ((scaled - _model(p, weight, d)[0]) ** 2).sum(axis=1)
    return chi2


def _at_reference(p: Floats, covariance: Floats, middle: Floats) -> tuple[Floats, Floats]:
    """Parameters and covariance moved from the middle of the frequencies to the reference.

    With d = x - m: ln S = ln S0 + a d + b d^2, so that at x = 0 the flux is S0 exp(-a m + b m^2) and the index
    a - 2 b m.
    """
    a, b = p[:, 1], p[:, 2] if p.shape[1] > 2 else np.zeros(len(p))
    factor = np.exp(np.clip(-a * middle + b * middle**2, -50.0, 50.0))
    slope = np.zeros((len(p), p.shape[1], p.shape[1]))
    moved = p.copy()
    moved[:, 0] = p[:, 0] * factor
    slope[:, 0, 0], slope[:, 0, 1], slope[:, 1, 1] = factor, -moved[:, 0] * middle, 1.0
    if p.shape[1] > 2:
        moved[:, 1] = a - 2.0 * b * middle
        slope[:, 0, 2], slope[:, 1, 2], slope[:, 2, 2] = moved[:, 0] * middle**2, -2.0 * middle, 1.0
    return moved, slope @ covariance @ slope.transpose(0, 2, 1)

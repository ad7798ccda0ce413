"""How much sources vary: eta, V and the modulation index of fluxes measured again and again.

eta = sum(w (S - <S>_w)^2) / (N - 1) with w = 1 / err^2 and the weighted mean <S>_w is the reduced chi-squared of a
constant source; V = s / <S> is the scatter over the mean, both as in Swinbank et al. (2015, Astronomy and Computing
11, 25). V counts the noise as well; the de-biased modulation index of Bell et al. (2014, MNRAS 438, 352) takes it out:
m = sqrt((sum((S - <S>)^2) - sum(err^2)) / N) / <S>, with the sign of the root's argument in front.

Fluxes at several frequencies are compared within each frequency only, and the sums are taken over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

__all__ = ["Variability", "bands_of", "variability"]

Floats = NDArray[np.float64]

ONE_BAND = 0.003  # of ln frequency; what is closer is one frequency


@dataclass(frozen=True, eq=False)
class Variability:
    """How much each of many sources varies; (n,), NaN where there are too few fluxes.

    Parameters
    ----------
    points
        Number of fluxes.
    degrees
        Fluxes less the frequencies that they are at.
    mean, mean_err
        Weighted mean, of the fluxes at one frequency; NaN where there are several.
    eta
        Reduced chi-squared of a constant source.
    v
        Standard deviation over mean.
    modulation
        De-biased modulation index; negative where the scatter is less than the errors tell.
    chi2
        eta times `degrees`.
    p_constant
        Probability that a constant source shows as much scatter, errors being Gaussian.
    """

    points: NDArray[np.int64]
    degrees: NDArray[np.int64]
    mean: Floats
    mean_err: Floats
    eta: Floats
    v: Floats
    modulation: Floats
    chi2: Floats
    p_constant: Floats


def bands_of(frequency: Floats) -> NDArray[np.int64]:
    """The number of the frequency of each map, from 0; those within 0.3 % are one, unknown ones too."""
    bands = np.zeros(frequency.size, np.int64)
    known = np.flatnonzero(np.isfinite(frequency))
    order = known[np.argsort(frequency[known], kind="stable")]
    fresh = np.diff(np.log(frequency[order])) > ONE_BAND
    bands[order] = np.concatenate([[0], np.cumsum(fresh)])[: order.size]
    bands[~np.isfinite(frequency)] = int(bands.max(initial=-1)) + 1 if order.size else 0
    return bands


def variability(flux: Floats, flux_err: Floats, band: NDArray[np.int64]) -> Variability:
    """
    How much sources vary.

    Parameters
    ----------
    flux, flux_err
        Jy, signed; NaN for what was not measured; (source, map).
    band
        Which maps are at one frequency; (map,).
    """
    used = np.isfinite(flux) & (flux_err > 0.0) & np.isfinite(flux_err)
    n = len(flux)
    chi2, degrees, relative, debiased = np.zeros(n), np.zeros(n, np.int64), np.zeros(n), np.zeros(n)
    mean, error, filled, weighed = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, np.int64), np.zeros(n)
    for each in np.unique(band):
        mine = used & (band == each)
        count = mine.sum(axis=1)
        s = np.where(mine, flux, 0.0)
        w = np.where(mine, 1.0 / np.where(mine, flux_err, 1.0) ** 2, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            weighted, plain = (w * s).sum(axis=1) / w.sum(axis=1), s.sum(axis=1) / count
            rest = np.where(mine, flux - weighted[:, None], 0.0)
            square = np.where(mine, (flux - plain[:, None]) ** 2, 0.0).sum(axis=1)
            excess = square - np.where(mine, flux_err**2, 0.0).sum(axis=1)
            several = count > 1
            chi2 += np.where(several, (w * rest**2).sum(axis=1), 0.0)
            degrees += np.where(several, count - 1, 0)
            relative += np.where(several, square / plain**2, 0.0)
            debiased += np.where(several, excess / plain**2, 0.0)
            weighed += np.where(several, count, 0)
            mean = np.where(count > 0, weighted, mean)
            error = np.where(count > 0, 1.0 / np.sqrt(w.sum(axis=1)), error)
        filled += count > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        varies = degrees > 0
        eta = np.where(varies, chi2 / degrees, np.nan)
        v = np.where(varies, np.sqrt(relative / degrees), np.nan)
        share = debiased / weighed
        modulation = np.where(varies, np.copysign(np.sqrt(np.abs(share)), share), np.nan)
        p = np.where(varies, gammaincc(0.5 * np.maximum(degrees, 1), 0.5 * chi2), np.nan)
    one = filled == 1
    return Variability(
        used.sum(axis=1).astype(np.int64), degrees, np.where(one, mean, np.nan), np.where(one, error, np.nan),
        eta, v, modulation, np.where(varies, chi2, np.nan), p,
    )  # fmt: skip

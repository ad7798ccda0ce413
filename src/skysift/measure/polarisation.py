"""Polarisation of sources from their fluxes in Stokes Q, U and V: debiased intensity, angle, fractions, limits.

The polarised intensity is the modified asymptotic estimator (MAS) of Plaszczynski et al. (2014, MNRAS 439, 4048),
which is continuous, never negative and free of bias, within a few per cent of the noise, above 2 sigma.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import erfc

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

UNIFORM = 180.0 / np.sqrt(12.0)  # deg; error of an angle of which nothing is known


@dataclass(frozen=True, eq=False)
class Linear:
    """
    Linear polarisation of sources; arrays ``(n,)``.

    Attributes
    ----------
    flux, flux_err
        Polarised intensity, debiased, and its error (unit of Q and U).
    snr
        ``sqrt((Q / error)^2 + (U / error)^2)``: noise alone exceeds s with the probability ``exp(-s^2 / 2)``.
    angle, angle_err
        Of the electric vector, from north through east, in [0, 180) (deg).
    """

    flux: Floats
    flux_err: Floats
    snr: Floats
    angle: Floats
    angle_err: Floats


def linear(q: Floats, q_err: Floats, u: Floats, u_err: Floats) -> Linear:
    """
    Linear polarisation from Q and U with independent errors.

    With ``p^2 = Q^2 + U^2`` and the noise across the vector, ``b^2 = (Q^2 s_U^2 + U^2 s_Q^2) / p^2``, the estimate is
    ``p - b^2 (1 - exp(-p^2 / b^2)) / 2p``. Its error is that of the noise along the vector.

    The error of the angle is ``b / 2p``, with the debiased p, and at most that of an angle drawn at random, 52
    degrees.
    """
    seen = np.hypot(q, u)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(seen > 0.0, q / seen, np.sqrt(0.5))
        sine = np.where(seen > 0.0, u / seen, np.sqrt(0.5))
        across = np.square(cosine * u_err) + np.square(sine * q_err)
        along = np.square(cosine * q_err) + np.square(sine * u_err)
        bias = np.where(seen > 0.0, -across * np.expm1(-np.square(seen) / across) / (2.0 * seen), 0.0)
        flux = np.where(np.isfinite(seen), seen - bias, np.nan)
        angle_err = np.minimum(np.degrees(0.5 * np.sqrt(across) / flux), UNIFORM)
    angle = np.degrees(0.5 * np.arctan2(u, q)) % 180.0
    known = np.isfinite(seen)
    return Linear(
        flux,
        np.where(known, np.sqrt(along), np.nan),
        np.hypot(q / q_err, u / u_err),
        np.where(angle == 180.0, 0.0, angle),
        np.where(known, angle_err, np.nan),
    )


def fraction(part: Floats, part_err: Floats, total: Floats, total_err: Floats) -> tuple[Floats, Floats]:
    """Ratio of independent fluxes and its error; NaN where the total is not above zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        good = total > 0.0
        ratio = np.where(good, part / total, np.nan)
        error = np.where(good, np.hypot(part_err, ratio * total_err) / total, np.nan)
    return ratio, error


@dataclass(frozen=True, eq=False)
class Standing:
    """
    How a polarised flux stands against noise and leakage; arrays ``(n,)``.

    Attributes
    ----------
    limit
        Upper limit of its fraction of the total flux; NaN where it is detected.
    leaked
        Where it is above the noise, but not above what may have leaked from the total flux.
    """

    limit: Floats
    leaked: Bools


def standing(
    part: Floats,
    part_err: Floats,
    total: Floats,
    leakage: float,
    sigmas: float,
    above: float,
    snr: Floats | None = None,
) -> Standing:
    """
    What is a detection and what a limit.

    A flux is detected where its S/N times its error exceeds ``above`` errors and the leakage together. Elsewhere the
    limit of its fraction is its size, ``sigmas`` errors and the leakage together, over the total flux.

    Parameters
    ----------
    part, part_err
        Polarised flux and its error.
    total
        Total flux.
    leakage
        Part of the total flux that may appear as polarised.
    sigmas
        Errors in a limit.
    above
        Errors above which there is a detection.
    snr
        Significance, where it is not the flux over its error: that of a debiased flux is of what was seen.
    """
    size = np.abs(part)
    raw = size if snr is None else snr * part_err
    floor = leakage * np.abs(total)
    seen = raw > above * part_err
    detected = raw > above * part_err + floor
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = np.where(total > 0.0, (size + sigmas * part_err) / total + leakage, np.nan)
    return Standing(np.where(detected, np.nan, limit), seen & ~detected)


def as_rare(sigmas: float) -> float:
    """The S/N of a polarised intensity that noise exceeds as rarely as a Gaussian does so many sigma, on both sides."""
    return float(np.sqrt(-2.0 * np.log(erfc(sigmas / np.sqrt(2.0)))))

"""Shapes on the sky: covariances to axes and position angles, with errors; deconvolution of the beam."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FWHM = float(np.sqrt(8.0 * np.log(2.0)))


@dataclass(frozen=True, eq=False)
class Ellipses:
    """Axes (FWHM) and position angle of many ellipses, with errors; arrays ``(n,)``, arcsec and degrees."""

    major: Floats
    minor: Floats
    pa: Floats
    major_err: Floats
    minor_err: Floats
    pa_err: Floats


def to_sky(shape: Floats, tangent: Floats) -> Floats:
    """
    Covariances ``(n, 3)`` (east-east, east-north, north-north; arcsec^2) of pixel covariances (xx, xy, yy).

    ``tangent (n, 2, 2)`` takes pixel offsets to (east, north) in arcsec.
    """
    return np.asarray(np.einsum("nij,nj->ni", shape_transform(tangent), shape))


def shape_transform(tangent: Floats) -> Floats:
    """The linear map ``(n, 3, 3)`` that takes (xx, xy, yy) to (ee, en, nn)."""
    a, b, c, d = tangent[:, 0, 0], tangent[:, 0, 1], tangent[:, 1, 0], tangent[:, 1, 1]
    rows = [[a * a, 2 * a * b, b * b], [a * c, a * d + b * c, b * d], [c * c, 2 * c * d, d * d]]
    return np.moveaxis(np.array(rows), -1, 0)


def ellipses(sky: Floats, cov: Floats) -> Ellipses:
    """
    Axes and angles of covariances ``sky (n, 3)`` with covariance ``cov (n, 3, 3)`` of those.

    Noise makes a round shape look elongated; the difference of the axes is freed of that to first order, as a
    polarised intensity is (Wardle & Kronberg 1974, ApJ 194, 249).

    Position angles run from north through east, in [0, 180). An axis whose square is not positive is zero, and
    its error is that of the square root at one sigma above zero; the angle of a round shape is NaN.
    """
    ee, en, nn = sky.T
    mean, half = 0.5 * (ee + nn), 0.5 * (ee - nn)
    radius = np.hypot(half, en)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(radius > 0, half / radius, 0.0)
        sine = np.where(radius > 0, en / radius, 0.0)
    noise = 0.125 * (cov[:, 0, 0] - 2.0 * cov[:, 0, 2] + cov[:, 2, 2]) + 0.5 * cov[:, 1, 1]
    true_radius = np.sqrt(np.maximum(radius**2 - np.where(np.isfinite(noise), noise, 0.0), 0.0))
    axes, errors = [], []
    for sign in (1.0, -1.0):
        square = mean + sign * true_radius
        slope = np.stack([0.5 + sign * 0.5 * cosine, sign * sine, 0.5 - sign * 0.5 * cosine], axis=1)
        sigma = np.sqrt(np.maximum(np.einsum("ni,nij,nj->n", slope, cov, slope), 0.0))
        axis = FWHM * np.sqrt(np.maximum(square, 0.0))
        tiny = FWHM * np.sqrt(np.maximum(square, 0.0) + sigma) - axis
        with np.errstate(divide="ignore", invalid="ignore"):
            linear = FWHM * sigma / (2.0 * np.sqrt(square))
        errors.append(np.where(square > sigma, linear, tiny))
        axes.append(axis)
    pa = np.degrees(0.5 * np.arctan2(2.0 * en, nn - ee)) % 180.0
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.stack([en, nn - ee, -en], axis=1) / (4.0 * radius**2)[:, None]
        pa_err = np.degrees(np.sqrt(np.einsum("ni,nij,nj->n", slope, cov, slope)))
    pa_err = np.where(np.isfinite(pa_err), np.minimum(pa_err, 90.0), np.where(radius > 0, np.nan, 90.0))
    return Ellipses(axes[0], axes[1], np.where(axes[0] > 0, pa, np.nan), errors[0], errors[1], pa_err)

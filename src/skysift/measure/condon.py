"""Errors of a fitted Gaussian by Condon (1997, PASP 109, 166): closed forms for noise as smooth as the beam."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CondonErrors:
    """One-sigma errors, arrays ``(n,)``: peak and flux relative, axes in their own unit, centre along the axes."""

    peak: Floats
    flux: Floats
    major: Floats
    minor: Floats
    along_major: Floats
    along_minor: Floats
    pa: Floats


def condon_errors(
    snr: Floats, major: Floats, minor: Floats, beam_major: Floats, beam_minor: Floats
) -> CondonErrors:
    """
    Errors by Condon's equations 21, 41 and 42, the noise being smooth on the scale of the beam.

    Parameters
    ----------
    snr
        Peak over rms.
    major, minor
        Fitted axes (FWHM).
    beam_major, beam_minor
        Axes of the beam, in the same unit, one a row.
    """

    def rho(alpha_major: float, alpha_minor: float) -> Floats:
        result: Floats = (
            np.sqrt(major * minor / (4.0 * beam_major * beam_minor))
            * (1.0 + (beam_major / major) ** 2) ** (alpha_major / 2)
            * (1.0 + (beam_minor / minor) ** 2) ** (alpha_minor / 2)
            * np.abs(snr)
        )
        return result

    eight_ln2 = 8.0 * np.log(2.0)
    peak = np.sqrt(2.0) / rho(1.5, 1.5)
    wide, narrow = np.sqrt(2.0) / rho(2.5, 0.5), np.sqrt(2.0) / rho(0.5, 2.5)
    area = beam_major * beam_minor / (major * minor)
    with np.errstate(divide="ignore", invalid="ignore"):
        pa = np.degrees(narrow * np.sqrt(2.0) * major * minor / (major**2 - minor**2))
    return CondonErrors(
        peak, np.sqrt(peak**2 + area * (wide**2 + narrow**2)), wide * major, narrow * minor,
        wide * major / np.sqrt(eight_ln2), narrow * minor / np.sqrt(eight_ln2), np.minimum(np.abs(pa), 90.0),
    )  # fmt: skip

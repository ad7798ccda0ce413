"""What is known of surveys whose headers do not tell it: beams, units, calibration of their numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from skysift.sky.beam import Beam

__all__ = ["KNOWN", "KnownSurvey"]


@dataclass(frozen=True, slots=True)
class KnownSurvey:
    """Beam (arcsec, deg), unit, factor to it, and frequency (Hz) of a survey's images.

    Parameters
    ----------
    beam
        (major, minor, pa).
    unit
        Of the pixels once multiplied by `scale`; empty where headers tell it.
    scale
        What the stored numbers are multiplied by.
    frequency
        Of the band; NaN where headers tell it.
    stretched
        Whether the beam is longer from north to south by 1/|sin(declination)|, as that of an east-west array.
    """

    beam: tuple[float, float, float]
    unit: str = ""
    scale: float = 1.0
    frequency: float = math.nan
    stretched: bool = False

    def beam_at(self, dec: float) -> Beam:
        """The beam at a declination (deg)."""
        major, minor, pa = self.beam
        if self.stretched:
            major = minor / max(abs(math.sin(math.radians(dec))), 0.05)
        return Beam(major, minor, pa)


def _round(fwhm: float) -> tuple[float, float, float]:
    return fwhm, fwhm, 0.0


_MICRON = 299792458.0 / 1e-6

KNOWN: dict[str, KnownSurvey] = {
    "nvss": KnownSurvey(_round(45.0), frequency=1.4e9),
    "first": KnownSurvey(_round(5.4), frequency=1.4e9),
    "sumss": KnownSurvey((45.0, 45.0, 0.0), frequency=843e6, stretched=True),
    "mgps": KnownSurvey((43.0, 43.0, 0.0), frequency=843e6, stretched=True),
    "vlass": KnownSurvey((3.0, 2.0, 0.0), frequency=3e9),
    "glostar": KnownSurvey(_round(18.0), frequency=5.8e9),
    "sgps": KnownSurvey(_round(100.0), frequency=1.4e9),
    "vgps": KnownSurvey(_round(45.0), frequency=1.42e9),
    "scorpio_atca": KnownSurvey((9.8, 5.8, 0.0), frequency=2.1e9),
    "scorpio_askap15": KnownSurvey((24.0, 21.0, 0.0), frequency=912e6),
    "scorpio_askap36": KnownSurvey((9.4, 7.7, 0.0), frequency=943e6),
    "wise_3_4": KnownSurvey(_round(6.1), "Jy/pixel", 1.9350e-6, _MICRON / 3.4),
    "wise_4_6": KnownSurvey(_round(6.4), "Jy/pixel", 2.7048e-6, _MICRON / 4.6),
    "wise_12": KnownSurvey(_round(6.5), "Jy/pixel", 1.8326e-6, _MICRON / 12.0),
    "wise_22": KnownSurvey(_round(12.0), "Jy/pixel", 5.2269e-5, _MICRON / 22.0),
    "irac_3_6": KnownSurvey(_round(1.7), "MJy/sr", frequency=_MICRON / 3.6),
    "irac_4_5": KnownSurvey(_round(1.7), "MJy/sr", frequency=_MICRON / 4.5),
    "irac_5_8": KnownSurvey(_round(1.7), "MJy/sr", frequency=_MICRON / 5.8),
    "irac_8": KnownSurvey(_round(1.9), "MJy/sr", frequency=_MICRON / 8.0),
    "mips_24": KnownSurvey(_round(6.0), "MJy/sr", frequency=_MICRON / 24.0),
    "higal_70": KnownSurvey(_round(6.7), "MJy/sr", frequency=_MICRON / 70.0),
    "higal_160": KnownSurvey(_round(11.0), "MJy/sr", frequency=_MICRON / 160.0),
    "higal_250": KnownSurvey(_round(18.0), "MJy/sr", frequency=_MICRON / 250.0),
    "higal_350": KnownSurvey(_round(25.0), "MJy/sr", frequency=_MICRON / 350.0),
    "higal_500": KnownSurvey(_round(37.0), "MJy/sr", frequency=_MICRON / 500.0),
    "atlasgal": KnownSurvey(_round(18.6), "Jy/beam", frequency=345e9),
    "atlasgal_planck": KnownSurvey(_round(21.0), "Jy/beam", frequency=345e9),
    "msx_8_3": KnownSurvey(_round(20.0), "Jy/sr", 7.133e12, _MICRON / 8.28),
    "msx_12_1": KnownSurvey(_round(20.0), "Jy/sr", 2.863e13, _MICRON / 12.13),
    "msx_14_7": KnownSurvey(_round(20.0), "Jy/sr", 3.216e13, _MICRON / 14.65),
    "msx_21_3": KnownSurvey(_round(20.0), "Jy/sr", 2.476e13, _MICRON / 21.34),
}
"""Survey -> what is known of it (those of scutout, and their calibrations)."""

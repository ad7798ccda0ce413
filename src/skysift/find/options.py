"""What every finder's menu begins with; light: no loops, no kernels."""

import math
from typing import Self

from pydantic import field_validator, model_validator

from skysift.base.options import Options, option
from skysift.measure.options import FitOptions, NoiseOptions, SpectraOptions


class StokesOptions(Options):
    """Polarisation of what was found; used where maps of Stokes Q, U or V are given."""

    leakage_v: float = option(
        0.0,
        at_least=0.0,
        below=1.0,
        doc="Part of Stokes I that may leak into V: V is a limit below it; a column of its own, never mixed in.",
    )
    leakage_p: float = option(
        0.0,
        at_least=0.0,
        below=1.0,
        doc="Part of Stokes I that may leak into linear polarisation; a column of its own, never mixed in.",
    )
    polarised_sigma: float = option(
        3.0,
        unit="sigma",
        above=0.0,
        doc="Polarised flux is detected above this, or as rare a S/N of polarised intensity; else it is a limit.",
    )


class BeamOptions(Options):
    """What a point looks like where it is not the same all over a map."""

    psf_file: str | None = option(
        None,
        doc="The beam over the map: FITS cube of major and minor axis and angle (deg), or a table of "
        "ra, dec, bmaj, bmin, bpa.",
    )
    channel_width: float | None = option(
        None, unit="Hz", above=0.0, doc="Width of a channel of the data that the map was made from."
    )
    integration_time: float | None = option(
        None, unit="s", above=0.0, doc="Length of an integration of the data that the map was made from."
    )
    phase_centre: str | None = option(
        None,
        doc="RA,DEC (ICRS, deg) that smearing counts from; by default the reference point of the map.",
    )

    @field_validator("phase_centre")
    @classmethod
    def _two_angles(cls, text: str | None) -> str | None:
        if text is not None:
            phase_centre_of(text)
        return text

    @model_validator(mode="after")
    def _centre_of_something(self) -> Self:
        if self.phase_centre is not None and self.channel_width is None and self.integration_time is None:
            raise ValueError("phase_centre is used with channel_width or integration_time only")
        return self


def phase_centre_of(text: str) -> tuple[float, float]:
    """Right ascension in [0, 360) and declination (deg) of a text such as ``150.1,-30``.

    Raises
    ------
    ValueError
        It is something else.
    """
    parts = text.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 2 or not all(math.isfinite(each) for each in numbers) or abs(numbers[1]) > 90.0:
        raise ValueError("two angles in degrees, RA,DEC, such as 150.1,-30")
    return numbers[0] % 360.0, numbers[1]


class FinderOptions(StokesOptions, NoiseOptions, FitOptions, BeamOptions, SpectraOptions):
    """Noise, beams and fits are the same for every finder."""

    grow: float = option(3.0, unit="sigma", above=0.0, doc="Neighbours this bright join an island.")

"""Units of brightness, and the factor from each to Jy/beam."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from skysift.base.errors import HeaderError, OptionError
from skysift.sky.beam import Beam

__all__ = [
    "ARCSEC",
    "KNOWN_UNITS",
    "LIGHT",
    "RADIO",
    "Conversion",
    "frequency_text",
    "jansky_per_beam",
    "radio_frequency",
]

KNOWN_UNITS = ("Jy/beam", "Jy/pixel", "Jy/arcsec2", "Jy/sr", "K")
RADIO = (1e6, 1e13)  # Hz; a number outside is no radio frequency, whoever says it

LIGHT = 299792458.0  # m/s
ARCSEC = math.pi / 180.0 / 3600.0  # rad
_BOLTZMANN = 1.380649e-23  # J/K
_PREFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}
_SPELLED = {"µ": "u", "μ": "u", "micro": "u", "milli": "m"}
_AREAS = {
    "beam": ("beam", "bm"),
    "pixel": ("pixel", "pix", "px"),
    "sr": ("sr", "sterad"),
    "arcsec2": ("sqarcsec",),
}
_SQUARE_ARCSEC = {"sr": 1.0 / ARCSEC**2, "arcsec2": 1.0}


def radio_frequency(hertz: float) -> float:
    """The frequency that was given (Hz), where it is one of radio astronomy.

    Raises
    ------
    OptionError
        It is not, as where its unit was forgotten.
    """
    if not RADIO[0] <= hertz <= RADIO[1]:
        raise OptionError(
            "this is no radio frequency in hertz",
            got=hertz,
            allowed=f"{RADIO[0]:g} to {RADIO[1]:g} Hz",
            todo="in the shell with its unit, such as 1.4GHz",
        )
    return float(hertz)


def frequency_text(hertz: float, figures: int = 6) -> str:
    """A frequency in GHz, or in MHz below one GHz, to so many figures."""
    return f"{hertz / 1e9:.{figures}g} GHz" if hertz >= 1e9 else f"{hertz / 1e6:.{figures}g} MHz"


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a unit becomes Jy/beam: its usual spelling, the factor, and what is worth telling."""

    unit: str
    factor: float
    notes: tuple[str, ...] = ()

    @property
    def per_beam(self) -> bool:
        """Whether the numbers are for each beam, whatever its size."""
        return self.unit.endswith("/beam")


def jansky_per_beam(
    unit: str | None, *, beam: Beam, pixel_area: float, frequency: float = math.nan
) -> Conversion:
    """The factor that turns numbers of a unit into Jy/beam.

    A brightness temperature is that of Rayleigh and Jeans: S = 2 k T nu^2 / c^2 times the beam's solid angle.

    Parameters
    ----------
    unit
        As headers write it: ``JY/BEAM``, ``mJy beam-1``, ``beam-1 Jy``, ``K``, ``Jy/pixel`` ...; None or
        empty where the header has none: Jy/beam is assumed, with a note.
    beam
        The beam of the map.
    pixel_area
        Solid angle of a pixel (arcsec^2).
    frequency
        Of the observation (Hz); needed for temperatures.

    Raises
    ------
    HeaderError
        The unit is none of those, or it is a temperature and the frequency is not known.
    """
    text = (unit or "").strip()
    if not text:
        return Conversion("Jy/beam", 1.0, ("no unit (BUNIT) in the header: Jy/beam is assumed",))
    prefix, base = _parsed(text)
    scale, spelled = _PREFIXES[prefix], prefix + base
    if base == "Jy/beam":
        factor = scale
    elif base == "K":
        factor = scale * _per_kelvin(text, frequency) * beam.area * ARCSEC**2
    elif base == "Jy/pixel":
        factor = scale * beam.area / pixel_area
    else:
        factor = scale * beam.area / _SQUARE_ARCSEC[base.removeprefix("Jy/")]
    notes = (
        ()
        if factor == 1.0
        else (f"the map is in {spelled}: its numbers are multiplied by {factor:.9g} to be Jy/beam",)
    )
    return Conversion(spelled, factor, notes)


def _per_kelvin(text: str, frequency: float) -> float:
    """Jy/sr of one kelvin."""
    if not (math.isfinite(frequency) and frequency > 0):
        raise HeaderError(
            "a map in kelvin needs its frequency to be converted to Jy/beam",
            got=f"unit {text!r} and no frequency",
            todo="give it by --frequency HZ",
        )
    return 2.0 * _BOLTZMANN * (frequency / LIGHT) ** 2 * 1e26


def _parsed(text: str) -> tuple[str, str]:
    """The prefix and the base unit (one of `KNOWN_UNITS`) of a spelling."""
    temperature = re.fullmatch(r"([numkM]?|micro|milli)(?:K|[Kk]elvin)(?:\s*\(?T_?[bB]\)?)?", text)
    if temperature:
        return _SPELLED.get(temperature.group(1), temperature.group(1)), "K"
    fluxes, areas = [], []
    for word, power in _words(text):
        flux = re.fullmatch(r"(micro|milli|[numkMGµμ]?)(?i:jy|jansky)", word)
        if flux and power == 1 and word != "MJY":  # in capitals it may be milli or mega
            fluxes.append(_SPELLED.get(flux.group(1), flux.group(1)))
        elif (word.lower(), power) == ("arcsec", -2):
            areas.append("arcsec2")
        else:
            areas += [area for area, names in _AREAS.items() if word.lower() in names and power == -1] or [""]
    if len(fluxes) == 1 and len(areas) == 1 and areas[0]:
        return fluxes[0], f"Jy/{areas[0]}"
    raise HeaderError(
        "the unit of the map cannot be converted to Jy/beam",
        got=text,
        allowed=f"{', '.join(KNOWN_UNITS)} with a prefix such as m or u",
        todo="say what it is by --unit",
    )


def _words(text: str) -> list[tuple[str, int]]:
    """The factors of a unit with their powers: ``mJy/beam`` and ``beam-1 mJy`` are mJy^1 beam^-1."""
    text = re.sub(r"\bper\b", "/", text.replace("(", " ").replace(")", " "))
    words: list[tuple[str, int]] = []
    sign = 1
    for token in re.findall(r"/|[^\s/.*·]+(?:\*\*[+-]?\d+)?", text):
        if token == "/":
            sign = -1
            continue
        match = re.fullmatch(r"(\D+?)(?:\^|\*\*)?([+-]?\d+)?", token)
        words.append((match.group(1), sign * int(match.group(2) or 1)) if match else (token, 0))
    return words

"""The flags that say what a map's header does not: which HDU and plane, the beam, the unit, the frequency."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, TypeAlias

import typer

from skysift.base.errors import OptionError
from skysift.sky.beam import Beam
from skysift.sky.units import radio_frequency

__all__ = [
    "BeamFlag",
    "BeamPlaneFlag",
    "FrequencyFlag",
    "HduFlag",
    "PixelScaleFlag",
    "PlaneFlag",
    "UnitFlag",
    "frequencies_of",
    "opening",
    "opening_told",
]


def _flag(name: str, metavar: str, text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=text)


HduFlag: TypeAlias = Annotated[str | None, _flag("--hdu", "N|NAME", "HDU; the first image by default.")]
PlaneFlag: TypeAlias = Annotated[
    str | None, _flag("--plane", "I,J", "Which plane of further axes, 0-based, array order.")
]
BeamFlag: TypeAlias = Annotated[
    str | None, _flag("--beam", "MAJ,MIN,PA", "Beam in arcsec (FWHM) and degrees.")
]
BeamPlaneFlag: TypeAlias = Annotated[
    str | None, _flag("--beam-plane", "image|sky", "Where the beam keeps its shape.")
]
PixelScaleFlag: TypeAlias = Annotated[
    str | None, _flag("--pixel-scale", "X,Y", "Size of a pixel in arcsec, or one number.")
]
UnitFlag: TypeAlias = Annotated[str | None, _flag("--unit", "UNIT", "Unit of the pixels, such as mJy/beam.")]
FrequencyFlag: TypeAlias = Annotated[str | None, _flag("--frequency", "HZ", "Frequency, such as 1.4GHz.")]

_HERTZ = {"": 1.0, "hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9}


def opening(
    *,
    hdu: str | None = None,
    plane: str | None = None,
    beam: str | None = None,
    beam_plane: str | None = None,
    pixel_scale: str | None = None,
    unit: str | None = None,
    frequency: str | None = None,
) -> dict[str, Any]:
    """The arguments of `skysift.io.open.open_image` that the texts of the flags mean.

    Raises
    ------
    OptionError
        A text does not say what its flag wants.
    """
    if beam_plane not in (None, "image", "sky"):
        raise OptionError("--beam-plane is not allowed", got=beam_plane, allowed=("image", "sky"))
    return {
        "hdu": None if hdu is None else int(hdu) if re.fullmatch(r"\d+", hdu) else hdu,
        "plane": None if plane is None else _plane(plane),
        "beam": None if beam is None else _beam(beam),
        "beam_plane": beam_plane,
        "pixel_scale": None if pixel_scale is None else _pixel_scale(pixel_scale),
        "unit": unit,
        "frequency": None if frequency is None else _frequency(frequency),
    }


def opening_told(**flags: str | None) -> dict[str, Any]:
    """What the flags that were given say, as JSON-safe values; see `opening`."""
    told = {name: value for name, value in opening(**flags).items() if value is not None}
    if "beam" in told:
        told["beam"] = [told["beam"].major, told["beam"].minor, told["beam"].pa]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}


def frequencies_of(text: str, flag: str = "--frequency") -> list[float]:
    """Frequencies (Hz) of a list such as ``843MHz,-,1.4GHz``; NaN for a dash.

    Parameters
    ----------
    text
        The list, or one frequency.
    flag
        The flag that it came with.

    Raises
    ------
    OptionError
        A text is no frequency, or none of radio astronomy.
    """
    parts = [part.strip() for part in text.split(",")]
    return [math.nan if part in ("-", "") else _frequency(part, flag) for part in parts]


def _plane(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)*", text):
        raise OptionError(
            "--plane is not a list of numbers", got=text, allowed="0-based numbers such as 7 or 0,7"
        )
    return tuple(int(part) for part in text.split(","))


def _numbers(text: str) -> list[float]:
    """The numbers of a list; none where one of its parts is not a number."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []


def _pixel_scale(text: str) -> tuple[float, float]:
    """Size of a pixel along y and x (arcsec)."""
    numbers = _numbers(text)
    if len(numbers) not in (1, 2) or not all(0 < number < math.inf for number in numbers):
        raise OptionError(
            "--pixel-scale is not a size", got=text, allowed="arcsec above 0: one number or X,Y"
        )
    return numbers[-1], numbers[0]


def _beam(text: str) -> Beam:
    numbers = _numbers(text)
    sizes, angle = numbers[:2], numbers[2:]
    if (
        len(numbers) not in (1, 3)
        or not all(0 < size < math.inf for size in sizes)
        or not all(map(math.isfinite, angle))
    ):
        raise OptionError(
            "--beam is not a beam",
            got=text,
            allowed="MAJ,MIN,PA in arcsec and degrees, or one FWHM",
            todo="such as --beam 45,40,10",
        )
    return Beam(numbers[0], numbers[0]) if len(numbers) == 1 else Beam(*numbers)


def _frequency(text: str, flag: str = "--frequency") -> float:
    match = re.fullmatch(r"\s*((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([a-zA-Z]*)\s*", text)
    factor = _HERTZ.get(match.group(2).lower()) if match else None
    if match is None or factor is None or float(match.group(1)) <= 0:
        raise OptionError(
            f"{flag} is not a frequency", got=text, allowed="a number above 0, with Hz, kHz, MHz or GHz"
        )
    return radio_frequency(float(match.group(1)) * factor)

"""Units and angles as other programs write them: factors, and positions in hours, minutes and seconds."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from astropy.units import Unit, UnitBase, UnitConversionError, UnrecognizedUnit
from numpy.typing import NDArray

__all__ = ["factor", "plain_unit", "sexagesimal", "sexagesimal_degrees"]

Floats: TypeAlias = NDArray[np.float64]
Texts: TypeAlias = NDArray[np.str_]

_NONE = {"", "--", "---", "-", "none", "null", "unitless"}
_WORDS = (
    (r"deg(ree)?(s|e)*", "deg"),
    (r"(arcsec|arcseconds?|asec|arcsecs)", "arcsec"),
    (r"(arcmin|arcminutes?|amin)", "arcmin"),
    (r"(beam|bm|beams)", "beam"),
    (r"(pixels?|pix|px)", "pixel"),
    (r"(hours?|hr|hourangle)", "hourangle"),
    (r"(jy|jansky)", "Jy"),
    (r"(millijy|millijansky|mjy)", "mJy"),
    (r"(microjy|microjansky|ujy|µjy|μjy)", "uJy"),
    (r"(hz|hertz)", "Hz"),
    (r"(khz)", "kHz"),
    (r"(mhz)", "MHz"),
    (r"(ghz)", "GHz"),
)


def plain_unit(text: str | None) -> str:
    """A unit in its usual spelling: ``JY/BEAM``, ``[mJy beam^-1]`` and ``DEGREE`` are Jy/beam, mJy/beam and deg.

    Empty where the text is none, or one that says "no unit".
    """
    bare = (text or "").strip().strip("[]()'\"").strip()
    if bare.lower() in _NONE:
        return ""
    per_beam = re.search(r"\b(beam|bm)\s*(\^|\*\*)?\s*\(?-1\)?", bare, re.IGNORECASE)
    if per_beam:
        bare = f"{bare[: per_beam.start()]}{bare[per_beam.end() :]}".strip() + "/beam"
    bare = re.sub(r"[\s.*]*/\s*", "/", re.sub(r"\bper\b", "/", bare))
    return re.sub(r"[A-Za-zµμ]+", _word, bare)


def _word(match: re.Match[str]) -> str:
    """One word of a unit in its usual spelling; one that is not known stays as it is."""
    word = match.group(0)
    if word == "MJy":
        return word
    return next((plain for form, plain in _WORDS if re.fullmatch(form, word, re.IGNORECASE)), word)


@lru_cache(maxsize=256)
def factor(found: str, wanted: str) -> float | None:
    """What turns numbers of one unit into numbers of another; None where nothing does.

    A brightness may be told in Jy where Jy/beam is meant, as many catalogues do.

    Parameters
    ----------
    found
        As a file has it; see `plain_unit`.
    wanted
        A unit of the schema.
    """
    unit = _unit(plain_unit(found))
    target = _unit(wanted)
    if unit is None or target is None:
        return None
    for candidate in (unit, unit / Unit("beam")):
        if candidate is not unit and wanted != "Jy/beam":
            continue
        try:
            return float(candidate.to(target))
        except UnitConversionError:
            continue
    return None


def _unit(text: str) -> UnitBase | None:
    unit: Any = Unit(text, parse_strict="silent")
    return None if isinstance(unit, UnrecognizedUnit) else unit


def sexagesimal(degrees: Floats, digits: int, *, hours: bool) -> Texts:
    """Angles as ``HH:MM:SS.s`` (hours) or ``+DD:MM:SS.s``, rounded; what is not a number is ``nan``.

    Parameters
    ----------
    degrees
        The angles.
    digits
        Decimals of the seconds.
    hours
        As hours, of [0, 24); else as degrees with their sign.
    """
    good = np.isfinite(degrees)
    angle = np.where(good, degrees, 0.0)
    scale = 3600 * 10**digits
    ticks = np.rint((np.mod(angle, 360.0) / 15.0 if hours else np.abs(angle)) * scale).astype(np.int64)
    if hours:
        ticks %= 24 * scale
    minutes, seconds = np.divmod(ticks, 60 * 10**digits)
    first, middle = np.divmod(minutes, 60)
    whole, part = np.divmod(seconds, 10**digits)
    text = np.char.mod("%02d", first)
    for mark, values in ((":%02d", middle), (":%02d", whole), (f".%0{digits}d", part)):
        if "." not in mark or digits:
            text = np.strings.add(text, np.char.mod(mark, values))
    if not hours:
        text = np.strings.add(np.where((angle < 0) & (ticks > 0), "-", "+"), text)
    return np.where(good, text, "nan").astype(np.str_)


def sexagesimal_degrees(texts: Texts, *, hours: bool) -> Floats | None:
    """The angles (degrees) that texts such as ``05:35:27.9``, ``-69 16 11`` or ``5h35m27.9s`` mean.

    Empty texts are NaN; None where a text is no such angle.
    """
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.compute as pc

    given = pc.utf8_trim_whitespace(pa.array(texts, type=pa.string()))
    form = (
        r"^(?P<sign>[+-]?)(?P<first>\d{1,3})[:hHdD\x{b0} ]\s*(?P<middle>\d{1,2})[:mM' ]\s*(?P<last>\d{1,2}\.?\d*)"
        r"[sS\"]?$"
    )
    parts = pc.extract_regex(given, form)
    blank = np.isin(pc.utf8_lower(given).to_numpy(zero_copy_only=False).astype(np.str_), ["", "nan"])
    if not np.all(np.asarray(parts.is_valid()) | blank):
        return None
    filled = (
        parts.fill_null({"sign": "", "first": "0", "middle": "0", "last": "0"}) if np.any(blank) else parts
    )
    numbers = [
        np.asarray(pc.cast(pc.struct_field(filled, name), pa.float64()))
        for name in ("first", "middle", "last")
    ]
    angle = numbers[0] + numbers[1] / 60.0 + numbers[2] / 3600.0
    negative = np.asarray(pc.equal(pc.struct_field(filled, "sign"), "-"))
    signed = np.where(negative, -angle, angle) * (15.0 if hours else 1.0)
    return np.where(blank, np.nan, signed)

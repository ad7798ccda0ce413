"""The functions that SQLite lacks, as PostgreSQL has them: texts of numbers, patterns, regions of the sky."""

from __future__ import annotations

import re
import sqlite3
import struct

from skysift.archive import regions
from skysift.archive.patterns import like
from skysift.base.errors import RegionError

__all__ = ["teach"]


def teach(connection: sqlite3.Connection) -> None:
    """Give a connection the functions; it may have them already."""
    for name, count, function in (
        ("sky_text", 1, _text),
        ("sky_number", 1, _number),
        ("sky_single", 1, _single),
        ("sky_like", 2, _like),
        ("sky_ilike", 2, _ilike),
        ("sky_contains", 2, _contains),
        ("sky_intersects", 2, _intersects),
        ("sky_area", 1, _area),
    ):
        connection.create_function(name, count, function, deterministic=True)


def _text(value: float | int | str | None) -> str | None:
    """A number as PostgreSQL writes it."""
    if value is None or isinstance(value, int | str):
        return None if value is None else str(value)
    if value == int(value) and abs(value) < 1e15:
        return str(int(value)) if value or str(value)[0] != "-" else "-0"
    text = repr(value)
    if "e" not in text and abs(value) >= 1e15:
        digits = f"{value:.17e}" if float(f"{value:.16g}") != value else f"{value:.16e}"
        mantissa, exponent = digits.split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e+{int(exponent):02d}"
    return text


def _number(value: str | None) -> float | int | None:
    if value is None:
        return None
    text = value.strip()
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)


def _single(value: float | None) -> float | None:
    return None if value is None else float(struct.unpack("f", struct.pack("f", value))[0])


def _like(value: str | None, pattern: str | None) -> int | None:
    return None if value is None or pattern is None else int(like(value, pattern))


def _ilike(value: str | None, pattern: str | None) -> int | None:
    return None if value is None or pattern is None else int(like(value, pattern, case_blind=True))


def _region(text: str | None) -> regions.Area | None:
    try:
        return None if text is None else regions.parse_region(text)
    except RegionError:  # a text of a column that tells no region: nothing is known of it
        return None


def _contains(outer: str | None, inner: str | None) -> int | None:
    a, b = _region(outer), _region(inner)
    return None if a is None or b is None else int(regions.contains(a, b))


def _intersects(first: str | None, second: str | None) -> int | None:
    a, b = _region(first), _region(second)
    return None if a is None or b is None else int(regions.intersects(a, b))


def _area(text: str | None) -> float | None:
    found = _region(text)
    return None if found is None else regions.area_of(found)

"""The places that stamps are made of: rows of a catalogue, lines of a list, or places typed by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, OptionError, RegionError, UnknownName, UsageError
from skysift.io.layouts.containers import load
from skysift.io.layouts.reading import layout_of, read_any
from skysift.sky.box import circle_of
from skysift.sky.table import ID_OF

__all__ = ["Places", "read_places", "typed_places"]

Floats = NDArray[np.float64]

_TYPED = "50.67,-37.2 or 03:22:41,-37:12:30,60arcsec, say; a radius without a unit is in degrees"
_LISTED = "RA DEC [RADIUS] NAME"
_LISTS = ("", ".txt", ".dat", ".list", ".lis")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


@dataclass(frozen=True, eq=False)
class Places:
    """Sources to make stamps of.

    Parameters
    ----------
    names
        One each.
    ra, dec
        ICRS (deg).
    radius
        Of the source (arcsec); NaN where it is not known.
    size
        FWHM of the source (arcsec), 0 for points and where it is not known.
    columns
        Other columns of the catalogue that were asked for.
    whole
        The catalogue that these are the first of: neighbours come from all of it.
    """

    names: tuple[str, ...]
    ra: Floats
    dec: Floats
    radius: Floats
    size: Floats
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    whole: Places | None = None

    def __len__(self) -> int:
        return len(self.names)

    def first(self, n: int | None) -> Places:
        """The first `n` of them."""
        if n is None or n >= len(self):
            return self
        kept = {name: values[:n] for name, values in self.columns.items()}
        return Places(self.names[:n], self.ra[:n], self.dec[:n], self.radius[:n], self.size[:n], kept, self)


def typed_places(texts: Sequence[str]) -> Places:
    """Places that were typed: ``RA,DEC`` or ``RA,DEC,RADIUS``, the radius in degrees or with a unit (``60arcsec``).

    Raises
    ------
    RegionError
        One cannot be read.
    """
    found = []
    for text in texts:
        parts = [part.strip() for part in text.split(",")]
        if len(parts) not in (2, 3):
            raise RegionError("a place is RA,DEC or RA,DEC,RADIUS", got=text, allowed=_TYPED)
        circle = circle_of([*parts, "1"][:3], text, _TYPED)
        found.append((circle.ra, circle.dec, circle.radius_deg * 3600.0 if len(parts) == 3 else math.nan))
    ra, dec, radius = np.array(found, dtype=np.float64).reshape(-1, 3).T
    return Places(tuple(texts), ra, dec, radius, np.zeros(ra.size))


def read_places(
    path: str | Path, *, table: str = "sources", radius_column: str = "", columns: Sequence[str] = ()
) -> Places:
    """The places of a catalogue of skysift or of another program, or of a list ``RA DEC [RADIUS] NAME``.

    Parameters
    ----------
    path
        A file, or an output folder of ``skysift find``.
    table
        Which table of a folder.
    radius_column
        Column with the radius of each source (arcsec).
    columns
        Others that are wanted.

    Raises
    ------
    UsageError
        There is no such file, or no row has a position.
    UnknownName
        It has no such column.
    OptionError
        The column of radii holds no numbers.
    FormatError
        It is no catalogue that is known.
    """
    place = Path(path)
    wanted = [name for name in dict.fromkeys((radius_column, *columns)) if name]
    listed = _list(place) if place.is_file() and place.suffix.lower() in _LISTS else None
    if listed is not None:
        places = listed
        if any(name != "radius" for name in wanted):
            raise UnknownName("the list has no such column", got=wanted[0], allowed="radius")
        return places
    try:
        rows = read_any(place, table=table)
    except FormatError as error:
        if place.suffix.lower() in _LISTS and error.allowed is not None:
            error.allowed = f"{error.allowed}, or a list of lines {_LISTED} (deg, deg, arcsec)"
            error.args = (str(error),)
        raise
    own = place.is_dir() or layout_of(place) == "skysift"
    held: dict[str, NDArray[Any]] = {}
    foreign = None if own else load(place)
    for name in wanted:
        if name in rows.columns:
            held[name] = np.asarray(rows[name])
        elif foreign is not None and name in foreign.columns:
            held[name] = np.asarray(foreign.numbers(name))
        else:
            raise UnknownName("the catalogue has no such column", got=name, allowed=sorted(rows.columns))
    ra, dec = (np.asarray(rows[name], np.float64) for name in ("ra", "dec"))
    if not (np.isfinite(ra) & np.isfinite(dec)).any():
        raise UsageError("no row of the catalogue has a position on the sky", got=str(path))
    names = [str(each) for each in rows["name"]] if "name" in rows.columns else [""] * len(rows)
    ids = rows[ID_OF[rows.kind]]
    size = (
        np.asarray(rows["major_deconv"], np.float64)
        if "major_deconv" in rows.columns
        else np.zeros(len(rows))
    )
    radius = np.full(len(rows), np.nan)
    if radius_column:
        if held[radius_column].dtype.kind not in "fiu":
            raise OptionError(
                "radius_column is no column of numbers",
                got=f"{radius_column}, such as {str(held[radius_column][0])!r}",
                allowed="one that holds radii (arcsec)",
            )
        radius = held[radius_column].astype(np.float64)
    return Places(
        tuple(name.strip() or str(number) for name, number in zip(names, ids, strict=True)),
        ra,
        dec,
        radius,
        np.where(np.isfinite(size), size, 0.0),
        held,
    )


def _list(path: Path) -> Places | None:
    """The places of a list of lines ``RA DEC [RADIUS] NAME``; None where it is something else."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    rows: list[tuple[float, float, float, str]] = []
    for number, line in enumerate(lines, start=1):
        words = line.split("#", 1)[0].replace(",", " ").split()
        if not words:
            continue
        numbers = [float(word) for word in words[:3] if _NUMBER.fullmatch(word)]
        if len(numbers) < 2 or not all(_NUMBER.fullmatch(word) for word in words[:2]):
            if rows:
                raise FormatError(f"line {number} of the list holds no place", got=line[:60], allowed=_LISTED)
            return None
        has_radius = len(words) > 2 and _NUMBER.fullmatch(words[2]) is not None
        name = " ".join(words[3 if has_radius else 2 :]) or str(number)
        rows.append((numbers[0], numbers[1], numbers[2] if has_radius else math.nan, name))
    if not rows:
        return None
    ra, dec, radius = (np.array([row[k] for row in rows], dtype=np.float64) for k in range(3))
    return Places(tuple(row[3] for row in rows), ra, dec, radius, np.zeros(ra.size), {"radius": radius})

"""Conditions of ADQL for what the simpler protocols ask: regions, intervals, words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np

from skysift.archive.regions import Area, from_galactic
from skysift.base.errors import RegionError
from skysift.stamps.region import Circle, Polygon, Range, Shape

__all__ = ["any_of", "areas_of", "interval_condition", "literal", "number", "region_condition"]

_STEP = 2.0  # degrees along a parallel between two corners
_WIDTH = 30.0  # degrees of longitude of one piece of a range


def literal(text: str) -> str:
    """A text as ADQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def number(value: float) -> str:
    """A number as ADQL writes it."""
    return repr(float(value))


def any_of(conditions: Iterable[str]) -> str:
    """What holds where one of the conditions does."""
    return "(" + " OR ".join(conditions) + ")"


def interval_condition(low: str, high: str, interval: tuple[float, float]) -> str:
    """The condition that what reaches from one column to another meets an interval."""
    parts = [f"{low} IS NOT NULL"]
    if math.isfinite(interval[0]):
        parts.append(f"{high} >= {number(interval[0])}")
    if math.isfinite(interval[1]):
        parts.append(f"{low} <= {number(interval[1])}")
    return "(" + " AND ".join(parts) + ")"


def region_condition(column: str, shape: Shape, system: str = "ICRS") -> str:
    """The condition that a region of a column meets this one.

    Parameters
    ----------
    column
        A column of regions.
    shape
        The region that was asked for.
    system
        Its system: ICRS or GALACTIC.

    Raises
    ------
    RegionError
        There is no such system here.
    """
    areas = areas_of(shape, system)
    return any_of(f"INTERSECTS({_written(each)}, {column}) = 1" for each in areas) if areas else "1 = 1"


def areas_of(shape: Shape, system: str = "ICRS") -> list[Area]:
    """The regions of the shelf that together are this one; none for the whole sky.

    Raises
    ------
    RegionError
        There is no such system here.
    """
    if system not in ("ICRS", "FK5", "GALACTIC", "GAL"):
        raise RegionError("regions are not known in such a system", got=system, allowed="ICRS, GALACTIC")
    return list(_pieces(shape, system.startswith("GAL")))


def _written(area: Area) -> str:
    return f"{area.kind}({', '.join(number(each) for each in area.numbers)})"


def _pieces(shape: Shape, galactic: bool) -> Iterable[Area]:
    if isinstance(shape, Circle):
        yield Area("CIRCLE", (*_icrs(shape.lon, shape.lat, galactic), shape.radius))
    elif isinstance(shape, Polygon):
        yield _polygon(list(shape.corners), galactic)
    elif not _whole(shape):
        count = max(1, math.ceil(shape.width / _WIDTH))
        edges = shape.lon0 + shape.width * np.linspace(0.0, 1.0, count + 1)
        for left, right in itertools.pairwise(edges):
            yield _piece(float(left), float(right), shape, galactic)


def _whole(shape: Range) -> bool:
    return shape.width >= 360.0 and shape.lat0 <= -90.0 and shape.lat1 >= 90.0


def _piece(left: float, right: float, shape: Range, galactic: bool) -> Area:
    """A part of a range, whose parallels become many short sides."""
    if right - left < 1e-9 or shape.lat1 - shape.lat0 < 1e-9:  # a place or a line: a little wider
        left, right, low, high = left - 1e-6, right + 1e-6, shape.lat0 - 1e-6, shape.lat1 + 1e-6
        low, high = max(low, -90.0), min(high, 90.0)
    else:
        low, high = shape.lat0, shape.lat1
    along = np.linspace(left, right, max(2, math.ceil((right - left) / _STEP) + 1))
    corners = [(lon % 360.0, low) for lon in along] if low > -90.0 else [(left % 360.0, low)]
    corners += [(lon % 360.0, high) for lon in along[::-1]] if high < 90.0 else [(left % 360.0, high)]
    return _polygon([(float(lon), float(lat)) for lon, lat in corners], galactic)


def _polygon(corners: list[tuple[float, float]], galactic: bool) -> Area:
    return Area("POLYGON", tuple(each for corner in corners for each in _icrs(*corner, galactic)))


def _icrs(lon: float, lat: float, galactic: bool) -> tuple[float, float]:
    ra, dec = from_galactic(lon, lat) if galactic else (lon, lat)
    return ra % 360.0, dec

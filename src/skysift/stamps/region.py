"""Regions of the sky as the protocols of the Virtual Observatory name them: circle, polygon, range.

Coordinates are degrees in the system that goes with the region (ICRS, or Galactic). Sides of a polygon are great
circles; those of a range are meridians and parallels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import RegionError
from skysift.sky.systems import System, sky_of, vectors

__all__ = ["SYSTEMS", "Circle", "Polygon", "Range", "Shape", "parse_shape", "system_of"]

Floats = NDArray[np.float64]

SYSTEMS = {
    "ICRS": System("ICRS"),
    "GALACTIC": System("Galactic"),
    "GAL": System("Galactic"),
    "FK5": System("FK5", 2000.0),
}
_RIM = 720  # points around a region
_EDGE = 64  # points along the side of a polygon
_RINGS = (0.9, 0.75, 0.5, 0.25, 0.0)  # of the radius: where the inside of a circle is looked at
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Circle:
    """All directions within a radius of a centre (deg).

    Raises
    ------
    RegionError
        A number is out of range.
    """

    lon: float
    lat: float
    radius: float

    def __post_init__(self) -> None:
        _check_point(self.lon, self.lat)
        if not 0.0 < self.radius <= 180.0:
            raise RegionError(
                "the radius of a circle is out of range", got=self.radius, allowed="above 0, at most 180 deg"
            )

    def contains(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
        """Which directions (deg) lie inside; NaN does not."""
        away = vectors(np.asarray(lon, float), np.asarray(lat, float)) - _centre(self.lon, self.lat)
        chord = np.sqrt((away * away).sum(axis=-1))
        return np.asarray(chord <= 2.0 * math.sin(math.radians(self.radius) / 2.0) * (1.0 + 1e-12))

    def points(self) -> tuple[Floats, Floats]:
        """Directions (deg) all around the rim, then some inside."""
        angle: Floats = np.arange(_RIM, dtype=np.float64) * (2.0 * math.pi / _RIM)
        rim = self._ring(1.0, angle)
        inside = [self._ring(part, angle[::10]) for part in _RINGS]
        lon, lat = (np.concatenate(parts) for parts in zip(rim, *inside, strict=True))
        return lon, lat

    @property
    def middle(self) -> tuple[float, float]:
        """A direction (deg) inside."""
        return self.lon, self.lat

    def _ring(self, part: float, angle: Floats) -> tuple[Floats, Floats]:
        r = math.radians(self.radius * part)
        centre = _centre(self.lon, self.lat)
        east, north = _compass(self.lon, self.lat)
        around = np.sin(angle)[:, None] * east + np.cos(angle)[:, None] * north
        return sky_of(math.cos(r) * centre + math.sin(r) * around)

    def __str__(self) -> str:
        return f"CIRCLE {self.lon:.10g} {self.lat:.10g} {self.radius:.10g}"


@dataclass(frozen=True, slots=True)
class Polygon:
    """What great circles between corners (deg) enclose, on the side that is smaller than half the sky.

    Raises
    ------
    RegionError
        There are fewer than three corners, they enclose nothing, or they span half the sky or more.
    """

    corners: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        corners = tuple((float(lon), float(lat)) for lon, lat in self.corners)
        if len(corners) > 1 and corners[0] == corners[-1]:
            corners = corners[:-1]
        if len(corners) < 3:
            raise RegionError("a polygon needs three corners", got=f"{len(corners)}", allowed="3 or more")
        for lon, lat in corners:
            _check_point(lon, lat)
        object.__setattr__(self, "corners", corners)
        corner = vectors(*np.array(corners).T)
        total = corner.sum(axis=0)
        length = float(np.sqrt((total * total).sum()))
        if length < 1e-9 or not (corner @ (total / length) > 1e-6).all():
            raise RegionError(
                "the polygon spans half the sky or more", got=str(self)[:80], allowed="less than a hemisphere"
            )
        x, y = self._plane(*np.array(corners).T)
        if not abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) > 0.0:
            raise RegionError("the polygon encloses nothing", got=str(self)[:80])

    @property
    def middle(self) -> tuple[float, float]:
        """The mean direction (deg) of the corners."""
        lon, lat = sky_of(vectors(*np.array(self.corners).T).sum(axis=0))
        return float(lon), float(lat)

    def contains(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
        """Which directions (deg) lie inside; NaN does not."""
        x, y = self._plane(np.asarray(lon, float), np.asarray(lat, float))
        px, py = self._plane(*np.array(self.corners).T)
        inside = np.zeros(x.shape, np.bool_)
        for i in range(px.size):  # a few sides; each for all directions at once
            j = i - 1
            crosses = (py[i] > y) != (py[j] > y)
            with np.errstate(divide="ignore", invalid="ignore"):
                at = px[i] + (y - py[i]) * (px[j] - px[i]) / (py[j] - py[i])
            inside ^= crosses & (x < at)
        return inside & np.isfinite(x)

    def points(self) -> tuple[Floats, Floats]:
        """Directions (deg) all along the sides, then some inside."""
        corner = vectors(*np.array(self.corners).T)
        step = np.linspace(0.0, 1.0, _EDGE, endpoint=False)[:, None]
        sides = [a + (b - a) * step for a, b in zip(corner, np.roll(corner, -1, axis=0), strict=True)]
        lon, lat = sky_of(np.concatenate(sides))
        middle = _centre(*self.middle)
        towards = np.concatenate([middle + (corner - middle) * part for part in (0.9, 0.6, 0.3)])
        more = sky_of(towards)
        kept = self.contains(*more)
        return np.concatenate([lon, more[0][kept]]), np.concatenate([lat, more[1][kept]])

    def _plane(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """Gnomonic coordinates about the middle: great circles are straight; NaN on the other half of the sky."""
        at = self.middle
        centre = _centre(*at)
        east, north = _compass(*at)
        v = vectors(lon, lat)
        depth = (v * centre).sum(axis=-1)
        depth = np.where(depth > 0.0, depth, np.nan)
        return (v * east).sum(axis=-1) / depth, (v * north).sum(axis=-1) / depth

    def __str__(self) -> str:
        return "POLYGON " + " ".join(f"{lon:.10g} {lat:.10g}" for lon, lat in self.corners)


@dataclass(frozen=True, slots=True)
class Range:
    """All directions between two longitudes and two latitudes (deg); `lon0` above `lon1` goes through 0.

    Raises
    ------
    RegionError
        A number is out of range, or the latitudes are in the wrong order.
    """

    lon0: float
    lon1: float
    lat0: float
    lat1: float

    def __post_init__(self) -> None:
        whole = math.isinf(self.lon0) or math.isinf(self.lon1)
        object.__setattr__(self, "lon0", 0.0 if whole else float(self.lon0))
        object.__setattr__(self, "lon1", 360.0 if whole else float(self.lon1))
        object.__setattr__(self, "lat0", max(float(self.lat0), -90.0))
        object.__setattr__(self, "lat1", min(float(self.lat1), 90.0))
        for lon in (self.lon0, self.lon1):
            _check_point(lon, 0.0)
        if not self.lat0 <= self.lat1:
            raise RegionError(
                "the latitudes of a range are in the wrong order",
                got=(self.lat0, self.lat1),
                allowed="-90 to 90 deg, the smaller first",
            )

    @property
    def width(self) -> float:
        """Degrees of longitude from `lon0` eastward to `lon1`."""
        width = self.lon1 - self.lon0
        return width if 0.0 <= width <= 360.0 else width % 360.0

    @property
    def middle(self) -> tuple[float, float]:
        """The direction (deg) in the middle."""
        return (self.lon0 + 0.5 * self.width) % 360.0, 0.5 * (self.lat0 + self.lat1)

    def contains(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
        """Which directions (deg) lie inside; NaN does not."""
        lon, lat = np.asarray(lon, float), np.asarray(lat, float)
        with np.errstate(invalid="ignore"):
            return np.asarray(
                ((lon - self.lon0) % 360.0 <= self.width) & (lat >= self.lat0) & (lat <= self.lat1)
            )

    def points(self) -> tuple[Floats, Floats]:
        """Directions (deg) all along the sides, then some inside."""
        along = self.lon0 + self.width * np.linspace(0.0, 1.0, _RIM)
        up = self.lat0 + (self.lat1 - self.lat0) * np.linspace(0.0, 1.0, _RIM // 4)
        lon, lat = (each.ravel() for each in np.meshgrid(along[::24], up[::8]))
        parts_lon = [along, along, np.full(up.size, self.lon0), np.full(up.size, self.lon1), lon]
        parts_lat = [np.full(along.size, self.lat0), np.full(along.size, self.lat1), up, up, lat]
        return np.concatenate(parts_lon) % 360.0, np.concatenate(parts_lat)

    def __str__(self) -> str:
        return f"RANGE {self.lon0:.10g} {self.lon1:.10g} {self.lat0:.10g} {self.lat1:.10g}"


Shape: TypeAlias = Circle | Polygon | Range

_HOW = "CIRCLE lon lat radius, RANGE lon0 lon1 lat0 lat1, or POLYGON lon lat lon lat lon lat ... (degrees)"


def parse_shape(text: str | Sequence[float], kind: str | None = None) -> Shape:
    """The region that a text or its numbers name.

    Parameters
    ----------
    text
        ``CIRCLE 12 34 0.5``, ``RANGE 12 13 33 34``, ``POLYGON 12 34 13 34 13 35`` (degrees), or the numbers alone
        where `kind` says what they are.
    kind
        ``CIRCLE``, ``RANGE`` or ``POLYGON``, in any case.

    Raises
    ------
    RegionError
        The text is none of these.
    """
    words = text.replace(",", " ").split() if isinstance(text, str) else [repr(float(each)) for each in text]
    if kind is None:
        kind, words = (words[0], words[1:]) if words else ("", [])
    if not words or not all(_NUMBER.fullmatch(word) for word in words):
        raise RegionError("the region cannot be read", got=text, allowed=_HOW)
    numbers = [float(word) for word in words]
    match kind.upper(), len(numbers):
        case "CIRCLE", 3:
            return Circle(*numbers)
        case "RANGE", 4:
            return Range(*numbers)
        case "POLYGON", n if n >= 6 and n % 2 == 0:
            return Polygon(tuple(zip(numbers[::2], numbers[1::2], strict=True)))
    raise RegionError("the region cannot be read", got=text, allowed=_HOW)


def system_of(name: str) -> System:
    """The celestial system of a name, in any case.

    Raises
    ------
    RegionError
        There is no such system.
    """
    system = SYSTEMS.get(name.strip().upper())
    if system is None:
        raise RegionError("the celestial system of a region is not known", got=name, allowed=SYSTEMS)
    return system


def _check_point(lon: float, lat: float) -> None:
    if not -360.0 <= lon <= 360.0:
        raise RegionError("a longitude is out of range", got=lon, allowed="0 to 360 deg")
    if not -90.0 <= lat <= 90.0:
        raise RegionError("a latitude is out of range", got=lat, allowed="-90 to 90 deg")


def _centre(lon: float, lat: float) -> Floats:
    """Unit vector (3,) of a direction in degrees."""
    vector: Floats = vectors(np.array([lon]), np.array([lat]))[0]
    return vector


def _compass(lon: float, lat: float) -> tuple[Floats, Floats]:
    """Unit vectors towards east and north at a direction in degrees."""
    a, b = math.radians(lon), math.radians(lat)
    east = np.array([-math.sin(a), math.cos(a), 0.0])
    north = np.array([-math.sin(b) * math.cos(a), -math.sin(b) * math.sin(a), math.cos(b)])
    return east, north

"""Regions of the sky in one line of text, and what they hold and touch: circles, polygons and places.

A text is ``CIRCLE ra dec radius``, ``POLYGON ra dec ra dec ...``, ``BOX ra dec width height`` or ``POINT ra dec``
(degrees), as DALI writes it; the words of STC-S (``ICRS``, ``GALACTIC``, ``POSITION``) may stand between. Edges of
polygons are great circles; a polygon must fit into half of the sky. PostgreSQL has the same functions, by a
migration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from skysift.base.errors import RegionError

__all__ = [
    "GALACTIC",
    "Area",
    "Vector",
    "area_of",
    "basis_of",
    "box_corners",
    "contains",
    "from_galactic",
    "intersects",
    "middle_of",
    "parse_region",
    "region_text",
    "separation",
    "to_galactic",
    "vector_of",
]

Vector: TypeAlias = tuple[float, float, float]
Kind: TypeAlias = Literal["POINT", "CIRCLE", "POLYGON"]
_FRAMES = {"ICRS", "FK5", "J2000", "GALACTIC", "UNKNOWNFRAME", "UNKNOWN"}
_REFERENCES = {"GEOCENTER", "BARYCENTER", "TOPOCENTER", "LSR", "UNKNOWNREFPOS", "RELOCATABLE", "HELIOCENTER"}
_FLAVOURS = {"SPHERICAL2", "SPHER2", "UNITSPHERE"}
_ALLOWED = "CIRCLE ra dec radius, POLYGON ra dec ra dec ra dec ..., BOX ra dec width height or POINT ra dec (degrees)"

# ICRS -> Galactic, through FK5 as astropy does it
GALACTIC: tuple[Vector, Vector, Vector] = (
    (-0.0548756577125917, -0.8734370519556161, -0.4838350736167151),
    (0.4941094371927275, -0.4448297212232951, 0.7469821839866676),
    (-0.8676661375596587, -0.1980763372730005, 0.4559838136873019),
)


@dataclass(frozen=True)
class Area:
    """A region: its kind, and its numbers (ICRS degrees)."""

    kind: Kind
    numbers: tuple[float, ...]

    @property
    def corners(self) -> list[tuple[float, float]]:
        """The corners of a polygon, the place of a point, the middle of a circle."""
        flat = self.numbers[:2] if self.kind != "POLYGON" else self.numbers
        return list(zip(flat[::2], flat[1::2], strict=True))


def vector_of(ra: float, dec: float) -> Vector:
    """The unit vector of a place (deg)."""
    a, d = math.radians(ra), math.radians(dec)
    return math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)


def place_of(v: Vector) -> tuple[float, float]:
    """The place (deg) of a vector of any length."""
    return math.degrees(math.atan2(v[1], v[0])) % 360.0, math.degrees(
        math.atan2(v[2], math.hypot(v[0], v[1]))
    )


def from_galactic(lon: float, lat: float) -> tuple[float, float]:
    """A place in Galactic coordinates, in ICRS (deg)."""
    v = vector_of(lon, lat)
    x, y, z = (sum(GALACTIC[i][k] * v[i] for i in range(3)) for k in range(3))
    return place_of((x, y, z))


def to_galactic(ra: float, dec: float) -> tuple[float, float]:
    """A place in ICRS, in Galactic coordinates (deg)."""
    v = vector_of(ra, dec)
    x, y, z = (_dot(row, v) for row in GALACTIC)
    return place_of((x, y, z))


def separation(a: Vector, b: Vector) -> float:
    """The angle between two unit vectors (deg)."""
    chord = math.sqrt(sum((p - q) ** 2 for p, q in zip(a, b, strict=True)))
    return math.degrees(2.0 * math.asin(min(1.0, chord / 2.0)))


def box_corners(ra: float, dec: float, width: float, height: float) -> list[tuple[float, float]]:
    """The corners of a box: its sides cross the arms of a cross about its middle at right angles.

    Raises
    ------
    RegionError
        A side is not above 0 and below 180 degrees.
    """
    if not (0.0 < width < 180.0 and 0.0 < height < 180.0):
        raise RegionError(
            "the sides of a box must fit into half of the sky", got=(width, height), allowed="0 to 180 deg"
        )
    c, e, n = basis_of(vector_of(ra, dec))
    a, b = math.tan(math.radians(width / 2.0)), math.tan(math.radians(height / 2.0))
    corners = []
    for x, y in ((-a, -b), (a, -b), (a, b), (-a, b)):
        v = tuple(c[k] + x * e[k] + y * n[k] for k in range(3))
        corners.append(place_of((v[0], v[1], v[2])))
    return corners


@lru_cache(maxsize=512)
def parse_region(text: str) -> Area:
    """The region that a text tells.

    Raises
    ------
    RegionError
        It tells none.
    """
    words = text.replace(",", " ").replace("(", " ").replace(")", " ").split()
    kind = words[0].upper() if words else ""
    rest = words[1:]
    galactic = False
    while rest and rest[0].upper() in _FRAMES | _REFERENCES | _FLAVOURS:
        galactic = galactic or rest[0].upper() == "GALACTIC"
        rest = rest[1:]
    try:
        numbers = [float(word) for word in rest]
    except ValueError as error:
        raise RegionError("the region cannot be read", got=text, allowed=_ALLOWED) from error
    counts = {"POINT": 2, "POSITION": 2, "CIRCLE": 3, "BOX": 4}
    fits = (
        len(numbers) == counts[kind]
        if kind in counts
        else kind == "POLYGON" and len(numbers) >= 6 and len(numbers) % 2 == 0
    )
    if not fits or not all(math.isfinite(number) for number in numbers):
        raise RegionError("the region cannot be read", got=text, allowed=_ALLOWED)
    return region_of("POINT" if kind == "POSITION" else kind, numbers, galactic=galactic)


def region_of(kind: str, numbers: Sequence[float], *, galactic: bool = False) -> Area:
    """The region of a kind (``POINT``, ``CIRCLE``, ``BOX``, ``POLYGON``) and its numbers (deg).

    Raises
    ------
    RegionError
        A place is not on the sky, a radius is below 0, or a polygon does not fit into half of the sky.
    """
    if kind == "BOX":
        kind, numbers = "POLYGON", [each for corner in box_corners(*numbers) for each in corner]
    flat = list(numbers[:2] if kind in ("POINT", "CIRCLE") else numbers)
    for k in range(0, len(flat), 2):
        if not (-90.0 <= flat[k + 1] <= 90.0 and abs(flat[k]) <= 720.0):
            raise RegionError(
                "a place is not on the sky", got=tuple(flat[k : k + 2]), allowed="declinations from -90 to 90"
            )
        place = from_galactic(flat[k], flat[k + 1]) if galactic else (flat[k] % 360.0, flat[k + 1])
        flat[k], flat[k + 1] = place
    if kind == "CIRCLE":
        if not 0.0 <= numbers[2] <= 180.0:
            raise RegionError("a radius must be 0 to 180 degrees", got=numbers[2])
        return Area("CIRCLE", (*flat, float(numbers[2])))
    if kind == "POINT":
        return Area("POINT", tuple(flat))
    area = Area("POLYGON", tuple(flat))
    vectors = [vector_of(*corner) for corner in area.corners]
    middle = _middle(vectors)
    if any(_dot(middle, v) <= 1e-6 for v in vectors):
        raise RegionError("a polygon must fit into half of the sky", got=region_text(area))
    return area


def region_text(area: Area) -> str:
    """The text of a region."""
    return f"{area.kind} {' '.join(repr(number) for number in area.numbers)}"


def middle_of(area: Area) -> tuple[float, float]:
    """The middle of a region (deg)."""
    return place_of(_middle([vector_of(*corner) for corner in area.corners]))


def basis_of(c: Vector) -> tuple[Vector, Vector, Vector]:
    """A unit vector, and the unit vectors to the east and to the north of it."""
    across = math.hypot(c[0], c[1])
    e = (-c[1] / across, c[0] / across, 0.0) if across > 1e-12 else (0.0, 1.0, 0.0)
    return c, e, _cross(c, e)


def contains(outer: Area, inner: Area) -> bool:
    """Whether one region lies wholly in another."""
    if outer.kind == "POINT":
        return inner.kind == "POINT" and separation(*_two(outer, inner)) < 1e-9
    if outer.kind == "CIRCLE":
        middle, radius = vector_of(*outer.numbers[:2]), outer.numbers[2]
        if inner.kind == "CIRCLE":
            return separation(middle, vector_of(*inner.numbers[:2])) + inner.numbers[2] <= radius
        return all(_close(middle, vector_of(*corner), radius) for corner in inner.corners)
    middles = [vector_of(*corner) for corner in inner.corners]
    corners = [vector_of(*corner) for corner in outer.corners]
    if not all(_inside(v, corners) for v in middles):
        return False
    if inner.kind == "CIRCLE":
        return all(_to_edge(middles[0], a, b) >= inner.numbers[2] for a, b in _edges(corners))
    if inner.kind == "POLYGON":
        return not any(_meet(a, b, c, d) for a, b in _edges(corners) for c, d in _edges(middles))
    return True


def intersects(first: Area, second: Area) -> bool:
    """Whether two regions have a place in common."""
    if first.kind == "POINT":
        return contains(second, first)
    if second.kind == "POINT":
        return contains(first, second)
    if first.kind == "CIRCLE" and second.kind == "CIRCLE":
        return separation(*_two(first, second)) <= first.numbers[2] + second.numbers[2]
    if second.kind == "CIRCLE":
        first, second = second, first
    corners = [vector_of(*corner) for corner in second.corners]
    if first.kind == "CIRCLE":
        middle = vector_of(*first.numbers[:2])
        return _inside(middle, corners) or any(
            _to_edge(middle, a, b) <= first.numbers[2] for a, b in _edges(corners)
        )
    others = [vector_of(*corner) for corner in first.corners]
    return (
        _inside(others[0], corners)
        or _inside(corners[0], others)
        or any(_meet(a, b, c, d) for a, b in _edges(corners) for c, d in _edges(others))
    )


def area_of(area: Area) -> float:
    """Solid angle (square degrees)."""
    square = math.degrees(1.0) ** 2
    if area.kind == "POINT":
        return 0.0
    if area.kind == "CIRCLE":
        return 4.0 * math.pi * square * math.sin(math.radians(area.numbers[2]) / 2.0) ** 2
    corners = [vector_of(*corner) for corner in area.corners]
    middle = _middle(corners)
    total = 0.0
    for a, b in _edges(corners):  # triangles about the middle (Oosterom & Strackee 1983), with their sign
        top = _dot(middle, _cross(a, b))
        total += 2.0 * math.atan2(top, 1.0 + _dot(middle, a) + _dot(a, b) + _dot(b, middle))
    return abs(total) * square


def _two(a: Area, b: Area) -> tuple[Vector, Vector]:
    return vector_of(*a.numbers[:2]), vector_of(*b.numbers[:2])


def _close(a: Vector, b: Vector, radius: float) -> bool:
    """Whether two places are at most so far apart; by their chord, as SQL does it."""
    chord = sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
    return chord <= 4.0 * math.sin(math.radians(radius) / 2.0) ** 2


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _middle(vectors: list[Vector]) -> Vector:
    x, y, z = (sum(v[k] for v in vectors) for k in range(3))
    length = math.sqrt(x * x + y * y + z * z) or 1.0
    return x / length, y / length, z / length


def _edges(corners: list[Vector]) -> list[tuple[Vector, Vector]]:
    return [(corners[k], corners[(k + 1) % len(corners)]) for k in range(len(corners))]


def _inside(v: Vector, corners: list[Vector]) -> bool:
    """Whether a place lies in a polygon: even-odd rule in the plane in which great circles are straight."""
    c, e, n = basis_of(_middle(corners))
    w = _dot(v, c)
    if w <= 0.0:
        return False
    x, y = _dot(v, e) / w, _dot(v, n) / w
    inside = False
    for a, b in _edges(corners):
        xa, ya = _dot(a, e) / _dot(a, c), _dot(a, n) / _dot(a, c)
        xb, yb = _dot(b, e) / _dot(b, c), _dot(b, n) / _dot(b, c)
        if (ya > y) != (yb > y) and x < (xb - xa) * (y - ya) / (yb - ya) + xa:
            inside = not inside
    return inside


def _to_edge(p: Vector, a: Vector, b: Vector) -> float:
    """The angle (deg) between a place and an arc."""
    n = _cross(a, b)
    length = math.sqrt(_dot(n, n))
    if length > 0.0 and _dot(_cross(n, a), p) >= 0.0 and _dot(_cross(b, n), p) >= 0.0:
        return math.degrees(math.asin(min(1.0, abs(_dot(n, p)) / length)))
    return min(separation(p, a), separation(p, b))


def _meet(a: Vector, b: Vector, c: Vector, d: Vector) -> bool:
    """Whether two arcs cross."""
    n, m = _cross(a, b), _cross(c, d)
    t = _cross(n, m)
    signs = (-_dot(_cross(a, n), t), _dot(_cross(b, n), t), -_dot(_cross(c, m), t), _dot(_cross(d, m), t))
    return all(sign > 0.0 for sign in signs) or all(sign < 0.0 for sign in signs)

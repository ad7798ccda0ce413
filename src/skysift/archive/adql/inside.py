"""What lies in and touches what, as SQL.

Where all of a shape is written in the query, its test is arithmetic with the unit vectors of the rows, and the
cells of HEALPix confine the rows that are looked at. Distances are compared by chords, which stay exact at
milliarcseconds. A shape that the database has as a text is looked at by the functions of `skysift.archive.regions`
(PostgreSQL has the same ones).
"""

from __future__ import annotations

import math

from skysift.archive.adql.places import area_in, known_point, number_value, shape_of, shape_text
from skysift.archive.adql.scope import Scope
from skysift.archive.adql.sql import balanced
from skysift.archive.adql.values import Circle, Condition, Point, Shape, Value, joined
from skysift.archive.cells import cells_touching, common_cells
from skysift.archive.fields import Field
from skysift.archive.regions import Area, Vector, basis_of, middle_of, vector_of
from skysift.base.errors import UsageError

__all__ = ["near", "predicate"]

_DOUBLE = Field("", "double")


def predicate(name: str, args: list[Value], scope: Scope, *, confine: bool = False) -> Condition:
    """The condition of CONTAINS or INTERSECTS.

    Parameters
    ----------
    name
        Which.
    args
        Two shapes.
    scope
        What they can see.
    confine
        Whether only rows that fulfil it count: then cells confine the rows that are looked at.

    Raises
    ------
    UsageError
        The arguments are not two shapes.
    """
    upper = name.upper()
    if len(args) != 2:
        raise UsageError(f"{upper} takes two shapes", got=len(args))
    first, second = (shape_of(each, upper) for each in args)
    if upper == "INTERSECTS" and isinstance(second, Point):
        first, second = second, first
    if confine and isinstance(first, Point):
        _confine(first, area_in(second, scope), scope)
    free, aggregate = joined(*first.parts, *second.parts)
    return Condition(_holds(upper, first, second, scope), free, aggregate)


def near(
    a: Point, b: Point, radius: Value, scope: Scope, *, strict: bool, confine: bool = False
) -> Condition | None:
    """Whether two places are nearer than a radius, by chords; None for a radius that no chord has."""
    if not radius.field.number or (
        radius.constant is not None and not 0.0 <= float(radius.constant) <= 180.0
    ):
        return None
    if confine and radius.constant is not None:
        for inner, outer in ((a, b), (b, a)):
            if outer.place is not None:
                _confine(inner, Area("CIRCLE", (*outer.place, float(radius.constant))), scope)
    free, aggregate = joined(*a.parts, *b.parts, radius)
    return Condition(_within(a, b, radius, scope, "<" if strict else "<="), free, aggregate)


def _confine(place: Point, area: Area | None, scope: Scope) -> None:
    """Let the table of a place give only the rows whose cells touch a region."""
    relation = place.relation
    if relation is None or area is None or relation not in scope.relations:
        return
    found = cells_touching(area)
    if found is not None:
        relation.ranges = found if relation.ranges is None else common_cells(relation.ranges, found)


def _holds(name: str, first: Shape, second: Shape, scope: Scope) -> str:
    """The test, by the quickest way that these shapes allow."""
    known = area_in(second, scope)
    if isinstance(first, Point):
        if isinstance(second, Circle):
            return _within(first, second.center, second.radius, scope, "<=")
        if isinstance(second, Point):
            return _within(first, second, number_value(0.0, scope), scope, "<=")
        if known is not None and first.place is None:
            return _in_area(first, known, scope)
    if name == "INTERSECTS" and isinstance(first, Circle) and isinstance(second, Circle):
        total = Value(
            f"({first.radius.sql} + {second.radius.sql})", _DOUBLE, constant=_sum(first.radius, second.radius)
        )
        return _within(first.center, second.center, total, scope, "<=")
    a, b = shape_text(first, scope), shape_text(second, scope)
    one = scope.writer.whole(1)
    return (
        f"(sky_contains({b}, {a}) = {one})" if name == "CONTAINS" else f"(sky_intersects({a}, {b}) = {one})"
    )


def _sum(a: Value, b: Value) -> float | None:
    return None if a.constant is None or b.constant is None else float(a.constant) + float(b.constant)


def _within(a: Point, b: Point, radius: Value, scope: Scope, sign: str) -> str:
    """Whether two places are within a radius, by the square of their chord."""
    writer = scope.writer
    if radius.constant is not None:
        degrees = float(radius.constant)
        if not 0.0 <= degrees <= 180.0:
            raise UsageError("a radius must be 0 to 180 degrees", got=degrees)
        limit = writer.real(4.0 * math.sin(math.radians(degrees) / 2.0) ** 2)
    else:
        half = f"radians({writer.as_real(radius.sql)}) / {writer.real(2.0)}"
        limit = f"({writer.real(4.0)} * sin({half}) * sin({half}))"
    squares = " + ".join(f"({p} - {q}) * ({p} - {q})" for p, q in zip(a.vector, b.vector, strict=True))
    test = f"({squares} {sign} {limit})"
    return f"({' AND '.join([*_bands(a, b, radius, scope), test])})"


def _bands(a: Point, b: Point, radius: Value, scope: Scope) -> list[str]:
    """What an index can confine: the band of latitudes about the other place."""
    bands = []
    writer = scope.writer
    for inner, outer in ((a, b), (b, a)):
        held = inner.relation.held if inner.relation is not None else None
        if held is None or outer.system != inner.system or (outer.place is not None and held.vectors):
            continue  # cells confine better where the other place is known
        r = f"({writer.as_real(radius.sql)} + {writer.real(1e-9)})"
        bands.append(f"{inner.lat.sql} BETWEEN {outer.lat.sql} - {r} AND {outer.lat.sql} + {r}")
    return bands


def _in_area(place: Point, area: Area, scope: Scope) -> str:
    """Whether a place lies in a region that is known."""
    if area.kind in ("CIRCLE", "POINT"):
        center = known_point(area.numbers[:2], scope)
        return _within(
            place, center, number_value(area.numbers[2] if area.kind == "CIRCLE" else 0.0, scope), scope, "<="
        )
    writer = scope.writer
    corners = [vector_of(*corner) for corner in area.corners]
    c, e, n = basis_of(vector_of(*middle_of(area)))
    flat = [(_dot(v, e) / _dot(v, c), _dot(v, n) / _dot(v, c)) for v in corners]
    pairs = list(zip(flat, [*flat[1:], flat[0]], strict=True))
    turns = [_turn(flat[k - 1], flat[k], flat[(k + 1) % len(flat)]) for k in range(len(flat))]
    front = f"{_product(place, c, scope)} > {writer.real(0.0)}"
    winding = sum(_bend(flat[k - 1], flat[k], flat[(k + 1) % len(flat)]) for k in range(len(flat)))
    if (all(t > 0 for t in turns) or all(t < 0 for t in turns)) and abs(abs(winding) - 2 * math.pi) < 0.1:
        side = 1.0 if turns[0] > 0 else -1.0
        sides = []
        for (xa, ya), (xb, yb) in pairs:  # left of each edge: (b - a) x (p - a) > 0, times w
            dx, dy = xb - xa, yb - ya
            normal = _combined(c, e, n, -(dx * ya - dy * xa), -dy, dx)
            sides.append(f"{_product(place, normal, scope, side)} >= {writer.real(0.0)}")
        return balanced([front, *sides], "AND")
    crossings = []
    for (xa, ya), (xb, yb) in pairs:
        if ya == yb:
            continue
        slope = (xb - xa) / (yb - ya)
        above = [
            f"({_product(place, _combined(c, e, n, y, 0.0, -1.0), scope)} > {writer.real(0.0)})"
            for y in (ya, yb)
        ]
        left = (
            f"{_product(place, _combined(c, e, n, slope * ya - xa, 1.0, -slope), scope)} < {writer.real(0.0)}"
        )
        crossings.append(
            f"(CASE WHEN {above[0]} <> {above[1]} AND {left} THEN {writer.whole(1)} ELSE {writer.whole(0)} END)"
        )
    total = balanced(crossings, "+")
    odd = f"({total} % 2) = 1" if writer.lite else f"mod({total}, 2) = 1"
    return f"({front} AND {odd})"


def _combined(c: Vector, e: Vector, n: Vector, w: float, x: float, y: float) -> Vector:
    v = [w * c[k] + x * e[k] + y * n[k] for k in range(3)]
    return v[0], v[1], v[2]


def _product(place: Point, v: Vector, scope: Scope, sign: float = 1.0) -> str:
    return (
        "("
        + " + ".join(f"{p} * {scope.writer.real(sign * q)}" for p, q in zip(place.vector, v, strict=True))
        + ")"
    )


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _bend(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    along = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return math.atan2(_turn(a, b, c), along)

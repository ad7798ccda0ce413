"""The functions of ADQL that make shapes and measure them, as SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from skysift.archive.adql.inside import predicate
from skysift.archive.adql.places import area_in, known_point, number_value, point, shape_of, shape_text
from skysift.archive.adql.scope import Scope
from skysift.archive.adql.values import Circle, Point, Polygon, Shape, Value, joined, told
from skysift.archive.fields import Field
from skysift.archive.regions import Area, area_of, middle_of, parse_region, region_of
from skysift.base.errors import UsageError

__all__ = ["SHAPES", "shape_call", "two_points"]

_POINT = Field("", "double", "2", "point", "deg")
_CIRCLE = Field("", "double", "3", "circle", "deg")
_POLYGON = Field("", "double", "*", "polygon", "deg")
_SYSTEMS = {"", "ICRS", "FK5", "J2000", "UNKNOWNFRAME", "UNKNOWN"}


def shape_call(name: str, args: list[Value], scope: Scope) -> Value:
    """What a function of shapes gives.

    Raises
    ------
    UsageError
        It takes other arguments.
    """
    return _CALLS[name](args, scope)


def _system(args: list[Value]) -> tuple[str, list[Value]]:
    """The system that a shape is told in, and the other arguments."""
    if args and args[0].shape is None and args[0].field.text:
        if not isinstance(args[0].constant, str):
            raise UsageError(
                "the system of coordinates must be written in the query", allowed="'ICRS', 'GALACTIC'"
            )
        word = (args[0].constant.upper().split() or [""])[0]
        if word not in _SYSTEMS and word != "GALACTIC":
            raise UsageError("no such system of coordinates", got=args[0].constant, allowed="ICRS, GALACTIC")
        return ("GALACTIC" if word == "GALACTIC" else "ICRS"), args[1:]
    return "ICRS", args


def _points(name: str, args: list[Value], system: str, scope: Scope) -> list[Point]:
    """Places that are given as points, or as pairs of numbers."""
    found: list[Point] = []
    rest = list(args)
    while rest:
        first = rest.pop(0)
        if isinstance(first.shape, Point):
            found.append(first.shape)
        elif rest and first.shape is None and rest[0].shape is None:
            found.append(point(first, rest.pop(0), system, scope))
        else:
            raise UsageError(f"{name} takes points, or pairs of numbers", got=told(first.field))
    return found


def _made(shape: Shape, kind: Field) -> Value:
    return Value("", kind, *joined(*shape.parts), shape=shape)


def _point(args: list[Value], scope: Scope) -> Value:
    system, rest = _system(args)
    if len(rest) != 2 or any(each.shape is not None for each in rest):
        raise UsageError("POINT takes a longitude and a latitude", got=f"{len(rest)} arguments")
    return _made(point(rest[0], rest[1], system, scope), _POINT)


def _circle(args: list[Value], scope: Scope) -> Value:
    system, rest = _system(args)
    if len(rest) not in (2, 3):
        raise UsageError("CIRCLE takes a middle and a radius", got=f"{len(rest)} arguments")
    points = _points("CIRCLE", rest[:-1], system, scope)
    radius = rest[-1]
    if len(points) != 1 or radius.shape is not None or not radius.field.number:
        raise UsageError(
            "CIRCLE takes a middle and a radius", allowed="CIRCLE(ra, dec, r) or CIRCLE(POINT(...), r)"
        )
    shape = Circle(points[0], radius)
    area_in(shape, scope)  # refuses a radius that is none
    return _made(shape, _CIRCLE)


def _polygon(args: list[Value], scope: Scope) -> Value:
    system, rest = _system(args)
    points = _points("POLYGON", rest, system, scope)
    if len(points) < 3:
        raise UsageError("POLYGON takes three corners or more", got=len(points))
    shape = Polygon(tuple(points))
    area_in(shape, scope)
    return _made(shape, _POLYGON)


def _box(args: list[Value], scope: Scope) -> Value:
    system, rest = _system(args)
    if rest and isinstance(rest[0].shape, Point):
        system, rest = rest[0].shape.system, [rest[0].shape.lon, rest[0].shape.lat, *rest[1:]]
    numbers = [each.constant for each in rest]
    if len(numbers) != 4 or not all(isinstance(each, int | float) for each in numbers):
        raise UsageError(
            "BOX takes a middle, a width and a height, written in the query", got=f"{len(rest)} arguments"
        )
    plain = [float(each) for each in numbers if isinstance(each, int | float)]
    area = region_of("BOX", plain, galactic=system == "GALACTIC")
    return _made(_polygon_of(area, scope), _POLYGON)


def _polygon_of(area: Area, scope: Scope) -> Polygon:
    return Polygon(tuple(known_point(corner, scope) for corner in area.corners))


def _region(args: list[Value], scope: Scope) -> Value:
    if len(args) != 1 or not isinstance(args[0].constant, str):
        raise UsageError(
            "REGION takes a text that is written in the query", allowed="REGION('CIRCLE ICRS 10 20 0.5')"
        )
    area = parse_region(args[0].constant)
    if area.kind == "POINT":
        return _made(known_point(area.numbers, scope), _POINT)
    if area.kind == "CIRCLE":
        return _made(
            Circle(known_point(area.numbers[:2], scope), number_value(area.numbers[2], scope)), _CIRCLE
        )
    return _made(_polygon_of(area, scope), _POLYGON)


def _as_number(name: str) -> Callable[[list[Value], Scope], Value]:
    """CONTAINS and INTERSECTS where their value is wanted: 1, 0 or missing."""

    def write(args: list[Value], scope: Scope) -> Value:
        holds = predicate(name, args, scope)
        one, zero = scope.writer.whole(1), scope.writer.whole(0)
        text = f"(CASE WHEN {holds.sql} THEN {one} WHEN NOT {holds.sql} THEN {zero} END)"
        return Value(text, Field("", "int"), holds.free, holds.aggregate)

    return write


def two_points(args: list[Value], scope: Scope) -> tuple[Point, Point]:
    """The two places that DISTANCE takes."""
    points = _points("DISTANCE", args, "ICRS", scope)
    if len(points) != 2:
        raise UsageError("DISTANCE takes two points", got=len(points), allowed="two points, or four numbers")
    return points[0], points[1]


def _distance(args: list[Value], scope: Scope) -> Value:
    a, b = two_points(args, scope)
    writer = scope.writer
    squares = " + ".join(f"({p} - {q}) * ({p} - {q})" for p, q in zip(a.vector, b.vector, strict=True))
    half = writer.least(f"(sqrt({squares}) / {writer.real(2.0)})", writer.real(1.0))
    # PostgreSQL's least() passes over what is missing: the sum keeps it missing
    text = f"(degrees({writer.real(2.0)} * asin({half})) + ({squares}) * {writer.real(0.0)})"
    free, aggregate = joined(*a.parts, *b.parts)
    return Value(text, Field("", "double", unit="deg", ucd="pos.angDistance"), free, aggregate)


def _area(args: list[Value], scope: Scope) -> Value:
    if len(args) != 1:
        raise UsageError("AREA takes one shape", got=len(args))
    shape = shape_of(args[0], "AREA")
    known = area_in(shape, scope)
    free, aggregate = joined(*shape.parts)
    text = scope.writer.real(area_of(known)) if known is not None else f"sky_area({shape_text(shape, scope)})"
    return Value(text, Field("", "double", unit="deg**2", ucd="phys.angArea"), free, aggregate)


def _coordinate(name: str, index: int) -> Callable[[list[Value], Scope], Value]:
    def write(args: list[Value], scope: Scope) -> Value:
        if len(args) != 1 or not isinstance(args[0].shape, Point):
            raise UsageError(f"{name} takes a point", got=", ".join(told(each.field) for each in args))
        part = args[0].shape.parts[index]
        text = scope.writer.as_real(part.sql)
        return replace(
            part, sql=text, field=replace(part.field, datatype="double", unit="deg"), constant=None
        )

    return write


def _coordsys(args: list[Value], scope: Scope) -> Value:
    if len(args) != 1 or args[0].shape is None:
        raise UsageError("COORDSYS takes a shape", got=len(args))
    shape = args[0].shape
    system = (
        shape.system
        if isinstance(shape, Point)
        else shape.center.system
        if isinstance(shape, Circle)
        else "ICRS"
    )
    return Value(scope.writer.text(system), Field("", "char", "*"), constant=system)


def _centroid(args: list[Value], scope: Scope) -> Value:
    shape = shape_of(args[0], "CENTROID") if len(args) == 1 else None
    if isinstance(shape, Point):
        return _made(shape, _POINT)
    if isinstance(shape, Circle):
        return _made(shape.center, _POINT)
    known = None if shape is None else area_in(shape, scope)
    if known is None:
        raise UsageError(
            "CENTROID takes one shape that is written in the query", got=f"{len(args)} arguments"
        )
    return _made(known_point(middle_of(known), scope), _POINT)


_CALLS: dict[str, Callable[[list[Value], Scope], Value]] = {
    "AREA": _area,
    "BOX": _box,
    "CENTROID": _centroid,
    "CIRCLE": _circle,
    "CONTAINS": _as_number("CONTAINS"),
    "COORD1": _coordinate("COORD1", 0),
    "COORD2": _coordinate("COORD2", 1),
    "COORDSYS": _coordsys,
    "DISTANCE": _distance,
    "INTERSECTS": _as_number("INTERSECTS"),
    "POINT": _point,
    "POLYGON": _polygon,
    "REGION": _region,
}
SHAPES = tuple(_CALLS)
"""The names of the functions of shapes."""

"""Places and shapes of a query: what they are in SQL, and which region they are where all of it is written there."""

from __future__ import annotations

from collections.abc import Sequence

from skysift.archive.adql.scope import Scope
from skysift.archive.adql.values import Circle, Point, Polygon, Region, Relation, Shape, Value, told
from skysift.archive.fields import Field
from skysift.archive.regions import GALACTIC, Area, parse_region, region_of, region_text, vector_of
from skysift.base.errors import UsageError

__all__ = ["area_in", "known_point", "number_value", "point", "shape_of", "shape_text"]

_DOUBLE = Field("", "double")


def shape_of(found: Value, name: str) -> Shape:
    """The shape that a value is: a shape of the query, or a text of a column that holds regions."""
    if found.shape is not None:
        return found.shape
    if found.field.text and (
        found.field.xtype in ("adql:REGION", "adql:POINT") or isinstance(found.constant, str)
    ):
        return Region(found)
    raise UsageError(
        f"{name} takes shapes",
        got=told(found.field),
        allowed="POINT, CIRCLE, POLYGON, BOX, REGION, or a column of regions",
    )


def point(lon: Value, lat: Value, system: str, scope: Scope) -> Point:
    """A place of the query."""
    for each, what in ((lon, "a longitude"), (lat, "a latitude")):
        if not each.field.number:
            raise UsageError(f"{what} must be a number", got=told(each.field))
    if lon.constant is not None and lat.constant is not None:
        area = region_of("POINT", (float(lon.constant), float(lat.constant)), galactic=system == "GALACTIC")
        x, y, z = (scope.writer.real(each) for each in vector_of(*area.numbers))
        return Point(lon, lat, (x, y, z), system, place=(area.numbers[0], area.numbers[1]))
    relation = _relation(lon, lat, system, scope)
    if relation is not None:
        x, y, z = (f"{relation.sql_name}.{axis}" for axis in ("ux", "uy", "uz"))
        return Point(lon, lat, (x, y, z), system, relation)
    a, d = (f"radians({scope.writer.as_real(each.sql)})" for each in (lon, lat))
    vector = (f"(cos({d}) * cos({a}))", f"(cos({d}) * sin({a}))", f"sin({d})")
    return Point(lon, lat, _turned(vector, scope) if system == "GALACTIC" else vector, system)


def known_point(numbers: Sequence[float], scope: Scope) -> Point:
    """A place (ICRS degrees) that is known."""
    return point(number_value(numbers[0], scope), number_value(numbers[1], scope), "ICRS", scope)


def number_value(number: float, scope: Scope) -> Value:
    """A number that is known."""
    return Value(scope.writer.real(number), _DOUBLE, constant=number)


def area_in(shape: Shape, scope: Scope) -> Area | None:
    """The region that a shape is, where all of it is written in the query."""
    if isinstance(shape, Point):
        return None if shape.place is None else Area("POINT", shape.place)
    if isinstance(shape, Circle):
        if shape.center.place is None or shape.radius.constant is None:
            return None
        return region_of("CIRCLE", (*shape.center.place, float(shape.radius.constant)))
    if isinstance(shape, Polygon):
        places = [corner.place for corner in shape.corners]
        if any(place is None for place in places):
            return None
        return region_of("POLYGON", [number for place in places if place is not None for number in place])
    return parse_region(str(shape.text.constant)) if shape.text.constant is not None else None


def shape_text(shape: Shape, scope: Scope) -> str:
    """A shape as a text that the functions of the database read."""
    known = area_in(shape, scope)
    if known is not None:
        return scope.writer.text(region_text(known))
    if isinstance(shape, Region):
        return shape.text.sql
    numbers: list[str] = []
    points = (
        [shape]
        if isinstance(shape, Point)
        else [shape.center]
        if isinstance(shape, Circle)
        else list(shape.corners)
    )
    for each in points:
        numbers += _icrs(each, scope)
    if isinstance(shape, Circle):
        numbers.append(shape.radius.sql)
    kind = type(shape).__name__.upper()
    parts = [f"CAST({scope.writer.as_real(number)} AS text)" for number in numbers]
    space = scope.writer.text(" ")
    return f"({scope.writer.text(kind + ' ')} || {f' || {space} || '.join(parts)})"


def _relation(lon: Value, lat: Value, system: str, scope: Scope) -> Relation | None:
    """The table whose main position this is, if it keeps unit vectors."""
    level: Scope | None = scope
    while level is not None:
        for each in level.relations:
            held = each.held
            if held is None or not held.vectors or held.position is None or held.system != system:
                continue
            if (lon.sql, lat.sql) == tuple(f'{each.sql_name}."{column}"' for column in held.position):
                return each
        level = level.parent
    return None


def _turned(v: tuple[str, str, str], scope: Scope) -> tuple[str, str, str]:
    """A Galactic vector in ICRS, as SQL."""
    terms = [
        "(" + " + ".join(f"{scope.writer.real(GALACTIC[i][k])} * {v[i]}" for i in range(3)) + ")"
        for k in range(3)
    ]
    return terms[0], terms[1], terms[2]


def _icrs(each: Point, scope: Scope) -> list[str]:
    """Right ascension and declination of a place, as SQL."""
    if each.system != "GALACTIC":
        return [each.lon.sql, each.lat.sql]
    x, y, z = each.vector
    return [f"degrees(atan2({y}, {x}))", f"degrees(atan2({z}, sqrt({x} * {x} + {y} * {y})))"]

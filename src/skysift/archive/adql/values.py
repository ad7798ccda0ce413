"""`Value` and the shapes: what a piece of a query is, once it is SQL: its text, its type, what it stands for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from skysift.archive.fields import Field, HeldTable
from skysift.base.errors import UsageError

__all__ = [
    "Circle",
    "Condition",
    "Point",
    "Polygon",
    "Region",
    "Relation",
    "Shape",
    "Value",
    "compared",
    "joined",
    "told",
    "wider",
]

_RANK = {"unsignedByte": -1, "short": 0, "int": 1, "long": 2, "float": 3, "double": 4}


@dataclass(frozen=True)
class Value:
    """A value of SQL.

    Parameters
    ----------
    sql
        Its text; empty for a shape.
    field
        Its type and meaning.
    free
        The columns it uses outside of aggregates, as SQL.
    aggregate
        Whether it holds an aggregate.
    constant
        Its value where that is written in the query.
    shape
        The shape that it is, where it is one.
    """

    sql: str
    field: Field
    free: frozenset[str] = frozenset()
    aggregate: bool = False
    constant: str | float | int | None = None
    shape: Shape | None = None


@dataclass(eq=False)
class Relation:
    """A table of a FROM clause: its name there, its name in SQL, and its columns by name.

    `ranges` are the cells of HEALPix that the condition confines its rows to; None for all.
    """

    name: str
    sql_name: str
    columns: list[tuple[str, Value]]
    source: str = ""
    held: HeldTable | None = None
    ranges: list[tuple[int, int]] | None = None


@dataclass(frozen=True)
class Condition:
    """A condition of SQL, with the columns it uses outside of aggregates and whether it holds an aggregate."""

    sql: str
    free: frozenset[str] = frozenset()
    aggregate: bool = False


@dataclass(frozen=True)
class Point:
    """A place: longitude and latitude in a system, and the unit vector (ICRS) as SQL."""

    lon: Value
    lat: Value
    vector: tuple[str, str, str]
    system: str = "ICRS"
    relation: Relation | None = field(default=None, compare=False)
    place: tuple[float, float] | None = None  # ICRS degrees, where it is written in the query

    @property
    def parts(self) -> tuple[Value, ...]:
        """The values it is made of."""
        return self.lon, self.lat


@dataclass(frozen=True)
class Circle:
    """All within a radius of a place."""

    center: Point
    radius: Value

    @property
    def parts(self) -> tuple[Value, ...]:
        """The values it is made of."""
        return *self.center.parts, self.radius


@dataclass(frozen=True)
class Polygon:
    """What great circles between places enclose."""

    corners: tuple[Point, ...]

    @property
    def parts(self) -> tuple[Value, ...]:
        """The values it is made of."""
        return tuple(part for corner in self.corners for part in corner.parts)


@dataclass(frozen=True)
class Region:
    """A shape that is told by a text in the database."""

    text: Value

    @property
    def parts(self) -> tuple[Value, ...]:
        """The values it is made of."""
        return (self.text,)


Shape: TypeAlias = Point | Circle | Polygon | Region


def joined(*values: Value | Condition) -> tuple[frozenset[str], bool]:
    """The columns that several values use outside of aggregates, and whether one holds an aggregate."""
    return frozenset().union(*(each.free for each in values)), any(each.aggregate for each in values)


def wider(fields: list[Field], what: str) -> Field:
    """The type that can hold the values of all: numbers widen, texts lose their length.

    Raises
    ------
    UsageError
        They are of different kinds.
    """
    first = fields[0]
    if all(each.number for each in fields):
        rank = max((each.datatype for each in fields), key=_RANK.__getitem__)
        if rank == "float" and any(each.datatype in ("int", "long") for each in fields):
            rank = "double"
        return replace(first, datatype=rank, arraysize="")
    if all(each.text for each in fields):
        same = len({(each.datatype, each.arraysize) for each in fields}) == 1
        wide = any(each.datatype == "unicodeChar" for each in fields)
        xtype = first.xtype if len({each.xtype for each in fields}) == 1 else ""
        return replace(
            first,
            datatype="unicodeChar" if wide else "char",
            arraysize=first.arraysize if same else "*",
            xtype=xtype,
        )
    kinds = {(each.datatype, each.arraysize, each.xtype) for each in fields}
    if len(kinds) == 1:
        return first
    raise UsageError(
        f"{what} are of different kinds",
        got=" and ".join(sorted({told(each) for each in fields})),
        todo="CAST makes one kind of another",
    )


def told(each: Field) -> str:
    """The type as a person reads it."""
    return each.xtype or each.datatype + (f"({each.arraysize})" if each.arraysize and not each.text else "")


def compared(left: Value, right: Value, sign: str) -> Condition:
    """One value against another.

    Raises
    ------
    UsageError
        They are of different kinds.
    """
    a, b = left.field, right.field
    fits = (a.text and b.text) or ((a.number or a.truth) and (b.number or b.truth))
    if not fits:
        raise UsageError(
            "values of different kinds are compared",
            got=f"{told(a)} {sign} {told(b)}",
            todo="CAST makes one kind of another",
        )
    return Condition(f"({left.sql} {sign} {right.sql})", *joined(left, right))

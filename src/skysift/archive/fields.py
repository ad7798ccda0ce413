"""`Field` and `HeldTable`: what a table that can be queried tells of itself and of its columns.

The words are those of VOTable and TAP_SCHEMA: datatype, arraysize, xtype, unit, UCD, utype.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Protocol

import sqlalchemy

from skysift.archive.words import RESERVED
from skysift.base.errors import UnknownName
from skysift.io.field import Field as Declared

__all__ = ["Field", "HeldTable", "HeldTables", "delimited", "is_regular", "regular_name"]

WHOLE = ("unsignedByte", "short", "int", "long")
REAL = ("float", "double")
TEXT = ("char", "unicodeChar")
_REGULAR = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Field(Declared):
    """A column of a table that is held, or of a result.

    Parameters
    ----------
    name, datatype, arraysize, xtype, unit, ucd, utype, description
        As `skysift.io.field.Field` has them.
    indexed, principal, std
        Whether a search by it is fast, whether it is one of the few that matter most, whether a standard made it.
    column
        Its name in the database.
    """

    indexed: bool = False
    principal: bool = False
    std: bool = False
    column: str = ""

    @property
    def whole(self) -> bool:
        """Whether values are single whole numbers."""
        return self.datatype in WHOLE and not self.arraysize

    @property
    def number(self) -> bool:
        """Whether values are single numbers."""
        return self.datatype in (*WHOLE, *REAL) and not self.arraysize

    @property
    def text(self) -> bool:
        """Whether values are texts."""
        return self.datatype in TEXT

    @property
    def truth(self) -> bool:
        """Whether values are true or false."""
        return self.datatype == "boolean" and not self.arraysize

    @property
    def array(self) -> bool:
        """Whether a value is a list of numbers."""
        return self.several

    def called(self, name: str) -> Field:
        """The same column under another name."""
        return replace(self, name=name)


@dataclass(frozen=True, eq=False)
class HeldTable:
    """A table that one user may query.

    Parameters
    ----------
    schema, name
        What it is called: ``schema.name``.
    fields
        Its columns.
    source
        Where its rows come from: the name of a table of the database, or what to select; then the names of the
        selected columns are those of the fields' `column`.
    description, utype
        What it holds.
    kind
        ``table`` or ``view``.
    position
        The columns (in the database) of longitude and latitude, where it has a main position.
    system
        Of that position: ``ICRS`` or ``GALACTIC``.
    vectors
        Whether the database has, beside the position, the cell ``hpx`` and the unit vector ``ux, uy, uz``.
    rows
        How many, where that is known.
    entry
        The entry of the shelf that it belongs to; empty for what the service itself has.
    """

    schema: str
    name: str
    fields: tuple[Field, ...]
    source: str | sqlalchemy.Select[tuple[object, ...]]
    description: str = ""
    utype: str = ""
    kind: str = "table"
    position: tuple[str, str] | None = None
    system: str = "ICRS"
    vectors: bool = False
    rows: int | None = None
    entry: str = ""

    @property
    def full_name(self) -> str:
        """``schema.name``, as a query writes it."""
        return f"{delimited(self.schema)}.{delimited(self.name)}"

    def field(self, name: str) -> Field:
        """The column of a name, whatever its case.

        Raises
        ------
        UnknownName
            There is none.
        """
        for each in self.fields:
            if each.name.lower() == name.lower():
                return each
        raise UnknownName(
            f"the table {self.full_name} has no such column",
            got=name,
            allowed=[each.name for each in self.fields],
        )


class HeldTables(Protocol):
    """The tables that one user may query."""

    def find(self, schema: str, name: str) -> HeldTable | None:
        """The table of a name, whatever its case; an empty schema is any. None where there is none."""

    def names(self) -> list[str]:
        """The full names of all."""


def is_regular(name: str) -> bool:
    """Whether a name needs no quotes for its letters; a reserved word needs them still."""
    return _REGULAR.fullmatch(name) is not None


def regular_name(text: str, other: str = "table") -> str:
    """A name that needs no quotes, made of a text: small letters, digits, underscores, and no reserved word."""
    plain = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")
    plain = re.sub(r"_{2,}", "_", plain)
    if not plain:
        return other
    plain = plain if plain[0].isalpha() else f"{other[0]}_{plain}"
    return f"{plain}_{other}" if plain.upper() in RESERVED else plain


def delimited(name: str) -> str:
    """A name as a query has to write it: in quotes where it needs them."""
    if is_regular(name) and name.upper() not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'

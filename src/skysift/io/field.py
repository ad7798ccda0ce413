"""`Field`: what the Virtual Observatory says about one column of a table that comes in or goes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from skysift.base.errors import FormatError
from skysift.sky.column import Column

__all__ = ["DATATYPES", "Cell", "Field", "Row", "field_of"]

Cell: TypeAlias = object
"""None, bool, int, float or str; an array of numbers is its DALI text: ``12.0 -3.5``."""
Row: TypeAlias = Sequence[Cell]

DATATYPES = ("boolean", "unsignedByte", "short", "int", "long", "float", "double", "char", "unicodeChar")
_OF_KIND = {
    "int64": ("long", ""),
    "float64": ("double", ""),
    "bool": ("boolean", ""),
    "str": ("unicodeChar", "*"),
}


@dataclass(frozen=True)
class Field:
    """The declaration of one column of a VOTable.

    Parameters
    ----------
    name
        Its name.
    datatype
        One of `DATATYPES`.
    arraysize
        As VOTable writes it: empty for one value, ``*``, ``16``, ``2``.
    xtype
        What the value stands for: ``timestamp``, ``point``, ``circle``, ``polygon``, ``adql:REGION``.
    unit, ucd, utype, description
        As VOTable has them; empty where nothing is said.

    Raises
    ------
    FormatError
        There is no such datatype.
    """

    name: str
    datatype: str
    arraysize: str = ""
    xtype: str = ""
    unit: str = ""
    ucd: str = ""
    utype: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        if self.datatype not in DATATYPES:
            raise FormatError(
                f"the column {self.name} has a datatype that is not known",
                got=self.datatype,
                allowed=DATATYPES,
            )

    @property
    def textual(self) -> bool:
        """Whether a value is text."""
        return self.datatype in ("char", "unicodeChar")

    @property
    def several(self) -> bool:
        """Whether a value is an array of numbers."""
        return not self.textual and self.arraysize not in ("", "1")


def field_of(column: Column) -> Field:
    """The field that a column of the schema is."""
    datatype, arraysize = _OF_KIND[column.dtype]
    return Field(column.name, datatype, arraysize, "", column.unit, column.ucd, "", column.meaning)

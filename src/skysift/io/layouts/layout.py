"""`Layout`: how a program other than skysift lays out a catalogue; the plug-ins of the kind ``layout``."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from skysift.sky.schema import TableName
from skysift.sky.table import Table

__all__ = ["Layout"]


class Layout(Protocol):
    """What reads a foreign catalogue into a table of the schema, and writes one.

    A plug-in without options is made without arguments, one with options from them alone. `name` is that of
    the index, `title` what a person calls the layout, `tables` the kinds of tables that it holds, the usual
    one first, `suffixes` the ends of the files that it writes, the usual one first; none where it is only
    read.
    """

    name: str
    title: str
    tables: tuple[TableName, ...]
    suffixes: tuple[str, ...]

    def matches(self, path: Path) -> bool:
        """True where the file holds such a catalogue, told by its content; only its beginning is read."""

    def read(self, path: Path) -> Table:
        """The catalogue as a table with the columns, units and conventions of the schema.

        What the file does not tell is NaN, 0, False or empty. Numbers of rows are kept where they are
        numbers, else the rows are numbered from 1.

        Raises
        ------
        FormatError
            The file is broken, lacks a column, or has one in a unit that cannot be converted.
        """

    def write(self, table: Table, path: Path, *, overwrite: bool = False) -> Path:
        """The file written; it comes under its name only when it is whole.

        Raises
        ------
        UsageError
            The layout has no place for a table of this kind, or no file that ends so.
        OutputError
            The file exists and `overwrite` is false, or it cannot be written.
        """

"""Tables that come with a query: kept for the time of the query, each column as it was told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from sqlalchemy.engine import Connection

from skysift.archive.fields import Field, HeldTable
from skysift.archive.positions import VECTORS, place_columns, position_of
from skysift.archive.storage import Stored, beyond_ascii, column_values, lettered, sql_name
from skysift.base.errors import OptionError
from skysift.io.votable_door import Bounds, UploadedTable, read_upload

__all__ = ["SCHEMA", "Upload", "clear", "fill", "upload_from", "upload_of"]

SCHEMA = "tap_upload"
"""The schema that queries find them in."""
_BATCH = 5000
_NAME = "[A-Za-z][A-Za-z0-9_]*"


@dataclass(frozen=True, eq=False)
class Upload:
    """A table that comes with a query.

    Parameters
    ----------
    held
        What it is to the query; its source is a temporary table.
    columns
        The values, column by column, as the database keeps them; those of `VECTORS` after them, where the table has
        a position.
    """

    held: HeldTable
    columns: tuple[Sequence[Stored], ...]

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    @property
    def name(self) -> str:
        """What the query calls it."""
        return self.held.name

    def rows(self) -> Iterator[tuple[Stored, ...]]:
        """The rows."""
        return zip(*self.columns, strict=True)


def upload_from(name: str, file: BinaryIO, bounds: Bounds | None = None) -> Upload:
    """The first table of a VOTable that somebody sends with a query.

    Parameters
    ----------
    name
        What the query calls it.
    file
        The file; it goes through `skysift.io.votable_door`.
    bounds
        How large it may be.

    Raises
    ------
    OptionError
        The name is none.
    FormatError
        The file is no VOTable, is too large, or holds what is not taken from strangers.
    """
    if re.fullmatch(_NAME, name) is None:
        raise OptionError(
            "the name of an uploaded table must be a plain one", got=name, allowed="letters, digits, _"
        )
    return upload_of(name, read_upload(file, bounds))


def upload_of(name: str, table: UploadedTable) -> Upload:
    """A table that came through the door, under a name."""
    fields = tuple(
        Field(
            each.name,
            each.datatype,
            each.arraysize or ("1" if each.textual else ""),
            each.xtype,
            each.unit,
            each.ucd,
            each.utype,
            each.description,
            column=f"u{number}",
        )
        for number, each in enumerate(table.fields, start=1)
    )
    cells = list(zip(*table.rows, strict=True)) or [()] * len(fields)
    columns = tuple(
        column_values(each, [None if value == "" else value for value in values] if each.text else values)
        for each, values in zip(fields, cells, strict=True)
    )
    fields = lettered(fields, beyond_ascii(fields, columns))
    found = position_of(fields)
    if found is None:
        return Upload(HeldTable(SCHEMA, name, fields, f"upload_{name.lower()}"), columns)
    held = HeldTable(
        SCHEMA,
        name,
        fields,
        f"upload_{name.lower()}",
        position=(found[0].column, found[1].column),
        system=found[2],
        vectors=True,
    )
    return Upload(held, (*columns, *place_columns(fields, list(columns), found)))


def fill(connection: Connection, uploads: Sequence[Upload]) -> None:
    """Make the temporary tables of a query, and put their rows in."""
    dialect = connection.dialect.name
    for upload in uploads:
        columns = [f'"{each.column}" {sql_name(each, dialect)}' for each in upload.held.fields]
        if upload.held.vectors:
            columns += [f"{name} {'BIGINT' if name == 'hpx' else 'DOUBLE PRECISION'}" for name in VECTORS]
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {upload.held.source} ({', '.join(columns)})")
        mark = "?" if dialect == "sqlite" else "%s"
        line = f"INSERT INTO {upload.held.source} VALUES ({', '.join([mark] * len(columns))})"
        rows = upload.rows()
        while batch := list(islice(rows, _BATCH)):
            connection.exec_driver_sql(line, batch)
        if dialect == "postgresql":
            connection.exec_driver_sql(f"ANALYZE {upload.held.source}")


def clear(connection: Connection, uploads: Sequence[Upload]) -> None:
    """Remove them."""
    for upload in uploads:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {upload.held.source}")

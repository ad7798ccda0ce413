"""Catalogues in the database: a table of their own each, with cells of HEALPix and unit vectors of the position."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.engine import Connection, Engine

from skysift.archive.fields import Field
from skysift.archive.positions import VECTORS, place_columns, position_of
from skysift.archive.sources import RowSource
from skysift.archive.storage import Stored, sql_name
from skysift.io.sql import told

__all__ = ["drop", "store_rows"]

_COMMIT = 10  # blocks between two commits: others may write in between


def store_rows(engine: Engine, name: str, source: RowSource) -> int:
    """The number of rows of a catalogue that were put into a new table of this name.

    Others may write between the blocks. What a broken-off attempt has left is replaced.
    """
    dialect, found = engine.dialect.name, position_of(source.fields)
    columns = [f'"{each.column}" {sql_name(each, dialect)}' for each in source.fields]
    if found is not None:
        columns += ["hpx BIGINT", *(f"{axis} DOUBLE PRECISION" for axis in VECTORS[1:])]
    with told(), engine.begin() as connection:
        drop(connection, name)
        connection.exec_driver_sql(f"CREATE TABLE {name} ({', '.join(columns)})")
    width = len(source.fields) + (4 if found is not None else 0)
    count = 0
    blocks = iter(source.blocks())
    while part := list(itertools.islice(blocks, _COMMIT)):
        with told(), engine.begin() as connection:
            for block in part:
                values = [*block, *(place_columns(source.fields, block, found) if found is not None else ())]
                _insert(connection, name, width, values)
                count += len(block[0])
    with told(), engine.begin() as connection:
        if found is not None:
            connection.exec_driver_sql(f"CREATE INDEX {name}_hpx ON {name} (hpx)")
            connection.exec_driver_sql(f'CREATE INDEX {name}_lat ON {name} ("{found[1].column}")')
        for each in _keys(source.fields):
            connection.exec_driver_sql(f'CREATE INDEX {name}_{each.column} ON {name} ("{each.column}")')
        if dialect == "postgresql":
            connection.exec_driver_sql(f"ANALYZE {name}")
    return count


def drop(connection: Connection, name: str) -> None:
    """Remove the table of a catalogue, if it is there."""
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")


def _keys(fields: Sequence[Field]) -> Iterator[Field]:
    """Columns that rows are asked for by: identifiers."""
    yield from (each for each in fields if each.indexed and not each.array)


def _insert(connection: Connection, name: str, width: int, values: list[Sequence[Stored]]) -> None:
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {name} FROM STDIN") as copy:
            for row in zip(*values, strict=True):
                copy.write_row(row)
        return
    connection.exec_driver_sql(
        f"INSERT INTO {name} VALUES ({', '.join(['?'] * width)})", list(zip(*values, strict=True))
    )

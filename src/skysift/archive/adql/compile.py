"""`compile_query`: ADQL becomes a statement of the database, with the type and meaning of every column it gives.

Types come from the tables and the tree of the query, never from values: a column keeps what it is under any name.
The tables that a query can name are those that its user may read; to them no other tables exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from skysift.archive.adql.conditions import condition
from skysift.archive.adql.grammar import parse
from skysift.archive.adql.scope import Query, Scope
from skysift.archive.adql.select import translate
from skysift.archive.adql.sql import SqlDialect, Writer
from skysift.archive.adql.values import Region
from skysift.archive.fields import Field, HeldTables
from skysift.archive.policy import User
from skysift.archive.uploads import Upload
from skysift.base.errors import OptionError, UsageError

__all__ = ["Compiled", "Part", "compile_query"]

_LONGEST = 2_000_000  # characters of SQL


@dataclass(frozen=True)
class Part:
    """Which values of a row of the database make one column of the result."""

    start: int
    count: int = 1


@dataclass(frozen=True)
class Compiled:
    """A query that can be run.

    Parameters
    ----------
    sql
        The statement; it asks for one row more than may be given, which tells whether there are more.
    parameters
        Its parameters.
    columns
        What it gives.
    parts
        Where in a row of the database each column is.
    maxrec
        How many rows may be given.
    dialect
        The database it is for.
    uploads
        The tables that come with it.
    """

    sql: str
    parameters: Mapping[str, Any]
    columns: tuple[Field, ...]
    parts: tuple[Part, ...]
    maxrec: int
    dialect: SqlDialect
    uploads: tuple[Upload, ...] = field(default=())


def compile_query(
    text: str,
    tables: HeldTables,
    user: User,
    dialect: SqlDialect,
    maxrec: int,
    uploads: Mapping[str, Upload] | None = None,
) -> Compiled:
    """The statement of a query.

    Parameters
    ----------
    text
        The query, in ADQL 2.1.
    tables
        The tables that the user may query: `Shelf.tables` of that user.
    user
        Who asks.
    dialect
        ``sqlite`` or ``postgresql``: the name of the engine's dialect.
    maxrec
        Rows that may be given at most.
    uploads
        The tables that come with the query, by name; it finds them in the schema ``tap_upload``.

    Raises
    ------
    UsageError
        The query cannot be read, or is not one that can be answered.
    UnknownName
        It names a table, column or function that does not exist for this user.
    """
    if maxrec < 0:
        raise OptionError("the number of rows must not be below 0", got=maxrec)
    writer = Writer(dialect)
    given = {name.lower(): each for name, each in (uploads or {}).items()}
    held = {name: each.held for name, each in given.items()}
    tree = parse(text)
    scope = Scope(writer, tables, held, translate, condition)
    try:
        found = translate(tree, scope, most=maxrec + 1)
    except RecursionError as error:
        raise UsageError("the query is nested too deeply", todo="split it by WITH") from error
    if len(found.sql) > _LONGEST:
        raise UsageError("the query is too long for the database", got=f"{len(found.sql)} characters of SQL")
    columns, parts = _result(found)
    return Compiled(found.sql, writer.parameters, columns, parts, maxrec, dialect, tuple(given.values()))


def _result(found: Query) -> tuple[tuple[Field, ...], tuple[Part, ...]]:
    columns, parts, start = [], [], 0
    for name, value in found.columns:
        count = 1 if value.shape is None or isinstance(value.shape, Region) else len(value.shape.parts)
        columns.append(value.field.called(name))
        parts.append(Part(start, count))
        start += count
    return tuple(columns), tuple(parts)

"""`Writer`: the pieces of SQL that SQLite and PostgreSQL write differently, and the parameters of a statement.

No text of a query becomes text of SQL: names are given anew, texts go as parameters, numbers are written from
their values. Both databases get the same operations on the same kinds of values (long whole numbers, double
precision, texts compared byte by byte), so that they give equal rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import sqlalchemy
from sqlalchemy.dialects import postgresql, sqlite

from skysift.base.errors import OptionError

__all__ = ["SqlDialect", "Writer", "balanced"]

SqlDialect: TypeAlias = Literal["sqlite", "postgresql"]


class Writer:
    """Writes the SQL of one statement for one database.

    Parameters
    ----------
    dialect
        ``sqlite`` or ``postgresql``.
    """

    def __init__(self, dialect: SqlDialect) -> None:
        if dialect not in get_args(SqlDialect):
            raise OptionError("no such kind of database", got=dialect, allowed=get_args(SqlDialect))
        self.lite = dialect == "sqlite"
        self.parameters: dict[str, Any] = {}
        self._known: dict[str, str] = {}
        self._count = 0

    def name(self, letter: str) -> str:
        """A new name."""
        self._count += 1
        return f"{letter}{self._count}"

    def text(self, value: str) -> str:
        """A text: a parameter, the same one for the same text."""
        if value not in self._known:
            self._known[value] = f"k{len(self._known) + 1}"
            self.parameters[self._known[value]] = value
        key = self._known[value]
        return f":{key}" if self.lite else f"%({key})s::text"

    def whole(self, value: int) -> str:
        """A whole number."""
        return (
            str(int(value))
            if self.lite
            else f"{int(value)}::bigint"
            if value >= 0
            else f"({int(value)})::bigint"
        )

    def real(self, value: float) -> str:
        """A number of double precision."""
        text = repr(float(value))
        if not math.isfinite(value):
            return "NULL" if self.lite else "NULL::float8"
        if self.lite:
            return text if value >= 0 else f"({text})"
        return f"'{text}'::float8"

    def as_real(self, sql: str) -> str:
        """A number, in double precision."""
        return f"CAST({sql} AS REAL)" if self.lite else f"CAST({sql} AS double precision)"

    def as_whole(self, sql: str) -> str:
        """A number, cut to a whole one."""
        return (
            f"CAST({sql} AS INTEGER)"
            if self.lite
            else f"CAST(trunc(CAST({sql} AS double precision)) AS bigint)"
        )

    def as_text(self, sql: str) -> str:
        """A number, as a text."""
        return f"sky_text({sql})" if self.lite else f"CAST({sql} AS text)"

    def null(self, kind: str) -> str:
        """The missing value of a kind: ``real``, ``whole`` or ``text``."""
        if self.lite:
            return "NULL"
        return f"NULL::{ {'real': 'float8', 'whole': 'bigint', 'text': 'text'}[kind] }"

    def least(self, a: str, b: str) -> str:
        """The lower of two numbers."""
        return f"min({a}, {b})" if self.lite else f"least({a}, {b})"

    def like(self, value: str, pattern: str, *, case_blind: bool) -> str:
        """Whether a text is like a pattern; ``%`` and ``_`` stand for any, and nothing else does."""
        if self.lite:
            return f"sky_ilike({value}, {pattern})" if case_blind else f"sky_like({value}, {pattern})"
        return f"{value} {'ILIKE' if case_blind else 'LIKE'} {pattern} ESCAPE ''"

    def glob(self, value: str, pattern: str) -> str:
        """As `like` for a pattern that is known, in a form of SQLite that uses an index."""
        glob = re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", pattern)
        return f"{value} GLOB {self.text(glob.replace('%', '*').replace('_', '?'))}"

    def order(self, sql: str, *, descending: bool) -> str:
        """A term of an order; missing values are the lowest."""
        if self.lite:
            return f"{sql} DESC" if descending else sql
        return f"{sql} DESC NULLS LAST" if descending else f"{sql} ASC NULLS FIRST"

    def limit(self, rows: int | None, skipped: int | None) -> str:
        """How many rows, and how many are left out before."""
        parts = "" if rows is None else f" LIMIT {int(rows)}"
        if skipped:
            parts = parts or (" LIMIT -1" if self.lite else "")
            parts += f" OFFSET {int(skipped)}"
        return parts

    def within(self, source: str, ranges: Sequence[tuple[int, int]]) -> str:
        """The rows of a table whose cell is in one of these ranges, by the index.

        SQLite goes through a list of the ranges (a condition of many terms would be too deep for it); PostgreSQL joins
        the places that its index has for each term.
        """
        if self.lite:
            rows = ", ".join(f"({int(a)}, {int(b)})" for a, b in ranges)
            return (
                f"(SELECT a.* FROM (VALUES {rows}) AS r CROSS JOIN {source} AS a"
                " WHERE a.hpx BETWEEN r.column1 AND r.column2)"
            )
        terms = balanced([f"a.hpx BETWEEN {int(a)} AND {int(b)}" for a, b in ranges], "OR")
        return f"(SELECT a.* FROM {source} AS a WHERE {terms})"

    def selected(self, statement: sqlalchemy.Select[Any]) -> str:
        """A statement of ours, as a part of this one."""
        kind: Any = sqlite.dialect if self.lite else postgresql.psycopg.dialect
        dialect = kind(paramstyle="named") if self.lite else kind()
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        prefix, text = self.name("p"), str(compiled)
        for name, given in compiled.params.items():
            own = f"{prefix}_{name}"
            self.parameters[own] = given
            if self.lite:
                text = re.sub(rf"(?<!:):{name}\b", f":{own}", text)
            else:
                text = text.replace(f"%({name})s", f"%({own})s")
        return text


def balanced(parts: Sequence[str], operator: str) -> str:
    """Terms joined by an operator, as a tree that is as flat as can be: databases limit the depth."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f"({balanced(parts[:middle], operator)} {operator} {balanced(parts[middle:], operator)})"

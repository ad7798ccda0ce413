"""`Scope`: which tables and columns a part of a query can name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from skysift.archive.adql.sql import Writer
from skysift.archive.adql.values import Condition, Relation, Value
from skysift.archive.fields import HeldTable, HeldTables
from skysift.base.errors import UnknownName, UsageError

__all__ = ["Query", "Scope", "same_name"]


def same_name(written: exp.Identifier, name: str) -> bool:
    """Whether a name as written in a query is this one: letter by letter in quotes, whatever the case without."""
    return written.name == name if written.args.get("quoted") else written.name.lower() == name.lower()


@dataclass(frozen=True)
class Query:
    """A translated query: its SQL, and its columns: name, value (by its name in SQL), names of SQL."""

    sql: str
    columns: tuple[tuple[str, Value], ...]
    one_row: bool = False


@dataclass(eq=False)
class Scope:
    """What a SELECT can see: its own tables, then those around it.

    Parameters
    ----------
    writer
        Writes the SQL.
    tables
        The tables that the user may query.
    uploads
        The tables that came with the query, by name in small letters.
    parent
        The scope around it.
    named
        Queries that WITH has named, by name.
    translate, condition
        Translate a query inside this one, and a condition.
    """

    writer: Writer
    tables: HeldTables
    uploads: Mapping[str, HeldTable]
    translate: Callable[[exp.Query, Scope], Query]
    condition: Callable[[exp.Expr, Scope], Condition]
    parent: Scope | None = None
    named: dict[str, Query] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    merged: dict[str, Value] = field(default_factory=dict)  # of USING and NATURAL, by name in small letters
    hidden: set[tuple[str, str]] = field(
        default_factory=set
    )  # (SQL name of relation, name) merged into another
    grouped: frozenset[str] = frozenset()

    def inside(self) -> Scope:
        """A scope within this one."""
        return Scope(
            self.writer, self.tables, self.uploads, self.translate, self.condition, self, dict(self.named)
        )

    def around(self) -> Scope:
        """A scope beside this one: a query in FROM sees what is around, and not its neighbours."""
        return Scope(
            self.writer,
            self.tables,
            self.uploads,
            self.translate,
            self.condition,
            self.parent,
            dict(self.named),
        )

    def called(self, relation: Relation, column: exp.Column) -> bool:
        """Whether a table is meant by what stands before the name of a column."""
        table = column.args.get("table")
        return isinstance(table, exp.Identifier) and _called(relation, table, column.args.get("db"))

    def add(self, relation: Relation) -> None:
        """Put a table into the FROM clause.

        Raises
        ------
        UsageError
            There is one of this name already.
        """
        if any(relation.name.lower() == other.name.lower() for other in self.relations if other.name):
            raise UsageError(
                "two tables of a query have one name", got=relation.name, todo="give one another name: AS ..."
            )
        self.relations.append(relation)

    def find(self, column: exp.Column) -> Value:
        """The column that a name means.

        Raises
        ------
        UnknownName
            There is none.
        UsageError
            There are several.
        """
        scope: Scope | None = self
        while scope is not None:
            found = scope._own(column)
            if found is not None:
                return found
            scope = scope.parent
        shown = ".".join(part.name for part in column.parts)
        raise UnknownName("no table of the query has such a column", got=shown, allowed=self._known(column))

    def _own(self, column: exp.Column) -> Value | None:
        name = column.this
        table, schema = column.args.get("table"), column.args.get("db")
        if column.args.get("catalog") is not None:
            raise UnknownName("tables have no catalogue before their schema", got=column.sql())
        if table is None and not name.args.get("quoted") and name.name.lower() in self.merged:
            return self.merged[name.name.lower()]
        found: list[Value] = []
        for relation in self.relations:
            if table is not None and not _called(relation, table, schema):
                continue
            for known, value in relation.columns:
                if same_name(name, known) and (
                    table is not None or (relation.sql_name, known.lower()) not in self.hidden
                ):
                    found.append(value)
        if len(found) > 1:
            exact = [value for value in found if value.field.name == name.name]
            if len(exact) == 1:
                return exact[0]
            raise UsageError(
                "several tables of the query have this column",
                got=name.name,
                todo="put the name of the table before it",
            )
        return found[0] if found else None

    def _known(self, column: exp.Column) -> list[str]:
        return [known for relation in self.relations for known, _ in relation.columns][:40]


def _called(relation: Relation, table: exp.Identifier, schema: exp.Identifier | None) -> bool:
    """Whether a table of the FROM clause is meant by this name."""
    if schema is not None:
        held = relation.held
        return (
            held is not None
            and relation.name.lower() == held.name.lower()
            and same_name(table, held.name)
            and same_name(schema, held.schema)
        )
    return bool(relation.name) and same_name(table, relation.name)

"""The FROM of a query as SQL: tables of the shelf, uploads, named queries, subqueries, and their joins."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from skysift.archive.adql.conditions import condition, conjuncts, where
from skysift.archive.adql.scope import Query, Scope
from skysift.archive.adql.values import Condition, Relation, Value
from skysift.archive.fields import HeldTable
from skysift.archive.uploads import SCHEMA
from skysift.base.errors import UnknownName, UsageError

__all__ = ["join_clause", "rendered", "table_clause"]

_TABLE_PARTS = {"this", "db", "catalog", "alias", "joins"}
_JOIN_PARTS = {"this", "side", "kind", "method", "on", "using"}
_MOST_TABLES = 60  # SQLite joins up to 64

Columns = Callable[[Query, str, Scope], list[tuple[str, Value]]]


def table_clause(node: exp.Expr, scope: Scope, columns_from: Columns) -> list[str | Relation]:
    """A table of FROM, with the joins that its parentheses hold: text, and tables that are written at the end."""
    if len(scope.relations) >= _MOST_TABLES:
        raise UsageError("the query joins too many tables", allowed=f"up to {_MOST_TABLES}")
    if isinstance(node, exp.Table):
        _refuse(node, _TABLE_PARTS)
        parts: list[str | Relation] = [_table(node, scope, columns_from)]
        for join in node.args.get("joins") or ():
            parts += join_clause(join, scope, columns_from)
        return parts
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
        if node.args.get("alias"):
            raise UsageError("joins in parentheses have no name", got=node.alias)
        inner = table_clause(node.this, scope, columns_from)
        for join in node.args.get("joins") or ():
            inner += join_clause(join, scope, columns_from)
        return ["(", *inner, ")"]
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
        _refuse(node, {"this", "alias", "joins"})
        alias = node.args.get("alias")
        if alias is None or not alias.name or alias.args.get("columns"):
            raise UsageError(
                "a query in FROM needs a name", got=node.sql()[:80], todo="write (SELECT ...) AS name"
            )
        query = scope.translate(node.this, scope.around())
        sql_name = scope.writer.name("t")
        relation = Relation(alias.name, sql_name, columns_from(query, sql_name, scope), f"({query.sql})")
        scope.add(relation)
        found: list[str | Relation] = [relation]
        for join in node.args.get("joins") or ():
            found += join_clause(join, scope, columns_from)
        return found
    raise UsageError("this is no table of ADQL", got=node.sql()[:80])


def join_clause(node: exp.Join, scope: Scope, columns_from: Columns) -> list[str | Relation]:
    """A join: its word, its table, its condition."""
    _refuse(node, _JOIN_PARTS)
    side, kind, method = (str(node.args.get(part) or "").upper() for part in ("side", "kind", "method"))
    if (
        side not in ("", "LEFT", "RIGHT", "FULL")
        or kind not in ("", "INNER", "OUTER", "CROSS")
        or method not in ("", "NATURAL")
    ):
        raise UsageError("no such join in ADQL", got=f"{method} {side} {kind}".strip())
    before = list(scope.relations)
    table = table_clause(node.this, scope, columns_from)
    after = [relation for relation in scope.relations if relation not in before]
    on, using = node.args.get("on"), node.args.get("using")
    if method == "NATURAL" or using:
        if len(after) != 1 or on is not None:
            raise UsageError("NATURAL and USING join one table", got=node.sql()[:80])
        names = [each.name for each in using] if using else _common(before, after[0], scope)
        test = _merge(names, before, after[0], side, scope)
    elif on is not None:
        if kind == "CROSS":
            raise UsageError("CROSS JOIN has no condition", got=node.sql()[:80])
        test = where(conjuncts(on), scope) if not side else condition(on, scope)
    elif side or kind == "INNER":
        raise UsageError(
            "the join has no condition", got=node.sql()[:80], allowed="ON ..., USING (...), NATURAL"
        )
    else:
        return [" CROSS JOIN ", *table]
    if test.aggregate:
        raise UsageError("an aggregate stands in ON", todo="use HAVING")
    return [f" {side} JOIN " if side else " JOIN ", *table, f" ON {test.sql}"]


def rendered(relation: Relation, scope: Scope) -> str:
    """A table as FROM writes it; only the rows in some cells where the condition confines it to them."""
    source = relation.source
    if relation.ranges is None:
        return f"{source} AS {relation.sql_name}"
    if not relation.ranges:
        return f"(SELECT * FROM {source} AS a WHERE 1 = 0) AS {relation.sql_name}"
    return f"{scope.writer.within(source, relation.ranges)} AS {relation.sql_name}"


def _refuse(node: exp.Expr, known: set[str]) -> None:
    for part, content in node.args.items():
        if content and part not in known:
            raise UsageError(
                "this is not of ADQL", got=part.strip("_").upper(), allowed="tables, and their joins"
            )


def _table(node: exp.Table, scope: Scope, columns_from: Columns) -> Relation:
    name, schema = node.this, node.args.get("db")
    if not isinstance(name, exp.Identifier):
        raise UsageError("ADQL has no functions that give tables", got=node.sql()[:80])
    if node.args.get("catalog") is not None:
        raise UnknownName("there is no such table", got=node.sql(), todo="tables are called schema.name")
    alias = node.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        raise UsageError("a table in FROM keeps the names of its columns", got=node.sql()[:80])
    given = alias.name if alias is not None else ""
    sql_name = scope.writer.name("t")
    named = scope.named.get(name.name.lower()) if schema is None else None
    if named is not None:
        relation = Relation(given or name.name, sql_name, columns_from(named, sql_name, scope), named.sql)
    else:
        held = _held(name, schema, scope)
        columns = []
        for each in held.fields:
            sql = f'{sql_name}."{each.column}"'
            if each.text and not scope.writer.lite and not isinstance(held.source, str):
                sql = f'({sql} COLLATE "C")'  # tables of ours are declared so
            columns.append((each.name, Value(sql, each, frozenset({sql}))))
        source = held.source if isinstance(held.source, str) else f"({scope.writer.selected(held.source)})"
        relation = Relation(given or held.name, sql_name, columns, source, held)
    scope.add(relation)
    return relation


def _held(name: exp.Identifier, schema: exp.Identifier | None, scope: Scope) -> HeldTable:
    if schema is not None and schema.name.lower() == SCHEMA:
        upload = scope.uploads.get(name.name.lower())
        if upload is None:
            raise UnknownName("no such table came with the query", got=name.name, allowed=list(scope.uploads))
        return upload
    found = scope.tables.find("" if schema is None else schema.name, name.name)
    if found is None:
        shown = name.name if schema is None else f"{schema.name}.{name.name}"
        raise UnknownName("there is no such table", got=shown, todo="TAP_SCHEMA.tables lists the tables")
    return found


def _common(before: list[Relation], right: Relation, scope: Scope) -> list[str]:
    """The names of the columns that both sides of a NATURAL join have."""
    known = {name.lower() for relation in before for name, _ in relation.columns} | set(scope.merged)
    return [name for name, _ in right.columns if name.lower() in known]


def _merge(names: list[str], before: list[Relation], right: Relation, side: str, scope: Scope) -> Condition:
    """The condition that columns of one name are equal; they are one column from then on."""
    tests, free = [], frozenset[str]()
    for name in names:
        low = name.lower()
        left = _of(before, low, scope)
        other = next((value for known, value in right.columns if known.lower() == low), None)
        if left is None or other is None or left.shape is not None or other.shape is not None:
            raise UnknownName("both sides of the join must have the column", got=name)
        if left.field.text != other.field.text:
            raise UsageError("columns that join are of different kinds", got=name)
        tests.append(f"{left.sql} = {other.sql}")
        free |= left.free | other.free
        if side == "FULL":
            both = f"coalesce({left.sql}, {other.sql})"
            scope.merged[low] = Value(both, left.field, left.free | other.free)
        else:
            scope.merged[low] = other if side == "RIGHT" else left
        scope.hidden |= {(relation.sql_name, low) for relation in (*before, right)}
    return Condition(f"({' AND '.join(tests)})" if tests else "(1 = 1)", free)


def _of(before: list[Relation], low: str, scope: Scope) -> Value | None:
    if low in scope.merged:
        return scope.merged[low]
    found = [value for relation in before for known, value in relation.columns if known.lower() == low]
    if len(found) > 1:
        raise UsageError("several tables on the left of the join have this column", got=low)
    return found[0] if found else None

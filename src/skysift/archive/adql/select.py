"""SELECT as SQL: its tables, joins, columns, groups and order; set operations and WITH."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from skysift.archive.adql.conditions import condition, conjuncts, where
from skysift.archive.adql.expressions import constant, value
from skysift.archive.adql.places import point
from skysift.archive.adql.scope import Query, Scope, same_name
from skysift.archive.adql.tables import join_clause, rendered, table_clause
from skysift.archive.adql.values import Circle, Point, Polygon, Region, Relation, Shape, Value, wider
from skysift.base.errors import UsageError

__all__ = ["columns_from", "translate"]

_PARTS = {
    "expressions",
    "from_",
    "joins",
    "where",
    "group",
    "having",
    "order",
    "limit",
    "offset",
    "distinct",
    "with_",
}
_SET_PARTS = {"this", "expression", "distinct", "order", "limit", "offset", "with_"}
_SETS: dict[type[exp.Expr], str] = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}
_MOST_COLUMNS = 1000


def translate(tree: exp.Query, scope: Scope, most: int | None = None) -> Query:
    """The SQL of a query, in a scope that is its own.

    Parameters
    ----------
    tree
        The query.
    scope
        What is known around it.
    most
        Rows to give at most, whatever the query says.

    Raises
    ------
    UsageError
        The query is not one of ADQL, or its parts do not fit together.
    """
    scope.translate = translate
    head = _with(tree, scope)
    if isinstance(tree, exp.Subquery):
        if not isinstance(tree.this, exp.Query) or tree.args.get("alias"):
            raise UsageError("this is no query", got=tree.sql()[:80])
        _refuse_others(tree, {"this", "with_"})
        found = translate(tree.this, scope.inside(), most)
    elif isinstance(tree, exp.SetOperation):
        found = _set(tree, scope, most)
    elif isinstance(tree, exp.Select):
        found = _select(tree, scope, most)
    else:
        raise UsageError("this is no query of ADQL", got=tree.sql()[:80], allowed="SELECT")
    return replace(found, sql=head + found.sql)


def columns_from(query: Query, sql_name: str, scope: Scope) -> list[tuple[str, Value]]:
    """The columns of a query that stands in FROM under a name of SQL."""
    columns = []
    for name, found in query.columns:
        if found.shape is None:
            sql = f"{sql_name}.{found.sql}"
            columns.append((name, Value(sql, found.field.called(name), frozenset({sql}))))
        else:
            shape = _again(found.shape, sql_name, scope)
            free = frozenset(part.sql for part in shape.parts)
            columns.append((name, Value("", found.field.called(name), free, shape=shape)))
    return columns


def _again(shape: Shape, sql_name: str, scope: Scope) -> Shape:
    """A shape of a query inside, from the columns that carry its numbers."""

    def outer(part: Value) -> Value:
        sql = f"{sql_name}.{part.sql}"
        return Value(sql, part.field, frozenset({sql}))

    def place(each: Point) -> Point:
        return point(outer(each.lon), outer(each.lat), each.system, scope)

    if isinstance(shape, Point):
        return place(shape)
    if isinstance(shape, Circle):
        return Circle(place(shape.center), outer(shape.radius))
    if isinstance(shape, Polygon):
        return Polygon(tuple(place(corner) for corner in shape.corners))
    return Region(outer(shape.text))


def _with(tree: exp.Query, scope: Scope) -> str:
    """The WITH clause of a query; what it names is known in the scope from then on."""
    clause = tree.args.get("with_")
    if clause is None:
        return ""
    if clause.args.get("recursive"):
        raise UsageError("WITH RECURSIVE is not of ADQL", allowed="WITH name AS (SELECT ...)")
    lines: list[str] = []
    own: set[str] = set()
    for named in clause.expressions:
        alias = named.args["alias"]
        if not isinstance(named.this, exp.Query):
            raise UsageError("WITH names queries", got=named.sql()[:80])
        name = alias.this.name
        if name.lower() in own:
            raise UsageError("WITH names two queries alike", got=name)
        own.add(name.lower())
        found = translate(named.this, scope.inside())
        wanted = alias.args.get("columns") or []
        if wanted:
            if len(wanted) != len(found.columns):
                raise UsageError(
                    "WITH names another number of columns", got=len(wanted), allowed=str(len(found.columns))
                )
            columns = tuple(
                (each.name, value) for each, (_, value) in zip(wanted, found.columns, strict=True)
            )
            found = replace(found, columns=columns)
        sql_name = scope.writer.name("w")
        lines.append(f"{sql_name} AS ({found.sql})")
        scope.named[name.lower()] = replace(found, sql=sql_name)
    return f"WITH {', '.join(lines)} "


@dataclass(frozen=True)
class _Item:
    """A column of a SELECT: its name, what it is, and the SQL and the names in SQL of its parts."""

    name: str
    value: Value
    texts: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def carried(self) -> Value:
        """The value by its names in SQL."""
        if self.value.shape is None:
            return Value(self.names[0], self.value.field.called(self.name))
        parts = [
            Value(name, part.field) for name, part in zip(self.names, self.value.shape.parts, strict=True)
        ]
        return Value("", self.value.field.called(self.name), shape=_with_parts(self.value.shape, parts))


def _with_parts(shape: Shape, parts: Sequence[Value]) -> Shape:
    if isinstance(shape, Point):
        return replace(shape, lon=parts[0], lat=parts[1], relation=None, place=None)
    if isinstance(shape, Circle):
        center = replace(shape.center, lon=parts[0], lat=parts[1], relation=None, place=None)
        return Circle(center, parts[2])
    if isinstance(shape, Polygon):
        corners = [
            replace(corner, lon=parts[2 * k], lat=parts[2 * k + 1], relation=None, place=None)
            for k, corner in enumerate(shape.corners)
        ]
        return Polygon(tuple(corners))
    return Region(parts[0])


def _select(tree: exp.Select, scope: Scope, most: int | None) -> Query:
    _refuse_others(tree, _PARTS)
    clause = tree.args.get("from_")
    if clause is None:
        raise UsageError("the query has no FROM", allowed="SELECT ... FROM table")
    tables: list[str | Relation] = list(table_clause(clause.this, scope, columns_from))
    for join in tree.args.get("joins") or ():
        tables += join_clause(join, scope, columns_from)
    lines = []
    if tree.args.get("where") is not None:
        test = where(conjuncts(tree.args["where"].this), scope)
        if test.aggregate:
            raise UsageError("an aggregate stands in WHERE", todo="use HAVING")
        lines.append(f" WHERE {test.sql}")
    groups = _groups(tree, scope)
    items = _items(tree.expressions, scope)
    having = tree.args.get("having")
    limits = condition(having.this, scope) if having is not None else None
    aggregated = bool(groups) or any(item.value.aggregate for item in items) or limits is not None
    if groups:
        lines.append(f" GROUP BY {', '.join(groups)}")
    if limits is not None:
        lines.append(f" HAVING {limits.sql}")
        _check_grouped("HAVING", limits.free)
    if aggregated:
        for item in items:
            _check_grouped(item.name, item.value.free)
    distinct = tree.args.get("distinct")
    if distinct is not None and distinct.args.get("on") is not None:
        raise UsageError("DISTINCT ON is not of ADQL", allowed="SELECT DISTINCT")
    lines.append(_order(tree, scope, items, aggregated=aggregated, only_items=distinct is not None))
    top = _count(tree, "limit")
    lines.append(scope.writer.limit(_lower(top, most), _count(tree, "offset")))
    shown = ", ".join(
        f"{text} AS {name}" for item in items for text, name in zip(item.texts, item.names, strict=True)
    )
    source = "".join(each if isinstance(each, str) else rendered(each, scope) for each in tables)
    text = f"SELECT {'DISTINCT ' if distinct is not None else ''}{shown} FROM {source}{''.join(lines)}"
    one = (aggregated and not groups) or top == 1
    return Query(text, tuple((item.name, item.carried) for item in items), one)


def _refuse_others(tree: exp.Expr, known: set[str]) -> None:
    for part, content in tree.args.items():
        if content and part not in known:
            raise UsageError("this is not of ADQL", got=part.strip("_").upper())


def _lower(a: int | None, b: int | None) -> int | None:
    known = [each for each in (a, b) if each is not None]
    return min(known) if known else None


def _count(tree: exp.Expr, part: str) -> int | None:
    """The number of TOP or OFFSET."""
    clause = tree.args.get(part)
    if clause is None:
        return None
    number = constant(clause.expression)
    if not isinstance(clause, exp.Limit | exp.Offset) or not isinstance(number, int) or number < 0:
        word = "TOP" if part == "limit" else "OFFSET"
        raise UsageError(f"{word} takes a whole number", got=clause.sql(), allowed="0 or more")
    return min(number, 2**62)


def _groups(tree: exp.Select, scope: Scope) -> list[str]:
    """The terms of GROUP BY; the scope knows them from then on."""
    clause = tree.args.get("group")
    if clause is None:
        return []
    _refuse_others(clause, {"expressions"})
    found: list[str] = []
    for node in clause.expressions:
        each = value(node, scope)
        if each.aggregate:
            raise UsageError("GROUP BY holds an aggregate", got=node.sql()[:60])
        parts = [each.sql] if each.shape is None else [part.sql for part in each.shape.parts]
        if not each.free:
            raise UsageError(
                "GROUP BY takes columns", got=node.sql()[:60], allowed="columns, or expressions of them"
            )
        found += [part for part in parts if part not in found]
    scope.grouped = frozenset(found)
    return found


def _check_grouped(what: str, free: frozenset[str]) -> None:
    if free:
        raise UsageError(
            "a column stands beside aggregates without being grouped by",
            got=what,
            todo="put it into GROUP BY or an aggregate",
        )


def _items(nodes: Sequence[exp.Expr], scope: Scope) -> list[_Item]:
    """The columns of a SELECT."""
    named: list[tuple[str, Value]] = []
    for node in nodes:
        if isinstance(node, exp.Star):
            _refuse_others(node, set())
            named += _star(scope, None)
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            _refuse_others(node.this, set())
            named += _star(scope, node)
        elif isinstance(node, exp.Alias):
            if not node.alias:
                raise UsageError("a column has an empty name", got=node.sql()[:80])
            named.append((node.alias, value(node.this, scope)))
        else:
            found = value(node, scope)
            named.append((_name(node, found, len(named) + 1), found))
    if not named:
        raise UsageError("the query has no columns", allowed="SELECT columns FROM table")
    if len(named) > _MOST_COLUMNS:
        raise UsageError("the query has too many columns", got=len(named), allowed=f"up to {_MOST_COLUMNS}")
    items, count = [], 0
    for name, found in named:
        texts = (found.sql,) if found.shape is None else tuple(part.sql for part in found.shape.parts)
        names = tuple(f"c{count + k + 1}" for k in range(len(texts)))
        count += len(texts)
        items.append(_Item(name, found, texts, names))
    return items


def _name(node: exp.Expr, found: Value, number: int) -> str:
    """What a column without name is called."""
    if isinstance(node, exp.Column):
        return found.field.name
    if isinstance(node, exp.Anonymous) and isinstance(node.this, str):
        return node.this.lower()
    return f"col{number}"


def _star(scope: Scope, column: exp.Column | None) -> list[tuple[str, Value]]:
    """The columns that a star stands for."""
    if column is None:
        merged = [(found.field.name, found) for found in scope.merged.values()]
        return merged + [
            (name, found)
            for relation in scope.relations
            for name, found in relation.columns
            if (relation.sql_name, name.lower()) not in scope.hidden
        ]
    for relation in scope.relations:
        if scope.called(relation, column):
            return list(relation.columns)
    raise UsageError("no table of the query is called so", got=column.sql())


def _order(
    tree: exp.Expr, scope: Scope, items: Sequence[_Item], *, aggregated: bool, only_items: bool
) -> str:
    """The ORDER BY of a query: by columns of the result, their numbers, or (in a SELECT) other values."""
    clause = tree.args.get("order")
    if clause is None:
        return ""
    terms = []
    for term in clause.expressions:
        if not isinstance(term, exp.Ordered):
            raise UsageError("ORDER BY cannot be read", got=term.sql()[:60])
        number = _position(term.this, items)
        if number is None and not isinstance(tree, exp.Select):
            raise UsageError("the order of a set operation takes its columns", got=term.this.sql()[:60])
        if number is None:
            found = value(term.this, scope)
            if found.shape is not None:
                raise UsageError("rows cannot be ordered by a shape", got=term.this.sql()[:60])
            if aggregated:
                _check_grouped(term.this.sql()[:60], found.free)
            same = [item.names[0] for item in items if item.texts == (found.sql,)]
            if only_items and not same:
                raise UsageError("distinct rows are ordered by their columns", got=term.this.sql()[:60])
            if found.constant is not None:
                raise UsageError("rows cannot be ordered by a constant", got=term.this.sql()[:60])
            sql = same[0] if same else found.sql
        else:
            if items[number].value.shape is not None:
                raise UsageError("rows cannot be ordered by a shape", got=items[number].name)
            sql = items[number].names[0]
        terms.append(scope.writer.order(sql, descending=bool(term.args.get("desc"))))
    return f" ORDER BY {', '.join(terms)}"


def _position(node: exp.Expr, items: Sequence[_Item]) -> int | None:
    """Which column of the result is meant: by its number, or by its name."""
    number = constant(node)
    if isinstance(number, int):
        if not 1 <= number <= len(items):
            raise UsageError(
                "the result has no column of this number", got=number, allowed=f"1 to {len(items)}"
            )
        return number - 1
    if isinstance(node, exp.Column) and node.args.get("table") is None:
        same = [k for k, item in enumerate(items) if same_name(node.this, item.name)]
        if len(same) == 1:
            return same[0]
    return None


def _set(tree: exp.SetOperation, scope: Scope, most: int | None) -> Query:
    _refuse_others(tree, _SET_PARTS)
    left, right = (translate(_query(tree.args[part]), scope.inside()) for part in ("this", "expression"))
    if len(left.columns) != len(right.columns):
        raise UsageError(
            "the queries of a set operation have different numbers of columns",
            got=f"{len(left.columns)} and {len(right.columns)}",
        )
    columns: list[tuple[str, Value]] = []
    for (name, a), (_, b) in zip(left.columns, right.columns, strict=True):
        if (a.shape is None) != (b.shape is None) or (
            a.shape and b.shape and len(a.shape.parts) != len(b.shape.parts)
        ):
            raise UsageError("the columns of a set operation are of different kinds", got=name)
        kind = wider([a.field, b.field], "the columns of a set operation")
        columns.append((name, replace(a, field=kind)))
    names = [part for _, each in columns for part in _sql_names(each)]
    word = _SETS[type(tree)]
    whole = not tree.args.get("distinct")
    text = _joined(left, right, word, names, scope, keep_all=whole)
    items = [_Item(name, each, _sql_names(each), _sql_names(each)) for name, each in columns]
    order = _order(tree, scope, items, aggregated=False, only_items=True)
    top = _lower(_count(tree, "limit"), most)
    skipped = _count(tree, "offset")
    text += order + scope.writer.limit(top, skipped)
    return Query(text, tuple(columns), top == 1)


def _query(node: exp.Expr) -> exp.Query:
    if not isinstance(node, exp.Query):
        raise UsageError("a set operation joins queries", got=node.sql()[:80])
    return node


def _sql_names(each: Value) -> tuple[str, ...]:
    return (each.sql,) if each.shape is None else tuple(part.sql for part in each.shape.parts)


def _joined(left: Query, right: Query, word: str, names: list[str], scope: Scope, *, keep_all: bool) -> str:
    """Two queries and the word between them; ALL of INTERSECT and EXCEPT by numbering equal rows."""
    inner = [f"{scope.writer.name('s')}" for _ in range(2)]
    if not keep_all or word == "UNION":
        sides = [
            f"SELECT * FROM ({each.sql}) AS {name}" for each, name in zip((left, right), inner, strict=True)
        ]
        return f" {word}{' ALL' if keep_all else ''} ".join(sides)
    others = [name for _, each in right.columns for name in _sql_names(each)]
    sides = []
    for each, name, own in ((left, inner[0], names), (right, inner[1], others)):
        sides.append(
            f"SELECT {', '.join(own)}, row_number() OVER (PARTITION BY {', '.join(own)}) AS n FROM ({each.sql}) AS {name}"
        )
    return f"SELECT {', '.join(names)} FROM ({f' {word} '.join(sides)}) AS {scope.writer.name('s')}"

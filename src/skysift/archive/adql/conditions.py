"""Conditions of a query: comparisons, LIKE, IN, BETWEEN, EXISTS and the predicates of shapes, as SQL."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from skysift.archive.adql.expressions import constant, scalar, value
from skysift.archive.adql.inside import near, predicate
from skysift.archive.adql.scope import Scope
from skysift.archive.adql.shapes import two_points
from skysift.archive.adql.sql import balanced
from skysift.archive.adql.values import Condition, compared, joined, told
from skysift.archive.patterns import LONGEST_PATTERN
from skysift.base.errors import UsageError

__all__ = ["condition", "conjuncts", "where"]

_SIGNS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}
_TURNED = {"=": "=", "<>": "<>", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
_SHAPES = ("CONTAINS", "INTERSECTS")


def conjuncts(node: exp.Expr) -> list[exp.Expr]:
    """The conditions that must all hold."""
    return _flat(node, exp.And)


def condition(node: exp.Expr, scope: Scope) -> Condition:
    """A condition of the query.

    Raises
    ------
    UsageError
        It is not of ADQL, or its parts do not fit together.
    """
    translate = _NODES.get(type(node))
    if translate is not None:
        return translate(node, scope)
    found = value(node, scope)
    if not found.field.truth:
        raise UsageError(
            "this is no condition", got=node.sql()[:80], allowed="a comparison, or a column of true and false"
        )
    return Condition(f"({found.sql} <> {scope.writer.whole(0)})", found.free, found.aggregate)


def where(nodes: list[exp.Expr], scope: Scope) -> Condition:
    """Conditions that must all hold for a row to count; those on the sky confine the rows that are looked at."""
    terms = [
        _comparison(node, scope, confine=True) if type(node) in _SIGNS else condition(node, scope)
        for node in nodes
    ]
    return Condition(balanced([term.sql for term in terms], "AND"), *joined(*terms))


def _flat(node: exp.Expr, kind: type[exp.Connector]) -> list[exp.Expr]:
    """The terms of a chain of one connector, parentheses of the same one included."""
    found, waiting = [], [node]
    while waiting:
        term = waiting.pop()
        inner = term
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if isinstance(inner, kind):
            waiting += [inner.right, inner.left]
        else:
            found.append(inner)
    return found


def _chain(operator: str, kind: type[exp.Connector]) -> Callable[[exp.Expr, Scope], Condition]:
    def translate(node: exp.Expr, scope: Scope) -> Condition:
        terms = [condition(term, scope) for term in _flat(node, kind)]
        return Condition(balanced([term.sql for term in terms], operator), *joined(*terms))

    return translate


def _not(node: exp.Expr, scope: Scope) -> Condition:
    inner = condition(node.this, scope)
    return Condition(f"(NOT {inner.sql})", inner.free, inner.aggregate)


def _paren(node: exp.Expr, scope: Scope) -> Condition:
    return condition(node.this, scope)


def _comparison(node: exp.Expr, scope: Scope, *, confine: bool = False) -> Condition:
    sign, left, right = _SIGNS[type(node)], node.left, node.right  # type: ignore[attr-defined]
    if _is_call(right, *_SHAPES, "DISTANCE") and not _is_call(left, *_SHAPES, "DISTANCE"):
        left, right, sign = right, left, _TURNED[sign]
    if _is_call(left, *_SHAPES) and sign in ("=", "<>") and constant(right) in (0, 1):
        wanted = (constant(right) == 1) == (sign == "=")
        shapes = [value(each, scope) for each in left.expressions]
        holds = predicate(left.this, shapes, scope, confine=confine and wanted)
        return holds if wanted else Condition(f"(NOT {holds.sql})", holds.free, holds.aggregate)
    if _is_call(left, "DISTANCE") and sign in ("<", "<="):
        a, b = two_points([value(each, scope) for each in left.expressions], scope)
        quick = near(a, b, scalar(right, scope), scope, strict=sign == "<", confine=confine)
        if quick is not None:
            return quick
    return compared(scalar(left, scope), scalar(right, scope), sign)


def _is_call(node: exp.Expr, *names: str) -> bool:
    return isinstance(node, exp.Anonymous) and isinstance(node.this, str) and node.this.upper() in names


def _between(node: exp.Expr, scope: Scope) -> Condition:
    found, low, high = (scalar(node.args[part], scope) for part in ("this", "low", "high"))
    compared(found, low, ">="), compared(found, high, "<=")
    return Condition(f"({found.sql} BETWEEN {low.sql} AND {high.sql})", *joined(found, low, high))


def _like(*, case_blind: bool) -> Callable[[exp.Expr, Scope], Condition]:
    def translate(node: exp.Expr, scope: Scope) -> Condition:
        found, pattern = scalar(node.this, scope), scalar(node.expression, scope)
        if not found.field.text or not pattern.field.text:
            raise UsageError("LIKE compares texts", got=f"{told(found.field)} LIKE {told(pattern.field)}")
        if isinstance(pattern.constant, str) and len(pattern.constant) > LONGEST_PATTERN:
            raise UsageError(
                "the pattern is too long",
                got=f"{len(pattern.constant)} letters",
                allowed=f"at most {LONGEST_PATTERN}",
            )
        writer = scope.writer
        if writer.lite and not case_blind and isinstance(pattern.constant, str):
            text = writer.glob(found.sql, pattern.constant)
        else:
            text = writer.like(found.sql, pattern.sql, case_blind=case_blind)
        denied = "NOT " if node.args.get("negate") else ""
        return Condition(f"({denied}({text}))", *joined(found, pattern))

    return translate


def _in(node: exp.Expr, scope: Scope) -> Condition:
    found = scalar(node.this, scope)
    query = node.args.get("query")
    if query is not None:
        inner = query.this if isinstance(query, exp.Subquery) else query
        rows = scope.translate(inner, scope.inside())
        if len(rows.columns) != 1:
            raise UsageError("the query of IN must give one column", got=f"{len(rows.columns)} columns")
        compared(found, rows.columns[0][1], "=")
        return Condition(f"({found.sql} IN ({rows.sql}))", found.free, found.aggregate)
    listed = [scalar(each, scope) for each in node.expressions]
    if not listed:
        raise UsageError("IN needs values", allowed="IN (1, 2), or IN (SELECT ...)")
    for each in listed:
        compared(found, each, "=")
    return Condition(f"({found.sql} IN ({', '.join(each.sql for each in listed)}))", *joined(found, *listed))


def _is(node: exp.Expr, scope: Scope) -> Condition:
    if not isinstance(node.expression, exp.Null):
        raise UsageError("IS takes NULL or NOT NULL", got=node.sql()[:80])
    found = value(node.this, scope)
    if node.args.get("negate"):
        raise UsageError("IS takes NULL or NOT NULL", got=node.sql()[:80])
    if found.shape is not None:
        parts = found.shape.parts
        return Condition(
            "(" + " OR ".join(f"{part.sql} IS NULL" for part in parts) + ")", *joined(found, *parts)
        )
    return Condition(f"({found.sql} IS NULL)", found.free, found.aggregate)


def _exists(node: exp.Expr, scope: Scope) -> Condition:
    inner = node.this.this if isinstance(node.this, exp.Subquery) else node.this
    if not isinstance(inner, exp.Query):
        raise UsageError("EXISTS takes a query", got=node.sql()[:80])
    return Condition(f"EXISTS ({scope.translate(inner, scope.inside()).sql})")


_NODES: dict[type[exp.Expr], Callable[[exp.Expr, Scope], Condition]] = {
    exp.And: _chain("AND", exp.And),
    exp.Between: _between,
    exp.Exists: _exists,
    exp.ILike: _like(case_blind=True),
    exp.In: _in,
    exp.Is: _is,
    exp.Like: _like(case_blind=False),
    exp.Not: _not,
    exp.Or: _chain("OR", exp.Or),
    exp.Paren: _paren,
    **dict.fromkeys(_SIGNS, _comparison),
}

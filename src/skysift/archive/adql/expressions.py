"""Values of a query: columns, literals, arithmetic, CASE, CAST and calls, each as SQL with its type."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from skysift.archive.adql.functions import call
from skysift.archive.adql.scope import Scope
from skysift.archive.adql.values import Region, Value, compared, joined, told, wider
from skysift.archive.fields import Field
from skysift.base.errors import UsageError

__all__ = ["cast_to", "constant", "scalar", "value", "values"]

_DOUBLE, _LONG, _INT = Field("", "double"), Field("", "long"), Field("", "int")
_WIDE = Field("", "unicodeChar", "*")
_TEXT, _BOOLEAN = Field("", "char", "*"), Field("", "boolean")
_LARGEST_INT, _LARGEST_LONG = 2**31 - 1, 2**63 - 1
_CASTS = {
    exp.DType.SMALLINT: Field("", "short"),
    exp.DType.INT: _INT,
    exp.DType.BIGINT: _LONG,
    exp.DType.FLOAT: Field("", "float"),
    exp.DType.DOUBLE: _DOUBLE,
    exp.DType.CHAR: _TEXT,
    exp.DType.VARCHAR: _TEXT,
    exp.DType.TIMESTAMP: Field("", "char", "*", "timestamp"),
}


def value(node: exp.Expr, scope: Scope) -> Value:
    """A value of the query.

    Raises
    ------
    UsageError
        It is not of ADQL, or its parts do not fit together.
    """
    translate = _NODES.get(type(node))
    if translate is None:
        raise UsageError("this is no value of ADQL", got=node.sql()[:80])
    found = translate(node, scope)
    if found.sql in scope.grouped or (found.shape is not None and _all_grouped(found, scope)):
        return replace(found, free=frozenset())
    return found


def scalar(node: exp.Expr, scope: Scope, what: str = "a value") -> Value:
    """A value that is no shape.

    Raises
    ------
    UsageError
        It is a shape.
    """
    found = value(node, scope)
    if found.shape is not None:
        if isinstance(found.shape, Region):
            return found.shape.text
        raise UsageError(f"{what} must not be a shape", got=node.sql()[:80], allowed="a number or a text")
    return found


def values(nodes: list[exp.Expr], scope: Scope) -> list[Value]:
    """Several values."""
    return [value(node, scope) for node in nodes]


def constant(node: exp.Expr) -> str | float | int | None:
    """The value of a literal, signed or not; None for what is none."""
    if isinstance(node, exp.Paren):
        return constant(node.this)
    if isinstance(node, exp.Neg):
        inner = constant(node.this)
        return -inner if isinstance(inner, int | float) else None
    return _literal_value(node) if isinstance(node, exp.Literal) else None


def _all_grouped(found: Value, scope: Scope) -> bool:
    assert found.shape is not None
    return bool(scope.grouped) and all(
        part.sql in scope.grouped or not part.free for part in found.shape.parts
    )


def _literal_value(node: exp.Literal) -> str | float | int:
    text = str(node.this)
    if node.is_string:
        return text
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError as error:
        raise UsageError("this is no number", got=text) from error


def _literal(node: exp.Expr, scope: Scope) -> Value:
    assert isinstance(node, exp.Literal)
    return _constant_value(_literal_value(node), scope)


def _constant_value(known: str | float | int, scope: Scope) -> Value:
    if isinstance(known, str):
        return Value(scope.writer.text(known), _TEXT if known.isascii() else _WIDE, constant=known)
    if isinstance(known, int) and abs(known) <= _LARGEST_LONG:
        each = _INT if abs(known) <= _LARGEST_INT else _LONG
        return Value(scope.writer.whole(known), each, constant=known)
    if not math.isfinite(known):
        raise UsageError("a number of the query is too large", got=known)
    return Value(scope.writer.real(float(known)), _DOUBLE, constant=float(known))


def _negative(node: exp.Expr, scope: Scope) -> Value:
    known = constant(node)
    if isinstance(known, int | float):
        return _constant_value(known, scope)
    inner = _number(node.this, scope, "a minus sign")
    kind = inner.field if not inner.field.whole else replace(inner.field, datatype="long")
    return replace(inner, sql=f"(- {inner.sql})", field=replace(kind, name="", ucd="", utype=""))


def _paren(node: exp.Expr, scope: Scope) -> Value:
    return value(node.this, scope)


def _column(node: exp.Expr, scope: Scope) -> Value:
    assert isinstance(node, exp.Column)
    if isinstance(node.this, exp.Star):
        raise UsageError("a star stands for columns only in SELECT * and COUNT(*)", got=node.sql())
    return scope.find(node)


def _number(node: exp.Expr, scope: Scope, what: str) -> Value:
    found = scalar(node, scope, what)
    if not found.field.number:
        raise UsageError(
            f"{what} takes numbers",
            got=f"{node.sql()[:60]}, which is {told(found.field)}",
            todo="CAST(... AS DOUBLE PRECISION)",
        )
    return found


def _arithmetic(operator: str) -> Callable[[exp.Expr, Scope], Value]:
    def translate(node: exp.Expr, scope: Scope) -> Value:
        left, right = _number(node.left, scope, operator), _number(node.right, scope, operator)  # type: ignore[attr-defined]
        free, aggregate = joined(left, right)
        unit = left.field.unit if operator in "+-" and left.field.unit == right.field.unit else ""
        if operator in "+-" and left.constant is not None:
            unit = right.field.unit
        elif (operator in "+-" and right.constant is not None) or (
            operator in "*/" and right.constant is not None
        ):
            unit = left.field.unit
        elif operator == "*" and left.constant is not None:
            unit = right.field.unit
        whole = left.field.whole and right.field.whole
        first, second = left.sql, right.sql
        if operator == "/":
            zero = "0" if scope.writer.lite else "0::bigint" if right.field.whole else "0::float8"
            second = f"nullif({second}, {zero})"
        return Value(
            f"({first} {operator} {second})",
            Field("", "long" if whole else "double", unit=unit),
            free,
            aggregate,
        )

    return translate


def _concatenation(node: exp.Expr, scope: Scope) -> Value:
    parts = [scalar(each, scope, "||") for each in (node.left, node.right)]  # type: ignore[attr-defined]
    for part in parts:
        if not part.field.text:
            raise UsageError("|| joins texts", got=told(part.field), todo="CAST(... AS VARCHAR)")
    free, aggregate = joined(*parts)
    wide = any(part.field.datatype == "unicodeChar" for part in parts)
    return Value(
        f"({parts[0].sql} || {parts[1].sql})",
        Field("", "unicodeChar" if wide else "char", "*"),
        free,
        aggregate,
    )


def _case(node: exp.Expr, scope: Scope) -> Value:
    subject = node.args.get("this")
    tested = scalar(subject, scope) if subject is not None else None
    whens = []
    for branch in node.args["ifs"]:
        if tested is None:
            when = scope.condition(branch.this, scope)
        else:
            when = compared(tested, scalar(branch.this, scope), "=")
        whens.append((when, branch.args["true"]))
    last = node.args.get("default")
    results = [None if isinstance(each, exp.Null) else scalar(each, scope) for _, each in whens]
    other = None if last is None or isinstance(last, exp.Null) else scalar(last, scope)
    known = [each for each in (*results, other) if each is not None]
    if not known:
        raise UsageError("CASE gives no value", got=node.sql()[:80], allowed="a value after THEN or ELSE")
    kind = wider([each.field for each in known], "the values of CASE")
    lines = [
        f"WHEN {when.sql} THEN {_as(each, kind, scope)}"
        for (when, _), each in zip(whens, results, strict=True)
    ]
    free, aggregate = joined(*known, *(when for when, _ in whens))
    text = f"(CASE {' '.join(lines)} ELSE {_as(other, kind, scope)} END)"
    return Value(text, replace(kind, name=""), free, aggregate)


def _as(found: Value | None, kind: Field, scope: Scope) -> str:
    """A value in the form of a wider type; the missing value for None."""
    if found is None:
        return scope.writer.null(
            "text" if kind.text else "real" if kind.datatype in ("float", "double") else "whole"
        )
    if kind.datatype in ("float", "double") and found.field.whole:
        return scope.writer.as_real(found.sql)
    return found.sql


def coalesced(nodes: list[exp.Expr], scope: Scope) -> Value:
    """The first of several values that is not missing."""
    known = [scalar(each, scope) for each in nodes if not isinstance(each, exp.Null)]
    if not known:
        raise UsageError("COALESCE takes values", allowed="one or more")
    kind = wider([each.field for each in known], "the values of COALESCE")
    free, aggregate = joined(*known)
    if len(known) == 1:
        return replace(known[0], constant=None)
    return Value(f"coalesce({', '.join(_as(each, kind, scope) for each in known)})", kind, free, aggregate)


def _cast(node: exp.Expr, scope: Scope) -> Value:
    target = node.args["to"]
    kind = _CASTS.get(target.this)
    if kind is None:
        raise UsageError(
            "CAST has no such type",
            got=target.sql(),
            allowed="SMALLINT, INTEGER, BIGINT, REAL, DOUBLE PRECISION, CHAR, VARCHAR, TIMESTAMP",
        )
    if isinstance(node.this, exp.Null):
        letter = "text" if kind.text else "real" if kind.datatype in ("float", "double") else "whole"
        return Value(scope.writer.null(letter), kind)
    length = None
    if target.expressions:
        told_length = constant(target.expressions[0].this)
        if not isinstance(told_length, int) or told_length < 1 or not kind.text or kind.xtype:
            raise UsageError("the length of a type must be a whole number above 0", got=target.sql())
        length = told_length
    return cast_to(scalar(node.this, scope, "CAST"), kind, scope, length)


def cast_to(found: Value, kind: Field, scope: Scope, length: int | None = None) -> Value:
    """A value as another type."""
    writer, sql = scope.writer, found.sql
    if kind.text:
        if kind.xtype == "timestamp" and not found.field.text:
            raise UsageError("only texts become timestamps", got=told(found.field))
        if not found.field.text:
            sql = writer.as_text(sql)
        if length is not None:
            sql = f"substr({sql}, 1, {length})"
            kind = replace(kind, arraysize=f"{length}*")
        keep = found.field.datatype if found.field.text else "char"
        kind = replace(kind, datatype=keep)
    elif found.field.text:
        if writer.lite:
            sql = f"sky_number({sql})"
        sql = writer.as_whole(sql) if kind.whole else writer.as_real(sql)
    elif kind.whole:
        sql = sql if found.field.whole else writer.as_whole(sql)
    else:
        sql = writer.as_real(sql)
    if kind.datatype == "float":
        sql = f"sky_single({sql})" if writer.lite else f"CAST(CAST({sql} AS real) AS double precision)"
    if not kind.text:
        kind = replace(kind, unit=found.field.unit)
    return Value(sql, kind, found.free, found.aggregate)


def _boolean(node: exp.Expr, scope: Scope) -> Value:
    return Value(scope.writer.whole(1 if node.this else 0), _BOOLEAN, constant=1 if node.this else 0)


def _subquery(node: exp.Expr, scope: Scope) -> Value:
    assert isinstance(node, exp.Subquery)
    inner = node.this
    if not isinstance(inner, exp.Query) or node.args.get("alias"):
        raise UsageError("this is no value of ADQL", got=node.sql()[:80])
    found = scope.translate(inner, scope.inside())
    if len(found.columns) != 1 or found.columns[0][1].shape is not None:
        raise UsageError("a query as a value must give one column", got=f"{len(found.columns)} columns")
    if not found.one_row:
        raise UsageError(
            "a query as a value must give one row",
            got=inner.sql()[:80],
            allowed="an aggregate without GROUP BY, or TOP 1",
        )
    return Value(f"({found.sql})", replace(found.columns[0][1].field, name=""))


def _call(node: exp.Expr, scope: Scope) -> Value:
    assert isinstance(node, exp.Anonymous)
    name = node.this if isinstance(node.this, str) else ""
    if name.upper() == "COALESCE":
        return coalesced(node.expressions, scope)
    return call(name, node.expressions, scope, value)


def _null(node: exp.Expr, scope: Scope) -> Value:
    raise UsageError(
        "NULL is no value of its own in ADQL", allowed="IS NULL, THEN NULL, ELSE NULL, CAST(NULL AS ...)"
    )


_NODES: dict[type[exp.Expr], Callable[[exp.Expr, Scope], Value]] = {
    exp.Add: _arithmetic("+"),
    exp.Anonymous: _call,
    exp.Boolean: _boolean,
    exp.Case: _case,
    exp.Cast: _cast,
    exp.Column: _column,
    exp.DPipe: _concatenation,
    exp.Div: _arithmetic("/"),
    exp.Literal: _literal,
    exp.Mul: _arithmetic("*"),
    exp.Neg: _negative,
    exp.Null: _null,
    exp.Paren: _paren,
    exp.Sub: _arithmetic("-"),
    exp.Subquery: _subquery,
}

"""The functions of ADQL: aggregates, mathematics, texts, units, and the door to the shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlglot import exp

from skysift.archive.adql.scope import Scope
from skysift.archive.adql.shapes import SHAPES, shape_call
from skysift.archive.adql.values import Value, joined, told
from skysift.archive.fields import Field
from skysift.base.errors import UnknownName, UsageError

__all__ = ["FUNCTIONS", "call"]

_LONGEST = 50_000  # characters of an argument that is written twice


@dataclass(frozen=True)
class _Maths:
    """A function of numbers: how many, and its SQL by the writer and the arguments."""

    least: int
    most: int
    write: Callable[[Scope, list[str]], str]
    keeps_unit: bool = False
    unit: str = ""


def _plain(name: str, count: int = 1) -> _Maths:
    return _Maths(count, count, lambda scope, args: f"{name}({', '.join(map(scope.writer.as_real, args))})")


def _guarded(name: str, test: str) -> _Maths:
    """A function that has no value where the test fails: databases differ there."""

    def write(scope: Scope, args: list[str]) -> str:
        x = scope.writer.as_real(_short(args[0]))
        return f"(CASE WHEN {test.format(x=x)} THEN {name}({x}) END)"

    return _Maths(1, 1, write)


def _short(text: str) -> str:
    if len(text) > _LONGEST:
        raise UsageError("calls are nested too deeply", todo="split the query by WITH")
    return text


def _log10(scope: Scope, args: list[str]) -> str:
    x = scope.writer.as_real(_short(args[0]))
    return f"(CASE WHEN {x} > 0 THEN {'log10' if scope.writer.lite else 'log'}({x}) END)"


def _exp(scope: Scope, args: list[str]) -> str:
    x = scope.writer.as_real(_short(args[0]))
    return f"(CASE WHEN {x} < -708 THEN {scope.writer.real(0.0)} WHEN {x} < 709.78 THEN exp({x}) END)"


def _power(scope: Scope, args: list[str]) -> str:
    x, y = (scope.writer.as_real(_short(each)) for each in args)
    test = f"({x} > 0 OR ({x} = 0 AND {y} >= 0) OR ({x} < 0 AND {y} = trunc({y})))"
    return f"(CASE WHEN {test} THEN power({x}, {y}) END)"


def _cot(scope: Scope, args: list[str]) -> str:
    writer = scope.writer
    return f"({writer.real(1.0)} / nullif(tan({writer.as_real(args[0])}), {writer.real(0.0)}))"


def _scaled(rounding: str) -> Callable[[Scope, list[str]], str]:
    """ROUND and TRUNCATE: the same arithmetic everywhere."""

    def write(scope: Scope, args: list[str]) -> str:
        writer = scope.writer
        x = writer.as_real(_short(args[0]))
        if len(args) == 1:
            return f"({rounding.format(x=x)})"
        y = f"power({writer.real(10.0)}, {writer.as_real(_short(args[1]))})"
        return f"({rounding.format(x=f'({x} * {y})')} / {y})"

    return write


def _floor(sql: str) -> str:
    """The whole number below: SQLAlchemy gives SQLite a floor() that stumbles over missing values."""
    return f"(- ceil(- {sql}))"


def _rand(scope: Scope, args: list[str]) -> str:
    return "(random() / 18446744073709551616.0 + 0.5)" if scope.writer.lite else "random()"


MATHS: dict[str, _Maths] = {
    "ACOS": _guarded("acos", "{x} BETWEEN -1 AND 1"),
    "ASIN": _guarded("asin", "{x} BETWEEN -1 AND 1"),
    "ATAN": _plain("atan"),
    "ATAN2": _plain("atan2", 2),
    "CEILING": replace(_plain("ceil"), keeps_unit=True),
    "COS": _plain("cos"),
    "COT": _Maths(1, 1, _cot),
    "DEGREES": replace(_plain("degrees"), unit="deg"),
    "EXP": _Maths(1, 1, _exp),
    "FLOOR": _Maths(1, 1, lambda scope, args: _floor(scope.writer.as_real(args[0])), keeps_unit=True),
    "LOG": _guarded("ln", "{x} > 0"),
    "LOG10": _Maths(1, 1, _log10),
    "PI": _Maths(0, 0, lambda scope, args: "pi()"),
    "POWER": _Maths(2, 2, _power),
    "RADIANS": replace(_plain("radians"), unit="rad"),
    "RAND": _Maths(0, 1, _rand),
    "ROUND": _Maths(1, 2, _scaled("sign({x}) * trunc(abs({x}) + 0.5)"), keeps_unit=True),
    "SIN": _plain("sin"),
    "SQRT": _guarded("sqrt", "{x} >= 0"),
    "TAN": _plain("tan"),
    "TRUNCATE": _Maths(1, 2, _scaled("trunc({x})"), keeps_unit=True),
}
_AGGREGATES = ("COUNT", "SUM", "AVG", "MIN", "MAX")
_OTHERS = ("ABS", "MOD", "LOWER", "UPPER", "IN_UNIT", "COALESCE")
FUNCTIONS = (*_AGGREGATES, *MATHS, *_OTHERS, *SHAPES)
"""The names of all functions."""


def call(
    name: str, nodes: list[exp.Expr], scope: Scope, translate: Callable[[exp.Expr, Scope], Value]
) -> Value:
    """What a call gives.

    Parameters
    ----------
    name
        Of the function, in any case.
    nodes
        Its arguments.
    scope
        What they can see.
    translate
        Makes a value of an argument.

    Raises
    ------
    UnknownName
        There is no such function.
    UsageError
        It takes other arguments.
    """
    upper = name.upper()
    if upper not in FUNCTIONS:
        raise UnknownName("ADQL has no such function here", got=name, allowed=", ".join(FUNCTIONS))
    if upper in _AGGREGATES:
        return _aggregate(upper, nodes, scope, translate)
    args = [translate(node, scope) for node in nodes]
    if upper in SHAPES:
        return shape_call(upper, args, scope)
    for each in args:
        if each.shape is not None:
            raise UsageError(f"{upper} takes no shapes", allowed="numbers or texts")
    return _OWN[upper](args, scope) if upper in _OWN else _maths(upper, args, scope)


def _numbers(name: str, args: list[Value], least: int, most: int) -> None:
    if not least <= len(args) <= most:
        wanted = str(least) if least == most else f"{least} or {most}"
        raise UsageError(f"{name} takes another number of arguments", got=len(args), allowed=wanted)
    for each in args:
        if not each.field.number:
            raise UsageError(
                f"{name} takes numbers", got=told(each.field), todo="CAST(... AS DOUBLE PRECISION)"
            )


def _maths(name: str, args: list[Value], scope: Scope) -> Value:
    known = MATHS[name]
    _numbers(name, args, known.least, known.most)
    free, aggregate = joined(*args)
    unit = args[0].field.unit if known.keeps_unit else known.unit
    return Value(
        known.write(scope, [each.sql for each in args]), Field("", "double", unit=unit), free, aggregate
    )


def _aggregate(
    name: str, nodes: list[exp.Expr], scope: Scope, translate: Callable[[exp.Expr, Scope], Value]
) -> Value:
    distinct = ""
    if len(nodes) == 1 and isinstance(nodes[0], exp.Distinct):
        distinct, nodes = "DISTINCT ", nodes[0].expressions
    if len(nodes) != 1:
        raise UsageError(f"{name} takes one argument", got=len(nodes))
    if isinstance(nodes[0], exp.Star):
        if name != "COUNT" or distinct:
            raise UsageError("only COUNT(*) counts rows", got=f"{name}({distinct}*)")
        return Value("count(*)", Field("", "long", ucd="meta.number"), aggregate=True)
    argument = translate(nodes[0], scope)
    if argument.aggregate:
        raise UsageError(
            "an aggregate holds another", got=nodes[0].sql()[:60], todo="put the inner one into a subquery"
        )
    if argument.shape is not None:
        raise UsageError(f"{name} takes no shapes", allowed="numbers or texts")
    kind = argument.field
    if name == "COUNT":
        return Value(f"count({distinct}{argument.sql})", Field("", "long", ucd="meta.number"), aggregate=True)
    if name in ("SUM", "AVG") and not kind.number:
        raise UsageError(f"{name} takes numbers", got=told(kind))
    if name in ("MIN", "MAX"):
        if kind.array:
            raise UsageError(f"{name} takes single values", got=told(kind))
        return Value(f"{name.lower()}({argument.sql})", replace(kind, name=""), aggregate=True)
    if name == "SUM" and kind.whole:
        total = f"sum({distinct}{argument.sql})"
        text = total if scope.writer.lite else f"CAST({total} AS bigint)"
        return Value(text, Field("", "long", unit=kind.unit), aggregate=True)
    text = f"{name.lower()}({distinct}{scope.writer.as_real(argument.sql)})"
    return Value(text, Field("", "double", unit=kind.unit), aggregate=True)


def _abs(args: list[Value], scope: Scope) -> Value:
    _numbers("ABS", args, 1, 1)
    kind = args[0].field
    return replace(
        args[0], sql=f"abs({args[0].sql})", field=replace(kind, name="", ucd="", utype=""), constant=None
    )


def _mod(args: list[Value], scope: Scope) -> Value:
    _numbers("MOD", args, 2, 2)
    writer, (a, b) = scope.writer, args
    free, aggregate = joined(a, b)
    if a.field.whole and b.field.whole:
        second = f"nullif({b.sql}, {writer.whole(0)})"
        text = f"({a.sql} % {second})" if writer.lite else f"mod({a.sql}, {second})"
        return Value(text, Field("", "long"), free, aggregate)
    x, y = writer.as_real(_short(a.sql)), f"nullif({writer.as_real(_short(b.sql))}, {writer.real(0.0)})"
    return Value(f"({x} - {y} * trunc({x} / {y}))", Field("", "double", unit=a.field.unit), free, aggregate)


def _letters(name: str) -> Callable[[list[Value], Scope], Value]:
    def write(args: list[Value], scope: Scope) -> Value:
        if len(args) != 1 or not args[0].field.text:
            raise UsageError(f"{name} takes one text", got=", ".join(told(each.field) for each in args))
        kind = replace(args[0].field, name="", ucd="", utype="")
        return replace(args[0], sql=f"{name.lower()}({args[0].sql})", field=kind, constant=None)

    return write


def _in_unit(args: list[Value], scope: Scope) -> Value:
    from astropy import units  # late: few queries change units

    if len(args) != 2 or not args[0].field.number or not isinstance(args[1].constant, str):
        raise UsageError("IN_UNIT takes a number and the name of a unit", allowed="IN_UNIT(column, 'arcsec')")
    found, wanted = args[0], args[1].constant
    if not found.field.unit:
        raise UsageError("IN_UNIT takes a value whose unit is known", got="one without unit")
    try:
        factor = units.Unit(found.field.unit, format="vounit").to(units.Unit(wanted, format="vounit"))
    except (ValueError, TypeError, units.UnitsError) as error:
        raise UsageError(
            "the unit cannot be changed so",
            got=f"{found.field.unit} into {wanted}",
            allowed="units of one kind (VOUnits)",
        ) from error
    text = f"({scope.writer.as_real(found.sql)} * {scope.writer.real(float(factor))})"
    return replace(found, sql=text, field=replace(found.field, datatype="double", unit=wanted), constant=None)


_OWN: dict[str, Callable[[list[Value], Scope], Value]] = {
    "ABS": _abs,
    "MOD": _mod,
    "LOWER": _letters("LOWER"),
    "UPPER": _letters("UPPER"),
    "IN_UNIT": _in_unit,
}

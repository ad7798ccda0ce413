"""`parse`: the syntax tree of a query of ADQL, by sqlglot; what the language reserves or lacks is refused here.

Only the words of ADQL are words to this parser: functions are calls by name, whatever other dialects of SQL know
of them. What the tree may hold is decided where it is translated, node by node.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.parser import Parser as AnyParser
from sqlglot.tokenizer_core import TokenType
from sqlglot.tokens import Tokenizer as AnyTokenizer

from skysift.archive.words import RESERVED
from skysift.base.errors import UsageError

__all__ = ["LONGEST", "parse"]

LONGEST = 200_000
"""Characters of a query."""

_KEPT = {  # the keywords of other dialects are names here
    "ALL", "AND", "ANY", "AS", "ASC", "BETWEEN", "BIGINT", "BY", "CASE", "CHAR", "CHARACTER", "CROSS", "DESC", "DISTINCT",
    "DOUBLE", "DOUBLE PRECISION", "ELSE", "END", "ESCAPE", "EXCEPT", "EXISTS", "FALSE", "FROM", "FULL", "GROUP BY",
    "HAVING", "ILIKE", "IN", "INNER", "INT", "INTEGER", "INTERSECT", "IS", "JOIN", "LEFT", "LIKE", "NATURAL", "NOT",
    "NULL", "OFFSET", "ON", "OR", "ORDER BY", "OUTER", "REAL", "RIGHT", "SELECT", "SMALLINT", "THEN", "TIMESTAMP",
    "TRUE", "UNION", "USING", "VARCHAR", "WHEN", "WHERE", "WITH", "||", ">=", "<=", "<>", "!=",
}  # fmt: skip


_PARTS: dict[type[exp.Expr], set[str]] = {  # what a node of ADQL may consist of
    exp.Alias: {"this", "alias"},
    exp.Between: {"this", "low", "high"},
    exp.CTE: {"this", "alias"},
    exp.Cast: {"this", "to"},
    exp.Column: {"this", "table", "db", "catalog"},
    exp.DataType: {"this", "expressions"},
    exp.Distinct: {"expressions", "on"},
    exp.Exists: {"this"},
    exp.From: {"this"},
    exp.Group: {"expressions"},
    exp.Identifier: {"this", "quoted"},
    exp.In: {"this", "expressions", "query"},
    exp.Is: {"this", "expression"},
    exp.Limit: {"expression"},
    exp.Offset: {"expression"},
    exp.Order: {"expressions"},
    exp.Ordered: {"this", "desc", "nulls_first"},
    exp.Star: set(),
    exp.Subquery: {"this", "alias", "with_", "joins"},
    exp.TableAlias: {"this", "columns"},
    exp.With: {"expressions", "recursive"},
}


class ADQL(Dialect):
    """The words of ADQL 2.1."""

    INTERSECT_BINDS_TIGHTER_THAN_UNION_AND_EXCEPT = True

    class Tokenizer(AnyTokenizer):
        """Names in double quotes, texts in single ones, comments after two dashes."""

        IDENTIFIERS: ClassVar = ['"']
        QUOTES: ClassVar = ["'"]
        STRING_ESCAPES: ClassVar = ["'"]
        COMMENTS: ClassVar = ["--"]
        HINT_START = "/*+"
        VAR_SINGLE_TOKENS: ClassVar[set[str]] = set()
        KEYWORDS: ClassVar = {
            **{word: kind for word, kind in AnyTokenizer.KEYWORDS.items() if word in _KEPT},
            "TOP": TokenType.TOP,
        }

    class Parser(AnyParser):
        """Functions are calls by name; only CAST has a syntax of its own."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {"CAST": AnyParser.FUNCTION_PARSERS["CAST"]}
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            "CASE": AnyParser.NO_PAREN_FUNCTION_PARSERS["CASE"]
        }


def parse(text: str) -> exp.Query:
    """The syntax tree of one query.

    Raises
    ------
    UsageError
        The text is no query of ADQL: it cannot be read, is empty or too long, holds more than one statement, or
        uses a reserved word as a name.
    """
    if not text.strip():
        raise UsageError("the query is empty", allowed="SELECT ... FROM ...")
    if len(text) > LONGEST:
        raise UsageError("the query is too long", got=f"{len(text)} characters", allowed=f"up to {LONGEST}")
    if "\0" in text:
        raise UsageError("the query holds a zero character")
    try:
        trees = [tree for tree in sqlglot.parse(text, read=ADQL) if tree is not None]
    except (ParseError, TokenError) as error:
        raise UsageError("the query cannot be read", got=_reason(error)) from error
    except (SqlglotError, RecursionError, ValueError, AttributeError, TypeError) as error:
        raise UsageError("the query cannot be read", got=type(error).__name__) from error
    if len(trees) != 1:
        raise UsageError("there must be one query", got=f"{len(trees)} statements", allowed="one SELECT")
    tree = trees[0]
    if not isinstance(tree, exp.Query):
        raise UsageError(
            "the statement is no query",
            got=type(tree).__name__.lower(),
            allowed="SELECT ..., or WITH ... SELECT ...",
        )
    _check_numbers(text)
    for node in tree.walk():
        known = _PARTS.get(type(node))
        for part, content in node.args.items() if known is not None else ():
            if content and part not in (known or ()):
                raise UsageError("this is not of ADQL", got=f"{node.sql()[:60]} ({part.strip('_')})")
    for name in tree.find_all(exp.Identifier):
        if not name.args.get("quoted") and name.name.upper() in RESERVED:
            raise UsageError(
                "a reserved word of ADQL is used as a name",
                got=name.name,
                todo=f'write "{name.name}" in double quotes',
            )
    return tree


def _check_numbers(text: str) -> None:
    """Refuse numbers that letters follow, which would be read as a number and its name."""
    for before, token in pairwise(ADQL().tokenize(text)):
        glued = token.start == before.end + 1
        if glued and before.token_type == TokenType.NUMBER and token.token_type == TokenType.VAR:
            raise UsageError("this is no number", got=before.text + token.text)


def _reason(error: Exception) -> str:
    """What sqlglot says, without its colours."""
    if isinstance(error, ParseError) and error.errors:
        first = error.errors[0]
        near = " ".join(str(first.get(part) or "") for part in ("start_context", "highlight", "end_context"))
        near = " ".join(near.split())[-80:]
        return f"{first.get('description', 'unreadable')} (line {first.get('line')}, near: {near})"
    return str(error).split("\n")[0]

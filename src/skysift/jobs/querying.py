"""What a query is told, its tables that come along, and its rows in the form that was asked for.

The server answers quick queries by it at once, the app ``query`` the long ones as jobs.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.engine import Engine

from skysift.archive.adql.compile import compile_query
from skysift.archive.adql.sql import SqlDialect
from skysift.archive.fields import Field
from skysift.archive.query import run_query
from skysift.archive.tables import ShelfTables
from skysift.archive.uploads import Upload, upload_from
from skysift.base.errors import OptionError, UsageError
from skysift.io.answers.forms import Form, form_of
from skysift.io.answers.rows import Rows
from skysift.io.fetch import Fetcher
from skysift.io.votable_door import Bounds

__all__ = [
    "LANGUAGES",
    "MOST_ROWS",
    "USUAL_ROWS",
    "Question",
    "Reply",
    "answered",
    "question_of",
    "sent_tables",
    "whole_number",
]

LANGUAGES = ("ADQL", "ADQL-2.0", "ADQL-2.1")
USUAL_ROWS = 200_000
MOST_ROWS = 10_000_000
_MOST_UPLOADS = 8
_MOST_DIGITS = 20  # of any number of 64 bits
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True)
class Question:
    """A query as it was asked.

    Parameters
    ----------
    text
        The query.
    maxrec
        How many rows may go out.
    form
        In which form.
    uploads
        Tables that come along: name -> where they are (``param:PART``, or a URL).
    """

    text: str
    maxrec: int
    form: Form
    uploads: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """The rows of a query, on their way.

    Parameters
    ----------
    columns
        What they hold.
    rows
        The rows.
    """

    columns: tuple[Field, ...]
    rows: Rows


def question_of(
    *, lang: str = "", query: str = "", maxrec: str = "", form: str = "", uploads: Sequence[str] = ()
) -> Question:
    """The question that the parameters of TAP are.

    Parameters
    ----------
    lang, query, maxrec, form
        The values of LANG, QUERY, MAXREC, RESPONSEFORMAT; empty where not given.
    uploads
        The values of UPLOAD.

    Raises
    ------
    UsageError
        One of them is missing or not allowed.
    """
    if lang.upper() not in LANGUAGES:
        raise OptionError("LANG is not a language of queries", got=lang, allowed=LANGUAGES)
    if not query.strip():
        raise UsageError("the parameter QUERY is missing")
    most = min(whole_number("MAXREC", maxrec), MOST_ROWS) if maxrec else USUAL_ROWS
    return Question(query, most, form_of(form), _uploads(uploads))


def whole_number(name: str, text: str, *, low: int = 0, most: int | None = None) -> int:
    """The whole number that the value of a parameter is; one above `most` counts as that.

    Raises
    ------
    OptionError
        It is none, or below `low`, or has more digits than any that is meant.
    """
    digits = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    if not digits or int(text) < low:
        raise OptionError(
            f"{name} is not allowed",
            got=text if len(text) <= _MOST_DIGITS else f"{len(text)} characters",
            allowed=f"a whole number, {low} or more, of up to {_MOST_DIGITS} digits",
        )
    return int(text) if most is None else min(int(text), most)


def _uploads(values: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in (each.strip() for value in values for each in value.split(";") if each.strip()):
        name, comma, place = pair.partition(",")
        name, place = name.strip(), place.strip()
        if not comma or _NAME.fullmatch(name) is None:
            raise OptionError("UPLOAD is not allowed", got=pair, allowed="NAME,param:PART or NAME,URL")
        if name.lower() in {each.lower() for each in found}:
            raise OptionError("two uploaded tables have one name", got=name)
        found[name] = place
    if len(found) > _MOST_UPLOADS:
        raise OptionError("too many tables come with the query", got=len(found), allowed=f"{_MOST_UPLOADS}")
    return found


def sent_tables(
    question: Question, parts: Mapping[str, BinaryIO], fetcher: Fetcher, bounds: Bounds | None = None
) -> dict[str, Upload]:
    """The tables that come with a query, read.

    Parameters
    ----------
    question
        The query.
    parts
        What came with the request itself, by the name of its part.
    fetcher
        Fetches the others.
    bounds
        How large they may be.

    Raises
    ------
    SkysiftError
        A table is missing, cannot be fetched, or is not one that is taken.
    """
    bounds = bounds or Bounds()
    found = {}
    for name, place in question.uploads.items():
        kind, _, part = place.partition(":")
        if kind.lower() == "param":
            if part not in parts:
                raise UsageError(
                    "an uploaded table did not come with the query", got=place, allowed=list(parts)
                )
            found[name] = upload_from(name, parts[part], bounds)
            continue
        with tempfile.TemporaryDirectory(prefix="skysift-upload-") as folder:
            path = Path(folder) / "table"
            fetcher.fetch(place, path, limit=bounds.size)
            with path.open("rb") as file:
                found[name] = upload_from(name, file, bounds)
    return found


def answered(
    engine: Engine,
    tables: ShelfTables,
    question: Question,
    uploads: Mapping[str, Upload] | None = None,
    *,
    seconds: float | None = None,
) -> Reply:
    """The rows of a query, the first of them read.

    Parameters
    ----------
    engine
        The database.
    tables
        The tables that who asks may query.
    question
        The query.
    uploads
        The tables that come with it.
    seconds
        How long it may take; None for no limit.

    Raises
    ------
    SkysiftError
        The query cannot be answered.
    """
    dialect: SqlDialect = "postgresql" if engine.dialect.name == "postgresql" else "sqlite"
    compiled = compile_query(question.text, tables, tables.user, dialect, question.maxrec, uploads)
    found = run_query(engine, compiled, seconds=seconds)
    return Reply(found.columns, Rows(found, more=lambda: found.overflow).begin())

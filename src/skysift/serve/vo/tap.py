"""TAP 1.1: queries of the knowledge base, at once and as jobs, with what VOSI tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from skysift.base.errors import DataError, OptionError, TimeLimitError, UnknownName
from skysift.io.answers.forms import Form
from skysift.io.votable_door import Bounds
from skysift.jobs.job import Job, JobSpec
from skysift.jobs.querying import (
    MOST_ROWS,
    USUAL_ROWS,
    answered,
    question_of,
    sent_tables,
)
from skysift.serve.ahead import ahead
from skysift.serve.context import Asked, Context
from skysift.serve.vo.asking import SECONDS, SINCE, ask, fetcher_of, private_of, tables_of
from skysift.serve.vo.examples import examples_document
from skysift.serve.vo.jobs import XML, Draft, JobDoor
from skysift.serve.vo.params import Asking, Params
from skysift.serve.vo.telling import VotableRoute, votable_error
from skysift.serve.vo.vosi import (
    Capability,
    Limits,
    availability_document,
    capabilities_document,
    tables_document,
    tap_capability,
)

__all__ = ["jobs", "router"]

_SCHEMA = {
    "schemas": "schema_name, description, utype",
    "tables": "schema_name, table_name, table_type, description, utype",
    "columns": (
        "table_name, column_name, datatype, arraysize, xtype, description, unit, ucd, utype, indexed, std"
    ),
    "keys": "key_id, from_table, target_table, description",
    "key_columns": "key_id, from_column, target_column",
}
_ORDER = {"tables": "table_index", "columns": "column_index", "schemas": "schema_name"}
_FORMAT = ("RESPONSEFORMAT", "FORMAT")

router = APIRouter(prefix="/tap", route_class=VotableRoute, include_in_schema=False)


@router.get("/sync")
@router.post("/sync")
def sync(asked: Asked, params: Asking) -> Response:
    """The rows of a query."""
    if params.one("REQUEST", "doQuery").lower() == "getcapabilities":
        return RedirectResponse(f"{asked.url}/tap/capabilities", 303)
    if params.one("REQUEST", "doQuery").lower() != "doquery":
        raise OptionError("REQUEST is not allowed", got=params.one("REQUEST"), allowed="doQuery")
    question = question_of(
        lang=params.one("LANG"),
        query=params.one("QUERY"),
        maxrec=params.one("MAXREC"),
        form=_form(params),
        uploads=params.all("UPLOAD"),
    )
    parts = {name: file.file for name, file in params.files.items()}
    try:
        uploads = sent_tables(question, parts, fetcher_of(asked))
        reply = answered(asked.shelf.engine, tables_of(asked), question, uploads, seconds=SECONDS)
    except TimeLimitError as error:
        return votable_error(error, 408)
    except (UnknownName, DataError) as error:  # of the query, not of the address
        return votable_error(error, 400)
    return StreamingResponse(
        ahead(question.form.write(reply.columns, reply.rows, infos=[("query", question.text)])),
        media_type=_media_type(params, question.form),
        headers={"Content-Disposition": f'inline; filename="result{question.form.suffix}"'},
    )


def _media_type(params: Params, form: Form) -> str:
    """The type of the answer: the name that was asked for, where it is one of those for VOTable."""
    asked = _form(params).lower()
    return asked if asked in ("text/xml", "application/xml") else form.media_type


def _form(params: Params) -> str:
    return next((params.one(name) for name in _FORMAT if name in params), "")


# -- jobs


def _draft(asked: Context, params: Params) -> Draft:
    options = {
        "query": params.one("QUERY"),
        "lang": params.one("LANG"),
        "maxrec": params.one("MAXREC"),
        "form": _form(params),
        "upload": params.all("UPLOAD"),
    }
    return Draft(JobSpec("query", options=options), private_of(asked), params.files)


def _told(job: Job) -> list[tuple[str, str]]:
    options: Mapping[str, Any] = job.spec.options
    names = (("LANG", "lang"), ("QUERY", "query"), ("MAXREC", "maxrec"), ("RESPONSEFORMAT", "form"))
    pairs = [("REQUEST", "doQuery"), *((name, str(options.get(key) or "")) for name, key in names)]
    pairs += [("UPLOAD", each) for each in options.get("upload") or ()]
    return [pair for pair in pairs if pair[1]]


_JOBS = JobDoor("/tap/async", "query", _draft, _told, lambda name: name.partition(".")[0])


# -- what it tells of itself


@router.get("/capabilities")
def capabilities(asked: Asked) -> Response:
    """What the service can do."""
    base = f"{asked.url}/tap"
    limits = asked.manager.limits
    bounds = Bounds()
    told = Limits(USUAL_ROWS, MOST_ROWS, limits.seconds, limits.days, bounds.rows, bounds.size)
    examples = [Capability("ivo://ivoa.net/std/DALI#examples", f"{base}/examples")]
    return Response(
        capabilities_document(base, examples, more=tap_capability(base, told), tables=True), media_type=XML
    )


@router.get("/availability")
def availability(asked: Asked) -> Response:
    """Whether it works."""
    works = asked.manager.watching
    return Response(
        availability_document(works, SINCE, () if works else ("jobs are not watched",)), media_type=XML
    )


@router.get("/tables")
def tables(asked: Asked) -> Response:
    """The tables that who asks may query."""
    return Response(tables_document(_schema(asked)), media_type=XML)


@router.get("/tables/{name}")
def table(asked: Asked, name: str) -> Response:
    """One of them."""
    told = _schema(asked)
    found = [each for each in told["tables"] if each["table_name"] == name]
    if not found:
        raise UnknownName("no such table", got=name)
    schema = [each for each in told["schemas"] if each["schema_name"] == found[0]["schema_name"]]
    return Response(tables_document({**told, "schemas": schema, "tables": found}), media_type=XML)


def _schema(asked: Context) -> dict[str, list[dict[str, Any]]]:
    """What TAP_SCHEMA tells who asks: the same source for both ways of telling."""
    return {name: list(_rows(asked, name, columns)) for name, columns in _SCHEMA.items()}


def _rows(asked: Context, name: str, columns: str) -> Iterator[dict[str, Any]]:
    order = f" ORDER BY {_ORDER[name]}" if name in _ORDER else ""
    reply = ask(asked, f"SELECT {columns} FROM TAP_SCHEMA.{name}{order}", maxrec=MOST_ROWS)
    names = [each.strip() for each in columns.split(",")]
    for row in reply.rows:
        yield dict(zip(names, row, strict=True))
    if reply.rows.failure is not None:
        raise reply.rows.failure


@router.get("/examples")
def examples(asked: Asked) -> Response:
    """Queries to begin with."""
    found = [
        (str(row[0]), str(row[1]))
        for row in ask(
            asked,
            "SELECT table_name, column_name FROM TAP_SCHEMA.columns WHERE ucd = 'pos.eq.ra;meta.main'",
            maxrec=3,
        ).rows
    ]
    return Response(examples_document([name for name, _ in found]), media_type="application/xhtml+xml")


jobs = _JOBS.router()

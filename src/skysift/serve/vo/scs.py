"""Simple Cone Search 1.03: rows of one table within a circle; any table with a position is such a service."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from skysift.archive.fields import Field, HeldTable, delimited
from skysift.base.errors import OptionError, SkysiftError, UnknownName, UsageError
from skysift.io.answers.forms import form_of
from skysift.io.answers.votable import cone_error_document
from skysift.serve.ahead import ahead
from skysift.serve.context import Asked, Context
from skysift.serve.vo.asking import SINCE, ask, tables_of
from skysift.serve.vo.jobs import XML
from skysift.serve.vo.params import Asking, Params
from skysift.serve.vo.telling import VOTABLE_TYPE, VotableRoute, message_of
from skysift.serve.vo.vosi import Capability, availability_document, capabilities_document
from skysift.serve.vo.wording import number

__all__ = ["router"]

USUAL_ROWS = 200_000
_ANY = "TABLE"
_STANDARD = ("ivoa", "tap_schema")

router = APIRouter(prefix="/scs", route_class=VotableRoute, include_in_schema=False)


@router.get("")
@router.post("")
def cone(asked: Asked, params: Asking) -> Response:
    """Rows of the table that TABLE names, or of the first one with a position."""
    return _answer(asked, params, params.one(_ANY))


@router.get("/{name}")
@router.post("/{name}")
def cone_of_table(asked: Asked, params: Asking, name: str) -> Response:
    """Rows of a table."""
    return _answer(asked, params, name)


@router.get("/{name}/capabilities")
def capabilities(asked: Asked, name: str) -> Response:
    """What the service of a table can do."""
    base = f"{asked.url}/scs/{name}"
    told = [Capability("ivo://ivoa.net/std/ConeSearch", base, "1.03", "base")]
    return Response(capabilities_document(base, told), media_type=XML)


@router.get("/{name}/availability")
def availability(asked: Asked, name: str) -> Response:
    """Whether it works."""
    return Response(availability_document(True, SINCE), media_type=XML)


def _answer(asked: Context, params: Params, name: str) -> Response:
    """The rows; what is wrong is told as cone searches tell it, with the status of success."""
    try:
        return _rows(asked, params, name)
    except SkysiftError as error:
        if error.kind == "fatal":
            raise
        return Response(cone_error_document(message_of(error)), 200, media_type=VOTABLE_TYPE)


def _rows(asked: Context, params: Params, name: str) -> Response:
    table = table_with_position(asked, name)
    form = form_of(params.one("RESPONSEFORMAT"))
    ra, dec = params.number("RA", low=-360.0, high=360.0), params.number("DEC", low=-90.0, high=90.0)
    radius = params.number("SR", low=0.0, high=180.0)
    maxrec = 0 if radius == 0.0 else params.maxrec(USUAL_ROWS)
    kept = _columns(table, params.one("VERB", "2"))
    lon, lat = (each.name for each in _position(table))
    names = ", ".join(delimited(each.name) for each in kept)
    text = (
        f"SELECT {names} FROM {table.full_name} WHERE CONTAINS(POINT({delimited(lon)}, {delimited(lat)}), "
        f"CIRCLE({number(ra % 360.0)}, {number(dec)}, {number(max(radius, 1e-9))})) = 1"
    )
    reply = ask(asked, text, maxrec=maxrec)
    fields = [_as_cone(each, lon, lat, number == 0) for number, each in enumerate(_main_first(reply.columns))]
    named = {each.name: each for each in fields}
    return StreamingResponse(
        ahead(form.write([named[each.name] for each in reply.columns], reply.rows)),
        media_type=_type(form.media_type),
    )


def _type(media_type: str) -> str:
    """Cone searches have a type of their own for VOTable that all clients know."""
    return "application/x-votable+xml" if "votable" in media_type else media_type


def table_with_position(asked: Context, name: str) -> HeldTable:
    """The table of a name; where none is said, the first with a position, sources before others.

    Raises
    ------
    UnknownName
        There is no such table with a position that who asks may see.
    """
    tables = tables_of(asked)
    if not name:
        for table in tables:
            if (
                table.position is not None
                and table.schema not in ("ivoa", "tap_schema")
                and table.system == "ICRS"
            ):
                return table
        raise UnknownName("no table has positions yet", todo="ingest a catalogue, or name one by TABLE")
    schema, _, short = name.rpartition(".")
    found = tables.find(schema.strip('"'), short.strip('"'))
    if found is None or found.position is None or found.system != "ICRS":
        raise UnknownName("no such table with ICRS positions", got=name)
    return found


def _position(table: HeldTable) -> tuple[Field, Field]:
    assert table.position is not None
    by_column = {each.column: each for each in table.fields}
    return by_column[table.position[0]], by_column[table.position[1]]


def _columns(table: HeldTable, verb: str) -> list[Field]:
    """The columns of a verbosity: 1 the few that matter, 2 also what is principal or tells its UCD, 3 all."""
    if verb not in ("1", "2", "3"):
        raise OptionError("VERB is not allowed", got=verb, allowed="1, 2 or 3")
    if len(table.fields) == 0:
        raise UsageError("the table has no columns")
    few = {each.name for each in _position(table)} | {_main(table.fields).name}
    if verb == "1":
        return [each for each in table.fields if each.name in few]
    if verb == "2":
        return [each for each in table.fields if each.name in few or each.principal or each.ucd]
    return list(table.fields)


def _main(fields: tuple[Field, ...]) -> Field:
    """The column that names a row: told by its UCD, else the first."""
    for ucd in ("meta.id;meta.main", "meta.id"):
        for each in fields:
            if each.ucd.lower() == ucd:
                return each
    return fields[0]


def _main_first(fields: tuple[Field, ...]) -> list[Field]:
    main = _main(fields)
    return [main, *(each for each in fields if each is not main)]


def _as_cone(field: Field, lon: str, lat: str, main: bool) -> Field:
    """A column with the UCDs that cone searches have for the name and the position of a row, one column each."""
    if field.name == lon:
        return replace(field, ucd="POS_EQ_RA_MAIN")
    if field.name == lat:
        return replace(field, ucd="POS_EQ_DEC_MAIN")
    return replace(field, ucd="ID_MAIN") if main else field

"""SIA 2.0: maps and cubes that cover a place, a band, a time; rows of ObsCore with links to what can be had."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from skysift.base.errors import OptionError
from skysift.io.answers.forms import form_of
from skysift.serve.ahead import ahead
from skysift.serve.context import Asked
from skysift.serve.vo.asking import SINCE, ask
from skysift.serve.vo.jobs import XML
from skysift.serve.vo.links import links_descriptor
from skysift.serve.vo.params import Asking, Params
from skysift.serve.vo.telling import VotableRoute
from skysift.serve.vo.vosi import Capability, availability_document, capabilities_document
from skysift.serve.vo.wording import any_of, interval_condition, literal, number, region_condition

__all__ = ["router", "search_text"]

USUAL_ROWS = 10_000
POLARISATIONS = (
    "I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA",
)  # fmt: skip
_WORDS = {
    "ID": "obs_publisher_did",
    "COLLECTION": "obs_collection",
    "FACILITY": "facility_name",
    "INSTRUMENT": "instrument_name",
    "DPTYPE": "dataproduct_type",
    "TARGET": "target_name",
    "FORMAT": "access_format",
}
_NUMBERS = {
    "FOV": "s_fov",
    "SPATRES": "s_resolution",
    "SPECRP": "em_res_power",
    "EXPTIME": "t_exptime",
    "TIMERES": "t_resolution",
}

router = APIRouter(prefix="/sia", route_class=VotableRoute, include_in_schema=False)


@router.get("/query")
@router.post("/query")
def query(asked: Asked, params: Asking) -> Response:
    """Maps and cubes that were asked for."""
    form = form_of(params.one("RESPONSEFORMAT"))
    reply = ask(asked, search_text(params), maxrec=params.maxrec(USUAL_ROWS))
    further = links_descriptor(f"{asked.url}/datalink/links", "obs_publisher_did")
    return StreamingResponse(
        ahead(form.write(reply.columns, reply.rows, further=further)), media_type=form.media_type
    )


def search_text(params: Params) -> str:
    """The query of ObsCore that the parameters of SIA are.

    Raises
    ------
    UsageError
        One of them is not allowed.
    """
    conditions = list(_conditions(params))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT * FROM ivoa.obscore{where} ORDER BY obs_publisher_did"


def _conditions(params: Params) -> Iterator[str]:
    shapes = params.shapes()
    if shapes:
        yield any_of(region_condition("s_region", shape, params.system()) for shape in shapes)
    for name, low, high in (("BAND", "em_min", "em_max"), ("TIME", "t_min", "t_max")):
        found = params.intervals(name)
        if found:
            yield any_of(interval_condition(low, high, each) for each in found)
    for name, column in _NUMBERS.items():
        found = params.intervals(name)
        if found:
            yield any_of(_within(column, each) for each in found)
    calibrated = params.all("CALIB")
    if calibrated:
        if not all(each in ("0", "1", "2", "3", "4") for each in calibrated):
            raise OptionError("CALIB is not allowed", got=", ".join(calibrated), allowed="0 to 4")
        yield any_of(f"calib_level = {each}" for each in calibrated)
    states = [each.upper() for each in params.all("POL")]
    if states:
        if not set(states) <= set(POLARISATIONS):
            raise OptionError("POL is not allowed", got=", ".join(states), allowed=POLARISATIONS)
        yield any_of(f"pol_states LIKE '%/{each}/%'" for each in states)
    for name, column in _WORDS.items():
        words = params.all(name)
        if words:
            yield any_of(f"{column} = {literal(word)}" for word in words)


def _within(column: str, interval: tuple[float, float]) -> str:
    parts = [f"{column} IS NOT NULL"]
    if math.isfinite(interval[0]):
        parts.append(f"{column} >= {number(interval[0])}")
    if math.isfinite(interval[1]):
        parts.append(f"{column} <= {number(interval[1])}")
    return "(" + " AND ".join(parts) + ")"


@router.get("/capabilities")
def capabilities(asked: Asked) -> Response:
    """What the service can do."""
    base = f"{asked.url}/sia"
    told = [Capability("ivo://ivoa.net/std/SIA#query-2.0", f"{base}/query", "2.0")]
    return Response(capabilities_document(base, told), media_type=XML)


@router.get("/availability")
def availability(asked: Asked) -> Response:
    """Whether it works."""
    return Response(availability_document(True, SINCE), media_type=XML)

"""SODA 1.0: parts of maps and cubes, one at once or many as a job; regions may be Galactic, as the VLKB has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response

from skysift.base.errors import OptionError, UsageError
from skysift.jobs.cutting import Cutting, cutting_of, image_of
from skysift.jobs.job import Job, JobSpec
from skysift.serve.context import Asked, Context
from skysift.serve.cutouts import part_answer
from skysift.serve.vo.asking import SINCE, private_of
from skysift.serve.vo.jobs import XML, Draft, JobDoor
from skysift.serve.vo.params import Asking, Params
from skysift.serve.vo.telling import PlainRoute
from skysift.serve.vo.vosi import Capability, availability_document, capabilities_document

__all__ = ["cutting", "jobs", "router"]

router = APIRouter(prefix="/soda", route_class=PlainRoute, include_in_schema=False)


@router.get("/sync")
@router.post("/sync")
def sync(asked: Asked, params: Asking) -> Response:
    """One part of one map."""
    wanted = cutting(params)
    if len(wanted) != 1:
        raise UsageError(
            "MultiValuedParamNotSupported: one part is made at once",
            got=len(wanted),
            todo="ask by /soda/async",
        )
    (part,) = wanted.parts()
    return part_answer(image_of(asked.shelf, part.id, asked.user), part)


def cutting(params: Params) -> Cutting:
    """What the parameters of SODA ask.

    Raises
    ------
    UsageError
        One of them is not allowed.
    """
    return cutting_of(**_options(params))


def _options(params: Params) -> dict[str, Any]:
    if "TIME" in params:
        raise OptionError("no map here has an axis of time to be cut by TIME", got=params.all("TIME")[0])
    return {
        "ids": params.all("ID"),
        "pos": params.regions(),
        "bands": params.all("BAND"),
        "pol": params.all("POL"),
        "possys": params.one("POSSYS"),
        "velocity": params.one("VELOCITY"),
        "pixel": params.one("PIXEL"),
    }


def _draft(asked: Context, params: Params) -> Draft:
    options = _options(params)
    options |= {"id": options.pop("ids"), "band": options.pop("bands"), "pos": tuple(options["pos"])}
    return Draft(JobSpec("cutout", options=options), private_of(asked))


def _told(job: Job) -> list[tuple[str, str]]:
    options: Mapping[str, Any] = job.spec.options
    pairs = [
        (name.upper(), each) for name in ("id", "pos", "band", "pol") for each in options.get(name) or ()
    ]
    return pairs + [
        (name.upper(), str(options[name])) for name in ("possys", "velocity", "pixel") if options.get(name)
    ]


jobs = JobDoor("/soda/async", "cutout", _draft, _told).router()


@router.get("/capabilities")
def capabilities(asked: Asked) -> Response:
    """What the service can do."""
    base = f"{asked.url}/soda"
    told = [
        Capability(f"ivo://ivoa.net/std/SODA#{way}-1.0", f"{base}/{way}", "1.0") for way in ("sync", "async")
    ]
    return Response(capabilities_document(base, told), media_type=XML)


@router.get("/availability")
def availability(asked: Asked) -> Response:
    """Whether it works."""
    return Response(availability_document(True, SINCE), media_type=XML)

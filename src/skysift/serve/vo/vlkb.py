"""The services of the ViaLactea Knowledge Base (VLKB): search, cutout, merge and many cutouts, in Galactic coordinates.

A region is ``l``, ``b`` and ``r`` (degrees), or ``l``, ``b``, ``dl`` and ``db``; velocities ``vl`` and ``vu`` are km/s.
Answers are the XML of the VLKB; cutouts and merged maps are FITS where the request says so, and addresses otherwise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import quoteattr

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from skysift.archive.regions import parse_region, to_galactic
from skysift.archive.shelf import Entry
from skysift.base.errors import OptionError, RegionError, UsageError
from skysift.io.answers.votable import xml_text
from skysift.jobs.cutting import Cutting, Part, cut_part, file_name, image_of
from skysift.jobs.job import Job, JobSpec
from skysift.serve.context import Asked, Context
from skysift.serve.vo.asking import ask, private_of
from skysift.serve.vo.jobs import XML, Draft, JobDoor
from skysift.serve.vo.params import BODY, Asking, Params
from skysift.serve.vo.soda import cut_response
from skysift.serve.vo.telling import PlainRoute
from skysift.serve.vo.wording import region_condition
from skysift.stamps.merge import merge
from skysift.stamps.region import Circle, Range, Shape

__all__ = ["jobs", "router"]

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_MOST_FOUND = 1000
_MOST_MERGED = 100
LARGEST_RADIUS = 2.0  # degrees, as the VLKB has it
_SMALL = 1e-4  # degrees: the radius of a place
# codes of overlap, as AST has them
INSIDE, AROUND, PARTIAL = (2, "region inside coverage"), (3, "coverage inside region"), (4, "partial overlap")

router = APIRouter(prefix="/vlkb", route_class=PlainRoute, include_in_schema=False)


@router.get("/search")
@router.post("/search")
def search(asked: Asked, params: Asking) -> Response:
    """Maps and cubes that meet a region, survey by survey."""
    shape = _region(params)
    if shape is None:
        raise UsageError("no region is given", todo="give l, b and r, or l, b, dl and db (degrees)")
    found = _found(asked, params, shape)
    surveys: dict[tuple[str, str, str], list[str]] = {}
    for entry, region, overlap in found:
        key = (entry.survey or entry.collection, entry.species, entry.transition)
        surveys.setdefault(key, []).append(_told(asked, entry, region, overlap))
    parts = [f"{_HEAD}<results>\n{_inputs(params)}<msg>{len(found)} found</msg>\n"]
    parts.append(f"<DatacubeCount>{len(found)}</DatacubeCount>\n")
    for (survey, species, transition), told in sorted(surveys.items()):
        parts.append(
            f"<survey><Survey>{xml_text(survey)}</Survey><Species>{xml_text(species)}</Species>"
            f"<Transition>{xml_text(transition)}</Transition>\n{''.join(told)}</survey>\n"
        )
    return Response("".join(parts) + "</results>\n", media_type=XML)


def _found(asked: Context, params: Params, shape: Shape) -> list[tuple[Entry, str, tuple[int, str]]]:
    """The entries that meet a region, with what they cover and how they overlap."""
    meets = region_condition("s_region", shape, "GALACTIC")
    inside = meets.replace("INTERSECTS(", "CONTAINS(")
    rows = ask(
        asked, f"SELECT obs_publisher_did, s_region FROM ivoa.obscore WHERE {meets}", maxrec=_MOST_FOUND
    ).rows
    held = {str(did): str(region) for did, region in rows}
    whole = {
        str(row[0])
        for row in ask(
            asked, f"SELECT obs_publisher_did FROM ivoa.obscore WHERE {inside}", maxrec=_MOST_FOUND
        ).rows
    }
    wanted = {name: params.one(other).lower() for name, other in _FILTERS.items() if params.one(other)}
    found = []
    for did, region in held.items():
        entry = asked.shelf.entry(did, asked.user)
        if any(str(getattr(entry, name) or (entry.collection if name == "survey" else "")).lower() != text
               for name, text in wanted.items()):  # fmt: skip
            continue
        overlap = INSIDE if did in whole else AROUND if _within(region, shape) else PARTIAL
        found.append((entry, region, overlap))
    return found


_FILTERS = {"survey": "SURVEYNAME", "species": "SPECIES", "transition": "TRANSITION"}


def _within(region: str, shape: Shape) -> bool:
    """Whether what a map covers lies within the region that was asked for."""
    lon, lat = zip(*_galactic(region), strict=True)
    return bool(all(shape.contains(lon, lat)))


def _galactic(region: str) -> list[tuple[float, float]]:
    area = parse_region(region)
    return [to_galactic(ra, dec) for ra, dec in area.corners]


def _told(asked: Context, entry: Entry, region: str, overlap: tuple[int, str]) -> str:
    corners = _galactic(region)
    vertices = "".join(
        f"<P{number}><longitude>{lon:.8g}</longitude><latitude>{lat:.8g}</latitude></P{number}>"
        for number, (lon, lat) in enumerate(corners, 1)
    )
    lats = [lat for _, lat in corners]
    return (
        f"<datacube><PublisherDID>{xml_text(entry.did)}</PublisherDID>\n"
        f"<overlap><description>{overlap[1]}</description><code>{overlap[0]}</code></overlap>\n"
        f'<Access><URL type="links">{xml_text(f"{asked.url}/datalink/links?" + urlencode({"ID": entry.did}))}</URL>'
        f"</Access>\n<bounds><latitude_min>{min(lats):.8g}</latitude_min><latitude_max>{max(lats):.8g}</latitude_max>"
        f"</bounds>\n<vertices>{vertices}</vertices></datacube>\n"
    )


@router.get("/cutout")
@router.post("/cutout")
def cutout(asked: Asked, params: Asking) -> Response:
    """A part of one map: its address and what is blank of it, or the part itself."""
    did = params.needed("PUBDID")
    shape, velocity = _region(params), _velocity(params)
    wanted = Cutting((did,), () if shape is None else (shape,), "GALACTIC", velocity=velocity)
    if _as_fits(params):
        return cut_response(asked, wanted)
    entry = image_of(asked.shelf, did, asked.user)
    part = next(iter(wanted.parts()))
    made = cut_part(entry, part)
    if made.empty:
        raise RegionError("the map holds nothing of what was asked for", got=str(shape))
    blanks = ""
    if "NULLVALS" in params or "NULLVALS" in params.bare:
        share = 100.0 * made.blanks / max(1, math.prod(made.shape))
        blanks = f'<nullvals percent="{share:.4f}">{made.blanks}</nullvals>\n'
    size = " ".join(str(each) for each in reversed(made.shape))
    return Response(
        f"{_HEAD}<results>\n{_inputs(params)}<CUT><source>{xml_text(entry.did)}</source>"
        f"<overlap>{made.overlap}</overlap><pixels>{size}</pixels></CUT>\n"
        f"<URL>{xml_text(_soda_url(asked, part))}</URL>\n{blanks}<filesize>{made.size}</filesize>\n</results>\n",
        media_type=XML,
    )


def _soda_url(asked: Context, part: Part) -> str:
    """Where a cutout is had."""
    told = {"ID": part.id}
    if part.shape is not None:
        told |= {"POS": str(part.shape), "POSSYS": part.system}
    if part.velocity is not None:
        told["VELOCITY"] = f"{part.velocity[0]!r} {part.velocity[1]!r}"
    return f"{asked.url}/soda/sync?{urlencode(told)}"


@router.get("/merge")
@router.post("/merge")
def merged(asked: Asked, params: Asking) -> Response:
    """Adjacent maps of one survey as one, as FITS."""
    dids = [each for text in params.all("PUBDID") for each in text.split(";") if each.strip()]
    if not 0 < len(dids) <= _MOST_MERGED:
        raise UsageError(
            "the maps to be merged are not named", got=len(dids), allowed=f"1 to {_MOST_MERGED} of pubdid"
        )
    entries = [image_of(asked.shelf, did, asked.user) for did in dids]
    kinds = {(each.survey or each.collection, each.species, each.transition) for each in entries}
    if len(kinds) > 1:
        raise UsageError("only maps of one survey, species and transition are merged", got=sorted(kinds))
    velocity = _velocity(params)
    made = merge(
        [each.path for each in entries],
        _region(params),
        system="GALACTIC",
        velocity=None if velocity is None else (1e3 * velocity[0], 1e3 * velocity[1]),
    )
    if made.empty:
        return Response(status_code=204)
    name = file_name(entries[0]).replace("-cutout", "-merged")
    return StreamingResponse(
        made.blocks(),
        media_type="application/fits",
        headers={"Content-Length": str(made.size), "Content-Disposition": f'attachment; filename="{name}"'},
    )


def _region(params: Params) -> Shape | None:
    """The region, in Galactic coordinates; None where none is given."""
    shapes = params.shapes(several=False)
    if shapes:
        return shapes[0]
    if "L" not in params and "B" not in params:
        return None
    lon, lat = params.number("L", low=-360.0, high=360.0), params.number("B", low=-90.0, high=90.0)
    if "R" in params:
        return Circle(lon, lat, max(params.number("R", low=0.0, high=LARGEST_RADIUS), _SMALL))
    if "DL" in params or "DB" in params:
        dl = params.number("DL", low=0.0, high=360.0)
        db = params.number("DB", low=0.0, high=180.0)
        return Range((lon - dl / 2) % 360.0, (lon + dl / 2) % 360.0, lat - db / 2, lat + db / 2)
    return Circle(lon, lat, _SMALL)


def _velocity(params: Params) -> tuple[float, float] | None:
    if "VL" not in params and "VU" not in params:
        return None
    low, high = params.number("VL"), params.number("VU")
    if low > high:
        raise OptionError("the velocities are in the wrong order", got=f"vl={low:g} vu={high:g}")
    return low, high


def _as_fits(params: Params) -> bool:
    return "fits" in params.one("RESPONSEFORMAT").lower()


def _inputs(params: Params) -> str:
    told = "".join(
        f"<input name={quoteattr(name.lower())}>{xml_text(value)}</input>\n" for name, value in params.flat()
    )
    return f"<inputs>\n{told}</inputs>\n"


# -- many


def _draft(asked: Context, params: Params) -> Draft:
    file = next(iter(params.files.values()), None)
    files = {} if file is None else {BODY: file}
    if file is None and params.one("ITEMS"):
        raise OptionError("the list of cutouts comes as the body", allowed="JSON, or a file of a form")
    return Draft(JobSpec("mcutout", options={"items": BODY}), private_of(asked), files)


def _listed(job: Job) -> list[tuple[str, str]]:
    options: Mapping[str, Any] = job.spec.options
    return [(name, json.dumps(value)) for name, value in options.items()]


jobs = JobDoor("/vlkb/mcutout", "mcutout", _draft, _listed).router()

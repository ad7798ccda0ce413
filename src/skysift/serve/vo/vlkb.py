"""The services of the ViaLactea Knowledge Base (VLKB): search, cutout, merge and many cutouts, in Galactic coordinates.

A region is ``l``, ``b`` and ``r`` (degrees), or ``l``, ``b``, ``dl`` and ``db``, or ``POS``, for which ``POSSYS`` may
say another system; velocities ``vl`` and ``vu`` are km/s.
Answers are the XML of the VLKB; cutouts and merged maps are FITS where the request says so, and addresses otherwise.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import quoteattr

from fastapi import APIRouter, Response

from skysift.archive.regions import Area, box_corners, to_galactic
from skysift.archive.shelf import Entry, Found
from skysift.base.errors import OptionError, RegionError, UsageError
from skysift.io.answers.votable import xml_text
from skysift.jobs.cutting import Cutting, Part, cut_part, file_name, image_of
from skysift.jobs.job import Job, JobSpec
from skysift.serve.context import Asked, Context
from skysift.serve.cutouts import check_size, cut_answer, part_answer
from skysift.serve.vo.asking import private_of
from skysift.serve.vo.jobs import XML, Draft, JobDoor
from skysift.serve.vo.params import BODY, Asking, Params
from skysift.serve.vo.telling import PlainRoute
from skysift.serve.vo.wording import areas_of
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
    shape, system = _region(params)
    if shape is None:
        raise UsageError("no region is given", todo="give l, b and r, or l, b, dl and db (degrees)")
    found = _found(asked, params, shape, system)
    message = f"{len(found)} found"
    if len(found) > _MOST_FOUND:
        found = found[:_MOST_FOUND]
        message = f"OVERFLOW: the first {_MOST_FOUND} of more; ask for a smaller region, or for one survey"
    surveys: dict[tuple[str, str, str], list[str]] = {}
    for each, overlap in found:
        entry = each.entry
        key = (entry.survey or entry.collection, entry.species, entry.transition)
        surveys.setdefault(key, []).append(_told(asked, each, overlap))
    parts = [f"{_HEAD}<results>\n{_inputs(params)}<msg>{message}</msg>\n"]
    parts.append(f"<DatacubeCount>{len(found)}</DatacubeCount>\n")
    for (survey, species, transition), told in sorted(surveys.items()):
        parts.append(
            f"<survey><Survey>{xml_text(survey)}</Survey><Species>{xml_text(species)}</Species>"
            f"<Transition>{xml_text(transition)}</Transition>\n{''.join(told)}</survey>\n"
        )
    return Response("".join(parts) + "</results>\n", media_type=XML)


def _found(asked: Context, params: Params, shape: Shape, system: str) -> list[tuple[Found, tuple[int, str]]]:
    """The entries that fit, in the order of their ids, with how they overlap the region; one more than are told."""
    velocity, bands = _velocity(params), params.intervals("BAND")
    if len(bands) > 1:
        raise UsageError("only one BAND is taken at a time", got=len(bands))
    asked_for = {"velocity": velocity, "band": next(iter(bands), None)}
    wanted = {name: params.one(other).lower() for name, other in _FILTERS.items() if params.one(other)}
    areas: list[Area | None] = [*areas_of(shape, system)]
    held: dict[str, list[Found]] = {}
    for area in areas or [None]:
        fit = (
            each
            for each in asked.shelf.search(asked.user, pos=area, **asked_for)
            if each.region is not None and all(_name(each.entry, key) == text for key, text in wanted.items())
        )
        for each in itertools.islice(fit, _MOST_FOUND + 1):
            held.setdefault(each.entry.id, []).append(each)
    first = [held[name] for name in sorted(held)[: _MOST_FOUND + 1]]
    return [(each[0], _overlap(each, len(areas), velocity)) for each in first]


def _name(entry: Entry, key: str) -> str:
    name = str(getattr(entry, key)) or (entry.collection if key == "survey" else "")
    return name.lower()


_FILTERS = {"survey": "SURVEYNAME", "species": "SPECIES", "transition": "TRANSITION"}


def _overlap(found: list[Found], count: int, velocity: tuple[float, float] | None) -> tuple[int, str]:
    """How a map overlaps a region of so many pieces, and velocities where they were asked for."""
    low, high = velocity or (math.nan, math.nan)
    seen = found[0].observation
    ways = [each.overlap for each in found]
    if len(ways) == count and all(way == "full" for way in ways):
        whole = velocity is None or seen["v_min"] <= low <= high <= seen["v_max"]
        return INSIDE if whole else PARTIAL
    if count == 0 or "inside" in ways:
        whole = velocity is None or low <= seen["v_min"] <= seen["v_max"] <= high
        return AROUND if whole else PARTIAL
    return PARTIAL


def _told(asked: Context, found: Found, overlap: tuple[int, str]) -> str:
    entry, region = found.entry, found.region
    corners = [to_galactic(ra, dec) for ra, dec in ([] if region is None else _corners(region))]
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


def _corners(area: Area) -> list[tuple[float, float]]:
    """The corners of a region; of a circle, those of a square about it."""
    if area.kind != "CIRCLE":
        return area.corners
    (ra, dec), side = area.corners[0], min(2.0 * area.numbers[2], 179.0)
    return box_corners(ra, dec, side, side) if side > 0.0 else area.corners


@router.get("/cutout")
@router.post("/cutout")
def cutout(asked: Asked, params: Asking) -> Response:
    """A part of one map: its address and what is blank of it, or the part itself."""
    did = params.needed("PUBDID")
    (shape, system), velocity = _region(params), _velocity(params)
    wanted = Cutting((did,), () if shape is None else (shape,), system, velocity=velocity)
    entry = image_of(asked.shelf, did, asked.user)
    (part,) = wanted.parts()
    if _as_fits(params):
        return part_answer(entry, part)
    made = cut_part(entry, part)
    if made.empty:
        raise RegionError("the map holds nothing of what was asked for", got=str(shape))
    check_size(made)
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
    (shape, system), velocity = _region(params), _velocity(params)
    made = merge(
        [each.path for each in entries],
        shape,
        system=system,
        velocity=None if velocity is None else (1e3 * velocity[0], 1e3 * velocity[1]),
    )
    return cut_answer(made, file_name(entries[0]).replace("-cutout", "-merged"))


def _region(params: Params) -> tuple[Shape | None, str]:
    """The region, None where none is given, and its system: Galactic unless POSSYS says another for POS."""
    shapes = params.shapes(several=False)
    if shapes:
        return shapes[0], params.system() if "POSSYS" in params else "GALACTIC"
    if "L" not in params and "B" not in params:
        return None, "GALACTIC"
    lon, lat = params.number("L", low=-360.0, high=360.0), params.number("B", low=-90.0, high=90.0)
    if "R" in params:
        return Circle(lon, lat, max(params.number("R", low=0.0, high=LARGEST_RADIUS), _SMALL)), "GALACTIC"
    if "DL" in params or "DB" in params:
        dl = params.number("DL", low=0.0, high=360.0)
        db = params.number("DB", low=0.0, high=180.0)
        west, east = ((lon - dl / 2) % 360.0, (lon + dl / 2) % 360.0) if dl < 360.0 else (0.0, 360.0)
        return Range(west, east, max(lat - db / 2, -90.0), min(lat + db / 2, 90.0)), "GALACTIC"
    return Circle(lon, lat, _SMALL), "GALACTIC"


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

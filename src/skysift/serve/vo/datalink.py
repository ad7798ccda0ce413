"""DataLink 1.1: what can be had of an entry of the shelf: itself, cutouts, a picture, what belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, RedirectResponse, StreamingResponse

from skysift.archive.holdings import inputs_of
from skysift.archive.shelf import Entry
from skysift.base.errors import SkysiftError, StorageError, UsageError
from skysift.base.store import is_url
from skysift.io.answers.forms import FORMS
from skysift.io.answers.rows import Rows
from skysift.io.answers.votable import written_tabledata
from skysift.io.field import Field, Row
from skysift.jobs.cutting import entry_of
from skysift.serve.context import Asked, Context
from skysift.serve.vo.asking import SINCE, tables_of
from skysift.serve.vo.jobs import XML
from skysift.serve.vo.links import soda_descriptor
from skysift.serve.vo.params import Asking
from skysift.serve.vo.preview import preview
from skysift.serve.vo.telling import PlainRoute, VotableRoute, fault_of, message_of
from skysift.serve.vo.vosi import Capability, availability_document, capabilities_document

__all__ = ["MEDIA_TYPE", "files", "router"]

MEDIA_TYPE = "application/x-votable+xml;content=datalink"
FIELDS = (
    Field("ID", "char", "*", ucd="meta.id;meta.main", description="What was asked for"),
    Field("access_url", "char", "*", ucd="meta.ref.url", description="Where it can be had"),
    Field(
        "service_def", "char", "*", ucd="meta.ref", description="The descriptor of the service that gives it"
    ),
    Field("error_message", "char", "*", ucd="meta.code.error", description="Why there is nothing"),
    Field("semantics", "char", "*", ucd="meta.code", description="What it is to what was asked for"),
    Field("description", "unicodeChar", "*", ucd="meta.note", description="In words"),
    Field("content_type", "char", "*", ucd="meta.code.mime", description="Its media type"),
    Field("content_length", "long", unit="byte", ucd="phys.size;meta.file", description="Its size"),
)
SEMANTICS = {
    "noise": "#noise",
    "weight": "#weight",
    "background": "#auxiliary",
    "derivation": "#derivation",
    "progenitor": "#progenitor",
    "preview": "#preview",
    "documentation": "#documentation",
}
_MOST = 100
_TOO_MANY = f"UsageFault: links of {_MOST} identifiers are told at once; ask again for this one"
_MOST_PRODUCTS = 10
IMAGES = ("image", "cube")
SYNC, ASYNC = "soda-sync", "soda-async"

router = APIRouter(prefix="/datalink", route_class=VotableRoute, include_in_schema=False)
files = APIRouter(prefix="/datalink", route_class=PlainRoute, include_in_schema=False)


@router.get("/links")
@router.post("/links")
def links(asked: Asked, params: Asking) -> Response:
    """What can be had of the entries with these identifiers."""
    wanted = params.all("ID")
    if not wanted:
        raise UsageError("the parameter ID is missing")
    form = params.one("RESPONSEFORMAT", "votable").lower().replace(" ", "")
    if form.partition(";")[0] not in {name for each in FORMS[:1] for name in (each.name, *each.names)}:
        raise UsageError("links are told as VOTables only", got=form)
    rows: list[Row] = []
    descriptors: list[str] = []
    for did in wanted[:_MOST]:
        try:
            entry = entry_of(asked.shelf, did, asked.user)
        except SkysiftError as error:
            if error.kind in ("fatal", "transient"):
                raise
            rows.append((did, None, None, f"{fault_of(error)}: {message_of(error)}", "#this", "", None, None))
            continue
        suffix = "" if len(wanted) == 1 else f"-{len(descriptors) + 1}"
        rows += _rows(asked, entry, did, suffix)
        if entry.kind in IMAGES:
            descriptors.append(_descriptors(asked, entry, suffix))
    for did in wanted[_MOST:]:  # each identifier has a row: none is dropped without a word
        rows.append((did, None, None, _TOO_MANY, "#this", "", None, None))
    return StreamingResponse(
        written_tabledata(
            FIELDS,
            Rows(rows, len(rows)),
            infos=[("standardID", "ivo://ivoa.net/std/DataLink#links-1.1")],
            further="".join(descriptors),
        ),
        media_type=MEDIA_TYPE,
    )


def _rows(asked: Context, entry: Entry, did: str, suffix: str) -> Iterator[Row]:
    """The links of one entry."""
    if not entry.path.is_dir():
        yield _file(asked, did, entry, "#this", f"{entry.name}, as a whole")
    if entry.kind in IMAGES:
        for service, text in ((SYNC, "at once"), (ASYNC, "as a job")):
            yield (
                did,
                None,
                service + suffix,
                None,
                "#cutout",
                f"Parts of it, {text}",
                "application/fits",
                None,
            )
        picture = f"{asked.url}/datalink/preview/{entry.id}"
        yield (did, picture, None, None, "#preview", "A small picture", "image/png", None)
        hips = f"{asked.url}/hips/{entry.id}/"
        yield (did, hips, None, None, "#auxiliary", "The map as HiPS", "text/html", None)
    for child in asked.shelf.children(entry, asked.user):
        yield from _child(asked, did, child)
    for product in asked.shelf.made_from(entry, asked.user)[:_MOST_PRODUCTS]:
        for child in asked.shelf.children(product, asked.user):
            yield from _child(asked, did, child)
    for source in _sources(asked, entry):
        yield _file(asked, did, source, "#progenitor", f"{source.name}, which it was made from")


def _sources(asked: Context, entry: Entry) -> Iterator[Entry]:
    """What an entry was made from, as far as it is on the shelf: what its story, or that of its folder, names."""
    told = entry
    if entry.parent and not entry.provenance:
        try:
            told = asked.shelf.entry(entry.parent, asked.user)
        except SkysiftError:
            return  # it is not theirs to see
        if not told.path.is_dir():
            yield told
    for checksum in inputs_of(told):
        yield from asked.shelf.of_content(checksum, asked.user)[:1]


def _child(asked: Context, did: str, child: Entry) -> Iterator[Row]:
    semantics = SEMANTICS.get(child.role, "#auxiliary")
    text = f"{child.name}: {child.role} of it"
    if child.path.is_file():
        yield _file(asked, did, child, semantics, text)
    for table in tables_of(asked).of_entry(child.id):
        query = urlencode({"LANG": "ADQL", "QUERY": f"SELECT * FROM {table}"})
        url, kind = f"{asked.url}/tap/sync?{query}", "application/x-votable+xml"
        yield (did, url, None, None, "#derivation", f"The table {table}", kind, None)


def _file(asked: Context, did: str, entry: Entry, semantics: str, text: str) -> Row:
    url = f"{asked.url}/datalink/data/{entry.id}/{quote(entry.name)}"
    return (did, url, None, None, semantics, text, entry.media_type, entry.size)


def _descriptors(asked: Context, entry: Entry, suffix: str) -> str:
    """The services that cut an image."""
    seen = asked.shelf.observation(entry) or {}
    circle = band = None
    if seen.get("s_ra") is not None and seen.get("s_fov") is not None:
        circle = (float(seen["s_ra"]), float(seen["s_dec"]), float(seen["s_fov"]) / 2.0)
    if seen.get("em_min") is not None and seen.get("em_max") is not None:
        band = (float(seen["em_min"]), float(seen["em_max"]))
    states = tuple(each for each in str(seen.get("pol_states") or "").split("/") if each)
    return "".join(
        soda_descriptor(
            name + suffix,
            f"ivo://ivoa.net/std/SODA#{name.partition('-')[2]}-1.0",
            f"{asked.url}/soda/{name.partition('-')[2]}",
            entry.did,
            circle=circle,
            band=band,
            pol=states,
        )
        for name in (SYNC, ASYNC)
    )


@router.get("/capabilities")
def capabilities(asked: Asked) -> Response:
    """What the service can do."""
    base = f"{asked.url}/datalink"
    told = [Capability("ivo://ivoa.net/std/DataLink#links-1.1", f"{base}/links", "1.1")]
    return Response(capabilities_document(base, told), media_type=XML)


@router.get("/availability")
def availability(asked: Asked) -> Response:
    """Whether it works."""
    return Response(availability_document(True, SINCE), media_type=XML)


def _url_of(entry: Entry) -> str:
    """Where an entry lies that is no file of this machine, with the slashes that its path lost; else empty."""
    scheme, colon, rest = str(entry.path).partition(":")
    url = f"{scheme}://{rest.lstrip('/')}"
    return url if colon and scheme in ("http", "https") and is_url(url) else ""


@files.get("/data/{id}/{name}")
@files.get("/data/{id}")
def data(asked: Asked, id: str, name: str = "") -> Response:
    """The file of an entry; `name` is what it is called, and nothing else."""
    entry = asked.shelf.entry(id, asked.user)
    url = _url_of(entry)
    if url:
        return RedirectResponse(url, 303)
    if not entry.path.is_file():
        if entry.path.is_dir():
            raise UsageError("this is a folder; its parts are linked one by one", got=entry.name)
        raise StorageError("the file is not there any more", got=entry.name)
    return FileResponse(entry.path, media_type=entry.media_type, filename=entry.path.name)


@files.get("/preview/{id}")
def picture(asked: Asked, id: str) -> Response:
    """A small picture of an image."""
    entry = asked.shelf.entry(id, asked.user)
    if entry.kind not in IMAGES:
        raise UsageError("only images and cubes have pictures", got=entry.kind)
    made = preview(entry.path, entry.hdu if entry.hdu >= 0 else None)
    return Response(made, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})

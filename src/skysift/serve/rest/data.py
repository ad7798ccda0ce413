"""What is on the shelf: ``/api/v1/shelf``, its images and cubes, its catalogues, and cutouts of images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from skysift.archive.holdings import Entry
from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.flow.products import folder_names
from skysift.jobs.cutting import cutting_of, image_of
from skysift.serve.context import Asked, AskedByUser, Context
from skysift.serve.cutouts import part_answer
from skysift.serve.files import file_answer
from skysift.serve.inputs import NewInput, as_request, input_of
from skysift.serve.rest import API
from skysift.serve.wire import PageOf, PageSize, Plain, Sharing, Shown, Told, own, shown_access

__all__ = ["router"]

router = APIRouter(prefix=API, tags=["shelf"])

_IMAGES = ("image", "cube")


class ShownEntry(BaseModel):
    """Something on the shelf; give ``shelf:ID`` as an input of a job."""

    id: str
    did: str
    name: str
    kind: str
    role: str
    collection: str
    parent: str
    media_type: str
    size: int
    checksum: str
    created: str
    survey: str
    access: Shown
    input: str
    links: dict[str, str]


class ShownImage(ShownEntry):
    """A map or a cube with what matters most of its ObsCore."""

    type: str | None
    ra: float | None
    dec: float | None
    field: float | None
    em_min: float | None
    em_max: float | None
    obscore: dict[str, Any] | None = None


class ShownTable(BaseModel):
    """A table that can be queried."""

    name: str
    rows: int | None
    description: str
    columns: list[dict[str, str]] | None = None


class ShownCatalogue(ShownEntry):
    """A catalogue and the tables that it became."""

    tables: list[ShownTable]


class ShelfPage(BaseModel):
    """Some things on the shelf, the newest first."""

    items: list[ShownEntry]
    next: str


class ImagePage(BaseModel):
    """Some images and cubes, the newest first."""

    items: list[ShownImage]
    next: str


class CataloguePage(BaseModel):
    """Some catalogues, the newest first."""

    items: list[ShownCatalogue]
    next: str


class NewEntry(BaseModel):
    """Something that is to go onto the shelf."""

    model_config = ConfigDict(extra="forbid")

    source: Plain = Field(
        max_length=2000, description="upload:ID, job:ID (all its products), job:ID/NAME, or a URL."
    )
    collection: Plain = Field(
        default="local", max_length=1000, description="What it is part of: letters, digits, '.', '_' and '-'."
    )
    survey: Plain = Field(default="", max_length=100)
    description: Told = Field(default="", max_length=2000, description="What a table holds.")
    access: Sharing | None = Field(default=None, description="Who may see it; you alone by default.")


@router.post("/shelf", status_code=201, summary="Put something onto the shelf")
def put(wanted: NewEntry, asked: AskedByUser) -> ShelfPage:
    """Put an upload or the results of a job onto the shelf, which keeps a copy; the same content only once."""
    with as_request():
        places = _places(wanted.source, asked)
        access = own(asked.user, wanted.access)
        made = [
            asked.shelf.ingest(
                place,
                asked.user,
                access=access,
                collection=wanted.collection,
                survey=wanted.survey,
                description=wanted.description,
                keep=True,
                called=called,
            )
            for place, called in places
        ]
    return ShelfPage(items=[_shown(each, asked) for each in made], next="")


@router.get("/shelf", summary="Everything on the shelf that you may see")
def shelf(
    asked: Asked,
    kind: Annotated[str | None, Query(max_length=20)] = None,
    collection: Annotated[str | None, Query(max_length=128)] = None,
    parent: Annotated[str | None, Query(max_length=64, description="What belongs to this entry.")] = None,
    page: PageOf = "",
    size: PageSize = 50,
) -> ShelfPage:
    """Everything that you may see, the newest first."""
    kinds = None if kind is None else (kind,)
    found, more = _page(asked, kinds, page, size, collection=collection, parent=parent)
    return ShelfPage(items=[_shown(each, asked) for each in found], next=more)


@router.get("/shelf/{id}", summary="One thing on the shelf")
def entry(id: str, asked: Asked) -> ShownEntry:
    """One thing on the shelf, by its id or its publisher DID."""
    return _shown(asked.shelf.entry(id, asked.user), asked)


@router.get("/shelf/{id}/provenance", summary="How it came to be")
def provenance(id: str, asked: Asked) -> dict[str, Any]:
    """How it came to be: version, options, input checksums; empty where that is not known."""
    told = asked.shelf.entry(id, asked.user).provenance
    found: dict[str, Any] = json.loads(told) if told else {}
    return found


@router.get("/shelf/{id}/content", summary="Its file", response_class=Response)
def content(
    id: str,
    asked: Asked,
    request: Request,
    show: Annotated[bool, Query(description="Let a browser show it, in a sandbox.")] = False,
) -> Response:
    """The file, in parts where a Range is asked for."""
    found = asked.shelf.entry(id, asked.user)
    if found.kind == "product":
        raise UnknownName(
            "a folder of products has no file of its own", got=id, todo="ask for what belongs to it"
        )
    return file_answer(request, found.path, found.name, found.media_type, found.checksum, show=show)


@router.post("/shelf/{id}/views", status_code=201, summary="A link to look at its files")
def view(id: str, asked: Asked) -> dict[str, Any]:
    """A link below which a browser shows its file and what belongs to it for an hour, without a header."""
    found = asked.shelf.entry(id, asked.user)
    return {
        "url": f"{asked.url}/views/{asked.views.make(f'shelf:{found.id}', asked.user)}/",
        "seconds": asked.views.seconds,
    }


@router.patch("/shelf/{id}", summary="Share it")
def share(id: str, sharing: Sharing, asked: AskedByUser) -> ShownEntry:
    """Say who may see it, and what belongs to it, from now on."""
    found = asked.shelf.entry(id, asked.user)
    return _shown(asked.shelf.share(found.id, asked.user, sharing.of(found.access.owner)), asked)


@router.delete("/shelf/{id}", status_code=204, summary="Take it off the shelf")
def remove(id: str, asked: AskedByUser) -> None:
    """Take it off the shelf, with its tables and what belongs to it."""
    asked.shelf.remove(asked.shelf.entry(id, asked.user).id, asked.user)
    asked.tiles.sweep(asked.shelf)


@router.get("/images", summary="Images and cubes")
def images(
    asked: Asked,
    collection: Annotated[str | None, Query(max_length=128)] = None,
    page: PageOf = "",
    size: PageSize = 50,
) -> ImagePage:
    """Images and cubes that you may see, the newest first; by place, band and time: SIA at ``/sia``."""
    found, more = _page(asked, _IMAGES, page, size, collection=collection)
    return ImagePage(items=[_image(each, asked) for each in found], next=more)


@router.get("/images/{id}", summary="One image or cube")
def image(id: str, asked: Asked) -> ShownImage:
    """One image or cube with its row of ObsCore."""
    return _image(_of_kind(id, asked, _IMAGES), asked, whole=True)


@router.get("/images/{id}/cutout", summary="A part of an image or cube", response_class=Response)
def cutout(
    id: str,
    asked: Asked,
    region: Annotated[
        str, Query(max_length=4000, description="`CIRCLE ra dec radius`, `POLYGON ...` or `RANGE ...` (deg).")
    ],
    system: Annotated[str, Query(max_length=16, description="ICRS, GALACTIC or FK5.")] = "ICRS",
    band: Annotated[str, Query(max_length=64, description="Wavelengths (m): two numbers.")] = "",
) -> Response:
    """The box of all pixels that a region touches, as FITS with its own coordinates; 204 where there is none."""
    bands = [band.replace(",", " ")] if band else []
    (part,) = cutting_of(ids=[id], pos=[region], possys=system, bands=bands).parts()
    return part_answer(image_of(asked.shelf, id, asked.user), part)


@router.get("/catalogues", summary="Catalogues")
def catalogues(
    asked: Asked,
    collection: Annotated[str | None, Query(max_length=128)] = None,
    page: PageOf = "",
    size: PageSize = 50,
) -> CataloguePage:
    """Catalogues that you may see with the tables that they became, to be queried by ADQL at ``/tap``."""
    found, more = _page(asked, ("catalogue",), page, size, collection=collection)
    tables = _tables(asked, {each.id for each in found})
    return CataloguePage(
        items=[_catalogue(each, asked, tables.get(each.id, [])) for each in found], next=more
    )


@router.get("/catalogues/{id}", summary="One catalogue")
def catalogue(id: str, asked: Asked) -> ShownCatalogue:
    """One catalogue with its tables and their columns."""
    found = _of_kind(id, asked, ("catalogue",))
    return _catalogue(found, asked, _tables(asked, {found.id}, columns=True).get(found.id, []))


def _places(source: str, asked: Context) -> list[tuple[str, str]]:
    """Where the files or folders of a source are, if the user may read them, and what each folder is called."""
    kind, _, rest = source.partition(":")
    if kind == "shelf":
        raise OptionError("it is on the shelf already", got=source[:100])
    if kind != "job" or "/" in rest:
        return [(input_of(NewInput(source=source), asked).path, "")]
    job = asked.manager.job(rest, asked.user)
    results = asked.manager.results(rest)
    folders = {each.path.parent: each.name for each in results if each.path.name == "manifest.json"}
    if not folders:
        raise UsageError(
            "the job made no products of skysift", got=rest, todo="name one of its files: job:ID/NAME"
        )
    maps = [each.name for each in job.spec.inputs if each.role == "map"]
    alone = folder_names(maps or [job.spec.name or job.spec.app])[
        0
    ]  # the folder of one map is that of the job
    return [(str(each), "" if "/" in folders[each] else alone) for each in sorted(folders)]


def _page(
    asked: Context, kinds: Sequence[str] | None, page: str, size: int, **sought: str | None
) -> tuple[list[Entry], str]:
    """Entries of some kinds, the newest first, and where the next page begins."""
    found: list[Entry] = []
    for kind in kinds or (None,):
        found += asked.shelf.entries(asked.user, kind=kind, after=page, count=size + 1, **sought)
    found.sort(key=lambda each: each.id)
    found.sort(key=lambda each: each.created, reverse=True)
    more = f"{found[size - 1].created} {found[size - 1].id}" if len(found) > size else ""
    return found[:size], more


def _of_kind(id: str, asked: Context, kinds: Sequence[str]) -> Entry:
    found = asked.shelf.entry(id, asked.user)
    if found.kind not in kinds:
        raise UnknownName(f"it is no {' or '.join(kinds)}", got=id)
    return found


def _tables(asked: Context, ids: set[str], *, columns: bool = False) -> dict[str, list[ShownTable]]:
    """Entry -> its tables."""
    found: dict[str, list[ShownTable]] = {}
    for table in asked.shelf.tables(asked.user):
        if table.entry in ids:
            told = None
            if columns:
                told = [
                    {"name": each.name, "datatype": each.datatype, "unit": each.unit, "ucd": each.ucd}
                    | {"description": each.description}
                    for each in table.fields
                ]
            shown = ShownTable(
                name=table.full_name, rows=table.rows, description=table.description, columns=told
            )
            found.setdefault(table.entry, []).append(shown)
    return found


def _shown(entry: Entry, asked: Context) -> ShownEntry:
    return ShownEntry(**_facts(entry, asked))


def _facts(entry: Entry, asked: Context) -> dict[str, Any]:
    url = f"{asked.url}{API}/shelf/{entry.id}"
    links = {
        "self": url,
        "provenance": f"{url}/provenance",
        "children": f"{asked.url}{API}/shelf?parent={entry.id}",
    }
    if entry.kind != "product":
        links["content"] = f"{url}/content"
    if entry.kind in _IMAGES:
        links["cutout"] = f"{asked.url}{API}/images/{entry.id}/cutout"
    names = (
        "id",
        "did",
        "name",
        "kind",
        "role",
        "collection",
        "parent",
        "media_type",
        "size",
        "checksum",
        "created",
    )
    return {
        **{name: getattr(entry, name) for name in names},
        "survey": entry.survey,
        "access": shown_access(entry.access),
        "input": f"shelf:{entry.id}",
        "links": links,
    }


def _image(entry: Entry, asked: Context, *, whole: bool = False) -> ShownImage:
    told = asked.shelf.observation(entry) or {}
    return ShownImage(
        **_facts(entry, asked),
        type=told.get("dataproduct_type"),
        ra=told.get("s_ra"),
        dec=told.get("s_dec"),
        field=told.get("s_fov"),
        em_min=told.get("em_min"),
        em_max=told.get("em_max"),
        obscore={name: value for name, value in told.items() if name not in ("hpx", "ux", "uy", "uz")}
        if whole
        else None,
    )


def _catalogue(entry: Entry, asked: Context, tables: list[ShownTable]) -> ShownCatalogue:
    return ShownCatalogue(**_facts(entry, asked), tables=tables)

"""HiPS of the maps on the shelf: every map is one, whose tiles are made when they are asked for, and then kept."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse

from skysift.archive.shelf import Entry
from skysift.base.errors import SizeError, UnknownName, UsageError
from skysift.io.answers.votable import xml_text
from skysift.serve.context import Asked, Context
from skysift.serve.vo.telling import PlainRoute
from skysift.stamps.hips import HipsMap

__all__ = ["router"]

_AGE = {"Cache-Control": "private, max-age=86400"}

router = APIRouter(prefix="/hips", route_class=PlainRoute, include_in_schema=False)


def _entry(asked: Context, name: str) -> Entry:
    entry = asked.shelf.entry(name, asked.user)
    if entry.kind not in ("image", "cube"):
        raise UsageError("only maps are HiPS", got=entry.kind)
    return entry


def _map(asked: Context, name: str) -> HipsMap:
    """The HiPS of an entry that who asks may see; its tiles are kept by the content of the map."""
    return asked.tiles.of(_entry(asked, name))


def _ready(asked: Context, id: str) -> HipsMap:
    """The same, where its tiles can be made while somebody waits.

    Raises
    ------
    SizeError
        The map is large, and was never halved.
    """
    made = _map(asked, id)
    if made.large and not made.halved:
        raise SizeError(
            "the tiles of a map so large are made by a job first",
            got=f"{made.pixels} pixels",
            allowed=f"{made.at_once} pixels at once",
            todo='submit the app "hips" with the option id',
        )
    return made


@router.get("/{id}/properties")
def properties(asked: Asked, id: str) -> Response:
    """What the HiPS is."""
    entry, made = _entry(asked, id), _ready(asked, id)
    seen = asked.shelf.observation(entry) or {}
    told = made.properties(
        did=entry.did, title=entry.name, collection=entry.collection, unit=str(seen.get("o_unit") or "")
    )
    return PlainTextResponse(told)


@router.get("/{id}/Moc.fits")
def moc(asked: Asked, id: str) -> Response:
    """The area that it covers."""
    return FileResponse(_map(asked, id).moc(), media_type="application/fits", headers=_AGE)


@router.get("/{id}/Norder{order}/Dir{folder}/Npix{cell}.fits")
def tile(asked: Asked, id: str, order: int, folder: int, cell: int) -> Response:
    """A tile."""
    if folder != cell // 10000 * 10000:
        raise UnknownName("there is no such tile", got=f"Dir{folder}/Npix{cell}")
    return FileResponse(_ready(asked, id).tile(order, cell), media_type="application/fits", headers=_AGE)


@router.get("/{id}/Norder{order}/Allsky.fits")
def allsky(asked: Asked, id: str, order: int) -> Response:
    """All tiles of the third order, small, in one picture."""
    return FileResponse(_ready(asked, id).allsky(order), media_type="application/fits", headers=_AGE)


@router.get("/{id}")
@router.get("/{id}/")
@router.get("/{id}/index.html")
def page(asked: Asked, id: str) -> Response:
    """What a person sees who looks at the address: no script, nothing from elsewhere."""
    entry = _entry(asked, id)
    url = f"{asked.url}/hips/{entry.id}"
    return HTMLResponse(
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{xml_text(entry.name)}</title></head>'
        f"<body><h1>{xml_text(entry.name)}</h1>\n<p>A HiPS of this map: open the address <code>{xml_text(url)}</code> "
        f'in Aladin or another viewer of HiPS.</p>\n<ul><li><a href="{xml_text(url)}/properties">properties</a></li>'
        f'<li><a href="{xml_text(url)}/Moc.fits">Moc.fits</a></li></ul>\n'
        f'<p><img src="{xml_text(asked.url)}/datalink/preview/{entry.id}" alt="a small picture"></p></body></html>\n'
    )

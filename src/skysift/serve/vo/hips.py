"""HiPS of the maps on the shelf: every map is one, whose tiles are made when they are asked for, and then kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse

from skysift.archive.shelf import Entry
from skysift.base.errors import UnknownName, UsageError
from skysift.io.answers.votable import xml_text
from skysift.serve.context import Asked, Context
from skysift.serve.settings import folder_of
from skysift.serve.vo.telling import PlainRoute
from skysift.stamps.hips import HipsMap

__all__ = ["router"]

_MOST_OPEN = 16
_AGE = {"Cache-Control": "private, max-age=86400"}

router = APIRouter(prefix="/hips", route_class=PlainRoute, include_in_schema=False)


class _Open:
    """The maps that are open as HiPS."""

    def __init__(self) -> None:
        self._maps: OrderedDict[Path, HipsMap] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, entry: Entry, folder: Path) -> HipsMap:
        """The map of an entry."""
        with self._lock:
            if folder not in self._maps:
                self._maps[folder] = HipsMap(entry.path, folder, hdu=entry.hdu if entry.hdu >= 0 else None)
                while len(self._maps) > _MOST_OPEN:
                    self._maps.popitem(last=False)
            self._maps.move_to_end(folder)
            return self._maps[folder]


_OPEN = _Open()


def _entry(asked: Context, name: str) -> Entry:
    entry = asked.shelf.entry(name, asked.user)
    if entry.kind not in ("image", "cube"):
        raise UsageError("only maps are HiPS", got=entry.kind)
    return entry


def _map(asked: Context, name: str) -> HipsMap:
    """The HiPS of an entry that who asks may see; its tiles are kept by the content of the map."""
    entry = _entry(asked, name)
    content = entry.checksum.rpartition(":")[2][:32] or entry.id
    return _OPEN.of(entry, folder_of(asked.settings) / "hips" / f"{content}-{max(entry.hdu, 0)}")


@router.get("/{id}/properties")
def properties(asked: Asked, id: str) -> Response:
    """What the HiPS is."""
    entry, made = _entry(asked, id), _map(asked, id)
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
    return FileResponse(_map(asked, id).tile(order, cell), media_type="application/fits", headers=_AGE)


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

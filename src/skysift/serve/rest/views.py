"""Results as a browser shows them: ``/views/SECRET/NAME``; pages in a sandbox, relative links hold."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from skysift.archive.holdings import Entry
from skysift.jobs.job import Artefact
from skysift.serve.rest.jobs import result_answer
from skysift.serve.settings import by_tokens

__all__ = ["router"]

router = APIRouter(prefix="/views", include_in_schema=False)


@router.get("/{secret}/")
def listing(secret: str, request: Request) -> Response:
    """A list of the files."""
    lines = "\n".join(
        f'<li><a href="{quote(each.name)}">{escape(each.name)}</a> {each.size:,} bytes</li>'
        for each in _files(secret, request)
    )
    page = f"<!doctype html><meta charset=utf-8><title>Results</title><h1>Results</h1><ul>{lines}</ul>"
    return HTMLResponse(page)


@router.get("/{secret}/{name:path}")
def file(secret: str, name: str, request: Request) -> Response:
    """One file."""
    return result_answer(_files(secret, request), name, request, show=True)


def _files(secret: str, request: Request) -> tuple[Artefact, ...]:
    """The files that a link opens: what its asker may see now."""
    state = request.app.state
    view = state.views.opened(secret)
    user = view.user
    if user.known and by_tokens(state.settings):
        user = state.people.user(user.name)  # with the groups of now
    kind, _, one = view.what.partition(":")
    if kind == "job":
        state.manager.job(one, user)
        results: tuple[Artefact, ...] = state.manager.results(one)
        return results
    entry = state.shelf.entry(one, user)
    own = [] if entry.kind == "product" else [entry]
    return tuple(_artefact(each) for each in (*own, *state.shelf.children(entry, user)))


def _artefact(entry: Entry) -> Artefact:
    return Artefact(entry.name, entry.path, entry.media_type, entry.size, entry.checksum)

"""Results as a browser shows them: ``/views/SECRET/NAME``; pages in a sandbox, relative links hold."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from skysift.archive.policy import User
from skysift.jobs.job import Artefact
from skysift.serve.rest.jobs import result_answer

__all__ = ["router"]

router = APIRouter(prefix="/views", include_in_schema=False)

_ALL = User("", admin=True)  # who has the link was let in when it was made


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
    """The files that a link opens."""
    state = request.app.state
    kind, _, one = state.views.opened(secret).partition(":")
    if kind == "job":
        results: tuple[Artefact, ...] = state.manager.results(one)
        return results
    children = state.shelf.children(state.shelf.entry(one, _ALL), _ALL)
    return tuple(
        Artefact(each.name, each.path, each.media_type, each.size, each.checksum) for each in children
    )

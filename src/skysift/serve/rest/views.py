"""Results as a browser shows them: ``/views/SECRET/NAME``; pages in a sandbox, relative links hold."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from skysift.serve.rest.jobs import result_answer

__all__ = ["router"]

router = APIRouter(prefix="/views", include_in_schema=False)


@router.get("/{secret}/")
def listing(secret: str, request: Request) -> Response:
    """A list of the files."""
    state = request.app.state
    results = state.manager.results(state.views.job(secret))
    lines = "\n".join(
        f'<li><a href="{quote(each.name)}">{escape(each.name)}</a> {each.size:,} bytes</li>'
        for each in results
    )
    page = f"<!doctype html><meta charset=utf-8><title>Results</title><h1>Results</h1><ul>{lines}</ul>"
    return HTMLResponse(page)


@router.get("/{secret}/{name:path}")
def file(secret: str, name: str, request: Request) -> Response:
    """One file."""
    state = request.app.state
    return result_answer(state.manager.results(state.views.job(secret)), name, request, show=True)

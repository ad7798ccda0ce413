"""The page, its files, and the page that tells of the interface of programs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader

import skysift
from skysift.base.errors import UnknownName
from skysift.serve.wire import etag_of, not_changed

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FILES = {path.name: path for path in (_HERE / "static").iterdir() if path.suffix in _TYPES}


@router.get("/")
def page(request: Request) -> Response:
    """The page."""
    return HTMLResponse(_templates().get_template("index.html.jinja").render(version=skysift.__version__))


@router.get("/page/{name}")
def file(name: str, request: Request) -> Response:
    """A file of the page: one of the list, never a path."""
    path = _FILES.get(name)
    if path is None:
        raise UnknownName("the page has no such file", got=name[:60])
    content = path.read_bytes()
    etag = etag_of(skysift.__version__, content)
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if not_changed(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_TYPES[path.suffix])


@router.get("/favicon.ico")
def icon(request: Request) -> Response:
    """The picture of the tab."""
    return file("icon.svg", request)


@router.get("/api/docs")
def docs(request: Request) -> Response:
    """What programs may ask, from the OpenAPI document."""
    told = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            tag = (one.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append({"path": path, "method": method.upper(), **one})
    forms = told.get("components", {}).get("schemas", {})
    text = (
        _templates()
        .get_template("docs.html.jinja")
        .render(version=skysift.__version__, groups=groups, forms=forms, kind_of=_kind_of, body_of=_body_of)
    )
    return HTMLResponse(text)


def _kind_of(schema: dict[str, Any] | None) -> str:
    """A schema in few words."""
    if not schema:
        return "anything"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind_of(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind_of(schema.get('items'))}"
    return str(schema.get("format") or schema.get("type") or schema.get("const") or "anything")


def _body_of(told: dict[str, Any]) -> dict[str, str]:
    """Media type -> form, of a request or an answer."""
    return {kind: _kind_of(each.get("schema")) for kind, each in told.get("content", {}).items()}


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )

"""Uploads: ``/api/v1/uploads``; bodies of any size stream to disk, in flat memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from skysift.base.errors import OptionError, UsageError
from skysift.jobs.folder import media_type
from skysift.serve.context import Asked, AskedByUser, Context
from skysift.serve.fetching import begin_upload, fetch_upload
from skysift.serve.files import file_answer
from skysift.serve.rest import API
from skysift.serve.uploads import Receiving, Upload, plain_name
from skysift.serve.wire import PageOf, PageSize, Plain, Sharing, Shown, moment, own, shown_access

__all__ = ["ShownUpload", "router"]

router = APIRouter(prefix=f"{API}/uploads", tags=["uploads"])

_BLOCK = 1 << 20  # bytes that are written at once


class ShownUpload(BaseModel):
    """A file that was sent; give ``upload:ID`` as an input of a job."""

    id: str
    name: str
    size: int
    checksum: str
    media_type: str
    source: str
    created: str
    access: Shown
    input: str
    url: str


class UploadPage(BaseModel):
    """Some uploads, the newest first."""

    items: list[ShownUpload]
    next: str


class FromUrl(BaseModel):
    """A file that the service is to fetch."""

    model_config = ConfigDict(extra="forbid")

    url: Plain = Field(max_length=2000, description="http or https, of a place that all may see.")
    name: Plain = Field(
        default="", max_length=200, description="What it is to be called; its last part by default."
    )


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            },
            "application/json": {"schema": FromUrl.model_json_schema()},
        },
    }
}


@router.post("", status_code=201, summary="Send a file", openapi_extra=_BODY)
async def send(
    request: Request,
    response: Response,
    asked: AskedByUser,
    name: Annotated[
        str, Query(max_length=500, description="What the file is called, where the body is the file itself.")
    ] = "",
    visibility: Annotated[str, Query(description="private, group or public.", max_length=8)] = "private",
    group: Annotated[str, Query(max_length=64)] = "",
) -> ShownUpload:
    """Send a file: as the body itself (with ``?name=``), as the part `file` of a form, or by its URL in JSON."""
    sharing = _sharing(visibility, group)
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"application/json":
        wanted = _from_url(await request.body())
        made = await run_in_threadpool(fetch_upload, asked, wanted.url, wanted.name, own(asked.user, sharing))
    elif kind == b"multipart/form-data":
        made = await _take_form(request, asked, parameters.get(b"boundary", b""), sharing)
    else:
        made = await _take_body(request, asked, name, sharing)
    response.headers["Location"] = f"{asked.url}{API}/uploads/{made.id}"
    return _shown(made, asked)


@router.get("", summary="The uploads that you may see")
def uploads(asked: Asked, page: PageOf = "", size: PageSize = 50) -> UploadPage:
    """The uploads that you may see, the newest first."""
    found, more = asked.uploads.list(asked.user, page=page, size=size)
    return UploadPage(items=[_shown(each, asked) for each in found], next=more)


@router.get("/{id}", summary="One upload")
def upload(id: str, asked: Asked) -> ShownUpload:
    """One upload."""
    return _shown(asked.uploads.upload(id, asked.user), asked)


@router.get("/{id}/content", summary="The file of an upload", response_class=Response)
def content(id: str, asked: Asked, request: Request) -> Response:
    """The file itself, in parts where a Range is asked for."""
    found = asked.uploads.upload(id, asked.user)
    return file_answer(request, found.path, found.name, found.media_type, found.checksum)


@router.patch("/{id}", summary="Share an upload")
def share(id: str, sharing: Sharing, asked: AskedByUser) -> ShownUpload:
    """Say who may see it from now on."""
    found = asked.uploads.upload(id, asked.user, change=True)
    return _shown(asked.uploads.share(id, asked.user, sharing.of(found.access.owner)), asked)


@router.delete("/{id}", status_code=204, summary="Remove an upload")
def remove(id: str, asked: AskedByUser) -> None:
    """Remove the file."""
    asked.uploads.remove(id, asked.user)


def _sharing(visibility: str, group: str) -> Sharing:
    try:
        return Sharing(visibility=visibility, group=group)  # type: ignore[arg-type]  # pydantic looks
    except ValidationError:
        raise OptionError(
            "no such visibility", got=visibility, allowed=("private", "group", "public")
        ) from None


def _from_url(body: bytes) -> FromUrl:
    try:
        return FromUrl.model_validate_json(body)
    except ValidationError as error:
        raise UsageError(
            "the body is not the URL of a file",
            got=error.errors()[0]["msg"],
            allowed='{"url": "https://..."}',
        ) from None


async def _take_body(request: Request, asked: Context, name: str, sharing: Sharing) -> Upload:
    """The upload that a body is."""
    if not name:
        raise OptionError("a file needs a name", todo="add ?name=map.fits to the address")
    plain_name(name)
    receiving = await run_in_threadpool(begin_upload, asked, name)
    try:
        async for block in _blocks(request.stream()):
            await run_in_threadpool(receiving.write, block)
        finish = partial(receiving.finish, media_type(receiving.name), own(asked.user, sharing))
        return await run_in_threadpool(finish)
    except BaseException:  # the client left, too: nothing stays of it
        await run_in_threadpool(receiving.abandon)
        raise


async def _take_form(request: Request, asked: Context, boundary: bytes, sharing: Sharing) -> Upload:
    """The upload that the part `file` of a form is."""
    form = _Form(boundary)
    receiving: Receiving | None = None
    try:
        async for block in _blocks(request.stream()):
            form.feed(block)
            if form.name is not None and receiving is None:
                receiving = await run_in_threadpool(begin_upload, asked, form.name)
            if receiving is not None and form.data:
                await run_in_threadpool(receiving.write, bytes(form.data))
                form.data.clear()
        if receiving is None or not form.whole:
            raise UsageError("the form has no part `file` with the name of a file, or breaks off")
        finish = partial(receiving.finish, media_type(receiving.name), own(asked.user, sharing))
        return await run_in_threadpool(finish)
    except BaseException:
        if receiving is not None:
            await run_in_threadpool(receiving.abandon)
        raise


async def _blocks(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Small pieces put together, so that writing is worth its while."""
    waiting = bytearray()
    async for piece in stream:
        waiting += piece
        if len(waiting) >= _BLOCK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


class _Form:
    """Reads a multipart form as it comes; keeps the part `file` alone, and of it what was not written yet."""

    def __init__(self, boundary: bytes) -> None:
        if not boundary or len(boundary) > 200:
            raise UsageError("the form has no boundary")
        self.name: str | None = None
        self.data = bytearray()
        self.whole = False
        self._field = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._ours = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._grow(self._field, data[start:end]),
                "on_header_value": lambda data, start, end: self._grow(self._value, data[start:end]),
                "on_header_end": self._header,
                "on_headers_finished": self._headers_over,
                "on_part_data": self._part,
                "on_end": self._end,
            },
        )

    def feed(self, block: bytes) -> None:
        """Read the next block.

        Raises
        ------
        UsageError
            It is no form.
        """
        try:
            self._parser.write(block)
        except MultipartParseError as error:
            raise UsageError("the form cannot be read", got=str(error)) from error

    def _begin(self) -> None:
        self._headers.clear()

    def _grow(self, target: bytearray, piece: bytes) -> None:
        if len(target) + len(piece) > 4096:
            raise UsageError("a header of the form is too long")
        target += piece

    def _header(self) -> None:
        if len(self._headers) > 20:
            raise UsageError("a part of the form has too many headers")
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _headers_over(self) -> None:
        _, told = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = told.get(b"filename", b"").decode("utf-8", "replace")
        self._ours = told.get(b"name") == b"file" and bool(name) and self.name is None
        if self._ours:
            self.name = name

    def _part(self, data: bytes, start: int, end: int) -> None:
        if self._ours:
            self.data += data[start:end]

    def _end(self) -> None:
        self.whole = True


def _shown(upload: Upload, asked: Context) -> ShownUpload:
    return ShownUpload(
        id=upload.id,
        name=upload.name,
        size=upload.size,
        checksum=upload.checksum,
        media_type=upload.media_type,
        source=upload.source,
        created=moment(upload.created),
        access=shown_access(upload.access),
        input=f"upload:{upload.id}",
        url=f"{asked.url}{API}/uploads/{upload.id}",
    )

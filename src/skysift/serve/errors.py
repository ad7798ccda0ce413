"""Errors as answers: the one table from kinds of errors to status codes, and the form in which they are told.

The form is that of RFC 9457 (``application/problem+json``), with what was got, what is allowed and what to do.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from skysift.base.errors import (
    AccessError,
    BusyError,
    DataError,
    FatalError,
    SignInError,
    SizeError,
    SkysiftError,
    StorageError,
    TransientError,
    UnknownName,
    UsageError,
)
from skysift.base.log import get_logger
from skysift.base.places import without_places
from skysift.io.output import FULL
from skysift.io.sql import database_error

__all__ = [
    "PROBLEM",
    "STATUS",
    "headers_of",
    "ours",
    "problem",
    "problem_answer",
    "request_id_of",
    "status_of",
    "tell_errors",
]

PROBLEM = "application/problem+json"

_OURS = "the service failed; see its log"
STATUS: dict[type[SkysiftError], int] = {  # the first that fits; leaves before branches
    UnknownName: 404,
    SizeError: 413,
    SignInError: 401,
    AccessError: 403,
    UsageError: 400,
    DataError: 422,
    StorageError: 507,
    BusyError: 503,
    TransientError: 503,
    FatalError: 500,
    SkysiftError: 500,
}


def status_of(error: SkysiftError) -> int:
    """The status code of an error."""
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))


def problem(error: SkysiftError, request_id: str, status: int | None = None) -> dict[str, Any]:
    """An error as the object that is sent."""
    status = status or status_of(error)
    told = {
        "type": f"urn:skysift:error:{type(error).__name__}",
        "title": without_places(error.wrong),
        "status": status,
        "detail": without_places(str(error)) if status < 500 or status in (503, 507) else _OURS,
        "kind": error.kind,
        "got": error.got and without_places(error.got),
        "allowed": error.allowed,
        "todo": error.todo and without_places(error.todo),
        "request_id": request_id,
    }
    return {name: value for name, value in told.items() if value is not None}


def problem_answer(error: SkysiftError, request_id: str, status: int | None = None) -> JSONResponse:
    """An error as an answer, with the status of the table or with this one."""
    status = status or status_of(error)
    told = problem(error, request_id, status)
    return JSONResponse(told, status, headers_of(status), media_type=PROBLEM)


def headers_of(status: int) -> dict[str, str]:
    """What the headers of an error say: how one signs in, or when it is worth another try."""
    if status == 401:  # programs of the Virtual Observatory learn of tokens by it
        return {"WWW-Authenticate": 'Bearer realm="skysift", ivoa_bearer'}
    return {"Retry-After": "5"} if status in (503, 507) else {}


def ours(error: Exception) -> SkysiftError:
    """Any error as one of ours."""
    if isinstance(error, SkysiftError):
        return error
    if isinstance(error, DBAPIError):
        return database_error(error)
    if isinstance(error, OSError) and error.errno in FULL:
        return StorageError("the disk of the service is full", todo="try again later")
    return FatalError("the service failed")


def tell_errors(app: FastAPI) -> None:
    """Have every error of the app told in one form."""
    log = get_logger(__name__)

    async def failed(request: Request, error: Exception) -> JSONResponse:
        told = ours(error)
        if told.kind == "fatal":
            log.error("a request failed", exc_info=error, extra={"facts": {"path": request.url.path}})
        return problem_answer(told, request_id_of(request))

    async def not_valid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        told = UsageError(f"the request is not valid at {where}: {first['msg']}")
        return problem_answer(told, request_id_of(request), 422)

    async def plain(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        answer = {
            "type": "about:blank",
            "title": error.detail,
            "status": error.status_code,
            "detail": f"{error.detail}: {request.method} {request.url.path}"[:300],
            "request_id": request_id_of(request),
        }
        return JSONResponse(answer, error.status_code, error.headers, media_type=PROBLEM)

    app.add_exception_handler(SkysiftError, failed)
    app.add_exception_handler(DBAPIError, failed)
    app.add_exception_handler(OSError, failed)
    app.add_exception_handler(RequestValidationError, not_valid)
    app.add_exception_handler(HTTPException, plain)


def request_id_of(request: Request) -> str:
    """The id that a request was given."""
    return str(request.scope.get("skysift.request_id", ""))

"""How errors are told to clients of the Virtual Observatory: as a VOTable, or in one line of plain text."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from skysift.base.errors import SkysiftError, UnknownName, UsageError
from skysift.base.log import get_logger
from skysift.base.places import without_places
from skysift.io.answers.votable import error_document
from skysift.serve.errors import headers_of, ours, status_of

__all__ = ["VOTABLE_TYPE", "PlainRoute", "VotableRoute", "message_of", "votable_error"]

VOTABLE_TYPE = "application/x-votable+xml"
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def message_of(error: SkysiftError) -> str:
    """What a client is told of an error; of a fault of ours, only that there was one."""
    return "the service failed; see its log" if error.kind == "fatal" else without_places(str(error))


def votable_error(error: SkysiftError, status: int | None = None) -> Response:
    """An error as a VOTable."""
    status = status or status_of(error)
    return Response(error_document(message_of(error)), status, headers_of(status), VOTABLE_TYPE)


def _plain_error(error: SkysiftError) -> Response:
    status = status_of(error)
    return Response(f"{fault_of(error)}: {message_of(error)}\n", status, headers_of(status), "text/plain")


def fault_of(error: SkysiftError) -> str:
    """The word that DataLink and SODA have for an error."""
    if isinstance(error, UnknownName):
        return "NotFoundFault"
    if error.kind in ("usage", "data"):
        return "UsageFault"
    return "TransientFault" if error.kind == "transient" else "FatalFault"


class _ToldRoute(APIRoute):
    """A route whose errors are told in the form of its protocol."""

    tell: Callable[[SkysiftError], Response]

    def get_route_handler(self) -> _Handler:
        """The handler, with its errors told."""
        handler = super().get_route_handler()
        tell = type(self).tell

        async def told(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                return tell(UsageError(f"the request is not valid: {first['msg']}"))
            except HTTPException as error:
                if error.status_code >= 500:
                    raise
                return tell(UsageError(str(error.detail)))
            except Exception as error:  # noqa: BLE001 -- whatever it was, the client is told in its own form
                known = ours(error)
                if known.kind == "fatal":
                    get_logger(__name__).error(
                        "a request failed", exc_info=error, extra={"facts": {"path": request.url.path}}
                    )
                return tell(known)

        return told


class VotableRoute(_ToldRoute):
    """A route whose errors are VOTables."""

    tell = staticmethod(votable_error)


class PlainRoute(_ToldRoute):
    """A route whose errors are lines of text."""

    tell = staticmethod(_plain_error)

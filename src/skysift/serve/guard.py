"""`Guard`: what stands before every route: ids, limits, names, headers of safety, log and numbers.

Pure ASGI, so that bodies and answers stream through it. In the order in which it looks: the name that was asked
for (a page of somebody else's cannot make a browser ask us under its own name), the origin of what would change
something (nor under ours), the size of the body, and the patience with clients that do not go on.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from skysift.base.errors import AccessError, BusyError, SizeError, SkysiftError, TransientError, UsageError
from skysift.base.log import bound, get_logger
from skysift.serve.errors import ours, problem_answer
from skysift.serve.metrics import Metrics
from skysift.serve.options import ServeOptions
from skysift.serve.rest import API
from skysift.serve.settings import names_of

__all__ = ["PAGE_POLICY", "UPLOADS", "Guard"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

UPLOADS = re.compile(r"/api/v1/uploads")  # where bodies may be as long as uploads
TABLES = re.compile(
    r"/tap/(sync|async).*"
)  # where tables come along in forms of parts, of which each has bounds of its own
_TABLES_SIZE = 512 << 20  # bytes
_SAFE = ("GET", "HEAD", "OPTIONS")
_METHODS = (*_SAFE, "POST", "PUT", "PATCH", "DELETE")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": PAGE_POLICY,
}


class Guard:
    """An app with what stands before every route.

    Parameters
    ----------
    app
        What answers.
    settings
        What the service is told.
    metrics
        The counters.
    """

    def __init__(self, app: App, settings: ServeOptions, metrics: Metrics) -> None:
        self.app = app
        self.settings = settings
        self.metrics = metrics
        self.names = names_of(settings)
        self.n_open = 0
        self.log = get_logger(__name__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        said = headers.get("x-request-id", "")
        request_id = said if _ID.fullmatch(said) else secrets.token_hex(8)
        scope["skysift.request_id"] = request_id
        one = _Answering(self, scope, receive, send, headers)
        with bound(request_id=request_id):
            await one.run()

    def refusal(self, scope: Scope, headers: Headers) -> tuple[SkysiftError, int | None] | None:
        """Why a request is not taken, and the status; None where it is."""
        if self.n_open > self.settings.connections:
            return BusyError("the service answers as many requests as it can", todo="try again soon"), None
        host = headers.get("host", "")
        if self.names and _name_of(host) not in self.names:
            told = UsageError(
                "the service has no such name",
                got=host[:100],
                todo="ask it by its own address, or have the name added to the setting `hosts`",
            )
            return told, 421
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return UsageError("an address holds no NUL"), None
        if scope["method"] not in _SAFE and not self._own(headers, host):
            return AccessError("a page of another origin may not change anything here"), None
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.limit(scope):
            return SizeError(
                "the body is too large", got=f"{length} bytes", allowed=f"{self.limit(scope)} bytes"
            ), None
        return None

    def limit(self, scope: Scope) -> int:
        """The largest body (bytes) that a request may have."""
        kind = Headers(scope=scope).get("content-type", "")
        if TABLES.fullmatch(scope["path"]) and kind.lower().startswith("multipart/form-data"):
            return min(self.settings.upload_limit, _TABLES_SIZE)
        upload = UPLOADS.fullmatch(scope["path"])
        return self.settings.upload_limit if upload else self.settings.body_limit

    def _own(self, headers: Headers, host: str) -> bool:
        """Whether a request comes from our own page, or from no page at all."""
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        asked = urlsplit(origin).netloc
        return bool(asked) and asked in (host, urlsplit(self.settings.public_url).netloc)


class _Answering:
    """One request on its way."""

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        self.guard = guard
        self.scope = scope
        self.head = scope["method"] == "HEAD"  # answered as GET is, without the body
        self.inner: Scope = {**scope, "method": "GET"} if self.head else scope
        self._receive = receive
        self._send = send
        self.headers = headers
        self.n_received = 0
        self.n_sent = 0
        self.status = 0
        self.body_over = False
        self.failure: tuple[SkysiftError, int | None] | None = None
        self.told = False

    async def run(self) -> None:
        """Answer, then tell the log and the counters."""
        guard, start = self.guard, time.perf_counter()
        guard.n_open += 1
        guard.metrics.open.inc()
        try:
            refused = guard.refusal(self.scope, self.headers)
            if refused is not None:
                self.failure = refused
                await self._refuse()
                return
            await self._pass()
        finally:
            guard.n_open -= 1
            guard.metrics.open.dec()
            self._note(time.perf_counter() - start)

    async def _pass(self) -> None:
        """Let the app answer; what it does not catch is our fault, and told as such."""
        try:
            await self.guard.app(self.inner, self.receive, self.send)
        except Exception as error:
            if self.head and self.told:
                return
            if self.status:  # the answer is on its way: the connection is broken off
                raise
            if self.failure is None:
                self.guard.log.exception("a request failed", extra={"facts": {"path": self.scope["path"]}})
                self.failure = (ours(error), None)
            await self._refuse()

    async def receive(self) -> Message:
        """The next piece of the body, if the client sends it in time and not too many of them."""
        if self.body_over:
            return await self._receive()
        try:
            async with asyncio.timeout(self.guard.settings.body_patience):
                message = await self._receive()
        except TimeoutError:
            patience = self.guard.settings.body_patience
            return self._broken(TransientError(f"no more of the body came for {patience:g} s"), 408)
        if message["type"] == "http.request":
            self.n_received += len(message.get("body", b""))
            self.body_over = not message.get("more_body", False)
            if self.n_received > self.guard.limit(self.scope):
                limit = self.guard.limit(self.scope)
                return self._broken(SizeError("the body is too large", allowed=f"{limit} bytes"), None)
        return message

    def _broken(self, error: SkysiftError, status: int | None) -> Message:
        """The end of a body that is not taken further; what the app answers is replaced by the error."""
        self.failure = (error, status)
        self.body_over = True
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Pass a piece of the answer on, with the headers of safety, if the client takes it in time."""
        if self.failure is not None and self.status == 0:
            await self._refuse()
        if self.told:
            if self.head:
                raise OSError("nobody wants the body of this answer")
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers["x-request-id"] = self.scope["skysift.request_id"]
        elif self.head:
            message, self.told = {"type": "http.response.body", "body": b""}, True
        else:
            self.n_sent += len(message.get("body", b""))
        async with asyncio.timeout(self.guard.settings.answer_patience):
            await self._send(message)

    async def _refuse(self) -> None:
        assert self.failure is not None
        error, status = self.failure
        answer = problem_answer(error, self.scope["skysift.request_id"], status)
        answer.headers["connection"] = "close"  # the rest of a body is not read
        self.failure = None
        await answer(self.scope, self._receive, self.send)
        self.told = True

    def _note(self, seconds: float) -> None:
        metrics, scope = self.guard.metrics, self.scope
        route = getattr(self.inner.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        metrics.requests.labels(method, route, str(self.status)).inc()
        metrics.seconds.labels(route).observe(seconds)
        metrics.received.inc(self.n_received)
        metrics.sent.inc(self.n_sent)
        path = scope["path"]
        if path.startswith("/views/"):
            path = route  # the link itself opens what is behind it
        elif path.startswith(f"{API}/jobs/"):
            self.inner.setdefault("skysift.facts", {})["job_id"] = path.split("/")[4]
        facts = {
            "method": scope["method"],
            "path": path,
            "status": self.status,
            "seconds": round(seconds, 4),
            "user": self.inner.get("skysift.user", ""),
            "received": self.n_received,
            "sent": self.n_sent,
            **self.inner.get("skysift.facts", {}),
        }
        self.guard.log.info("answered", extra={"facts": facts})


def _name_of(host: str) -> str:
    """The name of a header Host, without its port."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]

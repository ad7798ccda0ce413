"""`Wire`: asks a service over HTTP, tries again what may go better, and tells its errors as ours."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

import httpx

from skysift.base.errors import (
    AccessError,
    BusyError,
    DataError,
    FatalError,
    OutputError,
    SignInError,
    SizeError,
    SkysiftError,
    StorageError,
    TransientError,
    UnknownName,
    UsageError,
)

__all__ = ["Progress", "Wire"]

Progress: TypeAlias = Callable[[int, int], None]
"""Called as progress(bytes done, bytes in all)."""

_ERRORS = {
    each.__name__: each
    for each in (
        AccessError,
        BusyError,
        DataError,
        FatalError,
        OutputError,
        SignInError,
        SizeError,
        StorageError,
        TransientError,
        UnknownName,
        UsageError,
    )
}
_KINDS: dict[str, type[SkysiftError]] = {
    "usage": UsageError,
    "data": DataError,
    "transient": TransientError,
    "fatal": FatalError,
}
_TYPES = {401: "SignInError", 403: "AccessError", 503: "BusyError"}  # where a VOTable tells the words alone
_AGAIN = (502, 503, 504)
_TRIES = 4
_BLOCK = 1 << 20


class Wire:
    """Asks one service.

    Parameters
    ----------
    url
        Its address.
    token
        The personal access token; none where the service knows everybody as its local user.
    timeout
        Seconds that it may be silent.
    transport
        What carries the requests; by default the network.

    Raises
    ------
    UsageError
        The address is none.
    """

    def __init__(
        self, url: str, token: str | None, timeout: float, transport: httpx.BaseTransport | None = None
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError("not the address of a service", got=url, allowed="http://... or https://...")
        self.url = url.rstrip("/")
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(
            base_url=self.url, headers=headers, timeout=timeout, transport=transport, follow_redirects=False
        )

    def close(self) -> None:
        """Let the connections go."""
        self.http.close()

    def ask(self, method: str, path: str, **how: Any) -> Any:
        """What the service answers, from JSON; None for an empty answer.

        Raises
        ------
        SkysiftError
            It cannot be done; the error is the service's.
        """
        answer = self._asked(method, path, **how)
        if answer.status_code == 204 or not answer.content:
            return None
        if "json" not in answer.headers.get("content-type", ""):
            raise TransientError("what answers is no service of skysift", got=f"{method} {answer.url}")
        return answer.json()

    def text(self, path: str, **how: Any) -> str:
        """What the service answers, as text."""
        return self._asked("GET", path, **how).text

    def bytes_of(self, method: str, path: str, **how: Any) -> bytes:
        """What the service answers, as bytes."""
        return self._asked(method, path, **how).content

    def send_file(self, path: Path, name: str, progress: Progress | None, **parameters: str) -> Any:
        """Send a file; it is read piece by piece."""
        size = path.stat().st_size

        def pieces() -> Iterator[bytes]:
            done = 0
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    yield block
                    done += len(block)
                    if progress is not None:
                        progress(done, size)

        return self.ask(
            "POST",
            "/api/v1/uploads",
            params={"name": name, **parameters},
            content=pieces(),
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
        )

    def save(
        self,
        path: str,
        target: Path,
        *,
        checksum: str = "",
        progress: Progress | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Path | None:
        """A file of the service, written whole or not at all; None where there is nothing.

        Raises
        ------
        DataError
            What came is not what was told of.
        """
        part = target.with_name(f".{target.name}.part")
        digest, done = hashlib.sha256(), 0
        try:
            with self.stream("GET", path, params=params) as answer:
                if answer.status_code == 204:
                    return None
                target.parent.mkdir(parents=True, exist_ok=True)
                size = int(answer.headers.get("content-length", 0))
                with part.open("wb") as file:
                    for block in answer.iter_bytes(_BLOCK):
                        file.write(block)
                        digest.update(block)
                        done += len(block)
                        if progress is not None:
                            progress(done, size)
            if checksum.startswith("sha256:") and checksum != f"sha256:{digest.hexdigest()}":
                raise DataError("what came is not what the service told of", got=path, todo="fetch it again")
            part.replace(target)
        except OSError as error:
            raise StorageError("the file cannot be written", got=f"{target}: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
        return target

    @contextmanager
    def stream(self, method: str, path: str, **how: Any) -> Iterator[httpx.Response]:
        """An answer that is read piece by piece."""
        try:
            with self.http.stream(method, path, **how) as answer:
                if answer.is_error or answer.is_redirect:
                    answer.read()
                    raise _error(answer)
                yield answer
        except httpx.HTTPError as error:
            raise _silent(self.url, error) from error

    def _asked(self, method: str, path: str, **how: Any) -> httpx.Response:
        again = method == "GET"
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1 or not again
            try:
                answer = self.http.request(method, path, **how)
            except httpx.HTTPError as error:
                if last:
                    raise _silent(self.url, error) from error
            else:
                if not answer.is_error and not answer.is_redirect:
                    return answer
                if answer.status_code not in _AGAIN or last:
                    raise _error(answer)
            time.sleep(0.5 * 2**attempt)
        raise FatalError("a request was tried no time")


def _silent(url: str, error: httpx.HTTPError) -> TransientError:
    return TransientError("the service does not answer", got=f"{url}: {str(error) or type(error).__name__}")


def _error(answer: httpx.Response) -> SkysiftError:
    """The error of ours that an answer tells."""
    told: dict[str, Any] = {}
    media_type = answer.headers.get("content-type", "")
    if "json" in media_type:
        told = answer.json()
    elif "xml" in media_type:
        told = {"title": _query_status(answer.content), "type": _TYPES.get(answer.status_code)}
    name = str(told.get("type", "")).rpartition(":")[2]
    fallback = _KINDS.get(str(told.get("kind")), TransientError if answer.status_code >= 500 else UsageError)
    kind = _ERRORS.get(name, fallback)
    wrong = str(told.get("title") or f"the service answers {answer.status_code} to {answer.url.path}")
    error = kind(wrong, allowed=told.get("allowed"), todo=told.get("todo"))
    error.got = told.get("got")
    if not told.get("type"):
        error.got = told.get("detail")
    if answer.status_code >= 500 and told.get("request_id"):
        error.add_note(f"the log of the service tells more of request {told['request_id']}")
    error.args = (str(error),)
    return error


def _query_status(document: bytes) -> str:
    """What a VOTable says of an error, as DALI has it; empty where it says nothing."""
    try:
        found = ET.fromstring(document).iterfind(".//{*}INFO[@name='QUERY_STATUS']")
        return next((each.text or "" for each in found if each.get("value") == "ERROR"), "").strip()
    except ET.ParseError:
        return ""

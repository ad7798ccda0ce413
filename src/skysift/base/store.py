"""Bytes of a file wherever it lies: at a path, or behind a URL (http, https, s3, whatever fsspec knows).

A path is read by plain `pread`. Behind a URL only the bytes that are asked for travel, and what reads them is
small and can be sent to other machines; the connections of a process are kept by fsspec.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from skysift.base.errors import (
    FormatError,
    OptionError,
    SkysiftError,
    StorageError,
    TransientError,
    UsageError,
)
from skysift.base.settings import settings

__all__ = [
    "Bytes",
    "checksum",
    "is_url",
    "local_copy",
    "name_of",
    "place_of",
    "read_ranges",
    "reading",
    "size_of",
]

Value = TypeVar("Value")

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_AHEAD = 2**16  # bytes that are fetched at once where headers are read
_PIECE = 2**23  # bytes that are fetched at once where all of a file is read
_GAP = 2**16  # bytes between two ranges that are rather read than asked for again
_PAUSES = (0.5, 2.0)  # seconds before the second and the third try to read


def is_url(path: str) -> bool:
    """True for what names a file behind a URL, such as ``https://...`` or ``s3://...``."""
    return _URL.match(path) is not None


def name_of(path: str) -> str:
    """The name of the file, without folders, server and query."""
    if not is_url(path):
        return Path(path).name
    inside = path.partition("://")[2]
    if path.lower().startswith("http"):
        inside = re.split(r"[?#]", inside, maxsplit=1)[0]
    return inside.rstrip("/").rpartition("/")[2] or inside


def place_of(path: str) -> str:
    """The path or URL as it holds wherever the program goes to."""
    return path if is_url(path) else str(Path(path).absolute())


def size_of(path: str) -> int:
    """Bytes of the file.

    Raises
    ------
    UsageError
        There is no such file, or it may not be read.
    TransientError
        The server does not answer.
    """
    if is_url(path):
        return _state(path)[0]
    try:
        return Path(path).stat().st_size
    except OSError as error:
        raise UsageError("the file cannot be read", got=path, todo=error.strerror or str(error)) from error


class Bytes:
    """A file that is open for reading, as a context: `size`, and `read(n, offset)`, which is short at the end.

    Raises
    ------
    UsageError
        There is no such file, it is a directory, or it may not be read.
    TransientError
        The server does not answer.
    """

    def __init__(self, path: str) -> None:
        self.path, self._fd, self._begin, self._ahead = path, -1, 0, b""
        if is_url(path):
            self.size = _state(path)[0]
        else:
            self._fd = _opened(path)
            self.size = os.fstat(self._fd).st_size

    def read(self, n: int, offset: int) -> bytes:
        """The bytes from an offset on: n of them, or fewer where the file ends."""
        if self._fd >= 0:
            return os.pread(self._fd, n, offset)
        first = offset - self._begin
        if not (first >= 0 and first + n <= len(self._ahead)):
            stop = min(self.size, offset + max(n, _AHEAD))
            self._begin, first = offset, 0
            self._ahead = read_ranges(self.path, [(offset, stop)])[0] if stop > offset else b""
        return self._ahead[first : first + n]

    def __enter__(self) -> Bytes:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)


def reading(path: str) -> Bytes:
    """The file, open for reading; see `Bytes`."""
    return Bytes(path)


def _opened(path: str) -> int:
    """A file descriptor to read from."""
    if Path(path).is_dir():
        raise UsageError("a map is a file, not a directory", got=path)
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError as error:
        raise UsageError("there is no such file", got=path) from error
    except OSError as error:
        raise UsageError("the file cannot be read", got=path, todo=error.strerror or str(error)) from error


def read_ranges(url: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """The bytes of some half-open ranges behind a URL, asked for at the same time, near ones at once.

    A range that cannot be read for the moment is tried three times.

    Raises
    ------
    UsageError
        There is no such file, it may not be read, or the server gives no parts of files.
    TransientError
        The server does not answer.
    FormatError
        The file ends before a range does.
    """
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if joined and start - joined[-1][1] <= _GAP:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    fetched = _tried(url, lambda: _fetched(url, joined))
    result = []
    for start, stop in ranges:
        number = max(i for i, (begin, _) in enumerate(joined) if begin <= start)
        first = start - joined[number][0]
        result.append(fetched[number][first : first + stop - start])
    return result


def _fetched(url: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    system, path = _system(url)
    starts, stops = zip(*ranges, strict=True)
    if len(ranges) == 1:
        parts = [system.cat_file(path, start=starts[0], end=stops[0])]
    else:
        parts = system.cat_ranges([path] * len(ranges), list(starts), list(stops), on_error="raise")
    for part, (start, stop) in zip(parts, ranges, strict=True):
        if len(part) > stop - start:
            raise _whole_only(url)
        if len(part) < stop - start:
            raise FormatError(
                "the file ends too early", got=url, todo="the file is truncated or has just changed"
            )
    return [bytes(part) for part in parts]


def _tried(url: str, read: Callable[[], Value]) -> Value:
    """What is read, at the third try at the latest."""
    for pause in _PAUSES:
        with suppress(TransientError):
            return _told(url, read)
        time.sleep(pause)
    return _told(url, read)


def checksum(path: str) -> tuple[str, int]:
    """The sha256 of a file as ``sha256:...``, and its size in bytes; read once while the file stays as it is.

    Raises
    ------
    FormatError
        The file has gone or cannot be read any more.
    UsageError, TransientError
        As for `read_ranges`.
    """
    if is_url(path):
        size, changed = _state(path)
        return _checksum_behind(path, size, changed), size
    try:
        state = Path(path).stat()
        return _checksum_at(path, state.st_size, state.st_mtime_ns), state.st_size
    except OSError as error:
        raise FormatError(
            "the map cannot be read any more", got=path, todo=error.strerror or str(error)
        ) from error


@lru_cache(maxsize=64)
def _checksum_at(path: str, size: int, changed: int) -> str:
    """The checksum of a file; size and time of change are there to ask again after a change."""
    with Path(path).open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=64)
def _checksum_behind(url: str, size: int, changed: str) -> str:
    digest = hashlib.sha256()
    for start in range(0, size, _PIECE):
        digest.update(read_ranges(url, [(start, min(size, start + _PIECE))])[0])
    return "sha256:" + digest.hexdigest()


def local_copy(path: str) -> str:
    """The path of a file that is read as a whole: its own, or that of a copy in the cache of what is behind a URL.

    The copy is made once for each size and state that the server tells of the file.

    Raises
    ------
    StorageError
        The cache cannot be written.
    UsageError, TransientError
        As for `read_ranges`.
    """
    if not is_url(path):
        return path
    from filelock import FileLock  # late: only what is copied from behind a URL needs it

    size, changed = _state(path)
    key = hashlib.sha256(f"{path} {size} {changed}".encode()).hexdigest()[:24]
    folder = settings().cache / "maps"
    copy = folder / f"{key}-{name_of(path)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{key}.lock"):
            if not copy.is_file():
                _download(path, size, copy)
    except OSError as error:
        raise StorageError(
            "the copy of a file behind a URL cannot be kept",
            got=str(folder),
            todo=error.strerror or str(error),
        ) from error
    return str(copy)


def _download(url: str, size: int, copy: Path) -> None:
    part = copy.with_name(f"{copy.name}.part")
    if shutil.disk_usage(copy.parent).free < size:
        raise StorageError(
            "no room for the copy of a file behind a URL", got=f"{copy.parent}, {size} bytes needed"
        )
    with part.open("wb") as file:
        for start in range(0, size, _PIECE):
            file.write(read_ranges(url, [(start, min(size, start + _PIECE))])[0])
    part.replace(copy)


# -- fsspec, and what its many errors mean


@dataclass(frozen=True)
class _Says:
    """How a failure is told."""

    error: type[SkysiftError]
    wrong: str
    todo: str | None = None


_GONE = _Says(UsageError, "there is no such file")
_FORBIDDEN = _Says(
    UsageError,
    "the file may not be read",
    "give credentials as fsspec takes them: for s3 the AWS_ variables, or FSSPEC_S3_ANON=true for a public bucket",
)
_SILENT = _Says(TransientError, "the server does not answer", "see whether it is there, and try again")
_BY_NAME = {  # of aiohttp and botocore, which need not be there
    "NoCredentialsError": _FORBIDDEN,
    "PermissionError": _FORBIDDEN,
    "FileNotFoundError": _GONE,
    "ClientConnectorError": _SILENT,
    "ClientConnectorDNSError": _SILENT,
    "EndpointConnectionError": _SILENT,
    "ServerDisconnectedError": _SILENT,
    "ClientOSError": _SILENT,
    "ClientPayloadError": _SILENT,
    "ConnectTimeoutError": _SILENT,
    "ReadTimeoutError": _SILENT,
    "ConnectionClosedError": _SILENT,
}


@cache
def _system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    import fsspec

    protocol = url.partition("://")[0].lower()
    options = {"headers": {"Accept-Encoding": "identity"}} if protocol in ("http", "https") else {}
    try:
        system, path = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        raise UsageError(
            "what reads such URLs is not installed",
            got=url,
            todo="make install EXTRAS=remote (http, s3), or install what fsspec names: " + str(error),
        ) from error
    except ValueError as error:
        raise OptionError("there is no such protocol", got=url, allowed="http, https, s3, ...") from error
    return system, path


def _state(url: str) -> tuple[int, str]:
    """Size of what is behind a URL, and what changes when it does."""
    system, path = _system(url)
    info = _told(url, lambda: system.info(path))
    if info.get("type") == "directory":
        raise UsageError("a map is a file, not a directory", got=url)
    size = info.get("size")
    if size is None or info.get("partial") is False:
        raise _whole_only(url)
    marks = ("ETag", "Content-MD5", "Digest", "Last-Modified", "LastModified", "mtime", "created")
    return int(size), " ".join(str(info[mark]) for mark in marks if info.get(mark))


def _whole_only(url: str) -> UsageError:
    return UsageError(
        "the server gives no parts of files, which a map is read by",
        got=url,
        todo="fetch the file and give its path, or ask for a server with range requests",
    )


def _told(url: str, read: Callable[[], Value]) -> Value:
    """What is read; failures as one line."""
    try:
        return read()
    except SkysiftError:
        raise
    except Exception as error:
        chain = [error, *(each for each in (error.__cause__, error.__context__) if each is not None)]
        for each in reversed(chain):  # what lies behind it tells more
            says = _meaning(each)
            if says is not None:
                raise says.error(says.wrong, got=url, todo=says.todo) from error
        raise StorageError(
            "the file cannot be read", got=url, todo=f"{type(error).__name__}: {error}"
        ) from error


def _meaning(error: BaseException) -> _Says | None:
    status = getattr(error, "status", None)  # of a response
    if isinstance(status, int):
        if status in (401, 403):
            return _FORBIDDEN
        if status in (404, 410):
            return _GONE
        if status >= 500:
            return _Says(TransientError, f"the server failed ({status})", "try again")
        return _Says(StorageError, f"the server refuses ({status})")
    if isinstance(error, TimeoutError | ConnectionError):
        return _SILENT
    return _BY_NAME.get(type(error).__name__)

"""`ahead`: the bytes of an answer, made as fast as they can be and not as fast as a client takes them.

A query holds a connection to the database while its rows are made. They are laid down beside, so that a client
which takes its time holds none; only one that is far behind does, and it must not stand still.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from typing import IO

from skysift.base.errors import StorageError, TimeLimitError
from skysift.io.output import FULL

__all__ = ["ahead"]

LEAD = 64 << 20  # bytes that may be made and not yet taken
SEGMENT = 4 << 20  # bytes of one file
PATIENCE = 60.0  # seconds in which one segment has to be taken, where as many bytes wait as may
_PIECE = 1 << 16  # bytes that go out at once
_IN_MEMORY = 1 << 16  # bytes up to which no file is needed
_SOON = 0.3  # seconds after which what there is goes out, however little it is


def ahead(pieces: Generator[bytes, None, None] | Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of an answer; a thread makes them, up to `LEAD` bytes before they are taken.

    Raises
    ------
    TimeLimitError
        They were not taken in time.
    StorageError
        The disk is full.
    """
    line = _Line()
    threading.Thread(target=line.fill, args=(pieces,), name="answer", daemon=True).start()
    try:
        while (held := line.taken()) is not None:
            with held:
                while piece := held.read(_PIECE):
                    yield piece
    finally:
        line.leave()


class _Line:
    """Segments that wait, between the thread that makes them and the one that takes them."""

    def __init__(self) -> None:
        self._segments: deque[tuple[IO[bytes], int]] = deque()
        self._waiting = 0
        self._moved = threading.Condition()
        self._over = self._left = False
        self._failure: Exception | None = None

    def fill(self, pieces: Generator[bytes, None, None] | Iterator[bytes]) -> None:
        """Make all segments, until the end or until nobody wants them."""
        failure: Exception | None = None
        try:
            while segment := self._made(pieces):
                if not self._put(*segment):
                    break
        except OSError as error:
            full = error.errno in FULL
            failure = StorageError("the disk is full" if full else "the answer cannot be laid down")
        except Exception as error:  # noqa: BLE001 -- raised where the bytes are taken
            failure = error
        finally:
            if isinstance(pieces, Generator):
                pieces.close()  # lets the connection go
        with self._moved:
            self._failure, self._over = failure, True
            self._moved.notify_all()

    def _made(self, pieces: Iterator[bytes]) -> tuple[IO[bytes], int] | None:
        """The next segment and its bytes; None where there is nothing more."""
        held: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        try:
            size, until = 0, time.monotonic() + _SOON
            for piece in pieces:
                size += held.write(piece)
                if size >= SEGMENT or time.monotonic() > until:
                    break
            held.seek(0)
        except BaseException:
            held.close()
            raise
        if size:
            return held, size
        held.close()
        return None

    def _put(self, held: IO[bytes], size: int) -> bool:
        """Let a segment wait, as soon as there is room; whether anybody wants more."""
        with self._moved:
            until = time.monotonic() + PATIENCE
            while self._waiting and self._waiting + size > LEAD and not self._left:
                before, left = len(self._segments), until - time.monotonic()
                if left <= 0:
                    held.close()
                    raise TimeLimitError(
                        "the answer was not taken in time",
                        got=f"less than {SEGMENT >> 20} MiB in {PATIENCE:g} s",
                        todo="ask by a job, and fetch its result",
                    )
                self._moved.wait(left)
                if len(self._segments) < before:
                    until = time.monotonic() + PATIENCE
            if self._left:
                held.close()
                return False
            self._segments.append((held, size))
            self._waiting += size
            self._moved.notify_all()
        return True

    def taken(self) -> IO[bytes] | None:
        """The next segment, as soon as it is there; None at the end."""
        with self._moved:
            self._moved.wait_for(lambda: self._segments or self._over)
            if self._segments:
                held, size = self._segments.popleft()
                self._waiting -= size
                self._moved.notify_all()
                return held
            if self._failure is not None:
                raise self._failure
            return None

    def leave(self) -> None:
        """Nobody wants more."""
        with self._moved:
            self._left = True
            for held, _ in self._segments:
                held.close()
            self._segments.clear()
            self._waiting = 0
            self._moved.notify_all()

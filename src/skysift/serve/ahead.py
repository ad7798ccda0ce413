"""`ahead`: the bytes of an answer, made as fast as they can be and not as fast as a client takes them.

A query holds a connection to the database while its rows are made. They are made into files beside, so that a
client which takes its time holds none; only one that is far behind does, and it must not stand still.
"""

from __future__ import annotations

import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from typing import IO

from skysift.base.errors import SkysiftError, StorageError, TimeLimitError
from skysift.base.log import get_logger

__all__ = ["LONGEST_LEAD", "SEGMENT", "ahead"]

_log = get_logger(__name__)

SEGMENT = 4 << 20
"""Bytes of one file."""
LONGEST_LEAD = 64 << 20
"""Bytes that may be made and not yet taken."""
_PIECE = 1 << 16  # bytes that go out at once
_IN_MEMORY = 1 << 16  # bytes up to which no file is needed


def ahead(
    pieces: Iterator[bytes],
    *,
    lead: int = LONGEST_LEAD,
    segment: int = SEGMENT,
    patience: float = 60.0,
) -> Iterator[bytes]:
    """The bytes of an answer; another thread makes them, up to `lead` bytes before they are taken.

    Parameters
    ----------
    pieces
        The bytes as they are made; closed as soon as the last one is, or nobody wants more.
    lead
        Bytes that may be made and not yet taken.
    segment
        Bytes of one file.
    patience
        Seconds in which one segment has to be taken, where as many bytes wait as may; else the answer breaks off.

    Raises
    ------
    TimeLimitError
        They were not taken in time.
    StorageError
        The disk is full.
    """
    line = _Line(max(1, lead // segment), patience)
    maker = threading.Thread(target=line.fill, args=(pieces, segment), name="answer", daemon=True)
    maker.start()
    try:
        while (held := line.next()) is not None:
            with held:
                while piece := held.read(_PIECE):
                    yield piece
        if line.failure is not None:
            raise line.failure
    finally:
        line.leave()


class _Line:
    """Segments that wait, between the thread that makes them and the one that takes them."""

    def __init__(self, most: int, patience: float) -> None:
        self._most, self._patience = most, patience
        self._segments: deque[IO[bytes]] = deque()
        self._moved = threading.Condition()
        self._over = self._left = False
        self.failure: BaseException | None = None

    def fill(self, pieces: Iterator[bytes], size: int) -> None:
        """Make all segments, until the end or until nobody wants them."""
        try:
            with closing(pieces) if hasattr(pieces, "close") else _nothing():
                self._fill(pieces, size)
        except BaseException as error:  # noqa: BLE001 -- told to who takes the bytes
            self.failure = error
        with self._moved:
            self._over = True
            self._moved.notify_all()

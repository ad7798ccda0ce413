"""`Bell`: wakes those who wait for a job; one look at the database serves all of them.

Waiting costs a task and no thread, so that hundreds may wait. News is looked for a few times a second; who waits
looks by themselves, too, every few seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool

from skysift.base.errors import SkysiftError
from skysift.jobs.manager import Manager

__all__ = ["Bell"]

T = TypeVar("T")

_PERIOD = 0.25  # seconds between two looks
_PATIENCE = 5.0  # seconds after which who waits looks by themselves


class Bell:
    """Wakes those who wait for jobs.

    Parameters
    ----------
    manager
        The jobs.
    """

    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self._last: int | None = None  # the last event that was seen; None until the first look

    def start(self) -> None:
        """Begin to look for news."""
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """Look no more; who waits is woken."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self.ring(list(self._waiting))

    def ring(self, ids: list[str]) -> None:
        """Wake who waits for these jobs."""
        for each in ids:
            for event in self._waiting.get(each, ()):
                event.set()

    async def news(self, id: str, seconds: float) -> None:
        """Return when there may be news of a job, or the time is over."""
        event = asyncio.Event()
        self._waiting[id].add(event)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, _PATIENCE)):
                    await event.wait()
        finally:
            self._waiting[id].discard(event)
            if not self._waiting[id]:
                del self._waiting[id]

    async def wait_for(
        self, id: str, look: Callable[[], T], enough: Callable[[T], bool], seconds: float
    ) -> T:
        """What `look` sees of a job, as soon as it is enough or the time is over."""
        end = time.monotonic() + seconds
        while True:
            seen = await run_in_threadpool(look)
            left = end - time.monotonic()
            if enough(seen) or left <= 0:
                return seen
            await self.news(id, left)

    async def _listen(self) -> None:
        while True:
            if self._waiting or self._last is None:
                with suppress(SkysiftError):
                    self._last, ids = await run_in_threadpool(self.manager.news, self._last)
                    self.ring([each for each in ids if each in self._waiting])
            await asyncio.sleep(_PERIOD)

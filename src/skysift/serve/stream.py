"""`event_stream`: what happens to a job, as server-sent events, until it has ended."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.concurrency import run_in_threadpool

from skysift.base.errors import UnknownName
from skysift.serve.context import Context
from skysift.serve.rest.shown import shown_job

__all__ = ["event_stream"]

_ALIVE = 15.0  # seconds after which a line of comment shows that somebody is there
_LONGEST = 3600.0  # seconds of one stream; the browser asks again where it ended


async def event_stream(asked: Context, id: str, after: int) -> AsyncIterator[bytes]:
    """The events of a job after one of them, and the job itself whenever it changed; ends with the job."""
    version, quiet, total = -1, 0.0, 0.0
    while total < _LONGEST:
        try:
            job = await run_in_threadpool(asked.manager.job, id, asked.user)
        except UnknownName:  # it was removed, or is not shared any more
            yield _event("gone", {"id": id})
            return
        # they come so many at once: until all are told
        while found := await run_in_threadpool(asked.manager.events, id, after):
            for each in found:
                after = each.id
                facts = {"time": each.time.isoformat(), **each.facts}
                yield _event(each.kind, facts, each.id)
            quiet = 0.0
        if job.version != version:
            version, quiet = job.version, 0.0
            yield _event("job", shown_job(job, asked))
        if job.phase.ended:
            yield _event("end", {"phase": job.phase.value})
            return
        if quiet >= _ALIVE:
            yield b": alive\n\n"
            quiet = 0.0
        before = asked.clock()
        await asked.bell.news(id, _ALIVE)
        passed = asked.clock() - before
        quiet += passed
        total += passed


def _event(kind: str, data: dict[str, Any], id: int | None = None) -> bytes:
    head = "" if id is None else f"id: {id}\n"
    return f"{head}event: {kind}\ndata: {json.dumps(data, default=str)}\n\n".encode()

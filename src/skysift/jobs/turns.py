"""Whose turn it is among the jobs that wait for a worker."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy import Engine, RowMapping

from skysift.io.sql import told
from skysift.jobs.job import Phase
from skysift.jobs.tables import JOBS

__all__ = ["in_turn", "waiting"]

_AT_ONCE = 64  # jobs of one user for one executor that one look considers


def waiting(engine: Engine, at_once: int = _AT_ONCE) -> list[RowMapping]:
    """All columns of jobs that wait: of each user and executor the oldest, so that nobody's many hide another's few."""
    place = (
        sa.func.row_number()
        .over(partition_by=(JOBS.c.owner, JOBS.c.executor), order_by=(JOBS.c.created, JOBS.c.id))
        .label("place")
    )
    line = (
        sa.select(JOBS.c.id, place)
        .where(JOBS.c.phase.in_((Phase.QUEUED.value, Phase.SUSPENDED.value)), JOBS.c.handle == "")
        .subquery()
    )
    query = (
        sa.select(JOBS)
        .join(line, line.c.id == JOBS.c.id)
        .where(line.c.place <= at_once)
        .order_by(JOBS.c.created, JOBS.c.id)
    )
    with told(), engine.connect() as connection:
        return list(connection.execute(query).mappings())


def in_turn(rows: Sequence[RowMapping], running: dict[str, int]) -> Iterator[RowMapping]:
    """Jobs by whose turn it is: of the user with the fewest running ones, as they become more meanwhile, the oldest."""
    queues: dict[str, deque[RowMapping]] = {}
    for row in rows:
        queues.setdefault(row["owner"], deque()).append(row)

    def turn(owner: str) -> tuple[int, float, str, str]:
        first = queues[owner][0]
        return running.get(owner, 0), first["created"], first["id"], owner

    turns = [turn(owner) for owner in queues]
    heapq.heapify(turns)
    while turns:
        owner = heapq.heappop(turns)[3]
        yield queues[owner].popleft()
        if queues[owner]:
            heapq.heappush(turns, turn(owner))

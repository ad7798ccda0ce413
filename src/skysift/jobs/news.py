"""`news`: which jobs something happened to; one look for all who wait."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Engine

from skysift.io.sql import told
from skysift.jobs.tables import EVENTS

__all__ = ["news"]


def news(engine: Engine, after: int | None) -> tuple[int, tuple[str, ...]]:
    """The last event of all, and the jobs to which something happened after an event; none where it is None."""
    with told(), engine.connect() as connection:
        if after is None:
            return int(connection.execute(sa.select(sa.func.max(EVENTS.c.id))).scalar() or 0), ()
        rows = connection.execute(sa.select(EVENTS.c.id, EVENTS.c.job_id).where(EVENTS.c.id > after)).all()
    return max([after, *(row[0] for row in rows)]), tuple(dict.fromkeys(row[1] for row in rows))

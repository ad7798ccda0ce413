"""`usage`: what users made the service do, from the jobs that are kept and the ledger of all that ended."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Engine

from skysift.io.sql import told
from skysift.jobs.job import Phase, Usage
from skysift.jobs.tables import JOBS, LEDGER

__all__ = ["counts", "usage"]

_ENDED = tuple(phase.value for phase in Phase if phase.ended)


def usage(engine: Engine, now: float, owner: str | None = None) -> Usage:
    """What a user, or all, made the service do.

    Parameters
    ----------
    engine
        The database.
    now
        The time, in seconds since 1970.
    owner
        The user; all where left out.
    """
    mine = [] if owner is None else [JOBS.c.owner == owner]
    paid = [] if owner is None else [LEDGER.c.owner == owner]
    phases = sa.select(JOBS.c.phase, sa.func.count(), sa.func.coalesce(sa.func.sum(JOBS.c.bytes), 0)).where(
        *mine
    )
    ended = sa.select(
        LEDGER.c.phase, sa.func.count(), sa.func.coalesce(sa.func.sum(LEDGER.c.seconds), 0.0)
    ).where(*paid)
    running = sa.select(
        sa.func.coalesce(sa.func.sum(JOBS.c.seconds), 0.0),
        sa.func.coalesce(sa.func.sum(now - JOBS.c.begun), 0.0),
    ).where(JOBS.c.phase.not_in(_ENDED), *mine)
    users = sa.union(sa.select(LEDGER.c.owner).where(*paid), sa.select(JOBS.c.owner).where(*mine))
    with told(), engine.connect() as connection:
        by_phase = connection.execute(phases.group_by(JOBS.c.phase)).all()
        by_end = connection.execute(ended.group_by(LEDGER.c.phase)).all()
        before, current = connection.execute(running).one()
        owners = connection.execute(sa.select(sa.func.count()).select_from(users.subquery())).scalar_one()
    return Usage(
        jobs={phase: int(number) for phase, number, _ in by_phase},
        ended={phase: int(number) for phase, number, _ in by_end},
        seconds=float(sum(seconds for *_, seconds in by_end) + before + current),
        bytes=int(sum(size for *_, size in by_phase)),
        users=int(owners),
    )


def counts(engine: Engine) -> dict[str, int]:
    """How many jobs are in each phase."""
    query = sa.select(JOBS.c.phase, sa.func.count()).group_by(JOBS.c.phase)
    with told(), engine.connect() as connection:
        return {phase: int(number) for phase, number in connection.execute(query).all()}

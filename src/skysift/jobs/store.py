"""`Store`: jobs in the database; every change is one transaction that keeps the moves legal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Engine, RowMapping

from skysift.archive.policy import Access, User, Visibility, may_change, may_read, readable
from skysift.base.errors import AccessError, Kind, UnknownName, UsageError
from skysift.base.places import without_places
from skysift.io.sql import migrate, told
from skysift.jobs.job import Event, Input, Job, JobPage, JobSpec, Phase, check_move
from skysift.jobs.options import ResourceOptions
from skysift.jobs.tables import ARTEFACTS, EVENTS, JOBS, LEDGER, TAGS

__all__ = ["Store", "full_spec", "private_part"]

Clock = Callable[[], float]

_ENDED = tuple(phase.value for phase in Phase if phase.ended)
_LONGEST_PAGE = 1000


class Store:
    """Jobs in a database; its tables are made where they are missing.

    Parameters
    ----------
    engine
        The database.
    clock
        Tells the time in seconds since 1970.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        migrate(engine, "jobs")

    # -- making and changing

    def add(
        self,
        id: str,
        spec: JobSpec,
        access: Access,
        *,
        hidden: Mapping[str, Any],
        destruction: float | None,
        retry_of: str = "",
        start: tuple[Phase, str] | None = None,
    ) -> None:
        """Keep a new job; it is PENDING, or moved on at once to where `start` says, with the reason."""
        now = self.clock()
        story = [(Phase.PENDING, "told of"), *([] if start is None else [start])]
        phase, reason = story[-1]
        row = {
            "id": id,
            "owner": access.owner,
            "visibility": access.visibility,
            "group_name": access.group,
            **_spec_columns(spec, hidden),
            "phase": phase.value,
            "reason": reason,
            "created": now,
            "queued": now if phase is Phase.QUEUED else None,
            "destruction": destruction,
            "retry_of": retry_of,
        }
        with told(), self.engine.begin() as connection:
            connection.execute(JOBS.insert().values(row))
            _write_tags(connection, id, spec.tags)
            for each, why in story:
                _write_event(connection, id, now, "phase", {"phase": each.value, "reason": why})

    def change(self, id: str, spec: JobSpec, hidden: Mapping[str, Any]) -> None:
        """Put another task into a job that is PENDING or HELD.

        Raises
        ------
        UsageError
            It was started.
        """
        with told(), self.engine.begin() as connection:
            done = connection.execute(
                JOBS.update()
                .where(JOBS.c.id == id, JOBS.c.phase.in_(("PENDING", "HELD")))
                .values(version=JOBS.c.version + 1, **_spec_columns(spec, hidden))
            )
            if not done.rowcount:
                raise UsageError("a job that was started keeps its task", todo="make another job")
            _write_tags(connection, id, spec.tags)

    def move(
        self,
        id: str,
        new: Phase,
        reason: str,
        *,
        only: Sequence[Phase] = (),
        kind: Kind | None = None,
        artefacts: Iterable[Mapping[str, Any]] = (),
        **columns: Any,
    ) -> bool:
        """Move a job to another phase, with its reason, in one transaction; false where it is in none of `only`.

        Parameters
        ----------
        id
            The job.
        new
            The phase.
        reason
            Why.
        only
            The phases that it may come from; any legal one by default.
        kind
            Of the error that ended it.
        artefacts
            The results that it is offered with.
        columns
            Other columns that change with it.

        Raises
        ------
        UnknownName
            There is no such job.
        UsageError
            The move is not legal.
        """
        now, reason = self.clock(), without_places(reason)
        while True:
            with told(), self.engine.begin() as connection:
                row = _row(connection, id)
                old = Phase(row["phase"])
                if only and old not in only:
                    return False
                check_move(old, new)
                values = {**columns, **_times(row, new, now)}
                done = connection.execute(
                    JOBS.update()
                    .where(JOBS.c.id == id, JOBS.c.phase == old.value, JOBS.c.version == row["version"])
                    .values(
                        phase=new.value,
                        reason=reason,
                        error_kind=kind or "",
                        version=row["version"] + 1,
                        **values,
                    )
                )
                if not done.rowcount:
                    continue  # somebody else was faster: look again
                facts = {"phase": new.value, "reason": reason, **({"kind": kind} if kind else {})}
                _write_event(connection, id, now, "phase", facts)
                if new is Phase.ARCHIVED:
                    connection.execute(ARTEFACTS.delete().where(ARTEFACTS.c.job_id == id))
                    return True
                offered = [{"job_id": id, **each} for each in artefacts]
                if offered:
                    connection.execute(ARTEFACTS.delete().where(ARTEFACTS.c.job_id == id))
                    connection.execute(ARTEFACTS.insert(), offered)
                if new.ended:
                    _write_ledger(connection, row, new, now, {**row, **values})
                return True

    def set(self, id: str, **columns: Any) -> None:
        """Change columns that are no phase."""
        with told(), self.engine.begin() as connection:
            connection.execute(
                JOBS.update().where(JOBS.c.id == id).values(version=JOBS.c.version + 1, **columns)
            )

    def hear(self, id: str, offset: int, events: Sequence[Mapping[str, Any]], behind: int) -> None:
        """Keep what a worker told between two bytes of its file, once."""
        columns: dict[str, Any] = {"told": behind}
        for event in events:
            if event["kind"] == "progress":
                columns |= {
                    "stage": str(event.get("stage", ""))[:64],
                    "done": int(event.get("done", 0)),
                    "total": int(event.get("total", 0)),
                }
        with told(), self.engine.begin() as connection:
            done = connection.execute(
                JOBS.update()
                .where(JOBS.c.id == id, JOBS.c.told == offset)
                .values(version=JOBS.c.version + 1, **columns)
            )
            if done.rowcount:
                for event in events:
                    facts = {
                        name: without_places(value) if name == "text" else value
                        for name, value in event.items()
                        if name not in ("kind", "time")
                    }
                    _write_event(
                        connection, id, float(event.get("time", self.clock())), event["kind"][:12], facts
                    )

    def note(self, id: str, text: str) -> None:
        """Tell something in the story of a job."""
        text = without_places(text)
        with told(), self.engine.begin() as connection:
            connection.execute(
                JOBS.update().where(JOBS.c.id == id).values(reason=text, version=JOBS.c.version + 1)
            )
            _write_event(connection, id, self.clock(), "note", {"text": text})

    def remove(self, id: str) -> None:
        """Forget a job; what it cost stays in the ledger."""
        with told(), self.engine.begin() as connection:
            for table in (TAGS, EVENTS, ARTEFACTS):
                connection.execute(table.delete().where(table.c.job_id == id))
            connection.execute(JOBS.delete().where(JOBS.c.id == id))

    # -- reading

    def row(self, id: str) -> RowMapping:
        """All columns of a job.

        Raises
        ------
        UnknownName
            There is none.
        """
        with told(), self.engine.connect() as connection:
            return _row(connection, id)

    def job(self, id: str, user: User, *, change: bool = False) -> Job:
        """A job that a user may see.

        Parameters
        ----------
        id
            The job.
        user
            Who asks.
        change
            Whether they want to change it.

        Raises
        ------
        UnknownName
            There is none, or they may not see it.
        AccessError
            They may see it and not change it.
        """
        row = self.row(id)
        access = _access(row)
        if not may_read(user, access):
            raise _missing(id)
        if change and not may_change(user, access):
            raise AccessError("only its owner may change a job", got=id)
        return self._job(row)

    def rows(self, *conditions: ColumnElement[bool], limit: int | None = None) -> list[RowMapping]:
        """All columns of jobs, the oldest first."""
        query = sa.select(JOBS).where(*conditions).order_by(JOBS.c.created, JOBS.c.id).limit(limit)
        with told(), self.engine.connect() as connection:
            return list(connection.execute(query).mappings())

    def listed(
        self,
        user: User,
        *,
        phases: Sequence[Phase] = (),
        apps: Sequence[str] = (),
        owner: str | None = None,
        tag: str = "",
        after: float | None = None,
        page: str = "",
        size: int = 50,
    ) -> JobPage:
        """The jobs that a user may see, the newest first; archived ones only where asked for.

        Raises
        ------
        UsageError
            The page is none that was given out, or its size is not allowed.
        """
        if not 1 <= size <= _LONGEST_PAGE:
            raise UsageError("a page is not so long", got=size, allowed=f"1 to {_LONGEST_PAGE}")
        wanted = [readable(user, JOBS)]
        if phases:
            wanted.append(JOBS.c.phase.in_([phase.value for phase in phases]))
        else:
            wanted.append(JOBS.c.phase != Phase.ARCHIVED.value)
        if apps:
            wanted.append(JOBS.c.app.in_(apps))
        if owner is not None:
            wanted.append(JOBS.c.owner == owner)
        if tag:
            wanted.append(JOBS.c.id.in_(sa.select(TAGS.c.job_id).where(TAGS.c.tag == tag)))
        if after is not None:
            wanted.append(JOBS.c.created > after)
        if page:
            time, last = _page(page)
            wanted.append(sa.or_(JOBS.c.created < time, sa.and_(JOBS.c.created == time, JOBS.c.id < last)))
        query = sa.select(JOBS).where(*wanted).order_by(JOBS.c.created.desc(), JOBS.c.id.desc())
        with told(), self.engine.connect() as connection:
            rows = list(connection.execute(query.limit(size + 1)).mappings())
        more = f"{rows[size - 1]['created']!r}_{rows[size - 1]['id']}" if len(rows) > size else ""
        return JobPage(tuple(self._job(row) for row in rows[:size]), more)

    def events(self, id: str, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """What happened to a job after an event, in order."""
        query = (
            sa.select(EVENTS)
            .where(EVENTS.c.job_id == id, EVENTS.c.id > after)
            .order_by(EVENTS.c.id)
            .limit(limit)
        )
        with told(), self.engine.connect() as connection:
            return tuple(
                Event(row["id"], _time(row["time"]), row["kind"], json.loads(row["facts"]))
                for row in connection.execute(query).mappings()
            )

    def artefacts(self, id: str) -> list[dict[str, Any]]:
        """The rows of a job's results, by name."""
        query = sa.select(ARTEFACTS).where(ARTEFACTS.c.job_id == id).order_by(ARTEFACTS.c.name)
        with told(), self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def count(self, *conditions: ColumnElement[bool]) -> int:
        """How many jobs there are of a kind."""
        with told(), self.engine.connect() as connection:
            counted = connection.execute(sa.select(sa.func.count()).select_from(JOBS).where(*conditions))
            return int(counted.scalar_one())

    def kept_bytes(self, owner: str) -> int:
        """Bytes of the results that a user keeps."""
        query = sa.select(sa.func.coalesce(sa.func.sum(JOBS.c.bytes), 0)).where(JOBS.c.owner == owner)
        with told(), self.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def _job(self, row: RowMapping) -> Job:
        spec = json.loads(row["spec"])
        running = 0.0 if row["begun"] is None else max(0.0, self.clock() - row["begun"])
        return Job(
            id=row["id"],
            spec=JobSpec(
                app=row["app"],
                inputs=tuple(Input(path="", **each) for each in spec["inputs"]),
                options=spec["options"],
                resources=ResourceOptions(**spec["resources"]),
                tags=tuple(spec["tags"]),
                name=row["name"],
            ),
            access=_access(row),
            phase=Phase(row["phase"]),
            reason=row["reason"],
            error_kind=cast("Kind | None", row["error_kind"] or None),
            created=_time(row["created"]),
            queued=_time_or_none(row["queued"]),
            started=_time_or_none(row["started"]),
            ended=_time_or_none(row["ended"]),
            destruction=_time_or_none(row["destruction"]),
            attempt=row["attempt"],
            stage=row["stage"],
            done=row["done"],
            total=row["total"],
            seconds=row["seconds"] + running,
            bytes=row["bytes"],
            retry_of=row["retry_of"],
            version=row["version"],
        )


def full_spec(row: RowMapping) -> JobSpec:
    """The task of a job with the paths of its inputs."""
    spec, hidden = json.loads(row["spec"]), json.loads(row["hidden"])
    inputs = zip(spec["inputs"], hidden["paths"], strict=True)
    return JobSpec(
        app=row["app"],
        inputs=tuple(Input(path=path, **each) for each, path in inputs),
        options=spec["options"],
        resources=ResourceOptions(**spec["resources"]),
        tags=tuple(spec["tags"]),
        name=row["name"],
    )


def private_part(row: RowMapping) -> dict[str, Any]:
    """What of the task is for the worker alone."""
    private: dict[str, Any] = json.loads(row["hidden"])["private"]
    return private


def _spec_columns(spec: JobSpec, hidden: Mapping[str, Any]) -> dict[str, Any]:
    told_of = {
        "inputs": [each.told() for each in spec.inputs],
        "options": dict(spec.options),
        "resources": spec.resources.to_dict(),
        "tags": list(spec.tags),
    }
    kept = {"paths": [each.path for each in spec.inputs], "private": dict(hidden)}
    return {
        "app": spec.app,
        "name": spec.name,
        "spec": json.dumps(told_of),
        "hidden": json.dumps(kept),
        "executor": spec.resources.executor,
        "cores": spec.resources.cores,
    }


def _times(row: RowMapping, new: Phase, now: float) -> dict[str, Any]:
    """The columns of time that a move changes."""
    values: dict[str, Any] = {}
    if new is Phase.QUEUED:
        values["queued"] = now
    if new is Phase.EXECUTING and row["phase"] != Phase.UNKNOWN.value:
        values |= {"begun": now, "started": row["started"] if row["started"] is not None else now}
    stays = (Phase.EXECUTING, Phase.UNKNOWN)
    if row["begun"] is not None and new not in stays:
        values |= {"seconds": row["seconds"] + max(0.0, now - row["begun"]), "begun": None}
    if new.ended and row["ended"] is None:
        values["ended"] = now
    return values


def _write_ledger(
    connection: Connection, row: RowMapping, new: Phase, now: float, values: Mapping[str, Any]
) -> None:
    connection.execute(
        LEDGER.insert().values(
            job_id=row["id"],
            owner=row["owner"],
            app=row["app"],
            phase=new.value,
            ended=now,
            seconds=values["seconds"],
            bytes=values["bytes"],
        )
    )


def _write_tags(connection: Connection, id: str, tags: Sequence[str]) -> None:
    connection.execute(TAGS.delete().where(TAGS.c.job_id == id))
    if tags:
        connection.execute(TAGS.insert(), [{"job_id": id, "tag": tag} for tag in tags])


def _write_event(connection: Connection, id: str, time: float, kind: str, facts: Mapping[str, Any]) -> None:
    connection.execute(EVENTS.insert().values(job_id=id, time=time, kind=kind, facts=json.dumps(facts)))


def _row(connection: Connection, id: str) -> RowMapping:
    row = connection.execute(sa.select(JOBS).where(JOBS.c.id == id)).mappings().first()
    if row is None:
        raise _missing(id)
    return row


def _missing(id: str) -> UnknownName:
    return UnknownName("no such job", got=id)


def _access(row: RowMapping) -> Access:
    return Access(row["owner"], cast(Visibility, row["visibility"]), row["group_name"])


def _page(text: str) -> tuple[float, str]:
    time, _, last = text.partition("_")
    try:
        return float(time), last
    except ValueError:
        raise UsageError("no such page", got=text, allowed="what the page before it names") from None


def _time(value: float) -> datetime:
    return datetime.fromtimestamp(value, UTC)


def _time_or_none(value: float | None) -> datetime | None:
    return None if value is None else _time(value)

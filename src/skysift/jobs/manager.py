"""`Manager`: takes jobs, tells of them, ends them; a thread of it starts and watches workers."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Engine

from skysift.archive.policy import Access, User
from skysift.base.errors import BusyError, OptionError, SkysiftError, UsageError
from skysift.base.log import get_logger
from skysift.base.registry import Registry
from skysift.jobs.accounts import counts, usage
from skysift.jobs.again import Renewed, known_paths, private_again, renewed_inputs, task_again
from skysift.jobs.checks import checked
from skysift.jobs.executors.executor import Executor
from skysift.jobs.folder import JobFolder
from skysift.jobs.job import Artefact, Event, Job, JobPage, JobSpec, Phase, Usage
from skysift.jobs.monitor import Monitor
from skysift.jobs.news import news
from skysift.jobs.options import LimitOptions
from skysift.jobs.store import Store, full_spec, private_part
from skysift.jobs.tables import JOBS

__all__ = ["Manager"]

_log = get_logger(__name__)

DAY = 86400.0
_LOOK = 0.5  # seconds after which who waits looks by itself: the move may have been made by another process
_OPEN = tuple(phase.value for phase in Phase if not phase.ended)


class Manager:
    """The jobs of a service.

    Parameters
    ----------
    engine
        The database.
    folder
        Where jobs have their folders; made where it is missing.
    executors
        Where workers run, by name; those of the index where left out, made when first asked for.
    clock
        Tells the time in seconds since 1970.
    limits
        What jobs may use together.
    period
        Seconds between two looks at the workers.
    """

    def __init__(
        self,
        engine: Engine,
        folder: str | Path,
        *,
        executors: Mapping[str, Executor] | None = None,
        clock: Callable[[], float] = time.time,
        limits: LimitOptions | None = None,
        period: float = 0.3,
    ) -> None:
        self.folder = Path(folder).resolve()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.limits = limits or LimitOptions()
        self.clock = clock
        self.store = Store(engine, clock)
        self._executors: dict[str, Executor] = dict(executors or {})
        self._given = executors is not None
        self._moved = threading.Condition()
        self._monitor = Monitor(self.store, self.folder, self.executor, self.limits, self._tell)
        self._period = period
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"Manager({str(self.folder)!r})"

    # -- the thread

    def run(self) -> None:
        """Start the thread that starts and watches workers; workers of an earlier service are picked up."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._watch, name="jobs", daemon=True)
            self._thread.start()

    def stop(self, *, workers: bool = True) -> None:
        """End the thread and, where wanted, the workers of this machine; their jobs go on at the next start."""
        if self._thread is None:
            return
        self._stopping.set()
        self._woken.set()
        self._thread.join()
        self._thread = None
        if workers and self._monitor.ours:
            try:
                self._monitor.suspend_all()
            except SkysiftError as error:
                _log.warning("workers were not ended: %s", error)
        for executor in self._executors.values():
            executor.close()
        self._monitor.release()
        self._tell()

    def __enter__(self) -> Manager:
        self.run()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def tick(self) -> None:
        """Look once at all that is under way, and start what can be started; what the thread does."""
        self._monitor.tick()

    @property
    def watching(self) -> bool:
        """Whether the thread is there and looked not long ago: what a health check asks."""
        return (
            self._thread is not None
            and self._thread.is_alive()
            and time.monotonic() - self._monitor.looked < 60.0
        )

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self._monitor.tick()
            except SkysiftError as error:
                _log.warning("jobs cannot be watched now, and will be: %s", error)
            except Exception:  # noqa: BLE001 -- the thread must live; the log has the trace
                _log.exception("jobs cannot be watched now, and will be")
            self._woken.wait(self._period)
            self._woken.clear()

    def _tell(self) -> None:
        """Wake those who wait for a job."""
        with self._moved:
            self._moved.notify_all()

    def executor(self, name: str) -> Executor:
        """Where workers run, by name.

        Raises
        ------
        UnknownName
            There is no such executor.
        """
        if name not in self._executors:
            if self._given:
                raise OptionError("no such executor here", got=name, allowed=sorted(self._executors))
            made: Executor = Registry[Any]("job-executor").make(name)
            self._executors[name] = made
        return self._executors[name]

    # -- making

    def submit(
        self,
        spec: JobSpec,
        user: User,
        access: Access | None = None,
        *,
        start: bool = True,
        private: Mapping[str, Any] | None = None,
        lifetime: float | None = None,
        retry_of: str = "",
        id: str = "",
    ) -> Job:
        """A new job, checked.

        Parameters
        ----------
        spec
            What is to be done. Whoever calls has made sure that the user may read the inputs.
        user
            Who asks.
        access
            Whose it is, and who may see it; the user's own and private by default.
        start
            Whether it is queued at once; else it is PENDING.
        private
            What the app is given beside, and nobody is told.
        id
            Its id; made here where left out.
        lifetime
            Seconds until its results are removed; as long as the service keeps them by default.

        Raises
        ------
        UnknownName
            There is no such app or executor.
        OptionError
            An option or a resource is not allowed.
        UsageError
            An input is missing.
        BusyError
            The user has too many jobs that have not ended.
        """
        access = access or Access(user.name)
        if self.store.count(JOBS.c.owner == access.owner, JOBS.c.phase.in_(_OPEN)) >= self.limits.waiting:
            raise BusyError(
                "too many jobs of yours have not ended",
                got=self.limits.waiting,
                todo="wait for some, or abort them",
            )
        task = checked(spec, self.executor)
        new = id or secrets.token_hex(10)  # short, safe in URLs and names of files, not to be guessed
        longest = self.limits.days * DAY
        until = self.clock() + (longest if lifetime is None else min(lifetime, longest))
        self.store.add(
            new,
            task,
            access,
            hidden=private or {},
            destruction=until,
            retry_of=retry_of,
            start=self._next(access.owner) if start else None,
        )
        self._woken.set()
        return self._now(new)

    def change(
        self,
        id: str,
        user: User,
        *,
        spec: JobSpec | None = None,
        private: Mapping[str, Any] | None = None,
        destruction: float | None = None,
    ) -> Job:
        """The job with another task (while it was not started) or another time of destruction.

        Raises
        ------
        UnknownName, UsageError
            As for `submit`; or the job was started.
        """
        self.store.job(id, user, change=True)
        if spec is not None or private is not None:
            row = self.store.row(id)
            task = full_spec(row) if spec is None else checked(known_paths(spec, row), self.executor)
            self.store.change(id, task, private_part(row) if private is None else private)
        if destruction is not None:
            self.store.set(id, destruction=min(destruction, self.clock() + self.limits.days * DAY))
        return self._now(id)

    def start(self, id: str, user: User, renewed: Renewed | None = None) -> Job:
        """The job, queued: one that was PENDING or HELD; `renewed` finds its inputs by the rights of today.

        Raises
        ------
        UnknownName
            There is none that the user may see.
        UsageError
            It was started before, or is not theirs.
        """
        job = self.store.job(id, user, change=True)
        if renewed is not None and job.phase in (Phase.PENDING, Phase.HELD):
            row = self.store.row(id)
            self.store.change(id, renewed_inputs(full_spec(row), renewed), private_again(row, user))
        phase, reason = self._next(job.access.owner)
        self.store.move(id, phase, reason, only=(Phase.PENDING,) if phase is Phase.HELD else ())
        self._woken.set()
        return self._now(id)

    def _next(self, owner: str) -> tuple[Phase, str]:
        """Where a job of an owner goes when it is started, and why."""
        kept = self.limits.kept
        if kept is not None and self.store.kept_bytes(owner) > kept << 20:
            return (
                Phase.HELD,
                f"the results that {owner or 'all'} keeps fill {kept} MiB: remove some, and start it again",
            )
        return Phase.QUEUED, "waits for its turn"

    def retry(self, id: str, user: User, renewed: Renewed | None = None) -> Job:
        """A new job with the task of one that has ended; `renewed` finds its inputs by the rights of today.

        Raises
        ------
        UnknownName
            There is none that the user may see, or they may not read an input any more.
        UsageError
            It has not ended, or is not theirs.
        """
        job = self.store.job(id, user, change=True)
        if not job.phase.ended:
            raise UsageError(
                "a job that has not ended cannot be repeated", got=job.phase, todo="abort it first"
            )
        row, new = self.store.row(id), secrets.token_hex(10)
        with task_again(row, renewed, self.folder / id, self.folder / new) as spec:
            private = private_again(row, user)
            return self.submit(spec, user, job.access, private=private, retry_of=id, id=new)

    # -- ending

    def abort(self, id: str, user: User, reason: str = "") -> Job:
        """The job, ended; its worker and all that the worker started are ended too.

        Nothing changes where it has ended already.

        Raises
        ------
        UnknownName
            There is none that the user may see.
        UsageError
            It is not theirs.
        """
        job = self.store.job(id, user, change=True)
        if not job.phase.ended:
            told = reason or f"aborted by {user.name or 'its owner'}"
            only = [phase for phase in Phase if not phase.ended]
            self.store.move(id, Phase.ABORTED, told, only=only)
            self._monitor.end(id)
            self._tell()
            self._woken.set()
        return self._now(id)

    def remove(self, id: str, user: User) -> None:
        """Forget a job, with its results; one that runs is aborted first. What it cost stays in the accounts.

        Raises
        ------
        UnknownName
            There is none that the user may see.
        UsageError
            It is not theirs.
        """
        job = self.abort(id, user, "removed")
        if job.phase is not Phase.ARCHIVED:
            self.store.move(id, Phase.ARCHIVED, "removed", bytes=0)
        self._monitor.end(id, kill=True)
        place = JobFolder(self.folder / id)
        place.hide()
        self.store.remove(id)
        place.remove()
        self._tell()

    def expire(self) -> int:
        """How many jobs were archived, because their time was over."""
        return self._monitor.expire()

    def share(self, id: str, user: User, access: Access) -> Job:
        """The job, with another visibility; its owner stays.

        Raises
        ------
        UnknownName, UsageError
            There is none that the user may see, or it is not theirs.
        """
        job = self.store.job(id, user, change=True)
        if access.owner != job.access.owner:
            raise UsageError("the owner of a job stays", got=access.owner, allowed=job.access.owner)
        self.store.set(id, visibility=access.visibility, group_name=access.group)
        return self._now(id)

    # -- telling

    def job(self, id: str, user: User) -> Job:
        """A job that a user may see.

        Raises
        ------
        UnknownName
            There is none.
        """
        return self.store.job(id, user)

    def list(
        self,
        user: User,
        *,
        phase: Sequence[Phase] = (),
        app: Sequence[str] = (),
        owner: str | None = None,
        tag: str = "",
        after: float | None = None,
        last: int | None = None,
        page: str = "",
        size: int = 50,
    ) -> JobPage:
        """Jobs that a user may see, the newest first.

        Parameters
        ----------
        user
            Who asks.
        phase
            The phases that are wanted; all but ARCHIVED by default.
        app
            The apps that are wanted.
        owner
            Whose.
        tag
            A tag that they have.
        after
            Those that came later than this, in seconds since 1970.
        last
            So many of the newest, and no further page.
        page
            Where to go on, as the page before it told.
        size
            How many a page has.

        Raises
        ------
        UsageError
            There is no such page, or it may not be so long.
        """
        found = self.store.listed(
            user,
            phases=phase,
            apps=app,
            owner=owner,
            tag=tag,
            after=after,
            page=page,
            size=size if last is None else last,
        )
        return found if last is None else JobPage(found.jobs)

    def wait(self, id: str, phase: Phase | None, seconds: float, user: User | None = None) -> Job:
        """The job, as soon as it is no longer in a phase, or has ended, or the seconds have passed.

        Parameters
        ----------
        id
            The job.
        phase
            The phase to wait away from; the present one where left out.
        seconds
            The longest wait.
        user
            Who asks, where that was not checked before.

        Raises
        ------
        UnknownName
            There is no such job.
        """
        deadline = time.monotonic() + seconds
        while True:
            job = self._now(id) if user is None else self.store.job(id, user)
            phase = phase or job.phase
            left = deadline - time.monotonic()
            if job.phase is not phase or job.phase.ended or left <= 0:
                return job
            with self._moved:
                self._moved.wait(min(left, _LOOK))

    def log(self, id: str, tail: int = 65536) -> str:
        """The last bytes of what the worker of a job printed, with the names of files in place of their paths."""
        return JobFolder(self.folder / self.store.row(id)["id"]).tail(tail)

    def events(self, id: str, after: int = 0) -> tuple[Event, ...]:
        """What happened to a job after an event, in order."""
        return self.store.events(id, after)

    def results(self, id: str) -> tuple[Artefact, ...]:
        """The files that a job made; none before all are whole.

        Raises
        ------
        UnknownName
            There is no such job.
        """
        row = self.store.row(id)
        return JobFolder(self.folder / row["id"]).artefacts(self.store.artefacts(id))

    def news(self, after: int | None) -> tuple[int, tuple[str, ...]]:
        """The last event of all, and the jobs to which something happened after an event; none where it is None."""
        return news(self.store.engine, after)

    def usage(self, user: User) -> Usage:
        """What a user made the service do."""
        return usage(self.store.engine, self.clock(), user.name)

    def service_usage(self) -> Usage:
        """What all made the service do."""
        return usage(self.store.engine, self.clock())

    def counts(self) -> dict[str, int]:
        """How many jobs are in each phase."""
        return counts(self.store.engine)

    def _now(self, id: str) -> Job:
        return self.store.job(id, User("", admin=True))

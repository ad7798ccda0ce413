"""`Monitor`: one look at all jobs that are under way: starts, watches, ends, archives."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import RowMapping

import skysift
from skysift.base.errors import BusyError, SkysiftError, StorageError, TransientError
from skysift.base.log import get_logger
from skysift.jobs.executors.executor import Executor
from skysift.jobs.folder import JobFolder, Outcome
from skysift.jobs.job import Phase
from skysift.jobs.options import LimitOptions
from skysift.jobs.store import Store, full_spec, private_part
from skysift.jobs.tables import JOBS
from skysift.jobs.turns import in_turn, waiting

__all__ = ["Monitor"]

_log = get_logger(__name__)

STARTING = "?"  # the handle of a worker that is being started
BEGIN = 30.0  # seconds in which a worker that was started has told its number
AGAIN = 5.0  # seconds before an executor that did not answer is asked again
EXPIRE = 60.0  # seconds between two looks for what is too old

_WORKING = (Phase.EXECUTING, Phase.UNKNOWN)


class Monitor:
    """What looks after the workers; of several services on one folder, one does.

    Parameters
    ----------
    store
        The jobs.
    folder
        Where they have their folders.
    executor
        Gives an executor by its name.
    limits
        What jobs may use together.
    tell
        Called when jobs have moved.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        executor: Callable[[str], Executor],
        limits: LimitOptions,
        tell: Callable[[], None],
    ) -> None:
        self.store, self.folder, self.limits = store, folder, limits
        self.looked = time.monotonic()
        self._executor = executor
        self._tell = tell
        self._lock = FileLock(folder / ".manager.lock", thread_local=False)
        self._busy = threading.RLock()  # one look at a time
        self._beats: dict[str, tuple[float | None, float]] = {}
        self._ending: dict[str, float] = {}
        self._silent: dict[str, tuple[float, float]] = {}  # executor -> silent since, to be asked again at
        self._expired = 0.0

    @property
    def ours(self) -> bool:
        """Whether this is the one that looks after the workers."""
        return self._lock.is_locked

    def release(self) -> None:
        """Let another service look after the workers."""
        self._lock.release()

    def tick(self) -> None:
        """Look once at all that is under way, and start what can be started.

        Raises
        ------
        SkysiftError
            The database does not answer; the next look does what was left.
        """
        with self._busy:
            if not self._acquired():
                self.looked = time.monotonic()
                return
            for row in self.store.rows(JOBS.c.phase.in_(_WORKING)):
                self._one(row, self._look)
            for row in self.store.rows(JOBS.c.phase.not_in(_WORKING), JOBS.c.handle != ""):
                self._one(row, self._finish)
            self._start()
            if self.store.clock() - self._expired > EXPIRE:
                self._expired = self.store.clock()
                self.expire()
            self.looked = time.monotonic()

    def _acquired(self) -> bool:
        if self.ours:
            return True
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        self._sweep()
        return True

    def _sweep(self) -> None:
        """Remove what a service that was killed had begun to remove."""
        for place in self.folder.glob(".gone-*"):
            shutil.rmtree(place, ignore_errors=True)
        for row in self.store.rows(JOBS.c.phase == Phase.ARCHIVED.value):
            self._place(row).remove_results()

    def _one(self, row: RowMapping, look: Callable[[RowMapping], None]) -> None:
        """Look at one job; what is wrong with it keeps no other from being looked at."""
        try:
            look(row)
        except SkysiftError as error:
            _log.warning(
                "a job cannot be looked after now", extra={"facts": {"job": row["id"], "why": error}}
            )
        except Exception:  # noqa: BLE001 -- the others must be looked at; the log has the trace
            _log.exception("a job cannot be looked after now", extra={"facts": {"job": row["id"]}})

    def _place(self, row: RowMapping) -> JobFolder:
        return JobFolder(self.folder / row["id"])

    def _move(self, row: RowMapping, new: Phase, reason: str, **more: Any) -> bool:
        moved = self.store.move(row["id"], new, reason, only=(Phase(row["phase"]),), **more)
        if moved:
            facts = {"job": row["id"], "phase": new.value, "reason": reason}
            _log.info("job moved", extra={"facts": facts})
            self._tell()
        return moved

    # -- jobs that a worker has

    def _look(self, row: RowMapping) -> None:
        place = self._place(row)
        self._hear(row, place)
        executor = self._executor(row["executor"])
        handle = row["handle"]
        try:
            if handle == STARTING:
                handle = self._adopted(row, executor, place)
                if not handle:
                    return
            state = executor.poll(handle, place.path)
            outcome = place.read_outcome(row["attempt"])
            if outcome is None and not state.running:
                executor.collect(handle, place.path)
                outcome = place.read_outcome(row["attempt"])
        except TransientError as error:
            if row["phase"] == Phase.EXECUTING.value:
                self._move(row, Phase.UNKNOWN, f"its executor does not answer: {error}")
            return
        if outcome is not None:
            self._hear(row, place)
            self._conclude(row, outcome)
        elif not state.running:
            self._gone(row, executor, place, state.told or "it ended without a word")
        else:
            if row["phase"] == Phase.UNKNOWN.value:
                self._move(row, Phase.EXECUTING, "its executor answers again")
                return
            self._bound(row, executor, place)

    def _hear(self, row: RowMapping, place: JobFolder) -> None:
        """Keep what the worker told since the last look."""
        offset = self.store.row(row["id"])["told"]
        events, behind = place.read_events(offset)
        if behind != offset:
            self.store.hear(row["id"], offset, _condensed(events), behind)
            self._tell()

    def _adopted(self, row: RowMapping, executor: Executor, place: JobFolder) -> str:
        """The handle of a worker whose start was cut off, by what it wrote itself; empty while there is none."""
        handle = executor.find(place.path)
        if handle:
            self.store.set(row["id"], handle=handle)
            return handle
        if self.store.clock() - row["begun"] > BEGIN:
            self._move(row, Phase.SUSPENDED, "the service ended while it was being started", handle="")
        return ""

    def _conclude(self, row: RowMapping, outcome: Outcome) -> None:
        """Take over how the worker ended."""
        if outcome.phase == Phase.COMPLETED.value:
            size = sum(each["size"] for each in outcome.artefacts)
            self._move(row, Phase.COMPLETED, outcome.reason, artefacts=outcome.artefacts, bytes=size)
            return
        kind: Any = outcome.error_kind or "fatal"
        if kind == "transient" and self._again(row, outcome.reason):
            return
        size = sum(each["size"] for each in outcome.artefacts)
        self._move(row, Phase.ERROR, outcome.reason, kind=kind, artefacts=outcome.artefacts, bytes=size)

    def _gone(self, row: RowMapping, executor: Executor, place: JobFolder, why: str) -> None:
        """A worker that is no longer there and told of no end: another one, or an error; never silence."""
        other = executor.find(place.path)
        if other and other != row["handle"] and executor.poll(other, place.path).running:
            self.store.set(row["id"], handle=other)
            return
        executor.stop(row["handle"], place.path, kill=True)
        reason = f"its worker was lost: {why}"
        if not self._again(row, reason):
            self._move(row, Phase.ERROR, reason, kind="transient")

    def _again(self, row: RowMapping, reason: str) -> bool:
        """Whether it is tried again."""
        retries = full_spec(row).resources.retries
        if row["lost"] >= retries:
            return False
        lost = row["lost"] + 1
        return self._move(
            row, Phase.SUSPENDED, f"{reason}; it is tried again ({lost} of {retries})", lost=lost
        )

    def _bound(self, row: RowMapping, executor: Executor, place: JobFolder) -> None:
        """End a worker that takes too long, or gives no sign of life."""
        longest = min(full_spec(row).resources.seconds or self.limits.seconds, self.limits.seconds)
        if row["seconds"] + self.store.clock() - row["begun"] > longest:
            if self._move(row, Phase.ERROR, f"it took longer than {longest} s", kind="usage"):
                self.end(row["id"])
            return
        beat, since = self._beats.get(row["id"], (None, self.store.clock()))
        now = place.beat()
        if now != beat or row["id"] not in self._beats:
            self._beats[row["id"]] = (now, self.store.clock())
        elif now is None and executor.elsewhere:
            return  # it waits for its turn there
        elif self.store.clock() - since > self.limits.silence:
            del self._beats[row["id"]]
            self._gone(row, executor, place, f"no sign of life for {self.limits.silence:.0f} s")

    # -- jobs that have ended, with a worker that may be there still

    def end(self, id: str, *, kill: bool = False) -> None:
        """Tell the worker of a job to end; where `kill`, wait until it has."""
        row = self.store.row(id)
        if not row["handle"]:
            return
        executor, place = self._executor(row["executor"]), self._place(row)
        with suppress(TransientError):  # the next look tells it again
            handle = executor.find(place.path) if row["handle"] == STARTING else row["handle"]
            if handle:
                executor.stop(handle, place.path, kill=kill)
        self._ending.setdefault(id, self.store.clock())

    def _finish(self, row: RowMapping) -> None:
        executor, place = self._executor(row["executor"]), self._place(row)
        handle = row["handle"]
        since = self._ending.setdefault(row["id"], self.store.clock())
        patient = self.store.clock() - since
        if handle == STARTING:
            handle = executor.find(place.path)
            if not handle:
                if patient > BEGIN:
                    self._forget(row)
                return
            self.store.set(row["id"], handle=handle)
        state = executor.poll(handle, place.path)
        if not (state.running or state.left):
            self._forget(row)
        elif row["phase"] == Phase.COMPLETED.value and patient < self.limits.grace:
            return  # it has told of its end, and is about to
        else:
            executor.stop(handle, place.path, kill=patient >= self.limits.grace)

    def _forget(self, row: RowMapping) -> None:
        """The worker has ended."""
        self._ending.pop(row["id"], None)
        self._beats.pop(row["id"], None)
        self.store.set(row["id"], handle="")

    def suspend_all(self) -> None:
        """End all workers of this machine in good order; their jobs go on at the next start."""
        with self._busy:
            for row in self.store.rows(JOBS.c.phase.in_(_WORKING)):
                self._one(row, self._look)
            ended: list[RowMapping] = []
            for row in self.store.rows(JOBS.c.phase.in_(_WORKING)):
                if not self._executor(row["executor"]).elsewhere and self._move(
                    row, Phase.SUSPENDED, "the service was stopped; it goes on when it starts again"
                ):
                    self.end(row["id"])
                    ended.append(row)
            deadline = time.monotonic() + self.limits.grace
            for row in ended:
                self._one(row, partial(self._await_end, deadline=deadline))

    def _await_end(self, row: RowMapping, deadline: float) -> None:
        """Wait until a worker has ended; not longer than up to a time, after which it is killed."""
        executor, place = self._executor(row["executor"]), self._place(row)
        handle = executor.find(place.path) if row["handle"] == STARTING else row["handle"]
        if not handle:
            return
        while executor.poll(handle, place.path).running:
            if time.monotonic() > deadline:
                executor.stop(handle, place.path, kill=True)
                break
            time.sleep(0.05)
        self._forget(row)

    # -- jobs that wait for a worker

    def _start(self) -> None:
        """Start the jobs whose turn it is: users in turn, and of one user the oldest first."""
        line = waiting(self.store.engine)
        if not line:
            return
        if not self._room():
            self._wait_for(line, f"waits: the disk has less room than {self.limits.room} MiB")
            return
        running: dict[str, int] = {}
        used: dict[str, int] = {}
        for row in self.store.rows(JOBS.c.phase.in_(_WORKING)):
            running[row["owner"]] = running.get(row["owner"], 0) + 1
            used[row["executor"]] = used.get(row["executor"], 0) + row["cores"]
        full: set[str] = set()
        for row in in_turn(line, running):
            self._one(row, partial(self._turn, running=running, used=used, full=full))

    def _turn(
        self, row: RowMapping, *, running: dict[str, int], used: dict[str, int], full: set[str]
    ) -> None:
        """Start a job where there is room for it; hold it where its executor cannot be used."""
        name, owner = row["executor"], row["owner"]
        if name in full or self._is_silent(name):
            return
        if self.limits.running is not None and running.get(owner, 0) >= self.limits.running:
            return
        try:
            most = self._capacity(name)
        except TransientError:
            raise
        except SkysiftError as error:  # nobody set it up, or not any more
            self._move(row, Phase.HELD, f"{error}; start it again when its executor is there")
            return
        cores = row["cores"] if most is None else min(row["cores"], most)
        if most is not None and used.get(name, 0) + cores > most:
            full.add(name)  # nobody overtakes
            return
        if self._begin(row):
            running[owner] = running.get(owner, 0) + 1
            used[name] = used.get(name, 0) + cores

    def _capacity(self, name: str) -> int | None:
        """Cores of an executor that jobs may use together."""
        own = self._executor(name).capacity()
        if own is None or self.limits.cores is None or self._executor(name).elsewhere:
            return own
        return self.limits.cores

    def _room(self) -> bool:
        try:
            return shutil.disk_usage(self.folder).free >= self.limits.room << 20
        except OSError:
            return False

    def _wait_for(self, rows: list[RowMapping], reason: str) -> None:
        for row in rows:
            if row["reason"] != reason:
                self.store.note(row["id"], reason)

    def _begin(self, row: RowMapping) -> bool:
        """Give a job to a worker."""
        place, executor = self._place(row), self._executor(row["executor"])
        spec = full_spec(row)
        attempt = row["attempt"] + 1
        try:
            place.prepare(
                {
                    "id": row["id"],
                    "attempt": attempt,
                    "version": skysift.__version__,
                    "app": spec.app,
                    "inputs": [{"path": each.path, **each.told()} for each in spec.inputs],
                    "options": dict(spec.options),
                    "resources": spec.resources.to_dict(),
                    "private": private_part(row),
                }
            )
        except BusyError as error:  # a worker that nobody knew of any more
            if handle := executor.find(place.path):
                executor.stop(handle, place.path, kill=True)
            self._wait_for([row], f"waits: {error}")
            return False
        except SkysiftError as error:
            self._wait_for([row], f"waits: {error}")
            return False
        moved = self._move(row, Phase.EXECUTING, "a worker has it", handle=STARTING, attempt=attempt)
        if not moved:
            return False
        self._beats.pop(row["id"], None)
        try:
            handle = executor.start(place.path, spec.resources)
        except TransientError as error:
            self._not_started(self.store.row(row["id"]), error)
            return False
        except SkysiftError as error:
            self._move(self.store.row(row["id"]), Phase.ERROR, str(error), kind=error.kind, handle="")
            return False
        self._silent.pop(row["executor"], None)
        self.store.set(row["id"], handle=handle)
        return True

    def _not_started(self, row: RowMapping, error: SkysiftError) -> None:
        """The executor did not answer: the job waits, and is held when that takes too long."""
        if row["phase"] != Phase.EXECUTING.value:
            return
        now = self.store.clock()
        since, _ = self._silent.get(row["executor"], (now, 0.0))
        self._silent[row["executor"]] = (since, now + AGAIN)
        self._move(row, Phase.SUSPENDED, f"its executor does not answer: {error}", handle="")
        if now - since > self.limits.patience and not isinstance(error, StorageError):
            held = self.store.row(row["id"])
            self._move(held, Phase.HELD, f"{error}; start it again when its executor is there")

    def _is_silent(self, name: str) -> bool:
        return self.store.clock() < self._silent.get(name, (0.0, 0.0))[1]

    # -- jobs that are too old

    def expire(self) -> int:
        """How many jobs were archived, because their time was over; those that run are aborted first."""
        archived = 0
        now = self.store.clock()
        for row in self.store.rows(JOBS.c.destruction < now, JOBS.c.phase != Phase.ARCHIVED.value):
            if not Phase(row["phase"]).ended:
                if self._move(row, Phase.ABORTED, "its time was over"):
                    self.end(row["id"])
            elif not row["handle"]:
                self._move(row, Phase.ARCHIVED, "its time was over", bytes=0)
                self._place(row).remove_results()
                archived += 1
        return archived


def _condensed(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events without progress that a later one of the same stage makes old."""
    kept: list[dict[str, Any]] = []
    for event in events:
        same = (
            kept
            and event["kind"] == kept[-1]["kind"] == "progress"
            and event.get("stage") == kept[-1].get("stage")
        )
        if same:
            kept[-1] = event
        else:
            kept.append(event)
    return kept

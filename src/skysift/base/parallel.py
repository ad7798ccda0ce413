"""`map_tasks`: one function over many tasks, in order, by any executor; results come as they are asked for.

A task is a small value (path, HDU, plane, box, options), never pixels or open files, so that any executor can
carry it.
"""

from __future__ import annotations

import contextvars
import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol, TypeAlias, TypeVar, overload

from skysift.base.errors import UsageError
from skysift.base.fingerprint import fingerprint
from skysift.base.log import get_logger
from skysift.base.registry import Registry

__all__ = ["ALONE", "Crew", "Executor", "Kept", "Progress", "StageProgress", "map_tasks", "serial", "threads"]

_log = get_logger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")

Progress: TypeAlias = Callable[[int, int], None]
"""Called as progress(done, total), in the thread that asks for the results."""

StageProgress: TypeAlias = Callable[[str, int, int], None]
"""Called as progress(stage, done, total), in the thread that asks for the results."""

Executor: TypeAlias = Callable[[Callable[[Task], Result], Sequence[Task], int], Iterator[Result]]
"""executor(function, tasks, workers): the results in the order of the tasks, lazily."""

_Jobs: TypeAlias = "SimpleQueue[tuple[contextvars.Context, Task, Future[Result]] | None]"

_WAKE = 0.5  # seconds after which who waits looks up: an interrupt just before it slept did not wake it
_GRACE = 1.0  # seconds that tasks under way are given to end after the work was broken off


def map_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int = 1,
    executor: str | Executor[Task, Result] | None = None,
    progress: Progress | None = None,
) -> Iterator[Result]:
    """The results of `function` over `tasks`, in the order of the tasks, lazily.

    No more than 2 x `workers` tasks are under way or done and not yet taken, so that memory stays bounded. An
    exception in a task comes out unchanged at that task's turn, and the tasks behind it are cancelled. An
    interrupt, or an iterator that is dropped half-way, cancels what has not begun; tasks under way are left
    behind after a second.

    Parameters
    ----------
    function
        What is done to each task.
    tasks
        The tasks.
    workers
        How many run at once.
    executor
        A name of the kind "executor", or the executor itself; left out: threads, for one worker too, so that
        an interrupt need not wait for a task.
    progress
        Called after each task, as progress(done, total).

    Raises
    ------
    UsageError
        Fewer than one worker.
    UnknownName
        There is no such executor.
    """
    if workers < 1:
        raise UsageError("workers is not allowed", got=workers, allowed="a whole number, 1 or more")
    run = _chosen(executor)
    return _watched(run(function, tasks, workers), len(tasks), progress)


def _chosen(executor: str | Executor[Task, Result] | None) -> Executor[Task, Result]:
    if executor is None:
        return threads
    if isinstance(executor, str):
        return Registry[Executor[Task, Result]]("executor").load(executor)
    return executor


def _watched(results: Iterator[Result], total: int, progress: Progress | None) -> Iterator[Result]:
    for done, result in enumerate(results, start=1):
        if progress is not None:
            progress(done, total)
        yield result


class Kept(Protocol):
    """Results of a run that are kept while it goes on, so that a broken run can be continued."""

    def has(self, stage: str, key: str) -> bool:
        """Whether the result of a task is there."""
        ...

    def read(self, stage: str, key: str) -> Any:
        """The result of a task.

        Raises
        ------
        KeyError
            It is not there, or was damaged since.
        """
        ...

    def write(self, stage: str, key: str, result: Any) -> None:
        """Keep the result of a task."""
        ...


@dataclass(frozen=True)
class Crew:
    """Who does the tasks of a run: the machine's affair, no number depends on it.

    Parameters
    ----------
    workers
        How many tasks run at once.
    tile
        Pixels along the side of what a task reads at once.
    progress
        Called after each task, as progress(stage, done, total).
    executor
        As for `map_tasks`.
    kept
        Where results are kept, so that a broken run can be continued; nowhere where it is None.
    within
        What the stages are part of, told before the name of each; empty where they stand for themselves.
    """

    workers: int = 1
    tile: int = 1024
    progress: StageProgress | None = None
    executor: str | Executor[Any, Any] | None = None
    kept: Kept | None = None
    within: str = ""

    def map(self, stage: str, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """The results of `function` over `tasks`, in the order of the tasks, lazily; see `map_tasks`.

        Results that `kept` holds are read from there and not made again. A result belongs to its stage, to all
        that `function` holds (a `partial` of a map, its noise, options ...) and to its task: where any of these
        differs, it is made anew.
        """
        stage = f"{self.within}: {stage}" if self.within else stage
        report = None if self.progress is None else partial(self.progress, stage)
        if self.kept is not None and (keys := _keys(function, tasks)) is not None:
            return self._continued(self.kept, stage, function, tasks, keys)
        return map_tasks(function, tasks, workers=self.workers, executor=self.executor, progress=report)

    def _continued(
        self,
        kept: Kept,
        stage: str,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        keys: Sequence[str],
    ) -> Iterator[Result]:
        """The results in order: those that are kept, and those that are made and then kept."""
        there = [kept.has(stage, key) for key in keys]
        rest = _Chosen(tasks, [row for row, known in enumerate(there) if not known])
        _log.info("%s: %d of %d tasks are kept", stage, len(tasks) - len(rest), len(tasks))
        made = map_tasks(function, rest, workers=self.workers, executor=self.executor)
        for row, (key, known) in enumerate(zip(keys, there, strict=True)):
            if known:
                try:
                    result = kept.read(stage, key)
                except KeyError:  # damaged while this run went on
                    result = next(map_tasks(function, [tasks[row]], executor=self.executor))
                    kept.write(stage, key, result)
            else:
                result = next(made)
                kept.write(stage, key, result)
            if self.progress is not None:
                self.progress(stage, row + 1, len(tasks))
            yield result


class _Chosen(Sequence[Task]):
    """Some of the tasks, each asked for when its turn comes."""

    def __init__(self, tasks: Sequence[Task], rows: Sequence[int]) -> None:
        self._tasks, self._rows = tasks, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Task: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Task]: ...

    def __getitem__(self, index: int | slice) -> Task | Sequence[Task]:
        if isinstance(index, slice):
            return _Chosen(self._tasks, self._rows[index])
        return self._tasks[self._rows[index]]


def _keys(function: Callable[[Task], Result], tasks: Sequence[Task]) -> list[str] | None:
    """What names the result of each task; None where the work cannot be named, and so cannot be kept."""
    try:
        work = fingerprint(function)
        return [fingerprint((work, task)) for task in tasks]
    except (pickle.PicklingError, AttributeError, TypeError, ValueError) as error:
        _log.info("results are not kept: %s", error)
        return None


ALONE = Crew()
"""One worker, no progress."""


def serial(function: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Iterator[Result]:
    """The results one after the other, in the calling thread; `workers` is not looked at."""
    return map(function, tasks)


def threads(function: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Iterator[Result]:
    """The results by `workers` threads of this process; for work that releases the interpreter's lock.

    The threads do not keep the process alive, so that an interrupt need not wait for a task that takes long.
    Each task runs in a copy of the caller's context (numpy's error state among it).
    """
    jobs: _Jobs[Task, Result] = SimpleQueue()
    crew = [
        threading.Thread(target=_work, args=(function, jobs), name=f"skysift-{number}", daemon=True)
        for number in range(min(workers, len(tasks)))
    ]
    waiting: deque[Future[Result]] = deque()
    for member in crew:
        member.start()
    try:
        for task in tasks:
            future: Future[Result] = Future()
            waiting.append(future)
            jobs.put((contextvars.copy_context(), task, future))
            del future  # who takes the result has it alone
            if len(waiting) >= 2 * workers:
                yield _awaited(waiting.popleft())
        while waiting:
            yield _awaited(waiting.popleft())
    finally:
        for future in waiting:
            future.cancel()
        _dismiss(crew, jobs)


def _awaited(future: Future[Result]) -> Result:
    """The result of a task, once it is there."""
    while not future.done():
        wait((future,), timeout=_WAKE)
    return future.result()


def _work(function: Callable[[Task], Result], jobs: _Jobs[Task, Result]) -> None:
    """The life of one thread: job after job, until it is sent None."""
    while (job := jobs.get()) is not None:
        context, task, future = job
        if not future.set_running_or_notify_cancel():
            continue
        try:
            result = context.run(function, task)
        except BaseException as error:  # noqa: BLE001 -- handed on whole: who takes the result raises it
            future.set_exception(error)
        else:
            future.set_result(result)
            del result
        del context, task, future, job  # a thread that waits keeps no result alive


def _dismiss(crew: Sequence[threading.Thread], jobs: _Jobs[Task, Result]) -> None:
    """The threads are told to end, and waited for, but not for long."""
    for _ in crew:
        jobs.put(None)
    deadline = time.monotonic() + _GRACE
    for member in crew:
        member.join(max(0.0, deadline - time.monotonic()))

"""`Cluster`: the tasks of `map_tasks` on the workers of a Dask scheduler; paths and boxes travel, pixels never do.

What is done to every task is sent once and copied to all workers; a task that follows is a box or little more. The
scheduler gives the tasks of a worker that was lost to others. Nothing here imports Dask before tasks are run.
"""

from __future__ import annotations

import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from skysift.base.errors import OptionError, SkysiftError, TransientError, UsageError
from skysift.base.parallel import Executor
from skysift.base.settings import settings

__all__ = ["Cluster", "cluster", "dask", "hands"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://[^/\s:]+(:[^/\s:]+)*:(?P<port>\d+)")
_AHEAD = 4  # times the workers: tasks under way, or done and not yet taken
_CONNECT = 10.0  # seconds in which a scheduler answers
_PATIENCE = 60.0  # seconds that the work waits for a first worker, or for another after the last was lost
_WAKE = 2.0  # seconds after which who waits for a result looks whether there are workers
_GRACE = 2.0  # seconds that the scheduler is given to hear that the work is broken off
_LARGE = "distributed.admin.large-graph-warning-threshold"


@dataclass(frozen=True)
class Cluster:
    """An executor for `map_tasks`: the workers of a Dask scheduler that is there already.

    Results come in the order of the tasks, lazily. No more than 4 x `workers` tasks are under way or done and not
    yet taken. An exception in a task comes out unchanged at its turn; work that is broken off is cancelled.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    OptionError
        The address is none.
    """

    address: str

    def __post_init__(self) -> None:
        known = _ADDRESS.fullmatch(self.address)
        if known is None or int(known["port"]) > 65535:
            raise OptionError(
                "the address of the scheduler is not allowed",
                got=self.address,
                allowed="tcp://HOST:PORT, as dask-scheduler tells it when it starts",
            )

    def workers(self) -> int:
        """How many tasks the cluster runs at once: the threads of all its workers.

        Raises
        ------
        TransientError
            The scheduler does not answer, or has no workers.
        UsageError
            A worker runs other versions than this program.
        """
        with self._client() as client:
            _check(client)
            return _threads(client)

    def __call__(
        self, function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
    ) -> Iterator[Result]:
        """The results by the workers of the cluster.

        Raises
        ------
        TransientError
            The scheduler does not answer or is lost, there are no workers, or a task ends those that run it.
        UsageError
            A worker runs other versions than this program.
        """
        if not len(tasks):
            return
        with self._client() as client:
            _check(client)
            yield from _run(client, function, tasks, _AHEAD * workers)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """A connection to the scheduler; its failures are told in one line."""
        from distributed import Client
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker

        try:
            client: Any = Client(self.address, timeout=_CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise TransientError(
                "the scheduler does not answer",
                got=self.address,
                todo="start one by `dask scheduler`, or mend the address",
            ) from error
        try:
            yield client
        except KilledWorker as error:
            raise TransientError(
                "a task ended every worker that ran it",
                got=f"{error.allowed_failures + 1} workers were lost",
                todo="look into the logs of the workers; if their memory was too small, give a smaller tile",
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise TransientError(
                "the scheduler was lost while it worked",
                got=self.address,
                todo="start it again, and the same command",
            ) from error
        finally:
            with suppress(TimeoutError, OSError):
                client.close(timeout=_GRACE)


def cluster(address: str) -> Cluster:
    """The executor that is the Dask cluster of a scheduler's address; see `Cluster`."""
    return Cluster(address.strip())


def dask(function: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Iterator[Result]:
    """The results by the workers of the Dask scheduler that the settings name.

    Raises
    ------
    OptionError
        The settings name none.
    """
    address = settings().scheduler
    if address is None:
        raise OptionError("no scheduler is named", todo="give its address, such as tcp://10.0.0.1:8786")
    return cluster(address)(function, tasks, workers)


def hands(
    scheduler: str | None, workers: int | None, *, travels: bool = True
) -> tuple[Executor[Any, Any] | None, int]:
    """Who does the tasks of a run, and how many at once: a cluster, or None for the threads of this machine.

    Parameters
    ----------
    scheduler
        Address of the cluster's scheduler; that of the settings by default, if there is one.
    workers
        How many tasks at once; the threads of the cluster's workers, or the settings' number, by default.
    travels
        Whether the tasks can go to another machine at all; the scheduler of the settings serves only those.

    Raises
    ------
    OptionError
        The address is none.
    TransientError
        The scheduler does not answer, or has no workers.
    UsageError
        A worker runs other versions than this program.
    """
    if scheduler is None and travels:
        scheduler = settings().scheduler
    if scheduler is None:
        return None, workers or settings().workers
    executor = cluster(scheduler)
    return executor, workers or executor.workers()


@dataclass(frozen=True, eq=False)
class _Work:
    """What is done to each task, and what must be so where it is done; sent once."""

    function: Callable[[Any], Any]
    errstate: Mapping[str, Any]
    versions: tuple[tuple[str, str], ...]


def _do(task: bytes, work: _Work) -> Any:
    """One task, on a worker."""
    import numpy as np

    _check_here(work.versions)
    with np.errstate(**work.errstate):
        return work.function(_unpacked(task))


def _packed(value: object) -> bytes:
    """A value as bytes, with by value what a worker could not import: functions of a notebook."""
    from distributed.protocol.pickle import dumps

    packed: bytes = dumps(value)  # type: ignore[no-untyped-call]
    return packed


def _unpacked(packed: bytes) -> Any:
    from distributed.protocol.pickle import loads

    return loads(packed)  # type: ignore[no-untyped-call]


def _run(
    client: Any, function: Callable[[Task], Result], tasks: Sequence[Task], ahead: int
) -> Iterator[Result]:
    """The results in order, with `ahead` tasks on their way."""
    import numpy as np
    from dask import config

    work = _packed(_Work(function, np.geterr(), tuple(_versions().items())))
    name = f"skysift-{uuid.uuid4().hex}"
    # a task that makes it, not data: it is made again where all its copies were lost
    with config.set({_LARGE: "1GiB"}):  # the noise of a large map
        shared = client.submit(_unpacked, work, key=f"{name}-work", pure=False)
    waiting: deque[Any] = deque()
    begun = 0
    try:
        _await(client, shared)
        client.replicate([shared])
        while begun < len(tasks) or waiting:
            batch = [_packed(tasks[i]) for i in range(begun, min(len(tasks), begun + ahead - len(waiting)))]
            if batch:
                keys = [(name, begun + i) for i in range(len(batch))]
                waiting += client.map(_do, batch, key=keys, pure=False, work=shared)
                begun += len(batch)
            _await(client, waiting[0])
            yield from _taken(client, waiting)
    finally:
        with suppress(CancelledError, TimeoutError, OSError):
            client.cancel([*waiting, shared])


def _taken(client: Any, waiting: deque[Any]) -> list[Any]:
    """The results at the head of the line that are there, fetched at once; the error where the first has one."""
    if waiting[0].status != "finished":
        try:
            waiting[0].result()
        except (SkysiftError, CancelledError):
            raise
        except Exception:
            _check(client)  # a worker of another version fails in many ways
            raise
    done = []
    while waiting and waiting[0].status == "finished":
        done.append(waiting.popleft())
    results: list[Any] = client.gather(done)
    return results


def _await(client: Any, future: Any) -> None:
    """Wait until a task is done; not for ever where there are no workers."""
    from distributed import wait

    alone = None
    while not future.done():
        with suppress(TimeoutError), client.as_current():
            wait([future], timeout=_WAKE)  # type: ignore[no-untyped-call]
            return
        if _threads(client):
            alone = None
        elif alone is None:
            alone = time.monotonic()
        elif time.monotonic() - alone > _PATIENCE:
            raise _none_left(client)


def _threads(client: Any) -> int:
    return sum(client.nthreads().values())


def _none_left(client: Any) -> TransientError:
    return TransientError(
        "the scheduler has no workers",
        got=f"{client.scheduler.address}, after {_PATIENCE:.0f} seconds",
        todo="start some by `dask worker`",
    )


# -- the same versions everywhere, or numbers might differ


def _asker() -> Callable[[], dict[str, str]]:
    """A function that tells the versions of where it is called; it travels by value: a worker may lack skysift."""

    def ask() -> dict[str, str]:
        import platform
        from importlib.metadata import PackageNotFoundError, version

        told = {"python": ".".join(platform.python_version_tuple()[:2])}
        for name in ("numpy", "scipy", "numba", "astropy"):
            try:
                told[name] = version(name)
            except PackageNotFoundError:
                told[name] = "none"
        try:
            from skysift import __version__
        except ImportError:
            return {"skysift": "none", **told}
        try:
            from skysift.base.fingerprint import code_hash

            told["source"] = code_hash()
        except ImportError:
            told["source"] = "another"
        return {"skysift": __version__, **told}

    return ask


def _versions() -> dict[str, str]:
    return _asker()()


def _check(client: Any) -> None:
    """Refuse workers that run other versions than this program; wait a while for a first worker.

    Raises
    ------
    UsageError
        There are such workers; the line says who has what.
    TransientError
        There are no workers.
    """
    with suppress(TimeoutError):
        client.wait_for_workers(1, timeout=_PATIENCE)
    if not _threads(client):
        raise _none_left(client)
    here = _versions()
    there = client.run(_asker(), on_error="return")
    _refuse({worker: told for worker, told in there.items() if isinstance(told, dict)}, here)


@cache
def _check_here(versions: tuple[tuple[str, str], ...]) -> None:
    """The same for the worker that this is, which may have come after the work had begun."""
    from distributed import get_worker

    _refuse({get_worker().address: _versions()}, dict(versions))


def _refuse(there: Mapping[str, Mapping[str, str]], here: Mapping[str, str]) -> None:
    different: dict[str, list[str]] = {}
    for worker, told in sorted(there.items()):
        other = ", ".join(f"{name} {told.get(name, 'none')}" for name in here if told.get(name) != here[name])
        if other:
            different.setdefault(other, []).append(worker)
    if different:
        raise UsageError(
            "workers run other versions than this program",
            got="; ".join(f"{other} on {_some(workers)}" for other, workers in different.items()),
            allowed=", ".join(f"{name} {version}" for name, version in here.items()),
            todo="start them from the same environment",
        )


def _some(workers: Sequence[str]) -> str:
    more = f" and {len(workers) - 2} more" if len(workers) > 2 else ""
    return ", ".join(workers[:2]) + more

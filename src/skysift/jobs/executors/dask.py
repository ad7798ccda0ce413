"""`DaskExecutor`: workers on the machines of a Dask cluster that is there already.

Each job is one task of the cluster, which starts the same worker as a process of its own and watches it; the folder
of jobs must be seen under the same path there. The scheduler keeps the task when the service ends, and gives it to
another machine when one is lost.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from skysift.base.cluster import cluster
from skysift.base.errors import OptionError, TransientError
from skysift.base.settings import settings, worker_environment
from skysift.jobs.executors.executor import State
from skysift.jobs.folder import JobFolder
from skysift.jobs.options import DaskExecutorOptions, ResourceOptions
from skysift.jobs.processes import signal_group

__all__ = ["DaskExecutor", "supervise"]

_CONNECT = 5.0  # seconds in which a scheduler answers
_AGAIN = 5.0  # seconds before it is asked again
_LOOK = 0.5  # seconds between two looks at the worker
_GRACE = 10.0  # seconds that it is given to end
_TAKEN = 3  # exit code of a worker that came second
_PATIENCE = 60.0  # seconds in which the first one has ended


class DaskExecutor:
    """Workers on the machines of a Dask cluster.

    Parameters
    ----------
    options
        Which cluster.

    Raises
    ------
    OptionError
        The address of the scheduler is none.
    """

    elsewhere = True

    def __init__(self, options: DaskExecutorOptions | None = None) -> None:
        self.options = options or DaskExecutorOptions()
        told = self.options.scheduler or settings().scheduler
        self.address = "" if told is None else cluster(told).address
        self._lock = threading.RLock()
        self._client: Any = None
        self._futures: dict[str, Any] = {}
        self._again = 0.0

    def start(self, folder: Path, resources: ResourceOptions) -> str:
        """Give the cluster a task for the job; its handle is the name of the task.

        Raises
        ------
        TransientError
            The scheduler does not answer.
        """
        name = f"skysift-job-{folder.name}-{time.time_ns():x}"
        with self._lock:
            client = self._connected()
            with _told(self.address):
                future = client.submit(supervise, str(folder), resources.cores, key=name, pure=False)
                client.publish_dataset(future, name=name)
            self._futures[name] = future
        return name

    def find(self, folder: Path) -> str:
        """The newest task that the cluster has for a job; empty where it has none."""
        with self._lock:
            client = self._connected()
            with _told(self.address):
                names = client.list_datasets()
        return max((name for name in names if name.startswith(f"skysift-job-{folder.name}-")), default="")

    def poll(self, handle: str, folder: Path) -> State:
        """How the task is.

        Raises
        ------
        TransientError
            The scheduler does not answer.
        """
        with self._lock:
            client = self._connected()
            with _told(self.address):
                future = self._futures.get(handle)
                if future is None:
                    try:
                        future = client.get_dataset(handle)
                    except KeyError:
                        return State(running=False, told="the scheduler does not know it any more")
                    self._futures[handle] = future
                status = future.status
                if status == "pending":
                    return State(running=True)
                told = "the scheduler gave it up"
                if status == "finished":
                    told = f"exit code {future.result(timeout=_CONNECT)}"
                elif status == "error":
                    told = " ".join(str(future.exception(timeout=_CONNECT)).split())
                del self._futures[handle]
                with suppress(KeyError):
                    client.unpublish_dataset(handle)
        return State(running=False, told=told)

    def stop(self, handle: str, folder: Path, *, kill: bool = False) -> None:
        """Tell who watches the worker to end it; a task that has not begun is cancelled.

        Raises
        ------
        TransientError
            The scheduler does not answer.
        """
        place = JobFolder(folder)
        with suppress(OSError):
            (place.kill if kill else place.stop).touch()
        if place.beat() is not None:
            return
        with self._lock:
            client = self._connected()
            with _told(self.address):
                future = self._futures.get(handle)
                if future is not None:
                    client.cancel([future])

    def logs(self, handle: str, folder: Path, tail: int) -> str:
        """The last bytes of what the worker printed."""
        return JobFolder(folder).tail(tail)

    def collect(self, handle: str, folder: Path) -> None:
        """Nothing: workers write into the folder, which all machines see."""

    def capacity(self) -> None:
        """Nothing: the scheduler sees to it who runs when.

        Raises
        ------
        OptionError
            No scheduler is named.
        """
        if not self.address:
            raise OptionError("no scheduler is named", todo="the settings give its address")

    def close(self) -> None:
        """Leave the cluster; its tasks go on."""
        with self._lock:
            self._drop()

    def _connected(self) -> Any:
        """The connection to the scheduler, made again where it was lost, at most every few seconds."""
        if self._client is not None and self._client.status == "running":
            return self._client
        self._drop()
        self.capacity()
        if time.monotonic() < self._again:
            raise _silent(self.address)
        from distributed import Client  # late: only who has such jobs pays for it

        self._again = time.monotonic() + _AGAIN
        with _told(self.address):
            self._client = Client(self.address, timeout=_CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]
        self._again = 0.0
        return self._client

    def _drop(self) -> None:
        client, self._client = self._client, None
        self._futures.clear()
        if client is not None:
            with suppress(TimeoutError, OSError):
                client.close(timeout=2.0)


class _told:  # noqa: N801 -- used as a context, like `skysift.io.sql.told`
    """What goes wrong between us and the scheduler, as one of our errors."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from concurrent.futures import CancelledError

        if isinstance(error, OSError | ValueError | CancelledError | TimeoutError):
            raise _silent(self.address) from error


def _silent(address: str) -> TransientError:
    return TransientError(
        "the scheduler does not answer",
        got=address,
        todo="start one by `dask scheduler`, or mend the address",
    )


def supervise(folder: str, cores: int) -> int:
    """The exit code of the worker of a job, that is started here and watched; what the cluster runs."""
    place = JobFolder(Path(folder))
    deadline = time.monotonic() + _PATIENCE
    while True:
        code = _watched(place, cores)
        # a machine that was lost may have a worker that did not see it yet
        if code != _TAKEN or time.monotonic() > deadline or place.stop.exists() or not place.path.exists():
            return code
        time.sleep(_LOOK)


def _watched(place: JobFolder, cores: int) -> int:
    import signal

    with place.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "skysift.jobs.worker", str(place.path), "--bound"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=place.path,
            env=worker_environment(cores),
            start_new_session=True,
        )
    told: float | None = None
    missed = 0
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_LOOK)
            signal_group(process.pid, signal.SIGKILL)  # what it left behind
            return process.returncode
        late = told is not None and time.monotonic() - told > _GRACE
        missed = 0 if place.path.exists() else missed + 1
        if place.kill.exists() or late or missed > 1:  # twice not there: the job was removed
            signal_group(process.pid, signal.SIGKILL)
        elif place.stop.exists() and told is None:
            told = time.monotonic()
            signal_group(process.pid, signal.SIGTERM)

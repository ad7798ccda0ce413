"""`LocalExecutor`: workers as processes of this machine, each the head of a group of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from skysift.base.errors import StorageError, TransientError
from skysift.base.settings import usable_cores, worker_environment
from skysift.io.output import FULL
from skysift.jobs.executors.executor import State
from skysift.jobs.folder import JobFolder, read_json
from skysift.jobs.options import LocalExecutorOptions, ResourceOptions
from skysift.jobs.processes import alive, group_alive, same_boot, signal_group, start_time

__all__ = ["LocalExecutor"]


class _Worker(subprocess.Popen[bytes]):
    """A process that may outlive what started it: where it does, nothing is said of it."""

    def __del__(self) -> None:
        if self.poll() is not None:
            super().__del__()


class LocalExecutor:
    """Workers as processes of this machine; they outlive a service that is killed, and are found again.

    Parameters
    ----------
    options
        How far they stand back.
    """

    elsewhere = False

    def __init__(self, options: LocalExecutorOptions | None = None) -> None:
        self.options = options or LocalExecutorOptions()
        self._mine: dict[int, subprocess.Popen[bytes]] = {}
        self._ends: dict[int, int] = {}
        self._lock = threading.Lock()

    def start(self, folder: Path, resources: ResourceOptions) -> str:
        """Start a worker; its handle is its number and when it began.

        Raises
        ------
        StorageError
            The disk is full.
        TransientError
            The system starts no process now.
        """
        place = JobFolder(folder)
        command = [sys.executable, "-m", "skysift.jobs.worker", str(folder)]
        try:
            with place.log.open("ab") as log:
                process = _Worker(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    env=worker_environment(resources.cores),
                    start_new_session=True,
                    close_fds=True,
                )
        except OSError as error:
            if error.errno in FULL:
                raise StorageError("the disk is full", got=str(folder)) from error
            raise TransientError("no worker can be started", got=error.strerror or str(error)) from error
        with self._lock:
            self._mine[process.pid] = process
        began = start_time(process.pid)
        self._stand_back(process.pid)
        return json.dumps({"pid": process.pid, "start": began})

    def _stand_back(self, pid: int) -> None:
        if self.options.nice and hasattr(os, "setpriority"):
            try:
                os.setpriority(os.PRIO_PROCESS, pid, self.options.nice)
            except OSError:  # it has ended already
                return

    def find(self, folder: Path) -> str:
        """The handle that a worker wrote itself; empty where none did."""
        told = read_json(JobFolder(folder).worker)
        return "" if told is None else json.dumps({"pid": told["pid"], "start": told["start"]})

    def poll(self, handle: str, folder: Path) -> State:
        """Whether the process is there; how it ended, where it was started from here."""
        pid, start = _read(handle)
        end = self._end(pid)
        if end is None:
            if alive(pid, start):
                return State(running=True)
            end = self._end(pid, seconds=1.0)  # it ended between the two looks
        told = "" if end is None else f"exit code {end}"
        if end is not None and end < 0:
            told = f"signal {-end} ({signal.Signals(-end).name})"
        return State(running=False, told=told, left=_orphans(pid, start))

    def stop(self, handle: str, folder: Path, *, kill: bool = False) -> None:
        """Signal the whole group of the worker."""
        pid, start = _read(handle)
        self._end(pid)
        if not (alive(pid, start) or _orphans(pid, start)):
            return
        signal_group(pid, signal.SIGKILL if kill else signal.SIGTERM)
        if kill:
            self._end(pid, seconds=5.0)

    def logs(self, handle: str, folder: Path, tail: int) -> str:
        """The last bytes of what the worker printed."""
        return JobFolder(folder).tail(tail)

    def collect(self, handle: str, folder: Path) -> None:
        """Nothing: workers write where the results stay."""

    def close(self) -> None:
        """Nothing: there is no connection."""

    def capacity(self) -> int:
        """The cores that this process may use."""
        return usable_cores()

    def _end(self, pid: int, *, seconds: float = 0.0) -> int | None:
        """The exit code of a process that was started from here; None while it runs, and for others."""
        with self._lock:
            process = self._mine.get(pid)
            if process is None:
                return self._ends.get(pid)
            try:
                code = process.wait(timeout=seconds) if seconds else process.poll()
            except subprocess.TimeoutExpired:
                return None
            if code is not None:
                del self._mine[pid]
                self._ends[pid] = code
            return code


def _orphans(pid: int, start: str) -> bool:
    """Whether children of a worker are there that it left behind: nobody else has a group of its number then."""
    return same_boot(start) and not start_time(pid) and group_alive(pid)


def _read(handle: str) -> tuple[int, str]:
    told = json.loads(handle)
    return int(told["pid"]), str(told["start"])

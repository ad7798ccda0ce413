"""What runs a job: ``python -m skysift.jobs.worker FOLDER``; it reads the spec, runs the app, tells how it ended.

It knows no server. One process at a time has a job: whoever comes second leaves. A signal to end interrupts the
app, which leaves in ``work`` what the next attempt can go on from; then nothing is told, and who started the
worker knows why.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import skysift
from skysift.base.errors import SkysiftError, StorageError, UsageError
from skysift.base.log import configure
from skysift.base.places import without_places
from skysift.io.output import FULL
from skysift.jobs.apps.app import Errand
from skysift.jobs.apps.menu import app_options, load_app, with_paths
from skysift.jobs.folder import JobFolder, Outcome, read_json, write_json
from skysift.jobs.job import Input
from skysift.jobs.processes import signal_group, start_time

__all__ = ["main", "run"]

BOUND = "--bound"
BEAT = 1.0  # seconds between signs of life
PAUSE = 0.2  # seconds between two tellings of progress in a stage

_FLAG = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*)")

ENDED, FAILED, TAKEN, INTERRUPTED = 0, 1, 3, 143


def run(place: Path, *, bound: bool = False) -> int:
    """Run the job of a folder; the exit code: 0, it ended well; 1, by an error; 3, it is not ours.

    Where it is `bound`, it ends when the process that started it has ended.
    """
    folder = JobFolder(place)
    spec = read_json(folder.spec)
    if spec is None:
        print(f"skysift: error: no job can be read in {place}", file=sys.stderr)
        return TAKEN
    lock = FileLock(folder.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("skysift: another worker has this job", file=sys.stderr)
        return TAKEN
    try:
        write_json(
            folder.worker,
            {
                "pid": os.getpid(),
                "start": start_time(os.getpid()),
                "host": socket.gethostname(),
                "attempt": spec["attempt"],
            },
        )
        with _Heart(folder.heartbeat, bound=bound):
            return _attempt(folder, spec)
    finally:
        lock.release()


def _attempt(folder: JobFolder, spec: dict[str, Any]) -> int:
    """Run the app once, and tell how it ended."""
    told_as = partial(_for_people, spec=spec)
    teller = _Teller(folder.events, told_as)
    folder.work.mkdir(exist_ok=True)
    error: SkysiftError | None = None
    told, kind, reason = "", "", "all is done"
    try:
        if spec["version"] != skysift.__version__:
            raise UsageError(
                "the worker has another version of skysift than the service",
                got=skysift.__version__,
                allowed=spec["version"],
            )
        _limit(spec["resources"].get("memory"))
        inputs = tuple(Input(**each) for each in spec["inputs"])
        options = with_paths(spec["app"], spec["options"], inputs)
        app = load_app(spec["app"], options)
        app.run(
            Errand(
                app=spec["app"],
                inputs=inputs,
                out=folder.work,
                private=spec["private"],
                cores=spec["resources"]["cores"],
                progress=teller.progress,
                say=teller.say,
                item=teller.item,
            )
        )
    except SkysiftError as caught:
        error, kind, reason = caught, caught.kind, str(caught)
        told = f"skysift: error: {caught}"
    except MemoryError as caught:
        kind, reason = "usage", "it wanted more memory than it may have; give it more, or a smaller tile"
        told = f"skysift: error: {reason}: {caught}"
    except Exception as caught:  # noqa: BLE001 -- our fault, told as such; the log has the trace
        kind, reason = "fatal", f"{type(caught).__name__}: {caught}"
        if isinstance(caught, OSError) and caught.errno in FULL:
            error = StorageError("the disk is full", todo="try again when there is room")
            kind, reason = error.kind, str(error)
        told = "".join(traceback.format_exception(caught))
    if told:
        print(told, file=sys.stderr, flush=True)
    try:
        artefacts = folder.commit()
        phase = "ERROR" if kind else "COMPLETED"
        folder.tell(Outcome(spec["attempt"], phase, told_as(reason), kind, artefacts))
    except SkysiftError as full:
        print(f"skysift: error: {full}", file=sys.stderr, flush=True)
        worst = error or full
        folder.tell(Outcome(spec["attempt"], "ERROR", told_as(str(worst)), worst.kind))
        return FAILED
    return FAILED if kind else ENDED


def _limit(megabytes: int | None) -> None:
    """Bound the memory of this process and its children."""
    if megabytes is not None:
        size = megabytes << 20
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def _for_people(text: str, *, spec: dict[str, Any]) -> str:
    """What is told to those who sent a job: inputs by their names, options as a job has them."""
    text = without_places(text, [(each["path"], each["name"]) for each in spec["inputs"]])
    return _FLAG.sub(lambda found: _option(found, spec["app"]), text)


def _option(found: re.Match[str], app: str) -> str:
    """A flag of the command line as the option of a job that it is; what is none stays."""
    name = found[1].replace("-", "_")
    try:
        known = name in app_options(app).model_fields
    except SkysiftError:
        return found[0]
    return f"option {name}" if known else found[0]


class _Teller:
    """Writes what the app tells into the file of events; a full disk does not end the work."""

    def __init__(self, path: Path, told_as: Callable[[str], str]) -> None:
        self._path = path
        self._told_as = told_as
        self._lock = threading.Lock()
        self._last: tuple[str, float] = ("", 0.0)

    def progress(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        with self._lock:
            before, when = self._last
            if stage == before and done < total and now - when < PAUSE:
                return
            self._last = (stage, now)
        self._tell("progress", stage=stage, done=int(done), total=int(total))

    def say(self, text: str) -> None:
        text = self._told_as(text)
        print(text, flush=True)
        self._tell("note", text=text[:4000])

    def item(self, name: str, ok: bool, text: str) -> None:
        text = self._told_as(text)
        print(f"{name}: {'done' if ok else text}", flush=True)
        self._tell("item", name=name, ok=ok, text=text[:4000])

    def _tell(self, kind: str, **facts: object) -> None:
        line = json.dumps({"kind": kind, "time": time.time(), **facts}) + "\n"
        with self._lock, suppress(OSError), self._path.open("ab", buffering=0) as file:
            file.write(line.encode())


class _Heart:
    """Touches a file as long as the process lives."""

    def __init__(self, path: Path, *, bound: bool) -> None:
        self._path = path
        self._parent = os.getppid() if bound else None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="heart")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        while True:
            with suppress(OSError):
                self._path.touch()
            if self._parent is not None and os.getppid() != self._parent:
                self._parent = None
                signal_group(os.getpgrp(), signal.SIGTERM)
            if self._stopped.wait(BEAT):
                return


def main() -> int:
    """The exit code of the worker of the folder that the command line names."""
    arguments = [word for word in sys.argv[1:] if word != BOUND]
    if len(arguments) != 1:
        print(f"usage: python -m skysift.jobs.worker FOLDER [{BOUND}]", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    configure("info")
    try:
        return run(Path(arguments[0]), bound=BOUND in sys.argv)
    except KeyboardInterrupt:
        print("skysift: interrupted", file=sys.stderr, flush=True)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())

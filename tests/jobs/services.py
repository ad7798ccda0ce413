"""Managers of jobs for tests: a database and a folder of their own, apps that do what a test needs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits

from skysift.archive.policy import User
from skysift.io.sql import connect, database_url
from skysift.jobs.job import Input, Job, JobSpec, Phase
from skysift.jobs.manager import Manager
from skysift.jobs.options import LimitOptions, ResourceOptions

ANNA, BORIS = User("anna"), User("boris")
PATIENCE = 240.0


@contextmanager
def managing(folder: Path, **changes) -> Iterator[Manager]:
    """A manager whose thread does not run, on a database in the folder."""
    engine = connect(database_url(folder))
    changes.setdefault("limits", LimitOptions(room=0, grace=2.0))
    manager = Manager(engine, folder / "jobs", **changes)
    try:
        yield manager
    finally:
        manager.stop()
        for row in manager.store.rows():
            manager._monitor.end(row["id"], kill=True)
        for executor in manager._executors.values():
            executor.close()
        manager._monitor.release()
        engine.dispose()


def until(manager: Manager, id: str, done: Callable[[Job], bool], patience: float = PATIENCE) -> Job:
    """The job as soon as something holds of it; the manager looks again and again."""
    deadline = time.monotonic() + patience
    while True:
        manager.tick()
        job = manager.job(id, User("", admin=True))
        if done(job):
            return job
        assert time.monotonic() < deadline, (job.phase, job.reason, manager.log(id))
        time.sleep(0.05)


def ended(manager: Manager, id: str) -> Job:
    """The job when it has ended."""
    return until(manager, id, lambda job: job.phase.ended)


def running(manager: Manager, id: str) -> Job:
    """The job when its worker said something."""
    return until(manager, id, lambda job: job.phase is Phase.EXECUTING and job.stage != "")


def sleeping(long: float, **resources) -> JobSpec:
    """A job that sleeps, with a child of its own, and writes a file at its end."""
    return JobSpec("sleep", options={"seconds": long}, resources=ResourceOptions(**resources))


def little_map(path: Path, seed: int = 1) -> Path:
    """A map of 128 x 128 pixels with two sources."""
    y, x = np.mgrid[:128, :128]
    data = np.random.default_rng(seed).normal(0, 1e-4, (128, 128))
    for y0, x0 in ((40, 40), (90, 80)):
        data += 1e-2 * np.exp(-((y - y0) ** 2 + (x - x0) ** 2) / (2 * 2.0**2))
    header = fits.Header(
        {
            "CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRPIX1": 64.0, "CRPIX2": 64.0,
            "CRVAL1": 50.0, "CRVAL2": -30.0, "CDELT1": -2 / 3600, "CDELT2": 2 / 3600,
            "BMAJ": 9.4 / 3600, "BMIN": 9.4 / 3600, "BPA": 0.0, "BUNIT": "Jy/beam",
        }
    )  # fmt: skip
    fits.writeto(path, data.astype(np.float32), header)
    return path


def finding(*maps: Path, **options) -> JobSpec:
    """A job that finds the sources of maps, and draws nothing."""
    chosen = {"maps": ["rms"], "report": False, **options}
    return JobSpec(
        "finder:classic", tuple(Input(str(path), source=f"upload:{path.stem}") for path in maps), chosen
    )


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def children(log: str) -> list[int]:
    """The numbers of processes that the app told of in its log."""
    return [int(line.removeprefix("child ")) for line in log.splitlines() if line.startswith("child ")]


def kill(pid: int) -> None:
    os.kill(pid, 9)

"""The service is killed (kill -9) again and again while jobs run: every job is accounted for, nothing half is offered."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.jobs.services import ANNA, managing

from skysift.jobs.job import MOVES, Phase
from skysift.jobs.options import LimitOptions

CHECKOUT = Path(__file__).resolve().parents[2]
KILLS, JOBS = 20, 3


def still_open(job, taken):
    """Whether something is to come; a job that was being told of when the service was killed is started by nobody."""
    return not job.phase.ended and (job.phase is not Phase.PENDING or job.id in taken)


@pytest.mark.full
def test_a_service_that_is_killed_at_random_loses_no_job(tmp_path):
    rng = random.Random(7)
    taken: list[str] = []
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            [str(CHECKOUT), str(CHECKOUT / "src"), os.environ.get("PYTHONPATH", "")]
        ),
    }
    for _ in range(KILLS):
        service = subprocess.Popen(
            [sys.executable, "-m", "tests.jobs.serving", str(tmp_path), str(JOBS)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=CHECKOUT,
        )
        with service:
            first = service.stdout.readline().strip()
            assert first
            time.sleep(rng.uniform(0.0, 2.5))
            service.kill()
            taken += [first, *service.stdout.read().split()]
    limits = LimitOptions(room=0, cores=4)
    with managing(tmp_path, limits=limits) as manager:
        deadline = time.monotonic() + 300.0
        while open_ := [job for job in manager.list(ANNA, size=1000).jobs if still_open(job, taken)]:
            assert time.monotonic() < deadline, [(job.id, job.phase, job.reason) for job in open_]
            manager.tick()
            time.sleep(0.1)
        jobs = {job.id: job for job in manager.list(ANNA, size=1000).jobs}
        assert set(taken) <= set(jobs)
        assert len(jobs) <= len(taken) + KILLS  # one that was being told of may be there too
        for job in map(jobs.__getitem__, taken):
            # nobody killed a worker: all of them come to a good end
            assert job.phase is Phase.COMPLETED, (job.id, job.reason, manager.log(job.id))
            told = [Phase(each.facts["phase"]) for each in manager.events(job.id) if each.kind == "phase"]
            assert all(new in MOVES[old] for old, new in itertools.pairwise(told))
            results = manager.results(job.id)
            assert {each.name for each in results} >= {"dream.txt", "begun.txt"}
            for each in results:
                data = each.path.read_bytes()
                assert (each.size, each.checksum) == (len(data), "sha256:" + hashlib.sha256(data).hexdigest())
        assert sum(manager.usage(ANNA).ended.values()) == len(
            [job for job in jobs.values() if job.phase.ended]
        )
        print(
            len(taken), "jobs,", KILLS, "kills,", sum(job.attempt > 1 for job in jobs.values()), "begun twice"
        )

"""Jobs on a Dask cluster of real processes: run, ended, found again, and unreachable."""

from __future__ import annotations

import os
import time

import pytest
from tests import clusters
from tests.jobs.services import ANNA, children, ended, gone, managing, running, sleeping, until

from skysift.base.errors import OptionError
from skysift.jobs.executors.dask import DaskExecutor
from skysift.jobs.job import Phase
from skysift.jobs.options import DaskExecutorOptions, LimitOptions

pytestmark = pytest.mark.full


@pytest.fixture(autouse=True)
def guest(guest_folder, monkeypatch):
    """The apps of the guest are installed here and on the cluster, which starts later."""
    monkeypatch.syspath_prepend(guest_folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(guest_folder), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture
def address(guest):
    with clusters.running(1) as told:
        yield told


def on(address):
    return {"dask": DaskExecutor(DaskExecutorOptions(scheduler=address))}


def dreaming(seconds):
    return sleeping(seconds, executor="dask")


def test_a_job_runs_and_is_ended_on_the_cluster(tmp_path, address):
    with managing(tmp_path, executors=on(address)) as manager:
        job = ended(manager, manager.submit(dreaming(0.1), ANNA).id)
        assert job.phase is Phase.COMPLETED, manager.log(job.id)
        assert "dream.txt" in {each.name for each in manager.results(job.id)}
        late = manager.submit(dreaming(60.0), ANNA)
        running(manager, late.id)
        processes = children(manager.log(late.id))
        manager.abort(late.id, ANNA)
        until(manager, late.id, lambda _: not manager.store.row(late.id)["handle"])
        assert processes
        assert all(gone(pid) for pid in processes)


def test_a_running_job_that_is_removed_ends_on_the_cluster(tmp_path, address):
    with managing(tmp_path, executors=on(address)) as manager:
        job = manager.submit(dreaming(600.0), ANNA)
        running(manager, job.id)
        processes = children(manager.log(job.id))
        manager.remove(job.id, ANNA)  # whoever watches it there finds the folder gone
        deadline = time.monotonic() + 60.0
        while not all(gone(pid) for pid in processes):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert processes
        after = ended(manager, manager.submit(dreaming(0.0), ANNA).id)  # the one thread there is free again
        assert after.phase is Phase.COMPLETED


def test_a_job_outlives_the_service(tmp_path, address):
    with managing(tmp_path, executors=on(address)) as manager:
        job = manager.submit(dreaming(3.0), ANNA)
        running(manager, job.id)
        manager.run()
        manager.stop()
        assert manager.job(job.id, ANNA).phase is Phase.EXECUTING  # it is elsewhere
        handle = manager.store.row(job.id)["handle"]
        manager.store.set(job.id, handle="")  # so that the end of this test's service ends nothing
        engine_row = manager.store.row(job.id)
        assert engine_row["phase"] == "EXECUTING"
    with managing(tmp_path, executors=on(address)) as later:
        later.store.set(job.id, handle=handle)
        job = ended(later, job.id)
        assert (job.phase, job.attempt) == (Phase.COMPLETED, 1)


def test_a_scheduler_that_is_gone_loses_no_job(tmp_path):
    now = [1e9]
    limits = LimitOptions(room=0, patience=60.0)
    with clusters.running(1) as short:
        executors = on(short)
        with managing(tmp_path, executors=executors) as manager:
            assert ended(manager, manager.submit(dreaming(0.0), ANNA).id).phase is Phase.COMPLETED
    with managing(tmp_path, executors=on(short), clock=lambda: now[0], limits=limits) as manager:
        job = manager.submit(dreaming(0.0), ANNA)
        manager.tick()
        assert manager.job(job.id, ANNA).phase is Phase.SUSPENDED
        assert "the scheduler does not answer" in manager.job(job.id, ANNA).reason
        now[0] += 100.0
        manager.tick()
        assert manager.job(job.id, ANNA).phase is Phase.HELD


def test_no_scheduler_is_told_when_a_job_asks_for_one(tmp_path):
    with (
        managing(tmp_path, executors={"dask": DaskExecutor()}) as manager,
        pytest.raises(OptionError, match="no scheduler is named"),
    ):
        manager.submit(dreaming(0.0), ANNA)

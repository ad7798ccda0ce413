"""What can go wrong: workers, services, databases, disks, executors. Every job has a clear state, none is lost."""

import errno
import json
import os
from pathlib import Path

import pytest
from tests.jobs.services import (
    ANNA,
    BORIS,
    children,
    ended,
    finding,
    gone,
    kill,
    little_map,
    managing,
    running,
    sleeping,
    until,
)

from skysift.base.errors import BusyError, OptionError, StorageError, TransientError
from skysift.io.sql import connect, database_url
from skysift.jobs.executors.local import LocalExecutor
from skysift.jobs.folder import JobFolder, Outcome
from skysift.jobs.job import JobSpec, Phase
from skysift.jobs.manager import Manager
from skysift.jobs.options import LimitOptions, ResourceOptions


def worker_of(manager, id):
    return json.loads(manager.store.row(id)["handle"])["pid"]


def phases(manager, id):
    return [event.facts["phase"] for event in manager.events(id) if event.kind == "phase"]


# -- workers


def test_a_killed_worker_is_told_as_lost_and_its_children_end(manager):
    job = manager.submit(sleeping(60.0), ANNA)
    running(manager, job.id)
    kill(worker_of(manager, job.id))
    job = ended(manager, job.id)
    assert (job.phase, job.error_kind) == (Phase.ERROR, "transient")
    assert "its worker was lost: signal 9 (SIGKILL)" in job.reason
    assert manager.results(job.id) == ()
    until(manager, job.id, lambda _: not manager.store.row(job.id)["handle"])
    assert all(gone(pid) for pid in children(manager.log(job.id)))


def test_a_lost_worker_is_followed_by_another_where_wanted(manager):
    spec = JobSpec("sleep", options={"error": "kill"}, resources=ResourceOptions(retries=2))
    job = ended(manager, manager.submit(spec, ANNA).id)
    assert (job.phase, job.attempt) == (Phase.COMPLETED, 2)
    assert phases(manager, job.id)[2:] == ["EXECUTING", "SUSPENDED", "EXECUTING", "COMPLETED"]
    results = {each.name: each.path.read_text() for each in manager.results(job.id)}
    assert results["begun.txt"] == "again\nagain\n"  # the second goes on with what the first left


def test_a_worker_may_take_only_so_long_and_so_much(manager):
    long = manager.submit(sleeping(60.0, seconds=1), ANNA)
    job = ended(manager, long.id)
    assert (job.phase, job.error_kind) == (Phase.ERROR, "usage")
    assert "took longer than 1 s" in job.reason
    until(manager, long.id, lambda _: not manager.store.row(long.id)["handle"])
    large = JobSpec("sleep", options={"memory": 3000}, resources=ResourceOptions(memory=1000))
    job = ended(manager, manager.submit(large, ANNA).id)
    assert (job.phase, job.error_kind) == (Phase.ERROR, "usage")
    assert "more memory" in job.reason


def test_a_worker_without_a_sign_of_life_is_lost(tmp_path):
    now = [1e9]
    limits = LimitOptions(room=0, silence=100.0, grace=0.0)
    with managing(tmp_path, clock=lambda: now[0], limits=limits) as manager:
        job = manager.submit(sleeping(60.0), ANNA)
        running(manager, job.id)
        pid = worker_of(manager, job.id)
        os.kill(pid, 19)  # stopped
        manager.tick()
        now[0] += 60.0
        manager.tick()
        assert manager.job(job.id, ANNA).phase is Phase.EXECUTING
        now[0] += 60.0
        manager.tick()
        job = manager.job(job.id, ANNA)
        assert "no sign of life for 100 s" in job.reason
        assert job.phase is Phase.ERROR
        assert gone(pid)


# -- services


def forget(manager):
    """As if the process of the manager were gone: nothing is known but what is written."""
    for executor in manager._executors.values():
        for process in executor._mine.values():
            process.returncode = 0  # its end is nobody's affair any more
    manager._monitor.release()
    return Manager(manager.store.engine, manager.folder, limits=manager.limits)


def test_workers_of_a_service_that_was_killed_are_picked_up(manager):
    job = manager.submit(sleeping(2.0), ANNA)
    running(manager, job.id)
    pid = worker_of(manager, job.id)
    later = forget(manager)
    later.tick()
    assert worker_of(later, job.id) == pid
    job = ended(later, job.id)
    assert (job.phase, job.attempt) == (Phase.COMPLETED, 1)
    later._monitor.release()


def test_workers_that_died_with_the_service_are_told_as_lost(manager):
    job = manager.submit(sleeping(60.0), ANNA)
    running(manager, job.id)
    later = forget(manager)
    kill(worker_of(manager, job.id))
    job = ended(later, job.id)
    assert "its worker was lost" in job.reason
    later._monitor.release()


class CutOff(LocalExecutor):
    """The service is killed just after it started a worker."""

    def start(self, folder, resources):
        super().start(folder, resources)
        raise KeyboardInterrupt


def test_a_worker_whose_start_was_cut_off_is_found(tmp_path):
    with managing(tmp_path, executors={"local": CutOff()}) as manager:
        job = manager.submit(sleeping(1.0), ANNA)
        with pytest.raises(KeyboardInterrupt):
            manager.tick()
        assert manager.store.row(job.id)["handle"] == "?"
        job = ended(manager, job.id)
        assert (job.phase, job.attempt) == (Phase.COMPLETED, 1)


class NeverBegun(LocalExecutor):
    """The service is killed just before it starts a worker."""

    def start(self, folder, resources):
        if not (folder / "once").exists():
            (folder / "once").touch()
            raise KeyboardInterrupt
        return super().start(folder, resources)


def test_a_worker_that_was_never_started_is_started_later(tmp_path):
    now = [1e9]
    with managing(tmp_path, executors={"local": NeverBegun()}, clock=lambda: now[0]) as manager:
        job = manager.submit(sleeping(0.0), ANNA)
        with pytest.raises(KeyboardInterrupt):
            manager.tick()
        manager.tick()
        now[0] += 100.0
        job = ended(manager, job.id)
        assert (job.phase, job.attempt) == (Phase.COMPLETED, 2)
        assert "SUSPENDED" in phases(manager, job.id)


def test_a_service_that_ends_in_good_order_ends_its_workers_and_goes_on_later(tmp_path):
    with managing(tmp_path) as manager:
        manager.run()
        job = manager.submit(sleeping(1.5), ANNA)
        manager.wait(job.id, Phase.QUEUED, 60.0)
        while not children(manager.log(job.id)):
            manager.wait(job.id, None, 0.2)
        processes = [worker_of(manager, job.id), *children(manager.log(job.id))]
        manager.stop()
        job = manager.job(job.id, ANNA)
        assert job.phase is Phase.SUSPENDED
        assert "it goes on when it starts again" in job.reason
        assert all(gone(pid) for pid in processes)
    with managing(tmp_path) as later:
        job = ended(later, job.id)
        assert (job.phase, job.attempt) == (Phase.COMPLETED, 2)


def test_of_two_services_on_one_folder_one_looks_after_the_workers(manager):
    manager.tick()
    other = Manager(manager.store.engine, manager.folder, limits=manager.limits)
    job = other.submit(sleeping(0.0), ANNA)
    other.tick()
    assert other.job(job.id, ANNA).phase is Phase.QUEUED
    assert ended(manager, job.id).phase is Phase.COMPLETED
    assert other.job(job.id, ANNA).phase is Phase.COMPLETED


# -- what is half written


def test_nothing_half_written_is_offered(tmp_path):
    place = JobFolder(tmp_path / "job")
    place.prepare({"attempt": 1})
    place.work.mkdir()
    (place.work / "a.txt").write_text("whole")
    assert place.read_outcome(1) is None
    artefacts = place.commit()
    assert place.read_outcome(1) is None  # killed between the results and their telling
    place.prepare({"attempt": 2})
    assert (place.work / "a.txt").exists()  # the next attempt goes on from there
    artefacts = place.commit()
    place.tell(Outcome(2, "COMPLETED", artefacts=artefacts))
    assert place.read_outcome(1) is None
    assert place.read_outcome(2).artefacts == artefacts
    (place.result / "a.txt").write_text("cut")
    assert place.read_outcome(2) is None  # not as long as was told


def test_links_and_hidden_files_are_no_results(tmp_path):
    place = JobFolder(tmp_path / "job")
    place.prepare({"attempt": 1})
    (place.work / "deep").mkdir(parents=True)
    (place.work / "link").symlink_to("/etc/passwd")
    (place.work / ".hidden").write_text("x")
    (place.work / "deep" / "b.csv").write_text("1")
    assert [each["name"] for each in place.commit()] == ["deep/b.csv"]


# -- database and disk


def test_a_locked_database_holds_jobs_up_and_loses_none(tmp_path):
    with managing(tmp_path) as manager:
        job = manager.submit(sleeping(1.0), ANNA)
        running(manager, job.id)
        with manager.store.engine.connect() as connection:  # the pool's one idle connection waits shortly
            connection.exec_driver_sql("PRAGMA busy_timeout = 50")
        holder = connect(database_url(tmp_path))
        with holder.connect() as other:
            other.exec_driver_sql("BEGIN IMMEDIATE")
            with pytest.raises(BusyError, match="held by somebody else"):
                manager.submit(sleeping(0.0), ANNA)
            manager.tick()  # says so in the log, and goes on
            assert manager.job(job.id, ANNA).phase is Phase.EXECUTING
            other.exec_driver_sql("ROLLBACK")
        holder.dispose()
        assert ended(manager, job.id).phase is Phase.COMPLETED


def test_no_job_begins_without_room_on_the_disk(tmp_path):
    with managing(tmp_path, limits=LimitOptions(room=10**9)) as manager:
        job = manager.submit(sleeping(0.0), ANNA)
        manager.tick()
        waiting = manager.job(job.id, ANNA)
        assert waiting.phase is Phase.QUEUED
        assert "the disk has less room than" in waiting.reason
        manager.limits = manager._monitor.limits = LimitOptions(room=0)
        assert ended(manager, job.id).phase is Phase.COMPLETED


def test_a_disk_that_fills_up_before_the_start_leaves_the_job_waiting(manager, monkeypatch):
    def full(path, value, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    job = manager.submit(sleeping(0.0), ANNA)
    with monkeypatch.context() as patch:
        patch.setattr("skysift.jobs.folder.write_json", full)
        manager.tick()
    assert "the disk is full" in manager.job(job.id, ANNA).reason
    assert manager.job(job.id, ANNA).phase is Phase.QUEUED
    assert ended(manager, job.id).phase is Phase.COMPLETED


def test_results_that_do_not_fit_are_an_error_that_says_so(tmp_path, monkeypatch):
    place = JobFolder(tmp_path / "job")
    place.prepare({"attempt": 1})

    def full(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(StorageError, match="the disk is full"):
        place.commit()


# -- executors


class Unreachable(LocalExecutor):
    """What runs the workers does not answer now and then."""

    silent = True

    def _ask(self):
        if self.silent:
            raise TransientError("nobody answers", got="tcp://nowhere:1")

    def start(self, folder, resources):
        self._ask()
        return super().start(folder, resources)

    def poll(self, handle, folder):
        self._ask()
        return super().poll(handle, folder)


def test_an_executor_that_does_not_answer_holds_jobs_up_and_loses_none(tmp_path):
    now, executor = [1e9], Unreachable()
    limits = LimitOptions(room=0, patience=100.0)
    with managing(tmp_path, executors={"local": executor}, clock=lambda: now[0], limits=limits) as manager:
        job = manager.submit(sleeping(0.5), ANNA)
        manager.tick()
        assert manager.job(job.id, ANNA).phase is Phase.SUSPENDED
        assert "nobody answers: got 'tcp://nowhere:1'" in manager.job(job.id, ANNA).reason
        now[0] += 200.0
        manager.tick()
        assert manager.job(job.id, ANNA).phase is Phase.HELD
        executor.silent = False
        manager.tick()
        assert manager.job(job.id, ANNA).phase is Phase.HELD  # until its owner starts it
        now[0] += 10.0
        manager.start(job.id, ANNA)
        running(manager, job.id)
        executor.silent = True
        manager.tick()
        assert manager.job(job.id, ANNA).phase is Phase.UNKNOWN
        executor.silent = False
        assert ended(manager, job.id).phase is Phase.COMPLETED


class Unset(LocalExecutor):
    """One that nobody set up any more, or that has a bug."""

    broken: Exception | None = None

    def capacity(self):
        if self.broken is not None:
            raise self.broken
        return super().capacity()


@pytest.mark.parametrize("broken", [OptionError("no scheduler is named"), ValueError("a bug")])
def test_an_executor_that_cannot_be_used_stops_no_other_job(tmp_path, broken):
    unset = Unset()
    with managing(tmp_path, executors={"local": LocalExecutor(), "other": unset}) as manager:
        job = manager.submit(sleeping(0.0, executor="other"), ANNA)
        unset.broken = broken
        assert ended(manager, manager.submit(sleeping(0.0), BORIS).id).phase is Phase.COMPLETED
        if isinstance(broken, OptionError):
            held = manager.job(job.id, ANNA)
            assert held.phase is Phase.HELD
            assert "no scheduler is named; start it again" in held.reason
            unset.broken = None
            manager.start(job.id, ANNA)
        unset.broken = None
        assert ended(manager, job.id).phase is Phase.COMPLETED


# -- limits


def test_users_take_turns_and_have_bounds(tmp_path):
    limits = LimitOptions(room=0, running=1, waiting=3, cores=2)
    with managing(tmp_path, limits=limits) as manager:
        first, second, third = (manager.submit(sleeping(60.0), ANNA) for _ in range(3))
        with pytest.raises(BusyError, match="too many jobs of yours"):
            manager.submit(sleeping(0.0), ANNA)
        other = manager.submit(sleeping(60.0), BORIS)
        manager.tick()
        seen = [
            manager.job(each.id, ANNA if each is not other else BORIS).phase
            for each in (first, second, other)
        ]
        assert seen == [Phase.EXECUTING, Phase.QUEUED, Phase.EXECUTING]
        manager.abort(first.id, ANNA)
        until(manager, second.id, lambda job: job.phase is Phase.EXECUTING)
        assert manager.job(third.id, ANNA).phase is Phase.QUEUED


def test_jobs_wait_for_cores_in_their_order(tmp_path):
    with managing(tmp_path, limits=LimitOptions(room=0, cores=2)) as manager:
        small, large, late = (manager.submit(sleeping(60.0, cores=cores), ANNA) for cores in (1, 8, 1))
        manager.tick()
        assert [manager.job(each.id, ANNA).phase.value for each in (small, large, late)] == [
            "EXECUTING", "QUEUED", "QUEUED",
        ]  # fmt: skip
        manager.abort(small.id, ANNA)
        until(manager, large.id, lambda job: job.phase is Phase.EXECUTING)  # with all cores that there are


def test_who_keeps_too_much_is_held(tmp_path):
    with managing(tmp_path, limits=LimitOptions(room=0, kept=1)) as manager:
        job = ended(manager, manager.submit(sleeping(0.0), ANNA).id)
        manager.store.set(job.id, bytes=2 << 20)
        held = manager.submit(sleeping(0.0), ANNA)
        assert held.phase is Phase.HELD
        assert "remove some, and start it again" in held.reason
        assert manager.submit(sleeping(0.0), BORIS).phase is Phase.QUEUED
        manager.remove(job.id, ANNA)
        assert manager.start(held.id, ANNA).phase is Phase.QUEUED


def test_what_is_too_old_is_archived(tmp_path):
    now, limits = [1e9], LimitOptions(room=0, days=2.0, grace=0.0, silence=1e9)
    with managing(tmp_path, clock=lambda: now[0], limits=limits) as manager:
        job = ended(manager, manager.submit(sleeping(0.0), ANNA).id)
        late = manager.submit(sleeping(60.0), ANNA, lifetime=86400.0)
        running(manager, late.id)
        now[0] += 86401.0
        until(manager, late.id, lambda job: manager.expire() >= 0 and job.phase is Phase.ARCHIVED)
        assert phases(manager, late.id)[-2:] == ["ABORTED", "ARCHIVED"]
        assert [each.id for each in manager.list(ANNA).jobs] == [job.id]
        now[0] += 86401.0
        assert manager.expire() == 1
        archived = manager.job(job.id, ANNA)
        assert (archived.phase, archived.bytes) == (Phase.ARCHIVED, 0)
        assert manager.results(job.id) == ()
        assert not (manager.folder / job.id / "result").exists()
        assert manager.log(job.id)  # its story stays


def test_a_search_that_was_interrupted_goes_on(tmp_path):
    """A map that was finished before is not searched again."""
    maps = [little_map(tmp_path / f"{name}.fits", seed=seed) for seed, name in enumerate("ab")]
    with managing(tmp_path) as manager:
        job = manager.submit(finding(*maps), ANNA)
        done = lambda job: any(event.kind == "item" for event in manager.events(job.id))  # noqa: E731
        until(manager, job.id, done)
        manager.run()
        manager.stop()
        if manager.job(job.id, ANNA).phase is Phase.COMPLETED:
            return  # it was faster
        assert manager.job(job.id, ANNA).phase is Phase.SUSPENDED
    with managing(tmp_path) as later:
        assert ended(later, job.id).phase is Phase.COMPLETED
        assert "a.fits: finished before the job was interrupted" in later.log(job.id)
        assert {"a/sources.fits", "b/sources.fits"} <= {each.name for each in later.results(job.id)}

"""Jobs under any order of events: moves stay legal, no job is lost, results are offered only when whole."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from skysift.archive.policy import User
from skysift.base.errors import TransientError, UsageError
from skysift.io.sql import connect, database_url
from skysift.jobs.executors.executor import State
from skysift.jobs.folder import JobFolder, Outcome
from skysift.jobs.job import MOVES, Input, JobSpec, Phase, check_move
from skysift.jobs.manager import Manager
from skysift.jobs.options import LimitOptions, ResourceOptions

ANNA = User("anna")


class Made:
    """Workers that do what the test says."""

    elsewhere = False

    def __init__(self) -> None:
        self.silent = False
        self.workers: dict[str, str] = {}  # handle -> running, ended
        self.numbers: dict[Path, int] = {}

    def _ask(self) -> None:
        if self.silent:
            raise TransientError("nobody answers")

    def start(self, folder, resources):
        self._ask()
        number = self.numbers[folder] = self.numbers.get(folder, 0) + 1
        self.workers[f"{folder}:{number}"] = "running"
        return f"{folder}:{number}"

    def find(self, folder):
        self._ask()
        return f"{folder}:{self.numbers[folder]}" if folder in self.numbers else ""

    def poll(self, handle, folder):
        self._ask()
        return State(self.workers.get(handle) == "running", "it fell")

    def stop(self, handle, folder, *, kill=False):
        self._ask()
        self.workers[handle] = "ended"

    def collect(self, handle, folder):
        self._ask()

    def logs(self, handle, folder, tail):
        return ""

    def close(self):
        pass

    def capacity(self):
        return 3


class Jobs(RuleBasedStateMachine):
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name)
        self.inputs = tuple(
            self.given(name, role) for name, role in (("map.fits", "map"), ("at.csv", "catalogue"))
        )
        self.engine = connect(database_url(self.folder))
        self.executor, self.now = Made(), 1e9
        self.known: set[str] = set()
        self.manager = self.new_manager()

    def given(self, name: str, role: str) -> Input:
        (self.folder / name).touch()
        return Input(str(self.folder / name), role=role)

    def new_manager(self) -> Manager:
        return Manager(
            self.engine,
            self.folder / "jobs",
            executors={"local": self.executor},
            clock=lambda: self.now,
            limits=LimitOptions(
                room=0, running=2, days=1.0, grace=0.0, patience=60.0, silence=1e9, seconds=5000
            ),
        )

    def teardown(self) -> None:
        self.manager._monitor.release()
        self.engine.dispose()
        self.place.cleanup()

    @rule(target=ids, start=st.booleans(), retries=st.integers(0, 1))
    def submit(self, start, retries):
        spec = JobSpec("measure", self.inputs, resources=ResourceOptions(retries=retries))
        job = self.manager.submit(spec, ANNA, start=start)
        self.known.add(job.id)
        return job.id

    @rule(id=ids)
    def start(self, id):
        before = self.manager.job(id, ANNA).phase
        try:
            self.manager.start(id, ANNA)
        except UsageError:
            assert Phase.QUEUED not in MOVES[before]
        else:
            assert before in (Phase.PENDING, Phase.HELD)

    @rule(id=ids)
    def abort(self, id):
        before = self.manager.job(id, ANNA).phase
        after = self.manager.abort(id, ANNA).phase
        assert after is (before if before.ended else Phase.ABORTED)

    @rule(target=ids, id=ids)
    def retry(self, id):
        before = self.manager.job(id, ANNA).phase
        try:
            job = self.manager.retry(id, ANNA)
        except UsageError:
            assert not before.ended
            return multiple()
        self.known.add(job.id)
        return job.id

    @rule(id=consumes(ids))
    def remove(self, id):
        if id in self.known and not self.executor.silent:
            self.manager.remove(id, ANNA)
            self.known.discard(id)
            assert not (self.manager.folder / id).exists()

    @rule(id=ids, ok=st.booleans(), tell=st.booleans())
    def end_of_a_worker(self, id, ok, tell):
        """The worker makes results, and ends before or after it has told so."""
        row = self.manager.store.row(id)
        if self.executor.workers.get(row["handle"]) != "running":
            return
        place = JobFolder(self.manager.folder / id)
        place.work.mkdir(exist_ok=True)
        (place.work / "a.txt").write_text("a")
        made = place.commit()
        if tell:
            place.tell(
                Outcome(row["attempt"], "COMPLETED" if ok else "ERROR", "x", "" if ok else "data", made)
            )
        self.executor.workers[row["handle"]] = "ended"

    @rule(id=ids)
    def killed_worker(self, id):
        self.executor.workers.pop(self.manager.store.row(id)["handle"], None)

    @rule()
    def look(self):
        self.manager.tick()

    @rule(silent=st.booleans())
    def silence(self, silent):
        self.executor.silent = silent

    @rule(seconds=st.sampled_from([1.0, 40.0, 4000.0, 90000.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def killed_service(self):
        self.manager._monitor.release()
        self.manager = self.new_manager()

    @rule()
    def ended_service(self):
        self.manager.tick()
        self.manager._monitor.suspend_all()
        self.killed_service()

    @invariant()
    def every_job_is_there_once_with_legal_moves(self):
        listed = self.manager.list(ANNA, phase=tuple(Phase), size=1000).jobs
        assert {job.id for job in listed} == self.known
        ended = 0
        for job in listed:
            told = [each.facts["phase"] for each in self.manager.events(job.id) if each.kind == "phase"]
            assert told[0] == "PENDING"
            assert told[-1] == job.phase
            for old, new in pairwise(told):
                check_move(Phase(old), Phase(new))
            assert (job.ended is not None) == job.phase.ended
            ended += job.phase.ended
            for each in self.manager.results(job.id):
                assert job.phase in (Phase.COMPLETED, Phase.ERROR)
                assert each.path.read_text() == "a"
        assert sum(self.manager.usage(ANNA).ended.values()) >= ended

    @invariant()
    def no_more_run_than_may(self):
        running = [job for job in self.manager.list(ANNA, size=1000).jobs if job.phase.working]
        assert len(running) <= 2


TestJobs = Jobs.TestCase
TestJobs.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.full
class TestJobsLonger(Jobs.TestCase):
    settings = settings(
        max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )


def test_what_has_ended_moves_only_into_the_archive():
    for phase in Phase:
        if phase.ended:
            assert MOVES[phase] <= {Phase.ARCHIVED}
        else:
            assert Phase.ABORTED in MOVES[phase]
        for other in set(Phase) - MOVES[phase]:
            with pytest.raises(UsageError, match=f"a job that is {phase} cannot become {other}"):
                check_move(phase, other)

"""Jobs from their telling to their end, with real workers."""

import hashlib
import json
from pathlib import Path

import pytest
from tests.jobs.services import (
    ANNA,
    BORIS,
    children,
    ended,
    finding,
    gone,
    little_map,
    running,
    sleeping,
    until,
)

from skysift.archive.policy import ANONYMOUS, LOCAL, Access, User
from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.jobs.apps.menu import with_paths
from skysift.jobs.job import Input, JobSpec, Phase
from skysift.jobs.store import full_spec, private_part


def test_a_job_finds_the_sources_of_several_maps(manager, tmp_path):
    maps = [little_map(tmp_path / "a.fits"), little_map(tmp_path / "b.fits", seed=2)]
    job = manager.submit(finding(*maps, seed=6.0), ANNA)
    assert job.phase is Phase.QUEUED
    assert job.spec.options["seed"] == 6.0
    assert job.spec.options["grow"] == 3.0  # a default is told too
    job = ended(manager, job.id)
    assert (job.phase, job.fraction) == (Phase.COMPLETED, 1.0), manager.log(job.id)
    results = {each.name: each for each in manager.results(job.id)}
    assert {"a/sources.fits", "a/rms.fits", "a/manifest.json", "b/sources.fits"} <= results.keys()
    for each in results.values():
        data = each.path.read_bytes()
        assert each.size == len(data)
        assert each.checksum == "sha256:" + hashlib.sha256(data).hexdigest()
    assert results["a/sources.fits"].media_type == "application/fits"
    assert json.loads(results["a/manifest.json"].path.read_text())["counts"]["sources"] == 2
    assert job.bytes == sum(each.size for each in results.values())
    kinds = [event.kind for event in manager.events(job.id)]
    assert {"phase", "progress", "item", "note"} <= set(kinds)
    stages = {event.facts["stage"] for event in manager.events(job.id) if event.kind == "progress"}
    assert any(stage.startswith("a: ") for stage in stages)


def test_the_story_of_a_job_has_its_phases_with_reasons(manager):
    job = manager.submit(sleeping(0.0), ANNA, start=False)
    assert job.phase is Phase.PENDING
    manager.tick()
    assert manager.job(job.id, ANNA).phase is Phase.PENDING  # until it is started
    assert manager.start(job.id, ANNA).phase is Phase.QUEUED
    job = ended(manager, job.id)
    told = [event for event in manager.events(job.id) if event.kind == "phase"]
    assert [event.facts["phase"] for event in told] == ["PENDING", "QUEUED", "EXECUTING", "COMPLETED"]
    assert all(event.facts["reason"] for event in told)
    assert job.created <= job.queued <= job.started <= job.ended
    assert manager.events(job.id, told[-1].id) == ()
    with pytest.raises(UsageError, match="COMPLETED cannot become QUEUED"):
        manager.start(job.id, ANNA)


def test_an_abort_ends_the_worker_and_its_children(manager):
    job = manager.submit(sleeping(60.0), ANNA)
    running(manager, job.id)
    worker = json.loads(manager.store.row(job.id)["handle"])["pid"]
    processes = [worker, *children(manager.log(job.id))]
    assert len(processes) == 2
    aborted = manager.abort(job.id, ANNA, "enough")
    assert (aborted.phase, aborted.reason) == (Phase.ABORTED, "enough")
    until(manager, job.id, lambda _: not manager.store.row(job.id)["handle"])
    assert all(gone(pid) for pid in processes)
    assert manager.results(job.id) == ()
    assert manager.abort(job.id, ANNA).reason == "enough"  # a second time changes nothing


def test_who_does_not_listen_is_killed(manager):
    job = manager.submit(JobSpec("sleep", options={"seconds": 60.0, "deaf": True}), ANNA)
    running(manager, job.id)
    processes = [json.loads(manager.store.row(job.id)["handle"])["pid"], *children(manager.log(job.id))]
    manager.abort(job.id, ANNA)
    until(manager, job.id, lambda _: not manager.store.row(job.id)["handle"])
    assert all(gone(pid) for pid in processes)


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        ("data", "data", "the bed is broken: got 3"),
        ("full", "transient", "the disk is full"),
        ("bug", "fatal", "a bug"),
    ],
)
def test_an_error_of_the_app_is_the_reason(manager, error, kind, told):
    job = manager.submit(JobSpec("sleep", options={"error": error}), ANNA)
    job = ended(manager, job.id)
    assert (job.phase, job.error_kind) == (Phase.ERROR, kind)
    assert told in job.reason
    assert told in manager.log(job.id)


def test_one_broken_map_of_several_leaves_the_others(manager, tmp_path):
    good, bad = little_map(tmp_path / "good.fits"), tmp_path / "bad.fits"
    bad.write_bytes(b"no map")
    job = ended(manager, manager.submit(finding(bad, good), ANNA).id)
    assert (job.phase, job.error_kind) == (Phase.ERROR, "data")
    assert "1 of 2 inputs failed" in job.reason
    assert "good/sources.fits" in {each.name for each in manager.results(job.id)}
    items = {
        event.facts["name"]: event.facts["ok"] for event in manager.events(job.id) if event.kind == "item"
    }
    assert items == {"bad": False, "good": True}


def test_options_are_checked_by_the_declarations(manager, tmp_path):
    path = little_map(tmp_path / "a.fits")
    with pytest.raises(OptionError, match="did you mean 'seed'"):
        manager.submit(finding(path, sed=4), ANNA)
    with pytest.raises(OptionError, match="option 'seed' is not allowed"):
        manager.submit(finding(path, seed=-1), ANNA)
    with pytest.raises(UnknownName, match="no such finder"):
        manager.submit(JobSpec("finder:none", (Input(str(path)),)), ANNA)
    with pytest.raises(UnknownName, match="no such app"):
        manager.submit(JobSpec("rm -rf", (Input(str(path)),)), ANNA)
    with pytest.raises(UsageError, match="an input is not there"):
        manager.submit(finding(tmp_path / "none.fits"), ANNA)
    assert manager.list(ANNA).jobs == ()


def test_options_that_are_files_name_inputs(manager, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    pillow = Input(str(secret), name="pillow.fits", role="file")
    for value in (str(secret), "../secret", "input:other"):
        with pytest.raises(OptionError, match="names a file by the inputs of the job"):
            manager.submit(JobSpec("sleep", (pillow,), {"pillow": value}), ANNA)
    job = ended(
        manager, manager.submit(JobSpec("sleep", (pillow,), {"pillow": "input:pillow.fits"}), ANNA).id
    )
    assert job.phase is Phase.COMPLETED
    assert str(secret) not in repr(job)
    member = {"finder": "classic", "rms_file": "/etc/passwd"}
    with pytest.raises(OptionError, match="'rms_file' of a job names a file"):
        manager.submit(
            JobSpec("finder:ensemble", (pillow,), {"members": [member, {"finder": "classic"}]}), ANNA
        )
    with pytest.raises(OptionError, match="'agreement' of a job names a file"):
        manager.submit(JobSpec("finder:ensemble", (pillow,), {"agreement": "/etc/passwd"}), ANNA)
    named = {"agreement": "input:pillow.fits"}
    path = Input(str(little_map(tmp_path / "a.fits")))
    job = manager.submit(JobSpec("finder:ensemble", (path, pillow), named), ANNA, start=False)
    assert job.spec.options["agreement"] == "input:pillow.fits"
    assert with_paths("finder:ensemble", named, (pillow,)).agreement == str(secret)


@pytest.mark.parametrize("name", ["s3:///", "/", "..", "a/b.fits", "a\nb", "x" * 256])
def test_an_input_is_called_like_a_file(manager, tmp_path, name):
    path = little_map(tmp_path / "a.fits")
    with pytest.raises(OptionError, match="the name of an input is not allowed"):
        manager.submit(JobSpec("finder:classic", (Input(str(path), name=name),)), ANNA)


def test_what_is_private_is_told_to_the_worker_alone(manager):
    job = ended(manager, manager.submit(sleeping(0.0), ANNA, private={"url": "secret:1234"}).id)
    assert "private.txt" in {each.name for each in manager.results(job.id)}
    assert "secret" not in repr(job) + repr(manager.events(job.id)) + manager.log(job.id)


def test_only_those_who_may_see_a_job_see_it(manager):
    mine = manager.submit(sleeping(0.0), ANNA, start=False)
    ours = manager.submit(sleeping(0.0), ANNA, Access("anna", "group", "sky"), start=False)
    open_ = manager.submit(sleeping(0.0), ANNA, Access("anna", "public"), start=False)
    member = User("carl", frozenset({"sky"}))

    def seen(user):
        return {job.id for job in manager.list(user).jobs}

    assert seen(ANNA) == seen(LOCAL) == {mine.id, ours.id, open_.id}
    assert seen(member) == {ours.id, open_.id}
    assert seen(BORIS) == seen(ANONYMOUS) == {open_.id}
    for verb in (manager.job, manager.start, manager.abort, manager.remove, manager.retry):
        with pytest.raises(UnknownName, match="no such job"):
            verb(mine.id, BORIS)
    with pytest.raises(UsageError, match="only its owner may change a job"):
        manager.abort(ours.id, member)
    manager.share(mine.id, ANNA, Access("anna", "public"))
    assert manager.job(mine.id, BORIS).id == mine.id


def test_lists_have_pages_and_choices(manager):
    ids = [
        manager.submit(JobSpec("sleep", tags=("odd",) if i % 2 else ()), ANNA, start=False).id
        for i in range(7)
    ]
    manager.abort(ids[0], ANNA)
    got, page = [], ""
    while True:
        part = manager.list(ANNA, size=3, page=page)
        got += [job.id for job in part.jobs]
        page = part.next
        if not page:
            break
    assert got == ids[::-1]
    assert [job.id for job in manager.list(ANNA, tag="odd").jobs] == [ids[5], ids[3], ids[1]]
    assert [job.id for job in manager.list(ANNA, phase=[Phase.ABORTED]).jobs] == [ids[0]]
    assert [job.id for job in manager.list(ANNA, last=2).jobs] == ids[:-3:-1]
    assert manager.list(ANNA, app=["finder:classic"]).jobs == ()
    with pytest.raises(UsageError, match="no such page"):
        manager.list(ANNA, page="x_y")


def test_removing_forgets_a_job_and_keeps_the_accounts(manager):
    job = ended(manager, manager.submit(sleeping(0.0), ANNA).id)
    other = manager.submit(sleeping(60.0), ANNA)
    running(manager, other.id)
    pid = json.loads(manager.store.row(other.id)["handle"])["pid"]
    for each in (job.id, other.id):
        manager.remove(each, ANNA)
        with pytest.raises(UnknownName):
            manager.job(each, ANNA)
        assert not (manager.folder / each).exists()
    assert gone(pid)
    used = manager.usage(ANNA)
    assert dict(used.ended) == {"COMPLETED": 1, "ABORTED": 1}
    assert used.seconds > 0
    assert used.bytes == 0
    assert manager.usage(BORIS).ended == {}
    assert manager.service_usage().users == 1


def test_a_retry_is_another_job_with_the_same_task(manager, tmp_path):
    spec = finding(little_map(tmp_path / "a.fits"), seed=7.0)
    first = manager.submit(spec, ANNA, private={"a": 1})
    with pytest.raises(UsageError, match="has not ended"):
        manager.retry(first.id, ANNA)
    manager.abort(first.id, ANNA)
    again = manager.retry(first.id, ANNA)
    assert (again.retry_of, again.spec) == (first.id, first.spec)
    assert ended(manager, again.id).phase is Phase.COMPLETED


def test_a_retry_reads_by_the_rights_of_today_and_keeps_what_came_along(manager, tmp_path):
    first = manager.submit(
        sleeping(0.0), ANNA, start=False, private={"user": {"name": "anna", "groups": ["old"]}}
    )
    sent = manager.folder / first.id / "inputs" / "0.vot"
    sent.parent.mkdir(parents=True)
    sent.write_text("a table")
    manager.change(
        first.id, ANNA, spec=JobSpec("sleep", (Input(str(sent), "t", "upload", "upload with it"),))
    )
    manager.abort(first.id, ANNA)

    def lost(each):
        raise UnknownName("no such upload", got=each.source)

    with pytest.raises(UnknownName, match="no such upload: got 'upload with it'"):
        manager.retry(first.id, ANNA, lost)
    assert manager.list(ANNA).jobs[0].id == first.id
    again = manager.retry(first.id, User("anna", frozenset({"new"})), lambda each: each)
    row = manager.store.row(again.id)
    (kept,) = full_spec(row).inputs
    assert private_part(row)["user"]["groups"] == ["new"]
    manager.remove(first.id, ANNA)
    assert Path(kept.path).read_text() == "a table"
    held = manager.submit(JobSpec("sleep", (kept,)), ANNA, start=False)
    with pytest.raises(UnknownName):
        manager.start(held.id, ANNA, lost)
    assert manager.job(held.id, ANNA).phase is Phase.PENDING

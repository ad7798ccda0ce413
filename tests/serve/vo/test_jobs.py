"""Jobs of the protocols: who may change them, all of a request or nothing of it, and waiting for their ends."""

import asyncio
from pathlib import Path

import pytest
from tests.serve.vo.knowledge import ADA, TABLE
from tests.serve.vo.test_tap import ADMIN, made, upload

from skysift.archive.policy import Access
from skysift.jobs.job import Phase
from skysift.jobs.store import full_spec, private_part
from skysift.serve.bell import Bell
from skysift.serve.vo.params import Params
from skysift.serve.vo.tap import _JOBS

TWO = "SELECT a.n, b.n AS m FROM TAP_UPLOAD.a AS a, TAP_UPLOAD.b AS b"


@pytest.fixture
def manager(vo):
    return vo.app.state.manager


@pytest.fixture(scope="module")
def ben(vo):
    """The headers of somebody of ada's group."""
    people = vo.app.state.people
    people.add("ben", groups=("survey",), admin=False)
    return {"Authorization": f"Bearer {people.make_token('ben')[1]}"}


def sent(vo, place, headers, name, values, **more):
    part = {name: ("t.vot", upload({"n": values}))}
    return vo.post(place, data=more, files=part, headers=headers, follow_redirects=False)


def files_of(manager, place):
    """Name -> content of what is kept beside a job, and how many files lie there."""
    name = place.rpartition("/")[2]
    inputs = full_spec(manager.store.row(name)).inputs
    held = {each.name: Path(each.path).read_bytes() for each in inputs}
    return held, len(list((manager.folder / name / "inputs").iterdir()))


def test_who_may_only_read_a_job_does_not_touch_its_files(vo, ada, ben, manager):
    first = sent(vo, "/tap/async", ada, "p", [1, 2], LANG="ADQL", QUERY=TWO, UPLOAD="a,param:p")
    place = first.headers["location"].removeprefix("http://127.0.0.1")
    manager.share(place.rpartition("/")[2], ADA, Access("ada", "group", "survey"))
    before = files_of(manager, place)
    assert vo.get(place, headers=ben).status_code == 200
    for name in ("p", "other"):
        assert sent(vo, f"{place}/parameters", ben, name, [7, 7]).status_code == 403
    assert vo.post(f"{place}/phase", data={"PHASE": "RUN"}, headers=ben).status_code == 403
    assert files_of(manager, place) == before
    vo.post(f"{place}/phase", data={"PHASE": "RUN"}, headers=ada)
    assert sent(vo, f"{place}/parameters", ada, "p", [7, 7]).status_code == 400  # it was started
    assert files_of(manager, place) == before
    vo.delete(place, headers=ada)


def test_a_second_file_does_not_replace_the_first_but_one_of_its_name_does(vo, ada, manager):
    first = sent(vo, "/tap/async", ada, "p", [1], LANG="ADQL", QUERY=TWO, UPLOAD="a,param:p;b,param:q")
    place = first.headers["location"].removeprefix("http://127.0.0.1")
    assert sent(vo, f"{place}/parameters", ada, "q", [2, 2]).status_code == 303
    assert files_of(manager, place) == ({"p": upload({"n": [1]}), "q": upload({"n": [2, 2]})}, 2)
    assert sent(vo, f"{place}/parameters", ada, "p", [3, 3, 3]).status_code == 303
    assert files_of(manager, place) == ({"p": upload({"n": [3, 3, 3]}), "q": upload({"n": [2, 2]})}, 2)
    vo.delete(place, headers=ada)


def test_a_job_is_run_by_the_rights_of_that_day(vo, ada, ben, manager):
    table = vo.post("/api/v1/uploads?name=t.vot", content=upload({"n": [1]}), headers=ben).json()
    vo.patch(table["url"], headers=ben, json={"visibility": "group", "group": "survey"})
    query = {"query": "SELECT n FROM TAP_UPLOAD.t", "upload": ["t,param:t.vot"], "lang": "ADQL"}
    told = {
        "app": "query",
        "options": query,
        "inputs": [{"source": table["input"], "role": "upload"}],
        "start": False,
    }
    name = vo.post("/api/v1/jobs", json=told, headers=ada).json()["id"]
    vo.patch(table["url"], headers=ben, json={"visibility": "private"})
    run = {"PHASE": "RUN"}
    for place in (f"/tap/async/{name}/phase", f"/tap/async/{name}"):
        refused = vo.post(place, data=run, headers=ada)
        assert (refused.status_code, "no such upload" in refused.text) == (404, True)
    assert vo.get(f"/tap/async/{name}/phase", headers=ada).text == "PENDING"
    vo.patch(table["url"], headers=ben, json={"visibility": "group", "group": "survey"})
    vo.app.state.people.add("ada", groups=("survey", "later"), admin=False)
    assert vo.post(f"/tap/async/{name}/phase", data=run, headers=ada).status_code == 200
    assert vo.get(f"/tap/async/{name}/phase", headers=ada).text == "QUEUED"
    assert private_part(manager.store.row(name))["user"]["groups"] == ["later", "survey"]
    vo.delete(f"/tap/async/{name}", headers=ada)


def test_a_job_of_nobody_is_run_as_nobody(vo, manager):
    place = made(vo, None)
    assert vo.post(f"{place}/phase", data={"PHASE": "RUN"}).status_code == 200
    name = place.rpartition("/")[2]
    assert private_part(manager.store.row(name))["user"] == {"name": "", "groups": [], "admin": False}
    vo.delete(place)


@pytest.mark.parametrize("wrong", [{"DESTRUCTION": "tomorrow"}, {"EXECUTIONDURATION": "long"}])
def test_nothing_is_made_or_started_where_a_part_is_not_allowed(vo, ada, manager, wrong):
    count = len(manager.list(ADMIN, size=1000).jobs)
    asked = {"LANG": "ADQL", "QUERY": f"SELECT id FROM {TABLE}", "PHASE": "RUN", **wrong}
    assert vo.post("/tap/async", data=asked, headers=ada).status_code == 400
    assert len(manager.list(ADMIN, size=1000).jobs) == count
    place = made(vo, ada)
    assert vo.post(place, data=asked, headers=ada).status_code == 400
    assert vo.get(f"{place}/phase", headers=ada).text == "PENDING"
    assert f"SELECT id FROM {TABLE}" not in vo.get(f"{place}/parameters", headers=ada).text
    vo.delete(place, headers=ada)


def test_a_job_is_told_everything_before_it_starts(vo, ada, manager):
    place = made(vo, ada)
    asked = {"QUERY": "SELECT 2 AS two FROM ivoa.obscore", "EXECUTIONDURATION": "77", "PHASE": "RUN"}
    assert vo.post(place, data=asked, headers=ada, follow_redirects=False).status_code == 303
    assert vo.get(f"{place}/phase", headers=ada).text == "QUEUED"
    assert vo.get(f"{place}/executionduration", headers=ada).text == "77"
    assert "SELECT 2 AS two" in vo.get(f"{place}/parameters", headers=ada).text
    again = vo.post(place, data={"QUERY": "SELECT 3 AS three FROM ivoa.obscore"}, headers=ada)
    assert again.status_code == 400
    vo.delete(place, headers=ada)


@pytest.mark.parametrize(
    ("way", "wrong"),
    [
        ("sync", {"MAXREC": "9" * 5000}),
        ("async", {"LAST": "9" * 5000}),
        ("async", {"LAST": "0"}),
        ("make", {"EXECUTIONDURATION": "9" * 5000}),
        ("sia", {"MAXREC": "9" * 5000}),
    ],
)
def test_numbers_without_end_are_refused_as_what_they_are(vo, ada, way, wrong):
    name = next(iter(wrong))
    query = {"LANG": "ADQL", "QUERY": f"SELECT id FROM {TABLE}"}
    if way == "sia":
        answer = vo.get("/sia/query", params=wrong)
    elif way == "make":
        answer = vo.post("/tap/async", data=query | wrong, headers=ada)
    elif way == "sync":
        answer = vo.get("/tap/sync", params=query | wrong)
    else:
        answer = vo.get("/tap/async", params=wrong, headers=ada)
    assert answer.status_code == 400
    assert f"{name} is not allowed" in answer.text
    assert "9" * 50 not in answer.text


def test_who_waits_is_woken_by_the_bell(vo, ada, manager, monkeypatch):
    place = made(vo, ada)
    name = place.rpartition("/")[2]
    seen = []

    async def waited():
        bell = Bell(manager)
        asked = type("Asked", (), {"manager": manager, "user": ADA, "bell": bell})()

        def look(id, user):
            seen.append(id)
            return manager.store.job(id, user)

        monkeypatch.setattr(manager, "job", look)
        bell.start()
        waiting = asyncio.create_task(_JOBS.wait(asked, name, Params.of([("WAIT", "30")])))
        await asyncio.sleep(1.0)
        assert not waiting.done()
        looks = len(seen)
        await asyncio.to_thread(manager.abort, name, ADMIN)
        job = await asyncio.wait_for(waiting, 10)
        await bell.stop()
        return looks, job

    looks, job = asyncio.run(waited())
    assert job.phase is Phase.ABORTED
    assert looks == 2  # once to find it, once before the wait: the bell looks for all
    monkeypatch.undo()
    vo.delete(place, headers=ada)

"""Jobs over HTTP: submitted, watched, ended, repeated, shared; each with its owner."""

import json
import os
import sys
import threading
import time

import httpx
import pytest
from tests.jobs import guests
from tests.jobs.services import little_map

from skysift.archive.policy import ANONYMOUS, User
from skysift.base.errors import BusyError, UnknownName
from skysift.jobs import news
from skysift.serve.views import Views

JOBS = "/api/v1/jobs"


@pytest.fixture(scope="session")
def guest_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guest")
    guests.install(folder)
    return folder


@pytest.fixture(autouse=True)
def guest(guest_folder, monkeypatch):
    """The package of a guest is installed, for this process and for workers: its app sleeps."""
    monkeypatch.syspath_prepend(guest_folder)
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(guest_folder), before])))
    assert str(guest_folder) in sys.path


def submit(service, headers=None, **job):
    return service.post(JOBS, json={"app": "sleep", **job}, headers=headers)


def ended(service, one, headers=None):
    for _ in range(60):
        job = service.get(f"{JOBS}/{one}", params={"wait": 2}, headers=headers).json()
        if job["phase"] in ("COMPLETED", "ERROR", "ABORTED"):
            return job
    raise AssertionError(job)


def test_a_job_from_its_telling_to_its_result(local):
    answer = submit(local, name="nap", tags=["night"], options={"seconds": "0.1"})
    assert answer.status_code == 201
    told = answer.json()
    assert answer.headers["location"] == told["links"]["self"]
    assert told["phase"] in ("QUEUED", "EXECUTING")
    assert (told["name"], told["tags"], told["options"]["seconds"]) == ("nap", ["night"], 0.1)
    assert told["access"]["owner"] == "local"
    job = ended(local, told["id"])
    assert (job["phase"], job["progress"]["fraction"]) == ("COMPLETED", 1.0)
    files = {each["name"]: each for each in local.get(job["links"]["results"]).json()}
    assert local.get(files["dream.txt"]["url"]).text == "slept 0.1"
    kinds = [each["kind"] for each in local.get(job["links"]["events"]).json()]
    assert kinds[0] == "phase"
    assert "progress" in kinds
    assert "child" in local.get(job["links"]["log"]).text


def test_what_did_not_change_is_not_sent_again(local):
    one = ended(local, submit(local).json()["id"])["id"]
    first = local.get(f"{JOBS}/{one}")
    again = local.get(f"{JOBS}/{one}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    page = local.get(JOBS)
    assert local.get(JOBS, headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    local.patch(f"{JOBS}/{one}", json={"visibility": "public"})
    assert local.get(f"{JOBS}/{one}", headers={"If-None-Match": first.headers["etag"]}).status_code == 200


def test_pages_and_what_is_sought(local):
    ids = [submit(local, start=False, tags=[f"t{i % 2}"]).json()["id"] for i in range(5)]
    seen, page = [], ""
    while True:
        answer = local.get(JOBS, params={"size": 2, "page": page}).json()
        seen += [each["id"] for each in answer["items"]]
        page = answer["next"]
        if not page:
            break
    assert seen == ids[::-1]
    assert len(local.get(JOBS, params={"tag": "t1"}).json()["items"]) == 2
    assert local.get(JOBS, params={"phase": "COMPLETED"}).json()["items"] == []
    assert local.get(JOBS, params={"app": "finder:classic"}).json()["items"] == []
    assert local.get(JOBS, params={"after": "2100-01-01T00:00:00Z"}).json()["items"] == []
    assert local.get(JOBS, params={"phase": "SLEEPING"}).status_code == 422
    assert local.get(JOBS, params={"size": 0}).status_code == 422
    assert local.get(JOBS, params={"after": "2100-01-01T00:00:00"}).status_code == 400


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "does not say what to do"),
        ({"app": "sleeep"}, "no such app"),
        ({"finder": "classik"}, "no such finder"),
        ({"finder": "classic", "app": "sleep"}, "one of the two"),
        ({"app": "sleep", "options": {"secondz": 1}}, "did you mean 'seconds'"),
        ({"app": "sleep", "options": {"seconds": -1}}, "at least 0"),
        ({"app": "sleep", "options": {"seconds": "1; rm -rf /"}}, "option 'seconds' is not allowed"),
        ({"app": "sleep", "options": {"error": "$(reboot)"}}, "option 'error' is not allowed"),
        ({"app": "sleep", "options": {"pillow": "/etc/passwd"}}, "by the inputs of the job"),
        ({"app": "sleep", "options": {"pillow": "../../x"}}, "by the inputs of the job"),
        ({"app": "sleep", "options": {"pillow": 7}}, "option 'pillow' is not allowed"),
        ({"app": "sleep", "options": {"pillow": 0}, "inputs": []}, "option 'pillow' is not allowed"),
        ({"app": "sleep", "options": {"pillow": True}}, "option 'pillow'"),
        ({"app": "sleep", "options": {"pillow": "upload:none"}}, "no such upload"),
        ({"app": "sleep", "resources": {"executor": "nowhere"}}, "no such job-executor"),
        ({"app": "sleep", "resources": {"cores": 0}}, "at least 1"),
        ({"app": "sleep", "inputs": ["/etc/passwd"]}, "named in a way that is not known"),
        ({"app": "sleep", "inputs": ["file:///etc/passwd"]}, "named in a way that is not known"),
        ({"app": "sleep", "inputs": ["upload:../../x"]}, "no such upload"),
        ({"app": "sleep", "inputs": ["job:x/y"]}, "no such job"),
        ({"app": "sleep", "inputs": ["http://127.0.0.1:1/x"]}, "private addresses"),
        ({"app": "sleep", "access": {"visibility": "group"}}, "a group goes with"),
    ],
)
def test_a_bad_request_is_told_in_one_line(local, body, told):
    answer = local.post(JOBS, json=body)
    assert answer.status_code == 400, answer.text
    assert told in answer.json()["detail"]
    assert local.get(JOBS).json()["items"] == []


@pytest.mark.parametrize("body", [{"app": "sleep", "nonsense": 1}, {"app": 3}, [], "x", {"inputs": [3]}])
def test_a_body_of_another_form(local, body):
    assert local.post(JOBS, json=body).status_code == 422


@pytest.mark.parametrize("letter", ["\0", "\n", "\x1b", "\x85"])
@pytest.mark.parametrize(
    "body", [{"name": "a{}b"}, {"tags": ["a{}b"]}, {"inputs": [{"source": "upload:{}"}]}]
)
def test_control_characters_are_in_no_name(local, letter, body):
    answer = submit(local, **json.loads(json.dumps(body).replace("{}", json.dumps(letter)[1:-1])))
    assert answer.status_code == 422
    assert "control characters are not allowed" in answer.json()["detail"]


def test_control_characters_are_in_no_label(people):
    answer = people["service"].post("/api/v1/tokens", headers=people["ana"], json={"label": "a\0b"})
    assert answer.status_code == 422


def test_inputs_are_named_by_what_the_service_gave(local):
    one = local.post("/api/v1/uploads?name=p.txt", content=b"soft").json()
    job = submit(local, inputs=[one["input"]], options={"pillow": one["input"]}, start=False).json()
    assert [each["name"] for each in job["inputs"]] == ["p.txt", "p-2.txt"]
    assert job["inputs"][1]["role"] == "file"
    assert job["options"]["pillow"] == "input:p-2.txt"
    assert str(local.app.state.uploads.folder) not in json.dumps(job)
    done = ended(local, submit(local).json()["id"])
    dream = local.get(done["links"]["results"]).json()
    source = next(each["input"] for each in dream if each["name"] == "dream.txt")
    assert submit(local, inputs=[source], start=False).json()["inputs"][0]["name"] == "dream.txt"
    assert submit(local, inputs=[source + "x"]).status_code == 400


def test_a_job_is_ended_and_done_again(local):
    one = submit(local, options={"seconds": 600}).json()["id"]
    for wrong in ("cancel", "start", "retry"):
        assert local.get(f"{JOBS}/{one}/{wrong}").status_code == 405  # nothing changes by looking
    assert local.post(f"{JOBS}/{one}/retry").status_code == 400
    job = local.post(f"{JOBS}/{one}/cancel").json()
    assert (job["phase"], job["reason"]) == ("ABORTED", "aborted by local")
    assert local.post(f"{JOBS}/{one}/cancel").json()["phase"] == "ABORTED"
    again = local.post(f"{JOBS}/{one}/retry")
    assert (again.status_code, again.json()["retry_of"]) == (201, one)
    assert local.delete(f"{JOBS}/{one}").status_code == 204
    assert local.get(f"{JOBS}/{one}").status_code == 404
    assert local.delete(f"{JOBS}/{again.json()['id']}").status_code == 204


def test_a_job_waits_to_be_started(local):
    one = submit(local, start=False).json()["id"]
    assert local.get(f"{JOBS}/{one}").json()["phase"] == "PENDING"
    assert local.post(f"{JOBS}/{one}/start").json()["phase"] in ("QUEUED", "EXECUTING")
    assert ended(local, one)["phase"] == "COMPLETED"


def test_a_job_is_started_by_the_rights_of_that_day(people):
    service, ana, ben = people["service"], people["ana"], people["ben"]
    one = service.post("/api/v1/uploads?name=p.txt", content=b"soft", headers=ben).json()
    shared = {"visibility": "group", "group": "radio"}
    service.patch(one["url"], headers=ben, json=shared)
    job = submit(service, ana, inputs=[one["input"]], start=False).json()["id"]
    service.patch(one["url"], headers=ben, json={"visibility": "private"})
    refused = service.post(f"{JOBS}/{job}/start", headers=ana)
    assert (refused.status_code, "no such upload" in refused.text) == (404, True)
    assert service.get(f"{JOBS}/{job}", headers=ana).json()["phase"] == "PENDING"
    service.patch(one["url"], headers=ben, json=shared)
    assert service.post(f"{JOBS}/{job}/start", headers=ana).status_code == 200


def test_a_recipe_is_done_again(local):
    first = ended(local, submit(local, options={"seconds": 0.1}, tags=["a"]).json()["id"])
    recipe = local.get(first["links"]["recipe"]).json()
    again = local.post(JOBS, json={"recipe": recipe, "options": {"seconds": 0}, "start": False}).json()
    assert (again["app"], again["tags"], again["options"]["seconds"]) == ("sleep", ["a"], 0)


def test_an_error_is_told_with_its_kind(local):
    job = ended(local, submit(local, options={"error": "data"}).json()["id"])
    assert (job["phase"], job["error_kind"]) == ("ERROR", "data")
    assert job["reason"] == "the bed is broken: got 3"


def test_nothing_tells_where_the_service_keeps_its_files(local, tmp_path):
    whole = little_map(tmp_path / "little.fits").read_bytes()
    sent = local.post("/api/v1/uploads?name=half.fits", content=whole[:40_000]).json()
    job = {"finder": "classic", "inputs": [sent["input"]], "options": {"report": False}}
    done = ended(local, local.post(JOBS, json=job).json()["id"])
    assert (done["phase"], "half.fits" in done["reason"]) == ("ERROR", True)
    told = [done["reason"], *(local.get(done["links"][each]).text for each in ("log", "events"))]
    assert not [each for each in told if str(tmp_path) in each or "/uploads/" in each]
    for each in told[:2]:
        assert "half.fits" in each


def test_who_waits_is_told_at_once(local):
    one = submit(local, start=False).json()["id"]
    answers = []
    waiter = threading.Thread(
        target=lambda: answers.append(local.get(f"{JOBS}/{one}", params={"wait": 30}).json())
    )
    start = time.monotonic()
    waiter.start()
    time.sleep(0.3)
    assert not answers
    local.post(f"{JOBS}/{one}/cancel")
    waiter.join(20)
    assert answers[0]["phase"] == "ABORTED"
    assert time.monotonic() - start < 15
    known = local.get(f"{JOBS}/{one}", params={"wait": 30, "phase": "PENDING"}).json()
    assert known["phase"] == "ABORTED"


def parsed(lines):
    """(kind, id, data) of the events of a stream."""
    found, one = [], {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name:
            one[name] = value
        elif one:
            found.append((one["event"], one.get("id"), json.loads(one["data"])))
            one = {}
    return found


def test_a_stream_of_events_ends_with_the_job(running):
    address = running()
    job = httpx.post(f"{address}{JOBS}", json={"app": "sleep", "options": {"seconds": 0.3}}).json()
    headers = {"Accept": "text/event-stream"}
    with httpx.stream("GET", job["links"]["events"], headers=headers, timeout=60) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = parsed(stream.iter_lines())
    kinds = [kind for kind, _, _ in events]
    assert kinds[-1] == "end"
    assert {"phase", "progress", "job"} <= set(kinds)
    numbers = [int(one) for _, one, _ in events if one]
    assert numbers == sorted(numbers)
    middle = str(numbers[len(numbers) // 2])
    with httpx.stream("GET", job["links"]["events"], headers={**headers, "Last-Event-ID": middle}) as stream:
        later = [int(one) for _, one, _ in parsed(stream.iter_lines()) if one]
    assert later == [each for each in numbers if each > int(middle)]


def test_a_stream_tells_all_that_happened(local, monkeypatch):
    manager = local.app.state.manager
    one = ended(local, submit(local).json()["id"])["id"]
    every = manager.events(one)
    few = manager.store.events
    monkeypatch.setattr(manager.store, "events", lambda job, after=0: few(job, after, limit=2))
    text = local.get(f"{JOBS}/{one}/events", headers={"Accept": "text/event-stream"}).text
    told = parsed(text.splitlines())
    assert len(every) > 4
    assert [int(number) for _, number, _ in told if number] == [each.id for each in every]
    assert told[-1][0] == "end"


def test_the_bell_goes_on_where_the_first_look_fails(service, monkeypatch):
    look, failures = news.news, [1, 2]

    def held(engine, after):
        if failures:
            failures.pop()
            raise BusyError("the database is held by somebody else")
        return look(engine, after)

    monkeypatch.setattr("skysift.jobs.manager.news", held)
    local = service()
    for _ in range(100):
        if not failures:
            break
        time.sleep(0.05)
    assert not failures
    assert not local.app.state.bell._task.done()


def test_results_by_their_name_alone(local):
    one = ended(local, submit(local).json()["id"])["id"]
    for name in ("../spec.json", "..%2f..%2fskysift.db", "/etc/passwd", "%2e%2e/log.txt", "nothing"):
        assert local.get(f"{JOBS}/{one}/results/{name}").status_code in (404, 405)


def test_a_link_shows_the_results_of_one_job(people):
    service, ana = people["service"], people["ana"]
    one = ended(service, submit(service, ana).json()["id"], ana)["id"]
    assert service.post(f"{JOBS}/{one}/views").status_code == 404
    link = service.post(f"{JOBS}/{one}/views", headers=ana).json()["url"]
    assert "dream.txt" in service.get(link).text
    shown = service.get(f"{link}dream.txt")
    assert shown.text.startswith("slept")
    assert shown.headers["content-security-policy"].startswith("sandbox")
    assert shown.headers["content-disposition"].startswith("inline")
    assert service.get(link[:-2] + "x/").status_code == 404
    assert service.get(f"{link}../../../api/v1/jobs").status_code in (200, 404)


def test_a_link_shows_what_its_asker_may_see_now(people):
    service, ana, ben = people["service"], people["ana"], people["ben"]
    one = ended(service, submit(service, ana).json()["id"], ana)["id"]
    service.patch(f"{JOBS}/{one}", headers=ana, json={"visibility": "group", "group": "radio"})
    link = service.post(f"{JOBS}/{one}/views", headers=ben).json()["url"]
    assert service.get(f"{link}dream.txt").status_code == 200
    service.patch(f"{JOBS}/{one}", headers=ana, json={"visibility": "private"})
    assert service.get(f"{link}dream.txt").status_code == 404
    assert service.get(link).status_code == 404


def test_nobody_pushes_out_the_links_of_others():
    views, ana = Views(most=3), User("ana")
    hers = views.make("job:a", ana)
    theirs = [views.make(f"job:{i}", ANONYMOUS) for i in range(5)]
    assert views.opened(hers).what == "job:a"
    with pytest.raises(UnknownName):
        views.opened(theirs[1])
    assert views.opened(theirs[2]).what == "job:2"
    assert views.make("job:2", ANONYMOUS) == theirs[2]
    assert views.make("job:a", ana) != hers


def test_jobs_belong_to_somebody(people):
    service = people["service"]
    assert submit(service).status_code == 401
    assert submit(service).headers["www-authenticate"].startswith("Bearer")
    assert submit(service, {"Authorization": "Bearer nonsense"}).status_code == 401
    one = ended(service, submit(service, people["ana"]).json()["id"], people["ana"])["id"]
    url = f"{JOBS}/{one}"
    for other in ("ben", "cleo", "nobody"):
        headers = people[other]
        for path in ("", "/log", "/events", "/results", "/results/dream.txt", "/recipe"):
            assert service.get(url + path, headers=headers).status_code == 404, (other, path)
        assert service.get(JOBS, headers=headers).json()["items"] == []
    for verb in ("cancel", "retry", "start"):
        assert service.post(f"{url}/{verb}", headers=people["ben"]).status_code == 404
        assert service.post(f"{url}/{verb}").status_code == 401
    assert service.delete(url, headers=people["cleo"]).status_code == 404
    assert service.patch(url, headers=people["ben"], json={"visibility": "public"}).status_code == 404
    assert submit(service, people["ben"], inputs=[f"job:{one}/dream.txt"]).status_code == 400
    service.patch(url, headers=people["ana"], json={"visibility": "group", "group": "radio"})
    assert service.get(f"{url}/results/dream.txt", headers=people["ben"]).status_code == 200
    assert service.delete(url, headers=people["ben"]).status_code == 403
    assert service.get(url, headers=people["cleo"]).status_code == 404
    service.patch(url, headers=people["ana"], json={"visibility": "public"})
    assert service.get(url).status_code == 200
    assert service.delete(url, headers=people["root"]).status_code == 204


def test_a_token_counts_in_its_header_alone(people):
    service = people["service"]
    text = people["ana"]["Authorization"].removeprefix("Bearer ")
    assert service.get("/api/v1/me", params={"token": text, "access_token": text}).json()["name"] == ""
    assert service.get("/api/v1/me", headers={"Cookie": f"token={text}"}).json()["name"] == ""
    assert service.get("/api/v1/me", headers=people["ana"]).json()["groups"] == ["radio"]
    assert service.get("/api/v1/me", headers={"Authorization": "Basic eDp5"}).status_code == 401


def test_tokens_are_made_and_taken_back(people):
    service, ana = people["service"], people["ana"]
    made = service.post("/api/v1/tokens", headers=ana, json={"label": "notebook", "days": 3}).json()
    mine = {"Authorization": f"Bearer {made['token']}"}
    assert service.get("/api/v1/me", headers=mine).json()["name"] == "ana"
    listed = service.get("/api/v1/tokens", headers=ana).json()
    assert {each["label"] for each in listed} == {"", "notebook"}
    assert "token" not in listed[0]
    assert service.delete(f"/api/v1/tokens/{made['id']}", headers=people["ben"]).status_code == 404
    assert service.delete(f"/api/v1/tokens/{made['id']}", headers=ana).status_code == 204
    assert service.get("/api/v1/me", headers=mine).status_code == 401


def test_usage_is_told_to_its_user(people):
    service, ana = people["service"], people["ana"]
    ended(service, submit(service, ana).json()["id"], ana)
    mine = service.get("/api/v1/usage", headers=ana).json()
    assert mine["jobs"] == {"COMPLETED": 1}
    assert mine["seconds"] > 0
    assert service.get("/api/v1/usage", headers=people["ben"]).json()["jobs"] == {}
    assert service.get("/api/v1/usage", params={"of": "service"}, headers=ana).status_code == 403
    assert service.get("/api/v1/usage", params={"of": "service"}, headers=people["root"]).json()["users"] == 1
    assert service.get("/api/v1/usage").status_code == 401


def test_a_user_has_so_many_jobs(service):
    small = service(waiting=2)
    assert [submit(small, start=False).status_code for _ in range(3)] == [201, 201, 503]

"""A service lives, tells of its finders, and says what is wrong with a request."""

import io
import json

import pytest

from skysift.base import log
from skysift.base.errors import OptionError, UsageError
from skysift.base.registry import Registry
from skysift.cli.main import main
from skysift.io.sql import connect
from skysift.serve.belonging import bind_folder
from skysift.serve.guard import PAGE_POLICY
from skysift.serve.settings import by_tokens, names_of, serve_settings


def test_it_lives_and_is_ready(local):
    assert local.get("/api/v1/health").json()["status"] == "ok"
    assert local.get("/api/v1/ready").json()["status"] == "ready"


def test_every_finder_is_listed_with_all_its_options(local):
    names = [each["name"] for each in local.get("/api/v1/finders").json()]
    assert names == list(Registry("finder").names())
    for name in names:
        menu = local.get(f"/api/v1/finders/{name}").json()
        told = [option["name"] for group in menu["groups"] for option in group["options"]]
        assert sorted(told) == sorted(Registry("finder").options(name).model_fields)
        assert len(set(told)) == len(told)


def test_an_option_comes_with_what_a_form_needs(local):
    menu = local.get("/api/v1/finders/classic").json()
    seed = menu["groups"][0]["options"][0]
    assert (seed["name"], seed["unit"], seed["default"], seed["allowed"]) == (
        "seed",
        "sigma",
        5.0,
        "number above 0",
    )
    assert seed["form"]["exclusiveMinimum"] == 0


def test_an_unknown_finder_is_missing_in_one_line(local):
    answer = local.get("/api/v1/finders/classik")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith("did you mean 'classic'?")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_every_answer_carries_the_headers_of_safety(local):
    for path in ("/api/v1/health", "/nowhere", "/api/v1/finders/none"):
        headers = local.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == PAGE_POLICY
        assert "server" not in headers


def test_a_request_id_is_taken_over_where_it_is_one(local):
    assert local.get("/api/v1/health", headers={"X-Request-Id": "mine-7"}).headers["x-request-id"] == "mine-7"
    odd = local.get("/api/v1/health", headers={"X-Request-Id": 'a"\\nb'}).headers["x-request-id"]
    assert odd != 'a"\\nb'


def test_another_name_is_not_answered(local):
    """A page that makes its own name lead here (DNS rebinding) reads nothing."""
    assert local.get("/api/v1/health", headers={"Host": "evil.example"}).status_code == 421
    assert local.get("/api/v1/health", headers={"Host": "localhost:8765"}).status_code == 200
    assert local.get("/api/v1/health", headers={"Host": "[::1]:8765"}).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_a_page_of_another_origin_changes_nothing(local, headers):
    assert local.post("/api/v1/jobs", headers=headers, json={}).status_code == 403


def test_the_numbers_are_told(local):
    local.get("/api/v1/health")
    text = local.get("/metrics").text
    assert 'skysift_requests_total{method="GET",route="/api/v1/health",status="200"} 1.0' in text


def test_methods_that_nobody_knows_are_counted_as_one(local):
    for name in ("BREW", "BREW2"):
        local.request(name, "/api/v1/health")
    text = local.get("/metrics").text
    assert "BREW" not in text
    assert 'skysift_requests_total{method="other",' in text


def test_an_address_holds_no_nul(local):
    assert local.get("/api/v1/jobs/a%00b").status_code == 400
    assert local.get("/api/v1/jobs?tag=a%00b").status_code == 400


def test_large_bodies_of_tables_are_forms_of_parts(service):
    small = service(body_limit=2048)
    form = {"QUERY": "SELECT 1", "X": "x" * 4096}
    assert small.post("/tap/sync", data=form).status_code == 413
    assert small.post("/tap/sync", data=form, files={"t": b"x"}).status_code != 413


def test_the_log_is_json_with_the_id_of_the_request(local):
    stream = io.StringIO()
    log.configure("info", stream, form="json")
    try:
        local.get("/api/v1/finders/classik", headers={"X-Request-Id": "r1"})
    finally:
        log.configure("warning")
    line = json.loads(stream.getvalue().splitlines()[-1])
    assert (line["request_id"], line["status"], line["path"]) == ("r1", 404, "/api/v1/finders/classik")


def test_the_log_tells_of_jobs_and_hides_links(local):
    sent = local.post("/api/v1/uploads?name=map.fits", content=b"SIMPLE  =                    T").json()["id"]
    task = {"finder": "classic", "inputs": [f"upload:{sent}"], "start": False}
    job = local.post("/api/v1/jobs", json=task).json()
    stream = io.StringIO()
    log.configure("info", stream, form="json")
    try:
        local.get(job["links"]["self"], params={"token": "hushhush"})
        link = local.post(f"/api/v1/jobs/{job['id']}/views").json()["url"]
        local.get(link)
    finally:
        log.configure("warning")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[0]["job_id"] == job["id"]
    assert "hushhush" not in stream.getvalue()
    assert link.split("/")[-2] not in stream.getvalue()


def test_settings_come_from_flags_then_the_environment():
    told = serve_settings(
        {"port": 1, "host": None}, environment={"SKYSIFT_SERVE_PORT": "2", "SKYSIFT_SERVE_CORES": "3"}
    )
    assert (told.port, told.cores, told.host) == (1, 3, "127.0.0.1")
    with pytest.raises(OptionError, match="did you mean 'cores'"):
        serve_settings({}, environment={"SKYSIFT_SERVE_COERS": "3"})


def test_others_are_let_in_by_tokens_alone():
    assert not by_tokens(serve_settings({}, environment={}))
    assert by_tokens(serve_settings({"host": "0.0.0.0"}, environment={}))
    with pytest.raises(OptionError, match="needs to know who asks"):
        serve_settings({"host": "0.0.0.0", "sign_in": "local"}, environment={})


@pytest.mark.parametrize(
    "told",
    [
        {"public_url": "https://radio.example.org"},
        {"public_url": "radio.example.org"},
        {"hosts": "a.example"},
        {"hosts": "localhost, 10.0.0.3"},
        {"hosts": "*"},
    ],
)
def test_a_server_that_stands_before_it_lets_others_in_by_tokens_alone(told, service):
    assert by_tokens(serve_settings(told, environment={}))
    with pytest.raises(OptionError, match=f"needs to know who asks: got '{next(iter(told))} "):
        serve_settings({**told, "sign_in": "local"}, environment={})
    assert service(**told).get("/api/v1/me").json()["admin"] is False


def test_names_of_this_machine_need_no_tokens():
    told = {"public_url": "http://localhost:9000/", "hosts": "127.0.0.1, [::1]"}
    assert not by_tokens(serve_settings(told, environment={}))


def test_the_names_that_it_answers_to():
    told = serve_settings({"public_url": "https://radio.example.org/s", "hosts": "a.example"}, environment={})
    assert {"radio.example.org", "a.example", "127.0.0.1", "localhost"} <= names_of(told)
    assert names_of(serve_settings({"hosts": "*"}, environment={})) == frozenset()


def test_a_database_belongs_to_one_folder(service, tmp_path, capsys):
    database = f"sqlite:///{tmp_path / 'one.db'}"
    service(database=database)
    service(database=database)  # a second server on the same folder
    with pytest.raises(UsageError, match=r"belongs to another folder of data: got .*other.*allowed: .*data"):
        service(database=database, data=str(tmp_path / "other"))
    (tmp_path / "map.csv").write_text("ra,dec\n1,2\n")
    told = ["ingest", str(tmp_path / "map.csv"), "--data", str(tmp_path / "third"), "--database", database]
    assert main(told) == 2
    assert "belongs to another folder" in capsys.readouterr().err


def test_a_folder_of_data_may_be_moved(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 'one.db'}")
    (tmp_path / "here").mkdir()
    bind_folder(engine, tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    bind_folder(engine, tmp_path / "there")
    engine.dispose()

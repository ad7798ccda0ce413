"""The OpenAPI document is whole, and no request that it can describe makes the service fail."""

import time
from itertools import chain

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

DOCUMENT = "/api/v1/openapi.json"
EXAMPLES = 30  # a route; twice that many where there is an id to be right or wrong


def test_every_route_tells_of_itself(local):
    told = local.get(DOCUMENT).json()
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            assert one.get("summary"), (method, path)
            assert one.get("tags"), (method, path)
    assert {"/api/v1/jobs", "/api/v1/finders/{name}", "/api/v1/uploads", "/api/v1/images"} <= told[
        "paths"
    ].keys()


def test_nothing_is_changed_by_looking(local):
    changing = ("cancel", "start", "retry", "remove", "delete", "share")
    for path, methods in local.get(DOCUMENT).json()["paths"].items():
        assert "get" not in methods or path.rpartition("/")[2] not in changing


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")  # of the library, about what it makes
def test_no_request_makes_it_fail(service):
    import schemathesis

    local = service(waiting=50, fetch_patience=0.5, body_patience=2)
    schema = schemathesis.openapi.from_asgi(DOCUMENT, local.app, headers={"Host": "127.0.0.1"})
    job = local.post("/api/v1/jobs", json={"app": "query", "start": False}).json()["id"]
    sent = local.post("/api/v1/uploads?name=a.csv", content=b"ra,dec\n1,2\n").json()
    held = local.post("/api/v1/shelf", json={"source": sent["input"]}).json()["items"][0]["id"]
    known = {"jobs": job, "uploads": sent["id"], "shelf": held, "images": held, "catalogues": held}
    until = time.monotonic() + 100
    seen = set()
    for operation in chain(each.ok() for each in schema.get_all_operations()):
        try_one(operation, local, known, until, seen)
    assert {200, 201, 400, 404, 422} <= seen


def try_one(operation, local, known, until, seen):
    from schemathesis import GenerationMode

    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if operation.body or operation.query or operation.path_parameters:
        cases |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    room = operation.path.split("/")[3] if operation.path.count("/") > 2 else ""

    @settings(
        max_examples=EXAMPLES * (2 if "{id}" in operation.path else 1),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, right=st.booleans())
    def one(case, right):
        if time.monotonic() > until:
            return
        if right and room in known and "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = known[room]
        if case.query:
            case.query.pop("wait", None)
        case.headers = {**(case.headers or {}), "Host": "127.0.0.1"}
        answer = case.call()
        seen.add(answer.status_code)
        assert answer.status_code < 500 or answer.status_code == 503, (case.as_curl_command(), answer.text)

    one()

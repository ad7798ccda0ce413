"""What a request asks: names without case, by GET and by POST, values by the rules of DALI."""

import math

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from skysift.base.errors import OptionError, RegionError, UsageError
from skysift.jobs.cutting import interval
from skysift.serve.vo.params import MAXREC, Asking, Params
from skysift.serve.vo.telling import PlainRoute, VotableRoute
from skysift.stamps.region import Circle, Polygon, Range


def asked(**values):
    return Params.of(
        [
            (name, value)
            for name, many in values.items()
            for value in ([many] if isinstance(many, str) else many)
        ]
    )


def test_names_have_no_case_and_empty_values_are_none():
    params = Params.of([("Query", " SELECT 1 "), ("LANG", ""), ("id", "a"), ("ID", "b")])
    assert params.one("QUERY") == "SELECT 1"
    assert "LANG" not in params
    assert params.all("ID") == ("a", "b")
    with pytest.raises(UsageError, match="more than once"):
        params.one("ID")
    with pytest.raises(UsageError, match="LANG is missing"):
        params.needed("LANG")


def test_intervals():
    assert interval("BAND", "0.2 0.22") == (0.2, 0.22)
    assert interval("BAND", "-Inf 0.5") == (-math.inf, 0.5)
    assert interval("TIME", "5e4") == (5e4, 5e4)
    for bad in ("1 2 3", "a b", "nan 1", "2 1", "1_0 20"):
        with pytest.raises(OptionError):
            interval("BAND", bad)


def test_regions_of_every_kind_and_system():
    params = asked(
        pos=["CIRCLE 10 20 0.5", "RANGE 0 1 2 3"],
        circle="11 21 0.1",
        polygon="0 0 1 0 1 1",
        possys="galactic",
    )
    assert params.shapes() == [
        Circle(10, 20, 0.5),
        Range(0, 1, 2, 3),
        Circle(11, 21, 0.1),
        Polygon(((0, 0), (1, 0), (1, 1))),
    ]
    assert params.system() == "GALACTIC"
    with pytest.raises(RegionError, match="one region"):
        params.shapes(several=False)
    with pytest.raises(RegionError, match="not known"):
        asked(possys="ecliptic").system()
    with pytest.raises(RegionError, match="cannot be read"):
        asked(circle="1 2").shapes()


def test_maxrec_is_kept_to_what_the_service_lets():
    assert asked().maxrec(100) == 100
    assert asked(maxrec="0").maxrec() == 0
    assert asked(maxrec="999999999999").maxrec() == MAXREC
    for bad in ("-1", "1.5", "x", "\u0664"):
        with pytest.raises(OptionError, match="MAXREC"):
            asked(maxrec=bad).maxrec()


@pytest.fixture
def client():
    app = FastAPI()
    app.router.route_class = VotableRoute

    @app.api_route("/x", methods=["GET", "POST"])
    def x(params: Asking):
        if "FAIL" in params:
            raise UsageError("no", got=params.one("FAIL"))
        return {
            "values": params.values,
            "files": {n: f.file.read().decode() for n, f in params.files.items()},
        }

    with TestClient(app) as client:
        yield client


def test_get_and_post_and_parts_are_alike(client):
    assert client.get("/x?a=1&A=2").json()["values"] == {"A": ["1", "2"]}
    assert client.post("/x", data={"a": "1"}).json()["values"] == {"A": ["1"]}
    told = client.post("/x?b=3", data={"a": "1"}, files={"up": ("t.vot", b"<x/>")}).json()
    assert told == {"values": {"B": ["3"], "A": ["1"]}, "files": {"up": "<x/>"}}


def test_errors_are_told_as_votables(client):
    answer = client.get("/x?fail=<&")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/x-votable+xml")
    assert 'name="QUERY_STATUS" value="ERROR"' in answer.text
    assert "got '&lt;'" in answer.text


def test_errors_are_told_in_words():
    app = FastAPI()
    app.router.route_class = PlainRoute

    @app.get("/x")
    def x(params: Asking):
        raise RegionError("the region lies outside")

    with TestClient(app) as client:
        answer = client.get("/x")
    assert (answer.status_code, answer.text) == (400, "UsageFault: the region lies outside\n")

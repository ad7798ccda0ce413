"""TAP: queries at once, their forms, limits, errors, tables that come along, and jobs as UWS has them."""

import io
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import from_table, parse, writeto
from astropy.table import Table
from tests.serve.vo.knowledge import TABLE

from skysift.archive.policy import User
from skysift.jobs.job import Phase

UWS = {"u": "http://www.ivoa.net/xml/UWS/v1.0"}
ADMIN = User("", admin=True)
QUERY = f"SELECT TOP 3 id, ra, n_pix AS n, noise, good, name FROM {TABLE} ORDER BY id"


def asked(vo, query=QUERY, headers=None, **more):
    return vo.get("/tap/sync", params={"LANG": "ADQL", "QUERY": query, **more}, headers=headers)


def table_of(answer):
    return parse(io.BytesIO(answer.content), verify="exception").get_first_table()


def status_of(answer):
    infos = parse(io.BytesIO(answer.content)).resources[0].infos
    return [each.value for each in infos if each.name == "QUERY_STATUS"][-1]


@pytest.mark.parametrize("form", ["votable", "votable/b2"])
def test_types_units_and_names_come_from_the_tables(vo, form):
    answer = asked(vo, RESPONSEFORMAT=form)
    assert answer.status_code == 200
    table = table_of(answer)
    assert [(each.name, each.datatype, str(each.unit or "")) for each in table.fields] == [
        ("id", "long", ""), ("ra", "double", "deg"), ("n", "short", ""), ("noise", "float", "mJy"),
        ("good", "boolean", ""), ("name", "char", ""),
    ]  # fmt: skip
    assert table.get_field_by_id("ra").ucd == "pos.eq.ra;meta.main"
    assert table.array["id"].tolist() == [0, 1, 2]


def test_other_forms(vo):
    assert asked(vo, FORMAT="csv").text.splitlines()[0] == "id,ra,n,noise,good,name"
    told = json.loads(asked(vo, RESPONSEFORMAT="application/json").content)
    assert [each["datatype"] for each in told["columns"]][:3] == ["long", "double", "short"]
    with fits.open(io.BytesIO(asked(vo, RESPONSEFORMAT="fits").content)) as hdus:
        assert hdus[1].header["NAXIS2"] == 3
    refused = asked(vo, RESPONSEFORMAT="xlsx")
    assert (refused.status_code, status_of(refused)) == (400, "ERROR")


def test_post_and_names_in_any_case(vo):
    answer = vo.post("/tap/sync", data={"lang": "ADQL-2.0", "Query": QUERY, "request": "doQuery"})
    assert len(table_of(answer).array) == 3


def test_maxrec_is_told_as_overflow(vo):
    answer = asked(vo, f"SELECT id FROM {TABLE}", MAXREC="5")
    assert (len(table_of(answer).array), status_of(answer)) == (5, "OVERFLOW")
    assert status_of(asked(vo, f"SELECT id FROM {TABLE}")) == "OK"
    nothing = asked(vo, f"SELECT id FROM {TABLE}", MAXREC="0")
    assert (len(table_of(nothing).array), status_of(nothing)) == (0, "OVERFLOW")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"QUERY": "SELECT nope FROM radio.src"}, "got 'nope'"),
        ({"QUERY": "DROP TABLE radio.src"}, ""),
        ({"QUERY": ""}, "QUERY is missing"),
        ({"LANG": "SQL"}, "not a language"),
        ({"MAXREC": "-1"}, "MAXREC"),
        ({"REQUEST": "nonsense"}, "REQUEST"),
        ({"UPLOAD": "t,param:none"}, "did not come"),
        ({"UPLOAD": "1t,param:none"}, "UPLOAD is not allowed"),
        ({"UPLOAD": "t,http://169.254.169.254/latest"}, "private addresses"),
    ],
)
def test_what_is_wrong_is_told_in_a_votable(vo, more, told):
    answer = vo.get("/tap/sync", params={"LANG": "ADQL", "QUERY": QUERY, **more})
    assert 400 <= answer.status_code < 500
    assert status_of(answer) == "ERROR"
    assert told in answer.text


def test_a_query_that_takes_too_long_is_told_so(vo, monkeypatch):
    monkeypatch.setattr("skysift.serve.vo.tap.SECONDS", 0.05)
    slow = (
        f"SELECT COUNT(*) AS n FROM {TABLE} AS a, {TABLE} AS b, {TABLE} AS c WHERE a.flux + b.flux > c.flux"
    )
    answer = asked(vo, slow)
    assert (answer.status_code, status_of(answer)) == (408, "ERROR")
    assert "as a job" in answer.text


def test_tables_of_others_do_not_exist(vo, ada):
    assert asked(vo, "SELECT id FROM radio.mine").status_code == 400
    assert len(table_of(asked(vo, "SELECT id FROM radio.mine", ada)).array) == 30
    assert "radio.mine" not in vo.get("/tap/tables").text
    assert "radio.mine" in vo.get("/tap/tables", headers=ada).text
    names = table_of(asked(vo, "SELECT table_name FROM TAP_SCHEMA.tables")).array["table_name"].tolist()
    assert "radio.ours" not in names


def test_a_token_in_an_address_is_nobodys(vo, ada):
    token = ada["Authorization"].split()[1]
    for name in ("access_token", "token", "Authorization"):
        assert asked(vo, "SELECT id FROM radio.mine", **{name: token}).status_code == 400


def upload(columns, form="binary2"):
    document = from_table(Table(columns))
    document.set_all_tables_format(form)
    held = io.BytesIO()
    writeto(document, held)
    return held.getvalue()


def test_an_uploaded_table_keeps_its_types(vo):
    sent = upload({"n": np.array([1, 2], dtype=np.int32), "k": np.array([3, 4], dtype=np.int16)})
    answer = vo.post(
        "/tap/sync",
        data={
            "LANG": "ADQL",
            "QUERY": "SELECT n, k, n AS m FROM TAP_UPLOAD.mine",
            "UPLOAD": "mine,param:part",
        },
        files={"part": ("t.vot", sent)},
    )
    table = table_of(answer)
    assert [each.datatype for each in table.fields] == ["int", "short", "int"]
    assert table.array["n"].tolist() == [1, 2]


def test_a_dangerous_upload_is_refused(vo):
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]><VOTABLE/>'
    answer = vo.post(
        "/tap/sync",
        data={"LANG": "ADQL", "QUERY": "SELECT * FROM TAP_UPLOAD.t", "UPLOAD": "t,param:part"},
        files={"part": ("t.vot", bomb)},
    )
    assert answer.status_code == 400
    assert "has a DTD" in answer.text


def test_a_body_that_is_too_large_for_tables_is_refused_unread(vo):
    answer = vo.post("/tap/sync", content=b"x", headers={"content-length": str(600 << 20)})
    assert answer.status_code == 413


def test_vosi_and_examples(vo):
    capabilities = vo.get("/tap/capabilities").text
    for name in ("TAP", "VOSI#tables-1.1", "VOSI#availability", "DALI#examples", "ObsCore#core-1.1"):
        assert f"ivo://ivoa.net/std/{name}" in capabilities
    assert "upload-inline" in capabilities
    assert "upload-http" in capabilities
    root = ET.fromstring(vo.get("/tap/tables").content)
    names = [each.findtext("name") for each in root.iter("table")]
    assert TABLE in names
    assert "ivoa.obscore" in names
    columns = [each.findtext("name") for each in root.iter("column")]
    assert '"size"' in columns
    assert len(list(root.iter("foreignKey"))) == 5
    one = ET.fromstring(vo.get(f"/tap/tables/{TABLE}").content)
    assert [each.findtext("name") for each in one.iter("table")] == [TABLE]
    examples = ET.fromstring(vo.get("/tap/examples").content)
    for each in examples.iter("{http://www.w3.org/1999/xhtml}pre"):
        assert asked(vo, each.text).status_code == 200
    moved = vo.get("/tap/sync", params={"REQUEST": "getCapabilities"}, follow_redirects=False)
    assert moved.headers["location"].endswith("/tap/capabilities")


# -- jobs; here no worker runs them


def made(vo, headers, **more):
    data = {"LANG": "ADQL", "QUERY": QUERY, **more}
    answer = vo.post("/tap/async", data=data, headers=headers, follow_redirects=False)
    assert answer.status_code == 303
    return answer.headers["location"].removeprefix("http://127.0.0.1")


def sheet(vo, place, headers):
    return ET.fromstring(vo.get(place, headers=headers).content)


def test_a_job_is_made_told_changed_and_removed(vo, ada):
    place = made(vo, ada, RUNID="mine", MAXREC="7")
    told = sheet(vo, place, ada)
    assert told.findtext("u:phase", namespaces=UWS) == "PENDING"
    assert told.findtext("u:runId", namespaces=UWS) == "mine"
    assert told.findtext("u:ownerId", namespaces=UWS) == "ada"
    assert {each.get("id"): each.text for each in told.iter(f"{{{UWS['u']}}}parameter")} == {
        "request": "doQuery", "lang": "ADQL", "query": QUERY, "maxrec": "7",
    }  # fmt: skip
    vo.post(f"{place}/parameters", data={"QUERY": "SELECT 1 AS a FROM ivoa.obscore"}, headers=ada)
    vo.post(f"{place}/executionduration", data={"EXECUTIONDURATION": "60"}, headers=ada)
    vo.post(f"{place}/destruction", data={"DESTRUCTION": "2020-01-01T00:00:00Z"}, headers=ada)
    assert vo.get(f"{place}/executionduration", headers=ada).text == "60"
    assert vo.get(f"{place}/destruction", headers=ada).text == "2020-01-01T00:00:00.000Z"
    assert "SELECT 1 AS a" in vo.get(f"{place}/parameters", headers=ada).text
    assert "maxrec" in vo.get(f"{place}/parameters", headers=ada).text
    for part, text in (("phase", "PENDING"), ("owner", "ada"), ("quote", "")):
        assert vo.get(f"{place}/{part}", headers=ada).text == text
    assert vo.get(f"{place}/nonsense", headers=ada).status_code == 404
    assert vo.get(f"{place}/error", headers=ada).status_code == 404
    gone = vo.delete(place, headers=ada, follow_redirects=False)
    assert gone.headers["location"].endswith("/tap/async")
    assert vo.get(place, headers=ada).status_code == 404


def test_running_and_aborting(vo, ada):
    place = made(vo, ada, PHASE="RUN")
    assert vo.get(f"{place}/phase", headers=ada).text == "QUEUED"
    assert vo.get(f"{place}/phase", params={"WAIT": "0.2"}, headers=ada).text == "QUEUED"
    vo.post(f"{place}/phase", data={"PHASE": "ABORT"}, headers=ada)
    assert vo.get(f"{place}/phase", params={"WAIT": "-1"}, headers=ada).text == "ABORTED"
    assert vo.post(f"{place}/phase", data={"PHASE": "FLY"}, headers=ada).status_code == 400
    vo.post(place, data={"ACTION": "DELETE"}, headers=ada)
    assert vo.get(place, headers=ada).status_code == 404


def test_what_is_wrong_with_a_query_is_the_jobs_affair(vo, ada):
    for wrong in ({"QUERY": ""}, {"LANG": "SQL"}, {"MAXREC": "x"}, {"RESPONSEFORMAT": "xlsx"}):
        place = made(vo, ada, **wrong)
        assert vo.get(f"{place}/phase", headers=ada).text == "PENDING"
        vo.delete(place, headers=ada)


def test_lists_are_those_of_who_asks(vo, ada):
    places = [made(vo, ada) for _ in range(3)]
    ids = [each.rpartition("/")[2] for each in places]

    def listed(headers, **more):
        root = ET.fromstring(vo.get("/tap/async", params=more, headers=headers).content)
        return [each.get("id") for each in root.iter(f"{{{UWS['u']}}}jobref")]

    assert listed(ada)[:3] == ids[::-1]
    assert listed(ada, LAST="2") == ids[:0:-1]
    assert listed(ada, PHASE="COMPLETED") == []
    assert listed(ada, AFTER="2999-01-01T00:00:00Z") == []
    assert listed(None) == []
    assert vo.get("/tap/async", params={"PHASE": "FLYING"}, headers=ada).status_code == 400
    for each in places:
        assert vo.get(each).status_code == 404  # nobody sees it
        assert vo.delete(each, follow_redirects=False).status_code == 404
        vo.delete(each, headers=ada)


def test_a_job_of_nobody_is_of_those_who_know_its_id(vo, ada):
    place = made(vo, None)
    assert vo.get(f"{place}/phase").text == "PENDING"
    assert vo.get(place, headers=ada).status_code == 404
    vo.post(f"{place}/phase", data={"PHASE": "RUN"})
    assert vo.get(f"{place}/phase").text == "QUEUED"
    vo.delete(place)
    assert vo.get(place).status_code == 404


def test_an_uploaded_table_waits_with_its_job(vo, ada):
    answer = vo.post(
        "/tap/async",
        data={
            "LANG": "ADQL",
            "QUERY": "SELECT * FROM TAP_UPLOAD.t",
            "UPLOAD": "t,param:part",
            "PHASE": "RUN",
        },
        files={"part": ("t.vot", upload({"n": [1]}))},
        headers=ada,
        follow_redirects=False,
    )
    name = answer.headers["location"].rpartition("/")[2]
    manager = vo.app.state.manager
    job = next(each for each in manager.list(ADMIN).jobs if each.id == name)
    assert job.phase is Phase.QUEUED
    assert [each.role for each in job.spec.inputs] == ["upload"]
    vo.delete(f"/tap/async/{name}", headers=ada)
    assert not (manager.folder / name).exists()

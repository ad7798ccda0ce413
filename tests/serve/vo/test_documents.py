"""The XML that jobs and services are told in: what it says, and that the schemas of the standards take it."""

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from tests.serve.vo.programs import stilts

from skysift.serve.vo.uws import (
    Result,
    Sheet,
    job_document,
    list_document,
    parameters_element,
    results_element,
)
from skysift.serve.vo.vosi import (
    Capability,
    Limits,
    availability_document,
    capabilities_document,
    tables_document,
    tap_capability,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
UWS = {"u": "http://www.ivoa.net/xml/UWS/v1.0", "xlink": "http://www.w3.org/1999/xlink"}
FAILED = Sheet(
    "a1",
    "ERROR",
    run_id="mine <1>",
    owner="ana",
    created=NOW,
    started=NOW,
    ended=NOW,
    seconds=600,
    destruction=NOW,
    parameters=[("QUERY", "SELECT a<b")],
    results=[Result("result", "http://h/r?a&b", "text/csv", 12)],
    error="no & nothing",
    fatal=False,
)
WAITING = Sheet("b2", "PENDING", created=NOW)
TABLES = {
    "schemas": [{"schema_name": "a", "description": "x & y", "utype": ""}],
    "tables": [
        {"schema_name": "a", "table_name": "a.b", "table_type": "table", "description": "", "utype": None},
        {"schema_name": "a", "table_name": "a.c", "table_type": "view", "description": "", "utype": None},
    ],
    "columns": [
        {"table_name": "a.b", "column_name": '"size"', "datatype": "int", "arraysize": None, "indexed": 1, "std": 1},
        {"table_name": "a.c", "column_name": "t", "datatype": "char", "arraysize": "*", "xtype": "timestamp",
         "unit": "s", "ucd": "time", "utype": "m:t", "description": "when", "indexed": 0, "std": 0},
    ],
    "keys": [{"key_id": "1", "from_table": "a.b", "target_table": "a.c", "description": ""}],
    "key_columns": [{"key_id": "1", "from_column": "x", "target_column": "y"}],
}  # fmt: skip


def documents():
    limits = Limits(1000, 100000, 600, 7, 100, 1000)
    return {
        "job": job_document(FAILED),
        "waiting": job_document(WAITING),
        "jobs": list_document([FAILED, WAITING], "http://h/async"),
        "parameters": parameters_element(FAILED.parameters, alone=True),
        "results": results_element(FAILED.results, alone=True),
        "capabilities": capabilities_document(
            "http://h/tap",
            [Capability("ivo://ivoa.net/std/DALI#examples", "http://h/tap/examples")],
            more=tap_capability("http://h/tap", limits),
            tables=True,
        ),
        "availability": availability_document(True, NOW, ["all <is> well"]),
        "tables": tables_document(TABLES),
    }


def test_a_job_tells_its_story():
    root = ET.fromstring(job_document(FAILED))
    assert root.findtext("u:jobId", namespaces=UWS) == "a1"
    assert root.findtext("u:phase", namespaces=UWS) == "ERROR"
    assert root.findtext("u:creationTime", namespaces=UWS) == "2026-01-02T03:04:05.678Z"
    assert root.findtext("u:executionDuration", namespaces=UWS) == "600"
    assert root.findtext("u:parameters/u:parameter", namespaces=UWS) == "SELECT a<b"
    result = root.find("u:results/u:result", UWS)
    assert result.get(f"{{{UWS['xlink']}}}href") == "http://h/r?a&b"
    summary = root.find("u:errorSummary", UWS)
    assert (summary.get("type"), summary.findtext("u:message", namespaces=UWS)) == (
        "transient",
        "no & nothing",
    )


def test_a_job_that_has_not_begun_says_nothing_of_it():
    root = ET.fromstring(job_document(WAITING))
    nil = "{http://www.w3.org/2001/XMLSchema-instance}nil"
    for name in ("ownerId", "startTime", "endTime", "destruction"):
        assert root.find(f"u:{name}", UWS).get(nil) == "true"
    assert root.find("u:errorSummary", UWS) is None


def test_a_list_leads_to_its_jobs():
    refs = ET.fromstring(list_document([FAILED, WAITING], "http://h/async")).findall("u:jobref", UWS)
    assert [each.get(f"{{{UWS['xlink']}}}href") for each in refs] == [
        "http://h/async/a1",
        "http://h/async/b2",
    ]


def test_tables_tell_keys_and_delimited_names():
    root = ET.fromstring(tables_document(TABLES))
    first, second = root.findall("schema/table")
    assert first.findtext("column/name") == '"size"'
    assert first.findtext("foreignKey/targetTable") == "a.c"
    kind = second.find("column/dataType")
    assert (kind.text, kind.get("arraysize"), kind.get("extendedType")) == ("char", "*", "timestamp")
    assert second.find("column").get("std") is None
    assert first.find("column").get("std") == "true"


def test_the_two_ways_of_upload_are_told_together():
    told = documents()["capabilities"]
    assert "TAPRegExt#upload-inline" in told
    assert "TAPRegExt#upload-http" in told


@pytest.mark.full
@pytest.mark.parametrize("name", documents())
def test_the_schemas_of_the_standards_take_it(name, tmp_path):
    (tmp_path / "x.xml").write_text(documents()[name])
    code, told = stilts("xsdvalidate", "uselocals=true", f"doc={tmp_path / 'x.xml'}")
    assert code == 0, told

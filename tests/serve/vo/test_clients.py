"""Real clients on a real server: STILTS and pyvo, on SQLite and on PostgreSQL."""

import gc
import io
import re
import tarfile
import time

import httpx
import numpy as np
import pytest
import pyvo
from astropy.io import fits
from astropy.table import Table
from tests.serve.vo.knowledge import TABLE, did_of
from tests.serve.vo.programs import said

pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # pyvo leaves its sessions open
]


@pytest.fixture(autouse=True)
def nothing_is_left():
    """What a client left open goes here, not in the test of somebody else."""
    yield
    gc.collect()


@pytest.fixture
def base(served):
    """The address of a service."""
    return served[0]


@pytest.fixture
def shelf(served):
    """Its shelf."""
    return served[1]


def test_taplint_finds_no_error(base):
    told = said("taplint", f"tapurl={base}/tap", "report=EF", "maxrepeat=3", "truncate=400")
    assert re.search(r"^Totals: Errors: 0; .*Failures: [01]$", told, re.MULTILINE), told
    failures = [line for line in told.splitlines() if line.startswith("F-")]
    assert all(line.startswith("F-LOC-") for line in failures), told


def test_tables_and_links_are_valid(base, shelf, tmp_path):
    did = did_of(shelf, "map.fits")
    with httpx.Client(base_url=base, timeout=60) as client:
        documents = {
            "table": ("/tap/sync", {"LANG": "ADQL", "QUERY": f"SELECT * FROM {TABLE}"}),
            "binary": (
                "/tap/sync",
                {"LANG": "ADQL", "QUERY": "SELECT * FROM ivoa.obscore", "FORMAT": "votable/b2"},
            ),
            "error": ("/tap/sync", {"LANG": "ADQL", "QUERY": "SELECT"}),
            "maps": ("/sia/query", {}),
            "cone": (f"/scs/{TABLE}", {"RA": "10", "DEC": "20", "SR": "1"}),
            "wrong": (f"/scs/{TABLE}", {"RA": "x"}),
            "links": ("/datalink/links", {"ID": did}),
        }
        for name, (path, asked) in documents.items():
            (tmp_path / f"{name}.vot").write_bytes(client.get(path, params=asked).content)
    for name in documents:
        assert said("votlint", f"votable={tmp_path / f'{name}.vot'}", "version=1.4") == "", name
    told = said("datalinklint", f"votable={base}/datalink/links?ID={did}")
    assert "Totals: Errors: 0; Warnings: 0;" in told


def test_stilts_matches_and_asks(base, tmp_path):
    (tmp_path / "t.csv").write_text("ra,dec,n\n10.0,20.0,1\n10.5,20.2,2\n")
    told = said(
        "tapskymatch", f"in={tmp_path / 't.csv'}", "ifmt=csv", "inlon=ra", "inlat=dec", f"tapurl={base}/tap",
        f"taptable={TABLE}", "taplon=ra", "taplat=dec", "sr=0.5", "find=all", "omode=count",
    )  # fmt: skip
    matched = int(re.search(r"rows: (\d+)", told)[1])
    said(
        "coneskymatch", f"serviceurl={base}/scs/{TABLE}?", f"in={tmp_path / 't.csv'}", "ifmt=csv", "ra=ra", "dec=dec",
        "sr=0.5", "usefoot=false", f"out={tmp_path / 'm.fits'}",
    )  # fmt: skip
    with fits.open(tmp_path / "m.fits") as hdus:
        assert hdus[1].header["NAXIS2"] == matched > 0
    told = said(
        "tapquery", f"tapurl={base}/tap", "sync=false", f"adql=SELECT COUNT(*) AS n FROM {TABLE}", "ofmt=csv"
    )
    assert "400" in told.split()


def test_pyvo_asks_tap(base):
    tap = pyvo.dal.TAPService(f"{base}/tap")
    assert {TABLE, "ivoa.obscore", "tap_schema.tables"} <= set(tap.tables.keys())
    assert tap.tables[TABLE].columns[1].unit == "deg"
    rows = tap.run_sync(f"SELECT TOP 4 id, ra FROM {TABLE} ORDER BY id DESC").to_table()
    assert rows["id"].tolist() == [399, 398, 397, 396]
    sent = Table({"n": np.array([3, 5], dtype=np.int32), "t": ["2026-01-01", "2026-01-02"]})
    joined = tap.run_sync(
        f"SELECT u.n, s.name FROM TAP_UPLOAD.mine AS u JOIN {TABLE} AS s ON s.id = u.n ORDER BY u.n",
        uploads={"mine": sent},
    ).to_table()
    assert joined["n"].dtype == np.int32
    assert joined["name"].tolist() == ["J0003", "J0005"]
    with pytest.raises(pyvo.DALQueryError, match="nope"):
        tap.run_sync(f"SELECT nope FROM {TABLE}")
    few = tap.run_sync(f"SELECT id FROM {TABLE}", maxrec=3)
    assert (len(few), few.query_status) == (3, "OVERFLOW")


def test_pyvo_runs_jobs(base):
    tap = pyvo.dal.TAPService(f"{base}/tap")
    job = tap.submit_job(f"SELECT name, n_pix FROM {TABLE} WHERE id < 2", maxrec=10)
    assert job.phase == "PENDING"
    job.run()
    job.wait(timeout=60)
    assert job.phase == "COMPLETED"
    assert len(job.fetch_result().to_table()) == 2
    job.delete()
    sent = Table({"n": np.array([3, 5], dtype=np.int32)})
    told = tap.run_async("SELECT n FROM TAP_UPLOAD.mine ORDER BY n", uploads={"mine": sent}).to_table()
    assert told["n"].tolist() == [3, 5]
    bad = tap.submit_job("SELECT nonsense FROM nothing")
    bad.run()
    bad.wait(phases={"ERROR"}, timeout=60)
    with pytest.raises(pyvo.DALQueryError, match="no such table"):
        bad.raise_if_error()
    bad.delete()


def test_a_table_behind_an_address_comes_along(base, tmp_path):
    address = f"{base}/tap/sync?LANG=ADQL&QUERY=SELECT+id+FROM+{TABLE}+WHERE+id<3".replace("<", "%3C")
    answer = httpx.post(
        f"{base}/tap/sync",
        data={
            "LANG": "ADQL",
            "QUERY": "SELECT COUNT(*) AS n FROM TAP_UPLOAD.far",
            "UPLOAD": f"far,{address}",
            "FORMAT": "csv",
        },
        timeout=60,
    )
    assert answer.text.split() == ["n", "3"]


def test_pyvo_finds_cones_and_maps_and_cuts_them(base):
    rows = pyvo.dal.SCSService(f"{base}/scs/{TABLE}").search(pos=(10.0, 20.0), radius=0.5)
    assert len(rows) > 0
    assert rows[0].pos.separation(rows[0].pos).deg == 0
    maps = pyvo.dal.SIA2Service(f"{base}/sia").search(pos=(30.0, 0.0, 0.01))
    assert [each["obs_id"] for each in maps] == ["tile0"]
    links = maps[0].getdatalink()
    whole = next(iter(links.bysemantics("#this", include_narrower=False)))
    assert fits.open(io.BytesIO(whole.getdataset().read()))[0].data.shape == (24, 24)
    cutout = maps[0].processed(circle=(30.0, 0.0, 0.03)).read()
    data = fits.open(io.BytesIO(cutout))[0].data
    assert data.shape[0] < 24
    np.testing.assert_allclose(np.diff(data[0]), 1.0)


def finished(place):
    """The phase of a job when it has ended."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        phase = httpx.get(f"{place}/phase", params={"WAIT": "20"}, timeout=60).text
        if phase in ("COMPLETED", "ERROR", "ABORTED"):
            return phase
    return "too slow"


def test_cutouts_are_made_by_jobs(base, shelf):
    did = did_of(shelf, "tile0.fits")
    data = {"ID": did, "CIRCLE": ["30 0 0.03", "30 0.05 0.02", "200 0 0.1"], "PHASE": "RUN"}
    place = httpx.post(f"{base}/soda/async", data=data, timeout=60).headers["location"]
    assert finished(place) == "COMPLETED"
    told = httpx.get(f"{place}/results/report.json", timeout=60).json()
    assert [bool(each["file"]) for each in told["items"]] == [True, True, False]
    part = httpx.get(f"{place}/results/{told['items'][0]['file']}", timeout=60)
    assert fits.open(io.BytesIO(part.content))[0].data.size > 1


def test_many_cutouts_come_in_one_archive_with_a_report(base, shelf):
    first, second = did_of(shelf, "tile0.fits"), did_of(shelf, "tile1.fits")
    items = [
        {"name": "a", "id": first, "pos": "CIRCLE 30 0 0.02"},
        {"name": "b", "id": "ivo://nobody/x?y", "pos": "CIRCLE 30 0 0.02"},
        {"name": "c", "id": [first, second], "pos": {"shape": "RANGE", "value": "29.8 30 -0.05 0.05"}},
        {"name": "../../d", "id": first, "pos": "CIRCLE 30 0 0.01", "nonsense": 1},
    ]
    place = httpx.post(f"{base}/vlkb/mcutout", params={"PHASE": "RUN"}, json=items, timeout=60).headers[
        "location"
    ]
    assert finished(place) == "COMPLETED"
    report = httpx.get(f"{place}/results/report.json", timeout=60).json()
    assert [(each["id"], each["ok"]) for each in report["items"]] == [
        ("a", True), ("b", False), ("c", True), ("../../d", False),
    ]  # fmt: skip
    assert (report["made"], report["failed"]) == (2, 2)
    archive = httpx.get(f"{place}/results/cutouts.tar.gz", timeout=60).content
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = tar.getnames()
        merged = fits.open(io.BytesIO(tar.extractfile(names[1]).read()))[0].data
    assert len(names) == 2
    assert not any(".." in name or name.startswith("/") for name in names)
    np.testing.assert_allclose(np.diff(merged[0]), 1.0)

"""Maps by SIA, their links, cutouts and merged tiles; regions in ICRS and Galactic coordinates."""

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable import parse
from PIL import Image
from tests.archive.shelves import write_map
from tests.serve.vo.knowledge import ADA, did_of

from skysift.archive.regions import Area, region_text
from skysift.archive.shelf import Found
from skysift.jobs.apps.app import Errand
from skysift.jobs.apps.menu import app_options, load_app
from skysift.jobs.store import private_part
from skysift.serve.vo.vlkb import _corners, _overlap
from skysift.sky.healpix import cells_at
from skysift.stamps.cutout import cut


@pytest.fixture(scope="module")
def shelf(vo):
    return vo.app.state.shelf


def found(vo, headers=None, **asked):
    answer = vo.get("/sia/query", params=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    table = parse(io.BytesIO(answer.content), verify="exception").get_first_table()
    return sorted(table.array["obs_id"].tolist())


def test_maps_are_found_by_what_they_cover(vo, ada):
    assert found(vo) == ["map", "rms", "tile0", "tile1"]
    assert found(vo, ada) == ["cube", "map", "rms", "tile0", "tile1"]
    assert found(vo, POS="CIRCLE 10 20 0.01") == ["map"]
    assert found(vo, POS=["CIRCLE 10 20 0.01", "CIRCLE 29.92 0 0.01"]) == ["map", "tile0", "tile1"]
    assert found(vo, POS="RANGE 9.95 10.05 19.95 20.05") == ["map"]
    assert found(vo, POS="RANGE -Inf +Inf -90 90") == ["map", "rms", "tile0", "tile1"]
    assert found(vo, POS="RANGE 0 360 -1 1") == ["tile0", "tile1"]
    assert found(vo, POS="POLYGON 9 19 11 19 11 21 9 21") == ["map"]
    assert found(vo, POS="CIRCLE 100 20 0.01") == []
    place = SkyCoord(10, 20, unit="deg").galactic
    assert found(vo, POS=f"CIRCLE {place.l.deg} {place.b.deg} 0.01", POSSYS="GALACTIC") == ["map"]


def test_maps_are_found_by_what_they_are(vo, ada):
    assert found(vo, ada, DPTYPE="cube") == ["cube"]
    assert found(vo, BAND="0.21 0.22", COLLECTION="maps") == ["map"]
    assert found(vo, BAND="-Inf 0.1") == []
    assert found(vo, COLLECTION="tiles") == ["tile0", "tile1"]
    assert found(vo, TARGET="field' OR '1'='1") == []
    assert found(vo, FACILITY="ATCA", MAXREC="1", COLLECTION="maps") == ["map"]
    for wrong in ({"POS": "CIRCLE 1"}, {"BAND": "2 1"}, {"CALIB": "9"}, {"POL": "Z"}, {"FOV": "x"}):
        assert vo.get("/sia/query", params=wrong).status_code == 400


def test_every_map_has_links(vo, shelf):
    did = did_of(shelf, "map.fits")
    table = parse(io.BytesIO(vo.get("/sia/query", params={"ID": did}).content)).get_first_table().array
    answer = vo.get(table["access_url"][0])
    assert answer.headers["content-type"] == "application/x-votable+xml;content=datalink"
    document = parse(io.BytesIO(answer.content), verify="exception")
    rows = document.get_first_table().array
    assert set(rows["semantics"].tolist()) >= {"#this", "#cutout", "#preview"}
    services = {each.ID: each for each in document.resources if each.utype == "adhoc:service"}
    assert set(services) == {"soda-sync", "soda-async"}
    whole = vo.get(rows["access_url"][rows["semantics"].tolist().index("#this")])
    assert fits.open(io.BytesIO(whole.content))[0].data.shape == (20, 20)
    picture = vo.get(rows["access_url"][rows["semantics"].tolist().index("#preview")])
    assert Image.open(io.BytesIO(picture.content)).size == (20, 20)


def test_links_lead_to_what_was_made_of_a_map_and_back(vo, shelf):
    def linked(name):
        answer = vo.get("/datalink/links", params={"ID": did_of(shelf, name)})
        rows = parse(io.BytesIO(answer.content), verify="exception").get_first_table().array
        return [(each["semantics"], each["access_url"]) for each in rows]

    forth = linked("map.fits")
    noise = [url for kind, url in forth if kind == "#noise"]
    assert len(noise) == 1
    assert noise[0].endswith("/rms.fits")
    tables = [url for kind, url in forth if kind == "#derivation"]
    assert len(tables) == 2
    for each in tables:
        assert vo.get(each).status_code == 200
    back = [url for kind, url in linked("rms.fits") if kind == "#progenitor"]
    assert [each.rpartition("/")[2] for each in back] == ["map.fits"]
    folder = linked("found")
    assert {kind for kind, _ in folder} == {"#noise", "#derivation", "#progenitor"}


def test_links_of_what_is_not_there_say_so(vo, shelf, ada):
    hidden = did_of(shelf, "cube.fits")
    answer = vo.get("/datalink/links", params={"ID": [hidden, "ivo://nobody/x?y"]})
    rows = parse(io.BytesIO(answer.content), verify="exception").get_first_table().array
    assert [each.partition(":")[0] for each in rows["error_message"].tolist()] == ["NotFoundFault"] * 2
    seen = vo.get("/datalink/links", params={"ID": hidden}, headers=ada)
    assert "soda-sync" in seen.text
    short = hidden.rpartition("?")[2]
    assert vo.get(f"/datalink/data/{short}").status_code == 404
    assert vo.get(f"/datalink/preview/{short}").status_code == 404
    assert vo.get("/datalink/links").status_code == 400
    for name in ("..%2f..%2fskysift.db", "%2e%2e"):
        assert vo.get(f"/datalink/data/{name}").status_code == 404


def test_no_identifier_is_dropped_without_a_word(vo, shelf):
    did = did_of(shelf, "map.fits")
    asked = [f"ivo://nobody/x?{number}" for number in range(100)] + [did]
    answer = vo.get("/datalink/links", params={"ID": asked})
    rows = parse(io.BytesIO(answer.content), verify="exception").get_first_table().array
    assert list(dict.fromkeys(rows["ID"].tolist())) == asked
    assert rows["error_message"].tolist()[-1].startswith("UsageFault: links of 100")


def test_what_lies_behind_a_url_is_had_from_there(vo, shelf, monkeypatch):
    entry = shelf.entry(did_of(shelf, "map.fits"), ADA)
    for url in ("https://data.example/a/map.fits?v=1", "http://data.example:8080/map.fits"):
        away = replace(entry, path=Path(url))  # a path has one slash where the URL has two
        monkeypatch.setattr(shelf, "entry", lambda name, user, away=away: away)
        answer = vo.get(f"/datalink/data/{entry.id}", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, url)
    monkeypatch.setattr(shelf, "entry", lambda name, user: replace(entry, path=Path("file:///etc/passwd")))
    assert vo.get(f"/datalink/data/{entry.id}", follow_redirects=False).status_code >= 400


def test_a_cutout_is_a_part_of_the_map(vo, shelf, ada, tmp_path):
    did = did_of(shelf, "tile0.fits")
    answer = vo.get("/soda/sync", params={"ID": did, "CIRCLE": "30 0 0.03"})
    assert answer.headers["content-type"] == "application/fits"
    path = shelf.entry(did, ADA).path
    with fits.open(io.BytesIO(answer.content)) as hdus:
        np.testing.assert_array_equal(hdus[0].data, cut(path, "CIRCLE 30 0 0.03").data)
        assert hdus[0].header["BMAJ"] == 0.03
        assert hdus[0].data.shape < (24, 24)
    place = SkyCoord(30, 0, unit="deg").galactic
    same = vo.post(
        "/soda/sync",
        data={
            "id": did,
            "pos": f"CIRCLE {float(place.l.deg)!r} {float(place.b.deg)!r} 0.03",
            "possys": "galactic",
        },
    )
    assert len(same.content) == len(answer.content)
    cube = vo.get(
        "/soda/sync", params={"ID": did_of(shelf, "cube.fits"), "BAND": "0.2138 0.2142"}, headers=ada
    )
    with fits.open(io.BytesIO(cube.content)) as hdus:
        assert 1 <= hdus[0].data.shape[0] < 4
        assert hdus[0].data.shape[1:] == (20, 20)


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({"CIRCLE": "200 0 0.1"}, 204, ""),
        ({"CIRCLE": "30 0"}, 400, "UsageFault"),
        ({"CIRCLE": ["30 0 0.1", "31 0 0.1"]}, 400, "MultiValuedParamNotSupported"),
        ({"POSSYS": "ECLIPTIC"}, 400, "UsageFault"),
        ({"ID": "ivo://nobody/x?y"}, 404, "NotFoundFault"),
        ({"ID": ""}, 400, "no map is named"),
    ],
)
def test_what_cannot_be_cut_is_told(vo, shelf, asked, status, told):
    answer = vo.get("/soda/sync", params={"ID": did_of(shelf, "tile0.fits"), **asked})
    assert answer.status_code == status
    assert told in answer.text


def test_a_cutout_may_be_bounded_by_pixels(vo, shelf, ada):
    did = did_of(shelf, "cube.fits")
    whole = fits.getdata(shelf.entry(did, ADA).path)
    asked = {"ID": did, "PIXEL": "3 10 5 20 2 3"}
    with fits.open(io.BytesIO(vo.get("/soda/sync", params=asked, headers=ada).content)) as hdus:
        np.testing.assert_array_equal(hdus[0].data, whole[1:3, 4:20, 2:10])
    answer = vo.get("/soda/sync", params={"ID": did, "PIXEL": "3 10 5 20"}, headers=ada)
    assert fits.getdata(io.BytesIO(answer.content)).shape == (len(whole), 16, 8)
    asked |= {"BAND": "0.1 0.3"}
    for wrong in ("0 1 1 2", "2 1 1 2", "1 2", "a b c d", "1 2 3 4 5"):
        assert vo.get("/soda/sync", params={"ID": did, "PIXEL": wrong}, headers=ada).status_code == 400
    assert "bound the same" in vo.get("/soda/sync", params=asked, headers=ada).text
    told = {"ID": did, "PIXEL": "3 10 5 20"}
    place = vo.post("/soda/async", data=told, headers=ada, follow_redirects=False).headers["location"]
    assert ">3 10 5 20<" in vo.get(f"{place}/parameters", headers=ada).text
    vo.delete(place, headers=ada)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_no_map_is_cut_by_time(vo, shelf, way):
    answer = vo.post(f"/soda/{way}", data={"ID": did_of(shelf, "map.fits"), "TIME": "55000 55001"})
    assert (answer.status_code, "axis of time" in answer.text) == (400, True)


def test_what_is_too_large_is_not_sent_at_once(vo, shelf, monkeypatch):
    did = did_of(shelf, "tile0.fits")
    monkeypatch.setattr("skysift.serve.cutouts.LARGEST", 2880)
    for where, asked in (
        ("/soda/sync", {"ID": did}),
        ("/vlkb/cutout", {"pubdid": did}),
        ("/vlkb/cutout", {"pubdid": did, "RESPONSEFORMAT": "application/fits"}),
        ("/vlkb/merge", {"pubdid": did}),
        (f"/api/v1/images/{shelf.entry(did, ADA).id}/cutout", {"region": "CIRCLE 30 0 0.1"}),
    ):
        answer = vo.get(where, params=asked)
        assert answer.status_code == 413, where
        assert "allowed: 2880 bytes" in answer.text


def test_private_maps_are_not_cut_for_others(vo, shelf, ada):
    asked = {"ID": did_of(shelf, "cube.fits")}
    assert vo.get("/soda/sync", params=asked).status_code == 404
    assert vo.get("/soda/sync", params=asked, headers=ada).status_code == 200


def test_soda_jobs_keep_what_they_were_told(vo, shelf, ada):
    data = {"ID": did_of(shelf, "tile0.fits"), "CIRCLE": "30 0 0.03", "POSSYS": "ICRS"}
    place = vo.post("/soda/async", data=data, headers=ada, follow_redirects=False).headers["location"]
    told = ET.fromstring(vo.get(f"{place}/parameters", headers=ada).content)
    assert [(each.get("id"), each.text) for each in told] == [
        ("id", data["ID"]), ("pos", "CIRCLE 30 0 0.03"), ("possys", "ICRS"),
    ]  # fmt: skip
    vo.delete(place, headers=ada)


def test_the_vlkb_searches_by_galactic_regions(vo):
    place = SkyCoord(29.92, 0, unit="deg").galactic
    asked = {"l": place.l.deg, "b": place.b.deg}
    root = ET.fromstring(vo.get("/vlkb/search", params={**asked, "r": 0.02}).content)
    assert root.findtext("DatacubeCount") == "2"
    assert root.findtext("survey/Survey") == "slope"
    codes = {each.text for each in root.iter("code")}
    assert codes <= {"2", "4"}
    assert root.find("survey/datacube/vertices/P4/longitude") is not None
    around = ET.fromstring(vo.get("/vlkb/search", params={**asked, "dl": 2, "db": 2}).content)
    assert {each.text for each in around.iter("code")} == {"3"}
    none = vo.get("/vlkb/search", params={**asked, "r": 0.02, "surveyname": "other"})
    assert ET.fromstring(none.content).findtext("DatacubeCount") == "0"
    assert vo.get("/vlkb/search", params={"l": 1}).status_code == 400
    assert vo.get("/vlkb/search", params={**asked, "r": 3}).status_code == 400


def test_the_vlkb_searches_by_velocity_system_and_band(vo, ada, monkeypatch):
    def codes(headers=ada, **asked):
        root = ET.fromstring(vo.get("/vlkb/search", params=asked, headers=headers).content)
        return {
            each.findtext("PublisherDID"): each.findtext("overlap/code") for each in root.iter("datacube")
        }

    cube = {"POS": "CIRCLE 11 20 0.02", "POSSYS": "ICRS"}
    place = SkyCoord(11, 20, unit="deg").galactic
    same = codes(l=place.l.deg, b=place.b.deg, r=0.02)
    assert len(same) == 1
    assert set(same.values()) == {"2"}
    assert codes(**cube) == same
    assert codes(POS=f"CIRCLE {place.l.deg} {place.b.deg} 0.02") == same
    assert codes(headers=None, **cube) == {}
    assert codes(**cube, BAND="0.21 0.22") == same
    assert codes(**cube, BAND="1 2") == {}
    assert len(codes(POS="CIRCLE 10 20 0.02", POSSYS="ICRS")) == 1
    assert codes(POS="CIRCLE 10 20 0.02", POSSYS="ICRS", vl=-1e5, vu=1e5) == {}  # a map without velocities
    wrong = vo.get("/vlkb/search", params={**cube, "vl": 2, "vu": 1})
    assert wrong.status_code == 400

    assert len(codes(headers=None, l=0, b=0, dl=360, db=180)) == 4
    monkeypatch.setattr("skysift.serve.vo.vlkb._MOST_FOUND", 1)
    root = ET.fromstring(vo.get("/vlkb/search", params={"l": 0, "b": 0, "dl": 360, "db": 180}).content)
    assert root.findtext("DatacubeCount") == "1"
    assert root.findtext("msg").startswith("OVERFLOW")


def test_the_vlkb_tells_how_cubes_overlap_velocities(vo, shelf, ada, tmp_path):
    path = write_map(tmp_path / "line.fits", 50.0, 20.0, channels=5)
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["RESTFRQ"] = 1.402e9
    entry = shelf.ingest(path, ADA, collection="lines")
    seen = shelf.observation(entry)
    low, high = seen["v_min"], seen["v_max"]
    middle = (low + high) / 2

    def code(vl, vu, **where):
        asked = {"POS": "CIRCLE 50 20 0.02", "POSSYS": "ICRS", "vl": vl, "vu": vu, **where}
        root = ET.fromstring(vo.get("/vlkb/search", params=asked, headers=ada).content)
        return root.findtext("survey/datacube/overlap/code")

    assert code(middle - 1, middle + 1) == "2"
    assert code(low - 9, middle) == "4"
    assert code(high + 1, high + 9) is None
    around = {"POS": "RANGE 20 100 10 30"}
    assert code(low - 9, high + 9, **around) == "3"
    assert code(middle, high + 9, **around) == "4"
    shelf.remove(entry.id, ADA)


def test_a_round_map_within_a_region_is_not_told_by_its_middle_alone(vo, shelf):
    area = Area("CIRCLE", (10.0, 20.0, 5.0))
    found = Found(None, {"s_region": region_text(area), "v_min": None, "v_max": None}, "partial")
    assert _overlap([found], 1, None)[0] == 4
    assert len(_corners(area)) == 4


def test_the_vlkb_cuts_and_counts_blanks(vo, shelf):
    place = SkyCoord(30, 0, unit="deg").galactic
    asked = {"pubdid": did_of(shelf, "tile0.fits"), "l": place.l.deg, "b": place.b.deg, "r": 0.03}
    root = ET.fromstring(vo.get("/vlkb/cutout", params=asked).content)
    url = root.findtext("URL")
    with fits.open(io.BytesIO(vo.get(url).content)) as hdus:
        size = " ".join(str(each) for each in reversed(hdus[0].data.shape))
    assert root.findtext("CUT/pixels") == size
    direct = vo.get("/vlkb/cutout", params={**asked, "RESPONSEFORMAT": "application/fits"})
    assert direct.headers["content-type"] == "application/fits"
    counted = ET.fromstring(vo.get("/vlkb/cutout", params={**asked, "nullvals": "1"}).content)
    assert counted.find("nullvals").text == "0"


def test_neighbouring_tiles_become_one(vo, shelf):
    dids = ";".join(did_of(shelf, name) for name in ("tile0.fits", "tile1.fits"))
    answer = vo.get("/vlkb/merge", params={"pubdid": dids})
    assert answer.status_code == 200, answer.text
    with fits.open(io.BytesIO(answer.content)) as hdus:
        data = hdus[0].data
    assert data.shape == (24, 39)
    np.testing.assert_allclose(data[3], 300.0 + np.arange(39.0))
    other = ";".join([dids, did_of(shelf, "map.fits")])
    assert vo.get("/vlkb/merge", params={"pubdid": other}).status_code == 400
    assert vo.get("/vlkb/merge").status_code == 400


def test_many_cutouts_are_a_job_that_waits_for_its_start(vo, shelf, ada):
    items = [{"id": did_of(shelf, "tile0.fits"), "pos": "CIRCLE 30 0 0.02"}]
    answer = vo.post("/vlkb/mcutout", json=items, headers=ada, follow_redirects=False)
    place = answer.headers["location"]
    assert vo.get(f"{place}/phase", headers=ada).text == "PENDING"
    kept = list((vo.app.state.manager.folder / place.rpartition("/")[2] / "inputs").iterdir())
    assert len(kept) == 1
    vo.delete(place, headers=ada)
    assert not kept[0].exists()


def test_cones_hold_what_lies_within(vo, shelf):
    answer = vo.get("/scs/radio.src", params={"RA": "10", "DEC": "20", "SR": "0.5"})
    table = parse(io.BytesIO(answer.content), verify="ignore").get_first_table()  # UCDs of an old kind
    assert {each.ucd for each in table.fields} >= {"ID_MAIN", "POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN"}
    away = SkyCoord(table.array["ra"], table.array["dec"], unit="deg").separation(
        SkyCoord(10, 20, unit="deg")
    )
    assert 0 < len(away) < 400
    assert away.deg.max() <= 0.5
    same = vo.get("/scs", params={"ra": "10", "dec": "20", "sr": "0.5", "TABLE": "radio.src"})
    assert same.content == answer.content
    few = vo.get("/scs/radio.src", params={"RA": "10", "DEC": "20", "SR": "0.5", "VERB": "1"})
    assert len(parse(io.BytesIO(few.content)).get_first_table().fields) == 3

    def columns(verb):
        cone = vo.get("/scs/radio.src", params={"RA": "10", "DEC": "20", "SR": "0.5", "VERB": verb})
        table = parse(io.BytesIO(cone.content), verify="ignore").get_first_table()
        return [each.name for each in table.fields]

    assert columns("2") == [each.name for each in table.fields] == ["id", "ra", "dec", "flux", "name"]
    assert len(columns("3")) == 10
    nothing = vo.get("/scs/radio.src", params={"RA": "10", "DEC": "20", "SR": "0"})
    assert len(parse(io.BytesIO(nothing.content)).get_first_table().array) == 0


@pytest.mark.parametrize(
    "wrong", [{"RA": "x"}, {"DEC": "91"}, {"SR": "-1"}, {"VERB": "7"}, {"RA": ""}, {"table": "radio.mine"}]
)
def test_a_cone_tells_what_is_wrong_as_its_standard_wants(vo, wrong):
    answer = vo.get("/scs", params={"RA": "10", "DEC": "20", "SR": "0.5", "TABLE": "radio.src"} | wrong)
    if "table" in wrong:
        answer = vo.get("/scs/radio.mine", params={"RA": "10", "DEC": "20", "SR": "0.5"})
    assert answer.status_code == 200
    root = ET.fromstring(answer.content)
    assert root[0].get("name") == "Error"
    assert root[0].get("value")


@pytest.mark.parametrize("service", ["sia", "soda", "datalink", "scs/radio.src"])
def test_services_tell_what_they_can_do(vo, service):
    told = ET.fromstring(vo.get(f"/{service}/capabilities").content)
    assert len(told.findall("capability")) >= 3
    assert ET.fromstring(vo.get(f"/{service}/availability").content)[0].text == "true"


def test_every_map_is_a_hips(vo, shelf):
    name = did_of(shelf, "map.fits").rpartition("?")[2]
    told = vo.get(f"/hips/{name}/properties").text
    assert "hips_tile_format     = fits" in told
    moc = vo.get(f"/hips/{name}/Moc.fits")
    assert fits.open(io.BytesIO(moc.content))[1].header["ORDERING"] in ("NUNIQ", "RANGE")
    order = int(next(line for line in told.splitlines() if line.startswith("hips_order ")).split()[-1])
    cell = int(cells_at(order, [10.0], [20.0])[0])
    tile = vo.get(f"/hips/{name}/Norder{order}/Dir{cell // 10000 * 10000}/Npix{cell}.fits")
    assert fits.open(io.BytesIO(tile.content))[0].data.shape == (512, 512)
    assert vo.get(f"/hips/{name}/Norder{order}/Dir0/Npix99999.fits").status_code == 404
    assert vo.get(f"/hips/{name}/Norder0/Dir0/Npix8.fits").status_code == 404
    page = vo.get(f"/hips/{name}/").text
    assert "<script" not in page
    hidden = did_of(shelf, "cube.fits").rpartition("?")[2]
    for part in ("", "/properties", "/Moc.fits", "/Norder0/Dir0/Npix0.fits"):
        assert vo.get(f"/hips/{hidden}{part}").status_code == 404


def test_kept_tiles_go_with_the_last_map_of_their_content(vo, shelf, ada, tmp_path):
    tiles = vo.app.state.tiles
    path = write_map(tmp_path / "gone.fits", 80.0, -40.0)
    one = shelf.ingest(path, ADA, collection="a")
    two = shelf.ingest(path, ADA, collection="b")
    before = set(tiles.folder.glob("*"))
    assert vo.get(f"/hips/{one.id}/Norder0/Dir0/Npix0.fits", headers=ada).status_code == 404
    assert vo.get(f"/hips/{one.id}/properties", headers=ada).status_code == 200
    (place,) = set(tiles.folder.glob("*")) - before
    assert vo.delete(f"/api/v1/shelf/{one.id}", headers=ada).status_code == 204
    assert place.is_dir()  # another map has the same tiles
    assert vo.delete(f"/api/v1/shelf/{two.id}", headers=ada).status_code == 204
    assert set(tiles.folder.glob("*")) == before


def test_all_tiles_of_a_large_map_are_made_by_a_job_first(vo, shelf, ada, monkeypatch, tmp_path):
    did = did_of(shelf, "tile0.fits")
    name = did.rpartition("?")[2]
    monkeypatch.setattr("skysift.stamps.hips.AT_ONCE", 100)
    answer = vo.get(f"/hips/{name}/properties")
    assert (answer.status_code, "are made by a job first" in answer.text) == (413, True)
    job = vo.post(
        "/api/v1/jobs", json={"app": "hips", "options": {"id": did}, "start": False}, headers=ada
    ).json()
    private = private_part(vo.app.state.manager.store.row(job["id"]))
    vo.delete(job["links"]["self"], headers=ada)
    load_app("hips", app_options("hips")(id=did)).run(Errand("hips", (), tmp_path, private=private))
    report = json.loads((tmp_path / "report.json").read_text())
    assert vo.get(f"/hips/{name}/properties").status_code == 200
    picture = fits.getdata(io.BytesIO(vo.get(f"/hips/{name}/Norder3/Allsky.fits").content))
    assert picture.shape == (29 * 64, 27 * 64)
    cells = set(cells_at(3, [30.0], [0.0]).tolist())
    for cell in cells:
        tile = fits.getdata(io.BytesIO(vo.get(f"/hips/{name}/Norder3/Dir0/Npix{cell}.fits").content))
        top = picture[::-1][cell // 27 * 64 : cell // 27 * 64 + 64, cell % 27 * 64 : cell % 27 * 64 + 64]
        blocks = np.isfinite(tile[::-1].reshape(64, 8, 64, 8)).any(axis=(1, 3))
        np.testing.assert_array_equal(np.isfinite(top), blocks)
        assert np.nanmean(top) == pytest.approx(np.nanmean(tile), rel=0.1)
    assert vo.get(f"/hips/{name}/Norder4/Allsky.fits").status_code == 404
    assert report["tiles"] == len(
        list(vo.app.state.tiles.of(shelf.entry(did, ADA)).folder.glob("Norder*/Dir*/*"))
    )


@pytest.mark.parametrize("form", ["votable", "votable/b2"])
def test_names_beyond_ascii_stay_as_they_are(vo, shelf, ada, tmp_path, form):
    path = write_map(tmp_path / "Große Wolke β.fits", 70.0, -50.0)
    entry = shelf.ingest(path, ADA, collection="letters")
    asked = {
        "LANG": "ADQL",
        "QUERY": "SELECT obs_id, obs_title FROM ivoa.obscore WHERE obs_collection = 'letters'",
        "RESPONSEFORMAT": form,
    }
    table = parse(io.BytesIO(vo.post("/tap/sync", data=asked, headers=ada).content)).get_first_table().array
    assert [str(cell) for cell in table[0]] == ["Große Wolke β", "Große Wolke β.fits"]
    shelf.remove(entry.id, ADA)


def test_head_is_answered_wherever_get_is(vo, shelf):
    did = did_of(shelf, "map.fits")
    name = did.rpartition("?")[2]
    query = "LANG=ADQL&QUERY=SELECT+TOP+3+id+FROM+radio.src"
    for address in (
        f"/tap/sync?{query}",
        "/tap/capabilities",
        "/tap/async",
        "/sia/query",
        f"/soda/sync?ID={did}&CIRCLE=10+20+0.03",
        f"/datalink/links?ID={did}",
        f"/datalink/data/{name}",
        f"/hips/{name}/properties",
        "/api/v1/health",
        "/api/v1/images",
        "/",
    ):
        head, whole = vo.head(address), vo.get(address)
        assert (head.status_code, head.content) == (200, b""), address
        assert head.headers["content-type"] == whole.headers["content-type"]
        assert head.headers.get("content-length") == whole.headers.get("content-length")
    assert vo.head("/soda/sync").status_code == vo.get("/soda/sync").status_code == 400
    assert vo.head("/vlkb/nothing").status_code == 404
    assert vo.head("/api/v1/shelf").status_code == 200

"""Searching for maps as VLKB does: by place, band, velocity, survey; surveys with footprints; its tables."""

import json

import pytest
from astropy.io import fits
from astropy.table import Table
from mocpy import MOC
from tests.archive.shelves import ADA, BOB, EVE, asked, write_map

from skysift.archive.policy import ANONYMOUS, LOCAL, Access
from skysift.archive.regions import from_galactic, parse_region, to_galactic
from skysift.archive.shelf import Shelf
from skysift.base.errors import OptionError, RegionError, UsageError
from skysift.io.sql import connect, database_url

PUBLIC = Access("ada", "public")


@pytest.fixture(scope="module")
def vlkb(tmp_path_factory):
    """Four tiles of a survey in two lines, one of them private, and filaments with branches."""
    folder = tmp_path_factory.mktemp("vlkb")
    engine = connect(database_url(folder))
    shelf = Shelf(engine, folder / "shelf")
    for number, ra in enumerate((266.0, 266.3, 270.0)):
        path = write_map(folder / f"t{number}.fits", ra, -29.0, channels=5)
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["RESTFRQ"] = 1.4e9 + number * 1e8
        access = PUBLIC if number < 2 else Access("ada", "group", "survey")
        shelf.ingest(
            path, ADA, access=access, collection="VLKB", survey="MOPRA", species="13CO", transition="1-0"
        )
    shelf.ingest(write_map(folder / "x.fits", 266.0, -29.0), ADA, access=PUBLIC, survey="SGPS", species="HI")
    shelf.describe_survey("MOPRA", LOCAL, "CO lines of the plane", species="13CO", transition="1-0")
    filaments = Table({"IDFIL_MOS": [1, 2], "glon": [10.0, 20.0], "glat": [0.1, -0.2], "contour": [
        "9.9,0.0 10.1,0.0 10.1,0.2 9.9,0.2 9.9,0.0", "(19.9 -0.3) (20.1 -0.3) (20.0 -0.1)"]})  # fmt: skip
    branches = Table({"idbranch": [1, 2, 3], "idfil_mos": [1, 1, 2], "flagspine": [1, 0, 1]})
    sources = Table(
        {"designationft": ["G10"], "glonft": [10.01], "glatft": [0.11], "flux70": [3.5], "fwhm250": [20.0]}
    )
    for name, table in (("filaments", filaments), ("branches", branches), ("sed_view_final", sources)):
        table.write(folder / f"{name}.csv", format="ascii.csv")
        refers = {"idfil_mos": "filaments.IDFIL_MOS"} if name == "branches" else {}
        shelf.ingest(folder / f"{name}.csv", ADA, access=PUBLIC, collection="vlkb", refers=refers)
    yield shelf
    engine.dispose()


def names(found):
    return sorted(each.entry.name for each in found)


def test_search_by_place_survey_and_line(vlkb):
    here = "CIRCLE ICRS 266.0 -29.0 0.02"
    assert names(vlkb.search(ANONYMOUS, pos=here)) == ["t0.fits", "x.fits"]
    assert names(vlkb.search(ANONYMOUS, pos=here, survey="MOPRA")) == ["t0.fits"]
    assert names(vlkb.search(ANONYMOUS, pos=here, species="HI")) == ["x.fits"]
    assert names(vlkb.search(ANONYMOUS, transition="1-0")) == ["t0.fits", "t1.fits"]
    assert names(vlkb.search(BOB, transition="1-0")) == ["t0.fits", "t1.fits", "t2.fits"]
    assert names(vlkb.search(EVE, pos="CIRCLE 270 -29 1")) == []


def test_search_in_the_galactic_frame(vlkb):
    lon, lat = to_galactic(266.0, -29.0)
    assert names(vlkb.search(ANONYMOUS, pos=f"CIRCLE GALACTIC {lon} {lat} 0.01")) == ["t0.fits", "x.fits"]
    assert names(vlkb.search(ANONYMOUS, pos=f"POINT GALACTIC {lon} {lat}", kind="cube")) == ["t0.fits"]


@pytest.mark.parametrize(("radius", "overlap"), [(0.05, "full"), (0.12, "partial"), (1.0, "inside")])
def test_how_a_map_overlaps_is_told(vlkb, radius, overlap):
    found = {
        each.entry.name: each for each in vlkb.search(ANONYMOUS, pos=f"CIRCLE 266 -29 {radius}", kind="image")
    }
    assert found["x.fits"].overlap == overlap
    assert found["x.fits"].region == parse_region(found["x.fits"].observation["s_region"])


def test_search_by_band_velocity_and_time(vlkb):
    wavelength = 299792458.0 / 1.402e9
    assert names(vlkb.search(ANONYMOUS, band=(wavelength, wavelength))) == ["t0.fits", "t1.fits"]
    assert names(vlkb.search(ANONYMOUS, band=(0.0, float("inf")))) == ["t0.fits", "t1.fits", "x.fits"]
    assert names(vlkb.search(ANONYMOUS, velocity=(-500.0, 100.0))) == ["t0.fits"]
    assert names(vlkb.search(ANONYMOUS, time=(55589.0, 55590.0))) == ["t0.fits", "t1.fits", "x.fits"]
    assert names(vlkb.search(ANONYMOUS, time=(50000.0, 50001.0))) == []


def test_pages_of_a_search_follow_each_other(vlkb):
    first = list(vlkb.search(ANONYMOUS, count=2))
    rest = list(vlkb.search(ANONYMOUS, after=first[-1].entry.id))
    assert len(first) == 2
    assert names(first + rest) == ["t0.fits", "t1.fits", "x.fits"]


def test_bad_searches_are_told(vlkb):
    with pytest.raises(RegionError, match="cannot be read"):
        list(vlkb.search(ANONYMOUS, pos="CIRCLE 1 2"))
    with pytest.raises(OptionError, match="backwards"):
        list(vlkb.search(ANONYMOUS, band=(2.0, 1.0)))
    with pytest.raises(OptionError, match="nothing is searched by this"):
        list(vlkb.search(ANONYMOUS, colour="red"))


def test_surveys_have_footprints(vlkb):
    mopra, sgps = vlkb.surveys(ANONYMOUS)
    assert (mopra.name, mopra.datasets, mopra.description) == ("MOPRA", 2, "CO lines of the plane")
    assert (sgps.name, sgps.datasets, sgps.description) == ("SGPS", 1, "")
    moc = MOC.from_json(json.loads(mopra.footprint))
    assert moc.sky_fraction * 41252.96 == pytest.approx(0.08, rel=0.2)
    assert [each.datasets for each in vlkb.surveys(BOB)] == [3, 1]
    with pytest.raises(UsageError):
        vlkb.describe_survey("MOPRA", EVE, "mine")


def test_contours_of_filaments_are_regions(vlkb):
    rows, _ = asked(
        vlkb, "SELECT idfil_mos FROM vlkb.filaments WHERE CONTAINS(POINT('GALACTIC', 10.0, 0.1), contour) = 1"
    )
    assert rows == [(1,)]
    rows, _ = asked(
        vlkb,
        "SELECT s.designationft, b.idbranch FROM vlkb.sed_view_final AS s JOIN vlkb.filaments AS f "
        "ON CONTAINS(POINT('GALACTIC', s.glonft, s.glatft), f.contour) = 1 JOIN vlkb.branches AS b "
        "ON b.idfil_mos = f.idfil_mos WHERE b.flagspine = 1",
    )
    assert rows == [("G10", 1)]


def test_galactic_positions_are_searched_by_cells(vlkb):
    text = "SELECT designationft FROM vlkb.sed_view_final WHERE CONTAINS(POINT('GALACTIC', glonft, glatft), {}) = 1"
    assert asked(vlkb, text.format("CIRCLE('GALACTIC', 10, 0.1, 0.1)"))[0] == [("G10",)]
    assert asked(vlkb, text.format("CIRCLE('GALACTIC', 10, 0.4, 0.1)"))[0] == []
    ra, dec = from_galactic(10.0, 0.1)
    assert asked(vlkb, text.format(f"CIRCLE('ICRS', {ra}, {dec}, 0.1)"))[0] == [("G10",)]


def test_bands_and_keys_are_declared(vlkb):
    rows, _ = asked(
        vlkb,
        "SELECT column_name, ucd FROM tap_schema.columns WHERE table_name = 'vlkb.sed_view_final' AND ucd LIKE 'ph%'",
    )
    assert sorted(rows) == [
        ("flux70", "phot.flux.density;em.IR.60-100um"),
        ("fwhm250", "phys.angSize;em.IR.FIR"),
    ]
    rows, _ = asked(
        vlkb,
        "SELECT from_table, from_column, target_table, target_column "
        "FROM tap_schema.keys NATURAL JOIN tap_schema.key_columns WHERE from_table LIKE 'vlkb%'",
    )
    assert rows == [("vlkb.branches", "idfil_mos", "vlkb.filaments", "IDFIL_MOS")]

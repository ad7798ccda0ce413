"""Regions of the sky: closed forms, and that SQL, cells and functions agree with each other."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.archive.shelves import ADA, asked

from skysift.archive.cells import ORDER, cells_of, cells_touching, common_cells
from skysift.archive.footprints import footprint_of, union
from skysift.archive.regions import (
    Area,
    area_of,
    box_corners,
    contains,
    from_galactic,
    intersects,
    parse_region,
    region_of,
    region_text,
    to_galactic,
)
from skysift.archive.shelf import Shelf
from skysift.base.errors import RegionError
from skysift.io.sql import connect, database_url

PLACES = st.tuples(st.floats(0, 360, exclude_max=True), st.floats(-90, 90))


def offset(ra, dec, angle, distance):
    """A place at an angle and distance of another."""
    there = SkyCoord(ra, dec, unit="deg").directional_offset_by(angle * units.deg, distance * units.deg)
    return float(there.ra.deg), float(there.dec.deg)


@given(PLACES)
def test_galactic_is_that_of_astropy(place):
    there = SkyCoord(*place, unit="deg").galactic
    lon, lat = to_galactic(*place)
    assert SkyCoord(lon, lat, unit="deg", frame="galactic").separation(there).mas < 1.0
    assert SkyCoord(*from_galactic(lon, lat), unit="deg").separation(SkyCoord(*place, unit="deg")).mas < 0.1


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("CIRCLE ICRS 10 20 90", 2 * math.pi * (180 / math.pi) ** 2),
        ("CIRCLE 0 0 180", 4 * math.pi * (180 / math.pi) ** 2),
        ("POLYGON ICRS 0 0 90 0 0 90", math.pi / 2 * (180 / math.pi) ** 2),
        ("POLYGON GALACTIC 0 0 90 0 0 90", math.pi / 2 * (180 / math.pi) ** 2),
        ("BOX 10 0 0.001 0.002", 2e-6),
        ("POINT 1 2", 0.0),
    ],
)
def test_areas(text, area):
    assert area_of(parse_region(text)) == pytest.approx(area, rel=1e-6)


def test_sides_of_a_box_cross_its_arms_at_right_angles():
    corners = [SkyCoord(*each, unit="deg") for each in box_corners(40.0, 60.0, 10.0, 4.0)]
    middle = SkyCoord(40.0, 60.0, unit="deg")
    east = middle.directional_offset_by(90 * units.deg, 5 * units.deg)
    right = [corners[1], corners[2]]
    assert right[0].separation(east).deg == pytest.approx(right[1].separation(east).deg)
    angle = east.position_angle(right[1]).deg - east.position_angle(middle).deg
    assert abs(abs(angle) % 180 - 90) < 1e-6


@pytest.mark.parametrize(
    "text", ["", "CIRCLE 1 2", "POLYGON 1 2 3 4", "CIRCLE a b c", "CIRCLE 0 91 1", "CIRCLE 0 0 -1", "CIRCLE 0 0 nan",
             "POLYGON 0 0 120 0 240 0", "ELLIPSE 1 2 3 4", "BOX 0 0 200 1"],
)  # fmt: skip
def test_what_tells_no_region_is_refused(text):
    with pytest.raises(RegionError):
        parse_region(text)


@settings(max_examples=60, deadline=None)
@given(PLACES, st.floats(0.001, 30.0), st.integers(0, 2**32 - 1))
def test_cells_hold_all_of_a_cone(place, radius, seed):
    rng = np.random.default_rng(seed)
    area = region_of("CIRCLE", (*place, radius))
    ranges = cells_touching(area)
    inside = [offset(*place, rng.uniform(0, 360), radius * math.sqrt(rng.uniform())) for _ in range(20)]
    cells = cells_of(*(np.array(each) for each in zip(*inside, strict=True)))
    assert all(any(low <= cell <= high for low, high in ranges) for cell in cells)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(ranges))
    assert len(ranges) < 1100
    assert ranges[-1][1] < 12 * 4**ORDER


@settings(max_examples=40, deadline=None)
@given(PLACES, st.floats(0.01, 20.0), st.integers(0, 2**32 - 1))
def test_regions_agree_with_their_cells(place, radius, seed):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 360, 7))
    if np.diff(np.concatenate([angles, angles[:1] + 360])).max() > 170:
        return
    corners = [offset(*place, angle, radius * rng.uniform(0.3, 1.0)) for angle in angles]
    polygon = region_of("POLYGON", [v for corner in corners for v in corner])
    circle = region_of("CIRCLE", (*place, radius * 1.01))
    assert contains(circle, polygon)
    assert intersects(circle, polygon)
    assert not contains(polygon, circle)
    assert 0 < area_of(polygon) < area_of(circle)
    assert common_cells(cells_touching(polygon), cells_touching(circle))
    assert parse_region(region_text(polygon)) == polygon


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """A shelf with 3000 places about a pole and about RA 0, with their positions."""
    folder = tmp_path_factory.mktemp("sky")
    rng = np.random.default_rng(3)
    ra = np.concatenate([rng.uniform(0, 360, 1500), rng.uniform(-4, 4, 1500) % 360.0])
    dec = np.concatenate([90 - 6 * np.sqrt(rng.uniform(0, 1, 1500)), rng.uniform(-4, 4, 1500)])
    table = Table({"id": np.arange(3000), "ra": ra, "dec": dec})
    fits.HDUList([fits.PrimaryHDU(), fits.table_to_hdu(table)]).writeto(folder / "sky.fits")
    engine = connect(database_url(folder))
    shelf = Shelf(engine, folder / "shelf")
    shelf.ingest(folder / "sky.fits", ADA, collection="t")
    yield shelf, ra, dec
    engine.dispose()


@pytest.mark.parametrize(
    "shape",
    [
        "CIRCLE(0, 90, 2)",
        "CIRCLE(359.5, 0.5, 2)",
        "CIRCLE('GALACTIC', 122.9, 27.1, 3)",
        "BOX(0, 90, 5, 3)",
        "BOX(359.9, 0, 3, 1)",
        "POLYGON(358, -1, 2, -2, 1, 3)",
        "POLYGON(1, 3, 2, -2, 358, -1)",
        "POLYGON(358, -3, 2, -3, 0, 0, 2, 3, 358, 3)",
        "POLYGON(0, 86, 90, 87, 180, 85, 270, 88)",
        "POLYGON(0, 3, 1, -3, 358, 1, 2, 1, 359, -3)",
        "REGION('POLYGON ICRS 358 -3 2 -3 0 0')",
    ],
)
def test_sql_agrees_with_the_functions(sky, shape):
    """The quick arithmetic of a query, the general functions and an unindexed query find the same rows."""
    shelf, _, _ = sky
    text = "SELECT id FROM {} WHERE CONTAINS(POINT(ra, dec), {}) = 1"
    quick = {row[0] for row in asked(shelf, text.format("t.sky", shape), ADA, 5000)[0]}
    plain = {row[0] for row in asked(shelf, text.format("(SELECT * FROM t.sky) AS q", shape), ADA, 5000)[0]}
    turned = "SELECT id FROM t.sky WHERE CONTAINS(CIRCLE(ra, dec, 0), {}) = 1"
    general = {row[0] for row in asked(shelf, turned.format(shape), ADA, 5000)[0]}
    assert len(quick) > 20
    assert quick == plain == general


@pytest.mark.parametrize("radius", [0.3, 3.0])
def test_a_cone_holds_what_is_near(sky, radius):
    shelf, ra, dec = sky
    for place in ((0.0, 0.0), (123.0, 88.0)):
        text = (
            f"SELECT id FROM t.sky WHERE DISTANCE(POINT(ra, dec), POINT({place[0]}, {place[1]})) < {radius}"
        )
        found = {row[0] for row in asked(shelf, text, ADA, 5000)[0]}
        near = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(*place, unit="deg")).deg < radius
        assert found == set(np.flatnonzero(near).tolist())


def test_footprints_cover_what_they_stand_for():
    from mocpy import MOC

    circle, box = Area("CIRCLE", (10.0, 20.0, 1.0)), parse_region("BOX 12 20 1 1")
    both = MOC.from_json(json.loads(union([footprint_of(circle), footprint_of(box)])))
    assert both.sky_fraction * 41252.96 == pytest.approx(math.pi + 1.0, rel=0.05)
    assert union([]) == ""

"""What a run writes of extended sources: outlines, spines and area are where the pixels are."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units
from astropy.table import Table as AstropyTable
from mocpy import MOC
from regions import PolygonSkyRegion, Regions
from scipy import ndimage

from skysift.find.run import make_finder, search
from skysift.flow.extended import drawn_sources, segment_cells, segments_of, spine_table
from skysift.flow.steps.find import find_products, product_names
from skysift.sky.beam import Beam
from skysift.sky.frame import Frame
from skysift.sky.healpix import cell_area
from skysift.sky.image import SkyImage
from skysift.sky.lines import Lines
from skysift.sky.mask import Mask

SIZE = 220
_DEG = units.deg


def picture(celestial: bool = True) -> SkyImage:
    """A ring, an arc and a few points in noise."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    ring = np.hypot(x - 60, y - 70)
    arc = np.hypot(x - 150, y - 140), np.arctan2(y - 140, x - 150)
    light = 1.0 * ((ring > 22) & (ring < 30)) + 1.2 * ((arc[0] > 34) & (arc[0] < 42) & (np.abs(arc[1]) < 1.4))
    light = 8.0 * light / 13.0
    for u, v in ((190, 30), (30, 190), (110, 30)):
        light[v, u] += 60.0
    rng = np.random.default_rng(4)
    data = ndimage.gaussian_filter(light, 1.7) * 2 * np.pi * 1.7**2
    data = 1e-3 * (data + ndimage.gaussian_filter(rng.standard_normal(data.shape), 1.7) * 3.545 * 1.7)
    frame = Frame.pixels_only(data.shape, (2.0, 2.0))
    if celestial:
        cards = {
            "CTYPE1": "RA---SIN",
            "CTYPE2": "DEC--SIN",
            "CRVAL1": 0.02,
            "CRVAL2": 50.0,
            "RADESYS": "ICRS",
        }
        cards |= {"CRPIX1": 110.0, "CRPIX2": 110.0, "CDELT1": -2 / 3600, "CDELT2": 2 / 3600, "CUNIT1": "deg"}
        frame = Frame.from_cards({**cards, "CUNIT2": "deg"}, data.shape)
    return SkyImage.from_array(data.astype(np.float32), frame=frame, beam=Beam(8.0, 8.0, 0.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("found") / "out"
    made = find_products(
        picture(),
        make_finder("full"),
        out,
        name="full",
        formats=("fits", "csv"),
        maps=("labels",),
        report=False,
    )
    return out, made.catalogue


def test_all_that_is_told_is_there(folder):
    out, _ = folder
    names = product_names(
        ("fits", "csv"), ("labels",), report=False, tables=make_finder("full").tables, segments=True
    )
    assert {"spines.fits", "spines.csv", "extended.moc.fits"} < set(names)
    assert {path.name for path in out.iterdir()} == set(names)


def test_outlines_hold_the_pixels_of_their_source(folder):
    out, catalogue = folder
    labels = AstropyTable.read(out / "islands.fits")
    assert len(labels) == len(catalogue.islands)
    sources = catalogue.sources
    extended = np.flatnonzero(sources["structure"] == "E")
    assert len(extended) >= 2
    finding = search(picture(), make_finder("full"), name="full")
    wcs = finding.image.frame.wcs
    painted = finding.mask.paint()
    regions = [each for each in Regions.read(out / "regions.reg") if isinstance(each, PolygonSkyRegion)]
    for row in extended.tolist():
        true = painted == sources["island_id"][row]
        found = np.zeros(true.shape, bool)
        for each in (one for one in regions if one.meta["text"] == sources["name"][row]):
            inside = each.to_pixel(wcs).to_mask(mode="center").to_image(true.shape) > 0
            found = found | inside if each.meta["include"] in (True, "") else found & ~inside
        assert (found & true).sum() > 0.93 * (found | true).sum()


def test_spines_are_a_table_with_places_on_the_sky(folder):
    out, catalogue = folder
    table = AstropyTable.read(out / "spines.fits")
    extended = catalogue.sources["source_id"][catalogue.sources["structure"] == "E"]
    assert set(table["source_id"]) == set(extended.tolist())
    frame = picture().frame
    x, y = frame.to_pixel(np.asarray(table["ra"]), np.asarray(table["dec"]))
    assert np.allclose(x, table["x"], atol=1e-3)
    assert np.allclose(y, table["y"], atol=1e-3)
    for number in extended.tolist():
        mine = table[table["source_id"] == number]
        assert list(mine["point"]) == list(range(len(mine)))
    ring = catalogue.sources["source_id"][np.argmax(catalogue.sources["ringness"])]
    mine = table[table["source_id"] == ring]
    assert np.hypot(mine["x"] - 60, mine["y"] - 70) == pytest.approx(26, abs=2)


def test_the_area_is_that_of_the_pixels(folder):
    out, _ = folder
    finding = search(picture(), make_finder("full"), name="full")
    mask, owner = segments_of(finding)
    assert len(owner) == mask.n_labels
    moc = MOC.from_fits(out / "extended.moc.fits")
    solid = mask.area.sum() * 4 / 3600**2
    assert moc.sky_fraction * 12 * cell_area(0) == pytest.approx(solid, rel=0.05)
    ra, dec = finding.image.frame.to_sky(60.0, np.array([44.0, 70.0, 96.0]))
    assert moc.contains_lonlat(ra * _DEG, dec * _DEG).tolist() == [True, False, True]


def test_cells_do_not_depend_on_how_many_pixels_are_taken_at_once(monkeypatch):
    labels = np.zeros((SIZE, SIZE), np.int32)
    labels[20:60, 30:90], labels[100, 100:140] = 1, 2
    mask, frame = Mask.from_labels(labels), picture().frame
    cells = segment_cells(mask, frame)[1]
    monkeypatch.setattr("skysift.flow.extended._AT_ONCE", 170)
    assert np.array_equal(segment_cells(mask, frame)[1], cells)
    assert len(segment_cells(Mask.empty((5, 5)), frame)[1]) == 0


def test_a_map_without_sky_and_one_without_sources(tmp_path):
    made = find_products(
        picture(celestial=False), make_finder("full"), tmp_path / "a", name="full", maps=(), report=False
    )
    assert (made.catalogue.sources["structure"] == "E").sum() >= 2
    assert MOC.from_fits(tmp_path / "a" / "extended.moc.fits").empty()
    assert "image\npolygon(" in (tmp_path / "a" / "regions.reg").read_text()
    rng = np.random.default_rng(1)
    blank = SkyImage.from_array(
        rng.normal(0, 1e-3, (64, 64)).astype(np.float32), beam=Beam(8, 8), pixel_scale=2
    )
    find_products(blank, make_finder("full"), tmp_path / "b", name="full", maps=(), report=False)
    assert len(AstropyTable.read(tmp_path / "b" / "spines.fits")) == 0
    plain = search(picture(), make_finder("classic"), name="classic")
    assert drawn_sources(plain) is None
    assert len(spine_table(Lines.empty(), plain.image.frame)) == 0


def test_a_source_of_several_segments_has_the_outlines_of_all():
    finding = search(picture(), make_finder("full"), name="full")
    first = finding.spines.owner[0]
    joined = replace(finding, spines=finding.spines.given_to(np.full(len(finding.spines), first)))
    drawn = drawn_sources(joined)
    assert len(finding.segments) >= 2
    assert set(drawn.outlines.owner) == {first}
    assert len(drawn.outlines) == len(drawn_sources(finding).outlines)

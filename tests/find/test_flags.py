"""Each quality bit is set where its meaning says so, and nowhere else."""

import numpy as np
import pytest
from tests import images
from tests.images import RMS, source

from skysift.sky.box import Box, PixelRegion
from skysift.sky.flags import FLAGS, describe, has

PLACE = {"centre": (150.0, 20.0)}


def bits(finding, table: str = "components") -> list[set[str]]:
    """The names of the bits of each row, from left to right in the map."""
    rows = finding.catalogue.table(table)
    return [set(describe(rows.flags[i])) for i in np.argsort(rows.x)]


def test_a_plain_source_has_none():
    finding = images.finding(images.painted((120, 150), source(60, 60, 0.1), **PLACE))
    assert bits(finding) == bits(finding, "sources") == bits(finding, "islands") == [set()]


def test_no_wcs():
    finding = images.finding(images.painted((120, 150), source(60, 60, 0.1)))
    for table in ("components", "sources", "islands"):
        assert bits(finding, table) == [{"no_wcs"}]
        rows = finding.catalogue.table(table)
        assert np.isnan(rows.ra).all()
        assert np.isnan(rows.dec).all()
        assert rows.name[0].startswith("SKYSIFT X60")


def test_edge():
    image = images.painted(
        (120, 160),
        source(40, 1, 0.1),
        source(60, 60, 0.1),
        source(80, 117.5, 0.1),
        source(158.6, 50, 0.1),
        **PLACE,
    )
    assert [("edge" in each) for each in bits(images.finding(image))] == [True, False, True, True]


def test_blank():
    data = images.painted((120, 150), source(40, 60, 0.1), source(100, 60, 0.1)).read()
    data[50:70, 43:60] = np.nan
    found = bits(images.finding(images.image(data, **PLACE)))
    assert "blank" in found[0]
    assert found[1] == set()


def test_infinities_are_blank():
    data = images.painted((120, 150), source(40, 60, 0.1)).read()
    data[62, 42] = np.inf
    assert "blank" in bits(images.finding(images.image(data, **PLACE)))[0]


def test_region_cut():
    image = images.painted(
        (120, 170), source(40, 60, 0.1), source(80, 60, 0.1), source(140, 60, 0.1), **PLACE
    )
    finding = images.finding(image, region=PixelRegion(Box(0, 120, 20, 81)))
    found = bits(finding)
    assert len(found) == 2
    assert found == [set(), {"region_cut"}]


def test_negative(both_signs):
    islands = both_signs.catalogue.islands
    assert len(islands) == 5
    np.testing.assert_array_equal(has(islands.flags, "negative"), islands.flux_int < 0)
    assert has(islands.flags, "negative").sum() == 2


@pytest.mark.parametrize(("width", "told"), [(1.8, True), (2.1, False)])
def test_undersampled(width, told):
    finding = images.finding(
        images.painted((120, 150), source(60, 60, 0.1), beam_px=(width, width, 0.0), **PLACE)
    )
    assert ["undersampled" in each for each in bits(finding)] == [told]
    assert any("undersampled" in note for note in finding.notes) == told


def test_off_sky():
    """A source in the corner of an all-sky map, where there is no sky."""
    shape = (200, 400)
    image = images.painted(
        shape,
        source(200, 100, 0.1),
        source(5, 5, 0.1),
        projection="AIT",
        scale=(3300.0, 3300.0),
        centre=(0.0, 0.0),
    )
    finding = images.finding(image)
    found = bits(finding)
    assert "off_sky" in found[0]
    assert "off_sky" not in found[-1]
    ra = finding.catalogue.components.ra
    assert np.isnan(ra).sum() == 1


def test_spike():
    """A hot pixel is smaller than a point source of its brightness; a point source is not."""
    data = images.painted((120, 150), source(40, 60, 0.1), source(80, 60, 0.006)).read()
    data[30, 110] += 0.1
    found = bits(images.finding(images.image(data, **PLACE)), "islands")
    assert ["spike" in each for each in found] == [False, False, True]


def test_off_island():
    """The centre of a ring lies outside of it."""
    y, x = np.indices((120, 150))
    data = images.painted((120, 150), source(30, 30, 0.1)).read()
    data += np.float32(8 * RMS) * (abs(np.hypot(y - 60, x - 90) - 12) < 2)
    finding = images.finding(images.image(data, **PLACE))
    labels = finding.mask.paint()
    c = finding.catalogue.components
    outside = labels[np.floor(c.y + 0.5).astype(int), np.floor(c.x + 0.5).astype(int)] != c.island_id
    np.testing.assert_array_equal(has(c.flags, "off_island"), outside)
    assert not outside[np.argmin(c.x)]


def test_poor_fit():
    shape = (120, 150)
    y, x = np.indices(shape)
    data = images.painted(shape, source(40, 60, 0.1)).read()
    data += np.float32(30 * RMS) * (abs(np.hypot(x - 110, y - 60) - 20) < 1)
    islands = images.finding(images.image(data, **PLACE)).catalogue.islands
    poor = has(islands.flags, "poor_fit")
    assert not poor[np.argmin(islands.x)]
    assert poor[islands.residual_rms > 3].all()


@pytest.fixture(scope="module")
def giant():
    """A bar wider than 1024 px with a source beyond its end, and one on it."""
    shape = (400, 1200)
    y, x = np.indices(shape)
    bar = (15 * RMS * np.exp(-0.5 * ((y - 200) / 4.0) ** 2) * ((x > 40) & (x < 1120))).astype("f4")
    data = images.painted(shape, source(600, 60, 0.2), source(300, 200, 0.3)).read() + bar
    return images.finding(images.image(data, **PLACE))


def test_giant(giant):
    islands = giant.catalogue.islands
    wide = islands.x_max - islands.x_min + 1 > 1024
    assert wide.sum() == 1
    np.testing.assert_array_equal(has(islands.flags, "giant"), wide)
    flagged = has(giant.catalogue.components.flags, "giant")
    np.testing.assert_array_equal(
        flagged, np.isin(giant.catalogue.components.island_id, islands.island_id[wide])
    )


def test_a_giant_is_one_island_with_all_its_pixels(giant):
    islands = giant.catalogue.islands
    k = int(np.argmax(islands.n_pixels))
    labels = giant.mask.paint()
    pixels = labels == islands.island_id[k]
    data = giant.image.read().astype(float) - giant.read("background", Box.of(giant.image.shape))
    area = giant.image.frame.beam_area_pixels(giant.image.beam)
    assert islands.n_pixels[k] == pixels.sum()
    assert islands.n_beams[k] == pytest.approx(pixels.sum() / area, rel=1e-6)
    assert islands.flux_int[k] == pytest.approx(data[pixels].sum() / area, rel=1e-5)
    assert islands.flux_peak[k] == pytest.approx(data[pixels].max(), rel=1e-5)
    _, x = np.nonzero(pixels)
    assert (islands.x_min[k], islands.x_max[k]) == (x.min(), x.max())
    assert islands.x[k] == pytest.approx((x * data[pixels]).sum() / data[pixels].sum(), rel=1e-4)


def test_the_model_of_a_giant_is_that_of_its_pixels(giant):
    islands = giant.catalogue.islands
    k = int(np.argmax(islands.n_pixels))
    whole = Box.of(giant.image.shape)
    pixels = giant.mask.paint() == islands.island_id[k]
    residual = giant.read("residual", whole)[pixels] / giant.read("rms", whole)[pixels]
    assert np.sqrt((residual**2).mean()) < 3
    assert islands.residual_rms[k] == pytest.approx(np.sqrt((residual**2).mean()), rel=0.1)
    own = giant.catalogue.components.island_id == islands.island_id[k]
    assert giant.catalogue.components.flux_int[own].sum() == pytest.approx(islands.flux_int[k], rel=0.3)


def test_a_source_on_a_giant_is_measured(giant):
    c = giant.catalogue.components
    near = np.hypot(c.x - 300, c.y - 200) < 2
    assert near.any()
    assert c.flux_peak[near].max() == pytest.approx(0.3, rel=0.15)


def test_every_bit_that_is_set_is_declared(found, both_signs, giant):
    known = sum(each.value for each in FLAGS)
    for finding in (found, both_signs, giant):
        for table in ("components", "sources", "islands"):
            assert not (finding.catalogue.table(table).flags & ~known).any()


def test_bits_travel_from_components_to_sources_and_islands(found, giant):
    for finding in (found, giant):
        c = finding.catalogue.components
        for table, key in (("sources", "source_id"), ("islands", "island_id")):
            rows = finding.catalogue.table(table)
            for number, flags in zip(rows[key], rows.flags, strict=True):
                together = np.bitwise_or.reduce(c.flags[c[key] == number])
                assert together & ~flags == 0

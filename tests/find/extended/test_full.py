"""The finders of extended sources, from the map to the catalogue."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from tests import images
from tests.find.extended.extended_skies import AREA, disc, seen, sky
from tests.images import RMS

import skysift
from skysift.base.errors import OptionError, UnknownName
from skysift.data import demo_map
from skysift.find.extended.fluxes import RIM
from skysift.find.extended.nested import crossing
from skysift.find.extended.residual import Residual
from skysift.find.run import find, make_finder, search
from skysift.measure.gaussian import model_in
from skysift.sky.box import Box, PixelRegion
from skysift.sky.detections import Detections
from skysift.sky.flags import has
from skysift.sky.mask import Mask
from skysift.sky.schema import TABLES
from skysift.sky.tiling import Tiling

SIZE = (256, 320)
LENGTHS = ("extent", "largest_angular_size", "width_mean")


def extended(catalogue):
    return catalogue.sources[catalogue.sources["structure"] == "E"]


@pytest.fixture(scope="module")
def image():
    """A disc with a point on top, a ring, a faint disc, and points elsewhere."""
    ring = disc(SIZE, 230, 80, 20) & ~disc(SIZE, 230, 80, 13)
    points = np.concatenate(
        [
            images.source(90.3, 95.2, 60 * RMS),
            images.source(40.0, 200.0, 30 * RMS),
            images.source(290.0, 230.0, 9 * RMS),
        ]
    )
    parts = seen(disc(SIZE, 80, 90, 22), 10.0), seen(ring, 12.0), seen(disc(SIZE, 190, 190, 18), 2.0)
    return sky(SIZE, *parts, points=points, seed=4)


@pytest.fixture(scope="module")
def finding(image):
    return search(image, make_finder("full"), name="full")


def test_compact_and_extended_sources_are_one_catalogue(finding):
    catalogue = finding.catalogue
    assert len(extended(catalogue)) == 3
    assert len(catalogue.components) == 3
    assert len(catalogue.sources) == 6
    assert catalogue.sources["source_id"].tolist() == list(range(1, 7))
    assert catalogue.islands["island_id"].tolist() == list(range(1, len(catalogue.islands) + 1))
    ids = finding.mask.paint(Box.of(SIZE))
    for row in catalogue.sources.to_astropy():
        if row["structure"] == "E":
            inside = ids == row["island_id"]
            assert inside.sum() == pytest.approx(row["n_beams"] * AREA, rel=1e-3)


def test_fluxes_are_those_of_the_sky(finding):
    found = extended(finding.catalogue)
    for x, y, true in (
        (80, 90, 10 * np.pi * 22**2),
        (230, 80, 12 * np.pi * (20**2 - 13**2)),
        (190, 190, 2 * np.pi * 18**2),
    ):
        k = int(np.argmin(np.hypot(found["x"] - x, found["y"] - y)))
        assert found["flux"][k] == pytest.approx(true * RMS / AREA, rel=0.02, abs=4 * found["flux_err"][k])
        assert np.hypot(found["x"][k] - x, found["y"][k] - y) < 4.0


def test_a_point_on_a_disc_is_its_child(finding):
    sources = finding.catalogue.sources
    child = sources[sources["parent_id"] > 0]
    assert len(child) == 1
    assert child["flux"][0] == pytest.approx(60 * RMS, abs=4 * child["flux_err"][0])
    assert child["background"][0] == pytest.approx(10 * RMS, rel=0.3)
    parent = sources[sources["source_id"] == child["parent_id"][0]]
    assert parent["n_children"][0] == 1
    assert parent["island_id"][0] == child["island_id"][0]
    assert (parent["x"][0], parent["y"][0]) == pytest.approx((80, 90), abs=2)


def test_flux_is_conserved_between_parent_child_and_island(finding):
    sources, islands = finding.catalogue.sources, finding.catalogue.islands
    child = sources[sources["parent_id"] > 0]
    parent = sources[sources["source_id"] == child["parent_id"][0]]
    island = islands[islands["island_id"] == parent["island_id"][0]]
    assert island["flux_int"][0] == pytest.approx(parent["flux"][0] + child["flux_int"][0])
    # and the pixels themselves say so: the residual without the child's model, above the local level
    labels = finding.mask.paint(Box.of(SIZE))
    mine = labels == parent["island_id"][0]
    beam = np.sqrt(np.prod(finding.image.frame.beam_pixels(finding.image.beam)))
    away, other = (distance_transform_edt(each) for each in (~mine, mine | (labels == 0)))
    rim = (labels == 0) & (away <= RIM * beam) & (away < other)
    left = finding.read("residual", Box.of(SIZE))[mine | rim].astype(float)
    own = (left - parent["background_local"][0]).sum() / AREA
    assert own == pytest.approx(parent["flux"][0], rel=1e-3)


def test_the_extended_finder_leaves_compact_sources_out(image, finding):
    catalogue = find(image, "extended")
    assert len(extended(catalogue)) == 3
    assert len(catalogue.sources) == 4  # the child stays
    full = extended(finding.catalogue)
    for name in ("flux", "flux_err", "x", "y", "largest_angular_size", "ringness", "reliability"):
        assert np.array_equal(extended(catalogue)[name], full[name], equal_nan=True)


def test_a_ring_is_hollow_and_a_disc_is_not(finding):
    found = extended(finding.catalogue)
    at = {
        name: int(np.argmin(np.hypot(found["x"] - x, found["y"] - y)))
        for name, x, y in (("disc", 80, 90), ("ring", 230, 80))
    }
    assert found["ringness"][at["ring"]] > 0.6 > 0.3 > found["ringness"][at["disc"]]
    assert found["morphology"][at["ring"]] == "ring"


def test_lengths_scatter_from_noise_to_noise_as_their_errors_say():
    """A disc, a faint disc and a ring in eight noises."""
    ring = disc(SIZE, 230, 80, 20) & ~disc(SIZE, 230, 80, 13)
    parts = seen(disc(SIZE, 80, 90, 22), 10.0), seen(ring, 6.0), seen(disc(SIZE, 190, 190, 18), 2.5)
    places, rows = ((80, 90), (230, 80), (190, 190)), []
    for seed in range(8):
        found = extended(find(sky(SIZE, *parts, seed=seed), "extended", join=False))
        at = [int(np.argmin(np.hypot(found["x"] - x, found["y"] - y))) for x, y in places]
        rows.append([[found[f"{name}{end}"][at] for name in LENGTHS] for end in ("", "_err")])
    value, error = np.array(rows).transpose(1, 0, 2, 3)  # (noise, length, source)
    scatter = value.std(axis=0, ddof=1)
    assert 0.4 < np.median(scatter / np.median(error, axis=0)) < 1.7
    assert (scatter < 2.5 * np.median(error, axis=0)).all()


def products(finding):
    whole = Box.of(finding.image.shape)
    tables = {name: finding.catalogue.table(name) for name in TABLES}
    return tables, {name: finding.read(name, whole).tobytes() for name in images.MAPS}, finding.spines


@pytest.mark.parametrize(("tile", "workers"), [(64, 1), (97, 3), (200, 2)])
@pytest.mark.parametrize("method", ["smooth", "wavelet", "smooth+wavelet"])
def test_no_tile_and_no_worker_can_show(image, tile, workers, method):
    finder = make_finder("full", method=method)
    tables, maps, spines = products(search(image, finder))
    again = products(search(image, finder, tile=tile, workers=workers))
    assert again[0] == tables
    assert again[1] == maps
    assert np.array_equal(again[2].x, spines.x)


def test_a_source_larger_than_a_tile_is_one_source():
    size = (420, 420)
    image = sky(size, seen(disc(size, 210, 210, 150) & ~disc(size, 210, 210, 120), 6.0), seed=2)
    found = extended(search(image, make_finder("full"), tile=64).catalogue)
    assert len(found) == 1
    assert found["flux"][0] == pytest.approx(6 * RMS * np.pi * (150**2 - 120**2) / AREA, rel=0.03)
    assert found["extent"][0] == pytest.approx(2 * 2 * 150, rel=0.05)  # pixels of 2 arcsec


def test_what_lies_at_the_border_is_flagged():
    image = sky(SIZE, seen(disc(SIZE, 5, 90, 22), 10.0))
    (flags,) = extended(find(image, "full"))["flags"]
    assert has(np.array([flags]), "edge").all()


def test_a_region_keeps_what_it_meets(image):
    finding = search(image, make_finder("full"), region=PixelRegion(Box(60, 130, 60, 120)))
    found = extended(finding.catalogue)
    assert len(found) == 1
    assert (found["x"][0], found["y"][0]) == pytest.approx((80, 90), abs=2)
    whole = extended(find(image, "full"))
    assert found["flux"][0] == whole["flux"][np.argmin(np.hypot(whole["x"] - 80, whole["y"] - 90))]
    assert has(found["flags"], "region_cut").all()


def test_pulls_of_flux_are_honest():
    """Many faint discs, each with its own noise."""
    size = (512, 512)
    middles = [(x, y) for x in range(50, 500, 82) for y in range(50, 500, 82)]
    shape = sum(disc(size, x, y, 12) for x, y in middles) > 0
    pulls = []
    for seed in range(4):
        found = extended(find(sky(size, seen(shape, 4.0), seed=seed), "extended"))
        true = 4 * RMS * disc(size, 50, 50, 12).sum() / AREA
        assert len(found) == len(middles)
        pulls += ((found["flux"] - true) / found["flux_err"]).tolist()
    assert abs(np.median(pulls)) < 0.6
    assert 0.75 < 1.4826 * np.median(np.abs(np.array(pulls) - np.median(pulls))) < 1.3


def test_noise_gives_nothing():
    flat = sky((400, 400), seed=9)
    assert len(find(flat, "full")) <= 1
    assert len(extended(find(flat, "full"))) == 0


def test_a_segmenter_that_does_not_exist_is_refused(image):
    with pytest.raises(UnknownName, match=r"no such segmenter.*smoth.*smooth"):
        find(image, "extended", method="smoth")
    with pytest.raises(OptionError, match="joined by"):
        make_finder("extended", method="smooth+")
    with pytest.raises(OptionError, match="segment_grow must not exceed"):
        make_finder("extended", segment_grow=6.0)


@pytest.fixture(scope="module")
def demo():
    return skysift.open(demo_map())


def test_both_finders_give_the_same_extended_sources(demo):
    full, alone = (find(demo, name) for name in ("full", "extended"))
    kept = full.sources[(full.sources["structure"] == "E") | (full.sources["parent_id"] > 0)]
    assert len(kept) == len(alone.sources)
    for name in (
        "flux",
        "flux_err",
        "n_parts",
        "join_probability",
        "reliability",
        "x",
        "y",
        "largest_angular_size",
        "extent_err",
    ):
        assert np.array_equal(kept[name], alone.sources[name], equal_nan=True), name
    joined = kept[kept["n_parts"] > 1]
    assert len(joined)
    assert (joined["extent_err"] > 0.0).all()
    assert (joined["extent_err"] < 0.5 * joined["extent"]).all()
    assert np.array_equal(joined["extent_err"], joined["largest_angular_size_err"])
    assert kept["flux"].max() == pytest.approx(
        46.2, rel=0.03
    )  # both lobes of Fornax A, as far as SUMSS sees them


def test_a_cut_on_reliability_changes_nothing_of_what_stays(demo):
    finding, cut = (search(demo, make_finder("full", reliability=level)) for level in (0.0, 0.95))
    every, few = finding.catalogue.sources, cut.catalogue.sources
    kept = every[~(every["reliability"] < 0.95)]
    for name in ("name", "flux", "n_parts", "reliability"):
        assert np.array_equal(kept[name], few[name], equal_nan=name != "name"), name
    assert cut.facts["reliability"]["sources_dropped"] == len(every) - len(few)
    ids = set(few["source_id"].tolist())
    joins = cut.tables["joins"]
    assert set(joins.columns["source_id_1"].tolist()) <= ids
    assert set(joins.columns["source_id_2"].tolist()) <= ids


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        (
            {"widest_scale": 60.0},
            r"widest_scale is too wide.*got '60 beams of 20 pixels'.*51.2 beams at most, 1024 pixels",
        ),
        ({"diffuse_scale": 250.0}, r"diffuse_scale is too wide.*250 beams of 20 pixels"),
        (
            {"diffuse": "yes", "widest_scale": 13.0},
            r"diffuse emission cannot be taken off.*of 20 pixels.*12.8 beams, 256 pixels.*diffuse=no",
        ),
        ({"diffuse_scale": 5.0, "widest_scale": 13.0}, "diffuse emission cannot be taken off"),
        ({"window_margin": 1e4, "method": "saliency"}, "window_margin is too wide"),
        (
            {"smallest_area": 1e9},
            r"smallest_area is larger than the map.*1e\+09 beam areas.*less than 8\.825",
        ),
    ],
)
def test_what_a_map_cannot_hold_is_refused_before_it_is_searched(chosen, told):
    class Unread:
        shape = (50, 80)

        def read(self, box):
            raise AssertionError(box)

    wide = replace(images.image(np.zeros((50, 80), "f4"), (20.0, 20.0, 0.0)), pixels=Unread())
    with pytest.raises(OptionError, match=told) as error:
        search(wide, make_finder("full", **chosen))
    assert "\n" not in str(error.value)


def test_wide_scales_of_few_pixels_are_served():
    quiet = images.painted((90, 100))
    assert not len(find(quiet, "extended", widest_scale=64.0, smallest_area=400.0).sources)
    assert not len(find(quiet, "extended", diffuse_scale=60.0).sources)
    wide = {"widest_scale": 64.0, "diffuse": "yes", "method": "wavelet"}  # which takes nothing off
    assert not len(find(quiet, "extended", **wide).sources)


def test_tiles_that_meet_a_segment_are_those_of_its_box():
    rng = np.random.default_rng(3)
    for tile in (64, 200, 1024):
        tiling = Tiling(Box.of((700, 900)), tile)
        corner = rng.integers(0, (690, 890), (3, 2))
        size = rng.integers(1, 300, (3, 2))
        ends = np.minimum(corner + size, (700, 900))
        boxes = np.stack([corner[:, 0], ends[:, 0], corner[:, 1], ends[:, 1]], axis=1)
        met = [one for one in tiling if any(one.intersect(Box(*each)).size for each in boxes.tolist())]
        assert crossing(tiling, Detections(boxes, np.ones(3))) == met


def test_a_model_is_the_same_for_any_box():
    rng = np.random.default_rng(5)
    n = 200
    rows = np.column_stack([
        rng.uniform(-1, 5, n), rng.uniform(-20, 220, n), rng.uniform(-20, 320, n), rng.uniform(1, 9, n),
        rng.uniform(-0.5, 0.5, n), rng.uniform(1, 30, n),
    ])  # fmt: skip
    quiet = images.painted((300, 200), noise=None)
    residual = Residual(quiet, None, rows, Mask.empty((300, 200)))
    whole = residual.model(Box.of((300, 200)))
    np.testing.assert_array_equal(whole, model_in(Box.of((300, 200)), rows))
    for box in (Box(0, 10, 0, 200), Box(111, 112, 7, 90), Box(250, 300, 150, 200)):
        np.testing.assert_array_equal(residual.model(box), whole[box.slices()])

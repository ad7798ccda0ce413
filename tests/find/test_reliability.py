"""Reliability of sources: the inverted map, strong neighbours, and the cut."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests import skies
from tests.images import RMS, finding, image, painted, source

import skysift
from skysift.base.errors import OptionError
from skysift.base.parallel import ALONE
from skysift.data import demo_map
from skysift.find.extended.runs import overlapping
from skysift.find.finding import Finding
from skysift.find.inverted import inverted_islands, inverted_segments
from skysift.find.run import make_finder, search
from skysift.sky.box import Box, PixelRegion
from skysift.sky.schema import TABLES

SHAPE = (320, 340)
MIDDLE = (170, 160)


def spoiled(n=60, seed=5):
    """A strong source among faint ones, with spots of both signs around it as errors of its sidelobes leave them."""
    rng = np.random.default_rng(seed)
    radius, angle = rng.uniform(25, 80, n), rng.uniform(0, 2 * np.pi, n)
    peak = 300 * RMS / radius * rng.choice([-1, 1], n) * rng.uniform(0.7, 1.5, n)
    spots = [
        source(MIDDLE[0] + r * np.cos(t), MIDDLE[1] + r * np.sin(t), p)
        for r, t, p in zip(radius, angle, peak, strict=True)
    ]
    far = [(x, y) for x, y in rng.uniform(10, 310, (300, 2)) if np.hypot(x - MIDDLE[0], y - MIDDLE[1]) > 105][
        :40
    ]
    faint = [source(x, y, RMS * s) for (x, y), s in zip(far, rng.uniform(7, 60, 40), strict=True)]
    return painted(SHAPE, source(*MIDDLE, 4000 * RMS), *spots, *faint, centre=(60.0, -30.0))


@pytest.fixture(scope="module")
def sky():
    return spoiled()


@pytest.fixture(scope="module")
def rated(sky):
    return finding(sky, reliability=0.0)


def near(found: Finding):
    """Which sources are among the spots."""
    s = found.catalogue.sources
    distance = np.hypot(s["x"] - MIDDLE[0], s["y"] - MIDDLE[1])
    return (distance > 15) & (distance < 90)


def test_artefacts_are_told_from_sources(rated):
    value, spots = rated.catalogue.sources["reliability"], near(rated)
    assert spots.sum() >= 12
    assert np.median(value[spots]) < 0.5
    far = value[~spots & (rated.catalogue.sources["snr"] > 6)]
    assert np.mean(far > 0.95) > 0.9
    assert rated.facts["reliability"]["negative_islands"] > 10
    assert rated.facts["reliability"]["negative_islands_expected"] < 0.1


def test_without_the_option_nothing_is_rated(sky):
    plain = finding(sky)
    assert "reliability" not in plain.catalogue.sources
    assert "reliability" not in plain.facts
    assert "reliability" not in plain.facts["seconds"]


def test_the_column_is_all_that_zero_adds(sky, rated):
    plain = finding(sky).catalogue
    assert plain.components == rated.catalogue.components
    assert plain.islands == rated.catalogue.islands
    np.testing.assert_array_equal(plain.sources["flux"], rated.catalogue.sources["flux"])


@pytest.mark.parametrize("how", [{"tile": 64}, {"workers": 3, "tile": 100}])
def test_tiles_and_workers_play_no_role(sky, rated, how):
    assert finding_with(sky, how) == rated.catalogue


def finding_with(sky, how):
    return search(sky, make_finder("classic", reliability=0.0), **how).catalogue


def test_the_cut_takes_sources_with_all_that_is_theirs(sky, rated):
    cut = finding(sky, reliability=0.95)
    before, after = rated.catalogue, cut.catalogue
    stays = before.sources["reliability"] >= 0.95
    assert 0 < stays.sum() < len(before.sources)
    assert cut.facts["reliability"]["sources_dropped"] == (~stays).sum()
    assert cut.facts["counts"]["sources"] == stays.sum() == len(after.sources)
    for name in ("name", "flux", "x", "reliability"):
        np.testing.assert_array_equal(after.sources[name], before.sources[name][stays])
    for name in TABLES:
        np.testing.assert_array_equal(after.table(name).ids, np.arange(1, len(after.table(name)) + 1))
    assert set(after.components["source_id"]) == set(after.sources.ids)
    assert set(after.components["island_id"]) == set(after.islands.ids)
    assert len(cut.gaussians) == len(after.components)
    np.testing.assert_array_equal(cut.gaussians[:, 1], after.components["x"])
    labels = cut.mask.paint(Box.of(sky.shape))
    assert set(np.unique(labels)) == {0, *after.islands.ids}
    lead = after.islands
    at = np.round(lead["y"]).astype(int), np.round(lead["x"]).astype(int)
    np.testing.assert_array_equal(labels[at], lead.ids)


def test_quiet_maps_are_trusted():
    rng = np.random.default_rng(1)
    rows = [
        source(20 + 30 * i, 20 + 30 * j, RMS * 6 / (1 - rng.uniform(0, 0.95)))
        for i in range(10)
        for j in range(10)
    ]
    found = finding(painted(SHAPE, *rows), reliability=0.0).catalogue.sources
    assert len(found) > 90
    assert np.mean(found["reliability"] > 0.95) > 0.95


def test_negative_sources_have_none_and_stay(sky):
    found = finding(sky, negative=True, reliability=0.99).catalogue.sources
    below = found["flux"] < 0
    assert below.any()
    assert np.isnan(found["reliability"][below]).all()
    assert found["reliability"][~below].min() >= 0.99


def test_an_empty_map_has_an_empty_column():
    found = finding(painted((80, 80)), reliability=0.5).catalogue.sources
    assert len(found) == 0
    assert "reliability" in found


def test_a_joined_source_is_as_reliable_as_its_best_part():
    demo = skysift.open(demo_map())
    parts, whole = (search(demo, make_finder("full", join=join)).catalogue.sources for join in (False, True))
    (fornax_a,) = np.flatnonzero(whole["flux"] == whole["flux"].max())
    assert whole["n_parts"][fornax_a] > 1
    lobes = np.argsort(-parts["flux"])[:2]
    assert whole["reliability"][fornax_a] == parts["reliability"][lobes].max()
    joined = parts["flux"][lobes].sum()
    assert whole["flux"][fornax_a] == pytest.approx(joined, rel=0.05)


def test_a_region_gives_the_rows_of_the_whole(sky):
    part = PixelRegion(Box(0, 320, 250, 340))
    finder = make_finder("classic", reliability=0.0, join=True)
    few = search(sky, finder, region=part)
    every = finding(sky, reliability=0.0, join=True).catalogue.sources
    rows = few.catalogue.sources
    assert 0 < len(rows) < len(every)
    same = every[np.isin(every["name"], rows["name"])]
    for name in ("name", "flux", "reliability", "n_parts"):
        assert np.array_equal(same[name], rows[name], equal_nan=name != "name"), name
    assert few.area == Box(0, 320, 250, 340)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, "sure"])
def test_a_reliability_is_from_zero_to_one(wrong):
    with pytest.raises(OptionError, match="reliability"):
        make_finder("classic", reliability=wrong)


def test_quiet_extended_sources_are_trusted():
    rows = [source(40 + 60 * k, 330, RMS * 30) for k in range(5)]
    sky = painted((360, 360), *rows, source(180, 150, RMS * 4 * 400, 40, 40, 0))
    found = search(sky, make_finder("full"))
    s = found.catalogue.sources
    assert (s["structure"] == "E").sum() == 1
    assert s["reliability"].min() > 0.9
    assert found.facts["reliability"]["negative_segments"] == 0


@pytest.fixture(scope="module")
def bowl():
    """A giant with a point on top, in a hole, with a faint bright rim as missing short baselines leave it."""
    y, x = np.mgrid[:400, :400]
    r = np.hypot(x - 200, y - 200)
    hole = -6.0 * np.exp(-((r - 75) ** 2) / (2 * 12**2)) + 4.0 * np.exp(-((r - 130) ** 2) / (2 * 10**2))
    hole *= 1.0 + 0.5 * np.cos(3 * np.arctan2(y - 200, x - 200))
    giant = 80.0 * np.exp(-(r**2) / (2 * 18**2))
    point = 150.0 * np.exp(-((x - 215) ** 2 + (y - 190) ** 2) / (2 * 1.7**2))
    noise = skies.correlated_noise((400, 400), (4.0, 4.0, 0.0), "convolved", np.random.default_rng(2))
    return image(RMS * (hole + giant + point + noise), centre=(10.0, 5.0))


def test_pieces_at_the_rim_of_a_bowl_are_not_believed(bowl):
    options = {"background": "zero", "join": False}
    found = search(bowl, make_finder("full", **options))
    s = found.catalogue.sources
    r, extended = np.hypot(s["x"] - 200, s["y"] - 200), s["structure"] == "E"
    giant, rim = extended & (r < 30), extended & (r > 60)
    assert giant.sum() == 1
    assert rim.any()
    assert found.facts["reliability"]["negative_segments"] >= 1
    assert s["reliability"][giant][0] > 0.95
    assert s["reliability"][rim].max() < 0.5
    again = search(bowl, make_finder("full", **options), tile=128, workers=2)
    assert again.catalogue == found.catalogue
    cut = search(bowl, make_finder("full", reliability=0.95, **options))
    left = cut.catalogue.sources
    assert len(left) == (s["reliability"] >= 0.95).sum()
    assert (left["structure"] == "E").sum() == len(cut.segments) == len(cut.spines)
    child = left["parent_id"] > 0
    assert child.any()
    assert (left["structure"][left["parent_id"][child] - 1] == "E").all()
    labels = cut.mask.paint(Box.of(bowl.shape))
    assert set(np.unique(labels)) == {0, *cut.catalogue.islands.ids}


def test_the_inverted_map_is_searched_by_the_rules_of_the_map():
    """Discs upside down are the segments of the inverted map, as large, grown as far, with as much flux."""
    y, x = np.mgrid[:260, :300]
    discs = 8.0 * gaussian_filter((np.hypot(x - 80, y - 80) < 20).astype(float), 1.7)
    discs += 12.0 * np.exp(-((x - 200) ** 2 + (y - 180) ** 2) / (2 * 12**2))
    noise = skies.correlated_noise((260, 300), (4.0, 4.0, 0.0), "convolved", np.random.default_rng(4))
    up, down = (image(RMS * (noise + sign * discs), centre=(10.0, 5.0)) for sign in (1, -1))
    finder = make_finder("full", join=False, background="zero")
    found, upset = search(up, finder), search(down, finder)
    assert not (upset.catalogue.sources["structure"] == "E").any()
    assert upset.facts["reliability"]["negative_segments"] == 2
    same = {"scale_noise": found.facts["scale_noise"]}  # the holes themselves widen that of their own map
    upset = replace(upset, facts=upset.facts | same)
    islands, _ = inverted_islands(upset, finder, ALONE)
    holes = inverted_segments(upset, finder, islands, ALONE)
    assert len(holes) == len(found.segments) == 2
    mask = found.mask.select(found.segments)
    assert overlapping(holes.footprints, 2, mask).all()
    assert holes.area[0] == pytest.approx(mask.area[0], rel=0.05)
    assert holes.area[1] == pytest.approx(
        mask.area[1], rel=0.35
    )  # no edge: a little more noise, and it ends early
    stiff, eager = (make_finder("full", join=False, background="zero", dilate=share) for share in (0.0, 1e-3))
    less, more = (inverted_segments(upset, each, islands, ALONE) for each in (stiff, eager))
    assert less.area.sum() <= holes.area.sum() < more.area.sum()


def test_a_lobe_beside_a_hole_of_as_much_flux_is_believed():
    y, x = np.mgrid[:400, :400]

    def spot(u, v, width):
        return np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * width**2))

    lobes = 60.0 * spot(150, 200, 13) + 24.0 * spot(250, 200, 13)
    hole = -25.0 * spot(200, 200, 40) * (1 - np.minimum(spot(150, 200, 26) + spot(250, 200, 26), 1))
    noise = skies.correlated_noise((400, 400), (4.0, 4.0, 0.0), "convolved", np.random.default_rng(2))
    sky = image(RMS * (lobes + hole + noise), centre=(10.0, 5.0))
    found = search(sky, make_finder("full", background="zero", join=False))
    s = found.catalogue.sources
    assert found.facts["reliability"]["negative_segments"] >= 1
    for u in (150, 250):
        near = (s["structure"] == "E") & (np.hypot(s["x"] - u, s["y"] - 200) < 10)
        assert near.sum() == 1
        assert s["reliability"][near][0] > 0.95

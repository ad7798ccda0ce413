"""Sources that are joined: one row, fluxes conserved, reasons in columns, and no tile or worker plays a role."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from tests.images import finding, painted, source

import skysift
from skysift.find.beside import extended
from skysift.find.bridges import Strips
from skysift.find.joining import join_sources
from skysift.find.run import make_finder, search
from skysift.flow.steps.find import find_products
from skysift.sky.flags import flag
from skysift.sky.schema import TABLES

SHAPE = (300, 320)


def field(n=25, seed=3):
    """Faint points away from the middle."""
    rng = np.random.default_rng(seed)
    places = [(x, y) for x, y in rng.uniform(10, 290, (200, 2)) if np.hypot(x - 150, y - 150) > 70][:n]
    return [
        source(x, y, 0.02 * (1 + 10 * u**4)) for (x, y), u in zip(places, rng.uniform(0, 1, n), strict=True)
    ]


def double(bridge=0.0):
    """Two lobes and a core, 36 pixels apart, perhaps with something between them."""
    rows = [source(132, 150, 0.30, 9, 4, 90), source(168, 152, 0.24, 8, 4, 88), source(150, 151, 0.03)]
    return [*rows, source(150, 151, bridge, 24, 3, 90)] if bridge else rows


@pytest.fixture(scope="module")
def sky():
    return painted(SHAPE, *field(), *double(), centre=(180.0, -30.0))


@pytest.fixture(scope="module")
def apart(sky):
    return finding(sky)


@pytest.fixture(scope="module")
def together(sky):
    return finding(sky, join=True)


def lobes(catalogue):
    """Rows of the sources at the double."""
    sources = catalogue.sources
    return np.flatnonzero((np.abs(sources["y"] - 151) < 6) & (np.abs(sources["x"] - 150) < 26))


def test_a_double_of_three_islands_is_one_source(apart, together):
    assert len(lobes(apart.catalogue)) == 3
    (row,) = lobes(together.catalogue)
    one = together.catalogue.sources.select(np.array([row]))
    assert one["n_islands"][0] == one["n_parts"][0] == 3
    assert one["structure"][0] == "M"
    assert one["join_probability"][0] > 0.8
    assert one["join_reason"][0] != ""
    assert one["join_chance"][0] < 0.3
    assert one["join_separation"][0] == pytest.approx(36.1 * 2.0, abs=2.0)
    assert one["join_bend"][0] < 30.0
    assert len(together.catalogue) == len(apart.catalogue) - 2


def test_flux_and_moments_are_those_of_the_parts(apart, together):
    parts = apart.catalogue.sources.select(lobes(apart.catalogue))
    one = together.catalogue.sources.select(lobes(together.catalogue))
    for name in ("flux", "flux_int"):
        assert one[name][0] == pytest.approx(parts[name].sum(), rel=1e-12)
        assert one[f"{name}_err"][0] == pytest.approx(np.sqrt((parts[f"{name}_err"] ** 2).sum()), rel=1e-12)
    weight = parts["flux_int"] / parts["flux_int"].sum()
    assert one["x"][0] == pytest.approx((weight * parts["x"]).sum())
    assert one["flux_peak"][0] == parts["flux_peak"].max()
    # two lobes 72 arcsec apart: the major axis is that of their distance and their own length
    assert one["major"][0] == pytest.approx(2.3548 * np.hypot(36.0, 20.0 / 2.3548), rel=0.08)
    assert one["pa"][0] == pytest.approx(90.0, abs=6.0)
    assert one["pa_err"][0] < 1.0
    assert one["flags"][0] & flag("edge") == 0


def test_other_rows_and_links_stay(apart, together):
    before, after = apart.catalogue, together.catalogue
    assert np.array_equal(after.sources["source_id"], np.arange(1, len(after) + 1))
    same = after.sources.select(after.sources["n_parts"] == 1)
    old = before.sources.select(np.isin(before.sources["name"], same["name"]))
    assert len(old) == len(same)
    for name in before.sources.names:
        if name != "source_id":
            assert np.array_equal(old[name], same[name], equal_nan=old[name].dtype.kind == "f"), name
    assert after.islands["n_sources"].sum() == before.islands["n_sources"].sum()
    row = lobes(after)[0]
    mine = after.components["source_id"] == after.sources["source_id"][row]
    assert mine.sum() == after.sources["n_components"][row]
    assert (after.components["structure"][mine] == "M").all()
    assert np.isin(after.components["source_id"], after.sources["source_id"]).all()


def test_every_pair_that_was_considered_stands_in_a_table(together):
    table = together.tables["joins"]
    mine = table.select(table["joined"])
    assert len(mine) >= 2
    assert (mine["source_id_1"] == mine["source_id_2"]).all()
    apart = table.select(~table["joined"])
    assert (apart["source_id_1"] != apart["source_id_2"]).any()
    logs = sum(table[name] for name in table.names if name.startswith("log_"))
    assert np.allclose(1 / (1 + np.exp(-logs)), table["probability"])
    assert (table["core_id"] > 0).any()
    assert (table["flux_ratio"] <= 1.0).all()
    assert together.facts["joined"] == 1
    assert together.facts["counts"]["sources"] == len(together.catalogue)


def test_neither_tiles_nor_workers_play_a_role(sky, together):
    other = finding(sky, join=True, tile=64, workers=3)
    for name in TABLES:
        assert other.catalogue.table(name) == together.catalogue.table(name)
    for name in together.tables["joins"].names:
        a, b = together.tables["joins"][name], other.tables["joins"][name]
        assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), name


def test_a_bridge_is_seen_and_an_empty_gap_is_not(sky, apart):
    bridged = finding(painted(SHAPE, *field(), *double(0.04)), seed=20.0, grow=12.0)
    empty = finding(painted(SHAPE, *field(), *double()), seed=20.0, grow=12.0)
    sigma = {}
    for name, one in (("bridge", bridged), ("none", empty)):
        rows = lobes(one.catalogue)
        rows = rows[np.argsort(-one.catalogue.sources["flux"][rows])][:2]
        strips = Strips(one.image, one.noise, one.mask, one.catalogue, rows)
        seen = strips(np.array([0]), np.array([1]))
        assert 5 * 2.0 < seen.gap[0] < 36 * 2.0
        sigma[name] = seen.mean[0] / seen.error[0]
    assert sigma["bridge"] > 5.0
    assert abs(sigma["none"]) < 5.0


def test_the_error_of_a_bridge_is_that_of_the_noise():
    places = [(20 + 30 * k, 20 + 28 * j) for k in range(10) for j in range(10)]
    one = finding(painted((300, 320), *(source(x, y, 0.05) for x, y in places), seed=5))
    n = len(one.catalogue)
    rows = np.arange(n)
    x, y = one.catalogue.sources["x"], one.catalogue.sources["y"]
    a, b = np.nonzero((np.abs(y[:, None] - y) < 3) & (np.abs(x[None, :] - x[:, None] - 30) < 3))
    seen = Strips(one.image, one.noise, one.mask, one.catalogue, rows)(a, b)
    pull = seen.mean / seen.error
    assert len(pull) > 60
    assert pull.std() == pytest.approx(1.0, abs=0.3)
    assert abs(pull.mean()) < 0.4


def test_negative_islands_and_nothing_are_left_alone(sky):
    both = finding(sky, join=True, negative=True)
    below = both.catalogue.sources["flux"] < 0
    assert (both.catalogue.sources["n_parts"][below] == 1).all()
    none = finding(painted((80, 80)), join=True)
    assert len(none.catalogue) == 0
    assert len(none.tables["joins"]) == 0
    assert "join_probability" in none.catalogue.sources


def test_a_map_without_sky_is_joined_too():
    one = finding(painted(SHAPE, *field(), *double()), join=True)
    (row,) = lobes(one.catalogue)
    assert one.catalogue.sources["n_islands"][row] == 3


def test_a_catalogue_is_joined_on_its_own(sky, apart, together):
    finder = make_finder("classic")
    whole, table = join_sources(apart.catalogue, sky, apart.noise, apart.mask, finder.options)
    assert whole.sources == together.catalogue.sources
    assert len(table) == len(together.tables["joins"])


def test_the_option_is_off_by_default(sky):
    one = search(sky, make_finder("classic"))
    assert "join_probability" not in one.catalogue.sources
    assert "joins" not in one.tables


def test_the_table_of_pairs_is_a_product(sky, tmp_path):
    made = find_products(
        sky, make_finder("classic", join=True), tmp_path, formats=("fits", "csv"), maps=(), report=True
    )
    assert {"joins.fits", "joins.csv"} <= set(made.manifest.outputs)
    with fits.open(tmp_path / "joins.fits") as file:
        assert file[1].data["joined"].sum() >= 2
        assert file[1].columns["separation"].unit == "arcsec"
    assert skysift.open(tmp_path).sources["n_parts"].max() == 3


def test_extended_sources_are_joined_with_what_lies_on_them():
    lobes = [source(110, 150, 1.2, 30, 14, 85), source(190, 154, 1.0, 28, 14, 90), source(150, 152, 0.03)]
    sky = painted(SHAPE, *field(), *lobes, seed=4)
    apart = search(sky, make_finder("full", join=False)).catalogue
    one = search(sky, make_finder("full"))
    after = one.catalogue.sources
    (row,) = np.flatnonzero(after["n_parts"] > 1)
    assert after["structure"][row] == "E"
    assert after["n_islands"][row] >= 2
    assert after["flux"].sum() == pytest.approx(apart.sources["flux"].sum(), rel=1e-12)
    assert after["parent_id"][row] == 0
    assert np.isin(after["parent_id"][after["parent_id"] > 0], after["source_id"]).all()
    assert np.array_equal(
        after["n_children"], [(after["parent_id"] == number).sum() for number in after["source_id"]]
    )
    assert np.isin(one.spines.owner, after["source_id"]).all()
    counts = [len(apart.islands), len(one.catalogue.islands)]
    assert counts[0] == counts[1]
    assert "joins" in one.tables


def test_a_part_is_significant(sky, apart):
    one = lobes(apart.catalogue)[0]
    sources = apart.catalogue.sources
    for ratio, joined in ((0.5, False), (2.9, False), (3.1, True), (np.nan, True)):
        error = sources["flux_err"].copy()
        error[one] = sources["flux"][one] / ratio
        unsure = replace(apart.catalogue, sources=sources.with_columns({"flux_err": error}))
        whole, table = join_sources(unsure, sky, apart.noise, apart.mask, make_finder("classic").options)
        assert (whole.sources["n_parts"].max() == 3) == joined
        assert (sources["x"][one] in {*table["x_1"], *table["x_2"]}) == joined
        assert whole.sources["flux"].sum() == pytest.approx(sources["flux"].sum(), rel=1e-12)


def test_the_whole_is_of_the_class_of_objects_in_parts_and_artefacts_are_no_parts(sky, apart):
    options = make_finder("classic").options
    rows = lobes(apart.catalogue)
    n = len(apart.catalogue.sources)
    kind, score = np.full(n, "compact", "<U20"), np.full(n, 0.6)
    score[rows] = (0.7, 0.9, 0.8)
    told = extended(apart.catalogue, {"sources": {"class": kind, "score": score, "class_score": score}})
    whole = join_sources(told, sky, apart.noise, apart.mask, options)[0].sources
    (joined,) = np.flatnonzero(whole["n_parts"] > 1)
    assert whole["class"][joined] == "extended-multisland"
    assert whole["score"][joined] == 0.9
    assert np.isnan(whole["class_score"][joined])
    assert (np.delete(whole["class"], joined) == "compact").all()
    flags = apart.catalogue.sources["flags"].copy()
    kind[rows[1]], flags[rows[1]] = "flagged", flags[rows[1]] | flag("edge")
    cut = replace(apart.catalogue, sources=apart.catalogue.sources.with_columns({"flags": flags}))
    whole = join_sources(extended(cut, {"sources": {"class": kind}}), sky, apart.noise, apart.mask, options)[
        0
    ].sources
    assert whole["class"][joined] == "flagged"  # a part that is cut or spoilt is so in the whole
    assert whole["flags"][joined] & flag("edge")
    assert whole["n_parts"][joined] == whole["n_islands"][joined] == 3
    assert (np.delete(whole["class"], joined) == "compact").all()
    kind[rows[0]], kind[rows[1]] = "spurious", "compact"
    told = extended(apart.catalogue, {"sources": {"class": kind}})
    whole, pairs = join_sources(told, sky, apart.noise, apart.mask, options)
    assert apart.catalogue.sources["x"][rows[0]] not in {*pairs["x_1"], *pairs["x_2"]}
    assert (whole.sources["class"] == "spurious").sum() == 1

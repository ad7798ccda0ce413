"""Bias, scatter and pulls of measurements whose errors are known."""

import numpy as np
import pytest
from tests.score import worlds

from skysift.score.fluxes import QUANTITIES, FluxesScorer
from skysift.score.options import FluxesOptions


def score(catalogue, truth, **options):
    return FluxesScorer(FluxesOptions(**options)).score(catalogue, truth)


@pytest.fixture(scope="module")
def world():
    place, truth = worlds.sky(4000, side=4000, low=6)
    return place, truth, worlds.found_in(truth, place)


def test_right_errors_have_pulls_of_width_one_around_nothing(world):
    _, truth, found = world
    numbers = score(found, truth).numbers
    for name in ("ra", "dec", "flux_peak", "flux_int", "flux"):
        assert numbers[f"{name}_pull_width_low"] <= 1.03
        assert numbers[f"{name}_pull_width_high"] >= 0.97
        assert abs(numbers[f"{name}_pull"]) < 0.1
        assert numbers[f"{name}_beyond_5"] == 0.0
    assert numbers["n_pairs"] == numbers["n_matched"]


def test_a_scale_and_an_offset_are_found_again(world):
    _, truth, found = world
    rows = found.sources
    moved = rows.with_columns(
        {
            "flux": rows["flux"] * 1.1,
            "ra": rows["ra"] + 0.5 / 3600 / np.cos(np.radians(rows["dec"])),
            "dec": rows["dec"] - 0.25 / 3600,
            "major": rows["major"] * 1.2,
        }
    )
    numbers = score(worlds.catalogue(sources=moved), truth, bright=20).numbers
    assert numbers["flux_bias"] == pytest.approx(0.1, abs=0.01)
    assert numbers["ra_bias"] == pytest.approx(0.5, abs=0.02)
    assert numbers["dec_bias"] == pytest.approx(-0.25, abs=0.02)
    assert numbers["major_bias"] == pytest.approx(0.2, abs=0.02)
    assert numbers["flux_bias_low"] < numbers["flux_bias"] < numbers["flux_bias_high"]


def test_errors_that_are_half_of_what_they_should_be_are_seen(world):
    _, truth, found = world
    rows = found.sources
    small = worlds.catalogue(sources=rows.with_columns({"flux_err": rows["flux_err"] / 2}))
    assert score(small, truth).numbers["flux_pull_width"] == pytest.approx(2.0, rel=0.06)


def test_bins_are_of_true_signal_to_noise_and_add_up(world):
    _, truth, found = world
    report = score(found, truth)
    assert set(QUANTITIES) <= set(report.tables)
    table = report.tables["flux"]
    assert sum(table["n"]) == report.numbers["n_pairs"]
    assert 5.0 in [pytest.approx(edge) for edge in table["snr_low"]]
    scatter = np.array(table["scatter"])
    assert np.all(np.diff(scatter) < 0)
    assert scatter[1] == pytest.approx(1 / table["snr"][1], rel=0.25)


def test_angles_are_compared_modulo_180_and_only_where_there_are_any():
    place = worlds.frame()
    x = np.arange(50.0, 950.0, 60.0)
    true = worlds.sources(place, x, x, np.full(x.size, 50.0), size=8.0)
    true = true.with_columns({"minor": true["major"] * 0.5, "pa": np.full(x.size, 179.0)})
    found = true.with_columns({"pa": np.full(x.size, 1.5), "pa_err": np.full(x.size, 2.5)})
    numbers = score(worlds.catalogue(sources=found), worlds.truth_of(true, place)).numbers
    assert numbers["pa_bias"] == pytest.approx(2.5)
    assert numbers["pa_pull"] == pytest.approx(1.0)
    none = score(worlds.catalogue(sources=found), worlds.truth_of(true, place), round_above=0.3).numbers
    assert none["pa_n_with_error"] == 0
    assert np.isnan(none["pa_bias"])


def test_blends_are_left_out_and_counted():
    place = worlds.frame()
    true = worlds.sources(place, [100, 101, 300], [100, 100, 300], [50, 50, 50])
    found = worlds.sources(place, [100.5, 300], [100, 300], [95, 50])
    numbers = score(worlds.catalogue(sources=found), worlds.truth_of(true, place)).numbers
    assert numbers["n_pairs"] == 1
    assert numbers["n_pairs_of_merged"] == 1


def test_nothing_matched_is_told_as_unknown():
    place, truth = worlds.sky(10)
    report = score(worlds.catalogue(sources=truth.sources[:0]), truth)
    assert report.numbers["n_pairs"] == 0
    assert np.isnan(report.numbers["flux_bias"])
    assert report.tables["flux"]["n"] == [0]
    assert place.celestial


def test_a_scatter_of_few_is_not_told(world):
    _, truth, found = world
    few = worlds.catalogue(sources=found.sources.select(np.argsort(-found.sources["snr"])[:4]))
    report = score(few, truth)
    assert np.isfinite(report.numbers["flux_bias"])
    assert np.isnan([report.numbers[f"flux_{name}"] for name in ("scatter", "pull", "pull_width")]).all()
    table = score(found, truth).tables["flux"]
    for name in ("scatter", "pull", "pull_width"):
        assert (np.isfinite(table[name]) == (np.array(table["n"]) >= 5)).all()

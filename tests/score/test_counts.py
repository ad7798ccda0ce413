"""Completeness and reliability of catalogues whose making is known; counts and the area that a map can see."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from scipy.stats import norm
from tests.score import worlds

import skysift
from skysift.base.errors import UsageError
from skysift.base.provenance import Provenance
from skysift.io.tables import FitsFormat
from skysift.score.counts import CountsScorer, log_edges, share_table, snr_reached
from skysift.score.options import CountsOptions
from skysift.score.visibility import NoiseMap, source_counts


def score(catalogue, truth, **options):
    return CountsScorer(CountsOptions(**options)).score(catalogue, truth)


@pytest.fixture(scope="module")
def world():
    place, truth = worlds.sky(8000, side=6000, low=3, classes=("compact", "extended"))
    return truth, worlds.found_in(truth, place, n_false=400)


def test_completeness_follows_the_noise_on_the_threshold(world):
    truth, catalogue = world
    table = score(catalogue, truth).tables["completeness_snr"]
    low, high = np.array(table["completeness_low"]), np.array(table["completeness_high"])
    snr = truth.sources["snr"]
    expected = [
        np.mean(norm.cdf(snr[(snr >= a) & (snr < b)] - 5))
        for a, b in zip(table["snr_low"], table["snr_high"], strict=True)
    ]
    assert np.mean((low - 0.005 <= expected) & (expected <= high + 0.005)) > 0.85
    assert score(catalogue, truth).numbers["snr_at_50"] == pytest.approx(5.0, abs=0.35)


def test_reliability_counts_what_is_false(world):
    truth, catalogue = world
    report = score(catalogue, truth)
    n_false = report.numbers["n_false"] + report.numbers["n_duplicate"] + report.numbers["n_other_flux"]
    assert n_false == pytest.approx(400, abs=12)  # a few fall on a truth by chance
    assert report.numbers["reliability"] == pytest.approx(1 - n_false / len(catalogue))
    assert (
        report.numbers["reliability_low"] < report.numbers["reliability"] < report.numbers["reliability_high"]
    )
    table = report.tables["reliability_snr"]
    assert sum(table["n"]) == len(catalogue)
    assert sum(table["n_good"]) == report.numbers["n_matched"]
    assert table["snr_low"][0] == 5.0
    assert table["reliability"][-1] == 1.0


def test_a_truth_against_itself_is_complete_and_reliable(world):
    truth, _ = world
    report = score(truth.catalogue, truth)
    assert report.numbers["completeness"] == report.numbers["reliability"] == 1.0
    assert {*report.tables["completeness_class"]["completeness"]} == {1.0}


def test_classes_sizes_and_the_field_are_told(world):
    truth, catalogue = world
    report = score(catalogue, truth, grid=4)
    by_class = report.tables["completeness_class"]
    assert by_class["class"] == ["compact", "extended"]
    assert sum(by_class["n"]) == int(np.sum(truth.sources["snr"] >= 5))
    field = report.tables["map"]
    assert len(field["n"]) == 16
    assert sum(field["n"]) == sum(by_class["n"])
    assert field["x_low"][0] == field["y_low"][0] == -0.5
    assert field["x_high"][-1] == 5999.5
    assert report.numbers["area"] == pytest.approx((6000 * worlds.SCALE / 3600) ** 2, rel=1e-6)


def test_corrected_counts_are_the_true_ones(world):
    truth, catalogue = world
    table = {
        name: np.array(values, float)
        for name, values in score(catalogue, truth).tables["source_counts"].items()
    }
    some = np.isfinite(table["corrected"]) & (table["n"] > 0)
    assert some.sum() > 8
    assert table["corrected"][some] == pytest.approx(table["true"][some], rel=1e-9)
    assert np.all(table["corrected_low"][some] <= table["corrected"][some])
    assert np.all(table["corrected_high"][some] >= table["corrected"][some])
    parts = table["reliability"] * table["eddington"] * table["resolution"] / table["completeness"]
    assert table["factor"][some] == pytest.approx(parts[some])


def test_counts_of_a_real_catalogue_are_corrected_by_injection():
    rng = np.random.default_rng(8)
    sigma, k, area = 1e-4, 40.0, 30.0
    edges = np.geomspace(3e-4, 3e-2, 9)

    def drawn(n):
        """True and measured fluxes of a Euclidean sky, and which exceed 5 sigma."""
        true = 1e-4 * rng.random(n) ** (-1 / 1.5)
        measured = true + rng.normal(0.0, sigma, n)
        return true, measured, measured > 5 * sigma

    number = int(k / 1.5 * 1e-4**-1.5 * area * (np.pi / 180) ** 2)
    injected, measured, seen = drawn(4 * number)
    _, real, kept = drawn(number)
    yes = np.ones(injected.size, bool)
    counts = source_counts(edges, area, measured[seen], yes[seen], injected, seen, yes, real[kept])
    table = {name: np.array(values) for name, values in counts.table().items()}
    full = table["n"] > 0
    there = k / 1.5 * (edges[:-1] ** -1.5 - edges[1:] ** -1.5) / np.diff(edges) * table["flux"] ** 2.5
    inside = (table["corrected_low"] <= there) & (there <= table["corrected_high"])
    raw = (table["euclidean_low"] <= there) & (there <= table["euclidean_high"])
    assert full.sum() > 6
    assert np.all(inside[full])
    assert not raw[full][0]  # the faintest bin is the one that needs it
    assert np.isnan(table["true"]).all()


def test_counts_of_another_catalogue_are_told(world, tmp_path):
    truth, catalogue = world
    FitsFormat().write(catalogue, tmp_path / "other")
    report = score(catalogue, truth, counts_of=str(tmp_path / "other"))
    assert sum(report.tables["source_counts"]["n"]) == report.numbers["n_found"]
    assert set(report.tables["source_counts"]["reliability"]) == {1.0}
    assert "not for false rows" in report.rule
    with pytest.raises(UsageError, match="not there"):
        score(catalogue, truth, counts_of=str(tmp_path / "none"))


def test_euclidean_counts_of_a_euclidean_sky_are_flat():
    rng = np.random.default_rng(4)
    area, k = 3.0, 50.0  # square degrees, Jy^1.5 / sr
    low, high = 1e-4, 1e-1
    number = k / 1.5 * (low**-1.5 - high**-1.5) * area * (np.pi / 180) ** 2
    n = rng.poisson(number)
    flux = (low**-1.5 - rng.random(n) * (low**-1.5 - high**-1.5)) ** (-1 / 1.5)
    edges = np.geomspace(low, high, 31)
    yes = np.ones(n, bool)
    table = source_counts(edges, area, flux, yes, flux, yes, yes).table()
    inside = [a <= k <= b for a, b in zip(table["euclidean_low"], table["euclidean_high"], strict=True)]
    assert n > 1000
    assert np.mean(inside) > 0.8
    assert table["factor"][0] == 1.0


@pytest.fixture
def noise(tmp_path):
    """A map of the noise whose halves are 1 and 2 times the rms, and whose last rows were not searched."""
    place = worlds.frame(200)
    rms = np.full((200, 200), worlds.RMS, dtype=np.float32)
    rms[:, 100:] *= 2
    rms[160:] = np.nan
    header = fits.Header(
        dict(place.cards) | {"BMAJ": 6 / 3600, "BMIN": 6 / 3600, "BPA": 0.0, "BUNIT": "Jy/beam"}
    )
    fits.writeto(tmp_path / "rms.fits", rms, header)
    return place, str(tmp_path / "rms.fits")


def test_the_visibility_area_is_that_of_the_quieter_pixels(noise):
    _, path = noise
    found = NoiseMap.open(path)
    pixel = (worlds.SCALE / 3600) ** 2
    assert found.area == pytest.approx(160 * 200 * pixel, rel=1e-6)
    peaks = worlds.RMS * np.array([4.9, 5.1, 9.9, 10.1, np.nan])
    assert found.visible(peaks, 5.0)[:4] == pytest.approx(
        np.array([0, 1, 1, 2]) * 160 * 100 * pixel, rel=1e-6
    )
    assert np.isnan(found.visible(peaks, 5.0)[4])


def test_what_was_not_searched_counts_neither_way(noise):
    place, path = noise
    true = worlds.sources(place, [20, 120, 20], [20, 20, 180], [20, 20, 20])
    truth = worlds.truth_of(true, place)
    report = score(truth.catalogue, truth, rms_map=path)
    assert report.numbers["n_truth"] == 2
    assert report.numbers["n_truth_outside"] == report.numbers["n_outside"] == 1
    share = report.tables["visibility"]["share"]
    assert share[0] == pytest.approx(0.5)
    assert share[-1] == pytest.approx(1.0)


def test_the_noise_map_tells_the_signal_to_noise_of_lists(noise):
    place, path = noise
    true = worlds.sources(place, [20, 120], [20, 20], [3, 3])
    bare = true.with_columns({name: [np.nan, np.nan] for name in ("snr", "rms", "flux_peak")})
    truth = skysift.score(
        worlds.catalogue(sources=true), worlds.catalogue(sources=bare), rms_map=path, beam=6.0
    )
    assert truth.numbers["n_truth"] == 1  # the other is of 1.5 sigma
    assert truth.numbers["n_truth_faint"] == 1


def test_edges_hold_their_values_and_the_anchor():
    edges = log_edges(np.array([3.1, 4.9, 5.0, 400.0, np.nan, -1.0]), 5, 1.0, 5.0)
    assert edges[0] <= 3.1
    assert edges[-1] > 400
    assert np.min(np.abs(edges - 5.0)) < 1e-12
    assert len(log_edges(np.array([]), 5)) == 2


def test_shares_of_empty_bins_are_unknown():
    table = share_table(
        "x",
        np.array([1.0, 2.0]),
        np.array([0.0, 1.5, 3.0, 4.0]),
        np.ones(2, bool),
        np.array([True, False]),
        "share",
    )
    assert table["n"] == [1, 1, 0]
    assert table["share"][:2] == [1.0, 0.0]
    assert np.isnan(table["share"][2])


def of_simulator(truth, name, **options):
    told = Provenance("0.1.0", name, options, kind="simulator")
    return replace(truth, catalogue=replace(truth.catalogue, provenance=told))


def test_what_was_injected_tells_no_reliability(world):
    truth, catalogue = world
    report = score(catalogue, of_simulator(truth, "inject"))
    assert np.isnan([report.numbers[name] for name in ("reliability", "reliability_bright_high")]).all()
    assert not [name for name in report.tables if name.startswith("reliability")]
    assert report.numbers["completeness"] == score(catalogue, truth).numbers["completeness"]
    (note,) = report.notes
    assert "only what was injected" in note


def test_emission_that_is_no_object_is_told(world):
    truth, catalogue = world
    (note,) = score(catalogue, of_simulator(truth, "galactic", diffuse=1e-4)).notes
    assert "diffuse emission" in note
    assert score(catalogue, of_simulator(truth, "galactic", diffuse=0.0)).notes == ()


def test_few_bright_truths_do_not_move_the_snr_that_is_complete():
    def reached(n, good, part=0.9):
        return snr_reached({"snr": 10.0 ** np.arange(len(n)), "n": n, "n_good": good}, part)

    assert reached([100, 100, 100], [0, 100, 100]) == pytest.approx(10**0.9)
    assert reached([100, 100, 100, 1, 0, 2], [0, 100, 100, 0, 0, 1]) == pytest.approx(10**0.9, rel=0.05)
    assert np.isnan(reached([100, 100], [0, 80]))  # never
    assert np.isnan(reached([100, 100], [95, 100]))  # everywhere
    assert np.isnan(reached([4, 4], [0, 4]))  # too few to say
    assert np.isnan(reached([], []))
    assert reached([5, 5, 5, 5], [0, 0, 5, 5], 0.5) == pytest.approx(10**1.5)

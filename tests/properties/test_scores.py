"""What holds for scores of any sky."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.score import worlds

from skysift.score.classes import ClassesScorer
from skysift.score.counts import CountsScorer
from skysift.score.fluxes import FluxesScorer
from skysift.score.options import ClassesOptions, CountsOptions, FluxesOptions
from skysift.sky.truth import Truth

CLASSES = ("compact", "extended")
seeds = st.integers(0, 10_000)
quick = settings(max_examples=8, deadline=None)


def world(seed, n, *, apart, low=2.5):
    place, truth = worlds.sky(n, seed=seed, side=400, low=low, apart=apart, classes=CLASSES)
    return place, Truth(truth.catalogue, frame=place, beam=worlds.BEAM)


def scorers():
    return CountsScorer(CountsOptions()), FluxesScorer(FluxesOptions()), ClassesScorer(ClassesOptions())


@quick
@given(seeds, st.integers(1, 150), st.booleans())
def test_a_truth_against_itself_is_complete_and_reliable(seed, n, apart):
    _, truth = world(seed, n, apart=apart)
    numbers = CountsScorer(CountsOptions()).score(truth.catalogue, truth).numbers
    assert numbers["completeness"] == 1.0
    assert numbers["reliability"] == 1.0


@quick
@given(seeds, st.integers(1, 100), st.sampled_from([(5.0, 0.0), (0.0, 3.0), (180.0, 0.0)]))
def test_what_is_moved_far_away_matches_nothing(seed, n, far):
    place, truth = world(seed, n, apart=False, low=6.0)
    found = worlds.found_in(truth, place, seed).sources
    moved = found.with_columns({"ra": (found["ra"] + far[0]) % 360, "dec": found["dec"] + far[1]})
    known = Truth(truth.catalogue, beam=worlds.BEAM)  # without a map everything counts
    numbers = CountsScorer(CountsOptions()).score(worlds.catalogue(sources=moved), known).numbers
    assert numbers["completeness"] == 0.0
    assert numbers["n_matched"] == 0
    assert numbers["reliability"] == 0.0 or not len(moved)


@quick
@given(seeds, st.booleans())
def test_the_order_of_rows_changes_no_number(seed, apart):
    place, truth = world(seed, 120, apart=apart)
    found = worlds.found_in(truth, place, seed, n_false=10, classes=CLASSES)
    rng = np.random.default_rng(seed)
    other = Truth(
        worlds.catalogue(sources=truth.sources[rng.permutation(120)]), frame=place, beam=worlds.BEAM
    )
    mixed = worlds.catalogue(sources=found.sources[rng.permutation(len(found))])
    for scorer in scorers():
        first, second = scorer.score(found, truth).numbers, scorer.score(mixed, other).numbers
        assert first.keys() == second.keys()
        for name, value in first.items():
            assert second[name] == pytest.approx(value, rel=1e-6, abs=1e-9, nan_ok=True), name


@quick
@given(seeds, st.integers(0, 40))
def test_false_rows_lower_reliability_and_never_completeness(seed, n_false):
    place, truth = world(seed, 80, apart=True, low=20.0)
    found = worlds.found_in(truth, place, seed)
    far = worlds.found_in(truth, place, seed, n_false=n_false)
    scorer = CountsScorer(CountsOptions())
    clean, spoiled = scorer.score(found, truth).numbers, scorer.score(far, truth).numbers
    assert spoiled["completeness"] >= clean["completeness"]
    assert spoiled["reliability"] <= clean["reliability"]


@quick
@given(seeds, st.floats(0.6, 1.8), st.floats(0.1, 359.9))
def test_every_row_is_counted_once(seed, scale, turn):
    place, truth = world(seed, 100, apart=False)
    found = worlds.found_in(truth, place, seed, n_false=15).sources
    found = found.with_columns({"flux": found["flux"] * scale, "ra": (found["ra"] + turn / 3600) % 360})
    report = CountsScorer(CountsOptions()).score(worlds.catalogue(sources=found), truth)
    assert sum(report.tables["found_rows"]["n"]) == len(found) == report.numbers["n_found"]
    n = report.numbers
    assert n["n_truth"] + n["n_truth_faint"] + n["n_truth_merged"] + n["n_truth_outside"] == 100
    assert n["n_detected"] <= n["n_truth"]
    assert 0 <= n["completeness"] <= 1
    assert not math.isinf(n["chance_rate"])

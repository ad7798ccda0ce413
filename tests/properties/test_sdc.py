"""What holds of the scores of the data challenges whatever the lists are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import sdc_cases

from skysift.score.sdc1 import score_sdc1
from skysift.score.sdc2 import score_sdc2

FREQUENCIES = st.sampled_from([560, 1400, 9200])
SEEDS = st.integers(1, 5000)
SIZES = st.integers(1, 120)


def lists(challenge, seed, n, frequency):
    """Truth and detections, crowded or sparse by the seed."""
    if challenge == 1:
        true = sdc_cases.sdc1_truth(seed, n, frequency, (0.01, 0.1, 1.0)[seed % 3])
        return sdc_cases.sdc1_found(seed + 1, true, frequency, 1.5), true
    true = sdc_cases.sdc2_truth(seed, n, (0.01, 0.1, 1.0)[seed % 3])
    return sdc_cases.sdc2_found(seed + 1, true), true


def score(challenge, found, true, frequency):
    return score_sdc1(found, true, frequency, whole=True) if challenge == 1 else score_sdc2(found, true)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([1, 2]), SEEDS, SIZES, FREQUENCIES, SEEDS)
def test_the_order_of_the_rows_does_not_matter(challenge, seed, n, frequency, order):
    found, true = lists(challenge, seed, n, frequency)
    rng = np.random.default_rng(order)
    mixed = [sdc_cases.rows(each, rng.permutation(len(each["id"]))) for each in (found, true)]
    here, there = score(challenge, found, true, frequency), score(challenge, *mixed, frequency)
    assert there.value == pytest.approx(here.value, abs=1e-9)
    assert (there.n_det, there.n_match, there.n_bad) == (here.n_det, here.n_match, here.n_bad)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([1, 2]), SEEDS, SIZES, FREQUENCIES)
def test_a_score_is_no_more_than_the_matches_and_no_less_than_the_false(challenge, seed, n, frequency):
    found, true = lists(challenge, seed, n, frequency)
    result = score(challenge, found, true, frequency)
    if result.n_match or challenge == 2:
        assert -result.n_false - 1e-9 <= result.value <= result.n_match - result.n_false + 1e-9
    else:
        assert result.value == 0
    assert result.n_match + result.n_false == result.n_det == len(found["id"])
    assert result.n_match + result.n_bad <= result.n_det
    assert len(np.unique(result.matches.left)) == result.n_match
    if challenge == 1:
        assert len(np.unique(result.matches.right)) == result.n_match
    for values in result.terms.values():
        assert np.all((values >= 0) & (values <= 1))


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([1, 2]), SEEDS, SIZES, FREQUENCIES)
def test_a_truth_earns_all_of_itself(challenge, seed, n, frequency):
    _, true = lists(challenge, seed, n, frequency)
    result = score(challenge, true, true, frequency)
    assert result.n_match == n
    assert result.value == pytest.approx(n)


@settings(max_examples=20, deadline=None)
@given(SEEDS, SIZES, FREQUENCIES, st.floats(0.01, 100.0))
def test_a_factor_on_all_fluxes_does_not_matter(seed, n, frequency, factor):
    found, true = lists(1, seed, n, frequency)
    scaled = [sdc_cases.changed(each, flux=lambda old: factor * old) for each in (found, true)]
    here, there = score(1, found, true, frequency), score(1, *scaled, frequency)
    assert there.value == pytest.approx(here.value, abs=1e-6)

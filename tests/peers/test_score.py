"""The scoring of the comparison with other finders, on hand-made lists."""

import numpy as np
import pytest
from bench.peers import score
from bench.peers.fields import Field
from bench.peers.theory import expected_islands
from tests.skies import TRUTH, correlated_noise


def truth_of(*rows):
    """Round sources of FWHM 4 px at (x, y, snr)."""
    t = np.zeros(len(rows), TRUTH)
    t["x"], t["y"], t["snr"] = np.array(rows, float).T
    t["maj"] = t["min"] = 4
    t["kind"] = "point"
    return t


def test_the_nearest_pair_is_matched_first_and_once():
    t = truth_of((10, 10, 9), (12, 10, 9))
    x, y = np.array([11.2, 11.9, 40.0]), np.array([10.0, 10.0, 40.0])
    pairs = score.candidate_pairs(t, x, y)
    everything = np.ones(3, bool)
    assert list(score.one_to_one(pairs, 2, everything)) == [0, 1]
    assert list(score.one_to_one(pairs, 2, np.array([True, False, True]))) == [-1, 0]
    assert list(score.false_entries(t, x, y)) == [False, False, True]


def test_a_disc_answers_for_its_whole_face():
    t = truth_of((50, 50, 20))
    t["kind"], t["dmaj"], t["maj"], t["min"] = "disc", 20, 12.4, 12.4
    x, y = np.array([59.0, 70.0]), np.array([50.0, 50.0])
    assert list(score.false_entries(t, x, y)) == [False, True]


def test_isolated_is_three_beams_and_more_beside_large_sources():
    t = truth_of((0, 0, 9), (11.9, 0, 9), (100, 0, 9), (112.1, 0, 9), (112.1, 5, 0.5))
    assert list(score.isolated(t)) == [False, False, True, True, False]
    t["maj"][3] = t["min"][3] = 8
    assert not score.isolated(t)[2]


def test_paired_difference_counts_the_sources_that_only_one_found():
    ours = np.array([True] * 90 + [False] * 10)
    theirs = np.array([True] * 80 + [False] * 20)
    d = score.paired(ours, theirs)
    assert (d.ours, d.theirs) == (0.9, 0.8)
    assert 0.04 < d.lower < d.value
    same = score.paired(ours, ours)
    assert -0.03 < same.lower < 0 == same.value


def test_pulls_of_a_unit_gaussian_are_one_and_missing_errors_are_beyond():
    p = score.pull(np.random.default_rng(1).standard_normal(20000))
    assert p.width == pytest.approx(1, abs=0.03)
    assert p.median == pytest.approx(0, abs=0.03)
    assert p.beyond < 1e-3
    assert score.pull(np.array([0.0, np.nan])).beyond == 0.5


@pytest.mark.parametrize("noise", ["convolved", "beam"])
def test_expected_islands_are_those_of_drawn_noise(noise):
    from scipy.ndimage import label

    field = Field("elliptical", noise, "noise", 1, 512)
    expected = expected_islands(field, 3.5, draws=20000)
    rng = np.random.default_rng(3)
    maps = (correlated_noise((512, 512), field.beam_px, noise, rng) for _ in range(12))
    counted = sum(label(m > 3.5, np.ones((3, 3)))[1] for m in maps)
    assert abs(counted - 12 * expected) < 4 * np.sqrt(12 * expected)

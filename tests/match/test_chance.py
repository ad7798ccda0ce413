"""The number of false matches that shifted copies tell is that which there are."""

import numpy as np
import pytest
from tests.match.made import seen, sky

import skysift
from skysift.match.chance import shifted
from skysift.match.sky import separation


@pytest.mark.parametrize("kind", ["nearest", "one-to-one", "ellipse", "likelihood"])
def test_false_matches_are_counted(kind):
    told, true = [], []
    for seed in range(6):
        truth = sky(1000, seed=20 + seed)
        left, who = seen("A", truth, 50 + seed, own=1000)
        right, other = seen("B", truth, 80 + seed, own=6000)
        match = skysift.match(left, right, kind=kind, radius=5.0)
        both = (match["row_1"] >= 0) & (match["row_2"] >= 0)
        a, b = who[match["row_1"][both]], other[match["row_2"][both]]
        true.append(np.sum((a != b) | (a < 0)))
        chance = match.joins[0].chance
        told.append((chance.false, chance.false_err))
        assert chance.rate == pytest.approx(chance.false / both.sum())
    false, errors = np.array(told).T
    assert np.sum(false) == pytest.approx(np.sum(true), abs=0.1 * np.sum(true) + 2 * np.sqrt(np.sum(true)))
    assert np.all(np.abs(false - true) < 4.5 * errors)


def test_rows_are_shifted_into_the_annulus():
    left, _ = seen("A", sky(3000, dec=-80.0), 2)
    moved = shifted(left, 20.0, 60.0, 1, "a")
    far = separation(left.ra, left.dec, moved.ra, moved.dec)
    assert 20 <= far.min() < far.max() <= 60 + 1e-9
    assert np.mean(far**2) == pytest.approx((20**2 + 60**2) / 2, rel=0.03)  # evenly over its area
    again, other = shifted(left, 20.0, 60.0, 1, "a"), shifted(left, 20.0, 60.0, 2, "a")
    assert np.array_equal(moved.ra, again.ra)
    assert not np.array_equal(moved.ra, other.ra)


def test_no_trials_tell_nothing():
    left, _ = seen("A", sky(50), 2)
    match = skysift.match(left, left, trials=0)
    assert match.joins[0].chance.trials == 0
    assert np.isnan(match.joins[0].chance.rate)


def test_an_empty_sky_has_no_false_matches():
    left, _ = seen("A", sky(200), 2)
    right, _ = seen("B", sky(200), 3)
    chance = skysift.match(left, right, radius=3.0).joins[0].chance
    assert chance.false == pytest.approx(0.0, abs=0.5)
    assert 0 <= chance.false_err < 1

"""Likelihood ratios: the share with a counterpart, honest reliabilities, what flux adds."""

from dataclasses import replace

import numpy as np
import pytest
from tests.match.made import seen, sky

import skysift
from skysift.match.entries import Entries


@pytest.fixture(scope="module")
def crowded():
    """Two catalogues with half of the sources in common and a crowd of others about: (match, rows true)."""
    truth = sky(1500, seed=5)
    left, who = seen("A", truth, 6, keep=0.9, own=200, sigma=1.5)
    right, other = seen("B", truth, 7, keep=0.6, own=6000, sigma=1.0)
    return left, who, right, other


def test_q_is_the_share_that_has_a_counterpart(crowded):
    left, who, right, other = crowded
    match = skysift.match(left, right, kind="likelihood")
    share = np.isin(who, other[other >= 0]).mean()
    assert match.joins[0].facts["q"] == pytest.approx(share, abs=0.04)


def test_reliabilities_are_honest(crowded):
    left, who, right, other = crowded
    candidates = skysift.match(left, right, kind="likelihood").candidates
    a = who[candidates["match_id"] - 1]
    true = (a >= 0) & (a == other[candidates["row"]])
    probability = candidates["probability"]
    for low, high in ((0.0, 0.1), (0.1, 0.4), (0.4, 0.7), (0.7, 0.9), (0.9, 0.97)):
        inside = (probability >= low) & (probability < high)
        assert inside.sum() > 20
        error = np.sqrt(np.mean(probability[inside] * (1 - probability[inside])) / inside.sum())
        assert true[inside].mean() == pytest.approx(probability[inside].mean(), abs=4 * error + 0.01)


def test_reliabilities_of_a_row_leave_room_for_none(crowded):
    left, _, right, _ = crowded
    candidates = skysift.match(left, right, kind="likelihood").candidates
    total = np.bincount(candidates["match_id"], weights=candidates["probability"])
    assert total.max() < 1


def test_chosen_are_reliable_and_no_row_comes_twice(crowded):
    left, _, right, _ = crowded
    match = skysift.match(left, right, kind="likelihood", reliability=0.8)
    both = (match["row_1"] >= 0) & (match["row_2"] >= 0)
    assert match["probability_2"][both].min() >= 0.8
    for side in ("row_1", "row_2"):
        assert len(set(match[side][both].tolist())) == both.sum()


def test_flux_tells_counterparts_from_a_faint_crowd():
    truth = sky(2000, seed=8)
    left, who = seen("A", truth, 9, sigma=2.0)
    right, other = seen("B", truth, 10, keep=0.5, own=8000, sigma=2.0)
    faint = np.where(other < 0, 1e-5, right.flux)
    crowd = Entries.from_columns(
        "B", right.ra, right.dec, ra_err=2.0, dec_err=2.0, flux=faint, frequency=1.4e9, major=10.0, minor=8.0
    )
    share = {}
    for prior in ("none", "flux"):
        match = skysift.match(left, crowd, kind="likelihood", prior=prior, trials=0)
        both = (match["row_1"] >= 0) & (match["row_2"] >= 0)
        a, b = who[match["row_1"][both]], other[match["row_2"][both]]
        share[prior] = (np.sum(a == b), np.mean(a == b))
    assert share["flux"][0] > share["none"][0]
    assert share["flux"][1] > 0.98 > share["none"][1]


def test_errors_that_are_not_told_come_from_the_pairs():
    truth = sky(800, seed=11)
    left, _ = seen("A", truth, 12, sigma=0.8, ra_err=np.nan, dec_err=np.nan)
    right, _ = seen("B", truth, 13, sigma=0.8, own=200, ra_err=np.nan, dec_err=np.nan)
    match = skysift.match(left, right, kind="likelihood")
    assert match.joins[0].radius == pytest.approx(5 * 0.8 * np.sqrt(2), rel=0.1)
    assert match.matched.sum() > 780


def test_a_few_failed_fits_do_not_widen_the_search():
    truth = sky(80, seed=14)
    left, _ = seen("A", truth, 15, sigma=0.8)
    wild = np.full(len(left), 0.8)
    wild[:3] = 3e4  # arcsec
    left = replace(left, ra_err=wild, dec_err=wild)
    right, _ = seen("B", truth, 16, sigma=0.8)
    radius = skysift.match(left, right, kind="likelihood").joins[0].radius
    assert radius == pytest.approx(5 * np.hypot(5 * 0.8, 0.8), rel=0.01)


def test_sky_without_neighbours_is_no_fault():
    left = Entries.from_columns("A", [10.0], [0.0], ra_err=1.0, dec_err=1.0)
    right = Entries.from_columns("B", [50.0], [0.0], ra_err=1.0, dec_err=1.0)
    match = skysift.match(left, right, kind="likelihood")
    assert not match.matched.any()
    assert "no common sky" in match.notes[0]

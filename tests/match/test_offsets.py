"""Offsets and flux scales are measured with honest errors, and do not mind false matches."""

import numpy as np
import pytest
from tests.match.made import seen, sky

import skysift
from skysift.match.entries import Entries
from skysift.match.offsets import astrometry, flux_scale
from skysift.match.sky import offset_by, offsets


def pair(n: int = 400, seed: int = 1, **how):
    truth = sky(n, seed=seed)
    left, who = seen("A", truth, seed + 1, sigma=0.4)
    right, other = seen("B", truth, seed + 2, sigma=0.4, **how)
    return left.take(np.argsort(who)), right.take(np.argsort(other))


def test_a_shift_is_found():
    found = astrometry(*pair(offset=(1.2, -0.7)))
    assert found.east == pytest.approx(1.2, abs=4 * found.east_err)
    assert found.north == pytest.approx(-0.7, abs=4 * found.north_err)
    assert found.east_scatter == pytest.approx(0.4 * np.sqrt(2), rel=0.2)
    assert found.east_err == pytest.approx(1.2533 * found.east_scatter / 20, rel=1e-3)


def test_errors_are_those_that_many_skies_show():
    pulls = []
    for seed in range(120):
        found = astrometry(*pair(60, seed=1000 + 3 * seed))
        pulls += [found.east / found.east_err, found.north / found.north_err]
    assert np.std(pulls) == pytest.approx(1.0, abs=0.15)


def test_a_tenth_of_false_pairs_does_not_count():
    left, right = pair(offset=(1.0, 0.0))
    wrong = right.ra.copy()
    wrong[::10] += 20 / 3600
    found = astrometry(left, right.moved(wrong, right.dec))
    assert found.east == pytest.approx(1.0, abs=0.25)  # the mean is off by 1.7


def test_a_plane_over_the_field_is_found_and_taken_away():
    left, right = pair(600)
    x, y = offsets(np.full(600, 10.0), np.full(600, -30.0), right.ra, right.dec)
    turned = right.moved(*offset_by(right.ra, right.dec, 0.5 + 2 * x / 3600, -0.3 + 3 * y / 3600))
    found = astrometry(left, turned, plane=True)
    (a, b, c), (d, e, f) = found.plane
    errors = np.array(found.plane_err)
    assert np.array([[a, b, c], [d, e, f]]) == pytest.approx(
        np.array([[0.5, 2, 0], [-0.3, 0, 3]]), abs=5 * errors.max() + 0.02
    )
    assert 0 < errors.max() < 0.3
    again = astrometry(left, found.correct(turned), plane=True)
    assert np.abs(again.plane).max() < 0.02


def test_offsets_work_at_the_pole_and_across_zero_hours():
    for ra, dec in ((0.0, 0.0), (200.0, 89.7)):
        truth = sky(100, ra=ra, dec=dec, width=0.2)
        left = Entries.from_columns("A", truth[0], truth[1])
        right = left.moved(*offset_by(left.ra, left.dec, np.full(100, 1.5), np.full(100, -2.0)))
        found = astrometry(left, right)
        assert (found.east, found.north) == pytest.approx((1.5, -2.0), abs=1e-6)


def test_few_pairs_tell_no_errors_and_none_tell_nothing():
    left, right = pair(2)
    assert np.isnan(astrometry(left, right).east_err)
    nothing = np.zeros(2, bool)
    assert astrometry(left.take(nothing), right.take(nothing)).n == 0
    assert flux_scale(left.take(nothing), right.take(nothing)).factor == 1.0


def test_the_ratio_of_flux_scales_at_one_frequency():
    found = flux_scale(*pair(factor=1.1))
    assert found.ratio == pytest.approx(1.1, abs=4 * found.ratio_err)
    assert found.scale == found.ratio
    assert found.scatter == pytest.approx(0.03 * np.sqrt(2), rel=0.3)


def test_between_frequencies_the_scale_needs_an_index():
    left, right = pair(factor=1.05 * 0.5**-0.7, frequency=0.7e9)
    assert np.isnan(flux_scale(left, right).scale)
    assert flux_scale(left, right).factor == 1.0
    found = flux_scale(left, right, -0.7)
    assert found.scale == pytest.approx(1.05, abs=4 * found.scale_err)


def test_correcting_brings_the_second_to_the_first():
    truth = sky(500, seed=9)
    left, _ = seen("A", truth, 10)
    right, _ = seen("B", truth, 11, offset=(2.0, 1.0), factor=1.3)
    match = skysift.match(left, right, correct=True)
    join = match.joins[0]
    assert join.corrected == ("positions", "fluxes")
    assert join.astrometry.east == pytest.approx(2.0, abs=0.15)
    assert np.nanmedian(match["east_2"]) == pytest.approx(0.0, abs=0.1)
    assert np.nanmedian(match["flux_ratio_2"]) == pytest.approx(1.0, abs=0.01)
    assert len(match) < len(skysift.match(left, right, radius=3.0))

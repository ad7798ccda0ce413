"""Intervals against published values and against the frequency with which they hold."""

import numpy as np
import pytest
from scipy.stats import beta, chi2

from skysift.score.intervals import jeffreys, poisson, spread, wilson


def test_wilson_as_in_textbooks():
    low, high = wilson([0, 1, 5, 10], [10, 10, 10, 10])
    assert low == pytest.approx([0.0, 0.0179, 0.2366, 0.7225], abs=1e-4)
    assert high == pytest.approx([0.2775, 0.4042, 0.7634, 1.0], abs=1e-4)


def test_jeffreys_is_of_a_beta_distribution():
    low, high = jeffreys([3], [17])
    assert low == pytest.approx(beta.ppf(0.025, 3.5, 14.5))
    assert high == pytest.approx(beta.ppf(0.975, 3.5, 14.5))
    assert jeffreys(0, 9)[0] == 0.0
    assert jeffreys(9, 9)[1] == 1.0


def test_poisson_as_gehrels_has_it():
    low, high = poisson([0, 1, 5, 100])
    assert low == pytest.approx([0.0, 0.02532, 1.6235, 81.364], rel=1e-3)
    assert high == pytest.approx([3.6889, 5.5716, 11.668, 121.63], rel=1e-3)
    assert high[2] == pytest.approx(chi2.ppf(0.975, 12) / 2)


@pytest.mark.parametrize("interval", [wilson, jeffreys])
def test_nothing_has_no_interval(interval):
    assert np.isnan(interval(0, 0)).all()


@pytest.mark.parametrize("p", [0.02, 0.3, 0.9])
def test_intervals_of_shares_hold_the_truth_in_95_of_100(p):
    k = np.random.default_rng(1).binomial(80, p, 4000)
    for interval in (wilson, jeffreys):
        low, high = interval(k, 80)
        assert np.mean((low <= p) & (p <= high)) == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize("n", [30, 400])
def test_intervals_of_medians_and_widths_hold_the_truth_in_95_of_100(n):
    rng = np.random.default_rng(2)
    found = [spread(rng.normal(0.3, 2.0, n)) for _ in range(600)]
    of_median = np.mean([each.median_low <= 0.3 <= each.median_high for each in found])
    width = 2.0 * 0.99446  # half of the 16-84 % range of a normal distribution
    of_width = np.mean([each.width_low <= width <= each.width_high for each in found])
    assert of_median == pytest.approx(0.95, abs=0.04)
    assert of_width == pytest.approx(0.95, abs=0.04)


def test_tails_change_neither_median_nor_width():
    values = np.random.default_rng(3).normal(0, 1, 1000)
    spoiled = np.append(values, [1e6, -1e6, np.nan, np.inf])
    assert spread(spoiled).width == pytest.approx(spread(values).width, rel=0.02)
    assert spread(spoiled).n == 1002
    assert spread(spoiled).beyond == pytest.approx(2 / 1002)


def test_few_values_have_no_interval_and_none_have_nothing():
    few = spread([1.0, 2.0, 3.0])
    assert few.median == 2.0
    assert np.isnan(few.median_low)
    assert spread([]).n == 0
    assert np.isnan(spread([np.nan]).median)

"""Counts as a function, and against what surveys count."""

import itertools

import numpy as np
import pytest
from tests.naive.test_sky_counts import hopkins

from skysift.base.errors import UsageError
from skysift.base.random import generator
from skysift.sim.counts import COUNTS, Counts, disc_scale, largest_size


def total(flux):
    return sum(each.euclidean(flux) for each in COUNTS.values())


def test_the_total_is_what_surveys_count_from_50_microjansky_to_a_tenth_of_a_jansky():
    flux = np.geomspace(5e-5, 0.1, 50)
    assert np.abs(total(flux) / hopkins(flux) - 1).max() < 0.30


def test_the_total_joins_the_confusion_of_the_deepest_image_at_10_microjansky():
    """n(S) = 1.07e5 S^-1.52 / Jy / sr up to 10 uJy (Mauch et al. 2020, ApJ 888, 61)."""
    deepest = 1.07e5 * 1e-5 ** (2.5 - 1.52)
    assert total(1e-5) == pytest.approx(deepest, rel=0.30)
    flux = np.geomspace(1e-5, 5e-5, 9)
    between = np.exp(np.interp(np.log(flux), np.log([1e-5, 5e-5]), np.log([deepest, hopkins(5e-5)])))
    assert np.abs(total(flux) / between - 1).max() < 0.30


def test_bright_sources_are_as_many_as_complete_samples_hold():
    # 233 of 2 Jy at 2.7 GHz (Wall & Peacock 1985), 518 of 1 Jy at 5 GHz (Kuehr et al. 1981), both in 9.81 sr
    at_2_7 = sum(each.number(2.0 * (2.7 / 1.4) ** 0.75, 25.0) for each in COUNTS.values())
    assert at_2_7 == pytest.approx(233 / 9.81, rel=0.30)
    steep, flat = COUNTS["SS-AGN"], COUNTS["FS-AGN"]
    at_5 = steep.number((5 / 1.4) ** 0.8, 25.0) + flat.number((5 / 1.4) ** 0.1, 25.0)
    assert at_5 == pytest.approx(518 / 9.81, rel=0.30)


def test_star_forming_galaxies_outnumber_active_ones_below_and_not_above_200_microjansky():
    active = COUNTS["SS-AGN"].euclidean([1e-4, 4e-4]) + COUNTS["FS-AGN"].euclidean([1e-4, 4e-4])
    assert (COUNTS["SFG"].euclidean([1e-4, 4e-4]) > active).tolist() == [True, False]


def test_numbers_are_integrals():
    flux = np.geomspace(3.3e-6, 0.7, 200_001)
    for each in COUNTS.values():
        slow = np.trapezoid(each.euclidean(flux) * flux**-1.5, np.log(flux))
        assert each.number(3.3e-6, 0.7) == pytest.approx(slow, rel=1e-6)


@pytest.mark.parametrize("slope", [-0.9, 0.0, 1.0, 1.5, 2.0])
def test_a_power_law_is_drawn_as_one(slope):
    counts = Counts(np.array([-6.0, 0.0]), np.array([0.0, 6 * slope]))
    power = slope - 1.5  # of N(> S) per logarithm
    flux = counts.draw(generator(1, "flux"), 100_000, 1e-5, 1e-2)
    edge = np.geomspace(1e-5, 1e-2, 7)
    exact = np.diff(edge**power if power else np.log(edge))
    seen = np.histogram(flux, edge)[0]
    expected = exact / exact.sum() * flux.size
    assert np.all(np.abs(seen - expected) < 5 * np.sqrt(expected) + 1)
    assert flux.min() >= 1e-5
    assert flux.max() <= 1e-2


def test_drawn_fluxes_follow_the_counts():
    counts = COUNTS["SS-AGN"]
    flux = counts.draw(generator(2, "flux"), 200_000, 1e-6, 1.0)
    edge = np.geomspace(1e-6, 1.0, 25)
    expected = np.array([counts.number(a, b) for a, b in itertools.pairwise(edge)])
    expected *= flux.size / expected.sum()
    seen = np.histogram(flux, edge)[0]
    assert np.sum((seen - expected) ** 2 / expected) < 60  # chi square of 23


def test_beyond_the_table_nothing_is_known():
    with pytest.raises(UsageError, match="no counts are known at this flux density"):
        COUNTS["SFG"].number(1e-9, 1.0)


def test_the_median_size_of_active_galaxies_is_that_of_windhorst():
    rng = generator(1, "sizes")
    for flux, median in ((1e-5, 2.0), (1e-3, 2.0), (1e-2, 2.0 * 10**0.3), (1.0, 2.0 * 1000**0.3)):
        size = largest_size(np.full(100_000, flux), rng.random(100_000))
        assert np.median(size) == pytest.approx(median, rel=0.03)
        assert np.mean(size > 3 * median) == pytest.approx(2 ** -(3**0.62), rel=0.05)


def test_faint_galaxies_are_a_fraction_of_an_arcsec():
    """Half-light radii at 10 uJy: 0.2 to 0.4 arcsec at 3 GHz; the challenge's truth has 0.14 arcsec at 0.2 uJy."""
    assert 1.678 * disc_scale(np.array([1e-5]), np.zeros(1))[0] == pytest.approx(0.3, abs=0.1)
    assert disc_scale(np.array([2e-7]), np.zeros(1))[0] == pytest.approx(0.14, rel=0.1)

"""Variability statistics against their closed forms, and what noise alone makes of them."""

import numpy as np
import pytest

from skysift.measure.variability import bands_of, variability


def test_closed_forms_of_one_band():
    flux, err = np.array([[1.0, 2.0, 3.0, 6.0]]), np.array([[0.5, 0.5, 1.0, 2.0]])
    found = variability(flux, err, np.zeros(4, np.int64))
    w = 1 / err[0] ** 2
    mean = (w * flux[0]).sum() / w.sum()
    n = 4
    # equations of Swinbank et al. (2015), with averages over the measurements
    plain = flux[0].mean()
    v = np.sqrt(n / (n - 1) * ((flux[0] ** 2).mean() - plain**2)) / plain
    eta = n / (n - 1) * ((w * flux[0] ** 2).mean() - (w * flux[0]).mean() ** 2 / w.mean())
    assert found.mean[0] == pytest.approx(mean)
    assert found.mean_err[0] == pytest.approx(1 / np.sqrt(w.sum()))
    assert found.v[0] == pytest.approx(v)
    assert found.eta[0] == pytest.approx(eta)
    assert found.chi2[0] == pytest.approx(3 * eta)
    excess = ((flux[0] - plain) ** 2).sum() - (err[0] ** 2).sum()
    assert found.modulation[0] == pytest.approx(np.sqrt(excess / n) / plain)
    assert found.points[0] == 4
    assert found.degrees[0] == 3


def test_noise_alone_has_eta_one_and_even_probabilities():
    rng = np.random.default_rng(1)
    err = rng.uniform(0.5, 2.0, (20000, 6))
    flux = 20 + err * rng.standard_normal(err.shape)
    found = variability(flux, err, np.zeros(6, np.int64))
    assert found.eta.mean() == pytest.approx(1.0, abs=0.02)
    assert np.histogram(found.p_constant, 10, (0, 1))[0] == pytest.approx(np.full(10, 2000), rel=0.12)
    assert abs(np.median(found.modulation)) < 0.06
    assert (found.modulation < 0).any()


def test_a_source_that_varies_by_a_known_share():
    rng = np.random.default_rng(2)
    flux = 10 * (1 + 0.3 * rng.standard_normal((4000, 10))) + rng.standard_normal((4000, 10))
    found = variability(flux, np.ones(flux.shape), np.zeros(10, np.int64))
    assert np.median(found.modulation) == pytest.approx(0.3, rel=0.1)
    assert np.median(found.v) > 0.3
    assert np.median(found.p_constant) < 1e-6


def test_frequencies_are_compared_each_with_itself():
    flux = np.array([[1.0, 1.2, 10.0, 11.0]])
    found = variability(flux, np.full((1, 4), 0.1), np.array([0, 0, 1, 1]))
    assert found.degrees[0] == 2
    assert found.chi2[0] == pytest.approx((0.2**2 + 1.0**2) / 2 / 0.01)
    assert np.isnan(found.mean[0])


def test_too_few_fluxes():
    flux = np.array([[1.0, np.nan], [np.nan, np.nan]])
    found = variability(flux, np.ones((2, 2)), np.zeros(2, np.int64))
    assert found.mean[0] == 1.0
    assert np.isnan(found.mean[1])
    assert np.isnan(found.eta).all()
    assert np.isnan(found.p_constant).all()
    assert found.degrees.tolist() == [0, 0]


def test_bands():
    assert bands_of(np.array([1.4e9, 0.8e9, 1.4001e9, 3e9])).tolist() == [1, 0, 1, 2]
    assert bands_of(np.array([np.nan, np.nan])).tolist() == [0, 0]
    assert len(set(bands_of(np.array([1.4e9, np.nan])).tolist())) == 2
    assert bands_of(np.array([1.4e9])).tolist() == [0]

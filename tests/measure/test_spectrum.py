"""Power laws through fluxes and Taylor terms: unbiased, with errors that are one sigma."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from skysift.measure.spectrum import TaylorBand, power_laws, taylor_laws, truncation

FREQUENCY = np.linspace(0.9e9, 1.7e9, 9)
REFERENCE = 1.2e9


def fluxes(alpha, beta=0.0, flux=1.0, frequency=FREQUENCY):
    u = np.log(frequency / REFERENCE)
    return flux * np.exp(np.multiply.outer(alpha, u) + np.multiply.outer(beta + np.zeros_like(alpha), u * u))


def test_a_clean_power_law_comes_back_exactly():
    alpha = np.array([-3.1, -0.7, 0.0, 2.5])
    found = power_laws(fluxes(alpha, flux=0.3), np.full((4, 9), 1e-3), FREQUENCY, reference=REFERENCE)
    np.testing.assert_allclose(found.index, alpha, atol=1e-8)
    np.testing.assert_allclose(found.flux, 0.3, rtol=1e-8)
    np.testing.assert_allclose(found.chi2, 0.0, atol=1e-9)
    assert (found.points == 9).all()
    assert found.curvature is None


def test_a_curved_spectrum_has_its_index_at_the_reference():
    alpha = np.array([-0.8, 0.4])
    data = fluxes(alpha, np.array([-0.9, 0.5]))
    found = power_laws(data, np.full(data.shape, 1e-3), FREQUENCY, reference=REFERENCE, curved=True)
    np.testing.assert_allclose(found.index, alpha, atol=1e-7)
    np.testing.assert_allclose(found.curvature, [-0.9, 0.5], atol=1e-6)


def test_the_fit_is_that_of_a_general_fitter():
    rng = np.random.default_rng(2)
    sigma = rng.uniform(0.01, 0.04, (1, 9))
    data = fluxes(np.array([-0.9])) + sigma * rng.normal(size=(1, 9))
    ours = power_laws(data, sigma, FREQUENCY, reference=REFERENCE)
    law = lambda nu, s, a: s * (nu / REFERENCE) ** a  # noqa: E731
    theirs, cov = curve_fit(law, FREQUENCY, data[0], (1, 0), sigma[0], absolute_sigma=True)
    np.testing.assert_allclose([ours.flux[0], ours.index[0]], theirs, atol=1e-6)
    np.testing.assert_allclose([ours.flux_err[0], ours.index_err[0]], np.sqrt(np.diag(cov)), rtol=2e-3)


@pytest.mark.parametrize("per_channel", [3.0, 20.0])
def test_the_index_is_unbiased_and_its_error_honest(per_channel):
    """Even where every channel has an S/N of 3: the S/N of all of 64 channels is 24."""
    n, frequency = 4000, np.linspace(0.8e9, 2.0e9, 64)
    rng = np.random.default_rng(3)
    clean = fluxes(np.full(n, -0.7), frequency=frequency)
    sigma = np.broadcast_to(clean.mean() / per_channel, clean.shape)
    found = power_laws(clean + sigma * rng.normal(size=clean.shape), sigma, frequency, reference=REFERENCE)
    pull = (found.index + 0.7) / found.index_err
    assert abs(np.mean(pull)) < 0.1
    assert 0.95 < np.std(pull) < 1.06
    assert np.mean(found.chi2) == pytest.approx(62, rel=0.02)


def test_what_is_not_known_is_left_out_and_too_little_is_no_spectrum():
    data = fluxes(np.array([-0.7, -0.7, -0.7]))
    data[0, 3:5], data[1, 1:], data[2] = np.nan, np.nan, np.nan
    found = power_laws(data, np.full(data.shape, 1e-3), FREQUENCY, reference=REFERENCE)
    np.testing.assert_allclose(found.index, [-0.7, np.nan, np.nan], atol=1e-8)
    assert found.points.tolist() == [7, 1, 0]
    same = power_laws(np.ones((1, 2)), np.full((1, 2), 0.1), np.array([1e9, 1e9]), reference=1e9)
    assert np.isnan(same.index[0])
    none = power_laws(np.empty((0, 9)), np.empty((0, 9)), FREQUENCY, reference=REFERENCE)
    assert none.index.shape == (0,)


def test_a_negative_source_has_an_index_too_and_pure_noise_no_nonsense():
    found = power_laws(-fluxes(np.array([-0.7])), np.full((1, 9), 1e-3), FREQUENCY, reference=REFERENCE)
    np.testing.assert_allclose(found.index, -0.7, atol=1e-8)
    noise = np.random.default_rng(4).normal(size=(200, 9))
    found = power_laws(noise, np.ones((200, 9)), FREQUENCY, reference=REFERENCE)
    finite = np.isfinite(found.index)
    assert (np.abs(found.index[finite]) < 12).all()
    assert (found.index_err[finite] > 0).all()
    assert (found.index_err[finite] < 5).all()
    terms = taylor_laws(noise[:, :2], np.ones((200, 2)), np.eye(2))
    assert np.isnan(terms.index[~(terms.index_err < 5)]).all()


def test_taylor_terms_give_index_and_curvature():
    alpha, beta, i0 = np.array([-0.7, 1.2]), np.array([-0.2, 0.4]), np.array([2.0, 0.5])
    flux = np.stack([i0, i0 * alpha, i0 * (alpha * (alpha - 1) / 2 + beta)], axis=1)
    found = taylor_laws(flux, np.full((2, 3), 0.01), np.eye(3))
    np.testing.assert_allclose(found.index, alpha)
    np.testing.assert_allclose(found.curvature, beta)


def test_errors_of_taylor_terms_know_how_their_noise_goes_together():
    n, rng = 40000, np.random.default_rng(5)
    correlation = np.array([[1.0, -0.6, 0.3], [-0.6, 1.0, -0.7], [0.3, -0.7, 1.0]])
    errors = np.array([0.01, 0.03, 0.05])
    noise = rng.normal(size=(n, 3)) @ np.linalg.cholesky(correlation).T * errors
    flux = np.array([1.0, -0.8, -0.8 * -1.8 / 2 - 0.3]) + noise
    found = taylor_laws(flux, np.broadcast_to(errors, flux.shape), correlation)
    assert np.std((found.index + 0.8) / found.index_err) == pytest.approx(1.0, abs=0.02)
    assert np.std((found.curvature + 0.3) / found.curvature_err) == pytest.approx(1.0, abs=0.02)
    blind = taylor_laws(flux, np.broadcast_to(errors, flux.shape), np.eye(3))
    assert np.std((found.index + 0.8) / blind.index_err) < 0.9


def test_what_terms_leave_out_of_a_power_law_is_told():
    """A power law seen through terms that end is off by what is told, and less so the more terms are solved for."""
    alpha = np.array([-1.5, -0.7, 0.0, 0.5, 1.0])
    w = np.linspace(-0.2, 0.3, 20001)
    last = np.full(len(alpha), np.inf)
    for terms in (2, 3, 4):
        solve = np.linalg.pinv(np.vander(w, terms, increasing=True))
        maps = (solve @ (1.0 + w)[:, None] ** alpha).T
        kept = maps[:, : min(terms, 3)]
        found = taylor_laws(
            kept, 1e-6 * np.ones_like(kept), np.eye(kept.shape[1]), band=TaylorBand(-0.2, 0.3, terms)
        )
        off = found.index - alpha
        shift = truncation(alpha, TaylorBand(-0.2, 0.3, terms))
        np.testing.assert_allclose(off, shift[:, 0], atol=2e-5)
        np.testing.assert_allclose(found.index_trunc_err, np.abs(off), rtol=0.35, atol=1e-5)
        assert (np.abs(off[[0, 1, 3]]) < 0.6 * last[[0, 1, 3]]).all()
        last = np.abs(off)
        if terms > 2:
            np.testing.assert_allclose(found.curvature, shift[:, 1], atol=2e-4)
            np.testing.assert_allclose(
                found.curvature_trunc_err, np.abs(found.curvature), rtol=0.35, atol=1e-4
            )
        else:
            assert found.curvature_trunc_err is None
    assert last[2] < 1e-5  # a flat spectrum and a straight line are polynomials
    assert last[4] < 1e-5
    assert taylor_laws(maps[:, :2], 1e-6 + 0 * maps[:, :2], np.eye(2)).index_trunc_err is None


def test_terms_through_a_dish_end_as_those_of_what_it_saw():
    alpha, steep = np.array([-0.7, -0.7]), np.array([0.0, 1.0])
    flux = np.stack([np.ones(2), alpha - steep], axis=1)
    response = np.stack([-steep, np.zeros(2)], axis=1)
    band = TaylorBand(-0.2, 0.3, 2)
    found = taylor_laws(flux, 1e-3 * np.ones((2, 2)), np.eye(2), response=response, band=band)
    np.testing.assert_allclose(found.index, alpha)
    np.testing.assert_allclose(found.index_trunc_err, np.abs(truncation(alpha - steep, band)[:, 0]))

"""Spectral indices against the formula of two points, fits of more, limits, and honest errors."""

import numpy as np
import pytest
from tests.match.made import seen, sky

import skysift
from skysift.match.entries import Entries
from skysift.match.spectral import index_limits, local_rms, spectra

NU = np.array([0.7e9, 1.4e9, 3.0e9, 5.5e9])


def powers(alpha: float, noise: float, n: int, nu: np.ndarray, seed: int = 1):
    rng = np.random.default_rng(seed)
    flux = (nu / 1e9) ** alpha * np.ones((n, 1))
    return flux * (1 + noise * rng.normal(size=flux.shape)), flux * noise, np.broadcast_to(nu, flux.shape)


def test_two_points_are_the_usual_formula():
    found = spectra(np.array([[2.0, 1.0]]), np.array([[0.1, 0.02]]), np.array([[1e9, 2e9]]))
    assert found.index[0] == pytest.approx(-1.0)
    assert found.index_err[0] == pytest.approx(np.hypot(0.05, 0.02) / np.log(2))
    assert found.chi2[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("nu", [NU[:2], NU])
def test_errors_are_honest(nu):
    flux, error, frequency = powers(-0.8, 0.03, 4000, nu)
    found = spectra(flux, error, frequency)
    pull = (found.index + 0.8) / found.index_err
    assert np.mean(pull) == pytest.approx(0.0, abs=0.08)
    assert np.std(pull) == pytest.approx(1.0, abs=0.04)
    assert np.mean(found.chi2) == pytest.approx(nu.size - 2, abs=0.15)


def test_a_parabola_is_found_about_the_reference():
    x = np.log(NU / 1.4e9)
    flux = 0.02 * np.exp(-0.7 * x - 0.2 * x**2)[None, :]
    found = spectra(flux, 0.01 * flux, NU[None, :], reference=1.4e9, curved=True)
    assert found.index[0] == pytest.approx(-0.7)
    assert found.curvature[0] == pytest.approx(-0.2)
    assert found.curvature_err[0] > 0


def test_curvature_is_honest_and_needs_three_frequencies():
    flux, error, frequency = powers(-0.8, 0.02, 3000, NU)
    found = spectra(flux, error, frequency, reference=2e9, curved=True)
    assert np.std(found.curvature / found.curvature_err) == pytest.approx(1.0, abs=0.05)
    assert np.std((found.index + 0.8) / found.index_err) == pytest.approx(1.0, abs=0.05)
    two = spectra(flux[:, :2], error[:, :2], frequency[:, :2], curved=True)
    assert np.isnan(two.curvature).all()
    assert np.isfinite(two.index).all()


def test_what_cannot_be_told_is_not():
    flux = np.array([[1.0, np.nan], [1.0, -1.0], [1.0, 2.0], [1.0, 2.0]])
    nu = np.array([[1e9, 2e9], [1e9, 2e9], [1e9, 1e9], [1e9, np.nan]])
    found = spectra(flux, 0.1 * np.abs(flux), nu)
    assert np.isnan(found.index).all()
    unknown = spectra(np.array([[1.0, 0.5]]), np.array([[np.nan, 0.1]]), np.array([[1e9, 2e9]]))
    assert unknown.index[0] == pytest.approx(-1.0)
    assert np.isnan(unknown.index_err[0])


def test_the_error_of_the_flux_scale_is_added():
    found = spectra(
        np.array([[2.0, 1.0]]), np.array([[1e-9, 1e-9]]), np.array([[1e9, 2e9]]), scale_error=0.03
    )
    assert found.index_err[0] == pytest.approx(0.03 * np.sqrt(2) / np.log(2))


def test_limits_are_upper_above_and_lower_below():
    flux = np.array([[np.nan, 1.0, np.nan]])
    nu = np.array([[np.nan, 1e9, np.nan]])
    limit = np.array([[4.0, np.nan, 0.25]])
    at = np.array([[0.5e9, np.nan, 2e9]])
    least, most = index_limits(flux, nu, limit, at)
    assert least[0] == pytest.approx(-2.0)
    assert most[0] == pytest.approx(-2.0)
    measured = index_limits(np.array([[2.0, 1.0]]), np.array([[0.5e9, 1e9]]), limit[:, :2], at[:, :2])
    assert np.isnan(measured[0]).all()
    assert np.isnan(measured[1]).all()


def test_limits_of_a_match_come_from_the_rms_of_the_other():
    truth = sky(300, seed=3)
    left, _ = seen("A", truth, 4, frequency=1e9, rms=1e-5, noise=0.01)
    right, _ = seen("B", truth, 5, frequency=2e9, factor=0.5, keep=0.7, rms=2e-4, noise=0.01)
    match = skysift.match(left, right)
    alone = (match["row_2"] < 0) & np.isfinite(match["spectral_index_max"])
    assert alone.sum() > 60
    expected = np.log(5 * 2e-4 / match["flux_1"][alone]) / np.log(2)
    assert match["spectral_index_max"][alone] == pytest.approx(expected)
    assert np.isnan(match["spectral_index"][alone]).all()
    assert (
        np.isnan(match["spectral_index_min"]).all()
        or (match["row_1"] < 0)[np.isfinite(match["spectral_index_min"])].all()
    )
    both = match.matched
    assert np.median(match["spectral_index"][both]) == pytest.approx(-1.0, abs=0.01)


def test_where_nobody_looked_there_is_no_limit():
    ra, dec, _ = sky(400, seed=6)
    other = Entries.from_columns("B", ra, dec, rms=1e-4, frequency=1e9)
    rms, nu = local_rms(np.array([10.0, 14.0, np.nan]), np.array([-30.0, -30.0, 0.0]), other)
    assert rms[0] == pytest.approx(1e-4)
    assert nu[0] == 1e9
    assert np.isnan(rms[1:]).all()


def test_one_frequency_makes_no_columns():
    left, _ = seen("A", sky(20), 1)
    assert "spectral_index" not in skysift.match(left, left).table

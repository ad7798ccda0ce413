"""Polarisation from Q, U and V: the bias of the intensity, errors, angles, fractions and limits."""

import numpy as np
import pytest

from skysift.measure.polarisation import UNIFORM, as_rare, fraction, linear, standing

N = 200_000


def seen(snr, angle=30.0, q_err=1.0, u_err=1.0, seed=1):
    """N noisy looks at a source of `snr` sigma."""
    rng = np.random.default_rng(seed)
    turn = 2 * np.radians(angle)
    q = snr * np.cos(turn) + q_err * rng.standard_normal(N)
    u = snr * np.sin(turn) + u_err * rng.standard_normal(N)
    return linear(q, np.full(N, q_err), u, np.full(N, u_err))


@pytest.mark.parametrize(
    ("snr", "bias"), [(0.0, 1.0), (1.0, 0.3), (2.0, 0.06), (3.0, 0.02), (5.0, 0.01), (10.0, 0.01)]
)
def test_the_bias_by_noise_is_taken_off(snr, bias):
    found = seen(snr)
    assert found.flux.min() >= 0
    assert abs(found.flux.mean() - snr) < bias
    raw = np.hypot(
        snr + np.random.default_rng(1).standard_normal(N), np.random.default_rng(2).standard_normal(N)
    )
    assert abs(found.flux.mean() - snr) < 0.8 * (raw.mean() - snr)


@pytest.mark.parametrize("errors", [(1.0, 1.0), (1.0, 2.0)])
def test_errors_are_the_scatter(errors):
    found = seen(12.0, q_err=errors[0], u_err=errors[1])
    pull = (found.flux - 12.0) / found.flux_err
    assert abs(pull.mean()) < 0.04  # of the second order in noise over signal
    assert pull.std() == pytest.approx(1.0, abs=0.03)
    off = (found.angle - 30.0 + 90.0) % 180.0 - 90.0
    assert (off / found.angle_err).std() == pytest.approx(1.0, abs=0.03)


def test_noise_alone_has_the_significance_that_is_told():
    found = seen(0.0, q_err=1.0, u_err=3.0)
    for level in (1.0, 2.0, 3.0):
        assert np.mean(found.snr > level) == pytest.approx(np.exp(-(level**2) / 2), rel=0.06)
    assert np.mean(found.snr > as_rare(2.0)) == pytest.approx(0.0455, rel=0.05)
    assert found.angle_err.max() <= UNIFORM + 1e-9


def test_angles_run_from_north_through_east():
    q, u, one = np.array([1.0, 0.0, -1.0, 0.0]), np.array([0.0, 1.0, 0.0, -1.0]), np.full(4, 0.01)
    np.testing.assert_allclose(linear(q, one, u, one).angle, [0.0, 45.0, 90.0, 135.0], atol=1e-9)


def test_nothing_is_nothing():
    zero, one, lost = np.zeros(1), np.ones(1), np.full(1, np.nan)
    assert linear(zero, one, zero, one).flux[0] == 0.0
    found = linear(lost, one, zero, one)
    assert all(
        np.isnan(each[0]) for each in (found.flux, found.flux_err, found.snr, found.angle, found.angle_err)
    )


def test_fractions_carry_both_errors():
    rng = np.random.default_rng(3)
    part, total = -2.0 + 0.3 * rng.standard_normal(N), 20.0 + 0.5 * rng.standard_normal(N)
    ratio, error = fraction(part, np.full(N, 0.3), total, np.full(N, 0.5))
    assert ((ratio + 0.1) / error).std() == pytest.approx(1.0, abs=0.02)
    assert np.isnan(fraction(np.ones(1), np.ones(1), np.zeros(1), np.ones(1))[0][0])


def test_below_noise_and_leakage_there_is_a_limit():
    flux, total = np.array([10.0, -10.0, 4.0, 1.0]), np.full(4, 1000.0)
    stands = standing(flux, np.ones(4), total, 0.005, 3.0, 3.0)
    assert np.isnan(stands.limit[:2]).all()  # 10 is above 3 + 5
    np.testing.assert_allclose(stands.limit[2:], [0.012, 0.009])  # size, three errors, leakage
    assert stands.leaked.tolist() == [
        False,
        False,
        True,
        False,
    ]  # 4 is above the noise, not above the leakage


def test_a_limit_holds_for_what_leaks():
    rng = np.random.default_rng(4)
    total, true = np.full(N, 100.0), rng.uniform(-0.02, 0.02, N)
    leaked = rng.uniform(-0.01, 0.01, N)
    flux = (true + leaked) * total + rng.standard_normal(N)
    limit = standing(flux, np.ones(N), total, 0.01, 3.0, 3.0).limit
    known = np.isfinite(limit)
    assert known.any()
    assert np.mean(np.abs(true[known]) > limit[known]) < 0.0015


def test_noise_counts_as_detected_as_rarely_as_it_is_told():
    """The rarity is that of what is seen, not of what is left when the bias is taken off."""
    found = seen(0.0)
    total = np.ones(N)
    for sigmas in (2.0, 3.0):
        stands = standing(found.flux, found.flux_err, total, 0.0, sigmas, as_rare(sigmas), found.snr)
        rare = {2.0: 0.0455, 3.0: 0.0027}[sigmas]
        assert np.isnan(stands.limit).mean() == pytest.approx(rare, rel=0.12)
    leaked = standing(found.flux, found.flux_err, total, 1.0, 2.0, as_rare(2.0), found.snr)
    assert leaked.leaked.mean() == pytest.approx(0.0455 - np.exp(-((as_rare(2.0) + 1) ** 2) / 2), rel=0.05)

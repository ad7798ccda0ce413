"""Least squares of Gaussians against scipy."""

import numpy as np
import pytest
from scipy.optimize import least_squares
from tests.skies import correlated_noise, covariance

from skysift.measure.fit import fit_components, fit_joint, make_blocks
from skysift.measure.gaussian import add_gaussians

BEAM_PX = (5.0, 4.0, 30.0)
BEAM = np.array([covariance(*BEAM_PX)[i] for i in ((0, 0), (0, 1), (1, 1))])
Y, X = (each.ravel().astype(float) for each in np.mgrid[0:24, 0:30])


def model(p: np.ndarray) -> np.ndarray:
    total = np.zeros(X.size)
    add_gaussians(X, Y, np.ascontiguousarray(p), 0, len(p), 1.0, total)
    return total


def by_scipy(z: np.ndarray, w: np.ndarray, start: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, float]:
    """Best parameters and their chi-squared, of the parameters that are free."""
    varied = np.concatenate([6 * k + np.arange(6 if free[k] else 3) for k in range(len(start))])

    def rows(v: np.ndarray) -> np.ndarray:
        flat = start.copy().ravel()
        flat[varied] = v
        return flat.reshape(-1, 6)

    found = least_squares(
        lambda v: np.sqrt(w) * (z - model(rows(v))), start.ravel()[varied], xtol=1e-12, ftol=1e-12, gtol=1e-12
    )
    return rows(found.x), 2 * found.cost


@pytest.mark.parametrize("free", [[True], [False], [True, True], [True, False], [True, True, True]])
@pytest.mark.parametrize("even", [True, False])
def test_a_joint_fit_is_that_of_scipy(free, even):
    free = np.array(free)
    rng = np.random.default_rng(len(free))
    truth = np.array(
        [[20.0, 8.3, 11.1, *(1.5 * BEAM)], [14.0, 15.2, 8.0, *(1.2 * BEAM)], [11.0, 21.0, 16.4, *BEAM]]
    )
    truth = truth[: len(free)]
    truth[~free, 3:] = BEAM
    z = model(truth) + 0.5 * correlated_noise((24, 30), BEAM_PX, "convolved", rng).ravel()
    w = np.ones(X.size) if even else 1 / (1 + 0.05 * X) ** 2
    start = truth.copy()
    start[:, 0] *= 0.8
    start[:, 1:3] += 0.7
    start[:, 3:] = BEAM
    p, bounded = start.copy(), np.zeros(len(free), bool)
    chi2 = fit_joint(X, Y, z, w, p, free, BEAM, 0.1, 50.0, 2.0, bounded)
    best, best_chi2 = by_scipy(z, w, truth, free)
    assert chi2 == pytest.approx(best_chi2, abs=1e-3)
    assert chi2 == pytest.approx(float((w * (z - model(p)) ** 2).sum()), rel=1e-9)
    np.testing.assert_allclose(p, best, atol=0.02)
    assert not bounded.any()
    if not free.all():
        np.testing.assert_array_equal(p[~free, 3:], start[~free, 3:])


def test_bounds_hold_and_are_told():
    truth = np.array([[20.0, 12.0, 11.0, *(4.0 * BEAM)]])
    z, w = model(truth), np.ones(X.size)
    for low, high in ((0.5, 2.0), (5.0, 9.0)):
        p, bounded = np.array([[15.0, 12.5, 10.5, *BEAM]]), np.zeros(1, bool)
        fit_joint(X, Y, z, w, p, np.ones(1, bool), BEAM, low, high, 2.0, bounded)
        assert bounded[0]
        ratio = np.sqrt((p[0, 3] * p[0, 5] - p[0, 4] ** 2) / (BEAM[0] * BEAM[2] - BEAM[1] ** 2))
        assert low - 1e-9 <= ratio <= high + 1e-9
    start = np.array([[15.0, 4.0, 4.0, *BEAM]])  # far away: the centre may move by its reach only
    p = start.copy()
    fit_joint(X, Y, z, w, p, np.zeros(1, bool), BEAM, 0.5, 2.0, 0.5, np.zeros(1, bool))
    d = p[0, 1:3] - start[0, 1:3]
    beam = np.array([[BEAM[0], BEAM[1]], [BEAM[1], BEAM[2]]])
    assert np.sqrt(d @ np.linalg.solve(beam, d)) / np.sqrt(8 * np.log(2)) <= 0.5 + 1e-3


def test_many_components_fitted_block_by_block_come_close_to_the_truth():
    rng = np.random.default_rng(4)
    n = 30
    truth = np.empty((n, 6))
    places = [(4 + 5 * (k % 6), 2 + 5 * (k // 6)) for k in range(n)]
    truth[:, 0] = rng.uniform(20, 60, n)
    truth[:, 1:3] = np.array(places) + rng.uniform(-0.5, 0.5, (n, 2))
    truth[:, 3:] = 0.6 * BEAM
    z = model(truth)
    start = truth.copy()
    start[:, 0] *= 0.9
    start[:, 1:3] += rng.normal(0, 0.2, (n, 2))
    p, block = start.copy(), np.empty(n, np.int64)
    free = np.zeros(n, bool)
    chi2 = fit_components(
        X, Y, z, np.ones(X.size), p, free, 0.6 * BEAM, 0.1, 9.0, 1.0, np.zeros(n, bool), block
    )
    assert chi2 == pytest.approx(float(((z - model(p)) ** 2).sum()), rel=1e-6)
    assert chi2 < 0.01 * float(((z - model(start)) ** 2).sum())
    assert np.abs(p[:, 0] / truth[:, 0] - 1).max() < 0.1


def test_blocks_are_small_and_of_neighbours():
    rng = np.random.default_rng(1)
    n = 200
    p = np.empty((n, 6))
    p[:, 0], p[:, 1:3], p[:, 3:] = rng.uniform(5, 50, n), rng.uniform(0, 120, (n, 2)), BEAM
    block = np.empty(n, np.int64)
    number = make_blocks(p, BEAM, block)
    sizes = np.bincount(block)
    assert len(sizes) == number
    assert sizes.min() >= 1
    assert sizes.max() <= 8
    beam = np.array([[BEAM[0], BEAM[1]], [BEAM[1], BEAM[2]]])
    for b in range(number):
        members = p[block == b]
        first = members[np.argmax(members[:, 0])]
        d = members[:, 1:3] - first[1:3]
        far = np.sqrt(np.einsum("ni,ij,nj->n", d, np.linalg.inv(beam), d)) / np.sqrt(8 * np.log(2))
        assert far.max() < 3.0

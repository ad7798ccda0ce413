"""Errors and bias of least squares under correlated noise, against dense matrices and against many fits."""

import numpy as np
import pytest
from tests.skies import correlated_noise, covariance

from skysift.measure.fit import fit_joint
from skysift.measure.gaussian import jacobian_row, sandwich

BEAM_PX = (5.0, 4.0, 30.0)
BEAM = np.array([covariance(*BEAM_PX)[i] for i in ((0, 0), (0, 1), (1, 1))])


def kernel(widening: float, reach: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (dy, dx) and a Gaussian autocorrelation, so many times the beam's covariance."""
    y, x = (each.ravel() for each in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    inverse = np.linalg.inv(widening * covariance(*BEAM_PX))
    rho = np.exp(-0.5 * (inverse[0, 0] * x * x + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y * y))
    return np.stack([y, x], axis=1).astype(np.int64), rho


def window(
    height: int = 17, width: int = 19, holes: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates of the pixels of a window with a few missing, and the index of each pixel."""
    used = np.ones((height, width), bool)
    if holes:
        used[3, 5:8] = used[12:, :2] = used[0, 0] = False
    y, x = np.nonzero(used)
    index = np.full(used.shape, -1, np.int32)
    index[used] = np.arange(used.sum())
    return x.astype(float), y.astype(float), index


def dense(x, y, noise, p, free, lags, rho) -> np.ndarray:
    """(J'WJ)^-1 J'WCWJ (J'WJ)^-1 with whole matrices, in the parameters that were free."""
    sizes = np.where(free, 6, 3)
    start = np.concatenate([[0], np.cumsum(sizes)])
    jacobian = np.zeros((len(x), start[-1]))
    for i in range(len(x)):
        for k in range(len(p)):
            jacobian_row(x[i], y[i], p, k, bool(free[k]), jacobian[i], start[k])
    table = {(dy, dx): each for (dy, dx), each in zip(lags.tolist(), rho, strict=True)}
    correlation = np.array([
        [table.get((int(y[j] - y[i]), int(x[j] - x[i])), 0.0) for j in range(len(x))] for i in range(len(x))
    ])  # fmt: skip
    weight = np.diag(1 / noise**2)
    inverse = np.linalg.inv(jacobian.T @ weight @ jacobian)
    middle = jacobian.T @ weight @ (correlation * np.outer(noise, noise)) @ weight @ jacobian
    return inverse @ middle @ inverse


COMPONENTS = {
    "one": (np.array([[9.0, 9.2, 8.1, *(1.5 * BEAM)]]), [True]),
    "a point": (np.array([[9.0, 9.2, 8.1, *BEAM]]), [False]),
    "three": (
        np.array([[9.0, 5.2, 8.1, *BEAM], [5.0, 12.1, 7.0, *(2 * BEAM)], [3.0, 9.0, 12.6, *BEAM]]),
        [True, True, False],
    ),
}


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize("even", [True, False])
def test_the_sandwich_is_that_of_dense_matrices(name, even):
    p, free = COMPONENTS[name][0], np.array(COMPONENTS[name][1])
    x, y, index = window()
    noise = np.ones(len(x)) if even else 1.0 + 0.05 * x + 0.03 * y
    lags, rho = kernel(2.0)
    k = len(p)
    cov, bias = np.empty((6 * k, 6 * k)), np.empty((k, 6))
    assert sandwich(x, y, noise, p, free, lags, rho, index, 1, 1, cov, bias)
    kept = np.concatenate([6 * c + np.arange(6 if free[c] else 3) for c in range(k)])
    expected = dense(x, y, noise, p, free, lags, rho)
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(
        cov[np.ix_(kept, kept)] / np.outer(scale, scale), expected / np.outer(scale, scale), atol=1e-7
    )
    rest = np.setdiff1d(np.arange(6 * k), kept)
    assert not cov[rest].any()
    assert not cov[:, rest].any()
    assert not bias[~free, 3:].any()


def test_white_noise_gives_the_inverse_of_the_normal_matrix():
    p, free = COMPONENTS["one"][0], np.array([True])
    x, y, index = window()
    cov, bias = np.empty((6, 6)), np.empty((1, 6))
    sandwich(x, y, np.ones(len(x)), p, free, np.zeros((1, 2), np.int64), np.ones(1), index, 1, 1, cov, bias)
    jacobian = np.empty((len(x), 6))
    for i in range(len(x)):
        jacobian_row(x[i], y[i], p, 0, True, jacobian[i], 0)
    expected = np.linalg.inv(jacobian.T @ jacobian)
    np.testing.assert_allclose(cov, expected, rtol=1e-7, atol=1e-10)


def test_every_second_pixel_is_enough_for_the_outer_sum():
    p, free = COMPONENTS["one"][0], np.array([True])
    x, y, index = window(holes=False)
    lags, rho = kernel(2.0)
    whole, thinned, bias = np.empty((6, 6)), np.empty((6, 6)), np.empty((1, 6))
    sandwich(x, y, np.ones(len(x)), p, free, lags, rho, index, 1, 1, whole, bias)
    sandwich(x, y, np.ones(len(x)), p, free, lags, rho, index, 2, 1, thinned, bias)
    np.testing.assert_allclose(np.diag(thinned), np.diag(whole), rtol=0.05)


def test_a_singular_fit_has_no_errors():
    twice = np.repeat(COMPONENTS["one"][0], 2, axis=0)
    x, y, index = window()
    lags, rho = kernel(1.0)
    cov, bias = np.empty((12, 12)), np.empty((2, 6))
    done = sandwich(x, y, np.ones(len(x)), twice, np.ones(2, bool), lags, rho, index, 1, 1, cov, bias)
    assert not done or not np.diag(cov).min() > 0 or cov.max() > 1e6


def test_fits_scatter_as_the_errors_say_and_their_shapes_are_biased_as_told():
    rng = np.random.default_rng(11)
    truth = np.array([[25.0, 11.3, 10.8, *(1.6 * BEAM)]])
    x, y, index = window(22, 23, holes=False)
    lags, rho = kernel(2.0, 12)
    cov, bias = np.empty((6, 6)), np.empty((1, 6))
    sandwich(x, y, np.ones(len(x)), truth, np.ones(1, bool), lags, rho, index, 1, 1, cov, bias)
    pixel = np.array([[truth[0, 3], truth[0, 4]], [truth[0, 4], truth[0, 5]]])
    d = np.stack([x - truth[0, 1], y - truth[0, 2]])
    model = truth[0, 0] * np.exp(-0.5 * np.einsum("in,ij,jn->n", d, np.linalg.inv(pixel), d))
    fits = []
    for _ in range(80):
        plane = correlated_noise((230, 220), BEAM_PX, "convolved", rng)
        for top in range(0, 220, 55):
            for left in range(0, 200, 50):
                z = model + plane[top : top + 22, left : left + 23].ravel()
                p, bounded = truth.copy(), np.zeros(1, bool)
                fit_joint(x, y, z, np.ones(len(x)), p, np.ones(1, bool), BEAM, 0.1, 20.0, 2.0, bounded)
                fits.append(p[0])
    spread, sigma = np.std(fits, axis=0), np.sqrt(np.diag(cov))
    np.testing.assert_allclose(spread / sigma, 1.0, atol=0.1)
    shift = (np.mean(fits, axis=0) - truth[0]) / sigma
    told = bias[0] / sigma
    standard = 1 / np.sqrt(len(fits))
    assert np.abs(shift - told).max() < 4.5 * standard
    assert np.abs(shift[[3, 5]]).min() > 2 * standard  # there is a bias to be told

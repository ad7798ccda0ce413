"""Products over lags and the autocorrelation made of them against numpy."""

import numpy as np
import pytest
from tests.skies import correlated_noise, covariance

from skysift.measure.background import correlate
from skysift.measure.noise import autocorrelation

BEAM_PX = (5.0, 4.0, 30.0)
BEAM = np.array([covariance(*BEAM_PX)[i] for i in ((0, 0), (0, 1), (1, 1))])
LAGS = (10, 10)


def products(z: np.ndarray, weight: np.ndarray, n_y: int, n_x: int) -> tuple[np.ndarray, np.ndarray]:
    sums, pairs = np.zeros((n_y + 1, 2 * n_x + 1)), np.zeros((n_y + 1, 2 * n_x + 1))
    correlate(z, weight, n_y, n_x, sums, pairs)
    return sums, pairs


def test_products_are_those_of_shifted_arrays():
    rng = np.random.default_rng(1)
    weight = (rng.random((23, 31)) < 0.8).astype(float)
    z = rng.standard_normal(weight.shape) * weight
    n_y, n_x = 4, 6
    sums, pairs = products(z, weight, n_y, n_x)
    inner = slice(n_x, z.shape[1] - n_x)  # pixels whose lags all lie within the row
    for dy in range(n_y + 1):
        for dx in range(-n_x, n_x + 1):
            shifted = np.s_[dy:, inner.start + dx : inner.stop + dx]
            base = np.s_[: z.shape[0] - dy, inner]
            assert sums[dy, n_x + dx] == pytest.approx((z[base] * z[shifted]).sum(), abs=1e-10)
            assert pairs[dy, n_x + dx] == (weight[base] * weight[shifted]).sum()


def test_products_add_up_over_pieces():
    z = np.random.default_rng(2).standard_normal((20, 30))
    sums, pairs = np.zeros((3, 7)), np.zeros((3, 7))
    for _ in range(2):
        correlate(z, np.ones_like(z), 2, 3, sums, pairs)
    once = products(z, np.ones_like(z), 2, 3)
    np.testing.assert_allclose(sums, 2 * once[0])
    np.testing.assert_array_equal(pairs, 2 * once[1])


@pytest.mark.parametrize(("kind", "widening"), [("convolved", 2.0), ("beam", 1.0)])
def test_the_autocorrelation_of_made_noise_is_the_one_it_was_made_with(kind, widening):
    z = correlated_noise((700, 700), BEAM_PX, kind, np.random.default_rng(3))
    sums, pairs = products(z, np.ones_like(z), *LAGS)
    rho = autocorrelation(sums, pairs, BEAM, 1000.0)
    assert rho.shape == (21, 21)
    assert rho[10, 10] == pytest.approx(1.0)
    np.testing.assert_allclose(rho, rho[::-1, ::-1], atol=1e-12)
    y, x = np.mgrid[-10:11, -10:11]
    inverse = np.linalg.inv(widening * covariance(*BEAM_PX))
    expected = np.exp(-0.5 * (inverse[0, 0] * x * x + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y * y))
    near = (inverse[0, 0] * x * x + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y * y) * widening < (
        1.4 * 2.355
    ) ** 2
    assert np.abs(rho - expected)[near].max() < 0.06


@pytest.mark.parametrize("z", [np.zeros((3, 3)), np.random.default_rng(4).standard_normal((300, 300))])
def test_an_autocorrelation_is_positive_semi_definite_one_at_the_centre_and_ends(z):
    sums, pairs = products(z, np.ones_like(z), *LAGS)
    rho = autocorrelation(sums, pairs, BEAM, 1000.0)
    assert rho[10, 10] == pytest.approx(1.0)
    padded = np.zeros((64, 64))
    padded[:21, :21] = rho
    power = np.fft.fft2(np.roll(padded, (-10, -10), (0, 1))).real
    assert power.min() > -0.02 * power.max()
    assert np.abs(rho).max() <= 1 + 1e-9
    y, x = np.mgrid[-10:11, -10:11]
    inverse = np.linalg.inv(covariance(*BEAM_PX))
    far = inverse[0, 0] * x * x + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y * y > (2.3 * 2.355) ** 2
    assert np.abs(rho[far]).max(initial=0.0) < 0.05
    if not z.any():  # too few pixels: the beam itself
        np.testing.assert_allclose(
            rho[10, 9:12], [np.exp(-0.5 * inverse[0, 0]), 1, np.exp(-0.5 * inverse[0, 0])], atol=0.02
        )

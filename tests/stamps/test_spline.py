"""Cubic splines against those of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from skysift.stamps.spline import interpolated


@pytest.mark.parametrize("shape", [(150, 131), (41, 40), (7, 50), (3, 4), (2, 9), (1, 6), (5, 1), (1, 1)])
def test_splines_are_those_of_scipy_also_at_the_border(shape):
    rng = np.random.default_rng(1)
    data = rng.normal(size=shape)
    y, x = (rng.uniform(-0.5, n - 0.5, (60, 50)) for n in shape)
    wanted = map_coordinates(data, [y, x], order=3, mode="mirror")
    np.testing.assert_allclose(interpolated(data, y, x), wanted, rtol=0, atol=2.5e-7)
    held = data.copy()
    interpolated(data, y, x)
    np.testing.assert_array_equal(data, held)


def test_places_outside_are_blank_and_those_of_pixels_give_them_back():
    data = np.random.default_rng(2).normal(size=(9, 12))
    y, x = np.mgrid[:9, :12].astype(float)
    np.testing.assert_allclose(interpolated(data, y, x), data, rtol=0, atol=2e-7)
    y[0, 0], x[1, 1], y[2, 2], x[3, 3], y[4, 4] = np.nan, -0.51, 8.51, 11.51, -np.inf
    blank = np.isnan(interpolated(data, y, x))
    assert np.argwhere(blank).tolist() == [[0, 0], [1, 1], [2, 2], [3, 3], [4, 4]]
    assert interpolated(data[::2, ::-1], np.zeros((1, 1)), np.zeros((1, 1)))[0, 0] == np.float32(data[0, -1])

"""The noise has the rms and the autocorrelation that it is asked for, and no seams."""

import numpy as np
import pytest
from scipy import fft

from skysift.sim.drawn import DrawnSource
from skysift.sim.noise import NoiseLayer, SmoothLevel, drawn, gaussian_kernel, unit_power
from skysift.sky.box import Box

SIZE = (1024, 1024)


def noise(kernel, level=None, seed=1, size=SIZE):
    source = DrawnSource(size, (NoiseLayer(kernel, level or SmoothLevel(1.0), seed),))
    return source.read(Box.of(size)).astype(np.float64)


def autocorrelation(image, lag):
    power = np.abs(fft.rfft2(image)) ** 2
    return fft.irfft2(power, s=image.shape)[lag] / image.size


def test_rms_and_autocorrelation_are_those_of_the_kernel():
    kernel = gaussian_kernel(np.array([2.0, 0.5, 1.2]))
    image = noise(kernel)
    assert image.std() == pytest.approx(1.0, abs=0.01)
    assert abs(image.mean()) < 0.02
    wide = np.zeros(SIZE)
    wide[: kernel.shape[0], : kernel.shape[1]] = kernel
    expected = fft.irfft2(np.abs(fft.rfft2(wide)) ** 2, s=SIZE)
    for lag in ((0, 0), (0, 1), (1, 0), (1, 1), (1, -1), (0, 3), (4, 2)):
        assert autocorrelation(image, lag) == pytest.approx(expected[lag], abs=0.02)


def test_a_kernel_of_any_shape_is_used_as_it_is():
    kernel = np.zeros((5, 7))
    kernel[2, 3], kernel[0, 6] = 1.0, -0.5
    image = noise(unit_power(kernel))
    assert image.std() == pytest.approx(1.0, abs=0.01)
    assert autocorrelation(image, (2, -3)) == pytest.approx(-0.5 / 1.25, abs=0.01)


def test_noise_has_no_seams_and_no_period():
    kernel = gaussian_kernel(np.array([2.0, 0.0, 2.0]))
    image = noise(kernel)
    step = np.diff(image, axis=1).std(axis=0)
    assert np.abs(step / step.mean() - 1).max() < 0.2
    assert abs(autocorrelation(image, (0, 512))) < 0.01
    assert abs(autocorrelation(image, (128, 0))) < 0.01


def test_another_seed_or_name_is_other_noise():
    box = Box(0, 64, 0, 64)
    first = drawn(box, 128, 1, "noise", "a")
    for other in (drawn(box, 128, 2, "noise", "a"), drawn(box, 128, 1, "noise", "b")):
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.06
    assert np.array_equal(first[10:20, 5:30], drawn(Box(10, 20, 5, 30), 128, 1, "noise", "a"))


def test_the_level_wanders_as_asked():
    level = SmoothLevel(2e-6, 0.2, 40.0, 3)
    over = level.over(Box(0, 2000, 0, 2000))
    log = np.log(over / 2e-6)
    assert log.std() == pytest.approx(0.2, rel=0.1)
    assert np.abs(np.diff(log, axis=0)).max() < 0.05
    columns = log.std(axis=0)  # nodes are no special places
    assert columns.reshape(-1, 40).mean(axis=0).std() / columns.mean() < 0.05
    x, y = np.array([0.0, 17.0, 1999.0]), np.array([3.0, 1234.0, 0.0])
    assert np.allclose(level.at(x, y), over[y.astype(int), x.astype(int)], rtol=1e-12)


def test_the_noise_follows_its_level():
    level = SmoothLevel(1.0, 0.5, 200.0, 3)
    ratio = noise(gaussian_kernel(np.array([1.0, 0.0, 1.0])), level) / level.over(Box.of(SIZE))
    assert ratio.std() == pytest.approx(1.0, abs=0.01)

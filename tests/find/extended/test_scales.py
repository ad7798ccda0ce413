"""The scales: smoothing by holes, blanks, and the noise that each scale holds."""

import numpy as np
import pytest
from scipy.ndimage import convolve1d
from tests import images, skies

from skysift.find.extended.options import ExtendedOptions
from skysift.find.extended.scales import (
    TAPS,
    detail_variance,
    levels_of,
    reach,
    response,
    smooth_step,
    smoothed_variance,
    width,
)
from skysift.find.extended.segmenter import Setting
from skysift.find.extended.smooth import SmoothSegmenter, WaveletSegmenter
from skysift.find.noise import measure_noise
from skysift.measure.options import NoiseOptions
from skysift.sky.box import Box


def smoothed(values, level):
    """A slow twin: one convolution after the other."""
    for k in range(level):
        holes = np.zeros(4 * 2**k + 1)
        holes[:: 2**k] = TAPS
        values = convolve1d(
            convolve1d(values, holes, axis=0, mode="constant"), holes, axis=1, mode="constant"
        )
    return values


def test_steps_are_convolutions_with_holes():
    values = np.random.default_rng(1).normal(size=(70, 90))
    twin, out, row = values, np.empty_like(values), np.empty_like(values)
    now = values.copy()
    for k in range(3):
        smooth_step(now, 2**k, out, row)
        now = out.copy()
    assert now == pytest.approx(smoothed(twin, 3), abs=1e-12)


def test_a_step_keeps_the_sum_and_weights_of_one():
    point = np.zeros((41, 41))
    point[20, 20] = 7.0
    out, row = np.empty_like(point), np.empty_like(point)
    smooth_step(point, 2, out, row)
    assert out.sum() == pytest.approx(7.0)
    smooth_step(np.ones((41, 41)), 4, out, row)
    assert (out[8:-8, 8:-8] == 1.0).all()  # to the last bit


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_level_is_as_wide_as_it_says(level):
    g = response(level)
    x = np.arange(len(g)) - len(g) // 2
    assert len(g) == 2 * reach(level) + 1
    assert g.sum() == pytest.approx(1.0)
    assert 2.35482 * np.sqrt((g * x * x).sum()) == pytest.approx(width(level), rel=1e-5)


@pytest.mark.parametrize("beam", [images.ROUND, images.BEAM])
def test_the_noise_of_a_scale_follows_from_the_autocorrelation(beam):
    data, _ = skies.paint((700, 700), beam, rms=images.RMS, noise="convolved", seed=3)
    noise = measure_noise(images.image(data, beam), NoiseOptions())
    z = data.astype(float) / images.RMS
    before = z
    for level in (1, 2, 3):
        after = smoothed(z, level)
        inner = np.s_[30:-30, 30:-30]
        correlation = noise.mesh.correlation
        assert np.sqrt(smoothed_variance(correlation, level)) == pytest.approx(after[inner].std(), rel=0.1)
        if level > 1:
            assert np.sqrt(detail_variance(correlation, level)) == pytest.approx(
                (before - after)[inner].std(), rel=0.1
            )
        before = after


@pytest.mark.parametrize("beam", [1.5, 4.0, 11.0, 30.0])
def test_levels_begin_at_the_beam_and_end_at_the_largest_scale(beam):
    levels = levels_of(beam, 5.0)
    assert width(levels[0]) >= 0.8 * beam
    assert levels[0] == 1 or width(levels[0] - 1) < 0.8 * beam
    assert width(levels[-1]) <= 5.0 * beam or len(levels) == 1
    assert levels_of(beam, 20.0)[: len(levels)] == levels


def setting(shape, beam=4.0, **options):
    y, x = np.mgrid[-6:7, -6:7]
    return Setting(
        ExtendedOptions(**options), beam, np.exp(-4 * np.log(2) * (x * x + y * y) / beam**2), shape
    )


@pytest.mark.parametrize("kind", [SmoothSegmenter, WaveletSegmenter])
def test_a_pixel_is_as_significant_in_any_box(kind):
    rng = np.random.default_rng(5)
    z = rng.normal(size=(180, 200)).astype("f4")
    z[60:110, 70:130] += 4.0
    z[20:30, 150:170] = np.nan
    one = kind(setting(z.shape))
    whole = one.maps(z, Box.of(z.shape))
    for box in (Box(40, 90, 60, 120), Box(0, 50, 100, 200), Box(130, 180, 0, 40)):
        wide = box.expand(one.halo).intersect(Box.of(z.shape))
        part = one.maps(np.ascontiguousarray(z[wide.slices()]), wide)
        for all_of_it, cut in zip(whole, part, strict=True):
            inner = cut[box.y0 - wide.y0 : box.y1 - wide.y0, box.x0 - wide.x0 : box.x1 - wide.x0]
            assert np.array_equal(inner, all_of_it[box.slices()], equal_nan=True)
    assert len(whole) == len(one.scales)


def test_what_a_scale_has_found_does_not_spread():
    z = np.zeros((160, 160), "f4")
    z[70:90, 70:90] = 100.0
    coarse = SmoothSegmenter(setting(z.shape)).maps(z, Box.of(z.shape))[-1]
    free = SmoothSegmenter(setting(z.shape, scale_clip=1e6)).maps(z, Box.of(z.shape))[-1]
    assert (coarse > 2.2).sum() < 0.5 * (free > 2.2).sum()


def test_blanks_say_nothing():
    z = np.full((60, 60), np.nan, "f4")
    for kind in (SmoothSegmenter, WaveletSegmenter):
        assert all(np.isnan(each).all() for each in kind(setting(z.shape)).maps(z, Box.of(z.shape)))

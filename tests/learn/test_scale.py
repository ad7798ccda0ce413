"""The preparation: each step does what it says, NaN never pass, order and sizes are declared and stored."""

import json

import numpy as np
import pytest

from skysift.base.errors import DataError, OptionError
from skysift.base.random import generator
from skysift.learn.options import PreparationOptions
from skysift.learn.scale import Preparation, noise_of, prepare
from skysift.learn.scale_options import PRESETS, STEPS, parse_steps

Y, X = np.mgrid[:100, :100]


def source(peak, y=50.0, x=50.0, width=3.0):
    return peak * np.exp(-((Y - y) ** 2 + (X - x) ** 2) / (2 * width**2))


def pictures(n=3, bands=1, noise=1.0, level=5.0):
    rng = generator(1, "pictures")
    sky = level + noise * rng.standard_normal((n, bands, 100, 100))
    return (sky + source(40.0 * noise)).astype(np.float32)


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - {"noise"}))
def test_every_other_preset_gives_finite_channels_of_the_size_between_0_and_1(preset):
    pixels = pictures(bands=2)
    pixels[0, 0, 10:60, :30] = np.nan
    pixels[1] = np.nan
    preparation = Preparation(preset, size=48, bin=2)
    made = prepare(pixels, preparation)
    assert made.shape == (3, preparation.channels(2), 48, 48)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert not made[1].any()
    assert made.min() >= 0.0
    assert made.max() <= 1.0 + 1e-6
    assert made[2].reshape(len(made[2]), -1).max(axis=1) == pytest.approx(1.0, abs=0.02)


def test_the_preset_noise_gives_pixels_over_the_noise():
    pixels = pictures(noise=3.0)
    pixels[0, 0, :30] = np.nan
    made = prepare(pixels, Preparation("noise", size=100, bin=1))
    assert np.median(made[1]) == pytest.approx(0.0, abs=0.05)
    assert made[1, 0, :30].std() == pytest.approx(1.0, abs=0.05)
    assert made[1].max() == pytest.approx(40.0, rel=0.1)
    assert not made[0, 0, :30].any()
    still = prepare(np.full((1, 1, 100, 100), 2.0), Preparation("noise", size=100, bin=1))
    assert not still.any()  # no noise: as it is above the level


def test_level_and_noise_are_those_of_the_sky_beside_a_source():
    level, sigma = noise_of(pictures(noise=2.0).astype(np.float64))
    assert level.ravel() == pytest.approx(5.0, abs=0.15)
    assert sigma.ravel() == pytest.approx(2.0, rel=0.05)


def test_a_picture_without_noise_has_none():
    level, sigma = noise_of(source(10.0)[None, None] * (source(10.0) > 3.0))
    assert (level.item(), sigma.item()) == (0.0, 0.0)


@pytest.mark.parametrize("side", [99, 100])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_middle_pixel_stays_the_middle(side, n):
    pixels = np.zeros((1, 1, side, side), np.float32)
    pixels[0, 0, side // 2, side // 2] = 9.0
    made = prepare(pixels, Preparation(size=21, bin=n, steps="level"))
    assert np.unravel_index(made[0, 0].argmax(), (21, 21)) == (10, 10)
    assert made.max() == pytest.approx(9.0 / n**2)


def test_small_pictures_are_widened_and_large_ones_cut():
    pixels = np.ones((1, 1, 20, 30), np.float32)
    made = prepare(pixels, Preparation(size=40, bin=1, steps="power=1"))
    assert made[0, 0].sum() == 600
    assert prepare(pixels, Preparation(size=10, bin=1, steps="power=1"))[0, 0].all()


def test_steps_follow_their_order():
    pixels = pictures(1)
    clipped = prepare(pixels, Preparation(size=48, bin=1, steps="soft_clip=2 max"))[0, 0]
    above = np.maximum(pixels[0, 0, 26:74, 26:74] - 5.0 - 2.0, 0.0)
    np.testing.assert_allclose(clipped, above / above.max(), atol=0.01)
    both = prepare(pixels, Preparation(size=48, bin=1, steps="soft_clip=2 max asinh=10"))[0, 0]
    np.testing.assert_allclose(both, np.arcsinh(10 * clipped) / np.arcsinh(10), rtol=1e-5)


def test_a_floor_keeps_what_is_above_and_a_clip_ends_what_is_beyond():
    pixels = pictures(1)
    floored = prepare(pixels, Preparation(size=48, bin=1, steps="floor=3"))
    assert floored[floored > 0].min() >= 2.9
    assert floored.max() == pytest.approx(40.0, rel=0.1)
    assert prepare(pixels, Preparation(size=48, bin=1, steps="clip=1,20")).max() == pytest.approx(
        20.0, rel=0.1
    )


def test_the_ratio_of_bands_stays_where_it_is_asked_for():
    pixels = np.stack([source(10.0), source(5.0)])[None].astype(np.float32)
    own, both = (
        prepare(pixels, Preparation(size=48, bin=1, steps=steps)) for steps in ("max", "max_of_bands")
    )
    assert own.max(axis=(2, 3)).ravel() == pytest.approx([1.0, 1.0])
    assert both.max(axis=(2, 3)).ravel() == pytest.approx([1.0, 0.5])


def test_zscale_is_that_of_astropy():
    from astropy.visualization import ZScaleInterval

    pixels = pictures(1)
    low, high = ZScaleInterval(n_samples=5000, contrast=0.25).get_limits(pixels[0, 0, 26:74, 26:74])
    made = prepare(pixels, Preparation(size=48, bin=1, steps="zscale=0.25"))[0, 0]
    expected = np.clip((pixels[0, 0, 26:74, 26:74] - low) / (high - low), 0.0, 1.0)
    assert np.abs(made - expected).mean() < 0.03


def test_equalised_pixels_are_spread_evenly():
    made = prepare(pictures(1), Preparation(size=48, bin=1, steps="equalise"))[0, 0]
    assert np.quantile(made, [0.0, 0.25, 0.5, 1.0]) == pytest.approx([0.0, 0.25, 0.5, 1.0], abs=1e-3)


def test_it_is_stored_and_read_again_with_its_steps():
    for preparation in (Preparation("mixed", 64, 1), Preparation("own", 32, 3, "log=1000; level standard")):
        again = Preparation.from_dict(json.loads(json.dumps(preparation.to_dict())))
        assert again == preparation
    assert preparation.recipes == 2
    assert preparation.channels(["a", "b"]) == 4


def test_a_menu_chooses_it():
    assert Preparation.of(PreparationOptions()) == Preparation("asinh", 48, 2)
    own = Preparation.of(PreparationOptions(steps="max", size=32))
    assert (own.preset, own.steps, own.size) == ("own", "max", 32)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Preparation("histogram"), r"no such preset.*'histogram'.*asinh"),
        (lambda: Preparation(size=0), r"size.*too small"),
        (lambda: PreparationOptions(steps="blur=3"), r"no such step.*'blur'.*asinh"),
        (lambda: PreparationOptions(steps="clip=3"), r"clip.*NUMBER,NUMBER"),
        (lambda: PreparationOptions(steps="asinh=x"), r"asinh.*NUMBER"),
        (lambda: PreparationOptions(steps="max", preset="minmax"), r"one of the two"),
    ],
)
def test_what_is_not_allowed_is_told(make, told):
    with pytest.raises(OptionError, match=told):
        make()


def test_a_preparation_of_another_version_is_refused():
    with pytest.raises(DataError, match=r"not known.*update skysift"):
        Preparation.from_dict({"preset": "asinh", "wavelets": 3})


def test_every_step_tells_what_it_does():
    assert all(each.doc for each in STEPS.values())
    assert {
        name for steps in map(parse_steps, PRESETS.values()) for each in steps for name, _ in each
    } <= set(STEPS)


@pytest.mark.parametrize("steps", ["asinh=0", "log=-2", "sinh=nan", "zscale=0", "soft_clip=inf", "clip=3,1"])
def test_numbers_that_make_no_sense_are_refused(steps):
    with pytest.raises(OptionError, match=steps.partition("=")[0]):
        PreparationOptions(steps=steps)

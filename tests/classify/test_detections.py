"""Detections of made maps: real ones lie on true objects, what is found upside down is spurious; the shipped judge."""

import numpy as np
import pytest
from tests.classify.spots import pictures_of

from skysift.base.errors import OptionError
from skysift.classify.classifier import open_model
from skysift.classify.detections import cut, made_detections
from skysift.classify.likeness import Looks, unlike
from skysift.classify.options import DetectionsOptions


def test_stamps_are_cut_about_their_pixel():
    data = np.arange(30, dtype=np.float32).reshape(5, 6)
    stamps = cut(data, np.array([2, 0]), np.array([3, 0]), 4)
    assert stamps[0, 2, 2] == data[2, 3]
    assert np.array_equal(stamps[0], data[0:4, 1:5])
    assert np.isnan(stamps[1, :2]).all()
    assert stamps[1, 2, 2] == 0.0


def test_ranges_that_do_not_rise_are_refused():
    with pytest.raises(OptionError, match="phase_error"):
        made_detections(DetectionsOptions(phase_error=(3.0, 1.0)))


def test_what_is_found_upside_down_is_spurious():
    options = DetectionsOptions(
        fields=1, n_pixels=192, size=16, inverted=True, stripes=1.0, kinds=("snapshot",)
    )
    found = made_detections(options)
    assert found.pixels.shape[1:] == (16, 16)
    assert not found.real[found.inverted].any()
    bright = (found.snr > 30) & ~found.inverted
    assert found.real[bright].all()
    assert ((found.beam > 3.0) & (found.beam < 5.0)).all()
    again = made_detections(options)
    assert np.array_equal(found.pixels, again.pixels, equal_nan=True)


def test_the_judge_that_ships_knows_the_beams_that_it_learnt_from():
    looks = open_model("real-spurious").looks
    assert looks is not None
    assert not unlike(looks, Looks(48, 2.0, 8.0))
    assert "they have beams of 12 pixels, those learnt from beams of 3.22 pixels" in unlike(
        looks, Looks(48, 0.5, 6.0)
    )


def test_the_judge_that_ships_tells_a_point_from_a_stripe():
    judge = open_model("real-spurious")
    rng = np.random.default_rng(3)
    at = np.arange(48) - 24.0
    noise = rng.standard_normal((20, 1, 48, 48)).astype(np.float32)
    point = 12 * np.exp(-(at[:, None] ** 2 + at[None] ** 2) / (2 * 1.7**2))
    stripe = 6 * np.cos(2 * np.pi * at / 14.0)[None, :] * np.ones((48, 1))
    points, stripes = (judge.probabilities(pictures_of(noise + each)) for each in (point, stripe))
    assert judge.classes == ("real", "spurious")
    assert points[:, 0].mean() > 0.8
    assert stripes[:, 1].mean() > 0.6

"""The primary beam of a dish, of a mosaic, of a phased-array feed."""

import numpy as np
import pytest

from skysift.sim.options import InstrumentOptions
from skysift.sim.primary_beam import half_power_width, mosaic_centres, primary_beam
from skysift.sky.units import LIGHT

ARCSEC = np.pi / 180 / 3600


def test_without_one_the_response_is_one():
    assert np.array_equal(primary_beam(InstrumentOptions(), 1e9, np.zeros((2, 3)), 5.0), np.ones((2, 3)))


@pytest.mark.parametrize("pattern", ["airy", "cosine"])
@pytest.mark.parametrize(("array", "diameter"), [("meerkat", 13.5), ("vla-b", 25.0), ("none", 15.0)])
@pytest.mark.parametrize("frequency", [5e8, 1.5e9])
def test_a_dish_is_at_half_power_where_its_diameter_says(pattern, array, diameter, frequency):
    options = InstrumentOptions(array=array, primary_beam="dish", pattern=pattern)
    r = np.linspace(0, 2.5, 5001) * LIGHT / frequency / diameter / ARCSEC
    response = primary_beam(options, frequency, 0.6 * r, -0.8 * r)
    assert response[0] == pytest.approx(1)
    half = r[np.argmax(response < 0.5)] * ARCSEC / (LIGHT / frequency / diameter)
    assert 1.02 < 2 * half < 1.22
    assert np.all((response >= 0) & (response <= 1))
    first = response[: np.argmax(np.diff(response) > 0)]
    assert np.all(np.diff(first) <= 0)
    assert first[-1] < 1e-5  # the first null


def test_meerkat_has_its_published_width():
    options = InstrumentOptions(array="meerkat", primary_beam="dish")
    assert half_power_width(options, 1.5e9) / 60 == pytest.approx(57.5, rel=0.01)
    assert half_power_width(options, 0.75e9) == pytest.approx(2 * half_power_width(options, 1.5e9))


def test_the_diameter_may_be_given():
    options = InstrumentOptions(array="meerkat", primary_beam="dish", diameter=27.0)
    assert half_power_width(options, 1.5e9) / 60 == pytest.approx(57.5 / 2, rel=0.01)


@pytest.mark.parametrize("frequency", [0.9e9, 1.4e9])
def test_a_mosaic_is_flat_inside_and_falls_outside(frequency):
    options = InstrumentOptions(array="meerkat", primary_beam="mosaic", pointings=7, pointing_step=0.6)
    width = half_power_width(options, 1.4e9)
    grid = np.linspace(-0.9, 0.9, 41) * width
    e, n = np.meshgrid(grid, grid)
    inside = primary_beam(options, frequency, e, n)
    assert inside.min() > 0.93
    assert inside.max() <= 1
    assert primary_beam(options, frequency, 6 * width, 0.0) < 0.1


def test_a_mosaic_of_one_pointing_is_a_dish():
    dish, mosaic = (
        InstrumentOptions(array="meerkat", primary_beam=kind, pointings=1) for kind in ("dish", "mosaic")
    )
    e = np.linspace(0, 5000, 50)
    assert primary_beam(mosaic, 1.4e9, e, 300.0) == pytest.approx(
        primary_beam(dish, 1.4e9, e, 300.0), abs=1e-6
    )


def test_pointings_are_a_step_apart_and_stay_where_they_are():
    options = InstrumentOptions(array="meerkat", primary_beam="mosaic", pointings=4, pointing_step=0.5)
    centres = mosaic_centres(options)
    assert centres.shape == (16, 2)
    assert centres.mean(axis=0) == pytest.approx([0, 0], abs=1e-6)
    distance = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1))
    assert np.sort(distance[0])[1] == pytest.approx(0.5 * half_power_width(options, 1.4e9))


@pytest.mark.parametrize(("footprint", "pitch"), [("square", 1.05), ("hexagonal", 0.9)])
def test_the_footprint_of_36_beams_covers_about_thirty_square_degrees(footprint, pitch):
    options = InstrumentOptions(array="askap", primary_beam="footprint", footprint=footprint, pitch=pitch)
    grid = np.arange(-5, 5, 0.05) * 3600
    response = primary_beam(options, 943.5e6, *np.meshgrid(grid, grid))
    assert len(mosaic_centres(options)) == 36
    assert 25 < np.sum(response > 0.5) * 0.05**2 < 45
    assert response.max() == pytest.approx(1, abs=0.01)
    assert response.max() <= 1
    assert response[100, 100] > 0.85


def test_noise_grows_as_the_mosaic_loses_weight():
    # two maps of unit noise, each weighted by its own pattern: noise of the mean is 1 / sqrt(sum A^2)
    options = InstrumentOptions(array="meerkat", primary_beam="mosaic", pointings=2)
    dish = InstrumentOptions(array="meerkat", primary_beam="dish")
    e, n = np.array([0.0, 3000.0]), np.array([0.0, 1500.0])
    patterns = np.array([primary_beam(dish, 1.4e9, e - ce, n - cn) for ce, cn in mosaic_centres(options)])
    rms = 1 / np.sqrt(np.sum(patterns**2, axis=0))
    response = primary_beam(options, 1.4e9, e, n)
    assert response[0] / response[1] == pytest.approx(rms[1] / rms[0])

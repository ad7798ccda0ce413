"""Stacks: what is planted comes back, errors are those of the scatter, random positions show the level of the map."""

import math
import warnings

import numpy as np
import pytest

from skysift.base.errors import OptionError
from skysift.stamps.making import Place
from skysift.stamps.options import StackOptions
from skysift.stamps.stack import bins_of, noise_of, random_places, stack

RNG = np.random.default_rng(11)


def noisy(n=400, size=11, peak=0.5):
    """Stamps of unit noise with a source in the middle."""
    data = RNG.normal(size=(n, 1, size, size)).astype(np.float32)
    data[:, 0, size // 2, size // 2] += peak
    return data


@pytest.mark.parametrize("statistic", ["mean", "median", "weighted"])
def test_a_faint_source_comes_back_with_its_error(statistic):
    data = noisy()
    made = stack(
        data, range(400), statistic, noise=np.ones((400, 1)), bootstrap=200, rng=np.random.default_rng(1)
    )
    error = math.sqrt((math.pi / 2 if statistic == "median" else 1.0) / 400)
    assert made.image[0, 5, 5] == pytest.approx(0.5, abs=4 * error)
    assert np.median(made.error) == pytest.approx(error, rel=0.12)
    assert np.std(made.image[0, :4]) == pytest.approx(error, rel=0.3)
    assert made.samples.std() == pytest.approx(float(made.error[0, 5, 5]), rel=0.05)
    assert (made.count == 400).all()
    scatter = stack(data, range(400), statistic, noise=np.ones((400, 1)))
    np.testing.assert_allclose(scatter.error, made.error, rtol=0.8)
    assert np.median(scatter.error) == pytest.approx(error, rel=0.05)


def test_weights_follow_the_noise():
    quiet, loud = RNG.normal(0, 1, (50, 1, 9, 9)), RNG.normal(0, 10, (50, 1, 9, 9))
    data = np.concatenate([quiet, loud]).astype(np.float32)
    noise = np.array([noise_of(each) for each in data])
    np.testing.assert_allclose(noise[:50].mean(), 1.0, rtol=0.1)
    weighted, plain = (stack(data, range(100), how, noise=noise) for how in ("weighted", "mean"))
    assert weighted.image.std() == pytest.approx(1 / math.sqrt(50), rel=0.25)
    assert plain.image.std() > 3 * weighted.image.std()
    assert np.median(weighted.error) == pytest.approx(weighted.image.std(), rel=0.3)


def test_blanks_count_for_nothing():
    data = np.ones((4, 1, 3, 3), np.float32)
    data[1] = 5.0
    data[0, 0, 0, 0] = np.nan
    data[:, 0, 2, 2] = np.nan
    for statistic, value in (("mean", 7 / 3), ("median", 1.0)):
        made = stack(data, range(4), statistic)
        assert made.count[0, 0, 0] == 3
        assert made.image[0, 0, 0] == pytest.approx(value)
        assert np.isnan(made.image[0, 2, 2])
        assert np.isnan(made.error[0, 2, 2])
    assert np.isnan(stack(data, [], "mean").image).all()


def test_one_stamp_has_no_error():
    data = noisy(3)
    data[1:, 0, 0, 0] = np.nan
    for statistic in ("mean", "median"):
        alone = stack(data, [0], statistic, bootstrap=20, rng=np.random.default_rng(1))
        np.testing.assert_array_equal(alone.image, data[0])
        assert np.isnan(alone.error).all()
        three = stack(data, range(3), statistic, bootstrap=20, rng=np.random.default_rng(1))
        assert np.isnan(three.error[0, 0, 0])
        assert (three.error[0, 1:, 1:] > 0).all()


def test_the_median_is_that_of_numpy():
    data = RNG.normal(size=(7, 2, 5, 5)).astype(np.float32)
    data[RNG.random(data.shape) < 0.3] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where all are blank
        expected = np.nanmedian(data, axis=0)
    np.testing.assert_allclose(stack(data, range(7), "median").image, expected, rtol=1e-6)


def test_clipping_leaves_a_bright_neighbour_out():
    data = noisy(peak=0.0)
    data[7, 0, 2, 3] = 1e4
    assert stack(data, range(400), "mean").image[0, 2, 3] > 20
    assert abs(stack(data, range(400), "mean", clip=5.0).image[0, 2, 3]) < 0.2


def test_rows_of_pixels_at_a_time_are_the_same(monkeypatch):
    data = noisy(50)
    whole = stack(data, range(50), "median", bootstrap=20, rng=np.random.default_rng(1))
    monkeypatch.setattr("skysift.stamps.stack._BLOCK", 50 * 11 * 2)
    parts = stack(data, range(50), "median", bootstrap=20, rng=np.random.default_rng(1))
    for name in ("image", "error", "count", "samples"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


def test_random_places_lie_evenly_on_their_ring():
    centre = [Place("x", 359.99, 89.0)] * 1
    found = random_places(centre, np.array([100.0]), (3.0, 10.0), 2000, 5)
    a, b = np.radians([[place.ra for place in found], [place.dec for place in found]])
    at = np.radians((359.99, 89.0))
    away = (
        np.degrees(np.arccos(np.sin(b) * np.sin(at[1]) + np.cos(b) * np.cos(at[1]) * np.cos(a - at[0])))
        * 3600
    )
    assert away.min() >= 299.9
    assert away.max() <= 1000.1
    assert np.mean(away < math.sqrt((300**2 + 1000**2) / 2)) == pytest.approx(0.5, abs=0.04)
    assert found == random_places(centre, np.array([100.0]), (3.0, 10.0), 2000, 5)
    assert found != random_places(centre, np.array([100.0]), (3.0, 10.0), 2000, 6)


def test_bins_are_quartiles_or_between_edges():
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan, 5.0, 6.0, 7.0, 8.0])
    assert [each.rows for each in bins_of(None, 3, ())] == [(0, 1, 2)]
    assert [len(each.rows) for each in bins_of(values, 9, ())] == [2, 2, 2, 2]
    assert [each.rows for each in bins_of(values, 9, (1.0, 3.0, 8.0))] == [(0, 1), (2, 3, 5, 6, 7, 8)]
    with pytest.raises(OptionError, match="gives no bins"):
        bins_of(np.ones(4), 4, ())
    with pytest.raises(OptionError, match="no row lies"):
        bins_of(values, 9, (10.0, 20.0))
    with pytest.raises(OptionError, match="rising"):
        StackOptions(bins="z", edges=(3.0, 1.0))
    with pytest.raises(OptionError, match="smaller first"):
        StackOptions(control_radius=(3.0, 1.0))

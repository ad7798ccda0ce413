"""Reliability as arrays: noise as theory tells, artefacts as the inverted map shows them."""

import numpy as np
import pytest
from tests import skies

from skysift.measure.reliability import (
    FARTHEST,
    Marks,
    beyond_noise,
    false_islands,
    middle_pixels,
    reliabilities,
    second_moments,
    strongest,
)


def correlation(width, n=12):
    """The autocorrelation of white noise smoothed with a beam (FWHM)."""
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    return np.exp(-(x**2 + y**2) * (4 * np.log(2)) / (2 * width**2))


def marks(snr, contrast=None, area=None, size=None, alignment=None):
    """Detections of some signal to noise, alike in all else unless told."""
    snr = np.asarray(snr, float)

    def of(value, usual):
        return np.full(len(snr), usual) if value is None else np.asarray(value, float)

    return Marks(snr, snr, of(contrast, FARTHEST), of(area, 1.0), of(size, 0.0), of(alignment, 0.0))


def test_noise_makes_as_many_islands_as_theory_tells():
    from scipy.ndimage import label

    found = np.zeros(3)
    levels = np.array([3.5, 4.0, 4.5])
    n = 0
    for seed in range(6):
        noise = skies.correlated_noise((700, 700), (6.0, 6.0, 0.0), "convolved", np.random.default_rng(seed))
        found += [label(noise > level, np.ones((3, 3)))[1] for level in levels]
        n += noise.size
    expected = false_islands(levels, n, correlation(6.0))
    assert np.all(np.abs(found - expected) < 4 * np.sqrt(expected) + 0.1 * expected)


def test_white_noise_has_no_more_islands_than_pixels_above_the_level():
    white = np.zeros((5, 5))
    white[2, 2] = 1.0
    assert false_islands(np.array([4.0]), 1e6, white)[0] == pytest.approx(31.67, rel=1e-3)


def test_a_quiet_map_is_trusted_from_the_threshold_on():
    snr = 5.0 * np.linspace(0.001, 1, 500) ** -0.7
    value, _ = reliabilities(marks(snr), marks([]), 3e5, correlation(4.0))
    assert value.min() > 0.85
    assert value[snr > 5.5].min() > 0.99


def test_what_noise_makes_is_no_source():
    rng = np.random.default_rng(1)
    noise = 4.0 + rng.exponential(0.2, 200)
    other = 4.0 + rng.exponential(0.2, 200)
    n = 200 / false_islands(np.array([4.0]), 1.0, correlation(4.0))[0]
    value, beyond = reliabilities(marks(noise), marks(other), n, correlation(4.0))
    assert np.median(value) < 0.6
    assert beyond.sum() < 20
    real, _ = reliabilities(marks(np.append(noise, [7.0, 20.0])), marks(other), n, correlation(4.0))
    assert real[-2:].min() > 0.95


def test_negatives_near_strong_sources_tell_against_what_is_as_near():
    near, far = np.full(20, -1.0), np.full(200, FARTHEST)
    snr = np.append(np.full(20, 7.0), np.linspace(6, 60, 200))
    value, beyond = reliabilities(
        marks(snr, np.append(near, far)), marks(np.full(15, 7.0), near[:15]), 1e6, correlation(4.0)
    )
    assert beyond.min() > 0.99
    assert value[:20] == pytest.approx(0.25, abs=0.03)
    assert value[20:].min() > 0.99


def test_a_large_hole_tells_against_all_pieces_that_are_as_near():
    pieces = marks([6.0, 6.5, 7.0], [-0.8, -0.8, -0.8], [8.0, 5.0, 10.0], np.log10([8.0, 5.0, 10.0]))
    hole = marks([15.0], [-0.8], [200.0], [2.3])
    assert reliabilities(pieces, hole, 1e5, correlation(4.0), most=30.0)[0].max() < 0.01
    assert reliabilities(pieces, marks([]), 1e5, correlation(4.0))[0].min() > 0.99


def test_few_negatives_that_noise_explains_count_little():
    assert beyond_noise(np.array([5.1]), np.array([0.8]))[0] < 0.1
    assert beyond_noise(np.array([9.0]), np.array([1e-9]))[0] > 0.99


def test_order_plays_no_role():
    rng = np.random.default_rng(3)
    one = marks(rng.uniform(5, 50, 60), rng.uniform(-2, 1, 60))
    other = marks(rng.uniform(5, 20, 30), rng.uniform(-2, 1, 30))
    order = rng.permutation(60)
    turned = marks(one.snr[order], one.contrast[order])
    a, b = (reliabilities(each, other, 1e5, correlation(4.0))[0] for each in (one, turned))
    np.testing.assert_allclose(a[order], b, rtol=1e-12)


def test_nothing_found_is_nothing_rated():
    value, beyond = reliabilities(marks([]), marks([]), 1e5, correlation(4.0))
    assert len(value) == len(beyond) == 0


def test_the_strongest_neighbour_is_the_one_that_causes_most():
    out = np.zeros((1, 3))
    causes = np.array([[10.0, 0.0, 1000.0, 0.5], [0.0, 100.0, 5000.0, 0.5], [1.0, 0.0, 20.0, 0.5]])
    none, numbers = np.array([-1]), np.array([0, 1, 2])
    at = (np.zeros(1), np.zeros(1), np.full(1, 10.0))
    strongest(*at, none, none, causes, numbers, out)
    assert out[0] == pytest.approx([1000.0 / 10.5, 10.0, 0.0])
    strongest(*at, np.array([0]), none, causes, numbers, out)  # its own
    assert out[0] == pytest.approx([5000.0 / 100.5, 0.0, 100.0])
    strongest(*at, none, np.array([3]), causes, np.array([-5, 1, 2]), out)  # its own island
    assert out[0] == pytest.approx([5000.0 / 100.5, 0.0, 100.0])


def test_neighbours_that_are_looked_at_together_are_those_that_are_looked_at_one_by_one():
    rng = np.random.default_rng(7)
    n, sizes = 300, [1] * 40 + [500, 3, 64, 65, 200]
    of = np.repeat(-2 - np.arange(len(sizes)), sizes)
    of[:40] = np.arange(40)
    middle, flux = rng.uniform(0, 300, (len(sizes), 2)), rng.uniform(10, 3000, len(sizes))
    whose = np.repeat(np.arange(len(sizes)), sizes)
    places = middle[whose] + rng.integers(0, 25, (len(of), 2))
    causes = np.column_stack([places, flux[whose], np.repeat(rng.uniform(0.5, 9, len(sizes)), sizes)])
    x, y, own = *rng.uniform(0, 330, (2, n)), rng.uniform(1, 500, n)
    owner, island = rng.integers(-1, 40, n), rng.integers(-1, 60, n)
    out = np.zeros((n, 3))
    strongest(x, y, own, owner, island, causes, of, out)
    apart = causes[None, :, :2] - np.stack([x, y], axis=1)[:, None]
    value = causes[:, 2] / (np.sqrt((apart**2).sum(axis=2)) + causes[:, 3])
    theirs = (of != owner[:, None]) & (of != -2 - island[:, None]) & (causes[:, 2] >= 3.0 * own[:, None])
    value = np.where(theirs, value, 0.0)
    best = value.argmax(axis=1)
    some = value.max(axis=1) > 0
    assert some.sum() > 50
    np.testing.assert_allclose(out[:, 0], value.max(axis=1), rtol=1e-14)
    np.testing.assert_array_equal(out[some, 1:], apart[np.arange(n), best][some])


def test_moments_of_runs_are_those_of_their_pixels():
    rng = np.random.default_rng(2)
    painted = rng.uniform(size=(20, 30)) > 0.4
    y, x = np.nonzero(painted)
    whole = second_moments(y, x, x + 1, np.zeros(len(y), np.int64), 1)[0]
    expected = [x.mean(), y.mean(), x.var(), np.mean((x - x.mean()) * (y - y.mean())), y.var()]
    np.testing.assert_allclose(whole, expected, rtol=1e-12)
    run = second_moments(np.array([4]), np.array([3]), np.array([10]), np.array([0]), 1)[0]
    np.testing.assert_allclose(run, [6.0, 4.0, 4.0, 0.0, 0.0])


def test_the_middle_pixel_lies_on_its_object():
    y, x = np.mgrid[:60, :60]
    ring = np.abs(np.hypot(x - 30, y - 30) - 20) < 3
    row, column = np.nonzero(ring)
    other = np.array([0, 0, 0])
    at = middle_pixels(
        np.append(row, [5, 6, 7]),
        np.append(column, [70, 70, 70]),
        np.append(column + 1, [71, 71, 71]),
        np.append(np.zeros(len(row), np.int64), other + 1),
        3,
    )
    assert ring[int(at[0, 1]), int(at[0, 0])]
    assert at[0, 1] == pytest.approx(30, abs=1)
    np.testing.assert_array_equal(at[1:], [[70, 6], [0, 0]])
    assert middle_pixels(*(np.empty(0, np.int64),) * 4, 2).shape == (2, 2)

"""Pixels above a threshold become runs; histograms and edges are counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysift.measure.label import count_runs, find_runs, mark_edges, significance_histogram


def runs_of(data, threshold=1.0, sign=1.0, level=0.0, rms=1.0, origin=(0, 0)):
    data = np.array(data, np.float32)
    level, rms = np.full_like(data, level), np.full_like(data, rms)
    n = count_runs(data, level, rms, threshold, sign)
    runs, peaks = np.empty((n, 3), np.int64), np.empty(n)
    find_runs(data, level, rms, threshold, sign, *origin, runs, peaks)
    return runs.tolist(), peaks.tolist()


def test_runs_in_map_order_with_their_peaks():
    data = [[0, 2, 3, 0, 5], [np.nan, 1, np.nan, 1, 0.5], [0, 0, 0, 0, 0]]
    runs, peaks = runs_of(data, origin=(10, 20))
    assert runs == [[10, 21, 23], [10, 24, 25], [11, 21, 22], [11, 23, 24]]
    assert peaks == [3, 5, 1, 1]


def test_what_is_as_bright_as_the_threshold_is_inside():
    assert runs_of([[3.0, 2.9999]], threshold=3.0)[0] == [[0, 0, 1]]


def test_negative_islands_are_runs_of_the_inverted_map():
    assert runs_of([[-4, 4]], sign=-1.0) == ([[0, 0, 1]], [4.0])
    assert runs_of([[6, 4, 1]], threshold=1.0, level=2.0, rms=2.0) == ([[0, 0, 2]], [2.0])


def test_a_line_of_one_pixel_and_an_empty_map():
    assert runs_of([[2.0]]) == ([[0, 0, 1]], [2.0])
    assert runs_of(np.zeros((4, 5))) == ([], [])


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=60), st.sampled_from([0.01, 0.5]))
def test_the_histogram_counts_every_pixel_that_is_not_negative_once(values, width):
    z = np.array([values], np.float32)
    counts = np.zeros(100, np.int64)
    significance_histogram(z, np.zeros_like(z), np.ones_like(z), width, counts)
    assert counts.sum() == (z >= 0).sum()
    expected = np.bincount(np.minimum((z[z >= 0].astype(float) / width).astype(int), 99), minlength=100)
    np.testing.assert_array_equal(counts, expected)


def test_blank_pixels_are_in_no_bin():
    z = np.full((3, 3), np.nan, np.float32)
    counts = np.zeros(10, np.int64)
    significance_histogram(z, np.zeros_like(z), np.ones_like(z), 0.1, counts)
    assert not counts.any()


@pytest.mark.parametrize(
    ("hole", "touched"), [((0, 0), [True, False]), ((2, 2), [True, True]), ((4, 0), [False, False])]
)
def test_islands_beside_blank_pixels_are_marked(hole, touched):
    labels = np.zeros((5, 5), np.int32)
    labels[1, 1], labels[3, 3] = 1, 2
    data = np.ones((5, 5), np.float32)
    data[hole] = np.nan
    out = np.zeros(3, np.bool_)
    mark_edges(labels, data, out)
    assert out[1:].tolist() == touched

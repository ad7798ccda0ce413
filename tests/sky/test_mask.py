import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from skysift.base.errors import UnknownName, UsageError
from skysift.sky.box import Box
from skysift.sky.mask import Mask, join_runs

labelled = npst.arrays(
    np.int64, npst.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9), elements=st.integers(0, 3)
)
small = st.integers(-4, 12)


@settings(deadline=None)
@given(labelled)
def test_labels_come_back(labels):
    mask = Mask.from_labels(labels)
    painted = mask.paint()
    assert painted.dtype == np.int32
    assert np.array_equal(painted, labels)
    assert pickle.loads(pickle.dumps(mask)) == mask


@settings(deadline=None)
@given(labelled, small, small, small, small)
def test_any_box_is_painted_as_that_part_of_the_map(labels, y0, x0, height, width):
    box = Box(y0, y0 + abs(height), x0, x0 + abs(width))
    whole = np.zeros((40, 40), dtype=np.int64)  # the map, 10 pixels further from its own corner
    whole[10 : 10 + labels.shape[0], 10 : 10 + labels.shape[1]] = labels
    truth = whole[10 + box.y0 : 10 + box.y1, 10 + box.x0 : 10 + box.x1]
    assert np.array_equal(Mask.from_labels(labels).paint(box), truth)


@settings(deadline=None)
@given(labelled)
def test_area_and_boxes_agree_with_the_pixels(labels):
    mask = Mask.from_labels(labels)
    assert mask.labels.tolist() == sorted(set(labels[labels > 0].tolist()))
    assert mask.n_labels == len(mask) == mask.labels.size
    for number, label in enumerate(mask.labels.tolist()):
        rows, columns = np.nonzero(labels == label)
        assert mask.area[number] == rows.size
        box = mask.box(label)
        assert (box.y0, box.y1, box.x0, box.x1) == (
            rows.min(),
            rows.max() + 1,
            columns.min(),
            columns.max() + 1,
        )
        assert mask.boxes[number].tolist() == [box.y0, box.y1, box.x0, box.x1]


@settings(deadline=None)
@given(labelled, st.integers(1, 8), st.randoms(use_true_random=False))
def test_a_mask_does_not_depend_on_how_its_runs_were_cut(labels, cut, random):
    mask = Mask.from_labels(labels)
    runs = []
    for row, start, stop, label in zip(mask.row, mask.start, mask.stop, mask.label, strict=True):
        edges = [start, *range((start // cut + 1) * cut, stop, cut), stop]
        runs += [(row, a, b, label) for a, b in itertools.pairwise(edges)]
    random.shuffle(runs)
    pieces = np.array(runs, dtype=np.int64).reshape(-1, 4)
    assert Mask(*pieces.T, mask.shape) == mask


def test_a_part_of_a_map():
    labels = np.array([[0, 5, 5], [2, 2, 0]])
    mask = Mask.from_labels(labels, Box(10, 12, 20, 23), (100, 200))
    assert mask.shape == (100, 200)
    assert mask.box(5) == Box(10, 11, 21, 23)
    assert np.array_equal(mask.paint(Box(10, 12, 20, 23)), labels)
    assert mask.paint().sum() == 14


def test_nothing_is_a_value():
    empty = Mask.empty((4, 5))
    assert empty == Mask.from_labels(np.zeros((4, 5), dtype=np.int32))
    assert empty.paint().shape == (4, 5)
    assert not empty.paint().any()
    assert empty.n_labels == 0
    assert empty.boxes.shape == (0, 4)
    assert repr(empty) == "Mask(0 labels, 0 pixels in 0 runs, shape=(4, 5))"
    with pytest.raises(UnknownName, match="the mask is empty"):
        empty.box(1)


def test_select_and_relabel():
    labels = np.array([[1, 1, 0, 2], [3, 0, 0, 2]])
    mask = Mask.from_labels(labels)
    assert np.array_equal(mask.select([2, 3]).paint(), np.where(labels == 1, 0, labels))
    assert np.array_equal(mask.relabel([3, 1], [1, 3]).paint(), [[3, 3, 0, 0], [1, 0, 0, 0]])
    assert mask.relabel([1, 2], [7, 7]).area.tolist() == [4]
    with pytest.raises(UsageError, match="one by one"):
        mask.relabel([1, 1], [2, 3])


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        (([0], [2], [2], [1]), "empty or leaves the map"),
        (([0], [0], [6], [1]), "empty or leaves the map"),
        (([4], [0], [1], [1]), "empty or leaves the map"),
        (([-1], [0], [1], [1]), "empty or leaves the map"),
        (([0], [0], [1], [0]), "a label of a mask is out of range: got 0"),
        (([0, 0], [0, 1], [2, 3], [1, 2]), "two runs of a mask share a pixel: got 'row 0'"),
        (([0, 0], [0], [2], [1]), "differ in length"),
        (([0.5], [0], [2], [1]), "whole numbers is wanted"),
    ],
)
def test_runs_that_cannot_be_are_refused(runs, told):
    with pytest.raises(UsageError, match=told):
        Mask(*(np.array(each) for each in runs), (4, 5))


def test_an_array_that_is_no_plane_of_labels_is_refused():
    with pytest.raises(UsageError, match="plane of whole numbers"):
        Mask.from_labels(np.zeros((2, 2, 2), dtype=np.int32))
    with pytest.raises(UsageError, match="plane of whole numbers"):
        Mask.from_labels(np.zeros((2, 2)))
    with pytest.raises(UsageError, match="not as large as their box"):
        Mask.from_labels(np.zeros((2, 2), dtype=np.int32), Box(0, 3, 0, 2))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(1, 5), st.integers(0, 2)), max_size=12
    )
)
def test_joined_runs_cover_the_same_pixels_once(runs):
    given_runs = np.array(
        [(row, start, start + length, index) for row, start, length, index in runs], dtype=np.int64
    )
    row, start, stop, index = join_runs(*given_runs.reshape(-1, 4).T)
    truth = {(i, r, x) for r, a, b, i in given_runs.reshape(-1, 4).tolist() for x in range(a, b)}
    covered = [
        (i, r, x)
        for r, a, b, i in zip(*map(np.ndarray.tolist, (row, start, stop, index)), strict=True)
        for x in range(a, b)
    ]
    assert len(covered) == len(truth)
    assert set(covered) == truth
    order = list(zip(index.tolist(), row.tolist(), start.tolist(), strict=True))
    assert order == sorted(order)


def test_the_runs_near_a_box_are_all_that_it_paints():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, (30, 40)) * (rng.random((30, 40)) < 0.4)
    whole = Mask.from_labels(labels)
    for box in (Box(3, 9, 5, 20), Box(-4, 2, 30, 60), Box(0, 30, 0, 40), Box(40, 50, 0, 9)):
        near = whole.near(box)
        np.testing.assert_array_equal(near.paint(box), whole.paint(box))
        assert near.shape == whole.shape
    assert len(whole.near(Box(3, 9, 5, 20)).row) < len(whole.row) / 3
    assert not len(whole.near(Box(40, 50, 0, 9)))

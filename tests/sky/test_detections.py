import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from skysift.base.errors import UnknownName, UsageError
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints
from skysift.sky.mask import Mask

labelled = npst.arrays(np.int64, (6, 7), elements=st.integers(0, 4))


def made(seed: int = 0) -> Detections:
    labels = np.random.default_rng(seed).integers(0, 5, (9, 11))
    found = Detections.from_mask(Mask.from_labels(labels), np.arange(4.0))
    return Detections(
        found.boxes, found.scores, found.footprints, {"flux": np.array([1.0, np.nan, 3.0, 4.0])}
    )


def test_nothing_found_is_a_value():
    empty = Detections.empty()
    assert len(empty) == 0
    assert empty.boxes.shape == (0, 4)
    assert empty.boxes.dtype == np.int64
    assert empty == Detections.concat([]) == Detections.concat([empty, empty])
    assert empty == pickle.loads(pickle.dumps(empty)) == empty.select([]) == empty.shift(1, 2)
    assert empty.to_mask((3, 4)) == Mask.empty((3, 4))
    assert Detections.empty({"flux": np.ones(3)}) == made().select([])
    assert Detections.empty({"flux": np.ones(3)}) != empty


@settings(deadline=None)
@given(labelled)
def test_a_mask_and_its_detections_are_the_same_pixels(labels):
    mask = Mask.from_labels(labels)
    found = Detections.from_mask(mask)
    assert len(found) == mask.n_labels
    assert np.array_equal(found.boxes, mask.boxes)
    assert np.array_equal(found.area, mask.area)
    back = found.to_mask(labels.shape)
    assert back == mask.relabel(mask.labels, np.arange(1, mask.n_labels + 1))


def test_a_value_compares_and_pickles():
    found = made()
    assert pickle.loads(pickle.dumps(found)) == found
    assert found != made(1)
    assert found != Detections(found.boxes, found.scores + 1, found.footprints, found.raw)
    assert found["flux"][0] == 1.0
    with pytest.raises(UnknownName, match="no such raw parameter: got 'class'"):
        found["class"]
    for array in (found.boxes, found.scores, found["flux"], found.footprints.row):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert repr(found).startswith("Detections(4 rows, Footprints(")


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=6))
def test_selected_rows_keep_their_pixels(rows):
    found = made()
    part = found.select(np.array(rows, dtype=np.int64))
    assert np.array_equal(part.boxes, found.boxes[rows])
    assert np.array_equal(part["flux"], found["flux"][rows], equal_nan=True)
    assert np.array_equal(part.area, found.area[rows])
    for new, old in enumerate(rows):
        pixels, truth = part.footprints, found.footprints
        assert np.array_equal(pixels.start[pixels.index == new], truth.start[truth.index == old])


def test_select_by_mask_and_concat():
    found = made()
    mask = np.array([True, False, True, False])
    assert found.select(mask) == found.select([0, 2])
    both = Detections.concat([found.select(mask), found.select(~mask)])
    assert both == found.select([0, 2, 1, 3])
    assert both.select([0, 2, 1, 3]) == found
    with pytest.raises(UsageError, match="different raw parameters"):
        Detections.concat([found, Detections.empty()])
    with pytest.raises(UsageError, match="one value a detection"):
        found.select([True])
    with pytest.raises(UsageError, match="no such detection"):
        found.select([4])


def test_shift_moves_boxes_and_pixels():
    found = made()
    moved = found.shift(10, 20)
    assert np.array_equal(moved.boxes - found.boxes, np.tile([10, 10, 20, 20], (4, 1)))
    mask = moved.to_mask((40, 40))
    assert np.array_equal(mask.paint()[10:19, 20:31], found.to_mask((9, 11)).paint())


def test_footprints_may_overlap_and_are_joined_within_one_object():
    prints = Footprints(np.array([0, 0, 0]), np.array([2, 0, 1]), np.array([4, 3, 2]), np.array([0, 0, 1]))
    assert prints.start.tolist() == [0, 1]
    assert prints.stop.tolist() == [4, 2]
    assert prints.area(2).tolist() == [4, 1]
    found = Detections(np.array([[0, 1, 0, 4], [0, 1, 1, 2]]), np.ones(2), prints)
    with pytest.raises(UsageError, match="share a pixel"):
        found.to_mask((2, 5))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (([[0, 1, 0]], [1.0]), "rows of four whole numbers"),
        (([[0.5, 1, 0, 1]], [1.0]), "rows of four whole numbers"),
        (([[0, 0, 0, 1]], [1.0]), "a box of a detection is empty"),
        (([[0, 1, 0, 1]], [1.0, 2.0]), "differ in length"),
        (([[0, 1, 0, 1]], [1.0], Footprints.empty(), {"flux": np.ones(2)}), "differ in length"),
        (
            ([[0, 1, 0, 1]], [1.0], Footprints(*(np.array([n]) for n in (0, 0, 1, 1)))),
            "belongs to no detection: got 1",
        ),
    ],
)
def test_what_cannot_be_is_refused(arguments, told):
    with pytest.raises(UsageError, match=told):
        Detections(*arguments)


def test_empty_runs_are_refused():
    with pytest.raises(UsageError, match="a run of a footprint is empty"):
        Footprints(np.array([0]), np.array([1]), np.array([1]), np.array([0]))


def test_which_meet_a_box():
    painted = np.zeros((20, 30), int)
    painted[2:5, 3:9] = 1
    painted[4:12, 20:22] = 2
    found = Detections.from_mask(Mask.from_labels(painted))
    assert found.meets(Box(4, 6, 0, 30)).tolist() == [True, True]
    assert found.meets(Box(5, 6, 0, 30)).tolist() == [False, True]
    assert found.meets(Box(0, 20, 9, 20)).tolist() == [False, False]
    assert found.meets(Box(0, 20, 8, 9)).tolist() == [True, False]

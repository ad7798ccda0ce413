"""Arithmetic of footprints against painted arrays."""

import numpy as np
import pytest

from skysift.find.extended.nested import label_at
from skysift.find.extended.residual import around
from skysift.find.extended.runs import boxes_of, overlapping, without
from skysift.sky.detections import Footprints
from skysift.sky.mask import Mask

SHAPE = (40, 50)


def labels(seed, share):
    """A random array of labels 0 to 5."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(SHAPE) < share, rng.integers(1, 6, SHAPE), 0)


def prints_of(painted):
    mask = Mask.from_labels(painted)
    return Footprints(mask.row, mask.start, mask.stop, mask.label - 1)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_left_without_a_mask(seed):
    mine, other = labels(seed, 0.7), labels(seed + 100, 0.4)
    left, some = without(prints_of(mine), 5, Mask.from_labels(other))
    expected = np.where(other > 0, 0, mine)
    assert np.array_equal(Mask(left.row, left.start, left.stop, left.index + 1, SHAPE).paint(), expected)
    assert some.tolist() == [(expected == k + 1).any() for k in range(5)]
    boxes = boxes_of(left, 5)
    for k in range(5):
        y, x = np.nonzero(expected == k + 1)
        assert boxes[k].tolist() == [y.min(), y.max() + 1, x.min(), x.max() + 1]


@pytest.mark.parametrize("seed", range(4))
def test_which_share_a_pixel_with_a_mask(seed):
    mine, other = labels(seed, 0.02), labels(seed + 100, 0.1)
    found = overlapping(prints_of(mine), 5, Mask.from_labels(other))
    assert found.tolist() == [bool(((mine == k + 1) & (other > 0)).any()) for k in range(5)]


def test_an_empty_mask_takes_nothing():
    mine = prints_of(labels(1, 0.3))
    left, some = without(mine, 5, Mask.empty(SHAPE))
    assert left == mine
    assert some.all()
    assert not overlapping(mine, 5, Mask.empty(SHAPE)).any()


def test_labels_at_places():
    painted = labels(3, 0.3)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    places = np.stack([y.ravel(), x.ravel()], axis=1).astype(float)
    assert np.array_equal(label_at(Mask.from_labels(painted), places).reshape(SHAPE), painted)
    assert not label_at(Mask.empty(SHAPE), places).any()


def test_pixels_around_a_footprint():
    painted = np.zeros(SHAPE, int)
    painted[20, 25] = 1
    painted[2, 3] = 2
    near = around(prints_of(painted), np.array([True, False]), (3, 5), SHAPE).paint()
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = ((y - 20) / 3) ** 2 + ((x - 25) / 5) ** 2 <= 1.0
    assert np.array_equal(near > 0, inside)

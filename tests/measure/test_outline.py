"""Outlines of labels hold the pixels of the labels, and nothing else."""

import numpy as np
import pytest
from matplotlib.path import Path
from scipy import ndimage

from skysift.base.errors import UsageError
from skysift.measure.outline import outlines
from skysift.sky.lines import Lines
from skysift.sky.mask import Mask


def painted(lines: Lines, label: int, shape: tuple[int, int]) -> np.ndarray:
    """The pixels whose middles the outlines of a label hold, by the even-odd rule."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    centres = np.column_stack([x.ravel(), y.ravel()])
    inside = np.zeros(len(centres), bool)
    for k in np.flatnonzero(lines.owner == label):
        inside ^= Path(lines.points(k)).contains_points(centres)
    return inside.reshape(shape)


def area(points: np.ndarray) -> float:
    x, y = points.T
    return 0.5 * abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())


def random_labels(seed: int, smooth: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.standard_normal((50, 70)), smooth)
    return np.digitize(field / field.std(), [0.2, 0.9]).astype(np.int32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("smooth", [0.6, 3.0])
def test_edges_are_those_of_the_pixels(seed, smooth):
    labels = random_labels(seed, smooth)
    lines = outlines(Mask.from_labels(labels), tolerance=0.0)
    for label in (1, 2):
        assert np.array_equal(painted(lines, label, labels.shape), labels == label)
        sign = np.where(lines.hole, -1, 1)
        mine = np.flatnonzero(lines.owner == label)
        total = sum(sign[k] * area(lines.points(k)) for k in mine)
        assert total == (labels == label).sum()
    assert (np.diff(lines.owner) >= 0).all()
    if smooth > 1:  # no pixels that touch at corners: each outline goes round one piece or one hole
        inside = labels == 2
        crossing = inside[1:, 1:] == inside[:-1, :-1]
        crossing &= (inside[1:, :-1] == inside[:-1, 1:]) & (inside[1:, 1:] != inside[1:, :-1])
        if not crossing.any():
            pieces = ndimage.label(inside)[1]
            assert (~lines.hole[lines.owner == 2]).sum() == pieces


def test_fewer_corners_stay_near():
    labels = random_labels(7, 4.0)
    exact, thin = (outlines(Mask.from_labels(labels), tolerance) for tolerance in (0.0, 0.75))
    assert len(thin) == len(exact)
    assert len(thin.x) < 0.6 * len(exact.x)
    for label in (1, 2):
        wrong = painted(thin, label, labels.shape) != (labels == label)
        edge = ndimage.binary_dilation(labels == label) & ~ndimage.binary_erosion(labels == label)
        assert not (wrong & ~edge).any()
        assert wrong.sum() < 0.5 * edge.sum()


def test_a_square_with_a_hole_and_one_pixel():
    labels = np.zeros((12, 12), np.int32)
    labels[2:8, 3:9], labels[4:6, 5:7], labels[10, 10] = 4, 0, 9
    lines = outlines(Mask.from_labels(labels))
    assert lines.owner.tolist() == [4, 4, 9]
    assert lines.hole.tolist() == [False, True, False]
    assert lines.n_points.tolist() == [4, 4, 4]
    assert sorted(map(tuple, lines.points(2).tolist())) == [
        (9.5, 9.5),
        (9.5, 10.5),
        (10.5, 9.5),
        (10.5, 10.5),
    ]
    assert len(outlines(Mask.empty((5, 5)))) == 0


def test_lines_are_chosen_and_given_to_others():
    lines = Lines.of([3, 1], [np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]), np.array([[9.0, 9.0]])])
    back = lines.select(np.array([1, 0]))
    assert back.owner.tolist() == [1, 3]
    assert np.array_equal(back.points(1), lines.points(0))
    assert lines.select(np.array([False, True])).x.tolist() == [9.0]
    assert lines.given_to([7, 8]).owner.tolist() == [7, 8]
    assert repr(lines) == "Lines(2 of 2 owners, 4 points)"
    with pytest.raises(UsageError, match="do not fit"):
        Lines(lines.owner, lines.first[:-1], lines.x, lines.y, lines.hole)

"""Boxes along two and three axes: what they share, which of them are one, and the hulls of ellipses."""

import itertools
import math

import numpy as np
import pytest

from skysift.find.neural.boxes import best_boxes, hull_of_ellipse, overlap


def naive_overlap(a, b):
    """(IoU, DIoU) by loops."""
    axes = len(a) // 2
    shared, of_a, of_b, apart, around = 1.0, 1.0, 1.0, 0.0, 0.0
    for d in range(axes):
        ends = [(box[d] - 0.5 * box[axes + d], box[d] + 0.5 * box[axes + d]) for box in (a, b)]
        shared *= max(min(ends[0][1], ends[1][1]) - max(ends[0][0], ends[1][0]), 0.0)
        of_a, of_b = of_a * a[axes + d], of_b * b[axes + d]
        apart += (a[d] - b[d]) ** 2
        around += (max(ends[0][1], ends[1][1]) - min(ends[0][0], ends[1][0])) ** 2
    iou = shared / (of_a + of_b - shared)
    return iou, iou - math.sqrt(apart / around)


def boxes(rng, n, axes, wide=20.0):
    return np.concatenate([rng.uniform(0, wide, (n, axes)), rng.uniform(1, 9, (n, axes))], axis=1)


@pytest.mark.parametrize("axes", [2, 3])
def test_equal_boxes_share_all_and_distant_ones_nothing(axes):
    a = np.array([5.0] * axes + [4.0] * axes)
    far = a.copy()
    far[:axes] += 1e6
    assert overlap(a, a) == (1.0, 1.0)
    iou, diou = overlap(a, far)
    assert iou == 0.0
    assert diou == pytest.approx(-1.0, abs=1e-5)


def test_a_box_moved_by_half_of_its_side():
    """2 of 6 units of area are shared; the centres are 1 apart in a hull of 3 x 2."""
    iou, diou = overlap(np.array([0.0, 0.0, 2.0, 2.0]), np.array([0.0, 1.0, 2.0, 2.0]))
    assert iou == pytest.approx(1 / 3)
    assert diou == pytest.approx(1 / 3 - 1 / math.sqrt(13))


@pytest.mark.parametrize("axes", [2, 3])
def test_overlaps_are_those_of_loops_in_either_order_and_in_any_unit(axes):
    rng = np.random.default_rng(axes)
    for a, b in itertools.pairwise(boxes(rng, 60, axes)):
        assert overlap(a, b) == pytest.approx(naive_overlap(a, b), rel=1e-14, abs=1e-15)
        assert overlap(a, b) == overlap(b, a)
        assert overlap(8.0 * a, 8.0 * b) == overlap(a, b)


@pytest.mark.parametrize("limit", [-0.2, 0.0, 0.05, 0.5])
@pytest.mark.parametrize("axes", [2, 3])
def test_the_best_boxes_are_those_of_loops(axes, limit):
    for seed in range(5):
        given = boxes(np.random.default_rng(seed), 80, axes, wide=3.0 if limit > 0.1 else 12.0)
        kept = np.zeros(80, np.bool_)
        best_boxes(given, limit, kept)
        good = []
        for k in range(80):
            if all(naive_overlap(given[k], given[other])[1] <= limit for other in good):
                good.append(k)
        assert np.flatnonzero(kept).tolist() == good
        assert 1 < len(good) < 80


def test_a_small_box_on_a_large_one_stays():
    kept = np.zeros(3, np.bool_)
    best_boxes(np.array([[10.0, 10, 30, 30], [12.0, 12, 4, 4], [11.0, 10, 28, 31]]), 0.05, kept)
    assert kept.tolist() == [True, True, False]


def test_the_hull_of_an_ellipse_touches_it():
    """Full axes 10 and 4, turned by 30 degrees."""
    turn = np.radians(30.0)
    across = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    covariance = across @ np.diag([5.0**2, 2.0**2]) @ across.T
    angle = np.linspace(0, 2 * np.pi, 20001)
    edge = across @ np.stack([5.0 * np.cos(angle), 2.0 * np.sin(angle)])
    assert hull_of_ellipse(covariance[None], 2.0)[0] == pytest.approx(np.ptp(edge, axis=1), rel=1e-6)
    solid = np.diag([1.0, 4.0, 9.0])
    assert hull_of_ellipse(solid[None], 2.0)[0].tolist() == [2.0, 4.0, 6.0]

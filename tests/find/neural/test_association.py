"""Boxes and the sources that they answer for: against loops over all pairs, along two and three axes."""

import math

import numpy as np
import pytest
from tests.find.neural.test_boxes import naive_overlap

from skysift.find.neural.yolo.association import (
    BACKGROUND,
    LEARNT,
    LEFT_OUT,
    NO_TARGET,
    PASSED_OVER,
    associate,
)

CELL = 8.0
LIMITS = {"good": 0.5, "poor": -0.1, "forced": 0.5, "random": 0.1}


def run(boxes, grid, priors, targets, use, draws, *, early=False, **limits):
    """(owner, close) of `associate`."""
    owner, close = np.empty(boxes.shape[:2], np.int32), np.zeros(boxes.shape[:2])
    told = {**LIMITS, **limits}
    associate(boxes, np.array(grid), CELL, priors, targets, use, draws, early, told["good"], told["poor"],
              told["forced"], told["random"], owner, close)  # fmt: skip
    return owner, close


def naive(boxes, grid, priors, targets, use, draws, *, early=False, **limits):
    """The same as its sentences say."""
    told = {**LIMITS, **limits}
    axes = len(grid)
    owner, close = np.full(boxes.shape[:2], BACKGROUND), np.zeros(boxes.shape[:2])
    cells = {}
    for t in range(len(targets)):
        if use[t] == NO_TARGET:
            continue
        place = [math.floor(targets[t, d] / CELL) for d in range(axes)]
        inside = all(0 <= p < n for p, n in zip(place, grid, strict=True))
        home = int(np.ravel_multi_index(place, grid)) if inside else None
        if inside and use[t] == PASSED_OVER:
            owner[home] = LEFT_OUT
        if inside and use[t] == LEARNT:
            cells.setdefault(home, []).append(t)
        for c in range(boxes.shape[0]):
            for k in range(boxes.shape[1]):
                if naive_overlap(boxes[c, k], targets[t])[1] > told["good"]:
                    owner[c, k] = LEFT_OUT
    for home, waiting in cells.items():
        free = list(range(boxes.shape[1]))
        while waiting and free:
            near = {(t, k): naive_overlap(boxes[home, k], targets[t])[1] for t in waiting for k in free}
            t, box = max(near, key=lambda pair: near[pair])
            if early or draws[t, 0] < told["random"]:
                box = free[min(int(draws[t, 2] * len(free)), len(free) - 1)]
            elif near[t, box] < told["poor"] or draws[t, 1] < told["forced"]:
                away = [
                    sum(min(abs(math.log(targets[t, axes + d] / prior[d])), 1.2) for d in range(axes))
                    for prior in priors
                ]
                nearest = [k for k in free if away[k] == min(away)]
                if nearest:
                    box = max(nearest, key=lambda k: near[t, k])
            owner[home, box], close[home, box] = t, near[t, box]
            waiting.remove(t)
            free.remove(box)
    return owner, close


def world(seed, axes, n_targets=14):
    """Boxes within their cells, priors of which some are alike, and targets, a few of them outside."""
    rng = np.random.default_rng(seed)
    grid = (4, 5) if axes == 2 else (2, 3, 3)
    priors = np.concatenate([np.full((3, axes), 5.0), rng.uniform(4, 15, (2, axes))])
    index = np.stack(np.unravel_index(np.arange(np.prod(grid)), grid), axis=1)
    centre = CELL * (index[:, None] + rng.uniform(0, 1, (len(index), 5, axes)))
    boxes = np.concatenate([centre, priors * np.exp(rng.uniform(-0.4, 0.4, centre.shape))], axis=2)
    middle = rng.uniform(-4, CELL * np.array(grid) + 4, (n_targets, axes))
    middle[: n_targets // 2] = middle[0] // CELL * CELL + rng.uniform(0, CELL, (n_targets // 2, axes))
    targets = np.concatenate([middle, rng.uniform(4, 15, (n_targets, axes))], axis=1)
    near = rng.integers(len(index), size=3), rng.integers(5, size=3)
    targets[-3:] = boxes[near] * rng.uniform(0.98, 1.02, (3, 2 * axes))
    use = rng.choice(np.array([LEARNT, PASSED_OVER, NO_TARGET], np.int8), n_targets, p=[0.7, 0.2, 0.1])
    return boxes, grid, priors, targets, use, rng.random((n_targets, 3))


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("early", [False, True])
def test_it_is_what_loops_over_all_pairs_give(axes, early):
    seen = set()
    for seed in range(25):
        given = world(seed, axes)
        owner, close = run(*given, early=early)
        expected, near = naive(*given, early=early)
        assert (owner == expected).all()
        assert close == pytest.approx(near, rel=1e-13, abs=1e-14)
        seen |= {LEFT_OUT, BACKGROUND} & set(owner.ravel().tolist())
        seen |= {"owned"} if (owner >= 0).any() else set()
    assert seen == {LEFT_OUT, BACKGROUND, "owned"}


def test_each_source_of_a_cell_has_a_box_of_its_own_until_boxes_run_out():
    given = world(3, 2)
    owner, _ = run(*given, forced=1.0)
    mine, count = np.unique(owner[owner >= 0], return_counts=True)
    assert (count == 1).all()
    home = (given[3][:, :2] // CELL).astype(int)
    crowd = (home == home[0]).all(axis=1) & (given[4] == LEARNT)
    assert np.isin(mine, np.flatnonzero(crowd)).sum() == min(crowd.sum(), 5)


def test_what_is_predicted_decides():
    """Two sources of a cell are given the boxes that lie on them, whatever their order."""
    _, grid, priors, *_ = world(0, 2)
    boxes = np.tile(np.array([4.0, 4.0, 5.0, 5.0]), (20, 5, 1))
    boxes[0, 1, :2], boxes[0, 2, :2] = (2.0, 2.0), (6.0, 6.0)
    targets = np.array([[6.1, 6.2, 5.0, 5.0], [2.1, 1.8, 5.0, 5.0]])
    use, draws = np.full(2, LEARNT, np.int8), np.full((2, 3), 0.999)
    owner, close = run(boxes, grid, priors, targets, use, draws)
    assert owner[0, :3].tolist() == [BACKGROUND, 1, 0]
    assert (close[0, 1:3] > 0.8).all()
    again, _ = run(boxes, grid, priors, targets[::-1].copy(), use, draws)
    assert again[0, :3].tolist() == [BACKGROUND, 0, 1]


def test_a_box_that_is_good_but_not_best_is_left_out():
    _, grid, priors, *_ = world(0, 2)
    boxes = np.tile(np.array([4.0, 4.0, 5.0, 5.0]), (20, 5, 1))
    boxes[1:] += np.array([100.0, 100.0, 0.0, 0.0])
    boxes[0, 4] = (4.0, 4.0, 1.0, 1.0)
    targets, use = np.array([[4.1, 4.0, 5.0, 5.0]]), np.full(1, LEARNT, np.int8)
    owner, _ = run(boxes, grid, priors, targets, use, np.full((1, 3), 0.999))
    assert sorted(owner[0].tolist()) == [LEFT_OUT, LEFT_OUT, LEFT_OUT, BACKGROUND, 0]
    assert (owner[1:] == BACKGROUND).all()


def test_where_no_box_is_near_the_prior_nearest_in_size_answers():
    _, grid, _, *_ = world(0, 2)
    priors = np.array([[5.0, 5.0], [5.0, 5.0], [9.0, 12.0], [12.0, 9.0], [24.0, 24.0]])
    boxes = np.concatenate([np.zeros((20, 5, 2)), np.broadcast_to(priors, (20, 5, 2))], axis=2)
    targets, use = np.array([[7.9, 7.9, 11.5, 9.4]]), np.full(1, LEARNT, np.int8)
    draws = np.full((1, 3), 0.999)
    assert np.argmax(run(boxes, grid, priors, targets, use, draws, poor=1.0)[0][0]) == 3
    assert (
        np.argmax(run(boxes, grid, priors, targets, use, draws, poor=-1.0)[0][0]) == 4
    )  # DIoU -0.1: the nearest


def test_in_the_first_steps_chance_takes_every_box_alike():
    boxes, grid, priors, targets, use, _ = world(1, 2, n_targets=3)
    targets[:] = boxes[7, 0]
    use[:] = (LEARNT, NO_TARGET, NO_TARGET)
    rng = np.random.default_rng(2)
    taken = [
        int(np.argmax(run(boxes, grid, priors, targets, use, rng.random((3, 3)), early=True)[0][7] == 0))
        for _ in range(1000)
    ]
    assert np.bincount(taken, minlength=5) == pytest.approx(200, abs=60)

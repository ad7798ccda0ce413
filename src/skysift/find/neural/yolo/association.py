"""Which box is to answer for which source: by what the network predicts now, cell by cell (Cornu et al. 2024)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel
from skysift.find.neural.boxes import overlap

__all__ = ["BACKGROUND", "LEARNT", "LEFT_OUT", "NO_TARGET", "PASSED_OVER", "associate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Bytes = NDArray[np.int8]

BACKGROUND, LEFT_OUT = -1, -2  # boxes that are to find nothing; that are neither right nor wrong
LEARNT, PASSED_OVER, NO_TARGET = (
    1,
    0,
    -1,
)  # what a target is: to be found; neither right nor wrong; only a place in a table

_STRETCH = 1.2  # ln: farther from a prior a size does not count as farther


@kernel
def associate(
    boxes: Floats, grid: NDArray[np.int64], cell: float, priors: Floats, targets: Floats, use: Bytes,
    draws: Floats, early: bool, good: float, poor: float, forced: float, random: float, owner: Ints, close: Floats,
) -> None:  # fmt: skip
    """
    Fill the target that each box answers for (`BACKGROUND`, `LEFT_OUT`: none), and the DIoU of both.

    In each cell the free pair of target and box with the highest DIoU is joined, until one of both runs out. Another
    free box is taken by chance in the first steps of a training and now and then; or the prior nearest in size, often
    and where no box is near. Boxes that overlap with a target and are not taken are left out: they are good, but not
    best.

    Parameters
    ----------
    boxes
        What is predicted ``(cell, prior, 2 x axes)``: centres, each within its cell, and sides (pixel, from the outer
        edge of the first).
    grid
        Cells along each axis; cells are numbered with the last axis fastest.
    cell
        Pixels across a cell.
    priors
        ``(prior, axis)`` sides (pixel).
    targets
        ``(target, 2 x axes)``.
    use
        ``(target,)``: `LEARNT`, `PASSED_OVER` or `NO_TARGET`; a target whose centre is outside the grid is passed over.
    draws
        ``(target, 3)`` numbers from 0 to 1: they decide for chance, for the prior, and which box chance takes.
    early
        Whether these are the first steps, when all boxes are taken by chance.
    good
        DIoU, above 0, beyond which a box that is not taken is left out.
    poor
        DIoU below which the prior nearest in size is taken.
    forced, random
        Probability of that in any case, and of chance.
    owner
        Filled: ``(cell, prior)``.
    close
        Filled where there is an owner: ``(cell, prior)``.
    """
    axes, n_priors, n_targets = grid.shape[0], priors.shape[0], targets.shape[0]
    owner[:] = BACKGROUND
    home = np.full(n_targets, -1, np.int64)
    low, wide = np.empty(axes, np.int64), np.empty(axes, np.int64)
    reach = (1.0 - good) / (
        2.0 * good
    )  # sides: farther apart, two boxes cannot have an IoU as high as `good`
    for t in range(n_targets):
        if use[t] == NO_TARGET:
            continue
        index, total = 0, 1
        for d in range(axes):
            place = int(np.floor(targets[t, d] / cell))
            index = index * grid[d] + place if index >= 0 and 0 <= place < grid[d] else -1
            away = reach * targets[t, axes + d]
            low[d] = max(0, int(np.floor((targets[t, d] - away) / cell)))
            high = min(grid[d] - 1, int(np.floor((targets[t, d] + away) / cell)))
            wide[d] = max(0, high - low[d] + 1)
            total *= wide[d]
        home[t] = index if use[t] == LEARNT else -1
        if use[t] == PASSED_OVER and index >= 0:
            owner[index, :] = LEFT_OUT
        for q in range(total):
            rest, near, factor = q, 0, 1
            for d in range(axes - 1, -1, -1):
                near += factor * (low[d] + rest % wide[d])
                rest //= wide[d]
                factor *= grid[d]
            for k in range(n_priors):
                if overlap(boxes[near, k], targets[t])[1] > good:
                    owner[near, k] = LEFT_OUT
    order = np.argsort(home, kind="mergesort")
    begin = 0
    while begin < n_targets:
        end = begin + 1
        here = home[order[begin]]
        while end < n_targets and home[order[end]] == here:
            end += 1
        if here >= 0:
            _in_cell(boxes[here], priors, targets, order[begin:end], draws, early, poor, forced, random,
                     here, owner, close)  # fmt: skip
        begin = end


@kernel
def _in_cell(
    boxes: Floats, priors: Floats, targets: Floats, members: NDArray[np.int64], draws: Floats, early: bool,
    poor: float, forced: float, random: float, cell: int, owner: Ints, close: Floats,
) -> None:  # fmt: skip
    """Join the targets of one cell with its boxes."""
    n, n_priors, axes = members.shape[0], priors.shape[0], priors.shape[1]
    near = np.empty((n, n_priors))
    for a in range(n):
        for k in range(n_priors):
            near[a, k] = overlap(boxes[k], targets[members[a]])[1]
    waiting, free = np.ones(n, np.bool_), np.ones(n_priors, np.bool_)
    for done in range(min(n, n_priors)):
        chosen, box, best = -1, -1, -np.inf
        for a in range(n):
            for k in range(n_priors):
                if waiting[a] and free[k] and near[a, k] > best:
                    chosen, box, best = a, k, near[a, k]
        target = members[chosen]
        if early or draws[target, 0] < random:
            left = min(int(draws[target, 2] * (n_priors - done)), n_priors - done - 1)
            for k in range(n_priors):
                if free[k]:
                    if left == 0:
                        box = k
                    left -= 1
        elif best < poor or draws[target, 1] < forced:
            prior = _nearest_prior(targets[target, axes:], priors, near[chosen], free)
            box = prior if prior >= 0 else box
        waiting[chosen], free[box] = False, False
        owner[cell, box], close[cell, box] = target, near[chosen, box]


@kernel
def _nearest_prior(sides: Floats, priors: Floats, near: Floats, free: NDArray[np.bool_]) -> int:
    """Of the priors that are nearest in size, the free one whose box has the highest DIoU; -1 where none is free."""
    away = np.zeros(priors.shape[0])
    for k in range(priors.shape[0]):
        for d in range(priors.shape[1]):
            away[k] += min(abs(np.log(sides[d] / priors[k, d])), _STRETCH)
    least, box, best = away.min(), -1, -np.inf
    for k in range(priors.shape[0]):
        if away[k] == least and free[k] and near[k] > best:
            box, best = k, near[k]
    return box

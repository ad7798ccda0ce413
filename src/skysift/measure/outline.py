"""Outlines of labels: their pixels' edges as polygons, holes as polygons of their own, with fewer corners if allowed."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.sky.lines import Lines
from skysift.sky.mask import Mask

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def outlines(mask: Mask, tolerance: float = 0.75) -> Lines:
    """
    The outlines of all labels of a mask, ordered by label, each owned by its label.

    Corners of the pixels' edges come from the ends of runs: where the runs of two rows of one label end alike there is
    none. Along a row and along a column corners are joined in pairs; what these joints lead round is one polygon. So
    the work is that of sorting the runs, however large the label. Pixels that touch at a corner share it.

    Parameters
    ----------
    mask
        The labels.
    tolerance
        By how many pixels an outline may miss the edges for the sake of fewer corners (Douglas & Peucker 1973); with 0
        it keeps to the edges.
    """
    if not len(mask.row):
        return Lines.empty()
    # an end of a run is a corner on the lines above and below the row; where it meets another, both go
    label = np.tile(mask.label, 4)
    y = np.concatenate([mask.row, mask.row, mask.row + 1, mask.row + 1])
    x = np.concatenate([mask.start, mask.stop, mask.start, mask.stop])
    order = np.lexsort((x, y, label))
    label, y, x = label[order], y[order], x[order]
    new = np.ones(len(x), np.bool_)
    new[1:] = (np.diff(x) != 0) | (np.diff(y) != 0) | (np.diff(label) != 0)
    begin = np.flatnonzero(new)
    count = np.diff(np.append(begin, len(x)))
    above = np.concatenate([np.zeros(2 * len(mask.row), np.int64), np.ones(2 * len(mask.row), np.int64)])[
        order
    ]
    from_above = np.add.reduceat(above, begin)
    # at a corner ends of the row above and of the row below meet: one alone turns, two of one row touch from both sides
    turns = (from_above % 2) + ((count - from_above) % 2)
    keep = np.where(turns == 2, _crossing(mask, label[begin], y[begin], x[begin]), turns)
    number = np.repeat(np.arange(len(begin)), keep)
    label, y, x = label[begin][number], y[begin][number], x[begin][number]
    across = _pairs(np.arange(len(x)))
    column = np.lexsort((y, x, label))
    down = np.empty(len(x), np.int64)
    down[column] = column[_pairs(np.arange(len(x)))]
    ring = np.full(len(x), -1, np.int64)
    place, first = np.empty(len(x), np.int64), np.empty(len(x) // 4 + 2, np.int64)
    n = _follow(across, down, ring, place, first)
    first = first[: n + 1]
    start = place[first[:-1]]  # the first corner of a polygon in map order: its pixel lies to the right below
    hole = ~_covered(mask, label[start], y[start], x[start])
    points_x, points_y = x[place] - 0.5, y[place] - 0.5
    if tolerance > 0.0:
        kept = np.zeros(len(points_x), np.bool_)
        _thin(points_x, points_y, first, tolerance, kept)
        first = np.concatenate([[0], np.cumsum(kept)])[first]
        points_x, points_y = points_x[kept], points_y[kept]
    return Lines(label[start], first.astype(np.int64), points_x, points_y, hole)


def _pairs(place: Ints) -> Ints:
    """Each place's partner: 0 and 1, 2 and 3, and so on."""
    return place ^ 1


def _covered(mask: Mask, label: Ints, y: Ints, x: Ints) -> Bools:
    """Whether pixels (y, x) have these labels."""
    width = mask.shape[1] + 1
    key = mask.row * width + mask.start
    run = np.searchsorted(key, y * width + x, side="right") - 1
    safe = np.maximum(run, 0)
    inside = (run >= 0) & (mask.row[safe] == y) & (x >= mask.start[safe]) & (x < mask.stop[safe])
    return np.asarray(inside & (mask.label[safe] == label))


def _crossing(mask: Mask, label: Ints, y: Ints, x: Ints) -> Ints:
    """Corners at a place where runs of the rows above and below end: 2 where pixels touch there, 0 on a straight edge."""
    above, below = _covered(mask, label, y - 1, x), _covered(mask, label, y, x)
    return np.where(above == below, 0, 2)


@kernel
def _follow(across: Ints, down: Ints, ring: Ints, place: Ints, first: Ints) -> int:
    """Number of polygons: ``place`` gets their corners one after the other, ``first`` where each begins and ends."""
    n, k = 0, 0
    for start in range(across.size):
        if ring[start] >= 0:
            continue
        first[n] = k
        corner = start
        while ring[corner] < 0:
            ring[corner] = n
            place[k] = corner
            corner = across[corner]
            ring[corner] = n
            place[k + 1] = corner
            corner = down[corner]
            k += 2
        n += 1
    first[n] = k
    return n


@kernel
def _thin(x: Floats, y: Floats, first: Ints, tolerance: float, kept: Bools) -> None:
    """Set ``kept`` at the corners of polygons that do for them within a tolerance; a polygon keeps four at least."""
    longest = 0
    for i in range(first.size - 1):
        longest = max(longest, first[i + 1] - first[i])
    stack = np.empty((longest + 4, 2), np.int64)
    for i in range(first.size - 1):
        low, n = first[i], first[i + 1] - first[i]
        if n <= 4:
            kept[low : low + n] = True
            continue
        far, best = 0, -1.0  # the corner farthest from the first: the two halves begin there
        for k in range(n):
            d = (x[low + k] - x[low]) ** 2 + (y[low + k] - y[low]) ** 2
            if d > best:
                far, best = k, d
        kept[low], kept[low + far] = True, True
        stack[0, 0], stack[0, 1] = 0, far
        stack[1, 0], stack[1, 1] = far, n
        top, chosen = 2, 2
        while top:
            top -= 1
            a, b = stack[top, 0], stack[top, 1]
            ax, ay = x[low + a], y[low + a]
            bx, by = x[low + b % n], y[low + b % n]
            length = np.hypot(bx - ax, by - ay)
            worst, at = -1.0, a
            for k in range(a + 1, b):
                dx, dy = x[low + k] - ax, y[low + k] - ay
                d = abs((bx - ax) * dy - (by - ay) * dx) / length if length > 0.0 else np.hypot(dx, dy)
                if d > worst:
                    worst, at = d, k
            if at > a and worst > tolerance:
                kept[low + at] = True
                chosen += 1
                stack[top, 0], stack[top, 1] = a, at
                stack[top + 1, 0], stack[top + 1, 1] = at, b
                top += 2
        if chosen < 4:  # small, or a spike: all of its corners
            kept[low : low + n] = True

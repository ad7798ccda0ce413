"""Masks that overlap: which are one object seen twice, and whose a pixel is in the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from skysift.base.compiled import kernel
from skysift.find.extended.runs import boxes_of
from skysift.sky.detections import Detections, Footprints
from skysift.sky.truth import CLASSES

__all__ = ["mended", "overlaps", "paint_runs", "without_double_masks"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALIKE = 0.4  # intersection over union above which two masks are one object
INSIDE = 0.6  # of the smaller mask in the larger: the same, unless it is
SMALL = 0.3  # of its area at most, and compact: then it lies on top of it
COMPACT = CLASSES.index("compact")


@kernel
def shared_runs(row: Ints, start: Ints, stop: Ints, index: Ints, out: Ints) -> int:
    """How often runs of two objects meet; ``out`` (meeting, 3) is filled with both and the pixels, as far as it goes."""
    n = 0
    for i in range(row.shape[0]):
        k = i + 1
        while k < row.shape[0] and row[k] == row[i] and start[k] < stop[i]:
            if index[k] != index[i]:
                if n < out.shape[0]:
                    out[n, 0], out[n, 1] = min(index[i], index[k]), max(index[i], index[k])
                    out[n, 2] = min(stop[i], stop[k]) - start[k]
                n += 1
            k += 1
    return n


@kernel
def keep_best_masks(first: Ints, other: Ints, kept: NDArray[np.bool_]) -> None:
    """Keep each object, the best first, without a better double, ``other[first[k]:first[k + 1]]``, that is kept."""
    for k in range(kept.shape[0]):
        kept[k] = True
        for i in range(first[k], first[k + 1]):
            if other[i] < k and kept[other[i]]:
                kept[k] = False


@kernel
def paint_runs(
    row: Ints, start: Ints, stop: Ints, number: Ints, y0: int, x0: int, owner: NDArray[np.int32]
) -> None:
    """Paint runs over a box that begins at (y0, x0), one after the other; the last has the pixel."""
    ny, nx = owner.shape
    for k in range(row.shape[0]):
        j = row[k] - y0
        if 0 <= j < ny:
            for i in range(max(start[k] - x0, 0), min(stop[k] - x0, nx)):
                owner[j, i] = number[k]


def overlaps(found: Detections) -> Ints:
    """Which objects share pixels and how many: ``(pair, 3)``, the lower number first, sorted."""
    prints = found.footprints
    order = np.lexsort((prints.stop, prints.start, prints.row))
    row, start, stop, index = (each[order] for each in (prints.row, prints.start, prints.stop, prints.index))
    out = np.empty((shared_runs(row, start, stop, index, np.empty((0, 3), np.int64)), 3), np.int64)
    shared_runs(row, start, stop, index, out)
    if not len(out):
        return out
    pairs, at = np.unique(out[:, :2], axis=0, return_inverse=True)
    pixels = np.bincount(at.ravel(), out[:, 2], len(pairs)).astype(np.int64)
    return np.concatenate([pairs, pixels[:, None]], axis=1)


def mended(found: Detections) -> Detections:
    """The objects, those as one that the borders of windows cut and that share pixels; class and score of the largest."""
    cut = np.flatnonzero(found["cut"] > 0.0)
    if not cut.size:
        return found
    pairs = overlaps(found.select(cut))
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(cut.size, cut.size))
    n_groups, group = connected_components(links, directed=False)
    if n_groups == cut.size:
        return found
    area = found.area[cut]
    chief = cut[np.lexsort((found["x"][cut], found["y"][cut], -area, group))]
    of_chief = np.sort(group)
    chief = chief[np.searchsorted(of_chief, np.arange(n_groups))]
    target = np.arange(len(found))
    target[cut] = chief[group]
    prints = found.footprints
    joined = Footprints(prints.row, prints.start, prints.stop, target[prints.index])
    boxes = boxes_of(joined, len(found), found.boxes)
    return Detections(boxes, found.scores, joined, found.raw).select(np.unique(target))


def without_double_masks(found: Detections) -> Detections:
    """
    The best of all masks of an object, greedily: what only a coarse level sees whole first, then by score, y and x.

    Two masks are one object where they share more than 0.4 of what both cover, or 0.6 of the smaller; but a compact
    object of less than 0.3 of the area of an extended one lies on top of it.
    """
    n = len(found)
    order = np.lexsort((found["x"], found["y"], -found.scores, -found["large"]))
    ranked = found.select(order)
    pairs = overlaps(ranked)
    a, b, both = pairs.T
    area = ranked.area
    smaller, larger = np.where(area[a] <= area[b], a, b), np.where(area[a] <= area[b], b, a)
    alike = both > ALIKE * (area[a] + area[b] - both)
    inside = both > INSIDE * area[smaller]
    kind = ranked["class"]
    on_top = (kind[smaller] == COMPACT) & (kind[larger] != COMPACT) & (area[smaller] < SMALL * area[larger])
    double = alike | (inside & ~on_top)
    better, worse = a[double], b[double]
    by_worse = np.argsort(worse, kind="stable")
    first = np.searchsorted(worse[by_worse], np.arange(n + 1)).astype(np.int64)
    kept = np.zeros(n, np.bool_)
    keep_best_masks(first, np.ascontiguousarray(better[by_worse]), kept)
    return ranked.select(kept)

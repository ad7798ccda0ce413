"""Masks that overlap: which are one object seen twice, and whose a pixel is in the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from skysift.base.compiled import kernel
from skysift.find.extended.runs import boxes_of
from skysift.sky.detections import Detections, Footprints
from skysift.sky.truth import CLASSES

__all__ = [
    "lying_on", "mended", "near_pairs", "overlaps", "shared_pixels", "without_double_masks",
]  # fmt: skip

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

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


def shared_pixels(found: Detections, true: Detections) -> tuple[Ints, Ints, Ints]:
    """Found and true objects that share pixels, and how many."""
    n = len(found)
    both = Detections.concat([Detections(each.boxes, each.scores, each.footprints) for each in (found, true)])
    pairs = overlaps(both)
    a, b, shared = pairs[(pairs[:, 0] < n) & (pairs[:, 1] >= n)].T
    return a, b - n, shared


def near_pairs(
    here: Ints, there: Ints, found: Detections, true: Detections, radius: float
) -> tuple[Ints, Ints, Floats]:
    """Those of some found and some true objects whose centres are near, and how far they are apart (pixel)."""
    at, to = (
        np.stack([each["x"][some], each["y"][some]], axis=1) for each, some in ((found, here), (true, there))
    )
    seen, known = np.isfinite(at).all(axis=1), np.isfinite(to).all(axis=1)
    here, at, there, to = here[seen], at[seen], there[known], to[known]
    if not here.size or not there.size:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    told = cKDTree(at).sparse_distance_matrix(cKDTree(to), radius, output_type="ndarray")
    order = np.lexsort((told["j"], told["i"]))
    return here[told["i"][order]], there[told["j"][order]], np.asarray(told["v"][order], np.float64)


def mended(found: Detections) -> Detections:
    """
    The objects, those as one that the borders of windows cut; class and score of the largest part.

    Two parts that windows of one level tell are of one object where they are the same to both windows: in what both see
    they share more than 0.4 of what both cover, more than with any other of that window, of those that are cut; and both
    or neither are compact.
    """
    if not (found["cut"] > 0.0).any():
        return found
    a, b, shared = overlaps(found).T
    cut, compact = found["cut"] > 0.0, found["class"] == COMPACT
    windows = np.stack([found[name] for name in ("top", "bottom", "left", "right")], axis=1).astype(np.int64)
    side = windows[:, 1] - windows[:, 0]
    could = (cut[a] | cut[b]) & (compact[a] == compact[b]) & (side[a] == side[b])
    could &= (windows[a] != windows[b]).any(axis=1)
    a, b, shared = a[could], b[could], shared[could]
    both = np.maximum(windows[a], windows[b])
    both[:, 1::2] = np.minimum(windows[a], windows[b])[:, 1::2]
    areas = [_area_in(found.footprints, each, both) for each in (a, b)]
    like = shared / np.maximum(areas[0] + areas[1] - shared, 1)
    of, with_, like = np.concatenate([a, b]), np.concatenate([b, a]), np.concatenate([like, like])
    of, with_, like = (each[cut[of] & (like > ALIKE)] for each in (of, with_, like))
    _, window = np.unique(windows, axis=0, return_inverse=True)
    window = window.ravel()[with_]
    order = np.lexsort((with_, -like, window, of))
    first = np.append(True, np.diff(of[order]).astype(bool) | np.diff(window[order]).astype(bool))[
        : order.size
    ]
    of, with_ = of[order[first]], with_[order[first]]
    links = coo_matrix((np.ones(len(of)), (of, with_)), shape=(len(found), len(found)))
    n_groups, group = connected_components(links, directed=False)
    if n_groups == len(found):
        return found
    order = np.lexsort((found["x"], found["y"], -found.area, group))
    chief = order[np.searchsorted(group[order], np.arange(n_groups))]
    target = chief[group]
    prints = found.footprints
    joined = Footprints(prints.row, prints.start, prints.stop, target[prints.index])
    boxes = boxes_of(joined, len(found), found.boxes)
    own = np.zeros(len(found))
    np.maximum.at(own, target, np.where(np.bincount(group)[group] > 1, 1.0, found["own"]))
    return Detections(boxes, found.scores, joined, {**found.raw, "own": own}).select(np.unique(target))


def _area_in(prints: Footprints, which: Ints, boxes: Ints) -> Ints:
    """Pixels of objects, one a box ``(n, 4)``, in these boxes."""
    first = np.searchsorted(prints.index, which, side="left")
    count = np.searchsorted(prints.index, which, side="right") - first
    pair = np.repeat(np.arange(len(which)), count)
    run = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count - first, count)
    y0, y1, x0, x1 = boxes[pair].T
    length = np.minimum(prints.stop[run], x1) - np.maximum(prints.start[run], x0)
    inside = (prints.row[run] >= y0) & (prints.row[run] < y1) & (length > 0)
    total = np.zeros(len(which), np.int64)
    np.add.at(total, pair[inside], length[inside])
    return total


def without_double_masks(found: Detections, wanted: Bools | None = None) -> Detections:
    """
    The best of all masks of an object, greedily: what only a coarse level sees whole first, then by score, y and x.

    Two masks are one object where they share more than 0.4 of what both cover, or 0.6 of the smaller; but a compact
    object of less than 0.3 of the area of an extended one lies on top of it. An object belongs to the window whose core
    holds its centre: what another window tells comes after what that one does, and counts only where a further window
    tells of it too.

    Parameters
    ----------
    found
        With the parameters `skysift.find.neural.levels.SEEN_RAW`.
    wanted
        Which are of a class that was asked for; None for all. Others hide none but what is the same object, by the first
        rule, and less sure: an object has the class of its surest mask, and what is left out leaves the rest as it is.
        They are not told.
    """
    n = len(found)
    asked = np.ones(n, np.bool_) if wanted is None else np.asarray(wanted, np.bool_)
    own = found["own"] > 0.0
    order = np.lexsort((found["x"], found["y"], -found.scores, ~own, -found["large"] * asked))
    ranked, asked, own = found.select(order), asked[order], own[order]
    a, b, both = overlaps(ranked).T
    area = ranked.area
    smaller, larger = np.where(area[a] <= area[b], a, b), np.where(area[a] <= area[b], b, a)
    alike = both > ALIKE * (area[a] + area[b] - both)
    inside = both > INSIDE * area[smaller]
    kind = ranked["class"]
    on_top = (kind[smaller] == COMPACT) & (kind[larger] != COMPACT) & (area[smaller] < SMALL * area[larger])
    double = alike | (inside & ~on_top)
    windows = np.stack([ranked[name] for name in ("top", "bottom", "left", "right")], axis=1)
    told = own.copy()
    apart = double & (windows[a] != windows[b]).any(axis=1)
    told[a[apart]] = told[b[apart]] = True
    hides = double & (asked[a] | (alike & (ranked.scores[a] > ranked.scores[b]))) & told[a] & told[b]
    better, worse = a[hides], b[hides]
    by_worse = np.argsort(worse, kind="stable")
    first = np.searchsorted(worse[by_worse], np.arange(n + 1)).astype(np.int64)
    kept = np.zeros(n, np.bool_)
    keep_best_masks(first, np.ascontiguousarray(better[by_worse]), kept)
    return ranked.select(kept & told & asked)


def lying_on(small: Detections, wide: Detections, shape: tuple[int, int]) -> Ints:
    """
    Which wide object each small one lies on, -1 for none: that of more than half of the pixels beside it.

    Pixels of other small objects tell nothing, so that several that touch lie on what is around them.

    Parameters
    ----------
    small, wide
        Objects of which no two share a pixel.
    shape
        Of the map.
    """
    n = len(small)
    if not n or not len(wide):
        return np.full(n, -1, np.int64)
    prints = small.footprints
    row = np.concatenate([prints.row - 1, prints.row, prints.row + 1])
    start = np.maximum(np.concatenate([prints.start, prints.start - 1, prints.start]), 0)
    stop = np.minimum(np.concatenate([prints.stop, prints.stop + 1, prints.stop]), shape[1])
    inside = (row >= 0) & (row < shape[0])
    around = Footprints(row[inside], start[inside], stop[inside], np.tile(prints.index, 3)[inside])
    sets = [Detections(small.boxes, small.scores, around)]
    sets += [Detections(each.boxes, each.scores, each.footprints) for each in (small, wide)]
    a, b, shared = overlaps(Detections.concat(sets)).T
    beside = around.area(n)
    of_small, of_wide = (a < n) & (b >= n) & (b < 2 * n), (a < n) & (b >= 2 * n)
    np.subtract.at(beside, a[of_small], shared[of_small])
    on = np.full(n, -1, np.int64)
    most = of_wide & (2 * shared > beside[np.minimum(a, n - 1)])
    on[a[most]] = b[most] - 2 * n
    return on

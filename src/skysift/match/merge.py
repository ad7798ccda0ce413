"""Fragments that tiles cut are joined into whole objects, the same for any tiling."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from skysift.sky.detections import Detections, Footprints
from skysift.sky.runs import touching_runs

Ints = npt.NDArray[np.int64]


def merge_fragments(parts: Sequence[Detections], reach: int) -> Detections:
    """
    Whole objects from the fragments of all tiles, in the map order of their first pixels.

    Fragments of one sign that touch are one object; an object stays if any of its fragments holds a seed.

    Parameters
    ----------
    parts
        What each tile found: footprints in pixels of the map, scores (largest signal-to-noise), and the raw
        parameters ``seeded`` and ``sign`` (1 or -1).
    reach
        1 where objects join across corners (8-connected), 0 where they do not.

    Returns
    -------
    Detections
        One row an object, with its box, footprint, largest score and ``sign``.
    """
    every = Detections.concat([part for part in parts if len(part)])
    if not len(every):
        return Detections.empty({"sign": np.empty(0, np.int64)})
    prints = every.footprints
    joined = []
    for sign in (1, -1):
        chosen = every["sign"][prints.index] == sign
        runs = np.stack([prints.row[chosen], prints.start[chosen], prints.stop[chosen]], axis=1)  # (run, 3)
        index = prints.index[chosen]
        order = np.lexsort((runs[:, 1], runs[:, 0]))
        runs, index = np.ascontiguousarray(runs[order]), index[order]
        if len(runs):
            joined.append(_objects(runs, touching_runs(runs, reach), index, every, sign))
    both = Detections.concat(joined)
    if not len(both):
        return Detections.empty({"sign": np.empty(0, np.int64)})
    first = np.searchsorted(both.footprints.index, np.arange(len(both)))
    order = np.lexsort((-both["sign"], both.footprints.start[first], both.footprints.row[first]))
    return both.select(order)


def _objects(runs: Ints, root: Ints, index: Ints, every: Detections, sign: int) -> Detections:
    """Objects of one sign from runs ``(run, 3)``, the first run that each is joined to, and its fragment."""
    roots, label = np.unique(root, return_inverse=True)
    seeded = np.zeros(len(roots), np.bool_)
    np.logical_or.at(seeded, label, every["seeded"][index] != 0)
    score = np.full(len(roots), -np.inf)
    np.maximum.at(score, label, every.scores[index])
    number = np.cumsum(seeded) - 1
    keep = seeded[label]
    runs, label = runs[keep], number[label[keep]]
    order = np.argsort(label, kind="stable")
    runs, label = runs[order], label[order]
    n = int(seeded.sum())
    boxes = np.empty((n, 4), np.int64)
    if n:
        first = np.searchsorted(label, np.arange(n))
        boxes[:, 0] = np.minimum.reduceat(runs[:, 0], first)
        boxes[:, 1] = np.maximum.reduceat(runs[:, 0], first) + 1
        boxes[:, 2] = np.minimum.reduceat(runs[:, 1], first)
        boxes[:, 3] = np.maximum.reduceat(runs[:, 2], first)
    footprints = Footprints(runs[:, 0], runs[:, 1], runs[:, 2], label)
    return Detections(boxes, score[seeded], footprints, {"sign": np.full(n, sign, np.int64)})

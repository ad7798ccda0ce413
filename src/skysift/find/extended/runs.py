"""Arithmetic of footprints: which meet a mask, what is left of them without it."""

import numpy as np
import numpy.typing as npt

from skysift.sky.detections import Detections, Footprints
from skysift.sky.mask import Mask

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def boxes_of(prints: Footprints, n: int, otherwise: Ints | None = None) -> Ints:
    """Boxes ``(n, 4)`` of footprints; those of objects without a pixel are taken from `otherwise`."""
    boxes = np.zeros((n, 4), np.int64) if otherwise is None else np.array(otherwise)
    if not len(prints):
        return boxes
    present, first = np.unique(prints.index, return_index=True)
    boxes[present, 0] = np.minimum.reduceat(prints.row, first)
    boxes[present, 1] = np.maximum.reduceat(prints.row, first) + 1
    boxes[present, 2] = np.minimum.reduceat(prints.start, first)
    boxes[present, 3] = np.maximum.reduceat(prints.stop, first)
    return boxes


def _spans(prints: Footprints, mask: Mask) -> tuple[Ints, Ints]:
    """For each run, the first run of the mask that it meets, and one past the last; equal where it meets none."""
    width = int(max(mask.shape[1], prints.stop.max(initial=0))) + 1
    low = np.searchsorted(mask.row * width + mask.stop, prints.row * width + prints.start, side="right")
    high = np.searchsorted(mask.row * width + mask.start, prints.row * width + prints.stop, side="left")
    return low, np.maximum(high, low)


def overlapping(prints: Footprints, n: int, mask: Mask) -> Bools:
    """Which of n objects share a pixel with any label of a mask."""
    low, high = _spans(prints, mask)
    result = np.zeros(n, np.bool_)
    result[prints.index[high > low]] = True
    return result


def without(prints: Footprints, n: int, mask: Mask) -> tuple[Footprints, Bools]:
    """Footprints without the pixels of a mask, and which of the n objects have any left."""
    low, high = _spans(prints, mask)
    pieces = high - low + 1
    run = np.repeat(np.arange(len(prints)), pieces)
    nth = np.arange(len(run)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    left, right = prints.start[run].copy(), prints.stop[run].copy()
    later, earlier = nth > 0, nth < pieces[run] - 1
    left[later] = np.maximum(left[later], mask.stop[low[run[later]] + nth[later] - 1])
    right[earlier] = np.minimum(right[earlier], mask.start[low[run[earlier]] + nth[earlier]])
    some = left < right
    index = prints.index[run][some]
    whole = np.zeros(n, np.bool_)
    whole[index] = True
    return Footprints(prints.row[run][some], left[some], right[some], index), whole


def covered(objects: Detections, mask: Mask) -> Bools:
    """Which objects have at least half of their pixels under a mask."""
    left, _ = without(objects.footprints, len(objects), mask)
    return np.asarray(2 * left.area(len(objects)) <= objects.area)

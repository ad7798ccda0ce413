"""What the answers of the model rcnn mean: boxes, classes and masks, on the pixels of a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

from skysift.base.compiled import kernel
from skysift.find.neural.boxes import best_boxes
from skysift.find.neural.inputs import channels, conditions
from skysift.find.neural.masks import MaskDetector, from_prints
from skysift.find.neural.rcnn.net import BOX, KIND, MASK, MASKED, OBJECT, SIDE, RcnnNet
from skysift.find.neural.rcnn.options import RcnnModelOptions
from skysift.find.neural.rcnn.roi import STRIDES
from skysift.sky.detections import Detections, Footprints

__all__ = ["RcnnDetector", "drawn", "paste"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Pixels = NDArray[np.float32]

_INSIDE = 0.5  # probability from which a pixel is one of the object


@kernel
def paste(boxes: Floats, masks: Floats, z: Pixels, least: float, runs: Ints, sums: Floats) -> int:
    """
    Draw masks on a map as runs along rows; the number of runs.

    A pixel is one of the object where the mask, between the middles of its parts bilinear, is `least` or more and the map
    has data.

    Parameters
    ----------
    boxes
        ``(object, 4)``: y0, x0, y1, x1 that the masks reach; pixels from the outer edge of the first.
    masks
        ``(object, part, part)``.
    z
        ``(y, x)``.
    least
        Of the mask.
    runs
        Filled: ``(run, 4)``: row, start, stop, object.
    sums
        Filled: ``(object, 4)``: pixels, sum of the map where it is above zero, and its moments along y and x.
    """
    ny, nx = z.shape
    side = masks.shape[1]
    n = 0
    for k in range(boxes.shape[0]):
        y0, x0, y1, x1 = boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3]
        height, width = max(y1 - y0, 1e-6), max(x1 - x0, 1e-6)
        for j in range(max(0, int(np.floor(y0))), min(ny, int(np.ceil(y1)))):
            v = min(max((j + 0.5 - y0) / height * side - 0.5, 0.0), side - 1.0)
            a = min(int(v), side - 2)
            fv = v - a
            begun = -1
            right = min(nx, int(np.ceil(x1)))
            for i in range(max(0, int(np.floor(x0))), right + 1):
                inside = False
                if i < right and z[j, i] == z[j, i]:
                    u = min(max((i + 0.5 - x0) / width * side - 0.5, 0.0), side - 1.0)
                    b = min(int(u), side - 2)
                    fu = u - b
                    value = (masks[k, a, b] * (1.0 - fu) + masks[k, a, b + 1] * fu) * (1.0 - fv)
                    value += (masks[k, a + 1, b] * (1.0 - fu) + masks[k, a + 1, b + 1] * fu) * fv
                    inside = value >= least
                if inside:
                    bright = max(float(z[j, i]), 0.0)
                    sums[k, 0] += 1.0
                    sums[k, 1] += bright
                    sums[k, 2] += bright * j
                    sums[k, 3] += bright * i
                    if begun < 0:
                        begun = i
                elif begun >= 0:
                    runs[n, 0], runs[n, 1], runs[n, 2], runs[n, 3] = j, begun, i, k
                    n += 1
                    begun = -1
    return n


class RcnnDetector(MaskDetector):
    """What the answers of the model mean."""

    stride = STRIDES[0]
    multiple = STRIDES[-1]
    margin = 64
    exact = True

    def __init__(self, options: RcnnModelOptions) -> None:
        self.options = options

    def net(self) -> nn.Module:
        """The network, for weights to be put in."""
        return RcnnNet(self.options)

    def inputs(self, z: Pixels, beam: Floats) -> dict[str, Pixels]:
        """The inputs of the network for a window ``(y, x)`` in units of the noise and its beam ``(3,)``."""
        return {"image": channels(z)[None], "told": conditions(z, beam)[None]}

    def found(self, answer: Pixels, z: Pixels, beam: Floats, least: float) -> Detections:
        """
        Detections of a window with their masks and a score above `least`, the best of each object by its box.

        The score is the geometric mean of the probability that a middle is there and that of the box being an object.
        """
        told = answer[:, :, 0].T.astype(np.float64)  # (place, part)
        some = 1.0 - told[:, KIND.stop - 1]
        scores = np.sqrt(np.clip(told[:, OBJECT] * some, 0.0, 1.0))
        order = np.lexsort((np.arange(len(scores)), -scores))
        order = order[scores[order] >= least]
        boxes = told[order, BOX] * STRIDES[-1]
        kept = np.zeros(len(order), np.bool_)
        middles = np.concatenate([0.5 * (boxes[:, :2] + boxes[:, 2:]), boxes[:, 2:] - boxes[:, :2]], axis=1)
        best_boxes(np.ascontiguousarray(middles), self.options.double, kept)
        order, boxes = order[kept], boxes[kept]
        masks = np.ascontiguousarray(told[order, MASK].reshape(-1, SIDE, SIDE))
        kinds = told[order, KIND][:, :-1]
        return drawn(_widened(boxes), masks, kinds, scores[order], z)


def _widened(boxes: Floats) -> Floats:
    """How far the masks of boxes reach."""
    middle, half = 0.5 * (boxes[:, :2] + boxes[:, 2:]), 0.5 * MASKED * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([middle - half, middle + half], axis=1)


def drawn(boxes: Floats, masks: Floats, kinds: Floats, scores: Floats, z: Pixels) -> Detections:
    """
    Objects with the pixels of their masks, their centres weighted by the map; those without a pixel are left out.

    Parameters
    ----------
    boxes, masks
        As `paste` takes them.
    kinds
        ``(object, class)`` probabilities.
    scores
        ``(object,)``.
    z
        ``(y, x)``.
    """
    n = len(boxes)
    sides = np.ceil(boxes[:, 2:] - boxes[:, :2]).astype(np.int64) + 2
    runs, sums = np.empty((int((sides[:, 0] * (sides[:, 1] // 2 + 1)).sum()), 4), np.int64), np.zeros((n, 4))
    count = paste(
        np.ascontiguousarray(boxes), masks, np.ascontiguousarray(z, np.float32), _INSIDE, runs, sums
    )
    rows = np.flatnonzero(sums[:, 0] > 0.0)
    bright = sums[rows, 1] > 0.0
    weighted = sums[rows, 2:] / np.where(bright, sums[rows, 1], 1.0)[:, None]
    centres = np.where(bright[:, None], weighted, 0.5 * (boxes[rows, :2] + boxes[rows, 2:]) - 0.5)
    kind = kinds[rows]
    return from_prints(
        Footprints(*runs[:count].T).select(rows),
        z,
        kind.argmax(axis=1) if rows.size else np.empty(0),
        kind.max(axis=1, initial=0.0) / np.maximum(kind.sum(axis=1), 1e-9),
        scores[rows],
        centres,
    )

"""Which cells and which boxes answer for which object: of a crop's objects, by size, by place and by overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skysift.base.compiled import kernel
from skysift.find.neural.rcnn.roi import STRIDES
from skysift.find.neural.shapes import beam_area
from skysift.learn.samples import Crop
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = ["Objects", "Places", "iou", "level_of", "objects_of", "places_of", "whose"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LARGEST = 6  # strides: an object that is wider than this is one of the next level
SAME, OTHER = 0.5, 0.4  # IoU from which a box is that of an object; below which it is of nothing
HIDDEN = 0.3  # part of a box that is covered by what is left out, from which it is left out too
_NARROW, _WIDE = 0.5, 0.1  # standard deviation of the middle: cells, and part of the side
_LEAST = 3  # pixels; fewer show no shape
_SMALL = (CLASSES.index(SPURIOUS), CLASSES.index("compact"))  # of these a part shows nothing


@dataclass(frozen=True, eq=False)
class Objects:
    """
    The objects of a crop that have pixels on it.

    Attributes
    ----------
    boxes
        ``(object, 4)``: y0, x0, y1, x1; pixels from the outer edge of the first.
    kind
        ``(object,)`` number in `skysift.sky.truth.CLASSES`.
    learnt
        ``(object,)`` whether it is to be found; if not it is neither right nor wrong.
    row
        ``(object,)`` its place in the labels of the crop.
    """

    boxes: Floats
    kind: Ints
    learnt: NDArray[np.bool_]
    row: Ints

    def __len__(self) -> int:
        return int(self.kind.size)


@dataclass(frozen=True, eq=False)
class Places:
    """
    What the cells of all levels are to tell, the finest level first.

    Attributes
    ----------
    middle
        ``(cell,)`` 1 where the middle of an object is, less around it.
    counts
        ``(cell,)`` whether it counts where it is no middle.
    boxes
        ``(cell, 4)`` of the object that the cell is to tell of.
    weight
        ``(cell,)`` how much that box counts.
    """

    middle: NDArray[np.float32]
    counts: NDArray[np.bool_]
    boxes: NDArray[np.float32]
    weight: NDArray[np.float32]


@kernel
def _hulls(mask: NDArray[np.int32], boxes: Floats, area: Ints) -> None:
    """Fill the box (y0, x0, y1, x1) and the number of pixels of each label (from 1) of a mask."""
    boxes[:, :2] = np.inf
    boxes[:, 2:] = -np.inf
    area[:] = 0
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            k = mask[y, x] - 1
            if k >= 0:
                area[k] += 1
                boxes[k, 0], boxes[k, 1] = min(boxes[k, 0], y), min(boxes[k, 1], x)
                boxes[k, 2], boxes[k, 3] = max(boxes[k, 2], y + 1), max(boxes[k, 3], x + 1)


def objects_of(crop: Crop, faintest: float) -> Objects:
    """
    The objects of a crop, in the order of their labels.

    Those that are fainter than `faintest` or not to be learnt are left out of both sides; but what is spurious and
    fainter is nothing, for noise looks like it. An object whose centre is beyond the crop is learnt by the part that is
    seen, where that is an extended object's, larger than the beam, and bright enough itself; else it is left out too.
    """
    assert crop.mask is not None
    n = len(crop.labels)
    boxes, area = np.empty((n, 4)), np.empty(n, np.int64)
    _hulls(crop.mask, boxes, area)
    dark = (crop.labels[:, 8] == CLASSES.index(SPURIOUS)) & (crop.labels[:, 5] < faintest)
    row = np.flatnonzero((area >= _LEAST) & ~dark)
    labels = crop.labels[row]
    ny, nx = crop.pixels.shape
    x, y = labels[:, 0], labels[:, 1]
    inside = (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
    top = np.zeros(n + 1)
    np.maximum.at(top, crop.mask.ravel(), np.nan_to_num(crop.pixels).ravel())
    large = area[row] >= beam_area(crop.beam)
    shown = ~np.isin(labels[:, 8], _SMALL) & large & (top[1:][row] >= faintest)
    learnt = (labels[:, 5] >= faintest) & (labels[:, 9] > 0.0) & (inside | shown)
    return Objects(boxes[row], labels[:, 8].astype(np.int64), learnt, row)


def level_of(boxes: Floats) -> Ints:
    """The level of the pyramid that is to find objects with these boxes, by their longer sides."""
    longest = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0.0)
    return np.asarray(np.searchsorted(LARGEST * np.array(STRIDES[:-1], np.float64), longest), np.int64)


@kernel
def _fill(
    boxes: Floats, level: Ints, learnt: NDArray[np.bool_], strides: Ints, shapes: Ints, middle: Floats,
    counts: NDArray[np.bool_], told: Floats, weight: Floats, narrow: float, wide: float,
) -> None:  # fmt: skip
    """Fill the targets of all cells; see `Places`."""
    begin = 0
    for number in range(strides.shape[0]):
        stride, ny, nx = strides[number], shapes[number, 0], shapes[number, 1]
        for k in range(boxes.shape[0]):
            y0, x0, y1, x1 = boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3]
            if not learnt[k]:
                for j in range(max(0, int(y0 // stride)), min(ny, int(np.ceil(y1 / stride)))):
                    for i in range(max(0, int(x0 // stride)), min(nx, int(np.ceil(x1 / stride)))):
                        counts[begin + j * nx + i] = False
                continue
            if level[k] != number:
                continue
            y, x = 0.5 * (y0 + y1) / stride, 0.5 * (x0 + x1) / stride
            sy, sx = narrow + wide * (y1 - y0) / stride, narrow + wide * (x1 - x0) / stride
            at_y, at_x = min(ny - 1, int(y)), min(nx - 1, int(x))
            for j in range(max(0, int(y - 4.0 * sy)), min(ny, int(y + 4.0 * sy) + 1)):
                for i in range(max(0, int(x - 4.0 * sx)), min(nx, int(x + 4.0 * sx) + 1)):
                    dy, dx = (j + 0.5 - y) / sy, (i + 0.5 - x) / sx
                    value = np.exp(-0.5 * (dy * dy + dx * dx))
                    if j == at_y and i == at_x:
                        value = 1.0
                    cell = begin + j * nx + i
                    if value > middle[cell]:
                        middle[cell] = value
                        near = abs(j - at_y) <= 1 and abs(i - at_x) <= 1
                        weight[cell] = value if near else 0.0
                        told[cell] = boxes[k]
        begin += ny * nx


def places_of(objects: Objects, shape: tuple[int, int]) -> Places:
    """
    What cells are to tell of the objects of a crop.

    An object is looked for on one level, by its size. Its middle is a bump, one half of a cell and a tenth of its side
    wide, and 1 in the cell that holds it; that cell and its neighbours tell its box. What is left out
    hides its cells on all levels.
    """
    shapes = np.array([[shape[0] // stride, shape[1] // stride] for stride in STRIDES], np.int64)
    total = int(shapes.prod(axis=1).sum())
    middle, told, weight = np.zeros(total), np.zeros((total, 4)), np.zeros(total)
    counts = np.ones(total, np.bool_)
    _fill(objects.boxes, level_of(objects.boxes), objects.learnt, np.array(STRIDES, np.int64), shapes, middle,
          counts, told, weight, _NARROW, _WIDE)  # fmt: skip
    return Places(middle.astype(np.float32), counts, told.astype(np.float32), weight.astype(np.float32))


def iou(a: Tensor, b: Tensor) -> Tensor:
    """What boxes (..., n, 4) and boxes (..., m, 4) share over what both cover: (..., n, m)."""
    shared, of_a, of_b = _areas(a, b)
    return shared / (of_a[..., :, None] + of_b[..., None, :] - shared).clamp(min=1e-9)


def _areas(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Areas that boxes share (..., n, m), and of each (..., n) and (..., m)."""
    low = torch.maximum(a[..., :, None, :2], b[..., None, :, :2])
    high = torch.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    shared = (high - low).clamp(min=0.0).prod(dim=-1)
    of_a, of_b = ((each[..., 2:] - each[..., :2]).clamp(min=0.0).prod(dim=-1) for each in (a, b))
    return shared, of_a, of_b


def whose(boxes: Tensor, objects: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """
    The object that each box answers for (n, box), and whether the box is of one (1), of nothing (0) or of neither (-1).

    Parameters
    ----------
    boxes
        (n, box, 4).
    objects
        (n, object, 4).
    state
        (n, object): 1 to be found, 0 left out of both sides, -1 only a place in a table.
    """
    shared, of_box, _ = _areas(boxes, objects)
    close = torch.where(state[:, None, :] == 1, iou(boxes, objects), -1.0)
    best, owner = close.max(dim=2)
    hidden = torch.where(state[:, None, :] == 0, shared / of_box[..., None].clamp(min=1e-9), 0.0).amax(dim=2)
    what = torch.where(best >= SAME, 1, torch.where((best >= OTHER) | (hidden > HIDDEN), -1, 0))
    return owner, what

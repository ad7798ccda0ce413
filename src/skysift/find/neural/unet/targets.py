"""What the model unet is to answer at each pixel of a crop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as connected

from skysift.find.neural.unet.options import UnetModelOptions
from skysift.learn.samples import Crop

__all__ = ["IGNORED", "UNIT", "Targets", "insides", "targets_of"]

Floats = NDArray[np.float64]
Labels = NDArray[np.int32]
Pixels = NDArray[np.float32]

IGNORED = -1
UNIT = 4.0  # pixels: the way to a centre is asinh(d / UNIT), so that far ones count for little more


@dataclass(frozen=True, eq=False)
class Targets:
    """
    Targets of a crop.

    Attributes
    ----------
    kind
        ``(y, x)`` int64: 0 for background, else 1 + number in `skysift.sky.truth.CLASSES`; -1: neither right nor wrong.
    core
        ``(y, x)``: how far inside its piece a pixel is, 1 in the middle.
    way
        ``(2, y, x)``: asinh of the way (y, x) to the centre of the object in units of 4 pixels.
    weight
        ``(y, x)``: how much the way counts, the inverse root of the pixels of the object; 0 outside objects.
    """

    kind: NDArray[np.int64]
    core: Pixels
    way: Pixels
    weight: Pixels


def targets_of(crop: Crop, options: UnetModelOptions) -> Targets:
    """Targets of a crop with its mask."""
    assert crop.mask is not None
    mask, labels = crop.mask, crop.labels
    learnt = (labels[:, 5] >= options.faintest) & (labels[:, 9] > 0.0)
    doubtful = ~learnt & ((labels[:, 5] >= options.doubtful) | (labels[:, 9] <= 0.0))
    kinds = np.where(learnt, labels[:, 8].astype(np.int64) + 1, np.where(doubtful, IGNORED, 0))
    kind = np.concatenate([[0], kinds])[mask]
    kind[~np.isfinite(crop.pixels)] = IGNORED
    own = np.where(kind > 0, mask, 0).astype(np.int32)
    way = np.zeros((2, *mask.shape), np.float32)
    weight = np.zeros(mask.shape, np.float32)
    y, x = np.nonzero(own)
    who = own[y, x] - 1
    way[0, y, x] = np.arcsinh((labels[who, 1] - y) / UNIT)
    way[1, y, x] = np.arcsinh((labels[who, 0] - x) / UNIT)
    area = np.bincount(who, minlength=len(labels))
    weight[y, x] = 1.0 / np.sqrt(area[who])
    return Targets(kind, insides(own), way, weight)


def insides(own: Labels) -> Pixels:
    """
    How far inside its piece each pixel is ``(y, x)``: distance to what is not its object over the largest in the piece.

    A piece is what hangs together of an object. What lies beyond the border of the array counts as more of the same.
    """
    border = np.zeros(own.shape, np.bool_)
    for axis in (0, 1):
        low, high = [slice(None)] * 2, [slice(None)] * 2
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        other = own[tuple(low)] != own[tuple(high)]
        border[tuple(low)] |= other
        border[tuple(high)] |= other
    inside = np.zeros(own.shape, np.float32)
    if not (own > 0).any():
        return inside
    away = ndimage.distance_transform_edt(~border) + 1.0 if border.any() else np.ones(own.shape)
    pieces = connected(own, connectivity=2, background=0)  # type: ignore[no-untyped-call]
    top = np.zeros(int(pieces.max()) + 1)
    np.maximum.at(top, pieces.ravel(), away.ravel())
    some = pieces > 0
    inside[some] = (away / np.maximum(top, 1.0)[pieces])[some]
    return inside

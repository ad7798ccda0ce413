"""The model detr as one that can be trained: what it is shown, and what it is to tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skysift.base.random import generator
from skysift.find.neural.coarser import on_some_level
from skysift.find.neural.detr.decode import DetrDetector
from skysift.find.neural.detr.loss import detr_loss
from skysift.find.neural.detr.net import DetrNet
from skysift.find.neural.detr.options import DetrModelOptions
from skysift.find.neural.inputs import channels, conditions
from skysift.find.neural.maskjudge import LEAST, judged_masks, objects_of_field
from skysift.find.neural.rcnn.assign import Objects, objects_of, places_of
from skysift.find.neural.rcnn.roi import STRIDES
from skysift.learn.detector import FieldLearner
from skysift.learn.fields import Field
from skysift.learn.learner import Batch
from skysift.learn.samples import Crop
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES

__all__ = ["DetrLearner"]

Pixels = NDArray[np.float32]
Ints = NDArray[np.int64]

_MOVED, _STRETCHED = (
    0.12,
    0.15,
)  # of boxes little moved: deviation of the middle over the side, of ln of the sides
_AWAY = 0.9  # of boxes far moved: sides along some way
_COMPACT = CLASSES.index("compact")


class DetrLearner(FieldLearner[DetrModelOptions]):
    """Instance masks with five classes, by a detection transformer."""

    name: ClassVar[str] = "detr"
    masks: ClassVar[bool] = True
    least: ClassVar[float] = LEAST

    def net(self) -> nn.Module:
        """The network with fresh weights."""
        return DetrNet(self.options)

    def batch(self, crops: Sequence[Crop]) -> dict[str, Tensor]:
        """Images, beams, what cells are to tell, objects with their masks, and boxes to begin from."""
        return self._made(crops, generator(0, "detr"))

    def numbered(self, samples: Sequence[Crop], number: int, random_seed: int) -> dict[str, Tensor]:
        """The batch with this number of a training: some are binned; all chance follows from number and seed."""
        rng = generator(random_seed, "detr", str(number))
        chosen = on_some_level(samples, rng.random(), self.options.coarse, STRIDES[-1])
        return self._made(chosen, rng)

    def _made(self, crops: Sequence[Crop], rng: np.random.Generator) -> dict[str, Tensor]:
        """The batch of crops, with boxes moved by chance."""
        objects = [objects_of(crop, self.options.faintest) for crop in crops]
        places = [places_of(each, crop.pixels.shape) for each, crop in zip(objects, crops, strict=True)]
        most = max(1, *(len(each) for each in objects))
        boxes = np.stack([_padded(each.boxes, most) for each in objects])
        of = np.stack([_some(each, self.options.denoised, rng) for each in objects])
        begun = np.take_along_axis(boxes, np.maximum(of, 0)[..., None], axis=1)
        many = self.options.learnt + 2 * self.options.denoised
        given = {
            "image": np.stack([channels(crop.pixels) for crop in crops]),
            "told": np.stack([conditions(crop.pixels, crop.beam) for crop in crops]),
            "middle": np.stack([each.middle for each in places]),
            "counts": np.stack([each.counts for each in places]),
            "edges": np.stack([each.boxes for each in places]),
            "weight": np.stack([each.weight for each in places]),
            "boxes": boxes,
            "of": of,
            "near": _moved(begun, rng, 0.0),
            "far": _moved(begun, rng, _AWAY),
            "draw": rng.random((len(crops), many), np.float32),
            "state": np.stack([_state(each, most) for each in objects]),
            "kind": np.stack([_padded(each.kind, most) for each in objects]).astype(np.int64),
            "label": np.stack([_padded(each.row + 1, most) for each in objects]).astype(np.int32),
            "mask": np.stack([crop.mask for crop in crops if crop.mask is not None]),
        }
        return {name: torch.from_numpy(each) for name, each in given.items()}

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Terms for places, their boxes, classes, boxes and masks of queries."""
        assert isinstance(net, DetrNet)
        return detr_loss(net, batch, self.options)

    def look(self, net: nn.Module, field: Field, device: torch.device) -> Detections:
        """What the network finds in the part of a field that is kept for validation."""
        return objects_of_field(DetrDetector(self.options), net, field, device, LEAST)

    def validate(self, net: nn.Module, data: Sequence[Field], device: torch.device) -> dict[str, float]:
        """Completeness and reliability of the classes, and AP50 of the masks, on the parts that are kept for this."""
        return judged_masks(DetrDetector(self.options), net, data, device)


def _padded(values: NDArray[np.generic], most: int) -> Pixels:
    """Rows of a table with zeros after them."""
    result = np.zeros((most, *values.shape[1:]), np.float32)
    result[: len(values)] = values
    return result


def _state(objects: Objects, most: int) -> Ints:
    """1 for objects to be found, 0 for those left out of both sides, -1 for a place in the table."""
    result = np.full(most, -1, np.int64)
    result[: len(objects)] = objects.learnt
    return result


def _some(objects: Objects, most: int, rng: np.random.Generator) -> Ints:
    """Numbers of some objects to be found, by chance, those that are not compact first; then -1."""
    result = np.full(most, -1, np.int64)
    there = np.flatnonzero(objects.learnt)
    order = there[np.argsort(rng.random(there.size) + (objects.kind[there] == _COMPACT), kind="stable")]
    result[: min(most, order.size)] = order[:most]
    return result


def _moved(boxes: Pixels, rng: np.random.Generator, away: float) -> Pixels:
    """Boxes (..., 4) moved by `away` sides and stretched by chance."""
    sides = boxes[..., 2:] - boxes[..., :2]
    angle = rng.uniform(0.0, 2.0 * np.pi, sides.shape[:-1])
    way = away * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    middle = 0.5 * (boxes[..., 2:] + boxes[..., :2]) + sides * (way + rng.normal(0.0, _MOVED, sides.shape))
    half = 0.5 * sides * np.exp(rng.normal(0.0, _STRETCHED, sides.shape))
    return np.concatenate([middle - half, middle + half], axis=-1).astype(np.float32)

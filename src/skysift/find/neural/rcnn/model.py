"""The model rcnn as one that can be trained: what it is shown, and what it is to tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skysift.base.random import generator
from skysift.find.neural.coarser import on_some_level
from skysift.find.neural.inputs import channels, conditions
from skysift.find.neural.maskjudge import LEAST, judged_masks, objects_of_field
from skysift.find.neural.rcnn.assign import Objects, objects_of, places_of
from skysift.find.neural.rcnn.decode import RcnnDetector
from skysift.find.neural.rcnn.loss import rcnn_loss
from skysift.find.neural.rcnn.net import RcnnNet
from skysift.find.neural.rcnn.options import RcnnModelOptions
from skysift.find.neural.rcnn.roi import STRIDES
from skysift.learn.detector import FieldLearner
from skysift.learn.fields import Field
from skysift.learn.learner import Batch
from skysift.learn.samples import Crop
from skysift.sky.detections import Detections

__all__ = ["RcnnLearner"]

Pixels = NDArray[np.float32]

_MOVED, _STRETCHED = (
    0.12,
    0.15,
)  # of tried boxes: standard deviation of the middle over the side, of ln of the sides


class RcnnLearner(FieldLearner[RcnnModelOptions]):
    """Instance masks with five classes, in two looks."""

    name: ClassVar[str] = "rcnn"
    masks: ClassVar[bool] = True
    least: ClassVar[float] = LEAST

    def net(self) -> nn.Module:
        """The network with fresh weights."""
        return RcnnNet(self.options)

    def batch(self, crops: Sequence[Crop]) -> dict[str, Tensor]:
        """Images, beams, what cells are to tell, objects with their masks, and boxes to be tried."""
        return self._made(crops, generator(0, "rcnn"))

    def numbered(self, samples: Sequence[Crop], number: int, random_seed: int) -> dict[str, Tensor]:
        """The batch with this number of a training: some are binned; all chance follows from number and seed."""
        rng = generator(random_seed, "rcnn", str(number))
        chosen = on_some_level(samples, rng.random(), self.options.coarse, STRIDES[-1])
        return self._made(chosen, rng)

    def _made(self, crops: Sequence[Crop], rng: np.random.Generator) -> dict[str, Tensor]:
        """The batch of crops, with boxes to be tried by chance."""
        objects = [objects_of(crop, self.options.faintest) for crop in crops]
        places = [places_of(each, crop.pixels.shape) for each, crop in zip(objects, crops, strict=True)]
        most = max(1, *(len(each) for each in objects))
        boxes = np.stack([_padded(each.boxes, most) for each in objects])
        return {
            "image": torch.from_numpy(np.stack([channels(crop.pixels) for crop in crops])),
            "told": torch.from_numpy(np.stack([conditions(crop.pixels, crop.beam) for crop in crops])),
            "middle": torch.from_numpy(np.stack([each.middle for each in places])),
            "counts": torch.from_numpy(np.stack([each.counts for each in places])),
            "edges": torch.from_numpy(np.stack([each.boxes for each in places])),
            "weight": torch.from_numpy(np.stack([each.weight for each in places])),
            "boxes": torch.from_numpy(boxes),
            "tried": torch.from_numpy(_moved(boxes, rng)),
            "draw": torch.from_numpy(rng.random((len(crops), most + self.options.learnt), np.float32)),
            "state": torch.from_numpy(np.stack([_state(each, most) for each in objects])),
            "kind": torch.from_numpy(
                np.stack([_padded(each.kind, most) for each in objects]).astype(np.int64)
            ),
            "label": torch.from_numpy(
                np.stack([_padded(each.row + 1, most) for each in objects]).astype(np.int32)
            ),
            "mask": torch.from_numpy(np.stack([crop.mask for crop in crops if crop.mask is not None])),
        }

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Terms for middles, boxes, classes, refined boxes and masks."""
        assert isinstance(net, RcnnNet)
        return rcnn_loss(net, batch, self.options)

    def look(self, net: nn.Module, field: Field, device: torch.device) -> Detections:
        """What the network finds in the part of a field that is kept for validation."""
        return objects_of_field(RcnnDetector(self.options), net, field, device, LEAST)

    def validate(self, net: nn.Module, data: Sequence[Field], device: torch.device) -> dict[str, float]:
        """Completeness and reliability of the classes, and AP50 of the masks, on the parts that are kept for this."""
        return judged_masks(RcnnDetector(self.options), net, data, device)


def _padded(values: NDArray[np.generic], most: int) -> Pixels:
    """Rows of a table with zeros after them."""
    result = np.zeros((most, *values.shape[1:]), np.float32)
    result[: len(values)] = values
    return result


def _state(objects: Objects, most: int) -> NDArray[np.int64]:
    """1 for objects to be found, 0 for those left out of both sides, -1 for a place in the table."""
    result = np.full(most, -1, np.int64)
    result[: len(objects)] = objects.learnt
    return result


def _moved(boxes: Pixels, rng: np.random.Generator) -> Pixels:
    """Boxes (..., 4) moved and stretched by chance."""
    sides = boxes[..., 2:] - boxes[..., :2]
    middle = 0.5 * (boxes[..., 2:] + boxes[..., :2]) + sides * rng.normal(0.0, _MOVED, sides.shape)
    half = 0.5 * sides * np.exp(rng.normal(0.0, _STRETCHED, sides.shape))
    return np.concatenate([middle - half, middle + half], axis=-1).astype(np.float32)

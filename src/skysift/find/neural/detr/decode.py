"""What the answers of the model detr mean: boxes, classes and masks, on the pixels of a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

from skysift.find.neural.detr.net import BOX, KIND, MASK, OBJECT, SIDE, DetrNet
from skysift.find.neural.detr.options import DetrModelOptions
from skysift.find.neural.inputs import channels, conditions
from skysift.find.neural.masks import MaskDetector
from skysift.find.neural.rcnn.decode import drawn
from skysift.find.neural.rcnn.net import MASKED
from skysift.find.neural.rcnn.roi import STRIDES
from skysift.sky.detections import Detections

__all__ = ["DetrDetector"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

_PLACE = 1e-6  # probability of a middle below which a query lies on no data


class DetrDetector(MaskDetector):
    """What the answers of the model mean."""

    stride = STRIDES[0]
    multiple = STRIDES[-1]
    margin = 64
    exact = True

    def __init__(self, options: DetrModelOptions) -> None:
        self.options = options

    def net(self) -> nn.Module:
        """The network, for weights to be put in."""
        return DetrNet(self.options)

    def inputs(self, z: Pixels, beam: Floats) -> dict[str, Pixels]:
        """The inputs of the network for a window ``(y, x)`` in units of the noise and its beam ``(3,)``."""
        return {"image": channels(z)[None], "told": conditions(z, beam)[None]}

    def found(self, answer: Pixels, z: Pixels, beam: Floats, least: float) -> Detections:
        """Detections of a window with their masks; the score is the probability that a query answers for something."""
        told = answer[:, :, 0].T.astype(np.float64)  # (query, part)
        scores = np.where(told[:, OBJECT] > _PLACE, 1.0 - told[:, KIND.stop - 1], 0.0)
        order = np.lexsort((np.arange(len(scores)), -scores))
        order = order[scores[order] >= least]
        masks = np.ascontiguousarray(told[order, MASK].reshape(-1, SIDE, SIDE))
        return drawn(
            _reached(told[order, BOX] * STRIDES[-1]), masks, told[order, KIND][:, :-1], scores[order], z
        )


def _reached(boxes: Floats) -> Floats:
    """How far the masks of boxes reach."""
    middle, half = 0.5 * (boxes[:, :2] + boxes[:, 2:]), 0.5 * MASKED * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([middle - half, middle + half], axis=1)

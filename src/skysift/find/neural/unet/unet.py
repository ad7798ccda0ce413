"""The model unet: its batches, its loss, and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from skysift.base.random import generator
from skysift.find.neural.coarser import on_some_level
from skysift.find.neural.inputs import channels, conditions
from skysift.find.neural.maskjudge import LEAST, judged_masks, objects_of_field
from skysift.find.neural.masks import MaskDetector
from skysift.find.neural.unet.bodies import N_KINDS, UnetNet
from skysift.find.neural.unet.decode import objects_of
from skysift.find.neural.unet.options import UnetModelOptions
from skysift.find.neural.unet.targets import IGNORED, targets_of
from skysift.learn.detector import FieldLearner
from skysift.learn.fields import Field
from skysift.learn.learner import Batch
from skysift.learn.samples import Crop
from skysift.sky.detections import Detections

__all__ = ["UnetDetector", "UnetLearner", "options_of"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

_INSIDE = 4.0  # how much more the core counts in objects than outside


class UnetLearner(FieldLearner[UnetModelOptions]):
    """The model unet; judged by completeness and reliability of the five classes."""

    name: ClassVar[str] = "unet"
    masks: ClassVar[bool] = True
    least: ClassVar[float] = LEAST

    def net(self) -> nn.Module:
        """The network with fresh weights."""
        return UnetNet(self.options)

    def numbered(self, samples: Sequence[Crop], number: int, random_seed: int) -> dict[str, Tensor]:
        """The batch with this number; some are binned, so that the network knows maps on all levels."""
        drawn = generator(random_seed, "levels", str(number)).random()
        cells = 2 ** len(self.options.widths)
        return self.batch(on_some_level(samples, drawn, self.options.coarse, cells))

    def batch(self, crops: Sequence[Crop]) -> dict[str, Tensor]:
        """Images, beams, and of each pixel the kind, how far inside it is, the way to the centre and how it counts."""
        made = [targets_of(crop, self.options) for crop in crops]
        return {
            "image": torch.from_numpy(np.stack([channels(crop.pixels) for crop in crops])),
            "told": torch.from_numpy(np.stack([conditions(crop.pixels, crop.beam) for crop in crops])),
            "kind": torch.from_numpy(np.stack([each.kind for each in made])),
            "core": torch.from_numpy(np.stack([each.core for each in made])),
            "way": torch.from_numpy(np.stack([each.way for each in made])),
            "weight": torch.from_numpy(np.stack([each.weight for each in made])),
        }

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """
        Weighted cross entropy and soft Dice of the kinds, cross entropy of the core, absolute error of the way.

        The Dice loss (Milletari et al. 2016, 3DV; Sudre et al. 2017, DLMIA) is one minus twice what prediction and truth
        share over the sum of both, the mean over the kinds that the batch holds.
        """
        answer = net(batch["image"], batch["told"]).float()
        options = self.options
        kind = batch["kind"]
        known = kind != IGNORED
        weights = torch.tensor(options.class_weights, device=answer.device)
        logits = answer[:, :N_KINDS]
        classes = functional.cross_entropy(logits, kind, weights, ignore_index=IGNORED, reduction="sum")
        classes = classes / (weights[kind.clamp(min=0)] * known).sum().clamp(min=1.0)
        share = logits.softmax(dim=1) * known[:, None]
        truth = functional.one_hot(kind.clamp(min=0), N_KINDS).permute(0, 3, 1, 2) * known[:, None]
        both, either = ((share * truth).sum(dim=(0, 2, 3)), (share + truth).sum(dim=(0, 2, 3)))
        present = truth.sum(dim=(0, 2, 3)) > 0
        dice = ((1.0 - 2.0 * both / either.clamp(min=1.0)) * present).sum() / present.sum().clamp(min=1)
        counts = known * (1.0 + (_INSIDE - 1.0) * (kind > 0))
        wrong = functional.binary_cross_entropy_with_logits(
            answer[:, N_KINDS], batch["core"], reduction="none"
        )
        core = (wrong * counts).sum() / counts.sum().clamp(min=1.0)
        missed = (answer[:, N_KINDS + 1 :] - batch["way"]).abs().sum(dim=1)
        way = (missed * batch["weight"]).sum() / batch["weight"].sum().clamp(min=1.0)
        return {
            "classes": classes,
            "dice": options.dice * dice,
            "core": options.core * core,
            "centre": options.centre * way,
        }

    def look(self, net: nn.Module, field: Field, device: torch.device) -> Detections:
        """What the network finds in the part of a field that is kept for validation."""
        return objects_of_field(UnetDetector(self.options), net, field, device, LEAST)

    def validate(self, net: nn.Module, data: Sequence[Field], device: torch.device) -> dict[str, float]:
        """Completeness and reliability of the classes, and AP50 of the masks, on the parts that are kept for this."""
        return judged_masks(UnetDetector(self.options), net, data, device)


class UnetDetector(MaskDetector):
    """What the answers of the model unet mean."""

    stride = 1

    def __init__(self, options: UnetModelOptions) -> None:
        self.options = options
        self.multiple = 2 ** len(options.widths)

    def net(self) -> nn.Module:
        """The network, for weights to be put in."""
        return UnetNet(self.options)

    def inputs(self, z: Pixels, beam: Floats) -> dict[str, Pixels]:
        """The inputs of the network for a window ``(y, x)`` in units of the noise and its beam ``(3,)``."""
        return {"image": channels(z)[None], "told": conditions(z, beam)[None]}

    def found(self, answer: Pixels, z: Pixels, beam: Floats, least: float) -> Detections:
        """Objects of a window with a score above `least`."""
        return objects_of(answer, z, beam, least)


def options_of(card: Mapping[str, object]) -> UnetModelOptions:
    """The options that a card tells of."""
    return UnetModelOptions.parse(dict(card))

"""The dense head: a network, its loss, and what its answers mean; one prediction a cell of 2 x 2 pixels.

A beam holds several cells, so sources that blend have cells of their own and no cell needs several boxes. All cells
near a source's centre are to find it; the best of them is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from skysift.base.random import generator
from skysift.find.neural.coarser import on_some_level
from skysift.find.neural.detector import Detector
from skysift.find.neural.found import as_detections, nothing_found, raw_columns
from skysift.find.neural.inputs import CHANNELS, TOLD, channels, conditions, largest_near
from skysift.find.neural.judge import LEAST, find_in_field, judged
from skysift.find.neural.shapes import beam_width
from skysift.find.neural.targets import (
    HIGH,
    LOW,
    PARAMETERS,
    UNIT,
    nearest_sources,
    parameter_weights,
    source_parameters,
)
from skysift.find.neural.yolo.options import DenseOptions
from skysift.learn.detector import FieldLearner
from skysift.learn.fields import Field
from skysift.learn.layers.blocks import Trunk
from skysift.learn.learner import Batch
from skysift.learn.samples import Crop
from skysift.measure.ellipse import FWHM
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES

__all__ = ["DenseDetector", "DenseLearner", "DenseNet"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

STRIDE = 2
_PRIOR = 0.02  # part of the cells near a source, where the objectness begins
_FEWEST = 0.002  # of the cells: a batch counts as if so many were near a source at least
_N = len(PARAMETERS)


class DenseNet(nn.Module):
    """Objectness, parameters, ln of their scales and classes (n, 1 + 2 parameters + classes, y / 2, x / 2)."""

    def __init__(self, options: DenseOptions) -> None:
        super().__init__()
        self.trunk = Trunk(CHANNELS, options.widths, options.depths, TOLD)
        self.head = nn.Conv2d(options.widths[0], 1 + 2 * _N + len(CLASSES), 1)
        nn.init.normal_(self.head.weight, std=0.01)
        with torch.no_grad():
            assert self.head.bias is not None
            self.head.bias.zero_()
            self.head.bias[0] = float(np.log(_PRIOR / (1.0 - _PRIOR)))

    def forward(self, image: Tensor, told: Tensor) -> Tensor:
        """Answers (n, answer, y / 2, x / 2) for images (n, channel, y, x) and beams (n, condition)."""
        answer: Tensor = self.head(self.trunk(image, told))
        return answer


def local_peaks(z: Pixels) -> Pixels:
    """Ln of the largest of the 4 x 4 pixels around each cell (y / 2, x / 2), of 1 at least: what fluxes are told from."""
    top = np.empty(z.shape, np.float32)
    largest_near(np.ascontiguousarray(z, np.float32), 1, top)
    ny, nx = z.shape[0] // STRIDE, z.shape[1] // STRIDE
    pooled = functools.reduce(np.maximum, _of_cells(top, ny, nx))
    return np.asarray(np.log(np.maximum(pooled, np.float32(1.0))), np.float32)


def _of_cells(values: NDArray[Any], ny: int, nx: int) -> Iterator[NDArray[Any]]:
    """Each of the pixels of a cell, for all cells ``(y, x)``."""
    for y in range(STRIDE):
        for x in range(STRIDE):
            yield values[y : ny * STRIDE : STRIDE, x : nx * STRIDE : STRIDE]


class DenseLearner(FieldLearner[DenseOptions]):
    """The dense head as a model that can be trained; judged by the score of the first SKA data challenge."""

    name: ClassVar[str] = "yolo-dense"
    least: ClassVar[float] = LEAST

    def net(self) -> nn.Module:
        """The network with fresh weights."""
        return DenseNet(self.options)

    def numbered(self, samples: Sequence[Crop], number: int, random_seed: int) -> dict[str, Tensor]:
        """The batch with this number; some are binned, so that the network knows wide sources as well."""
        drawn = generator(random_seed, "levels", str(number)).random()
        multiple = STRIDE * 2 ** (len(self.options.widths) - 1)
        return self.batch(on_some_level(samples, drawn, self.options.coarse, multiple))

    def batch(self, crops: Sequence[Crop]) -> dict[str, Tensor]:
        """Images, beams, and for each cell whether it is to find a source, what that looks like, and how sure we are."""
        made = [self._targets(crop) for crop in crops]
        return {
            "image": torch.from_numpy(np.stack([channels(crop.pixels) for crop in crops])),
            "told": torch.from_numpy(np.stack([conditions(crop.pixels, crop.beam) for crop in crops])),
            "near": torch.from_numpy(np.stack([each[0] for each in made])),
            "target": torch.from_numpy(np.stack([each[1] for each in made])),
            "weight": torch.from_numpy(np.stack([each[2] for each in made])),
            "kind": torch.from_numpy(np.stack([each[3] for each in made])),
        }

    def _targets(self, crop: Crop) -> tuple[NDArray[np.int8], Pixels, Pixels, NDArray[np.int64]]:
        """Near (1 yes, 0 no, -1 neither), target and weight ``(parameter, y, x)``, class ``(y, x)``, -1 for unknown."""
        options = self.options
        ny, nx = crop.pixels.shape[0] // STRIDE, crop.pixels.shape[1] // STRIDE
        labels = crop.labels
        width = beam_width(crop.beam)
        major = FWHM * np.sqrt(
            np.maximum(
                0.5 * (labels[:, 2] + labels[:, 4])
                + np.hypot(0.5 * (labels[:, 2] - labels[:, 4]), labels[:, 3]),
                0.0,
            )
        )
        core = np.maximum(max(options.positive * width, 0.75 * STRIDE), 0.15 * np.hypot(major, width))
        ratio = options.ignored / options.positive
        bright = labels[:, 5] >= options.faintest
        learnt = bright & (labels[:, 9] > 0.0)
        hidden = bright & (labels[:, 9] <= 0.0)
        owner, away = np.empty((ny, nx), np.int32), np.empty((ny, nx))
        use = np.flatnonzero(learnt)
        nearest_sources(labels[use, 0], labels[use, 1], ratio * core[use], ny, nx, STRIDE, owner, away)
        near = np.where(owner >= 0, np.where(away * ratio <= 1.0, 1, -1), 0).astype(np.int8)
        if hidden.any():
            other, far = np.empty((ny, nx), np.int32), np.empty((ny, nx))
            nearest_sources(
                labels[hidden, 0], labels[hidden, 1], ratio * core[hidden], ny, nx, STRIDE, other, far
            )
            near[(other >= 0) & (near == 0)] = -1
        blank = functools.reduce(np.logical_and, _of_cells(~np.isfinite(crop.pixels), ny, nx))
        near[blank & (near == 0)] = -1
        target = np.zeros((_N, ny, nx), np.float32)
        weight = np.zeros((_N, ny, nx), np.float32)
        kind = np.full((ny, nx), -1, np.int64)
        if use.size:
            j, i = np.nonzero(near == 1)
            mine = use[owner[j, i]]
            values = source_parameters(labels, crop.beam)[mine]
            peaks = local_peaks(crop.pixels)
            target[0, j, i] = (labels[mine, 0] - (STRIDE * i + 0.5 * (STRIDE - 1))) / UNIT
            target[1, j, i] = (labels[mine, 1] - (STRIDE * j + 0.5 * (STRIDE - 1))) / UNIT
            target[2:, j, i] = np.nan_to_num(values).T
            target[2, j, i] -= peaks[j, i]
            weight[:, j, i] = parameter_weights(values, labels[mine, 5]).T
            kind[j, i] = labels[mine, 8].astype(np.int64)
        return near, target, weight, kind

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """
        Cross entropy of the objectness over all cells; Laplace likelihood of the parameters, cross entropy of the class.

        All are divided by the number of cells that are near a source, or by 0.002 of all where fewer are: a batch without
        any weighs no more than one with some.
        """
        answer = net(batch["image"], batch["told"]).float()
        near = batch["near"]
        count = (near == 1).sum().float().clamp(min=max(_FEWEST * near.numel(), 1.0))
        wrong = functional.binary_cross_entropy_with_logits(
            answer[:, 0], (near == 1).float(), reduction="none"
        )
        objectness = (wrong * (near >= 0)).sum() / count
        at = (near == 1).nonzero(as_tuple=True)
        mean, scale = answer[:, 1 : 1 + _N], answer[:, 1 + _N : 1 + 2 * _N]
        mean, scale = mean.permute(0, 2, 3, 1)[at], scale.permute(0, 2, 3, 1)[at].clamp(LOW, HIGH)
        target = batch["target"].permute(0, 2, 3, 1)[at]
        weight = batch["weight"].permute(0, 2, 3, 1)[at]
        likelihood = (mean - target).abs() * torch.exp(-scale) + scale
        shapes = (likelihood * weight).sum() / count
        kind = batch["kind"][at]
        logits = answer[:, 1 + 2 * _N :].permute(0, 2, 3, 1)[at]
        classes = functional.cross_entropy(logits, kind, ignore_index=-1, reduction="sum") / count
        options = self.options
        return {
            "objectness": options.objectness * objectness,
            "shapes": options.shapes * shapes,
            "classes": options.classes * classes,
        }

    def look(self, net: nn.Module, field: Field, device: torch.device) -> Detections:
        """What the network finds in the part of a field that is kept for validation."""
        return find_in_field(DenseDetector(self.options), net, field, device, LEAST)

    def validate(self, net: nn.Module, data: Sequence[Field], device: torch.device) -> dict[str, float]:
        """Completeness, purity and the score of the data challenge on the parts of fields that are kept for this."""
        return judged(DenseDetector(self.options), net, data, device)


class DenseDetector(Detector):
    """What the answers of the dense head mean."""

    stride = STRIDE

    def __init__(self, options: DenseOptions) -> None:
        self.options = options
        self.multiple = STRIDE * 2 ** (len(options.widths) - 1)
        self.wide = options.coarse > 0.0

    def net(self) -> nn.Module:
        """The network, for weights to be put in."""
        return DenseNet(self.options)

    def inputs(self, z: Pixels, beam: Floats) -> dict[str, Pixels]:
        """The inputs of the network for a window ``(y, x)`` in units of the noise and its beam ``(3,)``."""
        return {"image": channels(z)[None], "told": conditions(z, beam)[None]}

    def found(self, answer: Pixels, z: Pixels, beam: Floats, least: float) -> Detections:
        """Detections of a window, centres in its pixels, with an objectness above `least`; doubles among them."""
        logit = answer[0]
        with np.errstate(over="ignore"):
            chance = 1.0 / (1.0 + np.exp(-logit.astype(np.float64)))
        j, i = np.nonzero(chance >= least)
        if not j.size:
            return nothing_found()
        width = beam_width(beam)
        values = answer[:, j, i].astype(np.float64)
        mean, scale = values[1 : 1 + _N], np.exp(np.clip(values[1 + _N : 1 + 2 * _N], LOW, HIGH))
        columns = raw_columns(
            STRIDE * i + 0.5 * (STRIDE - 1) + UNIT * mean[0], STRIDE * j + 0.5 * (STRIDE - 1) + UNIT * mean[1],
            mean[2] + local_peaks(z)[j, i], mean[3:], scale, values[1 + 2 * _N :], UNIT, width,
        )  # fmt: skip
        return as_detections(columns, chance[j, i])

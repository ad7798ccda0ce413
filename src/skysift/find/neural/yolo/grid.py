"""The grid head as a model that can be trained: what its boxes are to find, and what is lost where they do not.

Boxes are given to sources by what the network predicts (`associate`); what a box is asked for grows with how well it
fits: its place and size always, how sure it is and what the source looks like only where it is near.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from skysift.base.random import generator
from skysift.find.neural.coarser import on_some_level
from skysift.find.neural.inputs import channels, conditions
from skysift.find.neural.judge import LEAST, find_in_field, judged
from skysift.find.neural.targets import HIGH, LOW, UNIT
from skysift.find.neural.yolo.association import (
    BACKGROUND,
    LEARNT,
    LEFT_OUT,
    NO_TARGET,
    PASSED_OVER,
    associate,
)
from skysift.find.neural.yolo.gridlook import BoxDetector, GridDetector, near_peaks, priors_of
from skysift.find.neural.yolo.gridnet import STRETCH, GridNet, boxes_of, parts_of, stretched
from skysift.find.neural.yolo.options import BoxOptions, GridOptions
from skysift.learn.detector import FieldLearner
from skysift.learn.fields import Field
from skysift.learn.learner import Batch
from skysift.learn.samples import Crop
from skysift.sky.detections import Detections

__all__ = ["BoxLearner", "GridLearner"]

B = TypeVar("B", bound=BoxOptions)

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

SURE = 0.98  # objectness and probability that a box is to reach; 1 less this where there is nothing
_FEWEST = 0.01  # of the cells: a batch counts as if so many boxes answered for a source at least
_LARGEST = 0.95 * STRETCH  # ln: the largest box over the largest prior


@dataclass(frozen=True, eq=False)
class _Given:
    """Which box answers for which target: where it is (image, place along each axis, prior), target, close (DIoU)."""

    at: tuple[Tensor, ...]
    target: Tensor
    close: Tensor
    empty: Tensor  # (n, y, x, prior): boxes that are to find nothing


class BoxLearner(FieldLearner[B]):
    """
    The grid head as a model that can be trained, along two axes or three.

    Attributes
    ----------
    detector
        What its answers mean.
    """

    detector: ClassVar[type[BoxDetector]]
    least: ClassVar[float] = LEAST

    @property
    def class_weight(self) -> float:
        """Of the class in the loss, where there are classes."""
        return 0.0

    def net(self) -> nn.Module:
        """The network with fresh weights."""
        return GridNet(self.options)

    def batch(self, crops: Sequence[Crop]) -> dict[str, Tensor]:
        """Images, beams, the sources with what they look like, and the chances that decide who finds them."""
        return self._made(crops, generator(0, "association"), early=False)

    def numbered(self, samples: Sequence[Crop], number: int, random_seed: int) -> dict[str, Tensor]:
        """The batch with this number of a training; chance follows from number and seed."""
        rng = generator(random_seed, "association", str(number))
        return self._made(samples, rng, early=number * len(samples) < self.options.early)

    def _made(self, crops: Sequence[Crop], rng: np.random.Generator, *, early: bool) -> dict[str, Tensor]:
        sources, cell, n = self.detector.sources, self.options.cell, len(crops)
        axes, n_parameters = sources.parts.axes, sources.parts.parameters
        n_targets = max(1, max(len(crop.labels) for crop in crops))
        priors = np.stack([priors_of(self.options, sources, crop.beam) for crop in crops])
        boxes = np.ones((n, n_targets, 2 * axes))
        use = np.full((n, n_targets), NO_TARGET, np.int8)
        values = np.zeros((n, n_targets, n_parameters - axes), np.float32)
        weights = np.zeros((n, n_targets, n_parameters), np.float32)
        kind = np.full((n, n_targets), -1, np.int64)
        for k, crop in enumerate(crops):
            labels, m = crop.labels, len(crop.labels)
            largest = priors[k].max(axis=0).astype(np.float64) * float(np.exp(_LARGEST))
            boxes[k, :m] = sources.boxes(labels, crop.beam, largest)
            inside = (boxes[k, :m, :axes] >= 0.0) & (boxes[k, :m, :axes] < np.array(crop.pixels.shape))
            learnt = (labels[:, 9] > 0.0) & inside.all(axis=1)
            use[k, :m] = np.where(
                labels[:, 5] < self.options.faintest, NO_TARGET, np.where(learnt, LEARNT, PASSED_OVER)
            )
            told = sources.values(labels, crop.beam)
            values[k, :m] = np.nan_to_num(told)
            weights[k, :m] = sources.weights(told, labels[:, 5])
            kind[k, :m] = labels[:, 8].astype(np.int64)
        seen = np.stack([np.isfinite(crop.pixels) for crop in crops])
        grid = [side // cell for side in seen.shape[1:]]
        whole = seen[(slice(None), *(slice(each * cell) for each in grid))]
        in_cells = whole.reshape(n, *(size for each in grid for size in (each, cell)))
        filled = in_cells.any(axis=tuple(2 + 2 * k for k in range(axes)))
        made = {
            "image": np.stack([channels(crop.pixels) for crop in crops]),
            "told": np.stack([conditions(crop.pixels, crop.beam) for crop in crops]),
            "peaks": np.stack([near_peaks(crop.pixels) for crop in crops]),
            "filled": filled,
            "priors": priors,
            "boxes": boxes,
            "use": use,
            "values": values,
            "weights": weights,
            "kind": kind,
            "draws": rng.random((n, n_targets, 3)),
            "early": np.full(n, early),
        }
        return {name: torch.from_numpy(each) for name, each in made.items()}

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """
        Squared errors of place and ln of size, cross entropies of objectness, probability and class, Laplace likelihoods.

        All are divided by the number of boxes that answer for a source, or by 0.01 of the cells where fewer do: a batch
        without sources weighs no more than one with some. The objectness is to be (1 + DIoU) / 2 of the box as it is.
        """
        options, said = self.options, self.detector.sources.parts
        axes = said.axes
        parts = parts_of(net(batch["image"], batch["told"]).float())
        boxes = boxes_of(parts, batch["priors"], options.cell)
        given = self._given(boxes.detach(), batch)
        image, *cells, prior = given.at
        mine, box = parts[given.at], boxes[given.at].detach()
        target = batch["boxes"][image, given.target].float()
        count = max(len(given.target), _FEWEST * parts[..., 0, 0].numel(), 1.0)

        corner = options.cell * torch.stack(cells, dim=1).float()
        place = (target[:, :axes] - corner) / options.cell
        position = 0.5 * (torch.sigmoid(mine[:, said.place]) - place).square().sum() / count
        growth = torch.log(target[:, axes:] / batch["priors"][image, prior]).clamp(-STRETCH, STRETCH)
        size = 0.5 * (stretched(mine[:, said.sides]) - growth).square().sum() / count

        believed = (given.close > options.believed).float()
        good = (0.5 * (1.0 + given.close)).clamp(1.0 - SURE, SURE)
        empty = given.empty * torch.tensor(options.empty, device=parts.device)
        terms = []
        for part, wanted in ((said.source, torch.full_like(good, SURE)), (said.objectness, good)):
            there = functional.binary_cross_entropy_with_logits(mine[:, part], wanted, reduction="none")
            nothing = torch.full_like(empty, 1.0 - SURE)
            not_there = functional.binary_cross_entropy_with_logits(
                parts[..., part], nothing, reduction="none"
            )
            terms.append(((there * believed).sum() + (not_there * empty).sum()) / count)

        described = (given.close > options.described).float()
        peaks = batch["peaks"]
        on = [box[:, axis].long().clamp(0, peaks.shape[1 + axis] - 1) for axis in range(axes)]
        peak = peaks[(image, *on)]
        wanted = batch["values"][image, given.target].clone()
        wanted[:, 0] -= peak
        off = (box[:, :axes] - target[:, :axes]).flip(
            1
        ) / UNIT  # (x, y, ...); the place learns by its own term
        error = torch.cat([off, mine[:, said.mean] - wanted], dim=1).abs()
        scale = mine[:, said.scale].clamp(LOW, HIGH)
        likelihood = (error * torch.exp(-scale) + scale) * batch["weights"][image, given.target]
        shapes = (likelihood.sum(dim=1) * described).sum() / count
        result = {
            "position": options.position * position,
            "size": options.size * size,
            "probability": options.probability * terms[0],
            "objectness": options.objectness * terms[1],
            "shapes": options.shapes * shapes,
        }
        if said.classes:
            kind = torch.where(described > 0.0, batch["kind"][image, given.target], -1)
            told = functional.cross_entropy(mine[:, said.kind], kind, ignore_index=-1, reduction="sum")
            result["classes"] = self.class_weight * (told / count)
        return result

    def _given(self, boxes: Tensor, batch: Batch) -> _Given:
        """Who answers for whom, by the boxes that are predicted."""
        options = self.options
        n, *grid, n_priors, numbers = boxes.shape
        cells = int(np.prod(grid))
        told = boxes.cpu().numpy().astype(np.float64)
        owner = np.full((n, *grid, n_priors), BACKGROUND, np.int32)
        close = np.zeros((n, *grid, n_priors))
        asked = {
            name: np.ascontiguousarray(batch[name].cpu().numpy())
            for name in ("priors", "boxes", "use", "draws", "early")
        }
        for k in range(n):
            associate(
                told[k].reshape(cells, n_priors, numbers), np.array(grid), float(options.cell),
                asked["priors"][k].astype(np.float64), asked["boxes"][k], asked["use"][k], asked["draws"][k],
                bool(asked["early"][k]), options.good, options.poor, options.forced, options.random,
                owner[k].reshape(cells, n_priors), close[k].reshape(cells, n_priors),
            )  # fmt: skip
        owner[~batch["filled"].cpu().numpy()[..., None] & (owner == BACKGROUND)] = LEFT_OUT
        at = np.nonzero(owner >= 0)
        place = boxes.device
        return _Given(
            tuple(torch.from_numpy(each).to(place) for each in at),
            torch.from_numpy(owner[at].astype(np.int64)).to(place),
            torch.from_numpy(close[at].astype(np.float32)).to(place),
            torch.from_numpy((owner == BACKGROUND).astype(np.float32)).to(place),
        )


class GridLearner(BoxLearner[GridOptions]):
    """The grid head for maps; judged by the score of the first SKA data challenge."""

    name: ClassVar[str] = "yolo-grid"
    detector = GridDetector

    @property
    def class_weight(self) -> float:
        """Of the class in the loss."""
        return self.options.classes

    def numbered(self, samples: Sequence[Crop], number: int, random_seed: int) -> dict[str, Tensor]:
        """The batch with this number of a training; some are binned, so that the network knows wide sources as well."""
        drawn = generator(random_seed, "levels", str(number)).random()
        return super().numbered(
            on_some_level(samples, drawn, self.options.coarse, self.options.cell), number, random_seed
        )

    def look(self, net: nn.Module, field: Field, device: torch.device) -> Detections:
        """What the network finds in the part of a field that is kept for validation."""
        return find_in_field(GridDetector(self.options), net, field, device, LEAST)

    def validate(self, net: nn.Module, data: Sequence[Field], device: torch.device) -> dict[str, float]:
        """Completeness, purity and the score of the data challenge on the parts of fields that are kept for this."""
        return judged(GridDetector(self.options), net, data, device)

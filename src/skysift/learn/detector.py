"""`FieldLearner`: a network that learns from fields with labels where objects are and what they are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from skysift.base.options import Options
from skysift.learn.fields import Field
from skysift.learn.learner import Learner, Rows
from skysift.learn.options import LoopOptions, SelectionOptions, TrainOptions
from skysift.learn.samples import Crop, Samples
from skysift.learn.selection import selected
from skysift.sky.detections import Detections

__all__ = ["FieldLearner"]

O = TypeVar("O", bound=Options)  # noqa: E741


class FieldLearner(Learner[O, Sequence[Field]]):
    """
    A detector: it learns from crops of fields what objects are on them.

    Attributes
    ----------
    masks
        Whether crops come with their masks.
    least
        Score from which on `look` tells what the network finds.
    samples
        What crops it learns from.
    """

    masks: ClassVar[bool] = False
    least: ClassVar[float] = 0.0
    samples: ClassVar[type[Samples]] = Samples

    @property
    def faintest(self) -> float:
        """Peak over noise of the labels below which, for this model, nothing is there; 0 where it has no such limit."""
        return float(getattr(self.options, "faintest", 0.0))

    def feed(
        self, data: Sequence[Field], how: LoopOptions, limits: SelectionOptions, back: Rows = None
    ) -> Samples:
        """Crops of fields whose labels are those that are learnt now."""
        rows = [None] * len(data) if back is None else back
        chosen = [selected(one, limits, mine) for one, mine in zip(data, rows, strict=True)]
        assert isinstance(how, TrainOptions)
        n, seed = how.batch * how.accumulate, how.random_seed
        return self.samples(chosen, how.crop, n, seed, masks=self.masks, balanced=how.balanced)

    @abstractmethod
    def batch(self, crops: Sequence[Crop]) -> dict[str, Tensor]:
        """Inputs and targets of the network for crops of one size."""

    def numbered(self, samples: Sequence[Crop], number: int, random_seed: int) -> dict[str, Tensor]:
        """The batch with this number of a training; a model whose targets hold chance draws it from number and seed."""
        del number, random_seed
        return self.batch(samples)

    @abstractmethod
    def look(self, net: nn.Module, field: Field, device: torch.device) -> Detections:
        """What the network finds in the part of a field that is kept for validation, in pixels of the field."""

    @abstractmethod
    def validate(self, net: nn.Module, data: Sequence[Field], device: torch.device) -> dict[str, float]:
        """Numbers that say how good the network is on the parts of fields that are kept for this."""

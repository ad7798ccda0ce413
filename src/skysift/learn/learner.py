"""`Learner`: a network with its loss and its way to be judged; all that the loop needs to know of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from skysift.base.options import Options
from skysift.learn.fields import Field
from skysift.learn.samples import Crop, Samples
from skysift.sky.detections import Detections

__all__ = ["Batch", "Learner"]

Batch: TypeAlias = Mapping[str, Tensor]

O = TypeVar("O", bound=Options)  # noqa: E741


class Learner(ABC, Generic[O]):
    """
    A model that can be trained.

    Attributes
    ----------
    name
        Of the model in the index; it stands in the card of its weights.
    better
        Which number of `validate` says how good the model is; larger is better.
    masks
        Whether crops come with their masks.
    least
        Score from which on `look` tells what the network finds.
    samples
        What crops it learns from.
    """

    name: ClassVar[str] = ""
    better: ClassVar[str] = "score"
    masks: ClassVar[bool] = False
    least: ClassVar[float] = 0.0
    samples: ClassVar[type[Samples]] = Samples

    def __init__(self, options: O) -> None:
        self.options = options

    @property
    def faintest(self) -> float:
        """Peak over noise of the labels below which, for this model, nothing is there; 0 where it has no such limit."""
        return float(getattr(self.options, "faintest", 0.0))

    @abstractmethod
    def net(self) -> nn.Module:
        """The network with fresh weights, drawn from torch's generator."""

    @abstractmethod
    def batch(self, crops: Sequence[Crop]) -> dict[str, Tensor]:
        """Inputs and targets of the network for crops of one size."""

    def numbered(self, crops: Sequence[Crop], number: int, random_seed: int) -> dict[str, Tensor]:
        """The batch with this number of a training; a model whose targets hold chance draws it from number and seed."""
        return self.batch(crops)

    @abstractmethod
    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The terms whose sum is made small, each a scalar, by name."""

    @abstractmethod
    def look(self, net: nn.Module, field: Field, device: torch.device) -> Detections:
        """What the network finds in the part of a field that is kept for validation, in pixels of the field."""

    @abstractmethod
    def validate(self, net: nn.Module, fields: Sequence[Field], device: torch.device) -> dict[str, float]:
        """Numbers that say how good the network is on the parts of fields that are kept for this."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.options!r})"

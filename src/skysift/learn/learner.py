"""`Learner`: a network with its loss and its way to be judged; all that the loop needs to know of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skysift.base.options import Options
from skysift.learn.options import LoopOptions, SelectionOptions

__all__ = ["Batch", "Feed", "Learner", "Rows"]

Batch: TypeAlias = Mapping[str, Tensor]
Rows: TypeAlias = "Sequence[NDArray[Any]] | None"

O = TypeVar("O", bound=Options)  # noqa: E741
D = TypeVar("D")


class Feed(Protocol):
    """Batches without end; what one holds follows from its number alone.

    Attributes
    ----------
    batch
        Samples of a batch.
    seed
        With the number of a batch it decides what that holds.
    """

    batch: int
    seed: int

    def at(self, number: int, rows: slice = slice(None)) -> Sequence[Any]:
        """The samples of the batch with this number, or some of them."""


class Learner(ABC, Generic[O, D]):
    """
    A model that can be trained on data of some kind.

    Attributes
    ----------
    name
        Of the model in the index; it stands in the card of its weights.
    better
        Which number of `validate` says how good the model is; larger is better.
    divisible
        Whether a batch may be run in parts where memory is short: not where samples are compared with each other.
    """

    name: ClassVar[str] = ""
    better: ClassVar[str] = "score"
    divisible: ClassVar[bool] = True

    def __init__(self, options: O) -> None:
        self.options = options

    @abstractmethod
    def net(self) -> nn.Module:
        """The network with fresh weights, drawn from torch's generator."""

    @abstractmethod
    def feed(self, data: D, how: LoopOptions, limits: SelectionOptions, back: Rows = None) -> Feed:
        """What batches are drawn from.

        Parameters
        ----------
        data
            What is learnt from.
        how
            How large batches are, and the seed.
        limits
            Which labels are learnt.
        back
            Rows of labels below the limits that are learnt nevertheless, for each field.
        """

    @abstractmethod
    def numbered(self, samples: Sequence[Any], number: int, random_seed: int) -> dict[str, Tensor]:
        """The batch with this number of a training; a model whose batches hold chance draws it from number and seed."""

    @abstractmethod
    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The terms whose sum is made small, each a scalar, by name."""

    def left(self, net: nn.Module) -> Tensor | None:
        """What the batch whose loss was made last leaves for the end of the step; of equal shape for all batches."""
        del net
        return None

    def gathered(self, net: nn.Module, left: Tensor) -> None:
        """Take in what the batches of a step left, before `stepped`.

        Parameters
        ----------
        net
            The network.
        left
            (batch, ...): of all batches of the step, also those of other processes, in the order of their numbers.
        """
        del net, left

    def stepped(self, net: nn.Module, step: int, steps: int) -> None:
        """What a network does after the step with this number, of so many: a teacher follows its student."""
        del net, step, steps

    @abstractmethod
    def validate(self, net: nn.Module, data: D, device: torch.device) -> dict[str, float]:
        """Numbers that say how good the network is on the parts of the data that are kept for this."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.options!r})"

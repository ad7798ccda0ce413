"""`Stepper`: one step of the optimiser from the batches that make it, alone or in a `Group` of processes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn

from skysift.learn.device import out_of_memory, precision_on
from skysift.learn.learner import Batch, Learner
from skysift.learn.optim import rate
from skysift.learn.options import LoopOptions

__all__ = ["Group", "Stepper"]


@dataclass(frozen=True)
class Group:
    """
    Processes that share the batches of a step; one alone where nothing is said.

    Attributes
    ----------
    rank, size
        Number of this process, from 0, and how many there are.
    device
        Of this process.
    """

    rank: int = 0
    size: int = 1
    device: torch.device | None = None

    def batches(self, step: int, until: int, accumulate: int) -> list[int]:
        """Numbers of the batches that this process runs from one step up to another, where each step has so many."""
        return [
            each * accumulate + part
            for each in range(step, until)
            for part in range(self.rank, accumulate, self.size)
        ]

    def go(self, *, going: bool = True) -> bool:
        """Whether there is one more step; the first process says."""
        return self._shared(going, None)

    def any(self, told: bool) -> bool:
        """Whether one of the processes tells this."""
        return self._shared(told, distributed.ReduceOp.MAX)

    def _shared(self, told: bool, how: Any) -> bool:
        if self.size == 1:
            return told
        value = torch.tensor([float(told)], device=self.device)
        if how is None:
            distributed.broadcast(value, 0)
        else:
            distributed.all_reduce(value, how)
        return bool(value.item())

    def summed(self, net: nn.Module, totals: dict[str, Tensor]) -> dict[str, Tensor]:
        """Sums over all processes: of the gradients of a network, in their place, and of totals of equal names."""
        if self.size == 1:
            return totals
        weights = [each for each in net.parameters() if each.requires_grad]
        names = sorted(totals)
        there = torch.tensor([float(each.grad is not None) for each in weights], device=self.device)
        parts = [(torch.zeros_like(each) if each.grad is None else each.grad).reshape(-1) for each in weights]
        flat = torch.cat(
            [*(each.float() for each in parts), there, torch.stack([totals[name] for name in names])]
        )
        distributed.all_reduce(flat)
        *gradients, there, values = torch.split(
            flat, [*(each.numel() for each in weights), len(weights), len(names)]
        )
        for each, gradient, told in zip(weights, gradients, there.tolist(), strict=True):
            if told:
                each.grad = torch.empty_like(each).copy_(gradient.view_as(each))
        return dict(zip(names, values, strict=True))

    def gathered(self, parts: Sequence[Tensor]) -> Tensor:
        """What batches of this process left, with that of all processes between, by the number of the batch."""
        mine = torch.stack(list(parts))
        if self.size == 1:
            return mine
        every = [torch.empty_like(mine) for _ in range(self.size)]
        distributed.all_gather(every, mine.contiguous())
        return torch.stack(every, dim=1).flatten(0, 1)


class Stepper:
    """
    What makes the steps of a training.

    Parameters
    ----------
    learner, net, optimizer, options
        The model, its network, what moves its weights, and how it learns.
    device
        Where the network runs.
    group
        Who shares the batches.
    split
        Parts that a batch is run in; grows where memory does not suffice.
    """

    def __init__(
        self,
        learner: Learner[Any, Any],
        net: nn.Module,
        optimizer: torch.optim.Optimizer,
        options: LoopOptions,
        device: torch.device,
        group: Group,
        split: int = 1,
    ) -> None:
        self.learner, self.net, self.optimizer, self.options = learner, net, optimizer, options
        self.device, self.group, self.split = device, group, split
        self.kind = precision_on(device, options.precision)
        self._left: list[Tensor] = []  # what batches of this step leave for its end

    def step(self, number: int, batches: Sequence[Batch]) -> dict[str, float]:
        """
        Make the step with this number; the terms of the loss.

        Where memory does not suffice batches are run in halves, by all processes. Nothing moves where a term, or the
        gradient, is not a number.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate(number, self.options)
        n = len(next(iter(batches[0].values())))
        while True:
            short = False
            try:
                totals = self._gradients(batches)
            except RuntimeError as error:
                if not out_of_memory(error) or self.split >= n or not self.learner.divisible:
                    raise
                short = True
            if not self.group.any(short):
                break
            self.split = min(2 * self.split, n)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()  # here: the error that is gone by now held what was in it
        return self._moved(number, self.group.summed(self.net, totals))

    def _gradients(self, batches: Sequence[Batch]) -> dict[str, Tensor]:
        """Set the gradients of these batches; their parts of the terms of the loss."""
        self.net.train()
        self.optimizer.zero_grad(set_to_none=True)
        totals: dict[str, Tensor] = {}
        self._left = []
        for batch in batches:
            n = len(next(iter(batch.values())))
            for rows in torch.arange(n).chunk(min(self.split, n)):
                whole = len(rows) == n
                part = {
                    name: (value if whole else value[rows]).to(self.device, non_blocking=True)
                    for name, value in batch.items()
                }
                with torch.autocast(
                    self.device.type, dtype=self.kind or torch.bfloat16, enabled=self.kind is not None
                ):
                    terms = self.learner.loss(self.net, part)
                share = len(rows) / (n * self.options.accumulate)
                loss = share * torch.stack([each.float() for each in terms.values()]).sum()
                loss.backward()  # type: ignore[no-untyped-call]
                for name, each in terms.items():
                    totals[name] = totals.get(name, 0.0) + share * each.detach().float()
            left = self.learner.left(self.net)
            if left is not None:
                self._left.append(left.detach().clone())
        return totals

    def _moved(self, number: int, totals: dict[str, Tensor]) -> dict[str, float]:
        """Move the weights along the gradients; the terms of the loss as numbers."""
        length = nn.utils.clip_grad_norm_(self.net.parameters(), self.options.clip)
        *values, norm = torch.stack([*totals.values(), length]).tolist()  # a GPU is waited for here alone
        if not math.isfinite(sum(values)):
            return dict(zip(totals, values, strict=True))
        if not math.isfinite(norm):
            return {"gradient": norm}
        self.optimizer.step()
        if self._left:
            self.learner.gathered(self.net, self.group.gathered(self._left))
        self.learner.stepped(self.net, number, self.options.steps)
        return dict(zip(totals, values, strict=True))

"""The optimiser, its learning rate, and the running mean of the weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from skysift.learn.options import LoopOptions

__all__ = ["Average", "make_optimizer", "rate"]


def rate(step: int, options: LoopOptions) -> float:
    """The learning rate at a step: a straight rise, then half a cosine (Loshchilov & Hutter 2017, ICLR)."""
    rise = max(1.0, options.warmup * options.steps)
    if step < rise:
        return options.learning_rate * (step + 1.0) / rise
    done = min(1.0, (step - rise) / max(1.0, options.steps - rise))
    share = options.last_rate + (1.0 - options.last_rate) * 0.5 * (1.0 + math.cos(math.pi * done))
    return options.learning_rate * share


def make_optimizer(net: nn.Module, options: LoopOptions) -> torch.optim.Optimizer:
    """The optimiser; biases and the scales of normalisations do not decay."""
    wide = [p for p in net.parameters() if p.requires_grad and p.ndim > 1]
    thin = [p for p in net.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": wide, "weight_decay": options.weight_decay},
        {"params": thin, "weight_decay": 0.0},
    ]
    if options.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=options.learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=options.learning_rate)


class Average:
    """The running mean of a network's weights; at the beginning it forgets faster, so that it is no mean of noise."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: value.detach().clone() for name, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Take in the weights after a step."""
        decay = min(self.decay, (step + 1.0) / (step + 10.0))
        means: list[Tensor] = []
        values: list[Tensor] = []
        for name, value in net.state_dict().items():
            mean = self.values[name]
            if mean.is_floating_point():
                means.append(mean)
                values.append(value.detach())
            else:
                mean.copy_(value)
        if means:  # in one call: a GPU waits longer for many than it works
            torch._foreach_lerp_(means, values, 1.0 - decay)

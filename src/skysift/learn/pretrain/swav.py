"""SwAV (Caron et al. 2020, NeurIPS): the share of prototypes in one view is foretold from the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.learn.layers.encoder import Encoder
from skysift.learn.pretrain.method import Nets, Pretraining, head, wide
from skysift.learn.pretrain.options import SwavOptions

__all__ = ["Swav", "shares", "swapped"]


@torch.no_grad()
def shares(scores: Tensor, epsilon: float, rounds: int) -> Tensor:
    """
    Shares of prototypes in pictures, each prototype used as much (Sinkhorn & Knopp): (picture, prototype), rows sum to 1.

    Parameters
    ----------
    scores
        (picture, prototype): cosines.
    epsilon
        How soft the shares are.
    rounds
        How often prototypes, then pictures, are made to have equal sums.
    """
    n, k = scores.shape
    made = (
        (scores.double() - scores.max()) / epsilon
    ).exp()  # in 32 bits a small epsilon leaves none of them
    made = made / made.sum()
    for _ in range(rounds):
        made = made / (k * made.sum(dim=0, keepdim=True).clamp_min(1e-300))
        made = made / (n * made.sum(dim=1, keepdim=True).clamp_min(1e-300))
    return (made * n).to(scores.dtype)


def swapped(scores: Sequence[Tensor], temperature: float, epsilon: float, rounds: int) -> Tensor:
    """Mean cross-entropy of every view against the shares of each of the first two, but its own."""
    total, pairs = torch.zeros((), device=scores[0].device), 0
    for k in range(2):
        wanted = shares(wide(scores[k].detach()), epsilon, rounds)
        for j, told in enumerate(scores):
            if j != k:
                given = (wide(told) / temperature).log_softmax(dim=1)
                total, pairs = total - (wanted * given).sum(dim=1).mean(), pairs + 1
    return total / pairs


class Swav(Pretraining[SwavOptions]):
    """Groups are learnt on the way; that all are used as much keeps it from collapse."""

    name: ClassVar[str] = "swav"

    def parts(self, encoder: Encoder) -> Mapping[str, nn.Module]:
        """A head, and prototypes of length 1."""
        told = self.options
        prototypes = nn.Linear(told.out, told.prototypes, bias=False)
        with torch.no_grad():
            prototypes.weight.copy_(functional.normalize(prototypes.weight, dim=1))
        return {"head": head(encoder.n_features, told.hidden, told.out), "prototypes": prototypes}

    def terms(self, net: Nets, views: Sequence[Tensor], chance: torch.Generator) -> dict[str, Tensor]:
        """The cross-entropy of all views against the first two."""
        del chance
        told, n = self.options, len(views[0])
        vectors = list(net["head"](net.encoder(torch.cat(list(views[:2])))).split(n))
        vectors += [net["head"](net.encoder(each)) for each in views[2:]]
        with torch.autocast(views[0].device.type, enabled=False):
            scores = [net["prototypes"](functional.normalize(wide(each), dim=1)) for each in vectors]
        return {"swapped": swapped(scores, told.temperature, told.epsilon, told.rounds)}

    def stepped(self, net: nn.Module, step: int, steps: int) -> None:
        """Prototypes get length 1 again."""
        super().stepped(net, step, steps)
        assert isinstance(net, Nets)
        with torch.no_grad():
            weight = net["prototypes"].weight
            weight.copy_(functional.normalize(weight, dim=1))

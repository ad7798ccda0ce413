"""SimCLR (Chen et al. 2020, ICML): two views of a picture are nearer to each other than to the views of all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.learn.layers.encoder import Encoder
from skysift.learn.pretrain.method import Nets, Pretraining, head, wide
from skysift.learn.pretrain.options import SimclrOptions

__all__ = ["Simclr", "contrast"]


def contrast(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """
    Mean of -log(exp(s_ij / T) / sum over k != i of exp(s_ik / T)), s the cosine, over all pairs i, j of two views.

    Parameters
    ----------
    a, b
        (picture, column): the vectors of the two views.
    temperature
        T.
    """
    n = len(a)
    both = functional.normalize(torch.cat([wide(a), wide(b)]), dim=1)
    with torch.autocast(both.device.type, enabled=False):
        scores = both @ both.T / temperature
    scores = scores.masked_fill(torch.eye(2 * n, dtype=torch.bool, device=scores.device), float("-inf"))
    partner = torch.arange(2 * n, device=scores.device).roll(n)
    return functional.cross_entropy(scores, partner)


class Simclr(Pretraining[SimclrOptions]):
    """A contrast within the batch: the larger it is, the better."""

    name: ClassVar[str] = "simclr"

    def parts(self, encoder: Encoder) -> Mapping[str, nn.Module]:
        """A head of two layers."""
        return {"head": head(encoder.n_features, self.options.hidden, self.options.out)}

    def terms(self, net: Nets, views: Sequence[Tensor], chance: torch.Generator) -> dict[str, Tensor]:
        """The contrast of the two whole views; of each smaller one with the first."""
        del chance
        n = len(views[0])
        a, b = net["head"](net.encoder(torch.cat(list(views[:2])))).split(n)
        terms = {"contrast": contrast(a, b, self.options.temperature)}
        for each in views[2:]:
            terms["local"] = terms.get("local", 0.0) + contrast(
                a, net["head"](net.encoder(each)), self.options.temperature
            ) / len(views[2:])
        return terms

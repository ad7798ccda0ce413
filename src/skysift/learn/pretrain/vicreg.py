"""VICReg (Bardes et al. 2022, ICLR): two views give the same, columns vary, and no two columns tell the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.learn.layers.encoder import Encoder
from skysift.learn.pretrain.method import Nets, Pretraining, head, wide
from skysift.learn.pretrain.options import VicregOptions

__all__ = ["Vicreg", "covariance", "variance"]


def variance(z: Tensor) -> Tensor:
    """How much the deviations of columns (picture, column) fall short of 1, on the mean."""
    return functional.relu(1.0 - torch.sqrt(z.var(dim=0) + 1e-4)).mean()


def covariance(z: Tensor) -> Tensor:
    """Sum of the squared covariances of different columns, over the number of columns."""
    n, d = z.shape
    centred = z - z.mean(dim=0)
    with torch.autocast(z.device.type, enabled=False):
        matrix = centred.T @ centred / (n - 1)
    return (matrix.square().sum() - matrix.diagonal().square().sum()) / d


class Vicreg(Pretraining[VicregOptions]):
    """Neither other pictures nor a teacher: the statistics of the batch keep it from collapse."""

    name: ClassVar[str] = "vicreg"

    def parts(self, encoder: Encoder) -> Mapping[str, nn.Module]:
        """A head of three layers."""
        return {"head": head(encoder.n_features, self.options.hidden, self.options.out, layers=3)}

    def terms(self, net: Nets, views: Sequence[Tensor], chance: torch.Generator) -> dict[str, Tensor]:
        """The three terms; smaller views are drawn to the mean of the whole ones."""
        del chance
        told, n = self.options, len(views[0])
        a, b = (wide(each) for each in net["head"](net.encoder(torch.cat(list(views[:2])))).split(n))
        terms = {
            "invariance": told.invariance * functional.mse_loss(a, b),
            "variance": told.variance * 0.5 * (variance(a) + variance(b)),
            "covariance": told.covariance * (covariance(a) + covariance(b)),
        }
        for each in views[2:]:
            part = wide(net["head"](net.encoder(each)))
            apart = functional.mse_loss(part, 0.5 * (a + b)) / len(views[2:])
            terms["local"] = terms.get("local", 0.0) + told.invariance * apart
        return terms

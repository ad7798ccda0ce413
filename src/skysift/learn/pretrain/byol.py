"""BYOL (Grill et al. 2020, NeurIPS): from one view, what a slower network makes of the other is foretold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.learn.layers.encoder import Encoder
from skysift.learn.pretrain.method import Nets, Pretraining, follow, head, still, wide
from skysift.learn.pretrain.options import ByolOptions

__all__ = ["Byol", "foretold"]


def foretold(told: Tensor, true: Tensor) -> Tensor:
    """Mean squared distance of vectors (picture, column) of length 1: 2 - 2 cos."""
    cosine = functional.cosine_similarity(wide(told), wide(true), dim=1)
    return 2.0 - 2.0 * cosine.mean()


class Byol(Pretraining[ByolOptions]):
    """No picture is compared with another: a predictor and a slow teacher keep it from collapse."""

    name: ClassVar[str] = "byol"

    def parts(self, encoder: Encoder) -> Mapping[str, nn.Module]:
        """A head and a predictor; the slower encoder with its head."""
        hidden, out = self.options.hidden, self.options.out
        student = head(encoder.n_features, hidden, out)
        return {
            "head": student,
            "predictor": head(out, hidden, out),
            "teacher": still(encoder),
            "teacher_head": still(student),
        }

    def terms(self, net: Nets, views: Sequence[Tensor], chance: torch.Generator) -> dict[str, Tensor]:
        """What is foretold from each view, and what the teacher makes of the other."""
        del chance
        n = len(views[0])
        both = torch.cat(list(views[:2]))
        a, b = net["predictor"](net["head"](net.encoder(both))).split(n)
        with torch.no_grad():
            of_a, of_b = net["teacher_head"](net["teacher"](both)).split(n)
        terms = {"foretold": 0.5 * (foretold(a, of_b) + foretold(b, of_a))}
        for each in views[2:]:
            part = net["predictor"](net["head"](net.encoder(each)))
            terms["local"] = terms.get("local", 0.0) + 0.5 * (
                foretold(part, of_a) + foretold(part, of_b)
            ) / len(views[2:])
        return terms

    def stepped(self, net: nn.Module, step: int, steps: int) -> None:
        """The slower network follows."""
        super().stepped(net, step, steps)
        assert isinstance(net, Nets)
        follow(net["teacher"], net.encoder, self.options.momentum, step, steps)
        follow(net["teacher_head"], net["head"], self.options.momentum, step, steps)

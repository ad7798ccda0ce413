"""DINO (Caron et al. 2021, ICCV): a student gives the probabilities that its slower teacher gives from other views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.learn.layers.encoder import Encoder
from skysift.learn.pretrain.method import Nets, Pretraining, follow, head, still, wide
from skysift.learn.pretrain.options import DinoOptions

__all__ = ["Dino", "distilled"]


def distilled(
    student: Sequence[Tensor],
    teacher: Sequence[Tensor],
    centre: Tensor,
    temperature: float,
    teacher_temperature: float,
) -> Tensor:
    """
    Mean cross-entropy of the student against the teacher, over all pairs of different views.

    Parameters
    ----------
    student
        (picture, prototype) of each view; the whole ones first, in the order of the teacher's.
    teacher
        (picture, prototype) of each whole view.
    centre
        (prototype,): what is taken off the teacher's scores, so that no prototype wins everywhere.
    temperature, teacher_temperature
        What scores are divided by.
    """
    total, pairs = torch.zeros((), device=centre.device), 0
    for k, true in enumerate(teacher):
        wanted = ((wide(true) - centre) / teacher_temperature).softmax(dim=1)
        for j, told in enumerate(student):
            if j != k:
                given = (wide(told) / temperature).log_softmax(dim=1)
                total, pairs = total - (wanted * given).sum(dim=1).mean(), pairs + 1
    return total / pairs


class _Scores(nn.Module):
    """A head, and the cosines of what it gives with prototypes of length 1."""

    def __init__(self, n_in: int, hidden: int, out: int, prototypes: int) -> None:
        super().__init__()
        self.head = head(n_in, hidden, out, layers=3)
        self.prototypes = nn.Linear(out, prototypes, bias=False)
        self.register_buffer("centre", torch.zeros(prototypes))
        self.register_buffer("seen", torch.zeros(prototypes), persistent=False)  # mean of the last batch

    def forward(self, x: Tensor) -> Tensor:
        unit = functional.normalize(self.head(x), dim=1)
        with torch.autocast(x.device.type, enabled=False):
            return functional.linear(wide(unit), functional.normalize(self.prototypes.weight, dim=1))


class Dino(Pretraining[DinoOptions]):
    """Centring and a sharp teacher keep it from collapse; smaller views see what the whole ones tell."""

    name: ClassVar[str] = "dino"

    def parts(self, encoder: Encoder) -> Mapping[str, nn.Module]:
        """The student's head; the teacher with its own."""
        told = self.options
        student = _Scores(encoder.n_features, told.hidden, told.out, told.prototypes)
        return {"head": student, "teacher": still(encoder), "teacher_head": still(student)}

    def terms(self, net: Nets, views: Sequence[Tensor], chance: torch.Generator) -> dict[str, Tensor]:
        """The cross-entropy of all pairs of views."""
        del chance
        told, n = self.options, len(views[0])
        both = torch.cat(list(views[:2]))
        student = list(net["head"](net.encoder(both)).split(n))
        student += [net["head"](net.encoder(each)) for each in views[2:]]
        with torch.no_grad():
            true = net["teacher_head"](net["teacher"](both))
            net["head"].seen.copy_(true.mean(dim=0))
        loss = distilled(
            student, true.split(n), net["head"].centre, told.temperature, told.teacher_temperature
        )
        return {"entropy": loss}

    def left(self, net: nn.Module) -> Tensor:
        """The mean of the teacher's scores, (prototype,)."""
        assert isinstance(net, Nets)
        seen: Tensor = net["head"].seen
        return seen

    def gathered(self, net: nn.Module, left: Tensor) -> None:
        """The mean that is taken off follows that of all batches of the step; they all saw it as it was before."""
        assert isinstance(net, Nets)
        net["head"].centre.lerp_(left.mean(dim=0), 1.0 - self.options.centring)

    def stepped(self, net: nn.Module, step: int, steps: int) -> None:
        """The teacher follows."""
        super().stepped(net, step, steps)
        assert isinstance(net, Nets)
        follow(net["teacher"], net.encoder, self.options.momentum, step, steps)
        follow(net["teacher_head"], net["head"], self.options.momentum, step, steps)

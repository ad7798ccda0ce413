"""All4One (Estepa et al. 2023, ICCV): neighbours instead of views, their centroid, and columns told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.base.errors import OptionError
from skysift.learn.layers.encoder import Encoder
from skysift.learn.layers.vit import Block
from skysift.learn.pretrain.method import Nets, Pretraining, follow, head, still, wide
from skysift.learn.pretrain.options import All4OneOptions

__all__ = ["All4One", "columns_apart", "nearest", "told_apart"]


def nearest(vectors: Tensor, memory: Tensor, n: int) -> Tensor:
    """The n vectors of a memory (vector, column) with the largest cosine with each vector: (picture, n, column)."""
    with torch.autocast(vectors.device.type, enabled=False):
        cosine = functional.normalize(wide(vectors), dim=1) @ functional.normalize(wide(memory), dim=1).T
    return memory[cosine.topk(n, dim=1).indices]


def told_apart(told: Tensor, true: Tensor, temperature: float) -> Tensor:
    """Mean of -log(exp(s_ii / T) / sum over j of exp(s_ij / T)), s the cosines of two sets (picture, column)."""
    with torch.autocast(told.device.type, enabled=False):
        scores = functional.normalize(wide(told), dim=1) @ functional.normalize(wide(true), dim=1).T
    return functional.cross_entropy(scores / temperature, torch.arange(len(told), device=told.device))


def columns_apart(a: Tensor, b: Tensor) -> Tensor:
    """How far the cosines of the columns of two views (picture, column) are from the identity.

    Half the root of the mean squared distance on the diagonal from 1, and half that beside it from 0.
    """
    with torch.autocast(a.device.type, enabled=False):
        cosine = functional.normalize(wide(a), dim=0).T @ functional.normalize(wide(b), dim=0)
    d = len(cosine)
    same = (1.0 - cosine.diagonal()).square().mean()
    other = (cosine.square().sum() - cosine.diagonal().square().sum()) / (d * (d - 1))
    return 0.5 * (same + 1e-12).sqrt() + 0.5 * (other.clamp_min(0.0) + 1e-12).sqrt()


class _Memory(nn.Module):
    """Vectors of earlier batches, the oldest of which give way."""

    vectors: Tensor
    waiting: Tensor
    place: Tensor

    def __init__(self, n: int, out: int) -> None:
        super().__init__()
        self.register_buffer("vectors", functional.normalize(torch.randn(n, out), dim=1))
        self.register_buffer("waiting", torch.zeros(0, out), persistent=False)
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))

    def take(self, vectors: Tensor) -> None:
        """Put in vectors (vector, column); of more than there is room for the last ones stay."""
        n, size = len(vectors), len(self.vectors)
        at = (int(self.place) + torch.arange(n, device=self.vectors.device)) % size
        self.vectors[at[-size:]] = vectors[-size:]
        self.place.fill_((int(self.place) + n) % size)


class All4One(Pretraining[All4OneOptions]):
    """Three contrasts: with the neighbour, with the centroid of neighbours, and between columns."""

    name: ClassVar[str] = "all4one"
    parted: ClassVar[bool] = False

    def parts(self, encoder: Encoder) -> Mapping[str, nn.Module]:
        """A head with two predictors, the attention between neighbours, a slower network, and a memory.

        Raises
        ------
        OptionError
            The vectors are no multiple of the heads, or there are more neighbours than vectors in the memory.
        """
        told = self.options
        if told.out % told.heads:
            raise OptionError("out is a multiple of heads", got=f"out={told.out}, heads={told.heads}")
        if told.neighbours > told.memory:
            raise OptionError("there are more neighbours than the memory holds", got=told.neighbours)
        student = head(encoder.n_features, told.hidden, told.out)
        return {
            "head": student,
            "neighbour": head(told.out, told.hidden, told.out),
            "centroid": head(told.out, told.hidden, told.out),
            "attention": Block(told.out, told.heads),
            "teacher": still(encoder),
            "teacher_head": still(student),
            "memory": _Memory(told.memory, told.out),
        }

    def terms(self, net: Nets, views: Sequence[Tensor], chance: torch.Generator) -> dict[str, Tensor]:
        """The three contrasts, each of both views."""
        del chance
        told, n = self.options, len(views[0])
        both = torch.cat(list(views[:2]))
        student = net["head"](net.encoder(both))
        with torch.no_grad():
            true = wide(net["teacher_head"](net["teacher"](both)))
        near = nearest(true, net["memory"].vectors, told.neighbours)  # (picture, neighbour, column)
        centroid = functional.normalize(net["attention"](near)[:, 0], dim=1)
        net["memory"].waiting = functional.normalize(true[:n], dim=1)

        def crossed(asked: Tensor, given: Tensor) -> Tensor:
            """The contrast of what one view asks for with what the other gives, both ways."""
            a, b, of_a, of_b = asked[:n], asked[n:], given[:n], given[n:]
            return told_apart(a, of_b, told.temperature) + told_apart(b, of_a, told.temperature)

        return {
            "neighbour": told.neighbour * crossed(net["neighbour"](student), near[:, 0]),
            "centroid": told.centroid * crossed(net["centroid"](student), centroid),
            "feature": told.feature * columns_apart(student[:n], student[n:]),
        }

    def left(self, net: nn.Module) -> Tensor:
        """The vectors of the first views, (picture, column)."""
        assert isinstance(net, Nets)
        waiting: Tensor = net["memory"].waiting
        return waiting

    def gathered(self, net: nn.Module, left: Tensor) -> None:
        """The memory takes in all batches of the step, which all looked at it as it was before."""
        assert isinstance(net, Nets)
        net["memory"].take(left.flatten(0, 1))

    def stepped(self, net: nn.Module, step: int, steps: int) -> None:
        """The slower network follows."""
        super().stepped(net, step, steps)
        assert isinstance(net, Nets)
        follow(net["teacher"], net.encoder, 0.99, step, steps)
        follow(net["teacher_head"], net["head"], 0.99, step, steps)

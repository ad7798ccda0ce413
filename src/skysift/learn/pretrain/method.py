"""`Pretraining`: what all methods that learn from views of pictures share; each has its own layers and loss."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from skysift.base.errors import OptionError, UsageError
from skysift.base.options import Options
from skysift.learn.augment import Views, torch_generator
from skysift.learn.embed import vectors
from skysift.learn.layers.encoder import Encoder, make_encoder
from skysift.learn.learner import Batch, Learner, Rows
from skysift.learn.options import EncoderOptions, LoopOptions, SelectionOptions, ViewOptions
from skysift.learn.pictures import Picture, PictureFeed, PictureSet

__all__ = ["Nets", "Pretraining", "encoder_weights", "follow", "head", "still", "wide"]

O = TypeVar("O", bound=Options)  # noqa: E741

_LOOKED_AT = 512  # pictures whose features are looked at on the way


class Nets(nn.Module):
    """
    The encoder and what a method has beside it.

    Parameters
    ----------
    encoder
        What is kept in the end.
    parts
        The rest, by name.
    """

    steps: Tensor

    def __init__(self, encoder: Encoder, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoder = encoder
        self.parts = nn.ModuleDict(dict(parts))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def __getitem__(self, name: str) -> Any:
        return self.parts[name]


class Pretraining(Learner[O, PictureSet]):
    """
    A method that learns from pictures without labels.

    Parameters
    ----------
    options
        Of the method.
    encoder
        The network that is learnt.
    views
        How the views of a picture differ.
    channels
        Of the pictures.

    Raises
    ------
    OptionError
        Smaller views are asked for of a method that does not look at them.

    Attributes
    ----------
    n_views
        Whole views of each picture that a loss is made of.
    parted
        Whether smaller views of parts have a place in the loss.
    """

    better: ClassVar[str] = "step"  # there is no label to judge by: the last is kept
    divisible: ClassVar[bool] = False
    n_views: ClassVar[int] = 2
    parted: ClassVar[bool] = True

    def __init__(
        self,
        options: O,
        encoder: EncoderOptions | None = None,
        views: ViewOptions | None = None,
        channels: int = 1,
    ) -> None:
        super().__init__(options)
        self.encoder, self.channels = encoder or EncoderOptions(), channels
        self.views = Views(views or ViewOptions())
        if self.views.options.local and not self.parted:
            raise OptionError(
                f"views.local does nothing with {self.name}: it looks at whole views alone",
                todo="leave it out",
            )

    @abstractmethod
    def parts(self, encoder: Encoder) -> Mapping[str, nn.Module]:
        """The layers of the method beside the encoder, with fresh weights."""

    @abstractmethod
    def terms(self, net: Nets, views: Sequence[Tensor], chance: torch.Generator) -> dict[str, Tensor]:
        """The terms of the loss of views (picture, channel, y, x): first the whole ones, then smaller ones.

        Parameters
        ----------
        net, views
            The network, and the views.
        chance
            On the device of the views: whatever else is drawn is drawn from it.
        """

    def net(self) -> nn.Module:
        """The encoder, and the layers of the method."""
        encoder = make_encoder(self.encoder, self.channels)
        return Nets(encoder, self.parts(encoder))

    def refuse(self, how: LoopOptions) -> None:
        """Refuse batches that the method cannot learn from; most take any.

        Raises
        ------
        OptionError
            They are too small.
        """
        del how

    def fitting(self, fits: int, most: int) -> Mapping[str, int]:
        """Options with which the method learns from few pictures, by name; empty where there are too few.

        Parameters
        ----------
        fits, most
            Pictures of a batch of which there are two in a round, and of the largest that can be had.
        """
        return {"train.batch": fits} if most > 1 else {}

    def feed(
        self, data: PictureSet, how: LoopOptions, limits: SelectionOptions, back: Rows = None
    ) -> PictureFeed:
        """Pictures in an order that is drawn anew in each round.

        Raises
        ------
        OptionError
            The method cannot learn from such batches.
        UsageError
            There are fewer pictures than a step takes.
        """
        del limits, back
        self.refuse(how)
        self._refuse_few(len(data.learnt), how)
        return PictureFeed(data, how.batch * how.accumulate, how.random_seed)

    def _refuse_few(self, n: int, how: LoopOptions) -> None:
        """Refuse fewer pictures than a step takes, and tell options that fit.

        Raises
        ------
        UsageError
            There are fewer.
        """
        if n >= how.batch * how.accumulate:
            return
        parts = f", train.accumulate={how.accumulate}" if how.accumulate > 1 else ""
        most = n // how.accumulate  # pictures of the largest batch that can be had
        fits = 2 ** max(1, (most // 2).bit_length() - 1)  # two steps a round, or more
        mend = " ".join(f"--set {name}={value}" for name, value in self.fitting(fits, most).items())
        raise UsageError(
            f"there are fewer pictures than a batch has (train.batch={how.batch}{parts})",
            got=n,
            allowed=f"{how.batch * how.accumulate} or more",
            todo=f"give {mend}, or more pictures" if mend else "give more pictures",
        )

    def numbered(self, samples: Sequence[Picture], number: int, random_seed: int) -> dict[str, Tensor]:
        """Pixels, their noise, and what is drawn for each view."""
        chance = torch_generator(random_seed, "views", str(number))
        made = {"pixels": torch.from_numpy(np.stack([each.pixels for each in samples]))}
        if samples and "rms" in samples[0].targets:
            rms = np.stack([each.targets["rms"] for each in samples]).astype(np.float32)
            made["rms"] = torch.from_numpy(rms)
        for k in range(self.n_views + self.views.options.local):
            drawn = self.views.draw(len(samples), chance, local=k >= self.n_views)
            made |= {f"{k}:{name}": values for name, values in drawn.items()}
        return made

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The terms of the method for the views of a batch."""
        assert isinstance(net, Nets)
        made = []
        blank = self.encoder.backbone == "detector"  # it tells apart where there are no data
        for k in range(self.n_views + self.views.options.local):
            drawn = {name.partition(":")[2]: each for name, each in batch.items() if name.startswith(f"{k}:")}
            size = None if k < self.n_views else self.views.options.local_size
            made.append(self.views.make(batch["pixels"], drawn, batch.get("rms"), size, blank=blank))
        chance = torch.Generator(made[0].device).manual_seed(int(batch["0:seed"][0]))
        return self.terms(net, made, chance)

    def stepped(self, net: nn.Module, step: int, steps: int) -> None:
        """Count the steps; a method with a teacher lets it follow."""
        del steps
        assert isinstance(net, Nets)
        net.steps.fill_(step + 1)

    def validate(self, net: nn.Module, data: PictureSet, device: torch.device) -> dict[str, float]:
        """How far features are spread: near 0 all pictures give the same vector, which is a collapse.

        `spread` is the mean deviation of a column of vectors of length 1, times the root of their number; `rank` how
        many directions they take: the exponential of the entropy of their principal components.
        """
        assert isinstance(net, Nets)
        rows = data.judged if len(data.judged) else data.learnt
        pixels = np.asarray(data.pixels[rows[:_LOOKED_AT]], np.float32)
        values = vectors(net.encoder, pixels, turns=1, device=device)
        return {"step": float(net.steps), "spread": spread(values), "rank": rank(values)}


def spread(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Mean deviation of the columns of vectors (row, column) of length 1, times the root of the number of columns."""
    unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return float(unit.std(axis=0).mean() * math.sqrt(values.shape[1]))


def rank(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """How many directions vectors (row, column) take: the exponential of the entropy of their variances."""
    variances = np.linalg.svd(values - values.mean(axis=0), compute_uv=False) ** 2
    shares = variances / max(float(variances.sum()), 1e-30)
    return float(np.exp(-(shares * np.log(np.maximum(shares, 1e-30))).sum()))


def head(n_in: int, hidden: int, n_out: int, *, layers: int = 2) -> nn.Sequential:
    """Layers behind an encoder: each hidden one is normalised over the batch."""
    parts: list[nn.Module] = []
    for _ in range(layers - 1):
        parts += [nn.Linear(n_in, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True)]
        n_in = hidden
    return nn.Sequential(*parts, nn.Linear(n_in, n_out))


def wide(values: Tensor) -> Tensor:
    """Numbers of 32 bits: losses are not made of shorter ones."""
    return values.float()


def still(net: nn.Module) -> Any:
    """A copy that no gradient moves: a teacher."""
    made = copy.deepcopy(net)
    for each in made.parameters():
        each.requires_grad_(False)
    return made


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float, step: int, steps: int) -> None:
    """Move a teacher towards its student; what it keeps of itself rises to all along half a cosine."""
    kept = 1.0 - (1.0 - momentum) * 0.5 * (1.0 + math.cos(math.pi * step / max(1, steps)))
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        slow.lerp_(fast.detach(), 1.0 - kept)


def encoder_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The part of the weights of a method that is its encoder, by the names that the encoder has for them."""
    start = "encoder."
    return {name.removeprefix(start): each for name, each in weights.items() if name.startswith(start)}

"""Menus of classifiers of pictures; light, so that help is told without what they need."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from skysift.base.options import Options, option
from skysift.classify.options import Method
from skysift.learn.options import PreparationOptions

__all__ = ["CnnOptions", "EmbeddingOptions", "LooksOptions", "PictureOptions"]


class PictureOptions(PreparationOptions):
    """What every classifier of pictures can be told."""

    balance: Literal["none", "weights", "draw"] = option(
        "weights",
        doc="How classes of unlike number are made to count alike: not, by weights of the loss, or by drawing rare ones "
        "more often.",
    )
    loss: Literal["likelihood", "focal"] = option(
        "likelihood",
        doc="What is made small: minus the log of the probability of what is true (of each tag, of several), "
        "or the same with what is certain counting less (Lin et al. 2017).",
    )
    focal: float = option(2.0, at_least=0.0, at_most=10.0, doc="focal: how much less it counts, a power.")
    smoothing: float = option(
        0.05, at_least=0.0, below=0.5, doc="Part of the truth that is spread over all classes."
    )
    epochs: int = option(40, at_least=1, doc="How often each picture is seen.")
    batch: int = option(64, at_least=2, doc="Pictures of a step.")
    learning_rate: float = option(2e-3, above=0.0, at_most=1.0, doc="The largest learning rate.")
    weight_decay: float = option(2e-2, at_least=0.0, doc="Decay of the weights.")
    dropout: float = option(
        0.2, at_least=0.0, below=1.0, doc="Part of the features that are dropped in training."
    )
    members: int = option(
        1,
        at_least=1,
        at_most=10,
        doc="Networks whose probabilities are averaged; each is judged on another part.",
    )
    held: float = option(
        0.15,
        above=0.0,
        at_most=0.5,
        doc="Part of the pictures that is not learnt from: it chooses the epoch and calibrates the probabilities.",
    )
    turn: bool = option(True, doc="Turn pictures by any angle, and mirror them, each time they are seen.")
    zoom: tuple[float, float] = option(
        (0.85, 1.15), doc="Smallest and largest scale that pictures are given."
    )
    shift: float = option(0.05, at_least=0.0, at_most=0.5, doc="Largest shift, over the side of the picture.")
    gamma: tuple[float, float] = option((0.7, 1.4), doc="Smallest and largest power of the brightness.")
    blur: float = option(
        0.0, unit="pixel", at_least=0.0, at_most=8.0, doc="Largest sigma of a beam laid over it."
    )
    noise: float = option(
        0.03,
        at_least=0.0,
        at_most=1.0,
        doc="Largest noise that is added, in units of what the network reads.",
    )
    lose: float = option(
        0.0,
        at_least=0.0,
        below=1.0,
        doc="Part of the bands that are blanked at a time, so that they may be missing.",
    )
    turns: Literal[1, 2, 4, 8] = option(
        4, doc="Looks at each picture, turned and mirrored, that are averaged."
    )
    calibration: Method = option("temperature", doc="How probabilities are made to hold, on the part held.")
    ood: Literal["neighbours", "mahalanobis"] = option(
        "mahalanobis",
        doc="How strangeness is measured among the features of the network: by the covariance, or by five neighbours.",
    )
    device: str = option("auto", doc="Where the network runs: auto, cpu, cuda.")
    random_seed: int = option(1, at_least=0, doc="Decides all that is drawn.")

    @model_validator(mode="after")
    def _ranges_rise(self) -> PictureOptions:
        for name in ("zoom", "gamma"):
            low, high = getattr(self, name)
            if not 0.0 < low <= high:
                raise ValueError(f"{name} is two numbers above 0, the smaller first")
        return self


class CnnOptions(PictureOptions):
    """A residual network that is trained from fresh weights."""

    width: int = option(16, at_least=4, at_most=256, doc="Channels of the first stage.")
    blocks: tuple[int, ...] = option((1, 1, 1, 1), doc="Blocks of each stage; 1,1,1,1 is a ResNet-10.")

    @model_validator(mode="after")
    def _layers_fit(self) -> CnnOptions:
        if not 1 <= len(self.blocks) <= 6 or min(self.blocks) < 1:
            raise ValueError("blocks are 1 to 6 whole numbers from 1 on, such as 2,2,2,2")
        return self


class EmbeddingOptions(PictureOptions):
    """An encoder that was trained before, with a simple classifier on its features, or trained on (fine-tuned)."""

    weights: str = option(
        "first-embedding",
        file=True,
        doc="The encoder: a name that `skysift models` lists, or a file of `skysift pretrain`; its preparation is used.",
    )
    head: Literal["linear", "knn", "lightgbm"] = option(
        "linear",
        doc="What learns from features of a frozen encoder: logistic regression, neighbours, or trees.",
    )
    thaw: int = option(
        0,
        at_least=0,
        at_most=100,
        doc="Stages of the encoder, counted from its end, that are trained on; 0 leaves it frozen.",
    )
    calibration_folds: int = option(
        5,
        at_least=2,
        at_most=20,
        doc="Parts into which pictures are divided to calibrate a frozen encoder's head.",
    )
    learning_rate: float = option(5e-4, above=0.0, at_most=1.0, doc="thaw: the largest learning rate.")


class LooksOptions(Options):
    """Where a classifier of pictures looks: of how many pictures, and how finely."""

    sources: int = option(
        24, at_least=1, at_most=1000, doc="Pictures that are told of, spread evenly over all."
    )
    patch: int = option(8, unit="pixel", at_least=1, at_most=256, doc="Side of the square that hides a part.")
    stride: int = option(4, unit="pixel", at_least=1, at_most=256, doc="Step of the grid of its places.")

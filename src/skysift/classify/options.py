"""Menus of classifiers; light, so that help is told without what they need."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import model_validator

from skysift.base.options import Options, option
from skysift.learn.options import PreparationOptions

__all__ = [
    "BoostingOptions",
    "CnnOptions",
    "DetectionsOptions",
    "EmbeddingOptions",
    "ExplainOptions",
    "ForestOptions",
    "JudgeOptions",
    "LightGBMOptions",
    "LogisticOptions",
    "LooksOptions",
    "MLPOptions",
    "Method",
    "NeighboursOptions",
    "PictureOptions",
    "QDAOptions",
    "SVCOptions",
    "TableOptions",
    "TrainOptions",
]

Method: TypeAlias = Literal["none", "temperature", "isotonic"]


class TrainOptions(Options):
    """What is learnt: which model, which classes, where the labels stand."""

    model: str = option("lightgbm", doc="The classifier, by its name in the index.")
    task: str | None = option(None, doc="What labels mean, such as fr; null takes labels as they stand.")
    column: str | None = option(
        None, doc="Column of the labels; by default the first of label, class, code, type, morphology."
    )
    classes: tuple[str, ...] = option((), doc="The only classes that are learnt; none for all.")


class JudgeOptions(TrainOptions):
    """How a classifier is judged on sources that it did not learn from."""

    folds: int = option(5, at_least=2, at_most=50, doc="Parts of which each is left out in turn.")
    repeats: int = option(2, at_least=1, at_most=50, doc="How often the sources are divided anew.")
    fixed: str | None = option(
        None, doc="The name of folds that ship, such as mirabest or first; null draws them by chance."
    )
    beside: bool = option(True, doc="Show the majority class, a random network and plain features beside it.")
    random_seed: int = option(1, at_least=0, doc="Decides how sources are divided.")


class ExplainOptions(Options):
    """How much is told of the reasons of a classifier."""

    top: int = option(15, at_least=1, at_most=200, doc="Features that are shown.")
    sources: int = option(2000, at_least=1, doc="Sources that reasons are told of at most.")
    random_seed: int = option(1, at_least=0, doc="Decides what is drawn.")


class TableOptions(Options):
    """What every classifier of tables of features can be told."""

    balance: Literal["none", "weights", "downsample"] = option(
        "none",
        doc="How classes of unlike number are made to count alike: by weights, not, or by leaving sources out.",
    )
    calibration: Method = option(
        "temperature", doc="How probabilities are made to hold, on sources that were left out."
    )
    calibration_folds: int = option(
        5, at_least=2, at_most=20, doc="Parts into which sources are divided to calibrate."
    )
    groups: tuple[str, ...] = option((), doc="Groups of features that are used; none for all.")
    keep: int | None = option(
        None, at_least=1, doc="How many features are kept, the most telling first; null for all."
    )
    side: int | None = option(
        None,
        unit="pixel",
        at_least=8,
        doc="Pictures are cut to this side before they are measured; null for all.",
    )
    clip: bool = option(
        False, doc="Pictures are measured as published sets show them: nothing below 3 sigma, 256 levels."
    )
    fainter: int = option(
        0,
        at_least=0,
        at_most=10,
        doc="Fainter copies of each picture that are learnt from beside it, with noise of the beam.",
    )
    faintest: float = option(
        7.0, unit="sigma", at_least=5, doc="fainter: the faintest peak of a copy, in units of its noise."
    )
    brightest: float = option(60.0, unit="sigma", at_least=5, doc="fainter: the brightest peak of a copy.")
    shown: float = option(
        0.6,
        above=0,
        below=1,
        doc="fainter: part of the flux of a source that a copy shows above 3 sigma, at least; where it shows less, "
        "nobody could see what the label says.",
    )
    search: int = option(
        0, at_least=0, doc="Trials of a search for better settings, inside the sources given."
    )
    search_folds: int = option(
        3, at_least=2, at_most=20, doc="Parts of the sources that a trial is judged by."
    )
    ood: Literal["neighbours", "mahalanobis"] = option(
        "neighbours",
        doc="How strangeness is measured: mean distance to five neighbours, or by the covariance.",
    )
    random_seed: int = option(1, at_least=0, doc="Decides all that is drawn.")

    @model_validator(mode="after")
    def _copies_fit(self) -> TableOptions:
        for name in ("faintest", "brightest", "shown"):
            value, usual = getattr(self, name), type(self).model_fields[name].default
            if not self.fainter and value != usual:
                raise ValueError(
                    f"{name} is of fainter copies, and there are none; got {value:g}; set fainter to 1 or more"
                )
        if not self.faintest < self.brightest:
            raise ValueError(
                f"brightest is above faintest, which is {self.faintest:g} sigma; got {self.brightest:g}"
            )
        return self


class LightGBMOptions(TableOptions):
    """Gradient boosted trees of LightGBM."""

    trees: int = option(150, at_least=1, doc="Rounds of boosting.")
    leaves: int = option(15, at_least=2, doc="Leaves of a tree.")
    rate: float = option(0.05, above=0, at_most=1, doc="How much each tree counts.")
    least: int = option(10, at_least=1, doc="Sources of a leaf at least.")
    columns: float = option(0.3, above=0, at_most=1, doc="Part of the features that each tree looks at.")
    share: float = option(0.8, above=0, at_most=1, doc="Part of the sources that each tree looks at.")
    shrink: float = option(1.0, at_least=0, doc="Square penalty on leaves.")


class ForestOptions(TableOptions):
    """A random forest: trees that each see other sources and features."""

    trees: int = option(200, at_least=1, doc="Trees.")
    least: int = option(2, at_least=1, doc="Sources of a leaf at least.")
    columns: float = option(0.3, above=0, at_most=1, doc="Part of the features that each split looks at.")
    deepest: int = option(16, at_least=1, at_most=64, doc="Splits from the root to a leaf at most.")


class BoostingOptions(TableOptions):
    """Gradient boosted trees on histograms, those of scikit-learn."""

    trees: int = option(120, at_least=1, doc="Rounds of boosting.")
    leaves: int = option(15, at_least=2, doc="Leaves of a tree.")
    rate: float = option(0.08, above=0, at_most=1, doc="How much each tree counts.")
    least: int = option(10, at_least=1, doc="Sources of a leaf at least.")
    shrink: float = option(1.0, at_least=0, doc="Square penalty on leaves.")


class LogisticOptions(TableOptions):
    """Multinomial logistic regression on features in units of their spread."""

    strength: float = option(1.0, above=0, doc="How freely it fits: the reciprocal of the square penalty.")


class SVCOptions(TableOptions):
    """Support vectors with a Gaussian kernel, each class against the rest."""

    strength: float = option(3.0, above=0, doc="How much a source on the wrong side costs.")
    width: float = option(1.0, above=0, doc="Of the kernel: its gamma in units of 1 / (features x variance).")


class MLPOptions(TableOptions):
    """A small network of rectified units."""

    hidden: int = option(48, at_least=1, doc="Units of a layer.")
    layers: int = option(1, at_least=1, at_most=3, doc="Hidden layers.")
    shrink: float = option(0.1, at_least=0, doc="Square penalty on weights.")
    rate: float = option(0.002, above=0, doc="Step of the optimiser.")
    rounds: int = option(200, at_least=1, doc="Times that all sources are seen at most.")


class QDAOptions(TableOptions):
    """Quadratic discriminants: one Gaussian a class."""

    shrink: float = option(
        0.2, at_least=0, at_most=1, doc="How far each covariance is drawn towards a round one."
    )


class NeighboursOptions(TableOptions):
    """The classes of the nearest sources in the space of features."""

    neighbours: int = option(15, at_least=1, doc="Sources that are looked at.")


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
        "first-simclr",
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


class DetectionsOptions(Options):
    """Made maps with artefacts, what a finder finds in them, and which of that is real."""

    fields: int = option(24, at_least=1, at_most=100_000, doc="Made maps.")
    kinds: tuple[Literal["snapshot", "deep", "galactic"], ...] = option(
        ("snapshot", "snapshot", "deep", "galactic"),
        doc="What maps are, in turn: snapshots of the VLA, hours of MeerKAT, fields of the Galactic plane.",
    )
    n_pixels: int = option(384, unit="pixel", at_least=64, at_most=8192, doc="Side of a map.")
    finder: str = option("classic", doc="The finder.")
    seed: float = option(4.5, unit="sigma", above=0.0, doc="It takes what is this bright.")
    amplitude_error: tuple[float, float] = option(
        (0.05, 0.3), doc="Smallest and largest error of the antennas' gains, relative; drawn for each map."
    )
    phase_error: tuple[float, float] = option(
        (3.0, 20.0), unit="deg", doc="Smallest and largest error of their phases."
    )
    clean_residual: tuple[float, float] = option(
        (0.02, 0.1), doc="Smallest and largest part of the dirty beam that deconvolution leaves."
    )
    stripes: float = option(0.5, at_least=0.0, at_most=1.0, doc="Part of the maps that stripes cross.")
    inverted: bool = option(
        False, doc="Whether maps are searched upside down too, where all that is found is spurious."
    )
    real: float = option(
        0.4,
        above=0.0,
        below=1.0,
        doc="What is found is real where the brightest true object at its place has this part of its peak.",
    )
    size: int = option(48, unit="pixel", at_least=8, at_most=512, doc="Side of a stamp.")
    random_seed: int = option(1, at_least=0, doc="The same number gives the same maps.")

"""Menus of classifiers; light, so that help is told without what they need."""

from __future__ import annotations

from typing import Literal, TypeAlias

from skysift.base.options import Options, option

__all__ = [
    "BoostingOptions",
    "ExplainOptions",
    "ForestOptions",
    "JudgeOptions",
    "LightGBMOptions",
    "LogisticOptions",
    "MLPOptions",
    "Method",
    "NeighboursOptions",
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

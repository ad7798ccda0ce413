"""What a pre-training set, a probe and a benchmark are told; light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import model_validator

from skysift.base.errors import OptionError
from skysift.base.options import Options, option
from skysift.learn.options import EncoderOptions, PreparationOptions, ViewOptions
from skysift.learn.pretrain.options import PretrainOptions

__all__ = [
    "GROUPS",
    "BenchmarkOptions",
    "PoolOptions",
    "ProbeOptions",
    "SetOptions",
    "TaskOptions",
    "refuse_idle",
]


class PoolOptions(Options):
    """Which pictures are learnt from."""

    cuts: int = option(
        2000, at_least=1, doc="Cut-outs of each map: places by chance, or at most so many sources."
    )
    seed: float = option(5.0, unit="sigma", above=0.0, doc="Sources of maps begin at pixels this bright.")
    blank: float = option(
        0.2, at_least=0.0, below=1.0, doc="Cut-outs whose pixels are blank to a larger part are left out."
    )
    same: float = option(
        10.0,
        unit="arcsec",
        at_least=0.0,
        doc="Of pictures that are nearer to each other one is kept; 0: all.",
    )
    apart: float = option(
        180.0, unit="arcsec", at_least=0.0, doc="Pictures nearer to a place that is excluded are left out."
    )


GROUPS: Mapping[str, type[Options]] = {
    "train": PretrainOptions,
    "encoder": EncoderOptions,
    "views": ViewOptions,
    "prepare": PreparationOptions,
    "pool": PoolOptions,
}
"""What stands before the point of a key of a pre-training, and what it belongs to; one without is of the method."""


class ProbeOptions(Options):
    """How features are judged by simple classifiers, over folds."""

    folds: int = option(5, at_least=2, at_most=100, doc="Parts that are left out in turn.")
    repeats: int = option(2, at_least=1, at_most=100, doc="How often the parts are drawn anew.")
    fixed: str | None = option(
        None,
        file=True,
        doc="Folds by name: mirabest or first, which ship, or a CSV name,fold_1,fold_2; null draws them by chance.",
    )
    turns: int = option(4, at_least=1, at_most=8, doc="Looks that features are averaged over: 1, 2, 4 or 8.")
    stages: int = option(
        0,
        at_least=0,
        at_most=6,
        doc="Of how many of the last stages of the network features are taken; 0: as the card of the weights says.",
    )
    strength: float = option(0.3, above=0.0, doc="Probe linear: the inverse of the penalty of large weights.")
    neighbours: int = option(15, at_least=1, doc="Votes of the probe of nearest neighbours.")
    balanced: bool = option(False, doc="Probe linear: rare classes count as much as frequent ones.")
    fractions: tuple[float, ...] = option(
        (100.0,), unit="%", doc="Parts of the labels that are learnt, such as 1,5,10,25,50,100."
    )
    kinds: tuple[Literal["linear", "discriminant", "joined", "knn", "finetune"], ...] = option(
        ("linear", "discriminant", "joined", "knn"),
        doc="What is tried: linear (logistic regression), discriminant (linear, its covariance shrunk; nothing to "
        "choose, and good with few labels), joined (the mean of what discriminants of the features and of plain "
        "features say), knn, finetune (all weights learn, which takes minutes).",
    )
    epochs: int = option(30, at_least=1, doc="Fine-tuning: how often each picture is seen.")
    random_seed: int = option(1, at_least=0, doc="Every random choice follows from this number.")

    @model_validator(mode="after")
    def _looks_and_parts_are_possible(self) -> Self:
        if self.turns not in (1, 2, 4, 8):
            raise ValueError(f"turns is 1, 2, 4 or 8, not {self.turns}")
        if not all(0.0 < each <= 100.0 for each in self.fractions):
            raise ValueError("fractions are above 0 and at most 100 (%)")
        return self


def refuse_idle(options: ProbeOptions) -> None:
    """Refuse what is told of a kind of probe that is not asked for.

    Raises
    ------
    OptionError
        Such an option is given.
    """
    for name, kind in (("epochs", "finetune"), ("neighbours", "knn")):
        if name in options.model_fields_set and kind not in options.kinds:
            raise OptionError(
                f"{name} does nothing without the probe {kind}",
                got=f"kinds={','.join(options.kinds)}",
                todo=f"add {kind} to kinds, or leave {name} out",
            )


class SetOptions(Options):
    """A set of pictures without labels."""

    pictures: tuple[str, ...] = option(
        (), file=True, doc="Folders of stamps or of FITS files, and npz with images; beside the recipe."
    )
    maps: tuple[str, ...] = option((), file=True, doc="Maps to cut pictures from.")
    cut: str = option("sources", file=True, doc="Where maps are cut: random, sources, or a catalogue.")
    most: int = option(0, at_least=0, doc="So many pictures at most, drawn by chance; 0: all.")


class TaskOptions(Options):
    """A set of pictures with classes to tell apart."""

    pictures: str = option("", file=True, doc="A folder of stamps or of FITS files, or an npz.")
    labels: str | None = option(None, file=True, doc="A table name,label[,...].")
    column: str | None = option(
        None,
        doc="Which column holds the classes; by default the first of label, class, code, type, morphology.",
    )
    classes: dict[str, str] = option(
        {}, doc="What labels mean: only these are told apart; all, where none is given."
    )
    fixed: str | None = option(
        None, file=True, doc="Folds by name, as for a probe; null takes what `probe.fixed` says."
    )


class BenchmarkOptions(Options):
    """How methods are compared."""

    name: str = option("benchmark", doc="Of the comparison.")
    protocol: Literal["apart", "folds", "transductive"] = option(
        "apart",
        doc="What is learnt from without labels: apart: nothing near any picture of a task, one training for all folds; "
        "folds: nothing near those of the fold that is left out, one training each; transductive: everything.",
    )

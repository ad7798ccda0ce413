"""What a pre-training set, a probe and a benchmark are told; light."""

from __future__ import annotations

from typing import Literal

from skysift.base.options import Options, option

__all__ = ["PoolOptions", "ProbeOptions"]


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


class ProbeOptions(Options):
    """How features are judged by simple classifiers, over folds."""

    folds: int = option(5, at_least=2, at_most=100, doc="Parts that are left out in turn.")
    repeats: int = option(2, at_least=1, at_most=100, doc="How often the parts are drawn anew.")
    turns: int = option(4, at_least=1, at_most=8, doc="Looks that features are averaged over: 1, 2, 4 or 8.")
    strength: float = option(0.3, above=0.0, doc="Linear probe: the inverse of the penalty of large weights.")
    neighbours: int = option(15, at_least=1, doc="Votes of the probe of nearest neighbours.")
    balanced: bool = option(False, doc="Linear probe: rare classes count as much as frequent ones.")
    fractions: tuple[float, ...] = option(
        (100.0,), unit="%", doc="Parts of the labels that are learnt, such as 1,5,10,25,50,100."
    )
    kinds: tuple[Literal["linear", "knn", "finetune"], ...] = option(
        ("linear", "knn"),
        doc="What is tried: linear, knn, finetune (all weights learn, which takes minutes).",
    )
    epochs: int = option(30, at_least=1, doc="Fine-tuning: how often each picture is seen.")
    random_seed: int = option(1, at_least=0, doc="Every random choice follows from this number.")

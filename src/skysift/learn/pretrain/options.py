"""What methods that learn without labels are told; light: nothing here imports torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from skysift.base.options import Options, option
from skysift.learn.options import LoopOptions

__all__ = [
    "All4OneOptions",
    "ByolOptions",
    "DinoOptions",
    "MaeOptions",
    "MethodOptions",
    "PretrainOptions",
    "SimclrOptions",
    "SwavOptions",
    "VicregOptions",
    "WmseOptions",
]


class PretrainOptions(Options):
    """How long and how fast a network learns from pictures."""

    epochs: int = option(50, at_least=1, doc="How often each picture is seen.")
    batch: int = option(256, at_least=2, doc="Pictures that are seen, and compared with each other, at once.")
    learning_rate: float = option(2e-3, above=0.0, at_most=1.0, doc="The largest learning rate (AdamW).")
    weight_decay: float = option(1e-4, at_least=0.0, doc="Decay of the weights, decoupled from the gradient.")
    warmup: float = option(
        0.05, at_least=0.0, below=1.0, doc="Part of all steps in which the learning rate rises from 0."
    )
    average: float = option(
        0.99, at_least=0.0, below=1.0, doc="Decay of the running mean of the weights, which is what is kept."
    )
    precision: Literal["auto", "float32", "bfloat16"] = option(
        "auto", doc="Numbers that the network is run with; auto: bfloat16 where the processor has it."
    )
    accumulate: int = option(
        1,
        at_least=1,
        doc="Batches whose gradients make one step, each compared within itself; devices share them.",
    )
    checks: int = option(10, at_least=1, doc="How often on the way the spread of the features is measured.")
    random_seed: int = option(1, at_least=0, doc="Every random choice follows from this number.")

    def loop(self, n: int) -> LoopOptions:
        """What the loop is told for so many pictures."""
        a_round = max(1, n // (self.batch * self.accumulate))
        steps = max(1, round(self.epochs * n / (self.batch * self.accumulate))) if n else self.epochs
        return LoopOptions(
            steps=max(steps, a_round),
            batch=self.batch,
            accumulate=self.accumulate,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warmup=self.warmup,
            average=self.average,
            precision=self.precision,
            validate_every=max(1, max(steps, a_round) // self.checks),
            random_seed=self.random_seed,
        )


class MethodOptions(Options):
    """The layers behind the encoder that a method learns with, and that are left behind."""

    hidden: int = option(256, at_least=8, at_most=8192, doc="Width of the layers between.")
    out: int = option(64, at_least=2, at_most=8192, doc="Length of the vectors that are compared.")


class SimclrOptions(MethodOptions):
    """SimCLR: two views of a picture are nearer to each other than to those of all others."""

    temperature: float = option(0.2, above=0.0, at_most=10.0, doc="Cosines are divided by it.")


class ByolOptions(MethodOptions):
    """BYOL: from one view, what a slower network makes of the other is foretold."""

    momentum: float = option(
        0.99,
        at_least=0.0,
        below=1.0,
        doc="What the slower network keeps of itself in a step, at the beginning.",
    )


class VicregOptions(MethodOptions):
    """VICReg: two views give the same, columns vary, and no two columns tell the same."""

    out: int = option(256, at_least=2, at_most=8192, doc="Length of the vectors that are compared.")
    invariance: float = option(25.0, at_least=0.0, doc="Weight of the distance of two views.")
    variance: float = option(25.0, at_least=0.0, doc="Weight of columns that vary too little.")
    covariance: float = option(1.0, at_least=0.0, doc="Weight of columns that vary together.")


class DinoOptions(MethodOptions):
    """DINO: a student gives the probabilities that its slower teacher gives, from other views."""

    prototypes: int = option(512, at_least=2, at_most=65536, doc="Number of probabilities.")
    momentum: float = option(
        0.99, at_least=0.0, below=1.0, doc="What the teacher keeps of itself in a step, at the beginning."
    )
    temperature: float = option(0.1, above=0.0, doc="Of the student.")
    teacher_temperature: float = option(0.04, above=0.0, doc="Of the teacher: lower is sharper.")
    centring: float = option(
        0.9,
        at_least=0.0,
        below=1.0,
        doc="What the mean that is taken off the teacher keeps of itself in a step.",
    )


class SwavOptions(MethodOptions):
    """SwAV: the share of prototypes in one view is foretold from the other; all prototypes are used as much."""

    prototypes: int = option(100, at_least=2, at_most=65536, doc="Number of prototypes.")
    temperature: float = option(0.1, above=0.0, doc="Of what is foretold.")
    epsilon: float = option(0.05, at_least=0.004, doc="How soft the shares are.")
    rounds: int = option(3, at_least=1, at_most=100, doc="Rounds of Sinkhorn and Knopp.")


class WmseOptions(MethodOptions):
    """W-MSE: vectors are made white, which no collapse survives; then two views give the same."""

    white: int = option(
        128, at_least=4, at_most=8192, doc="Vectors that are made white together: more than `out`."
    )


class MaeOptions(Options):
    """MAE: most patches are left out and drawn from the others; for the backbone vit."""

    left_out: float = option(0.75, above=0.0, below=1.0, doc="Part of the patches that is left out.")
    decoder_dim: int = option(
        64, at_least=8, at_most=1024, doc="Length of a token of the decoder, a multiple of 4."
    )
    decoder_depth: int = option(2, at_least=1, at_most=16, doc="Blocks of the decoder.")

    @model_validator(mode="after")
    def _tokens_fit(self) -> Self:
        if self.decoder_dim % 4:
            raise ValueError(f"decoder_dim is a multiple of 4, not {self.decoder_dim}")
        return self


class All4OneOptions(MethodOptions):
    """All4One: neighbours instead of views, the centroid of neighbours, and columns that tell different things."""

    temperature: float = option(0.2, above=0.0, at_most=10.0, doc="Cosines are divided by it.")
    memory: int = option(2048, at_least=16, at_most=1048576, doc="Vectors of earlier batches that are kept.")
    neighbours: int = option(5, at_least=1, at_most=64, doc="Nearest of them that make a centroid.")
    heads: int = option(4, at_least=1, at_most=32, doc="Heads of the attention between them.")
    neighbour: float = option(0.5, at_least=0.0, doc="Weight of neighbours.")
    centroid: float = option(0.5, at_least=0.0, doc="Weight of centroids.")
    feature: float = option(5.0, at_least=0.0, doc="Weight of columns.")

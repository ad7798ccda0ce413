"""What the loop is told; light: nothing here imports torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from skysift.base.options import Options, option
from skysift.learn.scale_options import PRESETS, parse_steps

__all__ = ["LoopOptions", "PreparationOptions", "SelectionOptions", "TrainOptions"]


class LoopOptions(Options):
    """How a model is trained; the same for every model."""

    steps: int = option(8000, at_least=1, doc="Steps of the optimiser, after which training ends.")
    batch: int = option(
        4,
        at_least=1,
        doc="Crops or pictures that the network sees at once; crops are halved where memory is short.",
    )
    accumulate: int = option(
        1, at_least=1, doc="Batches whose gradients make one step; several devices share them."
    )
    optimizer: Literal["adamw", "sgd"] = option(
        "adamw", doc="AdamW (Loshchilov & Hutter 2019), or gradient descent with momentum 0.9."
    )
    learning_rate: float = option(1.5e-3, above=0.0, at_most=1.0, doc="The largest learning rate.")
    weight_decay: float = option(1e-4, at_least=0.0, doc="Decay of the weights, decoupled from the gradient.")
    warmup: float = option(
        0.05, at_least=0.0, below=1.0, doc="Part of all steps in which the learning rate rises from 0."
    )
    last_rate: float = option(
        0.01, above=0.0, at_most=1.0, doc="Learning rate at the end of the cosine, over the largest."
    )
    average: float = option(
        0.995, at_least=0.0, below=1.0, doc="Decay of the running mean of the weights, which is what is kept."
    )
    clip: float = option(2.0, above=0.0, doc="Longer gradients are shortened to this norm.")
    precision: Literal["auto", "float32", "bfloat16"] = option(
        "auto", doc="Numbers that the network is run with; auto: bfloat16 where the processor has it."
    )
    validate_every: int = option(500, at_least=1, doc="Steps from one validation to the next.")
    patience: int = option(
        0, at_least=0, doc="Validations without a better score after which training ends; 0: never."
    )
    random_seed: int = option(1, at_least=0, doc="Every random choice follows from this number.")


class TrainOptions(LoopOptions):
    """How a detector is trained on crops of fields."""

    crop: int = option(256, unit="pixel", at_least=32, at_most=2048, doc="Side of a crop, a multiple of 32.")
    balanced: float = option(
        0.0,
        at_least=0.0,
        at_most=1.0,
        doc="Part of the crops that lie around an object of a class drawn by chance, each class as likely; they may "
        "reach beyond the map.",
    )

    @model_validator(mode="after")
    def _crop_fits_strides(self) -> Self:
        if self.crop % 32:
            raise ValueError(f"crop is a multiple of 32 pixels, not {self.crop}")
        return self


class SelectionOptions(Options):
    """Which labels a model learns: all as bright as these limits, which are in units of the noise."""

    peak: float = option(
        0.0,
        unit="sigma",
        at_least=0.0,
        doc="Labels with a lower peak (surface brightness in a beam) are not learnt.",
    )
    flux: float = option(0.0, unit="sigma", at_least=0.0, doc="Labels with less flux are not learnt.")
    below: Literal["ignored", "negative"] = option(
        "ignored",
        doc="Labels that are not learnt are neither right nor wrong (ignored), or as if nothing were there (negative).",
    )
    put_back: float | None = option(
        None,
        above=0.0,
        below=1.0,
        doc="Labels below the limits that the network finds with a higher objectness are learnt for the rest of the "
        "training; null: none.",
    )
    put_back_after: float = option(
        0.5, above=0.0, below=1.0, doc="Part of the steps after which they are put back."
    )

    @model_validator(mode="after")
    def _nothing_idle(self) -> Self:
        given = self.model_fields_set
        limited = self.peak > 0.0 or self.flux > 0.0
        for name in ("below", "put_back", "put_back_after"):
            if name in given and not limited and getattr(self, name) is not None:
                raise ValueError(f"{name} does nothing without a limit: give peak or flux")
        if "put_back_after" in given and self.put_back is None:
            raise ValueError("put_back_after does nothing without put_back")
        return self


class PreparationOptions(Options):
    """How pixels become what a network reads."""

    preset: Literal["asinh", "minmax", "sigma3", "zscale", "three_channel", "mixed", "bands"] = option(
        "asinh",
        doc="Steps by name: asinh (above 2 sigma, over the largest, asinh), minmax, sigma3 (0 below 3 sigma), zscale, "
        "three_channel (two zscales and an equalised one), mixed (sinh, linear and asinh), bands (as asinh, the ratios "
        "of bands stay).",
    )
    size: int = option(48, unit="pixel", at_least=8, at_most=512, doc="Side of what the network reads.")
    bin: int = option(
        2, at_least=1, at_most=32, doc="Pixels along the side of a square whose mean becomes one."
    )
    steps: str = option(
        "",
        doc="Steps of your own instead of a preset, such as 'soft_clip=2 max asinh=10; equalise': channels are "
        "separated by semicolons.",
    )

    @model_validator(mode="after")
    def _steps_are_known(self) -> Self:
        parse_steps(self.steps or PRESETS[self.preset])
        if self.steps and "preset" in self.model_fields_set:
            raise ValueError("steps take the place of a preset: give one of the two")
        return self

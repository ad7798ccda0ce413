"""What the loop is told; light: nothing here imports torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from skysift.base.errors import OptionError
from skysift.base.options import Options, option
from skysift.learn.scale_options import PRESETS, parse_steps

__all__ = [
    "EncoderOptions",
    "LoopOptions",
    "PreparationOptions",
    "SelectionOptions",
    "TrainOptions",
    "ViewOptions",
    "file_name",
]

Preset = Literal["asinh", "minmax", "sigma3", "zscale", "three_channel", "mixed", "bands", "noise"]


def file_name(name: str, what: str = "--name") -> str:
    """The name of weights, which is that of their file too.

    Raises
    ------
    OptionError
        It is no name of a file.
    """
    if not name or name[0] == "." or not all(each.isalnum() or each in "-_." for each in name):
        raise OptionError(f"{what} is no name of a file", got=name, allowed="letters, digits, -, _ and .")
    return name


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

    preset: Preset = option(
        "asinh",
        doc="Steps by name: asinh (above 2 sigma, over the largest, asinh), minmax, sigma3 (0 below 3 sigma), zscale, "
        "three_channel (two zscales and an equalised one), mixed (sinh, linear and asinh), bands (as asinh, the ratios "
        "of bands stay), noise (in units of the noise, for encoder.backbone=detector).",
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
        if self.steps and self.preset != type(self).model_fields["preset"].default:
            raise ValueError("steps take the place of a preset: give one of the two")
        return self


_OF_BACKBONE = {
    "resnet": ("width", "blocks", "stem"),
    "vit": ("dim", "depth", "heads", "patch"),
    "detector": ("widths", "depths"),
}  # the options of each


class EncoderOptions(Options):
    """The network that turns small images into vectors."""

    backbone: Literal["resnet", "vit", "detector"] = option(
        "resnet",
        doc="resnet: residual layers (He et al. 2016); vit: attention between patches (Dosovitskiy et al. 2021); "
        "detector: the way down of the finders rcnn, detr, unet and yolo, which such an encoder can start.",
    )
    width: int = option(16, at_least=4, at_most=256, doc="resnet: channels of the first stage.")
    blocks: tuple[int, ...] = option(
        (1, 1, 1, 1), doc="resnet: blocks of each stage; 1,1,1,1 is a ResNet-10, 2,2,2,2 a ResNet-18."
    )
    stem: int = option(
        2, at_least=1, at_most=2, doc="resnet: stride of the first convolution; 1 is twice as dear."
    )
    dim: int = option(
        96, at_least=8, at_most=1024, doc="vit: length of a token, a multiple of 4 and of heads."
    )
    depth: int = option(4, at_least=1, at_most=32, doc="vit: blocks of attention.")
    heads: int = option(4, at_least=1, at_most=32, doc="vit: heads of each block.")
    patch: int = option(6, unit="pixel", at_least=2, at_most=64, doc="vit: side of a patch.")
    widths: tuple[int, ...] = option(
        (24, 48, 64, 96, 128), doc="detector: channels at the strides 2, 4, 8, ..., as those of the finder."
    )
    depths: tuple[int, ...] = option(
        (1, 2, 2, 2, 1), doc="detector: blocks at each of them, as those of the finder."
    )

    @model_validator(mode="after")
    def _layers_fit(self) -> Self:
        if self.dim % 4 or self.dim % self.heads:
            raise ValueError(f"dim is a multiple of 4 and of heads, not {self.dim}")
        if not 1 <= len(self.blocks) <= 6 or min(self.blocks) < 1:
            raise ValueError("blocks are 1 to 6 whole numbers from 1 on, such as 2,2,2,2")
        if len(self.widths) != len(self.depths) or not 1 <= len(self.widths) <= 6:
            raise ValueError("widths and depths have the same length, 1 to 6")
        if min(self.widths) < 1 or min(self.depths) < 0:
            raise ValueError("widths are 1 or more, depths 0 or more")
        fields = type(self).model_fields
        for backbone, names in _OF_BACKBONE.items():
            idle = [name for name in names if getattr(self, name) != fields[name].default]
            if idle and self.backbone != backbone:
                raise ValueError(f"{idle[0]} does nothing with backbone={self.backbone}: it is of {backbone}")
        return self


class ViewOptions(Options):
    """How the views of a picture differ: what is drawn anew for each."""

    turn: bool = option(True, doc="Turn by any angle, and mirror every second view.")
    zoom: tuple[float, float] = option((0.75, 1.1), doc="Smallest and largest scale.")
    shift: float = option(
        0.05, at_least=0.0, at_most=0.5, doc="Largest shift along an axis, over the side of the picture."
    )
    stretch: float = option(0.0, at_least=0.0, at_most=0.5, doc="Largest change of the axis ratio, relative.")
    blur: float = option(
        0.0,
        unit="pixel",
        at_least=0.0,
        at_most=8.0,
        doc="Largest sigma of a round beam that is laid over it.",
    )
    gamma: tuple[float, float] = option(
        (0.6, 1.6),
        doc="Smallest and largest power of the brightness; by default 1,1 with encoder.backbone=detector.",
    )
    gain: float = option(0.0, at_least=0.0, below=1.0, doc="Largest change of the brightness, relative.")
    noise: float = option(
        2.0, unit="sigma", at_least=0.0, at_most=20.0, doc="Largest added noise, over that of the picture."
    )
    mask: float = option(
        0.0,
        at_least=0.0,
        at_most=0.9,
        doc="Largest part of the picture, in squares of 6 pixels, that is blanked.",
    )
    local: int = option(
        0,
        at_least=0,
        at_most=8,
        doc="Further, smaller views of a part, for methods that look at more than two.",
    )
    local_size: int = option(32, unit="pixel", at_least=8, at_most=256, doc="Side of those.")
    local_zoom: tuple[float, float] = option((1.2, 1.8), doc="Smallest and largest scale of those.")

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        for name in ("zoom", "gamma", "local_zoom"):
            low, high = getattr(self, name)
            if not 0.0 < low <= high:
                raise ValueError(f"{name} is two numbers above 0, the smaller first")
        return self

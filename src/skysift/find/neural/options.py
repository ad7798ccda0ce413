"""The menus of learned finders; light: nothing here imports torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, Self, TypeAlias

from pydantic import field_validator, model_validator

from skysift.base.options import Options, option
from skysift.base.registry import Registry
from skysift.find.options import FinderOptions
from skysift.measure.options import BeamOptions, NoiseOptions
from skysift.sky.truth import CLASSES

__all__ = [
    "DetrOptions",
    "EnsembleOptions",
    "EyeOptions",
    "Flips",
    "JudgeOptions",
    "MaskOptions",
    "NeuralOptions",
    "RcnnOptions",
    "UnetOptions",
    "YoloOptions",
]

Flips: TypeAlias = Literal[1, 2, 4, 8]
"""How many orientations of a map a network looks at."""


class EyeOptions(Options):
    """A network, and what runs it."""

    weights: str = option(
        "yolo",
        file=True,
        doc="Name of weights that `skysift models` lists, or the path of a file that `skysift train` wrote.",
    )
    device: str = option("auto", doc="Where the network runs: auto, cpu, cuda or cuda:N.")
    engine: Literal["torch", "onnx", "openvino"] = option(
        "torch", doc="What runs the network; onnx and openvino are faster on a CPU."
    )
    precision: Literal["auto", "float32", "bfloat16"] = option(
        "float32",
        doc="Numbers that the network is run with; bfloat16 is faster and good to a few thousandths.",
    )


class NeuralOptions(EyeOptions, FinderOptions):
    """What every learned finder is told."""

    threshold: float | None = option(
        None,
        at_least=0.1,
        at_most=1.0,
        doc="Sources with a lower score are left out; null: as the weights were calibrated.",
    )
    setting: str | None = option(
        None,
        doc="Which threshold of the weights is taken, such as purity=0.99, of those that `skysift calibrate` chose; "
        "null for the usual one.",
    )
    classes: tuple[str, ...] = option(
        ("compact", "extended", "extended-multisland", "flagged"),
        doc="Classes that the catalogue has; spurious ones are artefacts.",
    )
    reliability: float | None = option(
        0.5,
        at_least=0.0,
        at_most=1.0,
        doc="Sources less reliable than this are dropped: the map is looked at upside down as well, and what is "
        "found is not believed where as much is found there. 0 keeps all, with their reliability as a column; null: the "
        "map is looked at once, which is faster.",
    )
    free_snr: float = option(
        10.0,
        unit="sigma",
        at_least=0.0,
        doc="Position and shape are fitted to the map where the flux exceeds its error by this factor; fainter sources "
        "keep those that the network gave them.",
    )
    least_snr: float = option(
        2.5,
        unit="sigma",
        at_least=0.0,
        doc="Sources whose peak, as it is fitted to the map, is below this are left out, and their neighbours are fitted "
        "once more without them: what a network takes for a source on the texture of an extended one, or where noise is "
        "told wrongly, has next to no flux of its own, or a negative one. Wide ones stay whose flux is twice as many "
        "times its error; 0 leaves out what is negative alone.",
    )

    @field_validator("classes")
    @classmethod
    def _are_classes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in CLASSES]
        if unknown or not value:
            raise ValueError(
                f"no such class: {unknown[0] if unknown else 'none'}; there are {', '.join(CLASSES)}"
            )
        return value

    @model_validator(mode="after")
    def _nothing_idle(self) -> Self:
        for name in _IDLE:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} does nothing here: sources are those of a network")
        if self.setting and self.threshold is not None:
            raise ValueError("threshold and setting say the same; give one of them")
        return self


_IDLE = ("window", "reseed", "max_components", "group_tolerance")  # of what fits islands


class YoloOptions(NeuralOptions):
    """A network that looks once: sources, what they look like, how sure it is, and their classes."""

    flips: Flips | None = option(
        None,
        doc="Orientations of the map that the network looks at, whose answers are averaged: 8 earns up to two "
        "percent more in 8 times the time; null: as the weights were calibrated, usually 1.",
    )


class MaskOptions(NeuralOptions):
    """What finders are told whose network tells the pixels of objects."""

    reliability: float | None = option(
        None,
        at_least=0.0,
        at_most=1.0,
        doc="Does nothing here: the scores of the network say how sure it is; give threshold.",
    )
    levels: tuple[int, ...] = option(
        (1, 2, 4),
        doc="The map is looked at binned by these factors, ascending from 1, each twice the one before or more: objects "
        "that are too wide for the windows of one are taken from the next; the last is that on which one window sees the "
        "map.",
    )

    @field_validator("levels")
    @classmethod
    def _ascend(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or value[0] != 1 or any(b < 2 * a for a, b in pairwise(value)) or value[-1] > 16:
            raise ValueError(
                f"levels ascend from 1 to 16 at most, each twice the one before or more, not {value}"
            )
        return value

    @model_validator(mode="after")
    def _scores_alone(self) -> Self:
        if self.reliability is not None:
            raise ValueError("reliability does nothing here: this finder knows scores alone; give threshold")
        return self


class UnetOptions(MaskOptions):
    """A network that tells of each pixel what it is part of: objects of any shape, with their pixels."""

    weights: str = option(
        "unet",
        file=True,
        doc="Name of weights that `skysift models` lists, or the path of a file that `skysift train` wrote.",
    )


class EnsembleOptions(NeuralOptions):
    """Several finders whose findings are joined; what is said here of networks holds for members that do not say it."""

    members: tuple[dict[str, Any], ...] = option(
        (
            {"finder": "yolo"},
            {"finder": "yolo", "weights": "yolo-grid"},
            {"finder": "classic", "seed": 4.0, "grow": 2.5},
        ),
        doc="The finders, each with options of its own, such as [{finder: yolo, weights: A}, {finder: yolo, weights: B, "
        "flips: 8}, {finder: classic, seed: 4}].",
    )
    agreement: str | None = option(
        None,
        file=True,
        doc="File with the probabilities of these members together, as `skysift calibrate ensemble` writes it; null for "
        "usual ones.",
    )

    @field_validator("members")
    @classmethod
    def _are_finders(cls, value: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        if not 2 <= len(value) <= 16:
            raise ValueError("an ensemble has 2 to 16 members")
        known = Registry[object]("finder").names()
        for entry in value:
            name = entry.get("finder")
            if name not in known:
                raise ValueError(f"a member names no finder: {name!r}; there are {', '.join(known)}")
        return value

    @model_validator(mode="after")
    def _nothing_of_one_network(self) -> Self:
        if self.setting:
            raise ValueError("setting is of a network, not of an ensemble; give threshold")
        return self


class RcnnOptions(MaskOptions):
    """A network that looks twice: places where an object may be, then what each is and which pixels it has."""

    weights: str = option(
        "rcnn",
        file=True,
        doc="Name of weights that `skysift models` lists, or the path of a file that `skysift train` wrote.",
    )


class DetrOptions(MaskOptions):
    """A detection transformer: queries that ask the map what is where, each object told once, with its pixels."""

    weights: str = option(
        "detr",
        file=True,
        doc="Name of weights that `skysift models` lists, or the path of a file that `skysift train` wrote.",
    )


class JudgeOptions(EyeOptions, NoiseOptions, BeamOptions):
    """A network that says of the rows of a catalogue what they are and whether they are real."""

    radius: float = option(
        0.5,
        unit="beam",
        above=0.0,
        at_most=4.0,
        doc="A row takes the surest answer of the network whose source is within this of its position.",
    )

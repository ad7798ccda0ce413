"""What a recipe of training says; light: nothing here imports torch."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from skysift.base.errors import OptionError
from skysift.base.options import Options, option
from skysift.find.neural.options import EyeOptions, Flips
from skysift.flow.training.goals import goal_of
from skysift.learn.options import file_name
from skysift.measure.options import NoiseOptions

__all__ = [
    "CalibrateOptions",
    "CandidatesOptions",
    "EvaluateOptions",
    "FieldsOptions",
    "OpeningOptions",
    "RecipeOptions",
]


class FieldsOptions(Options):
    """Fields of one kind that a model learns from: made skies, a map with its labels, or with made sources in it."""

    simulator: str | None = option(
        None, doc="What makes the skies: a simulator that `skysift options` lists."
    )
    number: int = option(
        1, at_least=0, doc="How many skies are made, or maps with made sources, each with its own seed."
    )
    validation: int = option(
        0, at_least=0, doc="How many more are made that are kept for validation, never trained on."
    )
    options: dict[str, Any] = option({}, doc="Options of the simulator that are the same for all.")
    vary: dict[str, Any] = option(
        {},
        doc="Options that are drawn anew for each sky: {between: [a, b]}, {log: [a, b]} or {choice: [a, b, c]}.",
    )
    sampling: tuple[float, float] | None = option(
        None, doc="Range of the size of a pixel in units of the minor axis of the beam, drawn for each sky."
    )
    map: str | None = option(
        None,
        doc="A FITS image, with `labels` or `inject`; a path from the folder of the recipe, in which "
        "variables of the environment such as $DATA are put in.",
    )
    opening: dict[str, Any] = option(
        {},
        doc="How `map` is read where its header does not say: {hdu: SCI, plane: [0, 3], beam: [45, 40, 10], unit: "
        "mJy/beam, frequency: 1.4e9, pixel_scale: [2, 2]}.",
    )
    inject: dict[str, Any] | None = option(
        None,
        doc="Made sources that are put into `map`, in place of `labels`: options of the step `inject`, such as "
        "{kind: gaussians, number: 500}; each of `number` maps gets its own.",
    )
    real: float = option(
        0.5,
        at_least=0.0,
        at_most=1.0,
        doc="With `inject`: what the classic finder finds on the map with this reliability is a real source, neither "
        "right nor wrong to find; the rest of the map, artefacts with it, is background.",
    )
    labels: str | None = option(
        None,
        doc="What is on it: COCO JSON, YOLO text, DS9 regions, a list of caesar-mrcnn, a catalogue that is read by its "
        "layout, a list of a data challenge, or a truth folder.",
    )
    classes: dict[str, str] = option(
        {}, doc="What names of classes in `labels` mean: {theirs: compact, ...}; usual names are known."
    )
    corrections: str | None = option(
        None,
        doc="Candidates of `skysift candidates` with verdicts: finds that were accepted become labels, labels that were "
        "rejected are removed.",
    )
    held: float = option(
        0.2, at_least=0.0, below=1.0, doc="Part of the map, its upper rows, that is kept for validation."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.simulator is None) == (self.map is None):
            raise ValueError("fields have a simulator or a map, one of them")
        if self.map is not None and (self.labels is None) == (self.inject is None):
            raise ValueError("a map has labels, or gets sources by inject, one of them")
        if self.map is None and (self.labels is not None or self.inject is not None):
            raise ValueError("labels and inject go with a map")
        idle = {
            "made": ("held", "classes", "corrections", "real", "opening"),
            "labelled": ("number", "validation", "options", "vary", "sampling", "real"),
            "injected": ("validation", "options", "vary", "sampling", "classes", "corrections"),
        }
        what = "made" if self.map is None else "labelled" if self.inject is None else "injected"
        given = sorted(self.model_fields_set & set(idle[what]))
        if given:
            raise ValueError(f"{given[0]} does nothing for {_KINDS[what]}")
        return self


_KINDS = {
    "made": "fields of a simulator",
    "labelled": "a map with labels",
    "injected": "a map with made sources",
}


class OpeningOptions(Options):
    """How a map is read where its header does not say."""

    hdu: int | str | None = option(None, doc="Number or name of the HDU; null: the first image.")
    plane: tuple[int, ...] | None = option(
        None, doc="Which plane of further axes, 0-based, in array order; null: the first."
    )
    beam: tuple[float, float, float] | None = option(
        None, doc="Axes (FWHM, arcsec) and angle (degrees); null: those of the header."
    )
    beam_plane: Literal["image", "sky"] | None = option(None, doc="Where the beam keeps its shape.")
    pixel_scale: tuple[float, float] | None = option(None, doc="Size of a pixel along y and x (arcsec).")
    unit: str | None = option(None, doc="Unit of the pixels, such as mJy/beam.")
    frequency: float | None = option(None, unit="Hz", above=0.0, doc="Of the observation.")

    @property
    def told(self) -> dict[str, Any]:
        """What was said, as `skysift.io.open.open_image` takes it."""
        return {name: value for name, value in self if value is not None}


class RecipeOptions(Options):
    """A recipe of training."""

    name: str = option("model", doc="Of the weights: they are written as NAME.safetensors.")
    task: str = option("", doc="One sentence that says what the weights are for.")
    model: str = option("yolo-dense", doc="What is trained.")
    options: dict[str, Any] = option({}, doc="Options of the model.")
    train: dict[str, Any] = option({}, doc="How it is trained: steps, batch, learning_rate, ...")
    selection: dict[str, Any] = option(
        {},
        doc="Which labels are learnt: limits of peak and flux, and which of the others are put back on the way.",
    )
    noise: dict[str, Any] = option({}, doc="How the noise of the maps is measured, as finders are told it.")
    fields: tuple[dict[str, Any], ...] = option(
        (), doc="What it learns from; one entry for each kind of field."
    )

    @model_validator(mode="after")
    def _is_a_file_name(self) -> Self:
        try:
            file_name(self.name)
        except OptionError as error:
            raise ValueError("name consists of letters, digits, -, _ and .") from error
        return self


class CandidatesOptions(EyeOptions, NoiseOptions):
    """What a network finds that labels lack, and what labels have that it does not find."""

    threshold: float | None = option(
        None,
        at_least=0.1,
        at_most=1.0,
        doc="Finds with a lower score are no candidates; null: as the weights were calibrated.",
    )
    lost: float = option(
        0.2,
        above=0.0,
        at_most=1.0,
        doc="Labels near which the network is nowhere as sure as this are lost.",
    )
    lost_snr: float = option(
        3.0, unit="sigma", at_least=0.0, doc="Labels whose peak is fainter are not listed as lost."
    )
    radius: float = option(
        0.5,
        unit="beam",
        above=0.0,
        at_most=4.0,
        doc="A find that is so near to a label, or inside its mask, is the same object.",
    )
    spurious: bool = option(
        False, doc="Whether finds of class spurious are candidates too, for labels that have artefacts."
    )
    shown: int = option(
        200, at_least=1, doc="Candidates of each kind on the page, those that tell most first."
    )


_DEVICE = "Where the network runs: auto, cpu, cuda or cuda:N."


class CalibrateOptions(Options):
    """What thresholds are chosen for, and how the network looks."""

    goals: tuple[str, ...] = option(
        (),
        doc="sdc1 (points of the first SKA data challenge), f1 or purity=0.99; the first is the usual one. Where none is "
        "given sdc1, and f1 for networks that tell objects by their pixels.",
    )
    flips: Flips | None = option(
        None,
        doc="Orientations of the fields that the network looks at, then and later; null: as the weights say, usually 1.",
    )
    half: bool = option(
        False,
        doc="Whether the weights are written, and calibrated, in numbers of 16 bits: half the size, the same finds "
        "but for rounding.",
    )
    device: str = option("auto", doc=_DEVICE)

    @field_validator("goals")
    @classmethod
    def _are_goals(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(goal_of(each) for each in value))


class EvaluateOptions(Options):
    """Of what finds weights are judged."""

    threshold: float | None = option(
        None,
        at_least=0.0,
        at_most=1.0,
        doc="Finds with a lower score are left out; null: as the weights were calibrated.",
    )
    device: str = option("auto", doc=_DEVICE)

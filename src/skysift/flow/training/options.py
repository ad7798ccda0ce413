"""What a recipe of training says; light: nothing here imports torch."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from skysift.base.options import Options, option

__all__ = ["FieldsOptions", "RecipeOptions"]


class FieldsOptions(Options):
    """Fields of one kind that a model learns from: made skies, or a map with its labels."""

    simulator: str | None = option(
        None, doc="What makes the skies: a simulator that `skysift options` lists."
    )
    number: int = option(1, at_least=0, doc="How many skies are made, each with its own seed.")
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
    map: str | None = option(None, doc="A FITS image, with `labels`; a path from the folder of the recipe.")
    labels: str | None = option(
        None,
        doc="What is on it: COCO JSON, YOLO text, DS9 regions, a list of caesar-mrcnn, a catalogue that is read by its "
        "layout, a list of a data challenge, or a truth folder.",
    )
    classes: dict[str, str] = option(
        {}, doc="What names of classes in `labels` mean: {theirs: compact, ...}; usual names are known."
    )
    held: float = option(
        0.2, at_least=0.0, below=1.0, doc="Part of the map, its upper rows, that is kept for validation."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.simulator is None) == (self.map is None):
            raise ValueError("fields have a simulator or a map, one of them")
        if (self.map is None) != (self.labels is None):
            raise ValueError("map and labels go together")
        idle = (
            ("held", "classes")
            if self.map is None
            else ("number", "validation", "options", "vary", "sampling")
        )
        given = sorted(self.model_fields_set & set(idle))
        if given:
            raise ValueError(
                f"{given[0]} goes with a {'map' if self.map is None else 'simulator'}, which is not given"
            )
        return self


class RecipeOptions(Options):
    """A recipe of training."""

    name: str = option("model", doc="Of the weights: they are written as NAME.safetensors.")
    task: str = option("", doc="One sentence that says what the weights are for.")
    model: str = option("yolo-dense", doc="What is trained.")
    options: dict[str, Any] = option({}, doc="Options of the model.")
    train: dict[str, Any] = option({}, doc="How it is trained: steps, batch, learning_rate, ...")
    noise: dict[str, Any] = option({}, doc="How the noise of the maps is measured, as finders are told it.")
    fields: tuple[dict[str, Any], ...] = option(
        (), doc="What it learns from; one entry for each kind of field."
    )

    @model_validator(mode="after")
    def _is_a_file_name(self) -> Self:
        if (
            not self.name
            or not all(each.isalnum() or each in "-_." for each in self.name)
            or self.name[0] == "."
        ):
            raise ValueError("name consists of letters, digits, -, _ and .")
        return self

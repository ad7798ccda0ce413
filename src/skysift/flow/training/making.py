"""The fields of a recipe, made or read, kept in a folder until the training is done."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from skysift import __version__
from skysift.base.errors import DataError, SkysiftWarning
from skysift.base.parallel import Crew
from skysift.base.registry import Registry
from skysift.find.neural.labelled import labelled_field
from skysift.find.noise import measure_noise
from skysift.flow.products import checksum
from skysift.flow.training.backgrounds import on_real_map
from skysift.flow.training.corrections import corrected, read_candidates
from skysift.flow.training.labels import open_labels
from skysift.flow.training.recipe import FieldPlan
from skysift.io.open import open_image
from skysift.learn.fields import Field, read_field, write_field
from skysift.measure.options import NoiseOptions
from skysift.sky.box import Box
from skysift.sky.truth import Truth

__all__ = ["make_fields"]


def make_fields(plans: tuple[FieldPlan, ...], noise: NoiseOptions, folder: Path, crew: Crew) -> list[Field]:
    """The fields, in their order; those that are in the folder already are read.

    Parameters
    ----------
    plans
        What they are.
    noise
        How noise is measured.
    folder
        Where they are kept.
    crew
        Who makes them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = list(crew.map("fields", partial(_make, noise, folder), list(plans)))
    return [read_field(each) for each in made]


def _make(noise: NoiseOptions, folder: Path, plan: FieldPlan) -> Path:
    """The folder of a field."""
    checksums = {what: checksum(each) for what, each in plan.named_files.items()}
    decides = {
        **plan.to_dict(),
        "files": list(checksums.values()),
        "noise": noise.to_dict(),
        "version": __version__,
    }
    place = folder / hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
    try:
        read_field(place)
        return place
    except DataError:
        shutil.rmtree(place, ignore_errors=True)
    notes: tuple[str, ...] = ()
    beside: Truth | None = None
    if plan.simulator:
        registry = Registry[Any]("simulator")
        simulator = registry.load(plan.simulator)(registry.options(plan.simulator).parse(plan.options or {}))
        ((image, truth), *_) = simulator.simulate()
        measured = measure_noise(image, noise)
    elif plan.inject is not None:
        image, truth, beside = on_real_map(
            open_image(plan.map, **plan.opening), plan.inject, plan.real, noise
        )
        measured = measure_noise(image, noise)
    else:
        image = open_image(plan.map, **plan.opening)
        measured = measure_noise(image, noise)
        truth, notes = open_labels(Path(plan.labels), image, measured, plan.classes)
    held = _held(image.shape, plan.held)
    made = labelled_field(image, truth, measured, name=plan.name, held=held, beside=beside)
    if plan.corrections:
        labels, said = corrected(made.labels, read_candidates(Path(plan.corrections)), image)
        made, notes = replace(made, labels=labels), (*notes, *said)
    for note in notes:
        warnings.warn(note, SkysiftWarning, stacklevel=2)
    write_field(place, replace(made, facts={**plan.to_dict(), "checksums": checksums, "notes": list(notes)}))
    return place


def _held(shape: tuple[int, int], part: float) -> Box | None:
    """The upper rows of a map: this part of it; None for no part."""
    rows = round(part * shape[0])
    return Box(shape[0] - rows, shape[0], 0, shape[1]) if rows else None

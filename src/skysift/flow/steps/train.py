"""`TrainStep`: a recipe becomes weights with their card, a log, a page and a manifest; a broken run goes on."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

import skysift
from skysift.base.errors import DataError, OptionError, UsageError
from skysift.base.parallel import Crew
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.base.registry import Registry
from skysift.flow.products import MANIFEST, ProductFolder, checksum, size, write_manifest, writing
from skysift.flow.training.making import make_fields
from skysift.flow.training.page import Example, training_page
from skysift.flow.training.recipe import Recipe
from skysift.learn.checkpoint import Card, Checkpoint, write_checkpoint
from skysift.learn.detector import FieldLearner
from skysift.learn.device import devices_named
from skysift.learn.fields import Field
from skysift.learn.hub import SUFFIX
from skysift.learn.loop import LOG, STATE, Trained, train
from skysift.learn.options import SelectionOptions
from skysift.learn.selection import unselected
from skysift.learn.start import begun_with, is_encoder
from skysift.learn.together import refuse_unshared
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = ["REPORT", "WORK", "TrainedModel", "train_products"]

Progress: TypeAlias = Callable[[str, int, int], None]

REPORT = "report.html"
WORK = ".training"  # the fields and the state of a training that is not finished
_EXAMPLES = 3


@dataclass(frozen=True)
class TrainedModel:
    """
    What a training made.

    Attributes
    ----------
    folder, card, manifest, trained
        The folder, the card of the weights, the manifest, and what the loop says.
    before
        What the same validation gave with the weights that it began with; None where it began with none, or an encoder's.
    improved
        Whether the new weights are better than those; None likewise.
    """

    folder: Path
    card: Card
    manifest: Manifest
    trained: Trained
    before: Mapping[str, float] | None = None
    improved: bool | None = None


def train_products(
    recipe: Recipe,
    out: Path,
    *,
    device: str = "auto",
    workers: int = 1,
    threads: int | None = None,
    start: Checkpoint | None = None,
    overwrite: bool = False,
    fresh: bool = False,
    progress: Progress | None = None,
) -> TrainedModel:
    """
    The products of a training: ``NAME.safetensors``, ``log.csv``, a page and a manifest.

    Parameters
    ----------
    recipe
        What is trained on what.
    out
        The folder. What a broken-off run has done stays in ``DIR/.training``; the same call goes on from there.
    device
        Where the network runs; several, such as ``cuda:0,cuda:1``, share the batches of each step.
    workers
        How many fields are made at once; and how many processes prepare crops for a GPU.
    threads
        Threads of torch; those of the machine by default.
    start
        Weights to begin with: of the model, or of an encoder that learnt without labels, for the way down of its network.
    overwrite
        Whether the products of an earlier run are replaced, on success.
    fresh
        Whether what a broken-off run has done is discarded.
    progress
        Called as progress(stage, done, total).

    Raises
    ------
    OptionError
        The weights to begin with are of another model, or of an encoder of another kind or shape.
    DataError
        The loss is not a number.
    """
    begun, clock = datetime.now(UTC), time.perf_counter()
    place, *others = devices_named(device)
    refuse_unshared(recipe.train, (place, *others))
    if start is not None and start.card.model != recipe.told.model and not is_encoder(start):
        raise OptionError(
            "the weights to begin with are of another model",
            got=start.card.model,
            allowed=f"{recipe.told.model}, or an encoder of `skysift pretrain` with encoder.backbone=detector",
        )
    training = {**recipe.to_dict(), "started_from": None if start is None else start.checksum}
    read = [record.checksum for record in _inputs(recipe)]
    told = json.dumps([training, read, skysift.__version__], sort_keys=True)
    learner: FieldLearner[Any] = Registry[Any]("model").load(recipe.told.model)(recipe.model)
    first, part = (None, "") if start is None else begun_with(learner, start, recipe.train.random_seed)
    if start is not None and part:
        training = {**training, "started_part": part, "encoder": start.card.name}
    name = recipe.told.name + SUFFIX
    names = (name, LOG, REPORT, MANIFEST)
    with ProductFolder(out, names=names, overwrite=overwrite) as folder, writing(out):
        work = folder.directory / WORK
        if fresh and work.exists():
            shutil.rmtree(work)
        fields = make_fields(recipe.plans, recipe.noise, work / "fields", Crew(workers, progress=progress))
        training = {**training, "fields": _with_checksums(training["fields"], fields)}
        _refuse_blank(fields, recipe.selection)
        seconds = {"fields": time.perf_counter() - clock}
        if threads is not None:
            torch.set_num_threads(threads)
        key = hashlib.sha256(told.encode()).hexdigest()
        before = None if first is None or part else _numbers(learner, first, fields, place, progress)
        try:
            trained = train(
                learner,
                fields,
                recipe.train,
                work,
                device=place,
                others=others,
                start=first,
                selection=recipe.selection,
                key=key,
                workers=workers,
                progress=progress,
            )
        except DataError as error:
            _keep_best(recipe, training, work, name, error)
            raise
        seconds["train"] = time.perf_counter() - clock - seconds["fields"]
        improved, notes = _compared(learner, before, trained.numbers)
        if before is not None:
            training = {**training, "before": dict(before), "improved": improved}
        if trained.put_back is not None:
            training = {**training, "put_back": trained.put_back}
        card = _card(recipe, training, trained.step, trained.numbers)
        manifest = Manifest(
            Provenance(skysift.__version__, recipe.told.model, training, _inputs(recipe), kind="step"),
            outputs=names[:-1],
            workers=workers,
            started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=seconds,
            facts={"numbers": dict(trained.numbers), "step": trained.step, "stopped": trained.stopped}
            | {name: training[name] for name in ("before", "improved", "put_back") if name in training},
            versions={**library_versions(), "torch": torch.__version__},
            warnings=(*notes, *(note for field in fields for note in field.facts.get("notes", ()))),
        )
        write_checkpoint(folder.path(name), trained.weights, card)
        shutil.copyfile(work / LOG, folder.path(LOG))
        examples = _examples(learner, trained, fields, place, card)
        page = training_page(
            card, work / LOG, examples, manifest, better=learner.better, stopped=trained.stopped
        )
        folder.path(REPORT).write_text(page, encoding="utf-8")
        write_manifest(manifest, folder)
        folder.commit()
        shutil.rmtree(work, ignore_errors=True)
    return TrainedModel(out, card, manifest, trained, before, improved)


def _with_checksums(plans: Sequence[Mapping[str, Any]], fields: Sequence[Field]) -> list[dict[str, Any]]:
    """What fields are, with the checksums of their files: names alone do not tell which map was trained on."""
    read = [field.facts.get("checksums") for field in fields]
    return [
        {**plan, **({"checksums": dict(each)} if each else {})}
        for plan, each in zip(plans, read, strict=True)
    ]


def _numbers(
    learner: FieldLearner[Any],
    weights: Mapping[str, torch.Tensor],
    fields: Sequence[Field],
    place: torch.device,
    progress: Progress | None,
) -> Mapping[str, float]:
    """What the validation of a training gives with some weights."""
    net = learner.net()
    net.load_state_dict(dict(weights))
    net = net.to(place).eval()
    told = progress or _silent
    told("before", 0, 1)
    with torch.no_grad():
        numbers = learner.validate(net, fields, place)
    told("before", 1, 1)
    return numbers


def _silent(stage: str, done: int, total: int) -> None:
    """No progress is told."""


def _compared(
    learner: FieldLearner[Any], before: Mapping[str, float] | None, after: Mapping[str, float]
) -> tuple[bool | None, tuple[str, ...]]:
    """Whether new weights are better than those they began with, and a warning where they are not."""
    if before is None:
        return None, ()
    old, new = before.get(learner.better, -math.inf), after.get(learner.better, -math.inf)
    if new > old:
        return True, ()
    told = f"{learner.better} {new:.3f}, before {old:.3f}, on the part that is kept for validation"
    return False, (
        f"the new weights are not better than those they began with: {told}; they are written all the same",
    )


def _refuse_blank(fields: Sequence[Field], selection: SelectionOptions) -> None:
    """Refuse labels that leave nothing to learn from, or nothing to validate on."""
    kept = learnt = n = 0
    for field in fields:
        raw = field.labels.raw
        use = np.asarray(raw["use"]) > 0.0
        inside = (
            np.zeros(len(use), np.bool_) if field.held is None else field.held.contains(raw["x"], raw["y"])
        )
        n += int(use.sum())
        kept += int((use & inside & (np.asarray(raw["class"]) != CLASSES.index(SPURIOUS))).sum())
        learnt += int((use & ~inside & ~unselected(field, selection)).sum())
    if not kept:
        raise UsageError(
            "no label lies in what is kept for validation",
            got=f"{n} labels elsewhere",
            todo="give a larger `held` (upper rows of a map), or labels of the whole map",
        )
    if not learnt:
        raise UsageError(
            "no label is left to learn",
            got=f"{n} labels: kept for validation, or below the limits of the selection",
            todo="give a smaller `held`, lower limits, or labels of the whole map",
        )


def _inputs(recipe: Recipe) -> tuple[InputRecord, ...]:
    """The maps and labels that were read."""
    paths = [path for plan in recipe.plans for path in plan.files]
    return tuple(InputRecord(path.name, checksum(path), size=size(path)) for path in paths)


def _examples(
    learner: FieldLearner[Any], trained: Trained, fields: Sequence[Field], place: torch.device, card: Card
) -> list[Example]:
    """What the trained model finds in some fields that are kept for validation."""
    net = learner.net()
    net.load_state_dict(dict(trained.weights))
    net = net.to(place).eval()
    held = [field for field in fields if field.held is not None][:_EXAMPLES]
    return [Example(field, learner.look(net, field, place), card.threshold) for field in held]


def _card(recipe: Recipe, training: Mapping[str, Any], step: int, numbers: Mapping[str, float]) -> Card:
    """The card of weights that a validation gave these numbers."""
    chosen = {name: numbers[name] for name in ("threshold",) if name in numbers}
    return Card(
        recipe.told.model,
        recipe.told.name,
        recipe.told.task,
        recipe.model.to_dict(),
        {**training, "step": step},
        {name: value for name, value in numbers.items() if name not in chosen},
        chosen,
        skysift.__version__,
    )


def _keep_best(recipe: Recipe, training: Mapping[str, Any], work: Path, name: str, error: DataError) -> None:
    """Write the best weights of a training that cannot go on into its folder, and tell where they are."""
    if not (work / STATE).exists():
        return
    stored = torch.load(work / STATE, map_location="cpu", weights_only=True)
    card = _card(recipe, training, stored["best_step"], stored["best_numbers"])
    write_checkpoint(work / name, stored["best_weights"], card)
    error.add_note(f"the last good weights are {work / name}")

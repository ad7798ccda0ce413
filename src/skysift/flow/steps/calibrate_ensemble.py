"""`calibrate_ensemble`: how much the members of an ensemble are to be believed, together, on fields that are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.errors import UsageError
from skysift.base.parallel import ALONE
from skysift.find.neural.agreement import Agreement, fitted_agreement
from skysift.find.neural.ensemble import EnsembleFinder
from skysift.find.neural.eye import eye_of
from skysift.find.neural.finder import NeuralFinder
from skysift.find.neural.judge import Answers, numbers_at, of_no_account
from skysift.find.neural.members import image_of
from skysift.find.noise import measure_noise
from skysift.flow.steps.calibrate import FEWEST
from skysift.flow.training.learnt import learnt_from, told_of
from skysift.flow.training.thresholds import earned_by, threshold_for
from skysift.io.output import whole_file
from skysift.learn.fields import Field
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = ["CalibratedEnsemble", "calibrate_ensemble"]

Floats: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CalibratedEnsemble:
    """
    What a calibration of an ensemble chose.

    Attributes
    ----------
    agreement
        The law that was written.
    alone
        Numbers of each member alone, at the threshold that is best for the goal.
    together
        Numbers of the ensemble.
    n_found, n_fields
        Detections and fields that it rests on.
    notes
        What one should know about the fields, of each network.
    """

    agreement: Agreement
    alone: Mapping[str, Mapping[str, float]]
    together: Mapping[str, float]
    n_found: int
    n_fields: int
    notes: tuple[str, ...]


def calibrate_ensemble(
    finder: EnsembleFinder,
    fields: Iterable[Field],
    out: Path,
    goal: str = "sdc1",
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> CalibratedEnsemble:
    """
    Write the law by which the members of an ensemble agree, with a threshold for a goal.

    Parameters
    ----------
    finder
        The ensemble.
    fields
        With parts that are kept for validation; they are taken, or made, when all else is known to be right.
    out
        FILE.json.
    goal
        What the threshold is for: ``sdc1``, ``f1`` or ``purity=X``.
    overwrite
        Replace what is there.
    progress
        Called as progress(stage, done, total).

    Raises
    ------
    UsageError
        The fields are too few, or no threshold reaches the goal.
    OutputError
        The file exists and `overwrite` is false, or cannot be written.
    """
    names, law = finder.names(), finder.agreement()
    with whole_file(out, overwrite=overwrite) as part:
        lists, told, own = [], [], []
        looked = list(fields)
        for done, field in enumerate(looked, start=1):
            image = image_of(field)
            noise = measure_noise(image, finder.options)
            parts = finder.looks(image, noise, ALONE)
            joined, said = finder.joined([part.detections for part in parts], law)
            mine = _inside(joined, field)
            lists.append(Answers(field, joined.select(mine)))
            told.append(said[mine])
            own.append(
                [Answers(field, each.detections.select(_inside(each.detections, field))) for each in parts]
            )
            if progress is not None:
                progress("sources", done, len(looked))
        every = np.concatenate(told)
        earned = [earned_by(each) for each in lists]
        true = np.concatenate([np.isfinite(each) for each in earned])
        if len(true) < FEWEST or true.all() or not true.any():
            raise UsageError(
                "the fields hold too little for a calibration",
                got=f"{len(true)} detections, {int(true.sum())} of them true",
                allowed=f"{FEWEST} detections or more, true and false ones",
                todo="give more or larger fields",
            )
        seen = np.isfinite(every)
        right = [true[seen[:, k]] for k in range(len(names))]
        made = fitted_agreement(every, true, names, finder.networks, right)
        scores = [made.scores(each) for each in told]
        threshold = threshold_for(goal, np.concatenate(scores), np.concatenate(earned), lists)
        together = numbers_at(lists, scores, threshold)
        alone = {name: _alone(goal, [each[k] for each in own]) for k, name in enumerate(names)}
        facts = {
            "goal": goal,
            "fields": [told_of(each) for each in looked],
            "detections": len(true),
            "true": int(true.sum()),
            "numbers": {key: float(value) for key, value in together.items()},
            "alone": {
                name: {key: float(value) for key, value in each.items()} for name, each in alone.items()
            },
            "version": skysift.__version__,
        }
        made = replace(made, threshold=threshold, facts=facts)
        part.write_text(json.dumps(made.to_dict(), indent=1) + "\n", encoding="utf-8")
    cards = [eye_of(each.options).weights.card for each in finder.members if isinstance(each, NeuralFinder)]
    notes = dict.fromkeys(f"{card.name}: {note}" for card in cards for note in learnt_from(card, looked))
    return CalibratedEnsemble(made, alone, together, len(true), len(lists), tuple(notes))


def _inside(found: Detections, field: Field) -> NDArray[np.bool_]:
    """What lies in the part of a field that is kept, and is neither an artefact nor of a label of no account."""
    area = field.held or Box.of(field.shape)
    real = found["class"] != CLASSES.index(SPURIOUS)
    return np.asarray(area.contains(found["x"], found["y"]) & real & ~of_no_account(found, field))


def _alone(goal: str, lists: Sequence[Answers]) -> dict[str, float]:
    """Numbers of one member at the threshold that is best for it."""
    scores = [each.found.scores for each in lists]
    if not sum(each.size for each in scores):
        return numbers_at(lists, scores, 1.0)
    earned = np.concatenate([earned_by(each) for each in lists])
    try:
        threshold = threshold_for(goal, np.concatenate(scores), earned, lists)
    except UsageError:  # it reaches no such purity
        threshold = 1.0
    return numbers_at(lists, scores, threshold)

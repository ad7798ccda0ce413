"""`ClassifyPredictStep`: sources in; a CSV with the class of each, probabilities, and how strange it is, out."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import skysift
from skysift.base.errors import UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import InputRecord, Provenance
from skysift.classify.classifier import UNTOLD, Classifier, Given, Prediction
from skysift.classify.likeness import Looks, in_beams_note, unlike
from skysift.io.output import whole_file
from skysift.stamps.pictures import Pictures
from skysift.stamps.sampling import LEAST_SIDE, sampling_note, sampling_of

__all__ = ["ClassifyPredictStep", "write_prediction"]

_AT_ONCE = 256  # sources of a task


@dataclass(frozen=True)
class ClassifyPredictStep:
    """Classes of sources, written as a CSV with a small JSON beside it that tells how they were made."""

    def run(
        self,
        classifier: Classifier[Any],
        given: Given,
        out: str | Path,
        *,
        model: str = "",
        inputs: Sequence[InputRecord] = (),
        overwrite: bool = False,
        crew: Crew = ALONE,
    ) -> Prediction:
        """The classes, after ``OUT.csv`` and ``OUT.csv.json`` were written.

        Parameters
        ----------
        classifier
            That tells.
        given
            What it looks at.
        out
            The file.
        model
            What the classifier is called.
        inputs
            What was read.
        overwrite
            Whether an earlier file is replaced.
        crew
            Who does it; no number depends on it.

        Raises
        ------
        UsageError
            What is given is not what it learnt from, or not one row can be told.
        OutputError
            The file exists and `overwrite` is off, or cannot be written.
        """
        place = Path(out)
        if not len(given):
            raise UsageError("there is no source to classify", got=repr(given))
        with (
            whole_file(place, overwrite=overwrite) as part,
            whole_file(f"{place}.json", overwrite=overwrite) as beside,
        ):
            told = _told(classifier, given, crew)
            if not told.known.any():
                why = next((each for each in told.errors if each), UNTOLD)
                raise UsageError("not one source can be classified", got=f"{told.names[0]}: {why}")
            write_prediction(told, part)
            story = Provenance(
                skysift.__version__,
                "classify-predict",
                {"model": model, "classifier": classifier.name, "classes": list(classifier.classes)},
                tuple(inputs),
                told.notes,
                "step",
            )
            content = {
                **story.to_dict(),
                "written": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "sources": len(told),
                "errors": {name: why for name, why in zip(told.names, told.errors, strict=True) if why},
            }
            beside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return told


def _told(classifier: Classifier[Any], given: Given, crew: Crew) -> Prediction:
    """The classes of all, some sources a task; with what one should know of pictures unlike those learnt from."""
    tasks = [(start, min(start + _AT_ONCE, len(given))) for start in range(0, len(given), _AT_ONCE)]
    seen = classifier.seen(given, crew)
    parts = list(crew.map("sources", partial(_part, classifier, seen), tasks))
    return Prediction(
        given.names,
        classifier.classes,
        np.concatenate([each.probabilities for each in parts]),
        np.concatenate([each.ood for each in parts]),
        classifier.many,
        tuple(error for each in parts for error in each.errors),
        tuple(each for each in (*_notes(classifier, given), classifier.warned(seen)) if each),
    )


def _notes(classifier: Classifier[Any], given: Given) -> tuple[str, ...]:
    """What one should know of pictures: of the set, which are too small, in what they are unlike those learnt from."""
    if not isinstance(given, Pictures):
        return ()
    learnt = classifier.looks or Looks()
    told = [*given.notes, unlike(learnt, Looks.of(given))]
    if classifier.reads == "features":
        told.append(in_beams_note(learnt, given))
    if not 0 < learnt.side < LEAST_SIDE:
        told.append(sampling_note(sampling_of(given, scale=learnt.scale, beam=learnt.beam)))
    return tuple(each for each in told if each)


def _part(classifier: Classifier[Any], given: Given, task: tuple[int, int]) -> Prediction:
    return classifier.predict(given.select(np.arange(*task)))


def write_prediction(told: Prediction, path: Path) -> None:
    """The CSV: name, label, probability, p_CLASS of each class, ood; a row that cannot be told has a name only."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "label", "probability", *(f"p_{each}" for each in told.classes), "ood"])
        rows = zip(
            told.names, told.labels, told.probability, told.probabilities, told.ood, told.known, strict=True
        )
        for name, label, probability, each, ood, known in rows:
            numbers = [f"{value:.6g}" for value in (probability, *each)] if known else [""] * (1 + len(each))
            writer.writerow([name, label, *numbers, f"{ood:.4f}" if known and np.isfinite(ood) else ""])

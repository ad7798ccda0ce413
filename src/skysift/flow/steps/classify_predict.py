"""`ClassifyPredictStep`: sources in; a CSV with the class of each, probabilities, and how strange it is, out."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import skysift
from skysift.base.errors import UsageError
from skysift.base.provenance import InputRecord, Provenance
from skysift.classify.classifier import Classifier, Given, Prediction
from skysift.io.output import whole_file

__all__ = ["ClassifyPredictStep", "write_prediction"]


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
            told = classifier.predict(given)
            if not told.known.any():
                why = next((each for each in told.errors if each), "nothing is known of it")
                raise UsageError("not one source can be classified", got=f"{told.names[0]}: {why}")
            write_prediction(told, part)
            story = Provenance(
                skysift.__version__,
                "classify-predict",
                {"model": model, "classifier": classifier.name, "classes": list(classifier.classes)},
                tuple(inputs),
                (),
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

"""A person's scores and labels of sources: a table name,label,score that classifiers can be trained on."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, UsageError
from skysift.explore.active import MOST_SCORE

__all__ = ["Said", "Sayings", "merged", "read_sayings", "sayings_csv", "score_column"]


@dataclass(frozen=True)
class Said:
    """What a person said of a source: a label, empty for none, and a score from 0 to 5, NaN for none."""

    label: str = ""
    score: float = math.nan


Sayings: TypeAlias = Mapping[str, Said]
"""Name of a source -> what was said of it."""


def read_sayings(path: Path, names: Iterable[str]) -> dict[str, Said]:
    """What a table says of sources, by name; rows that say nothing are passed over.

    Parameters
    ----------
    path
        CSV with the column ``name`` and ``label``, ``score`` or both.
    names
        The sources that there are.

    Raises
    ------
    UsageError
        There is no such file, a source is not in the sample or stands twice, a score is no number from 0 to 5, or
        nothing is said.
    FormatError
        The columns are not there.
    """
    if not path.is_file():
        raise UsageError(
            "there is no such table of labels", got=str(path), allowed="a CSV with name,label,score"
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(line for line in file if not line.startswith("#"))
            columns, rows = [each for each in reader.fieldnames or () if each], list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError("the table of labels is no CSV in UTF-8", got=path.name) from error
    if "name" not in columns or not {"label", "score"} & set(columns):
        raise FormatError(
            "the table of labels lacks columns", got=columns, allowed="name and label, score or both"
        )
    known = set(names)
    found: dict[str, Said] = {}
    for row in rows:
        name, label, text = ((row.get(each) or "").strip() for each in ("name", "label", "score"))
        if not label and not text:
            continue
        if name not in known:
            raise UsageError("a name of the table of labels is not in the sample", got=name)
        if name in found:
            raise UsageError("a name stands twice in the table of labels", got=name)
        found[name] = Said(label, _score(text))
    if not found:
        raise UsageError("the table of labels says nothing", got=path.name, todo="fill in label or score")
    return found


def _score(text: str) -> float:
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= MOST_SCORE:
        raise UsageError("a score is out of bounds", got=text, allowed="0 (dull) to 5 (most interesting)")
    return value


def merged(before: Sayings, now: Sayings) -> dict[str, Said]:
    """What was said before, with what is said now in its place; a label or a score that is not said anew stays."""
    out = dict(before)
    for name, said in now.items():
        old = out.get(name, Said())
        out[name] = Said(said.label or old.label, old.score if math.isnan(said.score) else said.score)
    return out


def score_column(sayings: Sayings, names: Sequence[str]) -> NDArray[np.float64]:
    """The score of each source, NaN where there is none."""
    return np.array([sayings[name].score if name in sayings else math.nan for name in names], np.float64)


def sayings_csv(sayings: Sayings) -> str:
    """The table name,label,score."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("name", "label", "score"))
    for name, said in sayings.items():
        writer.writerow((name, said.label, "" if math.isnan(said.score) else f"{said.score:g}"))
    return out.getvalue()

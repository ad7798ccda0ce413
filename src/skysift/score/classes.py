"""`ClassesScorer`: confusion, precision, recall, F1, and whether scores are the probabilities that they claim to be.

Calibration: the expected calibration error of Naeini, Cooper and Hauskrecht (2015, AAAI 29) over bins of equal width,
and the score of Brier (1950, Monthly Weather Review 78, 1).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.score.intervals import wilson
from skysift.score.matching import Fate, Matching
from skysift.score.options import ClassesOptions
from skysift.score.rule import match, table_of
from skysift.score.scorer import Number, Report, ReportTable, Scorer
from skysift.score.sides import Floats
from skysift.sky.catalogue import Catalogue
from skysift.sky.truth import Truth

__all__ = ["NOTHING", "ClassesScorer", "calibration"]

COLUMNS = ("class", "morphology", "object_type")  # those that may hold classes
NOTHING = "nothing"  # the class of what is missed, and of what is false

_RULE = (
    " Classes are those of the column {column}. Precision, recall and F1 are of rows that are both found and true; a row "
    "on an artefact of the truth is compared with the class of that. precision_all, recall_all and f1_all count what was "
    "missed and what is false as well, as the class 'nothing'. Macro means are over the classes that the truth has."
)
_SCORES = {
    "class_score": " The column class_score is taken for the probability that the class is right.",
    "score": " The column score is taken for the probability that a row is a true object; rows on artefacts are none.",
}


class ClassesScorer(Scorer[ClassesOptions]):
    """Confusion, precision, recall, F1 and calibration of classes."""

    name = "classes"

    def score(self, catalogue: Catalogue, truth: Truth) -> Report:
        """Whether what was found has its right class.

        Raises
        ------
        UsageError
            Catalogue or truth have no classes, or lack what the rule needs.
        """
        options = self.options
        for rows, what in ((table_of(catalogue, options.table), "catalogue"), (truth.sources, "truth")):
            if len(rows) and options.column not in rows:
                others = [name for name in COLUMNS if name in rows]
                raise UsageError(
                    f"the {what} has no column {options.column!r}, so its classes cannot be scored",
                    got=repr(rows),
                    todo=f"set classes.column={others[0]}" if others else "classify it first",
                )
        matched = match(catalogue, truth, options)
        true, found = _classes(matched, truth, options.column)
        both = (true != NOTHING) & (found != NOTHING)
        names = sorted(({*true.tolist(), *found.tolist()}) - {NOTHING})
        within = _table(true[both], found[both], names)
        every = _table(true, found, names)
        table = {"class": names, **within, **{_all(key): values for key, values in every.items()}}
        n_right = int(np.sum(true[both] == found[both]))
        low, high = wilson(n_right, int(both.sum()))
        numbers: dict[str, Number] = {
            "accuracy": n_right / int(both.sum()) if both.any() else math.nan,
            "accuracy_low": float(low),
            "accuracy_high": float(high),
        }
        for key in ("precision", "recall", "f1"):
            for suffix, kept in (("", within), ("_all", every)):
                here = [value for value, n in zip(kept[key], kept["n_true"], strict=True) if n > 0]
                numbers[f"macro_{key}{suffix}"] = float(np.mean(np.nan_to_num(here))) if here else math.nan
        tables: dict[str, ReportTable] = {
            "classes": table,
            "confusion": _confusion(true, found, [*names, NOTHING]),
        }
        rule = matched.rule + _RULE.format(column=options.column)
        scored = self._calibration(matched, true, found)
        if scored is not None:
            column, tables["calibration"], more = scored
            numbers |= more
            rule += _SCORES[column]
        return Report(
            self.name,
            numbers | matched.numbers(),
            tables | matched.tables(),
            rule,
            options.to_dict(),
            repr(catalogue),
            repr(truth),
            matched.notes,
        )

    def _calibration(
        self, matched: Matching, true: NDArray[np.str_], found: NDArray[np.str_]
    ) -> tuple[str, ReportTable, dict[str, Number]] | None:
        """The column with probabilities, how they hold, and the numbers; None where there is no such column."""
        used = np.flatnonzero(matched.used)
        n = used.size  # the first n rows of true and found are these
        for column in _SCORES:
            if column not in matched.found:
                continue
            right = matched.real[used] if column == "score" else true[:n] == found[:n]
            rows = np.ones(n, dtype=np.bool_) if column == "score" else true[:n] != NOTHING
            table, numbers = calibration(matched.found[column][used][rows], right[rows], self.options.bins)
            return column, table, numbers
        return None


def _all(name: str) -> str:
    """The name of a column that counts everything; what bounds an interval stays at the end."""
    for end in ("_low", "_high"):
        if name.endswith(end):
            return f"{name.removesuffix(end)}_all{end}"
    return f"{name}_all"


def calibration(score: Floats, right: NDArray[np.bool_], bins: int) -> tuple[ReportTable, dict[str, Number]]:
    """How often rows of each score are right: a table in bins of equal width from 0 to 1, and what sums it up.

    Rows whose score is no number from 0 to 1 are counted (`n_score_invalid`) and left out.
    """
    good = (score >= 0.0) & (score <= 1.0)
    p, y = score[good].astype(np.float64), right[good].astype(np.float64)
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.minimum((p * bins).astype(np.int64), bins - 1)
    n = np.bincount(place, minlength=bins)
    total, k = np.bincount(place, p, bins), np.bincount(place, y, bins)
    low, high = wilson(k, n)
    with np.errstate(invalid="ignore"):
        mean, share = total / n, k / n
    numbers: dict[str, Number] = {
        "ece": float(np.nansum(np.abs(mean - share) * n) / p.size) if p.size else math.nan,
        "brier": float(np.mean((p - y) ** 2)) if p.size else math.nan,
        "n_scored": int(p.size),
        "n_score_invalid": int(np.sum(~good)),
    }
    columns = {"score": mean, "score_low": edges[:-1], "score_high": edges[1:], "n": n}
    columns |= {"n_right": k, "right": share, "right_low": low, "right_high": high}
    return {name: np.asarray(values).tolist() for name, values in columns.items()}, numbers


def _classes(matched: Matching, truth: Truth, column: str) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """True and found class of every found row that counts, then of every bright truth that was missed."""
    rows = np.flatnonzero(matched.used)
    n_missed = int(np.sum(matched.findable & ~matched.detected))
    if not len(matched.found) or column not in matched.found:
        found = np.full(rows.size, NOTHING)
    else:
        found = np.asarray(matched.found.columns[column], dtype=np.str_)[rows]
    true = np.full(rows.size, NOTHING, dtype="<U64")
    real = matched.real[rows]
    if column in truth.sources:
        names = np.asarray(truth.sources[column], dtype=np.str_)
        true[real] = np.asarray(matched.true.columns[column])[matched.truth_of[rows[real]]]
        artefact = matched.fate[rows] == Fate.ARTEFACT
        true[artefact] = names[matched.artefact_of[rows[artefact]]]
        missed = np.asarray(matched.true.columns[column])[matched.findable & ~matched.detected]
    else:
        missed = np.full(n_missed, NOTHING)
    return np.concatenate([true, missed]), np.concatenate([found, np.full(n_missed, NOTHING)])


def _table(true: NDArray[np.str_], found: NDArray[np.str_], names: list[str]) -> dict[str, list[float]]:
    """Precision, recall and F1 of each class."""
    n_true = np.array([np.sum(true == name) for name in names], dtype=np.int64)
    n_found = np.array([np.sum(found == name) for name in names], dtype=np.int64)
    n_both = np.array([np.sum((true == name) & (found == name)) for name in names], dtype=np.int64)
    with np.errstate(invalid="ignore"):
        columns = {
            "n_true": n_true,
            "n_found": n_found,
            "n_right": n_both,
            "precision": n_both / n_found,
            "recall": n_both / n_true,
            "f1": 2.0 * n_both / (n_true + n_found),
        }
    for key, total in (("precision", n_found), ("recall", n_true)):
        columns[f"{key}_low"], columns[f"{key}_high"] = wilson(n_both, total)
    return {key: np.asarray(values).tolist() for key, values in columns.items()}


def _confusion(true: NDArray[np.str_], found: NDArray[np.str_], names: list[str]) -> ReportTable:
    """Rows of each true class that were found to be of each class."""
    table: dict[str, list[object]] = {"true": list(names)}
    for name in names:
        table[name] = [int(np.sum((true == each) & (found == name))) for each in names]
    return table

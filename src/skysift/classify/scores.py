"""How good classes are: what each class has of precision, recall and F1, what is confused, whether probabilities hold."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.classify.classifier import TAGGED
from skysift.score.classes import calibration
from skysift.score.intervals import wilson
from skysift.score.scorer import Number, ReportTable

__all__ = ["calibration_of", "class_table", "confusion_table", "doubtful_labels", "numbers_of", "suspects"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

BINS = 10


def numbers_of(told: Floats, targets: NDArray[Any], bins: int = BINS) -> dict[str, Number]:
    """Numbers of rows that are told: accuracy with its binomial interval, macro means, top-2, ECE, Brier, log loss.

    Of tags accuracy is of single decisions, and `exact` of whole rows.

    Parameters
    ----------
    told
        (row, class); rows with NaN are left out.
    targets
        (row,) class or (row, class) tags.
    bins
        Of the calibration error.
    """
    good = np.asarray(np.isfinite(told).all(axis=1))
    told, targets = told[good], targets[good]
    n = len(told)
    numbers: dict[str, Number] = {"n": n}
    if not n:
        return numbers | dict.fromkeys(("accuracy", "macro_f1", "ece"), math.nan)
    if targets.ndim == 2:
        right = (told >= TAGGED) == targets
        k, total = int(right.sum()), right.size
        numbers["exact"] = float(right.all(axis=1).mean())
    else:
        best = told.argmax(axis=1)
        k, total = int((best == targets).sum()), n
    low, high = wilson(k, total)
    numbers |= {"accuracy": k / total, "accuracy_low": float(low), "accuracy_high": float(high)}
    table = class_table(tuple(map(str, range(told.shape[1]))), told, targets)
    some = np.asarray(table["n_true"]) > 0
    for name in ("precision", "recall", "f1"):
        numbers[f"macro_{name}"] = float(np.nan_to_num(np.asarray(table[name], float))[some].mean())
    if targets.ndim == 1:
        order = np.argsort(-told, axis=1, kind="stable")[:, :2]
        numbers["top2"] = float((order == targets[:, None]).any(axis=1).mean())
        truth = np.eye(told.shape[1])[targets]
    else:
        truth = targets.astype(np.float64)
    _, more = calibration_of(told, targets, bins)
    numbers |= {"ece": more["ece"], "brier": float(((told - truth) ** 2).sum(axis=1).mean())}
    kept = np.clip(told, 1e-6, 1.0)
    gone = np.clip(1.0 - told, 1e-6, 1.0)
    surprise = np.where(truth > 0, np.log(kept), np.log(gone) if targets.ndim == 2 else 0.0)
    numbers["log_loss"] = float(-surprise.sum(axis=1).mean())
    return numbers


def calibration_of(
    told: Floats, targets: NDArray[Any], bins: int = BINS
) -> tuple[ReportTable, dict[str, Number]]:
    """How often labels of each probability are right, in bins; of tags how often a tag of each probability is true."""
    good = np.asarray(np.isfinite(told).all(axis=1))
    told, targets = told[good], targets[good]
    if targets.ndim == 2:
        return calibration(told.ravel(), targets.ravel().astype(bool), bins)
    return calibration(told.max(axis=1), told.argmax(axis=1) == targets, bins)


def class_table(classes: tuple[str, ...], told: Floats, targets: NDArray[Any]) -> dict[str, list[Any]]:
    """Precision, recall and F1 of each class, with binomial intervals of the first two."""
    good = np.asarray(np.isfinite(told).all(axis=1))
    told, targets = told[good], targets[good]
    if targets.ndim == 2:
        found, true = told >= TAGGED, targets.astype(bool)
    else:
        kinds = np.arange(len(classes))
        found, true = told.argmax(axis=1)[:, None] == kinds, targets[:, None] == kinds
    n_true, n_found, n_both = true.sum(axis=0), found.sum(axis=0), (true & found).sum(axis=0)
    with np.errstate(invalid="ignore"):
        columns: dict[str, Any] = {
            "n_true": n_true,
            "n_found": n_found,
            "n_right": n_both,
            "precision": n_both / n_found,
            "recall": n_both / n_true,
            "f1": 2.0 * n_both / (n_true + n_found),
        }
    for key, total in (("precision", n_found), ("recall", n_true)):
        columns[f"{key}_low"], columns[f"{key}_high"] = wilson(n_both, total)
    return {"class": list(classes), **{key: np.asarray(values).tolist() for key, values in columns.items()}}


def confusion_table(classes: tuple[str, ...], told: Floats, targets: Ints) -> dict[str, list[Any]]:
    """Rows of each true class (one a row of the table) that are told to be of each class."""
    good = np.asarray(np.isfinite(told).all(axis=1))
    best, true = told[good].argmax(axis=1), targets[good]
    count = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(count, (true, best), 1)
    return {"true": list(classes), **{name: count[:, k].tolist() for k, name in enumerate(classes)}}


def suspects(told: Floats, targets: Ints) -> tuple[Ints, Ints, Floats]:
    """Rows whose label may be wrong, the most doubtful first: row, the class that it seems to be, by how much.

    Confident learning (Northcutt, Jiang & Chuang 2021, JAIR 70, 1373): a row counts for another class where that has at
    least the probability that its own rows have in the mean.

    Parameters
    ----------
    told
        (row, class) by models that did not learn from the row.
    targets
        The labels.
    """
    good = np.flatnonzero(np.isfinite(told).all(axis=1))
    p, label = told[good], targets[good]
    usual = np.array([p[label == k, k].mean() if (label == k).any() else np.inf for k in range(p.shape[1])])
    sure = np.where(p >= usual, p, -1.0)
    seems = sure.argmax(axis=1)
    rows = np.flatnonzero((sure.max(axis=1) >= 0) & (seems != label))
    margin = p[rows, seems[rows]] - p[rows, label[rows]]
    order = np.argsort(-margin, kind="stable")
    return good[rows[order]], seems[rows[order]].astype(np.int64), margin[order]


def doubtful_labels(
    names: tuple[str, ...], classes: tuple[str, ...], told: Floats, targets: Ints
) -> dict[str, list[Any]]:
    """The table of `suspects`: name, label, what it seems to be, both probabilities."""
    rows, seems, margin = suspects(told, targets)
    return {
        "name": [names[k] for k in rows],
        "label": [classes[targets[k]] for k in rows],
        "seems": [classes[k] for k in seems],
        "p_label": [round(float(told[k, targets[k]]), 4) for k in rows],
        "p_seems": [round(float(told[row, k]), 4) for row, k in zip(rows, seems, strict=True)],
        "margin": [round(float(each), 4) for each in margin],
    }

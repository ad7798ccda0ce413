"""Reasons of classifiers of tables: what each feature adds to the score of a class (SHAP), for each source and in all.

Lundberg & Lee (2017, NeurIPS 30); exact for LightGBM (Lundberg et al. 2020, Nature Machine Intelligence 2, 56), by
permutations against a background of the sources given for all other models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.base.random import generator
from skysift.classify.classifier import Classifier, Given
from skysift.classify.search import told_by
from skysift.classify.tables import TableClassifier
from skysift.classify.trees import LightGBMModel

__all__ = ["Reasons", "reasons_of"]

Floats: TypeAlias = NDArray[np.float64]

_BACKGROUND = 60  # sources that stand for what is usual


@dataclass(frozen=True, eq=False)
class Reasons:
    """
    What each feature adds to the score of each class.

    Attributes
    ----------
    names
        Of the sources.
    classes, columns
        What scores are of, and what the features are.
    shares
        (row, class, feature).
    values
        (row, feature) the features themselves.
    labels
        What the sources were told to be.
    unit
        Of the shares.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    shares: Floats
    values: Floats
    labels: tuple[str, ...]
    unit: str

    def importance(self) -> Floats:
        """The mean size of what each feature adds, over sources and classes."""
        return np.asarray(np.abs(self.shares).mean(axis=(0, 1)))

    def summary(self, top: int) -> dict[str, list[Any]]:
        """The features that count most: mean size of what they add, in all and for each class, and in which direction.

        `rises` is the rank correlation of the value of a feature with what it adds to the class: 1 where a large value
        speaks for it, -1 where it speaks against it.
        """
        order = np.argsort(-self.importance(), kind="stable")[:top]
        table: dict[str, list[Any]] = {
            "feature": [self.columns[k] for k in order],
            "mean": [float(each) for each in self.importance()[order]],
        }
        for c, name in enumerate(self.classes):
            table[f"mean_{name}"] = np.abs(self.shares[:, c, order]).mean(axis=0).tolist()
            table[f"rises_{name}"] = [_rank(self.values[:, k], self.shares[:, c, k]) for k in order]
        return table

    def of_sources(self, top: int) -> dict[str, list[Any]]:
        """The reasons of each source for its label: the features that add most to its score, one a row of the table."""
        table: dict[str, list[Any]] = {
            key: [] for key in ("name", "label", "rank", "feature", "value", "adds")
        }
        for row, (name, label) in enumerate(zip(self.names, self.labels, strict=True)):
            chosen = [k for k, each in enumerate(self.classes) if each in label.split("|")]
            if not chosen:
                continue
            adds = self.shares[row, chosen].mean(axis=0)
            for rank, k in enumerate(np.argsort(-np.abs(adds), kind="stable")[:top], start=1):
                values = (name, label, rank, self.columns[k], float(self.values[row, k]), float(adds[k]))
                for key, value in zip(table, values, strict=True):
                    table[key].append(value)
        return table


def reasons_of(classifier: Classifier[Any], given: Given, most: int = 2000, random_seed: int = 1) -> Reasons:
    """
    What each feature adds to the score of each class.

    Parameters
    ----------
    classifier
        Of tables.
    given
        Sources to tell of.
    most
        Sources at most, drawn by chance where there are more.
    random_seed
        Decides what is drawn.

    Raises
    ------
    UsageError
        The classifier looks at pictures, or not one source is known.
    """
    if not isinstance(classifier, TableClassifier):
        raise UsageError(
            "the classifier does not look at features",
            got=classifier.name,
            todo="`skysift classify explain` of a classifier of pictures shows where it looks",
        )
    values = classifier.values_of(given)
    rows = np.flatnonzero(np.isfinite(values).any(axis=1))
    if not rows.size:
        raise UsageError("not one source has a feature", got=repr(given))
    rng = generator(random_seed, "classify", "explain")
    if rows.size > most:
        rows = np.sort(rng.permutation(rows)[:most])
    chosen = given.select(rows)
    told = classifier.predict(chosen)
    values = values[rows]
    exact = all(isinstance(model, LightGBMModel) for model in classifier.fitted[0])
    shares = _exact(classifier, values) if exact else _permuted(classifier, values, rng)
    unit = "log odds" if exact else "probability"
    return Reasons(told.names, classifier.classes, classifier.columns, shares, values, told.labels, unit)


def _exact(classifier: TableClassifier[Any], values: Floats) -> Floats:
    """(row, class, feature) by the trees themselves; of two classes the first gets the opposite of the second."""
    parts = []
    for model in classifier.fitted[0]:
        assert isinstance(model, LightGBMModel)
        part = model.shares(values)
        if classifier.many:
            part = part[:, -1:]
        elif part.shape[1] == 1:
            part = np.concatenate([-part, part], axis=1)
        parts.append(part)
    return np.concatenate(parts, axis=1) if classifier.many else parts[0]


def _permuted(classifier: TableClassifier[Any], values: Floats, rng: np.random.Generator) -> Floats:
    """(row, class, feature) by features put in and out in a random order and back, against a background.

    Each feature is charged with how much the probability changes when it takes its value instead of that of a source of
    the background; the order and its reverse make pairs (Mitchell et al. 2022, JMLR 23, 43).
    """
    n, wide = values.shape
    background = values[rng.permutation(n)[:_BACKGROUND]]
    total = np.zeros((n, len(classifier.classes), wide))
    rounds = 2 * max(1, min(8, _BACKGROUND // 8))
    orders = [rng.permutation(wide) for _ in range(rounds // 2)]
    for order in [each for one in orders for each in (one, one[::-1])]:
        seen = background[rng.integers(len(background), size=n)].copy()
        before = told_by(classifier.fitted, seen, classifier.many)
        for k in order:
            seen[:, k] = values[:, k]
            after = told_by(classifier.fitted, seen, classifier.many)
            total[:, :, k] += after - before
            before = after
    return total / rounds


def _rank(a: Floats, b: Floats) -> float:
    good = np.isfinite(a) & np.isfinite(b)
    if good.sum() < 3 or np.ptp(a[good]) == 0 or np.ptp(b[good]) == 0:
        return float("nan")
    ranks = [
        np.argsort(np.argsort(each[good], kind="stable"), kind="stable").astype(float) for each in (a, b)
    ]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])

"""How much groups mean: samples drawn anew, ids matched between runs, and the table that compares models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.random import generator
from skysift.explore.cluster import Clusterer, silhouette

__all__ = ["Grouping", "agreement", "best_of", "grouped", "matched", "table_of"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Grouping:
    """
    The groups of one model, and how much they mean.

    Attributes
    ----------
    name
        Of the model.
    labels
        Group of each source; -1 for noise.
    silhouette
        Mean of sources in groups; NaN where there are not two groups.
    stability, stability_spread
        Mean and standard deviation of the adjusted Rand index with groups of samples drawn anew.
    kept
        For each group the mean Jaccard index with the group that it is matched to in those samples.
    """

    name: str
    labels: Ints
    silhouette: float
    stability: float
    stability_spread: float
    kept: tuple[float, ...]

    @property
    def groups(self) -> int:
        """Number of groups."""
        return int(self.labels.max(initial=-1)) + 1

    @property
    def noise(self) -> float:
        """Part of the sources that is in no group."""
        return float((self.labels < 0).mean())

    @property
    def merit(self) -> float:
        """What models are chosen by: stability x part in groups x (1 + silhouette) / 2; 0 below two groups."""
        terms = (self.stability, self.silhouette)
        if self.groups < 2 or not np.isfinite(self.silhouette):
            return 0.0
        stable = 1.0 if not np.isfinite(terms[0]) else max(terms[0], 0.0)
        return stable * (1.0 - self.noise) * 0.5 * (1.0 + terms[1])


def grouped(
    name: str, model: Clusterer[Any], coordinates: Floats, bootstraps: int, random_seed: int
) -> Grouping:
    """The groups that a model finds, with their stability.

    A sample drawn anew with replacement holds 63 percent of the sources; each of them once, since copies would be dense
    regions of their own. Noise counts as a group of its own in the Rand index.
    """
    labels = model.labels(coordinates, random_seed)
    n = int(labels.max(initial=-1)) + 1
    rand: list[float] = []
    kept: list[list[float]] = [[] for _ in range(n)]
    for number in range(bootstraps):
        drawn = generator(random_seed, "bootstrap", str(number)).integers(
            0, len(coordinates), len(coordinates)
        )
        rows = np.unique(drawn)
        again = model.labels(coordinates[rows], random_seed)
        rand.append(agreement(labels[rows], again))
        same = matched(again, labels[rows])
        for group in range(n):
            here, there = labels[rows] == group, same == group
            if here.any():
                kept[group].append(float((here & there).sum() / (here | there).sum()))
    return Grouping(
        name,
        labels,
        silhouette(coordinates, labels),
        float(np.mean(rand)) if rand else float("nan"),
        float(np.std(rand)) if rand else float("nan"),
        tuple(float(np.mean(each)) if each else float("nan") for each in kept),
    )


def agreement(one: Ints, other: Ints) -> float:
    """The adjusted Rand index of two ways to part the same sources (Hubert & Arabie 1985)."""
    table = _counts(one, other)[0].astype(np.float64)
    pairs = float((table * (table - 1.0)).sum() / 2.0)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    a, b = float((rows * (rows - 1.0)).sum() / 2.0), float((columns * (columns - 1.0)).sum() / 2.0)
    all_pairs = len(one) * (len(one) - 1.0) / 2.0
    expected = a * b / all_pairs if all_pairs else 0.0
    most = 0.5 * (a + b)
    return 1.0 if most == expected else (pairs - expected) / (most - expected)


def matched(labels: Ints, before: Ints, following: int | None = None) -> Ints:
    """The same groups under the ids of an earlier run over the same sources, matched by how many sources they share.

    Each group gets the id that makes the shared number largest over all (Kuhn 1955); those that are left over get new ids
    above all earlier ones, or from `following` on. Noise stays noise.
    """
    from scipy.optimize import linear_sum_assignment  # late: heavy

    table, mine, theirs = _counts(labels, before)
    inner, outer = mine >= 0, theirs >= 0
    rows, columns = linear_sum_assignment(-table[np.ix_(inner, outer)])
    shared = table[np.ix_(inner, outer)][rows, columns] > 0
    new = {
        int(mine[inner][r]): int(theirs[outer][c]) for r, c in zip(rows[shared], columns[shared], strict=True)
    }
    following = int(before.max(initial=-1)) + 1 if following is None else following
    for each in mine[inner]:
        if int(each) not in new:
            new[int(each)] = following
            following += 1
    new[-1] = -1
    return np.array([new[int(each)] for each in labels], np.int64)


def best_of(groupings: Sequence[Grouping]) -> Grouping | None:
    """The model with the largest merit, of equal ones the first; None where none finds two groups."""
    found = max(groupings, key=lambda each: each.merit, default=None)
    return None if found is None or found.merit <= 0.0 else found


def _counts(one: Ints, other: Ints) -> tuple[Ints, Ints, Ints]:
    """How many sources are in each pair of groups (one, other), and the labels of both."""
    mine, a = np.unique(one, return_inverse=True)
    theirs, b = np.unique(other, return_inverse=True)
    table = np.zeros((mine.size, theirs.size), np.int64)
    np.add.at(table, (a, b), 1)
    return table, mine, theirs


def table_of(groupings: Sequence[Grouping]) -> list[Mapping[str, Any]]:
    """One row a model."""
    return [
        {
            "model": each.name,
            "groups": each.groups,
            "noise": each.noise,
            "silhouette": each.silhouette,
            "stability": each.stability,
            "stability_spread": each.stability_spread,
            "merit": each.merit,
        }
        for each in groupings
    ]

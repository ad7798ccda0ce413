"""`join_parts`: which parts of a map are one object, with a probability and the evidence for every pair.

Lobes of a radio galaxy, the knots of a bent tail, pieces of a shell lie apart in a map. Whether they belong together is
asked of each pair of neighbours: prior odds of a companion against a neighbour by chance, times a Bayes factor for each
kind of evidence (`skysift.match.evidence`). Objects are made of the likeliest pairs first, and not by single links
(`skysift.match.agglomerate`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skysift.match.agglomerate import agglomerate
from skysift.match.options import JoinOptions
from skysift.match.parts import TERMS, Bridge, Bridges, Pairs, Parts, probability_of
from skysift.match.weighing import weigh

__all__ = ["TERMS", "Bridge", "Bridges", "Joins", "Pairs", "Parts", "join_parts"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LARGEST = 800  # parts that are looked at together


@dataclass(frozen=True, eq=False)
class Joins:
    """Which parts are one object.

    Attributes
    ----------
    object
        Number of the object of each part ``(n,)``, from 0, in the order of their first parts.
    probability
        Of each object: that all its parts are one; NaN for an object of one part.
    pairs
        The evidence.
    """

    object: Ints
    probability: Floats
    pairs: Pairs

    def __len__(self) -> int:
        return len(self.probability)

    def __repr__(self) -> str:
        several = int(np.isfinite(self.probability).sum())
        return f"Joins({len(self.object)} parts, {len(self)} objects, {several} of several parts)"


def join_parts(parts: Parts, bridge: Bridge | None = None, options: JoinOptions | None = None) -> Joins:
    """
    The objects that parts make, with the evidence for every pair that was considered.

    The order of the parts plays no role.

    Parameters
    ----------
    parts
        What may be joined.
    bridge
        What looks at the map between two parts; without it nothing is known of bridges and gaps.
    options
        Least probability and largest distance.
    """
    options = options or JoinOptions()
    order = np.lexsort((np.abs(parts.flux), parts.y, parts.x))  # so that the order of the parts plays no role
    sorted_parts = parts.select(order)
    pairs = weigh(sorted_parts, None if bridge is None else _reordered(bridge, order), options)
    links = _lifted(len(parts), pairs)
    least = float(np.log(options.join_probability / (1.0 - options.join_probability)))
    group, lowest = _objects(len(parts), links, least)
    back = np.empty(len(parts), np.int64)
    back[order] = np.arange(len(parts))
    heads, first, number = np.unique(group[back], return_index=True, return_inverse=True)
    rank = np.empty(len(heads), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(heads))
    probability = np.empty(len(heads))
    probability[rank] = np.where(np.isfinite(lowest[heads]), probability_of(lowest[heads]), np.nan)
    joined = group[pairs.first] == group[pairs.second]
    pairs = _of_rows(pairs, order, joined)
    return Joins(rank[number], probability, pairs)


def _reordered(bridge: Bridge, order: Ints) -> Bridge:
    def look(first: Ints, second: Ints) -> Bridges:
        return bridge(order[first], order[second])

    return look


def _of_rows(pairs: Pairs, order: Ints, joined: Bools) -> Pairs:
    """The pairs with the rows that the parts were given in."""
    core = np.where(pairs.core >= 0, order[pairs.core], -1) if len(order) else pairs.core
    return replace(pairs, first=order[pairs.first], second=order[pairs.second], core=core, joined=joined)


@dataclass(frozen=True, eq=False)
class _Links:
    """Pairs of parts ``(pair,)`` and their log odds."""

    first: Ints
    second: Ints
    odds: Floats


def _lifted(n: int, pairs: Pairs) -> _Links:
    """The pairs with their log odds; a core belongs to two parts at least as likely as these to each other with it."""
    seen = np.flatnonzero(pairs.core >= 0)
    ends = np.concatenate([pairs.first[seen], pairs.second[seen]])
    core = np.tile(pairs.core[seen], 2)
    lift = np.tile(np.minimum(pairs.odds[seen], pairs.terms["core"][seen] + 1.0), 2)
    low = np.concatenate([np.minimum(pairs.first, pairs.second), np.minimum(core, ends)])
    high = np.concatenate([np.maximum(pairs.first, pairs.second), np.maximum(core, ends)])
    key, number = np.unique(low * n + high, return_inverse=True)
    odds = np.full(len(key), -np.inf)
    np.maximum.at(odds, number, np.concatenate([pairs.odds, lift]))
    return _Links(key // max(n, 1), key % max(n, 1), odds)


def _objects(n: int, pairs: _Links, least: float) -> tuple[Ints, Floats]:
    """First part of each part's object, and there the log odds of its weakest join."""
    group, lowest = np.arange(n), np.full(n, np.inf)
    label = _held_together(n, pairs, min(least, 0.0))
    order = np.lexsort((np.arange(n), label))
    size = np.bincount(label, minlength=1)
    several = size > 1
    members = order[several[label[order]]]
    if not len(members):
        return group, lowest
    begin = np.concatenate([[0], np.cumsum(size[several])])
    number = np.cumsum(several) - 1  # of each label among those with several
    place = np.empty(n, np.int64)
    place[members] = np.arange(len(members)) - begin[number[label[members]]]
    inside = (label[pairs.first] == label[pairs.second]) & several[label[pairs.first]]
    rows = np.flatnonzero(inside)
    of = number[label[pairs.first[rows]]]
    rows, of = rows[np.argsort(of, kind="stable")], np.sort(of)
    first = np.searchsorted(of, np.arange(len(begin)))
    agglomerate(
        members,
        begin.astype(np.int64),
        place[pairs.first[rows]],
        place[pairs.second[rows]],
        pairs.odds[rows],
        first.astype(np.int64),
        least,
        group,
        lowest,
    )
    return group, lowest


def _held_together(n: int, pairs: _Links, least: float) -> Ints:
    """Label of each part; parts that likely pairs hold together share one, few enough to be looked at together."""
    label = np.zeros(n, np.int64)
    bound = least
    while True:
        inside = (label[pairs.first] == label[pairs.second]) & (pairs.odds > bound)
        crowded = np.bincount(label, minlength=1)[label] > LARGEST
        if bound > least:
            inside = (
                inside & crowded[pairs.first]
                | (label[pairs.first] == label[pairs.second]) & ~crowded[pairs.first]
            )
        graph = coo_array((np.ones(inside.sum()), (pairs.first[inside], pairs.second[inside])), shape=(n, n))
        label = connected_components(graph, directed=False)[1].astype(np.int64)
        if np.bincount(label, minlength=1).max(initial=0) <= LARGEST:
            return label
        bound += 1.0

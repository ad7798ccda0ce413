"""Numbers that names hold, and numbers within a group: how other programs count rows."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.sky.table import Values

__all__ = ["letters", "numbers_in", "rank_within"]

Integers: TypeAlias = NDArray[np.int64]


def rank_within(groups: Values) -> Integers:
    """The number of each row among the rows of its group, from 0, in the order of the rows."""
    if not len(groups):
        return np.empty(0, dtype=np.int64)
    _, group, count = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - (np.cumsum(count) - count)[group[order]]
    return rank


def numbers_in(names: Values) -> Integers:
    """The number at the end of each name, letters behind it left out: 12 of ``SB25600_component_12a``.

    Equal numbers mean equal names up to those letters; where two names that differ before them share a number,
    or one has none, the distinct names are numbered from 1 as they come.
    """
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.compute as pc

    if not len(names):
        return np.empty(0, dtype=np.int64)
    parts = pc.extract_regex(pa.array(names), r"^(?P<stem>.*?)(?P<number>\d{1,15})(?P<letters>[a-z]*)$")
    if parts.null_count == 0:
        stems = pc.struct_field(parts, "stem")
        if len(pc.unique(stems)) == 1:
            return np.asarray(pc.cast(pc.struct_field(parts, "number"), pa.int64()))
    _, first, group = np.unique(names, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first, kind="stable")] = np.arange(1, len(first) + 1)
    return np.asarray(order[group])


def letters(ranks: Integers) -> Values:
    """0 is a, 25 is z, 26 is aa, as Selavy and the IAU count."""
    if not len(ranks):
        return np.empty(0, dtype="<U1")
    alphabet = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    text = np.full(len(ranks), "", dtype="<U8")
    left = ranks + 1
    while np.any(left > 0):
        more = left > 0
        left, digit = np.where(more, (left - 1) // 26, 0), np.where(more, (left - 1) % 26, 0)
        text = np.where(more, np.strings.add(alphabet[digit], text), text)
    return text

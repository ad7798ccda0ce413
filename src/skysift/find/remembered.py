"""`Remembered`: what was measured at places of a map, so that what is solved with the same others is not solved again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skysift.find.places import Groups, Places

__all__ = ["Remembered", "marks_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Marks = npt.NDArray[np.uint64]

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio
_FACTORS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)


class Remembered:
    """The rows of places by their marks; empty at first."""

    def __init__(self) -> None:
        self._marks: Marks = np.empty(0, np.uint64)
        self._rows: Floats = np.empty((0, 0))

    def fill(self, rows: Floats, marks: Marks, groups: Groups) -> Groups:
        """
        Fill the rows of places that are known; the groups of the others are returned.

        Parameters
        ----------
        rows
            ``(n, column)``, one for each place.
        marks
            ``(n,)`` as `marks_of` gives them for the groups.
        groups
            All.
        """
        if not self._marks.size:
            return groups
        place = groups.members[groups.core]
        at = np.minimum(np.searchsorted(self._marks, marks[place]), self._marks.size - 1)
        known = self._marks[at] == marks[place]
        rows[place[known]] = self._rows[at[known]]
        asked = np.zeros(len(rows), np.bool_)
        asked[place[~known]] = True
        size = np.diff(groups.first)
        begin = groups.first[:-1]
        left = np.add.reduceat(asked[groups.members] & groups.core, begin) > 0
        mine = np.repeat(left, size)
        first = np.concatenate([[0], np.cumsum(size[left])]).astype(np.int64)
        return Groups(groups.members[mine], groups.core[mine], first)

    def keep(self, rows: Floats, marks: Marks) -> None:
        """Remember the rows of places, and nothing else."""
        order = np.argsort(marks, kind="stable")
        self._marks, self._rows = marks[order], rows[order]


def marks_of(places: Places, groups: Groups, free: Ints) -> Marks:
    """
    What each place ``(n,)`` is and what it is solved with, as numbers of 64 bits: the same where nothing differs.

    Parameters
    ----------
    places, groups, free
        As for `skysift.find.forced.measure_at`. A place that is in no group is 0.
    """
    own = np.zeros(len(places), np.uint64)
    for column in (places.x, places.y, *places.shape.T, *places.beam.T, free.astype(np.float64)):
        own = _mixed(own * _ODD + np.ascontiguousarray(column, np.float64).view(np.uint64))
    each = _mixed(own[groups.members] + groups.core.astype(np.uint64))
    together = np.add.reduceat(each, groups.first[:-1])
    marks = np.zeros(len(places), np.uint64)
    size = np.diff(groups.first)
    marks[groups.members[groups.core]] = _mixed(own[groups.members] * _ODD + np.repeat(together, size))[
        groups.core
    ]
    return marks


def _mixed(numbers: Marks) -> Marks:
    """Numbers of 64 bits, each of whose bits depends on all bits of the number that it was, as SplitMix64 mixes them."""
    for shift, factor in zip(_SHIFTS, _FACTORS, strict=False):
        numbers = (numbers ^ (numbers >> shift)) * factor
    return np.asarray(numbers ^ (numbers >> _SHIFTS[2]))

"""`Picked`: the pixels of many sources in one list, picture after picture, and sums over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Picked", "picked"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Picked:
    """
    The pixels of the source in one band, picture after picture.

    Attributes
    ----------
    row
        Number of the picture in this batch.
    y, x
        From the middle of the picture (pixel).
    value
        Above the level.
    island
        1, 2, ...
    starts
        First pixel of each picture that has any.
    rows
        Number of the picture of each start.
    n
        Pictures of the batch.
    """

    row: Ints
    y: Floats
    x: Floats
    value: Floats
    island: Ints
    starts: Ints
    rows: Ints
    n: int

    def total(self, values: Floats) -> Floats:
        """Sums over the pixels of each picture; 0 where it has none."""
        return np.asarray(np.bincount(self.row, values, self.n), np.float64)

    def top(self, values: Floats) -> Floats:
        """The largest of each picture; NaN where it has none."""
        out = np.full(self.n, np.nan)
        if len(self.starts):
            out[self.rows] = np.maximum.reduceat(values, self.starts)
        return out

    def low(self, values: Floats) -> Floats:
        """The least of each picture; NaN where it has none."""
        return -self.top(-values)

    def some(self, chosen: NDArray[np.bool_]) -> Picked:
        """Some of the pixels."""
        return picked(
            self.row[chosen], self.y[chosen], self.x[chosen], self.value[chosen], self.island[chosen], self.n
        )


def picked(row: Ints, y: Floats, x: Floats, value: Floats, island: Ints, n: int) -> Picked:
    """Pixels that are sorted by picture."""
    starts = np.flatnonzero(np.diff(row, prepend=-1)) if len(row) else np.empty(0, np.int64)
    return Picked(row, y, x, value, island, starts, row[starts], n)

"""`Lines`: outlines and spines on the pixels of a map, each of an owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UsageError

__all__ = ["Lines"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class Lines:
    """Polylines and polygons, one after the other in flat arrays.

    Parameters
    ----------
    owner
        (line,) number of what each belongs to, such as a source_id; several lines may have one owner.
    first
        (line + 1,): line i has the points ``first[i]`` to ``first[i + 1]``.
    x, y
        (point,) places (pixel, 0-based centres).
    hole
        (line,) whether it is the outline of a hole.

    Raises
    ------
    UsageError
        The arrays do not fit to each other.
    """

    owner: Ints
    first: Ints
    x: Floats
    y: Floats
    hole: Bools

    def __post_init__(self) -> None:
        n = len(self.owner)
        if (
            len(self.first) != n + 1
            or len(self.hole) != n
            or not self.first[-1] == len(self.x) == len(self.y)
        ):
            raise UsageError(
                "the arrays of lines do not fit to each other",
                got=f"{n} owners, {len(self.first)} first points, {len(self.hole)} holes, "
                f"{len(self.x)} x, {len(self.y)} y",
                allowed="one more first point than lines, ending at the number of points",
            )

    @classmethod
    def of(cls, owner: ArrayLike, lines: Sequence[Floats]) -> Lines:
        """Lines from a list of points ``(k, 2)`` x, y, without holes."""
        first = np.cumsum([0, *(len(line) for line in lines)], dtype=np.int64)
        points = np.concatenate([np.empty((0, 2)), *lines])
        none = np.zeros(len(lines), np.bool_)
        return cls(np.asarray(owner, np.int64), first, points[:, 0].copy(), points[:, 1].copy(), none)

    @classmethod
    def empty(cls) -> Lines:
        """No line."""
        return cls.of([], [])

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def n_points(self) -> Ints:
        """(line,) how many points each has."""
        return np.diff(self.first)

    def points(self, line: int) -> Floats:
        """The points ``(k, 2)`` x, y of one line."""
        part = slice(int(self.first[line]), int(self.first[line + 1]))
        return np.stack([self.x[part], self.y[part]], axis=1)

    def select(self, lines: Ints | Bools) -> Lines:
        """Some of them, by a mask or by their places."""
        chosen = np.arange(len(self))[lines]
        size = self.n_points[chosen]
        first = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        place = np.arange(int(first[-1])) + np.repeat(self.first[chosen] - first[:-1], size)
        return Lines(self.owner[chosen], first, self.x[place], self.y[place], self.hole[chosen])

    def given_to(self, owner: ArrayLike) -> Lines:
        """The same lines with other owners."""
        return Lines(np.asarray(owner, np.int64), self.first, self.x, self.y, self.hole)

    def __repr__(self) -> str:
        return f"Lines({len(self)} of {np.unique(self.owner).size} owners, {len(self.x)} points)"

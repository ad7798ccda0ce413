"""Kernels of runs of pixels: joined where they touch, by union-find, and painted; used wherever labels are made."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Ints = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]


@kernel
def root(parent: Ints, i: int) -> int:
    """The first of all that i is joined to; shortens the path on the way."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def touching_runs(runs: Ints, reach: int) -> Ints:
    """
    For each run ``(row, start, stop)``, sorted by row and start, the index of the first run that it is joined to.

    Runs of one row join where they touch, runs of adjacent rows where they overlap within ``reach`` pixels:
    1 joins across corners (8-connected), 0 does not (4-connected).
    """
    n = runs.shape[0]
    parent = np.arange(n)
    above = 0
    for i in range(n):
        row, start, stop = runs[i, 0], runs[i, 1], runs[i, 2]
        if i > 0 and runs[i - 1, 0] == row and runs[i - 1, 2] >= start:
            a, b = root(parent, i - 1), root(parent, i)
            parent[max(a, b)] = min(a, b)
        while above < i and (
            runs[above, 0] < row - 1 or (runs[above, 0] == row - 1 and runs[above, 2] + reach <= start)
        ):
            above += 1
        k = above
        while k < i and runs[k, 0] == row - 1 and runs[k, 1] < stop + reach:
            if runs[k, 2] + reach > start:
                a, b = root(parent, k), root(parent, i)
                parent[max(a, b)] = min(a, b)
            k += 1
    for i in range(n):
        parent[i] = root(parent, i)
    return parent


@kernel
def paint_runs(row: Ints, start: Ints, stop: Ints, number: Ints, y0: int, x0: int, owner: Labels) -> None:
    """Paint the numbers of runs over a box that begins at (y0, x0), one after the other; the last has the pixel."""
    ny, nx = owner.shape
    for k in range(row.shape[0]):
        j = row[k] - y0
        if 0 <= j < ny:
            for i in range(max(start[k] - x0, 0), min(stop[k] - x0, nx)):
                owner[j, i] = number[k]

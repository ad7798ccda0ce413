"""Islands of small pictures: which pixels are the source in the middle; compiled loops over bare arrays."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel

__all__ = ["ALL", "CONNECTED", "PEAK_COLUMNS", "RADIUS", "label_islands", "persistent_peaks"]

Pixels: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int32]
Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

RADIUS, CONNECTED, ALL = 0, 1, 2
PEAK_COLUMNS = ("y", "x", "height", "prominence", "flux", "island")


@kernel
def label_islands(
    significance: Pixels,
    grow: float,
    seed: float,
    least: int,
    keep: int,
    radius: float,
    labels: Labels,
    counts: Ints,
) -> None:
    """
    Number the islands of each picture that are its source: 1, 2, ... in the order of their first pixels, 0 elsewhere.

    Parameters
    ----------
    significance
        ``(picture, y, x)`` in sigma; NaN where there are no data.
    grow, seed
        In sigma: of every pixel of an island, and of one at least. Pixels touch by sides and corners.
    least
        Pixels of an island.
    keep
        RADIUS: islands with a pixel within the radius of the middle; CONNECTED: only the one nearest to the middle;
        ALL: all of them.
    radius
        In pixels.
    labels
        ``(picture, y, x)``, written.
    counts
        ``(picture,)`` islands of the source, written.
    """
    n, ny, nx = significance.shape
    stack = np.empty(ny * nx, np.int64)
    cy, cx = 0.5 * (ny - 1), 0.5 * (nx - 1)
    for k in range(n):
        labels[k] = 0
        counts[k] = 0
        nearest, chosen = np.inf, 0
        for start in range(ny * nx):
            sy, sx = start // nx, start % nx
            if labels[k, sy, sx] != 0 or not significance[k, sy, sx] >= grow:
                continue
            number = counts[k] + 1
            labels[k, sy, sx] = number
            stack[0] = start
            done, held = 0, 1
            top, near = -np.inf, np.inf
            while done < held:  # pixels stay on the stack, so that an island can be taken back
                y, x = stack[done] // nx, stack[done] % nx
                done += 1
                top = max(top, significance[k, y, x])
                near = min(near, (y - cy) ** 2 + (x - cx) ** 2)
                for j in range(max(y - 1, 0), min(y + 2, ny)):
                    for i in range(max(x - 1, 0), min(x + 2, nx)):
                        if labels[k, j, i] == 0 and significance[k, j, i] >= grow:
                            labels[k, j, i] = number
                            stack[held] = j * nx + i
                            held += 1
            good = top >= seed and held >= least and (keep != RADIUS or near <= radius * radius)
            if not good:
                for at in range(held):
                    labels[k, stack[at] // nx, stack[at] % nx] = -1
                continue
            counts[k] = number
            if near < nearest:
                nearest, chosen = near, number
        for y in range(ny):
            for x in range(nx):
                number = labels[k, y, x]
                if number < 0:
                    labels[k, y, x] = 0
                elif keep == CONNECTED and number > 0:
                    labels[k, y, x] = 1 if number == chosen else 0
        if keep == CONNECTED:
            counts[k] = min(counts[k], 1)


@kernel
def persistent_peaks(
    values: Pixels, labels: Labels, prominence: Floats, share: float, peaks: Floats, counts: Ints
) -> None:
    """
    The peaks of each picture's source, brightest first: places where it stands out from its surroundings.

    A peak's prominence is its height above the highest saddle to a brighter peak, and its own height where none is
    reached; a peak that does not stand out goes to the one that it touches first. Each pixel counts to the peak
    that lies uphill.

    Parameters
    ----------
    values
        ``(picture, y, x)`` above the level.
    labels
        ``(picture, y, x)`` islands; 0 outside of the source.
    prominence
        ``(picture,)`` that a peak needs.
    share
        And at least this share of the brightest pixel.
    peaks
        ``(picture, peak, PEAK_COLUMNS)``, written as far as there is room.
    counts
        ``(picture,)`` all peaks, written.
    """
    n, ny, nx = values.shape
    room = peaks.shape[1]
    number = np.full(ny * nx, -1, np.int64)  # of a pixel in the list of the source's pixels
    for k in range(n):
        counts[k] = 0
        m = 0
        for y in range(ny):
            for x in range(nx):
                m += labels[k, y, x] > 0
        if m == 0:
            continue
        where = np.empty(m, np.int64)
        heights = np.empty(m, np.float64)
        m = 0
        for y in range(ny):
            for x in range(nx):
                if labels[k, y, x] > 0:
                    where[m] = y * nx + x
                    heights[m] = values[k, y, x]
                    m += 1
        order = np.argsort(-heights, kind="mergesort")
        need = min(max(prominence[k], share * heights[order[0]]), heights[order[0]])
        tree = np.full(m, -1, np.int64)  # pixels of one hill, whose root is its brightest pixel
        owner = np.full(m, -1, np.int64)  # the peak that lies uphill of a pixel
        merged = np.full(m, -1, np.int64)  # the peak that one which does not stand out went to
        stands = np.zeros(m, np.float64)  # prominence of a peak
        for at in range(m):
            rank = order[at]
            y, x = where[rank] // nx, where[rank] % nx
            highest, uphill = -np.inf, -1
            number[where[rank]] = rank
            tree[rank] = rank
            for j in range(max(y - 1, 0), min(y + 2, ny)):
                for i in range(max(x - 1, 0), min(x + 2, nx)):
                    other = number[j * nx + i]
                    if other >= 0 and other != rank and heights[other] > highest:
                        highest, uphill = heights[other], other
            if uphill < 0:
                owner[rank] = rank
                continue
            owner[rank] = owner[uphill]
            root = _root(tree, uphill)
            tree[rank] = root
            for j in range(max(y - 1, 0), min(y + 2, ny)):
                for i in range(max(x - 1, 0), min(x + 2, nx)):
                    other = number[j * nx + i]
                    if other < 0 or other == rank:
                        continue
                    second = _root(tree, other)
                    if second == root:
                        continue
                    low, high = (second, root) if heights[second] <= heights[root] else (root, second)
                    stands[low] = heights[low] - heights[rank]
                    tree[low] = high
                    if stands[low] < need:  # goes to the nearer of the two hills' peaks: the one it touches
                        merged[low] = owner[uphill] if _root(merged, owner[uphill]) != low else owner[other]
                    root = high
        for rank in range(m):
            if tree[rank] == rank:
                stands[rank] = heights[rank]
        flux = np.zeros(m, np.float64)
        for rank in range(m):
            flux[_root(merged, owner[rank])] += heights[rank]
        for at in range(m):
            rank = order[at]
            if owner[rank] == rank and merged[rank] < 0 and stands[rank] >= need:
                if counts[k] < room:
                    y, x = where[rank] // nx, where[rank] % nx
                    row = peaks[k, counts[k]]
                    row[0], row[1], row[2] = y, x, heights[rank]
                    row[3], row[4], row[5] = stands[rank], flux[rank], labels[k, y, x]
                counts[k] += 1
        for at in range(m):
            number[where[at]] = -1


@kernel
def _root(tree: Ints, leaf: int) -> int:
    """The root of a leaf, which points at itself or nowhere; the way there is made shorter."""
    while tree[leaf] >= 0 and tree[leaf] != leaf:
        if tree[tree[leaf]] >= 0:
            tree[leaf] = tree[tree[leaf]]
        leaf = tree[leaf]
    return leaf

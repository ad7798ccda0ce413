"""Shapes as pixels: ellipses and polygons become runs; a pixel belongs to a shape that holds its middle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.sky.detections import Footprints

__all__ = ["ellipse_prints", "joined", "pixel_prints", "polygon_prints"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


def ellipse_prints(x: Floats, y: Floats, shape: Floats, within: tuple[int, int]) -> Footprints:
    """
    Footprints of ellipses ``r^T shape^-1 r <= 1``, on a map; one that holds no middle of a pixel has the nearest one.

    Parameters
    ----------
    x, y
        Centres (0-based pixels), ``(n,)``.
    shape
        ``(n, 3)`` xx, xy, yy: the squares of the semi-axes where it is diagonal.
    within
        Shape of the map; what leaves it is cut off.
    """
    n = len(x)
    ny, nx = within
    xx, xy, yy = (
        np.maximum(each, low) for each, low in zip(np.asarray(shape).T, (1e-6, -np.inf, 1e-6), strict=True)
    )
    half = np.sqrt(yy)
    low = np.clip(np.ceil(np.nan_to_num(y - half)), 0, ny).astype(np.int64)
    high = np.clip(np.floor(np.nan_to_num(y + half)) + 1, 0, ny).astype(np.int64)
    count = np.maximum(high - low, 0)
    owner = np.repeat(np.arange(n), count)
    row = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    dy = row - y[owner]
    middle = x[owner] + xy[owner] / yy[owner] * dy
    wide = np.sqrt(np.maximum((xx - xy * xy / yy)[owner] * (1.0 - dy * dy / yy[owner]), 0.0))
    start = np.clip(np.ceil(middle - wide), 0, nx).astype(np.int64)
    stop = np.clip(np.floor(middle + wide) + 1, 0, nx).astype(np.int64)
    good = stop > start
    row, start, stop, owner = row[good], start[good], stop[good], owner[good]
    bare = np.ones(n, np.bool_)
    bare[owner] = False
    with np.errstate(invalid="ignore"):
        i, j = np.floor(x + 0.5), np.floor(y + 0.5)
        bare &= (i >= 0) & (i < nx) & (j >= 0) & (j < ny)
    alone = np.flatnonzero(bare)
    i, j = i[alone].astype(np.int64), j[alone].astype(np.int64)
    return Footprints(
        np.concatenate([row, j]),
        np.concatenate([start, i]),
        np.concatenate([stop, i + 1]),
        np.concatenate([owner, alone]),
    )


def polygon_prints(parts: Sequence[tuple[int, Floats]], within: tuple[int, int]) -> Footprints:
    """
    Footprints of polygons by the even-odd rule, on a map.

    Parameters
    ----------
    parts
        The number of the object and vertices ``(k, 2)`` x and y (0-based pixels) of each polygon.
    within
        Shape of the map; what leaves it is cut off.
    """
    found = [_one_polygon(index, corners, within) for index, corners in parts]
    return joined(found)


def _one_polygon(index: int, corners: Floats, within: tuple[int, int]) -> Footprints:
    """Runs of one polygon: rows are crossed by its sides, and lie in it between pairs of crossings."""
    ny, nx = within
    x0, y0 = corners.T
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    rows = np.arange(
        int(np.clip(np.ceil(y0.min()), 0, ny)), int(np.clip(np.floor(y0.max()) + 1, 0, ny)), dtype=np.int64
    )
    crosses = (y0[None] <= rows[:, None]) != (y1[None] <= rows[:, None])
    line, side = np.nonzero(crosses)
    at = x0[side] + (rows[line] - y0[side]) * (x1[side] - x0[side]) / (y1[side] - y0[side])
    order = np.lexsort((at, line))
    line, at = line[order], at[order]  # an even number of crossings a row
    start = np.clip(np.ceil(at[0::2]), 0, nx).astype(np.int64)
    stop = np.clip(np.ceil(at[1::2]), 0, nx).astype(np.int64)
    good = stop > start
    row = rows[line[0::2]][good]
    return Footprints(row, start[good], stop[good], np.full(row.size, index, np.int64))


def pixel_prints(row: Ints, column: Ints, index: Ints) -> Footprints:
    """Footprints of single pixels with the numbers of their objects."""
    return Footprints(row, column, column + 1, index)


def joined(parts: Sequence[Footprints]) -> Footprints:
    """Footprints of several sets whose objects are numbered together."""
    if not parts:
        return Footprints.empty()
    return Footprints(
        *(
            np.concatenate([getattr(each, name) for each in parts])
            for name in ("row", "start", "stop", "index")
        )
    )

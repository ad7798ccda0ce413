"""Shapes of found and true objects on the pixels of one map, and which of them could overlap.

An ellipse of a table becomes the pixels in which its Gaussian is brighter than 1 sigma, or than a tenth of its
peak where that is fainter: the isophote that holds 90 % of its flux. That is the rule of true masks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skysift.score.sides import Floats, Ints, Rows
from skysift.sky.beam import FWHM_PER_SIGMA
from skysift.sky.detections import Detections, Footprints
from skysift.sky.frame import Frame

__all__ = ["batches", "box_pairs", "ellipse_shapes", "united"]

_SHARE = 0.1  # of the peak: the isophote around 90 % of the flux of a Gaussian


def ellipse_shapes(rows: Rows, frame: Frame) -> Detections:
    """The pixels of each row's ellipse, at least the one at its position; scores are 1.

    Rows must lie on the map and have a position there.
    """
    n = len(rows)
    inverse = np.linalg.inv(_nan_safe(frame.tangent(rows.x, rows.y)))  # (row, pixel, sky)
    major, minor = (np.nan_to_num(rows[name]) / FWHM_PER_SIGMA for name in ("major", "minor"))
    angle = np.radians(np.nan_to_num(rows["pa"]))
    along = np.stack([np.sin(angle), np.cos(angle)], axis=-1) * major[:, None]  # (row, sky)
    across = np.stack([np.cos(angle), -np.sin(angle)], axis=-1) * minor[:, None]
    axes = np.einsum("nij,nkj->nki", inverse, np.stack([along, across], axis=1))  # (row, axis, pixel)
    covariance = np.einsum("nki,nkj->nij", axes, axes)
    peak, rms = np.abs(rows["flux_peak"]), rows["rms"]
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.fmin(rms / peak, _SHARE)
        reach = 2.0 * np.log(1.0 / np.where(level > 0.0, level, _SHARE))  # squared, in sigma
    xx, yy = (np.maximum(covariance[:, i, i], 1e-9) * reach for i in (0, 1))
    xy = covariance[:, 0, 1] * reach
    y0, y1 = np.ceil(rows.y - np.sqrt(yy)).astype(np.int64), np.floor(rows.y + np.sqrt(yy)).astype(np.int64)
    count = np.maximum(y1 - y0 + 1, 0)
    index = np.repeat(np.arange(n), count)
    row = y0[index] + np.arange(index.size) - np.repeat(np.cumsum(count) - count, count)
    dy = row - rows.y[index]
    middle = rows.x[index] + xy[index] / yy[index] * dy
    half = np.sqrt(np.maximum((xx - xy**2 / yy)[index] * (1.0 - dy**2 / yy[index]), 0.0))
    start = np.maximum(np.ceil(middle - half).astype(np.int64), 0)
    stop = np.minimum(np.floor(middle + half).astype(np.int64) + 1, frame.shape[1])
    inside = (start < stop) & (row >= 0) & (row < frame.shape[0])
    x, y = np.rint(rows.x).astype(np.int64), np.rint(rows.y).astype(np.int64)
    prints = Footprints(
        np.concatenate([row[inside], y]),
        np.concatenate([start[inside], x]),
        np.concatenate([stop[inside], x + 1]),
        np.concatenate([index[inside], np.arange(n)]),
    )
    return Detections(_boxes(prints, n), np.ones(n), prints)


def united(shapes: Detections, group: Ints, n: int) -> Detections:
    """The shapes of the same group as one, groups 0 to n - 1; rows of group -1 are left out."""
    kept = np.flatnonzero(group >= 0)
    chosen = shapes.select(kept)
    new = group[kept]
    boxes = np.full((n, 4), np.iinfo(np.int64).max)
    boxes[:, 1::2] = -1
    for side, extreme in ((0, np.minimum), (1, np.maximum), (2, np.minimum), (3, np.maximum)):
        extreme.at(boxes[:, side], new, chosen.boxes[:, side])
    runs = chosen.footprints
    prints = Footprints(runs.row, runs.start, runs.stop, new[runs.index])
    return Detections(boxes, np.ones(n), prints)


def box_pairs(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Rows of two lists of boxes (y0, y1, x0, x1) that share a pixel, by a grid of cells as large as most boxes."""
    if not len(left) or not len(right):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    both = np.concatenate([left, right])
    cell = max(8, int(np.quantile(np.maximum(both[:, 1] - both[:, 0], both[:, 3] - both[:, 2]), 0.9)))
    origin = both.min(axis=0)[[0, 2]]
    width = int((both[:, 3].max() - origin[1]) // cell) + 2
    (key_l, row_l), (key_r, row_r) = (_cells(boxes, cell, origin, width) for boxes in (left, right))
    order = np.argsort(key_r, kind="stable")
    key_r, row_r = key_r[order], row_r[order]
    first, last = np.searchsorted(key_r, key_l, "left"), np.searchsorted(key_r, key_l, "right")
    count = last - first
    a = np.repeat(row_l, count)
    b = row_r[np.repeat(first - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))]
    y = np.maximum(left[a, 0], right[b, 0]) < np.minimum(left[a, 1], right[b, 1])
    x = np.maximum(left[a, 2], right[b, 2]) < np.minimum(left[a, 3], right[b, 3])
    pairs = np.unique(a[y & x] * np.int64(len(right)) + b[y & x])
    return pairs // len(right), pairs % len(right)


def batches(found: Ints, true: Ints, most: int = 40) -> Iterator[tuple[Ints, Ints]]:
    """Rows of found and of true boxes, batch by batch, such that boxes of different batches share no pixel.

    What is scored batch by batch is then the same as on the whole map, without a table of all against all.
    """
    a, b = box_pairs(found, true)
    n = len(found) + len(true)
    links = coo_array((np.ones(a.size, dtype=np.int8), (a, b + len(found))), shape=(n, n))
    cluster = connected_components(links, directed=False)[1].astype(np.int64)
    size = np.bincount(cluster)
    batch_of = np.cumsum(size) // most  # clusters one after the other, cut where enough are together
    batch = batch_of[cluster]
    order = np.argsort(batch, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(batch[order])) + 1):
        if rows.size:
            yield rows[rows < len(found)], rows[rows >= len(found)] - len(found)


def _cells(boxes: Ints, cell: int, origin: Ints, width: int) -> tuple[Ints, Ints]:
    """The cells that each box touches, and the row of the box, flat."""
    low_y, high_y = (boxes[:, 0] - origin[0]) // cell, (boxes[:, 1] - 1 - origin[0]) // cell
    low_x, high_x = (boxes[:, 2] - origin[1]) // cell, (boxes[:, 3] - 1 - origin[1]) // cell
    n_x = high_x - low_x + 1
    count = (high_y - low_y + 1) * n_x
    row = np.repeat(np.arange(len(boxes)), count)
    step = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return (low_y[row] + step // n_x[row]) * width + low_x[row] + step % n_x[row], row


def _boxes(prints: Footprints, n: int) -> Ints:
    """The boxes (y0, y1, x0, x1) around the footprints of the objects 0 to n - 1, each of which has pixels."""
    boxes = np.full((n, 4), np.iinfo(np.int64).max)
    boxes[:, 1::2] = -1
    np.minimum.at(boxes[:, 0], prints.index, prints.row)
    np.maximum.at(boxes[:, 1], prints.index, prints.row + 1)
    np.minimum.at(boxes[:, 2], prints.index, prints.start)
    np.maximum.at(boxes[:, 3], prints.index, prints.stop)
    return boxes


def _nan_safe(matrices: Floats) -> Floats:
    """Unit matrices where a matrix is not known."""
    return np.where(np.isfinite(matrices), matrices, np.eye(2))

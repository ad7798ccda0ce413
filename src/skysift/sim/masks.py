"""True masks: where the noise-free image of each object, beam included, is brighter than a level of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel
from skysift.base.errors import UsageError
from skysift.base.parallel import map_tasks
from skysift.sim.painting import add_gaussians, reach_of
from skysift.sky.detections import Detections, Footprints
from skysift.sky.runs import touching_runs

__all__ = ["ENCLOSED", "TrueMasks", "true_masks", "union"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ENCLOSED = 0.9  # of the flux, within the isophote that bounds the mask of what is faint
_CHUNK = 2048  # objects masked by one task
_LARGEST = 2**27  # pixels of the image of one object: a gigabyte, and as much again where it is sorted


@dataclass(frozen=True, eq=False)
class TrueMasks:
    """The masks of objects and what was learnt on the way, one row an object, all rows of what was asked for.

    Parameters
    ----------
    detections
        The masks inside the map; an object that lies outside has none, and the box of its nearest pixel.
    level
        Brightness of the isophote that bounds the mask (Jy/beam).
    peak
        The largest brightness of the noise-free image (Jy/beam).
    n_islands
        Connected parts (8 neighbours) of the whole mask that are at least as large as asked for.
    n_inside, n_all
        Pixels of the mask inside the map, and all.
    """

    detections: Detections
    level: Floats
    peak: Floats
    n_islands: Ints
    n_inside: Ints
    n_all: Ints


@kernel
def mask_objects(
    begin: Ints, x: Floats, y: Floats, peak: Floats, shape: Floats, reach: Floats,
    first: int, last: int, sigma: Floats, enclosed: float, ny: int, nx: int, smallest: float, out: Floats, box: Ints,
) -> Ints:  # fmt: skip
    """
    Runs ``(row, start, stop, object)`` inside the map of the masks of objects `first` to `last`.

    Parameters
    ----------
    begin
        ``(objects + 1,)``: the Gaussians of object o are rows ``begin[o]`` to ``begin[o + 1]``.
    sigma
        Noise at each object: its mask goes down to this, or to where `enclosed` of its flux is inside if that
        is fainter.
    smallest
        Pixels of an island that counts.
    out
        ``(objects, 5)`` gets level, peak, islands, pixels inside the map and all of them.
    box
        ``(objects, 4)`` gets the box of the mask inside the map, empty if there is none.
    """
    runs = np.empty((1024, 4), dtype=np.int64)
    n = 0
    for o in range(first, last):
        a, b = begin[o], begin[o + 1]
        box[o, 0], box[o, 1], box[o, 2], box[o, 3] = ny, 0, nx, 0
        if a == b:
            continue
        low_y, high_y, low_x, high_x = np.inf, -np.inf, np.inf, -np.inf
        for k in range(a, b):
            wide, high = math.sqrt(reach[k] * shape[k, 0]), math.sqrt(reach[k] * shape[k, 2])
            low_y, high_y = min(low_y, y[k] - high), max(high_y, y[k] + high)
            low_x, high_x = min(low_x, x[k] - wide), max(high_x, x[k] + wide)
        y0, x0 = math.floor(low_y), math.floor(low_x)
        image = np.zeros((math.ceil(high_y) - y0 + 1, math.ceil(high_x) - x0 + 1))
        add_gaussians(image, y0, x0, np.arange(a, b), x, y, peak, shape, reach)
        top = image.max()
        for k in range(a, b):
            top = max(top, value_at(x[k], y[k], a, b, x, y, peak, shape))
        level = isophote(image, sigma[o], enclosed)
        out[o, 0], out[o, 1] = level, top
        if not top > 0.0:
            continue
        # the runs of the whole mask, then those inside the map
        whole = np.empty((64, 3), dtype=np.int64)
        m = 0
        pixels = 0
        for j in range(image.shape[0]):
            i = 0
            while i < image.shape[1]:
                if image[j, i] < level:
                    i += 1
                    continue
                start = i
                while i < image.shape[1] and image[j, i] >= level:
                    i += 1
                if m == whole.shape[0]:
                    more = np.empty((2 * m, 3), dtype=np.int64)
                    more[:m] = whole
                    whole = more
                whole[m, 0], whole[m, 1], whole[m, 2] = j + y0, start + x0, i + x0
                pixels += i - start
                m += 1
        whole = whole[:m]
        out[o, 4] = pixels
        out[o, 2] = islands(whole, smallest)
        for r in range(m):
            row, start, stop = whole[r, 0], max(whole[r, 1], 0), min(whole[r, 2], nx)
            if row < 0 or row >= ny or start >= stop:
                continue
            if n == runs.shape[0]:
                grown = np.empty((2 * n, 4), dtype=np.int64)
                grown[:n] = runs
                runs = grown
            runs[n, 0], runs[n, 1], runs[n, 2], runs[n, 3] = row, start, stop, o
            n += 1
            out[o, 3] += stop - start
            box[o, 0], box[o, 1] = min(box[o, 0], row), max(box[o, 1], row + 1)
            box[o, 2], box[o, 3] = min(box[o, 2], start), max(box[o, 3], stop)
    return runs[:n]


@kernel
def value_at(
    px: float, py: float, a: int, b: int, x: Floats, y: Floats, peak: Floats, shape: Floats
) -> float:
    """The sum of Gaussians `a` to `b` at a position."""
    total = 0.0
    for k in range(a, b):
        xx, xy, yy = shape[k, 0], shape[k, 1], shape[k, 2]
        dx, dy = px - x[k], py - y[k]
        total += peak[k] * math.exp(
            -0.5 * (yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy) / (xx * yy - xy * xy)
        )
    return total


@kernel
def isophote(image: Floats, sigma: float, enclosed: float) -> float:
    """The level of a mask: `sigma`, or that above which `enclosed` of the flux lies if that is fainter."""
    values = image.ravel()
    total, above = 0.0, 0.0
    for value in values:
        total += value
        if value >= sigma:
            above += value
    if above >= enclosed * total and above > 0.0:
        return sigma
    ordered = np.sort(values)
    reached = 0.0
    for i in range(ordered.shape[0] - 1, -1, -1):
        reached += ordered[i]
        if reached >= enclosed * total:
            return float(ordered[i])
    return float(ordered[0])


@kernel
def islands(runs: Ints, smallest: float) -> int:
    """How many connected parts (8 neighbours) of sorted runs ``(row, start, stop)`` have so many pixels."""
    parent = touching_runs(runs, 1)
    area = np.zeros(runs.shape[0])
    for i in range(runs.shape[0]):
        area[parent[i]] += runs[i, 2] - runs[i, 1]
    count = 0
    for i in range(runs.shape[0]):
        if parent[i] == i and area[i] >= smallest:
            count += 1
    return max(count, 1)


def true_masks(
    owner: Ints,
    x: Floats,
    y: Floats,
    peak: Floats,
    shape: Floats,
    sigma: Floats,
    size: tuple[int, int],
    *,
    smallest: float = 1.0,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> TrueMasks:
    """The masks of objects: each is seen alone, with the beam and without noise.

    A mask is where the image is at least as bright as 1 sigma of the map, or, where that is fainter, as the
    isophote within which 90 % of the flux lies.

    Parameters
    ----------
    owner
        The object of each Gaussian, in order.
    x, y, peak, shape
        The Gaussians with the beam: centre (pixel), peak (Jy/beam), covariance (n, 3) (pixel^2).
    sigma
        Noise at each object (Jy/beam).
    size
        Rows and columns of the map.
    smallest
        Pixels of an island that counts as one.
    workers, progress
        How many tasks at once; called as progress(done, total).

    Raises
    ------
    UsageError
        The image of one object has more than 2**27 pixels.
    """
    n = sigma.size
    begin = np.searchsorted(owner, np.arange(n + 1)).astype(np.int64)
    reach = reach_of(peak, 0.0)
    if n:  # what is far brighter than the noise reaches farther before it is fainter than that
        reach = np.maximum(reach, reach_of(peak / sigma[owner], 0.5))
    _check_sizes(begin, x, y, shape, reach)
    out, boxes = np.zeros((n, 5)), np.zeros((n, 4), dtype=np.int64)
    work = partial(_chunk, begin, x, y, peak, shape, reach, sigma, size, smallest, out, boxes)
    parts = list(map_tasks(work, range(0, n, _CHUNK), workers=workers, progress=progress))
    runs = np.concatenate([np.empty((0, 4), dtype=np.int64), *parts])
    prints = Footprints(runs[:, 0], runs[:, 1], runs[:, 2], runs[:, 3])
    nowhere = out[:, 3] == 0
    ny, nx = size
    boxes[nowhere] = np.array([0, 1, 0, 1])
    assert boxes.size == 0 or (boxes[:, 1].max() <= ny and boxes[:, 3].max() <= nx)
    counts = out[:, 2:].astype(np.int64)
    return TrueMasks(
        Detections(boxes, np.ones(n), prints), out[:, 0], out[:, 1], counts[:, 0], counts[:, 1], counts[:, 2]
    )


def _check_sizes(begin: Ints, x: Floats, y: Floats, shape: Floats, reach: Floats) -> None:
    """No object's image is too large for the memory.

    Raises
    ------
    UsageError
        One is.
    """
    first = begin[:-1][np.diff(begin) > 0]
    if not first.size:
        return
    wide, high = np.sqrt(reach * shape[:, 0]), np.sqrt(reach * shape[:, 2])
    columns = np.maximum.reduceat(x + wide, first) - np.minimum.reduceat(x - wide, first)
    rows = np.maximum.reduceat(y + high, first) - np.minimum.reduceat(y - high, first)
    largest = int(np.argmax(rows * columns))
    if rows[largest] * columns[largest] > _LARGEST:
        raise UsageError(
            "an object covers too many pixels",
            got=f"{columns[largest]:.0f} x {rows[largest]:.0f}",
            allowed=f"an area of up to {_LARGEST:,}",
            todo="take larger pixels (pixel) or smaller objects (size_scale, flux_max)",
        )


def _chunk(
    begin: Ints,
    x: Floats,
    y: Floats,
    peak: Floats,
    shape: Floats,
    reach: Floats,
    sigma: Floats,
    size: tuple[int, int],
    smallest: float,
    out: Floats,
    boxes: Ints,
    first: int,
) -> Ints:
    """The runs of some objects; their rows of `out` and `boxes` are filled."""
    last = min(first + _CHUNK, sigma.size)
    return mask_objects(
        begin, x, y, peak, shape, reach, first, last, sigma, ENCLOSED, *size, smallest, out, boxes
    )


def union(prints: Footprints) -> tuple[Ints, Ints, Ints]:
    """The connected regions of all footprints together: runs (n, 3), the region of each, and of each footprint's run.

    Regions are numbered from 0 in the order of their first pixel.
    """
    if not len(prints):
        none = np.empty(0, dtype=np.int64)
        return none.reshape(0, 3), none, none
    flat = Footprints(prints.row, prints.start, prints.stop, np.zeros(len(prints), dtype=np.int64))
    runs = np.stack([flat.row, flat.start, flat.stop], axis=1)
    _, region = np.unique(touching_runs(runs, 1), return_inverse=True)
    width = int(runs[:, 2].max()) + 1
    key = runs[:, 0] * width + runs[:, 1]
    held = np.searchsorted(key, prints.row * width + prints.start, side="right") - 1
    return runs, region.astype(np.int64), region[held].astype(np.int64)

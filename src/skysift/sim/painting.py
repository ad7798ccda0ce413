"""Kernels and layer that paint Gaussians into cells of a map; a map is never in memory as a whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel
from skysift.sky.box import Box

__all__ = ["CELL", "REACH", "GaussianLayer", "add_gaussians", "reach_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CELL = 512  # pixels along the side of a cell of the lattice, which is anchored at pixel (0, 0)
REACH = 2.0 * math.log(
    1e5
)  # squared radius (sigma^2) at which a Gaussian is cut: 1e-5 of its flux lies outside
FAINT = 0.01  # of the noise: a bright Gaussian is followed until it is fainter than that


@kernel
def add_gaussians(
    out: Floats,
    y0: int,
    x0: int,
    rows: Ints,
    x: Floats,
    y: Floats,
    peak: Floats,
    shape: Floats,
    reach: Floats,
) -> None:
    """
    Add Gaussians to an image ``out (y, x)`` whose first pixel is (y0, x0), one after the other.

    Parameters
    ----------
    rows
        Which Gaussians, in the order of the sums.
    x, y, peak
        Centre (pixel) and value there.
    shape
        Covariance ``(n, 3)``: xx, xy, yy (pixel^2).
    reach
        Squared radius (sigma^2) at which each is cut.
    """
    ny, nx = out.shape
    for k in rows:
        xx, xy, yy = shape[k, 0], shape[k, 1], shape[k, 2]
        det = xx * yy - xy * xy
        a, b, c = yy / det, -xy / det, xx / det
        limit, value = reach[k], peak[k]
        high = math.sqrt(limit * yy)
        first, last = max(y0, math.ceil(y[k] - high)), min(y0 + ny - 1, math.floor(y[k] + high))
        for j in range(first, last + 1):
            dy = j - y[k]
            middle = -b * dy / a  # of the chord in this row
            rest = limit - (c - b * b / a) * dy * dy
            if rest <= 0.0:
                continue
            half = math.sqrt(rest / a)
            left = max(x0, math.ceil(x[k] + middle - half))
            right = min(x0 + nx - 1, math.floor(x[k] + middle + half))
            line = out[j - y0]
            edge = value * math.exp(-0.5 * (limit - rest))
            for i in range(left, right + 1):
                dx = i - x[k] - middle
                line[i - x0] += edge * math.exp(-0.5 * a * dx * dx)


@kernel
def cells_of(
    x: Floats, y: Floats, shape: Floats, reach: Floats, rows: int, columns: int, cell: int
) -> tuple[Ints, Ints]:
    """
    Which Gaussians touch each cell: ``first (cells + 1,)`` and the Gaussians, by cell and within it in order.

    Cells are counted row by row over ``rows x columns`` of them.
    """
    n = x.shape[0]
    box = np.empty((n, 4), dtype=np.int64)
    first = np.zeros(rows * columns + 1, dtype=np.int64)
    for k in range(n):
        wide, high = math.sqrt(reach[k] * shape[k, 0]), math.sqrt(reach[k] * shape[k, 2])
        box[k, 0] = max(0, math.floor(math.ceil(y[k] - high) / cell))
        box[k, 1] = min(rows - 1, math.floor(math.floor(y[k] + high) / cell))
        box[k, 2] = max(0, math.floor(math.ceil(x[k] - wide) / cell))
        box[k, 3] = min(columns - 1, math.floor(math.floor(x[k] + wide) / cell))
        for j in range(box[k, 0], box[k, 1] + 1):
            for i in range(box[k, 2], box[k, 3] + 1):
                first[j * columns + i + 1] += 1
    for each in range(rows * columns):
        first[each + 1] += first[each]
    place = first[:-1].copy()
    index = np.empty(first[-1], dtype=np.int64)
    for k in range(n):
        for j in range(box[k, 0], box[k, 1] + 1):
            for i in range(box[k, 2], box[k, 3] + 1):
                index[place[j * columns + i]] = k
                place[j * columns + i] += 1
    return first, index


def reach_of(peak: Floats, floor: float) -> Floats:
    """Squared radius (sigma^2) at which Gaussians are cut: 1e-5 of the flux is outside, and less than `floor`.

    Parameters
    ----------
    peak
        Value at the centre.
    floor
        What may be cut off: a brightness; 0 for no such rule.
    """
    if floor <= 0.0:
        return np.full(peak.shape, REACH)
    return np.maximum(REACH, 2.0 * np.log(np.maximum(np.abs(peak) / floor, 1.0)))


@dataclass(frozen=True, eq=False)
class GaussianLayer:
    """Gaussians, beam included, that are painted cell by cell.

    Samples at pixel centres add up to the flux where sigma is above 0.8 pixel, to better than 1e-5; what is cut
    off far outside is 1e-5 of the flux of each.

    Parameters
    ----------
    x, y
        Centres (pixel, 0-based).
    peak
        Brightness at the centre (Jy/beam).
    shape
        Covariance with the beam (pixel^2), one row a Gaussian: xx, xy, yy.
    size
        Rows and columns of the map, (ny, nx).
    floor
        Brightness below which a Gaussian may be cut (Jy/beam).
    """

    x: Floats
    y: Floats
    peak: Floats
    shape: Floats  # (n, 3)
    size: tuple[int, int]
    floor: float = 0.0
    _reach: Floats = field(init=False, repr=False)
    _first: Ints = field(init=False, repr=False)
    _index: Ints = field(init=False, repr=False)

    def __post_init__(self) -> None:
        reach = reach_of(self.peak, self.floor)
        rows, columns = (-(-n // CELL) for n in self.size)
        first, index = cells_of(self.x, self.y, self.shape, reach, rows, columns, CELL)
        for name, value in (("_reach", reach), ("_first", first), ("_index", index)):
            object.__setattr__(self, name, value)

    def paint(self, box: Box) -> Floats:
        """The layer (y, x) over one cell of the lattice (Jy/beam)."""
        out = np.zeros(box.shape)
        cell = (box.y0 // CELL) * -(-self.size[1] // CELL) + box.x0 // CELL
        rows = self._index[self._first[cell] : self._first[cell + 1]]
        add_gaussians(out, box.y0, box.x0, rows, self.x, self.y, self.peak, self.shape, self._reach)
        return out

"""The pixels of sources that are known by centre and shape: each pixel belongs to the source that it is nearest to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel
from skysift.sky.detections import Footprints

__all__ = ["REACH", "nearest", "runs_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Pixels = NDArray[np.float32]

REACH = 0.75  # FWHM: how far from its centre a pixel can be a source's


@kernel
def nearest(
    x: Floats, y: Floats, shape: Floats, reach: float, z: Pixels, grow: float, y0: int, x0: int,
    owner: NDArray[np.int32],
) -> None:  # fmt: skip
    """
    Fill the number (from 1) of the nearest source of each pixel, 0 for none.

    Distances are in units of each source's own width; a pixel farther than `reach` FWHM from all, or fainter than
    `grow`, is nobody's. The pixel at a source's centre is its own in any case, unless it is one of two.
    """
    ny, nx = z.shape
    best = np.full((ny, nx), np.inf)
    for k in range(x.shape[0]):
        xx, xy, yy = shape[k, 0], shape[k, 1], shape[k, 2]
        det = xx * yy - xy * xy
        ry, rx = reach * 2.3548 * np.sqrt(yy), reach * 2.3548 * np.sqrt(xx)
        low_y, high_y = max(0, int(np.ceil(y[k] - ry)) - y0), min(ny - 1, int(np.floor(y[k] + ry)) - y0)
        low_x, high_x = max(0, int(np.ceil(x[k] - rx)) - x0), min(nx - 1, int(np.floor(x[k] + rx)) - x0)
        limit = (reach * 2.3548) ** 2
        for j in range(low_y, high_y + 1):
            for i in range(low_x, high_x + 1):
                if not z[j, i] >= grow:
                    continue
                dx, dy = i + x0 - x[k], j + y0 - y[k]
                q = (yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy) / det
                if q <= limit and q < best[j, i]:
                    best[j, i] = q
                    owner[j, i] = k + 1
    for k in range(x.shape[0]):
        j, i = int(np.floor(y[k] + 0.5)) - y0, int(np.floor(x[k] + 0.5)) - x0
        if 0 <= j < ny and 0 <= i < nx and best[j, i] > 0.0 and z[j, i] == z[j, i]:
            best[j, i] = 0.0
            owner[j, i] = k + 1


def runs_of(owner: NDArray[np.int32], y0: int, x0: int) -> Footprints:
    """The runs along rows of the numbers (from 1) of sources in a box that begins at (y0, x0); sources count from 0."""
    ny, nx = owner.shape
    wide = np.zeros((ny, nx + 2), np.int64)
    wide[:, 1:-1] = owner
    row, edge = np.nonzero(np.diff(wide, axis=1))
    flat = row * (nx + 1) + edge
    begin = flat[wide[row, edge + 1] > 0]
    end = flat[wide[row, edge] > 0]
    rows, starts, stops = begin // (nx + 1), begin % (nx + 1), end % (nx + 1)
    return Footprints(rows + y0, starts + x0, stops + x0, owner[rows, starts].astype(np.int64) - 1)

"""Kernels that split an island at its peaks: prominence of each peak and the basin that drains into it."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.sky.runs import root

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]


@kernel
def island_peaks(
    data: Pixels, level: Pixels, rms: Pixels, labels: Labels, y0: int, x0: int, members: Ints, boxes: Ints, sign: float,
    beams: Floats, prominence: float, out: Floats, first: Ints,
) -> int:  # fmt: skip
    """
    Start values of the components of each island: its peaks, brightest first, with the shape of their basins.

    Pixels are taken from the brightest down; one that touches no earlier pixel starts a basin, one that touches
    two joins them, and a basin whose peak rises less than ``prominence`` (sigma) above that saddle is absorbed.

    Parameters
    ----------
    members, boxes
        Labels ``(n,)`` and their boxes ``(n, 4)`` in pixels of the map; ``labels[0, 0]`` is pixel (y0, x0).
    beams
        Covariance of the beam at each island ``(n, 3)``, pixels squared.
    out
        Rows (amplitude in map units, x, y, covariance xx, xy, yy); large enough for one row per pixel.
    first
        ``(n + 1,)``: seeds of island i are rows ``first[i]`` to ``first[i + 1]``.
    """
    n_seeds = 0
    for i in range(members.shape[0]):
        me, beam = members[i], beams[i]
        top, bottom = max(boxes[i, 0] - y0, 0), min(boxes[i, 1] - y0, data.shape[0])
        left, right = max(boxes[i, 2] - x0, 0), min(boxes[i, 3] - x0, data.shape[1])
        height, width = bottom - top, right - left
        index = np.full((height, width), -1, np.int64)
        n = 0
        for v in range(height):
            for u in range(width):
                if labels[v + top, u + left] == me and not np.isnan(data[v + top, u + left]):
                    n += 1
        rows, columns = np.empty(n, np.int64), np.empty(n, np.int64)
        value, height_of = np.empty(n), np.empty(n)
        n = 0
        for v in range(height):
            for u in range(width):
                if labels[v + top, u + left] == me and not np.isnan(data[v + top, u + left]):
                    rows[n], columns[n] = v, u
                    value[n] = sign * (np.float64(data[v + top, u + left]) - level[v + top, u + left])
                    height_of[n] = value[n] / rms[v + top, u + left]
                    n += 1
        order = np.argsort(-height_of)
        parent = np.arange(n)
        peak = np.arange(n)  # of the basin whose root this is
        basin = np.empty(n, np.int64)  # the basin's peak at the time the pixel was taken
        survives = np.zeros(n, np.bool_)
        absorbed_by = np.arange(n)
        for j in order:
            v, u = rows[j], columns[j]
            index[v, u] = j
            mine = -1
            for r in range(max(v - 1, 0), min(v + 2, height)):
                for c in range(max(u - 1, 0), min(u + 2, width)):
                    k = index[r, c]
                    if k < 0 or k == j:
                        continue
                    other = root(parent, k)
                    if mine < 0:
                        mine = other
                    elif other != mine:
                        high, low = (
                            (mine, other)
                            if height_of[peak[mine]] >= height_of[peak[other]]
                            else (other, mine)
                        )
                        if height_of[peak[low]] - height_of[j] >= prominence:
                            survives[peak[low]] = True
                        else:
                            absorbed_by[peak[low]] = peak[high]
                        parent[low] = high
                        mine = high
            if mine >= 0:
                parent[j] = mine
                basin[j] = peak[mine]
            else:
                survives[j] = True  # until it is absorbed
                basin[j] = j
        for j in range(n):
            if absorbed_by[j] != j:
                survives[j] = False
        # moments of each surviving basin
        weight, sx, sy = np.zeros(n), np.zeros(n), np.zeros(n)
        sxx, sxy, syy = np.zeros(n), np.zeros(n), np.zeros(n)
        for j in range(n):
            b = basin[j]
            while absorbed_by[b] != b:
                b = absorbed_by[b]
            dx, dy = float(columns[j] - columns[b]), float(rows[j] - rows[b])
            weight[b] += value[j]
            sx[b] += value[j] * dx
            sy[b] += value[j] * dy
            sxx[b] += value[j] * dx * dx
            sxy[b] += value[j] * dx * dy
            syy[b] += value[j] * dy * dy
        first[i] = n_seeds
        for j in order:
            if not survives[j]:
                continue
            mx, my = sx[j] / weight[j], sy[j] / weight[j]
            xx, xy, yy = (
                sxx[j] / weight[j] - mx * mx,
                sxy[j] / weight[j] - mx * my,
                syy[j] / weight[j] - my * my,
            )
            row = out[n_seeds]
            row[0], row[1], row[2] = value[j], columns[j] + left + x0, rows[j] + top + y0
            row[3], row[4], row[5] = beam[0], beam[1], beam[2]
            if xx > beam[0] and yy > beam[2] and xx * yy - xy * xy > beam[0] * beam[2] - beam[1] * beam[1]:
                row[3], row[4], row[5] = xx, xy, yy
            n_seeds += 1
    first[members.shape[0]] = n_seeds
    return n_seeds

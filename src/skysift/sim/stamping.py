"""Kernels of the artefacts: patterns of sidelobes put around sources, and what the runs of a map hold."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TAPS = 3  # pixels to each side that the interpolation looks at


@kernel
def lanczos(shift: float, out: Floats) -> None:
    """Fill ``out (6,)`` with the weights of the samples -2 .. 3 for a value at ``shift`` in [0, 1]; they sum to 1.

    Lanczos windows of three samples (Duchon 1979, J. Appl. Meteor. 18, 1016): a wave of four pixels keeps its
    height within 2 %, one of three within 10 %.
    """
    total = 0.0
    for k in range(6):
        d = np.pi * abs(k - 2.0 - shift)
        if d < 1e-9:
            out[k] = 1.0
        elif d >= 3.0 * np.pi - 1e-9:
            out[k] = 0.0
        else:
            out[k] = 3.0 * np.sin(d) * np.sin(d / 3.0) / (d * d)
        total += out[k]
    for k in range(6):
        out[k] /= total


@kernel
def add_stamps(
    bank: npt.NDArray[np.float32], mix: Floats, x: Floats, y: Floats, reach: Floats, y0: int, x0: int, out: Floats
) -> None:  # fmt: skip
    """
    Add patterns to an image ``out (y, x)`` whose first pixel is (y0, x0), each around its source.

    The pattern of source s is ``sum_k mix[s, k] bank[k]`` with its middle at (x, y), moved between the pixels by
    `lanczos`, and goes smoothly to zero from half of ``reach`` to ``reach`` pixels. Each pixel takes the sources in their
    order, whatever the image around it. ``bank (pattern, y, x)`` is square, its middle the source, and reaches
    at least `TAPS` + 1 pixels beyond every ``reach``.
    """
    middle = bank.shape[1] // 2
    height, width = out.shape
    wy, wx = np.empty(6), np.empty(6)
    for s in range(x.shape[0]):
        r = reach[s]
        top = max(int(np.ceil(y[s] - r)) - y0, 0)
        bottom = min(int(np.floor(y[s] + r)) + 1 - y0, height)
        left = max(int(np.ceil(x[s] - r)) - x0, 0)
        right = min(int(np.floor(x[s] + r)) + 1 - x0, width)
        if top >= bottom or left >= right:
            continue
        iy, ix = int(np.floor(y[s])), int(np.floor(x[s]))
        lanczos(1.0 - (y[s] - iy), wy)
        lanczos(1.0 - (x[s] - ix), wx)
        rows, columns = bottom - top, right - left
        # pixel i of the image lies between samples i + first and i + first + 1 of the bank
        first_y, first_x = y0 - iy + middle - 1, x0 - ix + middle - 1
        mixed = np.zeros((rows + 5, columns + 5))
        for k in range(bank.shape[0]):
            part = mix[s, k]
            for i in range(rows + 5):
                for j in range(columns + 5):
                    mixed[i, j] += part * bank[k, top + first_y + i - 2, left + first_x + j - 2]
        along = np.zeros((rows + 5, columns))
        for i in range(rows + 5):
            for k in range(6):
                for j in range(columns):
                    along[i, j] += wx[k] * mixed[i, j + k]
        line = np.empty(columns)
        for i in range(rows):
            for j in range(columns):
                line[j] = 0.0
            for k in range(6):
                for j in range(columns):
                    line[j] += wy[k] * along[i + k, j]
            dy = top + i + y0 - y[s]
            for j in range(columns):
                dx = left + j + x0 - x[s]
                t = (dx * dx + dy * dy) / (r * r)
                if t < 1.0:
                    u = min((1.0 - t) / 0.75, 1.0)
                    out[top + i, left + j] += line[j] * u * u * (3.0 - 2.0 * u)


@kernel
def blank_ellipses(lobes: Floats, square: float, y0: int, x0: int, out: Floats) -> None:
    """
    Set pixels of ``out (y, x)`` to 0 where ``d' S^-1 d < square`` from a source.

    ``lobes (source, 5)`` are x, y and the covariance S (xx, xy, yy; pixels squared) of each.
    """
    for s in range(lobes.shape[0]):
        x, y, xx, xy, yy = lobes[s, 0], lobes[s, 1], lobes[s, 2], lobes[s, 3], lobes[s, 4]
        limit = square * (xx * yy - xy * xy)
        far_y, far_x = np.sqrt(square * yy), np.sqrt(square * xx)
        top, bottom = (
            max(int(np.ceil(y - far_y)) - y0, 0),
            min(int(np.floor(y + far_y)) + 1 - y0, out.shape[0]),
        )
        left, right = (
            max(int(np.ceil(x - far_x)) - x0, 0),
            min(int(np.floor(x + far_x)) + 1 - x0, out.shape[1]),
        )
        for i in range(top, bottom):
            dy = i + y0 - y
            for j in range(left, right):
                dx = j + x0 - x
                if yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy < limit:
                    out[i, j] = 0.0


@kernel
def sum_runs(data: Floats, runs: Ints, y0: int, x0: int, out: Floats) -> None:
    """
    Fill ``out (run, 4)`` with sum, sum times x, sum times y, and the value farthest from zero of each run.

    ``runs (run, 3)`` are row, start, stop in pixels of the map, ``data (y, x)`` begins at (y0, x0).
    """
    for r in range(runs.shape[0]):
        for k in range(4):
            out[r, k] = 0.0
        for c in range(runs[r, 1], runs[r, 2]):
            value = data[runs[r, 0] - y0, c - x0]
            out[r, 0] += value
            out[r, 1] += value * c
            out[r, 2] += value * runs[r, 0]
            if abs(value) > abs(out[r, 3]):
                out[r, 3] = value

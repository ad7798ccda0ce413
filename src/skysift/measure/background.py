"""Kernels of the background mesh: robust level and rms in cells that are anchored to the map's first pixel."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.float32]


@kernel
def select(values: Floats, n: int, k: int) -> float:
    """The k-th smallest of the first n values (quickselect; the values are reordered)."""
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return float(values[k])


@kernel
def clipped(values: Floats, n: int, clip: float, truncation: float) -> tuple[float, float, float]:
    """
    Level, rms and median of the first n values, clipped around the level until nothing changes.

    The clipped rms of a Gaussian is too small by a known factor, ``truncation``; it is put back in
    every round, so that the clipping level is the true one.
    """
    scratch = values[:n].copy()
    median = select(scratch, n, n // 2)
    for i in range(n):
        scratch[i] = abs(values[i] - median)
    rms = 1.4826 * select(scratch, n, n // 2)
    if rms <= 0.0:
        total = 0.0
        for i in range(n):
            total += (values[i] - median) ** 2
        rms = np.sqrt(total / n)
    level = median
    kept = -1
    for _ in range(30):
        low, high = level - clip * rms, level + clip * rms
        count, first, second = 0, 0.0, 0.0
        for i in range(n):
            inside = low <= values[i] <= high
            d = values[i] - median if inside else 0.0
            count += inside
            first += d
            second += d * d
        if count < 2 or count == kept:
            break
        kept = count
        mean = first / count
        level = median + mean
        rms = np.sqrt(max(second / count - mean * mean, 0.0)) / truncation
    return level, rms, median


@kernel
def cell_statistics(
    data: Pixels,
    masked: npt.NDArray[np.uint8],
    y_origin: int,
    x_origin: int,
    cell: int,
    rows: int,
    columns: int,
    first_row: int,
    first_column: int,
    stride: int,
    clip: float,
    truncation: float,
    wanted: npt.NDArray[np.bool_],
    out: Floats,
) -> None:
    """
    Fill ``out (row, column, 5)`` with level, rms, used pixels, brightest pixel and masked share of each cell.

    Cells are ``rows x columns`` from cell (first_row, first_column) on; ``data[0, 0]`` is pixel
    (y_origin, x_origin) of the map. Every ``stride``-th pixel is used, counted from the cell's corner. Cells that
    are not ``wanted (row, column)`` stay NaN, with no pixel.
    """
    height, width = data.shape
    values = np.empty(cell * cell)
    for r in range(rows):
        for c in range(columns):
            out[r, c, :] = np.nan
            out[r, c, 2] = 0.0
            if not wanted[r, c]:
                continue
            y0 = max((first_row + r) * cell - y_origin, 0)
            x0 = max((first_column + c) * cell - x_origin, 0)
            y1 = min((first_row + r + 1) * cell - y_origin, height)
            x1 = min((first_column + c + 1) * cell - x_origin, width)
            n, zeros, hidden, finite = 0, 0, 0, 0
            peak = -np.inf
            for y in range(y0, y1):
                row = data[y]
                for x in range(x0, x1):
                    if row[x] > peak:
                        peak = row[x]
            for y in range(y0, y1, stride):
                for x in range(x0, x1, stride):
                    v = data[y, x]
                    if np.isnan(v):
                        continue
                    finite += 1
                    if masked[y, x]:
                        hidden += 1
                        continue
                    if v == 0.0:
                        zeros += 1
                    values[n] = v
                    n += 1
            if zeros > 0.3 * n:  # padding, not noise
                kept = 0
                for i in range(n):
                    if values[i] != 0.0:
                        values[kept] = values[i]
                        kept += 1
                n = kept
            out[r, c, 2] = n * stride * stride
            out[r, c, 3] = peak
            out[r, c, 4] = hidden / max(finite, 1)
            if n >= 2:
                level, rms, _ = clipped(values, n, clip, truncation)
                if rms > 0.0 and np.isfinite(rms):
                    out[r, c, 0] = level
                    out[r, c, 1] = rms


@kernel
def mask_bright(
    data: Pixels,
    level: Pixels,
    rms: Pixels,
    threshold: float,
    offsets: npt.NDArray[np.int64],
    masked: npt.NDArray[np.uint8],
) -> None:
    """Mark in ``masked`` all pixels at ``offsets (n, 2)`` from a pixel that is brighter than the threshold (sigma)."""
    height, width = data.shape
    for y in range(height):
        for x in range(width):
            if data[y, x] - level[y, x] > threshold * rms[y, x]:
                for k in range(offsets.shape[0]):
                    v, u = y + offsets[k, 0], x + offsets[k, 1]
                    if 0 <= v < height and 0 <= u < width:
                        masked[v, u] = 1


@kernel
def interpolate(mesh: Floats, cell: int, y_origin: int, x_origin: int, out: Pixels) -> None:
    """Bilinear value of a mesh of cell centres at every pixel of ``out``, held constant beyond the outer centres."""
    rows, columns = mesh.shape
    height, width = out.shape
    left = np.empty(columns)
    for y in range(height):
        v = (y + y_origin + 0.5) / cell - 0.5
        v = min(max(v, 0.0), rows - 1.0)
        r = min(int(v), max(rows - 2, 0))
        f = v - r
        below = min(r + 1, rows - 1)
        for c in range(columns):
            left[c] = (1.0 - f) * mesh[r, c] + f * mesh[below, c]
        x = 0
        while x < width:
            u = (x + x_origin + 0.5) / cell - 0.5
            u = min(max(u, 0.0), columns - 1.0)
            c = min(int(u), max(columns - 2, 0))
            a = left[c]
            b = left[min(c + 1, columns - 1)]
            # all pixels of this row between the same two centres
            stop = width
            if u < columns - 1.0:
                stop = min(width, int(np.ceil((c + 1.5) * cell - 0.5)) - x_origin)
                stop = max(stop, x + 1)
            for i in range(x, stop):
                w = (i + x_origin + 0.5) / cell - 0.5
                w = min(max(w, 0.0), columns - 1.0) - c
                out[y, i] = (1.0 - w) * a + w * b
            x = stop


@kernel
def correlate(z: Floats, weight: Floats, n_lags_y: int, n_lags_x: int, sums: Floats, pairs: Floats) -> None:
    """
    Add products of ``z (y, x)`` with itself over lags ``(dy >= 0, dx)`` to ``sums``, and how many to ``pairs``.

    Both are ``(n_lags_y + 1, 2 n_lags_x + 1)``; the lag (0, 0) lies at ``[0, n_lags_x]``. ``z`` is zero where its
    ``weight`` (0 or 1) is.
    """
    height, width = z.shape
    n = 2 * n_lags_x + 1
    for dy in range(n_lags_y + 1):
        for y in range(height - dy):
            for x in range(n_lags_x, width - n_lags_x):
                if weight[y, x] == 0.0:
                    continue
                v = z[y, x]
                for k in range(n):  # one sum per lag, so that the order of adding stays fixed
                    sums[dy, k] += v * z[y + dy, x - n_lags_x + k]
                    pairs[dy, k] += weight[y + dy, x - n_lags_x + k]

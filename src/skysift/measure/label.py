"""Kernels that label: pixels above a threshold as runs along rows; `skysift.sky.runs` joins those that touch."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Ints = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.float32]


@kernel
def count_runs(data: Pixels, level: Pixels, rms: Pixels, threshold: float, sign: float) -> int:
    """Number of runs of pixels with ``sign * (data - level) >= threshold * rms``."""
    n = 0
    for y in range(data.shape[0]):
        inside = False
        for x in range(data.shape[1]):
            above = sign * (np.float64(data[y, x]) - level[y, x]) >= threshold * np.float64(rms[y, x])
            if above and not inside:
                n += 1
            inside = above
    return n


@kernel
def find_runs(
    data: Pixels, level: Pixels, rms: Pixels, threshold: float, sign: float,
    y_origin: int, x_origin: int, runs: Ints, peaks: npt.NDArray[np.float64],
) -> None:  # fmt: skip
    """
    Fill ``runs (n, 3)`` with row, start, stop (half-open, pixels of the map) in map order.

    ``peaks`` gets the largest signal-to-noise of each run.
    """
    n = 0
    for y in range(data.shape[0]):
        inside = False
        for x in range(data.shape[1]):
            value = sign * (np.float64(data[y, x]) - level[y, x])
            noise = np.float64(rms[y, x])
            above = value >= threshold * noise
            if above:
                if not inside:
                    runs[n, 0], runs[n, 1] = y + y_origin, x + x_origin
                    peaks[n] = value / noise
                peaks[n] = max(peaks[n], value / noise)
            elif inside:
                runs[n, 2] = x + x_origin
                n += 1
            inside = above
        if inside:
            runs[n, 2] = data.shape[1] + x_origin
            n += 1


@kernel
def significance_histogram(data: Pixels, level: Pixels, rms: Pixels, width: float, counts: Ints) -> None:
    """Add to ``counts`` how many pixels have a signal-to-noise in bins of ``width`` from 0 on; the last bin is open."""
    last = counts.shape[0] - 1
    for y in range(data.shape[0]):
        for x in range(data.shape[1]):
            z = (np.float64(data[y, x]) - level[y, x]) / np.float64(rms[y, x])
            if z >= 0.0:
                counts[min(int(z / width), last)] += 1


@kernel
def mark_edges(labels: npt.NDArray[np.int32], data: Pixels, out: npt.NDArray[np.bool_]) -> None:
    """Set ``out[label]`` for labels ``(y, x)`` that touch a blank pixel."""
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            if labels[y, x] == 0:
                continue
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if np.isnan(data[v, u]):
                        out[labels[y, x]] = True

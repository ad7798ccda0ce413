"""Kernels of the uv plane: samples of all baselines, times and channels, counted or summed in cells.

The grid is that of a discrete Fourier transform of ``n x n`` pixels: the cell (ky, kx) stands for the wave
``exp(2 pi i (kx dx + ky dy) / n)`` over pixel offsets; x runs to the west, hence the sign of u. A sample belongs to
its nearest cell and, conjugate, to the opposite one; those finer than two pixels are left out.
"""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Complexes = npt.NDArray[np.complex128]


@kernel
def count_samples(
    places: Floats, hours: Floats, sin_dec: float, cos_dec: float, cells: Floats, used: Bools,
    interval: npt.NDArray[np.int64], out: Floats,
) -> None:  # fmt: skip
    """
    Add to ``out (ky, kx)`` the number of samples of each cell.

    ``places (antenna, 3)`` in metres, ``hours`` the hour angles (rad), ``cells`` how many cells a metre is at each
    channel, ``used (antenna, interval)`` whether an antenna observes, ``interval`` the one of each hour angle.
    """
    n = out.shape[0]
    half = (n - 1) // 2
    for t in range(hours.shape[0]):
        sin_h, cos_h = np.sin(hours[t]), np.cos(hours[t])
        for i in range(places.shape[0]):
            if not used[i, interval[t]]:
                continue
            for j in range(i + 1, places.shape[0]):
                if not used[j, interval[t]]:
                    continue
                bx, by, bz = (
                    places[j, 0] - places[i, 0],
                    places[j, 1] - places[i, 1],
                    places[j, 2] - places[i, 2],
                )
                u = sin_h * bx + cos_h * by
                v = -sin_dec * cos_h * bx + sin_dec * sin_h * by + cos_dec * bz
                for c in range(cells.shape[0]):
                    kx, ky = int(np.floor(0.5 - u * cells[c])), int(np.floor(0.5 + v * cells[c]))
                    if abs(kx) <= half and abs(ky) <= half:
                        out[ky % n, kx % n] += 1.0
                        out[-ky % n, -kx % n] += 1.0


@kernel
def sum_errors(
    places: Floats, hours: Floats, sin_dec: float, cos_dec: float, cells: Floats, used: Bools,
    interval: npt.NDArray[np.int64], weight: Floats, amplitude: Floats, phase: Floats, moments: Floats,
    out: Complexes,
) -> None:  # fmt: skip
    """
    Add to ``out (ky, kx)`` what gain errors add to the samples of a point source of 1 Jy, weighted.

    A baseline's sample becomes ``1 + a_i + a_j + i (p_j - p_i)`` to first order. ``amplitude`` and ``phase (antenna,
    node)`` go straight from node to node, and ``moments`` are the hour angles counted in nodes; ``weight (ky, kx)`` is
    that of one sample in its cell. Otherwise as `count_samples`.
    """
    n = out.shape[0]
    half = (n - 1) // 2
    for t in range(hours.shape[0]):
        sin_h, cos_h = np.sin(hours[t]), np.cos(hours[t])
        e = min(int(moments[t]), amplitude.shape[1] - 2)
        late = moments[t] - e
        for i in range(places.shape[0]):
            if not used[i, interval[t]]:
                continue
            for j in range(i + 1, places.shape[0]):
                if not used[j, interval[t]]:
                    continue
                bx, by, bz = (
                    places[j, 0] - places[i, 0],
                    places[j, 1] - places[i, 1],
                    places[j, 2] - places[i, 2],
                )
                u = sin_h * bx + cos_h * by
                v = -sin_dec * cos_h * bx + sin_dec * sin_h * by + cos_dec * bz
                before = complex(amplitude[i, e] + amplitude[j, e], phase[j, e] - phase[i, e])
                after = complex(amplitude[i, e + 1] + amplitude[j, e + 1], phase[j, e + 1] - phase[i, e + 1])
                error = (1.0 - late) * before + late * after
                for c in range(cells.shape[0]):
                    kx, ky = int(np.floor(0.5 - u * cells[c])), int(np.floor(0.5 + v * cells[c]))
                    if abs(kx) <= half and abs(ky) <= half:
                        w = weight[ky % n, kx % n]
                        out[ky % n, kx % n] += w * error
                        out[-ky % n, -kx % n] += w * error.conjugate()


@kernel
def transform_at(
    weights: Floats, cos_y: Floats, sin_y: Floats, cos_x: Floats, sin_x: Floats, out: Floats
) -> None:
    """
    Fill ``out (y, x)`` with ``sum weights cos(2 pi (ky y + kx x))`` at the positions of a raster.

    ``weights (ky, kx)`` is the same at opposite cells; ``cos_y``, ``sin_y (y, ky)`` and ``cos_x``, ``sin_x (x, kx)`` are
    those of ``2 pi k`` times position. Not a matrix product, for a library's sums may depend on its threads.
    """
    n = weights.shape[1]
    c, s = np.empty(n), np.empty(n)
    for i in range(cos_y.shape[0]):
        for j in range(n):
            c[j], s[j] = 0.0, 0.0
        for row in range(weights.shape[0]):
            a, b = cos_y[i, row], sin_y[i, row]
            for j in range(n):
                c[j] += a * weights[row, j]
                s[j] += b * weights[row, j]
        for m in range(cos_x.shape[0]):
            total = 0.0
            for j in range(n):
                total += c[j] * cos_x[m, j] - s[j] * sin_x[m, j]
            out[i, m] = total

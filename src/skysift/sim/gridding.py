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
    interval: npt.NDArray[np.int64], weight: Floats, amplitude: Floats, phase: Floats,
    error_interval: npt.NDArray[np.int64], out: Complexes,
) -> None:  # fmt: skip
    """
    Add to ``out (ky, kx)`` what gain errors add to the samples of a point source of 1 Jy, weighted.

    A baseline's sample becomes ``1 + a_i + a_j + i (p_j - p_i)`` with ``amplitude`` and ``phase (antenna, interval)``
    to first order; ``weight (ky, kx)`` is that of one sample in its cell. Otherwise as `count_samples`.
    """
    n = out.shape[0]
    half = (n - 1) // 2
    for t in range(hours.shape[0]):
        sin_h, cos_h = np.sin(hours[t]), np.cos(hours[t])
        e = error_interval[t]
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
                error = complex(amplitude[i, e] + amplitude[j, e], phase[j, e] - phase[i, e])
                for c in range(cells.shape[0]):
                    kx, ky = int(np.floor(0.5 - u * cells[c])), int(np.floor(0.5 + v * cells[c]))
                    if abs(kx) <= half and abs(ky) <= half:
                        w = weight[ky % n, kx % n]
                        out[ky % n, kx % n] += w * error
                        out[-ky % n, -kx % n] += w * error.conjugate()

"""Cubic splines through pixels, those of `scipy.ndimage` in compiled loops: half of the time of a stamp went there."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel

__all__ = ["interpolated"]

_POLE = math.sqrt(3.0) - 2.0  # of the filter that makes coefficients of values
_ROWS = 8  # that are filtered side by side
_FAR = 40  # steps after which the pole to that power is nothing


def interpolated(
    data: NDArray[np.float64], y: NDArray[np.float64], x: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The cubic spline through an array (y, x) at places in its pixels; NaN where they are outside of all pixels.

    Beyond the middles of the outermost pixels the array is mirrored at them (Unser et al. 1993).

    Parameters
    ----------
    data
        The array, without a blank.
    y, x
        The places (pixel), both of one shape (row, column); NaN is outside.
    """
    out = np.empty(y.shape, np.float32)
    _evaluate(_coefficients(np.ascontiguousarray(data)), y, x, out)
    return out


@kernel
def _along(rows: NDArray[np.float64]) -> None:
    """The filter to and fro along some rows, side by side: each step waits for the one before it in its row."""
    n, nx = rows.shape
    for r in range(n):
        row = rows[r]
        start, power = row[0], _POLE
        for i in range(1, min(nx, _FAR)):
            start += power * row[i]
            power *= _POLE
        if nx <= _FAR:
            for i in range(nx - 2, 0, -1):
                start += power * row[i]
                power *= _POLE
            start /= 1.0 - power
        row[0] = start
    for i in range(1, nx):
        for r in range(n):
            rows[r, i] += _POLE * rows[r, i - 1]
    for r in range(n):
        rows[r, nx - 1] = _POLE / (_POLE * _POLE - 1.0) * (_POLE * rows[r, nx - 2] + rows[r, nx - 1])
    for i in range(nx - 2, -1, -1):
        for r in range(n):
            rows[r, i] = _POLE * (rows[r, i + 1] - rows[r, i])


@kernel
def _coefficients(data: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients of the spline: a recursive filter down and up the columns, and then to and fro along the rows."""
    ny, nx = data.shape
    out = 36.0 * data if min(ny, nx) > 1 else 6.0 * data
    if ny == 1 and nx == 1:
        return data.copy()
    if ny > 1:
        first, power = out[0].copy(), _POLE
        for k in range(1, min(ny, _FAR)):
            first += power * out[k]
            power *= _POLE
        if ny <= _FAR:  # the mirror image counts too
            for k in range(ny - 2, 0, -1):
                first += power * out[k]
                power *= _POLE
            first /= 1.0 - power
        out[0] = first
        for k in range(1, ny):
            for i in range(nx):
                out[k, i] += _POLE * out[k - 1, i]
        for i in range(nx):
            out[ny - 1, i] = _POLE / (_POLE * _POLE - 1.0) * (_POLE * out[ny - 2, i] + out[ny - 1, i])
        for k in range(ny - 2, -1, -1):
            for i in range(nx):
                out[k, i] = _POLE * (out[k + 1, i] - out[k, i])
    for k in range(0, ny if nx > 1 else 0, _ROWS):
        _along(out[k : k + _ROWS])
    return out


@kernel
def _mirrored(k: int, n: int) -> int:
    """The pixel that an index beyond the border stands for."""
    if n == 1:
        return 0
    turn = 2 * n - 2
    k = abs(k) % turn
    return turn - k if k >= n else k


@kernel
def _evaluate(
    coefficients: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """The spline at places into an array."""
    ny, nx = coefficients.shape
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            v, u = y[row, column], x[row, column]
            if not (-0.5 <= v <= ny - 0.5 and -0.5 <= u <= nx - 0.5):  # NaN is not
                out[row, column] = np.nan
                continue
            j, i = int(np.floor(v)), int(np.floor(u))
            t, s = v - j, u - i
            a, b = 1.0 - s, 1.0 - t
            s0, s1, s2, s3 = (
                a * a * a,
                4.0 - 3.0 * s * s * (1.0 + a),
                4.0 - 3.0 * a * a * (1.0 + s),
                s * s * s,
            )
            t0, t1, t2, t3 = (
                b * b * b,
                4.0 - 3.0 * t * t * (1.0 + b),
                4.0 - 3.0 * b * b * (1.0 + t),
                t * t * t,
            )
            if 1 <= j < ny - 2 and 1 <= i < nx - 2:
                i0, i1, i2, i3 = i - 1, i, i + 1, i + 2
                j0, j1, j2, j3 = j - 1, j, j + 1, j + 2
            else:
                i0, i1, i2, i3 = (
                    _mirrored(i - 1, nx),
                    _mirrored(i, nx),
                    _mirrored(i + 1, nx),
                    _mirrored(i + 2, nx),
                )
                j0, j1, j2, j3 = (
                    _mirrored(j - 1, ny),
                    _mirrored(j, ny),
                    _mirrored(j + 1, ny),
                    _mirrored(j + 2, ny),
                )
            c = coefficients
            total = t0 * (s0 * c[j0, i0] + s1 * c[j0, i1] + s2 * c[j0, i2] + s3 * c[j0, i3])
            total += t1 * (s0 * c[j1, i0] + s1 * c[j1, i1] + s2 * c[j1, i2] + s3 * c[j1, i3])
            total += t2 * (s0 * c[j2, i0] + s1 * c[j2, i1] + s2 * c[j2, i2] + s3 * c[j2, i3])
            total += t3 * (s0 * c[j3, i0] + s1 * c[j3, i1] + s2 * c[j3, i2] + s3 * c[j3, i3])
            out[row, column] = total / 36.0

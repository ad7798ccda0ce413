"""Kernels of the fits at known places: windows, derivatives, normal matrices, noise products, bounded steps."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.measure.gaussian import bound_shape, cholesky, solve

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]

LOW, HIGH = 0.36, 4.0  # bounds of a free shape: times the variances that were given
ROUNDS = 40
TWINS = 0.999  # correlation of two templates above which they are one


@kernel
def cover(
    data: Pixels, p: Floats, y0: int, x0: int, window: float
) -> tuple[int, int, int, int, int, int, int]:
    """
    Rows and columns (half-open, of the tile) of a place's window, and its pixels: all, with data, off the tile.

    ``p`` is x, y and the covariance xx, xy, yy; the window is the ellipse of this shape, ``window`` FWHM in radius.
    """
    ry, rx = window * 2.3548 * np.sqrt(p[4]), window * 2.3548 * np.sqrt(p[2])
    v0, v1 = int(np.ceil(p[1] - ry)) - y0, int(np.floor(p[1] + ry)) + 1 - y0
    u0, u1 = int(np.ceil(p[0] - rx)) - x0, int(np.floor(p[0] + rx)) + 1 - x0
    limit = (window * 2.3548) ** 2 * (p[2] * p[4] - p[3] * p[3])
    full, good, off = 0, 0, 0
    for v in range(v0, v1):
        dy = v + y0 - p[1]
        for u in range(u0, u1):
            dx = u + x0 - p[0]
            if p[4] * dx * dx - 2.0 * p[3] * dx * dy + p[2] * dy * dy > limit:
                continue
            full += 1
            if v < 0 or u < 0 or v >= data.shape[0] or u >= data.shape[1]:
                off += 1
            elif not np.isnan(data[v, u]):
                good += 1
    return max(v0, 0), min(v1, data.shape[0]), max(u0, 0), min(u1, data.shape[1]), full, good, off


@kernel
def mark(
    data: Pixels,
    p: Floats,
    y0: int,
    x0: int,
    window: float,
    top: int,
    left: int,
    index: npt.NDArray[np.int32],
) -> None:
    """Set ``index``, which begins at (top, left) of the tile, to 0 at the good pixels of a place's window."""
    ry, rx = window * 2.3548 * np.sqrt(p[4]), window * 2.3548 * np.sqrt(p[2])
    limit = (window * 2.3548) ** 2 * (p[2] * p[4] - p[3] * p[3])
    for v in range(
        max(int(np.ceil(p[1] - ry)) - y0, 0), min(int(np.floor(p[1] + ry)) + 1 - y0, data.shape[0])
    ):
        dy = v + y0 - p[1]
        for u in range(
            max(int(np.ceil(p[0] - rx)) - x0, 0), min(int(np.floor(p[0] + rx)) + 1 - x0, data.shape[1])
        ):
            dx = u + x0 - p[0]
            if p[4] * dx * dx - 2.0 * p[3] * dx * dy + p[2] * dy * dy <= limit and not np.isnan(data[v, u]):
                index[v - top, u - left] = 0


@kernel
def smallest(p: Floats) -> float:
    """The smallest variance along any axis of components ``p (k, 6)``."""
    least = np.inf
    for c in range(p.shape[0]):
        mean, half = 0.5 * (p[c, 3] + p[c, 5]), 0.5 * (p[c, 3] - p[c, 5])
        least = min(least, mean - np.sqrt(half * half + p[c, 4] ** 2))
    return max(least, 0.0)


@kernel
def derivatives(
    x: Floats, y: Floats, noise: Floats, p: Floats, count: Ints, g: Floats, lo: Ints, hi: Ints, model: Floats
) -> None:
    """
    Derivatives over the noise ``g (size, pixel)`` of components ``p (k, 6)`` by their first 1, 3 or 6 parameters.

    Row r of g is zero outside of ``lo[r]:hi[r]``. ``model`` gets the sum of all components.
    """
    n = x.shape[0]
    model[:] = 0.0
    r = 0
    for c in range(p.shape[0]):
        det = p[c, 3] * p[c, 5] - p[c, 4] * p[c, 4]
        xx, xy, yy = p[c, 5] / det, -p[c, 4] / det, p[c, 3] / det
        reach = np.sqrt(40.0 * p[c, 5])
        begin, end = n, 0
        for i in range(n):
            dy = y[i] - p[c, 2]
            if dy < -reach:
                continue
            if dy > reach:
                break
            dx = x[i] - p[c, 1]
            u, v = xx * dx + xy * dy, xy * dx + yy * dy
            q = u * dx + v * dy
            if q >= 40.0:
                for m in range(count[c]):
                    g[r + m, i] = 0.0
                continue
            begin, end = min(begin, i), i + 1
            e = np.exp(-0.5 * q)
            value = p[c, 0] * e
            model[i] += value
            weight = 1.0 / noise[i]
            g[r, i] = e * weight
            if count[c] >= 3:
                value *= weight
                g[r + 1, i] = value * u
                g[r + 2, i] = value * v
                if count[c] == 6:
                    g[r + 3, i] = 0.5 * value * u * u
                    g[r + 4, i] = value * u * v
                    g[r + 5, i] = 0.5 * value * v * v
        for m in range(count[c]):
            lo[r + m], hi[r + m] = min(begin, end), end
        r += count[c]


@kernel
def normal(g: Floats, lo: Ints, hi: Ints, matrix: Floats) -> None:
    """Lower half of ``g g'``."""
    for a in range(g.shape[0]):
        for b in range(a + 1):
            s = 0.0
            for i in range(max(lo[a], lo[b]), min(hi[a], hi[b])):
                s += g[a, i] * g[b, i]
            matrix[a, b] = s


@kernel
def amplitudes(z: Floats, noise: Floats, g: Floats, lo: Ints, hi: Ints, p: Floats) -> bool:
    """Put the amplitudes of least squares into ``p``; false where the normal matrix is singular."""
    size = g.shape[0]
    matrix, right, scale = np.zeros((size, size)), np.zeros(size), np.empty(size)
    normal(g, lo, hi, matrix)
    for a in range(size):
        for i in range(lo[a], hi[a]):
            right[a] += g[a, i] * z[i] / noise[i]
        scale[a] = 1.0 / np.sqrt(matrix[a, a]) if matrix[a, a] > 0.0 else 0.0
    for a in range(size):
        right[a] *= scale[a]
        for b in range(a + 1):
            matrix[a, b] *= scale[a] * scale[b]
    if not cholesky(matrix, size):
        return False
    solve(matrix, size, right)
    for a in range(size):
        p[a, 0] = right[a] * scale[a]
    return True


@kernel
def find_twins(g: Floats, lo: Ints, hi: Ints, twin: Ints) -> int:
    """Number of templates that are none of an earlier one; ``twin`` gets the earlier one, or its own number."""
    kept = 0
    for a in range(g.shape[0]):
        twin[a] = a
        own = 0.0
        for i in range(lo[a], hi[a]):
            own += g[a, i] * g[a, i]
        for b in range(a):
            if twin[b] != b or hi[b] <= lo[a] or hi[a] <= lo[b]:
                continue
            other, mixed = 0.0, 0.0
            for i in range(lo[b], hi[b]):
                other += g[b, i] * g[b, i]
                mixed += g[a, i] * g[b, i]
            if mixed * mixed > TWINS * TWINS * own * other:
                twin[a] = b
                break
        if twin[a] == a:
            kept += 1
    return kept


@kernel
def noise_products(
    g: Floats, lo: Ints, hi: Ints, x: Floats, y: Floats, index: npt.NDArray[np.int32], step: int, lags: Ints,
    correlation: Floats, middle: Floats,
) -> None:  # fmt: skip
    """
    Fill ``middle (size, size)`` with ``g C g'``: C the noise autocorrelation at ``lags (m, 2)`` (dy, dx).

    The outer sum runs over every ``step``-th row and column of the window, whose pixels ``index (y, x)`` numbers.
    """
    reach_y, reach_x = 0, 0
    for m in range(lags.shape[0]):
        reach_y, reach_x = max(reach_y, abs(lags[m, 0])), max(reach_x, abs(lags[m, 1]))
    padded = np.full((index.shape[0] + 2 * reach_y, index.shape[1] + 2 * reach_x), np.int32(-1), np.int32)
    for v in range(index.shape[0]):
        for u in range(index.shape[1]):
            padded[v + reach_y, u + reach_x] = index[v, u]
    for b in range(g.shape[0]):
        if hi[b] <= lo[b]:
            continue
        row = g[b]
        left, right = np.inf, -np.inf
        for i in range(lo[b], hi[b]):
            if row[i] != 0.0:
                left, right = min(left, x[i]), max(right, x[i])
        top, bottom = int(y[lo[b]]) - reach_y, int(y[hi[b] - 1]) + reach_y + 1
        for v in range(max(top, 0), min(bottom, index.shape[0])):
            if v % step != 0:
                continue
            for u in range(max(int(left) - reach_x, 0), min(int(right) + reach_x + 1, index.shape[1])):
                if u % step != 0:
                    continue
                i = index[v, u]
                if i < 0:
                    continue
                s = 0.0
                for m in range(lags.shape[0]):
                    j = padded[v + reach_y + lags[m, 0], u + reach_x + lags[m, 1]]
                    if j >= 0:
                        s += correlation[m] * row[j]
                for a in range(g.shape[0]):
                    if lo[a] <= i < hi[a]:
                        middle[a, b] += g[a, i] * s


@kernel
def free_step(
    p: Floats, step: Floats, count: Ints, origin: Floats, beams: Floats, reach: float, trial: Floats, bounded: Bools
) -> None:  # fmt: skip
    """Components one step further, within their bounds; ``bounded`` tells which had to be held back."""
    at = 0
    for c in range(p.shape[0]):
        for m in range(6):
            trial[c, m] = p[c, m] + (step[at + m] if m < count[c] else 0.0)
        at += count[c]
        bounded[c] = False
        if count[c] == 1:
            continue
        xx, xy, yy = origin[c, 3], origin[c, 4], origin[c, 5]
        dx, dy = trial[c, 1] - origin[c, 1], trial[c, 2] - origin[c, 2]
        far = np.sqrt((yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy) / (xx * yy - xy * xy)) / 2.3548
        if far > reach:
            trial[c, 1] = origin[c, 1] + dx * reach / far
            trial[c, 2] = origin[c, 2] + dy * reach / far
            bounded[c] = True
        if count[c] == 6:
            near = bound_shape(trial, c, origin[c, 3:], LOW, HIGH)
            narrow = bound_shape(trial, c, beams[c], LOW, 1e12)
            bounded[c] = bounded[c] or near or narrow


@kernel
def least_squares(
    x: Floats, y: Floats, z: Floats, noise: Floats, p: Floats, count: Ints, beams: Floats, reach: float, bounded: Bools
) -> None:  # fmt: skip
    """Levenberg-Marquardt fit of components, changed in place, until a step gains less than 1e-4 in chi-squared."""
    n, size = x.shape[0], count.sum()
    g, lo, hi = np.zeros((size, n)), np.zeros(size, np.int64), np.zeros(size, np.int64)
    model, gradient, step = np.empty(n), np.empty(size), np.empty(size)
    matrix, damped = np.zeros((size, size)), np.empty((size, size))
    origin, trial, on_bound = p.copy(), p.copy(), np.zeros(p.shape[0], np.bool_)
    bounded[:] = False
    derivatives(x, y, noise, p, count, g, lo, hi, model)
    chi2 = 0.0
    for i in range(n):
        chi2 += ((z[i] - model[i]) / noise[i]) ** 2
    damping = 1e-3
    for _ in range(ROUNDS):
        normal(g, lo, hi, matrix)
        for a in range(size):
            s = 0.0
            for i in range(lo[a], hi[a]):
                s += g[a, i] * (z[i] - model[i]) / noise[i]
            gradient[a] = s
        gain = 0.0
        for _try in range(12):
            promise = 0.0
            for a in range(size):
                for b in range(a):
                    damped[a, b] = matrix[a, b]
                damped[a, a] = matrix[a, a] * (1.0 + damping) + 1e-300
                step[a] = gradient[a]
            if cholesky(damped, size):
                solve(damped, size, step)
                for a in range(size):
                    promise += step[a] * gradient[a]
                if promise < 1e-4:
                    return
                free_step(p, step, count, origin, beams, reach, trial, on_bound)
                derivatives(x, y, noise, trial, count, g, lo, hi, model)
                new = 0.0
                for i in range(n):
                    new += ((z[i] - model[i]) / noise[i]) ** 2
                if new < chi2:
                    gain = chi2 - new
                    chi2 = new
                    for c in range(p.shape[0]):
                        bounded[c] = on_bound[c]
                        for m in range(6):
                            p[c, m] = trial[c, m]
                    damping = max(0.2 * damping, 1e-9)
                    break
            damping *= 10.0
            if damping > 1e9:
                break
        if gain < 1e-4:
            return


@kernel
def fit_free(
    x: Floats, y: Floats, z: Floats, noise: Floats, p: Floats, count: Ints, beams: Floats, reach: float, failed: Bools
) -> None:  # fmt: skip
    """
    Fit positions and shapes of the components with more than one parameter; ``p`` starts at their fluxes.

    Who ends on a bound, turns its sign or becomes three times brighter or fainter has ``failed``: its position
    and shape are held, and the others are fitted once more.
    """
    start = p.copy()
    bounded = np.zeros(p.shape[0], np.bool_)
    for _ in range(3):
        if count.sum() > x.shape[0]:
            for c in range(p.shape[0]):
                failed[c] = failed[c] or count[c] > 1
                count[c] = 1
        least_squares(x, y, z, noise, p, count, beams, reach, bounded)
        astray = False
        for c in range(p.shape[0]):
            ratio = p[c, 0] / start[c, 0]
            if count[c] > 1 and (bounded[c] or not (1.0 / 3.0 < ratio < 3.0)):
                astray = True
                failed[c] = True
                count[c] = 1
        if not astray:
            return
        for c in range(p.shape[0]):
            for m in range(6):
                p[c, m] = start[c, m]
    for c in range(p.shape[0]):
        failed[c] = failed[c] or count[c] > 1
        count[c] = 1
    least_squares(x, y, z, noise, p, count, beams, reach, bounded)

"""Kernels of the elliptical Gaussian: value, Jacobian, bounds of its shape, and errors under correlated noise.

A component is a row of six numbers: amplitude, x, y and the covariance (xx, xy, yy) in pixels squared,
``A exp(-d' S^-1 d / 2)``. The covariance is the natural shape: convolution adds it, so the deconvolved size is
a difference, and its errors stay linear.
"""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.sky.box import Box

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

A, X, Y, XX, XY, YY = range(6)
SUPPORT = 40.0  # beyond this d' S^-1 d a component is zero (2e-9 of its peak)


# Whole slices are filled by loops here and elsewhere: numba's own slice assignment costs seconds to compile, for
# the message that it would raise of arrays that differ in shape.
@kernel
def take_beam(p: Floats, k: int, beam: Floats) -> None:
    """Give component k the shape of the beam."""
    p[k, 3], p[k, 4], p[k, 5] = beam[0], beam[1], beam[2]


@kernel
def add_gaussians(x: Floats, y: Floats, p: Floats, first: int, last: int, sign: float, out: Floats) -> None:
    """Add ``sign`` times components ``p[first:last]`` at pixels (x, y) to ``out``."""
    for k in range(first, last):
        det = p[k, 3] * p[k, 5] - p[k, 4] * p[k, 4]
        a, b, c = p[k, 5] / det, -p[k, 4] / det, p[k, 3] / det
        height = sign * p[k, 0]
        for i in range(x.shape[0]):
            dx, dy = x[i] - p[k, 1], y[i] - p[k, 2]
            q = a * dx * dx + 2.0 * b * dx * dy + c * dy * dy
            if q < 40.0:
                out[i] += height * np.exp(-0.5 * q)


@kernel
def paint_gaussians(p: Floats, y0: int, x0: int, out: Floats) -> None:
    """Add components ``p (n, 6)`` to an image ``out (y, x)`` whose first pixel is (y0, x0)."""
    for k in range(p.shape[0]):
        det = p[k, 3] * p[k, 5] - p[k, 4] * p[k, 4]
        a, b, c = p[k, 5] / det, -p[k, 4] / det, p[k, 3] / det
        reach_y, reach_x = np.sqrt(40.0 * p[k, 5]), np.sqrt(40.0 * p[k, 3])
        top = max(int(np.ceil(p[k, 2] - reach_y)) - y0, 0)
        bottom = min(int(np.floor(p[k, 2] + reach_y)) + 1 - y0, out.shape[0])
        left = max(int(np.ceil(p[k, 1] - reach_x)) - x0, 0)
        right = min(int(np.floor(p[k, 1] + reach_x)) + 1 - x0, out.shape[1])
        for i in range(top, bottom):
            dy = i + y0 - p[k, 2]
            for j in range(left, right):
                dx = j + x0 - p[k, 1]
                q = a * dx * dx + 2.0 * b * dx * dy + c * dy * dy
                if q < 40.0:
                    out[i, j] += p[k, 0] * np.exp(-0.5 * q)


@kernel
def bound_shape(p: Floats, k: int, beam: Floats, low: float, high: float) -> bool:
    """
    Bring the covariance of component k into bounds, and tell whether it was outside.

    The two eigenvalues of the covariance relative to the beam's, 1 for a point source, are held in [low, high].
    """
    l11 = np.sqrt(beam[0])
    l21 = beam[1] / l11
    l22 = np.sqrt(beam[2] - l21 * l21)
    # white shape: L^-1 S L^-T
    a = p[k, 3] / (l11 * l11)
    b = (p[k, 4] / l11 - l21 * a) / l22
    c = (p[k, 5] - 2.0 * l21 * b * l22 - l21 * l21 * a) / (l22 * l22)
    half, mean = 0.5 * (a - c), 0.5 * (a + c)
    radius = np.sqrt(half * half + b * b)
    large, small = mean + radius, mean - radius
    if small >= low and large <= high:
        return False
    large_new, small_new = min(max(large, low), high), min(max(small, low), high)
    cos2, sin2 = (half / radius, b / radius) if radius > 0.0 else (1.0, 0.0)
    mean, radius = 0.5 * (large_new + small_new), 0.5 * (large_new - small_new)
    a, c, b = mean + radius * cos2, mean - radius * cos2, radius * sin2
    p[k, 3] = l11 * l11 * a
    p[k, 4] = l11 * (l21 * a + l22 * b)
    p[k, 5] = l21 * l21 * a + 2.0 * l21 * l22 * b + l22 * l22 * c
    return True


@kernel
def jacobian_row(x: float, y: float, p: Floats, k: int, free: bool, out: Floats, at: int) -> float:
    """Value of component k at (x, y); its derivatives go to ``out[at : at + 6]`` (or + 3 with the shape held)."""
    det = p[k, 3] * p[k, 5] - p[k, 4] * p[k, 4]
    dx, dy = x - p[k, 1], y - p[k, 2]
    u = (p[k, 5] * dx - p[k, 4] * dy) / det
    v = (p[k, 3] * dy - p[k, 4] * dx) / det
    q = u * dx + v * dy
    if q >= 40.0:
        for m in range(6 if free else 3):
            out[at + m] = 0.0
        return 0.0
    e = np.exp(-0.5 * q)
    value = float(p[k, 0] * e)
    out[at] = e
    out[at + 1] = value * u
    out[at + 2] = value * v
    if free:
        out[at + 3] = 0.5 * value * u * u
        out[at + 4] = value * u * v
        out[at + 5] = 0.5 * value * v * v
    return value


@kernel
def flux_gradient(p: Floats, k: int, free: bool, beam: Floats, out: Floats) -> float:
    """Flux of component k in units of amplitude x beams, and its derivatives by the six parameters."""
    det = p[k, 3] * p[k, 5] - p[k, 4] * p[k, 4]
    ratio = float(np.sqrt(det / (beam[0] * beam[2] - beam[1] * beam[1])))
    flux = float(p[k, 0]) * ratio
    out[:] = 0.0
    out[0] = ratio
    if free:
        out[3] = 0.5 * flux * p[k, 5] / det
        out[4] = -flux * p[k, 4] / det
        out[5] = 0.5 * flux * p[k, 3] / det
    return flux


@kernel
def cholesky(m: Floats, n: int) -> bool:
    """Lower Cholesky factor of the leading n x n of m, in place; false where it is not positive definite."""
    for i in range(n):
        for j in range(i + 1):
            s = m[i, j]
            for k in range(j):
                s -= m[i, k] * m[j, k]
            if i == j:
                if not s > 0.0:
                    return False
                m[i, i] = np.sqrt(s)
            else:
                m[i, j] = s / m[j, j]
    return True


@kernel
def solve(factor: Floats, n: int, b: Floats) -> None:
    """Solve in place ``L L' x = b`` with the factor that `cholesky` left."""
    for i in range(n):
        s = b[i]
        for k in range(i):
            s -= factor[i, k] * b[k]
        b[i] = s / factor[i, i]
    for i in range(n - 1, -1, -1):
        s = b[i]
        for k in range(i + 1, n):
            s -= factor[k, i] * b[k]
        b[i] = s / factor[i, i]


@kernel
def curvature(x: float, y: float, p: Floats, k: int, free: bool, out: Floats) -> None:
    """Second derivatives ``(6, 6)`` (or the leading (3, 3) with the shape held) of component k at (x, y)."""
    det = p[k, 3] * p[k, 5] - p[k, 4] * p[k, 4]
    a, b, c = p[k, 5] / det, -p[k, 4] / det, p[k, 3] / det
    dx, dy = x - p[k, 1], y - p[k, 2]
    u, v = a * dx + b * dy, b * dx + c * dy
    q = u * dx + v * dy
    e = np.exp(-0.5 * q) if q < 40.0 else 0.0
    m = p[k, 0] * e
    out[0, 0] = 0.0
    out[0, 1], out[0, 2] = e * u, e * v
    out[1, 1], out[1, 2], out[2, 2] = m * (u * u - a), m * (u * v - b), m * (v * v - c)
    if free:
        xx, xy, yy = 0.5 * u * u, u * v, 0.5 * v * v
        out[0, 3], out[0, 4], out[0, 5] = e * xx, e * xy, e * yy
        out[1, 3], out[1, 4], out[1, 5] = (
            m * (u * xx - a * u),
            m * (u * xy - a * v - b * u),
            m * (u * yy - b * v),
        )
        out[2, 3], out[2, 4], out[2, 5] = (
            m * (v * xx - b * u),
            m * (v * xy - b * v - c * u),
            m * (v * yy - c * v),
        )
        out[3, 3], out[3, 4], out[3, 5] = (
            m * (xx * xx - a * u * u),
            m * (xx * xy - a * u * v - b * u * u),
            m * (xx * yy - b * u * v),
        )
        out[4, 4] = m * (xy * xy - a * v * v - 2.0 * b * u * v - c * u * u)
        out[4, 5] = m * (xy * yy - b * v * v - c * u * v)
        out[5, 5] = m * (yy * yy - c * v * v)
    for i in range(6 if free else 3):
        for j in range(i):
            out[i, j] = out[j, i]


@kernel
def correlated_sum_of_one(
    g: Floats, index: npt.NDArray[np.int32], v: int, u: int, lags: Ints, correlation: Floats, out: Floats
) -> None:
    """Sum over all lags of the correlation times the row of ``g (n, 8)`` of the pixel there, to ``out[:8]``."""
    s0, s1, s2, s3, s4, s5 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for m in range(lags.shape[0]):
        j = index[v + lags[m, 0], u + lags[m, 1]]
        if j >= 0:
            rho = correlation[m]
            s0 += rho * g[j, 0]
            s1 += rho * g[j, 1]
            s2 += rho * g[j, 2]
            s3 += rho * g[j, 3]
            s4 += rho * g[j, 4]
            s5 += rho * g[j, 5]
    out[0], out[1], out[2], out[3], out[4], out[5] = s0, s1, s2, s3, s4, s5


@kernel
def sandwich(
    x: Floats, y: Floats, noise: Floats, p: Floats, free: npt.NDArray[np.bool_],
    lags: Ints, correlation: Floats, index: npt.NDArray[np.int32], step: int, every: int, cov: Floats, bias: Floats,
) -> bool:  # fmt: skip
    """
    Covariance of least-squares parameters under correlated noise, ``(J'WJ)^-1 J'WCWJ (J'WJ)^-1``, and their bias.

    The bias is that of least squares of a curved model to second order in the noise (Box 1971, J. R. Stat. Soc. B
    33, 171), with the term that only correlated noise has.

    Parameters
    ----------
    x, y
        Whole pixel coordinates ``(n,)``, counted from the corner of the window.
    noise
        Rms at each pixel in the unit of the amplitudes ``(n,)``; the weights are ``W = 1 / noise^2``.
    p, free
        Components ``(k, 6)`` and whether their shape was free (6 parameters) or held (3).
    lags, correlation
        Offsets ``(m, 2)`` (dy, dx) and the noise autocorrelation there: ``C = noise_i noise_j rho(i - j)``.
    index
        ``(height, width)`` of the window: the number of the pixel in the lists, or -1.
    step
        The outer sum runs over every `step`-th pixel in y and x; 1 sums over all.
    every
        The pixels are those on every so manieth row and column.
    cov
        Out: ``(6 k, 6 k)``; rows and columns of held shapes are zero.
    bias
        Out: ``(k, 6)``, to be subtracted from the parameters; zero for held shapes.

    Returns
    -------
    bool
        False where the normal matrix is singular; then ``cov`` is NaN.

    Notes
    -----
    Where the covariance of a component is not positive definite, since a measured autocorrelation is cut off somewhere
    and the outer sum is coarse, the noise counts as constant over the area of its autocorrelation and independent
    beyond: ``(J'WJ)^-1`` times that area in pixels.
    """
    n, k = x.shape[0], p.shape[0]
    size = 0
    at = np.empty(k, np.int64)
    for i in range(k):
        at[i] = size
        size += 6 if free[i] else 3
    g = np.zeros((n, max(size, 8)))  # rows of eight, so that one component's are summed at a stroke
    for i in range(n):
        for c in range(k):
            jacobian_row(x[i], y[i], p, c, free[c], g[i], at[c])
        for m in range(size):
            g[i, m] /= noise[i]
    normal = np.zeros((size, size))
    for i in range(n):
        for a in range(size):
            if g[i, a] != 0.0:
                for b in range(a + 1):
                    normal[a, b] += g[i, a] * g[i, b]
    middle = np.zeros((size, size))
    spread = np.empty(max(size, 8))
    spreads = np.zeros((n, size))
    reach_y, reach_x = 0, 0
    for m in range(lags.shape[0]):
        reach_y, reach_x = max(reach_y, abs(lags[m, 0])), max(reach_x, abs(lags[m, 1]))
    padded = np.full((index.shape[0] + 2 * reach_y, index.shape[1] + 2 * reach_x), -1, np.int32)
    for v in range(index.shape[0]):
        for u in range(index.shape[1]):
            padded[v + reach_y, u + reach_x] = index[v, u]
    for i in range(n):
        v, u = int(y[i]), int(x[i])
        if step > 1 and (v % step != 0 or u % step != 0):
            continue
        if size <= 8:
            correlated_sum_of_one(g, padded, v + reach_y, u + reach_x, lags, correlation, spread)
        else:
            spread[:] = 0.0
            for m in range(lags.shape[0]):
                j = padded[v + reach_y + lags[m, 0], u + reach_x + lags[m, 1]]
                if j >= 0:
                    for a in range(size):
                        spread[a] += correlation[m] * g[j, a]
        for a in range(size):
            spreads[i, a] = spread[a]
            for b in range(size):
                middle[a, b] += g[i, a] * spread[b]
    # scale to unit diagonal before factoring: amplitudes and shapes differ by orders of magnitude
    scale = np.empty(size)
    for a in range(size):
        scale[a] = 1.0 / np.sqrt(normal[a, a]) if normal[a, a] > 0.0 else 0.0
    for a in range(size):
        for b in range(a + 1):
            normal[a, b] *= scale[a] * scale[b]
    cov[:] = 0.0
    bias[:] = 0.0
    if not cholesky(normal, size):
        cov[:] = np.nan
        return False
    inverse = np.zeros((size, size))
    for a in range(size):
        spread[:] = 0.0
        spread[a] = 1.0
        solve(normal, size, spread)
        for b in range(size):
            inverse[b, a] = spread[b] * scale[a] * scale[b]
    half = np.zeros((size, size))
    for a in range(size):
        for b in range(size):
            s = 0.0
            for m in range(size):
                s += inverse[a, m] * 0.5 * (middle[m, b] + middle[b, m])
            half[a, b] = s * step * step
    full = np.zeros((size, size))
    for a in range(size):
        for b in range(size):
            for m in range(size):
                full[a, b] += half[a, m] * inverse[m, b]
    sound = True
    block = np.empty((6, 6))
    for i in range(k):
        own = 6 if free[i] else 3
        for a in range(at[i], at[i] + own):
            sound = sound and full[a, a] > 0.0
        if not sound:
            break
        for a in range(own):
            for b in range(a + 1):
                u, v = at[i] + a, at[i] + b
                block[a, b] = 0.5 * (full[u, v] + full[v, u]) / np.sqrt(full[u, u] * full[v, v])
        sound = cholesky(block, own)
    if not sound:
        patch = max(correlation.sum() / (every * every), 1.0)
        for a in range(size):
            for b in range(size):
                full[a, b] = patch * inverse[a, b]
    for i in range(k):
        for j in range(k):
            for a in range(6 if free[i] else 3):
                for b in range(6 if free[j] else 3):
                    cov[6 * i + a, 6 * j + b] = full[at[i] + a, at[j] + b]
    # bias: N^-1 sum_i [H_i m_i - g_i tr(H_i cov) / 2], with m_i the covariance of the parameters with the residual
    curved = np.zeros((6, 6))
    pull = np.zeros(size)
    for i in range(n):
        if step > 1 and (int(y[i]) % step != 0 or int(x[i]) % step != 0):
            continue
        trace = 0.0
        for c in range(k):
            if g[i, at[c]] == 0.0:
                continue
            curvature(x[i], y[i], p, c, free[c], curved)
            own = 6 if free[c] else 3
            for a in range(own):
                mixed = 0.0
                for b in range(own):
                    link = 0.0
                    for m in range(size):
                        link += inverse[at[c] + b, m] * spreads[i, m] - full[at[c] + b, m] * g[i, m]
                    mixed += curved[a, b] * link
                    trace += curved[a, b] * full[at[c] + a, at[c] + b] / noise[i]
                pull[at[c] + a] += mixed / noise[i]
        for a in range(size):
            pull[a] -= 0.5 * g[i, a] * trace
    for i in range(k):
        for a in range(6 if free[i] else 3):
            s = 0.0
            for m in range(size):
                s += inverse[at[i] + a, m] * pull[m]
            bias[i, a] = s * step * step
    return True


def model_in(box: Box, p: Floats) -> Floats:
    """The sum of components ``p (n, 6)`` in a box of the map, ``(y, x)``, in units of their amplitudes."""
    out = np.zeros(box.shape)
    if len(p):
        reach_y, reach_x = np.sqrt(SUPPORT * p[:, 5]), np.sqrt(SUPPORT * p[:, 3])
        near = (p[:, 2] + reach_y >= box.y0) & (p[:, 2] - reach_y <= box.y1)
        near &= (p[:, 1] + reach_x >= box.x0) & (p[:, 1] - reach_x <= box.x1)
        paint_gaussians(np.ascontiguousarray(p[near]), box.y0, box.x0, out)
    return out

"""Kernels of the form of one segment: hull, holes, peaks, concentration, and how much of a ring it is."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.sky.runs import root

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

SECTORS, SHELLS, SHELL = 24, 12, 0.15  # of the polar sums of a ring; a shell is so many radii wide
MIDDLE = 3  # shells: the middle of a ring
LIT = 0.3  # of the mean rim of the brighter half of the sectors: a sector that belongs to a ring
BINS = 512  # of the growth curve


@kernel
def smooth(value: Floats, inside: Bools, sigma: float) -> None:
    """Replace values by those seen with a round Gaussian, of the pixels inside alone."""
    reach = int(np.ceil(3.0 * sigma))
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    height, width = value.shape
    mean, share = np.zeros(value.shape), np.zeros(value.shape)
    for v in range(height):
        for u in range(width):
            if inside[v, u]:
                for k in range(max(-reach, -u), min(reach, width - 1 - u) + 1):
                    mean[v, u + k] += weight[k + reach] * value[v, u]
                    share[v, u + k] += weight[k + reach]
    for v in range(height):
        for u in range(width):
            if inside[v, u]:
                total, of = 0.0, 0.0
                for k in range(max(-reach, -v), min(reach, height - 1 - v) + 1):
                    total += weight[k + reach] * mean[v + k, u]
                    of += weight[k + reach] * share[v + k, u]
                value[v, u] = total / of


@kernel
def hull(inside: Bools) -> tuple[float, float, float]:
    """Area of the convex hull of the pixels; their largest distance, from outside to outside; its angle (rad)."""
    height, width = inside.shape
    left, right = np.full(height, -1, np.int64), np.full(height, -1, np.int64)
    for v in range(height):
        for u in range(width):
            if inside[v, u]:
                if left[v] < 0:
                    left[v] = u
                right[v] = u
    # the corners of the outer pixels of each row, down on the left and up on the right
    corners = np.empty((4 * height, 2))
    n = 0
    for v in range(height):
        if left[v] >= 0:
            corners[n, 0], corners[n, 1] = left[v] - 0.5, v - 0.5
            corners[n + 1, 0], corners[n + 1, 1] = left[v] - 0.5, v + 0.5
            n += 2
    n = _chain(corners, 0, n)
    first = n
    for v in range(height - 1, -1, -1):
        if left[v] >= 0:
            corners[n, 0], corners[n, 1] = right[v] + 0.5, v + 0.5
            corners[n + 1, 0], corners[n + 1, 1] = right[v] + 0.5, v - 0.5
            n += 2
    n = _chain(corners, first, n)
    area = 0.0
    for k in range(n):
        j = (k + 1) % n
        area += corners[k, 0] * corners[j, 1] - corners[j, 0] * corners[k, 1]
    longest, angle = 0.0, 0.0
    for k in range(n):
        for j in range(k):
            dx, dy = corners[k, 0] - corners[j, 0], corners[k, 1] - corners[j, 1]
            wide, high = max(abs(dx) - 1.0, 0.0), max(abs(dy) - 1.0, 0.0)  # from middle to middle
            if wide * wide + high * high > longest:
                longest = wide * wide + high * high
                angle = np.arctan2(np.sign(dy) * high, np.sign(dx) * wide)
    return 0.5 * abs(area), np.sqrt(longest) + 1.0, angle


@kernel
def _chain(points: Floats, first: int, last: int) -> int:
    """Where points first to last end after those that lie within their own hull have been taken out."""
    n = first
    for k in range(first, last):
        while n - first >= 2:
            ax, ay = points[n - 1, 0] - points[n - 2, 0], points[n - 1, 1] - points[n - 2, 1]
            bx, by = points[k, 0] - points[n - 1, 0], points[k, 1] - points[n - 1, 1]
            if ax * by - ay * bx < 0.0:
                break
            n -= 1
        points[n, 0], points[n, 1] = points[k, 0], points[k, 1]
        n += 1
    return n


@kernel
def count_holes(inside: Bools, least: float) -> int:
    """Number of holes of at least so many pixels: what is not inside and has no way out along the axes."""
    height, width = inside.shape
    seen = inside.copy()
    stack = np.empty((height * width, 2), np.int32)
    holes = 0
    for v in range(height):
        for u in range(width):
            if seen[v, u]:
                continue
            seen[v, u] = True
            stack[0, 0], stack[0, 1] = v, u
            top, n, out = 1, 0, False
            while top:
                top -= 1
                y, x = stack[top, 0], stack[top, 1]
                n += 1
                out = out or y == 0 or x == 0 or y == height - 1 or x == width - 1
                for k in range(4):
                    b, a = y + (k == 0) - (k == 1), x + (k == 2) - (k == 3)
                    if 0 <= b < height and 0 <= a < width and not seen[b, a]:
                        seen[b, a] = True
                        stack[top, 0], stack[top, 1] = b, a
                        top += 1
            holes += not out and n >= least
    return holes


@kernel
def count_peaks(value: Floats, inside: Bools, noise: float, share: float) -> tuple[int, float]:
    """
    Number of peaks that stand out, and the brightness that a twentieth of the pixels exceeds.

    The prominence of a peak is how far one must go down from it to get to a brighter one; it counts from ``noise``
    and ``share`` of the brightest pixel on. The brightest peak always counts.
    """
    height, width = value.shape
    flat, within = value.ravel(), inside.ravel()
    places = np.flatnonzero(within)
    order = places[np.argsort(-flat[places], kind="mergesort")]
    least = max(noise, share * flat[order[0]])
    parent = np.full(height * width, -1, np.int64)
    top = np.empty(height * width)
    peaks = 1
    for k in range(order.size):
        p = order[k]
        parent[p], top[p] = p, flat[p]
        v, u = p // width, p % width
        for y in range(max(v - 1, 0), min(v + 2, height)):
            for x in range(max(u - 1, 0), min(u + 2, width)):
                q = y * width + x
                if parent[q] < 0:
                    continue
                a, b = root(parent, p), root(parent, q)
                if a == b:
                    continue
                low, high = (a, b) if top[a] < top[b] else (b, a)
                peaks += top[low] - flat[p] >= least
                parent[low] = high
    for p in order[1:]:  # pieces that do not touch
        peaks += parent[p] == p and root(parent, order[0]) != p and top[p] >= least
    return peaks, float(flat[order[order.size // 20]])


@kernel
def concentration(value: Floats, inside: Bools, x: float, y: float, moments: Floats) -> float:
    """
    ``5 log10(r80 / r20)`` of the ellipses that hold 80 and 20 % of the light, with the shape of the moments.

    1.5 for a flat disc, 2.1 for a Gaussian, more for a core in a halo (Conselice 2003), in ellipses about (x, y).
    """
    det = moments[0] * moments[2] - moments[1] * moments[1]
    if not det > 0.0:
        return np.nan
    height, width = value.shape
    radius = np.zeros(value.shape)
    widest, total = 0.0, 0.0
    for v in range(height):
        for u in range(width):
            if inside[v, u]:
                dx, dy = u - x, v - y
                q = (moments[2] * dx * dx - 2.0 * moments[1] * dx * dy + moments[0] * dy * dy) / det
                radius[v, u] = np.sqrt(q)
                widest = max(widest, radius[v, u])
                total += value[v, u]
    if not (total > 0.0 and widest > 0.0):
        return np.nan
    light = np.zeros(BINS)
    for v in range(height):
        for u in range(width):
            if inside[v, u]:
                light[min(int(radius[v, u] / widest * BINS), BINS - 1)] += value[v, u]
    inner, outer, grown = 0.0, 0.0, 0.0
    for k in range(BINS):
        before = grown
        grown += light[k]
        if inner == 0.0 and grown >= 0.2 * total:
            inner = (k + (0.2 * total - before) / light[k]) / BINS
        if outer == 0.0 and grown >= 0.8 * total:
            outer = (k + (0.8 * total - before) / light[k]) / BINS
    return 5.0 * np.log10(outer / inner) if inner > 0.0 else np.nan


@kernel
def ring_frame(value: Floats, inside: Bools, x: float, y: float, frame: Floats, out: Floats) -> None:
    """
    Hollowness, closure, centre and radius of the ring that a segment is in one frame, into ``out (6,)``.

    A circle is fitted to the pixels (Kasa 1976), weighted with the square of their brightness, and light is summed in
    24 sectors and in shells around its centre. The rim is the brightest shell; a sector is lit where its rim has
    at least 0.3 of the mean of the brighter half. ``closure`` is the share of lit sectors, ``hollow`` 1 less the
    brightness of the middle over that of the lit rim, at least 0. What does not belong to the segment is dark.

    Parameters
    ----------
    frame
        ``(2, 2)``: from (dx, dy) in pixels to the frame in which the ring is round.
    out
        Gets hollow, closure, longest dark run of sectors (share), centre x, y (in the frame, from x, y), radius.
    """
    height, width = value.shape
    total, sx, sy, sxx, sxy, syy, sxz, syz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for attempt in range(2):  # the mean first, then the moments about it
        if attempt:
            sx, sy = sx / total, sy / total
        for v in range(height):
            for u in range(width):
                if not inside[v, u] or value[v, u] <= 0.0:
                    continue
                a = frame[0, 0] * (u - x) + frame[0, 1] * (v - y)
                b = frame[1, 0] * (u - x) + frame[1, 1] * (v - y)
                w = value[v, u] * value[v, u]
                if attempt == 0:
                    total += w
                    sx += w * a
                    sy += w * b
                else:
                    a -= sx
                    b -= sy
                    z = a * a + b * b
                    sxx += w * a * a
                    sxy += w * a * b
                    syy += w * b * b
                    sxz += w * a * z
                    syz += w * b * z
        if total == 0.0:
            break
    det = sxx * syy - sxy * sxy
    out[:] = 0.0
    out[2] = 1.0
    if not det > 1e-6 * (sxx + syy) ** 2:
        return
    cx, cy = 0.5 * (sxz * syy - syz * sxy) / det, 0.5 * (syz * sxx - sxz * sxy) / det
    radius = np.sqrt(cx * cx + cy * cy + (sxx + syy) / total)
    cx += sx
    cy += sy
    out[3], out[4], out[5] = cx, cy, radius
    light = np.zeros((SECTORS, SHELLS))
    area = abs(frame[0, 0] * frame[1, 1] - frame[0, 1] * frame[1, 0])
    for v in range(height):
        for u in range(width):
            if inside[v, u]:
                a = frame[0, 0] * (u - x) + frame[0, 1] * (v - y) - cx
                b = frame[1, 0] * (u - x) + frame[1, 1] * (v - y) - cy
                shell = int(np.hypot(a, b) / radius / SHELL)
                sector = int((np.arctan2(b, a) / (2.0 * np.pi) + 0.5) * SECTORS) % SECTORS
                if shell < SHELLS:
                    light[sector, shell] += value[v, u] * area
    patch = np.pi * radius * radius * SHELL * SHELL / SECTORS  # a shell k has 2 k + 1 of them in a sector
    middle = 0.0
    for k in range(MIDDLE):
        middle += light[:, k].sum()
    middle /= patch * SECTORS * MIDDLE * MIDDLE
    rim, best = -np.inf, MIDDLE
    for k in range(MIDDLE, SHELLS):
        mean = light[:, k].sum() / (2 * k + 1)
        if mean > rim:
            rim, best = mean, k
    low, high = max(best - 1, MIDDLE), min(best + 2, SHELLS)
    sectors = np.zeros(SECTORS)
    for s in range(SECTORS):
        sectors[s] = light[s, low:high].sum() / (patch * (high * high - low * low))
    bright = np.sort(sectors)[SECTORS // 2 :].mean()
    lit, n_lit, dark, longest = 0.0, 0, 0, 0
    for s in range(2 * SECTORS):
        if sectors[s % SECTORS] >= LIT * bright and bright > 0.0:
            dark = 0
            if s < SECTORS:
                lit += sectors[s]
                n_lit += 1
        else:
            dark += 1
            longest = max(longest, min(dark, SECTORS))
    if n_lit == 0:
        return
    out[0] = min(max(1.0 - middle * n_lit / lit, 0.0), 1.0)
    out[1], out[2] = n_lit / SECTORS, longest / SECTORS

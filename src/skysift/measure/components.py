"""Kernels that decide how many Gaussians an island gets, and which shapes stay free."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.measure.fit import JOINT, fit_components, make_blocks
from skysift.measure.gaussian import add_gaussians, take_beam
from skysift.sky.flags import flag

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

RESEEDED = flag("reseeded")

SMALLEST = 0.36  # of the beam's variance: a fit may fall below the beam, within its error
ROUNDS = 12  # of re-seeding
ELONGATED = 2.0  # times the beam's variance along, and
NARROW = 1.7  # across: a component longer and no wider than this may be two points
FEW_ROUNDS = 3  # where there are many components, each round may add many


@kernel
def acceptable(
    p: Floats, bounded: Bools, free: Bools, k: int, index: Labels, beam: Floats, brightest: float
) -> bool:
    """Whether component k is believable: centre within half a beam of the window, sane height, shape off its bounds."""
    r, c = int(np.floor(p[k, 2] + 0.5)), int(np.floor(p[k, 1] + 0.5))
    near_y, near_x = int(1.1774 * np.sqrt(beam[2])), int(1.1774 * np.sqrt(beam[0]))
    found = False
    for v in range(max(r - near_y, 0), min(r + near_y + 1, index.shape[0])):
        for u in range(max(c - near_x, 0), min(c + near_x + 1, index.shape[1])):
            found = found or index[v, u] >= 0
    if not found or (free[k] and bounded[k]):
        return False
    return bool(0.5 < p[k, 0] < 2.0 * brightest + 3.0)


@kernel
def take(
    p: Floats, free: Bools, status: Ints, others: Floats, others_free: Bools, others_status: Ints, n: int
) -> None:
    """Put the first n of the other components in place of these."""
    for c in range(n):
        free[c], status[c] = others_free[c], others_status[c]
        for m in range(6):
            p[c, m] = others[c, m]


@kernel
def settle(
    x: Floats, y: Floats, z: Floats, w: Floats, p: Floats, free: Bools, beam: Floats, high: float, reach: float,
    index: Labels, brightest: float, block: Ints, ok: Bools,
) -> float:  # fmt: skip
    """
    Chi-squared after fitting ``p`` with free shapes, then with the shape held for those that went astray.

    It is held as it was at the start, and if that does not do either, at the beam's.

    ``ok`` tells which components are believable in the end; ``free`` which shapes stayed free.
    """
    k = p.shape[0]
    start = p.copy()
    bounded = np.zeros(k, np.bool_)
    chi2 = fit_components(x, y, z, w, p, free, beam, SMALLEST, high, reach, bounded, block)
    for step in range(2):
        astray = False
        for c in range(k):
            ok[c] = acceptable(p, bounded, free, c, index, beam, brightest)
            if ok[c] or (step == 0 and not free[c]):
                continue
            astray = True
            free[c] = False
            for m in range(6):
                p[c, m] = start[c, m]
            if step == 1:
                take_beam(p, c, beam)
        if not astray:
            return chi2
        chi2 = fit_components(x, y, z, w, p, free, beam, SMALLEST, high, reach, bounded, block)
    for c in range(k):
        ok[c] = acceptable(p, bounded, free, c, index, beam, brightest)
    return chi2


@kernel
def residual_seeds(
    rest: Floats, noise: Floats, inside: Bools, index: Labels, x: Floats, y: Floats, p: Floats, beam: Floats,
    threshold: float, most: int, out: Ints,
) -> int:  # fmt: skip
    """
    Number of pixels, listed in ``out`` brightest first, where the residual asks for one more component.

    They lie inside the island, exceed the threshold and their eight neighbours, are half a beam away from every
    component, and 1.5 beams from each other.
    """
    n = 0
    det = beam[0] * beam[2] - beam[1] * beam[1]
    height, width = index.shape
    while n < most:
        best, at = threshold, -1
        for i in range(rest.shape[0]):
            height_i = rest[i] / noise[i]
            if not inside[i] or height_i < best:
                continue
            r, c = int(y[i]), int(x[i])
            summit = True
            for v in range(max(r - 1, 0), min(r + 2, height)):
                for u in range(max(c - 1, 0), min(c + 2, width)):
                    j = index[v, u]
                    if j >= 0 and rest[j] > rest[i]:
                        summit = False
            if not summit:
                continue
            near = False
            for k in range(p.shape[0]):
                dx, dy = x[i] - p[k, 1], y[i] - p[k, 2]
                if (beam[2] * dx * dx - 2 * beam[1] * dx * dy + beam[0] * dy * dy) / det < (
                    0.5 * 2.3548
                ) ** 2:
                    near = True
            for k in range(n):
                dx, dy = x[i] - x[out[k]], y[i] - y[out[k]]
                if (beam[2] * dx * dx - 2 * beam[1] * dx * dy + beam[0] * dy * dy) / det < (
                    1.5 * 2.3548
                ) ** 2:
                    near = True
            if not near:
                best, at = height_i, i
        if at < 0:
            break
        out[n] = at
        n += 1
    return n


@kernel
def keep(p: Floats, free: Bools, status: Ints, ok: Bools, first: int, last: int) -> int:
    """Number of components left after those in ``first:last`` that are not ``ok`` are taken out; the others move up."""
    kept = first
    for c in range(first, last):
        if ok[c]:
            free[kept], status[kept], ok[kept] = free[c], status[c], True
            for m in range(6):
                p[kept, m] = p[c, m]
            kept += 1
    return kept


@kernel
def make_blocks_of(p: Floats, beam: Floats, block: Ints) -> None:
    """Who is fitted with whom: everybody if they are few."""
    block[:] = 0
    if p.shape[0] > JOINT:
        make_blocks(p, beam, block)


@kernel
def from_moments(
    x: Floats, y: Floats, z: Floats, inside: Bools, beam: Floats, p: Floats, exact: bool
) -> None:
    """
    One component ``p[0]`` from the island's own pixels: centroid, second moments or the beam, and their sum.

    With ``exact`` its peak is the brightest pixel and its size is scaled to hold the sum, or the beam's if that is
    larger; else its size is that of
    the moments and its peak follows from the sum.
    """
    total, sx, sy, peak = 0.0, 0.0, 0.0, 0.0
    for i in range(x.shape[0]):
        if inside[i] and z[i] > 0.0:
            total += z[i]
            sx += z[i] * x[i]
            sy += z[i] * y[i]
            peak = max(peak, z[i])
    take_beam(p, 0, beam)
    if not total > 0.0:  # a segment of which nothing is left
        p[0, 0], p[0, 1], p[0, 2] = 1e-3, x[0], y[0]
        return
    mx, my = sx / total, sy / total
    xx, xy, yy = 0.0, 0.0, 0.0
    for i in range(x.shape[0]):
        if inside[i] and z[i] > 0.0:
            xx += z[i] * (x[i] - mx) ** 2
            xy += z[i] * (x[i] - mx) * (y[i] - my)
            yy += z[i] * (y[i] - my) ** 2
    p[0, 1], p[0, 2] = mx, my
    if xx > total * beam[0] and yy > total * beam[2] and xx * yy > xy * xy:
        p[0, 3], p[0, 4], p[0, 5] = xx / total, xy / total, yy / total
    area = 2.0 * np.pi * np.sqrt(p[0, 3] * p[0, 5] - p[0, 4] * p[0, 4])
    p[0, 0] = total / area
    if exact:
        p[0, 0] = peak
        scale = total / (area * peak)
        if scale * area > 2.0 * np.pi * np.sqrt(beam[0] * beam[2] - beam[1] * beam[1]):
            p[0, 3], p[0, 4], p[0, 5] = scale * p[0, 3], scale * p[0, 4], scale * p[0, 5]
        else:
            take_beam(p, 0, beam)


@kernel
def reseed(
    x: Floats, y: Floats, z: Floats, noise: Floats, inside: Bools, index: Labels,
    fx: Floats, fy: Floats, fz: Floats, fw: Floats, every: int, k: int, chi2: float, beam: Floats, threshold: float,
    high: float, brightest: float, limit: int, p: Floats, free: Bools, status: Ints, block: Ints,
) -> tuple[int, float]:  # fmt: skip
    """
    Number of components, and chi-squared, after adding to the first ``k`` of ``p`` where the residual asks for it.

    Newcomers stay as long as they gain more chi-squared than point sources at the threshold would, and all
    components remain believable.
    """
    n = fx.shape[0]
    ok = np.zeros(p.shape[0], np.bool_)
    enough = (
        0.5 * threshold * threshold * np.pi * np.sqrt(beam[0] * beam[2] - beam[1] * beam[1]) / (every * every)
    )
    found = np.empty(p.shape[0], np.int64)
    trial, trial_free, trial_status = p.copy(), free.copy(), status.copy()
    rest = z.copy()
    for turn in range(ROUNDS):
        if k > JOINT and turn >= FEW_ROUNDS:
            break
        for i in range(z.shape[0]):
            rest[i] = z[i]
        add_gaussians(x, y, p, 0, k, -1.0, rest)
        most = 1 if k < JOINT else p.shape[0]
        extra = residual_seeds(
            rest, noise, inside, index, x, y, p[:k], beam, threshold, min(most, limit - k), found
        )
        if extra == 0 or n <= 6 * (k + extra) + 2:
            break
        better = False
        for attempt in range(
            3
        ):  # all newcomers with free shapes, then the brightest few, then the brightest as a point
            if attempt == 1 and extra == 1:
                continue
            extra = extra if attempt == 0 else (max(extra // 4, 1) if attempt == 1 else 1)
            take(trial, trial_free, trial_status, p, free, status, k)
            for m in range(extra):
                i = found[m]
                trial[k + m, 0], trial[k + m, 1], trial[k + m, 2] = rest[i], x[i], y[i]
                take_beam(trial, k + m, beam)
                trial_free[k + m] = attempt < 2
                trial_status[k + m] = RESEEDED
            total = k + extra
            new = settle(
                fx,
                fy,
                fz,
                fw,
                trial[:total],
                trial_free[:total],
                beam,
                high,
                1.0,
                index,
                brightest,
                block[:total],
                ok[:total],
            )
            kept = keep(trial, trial_free, trial_status, ok, 0, total)
            if k < kept < total:
                new = settle(
                    fx,
                    fy,
                    fz,
                    fw,
                    trial[:kept],
                    trial_free[:kept],
                    beam,
                    high,
                    1.0,
                    index,
                    brightest,
                    block[:kept],
                    ok[:kept],
                )
                kept = kept if keep(trial, trial_free, trial_status, ok, 0, kept) == kept else 0
            better = kept > k and chi2 - new > enough * (kept - k)
            if better:
                take(p, free, status, trial, trial_free, trial_status, kept)
                k, chi2 = kept, new
                break
        if not better:
            break
    return k, chi2


@kernel
def two_points(p: Floats, c: int, last: int, beam: Floats) -> bool:
    """
    Put two points in place of component c, into rows c and ``last`` of p; false where it is hardly elongated, or wide.

    They lie along its major axis (in the metric of the beam), at the distance that gives them its second moment.
    """
    l11 = np.sqrt(beam[0])
    l21 = beam[1] / l11
    l22 = np.sqrt(beam[2] - l21 * l21)
    a = p[c, 3] / (l11 * l11)
    b = (p[c, 4] / l11 - l21 * a) / l22
    e = (p[c, 5] - 2.0 * l21 * b * l22 - l21 * l21 * a) / (l22 * l22)
    radius = np.hypot(0.5 * (a - e), b)
    large = 0.5 * (a + e) + radius
    if large < ELONGATED or large - 2.0 * radius > NARROW:
        return False
    angle = 0.5 * np.arctan2(b, 0.5 * (a - e))
    u, v = np.sqrt(large - 1.0) * np.cos(angle), np.sqrt(large - 1.0) * np.sin(angle)
    dx, dy = l11 * u, l21 * u + l22 * v
    height = 0.5 * p[c, 0] * np.sqrt(large)
    x, y = p[c, 1], p[c, 2]
    p[last, 0], p[last, 1], p[last, 2] = height, x - dx, y - dy
    p[c, 0], p[c, 1], p[c, 2] = height, x + dx, y + dy
    take_beam(p, last, beam)
    take_beam(p, c, beam)
    return True


@kernel
def fit_island(
    x: Floats, y: Floats, z: Floats, noise: Floats, inside: Bools, index: Labels,
    fx: Floats, fy: Floats, fz: Floats, fw: Floats, every: int, seeds: Floats, beam: Floats,
    threshold: float, high: float, limit: int, p: Floats, free: Bools, status: Ints, block: Ints,
) -> int:  # fmt: skip
    """
    Number of components of one island, all quantities in units of its reference rms; 0 where no fit holds.

    Fits the seeds and adds to them. Where a shape cannot stay free, as on a plateau with noise peaks on it, one
    Gaussian with the moments of the whole island is tried as a start instead; what fits better is kept. The
    residual is searched on all pixels, the fit sees those in ``fx, fy, fz, fw`` (every ``every``-th row and column).
    """
    n = fx.shape[0]
    brightest = z[0]
    for i in range(x.shape[0]):
        if inside[i] and z[i] > brightest:
            brightest = z[i]
    k, cost, chi2 = 0, np.inf, np.inf
    each = (
        0.5 * threshold * threshold * np.pi * np.sqrt(beam[0] * beam[2] - beam[1] * beam[1]) / (every * every)
    )
    trial, trial_free, trial_status = np.empty_like(p), np.zeros_like(free), np.zeros_like(status)
    ok = np.zeros(p.shape[0], np.bool_)
    for start in range(2):
        if start == 0:
            m = min(seeds.shape[0], limit)
            for c in range(m):
                for a in range(6):
                    trial[c, a] = seeds[c, a]
        else:
            astray = k == 0
            for c in range(k):
                astray = astray or not free[c]
            if not astray or x.shape[0] < 4 * np.pi * np.sqrt(beam[0] * beam[2]):
                break
            m = 1
            from_moments(x, y, z, inside, beam, trial, False)
        trial_status[:m] = 0
        trial_free[:m] = n > 6 * m + 2
        new = settle(
            fx, fy, fz, fw, trial[:m], trial_free[:m], beam, high, 1.0, index, brightest, block[:m], ok[:m]
        )
        kept = keep(trial, trial_free, trial_status, ok, 0, m)
        while 0 < kept < m:  # whom the others' going drives astray goes too
            m = kept
            new = settle(
                fx,
                fy,
                fz,
                fw,
                trial[:m],
                trial_free[:m],
                beam,
                high,
                1.0,
                index,
                brightest,
                block[:m],
                ok[:m],
            )
            kept = keep(trial, trial_free, trial_status, ok, 0, m)
        if kept == 0:
            continue
        m, new = reseed(
            x, y, z, noise, inside, index, fx, fy, fz, fw, every, m, new, beam, threshold, high, brightest, limit, trial,
            trial_free, trial_status, block,
        )  # fmt: skip
        if new + each * m < cost:
            k, cost, chi2 = m, new + each * m, new
            take(p, free, status, trial, trial_free, trial_status, k)
    if 0 < k < min(JOINT, limit):
        for c in range(k):
            take(trial, trial_free, trial_status, p, free, status, k)
            if not (free[c] and two_points(trial, c, k, beam)) or trial[c, 0] < 0.9 * threshold:
                continue
            trial_free[c], trial_free[k] = False, False
            trial_status[k] = trial_status[c]
            new = settle(
                fx, fy, fz, fw, trial[: k + 1], trial_free[: k + 1], beam, high, 1.0, index, brightest, block[: k + 1],
                ok[: k + 1],
            )  # fmt: skip
            both = min(trial[c, 0], trial[k, 0]) > threshold
            if both and new < chi2 and keep(trial, trial_free, trial_status, ok, 0, k + 1) == k + 1:
                k += 1
                take(p, free, status, trial, trial_free, trial_status, k)
                break
    if k > 0:
        make_blocks_of(p[:k], beam, block[:k])
    return k

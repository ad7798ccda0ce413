"""Kernels that decide how many Gaussians an island gets, and which shapes stay free."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.measure.fit import JOINT, fit_components, make_blocks
from skysift.measure.gaussian import add_gaussians
from skysift.sky.flags import flag

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

RESEEDED = flag("reseeded")

SMALLEST = 0.25  # of the beam's variance: a fit may fall below the beam, within its error
ROUNDS = 12  # of re-seeding
FEW_ROUNDS = 3  # where there are many components, each round may add many


@kernel
def acceptable(p: Floats, bounded: Bools, free: Bools, k: int, index: Labels, brightest: float) -> bool:
    """Whether component k is a believable fit: centre on a pixel of the window, sane height, shape off its bounds."""
    r, c = int(np.floor(p[k, 2] + 0.5)), int(np.floor(p[k, 1] + 0.5))
    if r < 0 or r >= index.shape[0] or c < 0 or c >= index.shape[1] or index[r, c] < 0:
        return False
    if free[k] and bounded[k]:
        return False
    return 0.5 < p[k, 0] < 1.5 * brightest + 3.0


@kernel
def settle(
    x: Floats, y: Floats, z: Floats, w: Floats, p: Floats, free: Bools, beam: Floats, high: float, reach: float,
    index: Labels, brightest: float, block: Ints, ok: Bools,
) -> float:  # fmt: skip
    """
    Chi-squared after fitting ``p`` with free shapes, then with the beam's shape for those that went astray.

    ``ok`` tells which components are believable in the end; ``free`` which shapes stayed free.
    """
    k = p.shape[0]
    start = p.copy()
    bounded = np.zeros(k, np.bool_)
    chi2 = fit_components(x, y, z, w, p, free, beam, SMALLEST, high, reach, bounded, block)
    astray = False
    for c in range(k):
        ok[c] = acceptable(p, bounded, free, c, index, brightest)
        if not ok[c]:
            astray = True
            if free[c]:
                free[c] = False
                p[c] = start[c]
                p[c, 3:6] = beam
    if astray:
        chi2 = fit_components(x, y, z, w, p, free, beam, SMALLEST, high, reach, bounded, block)
        for c in range(k):
            ok[c] = acceptable(p, bounded, free, c, index, brightest)
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
                if (beam[2] * dx * dx - 2 * beam[1] * dx * dy + beam[0] * dy * dy) / det < (0.5 * 2.3548) ** 2:
                    near = True
            for k in range(n):
                dx, dy = x[i] - x[out[k]], y[i] - y[out[k]]
                if (beam[2] * dx * dx - 2 * beam[1] * dx * dy + beam[0] * dy * dy) / det < (1.5 * 2.3548) ** 2:
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
            p[kept], free[kept], status[kept], ok[kept] = p[c], free[c], status[c], True
            kept += 1
    return kept


@kernel
def make_blocks_of(p: Floats, beam: Floats, block: Ints) -> None:
    """Who is fitted with whom: everybody if they are few."""
    block[:] = 0
    if p.shape[0] > JOINT:
        make_blocks(p, beam, block)


@kernel
def fit_island(
    x: Floats, y: Floats, z: Floats, noise: Floats, inside: Bools, index: Labels,
    fx: Floats, fy: Floats, fz: Floats, fw: Floats, every: int, seeds: Floats, beam: Floats,
    threshold: float, high: float, limit: int, p: Floats, free: Bools, status: Ints, block: Ints,
) -> int:  # fmt: skip
    """
    Number of components of one island, all quantities in units of its reference rms; 0 where no fit holds.

    Fits the seeds, then adds components where the residual exceeds the threshold, as long as they gain more
    chi-squared than point sources of that significance would. The residual is searched on all pixels, the fit
    sees those in ``fx, fy, fz, fw`` (every ``every``-th row and column of them).
    """
    n = fx.shape[0]
    k = min(seeds.shape[0], limit)
    p[:k] = seeds[:k]
    status[:k] = 0
    free[:k] = n > 6 * k + 2
    brightest = z[0]
    for i in range(x.shape[0]):
        if inside[i] and z[i] > brightest:
            brightest = z[i]
    ok = np.zeros(p.shape[0], np.bool_)
    chi2 = settle(fx, fy, fz, fw, p[:k], free[:k], beam, high, 1.0, index, brightest, block[:k], ok[:k])
    kept = keep(p, free, status, ok, 0, k)
    if kept == 0:
        return 0
    if kept < k:
        k = kept
        chi2 = settle(fx, fy, fz, fw, p[:k], free[:k], beam, high, 1.0, index, brightest, block[:k], ok[:k])
    enough = 0.5 * threshold * threshold * np.pi * np.sqrt(beam[0] * beam[2] - beam[1] * beam[1]) / (every * every)
    found = np.empty(p.shape[0], np.int64)
    trial, trial_free, trial_status = p.copy(), free.copy(), status.copy()
    rest = z.copy()
    for turn in range(ROUNDS):
        if k > JOINT and turn >= FEW_ROUNDS:
            break
        rest[:] = z
        add_gaussians(x, y, p, 0, k, -1.0, rest)
        most = 1 if k < JOINT else p.shape[0]
        extra = residual_seeds(rest, noise, inside, index, x, y, p[:k], beam, threshold, min(most, limit - k), found)
        if extra == 0 or n <= 6 * (k + extra) + 2:
            break
        better = False
        for point in range(2):  # the newcomers with free shapes; if that fails, as points
            trial[:k], trial_free[:k], trial_status[:k] = p[:k], free[:k], status[:k]
            for m in range(extra):
                i = found[m]
                trial[k + m, 0], trial[k + m, 1], trial[k + m, 2] = rest[i], x[i], y[i]
                trial[k + m, 3:6] = beam
                trial_free[k + m] = point == 0
                trial_status[k + m] = RESEEDED
            total = k + extra
            new = settle(
                fx, fy, fz, fw, trial[:total], trial_free[:total], beam, high, 1.0, index, brightest, block[:total], ok[:total]
            )
            old_hold = True
            for c in range(k):
                old_hold = old_hold and ok[c]
            kept = keep(trial, trial_free, trial_status, ok, k, total)
            if old_hold and k < kept < total:
                total = kept
                new = settle(
                    fx, fy, fz, fw, trial[:total], trial_free[:total], beam, high, 1.0, index, brightest, block[:total],
                    ok[:total],
                )  # fmt: skip
                for c in range(total):
                    old_hold = old_hold and ok[c]
            better = old_hold and kept > k and chi2 - new > enough * (kept - k)
            if better:
                p[:kept], free[:kept], status[:kept] = trial[:kept], trial_free[:kept], trial_status[:kept]
                k, chi2 = kept, new
            if better or extra > 1:
                break
        if not better:
            break
    make_blocks_of(p[:k], beam, block[:k])
    return k

"""Kernels of the fit: bounded least squares of N Gaussians with an analytic Jacobian, jointly or block by block."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.measure.gaussian import add_gaussians, bound_shape, cholesky, jacobian_row, solve

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

JOINT = 6  # so many components at most are fitted at once
SWEEPS = 8  # at most, over the blocks of an island with more


@kernel
def normal_equations(
    x: Floats, y: Floats, z: Floats, w: Floats, p: Floats, free: Bools, matrix: Floats, gradient: Floats
) -> float:
    """Chi-squared of components ``p`` at the pixels; fills the lower half of ``J'WJ`` and ``J'W(z - model)``."""
    k = p.shape[0]
    size = gradient.shape[0]
    row = np.empty(size)
    active = np.empty(k, np.int64)
    start = np.empty(k, np.int64)
    at = 0
    for c in range(k):
        start[c] = at
        at += 6 if free[c] else 3
    matrix[:] = 0.0
    gradient[:] = 0.0
    chi2 = 0.0
    for i in range(x.shape[0]):
        rest = z[i]
        n_active = 0
        for c in range(k):
            value = jacobian_row(x[i], y[i], p, c, free[c], row, start[c])
            if row[start[c]] != 0.0:
                active[n_active] = c
                n_active += 1
                rest -= value
        chi2 += w[i] * rest * rest
        for s in range(n_active):
            c = active[s]
            for a in range(start[c], start[c] + (6 if free[c] else 3)):
                weighted = w[i] * row[a]
                gradient[a] += weighted * rest
                for t in range(s + 1):
                    d = active[t]
                    last = a + 1 if d == c else start[d] + (6 if free[d] else 3)
                    for b in range(start[d], last):
                        matrix[a, b] += weighted * row[b]
    return chi2


@kernel
def fit_joint(
    x: Floats, y: Floats, z: Floats, w: Floats, p: Floats, free: Bools, beam: Floats,
    low: float, high: float, reach: float, bounded: Bools,
) -> float:  # fmt: skip
    """
    Chi-squared after a Levenberg-Marquardt fit of all components ``p (k, 6)``, which are changed in place.

    ``z`` in units of the rms, ``w`` relative weights. Centres stay within ``reach`` beams of where they started,
    shapes within [low, high] of the beam's (see `bound_shape`); ``bounded`` tells which shape ended on a bound.
    Stops when a step promises or gains less than 1e-4 in chi-squared, a hundredth of a sigma, or a millionth of it, where
    Gaussians cannot describe the emission anyway; after twenty steps where there is very much of it.
    """
    k = p.shape[0]
    size = 0
    for c in range(k):
        size += 6 if free[c] else 3
    matrix, trial_matrix = np.empty((size, size)), np.empty((size, size))
    gradient, trial_gradient = np.empty(size), np.empty(size)
    damped, step = np.empty((size, size)), np.empty(size)
    origin, trial = p.copy(), p.copy()
    on_bound = np.zeros(k, np.bool_)
    det = beam[0] * beam[2] - beam[1] * beam[1]
    damping = 1e-3
    bounded[:] = False
    chi2 = normal_equations(x, y, z, w, p, free, matrix, gradient)
    rounds = 60 if x.shape[0] * size * size < 4_000_000 else 20
    for _ in range(rounds):
        improved = False
        gain = 0.0
        for _try in range(12):
            for a in range(size):
                for b in range(a + 1):
                    damped[a, b] = matrix[a, b]
                damped[a, a] = matrix[a, a] * (1.0 + damping) + 1e-300
                step[a] = gradient[a]
            if not cholesky(damped, size):
                damping = max(10.0 * damping, 1e-6)
                continue
            solve(damped, size, step)
            promise = 0.0
            for a in range(size):
                promise += step[a] * gradient[a]
            if promise < 1e-4 + 1e-6 * chi2:
                return chi2
            at = 0
            for c in range(k):
                n = 6 if free[c] else 3
                for m in range(n):
                    trial[c, m] = p[c, m] + step[at + m]
                at += n
                trial[c, 0] = max(trial[c, 0], 1e-3 * p[c, 0])
                dx, dy = trial[c, 1] - origin[c, 1], trial[c, 2] - origin[c, 2]
                far = (
                    np.sqrt((beam[2] * dx * dx - 2.0 * beam[1] * dx * dy + beam[0] * dy * dy) / det) / 2.3548
                )
                if far > reach:
                    trial[c, 1] = origin[c, 1] + dx * reach / far
                    trial[c, 2] = origin[c, 2] + dy * reach / far
                on_bound[c] = bound_shape(trial, c, beam, low, high) if free[c] else False
            new = normal_equations(x, y, z, w, trial, free, trial_matrix, trial_gradient)
            if new < chi2:
                gain = chi2 - new
                chi2 = new
                for c in range(k):
                    bounded[c] = on_bound[c]
                    for m in range(6):
                        p[c, m] = trial[c, m]
                matrix, trial_matrix = trial_matrix, matrix
                gradient, trial_gradient = trial_gradient, gradient
                damping = max(0.2 * damping, 1e-9)
                improved = True
                break
            damping *= 10.0
            if damping > 1e9:
                break
        if not improved or gain < 1e-4 + 1e-6 * chi2:
            break
    return chi2


@kernel
def make_blocks(p: Floats, beam: Floats, block: Ints) -> int:
    """Number of blocks of at most JOINT neighbouring components; ``block`` gets the block of each component."""
    k = p.shape[0]
    block[:] = -1
    det = beam[0] * beam[2] - beam[1] * beam[1]
    n = 0
    while True:
        first = -1  # the brightest that is in no block yet
        for c in range(k):
            if block[c] < 0 and (first < 0 or p[c, 0] > p[first, 0]):
                first = c
        if first < 0:
            break
        block[first] = n
        members = 1
        while members < JOINT:
            nearest, best = -1, 3.0 * 2.3548
            for c in range(k):
                if block[c] >= 0:
                    continue
                dx, dy = p[c, 1] - p[first, 1], p[c, 2] - p[first, 2]
                d = np.sqrt((beam[2] * dx * dx - 2.0 * beam[1] * dx * dy + beam[0] * dy * dy) / det)
                if d < best:
                    nearest, best = c, d
            if nearest < 0:
                break
            block[nearest] = n
            members += 1
        n += 1
    return n


@kernel
def picked(values: Floats, chosen: Ints) -> Floats:
    """The values at these places."""
    result = np.empty(chosen.shape[0])
    for i in range(chosen.shape[0]):
        result[i] = values[chosen[i]]
    return result


@kernel
def members_of(p: Floats, free: Bools, members: Ints) -> tuple[Floats, Bools]:
    """Copies of these components, and of which of their shapes are free."""
    part, part_free = np.empty((members.shape[0], 6)), np.empty(members.shape[0], np.bool_)
    for i in range(members.shape[0]):
        part_free[i] = free[members[i]]
        for m in range(6):
            part[i, m] = p[members[i], m]
    return part, part_free


@kernel
def near_block(x: Floats, y: Floats, p: Floats, members: Ints, beam: Floats, out: Ints) -> int:
    """Number of pixels, listed in ``out``, within 1.5 FWHM of a member of a block, by the wider of it and the beam."""
    n = 0
    for i in range(x.shape[0]):
        for c in members:
            xx, xy, yy = max(p[c, 3], beam[0]), p[c, 4], max(p[c, 5], beam[2])
            dx, dy = x[i] - p[c, 1], y[i] - p[c, 2]
            det = xx * yy - xy * xy
            if det > 0.0 and (yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy) / det < 12.5:
                out[n] = i
                n += 1
                break
    return n


@kernel
def fit_components(
    x: Floats, y: Floats, z: Floats, w: Floats, p: Floats, free: Bools, beam: Floats,
    low: float, high: float, reach: float, bounded: Bools, block: Ints,
) -> float:  # fmt: skip
    """
    Chi-squared after fitting all components: jointly if they are few, else block by block.

    Blocks are fitted in turn to the data less all other blocks, in sweeps until little changes, so that the cost grows
    linearly with the number of components; ``block`` tells who was fitted with whom.
    """
    k = p.shape[0]
    if k <= JOINT:
        block[:] = 0
        return fit_joint(x, y, z, w, p, free, beam, low, high, reach, bounded)
    n_blocks = make_blocks(p, beam, block)
    rest = z.copy()
    add_gaussians(x, y, p, 0, k, -1.0, rest)
    pixels = np.empty(x.shape[0], np.int64)
    chi2 = np.inf
    for _ in range(SWEEPS):
        before = chi2
        for b in range(n_blocks):
            members = np.nonzero(block == b)[0]
            part, part_free = members_of(p, free, members)
            n = near_block(x, y, p, members, beam, pixels)
            chosen = pixels[:n]
            add_gaussians(x, y, part, 0, part.shape[0], 1.0, rest)
            part_bounded = np.zeros(part.shape[0], np.bool_)
            if n > 6 * part.shape[0]:
                fit_joint(
                    picked(x, chosen),
                    picked(y, chosen),
                    picked(rest, chosen),
                    picked(w, chosen),
                    part,
                    part_free,
                    beam,
                    low,
                    high,
                    reach,
                    part_bounded,
                )
            add_gaussians(x, y, part, 0, part.shape[0], -1.0, rest)
            for m in range(members.shape[0]):
                bounded[members[m]] = part_bounded[m]
                for a in range(6):
                    p[members[m], a] = part[m, a]
        chi2 = 0.0
        for i in range(x.shape[0]):
            chi2 += w[i] * rest[i] * rest[i]
        if before - chi2 < 1e-4 * chi2 + n_blocks:
            break
    return chi2

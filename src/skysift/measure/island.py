"""Kernels that measure islands one after another: window, fit with re-seeding on the residual, errors, sums."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.measure.components import SMALLEST, fit_island, from_moments, settle
from skysift.measure.fit import JOINT, fit_joint, members_of, near_block, picked
from skysift.measure.gaussian import add_gaussians, flux_gradient, sandwich, take_beam
from skysift.measure.window import gather, restrict, thin
from skysift.sky.flags import flag

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

BEAM_SHAPED = flag("beam_shaped")
FIT_FAILED = flag("fit_failed")
MOMENTS = flag("moments")
BUDGET = flag("budget")
NO_ERRORS = flag("no_errors")
POOR_FIT = flag("poor_fit")
OFF_ISLAND = flag("off_island")

LARGE = 2500  # pixels; a larger island is fitted on every few rows and columns
LONE = 1.4  # FWHM; so far from its centre a lone component is fitted

# columns of a component row: six parameters (amplitude in map units, x, y, covariance), upper triangle of their
# covariance, then the rest; SHAPE begins the covariance freed of its bias, which sizes and fluxes come from
(
    AMPLITUDE, X, Y, XX, XY, YY, COV, FLUX, FLUX_VAR, BEAM_FLUX, BEAM_FLUX_VAR, RESOLUTION, RMS, LEVEL, REST_RMS,
    REST_PEAK, FLAGS, ISLAND, SHAPE,
) = (0, 1, 2, 3, 4, 5, 6, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38)  # fmt: skip
N_COMPONENT = 41

# columns of an island row
(
    I_N, I_SUM, I_X, I_Y, I_PEAK, I_XPEAK, I_YPEAK, I_RMS, I_LEVEL, I_REST_RMS, I_REST_PEAK, I_FLAGS,
    I_XX, I_XY, I_YY,
) = range(15)  # fmt: skip
N_ISLAND = 15


@kernel
def outer_step(narrow: float, n: int, every: int) -> int:
    """Step of the outer sum of `sandwich`: half the narrowest FWHM at most, and some two dozen pixels at least."""
    if every > 1:
        return 1
    return max(1, min(int(2.3548 * np.sqrt(narrow) / 2.0), int(np.sqrt(n / 24.0))))


@kernel
def errors_of_block(
    x: Floats, y: Floats, z: Floats, noise: Floats, p: Floats, free: Bools, members: Ints, beam: Floats, joint: bool,
    every: int, lags: Ints, correlation: Floats, index: Labels, cov: Floats, bias: Floats,
) -> bool:  # fmt: skip
    """Covariance ``(6 m, 6 m)`` and bias of a block, from the pixels it was fitted to; false where there is none."""
    part, part_free = members_of(p, free, members)
    narrow = np.inf
    for c in range(part.shape[0]):
        mean, half = 0.5 * (part[c, 3] + part[c, 5]), 0.5 * (part[c, 3] - part[c, 5])
        narrow = min(narrow, mean - np.sqrt(half * half + part[c, 4] ** 2))
    if joint:
        n = x.shape[0]
        step = outer_step(narrow, n, every)
        return sandwich(x, y, noise, part, part_free, lags, correlation, index, step, every, cov, bias)
    chosen = np.empty(x.shape[0], np.int64)
    n = near_block(x, y, p, members, beam, chosen)
    step = outer_step(narrow, n, every)
    part_index = np.full(index.shape, -1, np.int32)
    for i in range(n):
        part_index[int(y[chosen[i]]), int(x[chosen[i]])] = i
    chosen = chosen[:n]
    return sandwich(
        picked(x, chosen),
        picked(y, chosen),
        picked(noise, chosen),
        part,
        part_free,
        lags,
        correlation,
        part_index,
        step,
        every,
        cov,
        bias,
    )


@kernel
def take_bias(p: Floats, k: int, free: bool, cov: Floats, bias: Floats, at: int) -> None:
    """
    Subtract the bias of the shape of component k, member ``at`` of its block, unless it exceeds the error.

    Amplitude and centre stay as fitted: their median is unbiased already, and the correction is one of the mean.
    """
    if not free:
        return
    for a in range(3, 6):
        if not abs(bias[at, a]) < np.sqrt(cov[6 * at + a, 6 * at + a]):
            return
    xx, xy, yy = p[k, 3] - bias[at, 3], p[k, 4] - bias[at, 4], p[k, 5] - bias[at, 5]
    if xx > 0.0 and xx * yy > xy * xy:
        p[k, 3], p[k, 4], p[k, 5] = xx, xy, yy


@kernel
def is_point(p: Floats, k: int, beam: Floats) -> bool:
    """Whether component k has the shape of the beam."""
    return bool(p[k, 3] == beam[0] and p[k, 4] == beam[1] and p[k, 5] == beam[2])


@kernel
def beam_flux(
    x: Floats, y: Floats, rest: Floats, noise: Floats, p: Floats, k: int, beam: Floats, every: int,
    lags: Ints, correlation: Floats, index: Labels,
) -> tuple[float, float]:  # fmt: skip
    """Flux and its variance of a point source fitted in place of component k, to the data less all other components."""
    target = rest.copy()
    add_gaussians(x, y, p, k, k + 1, 1.0, target)
    point = p[k : k + 1].copy()
    take_beam(point, 0, beam)
    held, bounded = np.zeros(1, np.bool_), np.zeros(1, np.bool_)
    fit_joint(x, y, target, 1.0 / (noise * noise), point, held, beam, SMALLEST, 4.0, 0.5, bounded)
    cov, bias = np.empty((6, 6)), np.empty((1, 6))
    n = x.shape[0]
    narrow = 0.5 * (beam[0] + beam[2]) - np.sqrt(0.25 * (beam[0] - beam[2]) ** 2 + beam[1] ** 2)
    step = outer_step(narrow, n, every)
    sandwich(x, y, noise, point, held, lags, correlation, index, step, every, cov, bias)
    return float(point[0, 0]), float(cov[0, 0])


@kernel
def measure_islands(
    data: Pixels, level: Pixels, rms: Pixels, labels: Labels, y0: int, x0: int, members: Ints, boxes: Ints, sign: float,
    beams: Floats, seeds: Floats, first_seed: Ints, limits: Ints, windows: Floats, threshold: float, resolved: float,
    every_lag: Ints, every_correlation: Floats, first_lag: Ints, zones: Ints, components: Floats, pairs: Floats,
    islands: Floats,
) -> tuple[int, int]:  # fmt: skip
    """
    Measure islands ``members`` (labels) with ``boxes`` ``(n, 4)``, and fill the rows named above.

    ``seeds`` (amplitude, x, y, covariance; pixels of the map) of island i are rows ``first_seed[i]`` to
    ``first_seed[i + 1]``. ``every_lag (m, 2)`` (dy, dx) and ``every_correlation``, from ``first_lag[zones[i]]`` to
    ``first_lag[zones[i] + 1]``, tell how the noise goes together at island i. ``pairs`` gets rows (component, component,
    covariance of their fluxes). Returns how many rows of components and pairs were written.
    """
    n_components, n_pairs = 0, 0
    for i in range(members.shape[0]):
        me = members[i]
        beam = beams[i]
        lags = every_lag[first_lag[zones[i]] : first_lag[zones[i] + 1]]
        correlation = every_correlation[first_lag[zones[i]] : first_lag[zones[i] + 1]]
        window = windows[i]
        reach_y = window * 2.3548 * np.sqrt(beam[2])
        reach_x = window * 2.3548 * np.sqrt(beam[0])
        ry, rx = int(np.ceil(reach_y)), int(np.ceil(reach_x))
        offsets = np.empty(((2 * ry + 1) * (2 * rx + 1), 2), np.int64)
        distance = np.empty(offsets.shape[0])
        det = beam[0] * beam[2] - beam[1] * beam[1]
        m = 0
        for dy in range(-ry, ry + 1):
            for dx in range(-rx, rx + 1):
                q = (beam[2] * dx * dx - 2 * beam[1] * dx * dy + beam[0] * dy * dy) / det
                if q <= (window * 2.3548) ** 2:
                    offsets[m, 0], offsets[m, 1] = dy, dx
                    distance[m] = q
                    m += 1
        top, bottom = max(boxes[i, 0] - ry - y0, 0), min(boxes[i, 1] + ry - y0, data.shape[0])
        left, right = max(boxes[i, 2] - rx - x0, 0), min(boxes[i, 3] + rx - x0, data.shape[1])
        size = (bottom - top) * (right - left)
        index = np.empty((bottom - top, right - left), np.int32)
        x, y, z, noise = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
        inside = np.empty(size, np.bool_)
        n = gather(
            data, level, rms, labels, me, top, bottom, left, right, sign, offsets[:m], distance[:m], index,
            x, y, z, noise, inside,
        )  # fmt: skip
        x, y, z, noise, inside = x[:n], y[:n], z[:n], noise[:n], inside[:n]
        at = -1
        for j in range(n):
            if inside[j] and (at < 0 or z[j] / noise[j] > z[at] / noise[at]):
                at = j
        reference = noise[at]
        for j in range(n):
            z[j] /= reference
            noise[j] /= reference
        shift_y, shift_x = float(top + y0), float(left + x0)

        local = seeds[first_seed[i] : first_seed[i + 1]].copy()
        for s in range(local.shape[0]):
            local[s, 0] /= reference
            local[s, 1] -= shift_x
            local[s, 2] -= shift_y
        limit = limits[i]
        p, free = np.empty((limit, 6)), np.zeros(limit, np.bool_)
        status, block = np.zeros(limit, np.int64), np.zeros(limit, np.int64)
        minor = 0.5 * (beam[0] + beam[2]) - np.sqrt(0.25 * (beam[0] - beam[2]) ** 2 + beam[1] ** 2)
        extent = 1.3 * max(boxes[i, 1] - boxes[i, 0], boxes[i, 3] - boxes[i, 2])
        high = max(4.0, 1.0 + extent * extent / 5.545 / minor)
        fx, fy, fz, fnoise, findex = x, y, z, noise, index
        every = 1
        if n > LARGE:
            every = max(int(2.3548 * np.sqrt(minor) / 2.0), int(np.ceil(np.sqrt(n / (4.0 * LARGE)))), 1)
        if every > 1:
            tx, ty, tz, tnoise, tindex = (
                np.empty(n),
                np.empty(n),
                np.empty(n),
                np.empty(n),
                np.empty_like(index),
            )
            t = thin(x, y, z, noise, every, tx, ty, tz, tnoise, tindex)
            fx, fy, fz, fnoise, findex = tx[:t], ty[:t], tz[:t], tnoise[:t], tindex
        k = fit_island(
            x, y, z, noise, inside, index, fx, fy, fz, 1.0 / (fnoise * fnoise), every, local, beam, threshold, high,
            limit, p, free, status, block,
        )  # fmt: skip
        lone = False
        lone_x, lone_y, lone_z, lone_noise, lone_index = fx, fy, fz, fnoise, findex
        # A lone component is fitted again within an ellipse of its own shape: an island's outline follows the noise,
        # and a window that follows it makes sources too wide and too faint.
        if k == 1:
            for _ in range(2):
                tx, ty, tz, tnoise, tindex = (
                    np.empty(n),
                    np.empty(n),
                    np.empty(n),
                    np.empty(n),
                    np.empty_like(index),
                )
                t = restrict(fx, fy, fz, fnoise, p[:1], LONE, tx, ty, tz, tnoise, tindex)
                tx, ty, tz, tnoise = tx[:t], ty[:t], tz[:t], tnoise[:t]
                trial, trial_free, ok = p[:1].copy(), free[:1].copy(), np.zeros(1, np.bool_)
                if t < 9:
                    break
                settle(
                    tx,
                    ty,
                    tz,
                    1.0 / (tnoise * tnoise),
                    trial,
                    trial_free,
                    beam,
                    high,
                    1.0,
                    tindex,
                    z[at],
                    block[:1],
                    ok,
                )
                if not ok[0] or trial_free[0] != free[0]:
                    break
                for m in range(6):
                    p[0, m] = trial[0, m]
                lone_x, lone_y, lone_z, lone_noise, lone_index = tx, ty, tz, tnoise, tindex
                lone = True
            if lone:
                fx, fy, fz, fnoise, findex = lone_x, lone_y, lone_z, lone_noise, lone_index
        failed = k == 0
        if failed:
            from_moments(x, y, z, inside, beam, p, True)
            k = 1
            free[0] = False
            block[0] = 0
            status[0] = MOMENTS | FIT_FAILED
        for c in range(k):
            if not free[c] and not failed:
                status[c] |= BEAM_SHAPED if is_point(p, c, beam) else FIT_FAILED

        rest = z.copy()
        add_gaussians(x, y, p, 0, k, -1.0, rest)
        total, cx, cy, squares, worst, count = 0.0, 0.0, 0.0, 0.0, 0.0, 0
        for j in range(n):
            if inside[j]:
                total += z[j]
                cx += z[j] * x[j]
                cy += z[j] * y[j]
                r = rest[j] / noise[j]
                squares += r * r
                count += 1
                if abs(r) > abs(worst):
                    worst = r
        rest_rms = np.sqrt(squares / count)
        row = islands[i]
        row[I_N] = count
        row[I_SUM] = sign * total * reference / (2.0 * np.pi * np.sqrt(det))
        row[I_X], row[I_Y] = cx / total + shift_x, cy / total + shift_y
        row[I_PEAK] = sign * z[at] * reference
        row[I_XPEAK], row[I_YPEAK] = x[at] + shift_x, y[at] + shift_y
        row[I_RMS] = reference
        row[I_LEVEL] = level[int(y[at]) + top, int(x[at]) + left]
        row[I_REST_RMS], row[I_REST_PEAK] = rest_rms, sign * worst
        bits = BUDGET if k >= limit else 0
        if rest_rms > 2.0 or abs(worst) > 8.0:
            bits |= POOR_FIT
        row[I_FLAGS] = bits
        row[I_XX], row[I_XY], row[I_YY] = beam[0], beam[1], beam[2]

        joint = k <= JOINT
        gradients = np.zeros((k, 6))
        for b in range(block[:k].max() + 1):
            group = np.nonzero(block[:k] == b)[0]
            if group.shape[0] == 0:
                continue
            cov, bias = np.empty((6 * group.shape[0], 6 * group.shape[0])), np.zeros((group.shape[0], 6))
            known = failed or errors_of_block(
                fx,
                fy,
                fz,
                fnoise,
                p[:k],
                free[:k],
                group,
                beam,
                joint,
                every,
                lags,
                correlation,
                findex,
                cov,
                bias,
            )
            for s in range(group.shape[0]):
                c = group[s]
                out = components[n_components + c]
                out[XX], out[XY], out[YY] = p[c, 3], p[c, 4], p[c, 5]
                take_bias(p, c, free[c], cov, bias, s)
                out[SHAPE], out[SHAPE + 1], out[SHAPE + 2] = p[c, 3], p[c, 4], p[c, 5]
                flux = flux_gradient(p, c, free[c], beam, gradients[c])
                if failed or (not known and not free[c]):  # too few pixels: what the noise does to a point
                    for a in range(6 * s, 6 * s + 6):
                        for b in range(cov.shape[0]):
                            cov[a, b], cov[b, a] = 0.0, 0.0
                    cov[6 * s, 6 * s] = 1.0
                    cov[6 * s + 1, 6 * s + 1] = beam[0] / p[c, 0] ** 2
                    cov[6 * s + 2, 6 * s + 2] = beam[2] / p[c, 0] ** 2
                elif not known:
                    status[c] |= NO_ERRORS
                r = min(max(int(np.floor(p[c, 2] + 0.5)), 0), index.shape[0] - 1) + top
                u = min(max(int(np.floor(p[c, 1] + 0.5)), 0), index.shape[1] - 1) + left
                out[AMPLITUDE] = sign * p[c, 0] * reference
                out[X], out[Y] = p[c, 1] + shift_x, p[c, 2] + shift_y
                m = COV
                for a in range(6):
                    for d in range(a, 6):
                        v = cov[6 * s + a, 6 * s + d]
                        if a == 0:
                            v *= reference
                        if d == 0:
                            v *= reference
                        out[m] = v
                        m += 1
                variance = 0.0
                shape = 0.0
                for a in range(6):
                    for d in range(6):
                        v = cov[6 * s + a, 6 * s + d]
                        variance += gradients[c, a] * gradients[c, d] * v
                        if a >= 3 and d >= 3:
                            shape += gradients[c, a] * gradients[c, d] * v / (flux * flux)
                out[FLUX], out[FLUX_VAR] = sign * flux * reference, variance * reference * reference
                log_ratio = np.log(flux / p[c, 0])
                out[RESOLUTION] = log_ratio / np.sqrt(shape) if free[c] and shape > 0.0 else 0.0
                out[BEAM_FLUX], out[BEAM_FLUX_VAR] = np.nan, np.nan
                if not free[c] and not failed and is_point(p, c, beam):
                    out[BEAM_FLUX], out[BEAM_FLUX_VAR] = out[AMPLITUDE], out[COV]
                elif free[c] and not out[RESOLUTION] > resolved:
                    frest = fz.copy()
                    add_gaussians(fx, fy, p, 0, k, -1.0, frest)
                    f, v = beam_flux(fx, fy, frest, fnoise, p, c, beam, every, lags, correlation, findex)
                    if 0.5 * p[c, 0] < f < 2.0 * p[c, 0]:  # else the point took up what the model leaves
                        out[BEAM_FLUX], out[BEAM_FLUX_VAR] = sign * f * reference, v * reference * reference
                if labels[r, u] != me:
                    status[c] |= OFF_ISLAND
                out[RMS] = rms[r, u]
                out[LEVEL] = level[r, u]
                out[REST_RMS], out[REST_PEAK] = rest_rms, sign * worst
                out[FLAGS] = status[c] | int(row[I_FLAGS])
                out[ISLAND] = i
                for t in range(s):
                    e = group[t]
                    v = 0.0
                    for a in range(6):
                        for d in range(6):
                            v += gradients[c, a] * gradients[e, d] * cov[6 * s + a, 6 * t + d]
                    pairs[n_pairs, 0], pairs[n_pairs, 1] = n_components + c, n_components + e
                    pairs[n_pairs, 2] = v * reference * reference
                    n_pairs += 1
        n_components += k
    return n_components, n_pairs

"""Kernels that measure at known places: amplitudes of held shapes, neighbours solved together, errors, free fits.

The places of a group are solved jointly by weighted least squares: ``f = (G'WG)^-1 G'W d`` for the amplitudes
``f`` of the templates ``G``, which is linear in the data and so without bias at any signal to noise. Errors are
those of this estimator under the measured noise autocorrelation, ``(G'WG)^-1 G'WCWG (G'WG)^-1``.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.measure.forced_fit import (
    amplitudes,
    cover,
    derivatives,
    find_twins,
    fit_free,
    mark,
    noise_products,
    normal,
    smallest,
)  # fmt: skip
from skysift.measure.gaussian import cholesky, flux_gradient, solve
from skysift.sky.flags import flag

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]

NO_DATA = flag("no_data")
EDGE = flag("edge")
BLANK = flag("blank")
COINCIDENT = flag("coincident")
BLENDED = flag("blended")
HELD = flag("held")
FIT_FAILED = flag("fit_failed")
NO_ERRORS = flag("no_errors")
POOR_FIT = flag("poor_fit")

INFLATED = 4.0  # of the variance by the neighbours: more is told

# columns of a row: amplitude and flux with errors, centre and its covariance, shape and its covariance (upper
# triangle), noise and level at the place, rms of the residual over the noise in the window, flags, largest residual
(
    AMPLITUDE, AMPLITUDE_ERR, FLUX, FLUX_ERR, X, Y, PXX, PXY, PYY, SHAPE, SHAPE_COV, RMS, LEVEL, REST_RMS, FLAGS,
    REST_PEAK,
) = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 18, 19, 20, 21, 22)  # fmt: skip
N_FORCED = 23


@dataclass(frozen=True, eq=False)
class Forced:
    """
    What was measured at places of one map; arrays ``(n,)``, NaN where there were no data.

    Attributes
    ----------
    flux_peak, flux_peak_err
        Brightness at the middle of what was fitted, with its sign (Jy/beam).
    flux_int, flux_int_err
        Flux density of the shape that was fitted (Jy); that of a point is its brightness.
    x, y
        Pixels of the map: as given where positions were held.
    position_cov
        ``(n, 3)`` covariance xx, xy, yy of the position (pixels squared); 0 where it was held.
    shape
        ``(n, 3)`` covariance xx, xy, yy (pixels squared) of what was fitted, beam included.
    shape_cov
        ``(n, 3, 3)`` covariance of the shape; 0 where it was held.
    rms, background
        Of the map at the place (Jy/beam).
    residual_rms, residual_peak
        Of what the fit left in the window, over the noise; the pixel with the largest, with its sign.
    flags
        int64 bits of `skysift.sky.flags`.
    pairs
        ``(pair, 3)``: numbers of two places of one source that were solved together, and the covariance of their
        `flux_int` (Jy squared).
    """

    flux_peak: Floats
    flux_peak_err: Floats
    flux_int: Floats
    flux_int_err: Floats
    x: Floats
    y: Floats
    position_cov: Floats
    shape: Floats
    shape_cov: Floats
    rms: Floats
    background: Floats
    residual_rms: Floats
    residual_peak: Floats
    flags: Ints
    pairs: Floats

    @classmethod
    def of_rows(cls, rows: Floats, pairs: Floats) -> "Forced":
        """From the rows ``(n, N_FORCED)`` and the pairs that the kernel filled."""
        shape_cov = np.empty((len(rows), 3, 3))
        i, j = np.triu_indices(3)
        shape_cov[:, i, j] = rows[:, SHAPE_COV : SHAPE_COV + 6]
        shape_cov[:, j, i] = rows[:, SHAPE_COV : SHAPE_COV + 6]
        return cls(
            rows[:, AMPLITUDE], rows[:, AMPLITUDE_ERR], rows[:, FLUX], rows[:, FLUX_ERR], rows[:, X], rows[:, Y],
            rows[:, PXX : PYY + 1], rows[:, SHAPE : SHAPE + 3], shape_cov, rows[:, RMS], rows[:, LEVEL],
            rows[:, REST_RMS], rows[:, REST_PEAK], rows[:, FLAGS].astype(np.int64), pairs,
        )  # fmt: skip

    @property
    def x_err(self) -> Floats:
        """Error of x (pixel); 0 where it was held."""
        return np.sqrt(self.position_cov[:, 0])

    @property
    def y_err(self) -> Floats:
        """Error of y (pixel); 0 where it was held."""
        return np.sqrt(self.position_cov[:, 2])

    @property
    def shape_err(self) -> Floats:
        """``(n, 3)`` errors of xx, xy, yy (pixels squared); 0 where the shape was held."""
        return np.sqrt(np.diagonal(self.shape_cov, axis1=1, axis2=2))

    def limits(self, sigmas: float) -> Floats:
        """Upper limits of `flux_int` (Jy): the flux, or zero if it is negative, and so many errors."""
        return np.asarray(np.maximum(self.flux_int, 0.0) + sigmas * self.flux_int_err)

    def summed(self, owner: Ints, n: int) -> tuple[Floats, Floats]:
        """
        Flux densities ``(n,)`` of sources and their errors (Jy): the sums over their places.

        Errors take into account what those of places solved together have in common. NaN where a place of the source
        has no flux.

        Parameters
        ----------
        owner
            The source of each place, as `skysift.find.forced.measure_at` had it.
        n
            How many sources there are.
        """
        flux, variance = np.zeros(n), np.zeros(n)
        np.add.at(flux, owner, self.flux_int)
        np.add.at(variance, owner, self.flux_int_err**2)
        np.add.at(variance, owner[self.pairs[:, 0].astype(np.int64)], 2.0 * self.pairs[:, 2])
        return flux, np.sqrt(variance)

    def __len__(self) -> int:
        return int(self.flags.size)


@kernel
def covariance(
    g: Floats, lo: Ints, hi: Ints, x: Floats, y: Floats, index: npt.NDArray[np.int32], step: int, lags: Ints,
    correlation: Floats, cov: Floats, inflation: Floats,
) -> bool:  # fmt: skip
    """
    Covariance ``(size, size)`` of the parameters whose derivatives over the noise are ``g (size, pixel)``.

    ``inflation`` gets by how much the other parameters widen the variance of each. False where the normal
    matrix is singular. A covariance that comes out with a variance below zero, since a measured autocorrelation is
    cut off somewhere, is replaced by that of independent patches of noise.
    """
    size = g.shape[0]
    matrix = np.zeros((size, size))
    normal(g, lo, hi, matrix)
    scale = np.empty(size)
    for a in range(size):
        scale[a] = 1.0 / np.sqrt(matrix[a, a]) if matrix[a, a] > 0.0 else 0.0
    for a in range(size):
        for b in range(a + 1):
            matrix[a, b] *= scale[a] * scale[b]
    if not cholesky(matrix, size):
        cov[:] = np.nan
        return False
    inverse = np.zeros((size, size))
    unit = np.empty(size)
    for a in range(size):
        unit[:] = 0.0
        unit[a] = 1.0
        solve(matrix, size, unit)
        inflation[a] = unit[a]
        for b in range(size):
            inverse[b, a] = unit[b] * scale[a] * scale[b]
    middle = np.zeros((size, size))
    noise_products(g, lo, hi, x, y, index, step, lags, correlation, middle)
    half = np.zeros((size, size))
    for a in range(size):
        for m in range(size):
            left = inverse[a, m] * step * step
            if left != 0.0:
                for b in range(size):
                    half[a, b] += left * 0.5 * (middle[m, b] + middle[b, m])
    cov[:] = 0.0
    for a in range(size):
        for m in range(size):
            left = half[a, m]
            for b in range(size):
                cov[a, b] += left * inverse[m, b]
    sound = True
    for a in range(size):
        sound = sound and cov[a, a] > 0.0
    if not sound:
        patch = max(correlation.sum(), 1.0)
        for a in range(size):
            for b in range(size):
                cov[a, b] = patch * inverse[a, b]
    return True


@kernel
def write_row(
    p: Floats,
    c: int,
    count: int,
    at: int,
    cov: Floats,
    known: bool,
    beam: Floats,
    gradient: Floats,
    out: Floats,
) -> int:
    """Fill the numbers of component c in its row, and its `flux_gradient`; the flags of its errors."""
    out[AMPLITUDE], out[X], out[Y] = p[c, 0], p[c, 1], p[c, 2]
    out[FLUX] = flux_gradient(p, c, count == 6, beam, gradient)
    for m in range(3):
        out[SHAPE + m] = p[c, 3 + m]
        out[PXX + m] = 0.0
    for m in range(6):
        out[SHAPE_COV + m] = 0.0
    if not known:
        return NO_ERRORS
    variance = 0.0
    for a in range(count):
        for b in range(count):
            variance += gradient[a] * gradient[b] * cov[at + a, at + b]
    out[AMPLITUDE_ERR] = np.sqrt(cov[at, at])
    out[FLUX_ERR] = np.sqrt(variance)
    if count >= 3:
        out[PXX], out[PXY], out[PYY] = cov[at + 1, at + 1], cov[at + 1, at + 2], cov[at + 2, at + 2]
    if count == 6:
        m = SHAPE_COV
        for a in range(3, 6):
            for b in range(a, 6):
                out[m] = cov[at + a, at + b]
                m += 1
    return 0


@kernel
def measure_groups(
    data: Pixels, level: Pixels, rms: Pixels, y0: int, x0: int, first: Ints, places: Floats, beams: Floats,
    core: Bools, n_free: Ints, window: float, min_good: float, reach: float, free_snr: float, every_lag: Ints,
    every_correlation: Floats, first_lag: Ints, zones: Ints, owner: Ints, rows: Floats, pairs: Floats,
) -> int:  # fmt: skip
    """
    Fill the rows (columns named above) of the places of groups that are solved one after another.

    Parameters
    ----------
    data, level, rms
        Pixels of a tile (y, x) whose first pixel is (y0, x0); NaN in ``data`` where the map is blank.
    first
        Group i is places ``first[i]`` to ``first[i + 1]``.
    places
        ``(n, 5)``: x, y in pixels of the map, covariance xx, xy, yy of what is fitted there.
    beams
        ``(n, 3)``: covariance of the beam there.
    core
        Which places get their row from this group; the others are there as neighbours.
    n_free
        ``(n,)``: parameters of each place: 1 its flux, 3 its position too, 6 its shape too.
    window
        Pixels so near to a place are used (FWHM of what is fitted).
    min_good
        Share of these that must hold data.
    reach
        How far a position may move (FWHM).
    free_snr
        Places fainter than this keep their position and shape.
    every_lag, every_correlation
        Offsets ``(m, 2)`` (dy, dx) and the noise autocorrelation there, zone after zone.
    first_lag, zones
        Zone k has the lags ``first_lag[k]`` to ``first_lag[k + 1]``; the zone of each group.
    owner
        Of the source that each place is a part of; below 0 for none.
    pairs
        Out: rows (place, place, covariance of their fluxes) of the places of one source that are solved together,
        by the group where the first of the two has its row. Returns how many there are.
    """
    n_pairs = 0
    for i in range(first.shape[0] - 1):
        lags = every_lag[first_lag[zones[i]] : first_lag[zones[i] + 1]]
        correlation = every_correlation[first_lag[zones[i]] : first_lag[zones[i] + 1]]
        start, m = first[i], first[i + 1] - first[i]
        top, bottom, left, right = data.shape[0], 0, data.shape[1], 0
        alive = np.empty(m, np.int64)
        status = np.zeros(m, np.int64)
        k = 0
        for c in range(m):
            p = places[start + c]
            v0, v1, u0, u1, full, good, off = cover(data, p, y0, x0, window)
            if good == 0 or good < min_good * full:
                rows[start + c, FLAGS] = NO_DATA
                continue
            if off > 0:
                status[c] |= EDGE
            if good + off < full:
                status[c] |= BLANK
            alive[k] = c
            k += 1
            top, bottom, left, right = min(top, v0), max(bottom, v1), min(left, u0), max(right, u1)
        if k == 0:
            continue
        shift_y, shift_x = float(top + y0), float(left + x0)
        index = np.full((bottom - top, right - left), np.int32(-1), np.int32)
        for s in range(k):
            p = places[start + alive[s]]
            mark(data, p, y0, x0, window, top, left, index)
        n = 0
        for v in range(index.shape[0]):
            for u in range(index.shape[1]):
                if index[v, u] >= 0:
                    index[v, u] = n
                    n += 1
        x, y, z, noise = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
        for v in range(index.shape[0]):
            for u in range(index.shape[1]):
                j = index[v, u]
                if j >= 0:
                    x[j], y[j] = u, v
                    z[j] = np.float64(data[v + top, u + left]) - level[v + top, u + left]
                    noise[j] = rms[v + top, u + left]
        every = np.empty((k, 6))
        for s in range(k):
            c = start + alive[s]
            every[s, 0] = 1.0
            every[s, 1], every[s, 2] = places[c, 0] - shift_x, places[c, 1] - shift_y
            for a in range(3):
                every[s, 3 + a] = places[c, 2 + a]
        ones = np.ones(k, np.int64)
        g, lo, hi, model = np.zeros((k, n)), np.zeros(k, np.int64), np.zeros(k, np.int64), np.empty(n)
        derivatives(x, y, noise, every, ones, g, lo, hi, model)
        twin = np.arange(k)
        kept = k
        if k > 1:
            kept = find_twins(g, lo, hi, twin)
        p, count, place = np.empty((kept, 6)), np.ones(kept, np.int64), np.empty(k, np.int64)
        at = 0
        for s in range(k):
            if twin[s] != s:
                place[s] = place[twin[s]]
                continue
            place[s] = at
            for a in range(6):
                p[at, a] = every[s, a]
            if at != s:
                for j in range(n):
                    g[at, j] = g[s, j]
                lo[at], hi[at] = lo[s], hi[s]
            at += 1
        g, lo, hi = g[:kept], lo[:kept], hi[:kept]
        solved = amplitudes(z, noise, g, lo, hi, p)
        step = max(1, int(min(2.3548 * np.sqrt(smallest(p)) / 3.0, np.sqrt(n / (24.0 * kept)))))
        cov, inflation = np.empty((kept, kept)), np.ones(kept)
        known = solved and covariance(g, lo, hi, x, y, index, step, lags, correlation, cov, inflation)
        if not solved:
            for s in range(k):
                rows[start + alive[s], FLAGS] = status[alive[s]] | FIT_FAILED | NO_ERRORS
            continue
        failed, faint = np.zeros(kept, np.bool_), np.zeros(kept, np.bool_)
        asked, own = np.ones(kept, np.int64), np.empty((kept, 3))
        for s in range(k):
            if twin[s] == s:
                asked[place[s]] = n_free[start + alive[s]]
                for a in range(3):
                    own[place[s], a] = beams[start + alive[s], a]
        if asked.max() > 1 and known:
            for c in range(kept):
                if abs(p[c, 0]) >= free_snr * np.sqrt(cov[c, c]):
                    count[c] = asked[c]
                else:
                    faint[c] = asked[c] > 1
            if count.max() > 1:
                fit_free(x, y, z, noise, p, count, own, reach, failed)
                size = count.sum()
                g, lo, hi = np.zeros((size, n)), np.zeros(size, np.int64), np.zeros(size, np.int64)
                cov, inflation = np.empty((size, size)), np.ones(size)
                derivatives(x, y, noise, p, count, g, lo, hi, model)
                known = covariance(g, lo, hi, x, y, index, step, lags, correlation, cov, inflation)
        begin = np.zeros(kept, np.int64)
        for c in range(1, kept):
            begin[c] = begin[c - 1] + count[c - 1]
        gradients = np.zeros((kept, 6))
        for j in range(n):
            model[j] = z[j]
        for c in range(kept):
            det = p[c, 3] * p[c, 5] - p[c, 4] * p[c, 4]
            for j in range(lo[begin[c]], hi[begin[c]]):
                dx, dy = x[j] - p[c, 1], y[j] - p[c, 2]
                q = (p[c, 5] * dx * dx - 2.0 * p[c, 4] * dx * dy + p[c, 3] * dy * dy) / det
                if q < 40.0:
                    model[j] -= p[c, 0] * np.exp(-0.5 * q)
        for s in range(k):
            row = start + alive[s]
            if not core[row]:
                continue
            c = place[s]
            out = rows[row]
            bits = status[alive[s]] | write_row(
                p, c, count[c], begin[c], cov, known, beams[row], gradients[c], out
            )
            out[X] += shift_x
            out[Y] += shift_y
            if twin[s] != s:
                bits |= COINCIDENT
                if n_free[row] == 1:
                    for a in range(2):
                        out[X + a] = places[row, a]
                    for a in range(3):
                        out[SHAPE + a] = places[row, 2 + a]
            for t in range(k):
                if t != s and place[t] == c:
                    bits |= COINCIDENT
            if known and inflation[begin[c]] > INFLATED and count[c] == 1:
                bits |= BLENDED
            if failed[c]:
                bits |= FIT_FAILED
            if faint[c]:
                bits |= HELD
            nearest, squares, pixels, worst = np.inf, 0.0, 0, 0.0
            px, py = places[row, 0] - shift_x, places[row, 1] - shift_y
            xx, xy, yy = places[row, 2], places[row, 3], places[row, 4]
            limit = (window * 2.3548) ** 2 * (xx * yy - xy * xy)
            for j in range(lo[begin[c]], hi[begin[c]]):
                dx, dy = x[j] - px, y[j] - py
                if dx * dx + dy * dy < nearest:
                    nearest = dx * dx + dy * dy
                    out[RMS] = noise[j]
                    out[LEVEL] = level[int(y[j]) + top, int(x[j]) + left]
                if yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy <= limit:
                    r = model[j] / noise[j]
                    squares += r * r
                    if abs(r) > abs(worst):
                        worst = r
                    pixels += 1
            if pixels:
                out[REST_RMS] = np.sqrt(squares / pixels)
                out[REST_PEAK] = worst
                if out[REST_RMS] > 2.0 or abs(worst) > 8.0:
                    bits |= POOR_FIT
            out[FLAGS] = bits
        if not known:
            continue
        for s in range(k):
            a, c = start + alive[s], place[s]
            if owner[a] < 0 or not core[a]:
                continue
            for t in range(s + 1, k):
                b, d = start + alive[t], place[t]
                if owner[b] != owner[a]:
                    continue
                flux_gradient(p, d, count[d] == 6, beams[b], gradients[d])
                common = 0.0
                for i_a in range(count[c]):
                    for i_b in range(count[d]):
                        common += gradients[c, i_a] * gradients[d, i_b] * cov[begin[c] + i_a, begin[d] + i_b]
                pairs[n_pairs, 0], pairs[n_pairs, 1], pairs[n_pairs, 2] = a, b, common
                n_pairs += 1
    return n_pairs

"""Fluxes of segments: sums over the pixels of extended sources above a local level, with errors of correlated noise."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.measure.background import clipped
from skysift.measure.distance import square_distances
from skysift.measure.noise import truncation

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

CLIP = 3.0  # around the level of an annulus, in its own rms
WANTED = 10.0  # beam areas that an annulus should hold; with fewer it comes nearer to the segment
LEAST = 2.0  # beam areas below which nothing is said of the local level
SAMPLES = 500  # pixels whose correlation with all others is summed, of a segment and of its annulus

# columns of a row
(
    N_PIXELS, SUM, VARIANCE, PEAK, X_PEAK, Y_PEAK, X, Y, X_VARIANCE, Y_VARIANCE, LEVEL, LEVEL_VARIANCE, CROSS, RMS, XX,
    XY, YY, N_ANNULUS, N_SUMMED, OWN_SUM,
) = range(20)  # fmt: skip
N_ROW = 20
OWN, AROUND, RIM = 1, 2, 3  # pixels of a segment, of its annulus, and beside it but summed with it


@dataclass(frozen=True, eq=False)
class SegmentFluxes:
    """
    What was summed over segments; arrays ``(n,)``, NaN where a segment holds no data.

    Attributes
    ----------
    n_pixels, n_beams
        Pixels with data, and the same in beam areas.
    flux_int, flux_int_err
        Flux density above the local level (Jy), of the pixels of the segment and of the rim around it; the error holds
        noise, that of the local level, and how the two go together.
    flux_peak, x_peak, y_peak
        The brightest pixel: its brightness above the local level (Jy/beam) and place (pixels of the map).
    x, y, x_err, y_err
        Centroid of the flux (pixels of the map); that of the pixels where the flux is not above zero.
    background, background_err
        Local level above that of the map (Jy/beam); always taken off, however small it is. Where the
        surroundings hold too few pixels it is 0, and its error is the rms.
    rms
        Mean noise over the segment (Jy/beam).
    moments
        ``(n, 3)`` second moments xx, xy, yy of the flux (pixels squared); of the pixels where those of the flux are
        no ellipse.
    n_annulus
        Pixels that the local level comes from; 0 where there were too few.
    """

    n_pixels: Ints
    n_beams: Floats
    flux_int: Floats
    flux_int_err: Floats
    flux_peak: Floats
    x_peak: Floats
    y_peak: Floats
    x: Floats
    y: Floats
    x_err: Floats
    y_err: Floats
    background: Floats
    background_err: Floats
    rms: Floats
    moments: Floats
    n_annulus: Ints

    def __len__(self) -> int:
        return int(self.n_pixels.size)

    @classmethod
    def concat(cls, parts: "Sequence[SegmentFluxes]") -> "SegmentFluxes":
        """The rows of several sets, one after the other."""
        return cls(
            **{each.name: np.concatenate([getattr(one, each.name) for one in parts]) for each in fields(cls)}
        )

    def select(self, rows: Bools | Ints) -> "SegmentFluxes":
        """Those where a mask is true, or with these numbers."""
        return SegmentFluxes(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


def measure_segments(
    data: Pixels,
    level: Pixels,
    rms: Pixels,
    labels: Labels,
    blocked: Bools,
    y0: int,
    x0: int,
    members: Ints,
    beam_area: float | Floats,
    lags: Ints,
    correlation: Floats,
    inner: float,
    outer: float,
    rim: float = 0.0,
) -> SegmentFluxes:
    """
    Fluxes of segments above the level around them, with the errors of correlated noise.

    The outline of a segment follows the noise: it leaves out wings, and takes in what noise has raised. So its flux is
    summed over a rim as well: the free pixels at most `rim` away that are nearer to it than to any other segment; of
    two as near, that with the lower label has them. All else is told of its own pixels.

    The local level is the mean of the pixels farther than `inner` and at most `outer` pixels from the segment that
    belong to nothing else, clipped at 3 times their rms. Where they cover less than 10 beam areas, the inner distance
    is halved, then left out; nothing is ever looked at beyond `outer`, so that a tile with that margin is
    enough. The error of the level is that of a mean of correlated noise, widened by the scatter of the pixels around
    the segment where this is more than noise explains. The flux is a sum with weights, 1 in the segment and its rim and
    minus the ratio of the numbers of pixels around it, and its variance that of this sum under the noise
    autocorrelation.

    Parameters
    ----------
    data, level, rms
        Pixels of a tile (y, x) whose first pixel is (y0, x0); NaN in ``data`` where the map is blank.
    labels
        Number of the segment that each pixel belongs to; 0 for none.
    blocked
        Further pixels that say nothing of the local level, such as those of compact sources.
    members
        The labels to measure.
    beam_area
        In pixels, one or one a member.
    lags, correlation
        Offsets (dy, dx) at which noise is correlated, and by how much.
    inner, outer, rim
        Distances in pixels; the rim at most half as wide as `outer`.
    """
    members = np.asarray(members, np.int64)
    area = np.broadcast_to(np.asarray(beam_area, np.float64), members.shape)
    rows = np.full((len(members), N_ROW), np.nan)
    if len(members):
        index = np.full(int(max(labels.max(), members.max())) + 1, -1, np.int64)
        index[members] = np.arange(len(members))
        boxes = label_boxes(labels, index, len(members))
        sum_segments(
            data, level, rms, labels, blocked, y0, x0, members, boxes, np.ascontiguousarray(area), lags, correlation,
            float(inner), float(outer), float(rim), CLIP, truncation(CLIP), rows,
        )  # fmt: skip
    n = np.nan_to_num(rows[:, N_PIXELS])
    all_ = np.nan_to_num(rows[:, N_SUMMED])
    variance = rows[:, VARIANCE] - 2.0 * all_ * rows[:, CROSS] + all_ * all_ * rows[:, LEVEL_VARIANCE]
    return SegmentFluxes(
        n.astype(np.int64), n / area, rows[:, SUM] / area, np.sqrt(np.maximum(variance, 0.0)) / area, rows[:, PEAK],
        rows[:, X_PEAK], rows[:, Y_PEAK], rows[:, X], rows[:, Y], np.sqrt(rows[:, X_VARIANCE]),
        np.sqrt(rows[:, Y_VARIANCE]), rows[:, LEVEL], np.sqrt(rows[:, LEVEL_VARIANCE]), rows[:, RMS],
        rows[:, XX : YY + 1].copy(), np.nan_to_num(rows[:, N_ANNULUS]).astype(np.int64),
    )  # fmt: skip


@kernel
def label_boxes(labels: Labels, index: Ints, n: int) -> Ints:
    """Half-open boxes ``(n, 4)`` y0, y1, x0, x1 of the labels whose row ``index[label]`` is not negative; else empty."""
    boxes = np.zeros((n, 4), np.int64)
    height, width = labels.shape
    for v in range(height):
        for u in range(width):
            label = labels[v, u]
            if label <= 0 or index[label] < 0:
                continue
            box = boxes[index[label]]
            if box[1] == 0:
                box[0], box[1], box[2], box[3] = v, v + 1, u, u + 1
            else:
                box[1] = v + 1
                box[2], box[3] = min(box[2], u), max(box[3], u + 1)
    return boxes


@kernel
def mark_annulus(
    data: Pixels, labels: Labels, blocked: Bools, distance: npt.NDArray[np.int32], v0: int, u0: int, inner: float,
    outer: float, part: npt.NDArray[np.int8],
) -> int:  # fmt: skip
    """Number of free pixels with data between two distances; they become AROUND in ``part``, its first at (v0, u0)."""
    n = 0
    for v in range(part.shape[0]):
        for u in range(part.shape[1]):
            if part[v, u] == OWN or part[v, u] == RIM:
                continue
            d = distance[v, u]
            free = (
                labels[v0 + v, u0 + u] == 0
                and not blocked[v0 + v, u0 + u]
                and not np.isnan(data[v0 + v, u0 + u])
            )
            taken = free and d > inner * inner and d <= outer * outer
            part[v, u] = AROUND if taken else 0
            n += taken
    return n


@kernel
def mark_rim(
    data: Pixels, labels: Labels, blocked: Bools, distance: npt.NDArray[np.int32], v0: int, u0: int, label: int,
    rim: float, part: npt.NDArray[np.int8],
) -> None:  # fmt: skip
    """
    Free pixels with data within a distance that are nearer to the segment than to another become RIM in ``part``.

    Pixels as near to two are of the lower label.
    """
    lower, higher = np.empty(part.shape, np.bool_), np.empty(part.shape, np.bool_)
    for v in range(part.shape[0]):
        for u in range(part.shape[1]):
            other = labels[v0 + v, u0 + u]
            lower[v, u], higher[v, u] = 0 < other < label, other > label
    far = np.iinfo(np.int32).max
    to_lower, to_higher = np.full(part.shape, far, np.int32), np.full(part.shape, far, np.int32)
    if lower.any():
        square_distances(lower, to_lower)
    if higher.any():
        square_distances(higher, to_higher)
    for v in range(part.shape[0]):
        for u in range(part.shape[1]):
            d, free = distance[v, u], labels[v0 + v, u0 + u] == 0 and not blocked[v0 + v, u0 + u]
            nearest = d < to_lower[v, u] and d <= to_higher[v, u]
            if free and 0 < d <= rim * rim and nearest and not np.isnan(data[v0 + v, u0 + u]):
                part[v, u] = RIM


@kernel
def sum_segments(
    data: Pixels, level: Pixels, rms: Pixels, labels: Labels, blocked: Bools, y0: int, x0: int, members: Ints,
    boxes: Ints, areas: Floats, lags: Ints, correlation: Floats, inner: float, outer: float, rim: float, clip: float,
    truncated: float, rows: Floats,
) -> None:  # fmt: skip
    """Fill ``rows (n, column)`` with the sums over each member, whose box in the tile is ``boxes (n, 4)``."""
    height, width = data.shape
    margin = int(np.ceil(outer))
    for i in range(members.shape[0]):
        if boxes[i, 1] == 0:
            rows[i, N_PIXELS] = 0.0
            continue
        v0, v1 = max(boxes[i, 0] - margin, 0), min(boxes[i, 1] + margin, height)
        u0, u1 = max(boxes[i, 2] - margin, 0), min(boxes[i, 3] + margin, width)
        inside = labels[v0:v1, u0:u1] == members[i]
        distance = np.empty((v1 - v0, u1 - u0), np.int32)
        square_distances(inside, distance)
        part = inside.astype(np.int8)
        if rim > 0.0:
            mark_rim(data, labels, blocked, distance, v0, u0, members[i], rim, part)
        found = 0
        for share in (1.0, 0.5, 0.0):
            found = mark_annulus(data, labels, blocked, distance, v0, u0, share * inner, outer, part)
            if found >= WANTED * areas[i]:
                break
        row = rows[i]
        local_level(data, level, rms, v0, u0, part, found, areas[i], correlation, clip, truncated, row)
        sum_one(data, level, rms, v0, u0, part, row)
        if row[N_PIXELS] > 0.0:
            spread(data, rms, v0, u0, part, lags, correlation, row)
            row[X] += u0 + x0
            row[Y] += v0 + y0
            row[X_PEAK] += u0 + x0
            row[Y_PEAK] += v0 + y0


@kernel
def local_level(
    data: Pixels, level: Pixels, rms: Pixels, v0: int, u0: int, part: npt.NDArray[np.int8], found: int, area: float,
    correlation: Floats, clip: float, truncated: float, row: Floats,
) -> None:  # fmt: skip
    """Put into a row the level where ``part`` is AROUND, the pixels there, and by what scatter widens its variance."""
    row[LEVEL], row[LEVEL_VARIANCE], row[N_ANNULUS] = 0.0, np.nan, 0.0
    if found < LEAST * area or found < 4:
        return
    values = np.empty(found)
    n, power = 0, 0.0
    for v in range(part.shape[0]):
        for u in range(part.shape[1]):
            if part[v, u] == AROUND:
                values[n] = np.float64(data[v0 + v, u0 + u]) - level[v0 + v, u0 + u]
                power += np.float64(rms[v0 + v, u0 + u]) ** 2
                n += 1
    mean, scatter, _ = clipped(values, n, clip, truncated)
    row[LEVEL], row[N_ANNULUS] = mean, n
    independent = n / max(correlation.sum(), 1.0)
    ratio = scatter * scatter * n / power
    row[LEVEL_VARIANCE] = ratio if ratio > 1.0 + 3.0 * np.sqrt(2.0 / independent) else 1.0


@kernel
def sum_one(
    data: Pixels, level: Pixels, rms: Pixels, v0: int, u0: int, part: npt.NDArray[np.int8], row: Floats
) -> None:
    """Put into a row the sums over the pixels where ``part`` is OWN, the flux over the RIM too; blanks become 0 there."""
    n, beside, total, rest, noise, peak = 0, 0, 0.0, 0.0, 0.0, -np.inf
    sums, even = np.zeros(5), np.zeros(5)  # x, y, xx, xy, yy by flux and by pixel
    for v in range(part.shape[0]):
        for u in range(part.shape[1]):
            if part[v, u] != OWN and part[v, u] != RIM:
                continue
            if np.isnan(data[v0 + v, u0 + u]):
                part[v, u] = 0
                continue
            value = np.float64(data[v0 + v, u0 + u]) - level[v0 + v, u0 + u] - row[LEVEL]
            if part[v, u] == RIM:
                beside += 1
                rest += value
                continue
            n += 1
            total += value
            noise += rms[v0 + v, u0 + u]
            if value > peak:
                peak = value
                row[X_PEAK], row[Y_PEAK] = u, v
            for k, term in enumerate((float(u), float(v), float(u * u), float(u * v), float(v * v))):
                sums[k] += value * term
                even[k] += term
    row[N_PIXELS], row[N_SUMMED] = n, n + beside
    if n == 0:
        row[LEVEL] = np.nan
        return
    row[SUM], row[OWN_SUM], row[PEAK], row[RMS] = total + rest, total, peak, noise / n
    even /= n
    if total > 0.0:
        sums /= total
    else:
        sums[:] = even
    row[X], row[Y] = sums[0], sums[1]
    for attempt in range(2):
        m = sums if attempt == 0 else even
        row[XX], row[XY], row[YY] = m[2] - m[0] * m[0], m[3] - m[0] * m[1], m[4] - m[1] * m[1]
        if row[XX] >= 0.0 and row[YY] >= 0.0 and row[XX] * row[YY] >= row[XY] * row[XY]:
            break


@kernel
def spread(
    data: Pixels,
    rms: Pixels,
    v0: int,
    u0: int,
    part: npt.NDArray[np.int8],
    lags: Ints,
    correlation: Floats,
    row: Floats,
) -> None:
    """
    Put into a row the variances of sum, local level and centroid, and how the sum and the level go together.

    They are sums of the noise autocorrelation over pairs of pixels. The first of a pair is every k-th pixel in map
    order, so that about `SAMPLES` are taken; the second is any.
    """
    height, width = part.shape
    reach_y, reach_x = 0, 0
    for m in range(lags.shape[0]):
        reach_y, reach_x = max(reach_y, abs(lags[m, 0])), max(reach_x, abs(lags[m, 1]))
    stride = width + 2 * reach_x
    size = (height + 2 * reach_y) * stride
    own_noise, rim_noise, ring_noise = np.zeros(size), np.zeros(size), np.zeros(size)
    for v in range(height):
        for u in range(width):
            place = (v + reach_y) * stride + u + reach_x
            if part[v, u] == OWN:
                own_noise[place] = rms[v0 + v, u0 + u]
            elif part[v, u] == RIM:
                rim_noise[place] = rms[v0 + v, u0 + u]
            elif part[v, u] == AROUND:
                ring_noise[place] = rms[v0 + v, u0 + u]
    offset = lags[:, 0] * stride + lags[:, 1]
    lag_y, lag_x = lags[:, 0].astype(np.float64), lags[:, 1].astype(np.float64)
    n_own, n_ring = row[N_PIXELS], row[N_ANNULUS]
    step_own, step_ring = int(max(1.0, np.ceil(n_own / SAMPLES))), int(max(1.0, np.ceil(n_ring / SAMPLES)))
    whole, cross, ring, power, power_ring = 0.0, 0.0, 0.0, 0.0, 0.0
    xx, yy, lever_x, lever_y, power_x, power_y = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    seen, taken, seen_rim, seen_ring, rim_whole, rim_cross = 0, 0, 0, 0, 0.0, 0.0
    for v in range(height):
        for u in range(width):
            kind, place = part[v, u], (v + reach_y) * stride + u + reach_x
            if kind == OWN:
                dx, dy, here = u - row[X], v - row[Y], np.float64(own_noise[place])
                lever_x += dx
                lever_y += dy
                power += here * here
                power_x += dx * dx * here * here
                power_y += dy * dy * here * here
                seen += 1
                if (seen - 1) % step_own:
                    continue
                taken += 1
                a, b, c, ax, ay = 0.0, 0.0, 0.0, 0.0, 0.0
                for m in range(offset.shape[0]):
                    term = correlation[m] * own_noise[place + offset[m]]
                    a += term
                    ax += term * lag_x[m]
                    ay += term * lag_y[m]
                    b += correlation[m] * ring_noise[place + offset[m]]
                    c += correlation[m] * rim_noise[place + offset[m]]
                whole += here * (a + c)
                cross += here * b
                xx += here * dx * (ax + dx * a)
                yy += here * dy * (ay + dy * a)
            elif kind == RIM:
                here = np.float64(rim_noise[place])
                power += here * here
                seen_rim += 1
                if (seen_rim - 1) % step_own:
                    continue
                a, b = 0.0, 0.0
                for m in range(offset.shape[0]):
                    q = place + offset[m]
                    a += correlation[m] * (own_noise[q] + rim_noise[q])
                    b += correlation[m] * ring_noise[q]
                rim_whole += here * a
                rim_cross += here * b
            elif kind == AROUND and n_ring > 0.0:
                here = np.float64(ring_noise[place])
                power_ring += here * here
                seen_ring += 1
                if (seen_ring - 1) % step_ring:
                    continue
                b = 0.0
                for m in range(offset.shape[0]):
                    b += correlation[m] * ring_noise[place + offset[m]]
                ring += here * b
    # from the pixels that were taken to all of them
    scale = n_own / taken
    whole, cross, xx, yy = whole * scale, cross * scale, xx * scale, yy * scale
    if seen_rim > 0:
        scale = seen_rim / ((seen_rim - 1) // step_own + 1)
        whole, cross = whole + rim_whole * scale, cross + rim_cross * scale
    patch = max(correlation.sum(), 1.0)
    row[VARIANCE] = whole if whole > 0.0 else power * patch
    if n_ring > 0.0:
        ring *= n_ring / ((n_ring - 1.0) // step_ring + 1.0)
        if not ring > 0.0:
            ring = power_ring * patch
        row[LEVEL_VARIANCE] *= ring / (n_ring * n_ring)
        row[CROSS] = cross / n_ring
    else:
        row[LEVEL_VARIANCE], row[CROSS] = row[RMS] * row[RMS], 0.0
    total = row[OWN_SUM]
    if total > 0.0:
        xx = xx if xx > 0.0 else power_x * patch
        yy = yy if yy > 0.0 else power_y * patch
        row[X_VARIANCE] = (xx + lever_x * lever_x * row[LEVEL_VARIANCE]) / (total * total)
        row[Y_VARIANCE] = (yy + lever_y * lever_y * row[LEVEL_VARIANCE]) / (total * total)

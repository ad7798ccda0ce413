"""Kernels that fill the rows of the shapes of segments, a block of them at a time."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.measure.segment import label_boxes
from skysift.measure.shape import concentration, count_holes, count_peaks, hull, ring_frame, smooth
from skysift.measure.spine import N_BANDS, N_POINTS, bend_angle, line_length, trace_spine

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

FWHM = float(np.sqrt(8.0 * np.log(2.0)))
CLEAR = 5.0  # mean signal to noise of a pixel from which on shapes are read with little smoothing
PEAK_SIGMA, PEAK_SHARE = 5.0, 0.1  # prominence of a peak that counts
HOLE = 0.5  # beam areas of a hole that counts
ROUND = 2.0  # axis ratio up to which a ring may be an ellipse
RING, OPEN = 0.5, 0.15  # ring-ness from which on the spine is closed, unless so long a part of it is dark
LONG = 2.0  # widths: a segment this long has a bend

# columns of a row: what is handed out, then what else tells shapes apart
(
    LENGTH, EXTENT, WIDTH, CONCENTRATION, FILLING, RINGNESS, ELONGATION, BEND, N_HOLES, N_PEAKS, HOLLOW, CLOSURE, GAP,
    FLATNESS, CORE, ENDS, DIP, LOPSIDED, PEAK_AT, SIZE, SNR, CLOSED, FLARE, ANGLE,
) = range(24)  # fmt: skip
N_SHAPE = 24


@dataclass(frozen=True, eq=False)
class Forms:
    """
    The numbers of `skysift.measure.morphology.segment_shapes` before they have names.

    Attributes
    ----------
    rows
        ``(n, N_SHAPE)``, by the columns of this file; NaN where there are no data.
    points
        ``(n, N_POINTS, 2)``: spines x, y in pixels of the map.
    n_points
        Of each spine.
    """

    rows: Floats
    points: Floats
    n_points: Ints


def measure_forms(
    data: Pixels,
    level: Pixels,
    rms: Pixels,
    labels: Labels,
    y0: int,
    x0: int,
    members: Ints,
    beam: Floats,
    background: Floats | None = None,
) -> Forms:
    """The bare numbers of the shapes of segments; parameters as for `skysift.measure.morphology.segment_shapes`."""
    members = np.asarray(members, np.int64)
    n = len(members)
    rows, points, n_points = np.full((n, N_SHAPE), np.nan), np.zeros((n, N_POINTS, 2)), np.zeros(n, np.int64)
    if n:
        index = np.full(int(max(labels.max(), members.max())) + 1, -1, np.int64)
        index[members] = np.arange(n)
        beams = np.ascontiguousarray(np.broadcast_to(np.asarray(beam, np.float64), (n, 3)))
        base = np.zeros(n) if background is None else np.nan_to_num(np.asarray(background, np.float64))
        fill_forms(
            data,
            level,
            rms,
            labels,
            members,
            label_boxes(labels, index, n),
            beams,
            base,
            rows,
            points,
            n_points,
        )
        points += np.array([x0, y0])
    return Forms(rows, points, n_points)


@kernel
def fill_forms(
    data: Pixels, level: Pixels, rms: Pixels, labels: Labels, members: Ints, boxes: Ints, beams: Floats, base: Floats,
    rows: Floats, points: Floats, n_points: Ints,
) -> None:  # fmt: skip
    """Fill ``rows (n, column)`` and the spines ``points (n, point, 2)`` of the members, whose boxes are ``(n, 4)``."""
    for i in range(members.shape[0]):
        v0, v1, u0, u1 = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
        inside = np.zeros((v1 - v0, u1 - u0), np.bool_)
        value = np.zeros(inside.shape)
        n, noise, total = 0, 0.0, 0.0
        for v in range(v0, v1):
            for u in range(u0, u1):
                if labels[v, u] == members[i] and not np.isnan(data[v, u]):
                    inside[v - v0, u - u0] = True
                    value[v - v0, u - u0] = np.float64(data[v, u]) - level[v, u] - base[i]
                    noise += rms[v, u]
                    total += value[v - v0, u - u0]
                    n += 1
        if n == 0:
            continue
        noise /= n
        row = rows[i]
        square = np.sqrt(beams[i, 0] * beams[i, 2] - beams[i, 1] * beams[i, 1])
        area = 2.0 * np.pi * square
        row[SNR] = total / n / noise
        sigma = np.sqrt(square) * min(1.0, CLEAR / row[SNR]) if row[SNR] > 0.0 else np.sqrt(square)
        if sigma > 0.3:
            smooth(value, inside, sigma)
            noise *= np.sqrt(square / (square + sigma * sigma))
            area *= 1.0 + sigma * sigma / square  # of a point, now
        fill_form(value, inside, n, noise, area, HOLE * 2.0 * np.pi * square, row)
        n_points[i] = fill_line(value, inside, n, FWHM * np.sqrt(square), row, points[i])
        points[i, : n_points[i], 0] += u0
        points[i, : n_points[i], 1] += v0


@kernel
def fill_form(
    value: Floats, inside: Bools, n: int, noise: float, area: float, hole: float, row: Floats
) -> None:
    """Put into a row what does not depend on the spine; a point covers ``area`` pixels, a hole that counts ``hole``."""
    whole, row[EXTENT], row[ANGLE] = hull(inside)
    row[FILLING] = min(n / whole, 1.0)
    row[N_HOLES] = count_holes(inside, hole)
    row[N_PEAKS], bright = count_peaks(value, inside, PEAK_SIGMA * noise, PEAK_SHARE)
    sums, light, peak = np.zeros(5), 0.0, 0.0
    for v in range(inside.shape[0]):
        for u in range(inside.shape[1]):
            if inside[v, u]:
                w = max(value[v, u], 0.0)
                light += w
                peak = max(peak, w)
                for k, term in enumerate((float(u), float(v), float(u * u), float(u * v), float(v * v))):
                    sums[k] += w * term
    if light == 0.0:
        return
    sums /= light
    x, y = sums[0], sums[1]
    pixel = 1.0 / 12.0  # of a pixel's own width, so that a line has a width
    moments = np.array([sums[2] - x * x + pixel, sums[3] - x * y, sums[4] - y * y + pixel])
    middle, half = 0.5 * (moments[0] + moments[2]), np.hypot(0.5 * (moments[0] - moments[2]), moments[1])
    row[ELONGATION] = np.sqrt((middle + half) / max(middle - half, 1e-12))
    row[CORE] = min(peak * area / light, 1.0)
    row[FLATNESS] = light / n / bright if bright > 0.0 else 1.0
    row[CONCENTRATION] = concentration(value, inside, x, y, moments)
    best = np.zeros(8)
    for attempt in range(2):
        frame = np.eye(2)
        if attempt == 1:
            if row[ELONGATION] > ROUND:
                break
            # the inverse root of the moments, so that the ellipse becomes a circle of the same size
            root = np.sqrt(moments[0] * moments[2] - moments[1] * moments[1])
            scale = np.sqrt(root) / np.sqrt(moments[0] + moments[2] + 2.0 * root)
            frame[0, 0], frame[1, 1] = scale * (moments[2] + root) / root, scale * (moments[0] + root) / root
            frame[0, 1] = frame[1, 0] = -scale * moments[1] / root
        out = np.zeros(6)
        ring_frame(value, inside, x, y, frame, out)
        if attempt == 0 or out[0] * out[1] > best[0] * best[1]:
            det = frame[0, 0] * frame[1, 1] - frame[0, 1] * frame[1, 0]
            best[:3] = out[:3]
            best[3] = x + (frame[1, 1] * out[3] - frame[0, 1] * out[4]) / det
            best[4] = y + (frame[0, 0] * out[4] - frame[1, 0] * out[3]) / det
    row[HOLLOW], row[CLOSURE], row[GAP] = best[0], best[1], best[2]
    row[RINGNESS] = best[0] * best[1]
    row[CLOSED], row[PEAK_AT], row[DIP] = (
        1.0 if row[RINGNESS] >= RING and row[GAP] <= OPEN else 0.0,
        best[3],
        best[4],
    )  # for the line


@kernel
def fill_line(value: Floats, inside: Bools, n: int, beam: float, row: Floats, points: Floats) -> int:
    """Number of points of the spine; puts into a row what comes of it."""
    light, area = np.zeros(N_BANDS), np.zeros(N_BANDS)
    x, y = row[PEAK_AT], row[DIP]
    k = trace_spine(value, inside, max(beam, 2.0), points, light, area)
    along = line_length(points, k) + 1.0
    row[BEND] = bend_angle(points, k)
    profile(light, area, k - 2, row)
    if row[CLOSED] == 1.0:
        k = trace_loop(value, inside, x, y, points)
        row[LENGTH], row[WIDTH], row[BEND] = row[EXTENT], n / max(line_length(points, k), 1.0), np.nan
    else:
        row[LENGTH], row[WIDTH] = max(along, row[EXTENT]), n / max(along, row[EXTENT])
        if row[LENGTH] < LONG * row[WIDTH]:
            row[BEND] = np.nan
    row[SIZE] = row[EXTENT] / beam
    return k


@kernel
def trace_loop(value: Floats, inside: Bools, x: float, y: float, points: Floats) -> int:
    """Number of points of the closed line through the light around (x, y), which ``points`` gets as x, y."""
    sectors = N_POINTS - 2
    sums, weight = np.zeros((sectors, 2)), np.zeros(sectors)
    for v in range(inside.shape[0]):
        for u in range(inside.shape[1]):
            if inside[v, u]:
                w = max(value[v, u], 0.0)
                w = w * w * w + 1e-60  # the ridge, not the middle between rim and centre
                s = int((np.arctan2(v - y, u - x) / (2.0 * np.pi) + 0.5) * sectors) % sectors
                sums[s, 0] += w * u
                sums[s, 1] += w * v
                weight[s] += w
    k = 0
    for s in range(sectors):
        if weight[s] > 0.0:
            points[k, 0], points[k, 1] = sums[s, 0] / weight[s], sums[s, 1] / weight[s]
            k += 1
    points[k, 0], points[k, 1] = points[0, 0], points[0, 1]
    return k + 1


@kernel
def profile(light: Floats, area: Floats, n: int, row: Floats) -> None:
    """
    Put into a row how light runs along the spine, from the n bands that it was summed over.

    ``ENDS`` is the share in the outer thirds, ``DIP`` by how much the faintest band between the two brightest of the
    halves is below the fainter of these, ``LOPSIDED`` the difference of the halves over their sum, ``PEAK_AT`` how
    far from the middle the brightest band is, in half lengths, ``FLARE`` the logarithm of how much wider the outer
    thirds are than the inner one.
    """
    total, outer, left, wide, narrow, n_wide = 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for k in range(n):
        share = (k + 0.5) / n
        w = max(light[k], 0.0)
        if share < 1.0 / 3.0 or share > 2.0 / 3.0:
            wide += area[k]
            n_wide += 1
        else:
            narrow += area[k]
        total += w
        outer += w if share < 1.0 / 3.0 or share > 2.0 / 3.0 else 0.0
        left += w if share < 0.5 else (0.5 * w if share == 0.5 else 0.0)
    row[ENDS], row[DIP], row[LOPSIDED], row[PEAK_AT], row[FLARE] = 0.0, 0.0, 0.0, 0.0, 0.0
    if n >= 3:
        row[FLARE] = np.log(max(wide / n_wide, 1.0) / max(narrow / (n - n_wide), 1.0))
    if total == 0.0:
        return
    row[ENDS], row[LOPSIDED] = outer / total, abs(2.0 * left - total) / total
    first, second, top = 0, n - 1, 0
    for k in range(n):
        if 2 * k < n - 1 and light[k] > light[first]:
            first = k
        if 2 * k > n - 1 and light[k] > light[second]:
            second = k
        if light[k] > light[top]:
            top = k
    row[PEAK_AT] = abs(2.0 * (top + 0.5) / n - 1.0)
    low = light[first : second + 1].min()
    lower = min(light[first], light[second])
    row[DIP] = min(max(1.0 - low / lower, 0.0), 1.0) if lower > 0.0 else 0.0

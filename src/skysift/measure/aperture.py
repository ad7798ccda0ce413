"""Kernels that sum pixels in apertures and in footprints, with the errors of correlated noise."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

FINE = 8  # parts of a pixel along each axis where the rim crosses it
ENOUGH = 400.0  # pixels that the outer sum of the errors takes at least

# columns of an aperture: sum and variance (units of the map x pixels), area in pixels, its share that holds data,
# sum of the template of unit peak
SUM, VARIANCE, AREA, GOOD, TEMPLATE = range(5)
N_APERTURE = 5


@kernel
def overlap(dx: float, dy: float, mxx: float, mxy: float, myy: float, square: float, half: float) -> float:
    """
    Share of a pixel at (dx, dy) from the middle that lies within ``mxx dx^2 + 2 mxy dx dy + myy dy^2 <= square``.

    ``half`` is the square of half the diagonal of a pixel in the same measure.
    """
    q = mxx * dx * dx + 2.0 * mxy * dx * dy + myy * dy * dy
    r, reach = np.sqrt(q), np.sqrt(half)
    radius = np.sqrt(square)
    if r + reach <= radius:
        return 1.0
    if r - reach >= radius:
        return 0.0
    inside = 0
    for i in range(FINE):
        y = dy + (i + 0.5) / FINE - 0.5
        for j in range(FINE):
            x = dx + (j + 0.5) / FINE - 0.5
            if mxx * x * x + 2.0 * mxy * x * y + myy * y * y <= square:
                inside += 1
    return inside / (FINE * FINE)


@kernel
def ring_level(
    data: Pixels,
    level: Pixels,
    y0: int,
    x0: int,
    x: float,
    y: float,
    metric: Floats,
    inner: float,
    outer: float,
) -> tuple[float, int]:
    """Median above the background of the pixels between two radii around (x, y), and their number."""
    det = metric[0] * metric[2] - metric[1] * metric[1]
    ry, rx = outer * np.sqrt(metric[0] / det), outer * np.sqrt(metric[2] / det)
    top, bottom = max(int(np.ceil(y - ry)) - y0, 0), min(int(np.floor(y + ry)) + 1 - y0, data.shape[0])
    left, right = max(int(np.ceil(x - rx)) - x0, 0), min(int(np.floor(x + rx)) + 1 - x0, data.shape[1])
    values = np.empty(max(bottom - top, 0) * max(right - left, 0))
    n = 0
    for v in range(top, bottom):
        dy = v + y0 - y
        for u in range(left, right):
            dx = u + x0 - x
            q = metric[0] * dx * dx + 2.0 * metric[1] * dx * dy + metric[2] * dy * dy
            if inner * inner <= q <= outer * outer and not np.isnan(data[v, u]):
                values[n] = np.float64(data[v, u]) - level[v, u]
                n += 1
    if n == 0:
        return 0.0, 0
    return float(np.median(values[:n])), n


@kernel
def sum_apertures(
    data: Pixels, level: Pixels, rms: Pixels, y0: int, x0: int, places: Floats, metrics: Floats, radii: Floats,
    inner: float, outer: float, every_lag: Ints, every_correlation: Floats, first_lag: Ints, zones: Ints, rows: Floats,
) -> None:  # fmt: skip
    """
    Fill ``rows (n, radius, column)`` with the sums around places.

    Parameters
    ----------
    data, level, rms
        Pixels of a tile (y, x) whose first pixel is (y0, x0); NaN in ``data`` where the map is blank.
    places
        ``(n, 5)``: x, y in pixels of the map, covariance xx, xy, yy of the template.
    metrics
        ``(n, 3)``: square of a distance on the sky (arcsec^2) by dx^2, 2 dx dy, dy^2.
    radii
        In arcsec.
    inner, outer
        Ring whose median is taken off (arcsec); none where ``outer`` is 0.
    every_lag, every_correlation
        Offsets ``(m, 2)`` (dy, dx) and the noise autocorrelation there, zone after zone.
    first_lag, zones
        Zone k has the lags ``first_lag[k]`` to ``first_lag[k + 1]``; the zone of each place.
    """
    for i in range(places.shape[0]):
        lags = every_lag[first_lag[zones[i]] : first_lag[zones[i] + 1]]
        correlation = every_correlation[first_lag[zones[i]] : first_lag[zones[i] + 1]]
        reach_y, reach_x = 0, 0
        for m in range(lags.shape[0]):
            reach_y, reach_x = max(reach_y, abs(lags[m, 0])), max(reach_x, abs(lags[m, 1]))
        x, y, metric = places[i, 0], places[i, 1], metrics[i]
        det = metric[0] * metric[2] - metric[1] * metric[1]
        shape = places[i, 2] * places[i, 4] - places[i, 3] * places[i, 3]
        half = 0.25 * (metric[0] + 2.0 * abs(metric[1]) + metric[2])
        base, n_ring = 0.0, 0
        if outer > 0.0:
            base, n_ring = ring_level(data, level, y0, x0, x, y, metric, inner, outer)
        for k in range(radii.shape[0]):
            square = radii[k] * radii[k]
            ry, rx = radii[k] * np.sqrt(metric[0] / det) + 1.0, radii[k] * np.sqrt(metric[2] / det) + 1.0
            v0, v1 = int(np.ceil(y - ry)) - y0, int(np.floor(y + ry)) + 1 - y0
            u0, u1 = int(np.ceil(x - rx)) - x0, int(np.floor(x + rx)) + 1 - x0
            weight = np.zeros((v1 - v0 + 2 * reach_y, u1 - u0 + 2 * reach_x))
            total, area, good, template, power, spread = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for v in range(v0, v1):
                dy = v + y0 - y
                for u in range(u0, u1):
                    dx = u + x0 - x
                    w = overlap(dx, dy, metric[0], metric[1], metric[2], square, half)
                    if w == 0.0:
                        continue
                    area += w
                    if v < 0 or u < 0 or v >= data.shape[0] or u >= data.shape[1] or np.isnan(data[v, u]):
                        continue
                    good += w
                    total += w * (np.float64(data[v, u]) - level[v, u] - base)
                    weight[v - v0 + reach_y, u - u0 + reach_x] = w * rms[v, u]
                    power += w * rms[v, u] * rms[v, u]
                    q = (
                        places[i, 4] * dx * dx - 2.0 * places[i, 3] * dx * dy + places[i, 2] * dy * dy
                    ) / shape
                    if q < 40.0:
                        template += w * np.exp(-0.5 * q)
            step = max(1, int(np.sqrt(area / ENOUGH)))
            variance = 0.0
            for v in range(0, v1 - v0, step):
                for u in range(0, u1 - u0, step):
                    own = weight[v + reach_y, u + reach_x]
                    if own == 0.0:
                        continue
                    spread = 0.0
                    for m in range(lags.shape[0]):
                        spread += correlation[m] * weight[v + reach_y + lags[m, 0], u + reach_x + lags[m, 1]]
                    variance += own * spread
            variance *= step * step
            if not variance > 0.0:
                variance = power
            if n_ring and good > 0.0:
                mean = power / good
                variance += good * good * 0.5 * np.pi * mean * max(correlation.sum(), 1.0) / n_ring
            rows[i, k, SUM], rows[i, k, VARIANCE], rows[i, k, AREA] = total, variance, area
            rows[i, k, GOOD], rows[i, k, TEMPLATE] = good / area if area > 0.0 else 0.0, template


@kernel
def sum_footprints(
    data: Pixels, level: Pixels, rms: Pixels, labels: Labels, first: int, last: int, lags: Ints, correlation: Floats,
    first_lag: Ints, zones: Ints, y0: int, x0: int, width: int, sums: Floats,
) -> None:  # fmt: skip
    """
    Add to ``sums (label, 3)`` the sum, the variance and the number of pixels of each label in rows first to last.

    Labels count from 1; the rows beyond are there for the noise that goes across the border. Pixel (v, u) lies in
    the zone ``zones[(v + y0) // width, (u + x0) // width]``, and zone k has the lags ``first_lag[k]`` to
    ``first_lag[k + 1]``.
    """
    height, across = data.shape
    for v in range(first, last):
        for u in range(across):
            label = labels[v, u]
            if label == 0 or np.isnan(data[v, u]):
                continue
            spread = 0.0
            zone = zones[(v + y0) // width, (u + x0) // width]
            for m in range(first_lag[zone], first_lag[zone + 1]):
                r, c = v + lags[m, 0], u + lags[m, 1]
                if 0 <= r < height and 0 <= c < across and labels[r, c] == label and not np.isnan(data[r, c]):
                    spread += correlation[m] * rms[r, c]
            sums[label, 0] += np.float64(data[v, u]) - level[v, u]
            sums[label, 1] += rms[v, u] * spread
            sums[label, 2] += 1.0

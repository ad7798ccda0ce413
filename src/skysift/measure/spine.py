"""Kernels of spines: the longest way through a segment, and the line of its brightness along that way."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Costs = npt.NDArray[np.int8]
Numbers = npt.NDArray[np.int32]

N_POINTS = 66  # of a spine at most: the bands and the two ends
N_BANDS = N_POINTS - 2
STRAIGHT, SLANT = 5, 7  # lengths of a step along an axis and along a diagonal (Borgefors 1986)
OUTSIDE = 4  # times as long is a step outside the segment, where its pieces do not touch
FAR = np.iinfo(np.int32).max


@kernel
def way_lengths(cost: Costs, stride: int, start: int, distance: Numbers) -> int:
    """
    Pixel of cost 1 that is farthest from ``start``; fills ``distance`` with the lengths of the shortest ways.

    ``cost`` is flat, 0 where there is no way and along all its borders. Pixels wait in buckets, one a length, so that
    the work is linear in their number (Dial 1969).
    """
    n_buckets = SLANT * OUTSIDE + 1
    head = np.full(n_buckets, -1, np.int32)
    after, before = np.full(cost.size, -1, np.int32), np.full(cost.size, -1, np.int32)
    distance[:] = FAR
    distance[start] = 0
    head[0] = start
    waiting, length, farthest = 1, 0, start
    while waiting:
        bucket = length % n_buckets
        while head[bucket] >= 0:
            p = head[bucket]
            head[bucket] = after[p]
            if after[p] >= 0:
                before[after[p]] = -1
            after[p], before[p] = -1, -1
            waiting -= 1
            if cost[p] == 1:
                farthest = p
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    q = p + dy * stride + dx
                    if q == p or cost[q] == 0:
                        continue
                    step = SLANT if dy != 0 and dx != 0 else STRAIGHT
                    new = length + step * max(cost[p], cost[q])
                    if new >= distance[q]:
                        continue
                    if distance[q] < FAR:  # it waits in another bucket
                        if before[q] >= 0:
                            after[before[q]] = after[q]
                        else:
                            head[distance[q] % n_buckets] = after[q]
                        if after[q] >= 0:
                            before[after[q]] = before[q]
                        waiting -= 1
                    place = new % n_buckets
                    distance[q] = new
                    after[q], before[q] = head[place], -1
                    if head[place] >= 0:
                        before[head[place]] = q
                    head[place] = q
                    waiting += 1
        length += 1
    return farthest


@kernel
def trace_spine(
    value: Floats, inside: Bools, width: float, points: Floats, light: Floats, area: Floats
) -> int:
    """
    Number of points of the spine of one segment, which ``points (N_POINTS, 2)`` gets as x, y.

    The ends are the two pixels with the longest shortest way between them inside the segment. Pixels are sorted into
    bands by the difference of their ways from the two ends; a point is the centroid of the light of a band, of that
    part of it which the shortest way crosses. Pieces that do not touch are joined by ways outside, which count four
    times.

    Parameters
    ----------
    value, inside
        Brightness, and the pixels of the segment (y, x).
    width
        Of a band, in pixels; wider where there would be too many.
    points
        Gets the first end, the middles of the bands in order, and the last end.
    light, area
        ``(N_BANDS,)`` get the brightness summed over each band and its number of pixels.
    """
    height, stride = inside.shape[0] + 2, inside.shape[1] + 2
    cost = np.zeros(height * stride, np.int8)
    n, start = 0, -1
    for v in range(inside.shape[0]):
        for u in range(inside.shape[1]):
            if inside[v, u]:
                cost[(v + 1) * stride + u + 1] = 1
                start = (v + 1) * stride + u + 1
                n += 1
    distance = np.empty(cost.size, np.int32)
    start = way_lengths(cost, stride, start, distance)
    reached = 0
    for p in range(cost.size):
        reached += cost[p] == 1 and distance[p] < FAR
    if reached < n:
        for v in range(1, height - 1):
            for u in range(1, stride - 1):
                if cost[v * stride + u] == 0:
                    cost[v * stride + u] = OUTSIDE
        start = way_lengths(cost, stride, start, distance)
    last = way_lengths(cost, stride, start, distance)
    whole = distance[last]
    back = np.empty(cost.size, np.int32)
    way_lengths(cost, stride, last, back)
    span = 2 * whole + 1  # from one end to the other in the difference of the two ways
    bands = int(min(max(round(whole / STRAIGHT / width), 1), N_BANDS))
    on_way = np.zeros(cost.size, np.bool_)
    p = last
    while p != start:
        on_way[p] = True
        found = p
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                q = p + dy * stride + dx
                if q == p or cost[q] == 0 or distance[q] == FAR:
                    continue
                step = SLANT if dy != 0 and dx != 0 else STRAIGHT
                if distance[q] + step * max(cost[p], cost[q]) == distance[p]:
                    found = q
        p = found
    on_way[start] = True
    sum_x, sum_y, weight = np.zeros(bands), np.zeros(bands), np.zeros(bands)
    light[:], area[:] = 0.0, 0.0
    stack, seen = np.empty(n, np.int32), np.zeros(cost.size, np.bool_)
    for first in range(cost.size):
        if not on_way[first] or cost[first] != 1 or seen[first]:
            continue
        band = (distance[first] - back[first] + whole) * bands // span
        top = 1
        stack[0] = first
        seen[first] = True
        while top:
            top -= 1
            p = stack[top]
            v, u = p // stride - 1, p % stride - 1
            w = max(value[v, u], 0.0) + 1e-30
            sum_x[band] += w * u
            sum_y[band] += w * v
            weight[band] += w
            light[band] += value[v, u]
            area[band] += 1.0
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    q = p + dy * stride + dx
                    if cost[q] != 1 or seen[q]:
                        continue
                    if (distance[q] - back[q] + whole) * bands // span == band:
                        seen[q] = True
                        stack[top] = q
                        top += 1
    points[0, 0], points[0, 1] = start % stride - 1, start // stride - 1
    k = 1
    for band in range(bands):
        if weight[band] > 0.0:
            points[k, 0], points[k, 1] = sum_x[band] / weight[band], sum_y[band] / weight[band]
            light[k - 1], area[k - 1] = light[band], area[band]
            k += 1
    light[k - 1 :], area[k - 1 :] = 0.0, 0.0
    points[k, 0], points[k, 1] = last % stride - 1, last // stride - 1
    return k + 1


@kernel
def line_length(points: Floats, n: int) -> float:
    """Length of a line through the first n points."""
    total = 0.0
    for k in range(1, n):
        total += np.hypot(points[k, 0] - points[k - 1, 0], points[k, 1] - points[k - 1, 1])
    return total


@kernel
def bend_angle(points: Floats, n: int) -> float:
    """Angle at the middle of a line between its two ends (deg): 180 where it is straight."""
    half, gone = 0.5 * line_length(points, n), 0.0
    x, y = points[0, 0], points[0, 1]
    for k in range(1, n):
        step = np.hypot(points[k, 0] - points[k - 1, 0], points[k, 1] - points[k - 1, 1])
        if gone + step >= half and step > 0.0:
            share = (half - gone) / step
            x = points[k - 1, 0] + share * (points[k, 0] - points[k - 1, 0])
            y = points[k - 1, 1] + share * (points[k, 1] - points[k - 1, 1])
            break
        gone += step
    ax, ay, bx, by = points[0, 0] - x, points[0, 1] - y, points[n - 1, 0] - x, points[n - 1, 1] - y
    size = np.hypot(ax, ay) * np.hypot(bx, by)
    if size == 0.0:
        return np.nan
    return float(np.degrees(np.arccos(min(max((ax * bx + ay * by) / size, -1.0), 1.0))))

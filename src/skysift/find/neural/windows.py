"""Windows that a network looks through: of one size, on a lattice that is anchored to the first pixel of the map."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from skysift.find.neural.detector import Detector
from skysift.find.neural.orientations import found_in_all, found_in_each
from skysift.sky.box import Box
from skysift.sky.detections import Detections

__all__ = ["WINDOW", "found_in", "seen_in", "windows_near", "windows_of"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

WINDOW = 512  # pixels; the network sees this much at once, whatever a tile is


def windows_of(area: Box, step: int) -> Iterator[Box]:
    """Cores that cover an area once: squares of a lattice anchored to the first pixel, cut by nothing."""
    for y in range(area.y0 // step * step, area.y1, step):
        for x in range(area.x0 // step * step, area.x1, step):
            yield Box(y, y + step, x, x + step)


def windows_near(
    area: Box, step: int, x: Floats, y: Floats, reach: Floats
) -> list[tuple[Box, NDArray[np.int64]]]:
    """
    The cores of `windows_of`, cut to the area, that places reach into, in their order, with the places, in theirs.

    Parameters
    ----------
    area, step
        As for `windows_of`.
    x, y
        Places (pixel).
    reach
        How far each reaches (pixel); a pixel more counts as well.
    """
    spans = []
    for at, low, high in ((y, area.y0, area.y1), (x, area.x0, area.x1)):
        first = np.maximum(np.floor((at - reach) / step), low // step).astype(np.int64)
        last = np.minimum(np.floor((at + reach + 1.0) / step), (high - 1) // step).astype(np.int64)
        spans.append((first, np.maximum(last - first + 1, 0)))
    (j0, nj), (i0, ni) = spans
    many = nj * ni
    row = np.repeat(np.arange(x.size), many)
    place = np.arange(row.size) - np.repeat(np.cumsum(many) - many, many)
    j, i = j0[row] + place // np.maximum(ni[row], 1), i0[row] + place % np.maximum(ni[row], 1)
    y0, x0 = np.maximum(j * step, area.y0), np.maximum(i * step, area.x0)
    y1, x1 = np.minimum((j + 1) * step, area.y1), np.minimum((i + 1) * step, area.x1)
    near = (
        (x[row] > x0 - 1 - reach[row]) & (x[row] < x1 + reach[row])
        & (y[row] > y0 - 1 - reach[row]) & (y[row] < y1 + reach[row])
    )  # fmt: skip
    row, j, i, y0, y1, x0, x1 = (each[near] for each in (row, j, i, y0, y1, x0, x1))
    order = np.lexsort((row, i, j))
    begin = np.flatnonzero(np.append(True, np.diff(j[order]).astype(bool) | np.diff(i[order]).astype(bool)))
    boxes = np.stack([y0, y1, x0, x1], axis=1)[order[begin]].tolist() if order.size else []
    return [
        (Box(*box), rows) for box, rows in zip(boxes, np.split(row[order], begin[1:]), strict=bool(boxes))
    ]


def found_in(
    core: Box, detector: Detector, run: Callable[[dict[str, Pixels]], Pixels], read: Callable[[Box], Pixels],
    shape: tuple[int, int], beam: Floats, least: float, flips: int = 1,
) -> Detections:  # fmt: skip
    """
    What a network finds in the core of a window, in pixels of the map; doubles among it.

    Parameters
    ----------
    core
        Whose detections are told; the window is larger by the margin of the detector on each side.
    detector, run
        What answers mean, and how they are got: inputs by name -> answer ``(1, channel, y, x)``.
    read
        Pixels of a box inside the map in units of the noise.
    shape
        Of the map.
    beam
        ``(3,)`` covariance (pixels squared).
    least
        Objectness below which nothing is told.
    flips
        How many orientations of the window are looked at.
    """
    found = seen_in(core, detector, run, read, shape, beam, least, flips)
    x, y = found["x"], found["y"]
    mine = (
        (x >= core.x0 - 0.5) & (x < core.x1 - 0.5) & (y >= core.y0 - 0.5) & (y < core.y1 - 0.5)
        & (x > -0.5) & (x < shape[1] - 0.5) & (y > -0.5) & (y < shape[0] - 0.5)
    )  # fmt: skip
    return found.select(mine)


def seen_in(
    core: Box, detector: Detector, run: Callable[[dict[str, Pixels]], Pixels], read: Callable[[Box], Pixels],
    shape: tuple[int, int], beam: Floats, least: float, flips: int = 1,
) -> Detections:  # fmt: skip
    """All that a network says in the window around a core, beyond it too; as `found_in` otherwise."""
    window, z = _window(core, detector, read, shape)
    if not np.isfinite(z).any():
        return detector.nothing()
    if flips == 1:
        found = detector.found(run(detector.inputs(z, beam))[0], z, beam, least)
    else:
        found = found_in_all(detector, run, z, beam, least, flips)
    return _placed(found, window)


def seen_in_each(
    core: Box, detector: Detector, run: Callable[[dict[str, Pixels]], Pixels], read: Callable[[Box], Pixels],
    shape: tuple[int, int], beam: Floats, flips: int,
) -> list[Detections]:  # fmt: skip
    """All that a network says in the window around a core in each orientation, as it is in the window itself."""
    window, z = _window(core, detector, read, shape)
    if not np.isfinite(z).any():
        return [detector.nothing()] * flips
    if flips == 1:
        return [_placed(detector.found(run(detector.inputs(z, beam))[0], z, beam, 0.0), window)]
    return [_placed(found, window) for found in found_in_each(detector, run, z, beam, flips)]


def _window(
    core: Box, detector: Detector, read: Callable[[Box], Pixels], shape: tuple[int, int]
) -> tuple[Box, Pixels]:
    """The window around a core and its pixels, NaN off the map."""
    window = core.expand(detector.margin)
    inside = window.intersect(Box.of(shape))
    z = np.full(window.shape, np.nan, np.float32)
    at = np.s_[inside.y0 - window.y0 : inside.y1 - window.y0, inside.x0 - window.x0 : inside.x1 - window.x0]
    z[at] = read(inside)
    return window, z


def _placed(found: Detections, window: Box) -> Detections:
    """What was found in a window, in pixels of the map."""
    found = found.shift(window.y0, window.x0)
    raw = {**found.raw, "x": found["x"] + window.x0, "y": found["y"] + window.y0}
    return Detections(found.boxes, found.scores, found.footprints, raw)

"""Windows that a network looks through: of one size, on a lattice that is anchored to the first pixel of the map."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from skysift.find.neural.detector import Detector
from skysift.find.neural.orientations import found_in_all
from skysift.sky.box import Box
from skysift.sky.detections import Detections

__all__ = ["WINDOW", "found_in", "seen_in", "windows_of"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

WINDOW = 512  # pixels; the network sees this much at once, whatever a tile is


def windows_of(area: Box, step: int) -> Iterator[Box]:
    """Cores that cover an area once: squares of a lattice anchored to the first pixel, cut by nothing."""
    for y in range(area.y0 // step * step, area.y1, step):
        for x in range(area.x0 // step * step, area.x1, step):
            yield Box(y, y + step, x, x + step)


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
    window = core.expand(detector.margin)
    inside = window.intersect(Box.of(shape))
    z = np.full(window.shape, np.nan, np.float32)
    at = np.s_[inside.y0 - window.y0 : inside.y1 - window.y0, inside.x0 - window.x0 : inside.x1 - window.x0]
    z[at] = read(inside)
    if not np.isfinite(z).any():
        return detector.nothing()
    if flips == 1:
        found = detector.found(run(detector.inputs(z, beam))[0], z, beam, least)
    else:
        found = found_in_all(detector, run, z, beam, least, flips)
    found = found.shift(window.y0, window.x0)
    raw = {**found.raw, "x": found["x"] + window.x0, "y": found["y"] + window.y0}
    return Detections(found.boxes, found.scores, found.footprints, raw)

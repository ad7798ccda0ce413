"""Levels: windows of the map and of the map binned by 2, 4, ...: objects larger than a window's margin are seen too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.find.extended.coarse import block_noise
from skysift.find.neural.masks import MaskDetector, peaks_of
from skysift.find.neural.windows import WINDOW, seen_in, windows_of
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints

__all__ = ["SEEN_RAW", "Level", "binned", "levels_of", "nothing_seen", "objects_in", "quiet_of", "windows_on"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

SEEN_RAW = ("own", "cut", "large", "top", "bottom", "left", "right")
"""What is told of an object besides: whether its centre is in the core of its window (or a little beyond), whether the
border of the window cuts it, whether no finer level can see it whole (0 or 1); and the window, in pixels of the map."""

SLACK = 4.0  # pixels beyond the core of a window: two windows may tell the centre of an object a little apart
SEEN = 1.5  # margins: the widest object that a level is trusted with
_FEW = 200  # negative pixels; fewer do not tell the noise
SHARED = 0.5  # of that: narrower ones are not taken from the next level


@dataclass(frozen=True)
class Level:
    """
    A binning of the map.

    Attributes
    ----------
    factor
        Pixels of the map along the side of a pixel here.
    quiet
        Noise of a mean over such a block in units of that of a pixel.
    narrowest, widest
        Sides (pixels of the map) of objects that are taken from here.
    last
        Whether it is the coarsest: an object that is cut by the border of its window is kept.
    large
        Objects wider than this (pixels of the map) no finer level can see whole.
    """

    factor: int
    quiet: float
    narrowest: float
    widest: float
    last: bool
    large: float


def levels_of(
    factors: Sequence[int], margin: int, correlation: Floats, shape: tuple[int, int]
) -> list[Level]:
    """
    The levels with these binnings, the finest first; that on which one window sees the whole map is the last.

    Parameters
    ----------
    factors
        Ascending, from 1.
    margin
        Of the windows, in their own pixels.
    correlation
        Autocorrelation of the noise ``(dy, dx)``, 1 at its centre.
    shape
        Of the map.
    """
    whole = [max(_binned_shape(shape, factor)) <= WINDOW - 2 * margin for factor in factors]
    factors = factors[: whole.index(True) + 1] if True in whole else factors
    made = []
    for k, factor in enumerate(factors):
        before = SEEN * margin * factors[k - 1] if k else 0.0
        last = k == len(factors) - 1
        quiet = block_noise(correlation, factor)[0] if factor > 1 else 1.0
        widest = np.inf if last else SEEN * margin * factor
        made.append(Level(factor, quiet, SHARED * before, float(widest), last, before if k else np.inf))
    return made


def windows_on(level: Level, shape: tuple[int, int], margin: int) -> list[Box]:
    """Cores of windows that cover a map, in pixels of a level."""
    return list(windows_of(Box.of(_binned_shape(shape, level.factor)), WINDOW - 2 * margin))


def binned(z: Pixels, factor: int, quiet: float = 1.0) -> Pixels:
    """
    A map in units of its noise as means over blocks, again in units of the noise; NaN where fewer than half hold data.

    Parameters
    ----------
    z
        ``(y, x)``; blocks begin at its first pixel, the last may be cut.
    factor
        Pixels along the side of a block.
    quiet
        Noise of the mean of a block in units of that of a pixel.
    """
    if factor == 1:
        return z
    ny, nx = _binned_shape((z.shape[0], z.shape[1]), factor)
    whole = np.full((ny * factor, nx * factor), np.nan, np.float32)
    whole[: z.shape[0], : z.shape[1]] = z
    blocks = whole.reshape(ny, factor, nx, factor)
    good = np.isfinite(blocks)
    count = good.sum(axis=(1, 3))
    total = np.where(good, blocks, np.float32(0.0)).sum(axis=(1, 3), dtype=np.float64)
    mean = total / np.maximum(count, 1) / quiet
    return np.where(2 * count >= factor * factor, mean, np.nan).astype(np.float32)


def quiet_of(means: Pixels, factor: int) -> float:
    """Noise of means over blocks in units of that of a pixel, from those below zero: no source is there."""
    if factor == 1:
        return 1.0
    below = means[means < 0.0].astype(np.float64)
    least = 1.0 / factor
    if below.size < _FEW:
        return 1.5 * least
    return min(max(1.4826 * float(np.median(-below)), least), 1.0)


def _binned_shape(shape: tuple[int, int], factor: int) -> tuple[int, int]:
    return -(-shape[0] // factor), -(-shape[1] // factor)


def objects_in(
    core: Box, level: Level, detector: MaskDetector, run: Callable[[dict[str, Pixels]], Pixels],
    read: Callable[[Box], Pixels], shape: tuple[int, int], beam: Floats, least: float,
) -> Detections:  # fmt: skip
    """
    The objects of a window on a level, in pixels of the map, with the raw parameters `SEEN_RAW`.

    Their signal to noise is that of the brightest pixel of the map itself, on whatever level they are seen.

    Parameters
    ----------
    core
        In pixels of the level. What has its centre or a part there is told: windows may tell the centre of an object
        differently, and one may see whole what the border of another cuts. A centre beyond the map counts as one at its
        border.
    level
        How the map is binned.
    detector, run
        What answers mean, and how they are got.
    read
        Pixels of a box inside the map in units of the noise.
    shape
        Of the map.
    beam
        ``(3,)`` covariance (pixels of the map, squared).
    least
        Score below which nothing is told.
    """
    factor = level.factor
    whole = Box.of(shape)
    small = _binned_shape(shape, factor)

    seen: list[tuple[Box, Pixels]] = []

    def coarse(box: Box) -> Pixels:
        wide = Box(*(factor * each for each in (box.y0, box.y1, box.x0, box.x1))).intersect(whole)
        seen.append((wide, read(wide)))
        return binned(seen[-1][1], factor, level.quiet)

    found = seen_in(core, detector, run, coarse, small, beam / factor**2, least)
    window = core.expand(detector.margin)
    x, y = (np.clip(found[name], 0.0, side - 1.0) for name, side in (("x", small[1]), ("y", small[0])))
    own = (
        (x >= core.x0 - 0.5 - SLACK) & (x < core.x1 - 0.5 + SLACK)
        & (y >= core.y0 - 0.5 - SLACK) & (y < core.y1 - 0.5 + SLACK)
    )  # fmt: skip
    top, bottom, left, right = found.boxes.T
    mine = own | ((bottom > core.y0) & (top < core.y1) & (right > core.x0) & (left < core.x1))
    cut = (
        ((top <= window.y0) & (window.y0 > 0)) | ((left <= window.x0) & (window.x0 > 0))
        | ((bottom >= window.y1) & (window.y1 < small[0])) | ((right >= window.x1) & (window.x1 < small[1]))
    )  # fmt: skip
    side = factor * np.maximum(bottom - top, right - left)
    mine &= (side > level.narrowest) & (side <= level.widest) & (level.last | ~cut)
    n = len(found)
    facts = (own, cut, side > level.large, *(np.full(n, factor * each) for each in _edges(window)))
    told = {name: each.astype(np.float64) for name, each in zip(SEEN_RAW, facts, strict=True)}
    chosen = Detections(found.boxes, found.scores, found.footprints, {**found.raw, **told}).select(mine)
    if factor == 1 or not len(chosen):
        return chosen
    fine = _unbinned(chosen, factor, shape)
    box, z = seen[-1]
    peak = peaks_of(fine.footprints.shift(-box.y0, -box.x0), len(fine), z)
    return Detections(fine.boxes, fine.scores, fine.footprints, {**fine.raw, "snr": peak})


def nothing_seen(detector: MaskDetector) -> Detections:
    """No object, with the names of the parameters that `objects_in` tells."""
    return Detections.empty({**detector.nothing().raw, **dict.fromkeys(SEEN_RAW, np.empty(0))})


def _edges(box: Box) -> tuple[int, int, int, int]:
    return box.y0, box.y1, box.x0, box.x1


def _unbinned(found: Detections, factor: int, shape: tuple[int, int]) -> Detections:
    """Objects in pixels of the map."""
    prints = found.footprints
    rows = (prints.row[:, None] * factor + np.arange(factor)).ravel()
    start, stop, index = (
        np.repeat(each, factor) for each in (prints.start * factor, prints.stop * factor, prints.index)
    )
    stop = np.minimum(stop, shape[1])
    inside = (rows < shape[0]) & (start < stop)
    boxes = np.minimum(found.boxes * factor, [shape[0], shape[0], shape[1], shape[1]])
    middle = {name: factor * (found[name] + 0.5) - 0.5 for name in ("x", "y")}
    prints = Footprints(rows[inside], start[inside], stop[inside], index[inside])
    return Detections(boxes, found.scores, prints, {**found.raw, **middle})

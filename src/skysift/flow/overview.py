"""A whole map at the size of a screen, and how its residual is spread, in one pass over bands of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.sky.box import Box

__all__ = ["Histogram", "Overview", "Preview", "Reader", "bands", "overview", "preview"]

Reader: TypeAlias = Callable[[Box], NDArray[np.float32] | NDArray[np.int32]]
"""Pixels of a box of one map, (y, x); NaN where there is no data."""

Shrink: TypeAlias = Literal["mean", "max", "extreme"]

LONGEST = 1600
"""Pixels along the longer side of a preview at most."""

BAND = 1 << 20
"""Pixels that are read at once, about."""


@dataclass(frozen=True, eq=False)
class Preview:
    """A map shrunk by blocks of `factor` x `factor` pixels.

    `pixels` are (y, x) and cover `box` of the map; `how` says what a block became: its mean, its maximum,
    or its value farthest from zero. NaN where a block holds no data.
    """

    pixels: NDArray[np.float32]
    box: Box
    factor: int
    how: Shrink

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge in pixels of the map (the last block may reach past it)."""
        rows, columns = self.pixels.shape
        left, bottom = self.box.x0 - 0.5, self.box.y0 - 0.5
        return left, left + columns * self.factor, bottom, bottom + rows * self.factor


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many pixels have which residual in units of the local rms.

    `edges` are those of equal bins; `everywhere` counts all pixels with data, `outside` those in no island;
    `beyond` counts the pixels outside the bins, in and out of islands.
    """

    edges: NDArray[np.float64]
    everywhere: NDArray[np.int64]
    outside: NDArray[np.int64]
    beyond: int

    @property
    def half_width(self) -> float:
        """Half the 16-84 % range outside islands: 1 where the rms map tells the noise; NaN without pixels."""
        total = int(self.outside.sum())
        if total == 0:
            return float("nan")
        share = np.concatenate([[0.0], np.cumsum(self.outside) / total])
        low, high = np.interp([0.158655, 0.841345], share, self.edges)
        return float(high - low) / 2.0


@dataclass(frozen=True, eq=False)
class Overview:
    """What the pictures of a whole map need: previews by name and the histogram of residual / rms.

    `n_good` counts the pixels that hold data and noise: what fills a mosaic beyond its data has none.
    """

    previews: Mapping[str, Preview]
    histogram: Histogram
    n_good: int
    rms_median: float
    background_span: tuple[float, float] = field(default=(float("nan"), float("nan")))


def bands(area: Box, step: int = 1) -> Iterator[Box]:
    """Boxes of whole rows that cover an area from the bottom up, each a multiple of `step` rows high."""
    height = step * max(1, BAND // max(1, area.shape[1] * step))
    for start in range(area.y0, area.y1, height):
        yield Box(start, min(start + height, area.y1), area.x0, area.x1)


def overview(read: Mapping[str, Reader], area: Box) -> Overview:
    """Previews of data, background, rms and significance of the residual, and the latter's histogram.

    Parameters
    ----------
    read
        Readers of the maps ``data background rms residual labels``.
    area
        The part of the maps to look at.
    """
    factor = _factor(area.shape, LONGEST)
    how: dict[str, Shrink] = {"data": "max", "background": "mean", "rms": "mean", "residual": "extreme"}
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in how}
    edges = np.linspace(-10.0, 10.0, 201)
    everywhere = np.zeros(200, np.int64)
    outside = np.zeros(200, np.int64)
    n_good = n_beyond = 0
    low, high = float("inf"), float("-inf")
    for box in bands(area, factor):
        maps = {name: np.asarray(read[name](box), np.float32) for name in how}
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            maps["residual"] = maps["residual"] / maps["rms"]
        for name, shrink in how.items():
            parts[name].append(_shrink(maps[name], factor, shrink))
        good = np.isfinite(maps["residual"])
        sigma = maps["residual"][good]
        counts = np.histogram(sigma, edges)[0]
        everywhere += counts
        outside += np.histogram(sigma[read["labels"](box)[good] == 0], edges)[0]
        n_beyond += sigma.size - int(counts.sum())
        n_good += int((np.isfinite(maps["data"]) & np.isfinite(maps["rms"])).sum())
        level = maps["background"][np.isfinite(maps["background"])]
        if level.size:
            low, high = min(low, float(level.min())), max(high, float(level.max()))
    previews = {name: Preview(np.concatenate(parts[name]), area, factor, how[name]) for name in how}
    rms = previews["rms"].pixels[np.isfinite(previews["rms"].pixels)]
    return Overview(
        previews,
        Histogram(edges, everywhere, outside, n_beyond),
        n_good,
        float(np.median(rms)) if rms.size else float("nan"),
        (low, high) if low <= high else (float("nan"), float("nan")),
    )


def preview(read: Reader, box: Box, *, longest: int, how: Shrink = "mean") -> Preview:
    """One box of a map, shrunk so that its longer side has at most `longest` pixels."""
    factor = _factor(box.shape, longest)
    parts = [_shrink(np.asarray(read(part), np.float32), factor, how) for part in bands(box, factor)]
    return Preview(np.concatenate(parts), box, factor, how)


def _factor(shape: tuple[int, int], longest: int) -> int:
    return max(1, -(-max(shape) // longest))


def _shrink(pixels: NDArray[np.float32], factor: int, how: Shrink) -> NDArray[np.float32]:
    """Blocks of `factor` x `factor` pixels, each as one; blanks do not count."""
    if factor == 1:
        return pixels
    rows, columns = (-(-size // factor) for size in pixels.shape)
    padded = np.full((rows * factor, columns * factor), np.nan, np.float32)
    padded[: pixels.shape[0], : pixels.shape[1]] = pixels
    tall = padded.reshape(rows, factor, columns * factor)  # (row, y in block, x): rows first, along memory
    if how == "mean":
        good = np.isfinite(tall)
        count = good.sum(axis=1).reshape(rows, columns, factor).sum(axis=2)
        total = np.where(good, tall, np.float32(0)).sum(axis=1, dtype=np.float64)
        total = total.reshape(rows, columns, factor).sum(axis=2)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    top: NDArray[np.float32] = np.fmax.reduce(
        np.fmax.reduce(tall, axis=1).reshape(rows, columns, factor), axis=2
    )
    if how == "max":
        return top
    bottom: NDArray[np.float32] = np.fmin.reduce(
        np.fmin.reduce(tall, axis=1).reshape(rows, columns, factor), axis=2
    )
    return np.where(top >= -bottom, top, bottom)

"""From cell statistics to the noise of a map: smooth rms, a level that is worth subtracting, the autocorrelation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from skysift.measure.background import interpolate
from skysift.sky.box import Box

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.float32]

LEVEL, RMS, GOOD, PEAK, HIDDEN = range(5)
FWHM = float(np.sqrt(8.0 * np.log(2.0)))
PADDING = (
    1e-4  # of the upper quartile of the rms: less is no noise but what an imager leaves where it has no data
)
FLAT = 0.01  # of that: no pixel of padding rises more above its level
REFINE = 3  # a bright neighbourhood has cells this much finer


@dataclass(frozen=True, eq=False)
class NoiseMesh:
    """
    Background level and rms of a map on a mesh anchored to pixel (0, 0), and the noise autocorrelation.

    Attributes
    ----------
    cell
        Width of a mesh cell in pixels; node (i, j) stands for the cell's centre.
    level, rms
        float64 ``(row, column)``, Jy/beam.
    correlation
        Autocorrelation of the noise ``(dy, dx)``, 1 at its centre, odd in both widths.
    empty
        Cells ``(row, column)`` of padding: what an imager leaves where it has no data, not NaN but without noise.
    facts
        What was decided: scale of the level, share of nodes where it is used, refined nodes.
    """

    cell: int
    level: Floats
    rms: Floats
    correlation: Floats
    empty: npt.NDArray[np.bool_]
    facts: Mapping[str, float | int | str] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether there is any noise: false for a map that is blank or constant."""
        return bool(np.isfinite(self.rms).any())

    def padded(self, box: Box) -> npt.NDArray[np.bool_] | np.bool_:
        """Which pixels ``(y, x)`` of a box lie in a cell of padding; one false for all where there is none."""
        if not self.empty.any():
            return np.bool_(False)
        rows, columns = np.arange(box.y0, box.y1) // self.cell, np.arange(box.x0, box.x1) // self.cell
        return np.asarray(self.empty[rows][:, columns])

    def read(self, box: Box) -> tuple[Pixels, Pixels]:
        """Level and rms at every pixel of a box, float32 ``(y, x)``, Jy/beam; the same for any box a pixel is in."""
        level = np.empty(box.shape, np.float32)
        rms = np.empty(box.shape, np.float32)
        if self.level.any():
            interpolate(self.level, self.cell, box.y0, box.x0, level)
        else:
            level[:] = 0.0
        interpolate(self.rms, self.cell, box.y0, box.x0, rms)
        return level, rms


def cell_width(beam_covariance: Floats, mesh: float, shape: tuple[int, int]) -> int:
    """Width of a mesh cell in pixels: a multiple of three, `mesh` beams wide, no wider than a third of a small map."""
    xx, xy, yy = beam_covariance
    width = mesh * FWHM * (xx * yy - xy * xy) ** 0.25
    widest = max(max(shape) / 3.0, 8.0 * FWHM * (xx * yy - xy * xy) ** 0.25)
    return max(REFINE, REFINE * round(float(min(width, widest)) / REFINE))


def truncation(clip: float) -> float:
    """Rms of a unit Gaussian cut at +-clip."""
    lost = (
        2.0 * clip * math.exp(-clip * clip / 2.0) / math.sqrt(2.0 * math.pi) / math.erf(clip / math.sqrt(2.0))
    )
    return math.sqrt(1.0 - lost)


def _neighbours(values: Floats, fill: float = np.nan) -> Floats:
    """``(9, row, column)``: each node with its eight neighbours."""
    padded = np.pad(values, 1, constant_values=fill)
    rows, columns = values.shape
    return np.stack([padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)])


def _median(values: Floats) -> Floats:
    """Median along the first axis of what is not NaN; NaN where nothing is."""
    ordered = np.sort(values, axis=0)  # NaN last
    count = np.isfinite(ordered).sum(axis=0)
    low = np.maximum((count - 1) // 2, 0)
    high = np.minimum(count // 2, values.shape[0] - 1)
    middle: Floats = 0.5 * (
        np.take_along_axis(ordered, low[None], 0)[0] + np.take_along_axis(ordered, high[None], 0)[0]
    )
    return np.where(count > 0, middle, np.nan)


def smooth_rms(stats: Floats, enough: float) -> Floats:
    """
    Rms mesh from cell statistics: each node the mean variance of the 3 x 3 cells around, weighted by pixels.

    Cells with fewer than ``enough`` pixels do not count, nor do those of next to no noise beside the others, which
    are padding; neighbours that differ from the median of the nine by more than half again are left out; nodes
    without any good neighbour take the nearest ones'. NaN everywhere if no cell is good.
    """
    rms = np.where(stats[..., GOOD] >= enough, stats[..., RMS], np.nan)
    if not np.isfinite(rms).any():
        rms = np.where(stats[..., GOOD] >= 2, stats[..., RMS], np.nan)
    if np.isfinite(rms).any():
        rms = np.where(rms >= PADDING * np.nanquantile(rms, 0.75), rms, np.nan)
    around = _neighbours(rms)
    weight = _neighbours(stats[..., GOOD], 0.0)
    ratio = around / _median(around)
    use = np.isfinite(ratio) & (ratio < 1.5) & (ratio > 1 / 1.5)
    weight = np.where(use, weight, 0.0)
    total = weight.sum(axis=0)
    mean = np.where(use, around**2, 0.0) * weight
    smooth = np.sqrt(mean.sum(axis=0) / np.where(total > 0, total, 1.0))
    return fill(np.where(total > 0, smooth, np.nan))


def padding(stats: Floats) -> npt.NDArray[np.bool_]:
    """Cells that are the same all over, beside others with noise; one with a part of the data is none of them."""
    rms = stats[..., RMS]
    if not (rms > 0).any():
        return np.zeros(rms.shape, np.bool_)
    noise = np.nanquantile(rms, 0.75)
    flat = ~(rms >= PADDING * noise) & ~(stats[..., PEAK] - np.nan_to_num(stats[..., LEVEL]) > FLAT * noise)
    return np.asarray(flat & (stats[..., PEAK] > -np.inf))


def calm(level: Floats, rms: Floats) -> tuple[Floats, Floats]:
    """
    Level and rms that decide what the second pass masks, with cells full of emission brought to their surroundings.

    Inside a lobe or a shell wider than a cell the rms of the cell is that of the emission. Where it exceeds twice
    the lower quartile of the 9 x 9 cells around, that quartile and the median level of the calm cells there stand in.
    """
    rows, columns = rms.shape
    new_level, new_rms = level.copy(), rms.copy()
    padded = np.pad(rms, 4, constant_values=np.nan)
    for r in range(rows):
        around = np.sort(
            sliding_window_view(padded[r : r + 9], (9, 9))[0].reshape(columns, 81), axis=1
        )  # NaN last
        count = np.isfinite(around).sum(axis=1)
        quartile = np.take_along_axis(around, (count // 4)[:, None], axis=1)[:, 0]
        for c in np.flatnonzero(rms[r] > 2.0 * quartile).tolist():
            part = np.s_[max(r - 4, 0) : r + 5, max(c - 4, 0) : c + 5]
            new_rms[r, c] = quartile[c]
            new_level[r, c] = np.median(level[part][rms[part] <= 2.0 * quartile[c]])
    return new_level, new_rms


def fill(mesh: Floats) -> Floats:
    """The mesh with its NaN nodes filled from their nearest neighbours, ring by ring."""
    filled = mesh.copy()
    if not np.isfinite(filled).any():
        return filled
    for _ in range(4):
        missing = ~np.isfinite(filled)
        if not missing.any():
            return filled
        near = _neighbours(filled)
        count = np.isfinite(near).sum(axis=0)
        total = np.where(np.isfinite(near), near, 0.0).sum(axis=0)
        filled = np.where(missing & (count > 0), total / np.maximum(count, 1), filled)
    return np.where(np.isfinite(filled), filled, _median(filled.reshape(-1, 1))[0])


def refine(mesh: Floats) -> Floats:
    """The mesh at three times finer nodes, bilinear, constant beyond the outer nodes."""

    def positions(n: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
        u = np.clip((np.arange(REFINE * n) + 0.5) / REFINE - 0.5, 0.0, n - 1.0)
        low = np.minimum(u.astype(np.int64), max(n - 2, 0))
        return low, np.minimum(low + 1, n - 1), u - low

    r0, r1, v = positions(mesh.shape[0])
    c0, c1, u = positions(mesh.shape[1])
    rows = (1.0 - v)[:, None] * mesh[r0] + v[:, None] * mesh[r1]
    finer: Floats = (1.0 - u) * rows[:, c0] + u * rows[:, c1]
    return finer


def refined_rms(coarse: Floats, fine_stats: Floats, enough: float) -> tuple[Floats, int]:
    """
    Rms on the three times finer mesh, and how many of its nodes come from fine cells.

    ``fine_stats`` is NaN where no fine cell was measured. A fine node is used only where it exceeds the coarse
    mesh by more than a quarter, five times its error: artefacts around a bright source raise the noise, and a quiet
    neighbourhood gains no scatter.
    """
    base = refine(coarse)
    measured = np.isfinite(fine_stats[..., RMS]) & (fine_stats[..., GOOD] >= enough)
    rms = np.where(measured, fine_stats[..., RMS], np.nan)
    smooth = _median(_neighbours(rms))
    ratio = smooth / base
    use = measured & np.isfinite(ratio) & (ratio > 1.25)
    return np.where(use, smooth, base), int(use.sum())


def largest_source(stats: Floats) -> int:
    """Widest extent, in cells, of connected cells that are mostly hidden by sources."""
    full = stats[..., HIDDEN] > 0.5
    widest = 0
    todo = {(int(r), int(c)) for r, c in zip(*np.nonzero(full), strict=True)}
    while todo:
        front = [todo.pop()]
        rows, columns = [front[0][0]], [front[0][1]]
        while front:
            r, c = front.pop()
            for near in ((r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
                if near in todo:
                    todo.remove(near)
                    front.append(near)
                    rows.append(near[0])
                    columns.append(near[1])
        widest = max(widest, max(rows) - min(rows) + 1, max(columns) - min(columns) + 1)
    return widest


def _box_sum(values: Floats, half: int) -> Floats:
    """Sum over a square of 2 half + 1 nodes around each node."""
    rows, columns = values.shape
    table = np.zeros((rows + 1, columns + 1))
    table[1:, 1:] = np.cumsum(np.cumsum(values, axis=0), axis=1)
    top, bottom = np.clip(np.arange(rows) - half, 0, rows), np.clip(np.arange(rows) + half + 1, 0, rows)
    left, right = (
        np.clip(np.arange(columns) - half, 0, columns),
        np.clip(np.arange(columns) + half + 1, 0, columns),
    )
    total: Floats = (
        table[bottom][:, right] - table[top][:, right] - table[bottom][:, left] + table[top][:, left]
    )
    return total


def significant_level(
    stats: Floats, rms: Floats, enough: float, area: float, threshold: float
) -> tuple[Floats, dict[str, float | int | str]]:
    """
    Level mesh that is worth subtracting, and the facts of the choice.

    The level is averaged over at least three times the largest source; where that exceeds half the map, over
    the whole map. It is kept where it exceeds ``threshold`` times its own error, else zero. ``area`` is the
    number of pixels that count as one independent sample.
    """
    good = (stats[..., GOOD] >= enough) & np.isfinite(stats[..., LEVEL]) & (stats[..., HIDDEN] < 0.5)
    source = largest_source(stats)
    facts: dict[str, float | int | str] = {"largest_source_cells": source}
    if not good.any():
        return np.zeros_like(rms), facts | {"level": "zero", "level_share": 0.0}
    half = max(1, (3 * source) // 2)
    facts["level_cells"] = 2 * half + 1
    if 2 * half + 1 > max(max(rms.shape) / 2, 3):
        half = max(rms.shape)
        facts["level_scale"], facts["level_cells"] = "map", max(rms.shape)
    else:
        facts["level_scale"] = f"{2 * half + 1} cells"
    weight = np.where(good, stats[..., GOOD] / np.where(good, rms, 1.0) ** 2, 0.0)
    total = _box_sum(weight, half)
    level = np.where(good, stats[..., LEVEL], 0.0)
    mean = _box_sum(weight * level, half) / np.where(total > 0, total, 1.0)
    error = np.sqrt(area / np.where(total > 0, total, 1.0))
    mean = fill(np.where(total > 1e-9 * weight.max(), mean, np.nan))
    used = np.abs(mean) > threshold * error
    facts["level_share"] = float(used.mean())
    facts["level"] = "mesh" if used.any() else "zero"
    return np.where(used, mean, 0.0), facts


def autocorrelation(sums: Floats, pairs: Floats, beam_covariance: Floats, enough: float) -> Floats:
    """
    Noise autocorrelation ``(2 ny + 1, 2 nx + 1)`` from summed products over lags.

    It fades to zero between 1.5 and 2 beams (FWHM), negative power is cut before it is
    trimmed to the window, and it is 1 at zero lag. With fewer
    than ``enough`` pairs of pixels the shape of the beam is taken.
    """
    n_y, n_x = sums.shape[0] - 1, sums.shape[1] // 2
    y, x = np.mgrid[-n_y : n_y + 1, -n_x : n_x + 1]
    xx, xy, yy = beam_covariance
    metric = (yy * x * x - 2 * xy * x * y + xx * y * y) / (xx * yy - xy * xy)
    if pairs[0, n_x] < enough or not sums[0, n_x] > 0.0:
        raw = np.exp(-0.5 * metric)
    else:
        half = sums / np.maximum(pairs, 1.0)
        raw = np.zeros((2 * n_y + 1, 2 * n_x + 1))
        raw[n_y:] = half
        raw[: n_y + 1] = half[::-1, ::-1]
        raw /= raw[n_y, n_x]
    distance = np.sqrt(metric) / FWHM
    raw *= np.where(
        distance < 1.5, 1.0, np.where(distance < 2.0, 0.5 + 0.5 * np.cos(np.pi * (distance - 1.5) / 0.5), 0.0)
    )
    height, width = 4 * n_y + 2, 4 * n_x + 2
    padded = np.zeros((height, width))
    padded[: 2 * n_y + 1, : 2 * n_x + 1] = raw
    padded = np.roll(padded, (-n_y, -n_x), axis=(0, 1))
    power = np.maximum(np.fft.rfft2(padded).real, 0.0)
    clean = np.roll(np.fft.irfft2(power, s=(height, width)), (n_y, n_x), axis=(0, 1))[
        : 2 * n_y + 1, : 2 * n_x + 1
    ]
    result: Floats = clean / clean[n_y, n_x]
    return result

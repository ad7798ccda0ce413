"""Thresholds become fragments of islands: runs of pixels that hold a seed or touch the tile's border."""

import math

import numpy as np
import numpy.typing as npt

from skysift.find.finder import HISTOGRAM_STEP
from skysift.measure.label import count_runs, find_runs
from skysift.sky.detections import Detections, Footprints
from skysift.sky.runs import touching_runs
from skysift.sky.tiling import NoisyTile


def fragments(tile: NoisyTile, seed: float, grow: float, reach: int, sign: int) -> Detections:
    """
    Fragments of islands of one sign in a tile, in pixels of the map.

    Parameters
    ----------
    tile
        Pixels and noise.
    seed, grow
        Thresholds in units of the rms.
    reach
        1 for 8-connected pixels, 0 for 4-connected.
    sign
        -1 looks at the inverted map.
    """
    box = tile.box
    n = count_runs(tile.data, tile.level, tile.rms, grow, float(sign))
    runs, peaks = np.empty((n, 3), np.int64), np.empty(n)
    find_runs(tile.data, tile.level, tile.rms, grow, float(sign), box.y0, box.x0, runs, peaks)
    roots, label = np.unique(touching_runs(runs, reach), return_inverse=True)
    peak = np.full(len(roots), -np.inf)
    np.maximum.at(peak, label, peaks)
    holds = peak >= seed
    ny, nx = tile.whole
    at_border = (
        ((runs[:, 0] == box.y0) & (box.y0 > 0))
        | ((runs[:, 0] == box.y1 - 1) & (box.y1 < ny))
        | ((runs[:, 1] == box.x0) & (box.x0 > 0))
        | ((runs[:, 2] == box.x1) & (box.x1 < nx))
    )
    touches = np.zeros(len(roots), np.bool_)
    np.logical_or.at(touches, label, at_border)
    kept = holds | touches
    number = np.cumsum(kept) - 1
    chosen = kept[label]
    runs, label = runs[chosen], number[label[chosen]]
    order = np.argsort(label, kind="stable")
    runs, label = runs[order], label[order]
    count = int(kept.sum())
    boxes = np.empty((count, 4), np.int64)
    if count:
        first = np.searchsorted(label, np.arange(count))
        boxes[:, 0] = np.minimum.reduceat(runs[:, 0], first)
        boxes[:, 1] = np.maximum.reduceat(runs[:, 0], first) + 1
        boxes[:, 2] = np.minimum.reduceat(runs[:, 1], first)
        boxes[:, 3] = np.maximum.reduceat(runs[:, 2], first)
    raw = {"seeded": holds[kept].astype(np.int64), "sign": np.full(count, sign, np.int64)}
    footprints = Footprints(runs[:, 0], runs[:, 1], runs[:, 2], label)
    return Detections(boxes, peak[kept], footprints, raw)


def fdr_threshold(counts: npt.NDArray[np.int64], share: float) -> float:
    """
    Threshold in sigma above which at most this share of the pixels is expected to be noise.

    Benjamini & Hochberg's procedure as Hopkins et al. (2002) apply it to maps, on the map's histogram of
    signal-to-noise (bins of 0.01 sigma from 0 on). Infinite where nothing passes.
    """
    total = 2.0 * float(counts.sum())  # the negative half is not counted
    above = np.cumsum(counts[::-1])[::-1]  # pixels in this bin and beyond
    level = HISTOGRAM_STEP * np.arange(len(counts))
    p_value = np.array([0.5 * math.erfc(z / math.sqrt(2.0)) for z in level])
    passes = (above > 0) & (p_value <= share * above / max(total, 1.0))
    return float(level[np.argmax(passes)]) if passes.any() else math.inf

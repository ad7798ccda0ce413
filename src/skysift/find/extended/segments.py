"""Segments: what segmenters find in tiles, joined over tiles and scales, kept where it is large enough."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import Crew
from skysift.find.classic.islands import fragments
from skysift.find.extended.diffuse import parted
from skysift.find.extended.negatives import samples, scatter, tally
from skysift.find.extended.residual import Residual
from skysift.find.extended.runs import boxes_of
from skysift.find.extended.segmenter import Segmenter
from skysift.match.merge import merge_fragments
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints
from skysift.sky.runs import touching_runs
from skysift.sky.tiling import NoisyTile, Tiling

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.float32]


def find_segments(
    residual: Residual,
    segmenters: Sequence[Segmenter],
    seed: float,
    grow: float,
    crew: Crew,
    factors: Floats | None = None,
    smallest: float = 1.0,
) -> tuple[Detections, dict[str, float]]:
    """
    Connected emission on any scale, in map order, and how much larger the noise of each scale is than expected.

    Pixels above `grow` that are connected, on one scale, to one above `seed` are found; what overlaps or touches
    among all scales is one segment; on diffuse emission, pieces on a finer scale that hold most of its flux are segments
    in its place. The noise of a scale is that of its negative pixels where these scatter more
    than the autocorrelation of the noise tells.

    Parameters
    ----------
    residual
        The map without compact sources.
    segmenters
        Who says how significant each pixel is.
    seed, grow
        Thresholds (sigma).
    factors
        How much larger the noise of each scale is, where that is known.
    smallest
        Pixels; what is smaller is no such piece.
    """
    shape = residual.image.shape
    tiles = list(Tiling(Box.of(shape), crew.tile))
    if factors is None:
        counts = np.add.reduce(
            list(crew.map("scales", partial(_negatives, residual, segmenters), samples(shape)))
        )
        owners = [one for one in segmenters for _ in one.scales]
        factors = np.array([one.noise_of(scatter(each)) for one, each in zip(owners, counts, strict=True)])
    work_found = partial(_fragments, residual, segmenters, factors, seed, grow)
    parts = list(crew.map("segments", work_found, tiles))
    scales = [merge_fragments([part[k] for part in parts], 1) for k in range(len(factors))]
    names = [f"{type(one).__name__} {name}" for one in segmenters for name in one.scales]
    found = union(scales[:1])
    on_diffuse = any(one.takes_off and one.setting.diffuse for one in segmenters)
    for scale in scales[1:]:
        both = union([found, scale])
        found = parted(found, both, residual, segmenters, smallest, crew) if on_diffuse else both
    return found, dict(zip(names, factors.tolist(), strict=True))


def _maps(residual: Residual, segmenters: Sequence[Segmenter], box: Box) -> list[Pixels]:
    """Significance of all scales in a box."""
    shape = residual.image.shape
    found = []
    for one in segmenters:
        wide = box.expand(one.halo).intersect(Box.of(shape))
        inner = np.s_[box.y0 - wide.y0 : box.y1 - wide.y0, box.x0 - wide.x0 : box.x1 - wide.x0]
        found += [np.ascontiguousarray(each[inner]) for each in one.maps(residual.snr(wide), wide)]
    return found


def _negatives(residual: Residual, segmenters: Sequence[Segmenter], box: Box) -> Ints:
    """Counts ``(scale, bin)`` of how far below zero pixels are."""
    return np.stack([tally(each) for each in _maps(residual, segmenters, box)])


def _fragments(
    residual: Residual,
    segmenters: Sequence[Segmenter],
    factors: Floats,
    seed: float,
    grow: float,
    box: Box,
) -> list[Detections]:
    """Fragments of each scale in a tile."""
    shape = residual.image.shape
    zero, one = np.zeros(box.shape, np.float32), np.ones(box.shape, np.float32)
    return [
        fragments(NoisyTile(box, np.asarray(each / factor, np.float32), zero, one, shape), seed, grow, 1, 1)
        for each, factor in zip(_maps(residual, segmenters, box), factors.tolist(), strict=True)
    ]


def union(parts: Sequence[Detections]) -> Detections:
    """The connected regions of all footprints together, in map order; the score of each is its largest."""
    runs = np.concatenate(
        [np.stack([p.footprints.row, p.footprints.start, p.footprints.stop], axis=1) for p in parts]
    )
    if not len(runs):
        return Detections.empty()
    flat = Footprints(runs[:, 0], runs[:, 1], runs[:, 2], np.zeros(len(runs), np.int64))
    whole = np.stack([flat.row, flat.start, flat.stop], axis=1)
    _, label = np.unique(touching_runs(whole, 1), return_inverse=True)
    label = label.reshape(-1).astype(np.int64)
    n = int(label.max()) + 1
    key = whole[:, 0] * (int(whole[:, 2].max()) + 1) + whole[:, 1]
    score = np.zeros(n)
    for part in parts:
        prints = part.footprints
        held = np.searchsorted(key, prints.row * (int(whole[:, 2].max()) + 1) + prints.start, "right") - 1
        np.maximum.at(score, label[held], part.scores[prints.index])
    prints = Footprints(whole[:, 0], whole[:, 1], whole[:, 2], label)
    return Detections(boxes_of(prints, n), score, prints)

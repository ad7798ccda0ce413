"""Diffuse emission that sources lie on: whether a map has any, what it is, and which segments it has run together."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import Crew
from skysift.find.extended.negatives import samples, scatter, tally
from skysift.find.extended.nested import crossing, label_at
from skysift.find.extended.options import ExtendedOptions
from skysift.find.extended.residual import Residual
from skysift.find.extended.scales import (
    levels_of,
    reach,
    smooth_step,
    smoothed_variance,
    width,
)
from skysift.find.extended.segmenter import Segmenter, Setting
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.mask import Mask
from skysift.sky.tiling import Tiling

Pixels = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FINE = 1.15  # sigma that negative pixels of the finest scale scatter by at most: more tells of artefacts
# sigma that those of the map smoothed to the diffuse scale scatter by, where there is any, and more;
SCATTER = 1.3
SKEW = 1.35  # times that positive ones do: artefacts are as often negative as positive;
TYPICAL = 2.0  # sigma of a pixel that these are below: else a source fills the map
WIDEST = 256.0  # pixels; wider emission is not looked for: what is read around a tile stays in memory
ROUNDS = 4  # of smoothing and of leaving out what stands out
CLIP = 1.0  # sigma of the finest scale; what differs by more from the diffuse emission tells nothing of it
MOST = 4.0  # sigma in a pixel; what is brighter is no diffuse emission
FEW = 0.02  # of the weight of a smoothed pixel; with fewer data the emission is taken to fade
SHARE = 0.75  # of the flux of a segment; where pieces on a finer scale hold as much, they are the sources
UNIT = 1024.0  # parts of a sigma that sums are counted in: whole numbers add up the same in any order


def diffuse_level(options: ExtendedOptions, beam: float) -> int:
    """The level of the smoothing that tells diffuse emission; above those that sources are found on."""
    above = levels_of(beam, options.widest_scale)[-1] + 1
    if options.diffuse_scale is None:
        return above
    return max(above, levels_of(beam, options.diffuse_scale)[-1])


def diffuse_reach(setting: Setting) -> int:
    """Pixels around a box that its diffuse emission depends on."""
    fine = _finest(setting)
    return ROUNDS * reach(diffuse_level(setting.options, setting.beam)) + (ROUNDS - 1) * reach(fine)


def has_diffuse(residual: Residual, setting: Setting, crew: Crew) -> bool:
    """
    Whether a map holds diffuse emission, by how its pixels scatter when smoothed to the scale of it.

    An interferometer sees no mean of it: what it leaves between its ridges lies below zero by more than noise, and
    the ridges lie farther above. Sources alone leave no such negatives; artefacts leave as many as positives, and some
    on the finest scale.
    """
    levels = (_finest(setting), diffuse_level(setting.options, setting.beam))
    if width(levels[1]) > WIDEST:
        return False
    sigma = [float(np.sqrt(smoothed_variance(setting.correlation, level))) for level in levels]
    work = partial(_scattered, residual, levels, sigma)
    counts = np.add.reduce(list(crew.map("diffuse emission", work, samples(setting.shape))))
    fine, below, above = (scatter(each) for each in counts)
    return fine < FINE and below > SCATTER and above > SKEW * below and above * sigma[1] < TYPICAL


def _finest(setting: Setting) -> int:
    """The finest level that sources are found on."""
    return levels_of(setting.beam, setting.options.widest_scale)[0]


def _scattered(residual: Residual, levels: tuple[int, int], sigma: list[float], box: Box) -> Ints:
    """Counts ``(3, bin)`` of how far below zero the pixels of a box are on two scales, and above on the second."""
    wide = box.expand(reach(levels[1])).intersect(Box.of(residual.image.shape))
    inner = np.s_[box.y0 - wide.y0 : box.y1 - wide.y0, box.x0 - wide.x0 : box.x1 - wide.x0]
    z = residual.snr(wide)
    good = np.isfinite(z)
    seen = []
    for level, one in zip(levels, sigma, strict=True):
        sums, weights = _smoothed(np.where(good, z, 0.0), level), _smoothed(good, level)
        with np.errstate(invalid="ignore", divide="ignore"):
            seen.append(np.where(weights >= 0.5, sums / (np.sqrt(weights) * one), np.nan)[inner])
    return np.stack([tally(seen[0]), tally(seen[1]), tally(-seen[1])])


def diffuse_emission(z: Pixels, setting: Setting) -> Floats:
    """
    The diffuse emission below sources, in sigma of a pixel, ``(y, x)``.

    The map smoothed, without what differs from it on the finest scale; again with what differs from that, a few
    times. What is above and what is below is left out alike, so that noise gives none.

    Parameters
    ----------
    z
        Signal to noise; NaN where there are no data. Right from `diffuse_reach` pixels on from its border.
    """
    level = diffuse_level(setting.options, setting.beam)
    fine = _finest(setting)
    limit = CLIP * float(np.sqrt(smoothed_variance(setting.correlation, fine)))
    good = np.isfinite(z)
    values = np.where(good, z, 0.0).astype(np.float64)
    used = good
    for k in range(ROUNDS):
        emission = _smoothed(np.where(used, values, 0.0), level)
        emission /= np.maximum(_smoothed(used, level), FEW)
        np.minimum(emission, MOST, out=emission)
        if k + 1 < ROUNDS:
            used = good & (np.abs(_smoothed(np.where(good, values - emission, 0.0), fine)) < limit)
    return emission


def _smoothed(values: npt.NDArray[np.generic], level: int) -> Floats:
    """The smoothing of a level, ``(y, x)``; zero beyond the array."""
    out = values.astype(np.float64)
    room, half = np.empty(out.shape), np.empty(out.shape)
    for k in range(level):
        smooth_step(out, 2**k, room, half)
        out, room = room, out
    return out


# -- segments that run together


def parted(
    fine: Detections,
    both: Detections,
    residual: Residual,
    segmenters: Sequence[Segmenter],
    smallest: float,
    crew: Crew,
) -> Detections:
    """
    The segments, those that are pieces joined by what little lies between them as these pieces, in map order.

    Parameters
    ----------
    fine
        Segments on finer scales.
    both
        Those on finer and coarser scales together: each of `fine` lies within one.
    residual, segmenters
        As for `find_segments`; the first scale of the first segmenter tells the brightness.
    smallest
        Pixels; smaller pieces count as none.
    """
    shape = residual.image.shape
    fine = fine.select(fine.area >= smallest)
    if not len(fine):
        return both
    wholes, pieces = both.to_mask(shape), fine.to_mask(shape)
    first = np.searchsorted(fine.footprints.index, np.arange(len(fine)))
    places = np.stack([fine.footprints.row[first], fine.footprints.start[first]], axis=1)
    parent = label_at(wholes, places.astype(np.float64)) - 1
    found = np.unique(parent)
    work = partial(_sums, residual, segmenters[0], wholes, pieces, len(both), len(fine))
    tiles = crossing(Tiling(Box.of(shape), crew.tile), both.select(found))
    sums = np.add.reduce(list(crew.map("parting segments", work, tiles)))
    held = np.zeros(len(both), np.int64)
    np.add.at(held, parent, sums[len(both) :])
    split = held > SHARE * sums[: len(both)]
    split &= np.bincount(parent, minlength=len(both)) > 0
    return in_map_order([both.select(~split), fine.select(split[parent])])


def _sums(residual: Residual, one: Segmenter, wholes: Mask, pieces: Mask, n: int, m: int, box: Box) -> Ints:
    """Sums of the significance over the pixels in a box of n wholes and, after them, of m pieces."""
    wide = box.expand(one.halo).intersect(Box.of(residual.image.shape))
    inner = np.s_[box.y0 - wide.y0 : box.y1 - wide.y0, box.x0 - wide.x0 : box.x1 - wide.x0]
    value = one.maps(residual.snr(wide), wide)[0][inner]
    counted = np.round(np.nan_to_num(value) * UNIT).astype(np.int64).ravel()
    total = np.zeros(n + m, np.int64)
    for mask, start, size in ((wholes, 0, n), (pieces, n, m)):
        label = mask.paint(box).ravel()
        own = label > 0
        np.add.at(total[start : start + size], label[own] - 1, counted[own])
    return total


def in_map_order(parts: Sequence[Detections]) -> Detections:
    """Segments of several parts, in the order of their first pixels."""
    every = Detections.concat(
        [Detections(each.boxes, each.scores, each.footprints) for each in parts if len(each)]
    )
    begin = np.searchsorted(every.footprints.index, np.arange(len(every)))
    return every.select(np.lexsort((every.footprints.start[begin], every.footprints.row[begin])))

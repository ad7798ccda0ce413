"""Compact sources on top of segments: found and measured above the local, curved background."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.base.parallel import Crew
from skysift.find.classic.islands import fragments
from skysift.find.correlation import reference_beam
from skysift.find.extended.options import ExtendedOptions
from skysift.find.extended.residual import around, is_described
from skysift.find.finder import IslandFinder
from skysift.find.measuring import measure_objects, nothing
from skysift.find.noise import Noise
from skysift.match.merge import merge_fragments
from skysift.measure import island as row
from skysift.measure.ellipse import FWHM
from skysift.measure.measured import Measured
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage
from skysift.sky.mask import Mask
from skysift.sky.shapes import determinants
from skysift.sky.tiling import NoisyTile, Tiling

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

RADII = (1.3, 1.8)  # beams (FWHM); the rings whose median is the local background
DIRECTIONS = 16  # in which each is looked at
WIDEST = 2.0  # beam areas of a Gaussian on top of emission; what is wider is structure
MOST = 2  # points in an island on top of emission; more are its structure
FEWEST = 0.3  # of the ring must hold data


@kernel
def median_of(values: Floats, n: int) -> float:
    """Median of the first n values, which are put in order on the way."""
    for i in range(1, n):
        one = values[i]
        k = i
        while k > 0 and values[k - 1] > one:
            values[k] = values[k - 1]
            k -= 1
        values[k] = one
    return float(0.5 * (values[(n - 1) // 2] + values[n // 2]))


@kernel
def raise_level(
    data: Pixels, level: Pixels, rms: Pixels, wanted: Labels, ring: Ints, fewest: int, top: int, left: int,
    least: float, out_level: Pixels, out_rms: Pixels,
) -> None:  # fmt: skip
    """
    Raise level and noise at each wanted pixel to the median and the scatter of the ring around it.

    The median counts where it is above the level, the scatter (1.4826 times the median absolute deviation) where it
    is above the noise: what lies around a pixel then hides a source as noise does.

    Parameters
    ----------
    data, level, rms
        A tile with a margin.
    wanted
        What is not 0 here is wanted; its first pixel is (top, left) of the tile.
    ring
        Offsets ``(n, 2)`` (dy, dx).
    fewest
        Pixels of the ring that must hold data; else nothing is raised.
    least
        Pixels fainter than this (sigma) are left as they are.
    out_level, out_rms
        ``(y, x)`` like ``wanted``.
    """
    values = np.empty(ring.shape[0])
    for i in range(wanted.shape[0]):
        for j in range(wanted.shape[1]):
            out_level[i, j], out_rms[i, j] = level[i + top, j + left], rms[i + top, j + left]
            if wanted[i, j] == 0:
                continue
            here = np.float64(data[i + top, j + left]) - level[i + top, j + left]
            if here < least * rms[i + top, j + left]:
                continue
            n = 0
            for k in range(ring.shape[0]):
                y, x = i + top + ring[k, 0], j + left + ring[k, 1]
                if 0 <= y < data.shape[0] and 0 <= x < data.shape[1] and not np.isnan(data[y, x]):
                    values[n] = np.float64(data[y, x]) - level[y, x]
                    n += 1
            if n < fewest:
                continue
            middle = median_of(values, n)
            for k in range(n):
                values[k] = abs(values[k] - middle)
            out_level[i, j] += max(middle, 0.0)
            out_rms[i, j] = max(out_rms[i, j], 1.4826 * median_of(values, n))


@dataclass(frozen=True, eq=False)
class RaisedNoise(Noise):
    """
    The noise of a map with level and rms raised, inside of segments, to what lies around each pixel.

    Attributes
    ----------
    hull
        Where the level is raised.
    ring
        Offsets ``(n, 2)`` (dy, dx) of the ring that is looked at.
    """

    hull: Mask | None = None
    ring: Ints | None = None

    def tile(self, image: SkyImage, box: Box) -> NoisyTile:
        """Pixels of a box with the raised level and noise."""
        return self.raised(image, box, -np.inf)

    def raised(self, image: SkyImage, box: Box, least: float) -> NoisyTile:
        """Pixels of a box; level and noise are raised where a pixel is `least` sigma above the map's level, or more."""
        assert self.hull is not None
        assert self.ring is not None
        wanted = np.ascontiguousarray(self.hull.paint(box))
        if not wanted.any():
            return super().tile(image, box)
        margin = int(np.abs(self.ring).max())
        wide = box.expand(margin).intersect(Box.of(image.shape))
        tile = super().tile(image, wide)
        top, left = box.y0 - wide.y0, box.x0 - wide.x0
        data = np.ascontiguousarray(tile.data[top : top + box.shape[0], left : left + box.shape[1]])
        level, rms = np.empty(box.shape, np.float32), np.empty(box.shape, np.float32)
        fewest = int(FEWEST * len(self.ring))
        raise_level(tile.data, tile.level, tile.rms, wanted, self.ring, fewest, top, left, least, level, rms)
        return NoisyTile(box, data, level, rms, tile.whole)


def ring_of(image: SkyImage) -> Ints:
    """Offsets ``(n, 2)`` (dy, dx) of pixels around a pixel: two rings in the shape of the beam, 16 directions each."""
    xx, xy, yy = reference_beam(image)
    wide = np.linalg.cholesky(np.array([[xx, xy], [xy, yy]])) * FWHM
    turn = np.arange(DIRECTIONS) * 2.0 * np.pi / DIRECTIONS
    offsets = []
    for number, radius in enumerate(RADII):
        angle = turn + number * np.pi / DIRECTIONS
        u, v = np.round(radius * wide @ np.stack([np.cos(angle), np.sin(angle)])).astype(np.int64)
        offsets.append(np.stack([v, u], axis=1))
    return np.unique(np.concatenate(offsets), axis=0)


def find_nested(
    image: SkyImage, noise: Noise, finder: IslandFinder[Any], segments: Detections, area: Box, crew: Crew
) -> tuple[Measured, Ints]:
    """
    The compact sources on top of segments: what was measured, and the segment of each island.

    An island above the local background counts if its peak lies in a segment and it is a point or two, brighter than
    `contrast` times the local background. What has more structure is structure of the segment.

    Parameters
    ----------
    segments
        Extended emission; segments do not share pixels.
    area
        The part of the map that was asked for.
    """
    options: ExtendedOptions = finder.options
    if not len(segments):
        return nothing(), np.empty(0, np.int64)
    ring = ring_of(image)
    radius = (int(np.abs(ring[:, 0]).max()), int(np.abs(ring[:, 1]).max()))
    hull = around(segments.footprints, np.ones(len(segments), np.bool_), radius, image.shape)
    raised = RaisedNoise(
        noise.mesh, noise.level_map, noise.rms_map, noise.response, hull, np.ascontiguousarray(ring)
    )
    boxes = crossing(Tiling(Box.of(image.shape), crew.tile), segments)
    work = partial(_fragments, image, raised, options.seed, options.grow, finder.reach)
    objects = merge_fragments(list(crew.map("nested islands", work, boxes)), finder.reach)
    measured = measure_objects(image, raised, finder, objects, len(objects), area, crew)
    owner = label_at(segments.to_mask(image.shape), measured.islands[:, [row.I_YPEAK, row.I_XPEAK]])
    kept = (owner > 0) & _on_top(measured, options)
    return measured.select(kept), owner[kept] - 1


def crossing(tiling: Tiling, segments: Detections) -> list[Box]:
    """The tiles that meet the box of a segment."""
    height, width = tiling.steps
    y0, y1, x0, x1 = segments.boxes.T
    top, bottom, left, right = y0 // height, (y1 - 1) // height + 1, x0 // width, (x1 - 1) // width + 1
    count = np.zeros((int(bottom.max(initial=0)) + 1, int(right.max(initial=0)) + 1), np.int64)
    for rows, columns, step in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
        # the corners of each, of which the sums are how many are on a tile
        np.add.at(count, (rows, columns), step)
    met = count.cumsum(axis=0).cumsum(axis=1) > 0
    places = ((tile, tile.y0 // height, tile.x0 // width) for tile in tiling)
    return [tile for tile, i, j in places if i < met.shape[0] and j < met.shape[1] and met[i, j]]


def _fragments(
    image: SkyImage, raised: RaisedNoise, seed: float, grow: float, reach: int, box: Box
) -> Detections:
    """Fragments of islands above the raised level in a tile."""
    assert raised.hull is not None
    tile = raised.raised(image, box, grow)  # no fainter pixel is in an island above a higher level
    data = np.where(raised.hull.paint(box) > 0, tile.data, np.float32(np.nan))
    return fragments(NoisyTile(box, data, tile.level, tile.rms, tile.whole), seed, grow, reach, 1)


def _on_top(measured: Measured, options: ExtendedOptions) -> Bools:
    """Which islands are a point or two, and stand out from what they lie on."""
    c, n = measured.components, len(measured.islands)
    owner = c[:, row.ISLAND].astype(np.int64)
    area = np.sqrt(determinants(c[:, row.XX : row.YY + 1]) / determinants(measured.beams))
    clear = c[:, row.AMPLITUDE] >= np.maximum(
        options.contrast * c[:, row.LEVEL], options.seed * c[:, row.RMS]
    )
    wide = np.bincount(owner, area > WIDEST, minlength=n) > 0
    count = np.bincount(owner, minlength=n)
    good = (np.bincount(owner, clear, minlength=n) > 0) & ~wide & (count <= MOST)
    return np.asarray(good & is_described(measured))


def label_at(mask: Mask, places: Floats) -> Ints:
    """The label of a mask at pixels ``(n, 2)`` (y, x); 0 where there is none."""
    y, x = (np.round(places[:, k]).astype(np.int64) for k in range(2))
    if not len(mask.row):
        return np.zeros(len(y), np.int64)
    width = int(max(mask.shape[1], 1)) + 1
    held = np.searchsorted(mask.row * width + mask.start, y * width + x, side="right") - 1
    at = np.maximum(held, 0)
    inside = (held >= 0) & (mask.row[at] == y) & (mask.stop[at] > x)
    return np.asarray(np.where(inside, mask.label[at], 0))

"""Fluxes and shapes of segments, from a few reads of the map; those of giants on a coarser map."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import Crew
from skysift.find.correlation import lags_at
from skysift.find.extended.coarse import block_noise, blocks_of
from skysift.find.extended.residual import Residual
from skysift.find.pieces import Segments, middles, share_reads
from skysift.measure.bowl import in_bowl
from skysift.measure.label import mark_edges
from skysift.measure.morphology import SegmentShapes, segment_shapes
from skysift.measure.segment import SegmentFluxes, measure_segments
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.mask import Mask

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LARGEST = 2048  # pixels along a side; a wider segment is measured in blocks of pixels
RIM = 1.25  # beams (FWHM) around a segment that its flux is summed over too
INNER, OUTER = 2.5, 5.0  # beams: what tells the local level


@dataclass(frozen=True, eq=False)
class _Read:
    """Segments that are summed from one read: no pixel."""

    box: Box
    members: Ints
    mask: Mask
    hidden: Mask


@dataclass(frozen=True, eq=False)
class Segmented:
    """
    What was measured of segments.

    Attributes
    ----------
    fluxes, shapes
        What was summed over each, and how it looks.
    at_blank
        Which touch blank pixels.
    in_bowl
        Whose surroundings are far below zero.
    """

    fluxes: SegmentFluxes
    shapes: SegmentShapes
    at_blank: Bools
    in_bowl: Bools

    @classmethod
    def concat(cls, parts: "Sequence[Segmented]") -> "Segmented":
        """One after the other."""
        return cls(
            SegmentFluxes.concat([part.fluxes for part in parts]),
            SegmentShapes.concat([part.shapes for part in parts]),
            np.concatenate([part.at_blank for part in parts]),
            np.concatenate([part.in_bowl for part in parts]),
        )

    def select(self, rows: Ints) -> "Segmented":
        """Some of them, in the order of `rows`."""
        return Segmented(
            self.fluxes.select(rows), self.shapes.select(rows), self.at_blank[rows], self.in_bowl[rows]
        )


@dataclass(frozen=True, eq=False)
class Extended:
    """
    The extended sources among the islands of a map.

    Attributes
    ----------
    island
        ``(n,)``: which island each is, from 0.
    segmented
        What was measured of each.
    score
        Significance of each on its best scale (sigma).
    """

    island: Ints
    segmented: Segmented
    score: Floats


def measure_segments_of(
    residual: Residual, segments: Detections, hidden: Detections, crew: Crew, chosen: Ints
) -> Segmented:
    """
    What was measured of the chosen segments.

    Parameters
    ----------
    residual
        The map without compact sources, on top of segments and beside them.
    segments
        Extended emission; no two share a pixel.
    hidden
        Objects whose pixels tell nothing of the background.
    chosen
        Numbers of the segments to be measured, ascending.
    """
    image = residual.image
    if not len(chosen):
        return nothing()
    mask = segments.to_mask(image.shape)
    beam = image.frame.beam_width_pixels(image.beam)
    margin = int(np.ceil(OUTER * beam)) + 1
    other = hidden.to_mask(image.shape)
    whole, boxes = Box.of(image.shape), segments.boxes
    large = is_giant(segments)
    picked = [(box, members[np.isin(members, chosen)]) for box, members in shared(mask, segments, margin)]
    picked += [
        (Box(*boxes[k].tolist()).expand(margin).intersect(whole), np.array([k]))
        for k in chosen[large[chosen]].tolist()
    ]
    reads = [_Read(box, each, mask.near(box), other.near(box)) for box, each in picked if len(each)]
    parts = list(crew.map("segment fluxes", partial(_measure, residual, beam), reads))
    order = np.argsort(np.concatenate([read.members for read in reads]))
    return Segmented.concat(parts).select(order)


def is_giant(segments: Detections) -> Bools:
    """Which segments are wider than 2048 pixels."""
    boxes = segments.boxes
    return np.asarray(np.maximum(boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]) > LARGEST)


def shared(mask: Mask, segments: Detections, margin: int) -> list[tuple[Box, Ints]]:
    """Boxes that are read, and the segments, giants apart, that each holds with a margin."""
    small = np.flatnonzero(~is_giant(segments))
    n = len(small)
    if not n:
        return []
    alike = Segments(mask, segments.boxes[small], np.arange(n))
    return [(box, small[members]) for box, members in share_reads(alike, n, np.full(n, margin), mask.shape)]


def _measure(residual: Residual, beam: float, read: _Read) -> Segmented:
    """The segments of one read."""
    widest = max(read.mask.box(int(read.members[0]) + 1).shape)
    if widest > LARGEST:
        return _measure_giant(residual, beam, read, -(-widest // LARGEST))
    tile = residual.tile(read.box)
    labels = np.ascontiguousarray(read.mask.paint(read.box))
    members = read.members + 1
    touches = np.zeros(int(max(labels.max(), members.max())) + 1, np.bool_)
    mark_edges(labels, tile.data, touches)
    image = residual.image
    x, y = middles(read.mask.select(members).boxes)
    units = image.unit_covariance(x, y)
    area = 2.0 * np.pi * np.sqrt(units[:, 0] * units[:, 2] - units[:, 1] ** 2)
    lags = lags_at(residual.noise.mesh.correlation, image, x[:1], y[:1])
    sums = measure_segments(
        tile.data, tile.level, tile.rms, labels, read.hidden.paint(read.box) > 0, read.box.y0, read.box.x0,
        members, area, lags.offsets, lags.correlation, INNER * beam, OUTER * beam, RIM * beam,
    )  # fmt: skip
    shapes = segment_shapes(
        tile.data, tile.level, tile.rms, labels, read.box.y0, read.box.x0, members, units, sums.background
    )
    return Segmented(sums, shapes, touches[members], in_bowl(sums, tile.level, labels, members))


def _measure_giant(residual: Residual, beam: float, read: _Read, factor: int) -> Segmented:
    """
    A segment wider than 2048 pixels, on blocks of `factor` x `factor`: its peak is that of a block.

    A rim that is narrower than a block holds no block: the flux is that of the segment alone.
    """
    image, label = residual.image, int(read.members[0]) + 1
    blocks = blocks_of(residual, read.box, factor, read.mask, label, read.hidden, RIM * beam)
    quiet, lags, correlation = block_noise(residual.noise.mesh.correlation, factor)
    x, y = middles(read.mask.select([label]).boxes)
    units = image.unit_covariance(x, y) / factor**2
    area = 2.0 * np.pi * np.sqrt(units[:, 0] * units[:, 2] - units[:, 1] ** 2)
    rms = np.asarray(blocks.rms * quiet, np.float32)
    one = np.array([1])
    sums = measure_segments(
        blocks.data, blocks.level, rms, blocks.labels, blocks.blocked, blocks.y0, blocks.x0, one, area, lags,
        correlation, INNER * beam / factor, OUTER * beam / factor, RIM * beam / factor,
    )  # fmt: skip
    shapes = segment_shapes(
        blocks.data, blocks.level, rms, blocks.labels, blocks.y0, blocks.x0, one, units, sums.background
    )
    touches = np.zeros(3, np.bool_)
    mark_edges(blocks.labels, blocks.data, touches)
    fine = {name: factor * (getattr(sums, name) + 0.5) - 0.5 for name in ("x", "y", "x_peak", "y_peak")}
    wide = {name: factor * getattr(sums, name) for name in ("x_err", "y_err")}
    many = {name: factor**2 * getattr(sums, name) for name in ("n_pixels", "moments", "n_annulus")}
    bowl = in_bowl(sums, blocks.level, blocks.labels, one)
    sums = replace(sums, **fine, **wide, **many, rms=sums.rms / quiet)
    longer = {name: factor * getattr(shapes, name) for name in ("length", "extent", "width")}
    spines = [factor * (line + 0.5) - 0.5 for line in shapes.spines]
    return Segmented(sums, replace(shapes, **longer, spines=spines), touches[1:2], bowl)


def nothing() -> Segmented:
    """The measurements of no segment."""
    pixels, labels, none = np.empty((0, 0), np.float32), np.empty((0, 0), np.int32), np.empty(0, np.int64)
    sums = measure_segments(
        pixels, pixels, pixels, labels, labels > 0, 0, 0, none, 1.0, np.empty((0, 2), np.int64), np.empty(0), INNER,
        OUTER,
    )  # fmt: skip
    beam = np.array([1.0, 0.0, 1.0])
    shapes = segment_shapes(pixels, pixels, pixels, labels, 0, 0, none, beam, np.empty(0))
    return Segmented(sums, shapes, *np.empty((2, 0), np.bool_))

"""Fluxes and shapes of segments, from a few reads of the map."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import Crew
from skysift.find.correlation import lags_at
from skysift.find.extended.residual import Residual
from skysift.find.pieces import Segments, middles, share_reads
from skysift.measure.label import mark_edges
from skysift.measure.morphology import SegmentShapes, segment_shapes
from skysift.measure.segment import SegmentFluxes, measure_segments
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.mask import Mask

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

INNER, OUTER = 2.0, 5.0  # beams (FWHM): what tells the local level; nearer is marked by growth


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
    """

    fluxes: SegmentFluxes
    shapes: SegmentShapes
    at_blank: Bools

    @classmethod
    def concat(cls, parts: "Sequence[Segmented]") -> "Segmented":
        """One after the other."""
        return cls(
            SegmentFluxes.concat([part.fluxes for part in parts]),
            SegmentShapes.concat([part.shapes for part in parts]),
            np.concatenate([part.at_blank for part in parts]),
        )

    def select(self, rows: Ints) -> "Segmented":
        """Some of them, in the order of `rows`."""
        return Segmented(self.fluxes.select(rows), self.shapes.select(rows), self.at_blank[rows])


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
    n = len(segments)
    if not len(chosen):
        return nothing()
    mask = segments.to_mask(image.shape)
    major, minor = image.frame.beam_pixels(image.beam)
    beam = float(np.sqrt(major * minor))
    margin = int(np.ceil(OUTER * beam)) + 1
    other = hidden.to_mask(image.shape)
    places = share_reads(Segments(mask, segments.boxes, np.arange(n)), n, np.full(n, margin), image.shape)
    picked = [(box, members[np.isin(members, chosen)]) for box, members in places]
    reads = [_Read(box, each, mask.near(box), other.near(box)) for box, each in picked if len(each)]
    parts = list(crew.map("segment fluxes", partial(_measure, residual, beam), reads))
    order = np.argsort(np.concatenate([read.members for read in reads]))
    return Segmented.concat(parts).select(order)


def _measure(residual: Residual, beam: float, read: _Read) -> Segmented:
    """The segments of one read."""
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
        members, area, lags.offsets, lags.correlation, INNER * beam, OUTER * beam,
    )  # fmt: skip
    shapes = segment_shapes(
        tile.data, tile.level, tile.rms, labels, read.box.y0, read.box.x0, members, units, sums.background
    )
    return Segmented(sums, shapes, touches[members])


def nothing() -> Segmented:
    """The measurements of no segment."""
    pixels, labels, none = np.empty((0, 0), np.float32), np.empty((0, 0), np.int32), np.empty(0, np.int64)
    sums = measure_segments(
        pixels, pixels, pixels, labels, labels > 0, 0, 0, none, 1.0, np.empty((0, 2), np.int64), np.empty(0), INNER,
        OUTER,
    )  # fmt: skip
    beam = np.array([1.0, 0.0, 1.0])
    shapes = segment_shapes(pixels, pixels, pixels, labels, 0, 0, none, beam, np.empty(0))
    return Segmented(sums, shapes, np.empty(0, np.bool_))

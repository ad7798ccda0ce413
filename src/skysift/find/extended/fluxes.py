"""Fluxes of segments, from a few reads of the map; giants are summed on a coarser map."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import Crew
from skysift.find.correlation import lags_at
from skysift.find.extended.residual import Residual
from skysift.find.pieces import Segments, middles, share_reads
from skysift.measure.label import mark_edges
from skysift.measure.segment import SegmentFluxes, measure_segments
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.mask import Mask

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

INNER, OUTER = 1.0, 3.0  # beams (FWHM); distance of the annulus that tells the local background


@dataclass(frozen=True, eq=False)
class _Read:
    """Segments that are summed from one read: no pixel."""

    box: Box
    members: Ints
    mask: Mask
    hidden: Mask


def segment_fluxes(
    residual: Residual, segments: Detections, hidden: Detections, crew: Crew
) -> tuple[SegmentFluxes, Bools]:
    """
    What was summed over segments, and which of them touch blank pixels.

    Parameters
    ----------
    residual
        The map without compact sources, on top of segments and beside them.
    segments
        Extended emission; no two share a pixel.
    hidden
        Objects whose pixels tell nothing of the background.
    """
    image = residual.image
    n = len(segments)
    if not n:
        return nothing(), np.empty(0, np.bool_)
    mask = segments.to_mask(image.shape)
    major, minor = image.frame.beam_pixels(image.beam)
    beam = float(np.sqrt(major * minor))
    margin = int(np.ceil(OUTER * beam)) + 1
    other = hidden.to_mask(image.shape)
    places = share_reads(Segments(mask, segments.boxes, np.arange(n)), n, np.full(n, margin), image.shape)
    reads = [_Read(box, members, mask.near(box), other.near(box)) for box, members in places]
    parts = list(crew.map("segment fluxes", partial(_sum, residual, beam), reads))
    order = np.argsort(np.concatenate([read.members for read in reads]))
    return SegmentFluxes.concat([part[0] for part in parts]).select(order), np.concatenate(
        [part[1] for part in parts]
    )[order]


def _sum(residual: Residual, beam: float, read: _Read) -> tuple[SegmentFluxes, Bools]:
    """Sums of the segments of one read."""
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
    return sums, touches[members]


def nothing() -> SegmentFluxes:
    """The sums of no segment."""
    return measure_segments(
        np.empty((0, 0), np.float32), np.empty((0, 0), np.float32), np.empty((0, 0), np.float32),
        np.empty((0, 0), np.int32), np.empty((0, 0), np.bool_), 0, 0, np.empty(0, np.int64), 1.0,
        np.empty((0, 2), np.int64), np.empty(0), INNER, OUTER,
    )  # fmt: skip

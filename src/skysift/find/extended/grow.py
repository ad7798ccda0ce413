"""Segments grow until their flux has converged; a pixel that several claim goes to the nearest."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import Crew
from skysift.find.extended.fluxes import shared
from skysift.find.extended.residual import Residual
from skysift.find.extended.runs import boxes_of
from skysift.measure.growth import claimed_rings
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints
from skysift.sky.mask import Mask

Ints = npt.NDArray[np.int64]

FARTHEST = 1.0  # beams (FWHM) that a segment grows at most


@dataclass(frozen=True, eq=False)
class _Read:
    """Segments that grow in one read: no pixel."""

    box: Box
    members: Ints
    boxes: Ints
    mask: Mask
    blocked: Mask


def grown(residual: Residual, segments: Detections, blocked: Mask, share: float, crew: Crew) -> Detections:
    """
    The segments with the rings around them that add to their flux; giants, whose rims are small beside them, stay.

    Parameters
    ----------
    residual
        The map without compact sources.
    segments
        No two share a pixel.
    blocked
        Pixels that belong to something else.
    share
        Part of the flux that a ring adds at least; 0: nothing grows.
    """
    n = len(segments)
    if not n or share <= 0.0:
        return segments
    image = residual.image
    most = max(1, round(FARTHEST * image.frame.beam_width_pixels(image.beam)))
    mask = segments.to_mask(image.shape)
    reads = [
        _Read(box, members, segments.boxes[members], mask.near(box), blocked.near(box))
        for box, members in shared(mask, segments, most + 1)
    ]
    if not reads:
        return segments
    claims = np.concatenate(
        list(crew.map("growing segments", partial(_claims, residual, most, share), reads))
    )
    order = np.lexsort((claims[:, 3], claims[:, 2], claims[:, 1], claims[:, 0]))
    claims = claims[order]
    first = np.ones(len(claims), np.bool_)
    first[1:] = (np.diff(claims[:, 0]) != 0) | (np.diff(claims[:, 1]) != 0)
    y, x, _, owner = claims[first].T
    prints = segments.footprints
    whole = Footprints(
        np.concatenate([prints.row, y]),
        np.concatenate([prints.start, x]),
        np.concatenate([prints.stop, x + 1]),
        np.concatenate([prints.index, owner]),
    )
    return Detections(boxes_of(whole, n), segments.scores, whole)


def _claims(residual: Residual, most: int, share: float, read: _Read) -> Ints:
    """Pixels ``(n, 4)`` that the segments of a read claim: y, x, squared distance, segment."""
    tile = residual.tile(read.box)
    correlation = residual.noise.mesh.correlation
    claims = claimed_rings(
        tile.data, tile.level, tile.rms, np.ascontiguousarray(read.mask.paint(read.box)),
        read.blocked.paint(read.box) > 0, read.box.y0, read.box.x0, read.members + 1, read.boxes, most, share,
        max(float(correlation.sum()), 1.0),
    )  # fmt: skip
    claims[:, 3] = read.members[claims[:, 3]]
    return claims

"""Objects are measured in pieces: neighbours share one read of the map, giants are cut into segments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from skysift.sky.box import Box
from skysift.sky.image import SkyImage
from skysift.sky.mask import Mask

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LATTICE = 512  # pixels; science, not machine: it decides where a giant is cut
NARROWEST = 0.5  # pixels (sigma) of a beam's axis as it is fitted: what a pixel makes of a point
SHARED = (128, 8192)  # rows and columns of a cell whose objects share a read
GIANT = 1024  # an object wider than this is measured by segments
SEAM = 64  # pixels beyond its own that a segment of a giant is fitted on


@dataclass(frozen=True, eq=False)
class Segments:
    """
    Objects as they are measured: a giant is several segments, everything else is one.

    Attributes
    ----------
    mask
        Labels of the segments, from 1.
    boxes
        ``(segment, 4)`` half-open ``(y0, y1, x0, x1)``.
    owner
        ``(segment,)``: object of each segment, counted from 0, ascending.
    """

    mask: Mask
    boxes: Ints
    owner: Ints


@dataclass(frozen=True, eq=False)
class Read:
    """
    Objects that are measured from one read of the map: all that a task needs to know of them, and no pixel.

    Attributes
    ----------
    box
        What is read.
    members
        ``(member,)``: numbers of the segments, from 0, ascending; their labels are one more.
    giant
        Whether they are the segments of one giant.
    mask
        Runs of all segments that lie in the box or near it, with their labels.
    boxes, sign, beams, windows
        Of the members: boxes ``(member, 4)``, 1 or -1, covariances of the beam ``(member, 3)``, how far the fit
        looks (beams).
    pixels
        ``(member,)``: how many pixels each has.
    """

    box: Box
    members: Ints
    giant: bool
    mask: Mask
    boxes: Ints
    sign: Ints
    beams: Floats
    windows: Floats
    pixels: Ints


@dataclass(frozen=True, eq=False)
class Reads(Sequence[Read]):
    """
    The reads that a map's segments are measured from, each made when it is asked for.

    Attributes
    ----------
    places
        Box and members of each read; see `share_reads`.
    segments, sign, beams, windows
        Of all segments of the map.
    """

    places: Sequence[tuple[Box, Ints]]
    segments: Segments
    sign: Ints
    beams: Floats
    windows: Floats

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Read: ...

    @overload
    def __getitem__(self, index: slice) -> "Reads": ...

    def __getitem__(self, index: int | slice) -> "Read | Reads":
        if isinstance(index, slice):
            return Reads(self.places[index], self.segments, self.sign, self.beams, self.windows)
        (box, members), owner = self.places[index], self.segments.owner
        giant = len(members) > 1 and bool(owner[members[0]] == owner[members[-1]])
        return Read(
            box,
            members,
            giant,
            self.segments.mask.near(box.expand(2 * SEAM) if giant else box),
            self.segments.boxes[members],
            self.sign[members],
            self.beams[members],
            self.windows[members],
            self.segments.mask.area[members],
        )


def cut_giants(mask: Mask) -> Segments:
    """The objects of a mask (labels 1 to n) with those wider than 1024 pixels cut along a lattice of 512."""
    boxes = mask.boxes
    n = len(boxes)
    giant = (boxes[:, 1] - boxes[:, 0] > GIANT) | (boxes[:, 3] - boxes[:, 2] > GIANT)
    if not giant.any():
        return Segments(mask, boxes, np.arange(n))
    is_giant = giant[mask.label - 1]
    pieces = np.where(is_giant, (mask.stop - 1) // LATTICE - mask.start // LATTICE + 1, 1)
    run = np.repeat(np.arange(len(pieces)), pieces)
    nth = np.arange(len(run)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    column = mask.start[run] // LATTICE + nth
    start = np.where(is_giant[run], np.maximum(mask.start[run], column * LATTICE), mask.start[run])
    stop = np.where(is_giant[run], np.minimum(mask.stop[run], (column + 1) * LATTICE), mask.stop[run])
    row = mask.row[run]
    owner = mask.label[run] - 1
    cell = np.where(is_giant[run], (row // LATTICE) * (mask.shape[1] // LATTICE + 1) + column, 0)
    _, label = np.unique(np.stack([owner, cell], axis=1), axis=0, return_inverse=True)
    label = label.reshape(-1)
    cut = Mask(row, start, stop, label + 1, mask.shape)
    owners = np.empty(int(label.max()) + 1, np.int64)
    owners[label] = owner
    return Segments(cut, cut.boxes, owners)


def fit_windows(image: SkyImage, boxes: Ints, window: float) -> Floats:
    """
    How far the fit of each object looks beyond its island, in beams (FWHM).

    ``window`` for compact ones; a tenth of its width, up to 32 pixels, for a large one, whose wide Gaussians need
    to be told where the emission ends.
    """
    major, _ = image.frame.beam_pixels(image.beam)
    width = np.maximum(boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2])
    return np.asarray(np.maximum(window, np.minimum(0.1 * width, 32.0) / major))


def share_reads(segments: Segments, n: int, margins: Ints, shape: tuple[int, int]) -> list[tuple[Box, Ints]]:
    """
    Which of the first n segments are measured together, and the box of pixels that holds them with their margins.

    The segments of a giant are together, and nobody with them.

    Segments whose boxes begin in one cell of 128 rows and 8192 columns share a read, for files are read along rows.
    Who reads with whom changes no number: a segment is measured from its own box.
    """
    boxes, owner, margins = segments.boxes[:n], segments.owner[:n], margins[:n]
    cells = np.stack([boxes[:, 0] // SHARED[0], boxes[:, 2] // SHARED[1]], axis=1)
    giant = np.bincount(owner)[owner] > 1
    alone = np.stack([-1 - owner, np.zeros_like(owner)], axis=1)
    _, group = np.unique(np.where(giant[:, None], alone, cells), axis=0, return_inverse=True)
    group = group.reshape(-1)
    order = np.argsort(group, kind="stable")
    reads = []
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        low, high = (
            boxes[members][:, [0, 2]] - margins[members, None],
            boxes[members][:, [1, 3]] + margins[members, None],
        )
        (y0, x0), (y1, x1) = low.min(axis=0).tolist(), high.max(axis=0).tolist()
        box = Box(y0, y1, x0, x1)
        if 2 * (box.x1 - box.x0) > shape[1]:
            box = Box(y0, y1, 0, shape[1])
        reads.append((box.intersect(Box.of(shape)), np.sort(members)))
    return reads


def beams_at(image: SkyImage, boxes: Ints) -> Floats:
    """
    Covariances ``(n, 3)`` (xx, xy, yy; pixels squared) of a point at the middle of each box, as it can be fitted.

    That is the beam there, drawn out by smearing where the map tells of any. Outside of the projection, where a beam
    fixed on the sky has no shape in pixels, that of the image plane serves.
    """
    x, y = middles(boxes)
    return sampled_beams(_on_sky(image, image.point_covariance(x, y), x, y))


def unit_beams_at(image: SkyImage, boxes: Ints) -> Floats:
    """Covariances ``(n, 3)`` (pixels squared) of the beam that Jy/beam means at the middle of each box."""
    x, y = middles(boxes)
    return sampled_beams(_on_sky(image, image.unit_covariance(x, y), x, y))


def middles(boxes: Ints) -> tuple[Floats, Floats]:
    """The middle (x, y) of each box."""
    x, y = 0.5 * (boxes[:, 2] + boxes[:, 3] - 1), 0.5 * (boxes[:, 0] + boxes[:, 1] - 1)
    return np.asarray(x), np.asarray(y)


def _on_sky(image: SkyImage, there: Floats, x: Floats, y: Floats) -> Floats:
    """Covariances with the nominal beam in the image plane where they are not known."""
    if np.isfinite(there).all():
        return there
    flat = image.frame.with_beam_plane("image").beam_covariance(image.beam, x, y)
    return np.where(np.isfinite(there).all(axis=1, keepdims=True), there, flat)


def sampled_beams(covariance: Floats) -> Floats:
    """
    Covariances ``(n, 3)`` (xx, xy, yy; pixels squared) of beams as they can be fitted.

    An axis narrower than a pixel resolves (sigma half a pixel) is widened to it: the fit of such a beam would
    slide between the pixels and tell nothing of the flux.
    """
    xx, xy, yy = np.asarray(covariance).T
    mean, half = 0.5 * (xx + yy), 0.5 * (xx - yy)
    radius = np.hypot(half, xy)
    floor = NARROWEST**2
    if (mean - radius >= floor).all():
        return np.ascontiguousarray(covariance)
    large, small = np.maximum(mean + radius, floor), np.maximum(mean - radius, floor)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine, sine = np.where(radius > 0, half / radius, 0.0), np.where(radius > 0, xy / radius, 0.0)
    mean, half = 0.5 * (large + small), 0.5 * (large - small)
    return np.stack([mean + half * cosine, half * sine, mean - half * cosine], axis=1)

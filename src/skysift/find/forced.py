"""`measure_at`: fluxes at known places of a map, with its noise; neighbours share a read, groups are solved together."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import ALONE, Crew
from skysift.find.correlation import lags_at
from skysift.find.noise import Noise
from skysift.find.pieces import SHARED, unit_beams_at
from skysift.find.places import Groups, Places, boxes_of, group_places
from skysift.find.remembered import Remembered, marks_of
from skysift.measure import forced as row
from skysift.measure.ellipse import FWHM
from skysift.measure.forced import Forced, measure_groups
from skysift.measure.options import ForcedOptions
from skysift.sky.box import Box
from skysift.sky.flags import flag
from skysift.sky.image import SkyImage
from skysift.sky.shapes import determinants

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PARAMETERS = {"flux": 1, "position": 3, "shape": 6}
_USUAL = ForcedOptions()


@dataclass(frozen=True, eq=False)
class _Read:
    """Groups that share a read of the map: their places, and the box that holds their windows."""

    box: Box
    first: Ints
    members: Ints
    core: npt.NDArray[np.bool_]
    places: Floats  # (member, 5): x, y, shape
    beams: Floats
    owner: Ints
    free: Ints


def measure_at(
    image: SkyImage,
    noise: Noise,
    places: Places,
    options: ForcedOptions = _USUAL,
    crew: Crew = ALONE,
    *,
    owner: Ints | None = None,
    free: Ints | None = None,
    remembered: Remembered | None = None,
) -> Forced:
    """
    Fluxes, with their signs, at known places of a map; the same for any tile size and number of workers.

    The flux of each place is that of weighted least squares with its shape and position held, jointly with its
    neighbours; positions and shapes are fitted too where the options ask for it and the flux is significant.

    Parameters
    ----------
    image, noise
        The map, and what `measure_noise` found on it.
    places
        Where, and what shape is fitted there; see `places_on`.
    options
        What is fitted, and to which pixels.
    crew
        Who does it.
    owner
        The source that each place is a part of, ``(n,)``, from 0: what the errors of blended parts have in common
        is kept for `Forced.summed`.
    free
        ``(n,)``: parameters that are fitted at each place, 1 its flux, 3 its position too, 6 its shape too; by default
        those that the options name.
    remembered
        Of a call before, with the same map and options and no `owner`: what is solved with the same others as then is
        not solved again. It holds this call afterwards.
    """
    rows = np.full((len(places), row.N_FORCED), np.nan)
    rows[:, row.X], rows[:, row.Y] = places.x, places.y
    rows[:, row.SHAPE : row.SHAPE + 3] = places.shape
    on_map = image.box.contains(places.x, places.y) & np.isfinite(places.shape).all(axis=1)
    rows[:, row.FLAGS] = np.where(on_map, 0, flag("outside_map"))
    chosen = np.flatnonzero(on_map).astype(np.int64)
    if not chosen.size:
        return Forced.of_rows(rows, np.empty((0, 3)))
    groups = group_places(places, chosen, options.group)
    owners = np.full(len(places), -1) if owner is None else owner
    frees = np.full(len(places), PARAMETERS[options.fit]) if free is None else free
    if remembered is not None:
        marks = marks_of(places, groups, frees)
        groups = remembered.fill(rows, marks, groups)
    reads = _share_reads(places, groups, options.window, image.shape, owners, frees)
    pairs = [np.empty((0, 3))]
    for read, (found, joint) in zip(
        reads, crew.map("places", partial(_measure, image, noise, options), reads), strict=True
    ):
        known = found[read.core]
        rows[read.members[read.core]] = np.where(np.isnan(known), rows[read.members[read.core]], known)
        joint[:, :2] = read.members[joint[:, :2].astype(np.int64)]
        pairs.append(joint)
    if remembered is not None:
        remembered.keep(rows, marks)
    together = np.concatenate(pairs)
    if not image.even:  # the area of what a point looks like is not that of the beam
        gains = _gains(image, places)
        rows[:, [row.FLUX, row.FLUX_ERR]] *= gains[:, np.newaxis]
        together[:, 2] *= gains[together[:, :2].astype(np.int64)].prod(axis=1)
    return Forced.of_rows(rows, together)


def _gains(image: SkyImage, places: Places) -> Floats:
    """Area of what a point looks like over that of the beam that Jy/beam means, at each place; 1 outside the map."""
    on_map = image.box.contains(places.x, places.y)
    unit = unit_beams_at(image, boxes_of(places.x, places.y, on_map))
    return np.where(on_map, np.sqrt(determinants(places.beam) / determinants(unit)), 1.0)


def _measure(image: SkyImage, noise: Noise, options: ForcedOptions, read: _Read) -> tuple[Floats, Floats]:
    """Rows of the members of a read, and the pairs of those of one source."""
    tile = noise.tile(image, read.box)
    begin = read.first[:-1]
    lags = lags_at(noise.mesh.correlation, image, read.places[begin, 0], read.places[begin, 1])
    rows = np.full((len(read.members), row.N_FORCED), np.nan)
    pairs = np.empty((_room(read), 3))
    n_pairs = measure_groups(
        tile.data, tile.level, tile.rms, read.box.y0, read.box.x0, read.first, read.places, read.beams, read.core,
        read.free, options.window, options.min_good, options.reach, options.free_snr, lags.offsets,
        lags.correlation, lags.first, lags.zones, read.owner, rows, pairs,
    )  # fmt: skip
    return rows, pairs[:n_pairs].copy()


def _room(read: _Read) -> int:
    """How many pairs of members of one source and one group there are."""
    group = np.repeat(np.arange(len(read.first) - 1), np.diff(read.first))
    _, count = np.unique(np.stack([group, read.owner])[:, read.owner >= 0], axis=1, return_counts=True)
    return int((count * (count - 1) // 2).sum())


def _share_reads(
    places: Places, groups: Groups, window: float, shape: tuple[int, int], owner: Ints, free: Ints
) -> list[_Read]:
    """Reads of the groups: those whose windows begin in one cell of 128 rows and 8192 columns share one."""
    x, y, wide = places.x[groups.members], places.y[groups.members], places.shape[groups.members]
    ry, rx = window * FWHM * np.sqrt(wide[:, 2]) + 2.0, window * FWHM * np.sqrt(wide[:, 0]) + 2.0
    start = groups.first[:-1]
    if not start.size:
        return []
    low_y, low_x = np.minimum.reduceat(y - ry, start), np.minimum.reduceat(x - rx, start)
    high_y, high_x = np.maximum.reduceat(y + ry, start), np.maximum.reduceat(x + rx, start)
    cell = np.stack([np.maximum(low_y, 0.0) // SHARED[0], np.maximum(low_x, 0.0) // SHARED[1]], axis=1)
    _, read = np.unique(cell, axis=0, return_inverse=True)
    read = read.reshape(-1)
    order = np.argsort(read, kind="stable")
    size = np.diff(groups.first)
    reads = []
    for mine in np.split(order, np.flatnonzero(np.diff(read[order])) + 1):
        box = Box(
            int(low_y[mine].min()),
            int(high_y[mine].max()) + 1,
            int(low_x[mine].min()),
            int(high_x[mine].max()) + 1,
        )
        if 2 * (box.x1 - box.x0) > shape[1]:
            box = Box(box.y0, box.y1, 0, shape[1])
        first = np.concatenate([[0], np.cumsum(size[mine])]).astype(np.int64)
        at = np.repeat(groups.first[mine] - first[:-1], size[mine]) + np.arange(first[-1])
        members = groups.members[at]
        five = np.column_stack([places.x[members], places.y[members], places.shape[members]])
        box, five = box.intersect(Box.of(shape)), np.ascontiguousarray(five)
        reads.append(
            _Read(
                box,
                first,
                members,
                groups.core[at],
                five,
                places.beam[members],
                owner[members],
                free[members],
            )
        )
    return reads

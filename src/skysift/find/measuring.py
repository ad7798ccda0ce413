"""Objects become rows: read once more in pieces, resolved, measured, put in map order, joined to sources."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import ALONE, Crew
from skysift.find.correlation import lags_at
from skysift.find.finder import IslandFinder
from skysift.find.noise import Noise
from skysift.find.options import FinderOptions
from skysift.find.pieces import (
    SEAM,
    Read,
    Reads,
    Segments,
    beams_at,
    cut_giants,
    fit_windows,
    middles,
    share_reads,
    unit_beams_at,
)
from skysift.match.group import group_components, source_peaks
from skysift.measure import island as row
from skysift.measure.ellipse import FWHM
from skysift.measure.fit import JOINT
from skysift.measure.gaussian import paint_gaussians
from skysift.measure.island import measure_islands
from skysift.measure.label import mark_edges
from skysift.measure.measured import Measured
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.flags import flag
from skysift.sky.image import UNDERSAMPLED, SkyImage, sampling_notes
from skysift.sky.shapes import determinants
from skysift.sky.tiling import NoisyTile, Piece

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SPIKE = 0.3  # of the area that a point source of an island's brightness covers: less is no source


def measure_objects(
    image: SkyImage,
    noise: Noise,
    finder: IslandFinder[Any],
    objects: Detections,
    n_inside: int,
    area: Box,
    crew: Crew = ALONE,
) -> Measured:
    """
    Components and sums of all objects, in map order.

    Parameters
    ----------
    objects
        Merged objects with their ``sign``, those to be measured first.
    n_inside
        How many are to be measured; the others only keep their pixels from them.
    area
        The part of the map that was asked for; objects that reach beyond it are flagged.
    crew
        Who does it.
    """
    if not n_inside:
        return nothing()
    segments = cut_giants(objects.to_mask(image.shape))
    n = int(np.searchsorted(segments.owner, n_inside))
    beams = beams_at(image, segments.boxes)
    sign = objects["sign"][segments.owner]
    windows = fit_windows(image, segments.boxes, finder.options.window)
    major, _ = image.frame.beam_pixels(image.beam)
    margins = np.ceil(windows * major)
    if not image.even:  # a beam may be wider than the nominal one
        margins = np.ceil(windows * np.maximum(major, FWHM * np.sqrt(beams[:, [0, 2]].max(axis=1))))
    places = share_reads(segments, n, margins.astype(np.int64) + 2, image.shape)
    reads = Reads(places, segments, sign, beams, windows)
    parts = list(crew.map("fits", partial(_measure, image, noise, finder), reads))
    inside = objects.select(np.arange(n_inside))
    used = replace(segments, owner=segments.owner[:n], boxes=segments.boxes[:n])
    return _assemble(parts, inside, used, beams[:n], area, image, finder)


@dataclass(frozen=True, eq=False)
class _Part:
    """What one piece gave: rows of its members."""

    members: Ints
    components: Floats
    pairs: Floats
    islands: Floats
    blank: npt.NDArray[np.bool_]


def _measure(image: SkyImage, noise: Noise, finder: IslandFinder[Any], read: Read) -> _Part:
    """Resolve and measure the members of one read; segments of a giant one after the other."""
    if read.giant:
        return _measure_giant(image, noise, finder, read)
    tile = noise.tile(image, read.box)
    labels = np.ascontiguousarray(read.mask.paint(read.box))
    piece = Piece(tile, labels, read.members + 1, read.boxes, read.sign, read.beams)
    return _measure_piece(piece, image, noise, finder, read.pixels, read.windows)


def _measure_giant(image: SkyImage, noise: Noise, finder: IslandFinder[Any], read: Read) -> _Part:
    """
    Rows of a giant's segments: each is fitted to what the earlier ones leave, and on a margin of its neighbours.

    So the Gaussians of two segments do not describe the same pixels twice. Sums are those of the map itself.
    """
    painted = np.empty((0, 6))
    parts = []
    for number, member in enumerate(read.members.tolist()):
        y0, y1, x0, x1 = read.boxes[number].tolist()
        box = Box(y0, y1, x0, x1).expand(2 * SEAM).intersect(Box.of(image.shape))
        tile = noise.tile(image, box)
        labels = read.mask.paint(box)
        own = labels == member + 1
        kin = np.isin(labels, read.members + 1)
        labels = np.where(kin & ~own, 0, labels).astype(np.int32)
        model = np.zeros(box.shape)
        paint_gaussians(painted, box.y0, box.x0, model)
        rest = replace(tile, data=(tile.data - model).astype(np.float32))
        one = slice(number, number + 1)
        piece = Piece(rest, labels, read.members[one] + 1, read.boxes[one], read.sign[one], read.beams[one])
        widest = 2.3548 * float(np.sqrt(read.beams[number, [0, 2]].max()))
        window = np.array([max(finder.options.window, SEAM / widest)])
        part = _measure_piece(piece, image, noise, finder, read.pixels[one], window)
        _sum_pixels(tile, own, box, int(read.sign[number]), part.islands[0])
        painted = np.concatenate([painted, part.components[:, row.AMPLITUDE : row.YY + 1]])
        parts.append(part)
    offsets = np.cumsum([0, *(len(part.components) for part in parts)])
    for number, part in enumerate(parts):
        part.components[:, row.ISLAND] = number
        part.pairs[:, :2] += offsets[number]
    return _Part(
        read.members,
        np.concatenate([part.components for part in parts]),
        np.concatenate([part.pairs for part in parts]),
        np.concatenate([part.islands for part in parts]),
        np.concatenate([part.blank for part in parts]),
    )


def _sum_pixels(tile: NoisyTile, own: npt.NDArray[np.bool_], box: Box, sign: int, out: Floats) -> None:
    """Sums and the brightest pixel of a segment from the map, in place of those of what earlier segments left."""
    y, x = np.nonzero(own & np.isfinite(tile.data))
    value = tile.data[y, x].astype(np.float64) - tile.level[y, x]
    area = 2.0 * np.pi * np.sqrt(out[row.I_XX] * out[row.I_YY] - out[row.I_XY] ** 2)
    total = float(value.sum())
    peak = int(np.argmax(sign * value))
    out[row.I_SUM] = total / area
    weight = value / total if total else np.full(len(value), 1.0 / len(value))
    out[row.I_X] = float((weight * x).sum()) + box.x0
    out[row.I_Y] = float((weight * y).sum()) + box.y0
    out[row.I_PEAK], out[row.I_XPEAK], out[row.I_YPEAK] = value[peak], x[peak] + box.x0, y[peak] + box.y0


def _measure_piece(
    piece: Piece, image: SkyImage, noise: Noise, finder: IslandFinder[Any], pixels: Ints, windows: Floats
) -> _Part:
    """Rows of the members of a piece."""
    touches = np.zeros(int(piece.labels.max()) + 1, np.bool_)
    mark_edges(piece.labels, piece.tile.data, touches)
    found = finder.resolve(piece)
    names = ("amplitude", "x", "y", "xx", "xy", "yy")
    seeds = np.stack([found[name] for name in names], axis=1) if len(found) else np.empty((0, 6))
    parts = []
    for one in np.unique(piece.sign).tolist():
        chosen = np.flatnonzero(piece.sign == one)
        mine = np.isin(found["member"], chosen)
        rows = _kernel(
            piece,
            chosen,
            seeds[mine],
            found["member"][mine],
            float(one),
            image,
            noise,
            finder.options,
            pixels[chosen],
            windows[chosen],
        )
        parts.append(rows)
    return _join(parts, piece.members - 1, touches[piece.members])


def _kernel(
    piece: Piece,
    chosen: Ints,
    seeds: Floats,
    owner: Ints,
    sign: float,
    image: SkyImage,
    noise: Noise,
    options: Any,
    pixels: Ints,
    windows: Floats,
) -> tuple[Ints, Floats, Floats, Floats]:
    """Rows of the members of one sign."""
    tile, n = piece.tile, len(chosen)
    first = np.searchsorted(owner, np.append(chosen, np.iinfo(np.int64).max)).astype(np.int64)
    area = (
        2.0 * np.pi * np.sqrt(piece.beams[chosen, 0] * piece.beams[chosen, 2] - piece.beams[chosen, 1] ** 2)
    )
    room = np.maximum(np.diff(first), 1) + 1 + (2.0 * pixels / np.maximum(area, 1.0)).astype(np.int64)
    limits = np.minimum(room, options.max_components)
    components = np.zeros((int(limits.sum()), row.N_COMPONENT))
    pairs = np.empty((int((limits * np.minimum(limits, JOINT)).sum()), 3))
    islands = np.zeros((n, row.N_ISLAND))
    lags = lags_at(noise.mesh.correlation, image, *middles(piece.boxes[chosen]))
    n_components, n_pairs = measure_islands(
        tile.data, tile.level, tile.rms, piece.labels, tile.box.y0, tile.box.x0, piece.members[chosen],
        piece.boxes[chosen], sign, piece.beams[chosen], np.ascontiguousarray(seeds), first, limits, windows,
        options.reseed, options.resolved_sigma, lags.offsets, lags.correlation, lags.first, lags.zones,
        components, pairs, islands,
    )  # fmt: skip
    return chosen, components[:n_components].copy(), pairs[:n_pairs].copy(), islands


def _join(
    parts: list[tuple[Ints, Floats, Floats, Floats]], members: Ints, blank: npt.NDArray[np.bool_]
) -> _Part:
    """The rows of both signs, with components counted through and islands in the order of the members."""
    if len(parts) == 1:
        _, components, pairs, islands = parts[0]
        return _Part(members, components, pairs, islands, blank)
    total = 0
    all_components, all_pairs, all_islands, order = [], [], [], []
    for chosen, components, pairs, islands in parts:
        components[:, row.ISLAND] = chosen[components[:, row.ISLAND].astype(np.int64)]
        pairs[:, :2] += total
        total += len(components)
        all_components.append(components)
        all_pairs.append(pairs)
        all_islands.append(islands)
        order.append(chosen)
    place = np.argsort(np.concatenate(order), kind="stable")
    return _Part(
        members,
        np.concatenate(all_components),
        np.concatenate(all_pairs),
        np.concatenate(all_islands)[place],
        blank,
    )


def _assemble(
    parts: list[_Part],
    objects: Detections,
    segments: Segments,
    beams: Floats,
    area: Box,
    image: SkyImage,
    finder: IslandFinder[Any],
) -> Measured:
    """All rows in map order: components sorted by object, then by segment, then as fitted; segments summed."""
    units = beams if image.even else unit_beams_at(image, segments.boxes)
    offsets = np.cumsum([0, *(len(part.components) for part in parts)])
    segment = np.concatenate(
        [part.members[part.components[:, row.ISLAND].astype(np.int64)] for part in parts]
    )
    components = np.concatenate([part.components for part in parts])
    pairs = np.concatenate(
        [part.pairs + np.array([o, o, 0.0]) for part, o in zip(parts, offsets[:-1], strict=True)]
    )
    order = np.argsort(segment, kind="stable")  # segments are numbered in the order of their objects
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    components = components[order]
    components[:, row.ISLAND] = segments.owner[segment[order]]
    pairs[:, :2] = place[pairs[:, :2].astype(np.int64)]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    members = np.concatenate([part.members for part in parts])
    rows = np.empty((len(members), row.N_ISLAND))
    rows[members] = np.concatenate([part.islands for part in parts])
    blank = np.empty(len(members), np.bool_)
    blank[members] = np.concatenate([part.blank for part in parts])
    gain = np.sqrt(determinants(beams) / determinants(units))
    own_gain, own_beam, own_unit = (each[segment[order]] for each in (gain, beams, units))
    if not image.even:
        _scale(components, pairs, rows, own_gain, gain)
        rows[:, row.I_XX : row.I_YY + 1] = units
    islands = rows if len(rows) == len(objects) else _sum_segments(rows, segments.owner, len(objects))
    flags = _object_flags(objects, segments, blank, area, image)
    first = np.searchsorted(components[:, row.ISLAND], np.arange(len(objects) + 1)).astype(np.int64)
    source = np.zeros(len(components), np.int64)
    positive = np.ascontiguousarray(components[:, :6])
    positive[:, 0] = np.abs(positive[:, 0])
    options = finder.options
    rms = np.ascontiguousarray(components[:, row.RMS])
    n_sources = group_components(positive, rms, first, options.group_tolerance, source)
    peak = np.empty(n_sources)
    source_peaks(positive, first, source, peak)
    _flag_spikes(flags, islands, image, options)
    return Measured(
        components, pairs, islands, objects.boxes, flags, source, peak, own_beam, own_unit, own_gain
    )


def _scale(components: Floats, pairs: Floats, islands: Floats, own: Floats, gain: Floats) -> None:
    """
    Turn fluxes in units of what was fitted into those of the unit of the map.

    A kernel counts flux in areas of the shape that a point has. Where a point is drawn out, that is a larger area
    than the beam of Jy/beam, and its peak is lower by as much.
    """
    components[:, [row.FLUX, row.BEAM_FLUX]] *= own[:, None]
    components[:, [row.FLUX_VAR, row.BEAM_FLUX_VAR]] *= own[:, None] ** 2
    pairs[:, 2] *= own[pairs[:, 0].astype(np.int64)] * own[pairs[:, 1].astype(np.int64)]
    islands[:, row.I_SUM] *= gain


def _flag_spikes(flags: Ints, islands: Floats, image: SkyImage, options: FinderOptions) -> None:
    """Set the bit of islands much smaller than a point source of their brightness would be above `grow`."""
    brightness = np.abs(islands[:, row.I_PEAK]) / islands[:, row.I_RMS]
    if image.even:
        area: float | Floats = image.frame.beam_area_pixels(image.beam)
    else:
        area = FWHM**2 * np.pi / (4.0 * np.log(2.0)) * np.sqrt(determinants(islands[:, row.I_XX :]))
    expected = area * np.log(np.maximum(brightness / options.grow, 1.0))
    flags |= np.where(islands[:, row.I_N] < SPIKE * expected - 1.0, flag("spike"), 0)


def beam_minors(covariance: Floats) -> Floats:
    """Minor axes ``(n,)`` (FWHM, pixels) of covariances ``(n, 3)``."""
    xx, xy, yy = covariance.T
    return np.asarray(FWHM * np.sqrt(np.maximum(0.5 * (xx + yy) - np.hypot(0.5 * (xx - yy), xy), 0.0)))


def _sum_segments(rows: Floats, owner: Ints, n: int) -> Floats:
    """Rows of whole objects from those of their segments."""
    first = np.searchsorted(owner, np.arange(n))
    pixels = rows[:, row.I_N]
    total = np.zeros((n, row.N_ISLAND))
    brightest = np.lexsort((-np.abs(rows[:, row.I_PEAK]), owner))[first]
    total[:] = rows[brightest]
    total[:, row.I_N] = np.add.reduceat(pixels, first)
    total[:, row.I_SUM] = np.add.reduceat(rows[:, row.I_SUM], first)
    for column in (row.I_X, row.I_Y):
        total[:, column] = np.add.reduceat(rows[:, row.I_SUM] * rows[:, column], first) / total[:, row.I_SUM]
    squares = np.add.reduceat(pixels * rows[:, row.I_REST_RMS] ** 2, first)
    total[:, row.I_REST_RMS] = np.sqrt(squares / total[:, row.I_N])
    worst = np.lexsort((-np.abs(rows[:, row.I_REST_PEAK]), owner))[first]
    total[:, row.I_REST_PEAK] = rows[worst, row.I_REST_PEAK]
    return total


def _object_flags(
    objects: Detections, segments: Segments, blank: npt.NDArray[np.bool_], area: Box, image: SkyImage
) -> Ints:
    """Bits that depend on where an object lies."""
    boxes = objects.boxes
    touching = np.zeros(len(objects), np.bool_)
    np.logical_or.at(touching, segments.owner, blank)
    flags = border_flags(boxes, touching, area, image)
    pieces = np.bincount(segments.owner, minlength=len(objects))
    narrow = np.full(len(objects), bool(sampling_notes(image.frame, image.beam)))
    unknown = np.zeros(len(objects), np.bool_)
    if image.beams is not None:
        x, y = middles(boxes)
        unknown = ~image.beam_known(x, y)
        smallest = beam_minors(image.beam_covariance(x, y))
        narrow = np.where(np.isfinite(smallest), smallest < UNDERSAMPLED * (1.0 - 1e-6), narrow)
    for name, where in (
        ("giant", pieces > 1), ("negative", objects["sign"] < 0), ("undersampled", narrow), ("nominal_beam", unknown),
    ):  # fmt: skip
        flags |= np.where(where, flag(name), 0)
    return flags


def border_flags(boxes: Ints, at_blank: npt.NDArray[np.bool_], area: Box, image: SkyImage) -> Ints:
    """Bits of objects with these boxes ``(n, 4)`` that reach the border of the map, of the area, or blank pixels."""
    ny, nx = image.shape
    edge = (boxes[:, 0] == 0) | (boxes[:, 2] == 0) | (boxes[:, 1] == ny) | (boxes[:, 3] == nx)
    cut = (
        (boxes[:, 0] < area.y0) | (boxes[:, 2] < area.x0) | (boxes[:, 1] > area.y1) | (boxes[:, 3] > area.x1)
    )
    flags = np.zeros(len(boxes), np.int64)
    for name, where in (("edge", edge), ("region_cut", cut), ("blank", at_blank)):
        flags |= np.where(where, flag(name), 0)
    return flags


def nothing() -> Measured:
    """The measurements of no object."""
    return Measured(
        np.empty((0, row.N_COMPONENT)), np.empty((0, 3)), np.empty((0, row.N_ISLAND)), np.empty((0, 4), np.int64),
        np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty((0, 3)), np.empty((0, 3)), np.empty(0),
    )  # fmt: skip

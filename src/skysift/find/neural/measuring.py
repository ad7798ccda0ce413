"""Sources that a network found, measured on the map: a joint fit of all of them with the shapes that it gave them.

Positions and shapes of bright sources are fitted to the map, those of faint ones are held: what the network knows of
them is better than what a fit makes of noise. Fluxes are those of weighted least squares in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skysift.base.parallel import Crew
from skysift.find.forced import measure_at
from skysift.find.measuring import border_flags, nothing
from skysift.find.neural.footprints import REACH, nearest, runs_of
from skysift.find.neural.options import NeuralOptions
from skysift.find.neural.shapes import intrinsic
from skysift.find.neural.windows import windows_near
from skysift.find.noise import Noise
from skysift.find.pieces import beams_at, unit_beams_at
from skysift.find.places import Places, boxes_of
from skysift.find.remembered import Remembered
from skysift.measure import island as row
from skysift.measure.ellipse import FWHM
from skysift.measure.forced import Forced
from skysift.measure.measured import Measured
from skysift.measure.options import ForcedOptions
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints
from skysift.sky.flags import flag
from skysift.sky.image import SkyImage
from skysift.sky.shapes import determinants
from skysift.sky.tiling import NoisyTile
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = [
    "FOOTPRINT_STEP",
    "alone_among",
    "in_map_order",
    "measure_found",
    "measure_standing_out",
    "standing_out",
    "summed",
    "with_footprints",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOOTPRINT_STEP = (
    512  # pixels of a lattice anchored to the first pixel: sums are made part by part in its order
)
_WIDE = 5.0  # beams: wider sources, seldom Gaussians, keep the place and shape that the network told
_CROWD = 8  # others within its own FWHM: such sources do, too, for all of them would be fitted together
_POINT = 0.4  # beams: what the network takes for sharper than this is fitted as a point while it is faint
_SPURIOUS = CLASSES.index(SPURIOUS)
_SUMS = 7  # of a part: pixels, sum, moments, brightest pixel with its place


def shapes_of(found: Detections, beam: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Shapes as the map shows them, covariances ``(n, 3)`` (pixels squared), and which are points to the network."""
    width = FWHM * determinants(beam) ** 0.25
    point = found["major"] < _POINT * width
    return np.where(point[:, None], beam, beam + intrinsic(found)), point


def with_footprints(
    found: Detections, image: SkyImage, noise: Noise, grow: float, crew: Crew
) -> tuple[Detections, Floats]:
    """
    The sources that have a pixel of their own, in map order, with their pixels and the sums over these.

    Parameters
    ----------
    found
        What the network found.
    image, noise
        The map.
    grow
        A pixel that is fainter (sigma) is nobody's, but for that at the middle of a source.
    crew
        Who does it.
    """
    beam = _beams(image, found)
    shape, _ = shapes_of(found, beam)
    xy = np.stack([found["x"], found["y"]], axis=1)
    reach = REACH * FWHM * np.sqrt(np.maximum(shape[:, 0], shape[:, 2]))
    tasks = [
        (box, rows, xy[rows], shape[rows])
        for box, rows in windows_near(image.box, FOOTPRINT_STEP, xy[:, 0], xy[:, 1], reach)
    ]
    return in_map_order(found, list(crew.map("footprints", partial(_paint, image, noise, grow), tasks)))


def in_map_order(
    found: Detections, parts: Sequence[tuple[Footprints, Ints, Floats]]
) -> tuple[Detections, Floats]:
    """The sources that have a pixel in any of the parts, as `summed` gives them, in map order, and sums over theirs."""
    n = len(found)
    prints = [each for each, _, _ in parts]
    sums = np.zeros((n, _SUMS))
    sums[:, 4] = -np.inf
    for _, rows, some in parts:
        sums[rows, :4] += some[:, :4]
        brighter = some[:, 4] > sums[rows, 4]
        sums[rows[brighter], 4:] = some[brighter, 4:]
    every = Footprints(*(np.concatenate([getattr(p, name) for p in prints] or [np.empty(0, np.int64)])
                         for name in ("row", "start", "stop", "index")))  # fmt: skip
    kept = np.flatnonzero(every.area(n) > 0)
    chosen = every.select(kept)
    first = np.searchsorted(chosen.index, np.arange(len(kept)))
    order = np.lexsort((chosen.start[first], chosen.row[first]))
    kept = kept[order]
    picked = every.select(kept)
    boxes = np.empty((len(kept), 4), np.int64)
    if len(kept):
        first = np.searchsorted(picked.index, np.arange(len(kept)))
        boxes[:, 0] = np.minimum.reduceat(picked.row, first)
        boxes[:, 1] = np.maximum.reduceat(picked.row, first) + 1
        boxes[:, 2] = np.minimum.reduceat(picked.start, first)
        boxes[:, 3] = np.maximum.reduceat(picked.stop, first)
    raw = {name: values[kept] for name, values in found.raw.items()}
    raw["sign"] = np.ones(len(kept), np.int64)
    return Detections(boxes, found.scores[kept], picked, raw), sums[kept]


Task = tuple[Box, Ints, Floats, Floats]


def _paint(image: SkyImage, noise: Noise, grow: float, task: Task) -> tuple[Footprints, Ints, Floats]:
    """Footprints in one part, the rows of the sources that have a pixel there, and sums over these."""
    box, rows, xy, shape = task
    tile: NoisyTile = noise.tile(image, box)
    value = tile.data.astype(np.float64) - tile.level
    z = (value / tile.rms).astype(np.float32)
    owner = np.zeros(box.shape, np.int32)
    nearest(
        np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1]), np.ascontiguousarray(shape), REACH, z, grow,
        box.y0, box.x0, owner,
    )  # fmt: skip
    return summed(owner, value, box, rows)


def summed(owner: NDArray[np.int32], value: Floats, box: Box, rows: Ints) -> tuple[Footprints, Ints, Floats]:
    """
    Footprints in one part, the rows of the sources that have a pixel there, and sums over these.

    Parameters
    ----------
    owner
        ``(y, x)``: 1 + place in `rows` of the source that a pixel belongs to; 0 for none.
    value
        The map above its level ``(y, x)``.
    box
        Where the part lies.
    rows
        Numbers of sources.
    """
    y, x = np.nonzero(owner)
    who, values = owner[y, x] - 1, value[y, x]
    n = len(rows)
    sums = np.zeros((n, _SUMS))
    np.add.at(sums[:, 0], who, 1.0)
    np.add.at(sums[:, 1], who, values)
    np.add.at(sums[:, 2], who, values * (x + box.x0))
    np.add.at(sums[:, 3], who, values * (y + box.y0))
    order = np.lexsort((-values, who))
    mine, first = np.unique(who[order], return_index=True)
    top = order[first]
    sums[:, 4] = -np.inf
    sums[mine, 4], sums[mine, 5], sums[mine, 6] = values[top], x[top] + box.x0, y[top] + box.y0
    prints = runs_of(owner, box.y0, box.x0)
    local = Footprints(prints.row, prints.start, prints.stop, rows[prints.index])
    some = sums[:, 0] > 0
    return local, rows[some], sums[some]


def measure_standing_out(
    found: Detections,
    pixels: Callable[[Detections], tuple[Detections, Floats]],
    image: SkyImage,
    noise: Noise,
    options: NeuralOptions,
    crew: Crew,
) -> tuple[Detections, Measured]:
    """
    The sources that stand out when they are measured, and that: once all together, then without those that do not.

    What was near one that is left out is fitted again; all else stays as it was.

    Parameters
    ----------
    found
        What the network found.
    pixels
        Gives sources their pixels: those that have any in map order, and the sums over them.
    image, noise
        The map.
    options
        Those of `measure_found`, and what stands out.
    crew
        Who does it.
    """
    fits = (Remembered(), Remembered())

    def once(found: Detections) -> tuple[Detections, Measured, bool]:
        objects, sums = pixels(found)
        measured = measure_found(objects, sums, image, noise, options, crew, fits)
        good = standing_out(measured, objects["class"], options.least_snr)
        return objects.select(good), measured.select(good), bool(good.all())

    found, measured, every = once(found)
    if not every:
        del measured  # of a large map it is large
        found, measured, _ = once(found)
    return found, measured


def measure_found(
    objects: Detections,
    sums: Floats,
    image: SkyImage,
    noise: Noise,
    options: NeuralOptions,
    crew: Crew,
    fits: tuple[Remembered, Remembered] | None = None,
) -> Measured:
    """
    One component a source: fluxes by a joint fit; position and shape too where the source is bright.

    Parameters
    ----------
    objects, sums
        As `with_footprints` gives them.
    image, noise
        The map.
    options
        From which signal to noise on position and shape are fitted, and from which a shape is resolved.
    crew
        Who does it.
    fits
        Of a call before, with other sources of the same map: what is fitted with the same others as then stays.
    """
    n = len(objects)
    if not n:
        return nothing()
    first, again = fits or (None, None)
    beam = _beams(image, objects)
    shape, point = shapes_of(objects, beam)
    x, y = objects["x"], objects["y"]
    menu = ForcedOptions(fit="shape", free_snr=options.free_snr)
    asked = np.where(alone_among(x, y, shape, beam), 6, 1)
    forced = measure_at(image, noise, Places(x, y, shape, beam), menu, crew, free=asked, remembered=first)
    free = forced.shape_cov[:, 0, 0] > 0.0
    sharp = free & ~(_resolution(forced, beam) > options.resolved_sigma)
    if sharp.any():  # once more, as points
        shape = np.where(sharp[:, None], beam, np.where(free[:, None], forced.shape, shape))
        at = np.where(free, forced.x, x), np.where(free, forced.y, y)
        n_free = np.where(sharp, 3, np.where(free, asked, 1))
        places = Places(*at, np.ascontiguousarray(shape), beam)
        forced = measure_at(image, noise, places, menu, crew, free=n_free, remembered=again)
        free = forced.shape_cov[:, 0, 0] > 0.0
    point = sharp | (point & ~free)
    return _measured(objects, sums, forced, point, beam, image)


def standing_out(measured: Measured, kinds: Floats, least: float) -> NDArray[np.bool_]:
    """
    Which measured sources have a fit and a flux of their own; artefacts need none.

    Parameters
    ----------
    measured
        One component a source.
    kinds
        Numbers of their classes ``(n,)``.
    least
        A peak below this many times the noise is nothing, unless the flux is twice as many times its error, as that of
        wide sources is which are faint a beam.
    """
    c = measured.components
    peak, flux = c[:, row.AMPLITUDE], c[:, row.FLUX]
    bright = (peak >= least * c[:, row.RMS]) | (flux >= 2.0 * least * np.sqrt(c[:, row.FLUX_VAR]))
    own = ((peak > 0.0) & bright) | (kinds == _SPURIOUS)
    return np.asarray(np.isfinite(c[:, row.COV]) & own)


def alone_among(x: Floats, y: Floats, shape: Floats, beam: Floats) -> NDArray[np.bool_]:
    """Which sources a Gaussian can be fitted to: they are narrow, not on a wide one, and few others are near."""
    tree = cKDTree(np.stack([x, y], axis=1))
    few = (
        tree.query_ball_point(tree.data, FWHM * determinants(shape) ** 0.25, return_length=True) <= _CROWD + 1
    )
    wide = determinants(shape) >= _WIDE**4 * determinants(beam)
    longest = 0.5 * (shape[:, 0] + shape[:, 2]) + np.hypot(0.5 * (shape[:, 0] - shape[:, 2]), shape[:, 1])
    covered = tree.query_ball_point(tree.data[wide], FWHM * np.sqrt(longest[wide]))
    alone = few & ~wide
    for rows in covered:
        alone[rows] = False
    return np.asarray(alone)


def _resolution(forced: Forced, beam: Floats) -> Floats:
    """Ln of the area of each fitted shape over that of the beam, in units of its error."""
    xx, xy, yy = forced.shape.T
    det = np.maximum(xx * yy - xy * xy, 1e-12)
    slope = 0.5 * np.stack([yy, -2.0 * xy, xx], axis=1) / det[:, None]
    variance = np.maximum(np.einsum("ni,nij,nj->n", slope, forced.shape_cov, slope), 0.0)  # rounding: below 0
    ratio = 0.5 * np.log(det / determinants(beam))
    return np.asarray(np.divide(ratio, np.sqrt(variance), out=np.zeros_like(ratio), where=variance > 0.0))


def _size_error(objects: Detections, beam: Floats) -> Floats:
    """
    Relative error that fluxes of held shapes have from the errors of the axes that the network gave.

    The flux of a Gaussian of area A that is fitted with one of area T goes as 2 T / (A + T), so that it errs by half
    of the relative error of the area.
    """
    width = FWHM**2 * np.sqrt(determinants(beam))
    terms = [
        objects[f"{axis}_err"] * objects[axis] ** 2 / (objects[axis] ** 2 + width)
        for axis in ("major", "minor")
    ]
    return np.asarray(0.5 * np.hypot(*terms))


def _measured(
    objects: Detections, sums: Floats, forced: Forced, point: NDArray[np.bool_], beam: Floats, image: SkyImage
) -> Measured:
    """The rows of components and islands."""
    n = len(objects)
    unit = beam if image.even else unit_beams_at(image, objects.boxes)
    gain = np.sqrt(determinants(beam) / determinants(unit))
    held = forced.position_cov[:, 0] == 0.0
    spread = objects["x_err"] ** 2
    position = np.where(held[:, None], np.stack([spread, np.zeros(n), spread], axis=1), forced.position_cov)
    c = np.zeros((n, row.N_COMPONENT))
    lost = ~np.isfinite(forced.flux_peak)
    c[:, row.AMPLITUDE] = forced.flux_peak
    c[:, row.X], c[:, row.Y] = forced.x, forced.y
    c[:, row.XX : row.YY + 1] = c[:, row.SHAPE : row.SHAPE + 3] = forced.shape
    cov = np.zeros((n, 6, 6))
    cov[:, 0, 0] = forced.flux_peak_err**2
    cov[:, 1, 1], cov[:, 1, 2], cov[:, 2, 2] = position.T
    cov[:, 3:, 3:] = forced.shape_cov
    i, j = np.triu_indices(6)
    c[:, row.COV : row.FLUX] = cov[:, i, j]
    held_wide = held & ~point
    shape_err = np.where(held_wide, _size_error(objects, beam) * forced.flux_int, 0.0)
    c[:, row.FLUX], c[:, row.FLUX_VAR] = forced.flux_int, forced.flux_int_err**2 + shape_err**2
    c[:, row.BEAM_FLUX] = np.where(point, forced.flux_int, np.nan)
    c[:, row.BEAM_FLUX_VAR] = np.where(point, forced.flux_int_err**2, np.nan)
    c[:, row.RESOLUTION] = np.where(point, 0.0, _resolution(forced, beam))
    c[:, row.RMS], c[:, row.LEVEL], c[:, row.REST_RMS] = forced.rms, forced.background, forced.residual_rms
    c[:, row.REST_PEAK] = forced.residual_peak
    c[:, row.FLAGS] = (forced.flags & ~flag("held")) | np.where(lost, flag("fit_failed"), 0)
    c[:, row.ISLAND] = np.arange(n)
    islands = np.zeros((n, row.N_ISLAND))
    total = np.where(sums[:, 1] != 0.0, sums[:, 1], np.nan)
    islands[:, row.I_N] = sums[:, 0]
    islands[:, row.I_SUM] = sums[:, 1] / (2.0 * np.pi * np.sqrt(determinants(unit)))
    islands[:, row.I_X] = np.where(np.isfinite(total), sums[:, 2] / total, objects["x"])
    islands[:, row.I_Y] = np.where(np.isfinite(total), sums[:, 3] / total, objects["y"])
    islands[:, row.I_PEAK], islands[:, row.I_XPEAK], islands[:, row.I_YPEAK] = (
        sums[:, 4],
        sums[:, 5],
        sums[:, 6],
    )
    islands[:, row.I_RMS], islands[:, row.I_LEVEL] = forced.rms, forced.background
    islands[:, row.I_REST_RMS], islands[:, row.I_REST_PEAK] = forced.residual_rms, forced.residual_peak
    islands[:, row.I_XX : row.I_YY + 1] = unit
    flags = border_flags(objects.boxes, np.zeros(n, np.bool_), image.box, image)
    return Measured(
        c,
        np.empty((0, 3)),
        islands,
        objects.boxes,
        flags,
        np.arange(n),
        np.abs(c[:, row.AMPLITUDE]),
        beam,
        unit,
        gain,
    )


def _beams(image: SkyImage, found: Detections) -> Floats:
    """Covariances ``(n, 3)`` of the beam at detections (pixels squared)."""
    if not len(found):
        return np.empty((0, 3))
    return beams_at(image, boxes_of(found["x"], found["y"], np.ones(len(found), np.bool_)))

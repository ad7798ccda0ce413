"""`search_extended`: islands become compact sources, segments, and compact sources on top of segments."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import Crew
from skysift.find.correlation import reference_beam
from skysift.find.extended.arrange import Scene, arranged
from skysift.find.extended.diffuse import has_diffuse
from skysift.find.extended.fluxes import Extended, Segmented
from skysift.find.extended.fluxes import nothing as no_segments
from skysift.find.extended.grow import grown
from skysift.find.extended.nested import find_nested
from skysift.find.extended.options import ExtendedOptions
from skysift.find.extended.residual import Residual, around, is_compact, is_described
from skysift.find.extended.segmenter import Segmenter, Setting, segmenters_of
from skysift.find.extended.segments import find_segments
from skysift.find.finder import IslandFinder
from skysift.find.measuring import border_flags, measure_objects, nothing
from skysift.find.noise import Noise
from skysift.measure import island as row
from skysift.measure.ellipse import FWHM
from skysift.measure.measured import Measured, regrouped
from skysift.measure.segment import SegmentFluxes
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

POINTS = 4.0  # an island larger than so many points of its brightness, and
BEAMS = 3.0  # so many beam areas more, is not fitted: it holds more than compact sources
SAMPLED_AREA = 4.5  # pixels: the beam area of a map that is barely sampled
LEAST_FLUX = 2.0  # sigma; a segment with less flux of its own is none


@dataclass(frozen=True, eq=False)
class Found:
    """
    All islands of a map, compact sources and segments, and what was measured of them.

    Attributes
    ----------
    objects
        Pixels of each island, in map order.
    measured
        Gaussians of compact sources, under the islands that they lie in.
    extended
        The islands that are segments.
    facts
        What was decided, JSON-safe.
    """

    objects: Detections
    measured: Measured
    extended: Extended
    facts: dict[str, object]


def search_extended(
    image: SkyImage, noise: Noise, finder: IslandFinder[Any], objects: Detections, area: Box, crew: Crew
) -> Found:
    """
    Compact and extended sources of a map.

    Islands of compact Gaussians are taken off the map: subtracted where the Gaussians describe them, else left
    blank. Segmenters look at the rest. Islands that are not compact, and lie in segments by half, are part of
    these; compact ones whose peak lies in a segment are measured again above the local background, or not at all if
    they do not stand out from it.

    Parameters
    ----------
    objects
        All islands above the threshold, in map order.
    area
        The part of the map that was asked for; what reaches beyond it is flagged.
    """
    options: ExtendedOptions = finder.options
    beam_area = image.frame.beam_area_pixels(image.beam)
    fitted = ~too_large(objects, beam_area, options.grow)
    first = objects.select(np.argsort(~fitted, kind="stable"))
    measured = measure_objects(image, noise, finder, first, int(fitted.sum()), area, crew)
    islands = first.select(np.arange(len(measured.islands)))
    compact = is_compact(measured, options.point_area)
    described = is_described(measured)
    residual = _residual(image, noise, measured, islands, compact, described)
    diffuse = on_diffuse(residual, options, crew)
    segmenters = make_segmenters(image, noise, options, diffuse)
    seed, grow = options.segment_seed, options.segment_grow
    smallest = smallest_area(image, options)
    segments, scatter = find_segments(residual, segmenters, seed, grow, crew, smallest=smallest)
    segments = segments.select(segments.area >= smallest)
    blocked = islands.select(compact).to_mask(image.shape)
    segments = grown(residual, segments, blocked, options.dilate, crew)
    nested, owner = find_nested(image, noise, finder, segments, area, crew)
    scene = Scene(image, noise, finder, first, measured, compact, nested, owner, area, crew)
    found = arranged(scene, segments, np.ones(len(segments), np.bool_))
    fluxes = found.segmented.fluxes
    weak = fluxes.flux_int < LEAST_FLUX * fluxes.flux_int_err
    if weak.any():  # what lies on such a segment is all that there is
        kept = np.ones(len(segments), np.bool_)
        kept[found.number[weak]] = False
        found = arranged(scene, segments, kept)
    parts = [*found.outside, found.nested]
    facts: dict[str, object] = {
        "scale_noise": scatter,
        "diffuse_emission": diffuse,
        "segments_without_flux": int(weak.sum()),
    }
    return joined(image, parts, found.owner, found.compact, found.segments, found.segmented, area, facts)


def found_nothing() -> Found:
    """What a map without noise holds."""
    nowhere = Extended(np.empty(0, np.int64), no_segments(), np.empty(0))
    return Found(Detections.empty(), nothing(), nowhere, {})


def smallest_area(image: SkyImage, options: ExtendedOptions) -> float:
    """Pixels of a segment at least: `smallest_area` beam areas; a barely sampled beam covers more than its own."""
    return options.smallest_area * max(image.frame.beam_area_pixels(image.beam), SAMPLED_AREA)


def on_diffuse(residual: Residual, options: ExtendedOptions, crew: Crew) -> bool:
    """Whether diffuse emission is taken off: as the options say, or the map does, where a segmenter does so."""
    if not any(one.takes_off for one in segmenters_of(options)):
        return False
    if options.diffuse != "auto" or options.diffuse_scale is not None:
        return options.diffuse != "no"
    return has_diffuse(residual, _setting(residual.image, residual.noise, options, False), crew)


def make_segmenters(
    image: SkyImage, noise: Noise, options: ExtendedOptions, diffuse: bool
) -> list[Segmenter]:
    """The segmenters that the option `method` names, for a map."""
    setting = _setting(image, noise, options, diffuse)
    return [one(setting) for one in segmenters_of(options)]


def _setting(image: SkyImage, noise: Noise, options: ExtendedOptions, diffuse: bool) -> Setting:
    """What segmenters know of a map."""
    beam = image.frame.beam_width_pixels(image.beam)
    return Setting(options, beam, noise.mesh.correlation, image.shape, diffuse)


def too_large(objects: Detections, beam_area: float, grow: float) -> Bools:
    """Which islands are much larger than points of their brightness."""
    point = beam_area * np.log(np.maximum(objects.scores / grow, 1.0))
    return np.asarray(objects.area > POINTS * point + BEAMS * beam_area)


def _residual(
    image: SkyImage, noise: Noise, measured: Measured, islands: Detections, compact: Bools, described: Bools
) -> Residual:
    """The map without compact sources."""
    owner = measured.components[:, row.ISLAND].astype(np.int64)
    gaussians = measured.components[(compact & described)[owner]][:, row.AMPLITUDE : row.YY + 1]
    xx, _, yy = reference_beam(image)
    radius = (int(np.ceil(FWHM * np.sqrt(yy))), int(np.ceil(FWHM * np.sqrt(xx))))
    hidden = around(islands.footprints, compact & ~described, radius, image.shape)
    return Residual(image, noise, np.ascontiguousarray(gaussians), hidden)


def joined(
    image: SkyImage,
    parts: list[Measured],
    owner: Ints,
    compact: Detections,
    segments: Detections,
    segmented: Segmented,
    area: Box,
    facts: dict[str, object],
) -> Found:
    """Everything under islands in map order."""
    if not len(segments):
        segments = compact.select(np.zeros(len(compact), np.bool_))
    plain = [Detections(each.boxes, each.scores, each.footprints) for each in (compact, segments)]
    both = Detections.concat(plain)
    is_segment = np.arange(len(both)) >= len(compact)
    begin = np.searchsorted(both.footprints.index, np.arange(len(both)))
    order = np.lexsort((both.footprints.start[begin], both.footprints.row[begin]))
    place = np.full(len(both), -1, np.int64)
    place[order] = np.arange(len(order))
    n = [len(part.islands) for part in parts]
    owners = [place[: n[0]], place[n[0] : n[0] + n[1]], place[len(compact) + owner]]
    chosen = [part.select(own >= 0) for part, own in zip(parts, owners, strict=True)]
    owners = [own[own >= 0] for own in owners]
    objects = both.select(order)
    flags = border_flags(both.boxes[len(compact) :], segmented.at_blank, area, image)
    rows = np.concatenate(
        [parts[0].islands, parts[1].islands, _island_rows(image, segments, segmented.fluxes)]
    )
    flags = np.concatenate([parts[0].flags, parts[1].flags, flags])
    measured = regrouped(chosen, owners, rows[order], objects.boxes, flags[order])
    mine = order[is_segment[order]] - len(compact)
    on_top = chosen[2].components  # an island is all that its pixels show
    own = owners[2][on_top[:, row.ISLAND].astype(np.int64)]
    measured.islands[:, row.I_SUM] += np.bincount(own, on_top[:, row.FLUX], len(objects))
    extended = Extended(np.flatnonzero(is_segment[order]), segmented.select(mine), segments.scores[mine])
    return Found(objects, measured, extended, facts)


def _island_rows(image: SkyImage, segments: Detections, fluxes: SegmentFluxes) -> Floats:
    """Rows ``(segment, N_ISLAND)`` as the kernels give them for islands of Gaussians."""
    rows = np.full((len(segments), row.N_ISLAND), np.nan)
    if not len(segments):
        return rows
    rows[:, row.I_N], rows[:, row.I_SUM] = fluxes.n_pixels, fluxes.flux_int
    rows[:, row.I_X], rows[:, row.I_Y] = fluxes.x, fluxes.y
    rows[:, row.I_PEAK], rows[:, row.I_XPEAK], rows[:, row.I_YPEAK] = (
        fluxes.flux_peak, fluxes.x_peak, fluxes.y_peak,
    )  # fmt: skip
    rows[:, row.I_RMS], rows[:, row.I_LEVEL], rows[:, row.I_FLAGS] = fluxes.rms, fluxes.background, 0.0
    rows[:, row.I_XX : row.I_YY + 1] = image.unit_covariance(fluxes.x, fluxes.y)
    return rows

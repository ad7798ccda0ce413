"""Who owns which pixels: compact islands, segments, and what lies on top of these; measured as they are arranged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import Crew
from skysift.find.extended.fluxes import Segmented, measure_segments_of
from skysift.find.extended.nested import label_at
from skysift.find.extended.residual import Residual
from skysift.find.extended.runs import boxes_of, covered, without
from skysift.find.finder import IslandFinder
from skysift.find.measuring import measure_objects
from skysift.find.noise import Noise
from skysift.measure import island as row
from skysift.measure.measured import Measured
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage
from skysift.sky.mask import Mask
from skysift.sky.shapes import determinants

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

PEAK_AREA = 1.4  # beam areas; what is wider on top of a segment, and
PEAK_SHARE = 0.3  # holds more of the flux of both, is its structure


@dataclass(frozen=True, eq=False)
class Scene:
    """
    What was found in a map before it is settled what belongs to whom.

    Attributes
    ----------
    image, noise, finder, area, crew
        As for `skysift.find.extended.search.search_extended`.
    islands
        All islands above the threshold, those that were fitted first.
    measured
        What was fitted.
    compact
        Which of the fitted are compact.
    nested, owner
        What may lie on top of segments, and the segment of each of its islands.
    """

    image: SkyImage
    noise: Noise
    finder: IslandFinder[Any]
    islands: Detections
    measured: Measured
    compact: Bools
    nested: Measured
    owner: Ints
    area: Box
    crew: Crew


@dataclass(frozen=True, eq=False)
class Arrangement:
    """
    What belongs to whom, and what was measured of it.

    Attributes
    ----------
    outside
        Fits of the islands that are no part of a segment, in two parts.
    compact
        These islands.
    segments, number
        The segments without their pixels, and which of those that were given each is.
    nested, owner
        Fits of what lies on top of segments, and the segment of each island.
    segmented
        What was measured of each segment.
    """

    outside: tuple[Measured, Measured]
    compact: Detections
    segments: Detections
    number: Ints
    nested: Measured
    owner: Ints
    segmented: Segmented


def arranged(scene: Scene, segments: Detections, wanted: Bools) -> Arrangement:
    """
    The islands and segments of a map, each pixel with one owner.

    Compact islands stay if their peak lies in no segment, others if segments cover less than half of them; what
    stays keeps its pixels.

    Parameters
    ----------
    scene
        What was found.
    segments, wanted
        Extended emission, and which of it is taken.
    """
    image, shape = scene.image, scene.image.shape
    n = len(scene.measured.islands)
    islands = scene.islands.select(np.arange(n))
    large = scene.islands.select(np.arange(n, len(scene.islands)))
    mask = segments.select(wanted).to_mask(shape)
    inside = label_at(mask, scene.measured.islands[:, [row.I_YPEAK, row.I_XPEAK]]) > 0
    kept = np.where(scene.compact, ~inside, ~covered(islands, mask))
    lone = ~covered(large, mask)
    outside = scene.measured.select(kept), _fitted_late(scene, lone)
    compact = Detections.concat([islands.select(kept), large.select(lone)])
    taken = compact.to_mask(shape)
    prints, left = without(segments.footprints, len(segments), taken)
    left &= wanted
    number = np.flatnonzero(left)
    boxes = boxes_of(prints, len(segments), segments.boxes)
    segments = Detections(boxes, segments.scores, prints).select(left)
    place = np.cumsum(left) - 1
    new = label_at(taken, scene.nested.islands[:, [row.I_YPEAK, row.I_XPEAK]]) == 0
    new &= left[scene.owner]
    nested, owner = scene.nested.select(new), place[scene.owner[new]]
    hidden = Detections.concat([islands.select(scene.compact | kept), large.select(lone)])

    def measure(on_top: Measured, chosen: Ints) -> Segmented:
        gaussians = [part.components[:, row.AMPLITUDE : row.YY + 1] for part in (*outside, on_top)]
        clean = Residual(
            image, scene.noise, np.ascontiguousarray(np.concatenate(gaussians)), Mask.empty(shape)
        )
        return measure_segments_of(clean, segments, hidden, scene.crew, chosen)

    segmented = measure(nested, np.arange(len(segments)))
    good = ~_is_structure(nested, owner, segmented)
    if not good.all():
        again = np.unique(owner[~good])
        nested, owner = nested.select(good), owner[good]
        both = Segmented.concat([segmented, measure(nested, again)])
        which = np.arange(len(segments))
        which[again] = len(segments) + np.arange(len(again))
        segmented = both.select(which)
    return Arrangement(outside, compact, segments, number, nested, owner, segmented)


def _fitted_late(scene: Scene, lone: Bools) -> Measured:
    """Fits of islands that were too large for compact sources and lie in no segment: nothing found is lost."""
    n = len(scene.measured.islands)
    if not lone.any():
        return scene.measured.select(np.zeros(n, np.bool_))
    rest = scene.islands.select(np.append(np.flatnonzero(lone) + n, np.arange(n)))
    return measure_objects(
        scene.image, scene.noise, scene.finder, rest, int(lone.sum()), scene.area, scene.crew
    )


def _is_structure(nested: Measured, owner: Ints, segmented: Segmented) -> Bools:
    """
    Which of the islands on top of segments are structure of these: the middle of a galaxy, the hot spots of lobes.

    Such are those that are wider than a point and hold much of the flux of both, and several that do so together.
    """
    c, n = nested.components, len(nested.islands)
    island = c[:, row.ISLAND].astype(np.int64)
    ratio = np.sqrt(determinants(c[:, row.XX : row.YY + 1]) / determinants(nested.beams))
    wide = np.bincount(island, ratio > PEAK_AREA, minlength=n) > 0
    flux = np.bincount(island, c[:, row.FLUX], n)
    rest = segmented.fluxes.flux_int
    together, count = np.bincount(owner, flux, len(rest)), np.bincount(owner, minlength=len(rest))
    many = (count > 1) & (together > PEAK_SHARE * (together + rest))
    return np.asarray((wide & (flux > PEAK_SHARE * (flux + rest[owner]))) | many[owner])

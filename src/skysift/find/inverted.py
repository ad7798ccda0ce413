"""What a finder finds in a map upside down: islands, and segments by all rules that those of the map itself obey."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from skysift.base.parallel import Crew
from skysift.find.extended.fluxes import measure_segments_of
from skysift.find.extended.grow import grown
from skysift.find.extended.residual import LEFT, LEFT_SHARE, Residual, around
from skysift.find.extended.search import LEAST_FLUX, make_segmenters, smallest_area
from skysift.find.extended.segments import find_segments
from skysift.find.finder import IslandFinder
from skysift.find.finding import Finding
from skysift.match.merge import merge_fragments
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints
from skysift.sky.image import SkyImage
from skysift.sky.mask import Mask
from skysift.sky.tiling import NoisyTile, Tiling

__all__ = ["LARGE", "inverted_islands", "inverted_segments"]

LARGE = 4.0  # beams; negative islands larger than so are not taken off before negative segments are sought


def inverted_islands(finding: Finding, finder: IslandFinder[Any], crew: Crew) -> tuple[Detections, float]:
    """The islands of the inverted map that meet the area, and how many pixels of it hold data."""
    work = partial(_islands_in, finding, finder)
    parts = list(crew.map("inverted map", work, list(Tiling(Box.of(finding.image.shape), crew.tile))))
    found = merge_fragments([part for part, _ in parts], finder.reach)
    return found.select(found.meets(finding.area)), float(sum(n for _, n in parts))


def inverted_segments(
    finding: Finding, finder: IslandFinder[Any], negative: Detections, crew: Crew
) -> Detections:
    """
    Segments of the inverted map, beside what was found.

    Extended sources and what no model describes are blank; so is what lies around small negative islands, which no
    model describes either. Segments are as significant, as large and as far grown as those of the map, on scales of
    the same noise, and have as much flux.

    Parameters
    ----------
    negative
        The islands of the inverted map.
    """
    image, options = finding.image, finder.options
    islands, sources = finding.catalogue.islands, finding.catalogue.sources
    of_segment = np.isin(islands.ids, sources["island_id"][sources["structure"] == "E"])
    left = np.abs(islands["residual_peak"]) > np.maximum(LEFT, LEFT_SHARE * np.abs(islands["snr"]))
    blank = finding.mask.select(islands.ids[of_segment | left])
    small = negative.area <= LARGE * image.frame.beam_area_pixels(image.beam)
    points = around(negative.footprints, small, _radius(image), image.shape)
    hidden = _either(blank, points)
    residual = Residual(image, finding.noise, np.ascontiguousarray(finding.gaussians), hidden, -1)
    segmenters = make_segmenters(image, finding.noise, options, finding.facts.get("diffuse_emission") is True)
    told = finding.facts.get("scale_noise")
    factors = np.array(list(told.values()), np.float64) if isinstance(told, Mapping) else None
    if factors is not None and len(factors) != sum(len(one.scales) for one in segmenters):
        factors = None
    seed, grow, smallest = options.segment_seed, options.segment_grow, smallest_area(image, options)
    found, _ = find_segments(residual, segmenters, seed, grow, crew, factors, smallest)
    found = found.select(found.meets(finding.area) & (found.area >= smallest))
    if not len(found):
        return found
    blocked = negative.select(small)
    found = grown(residual, found, blocked.to_mask(image.shape), options.dilate, crew)
    fluxes = measure_segments_of(residual, found, blocked, crew, np.arange(len(found))).fluxes
    return found.select(~(fluxes.flux_int < LEAST_FLUX * fluxes.flux_int_err))


def _islands_in(finding: Finding, finder: IslandFinder[Any], box: Box) -> tuple[Detections, int]:
    """Fragments in a tile of the inverted map, and the pixels with data in its part of the area."""
    image = finding.image
    wide = box.expand(finder.halo).intersect(Box.of(image.shape)) if finder.halo else box
    tile = finding.noise.tile(image, wide)
    part = box.intersect(finding.area)
    inner = tile.data[part.y0 - wide.y0 : part.y1 - wide.y0, part.x0 - wide.x0 : part.x1 - wide.x0]
    n = int(np.isfinite(inner).sum()) if part.size else 0
    found = finder.detect(NoisyTile(wide, -tile.data, -tile.level, tile.rms, tile.whole))
    return found.select(found["sign"] > 0), n


def _radius(image: SkyImage) -> tuple[int, int]:
    """Rows and columns of half a beam (FWHM)."""
    half = int(np.ceil(0.5 * image.frame.beam_width_pixels(image.beam)))
    return half, half


def _either(a: Mask, b: Mask) -> Mask:
    """The pixels of two masks as one label."""
    runs = [np.concatenate([getattr(each, name) for each in (a, b)]) for name in ("row", "start", "stop")]
    flat = Footprints(runs[0], runs[1], runs[2], np.zeros(len(runs[0]), np.int64))
    return Mask(flat.row, flat.start, flat.stop, flat.index + 1, a.shape)

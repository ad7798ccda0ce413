"""How reliable each source is: what the inverted map shows beside it, and what stronger sources might cause there."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import ALONE, Crew
from skysift.find.beside import extended
from skysift.find.extended.runs import overlapping
from skysift.find.finder import IslandFinder
from skysift.find.finding import Finding
from skysift.find.inverted import LARGE, inverted_islands, inverted_segments
from skysift.find.selected import selected
from skysift.measure.reliability import (
    FARTHEST,
    Marks,
    false_islands,
    middle_pixels,
    reliabilities,
    second_moments,
    strongest,
)
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage

__all__ = ["rate_finding"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

STRONGEST = 1000  # sources that may spoil their surroundings
PIECES = 3.0  # segments that a hole counts for at most
LEAST_RATIO = 1.05  # signal to noise over the threshold, at least, for the size of a point


@dataclass(frozen=True, eq=False)
class _Detected:
    """
    Detections of one sign and kind.

    Attributes
    ----------
    x, y, snr, flux, area
        Place (pixel), signal to noise, the integrated one, area (beams).
    peak
        Signal to noise of the brightest pixel that it was found by, which may be another source's of the island.
    owner
        Row of the source that each is; -1 for negative ones.
    island
        Row of its island; -1 for negative ones.
    moments
        ``(n, 3)`` second moments (xx, xy, yy; pixels squared) of the pixels; 0 where unknown.
    """

    x: Floats
    y: Floats
    snr: Floats
    flux: Floats
    area: Floats
    peak: Floats
    owner: Ints
    island: Ints
    moments: Floats


def rate_finding(finding: Finding, finder: IslandFinder[Any], crew: Crew = ALONE) -> Finding:
    """
    The finding with a reliability for each of its sources.

    The map is searched once more, upside down. A source of negative flux has no reliability and stays.
    """
    options, image, noise = finder.options, finding.image, finding.noise
    sources = finding.catalogue.sources
    if not noise.mesh.valid and noise.rms_map is None:  # without noise nothing was found
        unrated = extended(finding.catalogue, {"sources": {"reliability": np.full(len(sources), np.nan)}})
        return replace(finding, catalogue=unrated)
    is_segment = sources["structure"] == "E"
    grow = float(options.grow)
    negative, n_pixels = inverted_islands(finding, finder, crew)
    segments = Detections.empty()
    if finder.segments:
        segments = inverted_segments(finding, finder, negative, crew)
        mask = segments.to_mask(image.shape)
        negative = negative.select(~overlapping(negative.footprints, len(negative), mask))
    causes = _causes(finding)
    scale = image.frame.beam_width_pixels(image.beam)
    result = np.full(len(sources), np.nan)
    seed = _seed(finder, negative, finding)
    correlation = noise.mesh.correlation
    facts: dict[str, object] = {}
    kinds = [("islands", ~is_segment & (sources["flux"] > 0.0), negative, 1.0, 1.0)]
    if finder.segments:
        kinds.append(("segments", is_segment, segments, float(options.smallest_area), PIECES))
    for name, rows, upside_down, share, most in kinds:
        mine = _of_sources(finding, np.flatnonzero(rows), grow)
        others = _of_objects(upside_down, image, grow, large=name == "segments")
        marks = [_marks(each, causes, scale, grow, point=name == "islands") for each in (mine, others)]
        least = float(options.segment_seed) if name == "segments" else seed
        rated, beyond = reliabilities(marks[0], marks[1], n_pixels / share, correlation, most)
        result[rows] = rated
        expected = false_islands(np.array([least]), n_pixels / share, correlation)
        facts[f"negative_{name}"] = len(upside_down)
        facts[f"negative_{name}_expected"] = float(expected[0])
        facts[f"negative_{name}_beyond_noise"] = float(beyond.sum())
    catalogue = extended(finding.catalogue, {"sources": {"reliability": result}})
    return replace(finding, catalogue=catalogue, facts={**finding.facts, "reliability": facts})


def without_unreliable(finding: Finding, level: float | None) -> Finding:
    """The finding without sources whose reliability is below a level; those without one stay. None leaves all."""
    low = finding.catalogue.sources["reliability"] < (0.0 if level is None else level)
    told = finding.facts.get("reliability")
    facts = {**(told if isinstance(told, Mapping) else {}), "sources_dropped": int(low.sum())}
    finding = replace(finding, facts={**finding.facts, "reliability": facts})
    return selected(finding, ~low) if low.any() else finding


def _seed(finder: IslandFinder[Any], negative: Detections, finding: Finding) -> float:
    """The threshold that islands were found with, or the faintest that there is."""
    told = finder.facts().get("seed")
    if isinstance(told, float):
        return told
    known = np.append(negative.scores, np.abs(finding.catalogue.islands["snr"]))
    return float(known.min(initial=np.inf)) if len(known) else float(finder.options.grow)


# -- what tells them apart


def _of_sources(finding: Finding, rows: Ints, grow: float) -> _Detected:
    """
    Sources of a catalogue as detections: each with its own place and brightness, and the pixels of its island.

    Those on top of extended ones have the area of their Gaussians.
    """
    sources, islands = finding.catalogue.sources, finding.catalogue.islands
    island = islands_of(finding)[rows]
    is_segment = sources["structure"][rows] == "E"
    area = np.maximum(np.nan_to_num(islands["n_beams"][island]), 1e-3)
    floor = grow * LEAST_RATIO
    snr = np.maximum(np.nan_to_num(np.abs(sources["snr"][rows])), floor)
    if "segment_snr" in sources:
        snr = np.where(is_segment, sources["segment_snr"][rows], snr)
    peak = np.where(is_segment, snr, np.maximum(np.nan_to_num(np.abs(islands["snr"][island])), floor))
    on_top = (
        sources["parent_id"][rows] > 0 if "parent_id" in sources else np.zeros(len(rows), np.bool_)
    )  # their island is that of what they lie on
    peak = np.where(on_top, np.maximum(snr, peak), peak)
    with np.errstate(divide="ignore", invalid="ignore"):
        wide = np.nan_to_num(np.abs(sources["flux_int"] / sources["flux_peak"])[rows], nan=1.0, posinf=1.0)
    area = np.where(on_top, np.maximum(wide, 0.1) * np.log(peak / grow), area)
    runs = finding.mask
    held = np.searchsorted(islands.ids, runs.label)
    moments = second_moments(runs.row, runs.start, runs.stop, held, len(islands))
    shared = area * np.minimum(snr / peak, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        summed = np.nan_to_num((sources["flux_int"] / sources["rms"])[rows], posinf=0.0)
    flux = np.where(is_segment, summed, _integrated(snr, shared, grow))
    middle = middle_pixels(runs.row, runs.start, runs.stop, held, len(islands))[island]
    x, y = (
        np.where(is_segment, middle[:, k], np.nan_to_num(sources[name][rows]))
        for k, name in enumerate(("x", "y"))
    )
    shape = np.where(on_top[:, None], 0.0, moments[island, 2:])
    return _Detected(x, y, snr, flux, area, peak, rows, island, shape)


def islands_of(finding: Finding) -> Ints:
    """``(source,)``: row of the island of each source, of the first of several."""
    catalogue = finding.catalogue
    sources, islands, components = catalogue.sources, catalogue.islands, catalogue.components
    result = np.zeros(len(sources), np.int64)
    order = np.argsort(sources.ids, kind="stable")
    rows = order[np.searchsorted(sources.ids, components["source_id"], sorter=order)]
    result[rows[::-1]] = np.searchsorted(islands.ids, components["island_id"])[::-1]
    if "island_id" in sources:
        mine = sources["island_id"] > 0
        result[mine] = np.searchsorted(islands.ids, sources["island_id"][mine])
    return result


def _of_objects(objects: Detections, image: SkyImage, grow: float, *, large: bool) -> _Detected:
    """
    Negative islands or segments as detections.

    What a large hole is strong by is its significance: around a giant it may hold as much flux, and the giant is its
    cause all the same.
    """
    n, prints = len(objects), objects.footprints
    moments = second_moments(prints.row, prints.start, prints.stop, prints.index, n)
    x, y = middle_pixels(prints.row, prints.start, prints.stop, prints.index, n).T
    area = objects.area / image.frame.beam_area_pixels(image.beam)
    snr = np.asarray(objects.scores, np.float64)
    flux = snr * np.sqrt(area) if large else _integrated(snr, area, grow)
    return _Detected(x, y, snr, flux, area, snr, np.full(n, -1), np.full(n, -1), moments[:, 2:])


def _integrated(snr: Floats, area: Floats, grow: float) -> Floats:
    """Integrated signal to noise (beams) of a Gaussian cut at `grow` from its peak and its area."""
    ratio = np.maximum(snr / grow, LEAST_RATIO)
    return np.asarray(area * (snr - snr / ratio) / np.log(ratio))


def _causes(finding: Finding) -> tuple[Floats, Ints]:
    """
    What may spoil its surroundings: place, integrated signal to noise, radius (beams); and whose each is.

    The strongest components belong to their sources, numbered from 0; large islands, as a whole, to themselves: -2
    and below.
    """
    image, catalogue = finding.image, finding.catalogue
    sources, components = catalogue.sources, catalogue.components
    beam = image.frame.beam_width_pixels(image.beam)
    order = np.argsort(sources.ids, kind="stable")
    of = order[np.searchsorted(sources.ids, components["source_id"], sorter=order)]
    with np.errstate(divide="ignore", invalid="ignore"):
        flux = np.nan_to_num(components["flux_int"] / components["rms"])
        radius = np.sqrt(np.nan_to_num(np.abs(components["flux_int"] / components["flux_peak"])) / np.pi)
    rows = np.stack([components["x"] / beam, components["y"] / beam, flux, np.maximum(radius, 0.5)], axis=1)
    strong = np.lexsort((np.arange(len(flux)), -flux))[:STRONGEST]
    more, owner = _spread(finding, beam)
    rows, of = np.concatenate([rows[strong], more]), np.concatenate([of[strong], owner])
    good = np.isfinite(rows).all(axis=1) & (rows[:, 2] > 0.0)
    return np.ascontiguousarray(rows[good]), of[good]


def _spread(finding: Finding, beam: float) -> tuple[Floats, Ints]:
    """Places about a beam apart on the strongest large islands, each with the flux of the whole."""
    islands, mask = finding.catalogue.islands, finding.mask
    with np.errstate(divide="ignore", invalid="ignore"):
        flux = np.nan_to_num(islands["flux_int"] / islands["rms"])
    large = islands["n_beams"] > LARGE
    chosen = np.lexsort((np.arange(len(flux)), -flux, ~large))[: min(STRONGEST, int(large.sum()))]
    number = np.full(len(islands), -1)
    number[chosen] = chosen
    step = max(1, round(beam))
    at = number[np.searchsorted(islands.ids, mask.label)]
    run = np.flatnonzero((mask.row % step == 0) & (at >= 0))
    run = run[np.argsort(at[run], kind="stable")]  # those of an island together
    n = (mask.stop[run] - mask.start[run] - 1) // step + 1
    run = np.repeat(run, n)
    nth = np.arange(len(run)) - np.repeat(np.cumsum(n) - n, n)
    x, y, island = mask.start[run] + nth * step, mask.row[run], at[run]
    radius = np.sqrt(islands["n_beams"][island] / np.pi)
    return np.stack([x / beam, y / beam, flux[island], radius], axis=1), -2 - island


def _marks(found: _Detected, causes: tuple[Floats, Ints], beam: float, grow: float, *, point: bool) -> Marks:
    """What tells detections from false ones."""
    n = len(found.x)
    caused = np.zeros((n, 3))
    if n and len(causes[0]):
        strongest(found.x / beam, found.y / beam, found.flux, found.owner, found.island, *causes, caused)
    with np.errstate(divide="ignore"):
        contrast = np.log10(found.snr) - np.log10(caused[:, 0])
    if point:
        size = np.log10(found.area / np.log(np.maximum(found.peak / grow, LEAST_RATIO)))
        alignment = np.where(contrast < FARTHEST, _alignment(found.moments, caused[:, 1], caused[:, 2]), 0.0)
    else:  # a hole around a giant and a piece of its rim are not alike in shape
        size, alignment = np.log10(found.area), np.zeros(n)
    return Marks(found.snr, found.peak, np.minimum(contrast, FARTHEST), found.area, size, alignment)


def _alignment(moments: Floats, dx: Floats, dy: Floats) -> Floats:
    """Elongation of shapes times the cosine of twice their angle to a direction: 1 along it, -1 across."""
    xx, xy, yy = moments.T
    mean, apart = xx + yy, dx * dx + dy * dy
    along = (xx - yy) * (dx * dx - dy * dy) + 4.0 * xy * dx * dy
    with np.errstate(divide="ignore", invalid="ignore"):
        value = along / (mean * apart)
    return np.asarray(np.nan_to_num(value, posinf=0.0, neginf=0.0))

"""`search` and `find`: tile, noise, detect, merge, resolve, measure, group: what all finders share."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import skysift
from skysift.base.cluster import Cluster
from skysift.base.errors import UsageError
from skysift.base.parallel import Crew, Executor, Kept, StageProgress
from skysift.base.provenance import Provenance
from skysift.base.registry import Registry
from skysift.find.area import area_of
from skysift.find.beams import as_seen
from skysift.find.beside import Beside, extended, refuse_unused
from skysift.find.extended.bounds import refuse_beyond
from skysift.find.extended.fluxes import Extended
from skysift.find.extended.search import found_nothing, search_extended
from skysift.find.finder import HISTOGRAM_STEP, Finder, IslandFinder, MapFinder
from skysift.find.finding import Finding
from skysift.find.joining import join_finding
from skysift.find.measuring import measure_objects, nothing
from skysift.find.noise import Noise, measure_noise
from skysift.find.options import FinderOptions
from skysift.find.reliability import rate_finding, without_unreliable
from skysift.find.selected import selected, sources_in
from skysift.match.merge import merge_fragments
from skysift.measure import island as row
from skysift.measure.characterise import characterise, counts
from skysift.measure.label import significance_histogram
from skysift.measure.measured import Measured
from skysift.measure.segment_columns import extended_columns
from skysift.measure.segment_rows import with_segments
from skysift.sky.box import Box, Region
from skysift.sky.catalogue import Catalogue
from skysift.sky.detections import Detections
from skysift.sky.flags import flag
from skysift.sky.image import SkyImage
from skysift.sky.lines import Lines
from skysift.sky.mask import Mask
from skysift.sky.tiling import Tiling

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HISTOGRAM_BINS = 4000


def find(
    image: SkyImage,
    finder: str | Finder[Any] = "classic",
    *,
    workers: int = 1,
    tile: int = 1024,
    region: Region | None = None,
    progress: StageProgress | None = None,
    beside: Sequence[Beside] = (),
    executor: str | Executor[Any, Any] | None = None,
    **options: Any,
) -> Catalogue:
    """
    The catalogue of a map; see `search`.

    Parameters
    ----------
    image
        The map.
    finder
        Name in the index, with ``options``, or a finder.
    workers, tile
        Threads, and the width of what each reads at once: the machine's affair, no number depends on it.
    region
        Part of the map to look at; noise is measured on the whole map.
    progress
        Called as ``progress(stage, done, total)``.
    beside
        Further maps on which the sources are measured.
    executor
        As for `search`.
    options
        Options of the finder, such as ``seed=4.5``.

    Raises
    ------
    UnknownName, OptionError
        Where the finder or one of its options does not exist, or a value is out of bounds.
    """
    name = ""
    if isinstance(finder, str):
        name, finder = finder, make_finder(finder, **options)
    elif options:
        raise UsageError(
            "a finder that is given has its own options",
            got=", ".join(options),
            todo="give the name of a finder instead",
        )
    return search(
        image,
        finder,
        name=name,
        workers=workers,
        tile=tile,
        region=region,
        progress=progress,
        beside=beside,
        executor=executor,
    ).catalogue


def make_finder(name: str, **options: Any) -> Finder[Any]:
    """A finder of the index with its options."""
    registry = Registry[type[Finder[Any]]]("finder")
    return registry.load(name)(registry.options(name)(**options))


def search(
    image: SkyImage,
    finder: Finder[Any],
    *,
    name: str = "",
    workers: int = 1,
    tile: int = 1024,
    region: Region | None = None,
    progress: StageProgress | None = None,
    executor: str | Executor[Any, Any] | None = None,
    kept: Kept | None = None,
    beside: Sequence[Beside] = (),
    signed: bool = False,
) -> Finding:
    """
    All that a finder finds in a map, with the noise and the labels it was found with.

    The result is the same, byte for byte, for any tile size from 64 up, any number of workers and any executor.

    Parameters
    ----------
    image, finder, name, region
        What is searched by what; the name stands in the provenance.
    workers, tile, progress, executor, kept
        The machine's affair; see `skysift.base.parallel.Crew`.
    beside
        Further maps on which the sources are measured.
    signed
        Whether the map is one of positive and negative sources, as Stokes V is; neither are noise then.

    Raises
    ------
    UsageError
        Where the tile is too small, a given background map or a further map does not fit, or a map in memory is
        to be searched by a cluster.
    OptionError
        Where an option of a finder of extended sources is more than the map holds.
    RegionError
        Where the region does not meet the map.
    """
    if isinstance(executor, Cluster) and image.origin is None:
        raise UsageError(
            "a cluster cannot search a map in memory: its workers read the file themselves",
            got=image.name,
            todo="write the map as FITS where all workers see it, or leave the scheduler out",
        )
    refuse_unused(finder.options, beside)
    if isinstance(finder, MapFinder):
        finder.prepare()
    image, beam_files = as_seen(image, finder.options)
    clock = _Clock()
    opened = []
    for one in beside:
        opened.append(one.open(image, finder.options))
        image = opened[-1].image
    if finder.segments:
        refuse_beyond(image, finder.options)  # as it is searched: with the beam of the widest
    whole = Box.of(image.shape)
    area = area_of(region, image.frame)
    crew = Crew(workers, tile, progress, executor, kept)
    noise = measure_noise(image, finder.options, crew, signed=signed)
    clock.lap("noise")
    notes = [note for one in (image, *noise.given) for note in one.notes]
    notes += () if noise.response is None else noise.response.notes
    rated, joined = finder.rated and not signed, finder.options.join and not signed
    by_itself = isinstance(finder, MapFinder)
    by_all = finder.segments or by_itself or rated or joined  # what lies outside decides with what is inside
    used, spines, segments = finder, Lines.empty(), np.empty(0, np.int64)
    found, seen, parts = None, None, None
    if not noise.mesh.valid and noise.rms_map is None:
        notes.append("the map is blank or constant: there is no noise, so nothing can be found")
        objects, measured = Detections.empty(), nothing()
        segmented = finder.segments or (isinstance(finder, MapFinder) and finder.segmented)
        parts = found_nothing().extended if segmented else None
    elif isinstance(finder, MapFinder):
        seen = finder.search(image, noise, crew)
        objects, measured, parts = seen.objects, seen.measured, seen.extended
        clock.lap("sources")
    elif isinstance(used := finder, IslandFinder):
        if used.wants_histogram:
            used = used.calibrate(_histogram(image, noise, whole, crew))
        objects = _detect(image, noise, used, whole, crew)
        clock.lap("islands")
        if used.segments:
            found = search_extended(image, noise, used, objects, area, crew)
            objects, measured, parts = found.objects, found.measured, found.extended
        else:
            objects, n_inside = (objects, len(objects)) if by_all else _inside_first(objects, area)
            measured = measure_objects(image, noise, used, objects, n_inside, area, crew)
            objects = objects.select(np.arange(n_inside))
        clock.lap("fits")
    provenance = Provenance(
        skysift.__version__,
        name or type(finder).__name__,
        finder.options.to_dict(),
        (*(one.input_record() for one in (image, *noise.given)), *beam_files, *(seen.inputs if seen else ())),
        tuple(notes),
    )
    error = _level_error(noise, image)
    catalogue = characterise(measured, image, error, finder.options, provenance, noise.response)
    if parts is not None:
        catalogue, spines = _with_extended(catalogue, parts, image, finder.options)
        segments = parts.island + 1
    if isinstance(finder, MapFinder):
        catalogue = extended(catalogue, seen.columns if seen else finder.columns())
    clock.lap("catalogue")
    facts: dict[str, object] = {
        **noise.mesh.facts,
        **({} if noise.response is None else noise.response.facts),
        "counts": dict(counts(catalogue)),
        **used.facts(),
        **({} if found is None else found.facts),
        **(seen.facts if seen else {}),
        "background": finder.options.background,
        "seconds": dict(clock.laps),
    }
    mask = objects.to_mask(image.shape) if len(objects) else Mask.empty(image.shape)
    rows = np.ascontiguousarray(measured.components[:, row.AMPLITUDE : row.YY + 1])
    searched = whole if by_all else area
    finding = Finding(
        image, catalogue, noise, mask, rows, searched, facts, tuple(notes), spines=spines, segments=segments
    )
    if rated and isinstance(used, IslandFinder):
        finding = rate_finding(finding, used, crew)
        clock.lap("reliability")
    if joined:
        finding = join_finding(finding, finder.options, crew)
        clock.lap("joins")
    if searched != area:
        finding = replace(selected(finding, sources_in(finding, area)), area=area)
    if rated:
        finding = without_unreliable(finding, finder.options.reliability)
    if used.segments and not used.compact:
        finding = _without_compact(finding)
    for one, maps in zip(beside, opened, strict=True):
        finding = maps.add(finding, finder.options, crew)
        clock.lap(one.name)
    return replace(finding, facts={**finding.facts, "seconds": dict(clock.laps)})


def measured_islands(image: SkyImage, noise: Noise, finder: IslandFinder[Any], crew: Crew) -> Measured:
    """The islands that a finder sees in a map whose noise is known, measured."""
    whole = Box.of(image.shape)
    if finder.wants_histogram:
        finder = finder.calibrate(_histogram(image, noise, whole, crew))
    objects = _detect(image, noise, finder, whole, crew)
    return measure_objects(image, noise, finder, objects, len(objects), whole, crew)


class _Clock:
    """Wall seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self.last
        self.last = now


def _histogram(image: SkyImage, noise: Noise, area: Box, crew: Crew) -> Ints:
    """Counts of the map's signal-to-noise, whole numbers, so that no order of tiles can show."""
    parts = list(crew.map("histogram", partial(_histogram_of, image, noise), list(Tiling(area, crew.tile))))
    return np.asarray(np.add.reduce(parts), np.int64)


def _histogram_of(image: SkyImage, noise: Noise, box: Box) -> Ints:
    tile = noise.tile(image, box)
    result = np.zeros(HISTOGRAM_BINS, np.int64)
    significance_histogram(tile.data, tile.level, tile.rms, HISTOGRAM_STEP, result)
    return result


def _detect(image: SkyImage, noise: Noise, finder: IslandFinder[Any], area: Box, crew: Crew) -> Detections:
    """Merged objects of an area."""
    work = partial(_detect_in, image, noise, finder)
    return merge_fragments(list(crew.map("islands", work, list(Tiling(area, crew.tile)))), finder.reach)


def _detect_in(image: SkyImage, noise: Noise, finder: IslandFinder[Any], box: Box) -> Detections:
    if not finder.halo:
        return finder.detect(noise.tile(image, box))
    return finder.detect(noise.tile(image, box.expand(finder.halo).intersect(Box.of(image.shape))))


def _without_compact(finding: Finding) -> Finding:
    """The finding with its extended sources and what lies on top of them."""
    sources = finding.catalogue.sources
    keep = (sources["structure"] == "E") | (sources["parent_id"] > 0)
    return finding if keep.all() else selected(finding, keep)


def _with_extended(
    catalogue: Catalogue, extended: Extended, image: SkyImage, options: FinderOptions
) -> tuple[Catalogue, Lines]:
    """The catalogue with the extended sources, and their spines by `source_id`."""
    fluxes, shapes = extended.segmented.fluxes, extended.segmented.shapes
    more = {**extended_columns(fluxes, shapes, image), "segment_snr": extended.score}
    whole = with_segments(catalogue, extended.island, fluxes, more, image, options)
    rows = np.flatnonzero(whole.sources["structure"] == "E")
    bowl = np.where(extended.segmented.in_bowl, flag("negative_bowl"), 0)
    marked = []  # of the segments alone: what lies on top of them is measured above the local level
    for table, those in ((whole.islands, extended.island), (whole.sources, rows)):
        flags = table["flags"].copy()
        flags[those] |= bowl
        marked.append(table.with_columns({"flags": flags}))
    whole = replace(whole, islands=marked[0], sources=marked[1])
    return whole, Lines.of(whole.sources["source_id"][rows], shapes.spines)


def _inside_first(objects: Detections, area: Box) -> tuple[Detections, int]:
    """The objects with those that have a pixel in the area first, in map order, and how many these are."""
    kept = objects.meets(area)
    if kept.all():
        return objects, len(objects)
    return objects.select(np.argsort(~kept, kind="stable")), int(kept.sum())


def _level_error(noise: Noise, image: SkyImage) -> float:
    """Error of the background level in units of the rms: that of a mean over the cells it was averaged over."""
    facts: Mapping[str, Any] = noise.mesh.facts
    if noise.level_map is not None or facts.get("level", "zero") == "zero":
        return 0.0
    pixels = float(facts["level_cells"]) ** 2 * float(facts["cell_pixels"]) ** 2
    whole = float(image.shape[0] * image.shape[1])
    return float(np.sqrt(float(facts["noise_area_pixels"]) / min(pixels, whole)))

"""`search` and `find`: tile, noise, detect, merge, resolve, measure, group: what all finders share."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import skysift
from skysift.base.compiled import announce_compilation
from skysift.base.parallel import map_tasks
from skysift.base.provenance import Provenance
from skysift.base.registry import Registry
from skysift.find.area import area_of
from skysift.find.finder import HISTOGRAM_STEP, Finder
from skysift.find.finding import Finding
from skysift.find.noise import Noise, measure_noise
from skysift.find.pieces import Segments, cut_giants, sampled_beams, share_reads
from skysift.match.group import group_components
from skysift.match.merge import merge_fragments
from skysift.measure import island as row
from skysift.measure.characterise import Measured, characterise, counts
from skysift.measure.fit import JOINT
from skysift.measure.island import measure_islands
from skysift.measure.label import mark_edges, significance_histogram
from skysift.sky.box import Box, Region
from skysift.sky.catalogue import Catalogue
from skysift.sky.detections import Detections
from skysift.sky.flags import flag
from skysift.sky.image import SkyImage
from skysift.sky.mask import Mask
from skysift.sky.tiling import Piece, Tiling

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Progress = Callable[[str, int, int], None]

HISTOGRAM_BINS = 4000


def find(
    image: SkyImage,
    finder: str | Finder[Any] = "classic",
    *,
    workers: int = 1,
    tile: int = 1024,
    region: Region | None = None,
    progress: Progress | None = None,
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
    return search(
        image, finder, name=name, workers=workers, tile=tile, region=region, progress=progress
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
    progress: Progress | None = None,
) -> Finding:
    """
    All that a finder finds in a map, with the noise and the labels it was found with.

    The result is the same, byte for byte, for any tile size from 64 up and any number of workers.

    Raises
    ------
    UsageError
        Where the tile is too small, or a given background map does not fit.
    RegionError
        Where the region does not meet the map.
    """
    announce_compilation()
    clock = _Clock()
    whole = Box.of(image.shape)
    area = area_of(region, image.frame)
    run = _Run(image, finder, workers, tile, progress)
    noise = measure_noise(image, finder.options, workers=workers, tile=tile, progress=progress)
    clock.lap("noise")
    notes = list(image.notes)
    if not noise.mesh.valid and noise.rms_map is None:
        notes.append("the map is blank or constant: there is no noise, so nothing can be found")
        objects, segments, measured = Detections.empty(), None, _nothing()
    else:
        if finder.wants_histogram:
            finder = finder.calibrate(run.histogram(noise, area))
            run = _Run(image, finder, workers, tile, progress)
        reach = _margin(image, finder)
        objects = run.detect(noise, area.expand(2 * reach).intersect(whole) if area != whole else whole)
        objects = _inside(objects, area)
        clock.lap("islands")
        mask = objects.to_mask(image.shape)
        segments = cut_giants(mask)
        measured = run.measure(noise, objects, segments, area, reach)
        clock.lap("fits")
    provenance = Provenance(
        skysift.__version__,
        name or type(finder).__name__,
        finder.options.to_dict(),
        (image.input_record(),),
        tuple(notes),
    )
    error = _level_error(noise, image)
    catalogue = characterise(measured, image, error, finder.options, provenance)
    clock.lap("catalogue")
    facts: dict[str, object] = {
        **noise.mesh.facts,
        "counts": dict(counts(catalogue)),
        "seed": float(getattr(finder.options, "seed", np.nan)),
        "background": finder.options.background,
        "seconds": dict(clock.laps),
    }
    mask = objects.to_mask(image.shape) if len(objects) else Mask.empty(image.shape)
    rows = np.ascontiguousarray(measured.components[:, row.AMPLITUDE : row.YY + 1])
    return Finding(image, catalogue, noise, mask, rows, area, facts, tuple(notes))


class _Clock:
    """Wall seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self.last
        self.last = now


@dataclass(frozen=True, eq=False)
class _Run:
    """One search: the image, the finder and the machine's affair."""

    image: SkyImage
    finder: Finder[Any]
    workers: int
    tile: int
    progress: Progress | None

    def _map(self, stage: str, function: Callable[[Any], Any], tasks: list[Any]) -> list[Any]:
        report = None if self.progress is None else partial(self.progress, stage)
        return list(map_tasks(function, tasks, workers=self.workers, progress=report))

    def histogram(self, noise: Noise, area: Box) -> Ints:
        """Counts of the map's signal-to-noise, whole numbers, so that no order of tiles can show."""
        parts = self._map("histogram", partial(_histogram, self.image, noise), list(Tiling(area, self.tile)))
        return np.asarray(np.add.reduce(parts), np.int64)

    def detect(self, noise: Noise, area: Box) -> Detections:
        """Merged objects of an area."""
        parts = self._map(
            "islands", partial(_detect, self.image, noise, self.finder), list(Tiling(area, self.tile))
        )
        return merge_fragments(parts, self.finder.reach)

    def measure(
        self, noise: Noise, objects: Detections, segments: Segments, area: Box, margin: int
    ) -> Measured:
        """Components of all objects, measured piece by piece and put in map order."""
        n = len(objects)
        if not n:
            return _nothing()
        boxes = segments.boxes
        centre_x, centre_y = 0.5 * (boxes[:, 2] + boxes[:, 3] - 1), 0.5 * (boxes[:, 0] + boxes[:, 1] - 1)
        beams = sampled_beams(self.image.frame.beam_covariance(self.image.beam, centre_x, centre_y))
        sign = objects["sign"][segments.owner]
        reads = share_reads(boxes, margin, self.image.shape)
        work = partial(_measure, self.image, noise, self.finder, segments, sign, beams)
        parts = self._map("fits", work, reads)
        return _assemble(parts, objects, segments, area, self.image, self.finder)


def _histogram(image: SkyImage, noise: Noise, box: Box) -> Ints:
    tile = noise.tile(image, box)
    result = np.zeros(HISTOGRAM_BINS, np.int64)
    significance_histogram(tile.data, tile.level, tile.rms, HISTOGRAM_STEP, result)
    return result


def _detect(image: SkyImage, noise: Noise, finder: Finder[Any], box: Box) -> Detections:
    if not finder.halo:
        return finder.detect(noise.tile(image, box))
    return finder.detect(noise.tile(image, box.expand(finder.halo).intersect(Box.of(image.shape))))


@dataclass(frozen=True, eq=False)
class _Part:
    """What one piece gave: rows of its members."""

    members: Ints
    components: Floats
    pairs: Floats
    islands: Floats
    blank: npt.NDArray[np.bool_]


def _measure(
    image: SkyImage,
    noise: Noise,
    finder: Finder[Any],
    segments: Segments,
    sign: Ints,
    beams: Floats,
    read: tuple[Box, Ints],
) -> _Part:
    """Resolve and measure the members of one read."""
    box, members = read
    options = finder.options
    tile = noise.tile(image, box)
    labels = np.ascontiguousarray(segments.mask.paint(box))
    touches = np.zeros(int(labels.max()) + 1, np.bool_)
    mark_edges(labels, tile.data, touches)
    piece = Piece(tile, labels, members + 1, segments.boxes[members], sign[members], beams[members])
    found = finder.resolve(piece)
    names = ("amplitude", "x", "y", "xx", "xy", "yy")
    seeds = np.stack([found[name] for name in names], axis=1) if len(found) else np.empty((0, 6))
    parts = []
    for one in np.unique(piece.sign).tolist():
        chosen = np.flatnonzero(piece.sign == one)
        mine = np.isin(found["member"], chosen)
        parts.append(
            _kernel(piece, chosen, seeds[mine], found["member"][mine], float(one), noise, options, segments)
        )
    return _join(parts, members, touches[members + 1])


def _kernel(
    piece: Piece,
    chosen: Ints,
    seeds: Floats,
    owner: Ints,
    sign: float,
    noise: Noise,
    options: Any,
    segments: Segments,
) -> tuple[Ints, Floats, Floats, Floats]:
    """Rows of the members of one sign."""
    tile, n = piece.tile, len(chosen)
    first = np.searchsorted(owner, np.append(chosen, np.iinfo(np.int64).max)).astype(np.int64)
    area = (
        2.0 * np.pi * np.sqrt(piece.beams[chosen, 0] * piece.beams[chosen, 2] - piece.beams[chosen, 1] ** 2)
    )
    pixels = segments.mask.area[piece.members[chosen] - 1]
    room = np.maximum(np.diff(first), 1) + 1 + (2.0 * pixels / np.maximum(area, 1.0)).astype(np.int64)
    limits = np.minimum(room, options.max_components)
    components = np.zeros((int(limits.sum()), row.N_COMPONENT))
    pairs = np.empty((int((limits * np.minimum(limits, JOINT)).sum()), 3))
    islands = np.zeros((n, row.N_ISLAND))
    lags, correlation = _lags(noise.mesh.correlation)
    n_components, n_pairs = measure_islands(
        tile.data, tile.level, tile.rms, piece.labels, tile.box.y0, tile.box.x0, piece.members[chosen],
        piece.boxes[chosen], sign, piece.beams[chosen], np.ascontiguousarray(seeds), first, limits, options.window,
        options.reseed, options.resolved_sigma, lags, correlation, components, pairs, islands,
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
        islands[:, row.I_FIRST] += total
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
    area: Box,
    image: SkyImage,
    finder: Finder[Any],
) -> Measured:
    """All rows in map order: components sorted by object, then by segment, then as fitted; segments summed."""
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
    islands = rows if len(rows) == len(objects) else _sum_segments(rows, segments.owner, len(objects))
    flags = _object_flags(objects, segments, blank, area, image)
    first = np.searchsorted(components[:, row.ISLAND], np.arange(len(objects) + 1)).astype(np.int64)
    source = np.zeros(len(components), np.int64)
    positive = np.ascontiguousarray(components[:, :6])
    positive[:, 0] = np.abs(positive[:, 0])
    options = finder.options
    dip = options.group_tolerance * getattr(options, "grow", 3.0)
    group_components(
        positive,
        np.ascontiguousarray(components[:, row.RMS]),
        first,
        dip,
        max(1.0, options.group_tolerance),
        source,
    )
    return Measured(components, pairs, islands, objects.boxes, flags, source)


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
    boxes, (ny, nx) = objects.boxes, image.shape
    flags = np.zeros(len(objects), np.int64)
    edge = (boxes[:, 0] == 0) | (boxes[:, 2] == 0) | (boxes[:, 1] == ny) | (boxes[:, 3] == nx)
    cut = (
        (boxes[:, 0] < area.y0) | (boxes[:, 2] < area.x0) | (boxes[:, 1] > area.y1) | (boxes[:, 3] > area.x1)
    )
    touching = np.zeros(len(objects), np.bool_)
    np.logical_or.at(touching, segments.owner, blank)
    pieces = np.bincount(segments.owner, minlength=len(objects))
    _, narrow = image.frame.beam_pixels(image.beam)
    for name, where in (
        ("edge", edge), ("region_cut", cut), ("blank", touching), ("giant", pieces > 1),
        ("negative", objects["sign"] < 0),
        ("undersampled", np.full(len(objects), narrow < 2.0)),
    ):  # fmt: skip
        flags |= np.where(where, flag(name), 0)
    return flags


def _inside(objects: Detections, area: Box) -> Detections:
    """The objects that have a pixel in the area."""
    prints = objects.footprints
    meets = (
        (prints.row >= area.y0) & (prints.row < area.y1) & (prints.start < area.x1) & (prints.stop > area.x0)
    )
    kept = np.zeros(len(objects), np.bool_)
    kept[prints.index[meets]] = True
    return objects if kept.all() else objects.select(kept)


def _margin(image: SkyImage, finder: Finder[Any]) -> int:
    """Pixels around an object that its fit may look at."""
    major, _ = image.frame.beam_pixels(image.beam)
    return int(np.ceil(finder.options.window * major)) + 2


def _lags(correlation: Floats) -> tuple[Ints, Floats]:
    """Offsets (dy, dx) where the noise is correlated, and by how much."""
    n_y, n_x = correlation.shape[0] // 2, correlation.shape[1] // 2
    y, x = np.nonzero(np.abs(correlation) > 1e-3)
    return np.stack([y - n_y, x - n_x], axis=1).astype(np.int64), np.ascontiguousarray(correlation[y, x])


def _level_error(noise: Noise, image: SkyImage) -> float:
    """Error of the background level in units of the rms: that of a mesh cell's mean over three by three cells."""
    facts: Mapping[str, Any] = noise.mesh.facts
    if not facts or facts.get("level") == "zero":
        return 0.0
    cells = 9.0 * float(facts["cell_pixels"]) ** 2
    return float(
        np.sqrt(float(facts["noise_area_pixels"]) / min(cells, float(image.shape[0] * image.shape[1])))
    )


def _nothing() -> Measured:
    return Measured(
        np.empty((0, row.N_COMPONENT)), np.empty((0, 3)), np.empty((0, row.N_ISLAND)), np.empty((0, 4), np.int64),
        np.empty(0, np.int64), np.empty(0, np.int64),
    )  # fmt: skip

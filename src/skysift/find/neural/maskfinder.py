"""`MaskFinder`: objects by their masks; compact ones are fitted jointly, extended ones are measured as segments.

A pixel belongs to one object in the end, but the flux of an extended one goes on below the compact ones on top of it: it
is summed there as well once these, measured above the local background, are taken off. Nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import DataError
from skysift.base.parallel import Crew
from skysift.base.provenance import InputRecord
from skysift.find.extended.fluxes import measure_segments_of
from skysift.find.extended.nested import RaisedNoise, ring_of
from skysift.find.extended.residual import Residual, around
from skysift.find.extended.runs import boxes_of
from skysift.find.extended.search import LEAST_FLUX, joined, too_large
from skysift.find.finder import Searched
from skysift.find.measuring import nothing
from skysift.find.neural.calibration import Calibration, limits_of
from skysift.find.neural.eye import Eye, eye_of
from skysift.find.neural.finder import NeuralFinder
from skysift.find.neural.labelled import significance
from skysift.find.neural.levels import Level, levels_of, nothing_seen, objects_in, windows_on
from skysift.find.neural.masks import MaskDetector
from skysift.find.neural.measuring import FOOTPRINT_STEP, in_map_order, measure_standing_out, summed
from skysift.find.neural.options import MaskOptions
from skysift.find.neural.overlaps import lying_on, mended, without_double_masks
from skysift.find.neural.shapes import beam_of, beam_width
from skysift.find.neural.windows import windows_of
from skysift.find.noise import Noise
from skysift.learn.checkpoint import Checkpoint
from skysift.measure import island as island_row
from skysift.measure.ellipse import FWHM
from skysift.measure.measured import Measured
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints
from skysift.sky.image import SkyImage
from skysift.sky.mask import Mask
from skysift.sky.runs import paint_runs
from skysift.sky.schema import TableName
from skysift.sky.truth import CLASSES

__all__ = ["MaskFinder"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EXTENDED = (CLASSES.index("extended"), CLASSES.index("extended-multisland"))
_NUMBERS = ("class_score", "score")


class MaskFinder(NeuralFinder[MaskOptions]):
    """A finder whose network tells the pixels of objects; `models` are `MaskDetector`s."""

    segmented = True

    def search(self, image: SkyImage, noise: Noise, crew: Crew) -> Searched:
        """All objects of a map: found through windows on several levels, the best of doubles kept, measured."""
        eye = self.eye()
        calibration = Calibration.of(eye.weights.card.settings)
        limits, least = self.limits(eye.weights), self.threshold(eye.weights)
        detector = eye.detector
        if not isinstance(detector, MaskDetector):
            raise DataError("the model of the weights tells no masks", got=eye.weights.card.model)
        found = self._seen(image, noise, detector, eye, calibration.raw_of(float(limits.min())), crew)
        found = Detections(found.boxes, calibration.scores(found.scores), found.footprints, found.raw)
        found = found.select(found.scores >= limits[found["class"].astype(np.int64)])
        objects, sums = owned(found, image, noise, crew)
        wide = is_extended(objects, image, self.options.grow)
        small, compact = self._compact(objects, sums, wide, image, noise, crew)
        segments = objects.select(np.flatnonzero(wide))
        on = lying_on(objects.select(np.flatnonzero(~wide)), segments, image.shape)
        whole = _with(segments, objects.select(np.flatnonzero(~wide)), on)
        gaussians = np.ascontiguousarray(compact.components[:, island_row.AMPLITUDE : island_row.YY + 1])
        residual = Residual(image, noise, gaussians, Mask.empty(image.shape))
        hidden = objects.select(small)
        segmented = measure_segments_of(residual, whole, hidden, crew, np.arange(len(segments)))
        strength = segmented.fluxes.flux_int / segmented.fluxes.flux_int_err
        good = np.flatnonzero(strength >= LEAST_FLUX)
        lasting = Detections(segments.boxes[good], strength[good], segments.footprints.select(good))
        nested = np.empty(0, np.int64)
        together = joined(
            image, [compact, nothing(), nothing()], nested, _plain(hidden), lasting, segmented.select(good), image.box, {}
        )  # fmt: skip
        kept = np.sort(np.concatenate([small, np.flatnonzero(wide)[good]]))
        rows = objects.select(kept)
        size = eye.weights.path.stat().st_size
        record = InputRecord(eye.weights.path.name, eye.weights.checksum, size=size)
        facts: dict[str, object] = {
            "weights": eye.weights.card.name,
            "threshold": least,
            "class_thresholds": dict(zip(CLASSES, limits.tolist(), strict=True)),
            "segments": len(good),
            "dropped_when_measured": len(found) - len(kept),
        }
        if "calibrated_on" in eye.weights.card.settings:
            facts["calibrated_on"] = eye.weights.card.settings["calibrated_on"]
        names = np.array(CLASSES)[rows["class"].astype(np.int64)] if len(rows) else np.empty(0, np.str_)
        told: dict[str, NDArray[Any]] = {
            "class": names, "class_score": rows["class_score"], "score": rows.scores,
        }  # fmt: skip
        signed = {"sign": np.ones(len(rows), np.int64)}
        everything = Detections(rows.boxes, rows.scores, rows.footprints, signed)
        return Searched(
            everything, together.measured, {"sources": told}, (record,), facts, extended=together.extended
        )

    def limits(self, weights: Checkpoint) -> Floats:
        """The score of each class below which objects are left out: of the options, or of the weights."""
        if self.options.threshold is not None:
            return np.full(len(CLASSES), self.options.threshold)
        return limits_of(weights.card, self.options.setting)

    def columns(self) -> Mapping[TableName, Mapping[str, NDArray[Any]]]:
        """What the network says of no source."""
        none = np.empty(0)
        return {"sources": {**dict.fromkeys(_NUMBERS, none), "class": np.empty(0, np.str_)}}

    def _seen(
        self, image: SkyImage, noise: Noise, detector: MaskDetector, eye: Eye, least: float, crew: Crew
    ) -> Detections:
        """Objects of all levels of the classes that are asked for, each once, the best first."""
        levels = levels_of(self.options.levels, detector.margin, noise.mesh.correlation, image.shape)
        tasks = [
            (level, core) for level in levels for core in windows_on(level, image.shape, detector.margin)
        ]
        look = partial(_look, image, noise, self.options, eye.weights.checksum, beam_of(image), least)
        parts = [each for each in crew.map("sources", look, tasks) if len(each)]
        found = mended(Detections.concat(parts) if parts else nothing_seen(detector))
        wanted = np.isin(found["class"], [CLASSES.index(name) for name in self.options.classes])
        return without_double_masks(found, wanted)

    def _compact(
        self, objects: Detections, sums: Floats, wide: Bools, image: SkyImage, noise: Noise, crew: Crew
    ) -> tuple[Ints, Measured]:
        """Numbers of the compact objects that stand out, and their fits; on extended ones, above these."""
        chosen = np.flatnonzero(~wide)
        if not chosen.size:
            return chosen, nothing()
        if wide.any():
            ring = ring_of(image)
            radius = (int(np.abs(ring[:, 0]).max()), int(np.abs(ring[:, 1]).max()))
            hull = around(objects.footprints, wide, radius, image.shape)
            noise = RaisedNoise(
                noise.mesh, noise.level_map, noise.rms_map, noise.response, hull, np.ascontiguousarray(ring)
            )
        points = _as_points(objects.select(chosen), chosen, image)
        lasting, measured = measure_standing_out(
            points, lambda those: (those, sums[those["number"]]), image, noise, self.options, crew
        )
        return lasting["number"], measured


def _look(
    image: SkyImage,
    noise: Noise,
    options: MaskOptions,
    checksum: str,
    beam: Floats,
    least: float,
    task: tuple[Level, Box],
) -> Detections:
    """The objects in the core of one window of a level."""
    level, core = task
    eye = eye_of(options, checksum)
    assert isinstance(eye.detector, MaskDetector)
    read = partial(significance, image, noise)
    return objects_in(core, level, eye.detector, eye.run, read, image.shape, beam, least)


def is_extended(objects: Detections, image: SkyImage, grow: float) -> Bools:
    """Which objects are measured as segments: those of an extended class, and others much larger than points."""
    area = image.frame.beam_area_pixels(image.beam)
    bright = Detections(objects.boxes, np.maximum(objects["snr"], grow), objects.footprints)
    compact = objects["class"] == CLASSES.index("compact")
    return np.asarray(np.isin(objects["class"], EXTENDED) | (too_large(bright, area, grow) & ~compact))


def owned(found: Detections, image: SkyImage, noise: Noise, crew: Crew) -> tuple[Detections, Floats]:
    """
    The objects that have a pixel of their own, in map order, with sums over their pixels; no two share one.

    A pixel that several claim is that of the smallest; of objects of one area that which comes first in `found`.
    """
    prints = found.footprints
    rank = np.empty(len(found), np.int64)
    rank[np.lexsort((np.arange(len(found)), found.area))[::-1]] = np.arange(len(found))
    order = np.argsort(prints.row, kind="stable")
    row, start, stop, index = (each[order] for each in (prints.row, prints.start, prints.stop, prints.index))
    tasks = []
    for core in windows_of(image.box, FOOTPRINT_STEP):
        box = core.intersect(image.box)
        first, last = np.searchsorted(row, (box.y0, box.y1))
        runs = first + np.flatnonzero((start[first:last] < box.x1) & (stop[first:last] > box.x0))
        if runs.size:
            runs = runs[np.argsort(rank[index[runs]], kind="stable")]
            tasks.append((box, row[runs], start[runs], stop[runs], index[runs]))
    return in_map_order(found, list(crew.map("footprints", partial(_paint, image, noise), tasks)))


def _paint(
    image: SkyImage, noise: Noise, task: tuple[Box, Ints, Ints, Ints, Ints]
) -> tuple[Footprints, Ints, Floats]:
    """Footprints in one part, the objects that have a pixel there, and sums over these."""
    box, line, start, stop, index = task
    tile = noise.tile(image, box)
    value = tile.data.astype(np.float64) - tile.level
    rows, number = np.unique(index, return_inverse=True)
    owner = np.zeros(box.shape, np.int32)
    paint_runs(line, start, stop, number.ravel() + 1, box.y0, box.x0, owner)
    owner[~np.isfinite(value)] = 0
    return summed(owner, value, box, rows)


def _as_points(objects: Detections, number: Ints, image: SkyImage) -> Detections:
    """The objects with their numbers and what a fit begins from: points, known as well as their peaks stand out."""
    n = len(objects)
    none = np.zeros(n)
    width = beam_width(beam_of(image)) / FWHM
    raw = {
        **objects.raw, "major": none, "minor": none, "cos": np.ones(n), "sin": none, "major_err": none,
        "minor_err": none, "x_err": width / np.maximum(objects["snr"], 1.0), "number": number,
    }  # fmt: skip
    return Detections(objects.boxes, objects.scores, objects.footprints, raw)


def _with(segments: Detections, others: Detections, on: Ints) -> Detections:
    """Segments with the pixels of what lies on them, `on` is which: what they are summed over, once that is taken off."""
    own, more = segments.footprints, others.footprints
    index = on[more.index]
    some = index >= 0
    prints = Footprints(
        np.concatenate([own.row, more.row[some]]),
        np.concatenate([own.start, more.start[some]]),
        np.concatenate([own.stop, more.stop[some]]),
        np.concatenate([own.index, index[some]]),
    )
    return Detections(boxes_of(prints, len(segments), segments.boxes), segments.scores, prints)


def _plain(objects: Detections) -> Detections:
    return Detections(objects.boxes, objects.scores, objects.footprints)

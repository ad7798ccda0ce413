"""`NeuralFinder`: a network looks at windows of the map; what it finds is measured like everything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import DataError
from skysift.base.parallel import Crew
from skysift.base.provenance import InputRecord
from skysift.find.extended.coarse import block_noise
from skysift.find.finder import MapFinder, Searched
from skysift.find.neural.calibration import Calibration, threshold_of
from skysift.find.neural.detector import Detector
from skysift.find.neural.eye import Eye, eye_of
from skysift.find.neural.found import without_doubles
from skysift.find.neural.labelled import rms_at, significance
from skysift.find.neural.measuring import measure_standing_out, with_footprints
from skysift.find.neural.options import EyeOptions, NeuralOptions
from skysift.find.neural.shapes import beam_of, intrinsic
from skysift.find.neural.upside_down import reliabilities_of
from skysift.find.neural.wide import FACTOR, not_too_wide, wide_in, wide_windows
from skysift.find.neural.windows import WINDOW, found_in, windows_of
from skysift.find.noise import Noise
from skysift.learn.checkpoint import Checkpoint
from skysift.measure.ellipse import shape_transform
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage
from skysift.sky.schema import TableName
from skysift.sky.shapes import axes_of
from skysift.sky.truth import CLASSES

__all__ = ["Found", "NeuralFinder", "look_in", "seen_on"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

UPSIDE_DOWN = "sources, upside down too"
"""The stage of a run in which both are looked for."""

N = TypeVar("N", bound=NeuralOptions)


@dataclass(frozen=True, eq=False)
class Found:
    """
    What a learned finder found, before it is measured.

    Attributes
    ----------
    detections
        Without doubles; the score is the probability that each is true, as far as that is known.
    inputs
        The weights, and what else was read.
    facts
        What was decided, JSON-safe.
    turned
        Likewise of the map upside down; none where that was not looked at.
    """

    detections: Detections
    inputs: tuple[InputRecord, ...]
    facts: Mapping[str, object]
    turned: Detections | None = None


class NeuralFinder(MapFinder[N]):
    """A finder whose eye is a network; `models` says which networks it can look through."""

    models: ClassVar[Mapping[str, Callable[[Mapping[str, Any]], Detector]]] = {}

    @property
    def rated(self) -> bool:
        """Whether each source gets a reliability, for which the map is looked at upside down as well."""
        return self.options.reliability is not None

    def prepare(self) -> None:
        """Refuse weights, a device, an engine or a setting that cannot be had, before the map is read."""
        self.threshold(self.eye().weights)

    def search(self, image: SkyImage, noise: Noise, crew: Crew) -> Searched:
        """All sources of a map: found through windows, the best of doubles kept, measured."""
        seen = self.found(image, noise, crew, turned=self.rated)
        found = self._wanted(seen.detections)
        facts = {**seen.facts}
        if seen.turned is not None:
            negative = self._wanted(seen.turned)
            width = image.frame.beam_width_pixels(image.beam)
            raw = {**found.raw, "reliability": reliabilities_of(found, negative, width)}
            found = Detections(found.boxes, found.scores, found.footprints, raw)
            facts["reliability"] = {"negative_sources": len(negative)}
        pixels = partial(with_footprints, image=image, noise=noise, grow=self.options.grow, crew=crew)
        objects, measured = measure_standing_out(found, pixels, image, noise, self.options, crew)
        facts["dropped_when_measured"] = len(found) - len(objects)
        return Searched(objects, measured, self._told(objects, image, noise), seen.inputs, facts)

    def _wanted(self, found: Detections) -> Detections:
        """Those of the classes that are asked for."""
        return found.select(np.isin(found["class"], [CLASSES.index(name) for name in self.options.classes]))

    def found(self, image: SkyImage, noise: Noise, crew: Crew, *, turned: bool = False) -> Found:
        """All detections that score the threshold or more, whatever their class; if asked those upside down, too."""
        eye = self.eye()
        weights = eye.weights
        flips = self.flips(weights)
        least, calibration = self.threshold(weights), Calibration.of(weights.card.settings)
        looks = seen_on(
            image, noise, self.options, eye, calibration.raw_of(least), flips, crew, turned=turned
        )
        found, *below = [
            Detections(each.boxes, calibration.scores(each.scores), each.footprints, each.raw)
            for each in looks
        ]
        size = weights.path.stat().st_size
        record = InputRecord(weights.path.name, weights.checksum, size=size)
        facts: dict[str, object] = {
            "weights": weights.card.name,
            "threshold": least,
            "flips": flips,
        }
        if "calibrated_on" in weights.card.settings:
            facts["calibrated_on"] = weights.card.settings["calibrated_on"]
        return Found(found, (record,), facts, below[0] if below else None)

    def eye(self) -> Eye:
        """What the finder looks through.

        Raises
        ------
        DataError
            The weights are of a model that it does not know.
        """
        eye = eye_of(self.options)
        weights = eye.weights
        if weights.card.model not in self.models:
            raise DataError(
                f"{weights.path.name} is of another kind of model than this finder looks through",
                got=weights.card.model,
                allowed=list(self.models),
                todo="`skysift models` lists weights with their models",
            )
        return eye

    def flips(self, weights: Checkpoint) -> int:
        """How many orientations of the map the network looks at."""
        return 1

    def threshold(self, weights: Checkpoint) -> float:
        """The score below which sources are left out."""
        if self.options.threshold is not None:
            return self.options.threshold
        return threshold_of(weights.card, self.options.setting)

    def columns(self) -> Mapping[TableName, Mapping[str, NDArray[Any]]]:
        """What the network says of no source."""
        none = np.empty(0)
        names = (*_NUMBERS, "reliability") if self.rated else _NUMBERS
        return {"sources": {**dict.fromkeys(names, none), "class": np.empty(0, np.str_)}}

    def _told(
        self, objects: Detections, image: SkyImage, noise: Noise
    ) -> Mapping[TableName, Mapping[str, NDArray[Any]]]:
        """What the network says of each source, in sky units."""
        n = len(objects)
        if not n:
            return self.columns()
        x, y = objects["x"], objects["y"]
        tangent = image.frame.tangent(x, y)
        to_sky = shape_transform(tangent)
        major, minor, pa = axes_of(np.einsum("nij,nj->ni", to_sky, intrinsic(objects)))
        rms = rms_at(image, noise, objects["x"], objects["y"])
        flux = objects["snr"] * rms
        kinds = np.array(CLASSES)
        return {
            "sources": {
                "class": kinds[objects["class"].astype(np.int64)],
                "class_score": objects["class_score"],
                "score": objects.scores,
                "flux_net": flux,
                "flux_net_err": flux * objects["snr_err"],
                "major_net": major,
                "major_net_err": major * objects["major_err"],
                "minor_net": minor,
                "minor_net_err": minor * objects["minor_err"],
                "pa_net": pa,
                "pa_net_err": np.degrees(objects["pa_err"]),
                "core_fraction": objects["core"],
                **({"reliability": objects["reliability"]} if self.rated else {}),
            }
        }


_NUMBERS = (
    "class_score", "score", "flux_net", "flux_net_err", "major_net", "major_net_err", "minor_net", "minor_net_err",
    "pa_net", "pa_net_err", "core_fraction",
)  # fmt: skip


def seen_on(
    image: SkyImage,
    noise: Noise,
    options: EyeOptions,
    eye: Eye,
    least: float,
    flips: int,
    crew: Crew,
    *,
    turned: bool = False,
) -> list[Detections]:
    """
    All that a network finds on a map, the best of doubles alone, in windows of the map and of the binned one.

    Parameters
    ----------
    image, noise
        The map.
    options, eye
        What it is looked through, and how.
    least
        Score of the network below which nothing is told.
    flips
        How many orientations are looked at.
    crew
        Who looks.
    turned
        Whether the map is looked at upside down as well: what is found there comes second.
    """
    beam, step = beam_of(image), WINDOW - 2 * eye.detector.margin
    quiet = block_noise(noise.mesh.correlation, FACTOR)[0] if eye.detector.wide else 1.0
    signs = (1, -1) if turned else (1,)
    look = partial(look_in, image, noise, options, eye.weights.checksum, beam, least, flips, quiet, signs)
    windows = [(core, False) for core in windows_of(image.box, step)]
    windows += [(core, True) for core in wide_windows(image.box, eye.detector)]
    looks = zip(*crew.map(UPSIDE_DOWN if turned else "sources", look, windows), strict=True)
    return [without_doubles(eye.detector.single(Detections.concat(parts), beam)) for parts in looks]


def look_in(
    image: SkyImage,
    noise: Noise,
    options: EyeOptions,
    checksum: str,
    beam: Floats,
    least: float,
    flips: int,
    quiet: float,
    signs: tuple[int, ...],
    window: tuple[Box, bool],
) -> tuple[Detections, ...]:
    """
    What is found in the core of one window, and whether it is one of the binned map, with the noise of whose bins.

    Once for each of the signs by which the map is multiplied; its pixels are read once.
    """
    core, wide = window
    eye = eye_of(options, checksum)
    once = cache(partial(significance, image, noise))
    found = []
    for sign in signs:
        read = once if sign > 0 else partial(_turned, once)
        if wide:
            some = wide_in(core, eye.detector, eye.run, read, image.shape, beam, least, flips, quiet)
        else:
            some = found_in(core, eye.detector, eye.run, read, image.shape, beam, least, flips)
            some = not_too_wide(some, eye.detector, beam)
        found.append(some)
    return tuple(found)


def _turned(read: Callable[[Box], Pixels], box: Box) -> Pixels:
    """The pixels of a box of the map upside down."""
    return -read(box)

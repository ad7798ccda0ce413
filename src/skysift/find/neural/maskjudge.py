"""How good masks are on fields with known objects: completeness and reliability of each class, average precision."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skysift.find.neural.levels import (
    Level,
    binned,
    levels_of,
    nothing_seen,
    objects_in,
    quiet_of,
    windows_on,
)
from skysift.find.neural.masks import MaskDetector
from skysift.find.neural.overlaps import mended, without_double_masks
from skysift.find.neural.pairing import Matched, mask_ap50, matched_in, on_map, true_in
from skysift.learn.fields import Field
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES

__all__ = ["LEAST", "judged_masks", "objects_of_field"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Pixels = NDArray[np.float32]

LEAST = 0.3
LEVELS = (1, 2, 4)
THRESHOLDS = np.arange(0.3, 0.96, 0.025)
SHORT = ("spurious", "compact", "extended", "multi", "flagged")
_THREADS = 8  # that prepare windows for a GPU, and make objects of its answers


def objects_of_field(
    detector: MaskDetector,
    net: nn.Module,
    field: Field,
    device: torch.device,
    least: float,
    threads: int | None = None,
) -> Detections:
    """
    The objects that a network finds in the part of a field that is kept, without doubles, in pixels of the field.

    Windows are looked at by so many threads; None for several where a GPU waits for them, else one.
    """
    area = field.held or Box.of(field.shape)
    beam = np.array(field.beam)

    def run(inputs: dict[str, Pixels]) -> Pixels:
        given = [torch.from_numpy(each).to(device) for each in inputs.values()]
        with torch.no_grad():
            return np.asarray(net(*given).float().cpu().numpy())

    def read(box: Box) -> Pixels:
        return np.array(field.pixels[box.slices()], np.float32)

    def seen(task: tuple[Level, Box]) -> Detections:
        level, core = task
        return objects_in(core, level, detector, run, read, field.shape, beam, least)

    tasks = []
    for level in _levels(detector, field):
        for core in windows_on(level, field.shape, detector.margin):
            wide = Box(*(level.factor * each for each in (core.y0, core.y1, core.x0, core.x1)))
            if wide.intersect(area).size:
                tasks.append((level, core))
    n_threads = threads or (_THREADS if device.type == "cuda" else 1)
    with ThreadPoolExecutor(n_threads) as pool:
        parts = list(pool.map(seen, tasks) if n_threads > 1 else map(seen, tasks))
    found = without_double_masks(mended(Detections.concat(parts or [nothing_seen(detector)])))
    return found.select(area.contains(*on_map(found["x"], found["y"], field.shape)))


def _levels(detector: MaskDetector, field: Field) -> list[Level]:
    """The levels for a field; the noise of means is that of the negative ones, as in training."""
    pixels = np.array(field.pixels, np.float32)
    return [
        replace(each, quiet=quiet_of(binned(pixels, each.factor), each.factor))
        for each in levels_of(LEVELS, detector.margin, np.ones((1, 1)), field.shape)
    ]


def judged_masks(
    detector: MaskDetector, net: nn.Module, fields: Sequence[Field], device: torch.device
) -> dict[str, float]:
    """
    Numbers of a network on the parts of fields that are kept for validation, at the threshold with the best score.

    Objects are matched by the rule of `skysift.find.neural.pairing`. ``score`` is the mean over the classes that there
    are of the harmonic mean of completeness and reliability; ``ap50`` is that of the masks.
    """
    held = [field for field in fields if field.held is not None]
    found = [objects_of_field(detector, net, field, device, LEAST) for field in held]
    whole = Matched.concat([matched_in(each, field) for each, field in zip(found, held, strict=True)])
    best: dict[str, float] = {"score": -np.inf}
    for threshold in THRESHOLDS.tolist():
        counts = whole.counts(threshold)
        there = {short: counts[name] for short, name in zip(SHORT, CLASSES, strict=True) if counts[name].true}
        value = float(np.mean([each.f1 for each in there.values()])) if there else 0.0
        if value > best["score"]:
            best = {"score": value, "threshold": threshold}
            for short, each in there.items():
                best[f"completeness_{short}"] = each.completeness
                best[f"reliability_{short}"] = float(np.nan_to_num(each.reliability))
    known = [
        each for each in mask_ap50(list(zip(found, map(true_in, held), strict=True))).values() if each == each
    ]
    return {**best, "ap50": float(np.mean(known)) if known else float("nan")}

"""How good masks are on fields with known objects: completeness and reliability of each class, average precision."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

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
from skysift.find.neural.overlaps import mended, near_pairs, shared_pixels, without_double_masks
from skysift.find.neural.shapes import beam_width
from skysift.learn.fields import Field
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES

__all__ = [
    "LEAST", "Agreement", "Compared", "agreement", "average_precision", "compared", "judged_masks", "objects_of_field",
]  # fmt: skip

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Pixels = NDArray[np.float32]

LEAST = 0.3
LEVELS = (1, 2, 4)
BRIGHT = 7.0  # sigma; fainter true objects need not be found, but may be
THRESHOLDS = np.arange(0.5, 0.96, 0.025)
OVERLAP = 0.5  # intersection over union of masks that are those of one object
NEAR = 0.5  # beams between the centres of a compact object and what is found of it
COMPACT = CLASSES.index("compact")
SHORT = ("spurious", "compact", "extended", "multi", "flagged")
_THREADS = 8  # that prepare windows for a GPU, and make objects of its answers
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, eq=False)
class Compared:
    """
    What was found on a field beside what there is: who shares pixels with whom.

    Attributes
    ----------
    found, true
        What was found in the part that is kept, and all labels of the field.
    near
        How far apart (pixel) the centres of a compact object and of what is found of it may be.
    wanted
        Which labels are to be found or may be: those in the part that is kept, but for those left out of both sides.
    neither
        Which of the found lie on labels that are not `wanted`, of whatever class: neither right nor wrong, but where they
        are found of one that is.
    pairs, iou
        ``(pair, 2)``, found and true, and intersection over union of their masks.
    """

    found: Detections
    true: Detections
    near: float
    wanted: Bools
    neither: Bools
    pairs: Ints
    iou: Floats


@dataclass(frozen=True, eq=False)
class Agreement:
    """
    Which found and true objects of a class could be one; of one field.

    Attributes
    ----------
    scores
        Of the found ones ``(n,)``.
    bright
        Which of the found are above 7 sigma.
    neither
        Which of the found are not wrong where they are not right.
    pairs
        ``(pair, 2)``: found and true, the best first for each that was found.
    true_bright
        Which of the true are above 7 sigma.
    """

    scores: Floats
    bright: Bools
    neither: Bools
    pairs: Ints
    true_bright: Bools

    @cached_property
    def _finder(self) -> Ints:
        """The number of what found each true object, -1 for none: one to one, the surest found choosing first."""
        done = np.zeros(self.scores.size, np.bool_)
        finder = np.full(self.true_bright.size, -1, np.int64)
        order = np.argsort(-self.scores[self.pairs[:, 0]], kind="stable")
        for one, other in self.pairs[order].tolist():
            if not done[one] and finder[other] < 0:
                done[one] = True
                finder[other] = one
        return finder

    def matched(self, threshold: float) -> tuple[Bools, Bools]:
        """
        Which of the found above a score and of the true are one to one, the surest found choosing first.

        What is less sure takes nothing from what is surer, so that one pass holds for all thresholds.
        """
        finder = self._finder
        true = finder >= 0
        true[true] = self.scores[finder[true]] >= threshold
        found = np.zeros(self.scores.size, np.bool_)
        found[finder[true]] = True
        return found, true


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
    return found.select(area.contains(found["x"], found["y"]))


def _levels(detector: MaskDetector, field: Field) -> list[Level]:
    """The levels for a field; the noise of means is that of the negative ones, as in training."""
    pixels = np.array(field.pixels, np.float32)
    return [
        replace(each, quiet=quiet_of(binned(pixels, each.factor), each.factor))
        for each in levels_of(LEVELS, detector.margin, np.ones((1, 1)))
    ]


def compared(found: Detections, field: Field) -> Compared:
    """What was found in the part of a field that is kept, beside its labels."""
    area = field.held or Box.of(field.shape)
    raw = field.labels.raw
    wanted = np.asarray(area.contains(raw["x"], raw["y"]) & (np.asarray(raw["use"]) > 0.0), np.bool_)
    near = NEAR * beam_width(np.array(field.beam))
    a, b, shared = shared_pixels(found, field.labels)
    union = found.area[a] + field.labels.area[b] - shared
    neither = np.zeros(len(found), np.bool_)
    most = ~wanted[b] & (shared > OVERLAP * found.area[a])
    neither[a[most]] = True
    neither[near_pairs(np.arange(len(found)), np.flatnonzero(~wanted), found, field.labels, near)[0]] = True
    pairs = np.stack([a, b], axis=1)
    return Compared(found, field.labels, near, wanted, neither, pairs, shared / np.maximum(union, 1))


def agreement(one: Compared, kind: int) -> Agreement:
    """What agrees of a class: compact ones by their centres, others by what their masks share."""
    found, true = one.found, one.true
    seen, use = found["class"] == kind, one.wanted & (true["class"] == kind)
    of_seen, of_use = np.cumsum(seen) - 1, np.cumsum(use) - 1
    if kind == COMPACT:
        a, b, away = near_pairs(np.flatnonzero(seen), np.flatnonzero(use), found, true, one.near)
        a, b, value = of_seen[a], of_use[b], -away
    else:
        a, b = one.pairs.T
        good = seen[a] & use[b] & (one.iou >= OVERLAP)
        a, b, value = of_seen[a[good]], of_use[b[good]], one.iou[good]
    order = np.lexsort((-value, a))
    pairs = np.stack([a[order], b[order]], axis=1)
    return Agreement(
        found.scores[seen],
        found["snr"][seen] >= BRIGHT,
        one.neither[seen],
        pairs,
        true["snr_peak"][use] >= BRIGHT,
    )


def average_precision(fields: Sequence[Compared]) -> float:
    """
    AP50 of masks as COCO has it: the mean over classes of precision at 101 recalls, at an intersection over union of 0.5.

    True objects below 7 sigma or left out of both sides, and what is found of them or is below 7 sigma itself, count for
    neither side.
    """
    values = []
    for kind in range(len(CLASSES)):
        scores, hits, n_true = [np.empty(0)], [np.empty(0, np.bool_)], 0
        for one in fields:
            true, seen = one.true, one.found["class"] == kind
            wanted = one.wanted & (true["class"] == kind) & (true["snr_peak"] >= BRIGHT)
            n_true += int(wanted.sum())
            a, b = one.pairs.T
            good = seen[a] & (true["class"][b] == kind) & (one.iou >= OVERLAP)
            a, b, value = a[good], b[good], one.iou[good]
            order = np.lexsort((-value, ~wanted[b], a, -one.found.scores[a]))
            hit, counts = np.zeros(len(seen), np.bool_), (one.found["snr"] >= BRIGHT) & ~one.neither
            taken, done = np.zeros(len(true), np.bool_), np.zeros(len(seen), np.bool_)
            for which, other in zip(a[order].tolist(), b[order].tolist(), strict=True):
                if not taken[other] and not done[which]:
                    taken[other] = done[which] = True
                    hit[which] = counts[which] = wanted[other]
            scores.append(one.found.scores[seen & counts])
            hits.append(hit[seen & counts])
        if n_true:
            values.append(_area_under(np.concatenate(scores), np.concatenate(hits), n_true))
    return float(np.mean(values)) if values else float("nan")


def _area_under(scores: Floats, hits: Bools, n_true: int) -> float:
    """Mean precision at 101 recalls."""
    right = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    precision = right / np.arange(1, len(right) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(right / n_true, _RECALLS)
    return float(np.mean(np.append(best, 0.0)[np.minimum(at, len(best))]))


def judged_masks(
    detector: MaskDetector, net: nn.Module, fields: Sequence[Field], device: torch.device
) -> dict[str, float]:
    """
    Numbers of a network on the parts of fields that are kept for validation, at the threshold with the best score.

    ``score`` is the mean over the classes that there are of the harmonic mean of completeness, of true objects above
    7 sigma, and reliability, of found ones above 7 sigma; ``ap50`` is that of the masks. What is found of labels that are
    left out of both sides, or lie beyond the part that is kept, counts for neither.
    """
    held = [field for field in fields if field.held is not None]
    sides = [compared(objects_of_field(detector, net, field, device, LEAST), field) for field in held]
    agreed = [[agreement(one, kind) for one in sides] for kind in range(len(CLASSES))]
    best: dict[str, float] = {"score": -np.inf}
    for threshold in THRESHOLDS:
        numbers: dict[str, float] = {}
        means = []
        for name, each in zip(SHORT, agreed, strict=True):
            n_true = sum(int(one.true_bright.sum()) for one in each)
            if not n_true:
                continue
            n_found = n_right = n_met = 0
            for one in each:
                found, true = one.matched(float(threshold))
                sure = (one.scores >= threshold) & one.bright & (found | ~one.neither)
                n_found, n_right = n_found + int(sure.sum()), n_right + int((found & sure).sum())
                n_met += int((true & one.true_bright).sum())
            complete, reliable = n_met / n_true, n_right / max(n_found, 1)
            numbers |= {f"completeness_{name}": complete, f"reliability_{name}": reliable}
            means.append(2.0 * complete * reliable / max(complete + reliable, 1e-9))
        value = float(np.mean(means)) if means else 0.0
        if value > best["score"]:
            best = {"score": value, "threshold": float(threshold), **numbers}
    return {**best, "ap50": average_precision(sides)}

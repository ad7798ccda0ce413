"""How good masks are on fields with known objects: completeness and reliability of each class, average precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skysift.find.neural.levels import Level, binned, levels_of, objects_in, quiet_of, windows_on
from skysift.find.neural.masks import MaskDetector
from skysift.find.neural.overlaps import mended, overlaps, without_double_masks
from skysift.find.neural.shapes import beam_width
from skysift.learn.fields import Field
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES

__all__ = ["LEAST", "Agreement", "agreement", "average_precision", "judged_masks", "objects_of_field"]

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
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, eq=False)
class Agreement:
    """
    Which found and true objects of a class could be one; of all fields, one after the other.

    Attributes
    ----------
    scores
        Of the found ones ``(n,)``.
    bright
        Which of the found are above 7 sigma.
    pairs
        ``(pair, 2)``: found and true, the best first for each that was found.
    true_bright
        Which of the true are above 7 sigma.
    """

    scores: Floats
    bright: Bools
    pairs: Ints
    true_bright: Bools

    def matched(self, threshold: float) -> tuple[Bools, Bools]:
        """Which of the found above a score and of the true are one to one, the surest found choosing first."""
        found, true = np.zeros(self.scores.size, np.bool_), np.zeros(self.true_bright.size, np.bool_)
        order = np.argsort(-self.scores[self.pairs[:, 0]], kind="stable")
        for one, other in self.pairs[order].tolist():
            if self.scores[one] >= threshold and not found[one] and not true[other]:
                found[one] = true[other] = True
        return found, true


def objects_of_field(
    detector: MaskDetector, net: nn.Module, field: Field, device: torch.device, least: float
) -> Detections:
    """The objects that a network finds in the part of a field that is kept, without doubles, in pixels of the field."""
    area = field.held or Box.of(field.shape)
    beam = np.array(field.beam)

    def run(inputs: dict[str, Pixels]) -> Pixels:
        given = [torch.from_numpy(each).to(device) for each in inputs.values()]
        with torch.no_grad():
            return np.asarray(net(*given).float().cpu().numpy())

    def read(box: Box) -> Pixels:
        return np.array(field.pixels[box.slices()], np.float32)

    parts = []
    for level in _levels(detector, field):
        for core in windows_on(level, field.shape, detector.margin):
            wide = Box(*(level.factor * each for each in (core.y0, core.y1, core.x0, core.x1)))
            if wide.intersect(area).size:
                parts.append(objects_in(core, level, detector, run, read, field.shape, beam, least))
    found = without_double_masks(mended(Detections.concat(parts)))
    return found.select(area.contains(found["x"], found["y"]))


def _levels(detector: MaskDetector, field: Field) -> list[Level]:
    """The levels for a field; the noise of means is that of the negative ones, as in training."""
    pixels = np.array(field.pixels, np.float32)
    return [
        replace(each, quiet=quiet_of(binned(pixels, each.factor), each.factor))
        for each in levels_of(LEVELS, detector.margin, np.ones((1, 1)))
    ]


def agreement(found: Detections, field: Field, kind: int) -> Agreement:
    """What agrees of a class: compact ones by their centres, others by what their masks share."""
    area = field.held or Box.of(field.shape)
    raw = field.labels.raw
    use = area.contains(raw["x"], raw["y"]) & (raw["class"] == kind) & (raw["use"] > 0)
    true, seen = field.labels.select(use), found.select(found["class"] == kind)
    if kind == COMPACT:
        width = beam_width(np.array(field.beam))
        away = np.hypot(seen["x"][:, None] - true["x"], seen["y"][:, None] - true["y"])
        a, b = np.nonzero(away < NEAR * width)
        value = -away[a, b]
    else:
        a, b, value = ious(seen, true)
        a, b, value = a[value >= OVERLAP], b[value >= OVERLAP], value[value >= OVERLAP]
    order = np.lexsort((-value, a))
    pairs = np.stack([a[order], b[order]], axis=1)
    return Agreement(seen.scores, seen["snr"] >= BRIGHT, pairs, true["snr_peak"] >= BRIGHT)


def ious(found: Detections, true: Detections) -> tuple[Ints, Ints, Floats]:
    """Found and true objects that share pixels, and intersection over union of their masks."""
    n = len(found)
    both = Detections.concat([Detections(each.boxes, each.scores, each.footprints) for each in (found, true)])
    pairs = overlaps(both)
    a, b, shared = pairs[(pairs[:, 0] < n) & (pairs[:, 1] >= n)].T
    area = both.area
    return a, b - n, shared / np.maximum(area[a] + area[b] - shared, 1)


def average_precision(found: Detections, field_of: Ints, fields: Sequence[Field]) -> float:
    """
    AP50 of masks as COCO has it: the mean over classes of precision at 101 recalls, at an intersection over union of 0.5.

    True objects below 7 sigma, and what is found of them or is below 7 sigma itself, count for neither side.
    """
    values = []
    for kind in range(len(CLASSES)):
        scores, hits, n_true = [np.empty(0)], [np.empty(0, np.bool_)], 0
        for number, field in enumerate(fields):
            area = field.held or Box.of(field.shape)
            raw = field.labels.raw
            true = field.labels.select(area.contains(raw["x"], raw["y"]) & (raw["class"] == kind))
            seen = found.select((field_of == number) & (found["class"] == kind))
            wanted = (true["snr_peak"] >= BRIGHT) & (true["use"] > 0)
            n_true += int(wanted.sum())
            a, b, value = ious(seen, true)
            good = value >= OVERLAP
            order = np.lexsort((-value[good], ~wanted[b[good]], a[good], -seen.scores[a[good]]))
            hit, counts = np.zeros(len(seen), np.bool_), seen["snr"] >= BRIGHT
            taken, done = np.zeros(len(true), np.bool_), np.zeros(len(seen), np.bool_)
            for one, other in zip(a[good][order].tolist(), b[good][order].tolist(), strict=True):
                if not taken[other] and not done[one]:
                    taken[other] = done[one] = True
                    hit[one], counts[one] = wanted[other], wanted[other]
            scores.append(seen.scores[counts])
            hits.append(hit[counts])
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
    7 sigma, and reliability, of found ones above 7 sigma; ``ap50`` is that of the masks.
    """
    held = [field for field in fields if field.held is not None]
    lists = [objects_of_field(detector, net, field, device, LEAST) for field in held]
    agreed = [
        [agreement(found, field, kind) for found, field in zip(lists, held, strict=True)]
        for kind in range(len(CLASSES))
    ]
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
                sure = (one.scores >= threshold) & one.bright
                n_found, n_right = n_found + int(sure.sum()), n_right + int((found & sure).sum())
                n_met += int((true & one.true_bright).sum())
            complete, reliable = n_met / n_true, n_right / max(n_found, 1)
            numbers |= {f"completeness_{name}": complete, f"reliability_{name}": reliable}
            means.append(2.0 * complete * reliable / max(complete + reliable, 1e-9))
        value = float(np.mean(means)) if means else 0.0
        if value > best["score"]:
            best = {"score": value, "threshold": float(threshold), **numbers}
    every = Detections.concat(lists) if lists else detector.nothing()
    field_of = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
    return {**best, "ap50": average_precision(every, field_of, held)}

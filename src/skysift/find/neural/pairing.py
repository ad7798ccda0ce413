"""Which found objects are which true ones: the one rule by which objects with masks and classes are judged.

An object counts as found by one of the same class: a compact one by its centre, within half a beam, others by the
pixels that both have over those that either has, 0.5 at least. One is one: the surest found object chooses first, the
best that is left. Whatever is below a score can be left out later without changing what those above it were matched
with. True objects whose peak is above 7 sigma are those that must be found; fainter ones may be. Sigma is that of the
noise that is measured on the map, as finders and trainings have it: around bright sources it is several times the thermal
noise, and most sidelobes that exceed 7 times that are lost in the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.find.neural.overlaps import near_pairs, shared_pixels
from skysift.find.neural.shapes import beam_width
from skysift.learn.fields import Field
from skysift.score.precision import EVER, RECALLS, evaluate
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES

__all__ = [
    "BRIGHT",
    "NEAR",
    "OVERLAP",
    "RULE",
    "Counts",
    "Matched",
    "ap50",
    "mask_ap50",
    "matched_in",
    "matched_objects",
    "may_be_one",
    "on_map",
    "one_to_one",
    "true_in",
]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

BRIGHT = 7.0  # sigma; fainter true objects need not be found, but may be
OVERLAP = 0.5  # intersection over union of masks that are those of one object
NEAR = 0.5  # beams between the centres of a compact object and what is found of it
COMPACT = CLASSES.index("compact")
_RECALLS = np.array(RECALLS)

RULE = (
    f"Completeness is of true objects with a peak of {BRIGHT:g} sigma (of the noise measured on the map) or more that a "
    "found object of the same class matches; reliability of found objects of a class that match a true one, however "
    f"faint. A match, one to one, the surest found object first: compact ones within {NEAR:g} beams, others by an "
    f"intersection over union of the masks of {OVERLAP:g} or more. AP50 is the average precision of boxes and of masks "
    "at this overlap (COCO), for true objects above the limit; fainter ones are neither right nor wrong."
)
"""The rule in sentences, as reports tell it."""


def may_be_one(
    found: Detections, true: Detections, width: float, *, alike: bool = True
) -> tuple[Ints, Ints, Floats]:
    """
    Which found and true objects may be one, and how well they agree, the better the larger.

    Parameters
    ----------
    found, true
        With ``x``, ``y`` and ``class``.
    width
        Of the beam (pixel).
    alike
        Whether both are of one class; if not, the class of the true one says which rule holds.
    """
    kind, truly = found["class"], true["class"]
    near_a, near_b, away = near_pairs(
        np.flatnonzero((kind == COMPACT) | (not alike)), np.flatnonzero(truly == COMPACT), found, true, NEAR * width
    )  # fmt: skip
    a, b, shared = shared_pixels(found, true)
    share = shared / np.maximum(found.area[a] + true.area[b] - shared, 1)
    good = (share >= OVERLAP) & (truly[b] != COMPACT) & ((kind[a] == truly[b]) | (not alike))
    return (
        np.concatenate([near_a, a[good]]),
        np.concatenate([near_b, b[good]]),
        np.concatenate([1.0 - away / max(width, 1e-9), share[good]]),
    )


def one_to_one(scores: Floats, found: Ints, true: Ints, value: Floats) -> Ints:
    """
    The true object of each found one, -1 for none: the surest chooses first, the best that is left.

    Parameters
    ----------
    scores
        Of the found objects ``(n,)``.
    found, true, value
        Which may be one, and how well they agree ``(pair,)``.
    """
    by_rank = np.argsort(-scores, kind="stable")
    rank = np.empty(by_rank.size, np.int64)
    rank[by_rank] = np.arange(by_rank.size)
    order = np.lexsort((true, -value, rank[found]))
    who, what = rank[found[order]], true[order]
    left = np.arange(who.size)
    while True:  # each asks for the best that has not refused it; who is asked keeps the surest
        asking = left[np.unique(who[left], return_index=True)[1]]
        kept = asking[np.unique(what[asking], return_index=True)[1]]
        refused = np.setdiff1d(asking, kept)
        if not refused.size:
            break
        left = np.setdiff1d(left, refused)
    result = np.full(by_rank.size, -1)
    result[by_rank[who[kept]]] = what[kept]
    return result


@dataclass(frozen=True)
class Counts:
    """Of one class: true objects above the limit, those that were found, found objects, those that are right."""

    true: int
    complete: int
    found: int
    right: int

    @property
    def completeness(self) -> float:
        """Part of the true objects that was found; NaN where there are none."""
        return self.complete / self.true if self.true else float("nan")

    @property
    def reliability(self) -> float:
        """Part of the found objects that is right; NaN where there are none."""
        return self.right / self.found if self.found else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of both, 0 where nothing was found; NaN where there is nothing true."""
        if not self.true:
            return float("nan")
        both = (self.completeness, float(np.nan_to_num(self.reliability)))
        return 2.0 * both[0] * both[1] / max(sum(both), 1e-12)


@dataclass(frozen=True, eq=False)
class Matched:
    """
    Found objects that count, and true ones, matched.

    Attributes
    ----------
    scores, kind, right, truly
        Of the found ones ``(n,)``: score, number of the class, whether it matches a true one, and the class of that which
        it is, were there no classes to agree; -1 for none.
    true_kind, bright, by, seen_by
        Of the true ones ``(m,)``: class, whether the peak is above the limit, the number of the found one, and that of
        the found one of whatever class; -1 for none.
    """

    scores: Floats
    kind: Ints
    right: Bools
    truly: Ints
    true_kind: Ints
    bright: Bools
    by: Ints
    seen_by: Ints

    @classmethod
    def concat(cls, parts: Sequence[Matched]) -> Matched:
        """Those of several fields as one."""
        begin = np.cumsum([0, *(len(each) for each in parts)])
        moved = []
        for each, first in zip(parts, begin.tolist(), strict=False):
            by, seen = (np.where(number >= 0, number + first, -1) for number in (each.by, each.seen_by))
            moved.append(replace(each, by=by, seen_by=seen))
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(each, name) for each in moved]) for name in names))

    def with_scores(self, scores: Floats) -> Matched:
        """The same with other scores, which grow with those that there are."""
        return replace(self, scores=scores)

    @property
    def met(self) -> Floats:
        """The score of what was found of each true object; -inf of those of which nothing was found."""
        return np.append(self.scores, -np.inf)[self.by]

    def counts(self, threshold: float | Floats) -> dict[str, Counts]:
        """Numbers of each class, of what scores a threshold or more: one number, or one a class."""
        least = np.broadcast_to(threshold, len(CLASSES))
        kept, met = self.scores >= least[self.kind], self.met >= least[self.true_kind]
        told = {}
        for number, name in enumerate(CLASSES):
            mine, own = kept & (self.kind == number), self.bright & (self.true_kind == number)
            told[name] = Counts(
                int(own.sum()), int((own & met).sum()), int(mine.sum()), int((mine & self.right).sum())
            )
        return told

    def confusion(self, threshold: float | Floats) -> Ints:
        """
        ``(pair, 2)``: true and found class of what scores a threshold or more, were there no classes to agree.

        -1 stands for nothing: what is false, and true objects above the limit that were missed.
        """
        kept = self.scores >= np.broadcast_to(threshold, len(CLASSES))[self.kind]
        missed = self.bright & ~np.append(kept, False)[self.seen_by]
        return np.concatenate([
            np.stack([self.truly[kept], self.kind[kept]], axis=1),
            np.stack([self.true_kind[missed], np.full(int(missed.sum()), -1)], axis=1),
        ])  # fmt: skip

    def __len__(self) -> int:
        return int(self.scores.size)

    def __repr__(self) -> str:
        return f"Matched({len(self)} found, {int(self.right.sum())} right; {self.true_kind.size} true)"


def matched_objects(found: Detections, true: Detections, width: float) -> Matched:
    """
    What is found, matched with what there is.

    Parameters
    ----------
    found
        With ``x``, ``y`` and ``class``.
    true
        With ``x``, ``y``, ``class``, ``snr_peak`` and ``use``. Those with a `use` of 0 are neither right nor wrong: what
        is near the centre of such a one, or has more than half of its pixels there, counts only if it is right.
    width
        Of the beam (pixel).
    """
    used = np.asarray(true["use"]) > 0.0
    wanted, other = true.select(used), true.select(~used)
    whose = one_to_one(found.scores, *may_be_one(found, wanted, width))
    seen_as = one_to_one(found.scores, *may_be_one(found, wanted, width, alike=False))
    beside = _on(found, other, width)
    counts = np.flatnonzero((whose >= 0) | ~beside)
    whose, seen_as = whose[counts], seen_as[counts]
    kind, truly = found["class"][counts].astype(np.int64), wanted["class"].astype(np.int64)
    return Matched(
        found.scores[counts], kind, whose >= 0, np.append(truly, -1)[seen_as],
        truly, np.asarray(wanted["snr_peak"] >= BRIGHT), _turned(whose, len(wanted)), _turned(seen_as, len(wanted)),
    )  # fmt: skip


def _on(found: Detections, other: Detections, width: float) -> Bools:
    """Which of the found lie on other objects, of whatever class."""
    result = np.zeros(len(found), np.bool_)
    every = np.arange(len(other))
    result[near_pairs(np.arange(len(found)), every, found, other, NEAR * width)[0]] = True
    a, _, shared = shared_pixels(found, other)
    result[a[shared > OVERLAP * found.area[a]]] = True
    return result


def _turned(whose: Ints, n: int) -> Ints:
    """The found object of each true one, -1 for none, from the true object of each found one."""
    result = np.full(n, -1)
    result[whose[whose >= 0]] = np.flatnonzero(whose >= 0)
    return result


def true_in(field: Field) -> Detections:
    """
    The labels of a field; those that are not in the part that is kept for validation have a `use` of 0.

    What has its centre beyond the map counts as if that lay at its border: what the border cuts is to be found, too.
    """
    area, labels = field.held or Box.of(field.shape), field.labels
    x, y = on_map(labels["x"], labels["y"], field.shape)
    use = np.where(area.contains(x, y), labels["use"], 0.0)
    return Detections(labels.boxes, labels.scores, labels.footprints, {**labels.raw, "use": use})


def on_map(x: Floats, y: Floats, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Positions (pixel); those beyond a map are at the nearest of its border."""
    return np.clip(x, 0.0, shape[1] - 1.0), np.clip(y, 0.0, shape[0] - 1.0)


def matched_in(found: Detections, field: Field) -> Matched:
    """What is found in the part of a field that is kept, matched with its labels."""
    return matched_objects(found, true_in(field), beam_width(np.array(field.beam)))


def ap50(parts: Sequence[tuple[Detections, Detections, int]], *, masks: bool) -> dict[str, float]:
    """
    Average precision at an overlap of 0.5 of each class by `faster_coco_eval`; NaN where there is nothing true.

    Parameters
    ----------
    parts
        Found and true objects of each map, as `matched_objects` takes them, and how wide the map is (pixel).
    masks
        Whether masks are compared, in place of boxes.
    """
    begin = np.cumsum([0, *(width for _, _, width in parts)]).tolist()
    found = Detections.concat([
        _moved(_of_account(one, true), x) for (one, true, _), x in zip(parts, begin, strict=False)
    ])  # fmt: skip
    true = Detections.concat([_moved(one, x) for (_, one, _), x in zip(parts, begin, strict=False)])
    snr = np.where(np.asarray(true["use"]) > 0.0, true["snr_peak"], 0.0)
    result = evaluate(
        found, found.scores, np.full(len(found), BRIGHT), true, snr, bins=((BRIGHT, EVER),), masks=masks,
        found_class=found["class"].astype(np.int64), true_class=true["class"].astype(np.int64),
    )  # fmt: skip
    known = result.precision.shape[2]
    return {
        name: result.ap(0.5, of=number) if number < known else float("nan")
        for number, name in enumerate(CLASSES)
    }


def _of_account(found: Detections, true: Detections) -> Detections:
    """The found objects without those that lie on labels which are neither right nor wrong, and on no other."""
    used = np.asarray(true["use"]) > 0.0
    wanted = true.select(used)
    a, b, shared = shared_pixels(found, wanted)
    right = (shared >= OVERLAP * (found.area[a] + wanted.area[b] - shared)) & (
        found["class"][a] == wanted["class"][b]
    )
    beside = _on(found, true.select(~used), 0.0)
    beside[a[right]] = False
    return found.select(~beside)


def mask_ap50(parts: Sequence[tuple[Detections, Detections]]) -> dict[str, float]:
    """
    Average precision of masks as `ap50` has it, by arrays alone: the mean precision at 101 recalls (COCO).

    Parameters
    ----------
    parts
        Found and true objects of each map.
    """
    told, known = {}, [(_of_account(found, true), true) for found, true in parts]
    for number, name in enumerate(CLASSES):
        scores, hits, n_true = [np.empty(0)], [np.empty(0, np.bool_)], 0
        for found, true in known:
            seen, own = found.select(found["class"] == number), true.select(true["class"] == number)
            wanted = np.asarray((own["snr_peak"] >= BRIGHT) & (np.asarray(own["use"]) > 0.0))
            a, b, shared = shared_pixels(seen, own)
            share = shared / np.maximum(seen.area[a] + own.area[b] - shared, 1)
            good = share >= OVERLAP
            whose = one_to_one(
                seen.scores, a[good], b[good], share[good] + wanted[b[good]]
            )  # those that count first
            hit = np.append(wanted, False)[whose]
            counts = hit | (whose < 0)
            scores.append(seen.scores[counts])
            hits.append(hit[counts])
            n_true += int(wanted.sum())
        told[name] = _area_under(np.concatenate(scores), np.concatenate(hits), n_true)
    return told


def _area_under(scores: Floats, hits: Bools, n_true: int) -> float:
    """Mean precision at 101 recalls; NaN where nothing is true."""
    if not n_true:
        return float("nan")
    right = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    precision = right / np.arange(1, len(right) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(right / n_true, _RECALLS)
    return float(np.mean(np.append(best, 0.0)[np.minimum(at, len(best))]))


def _moved(one: Detections, x: int) -> Detections:
    """Objects so many columns further."""
    return Detections(one.boxes + np.array([0, 0, x, x]), one.scores, one.footprints.shift(0, x), one.raw)

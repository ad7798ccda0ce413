"""Which found objects are which true ones: the rule against a slow twin, and what is counted."""

import numpy as np
import pytest

from skysift.find.neural.pairing import (
    Matched,
    ap50,
    mask_ap50,
    matched_objects,
    may_be_one,
    one_to_one,
    true_in,
)
from skysift.flow.training.thresholds import KnownMasks
from skysift.learn.fields import Field
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints
from skysift.sky.truth import CLASSES

COMPACT, EXTENDED, MULTI, FLAGGED = 1, 2, 3, 4


def objects(rows, *, true=False):
    """Squares: (x, y, side, class, score or S/N[, use])."""
    runs, boxes = [], []
    for k, (x, y, side, *_) in enumerate(rows):
        lines = np.arange(y, y + side)
        runs.append(np.stack([lines, np.full(side, x), np.full(side, x + side), np.full(side, k)]))
        boxes.append((y, y + side, x, x + side))
    told = np.array([row[:5] for row in rows], float).reshape(-1, 5)
    raw = {
        "x": told[:, 0] + 0.5 * (told[:, 2] - 1),
        "y": told[:, 1] + 0.5 * (told[:, 2] - 1),
        "class": told[:, 3],
    }
    if true:
        raw |= {
            "snr_peak": told[:, 4],
            "use": np.array([row[5] if len(row) > 5 else 1 for row in rows], float),
        }
    prints = Footprints(*np.concatenate(runs, axis=1)) if rows else Footprints.empty()
    return Detections(np.array(boxes).reshape(-1, 4).astype(int), told[:, 4], prints, raw)


@pytest.mark.parametrize("seed", range(20))
def test_the_surest_choose_first_as_a_slow_twin_says(seed):
    rng = np.random.default_rng(seed)
    n, m, k = 12, 9, 40
    scores = np.round(rng.random(n), 1)
    pairs = np.unique(np.stack([rng.integers(n, size=k), rng.integers(m, size=k)], axis=1), axis=0)
    value = np.round(rng.random(len(pairs)), 1)
    told = one_to_one(scores, pairs[:, 0], pairs[:, 1], value)
    slow, taken = np.full(n, -1), set()
    for one in sorted(range(n), key=lambda each: (-scores[each], each)):
        free = [(-value[p], b) for p, (a, b) in enumerate(pairs.tolist()) if a == one and b not in taken]
        if free:
            slow[one] = min(free)[1]
            taken.add(slow[one])
    assert np.array_equal(told, slow)


def test_what_is_left_out_below_a_score_changes_nothing_above():
    rng = np.random.default_rng(3)
    pairs = rng.integers(20, size=(80, 2))
    scores, value = rng.random(20), rng.random(80)
    whole = one_to_one(scores, pairs[:, 0], pairs[:, 1], value)
    kept = scores >= 0.5
    some = kept[pairs[:, 0]]
    assert np.array_equal(one_to_one(scores, pairs[some, 0], pairs[some, 1], value[some])[kept], whole[kept])


def test_compact_by_centres_others_by_masks_of_one_class():
    true = objects([(10, 10, 4, COMPACT, 20), (40, 10, 20, EXTENDED, 9), (80, 10, 20, MULTI, 9)], true=True)
    found = objects(
        [
            (12, 10, 4, COMPACT, 0.9),  # 2 px away: half of a beam of 4
            (13, 10, 4, COMPACT, 0.95),  # 3 px away
            (44, 10, 20, EXTENDED, 0.8),  # IoU 2/3
            (88, 10, 20, MULTI, 0.7),  # IoU 3/7
            (40, 10, 20, MULTI, 0.6),  # of another class
        ]
    )
    a, b, value = may_be_one(found, true, 4.0)
    assert set(zip(a.tolist(), b.tolist(), strict=True)) == {(0, 0), (2, 1)}
    assert value[b == 1] == pytest.approx(2 / 3)
    told = matched_objects(found, true, 4.0)
    assert told.right.tolist() == [True, False, True, False, False]
    assert told.met.tolist() == [0.9, 0.8, -np.inf]
    assert told.truly.tolist() == [COMPACT, -1, EXTENDED, -1, -1]
    counts = told.counts(0.5)
    assert (counts["compact"].true, counts["compact"].complete) == (1, 1)
    assert (counts["compact"].found, counts["compact"].right) == (2, 1)
    assert counts["extended"].f1 == 1.0
    assert counts["extended-multisland"].completeness == 0.0 == counts["extended-multisland"].f1
    assert np.isnan(counts["flagged"].completeness)
    pairs = told.confusion(0.5).tolist()
    assert [MULTI, -1] in pairs
    assert [-1, COMPACT] in pairs
    assert told.counts(0.85)["extended"].complete == 0


def test_each_class_may_have_a_threshold_of_its_own():
    true = objects([(10, 10, 4, COMPACT, 20), (40, 10, 20, EXTENDED, 9)], true=True)
    found = objects([(10, 10, 4, COMPACT, 0.5), (40, 10, 20, EXTENDED, 0.5)])
    told = matched_objects(found, true, 4.0)
    limits = np.full(len(CLASSES), 0.4)
    limits[EXTENDED] = 0.6
    counts = told.counts(limits)
    assert (counts["compact"].complete, counts["compact"].found) == (1, 1)
    assert (counts["extended"].complete, counts["extended"].found) == (0, 0)
    assert told.confusion(limits).tolist() == [[COMPACT, COMPACT], [EXTENDED, -1]]
    assert told.confusion(np.full(len(CLASSES), 0.4)).tolist() == told.confusion(0.4).tolist()


def test_the_threshold_of_each_class_is_that_of_its_highest_f1():
    rng = np.random.default_rng(5)
    rows = [(40 * k, 10, 12, EXTENDED if k % 2 else MULTI, 20) for k in range(40)]
    true = objects(rows, true=True)
    right = rng.random(40) < 0.7
    found = objects([
        (x, y + (0 if good else 40), side, kind, rng.uniform(0.4, 1.0) if good else rng.uniform(0.1, 0.8))
        for (x, y, side, kind, _), good in zip(rows, right, strict=True)
    ])  # fmt: skip
    known = KnownMasks([matched_objects(found, true, 4.0)])
    scores = known.whole.scores
    chosen = known.class_thresholds("f1", scores)
    assert set(chosen) == {"extended", "extended-multisland"}
    for name, threshold in chosen.items():
        best = max(known.whole.counts(each)[name].f1 for each in scores.tolist())
        assert known.whole.counts(threshold)[name].f1 == pytest.approx(best)
    limits = np.array([chosen.get(name, 0.5) for name in CLASSES])
    one = known.threshold("f1", scores)
    assert known.numbers([scores], limits)["f1"] >= known.numbers([scores], one)["f1"]
    assert known.class_thresholds("purity=0.9", scores) == {}


def test_labels_of_no_account_and_faint_ones_are_neither_right_nor_wrong():
    true = objects(
        [
            (10, 10, 4, COMPACT, 20, 0),
            (30, 10, 4, COMPACT, 5),
            (50, 10, 20, EXTENDED, 30, 0),
            (90, 10, 4, COMPACT, 30),
        ],
        true=True,
    )
    found = objects(
        [
            (10, 10, 4, COMPACT, 0.9),
            (30, 10, 4, COMPACT, 0.8),
            (50, 10, 20, MULTI, 0.7),
            (90, 10, 4, COMPACT, 0.6),
        ]
    )
    told = matched_objects(found, true, 4.0)
    assert len(told) == 2
    assert told.right.all()
    counts = told.counts(0.0)["compact"]
    assert (counts.true, counts.complete, counts.found, counts.right) == (1, 1, 2, 2)
    precision = ap50([(found, true, 120)], masks=True)
    assert precision["compact"] == pytest.approx(1.0)
    assert np.isnan(precision["extended"])


def test_what_the_border_of_the_map_cuts_is_to_be_found():
    labels = objects([(0, 10, 4, FLAGGED, 20), (30, 30, 4, COMPACT, 20)], true=True)
    some = dict.fromkeys(("xx", "xy", "yy", "snr_int", "core"), np.zeros(2))
    raw = {**labels.raw, **some, "x": np.array([-2.0, 31.5])}
    labels = Detections(labels.boxes, labels.scores, labels.footprints, raw)
    pixels = np.zeros((40, 40), np.float32)
    assert true_in(Field("whole", pixels, labels, (2.0, 0.0, 2.0)))["use"].tolist() == [1.0, 1.0]
    upper = Field("upper", pixels, labels, (2.0, 0.0, 2.0), Box(20, 40, 0, 40))
    assert true_in(upper)["use"].tolist() == [0.0, 1.0]


def test_several_fields_are_told_as_one():
    true = objects([(10, 10, 4, COMPACT, 20), (40, 10, 20, EXTENDED, 9)], true=True)
    found = objects([(10, 10, 4, COMPACT, 0.9), (70, 10, 20, EXTENDED, 0.8)])
    other = objects([(40, 10, 20, EXTENDED, 0.7)])
    nothing = objects([])
    parts = [matched_objects(each, true, 4.0) for each in (found, other, nothing)]
    whole = Matched.concat(parts)
    assert whole.met.tolist() == [0.9, -np.inf, -np.inf, 0.7, -np.inf, -np.inf]
    counts = whole.counts(0.0)
    assert (counts["compact"].true, counts["compact"].complete) == (3, 1)
    assert (counts["extended"].found, counts["extended"].right) == (2, 1)
    halved = whole.with_scores(0.5 * whole.scores)
    assert halved.met.tolist() == [0.45, -np.inf, -np.inf, 0.35, -np.inf, -np.inf]
    box, mask = (
        ap50([(each, true, 100) for each in (found, other, nothing)], masks=kind) for kind in (False, True)
    )
    assert box == pytest.approx(mask, nan_ok=True)
    # one of three true ones, the second of two found: precision 1/2 up to a recall of 1/3
    assert box["extended"] == pytest.approx(0.5 * 34 / 101)
    assert box["compact"] == pytest.approx(34 / 101)
    assert [name for name in CLASSES if not np.isnan(box[name])] == ["compact", "extended"]


@pytest.mark.parametrize("seed", range(6))
def test_the_average_precision_of_arrays_is_that_of_the_library(seed):
    """Two maps of squares that overlap by chance, faint ones and such of no account among them."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(2):
        rows = [
            (int(x), int(y), int(side), int(kind), float(snr), int(use))
            for x, y, side, kind, snr, use in zip(
                rng.integers(0, 150, 30), rng.integers(0, 60, 30), rng.integers(4, 12, 30),
                rng.choice([COMPACT, EXTENDED], 30), rng.uniform(4.0, 20.0, 30), rng.random(30) < 0.8, strict=True,
            )
        ]  # fmt: skip
        near = [
            (
                max(0, x + int(rng.integers(-2, 3))),
                y,
                side,
                kind if rng.random() < 0.8 else MULTI,
                rng.random(),
            )
            for x, y, side, kind, *_ in rows + rows[:10]
        ]
        parts.append((objects(near), objects(rows, true=True)))
    library = ap50([(*part, 200) for part in parts], masks=True)
    assert mask_ap50(parts) == pytest.approx(library, nan_ok=True, abs=1e-9)
    assert 0.0 < library["compact"] < 1.0

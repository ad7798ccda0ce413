"""Average precision by hand: pixels as sets, greedy matches, precision at 101 recalls."""

import numpy as np
import pytest

from skysift.score.precision import IOUS, RECALLS, evaluate
from skysift.sky.detections import Detections, Footprints


def shapes(rng, n, side=90):
    """Detections of some ragged shapes."""
    rows, starts, stops, index, boxes = [], [], [], [], []
    for i in range(n):
        y, x, h, w = (*rng.integers(0, side, 2), *rng.integers(3, 12, 2))
        for row in range(y, y + h):
            a = int(rng.integers(0, 2)) if row > y else 0
            rows.append(row), starts.append(x + a), stops.append(x + w), index.append(i)
        boxes.append((y, y + h, x, x + w))
    return Detections(
        np.array(boxes), np.ones(n), Footprints(*(np.array(part) for part in (rows, starts, stops, index)))
    )


def jittered(rng, given):
    dy, dx = rng.integers(-2, 3, 2)
    return given.shift(int(dy), int(dx))


def pixels(given, i, *, masks):
    if not masks:
        y0, y1, x0, x1 = given.boxes[i]
        return {(y, x) for y in range(y0, y1) for x in range(x0, x1)}
    runs = given.footprints
    return {
        (y, x)
        for y, a, b, of in zip(runs.row, runs.start, runs.stop, runs.index, strict=True)
        if of == i
        for x in range(a, b)
    }


def naive(found, scores, true, iou, *, masks):
    """(AP, recall) at one IoU."""
    a = [pixels(found, i, masks=masks) for i in range(len(found))]
    b = [pixels(true, i, masks=masks) for i in range(len(true))]
    taken, hits = set(), []
    for i in np.argsort(-scores, kind="stable"):
        best, which = iou, None
        for j in range(len(b)):
            if j in taken:
                continue
            overlap = len(a[i] & b[j]) / len(a[i] | b[j])
            if overlap >= best:
                best, which = overlap, j
        hits.append(which is not None)
        taken.add(which)
    hits = np.array(hits)
    recall = np.cumsum(hits) / len(b)
    precision = np.maximum.accumulate((np.cumsum(hits) / np.arange(1, len(hits) + 1))[::-1])[::-1]
    at = np.searchsorted(recall, RECALLS)
    return float(np.mean([precision[k] if k < len(precision) else 0.0 for k in at])), float(recall[-1])


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_precision_and_recall_are_those_of_the_definition(seed, masks):
    rng = np.random.default_rng(seed)
    true = shapes(rng, 40)
    parts = [jittered(rng, true.select([i])) for i in range(0, 40, 2)]
    found = Detections.concat([*parts, shapes(rng, 15)])
    scores = rng.permutation(len(found)) / len(found)
    result = evaluate(found, scores, np.full(len(found), 9.0), true, np.full(40, 9.0), masks=masks)
    for iou in IOUS[::3]:
        ap, recall = naive(found, scores, true, iou, masks=masks)
        assert result.ap(iou) == pytest.approx(ap)
        assert result.ar(iou) == pytest.approx(recall)
    assert 0.0 < result.ap() < 1.0

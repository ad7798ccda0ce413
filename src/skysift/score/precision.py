"""`evaluate`: precision and recall of shapes over their overlap, by the library faster-coco-eval.

Lin et al. (2014, ECCV; arXiv:1405.0312): precision at 101 recalls, for intersections over union from 0.5 to 0.95.
Bins of S/N take the place of the ranges of area: truths outside a bin are ignored, and so are found rows outside
it that match none within. A map is scored in batches of objects whose boxes do not meet, which changes no number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skysift.score.shapes import batches
from skysift.score.sides import Floats, Ints
from skysift.sky.detections import Detections

__all__ = ["EVER", "IOUS", "RECALLS", "Precision", "evaluate"]

IOUS = tuple((0.5 + 0.05 * np.arange(10)).round(2).tolist())
RECALLS = tuple(np.linspace(0.0, 1.0, 101).round(2).tolist())
EVER = 1e10  # the end of the last bin of S/N


@dataclass(frozen=True, eq=False)
class Precision:
    """What COCO says: precision (IoU, recall, class, bin) and recall (IoU, class, bin); NaN where there is no truth."""

    precision: Floats
    recall: Floats

    def ap(self, iou: float | None = None, of: int = 0, bin: int = 0) -> float:
        """Average precision: the mean over all IoU, or at one."""
        values = self.precision if iou is None else self.precision[IOUS.index(iou)][None]
        return _mean(values[:, :, of, bin])

    def ar(self, iou: float | None = None, of: int = 0, bin: int = 0) -> float:
        """Average recall: the mean over all IoU, or at one."""
        values = self.recall if iou is None else self.recall[IOUS.index(iou)][None]
        return _mean(values[:, of, bin])


def evaluate(
    found: Detections,
    score: Floats,
    found_snr: Floats,
    true: Detections,
    true_snr: Floats,
    *,
    bins: Sequence[tuple[float, float]] = ((0.0, EVER),),
    masks: bool = False,
    found_class: Ints | None = None,
    true_class: Ints | None = None,
) -> Precision:
    """Precision and recall of found shapes against true ones.

    Parameters
    ----------
    found, true
        The shapes, on the same pixels.
    score
        How sure each found one is, (n_found,).
    found_snr, true_snr
        S/N, by which the bins choose; (n_found,), (n_true,).
    bins
        Half-open ranges of S/N; the first is meant to hold everything.
    masks
        Whether masks are compared, not boxes.
    found_class, true_class
        Numbers of classes, from 0; without them all are of one class.
    """
    from faster_coco_eval import COCO, COCOeval_faster  # late: an extra, and slow to import

    n_classes = 1 + int(max(_top(found_class), _top(true_class)))
    if not len(true):
        shape = (len(IOUS), len(RECALLS), n_classes, len(bins))
        return Precision(np.full(shape, np.nan), np.full((shape[0], *shape[2:]), np.nan))
    size = _size(found, true)
    sets: dict[str, list[dict[str, Any]]] = {"found": [], "true": []}
    n_batches, widest = 0, 1
    for number, rows in enumerate(batches(found.boxes, true.boxes), start=1):
        n_batches, widest = number, max(widest, rows[0].size)
        for side, shapes, picked, snr, of in (
            ("found", found, rows[0], found_snr, found_class),
            ("true", true, rows[1], true_snr, true_class),
        ):
            sets[side] += _annotations(
                shapes, picked, snr, of, number, size if masks else None, len(sets[side])
            )
            if side == "found":
                for each, row in zip(
                    sets[side][-rows[0].size :] if rows[0].size else [], rows[0].tolist(), strict=True
                ):
                    each["score"] = float(score[row])
    images = [{"id": number, "height": size[0], "width": size[1]} for number in range(1, n_batches + 1)]
    kinds = [{"id": number, "name": str(number)} for number in range(1, n_classes + 1)]
    data = {side: COCO({"images": images, "categories": kinds, "annotations": sets[side]}) for side in sets}
    judge = COCOeval_faster(data["true"], data["found"], "segm" if masks else "bbox", rle_iou_max_workers=1)
    judge.params.iouThrs, judge.params.recThrs = np.array(IOUS), np.array(RECALLS)
    judge.params.maxDets = [widest]
    judge.params.areaRng = [[low, np.nextafter(high, 0.0)] for low, high in bins]
    judge.params.areaRngLbl = [str(number) for number in range(len(bins))]
    judge.evaluate()
    judge.accumulate()
    precision = np.asarray(judge.eval["precision"], dtype=np.float64)[..., 0]
    recall = np.asarray(judge.eval["recall"], dtype=np.float64)[..., 0]
    return Precision(np.where(precision < 0, np.nan, precision), np.where(recall < 0, np.nan, recall))


def _annotations(
    shapes: Detections,
    picked: Ints,
    snr: Floats,
    of: Ints | None,
    image: int,
    size: tuple[int, int] | None,
    before: int,
) -> list[dict[str, Any]]:
    """Rows of one batch as COCO writes them; the S/N stands in the place of the area."""
    boxes = shapes.boxes[picked]
    area = np.clip(np.nan_to_num(snr[picked]), 0.0, EVER / 2).tolist()
    kinds = np.ones(picked.size, dtype=np.int64) if of is None else of[picked] + 1
    runs = shapes.footprints
    first, last = (np.searchsorted(runs.index, picked, side=side) for side in ("left", "right"))
    made = []
    for i, (y0, y1, x0, x1) in enumerate(boxes.tolist()):
        each: dict[str, Any] = {
            "id": before + i + 1,
            "image_id": image,
            "category_id": int(kinds[i]),
            "bbox": [float(x0), float(y0), float(x1 - x0), float(y1 - y0)],
            "area": area[i],
            "iscrowd": 0,
        }
        if size is not None:
            piece = slice(first[i], last[i])
            # columns of COCO's pictures run down; those of the map turned over its diagonal are our rows
            start = runs.row[piece] * size[0] + runs.start[piece]
            stop = runs.row[piece] * size[0] + runs.stop[piece]
            counts = np.empty(2 * start.size + 1, dtype=np.int64)
            counts[0:-1:2] = start - np.append(0, stop[:-1]) if start.size else 0
            counts[1::2] = stop - start
            counts[-1] = size[0] * size[1] - (stop[-1] if stop.size else 0)
            each["segmentation"] = {"size": list(size), "counts": counts.tolist()}
        made.append(each)
    return made


def _size(found: Detections, true: Detections) -> tuple[int, int]:
    """Columns and rows of a map that holds all shapes."""
    corners = np.concatenate([found.boxes, true.boxes])
    return int(corners[:, 3].max()) + 1, int(corners[:, 1].max()) + 1


def _top(classes: Ints | None) -> int:
    return 0 if classes is None or not classes.size else int(classes.max())


def _mean(values: Floats) -> float:
    """The mean where anything is known; no found rows at all give a precision of 0, no truth gives NaN."""
    return float(np.mean(values)) if np.isfinite(values).all() else float("nan")

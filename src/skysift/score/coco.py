"""`CocoScorer`: average precision and recall of boxes and masks over their overlap, as COCO defines them."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.io.labels import read_labels
from skysift.score.intervals import wilson
from skysift.score.matching import Matching
from skysift.score.options import CocoOptions
from skysift.score.precision import EVER, IOUS, RECALLS, Precision, evaluate
from skysift.score.rule import match, table_of
from skysift.score.scorer import Number, Report, ReportTable, Scorer
from skysift.score.shapes import ellipse_shapes, united
from skysift.score.sides import Floats, Ints
from skysift.sky.catalogue import Catalogue
from skysift.sky.detections import Detections
from skysift.sky.frame import Frame
from skysift.sky.table import Table
from skysift.sky.truth import SPURIOUS, Truth

__all__ = ["CocoScorer", "Shapes"]

_ELLIPSES = "the ellipses of the {}, as far as 1 sigma or a tenth of the peak, where that is fainter"
_RULE = (
    " Found objects are {found}; true ones are {true}. Found and true objects overlap by intersection over union of "
    "boxes or of masks; the surest found one chooses first, by {score}. AP is the mean precision at 101 "
    "recalls over IoU 0.50 to 0.95, AP50 and AP75 those at one IoU, AR the mean of the largest recall over IoU (COCO). "
    "Intervals are of recalls at IoU 0.5 (Wilson); the chance AP50 is that of boxes shifted by {shift:g} beams."
)


@dataclass(frozen=True, eq=False)
class Shapes:
    """Objects of one side: their pixels, and what COCO asks of them."""

    detections: Detections
    score: Floats
    snr: Floats
    classes: NDArray[np.str_] | None
    told: str
    column: str = ""


class CocoScorer(Scorer[CocoOptions]):
    """Average precision and recall of boxes and masks."""

    name = "coco"

    def score(self, catalogue: Catalogue, truth: Truth, detections: Detections | None = None) -> Report:
        """How well the shapes of what was found fit those of what there is.

        Parameters
        ----------
        catalogue
            What was found.
        truth
            What there is, on a map.
        detections
            The shapes of what was found, on the pixels of the truth's map, with their scores; where there are as
            many as rows of the table, they are those of its rows.

        Raises
        ------
        UsageError
            The truth has no map, or the extra ``learn`` is not installed.
        """
        if importlib.util.find_spec("faster_coco_eval") is None:
            raise UsageError("the scorer coco needs the extra learn", todo="pip install 'skysift[learn]'")
        frame = truth.frame
        if frame is None:
            raise UsageError(
                "coco compares pixels, and the truth has no map",
                todo="score it against a folder of a made sky",
            )
        options = self.options
        matched = match(catalogue, truth, options)
        true = _true_shapes(matched, truth, frame)
        found = _found_shapes(catalogue, matched, frame, options, detections)
        edges = (0.0, *options.snr_edges, EVER)
        bins = [(0.0, EVER), *pairwise(edges)]
        kinds = ("box", "mask") if len(found.detections.footprints) or not len(found.detections) else ("box",)
        results = {kind: _evaluate(found, true, bins, masks=kind == "mask") for kind in kinds}
        n = len(true.detections)
        numbers: dict[str, Number] = {}
        for kind, result in results.items():
            numbers |= _numbers(kind, result, n)
        numbers["ap50_box_chance"] = self._chance(found, true, frame, matched.beam)
        numbers |= {"n_shapes_true": n, "n_shapes_found": len(found.detections)}
        tables: dict[str, ReportTable] = {
            "iou": _iou_table(results, n),
            "precision_recall": _curve_table(results, n),
            "snr": _snr_table(results, bins, true.snr),
            "classes": _class_table(found, _with_artefacts(true, matched, truth), kinds),
        }
        rule = matched.rule + _RULE.format(
            found=found.told, true=true.told, score=found.column, shift=options.shift
        )
        return Report(
            self.name,
            numbers | matched.numbers(),
            {**tables, **matched.tables()},
            rule,
            options.to_dict(),
            repr(catalogue),
            repr(truth),
            matched.notes,
        )

    def _chance(self, found: Shapes, true: Shapes, frame: Frame, beam: float) -> float:
        """AP50 of the boxes, all moved up by some beams."""
        if not math.isfinite(beam) or not len(found.detections):
            return math.nan
        step = max(1, round(self.options.shift * beam / frame.scale[0]))
        moved = Detections(found.detections.boxes + np.array([step, step, 0, 0]), found.detections.scores)
        return _evaluate(replace(found, detections=moved), true).ap(0.5)


def _true_shapes(matched: Matching, truth: Truth, frame: Frame) -> Shapes:
    """The shapes of the true objects that can be found, those that are one united."""
    truths, rows = matched.truths, matched.true
    if len(truth.detections):
        group = np.full(len(truth), -1, dtype=np.int64)
        group[rows.row] = np.arange(len(rows))
        group[truths.members.row] = truths.member_of
        shapes, told = united(truth.detections, group, len(rows)), "the masks of the truth"
    else:
        shapes, told = (
            ellipse_shapes(rows, frame),
            _ELLIPSES.format("truth"),
        )
    kept = np.flatnonzero(matched.findable)
    classes = rows.columns.get("class")
    return Shapes(
        shapes.select(kept),
        np.ones(kept.size),
        rows["snr"][kept],
        None if classes is None else np.asarray(classes, dtype=np.str_)[kept],
        told,
    )


def _found_shapes(
    catalogue: Catalogue, matched: Matching, frame: Frame, options: CocoOptions, given: Detections | None
) -> Shapes:
    """The shapes of what was found: those given, islands of a map of labels, boxes of islands, or ellipses."""
    found = matched.found
    if given is not None:
        same = len(given) == len(found)
        score = given.scores
        snr = found["snr"] if same else score
        return Shapes(
            given,
            score,
            snr,
            _classes(catalogue, options) if same else None,
            "the shapes given",
            "their scores",
        )
    kind = options.shapes if options.shapes != "auto" else "ellipses" if options.labels is None else "labels"
    if kind in ("labels", "islands"):
        shapes, rows = _islands(catalogue, options, kind, frame)
        islands = catalogue.islands.select(rows)
        told = (
            f"islands of {options.labels}"
            if kind == "labels"
            else "boxes of the table of islands, without masks"
        )
        column = _column(islands, options)
        classes = np.asarray(islands["class"], dtype=np.str_) if "class" in islands else None
        score, snr = np.nan_to_num(np.abs(islands[column])), np.abs(islands["snr"])
        return Shapes(shapes, score, snr, classes, told, f"the column {column}")
    rows = np.flatnonzero(matched.used)
    table = table_of(catalogue, options.table).select(rows)
    names = _classes(catalogue, options)
    return Shapes(
        ellipse_shapes(found.select(rows), frame),
        np.nan_to_num(table[_column(table, options)]),
        found["snr"][rows],
        None if names is None else names[rows],
        _ELLIPSES.format(f"table {options.table}"),
        f"the column {_column(table, options)}",
    )


def _islands(catalogue: Catalogue, options: CocoOptions, kind: str, frame: Frame) -> tuple[Detections, Ints]:
    """The shapes of islands, and their rows in the table.

    Raises
    ------
    UsageError
        There are no islands, or the map of labels is none, of other pixels than the truth, or of other islands.
    """
    islands = catalogue.islands
    if not len(islands) and not len(catalogue.sources) and not len(catalogue.components):
        return Detections.empty(), np.empty(0, dtype=np.int64)  # nothing was found
    if not len(islands):
        raise UsageError("the catalogue has no islands", got=repr(catalogue), todo="set coco.shapes=ellipses")
    if kind == "islands":
        corners = [islands["y_min"], islands["y_max"] + 1, islands["x_min"], islands["x_max"] + 1]
        return Detections(np.stack(corners, axis=1), np.ones(len(islands))), np.arange(len(islands))
    if options.labels is None:
        raise UsageError("coco.shapes=labels needs a map of labels", todo="give --labels MAP")
    mask = read_labels(options.labels)
    if mask.shape != frame.shape:
        raise UsageError(
            "the map of labels has not the pixels of the truth",
            got=f"{mask.shape[0]} x {mask.shape[1]} (y, x)",
            allowed=f"{frame.shape[0]} x {frame.shape[1]}",
            todo="search the map of the truth, or set coco.shapes=ellipses",
        )
    shapes = Detections.from_mask(mask)
    order = np.argsort(islands.ids, kind="stable")
    place = np.minimum(np.searchsorted(islands.ids, mask.labels, sorter=order), len(islands) - 1)
    rows = order[place]
    known = islands.ids[rows] == mask.labels
    if not known.all():
        raise UsageError(
            "the map of labels has islands that the catalogue lacks",
            got=f"label {int(mask.labels[~known][0])}",
        )
    return shapes, rows


def _classes(catalogue: Catalogue, options: CocoOptions) -> NDArray[np.str_] | None:
    table = table_of(catalogue, options.table)
    return np.asarray(table["class"], dtype=np.str_) if "class" in table else None


def _column(table: Table, options: CocoOptions) -> str:
    """The column that tells how sure the finder is.

    Raises
    ------
    UsageError
        The table has no such column of numbers.
    """
    name = options.score if options.score != "auto" else "score" if "score" in table else "snr"
    if name not in table or table[name].dtype.kind not in "fi":
        raise UsageError(
            f"the table {table.kind} has no column of numbers {name!r}", todo="set coco.score=snr"
        )
    return name


# -- what the report tells


def _evaluate(
    found: Shapes, true: Shapes, bins: Sequence[tuple[float, float]] = ((0.0, EVER),), *, masks: bool = False
) -> Precision:
    return evaluate(
        found.detections, found.score, found.snr, true.detections, true.snr, bins=bins, masks=masks
    )


def _numbers(kind: str, result: Precision, n: int) -> dict[str, Number]:
    """AP and AR of boxes or masks."""
    recall = result.ar(0.5)
    low, high = wilson(np.nan_to_num(recall) * n, n)
    return {
        f"ap_{kind}": result.ap(),
        f"ap50_{kind}": result.ap(0.5),
        f"ap75_{kind}": result.ap(0.75),
        f"ar_{kind}": result.ar(),
        f"ar50_{kind}": recall,
        f"ar50_{kind}_low": float(low),
        f"ar50_{kind}_high": float(high),
    }


def _iou_table(results: Mapping[str, Precision], n: int) -> ReportTable:
    table: dict[str, list[float]] = {"iou": list(IOUS), "n": [n] * len(IOUS)}
    for kind, result in results.items():
        table[f"ap_{kind}"] = [result.ap(iou) for iou in IOUS]
        table[f"ar_{kind}"] = [result.ar(iou) for iou in IOUS]
    return table


def _curve_table(results: Mapping[str, Precision], n: int) -> ReportTable:
    """Precision against recall at an IoU of 0.5 and of 0.75."""
    table: dict[str, list[float]] = {"recall": list(RECALLS), "n": [n] * len(RECALLS)}
    for kind, result in results.items():
        for iou in (0.5, 0.75):
            table[f"precision{round(100 * iou)}_{kind}"] = result.precision[IOUS.index(iou), :, 0, 0].tolist()
    return table


def _snr_table(
    results: Mapping[str, Precision], bins: Sequence[tuple[float, float]], snr: Floats
) -> ReportTable:
    """AP and AR in bins of S/N."""
    table: dict[str, list[float]] = {"snr_from": [], "snr_to": [], "n": []}
    for low, high in bins[1:]:
        table["snr_from"].append(low)
        table["snr_to"].append(high if high < EVER else math.inf)
        table["n"].append(int(np.sum((snr >= low) & (snr < high))))
    for kind, result in results.items():
        places = range(1, len(bins))
        table[f"ap_{kind}"] = [result.ap(bin=place) for place in places]
        table[f"ap50_{kind}"] = [result.ap(0.5, bin=place) for place in places]
        table[f"ar_{kind}"] = [result.ar(bin=place) for place in places]
    return table


def _class_table(found: Shapes, true: Shapes, kinds: Sequence[str]) -> ReportTable:
    """AP and AR of each class, which found and true ones must share; nothing where one side has none."""
    table: dict[str, list[object]] = {"class": [], "n": [], "n_found": []}
    if found.classes is None or true.classes is None:
        return table
    names = sorted({*true.classes.tolist(), *found.classes.tolist()})
    of_found, of_true = np.searchsorted(names, found.classes), np.searchsorted(names, true.classes)
    table["class"] = list(names)
    table["n"] = np.bincount(of_true, minlength=len(names)).tolist()
    table["n_found"] = np.bincount(of_found, minlength=len(names)).tolist()
    for kind in kinds:
        result = evaluate(
            found.detections,
            found.score,
            found.snr,
            true.detections,
            true.snr,
            masks=kind == "mask",
            found_class=of_found,
            true_class=of_true,
        )
        table[f"ap_{kind}"] = [result.ap(of=number) for number in range(len(names))]
        table[f"ap50_{kind}"] = [result.ap(0.5, of=number) for number in range(len(names))]
        table[f"ar_{kind}"] = [result.ar(of=number) for number in range(len(names))]
    return table


def _with_artefacts(true: Shapes, matched: Matching, truth: Truth) -> Shapes:
    """The true objects and the masks of artefacts, which are a class of their own."""
    rows = matched.truths.artefacts
    if not len(rows) or not len(truth.detections) or true.classes is None:
        return true
    return Shapes(
        Detections.concat([true.detections, truth.detections.select(rows.row)]),
        np.concatenate([true.score, np.ones(len(rows))]),
        np.concatenate([true.snr, np.nan_to_num(rows["snr"])]),
        np.concatenate([true.classes, np.full(len(rows), SPURIOUS)]),
        true.told,
    )

"""`mask_report`: how good found objects with masks and classes are, as a report with tables for a page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skysift.base.errors import DataError
from skysift.find.neural.calibration import Calibration
from skysift.find.neural.maskjudge import LEAST, objects_of_field
from skysift.find.neural.masks import MaskDetector
from skysift.find.neural.pairing import RULE, Counts, Matched, ap50, matched_in, true_in
from skysift.flow.training.thresholds import KnownMasks
from skysift.learn.fields import Field
from skysift.score.classes import NOTHING, calibration
from skysift.score.intervals import wilson
from skysift.score.scorer import Number, Report, ReportTable
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES

__all__ = ["mask_report"]

Floats = NDArray[np.float64]

_BINS = 10  # of scores
_STEPS = np.linspace(0.0, 0.95, 20).round(2)


def mask_report(
    detector: MaskDetector,
    net: nn.Module,
    fields: Sequence[Field],
    device: torch.device,
    law: Calibration,
    threshold: float | Floats,
) -> Report:
    """
    The report ``masks``: completeness, reliability and AP50 of each class, confusion, and the calibration of scores.

    Parameters
    ----------
    detector, net
        The network, and what its answers mean.
    fields
        With parts that are kept for validation.
    device
        Where the network runs.
    law
        The probabilities of scores.
    threshold
        Found objects with a lower probability (than this number, or that of their class) count as not found; for AP50
        and the calibration all count.

    Raises
    ------
    DataError
        There is nothing to be found in the fields.
    """
    least = min(LEAST, law.raw_of(float(np.min(threshold))))
    lists = [objects_of_field(detector, net, field, device, least) for field in fields]
    lists = [Detections(each.boxes, law.scores(each.scores), each.footprints, each.raw) for each in lists]
    parts = [matched_in(each, field) for each, field in zip(lists, fields, strict=True)]
    whole = Matched.concat(parts)
    if not whole.bright.any():
        raise DataError("the fields have no object to be found", got=f"{whole.true_kind.size} faint ones")
    counts = whole.counts(threshold)
    pairs = [(each, true_in(field), field.shape[1]) for each, field in zip(lists, fields, strict=True)]
    precision = {kind: ap50(pairs, masks=kind == "mask") for kind in ("box", "mask")}
    told, more = calibration(whole.scores, whole.right, _BINS)
    known = KnownMasks(parts)
    at = known.numbers([each.scores for each in parts], threshold)
    numbers: dict[str, Number] = {name: at[name] for name in ("completeness", "reliability", "f1", "purity")}
    numbers |= {f"ap50_{kind}": _mean_known(each) for kind, each in precision.items()}
    numbers |= {
        "n_true": int(whole.bright.sum()),
        "n_found": sum(each.found for each in counts.values()),
        **more,
    }
    tables: dict[str, ReportTable] = {
        "classes": _class_table(counts, precision),
        "confusion": _confusion(whole, threshold),
        "calibration": told,
        "threshold": _sweep(known),
    }
    return Report(
        "masks",
        numbers,
        tables,
        f"{RULE} Numbers without a class are means over the classes that the truth has; purity is that of all found "
        "objects but spurious ones.",
        {"threshold": float(np.min(threshold))},
        f"{len(whole)} found objects",
        f"{whole.true_kind.size} objects in {len(fields)} field{'s' * (len(fields) != 1)}",
    )


def _mean_known(values: dict[str, float]) -> float:
    known = [value for value in values.values() if value == value]
    return float(np.mean(known)) if known else float("nan")


def _class_table(counts: dict[str, Counts], precision: dict[str, dict[str, float]]) -> ReportTable:
    """Numbers of each class with intervals; classes of which there is nothing are left out."""
    there = {name: each for name, each in counts.items() if each.true or each.found}
    table: dict[str, list[object]] = {
        "class": list(there),
        "n": [each.true for each in there.values()],
        "n_found": [each.found for each in there.values()],
    }
    for name, k, n in (("completeness", "complete", "true"), ("reliability", "right", "found")):
        table[name] = [getattr(each, name) for each in there.values()]
        ends = wilson(*([getattr(each, key) for each in there.values()] for key in (k, n)))
        table[f"{name}_low"], table[f"{name}_high"] = (np.asarray(end).tolist() for end in ends)
    table["f1"] = [each.f1 for each in there.values()]
    for kind, values in precision.items():
        table[f"ap50_{kind}"] = [values[name] for name in there]
    return table


def _confusion(whole: Matched, threshold: float | Floats) -> ReportTable:
    """Objects of each true class that were found to be of each class, were there no classes to agree."""
    true, found = whole.confusion(threshold).T
    names = [*CLASSES, NOTHING]
    numbers = [*range(len(CLASSES)), -1]
    table: dict[str, list[object]] = {"true": list(names)}
    for name, kind in zip(names, numbers, strict=True):
        table[name] = [int(((true == each) & (found == kind)).sum()) for each in numbers]
    return table


def _sweep(known: KnownMasks) -> ReportTable:
    """Means over classes against the threshold."""
    scores = [each.scores for each in known.parts]
    rows = [known.numbers(scores, float(step)) for step in _STEPS]
    shown = ("completeness", "reliability", "f1", "purity")
    return {
        "threshold": _STEPS.tolist(),
        "n": [int(row["n_found"]) for row in rows],
        **{name: [row[name] for row in rows] for name in shown},
    }

"""`evaluate_weights`: weights on labelled fields, by the scorers that judge every catalogue: reports and their page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skysift.base.errors import DataError
from skysift.base.registry import Registry
from skysift.find.neural.calibration import Calibration
from skysift.find.neural.judge import LEAST
from skysift.find.neural.known import point_detector_of
from skysift.find.neural.sides import sides_of
from skysift.flow.products import refuse_earlier
from skysift.flow.steps.score import Side, write_scores
from skysift.learn.checkpoint import Checkpoint, load_into
from skysift.learn.device import device_named
from skysift.learn.fields import Field
from skysift.score.scorer import Report
from skysift.score.several import menus_of
from skysift.sky.table import Table
from skysift.sky.truth import SPURIOUS

__all__ = ["SCORERS", "Evaluated", "evaluate_weights"]

SCORERS = ("counts", "classes", "sdc1")
_SET = {"sdc1": {"whole": True, "frequency": "1400MHz"}}


@dataclass(frozen=True)
class Evaluated:
    """
    How good weights are.

    Attributes
    ----------
    reports
        One of each scorer: of what scores the threshold or more; the calibration is of all scores.
    threshold
        The score below which sources were left out.
    n_fields
        Fields that were looked at.
    """

    reports: tuple[Report, ...]
    threshold: float
    n_fields: int


def evaluate_weights(
    weights: Checkpoint,
    fields: Sequence[Field],
    out: Path,
    sides: Sequence[Side] = (),
    *,
    device: str = "auto",
    threshold: float | None = None,
    overwrite: bool = False,
) -> Evaluated:
    """
    Reports of weights, written as a page, tables and figures like those of ``skysift score``.

    Parameters
    ----------
    weights
        With their card.
    fields
        With parts that are kept for validation (`skysift.flow.training.labelled_fields`).
    out
        The folder; made where it is missing.
    sides
        Where weights and fields were read from.
    device
        Where the network runs.
    threshold
        Score below which sources are left out; as the weights were calibrated where not given.
    overwrite
        Whether the reports of an earlier run are replaced.

    Raises
    ------
    DataError
        The weights are of a model that no finder looks through, or there is nothing to be found in the fields.
    OutputError
        The folder holds earlier products and `overwrite` is off.
    """
    refuse_earlier(out, overwrite=overwrite)
    least = weights.card.threshold if threshold is None else threshold
    detector = point_detector_of(weights, "evaluate")
    net = detector.net()
    load_into(net, weights)
    place = device_named(device)
    calibration, flips = Calibration.of(weights.card.settings), int(weights.card.settings.get("flips", 1))
    lowest = min(LEAST, calibration.raw_of(least))
    found, truth = sides_of(detector, net.to(place).eval(), fields, place, lowest, flips)
    found = replace(found, sources=_with_scores(found.sources, calibration))
    if not truth.real.any():
        raise DataError("the fields have no object to be found", got=f"{len(truth)} artefacts")
    kept = found.select(found.sources["score"] >= least)
    real, sure = (each.select(each.sources["class"] != SPURIOUS) for each in (found, kept))
    told = f"Sources of {weights.card.name} with a score of {least:g} or more in {len(fields)} fields. "
    reports = []
    for name, menu in menus_of(SCORERS, _SET).items():
        scorer = Registry[Any]("scorer").load(name)(menu)
        report: Report = scorer.score(kept if name == "classes" else sure, truth)
        if name == "classes":
            report = _calibrated(report, scorer.score(real, truth))
        reports.append(replace(report, rule=told + report.rule))
    write_scores(reports, out, sides, overwrite=overwrite)
    return Evaluated(tuple(reports), least, len(fields))


def _with_scores(table: Table, calibration: Calibration) -> Table:
    """The table with scores as finders tell them."""
    return table.with_columns({"score": calibration.scores(table["score"])})


def _calibrated(report: Report, whole: Report) -> Report:
    """A report with the calibration of another, which is of all scores."""
    numbers = {name: whole.numbers[name] for name in ("ece", "brier", "n_scored", "n_score_invalid")}
    return replace(
        report,
        numbers={**report.numbers, **numbers},
        tables={**report.tables, "calibration": whole.tables["calibration"]},
    )

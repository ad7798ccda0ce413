"""`EvaluateStep`: weights on labelled fields, by the scorers that judge every catalogue: reports and their page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from skysift.base.errors import DataError
from skysift.base.registry import Registry
from skysift.find.neural.calibration import Calibration, limits_of, limits_told
from skysift.find.neural.detector import Detector
from skysift.find.neural.judge import LEAST
from skysift.find.neural.known import detector_of
from skysift.find.neural.masks import MaskDetector
from skysift.find.neural.sides import sides_of
from skysift.flow.products import refuse_earlier
from skysift.flow.steps.score import Side, write_scores
from skysift.flow.training.learnt import learnt_from, told_of
from skysift.flow.training.mask_report import mask_report
from skysift.flow.training.options import EvaluateOptions
from skysift.learn.checkpoint import Card, Checkpoint, load_into
from skysift.learn.device import device_named
from skysift.learn.fields import Field
from skysift.score.scorer import Report
from skysift.score.several import menus_of
from skysift.sky.table import Table
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = ["SCORERS", "EvaluateStep", "Evaluated"]

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
        The score below which sources were left out, where classes have none of their own.
    least
        The same in words, of each class where they differ.
    n_fields
        Fields that were looked at.
    notes
        What one should know about the fields.
    """

    reports: tuple[Report, ...]
    threshold: float
    least: str
    n_fields: int
    notes: tuple[str, ...]


class EvaluateStep:
    """Weights on labelled fields: reports, written as a page, tables and figures like those of ``skysift score``."""

    def __init__(self, options: EvaluateOptions) -> None:
        self.options = options

    def evaluate(
        self,
        weights: Checkpoint,
        fields: Iterable[Field],
        out: Path,
        sides: Sequence[Side] = (),
        *,
        overwrite: bool = False,
    ) -> Evaluated:
        """
        The reports of weights.

        Parameters
        ----------
        weights
            With their card.
        fields
            With parts that are kept for validation (`skysift.flow.training.labelled_fields`); they are taken, or made,
            when all else is known to be right.
        out
            The folder; made where it is missing.
        sides
            Where weights and fields were read from.
        overwrite
            Whether the reports of an earlier run are replaced.

        Raises
        ------
        DataError
            The weights are of a model that no finder looks through, or there is nothing to be found in the fields.
        UsageError
            There is no such device.
        OutputError
            The folder holds earlier products and `overwrite` is off.
        """
        refuse_earlier(out, overwrite=overwrite)
        card, place = weights.card, device_named(self.options.device)
        least = card.threshold if self.options.threshold is None else self.options.threshold
        detector = detector_of(weights)
        net = detector.net()
        load_into(net, weights)
        net = net.to(place).eval()
        looked = list(fields)
        notes = learnt_from(card, looked)
        limits = np.full(len(CLASSES), least)
        if isinstance(detector, MaskDetector):
            law = Calibration.of(card.settings)
            limits = limits_of(card) if self.options.threshold is None else limits
            made = [mask_report(detector, net, looked, place, law, limits)]
        else:
            made = _point_reports(detector, net, looked, place, card, least)
        said = limits_told(limits.tolist())
        told = f"Finds of {card.name} with a score of {said} or more in {len(looked)} field{'s' * (len(looked) != 1)}. "
        reports = [replace(each, rule=told + each.rule, notes=(*each.notes, *notes)) for each in made]
        facts = {
            "weights": card.name, "fields": [told_of(each) for each in looked], "device": str(place), "threshold": least,
        }  # fmt: skip
        write_scores(reports, out, sides, facts=facts, overwrite=overwrite)
        return Evaluated(tuple(reports), least, said, len(looked), notes)


def _point_reports(
    detector: Detector, net: nn.Module, fields: Sequence[Field], place: torch.device, card: Card, least: float
) -> list[Report]:
    """The reports of the scorers about sources by place and shape."""
    calibration, flips = Calibration.of(card.settings), int(card.settings.get("flips", 1))
    lowest = min(LEAST, calibration.raw_of(least))
    found, truth = sides_of(detector, net, fields, place, lowest, flips)
    found = replace(found, sources=_with_scores(found.sources, calibration))
    if not truth.real.any():
        raise DataError("the fields have no object to be found", got=f"{len(truth)} artefacts")
    kept = found.select(found.sources["score"] >= least)
    real, sure = (each.select(each.sources["class"] != SPURIOUS) for each in (found, kept))
    reports = []
    for name, menu in menus_of(SCORERS, _SET).items():
        scorer = Registry[Any]("scorer").load(name)(menu)
        report: Report = scorer.score(kept if name == "classes" else sure, truth)
        if name == "classes":
            report = _calibrated(report, scorer.score(real, truth))
        reports.append(report)
    return reports


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

"""`CalibrateStep`: scores become probabilities, and thresholds are chosen for a goal, on fields that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

import skysift
from skysift.base.errors import OptionError, UsageError
from skysift.find.neural.calibration import Calibration, calibration_error, fitted, limits_of
from skysift.find.neural.detector import Detector
from skysift.find.neural.judge import LEAST, Answers, find_in_field
from skysift.find.neural.known import detector_of
from skysift.find.neural.maskjudge import LEAST as LEAST_MASKS
from skysift.find.neural.maskjudge import objects_of_field
from skysift.find.neural.masks import MaskDetector
from skysift.find.neural.pairing import matched_in
from skysift.flow.training.learnt import learnt_from, told_of
from skysift.flow.training.options import CalibrateOptions
from skysift.flow.training.thresholds import Known, KnownMasks, KnownPoints
from skysift.io.output import whole_file
from skysift.learn.checkpoint import Card, Checkpoint, halved, load_into, write_checkpoint
from skysift.learn.device import device_named
from skysift.learn.fields import Field
from skysift.sky.truth import CLASSES

__all__ = ["FEWEST", "CalibrateStep", "Calibrated"]

Floats: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[str, int, int], None]

FEWEST = 50  # detections that a calibration asks for


@dataclass(frozen=True)
class Calibrated:
    """
    What a calibration chose.

    Attributes
    ----------
    card
        Of the new weights.
    before
        Numbers on the fields at the threshold that the weights had.
    after
        Numbers at the threshold of each goal.
    thresholds
        These thresholds; the first is the usual one.
    shown
        Which of the numbers a summary shows.
    errors
        By how much scores miss the share of true detections: before, and after, on detections that did not count.
    n_found, n_fields
        Detections and fields that it rests on.
    notes
        What one should know about the fields.
    """

    card: Card
    before: Mapping[str, float]
    after: Mapping[str, Mapping[str, float]]
    thresholds: Mapping[str, float]
    shown: tuple[str, ...]
    errors: tuple[float, float]
    n_found: int
    n_fields: int
    notes: tuple[str, ...]


class CalibrateStep:
    """
    Weights whose scores are probabilities, with a threshold for each goal.

    Detections are those of the network, before they are measured. True are the matches of the first SKA data challenge;
    of networks that tell objects by their pixels those that match a true one of their class.
    """

    def __init__(self, options: CalibrateOptions) -> None:
        self.options = options

    def calibrate(
        self,
        weights: Checkpoint,
        fields: Iterable[Field],
        out: Path,
        *,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> Calibrated:
        """
        Write weights with thresholds and a table of probabilities in their card.

        Parameters
        ----------
        weights
            With their card; an earlier calibration is replaced.
        fields
            With parts that are kept for validation; they are taken, or made, when all else is known to be right.
        out
            FILE.safetensors.
        overwrite
            Replace what is there.
        progress
            Called as progress(stage, done, total).

        Raises
        ------
        OptionError
            The weights have no such goal, or do not look in several orientations.
        UsageError
            There is no such device, the fields are too few for a calibration, or no threshold reaches a goal.
        OutputError
            The file exists and `overwrite` is false, or cannot be written.
        """
        place = device_named(self.options.device)
        detector = detector_of(weights)
        kind = KnownMasks if isinstance(detector, MaskDetector) else KnownPoints
        goals = self.options.goals or kind.goals[:1]
        _refuse(weights.card, kind, goals, self.options.flips)
        ways = 1 if kind is KnownMasks else self.options.flips or int(weights.card.settings.get("flips", 1))
        kept = halved(weights) if self.options.half else weights
        net = detector.net()
        load_into(net, kept)
        net = net.to(place).eval()
        with whole_file(out, overwrite=overwrite) as part:  # told before the work that it cannot be written
            looked = list(fields)
            known = _found(detector, net, looked, place, ways, progress)
            made = _chosen(weights, known, looked, goals, ways)
            write_checkpoint(part, kept.tensors, made.card)
        return made


def _refuse(card: Card, kind: type[Known], goals: Sequence[str], flips: int | None) -> None:
    """Refuse what weights of this kind cannot be calibrated for."""
    unknown = [goal for goal in goals if goal.partition("=")[0] not in kind.goals]
    if unknown:
        raise OptionError(
            f"weights of the model {card.model} have no such goal",
            got=unknown[0],
            allowed=", ".join(each + ("=X" if each == "purity" else "") for each in kind.goals),
        )
    if kind is KnownMasks and flips not in (None, 1):
        raise OptionError(
            f"weights of the model {card.model} look in one orientation", got=f"flips={flips}", allowed="1"
        )


def _found(
    detector: Detector,
    net: torch.nn.Module,
    fields: Sequence[Field],
    place: torch.device,
    ways: int,
    progress: Progress | None,
) -> Known:
    """What the network finds in the fields."""
    lists, parts = [], []
    for done, field in enumerate(fields, start=1):
        if isinstance(detector, MaskDetector):
            parts.append(matched_in(objects_of_field(detector, net, field, place, LEAST_MASKS), field))
        else:
            lists.append(Answers(field, find_in_field(detector, net, field, place, LEAST, ways)))
        if progress is not None:
            progress("sources", done, len(fields))
    return KnownMasks(parts) if parts else KnownPoints(lists)


def _chosen(
    weights: Checkpoint, known: Known, fields: Sequence[Field], goals: Sequence[str], flips: int
) -> Calibrated:
    """The calibration and the thresholds that detections in known fields ask for."""
    card, raws, true = weights.card, known.raws, known.true
    raw = np.concatenate(raws)
    if raw.size < FEWEST or true.all() or not true.any():
        raise UsageError(
            "the fields hold too little for a calibration",
            got=f"{raw.size} detections, {int(true.sum())} of them true",
            allowed=f"{FEWEST} detections or more, true and false ones",
            todo="give more or larger fields",
        )
    calibration = fitted(raw, true)
    scores = [calibration.scores(each) for each in raws]
    thresholds = {goal: known.threshold(goal, np.concatenate(scores)) for goal in goals}
    by_class = {goal: known.class_thresholds(goal, np.concatenate(scores)) for goal in goals}
    old = Calibration.of(card.settings)
    before = known.numbers([old.scores(each) for each in raws], limits_of(card))
    after = {
        goal: known.numbers(scores, np.array([by_class[goal].get(name, one) for name in CLASSES]))
        for goal, one in thresholds.items()
    }
    errors = calibration_error(old.scores(raw), true), calibration_error(_left_out(raw, true, raws), true)
    chosen_on = {
        "goal": goals[0],
        "weights": weights.checksum,
        "fields": [told_of(each) for each in fields],
        "detections": int(raw.size),
        "true": int(true.sum()),
        "error_before": errors[0],
        "error": errors[1],
        "numbers": {
            goal: {name: float(value) for name, value in each.items()} for goal, each in after.items()
        },
        "version": skysift.__version__,
    }
    settings = {
        **card.settings,
        "threshold": thresholds[goals[0]],
        "thresholds": thresholds,
        "class_thresholds": {goal: each for goal, each in by_class.items() if each},
        "calibration": calibration.to_dict(),
        "flips": flips,
        "calibrated_on": chosen_on,
    }
    return Calibrated(
        replace(card, settings=settings), before, after, thresholds, known.shown, errors, int(raw.size),
        len(fields), learnt_from(card, fields),
    )  # fmt: skip


def _left_out(raw: Floats, true: NDArray[np.bool_], raws: Sequence[Floats]) -> Floats:
    """Calibrated scores of the detections of each field by all other fields; of one field, by every other row."""
    part = np.repeat(np.arange(len(raws)), [len(each) for each in raws])
    if len(raws) == 1:
        part = np.arange(raw.size) % 2
    result = np.empty(raw.size)
    for number in range(int(part.max()) + 1):
        mine = part == number
        if mine.any() and not mine.all():
            result[mine] = fitted(raw[~mine], true[~mine]).scores(raw[mine])
        elif mine.all():
            result = fitted(raw, true).scores(raw)
    return result

"""`calibrate_weights`: scores become probabilities, and thresholds are chosen for a goal, on fields that are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.errors import OptionError, UsageError
from skysift.find.neural.calibration import Calibration, calibration_error, fitted
from skysift.find.neural.judge import LEAST, Answers, find_in_field, numbers_at
from skysift.find.neural.known import point_detector_of
from skysift.find.neural.orientations import FLIPS
from skysift.io.output import whole_file
from skysift.learn.checkpoint import Card, Checkpoint, load_into, write_checkpoint
from skysift.learn.device import device_named
from skysift.learn.fields import Field

__all__ = ["FEWEST", "GOALS", "Calibrated", "calibrate_weights", "earned_by", "goal_of", "threshold_for"]

Floats: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[str, int, int], None]

GOALS = ("sdc1", "f1", "purity=0.99")  # the last with any purity
FEWEST = 50  # detections that a calibration asks for
_SURE = 20  # detections, of which a purity is told at least; as many that one false one would show
_DIGITS = 4  # of a threshold


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
    errors: tuple[float, float]
    n_found: int
    n_fields: int
    notes: tuple[str, ...]


def goal_of(text: str) -> str:
    """A goal in the form in which it names a threshold.

    Raises
    ------
    OptionError
        There is no such goal.
    """
    name, _, value = text.partition("=")
    if name == "purity":
        try:
            purity = float(value)
        except ValueError:
            purity = np.nan
        if not 0.0 < purity < 1.0:
            raise OptionError("the purity of a goal is not allowed", got=text, allowed="purity=X, 0 < X < 1")
        return f"purity={purity:g}"
    if text not in ("sdc1", "f1"):
        raise OptionError("no such goal", got=text, allowed="sdc1, f1, purity=0.99")
    return text


def calibrate_weights(
    weights: Checkpoint,
    fields: Sequence[Field],
    out: Path,
    goals: Sequence[str] = ("sdc1",),
    *,
    flips: int | None = None,
    device: str = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Calibrated:
    """
    Write weights whose scores are probabilities, with a threshold for each goal.

    Detections are those of the network, before they are measured; true ones are the matches of the first SKA data
    challenge.

    Parameters
    ----------
    weights
        With their card; an earlier calibration is replaced.
    fields
        With parts that are kept for validation.
    out
        FILE.safetensors.
    goals
        What thresholds are for: ``sdc1``, ``f1`` or ``purity=X``; the first is the usual one.
    flips
        How many orientations of the fields the network looks at, then and later; as the weights say by default.
    device
        Where the network runs.
    overwrite
        Replace what is there.
    progress
        Called as progress(stage, done, total).

    Raises
    ------
    OptionError
        There is no such goal.
    UsageError
        The fields are too few for a calibration, or no threshold reaches a goal.
    OutputError
        The file exists and `overwrite` is false, or cannot be written.
    """
    wanted = list(dict.fromkeys(goal_of(each) for each in goals))
    place = device_named(device)
    ways = flips or int(weights.card.settings.get("flips", 1))
    if ways not in FLIPS:
        raise OptionError("no such number of orientations", got=ways, allowed=FLIPS)
    detector = point_detector_of(weights, "calibrate")
    net = detector.net()
    load_into(net, weights)
    net = net.to(place).eval()
    with whole_file(out, overwrite=overwrite) as part:  # told before the work that it cannot be written
        lists = []
        for done, field in enumerate(fields, start=1):
            lists.append(Answers(field, find_in_field(detector, net, field, place, LEAST, ways)))
            if progress is not None:
                progress("sources", done, len(fields))
        made = _chosen(weights.card, lists, wanted, ways)
        write_checkpoint(part, weights.tensors, made.card)
    return made


def _chosen(card: Card, lists: Sequence[Answers], goals: Sequence[str], flips: int) -> Calibrated:
    """The calibration and the thresholds that detections in known fields ask for."""
    raws = [each.found.scores for each in lists]
    raw = np.concatenate(raws)
    earned = [earned_by(each) for each in lists]
    true = np.concatenate([np.isfinite(each) for each in earned])
    if raw.size < FEWEST or true.all() or not true.any():
        raise UsageError(
            "the fields hold too little for a calibration",
            got=f"{raw.size} detections, {int(true.sum())} of them true",
            allowed=f"{FEWEST} detections or more, true and false ones",
            todo="give more or larger fields",
        )
    calibration = fitted(raw, true)
    scores = [calibration.scores(each) for each in raws]
    thresholds = {
        goal: threshold_for(goal, np.concatenate(scores), np.concatenate(earned), lists) for goal in goals
    }
    old = Calibration.of(card.settings)
    before = numbers_at(lists, [old.scores(each) for each in raws], card.threshold)
    after = {goal: numbers_at(lists, scores, threshold) for goal, threshold in thresholds.items()}
    errors = calibration_error(old.scores(raw), true), calibration_error(_left_out(raw, true, raws), true)
    chosen_on = {
        "goal": goals[0],
        "fields": [str(each.field.facts.get("simulator") or each.field.name) for each in lists],
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
        "calibration": calibration.to_dict(),
        "flips": flips,
        "calibrated_on": chosen_on,
    }
    new = replace(card, settings=settings)
    return Calibrated(new, before, after, thresholds, errors, int(raw.size), len(lists), _notes(card, lists))


def earned_by(answers: Answers) -> Floats:
    """What each detection earns in the challenge; NaN for one that matches nothing."""
    earned = np.full(len(answers.found), np.nan)
    told = answers.score(np.ones(len(earned), np.bool_))
    if told is not None:
        earned[told.matches.left] = told.points
    return earned


def threshold_for(goal: str, score: Floats, earned: Floats, lists: Sequence[Answers]) -> float:
    """The threshold that a goal asks for, as it is written into a card.

    Parameters
    ----------
    goal
        ``sdc1``, ``f1`` or ``purity=X``.
    score, earned
        Of all detections; what a false one earned is NaN.
    lists
        These detections, field by field.
    """
    order = np.argsort(-score, kind="stable")
    count = np.arange(1, score.size + 1)
    true = np.isfinite(earned[order])
    purity = np.cumsum(true) / count
    if goal == "sdc1":
        value = np.cumsum(np.where(true, earned[order], -1.0))
    elif goal == "f1":
        n_true = sum(int(each.bright.sum()) for each in lists)
        bright = np.concatenate([_matches_bright(each) for each in lists])[order]
        completeness = np.cumsum(bright) / max(n_true, 1)
        value = purity * completeness / np.maximum(purity + completeness, 1e-12)
    else:
        least = float(goal.partition("=")[2])
        needed = max(_SURE, math.ceil(1.0 / (1.0 - least) - 1e-6))
        if needed > score.size:
            raise UsageError(
                "the fields hold too few detections to tell such a purity",
                got=f"{goal}, {score.size} detections",
                allowed=f"{needed} or more for it",
                todo="give more fields, or ask for less",
            )
        enough = (purity >= least) & (count >= needed)
        if not enough.any():
            raise UsageError(
                "no threshold reaches this purity on these fields",
                got=goal,
                allowed=f"up to {purity[needed - 1 :].max():.3f}",
                todo="ask for less, or give more fields",
            )
        value = np.where(enough, count, 0)
    lowest = score[order][int(np.argmax(value))]
    return float(np.floor(lowest * 10**_DIGITS) / 10**_DIGITS)


def _matches_bright(answers: Answers) -> NDArray[np.bool_]:
    """Which detections match a true object that is bright."""
    result = np.zeros(len(answers.found), np.bool_)
    told = answers.score(np.ones(result.size, np.bool_))
    if told is not None:
        result[told.matches.left] = answers.bright[told.matches.right]
    return result


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


def _notes(card: Card, lists: Sequence[Answers]) -> tuple[str, ...]:
    """How the fields took part in the training."""
    trained: list[Mapping[str, Any]] = list(card.training.get("fields", ()))
    same = sum(any(_same(each.field.facts, one) for one in trained) for each in lists)
    if not same:
        return ()
    return (f"{same} of {len(lists)} fields took part in the training, which flatters the weights",)


def _same(facts: Mapping[str, Any], plan: Mapping[str, Any]) -> bool:
    """Whether a field is one of a training: of the same options, or the same map."""
    if "simulator" in plan:
        return facts.get("simulator") == plan["simulator"] and facts.get("options") == plan.get("options")
    return "map" in facts and facts["map"] == plan.get("map")

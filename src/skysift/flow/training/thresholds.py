"""What a network found in known fields, as a calibration asks: which finds are true, and which threshold a goal wants."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.find.neural.judge import Answers, numbers_at
from skysift.find.neural.pairing import Matched
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = ["Known", "KnownMasks", "KnownPoints", "earned_by", "threshold_for"]

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

_SURE = 20  # detections, of which a purity is told at least; as many that one false one would show
_DIGITS = 4  # of a threshold


class Known(ABC):
    """
    What a network found in known fields.

    Attributes
    ----------
    goals
        What thresholds can be for, the usual one first.
    shown
        Which numbers a summary shows.
    raws
        Scores as the network tells them, field by field.
    true
        Whether each find is true; all fields one after the other.
    """

    goals: ClassVar[tuple[str, ...]]
    shown: ClassVar[tuple[str, ...]]
    raws: Sequence[Floats]
    true: Bools

    @abstractmethod
    def threshold(self, goal: str, scores: Floats) -> float:
        """The threshold that a goal asks for, for scores of all finds that grow with those of the network."""

    def class_thresholds(self, goal: str, scores: Floats) -> dict[str, float]:
        """A threshold for each class where the goal asks for that; empty where it has but one."""
        return {}

    @abstractmethod
    def numbers(self, scores: Sequence[Floats], threshold: float | Floats) -> Mapping[str, float]:
        """Numbers of the finds that score a threshold or more; some take one for each class."""


class KnownPoints(Known):
    """Sources by place and shape; true ones are the matches of the first SKA data challenge."""

    goals: ClassVar[tuple[str, ...]] = ("sdc1", "f1", "purity")
    shown: ClassVar[tuple[str, ...]] = ("points", "purity", "completeness", "mean")

    def __init__(self, lists: Sequence[Answers]) -> None:
        self.lists = lists
        self.raws = [each.found.scores for each in lists]
        self.earned = np.concatenate([earned_by(each) for each in lists])
        self.true = np.isfinite(self.earned)

    def threshold(self, goal: str, scores: Floats) -> float:
        """The threshold that a goal asks for."""
        return threshold_for(goal, scores, self.earned, self.lists)

    def numbers(self, scores: Sequence[Floats], threshold: float | Floats) -> Mapping[str, float]:
        """Numbers of the data challenge."""
        return numbers_at(self.lists, scores, float(np.min(threshold)))


class KnownMasks(Known):
    """Objects by their pixels and class; true ones match one of their class (`skysift.find.neural.pairing`)."""

    goals: ClassVar[tuple[str, ...]] = ("f1", "purity")
    shown: ClassVar[tuple[str, ...]] = ("f1", "completeness", "reliability", "purity")

    def __init__(self, parts: Sequence[Matched]) -> None:
        self.parts = parts
        self.whole = Matched.concat(parts)
        self.raws = [each.scores for each in parts]
        self.true = self.whole.right

    def threshold(self, goal: str, scores: Floats) -> float:
        """
        The threshold that a goal asks for.

        ``f1`` is the mean over the classes that there are of the harmonic mean of completeness and reliability; the
        purity is that of all finds but spurious ones.
        """
        order = np.argsort(-scores, kind="stable")
        if goal != "f1":
            real = order[self.whole.kind[order] != CLASSES.index(SPURIOUS)]
            return _rounded(scores[real][purest(goal, self.true[real])])
        value = np.zeros(scores.size)
        for each in self._f1(scores, order).values():
            value += each
        return _rounded(scores[order][int(np.argmax(value))])

    def class_thresholds(self, goal: str, scores: Floats) -> dict[str, float]:
        """Of ``f1`` the threshold of each class that there is at which its own is highest; none of others."""
        if goal != "f1":
            return {}
        order = np.argsort(-scores, kind="stable")
        return {
            CLASSES[number]: _rounded(scores[order][int(np.argmax(each))])
            for number, each in self._f1(scores, order).items()
        }

    def _f1(self, scores: Floats, order: NDArray[np.int64]) -> dict[int, Floats]:
        """By class, of those that there are: its harmonic mean at the score of each find, in this order."""
        every = self.whole.with_scores(scores).met
        told = {}
        for number in range(len(CLASSES)):
            own = self.whole.bright & (self.whole.true_kind == number)
            if not own.any():
                continue
            mine = self.whole.kind[order] == number
            found, right = np.cumsum(mine), np.cumsum(mine & self.true[order])
            met = np.sort(-every[own])
            complete = np.searchsorted(met, -scores[order], side="right") / own.sum()
            reliable = right / np.maximum(found, 1)
            told[number] = 2.0 * complete * reliable / np.maximum(complete + reliable, 1e-12)
        return told

    def numbers(self, scores: Sequence[Floats], threshold: float | Floats) -> Mapping[str, float]:
        """Completeness, reliability and F1, means over the classes that there are and of each; purity of real objects."""
        counts = self.whole.with_scores(np.concatenate(scores)).counts(threshold)
        there = {name: each for name, each in counts.items() if each.true}
        real = [each for name, each in counts.items() if name != SPURIOUS]
        told = {
            "f1": _mean([each.f1 for each in there.values()]),
            "completeness": _mean([each.completeness for each in there.values()]),
            "reliability": _mean([float(np.nan_to_num(each.reliability)) for each in there.values()]),
            "purity": sum(each.right for each in real) / max(sum(each.found for each in real), 1),
            "n_found": float(sum(each.found for each in counts.values())),
        }
        for name, each in there.items():
            told |= {f"completeness_{name}": each.completeness, f"reliability_{name}": each.reliability}
        return told


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0


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
    true = np.isfinite(earned[order])
    if goal == "sdc1":
        best = int(np.argmax(np.cumsum(np.where(true, earned[order], -1.0))))
    elif goal == "f1":
        purity = np.cumsum(true) / np.arange(1, score.size + 1)
        n_true = sum(int(each.bright.sum()) for each in lists)
        bright = np.concatenate([_matches_bright(each) for each in lists])[order]
        completeness = np.cumsum(bright) / max(n_true, 1)
        best = int(np.argmax(purity * completeness / np.maximum(purity + completeness, 1e-12)))
    else:
        best = purest(goal, true)
    return _rounded(score[order][best])


def purest(goal: str, true: Bools) -> int:
    """How many of the surest finds, less one, can be kept for a purity.

    Parameters
    ----------
    goal
        ``purity=X``.
    true
        Whether finds are true, the surest first.

    Raises
    ------
    UsageError
        The finds are too few to tell such a purity, or none is so pure.
    """
    least = float(goal.partition("=")[2])
    count = np.arange(1, true.size + 1)
    purity = np.cumsum(true) / count
    needed = max(_SURE, math.ceil(1.0 / (1.0 - least) - 1e-6))
    if needed > true.size:
        raise UsageError(
            "the fields hold too few detections to tell such a purity",
            got=f"{goal}, {true.size} detections",
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
    return int(np.flatnonzero(enough)[-1])


def _rounded(score: float) -> float:
    """A threshold as a card tells it; what scores as much is kept."""
    return float(np.floor(score * 10**_DIGITS) / 10**_DIGITS)


def _matches_bright(answers: Answers) -> Bools:
    """Which detections match a true object that is bright."""
    result = np.zeros(len(answers.found), np.bool_)
    told = answers.score(np.ones(result.size, np.bool_))
    if told is not None:
        result[told.matches.left] = answers.bright[told.matches.right]
    return result

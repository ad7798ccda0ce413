"""`Calibration`: the probability that a network's score stands for, and the threshold that a goal asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from skysift.base.errors import UnknownName
from skysift.learn.checkpoint import Card
from skysift.sky.truth import CLASSES

__all__ = ["Calibration", "calibration_error", "fitted", "limits_of", "limits_told", "threshold_of"]

Floats = NDArray[np.float64]

_KNOTS = 40  # at most
_FEWEST = 25  # detections that share a knot


@dataclass(frozen=True, eq=False)
class Calibration:
    """
    Probabilities of scores: a line through knots, both of which grow, so that no order of scores changes.

    Attributes
    ----------
    raw
        Scores as a network tells them, from 0 to 1.
    score
        The probability that a detection of this score is true.
    """

    raw: Floats
    score: Floats

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Calibration:
        """What the settings of a card tell of; scores as they are where they tell of none."""
        table = settings.get("calibration", {"raw": (0.0, 1.0), "score": (0.0, 1.0)})
        return cls(np.asarray(table["raw"], np.float64), np.asarray(table["score"], np.float64))

    def scores(self, raw: Floats) -> Floats:
        """The probabilities of scores."""
        return np.asarray(np.interp(raw, self.raw, self.score))

    def raw_of(self, score: float) -> float:
        """The score of a network that has this probability."""
        return float(np.interp(score, self.score, self.raw))

    def to_dict(self) -> dict[str, list[float]]:
        """The table of knots, JSON-safe."""
        return {"raw": self.raw.tolist(), "score": self.score.tolist()}


def fitted(raw: Floats, true: NDArray[np.bool_]) -> Calibration:
    """
    The calibration of scores by what is known to be true: centred isotonic regression.

    Neighbours in score are pooled, at least 25 of them; pools whose shares of true ones do not grow are joined
    (isotonic regression), and the line goes through the middles of what is left (Oron & Flournoy 2017, Stat. Biopharm.
    Res. 9, 258). Half a detection is added to the true and to the false ones of each pool, so that none is certain.

    Parameters
    ----------
    raw, true
        Score of each detection, and whether it is true.
    """
    order = np.argsort(raw, kind="stable")
    n = max(1, min(_KNOTS, raw.size // _FEWEST))
    edges = np.linspace(0, raw.size, n + 1).astype(np.int64)[:-1]
    weight = np.diff(np.append(edges, raw.size)).astype(np.float64) + 1.0
    centre = np.add.reduceat(raw[order], edges) / (weight - 1.0)
    share = (np.add.reduceat(true[order].astype(np.float64), edges) + 0.5) / weight
    joined = isotonic_regression(share, weights=weight)
    first = joined.blocks[:-1]
    middle = np.add.reduceat(centre * weight, first) / np.add.reduceat(weight, first)
    inside = (middle > 0.0) & (middle < 1.0)
    inside[1:] &= np.diff(middle) > 0.0
    return Calibration(
        np.concatenate([[0.0], middle[inside], [1.0]]),
        np.concatenate([[0.0], joined.x[first][inside], [1.0]]),
    )


def calibration_error(scores: Floats, true: NDArray[np.bool_]) -> float:
    """By how much scores miss the share of true ones, on average over detections in ten pools of equal number."""
    order = np.argsort(scores, kind="stable")
    pools = np.array_split(order, 10)
    parts = [len(pool) * abs(scores[pool].mean() - true[pool].mean()) for pool in pools if len(pool)]
    return float(sum(parts) / max(scores.size, 1))


def threshold_of(card: Card, setting: str | None = None) -> float:
    """The score below which detections are left out.

    Parameters
    ----------
    card
        Of the weights.
    setting
        Which of its thresholds; None for the usual one.

    Raises
    ------
    UnknownName
        The card has no such threshold.
    """
    if not setting:
        return card.threshold
    known: Mapping[str, float] = card.settings.get("thresholds", {})
    if setting not in known:
        raise UnknownName(
            f"the weights {card.name} were not calibrated for this setting",
            got=setting,
            allowed=list(known) or "none",
            todo=f"`skysift calibrate WEIGHTS FIELDS --goal {setting} --out FILE` adds it",
        )
    return float(known[setting])


def limits_of(card: Card, setting: str | None = None) -> Floats:
    """
    The score of each class, in the order of `skysift.sky.truth.CLASSES`, below which detections are left out.

    It is that of `threshold_of` for all but where the weights were calibrated for one of its own for each class.
    """
    one = threshold_of(card, setting)
    goal = setting or str(card.settings.get("calibrated_on", {}).get("goal", ""))
    own: Mapping[str, float] = card.settings.get("class_thresholds", {}).get(goal, {})
    return np.array([float(own.get(name, one)) for name in CLASSES])


def limits_told(limits: Sequence[float]) -> str:
    """Scores of the classes, in the order of `skysift.sky.truth.CLASSES`, in words: one where all have the same."""
    if len(set(limits)) == 1:
        return f"{limits[0]:g}"
    return ", ".join(f"{limit:g} ({name})" for name, limit in zip(CLASSES, limits, strict=True))

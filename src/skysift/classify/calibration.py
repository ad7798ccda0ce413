"""`Calibration`: probabilities that say how often they are right, fitted on sources that were not learnt from.

By one temperature (Guo et al. 2017, ICML 70, 1321) or by isotonic regression class against the rest (Zadrozny &
Elkan 2002, KDD, 694), whose knots are the middles of its pools (Oron & Flournoy 2017, Stat. Biopharm. Res. 9, 258).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize_scalar

__all__ = ["Calibration", "fitted"]

Floats: TypeAlias = NDArray[np.float64]

_TINY = 1e-300
_LEAST = 1e-6  # no probability is smaller before it is calibrated


@dataclass(frozen=True, eq=False)
class Calibration:
    """
    From the probabilities that a model tells to those that hold.

    Attributes
    ----------
    method
        ``none``, ``temperature`` or ``isotonic``.
    temperature
        By which the logarithms of probabilities are divided.
    knots
        Of each class the probabilities told and those that hold, both growing.
    """

    method: str = "none"
    temperature: float = 1.0
    knots: tuple[tuple[Floats, Floats], ...] = ()

    def __call__(self, told: Floats, many: bool = False) -> Floats:
        """The probabilities that hold: (row, class); rows of one label sum to 1. NaN rows stay.

        Parameters
        ----------
        told
            By the model.
        many
            Whether classes are tags, each with a probability of its own.
        """
        if self.method == "none":
            return told
        if self.method == "temperature":
            return _warmed(told, self.temperature, many)
        held = np.stack(
            [np.interp(told[:, k], raw, true) for k, (raw, true) in enumerate(self.knots)], axis=1
        )
        held[~np.isfinite(told)] = np.nan
        return held if many else np.asarray(held / held.sum(axis=1, keepdims=True))

    def to_dict(self) -> dict[str, Any]:
        """The calibration, JSON-safe."""
        knots = [[raw.tolist(), true.tolist()] for raw, true in self.knots]
        return {"method": self.method, "temperature": self.temperature, "knots": knots}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """The calibration that `to_dict` told of."""
        knots = tuple((np.asarray(raw, float), np.asarray(true, float)) for raw, true in values["knots"])
        return cls(str(values["method"]), float(values["temperature"]), knots)


def fitted(method: str, told: Floats, targets: NDArray[Any]) -> Calibration:
    """
    The calibration of probabilities of sources that the model did not learn from.

    Parameters
    ----------
    method
        ``none``, ``temperature`` or ``isotonic``.
    told
        (row, class) by the model; rows with NaN are left out.
    targets
        (row,) class, or (row, class) tags.
    """
    good = np.isfinite(told).all(axis=1)
    told, targets = told[good], targets[good]
    if method == "none" or not len(told):
        return Calibration()
    many = targets.ndim == 2
    truth = targets.astype(bool) if many else np.eye(told.shape[1], dtype=bool)[targets]
    if method == "temperature":
        found = minimize_scalar(
            lambda log: _surprise(_warmed(told, float(np.exp(log)), many), truth, many),
            bounds=(-3.0, 3.0),
            method="bounded",
        )
        return Calibration("temperature", float(np.exp(found.x)))
    return Calibration(
        "isotonic", knots=tuple(_isotonic(told[:, k], truth[:, k]) for k in range(told.shape[1]))
    )


def _warmed(told: Floats, temperature: float, many: bool) -> Floats:
    kept = np.clip(told, _LEAST, 1.0 - _LEAST)
    if many:
        return np.asarray(1.0 / (1.0 + np.exp(-np.log(kept / (1.0 - kept)) / temperature)))
    logs = np.log(kept) / temperature
    grown = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def _surprise(held: Floats, truth: NDArray[np.bool_], many: bool) -> float:
    """The mean of minus the logarithm of the probability of what is true.

    One imagined source of no class is added, spread over all rows (compare Platt 1999, Advances in Large Margin
    Classifiers, 61): without it the probabilities of sources that were all told right would be driven to 0 and 1.
    """
    spread = 1.0 / (len(held) + 1.0)
    share = (1.0 - spread) * truth + spread * (0.5 if many else 1.0 / held.shape[1])
    right = -(share * np.log(np.clip(held, _TINY, 1.0))).sum()
    wrong = -((1.0 - share) * np.log(np.clip(1.0 - held, _TINY, 1.0))).sum() if many else 0.0
    return float(right + wrong) / len(held)


def _isotonic(raw: Floats, true: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Knots of the probability that holds; half a source is added to each pool, so that none is certain.

    Sources that were told the same are one: their order must not part them.
    """
    value, at = np.unique(raw, return_inverse=True)
    count, right = (np.bincount(at, weights) for weights in (None, true.astype(np.float64)))
    joined = isotonic_regression(right / count, weights=count.astype(np.float64))
    first = joined.blocks[:-1]
    n, held, sums = (np.add.reduceat(each, first) for each in (count, right, value * count))
    middle = sums / n
    share = (held + 0.5) / (n + 1.0)
    return middle, np.maximum.accumulate(share)

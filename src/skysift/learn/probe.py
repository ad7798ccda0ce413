"""`Probe`: how well simple classifiers tell classes from features: linear ones, or the nearest of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import DataError, UsageError

__all__ = ["Probe", "ProbeKind"]

Floats: TypeAlias = NDArray[np.float64]
ProbeKind: TypeAlias = Literal["linear", "discriminant", "knn"]

_MINIMUM = 2  # classes


class Probe:
    """
    A simple classifier of vectors of features.

    Parameters
    ----------
    kind
        linear: logistic regression on columns of mean 0 and deviation 1. discriminant: means of classes under one
        covariance, which is shrunk as much as the number of rows asks for (Ledoit & Wolf 2004), on the same columns;
        nothing is to be chosen, and few labels are enough. knn: votes of the nearest, by the cosine.
    strength
        linear: the inverse of the penalty of large weights.
    neighbours
        knn: how many vote, with the exponential of their cosine over 0.1.
    balanced
        linear: whether rare classes count as much as frequent ones.

    Attributes
    ----------
    classes
        Of what was learnt, sorted; empty before `fit`.
    """

    def __init__(
        self,
        kind: ProbeKind = "linear",
        *,
        strength: float = 0.1,
        neighbours: int = 15,
        balanced: bool = False,
    ) -> None:
        if kind not in get_args(ProbeKind):
            raise UsageError("no such probe", got=kind, allowed=get_args(ProbeKind))
        self.kind, self.strength, self.neighbours, self.balanced = kind, strength, neighbours, balanced
        self.classes: NDArray[Any] = np.empty(0)
        self._state: dict[str, Floats] = {}

    def __repr__(self) -> str:
        return f"Probe({self.kind!r}, {len(self.classes)} classes)"

    def fit(self, values: Floats, labels: NDArray[Any]) -> Self:
        """Learn from vectors (row, feature) and a label each; rows with NaN are left out.

        Raises
        ------
        UsageError
            There are fewer than two classes.
        """
        values, labels = np.asarray(values, np.float64), np.asarray(labels)
        good = np.isfinite(values).all(axis=1)
        values, labels = values[good], labels[good]
        self.classes, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes) < _MINIMUM:
            raise UsageError(
                "there is nothing to tell apart",
                got=f"{len(self.classes)} classes in {len(values)} rows that can be read",
                allowed="two classes or more",
            )
        mean, scale = values.mean(axis=0), values.std(axis=0)
        scale = np.where(scale > 1e-9 * (1.0 + np.abs(mean)), scale, 1.0)
        self._state = {"mean": mean, "scale": scale}
        if self.kind == "knn":
            self._state |= {"values": self._unit(values), "numbers": numbers.astype(np.float64)}
            return self
        fitted = _discriminant if self.kind == "discriminant" else self._logistic
        weights, bias = fitted((values - mean) / scale, numbers)
        self._state |= {"weights": weights, "bias": bias}
        return self

    def _logistic(self, scaled: Floats, numbers: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Weights (class, feature) and a bias of each class."""
        from sklearn.linear_model import LogisticRegression  # late: heavy

        model = LogisticRegression(
            C=self.strength, max_iter=2000, class_weight="balanced" if self.balanced else None
        )
        model.fit(scaled, numbers)
        weights, bias = model.coef_, model.intercept_
        if len(self.classes) == _MINIMUM:
            weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
        return weights, bias

    def probabilities(self, values: Floats) -> Floats:
        """Of each class for each row: (row, class), in the order of `classes`; NaN where a row has NaN.

        Raises
        ------
        UsageError
            Nothing was learnt yet, or the rows have another length.
        """
        if not self._state:
            raise UsageError("the probe has not learnt anything", todo="call fit first")
        values = np.asarray(values, np.float64)
        n = len(self._state["mean"])
        if values.ndim != 2 or values.shape[1] != n:
            raise UsageError("features have another length", got=values.shape, allowed=f"(row, {n})")
        good = np.isfinite(values).all(axis=1)
        out = np.full((len(values), len(self.classes)), np.nan)
        if good.any():
            out[good] = self._told(values[good])
        return out

    def predict(self, values: Floats) -> NDArray[Any]:
        """The most likely class of each row."""
        return np.asarray(self.classes[np.nan_to_num(self.probabilities(values), nan=-1.0).argmax(axis=1)])

    def _told(self, values: Floats) -> Floats:
        if self.kind != "knn":
            scaled = (values - self._state["mean"]) / self._state["scale"]
            votes = scaled @ self._state["weights"].T + self._state["bias"]
            votes = np.exp(votes - votes.max(axis=1, keepdims=True))
        else:
            cosine = self._unit(values) @ self._state["values"].T
            k = min(self.neighbours, cosine.shape[1])
            near = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
            weight = np.exp((np.take_along_axis(cosine, near, 1) - 1.0) / 0.1)
            of = self._state["numbers"].astype(np.int64)[near]
            votes = np.stack(
                [(weight * (of == each)).sum(axis=1) for each in range(len(self.classes))], axis=1
            )
            votes = votes + 1e-12
        return np.asarray(votes / votes.sum(axis=1, keepdims=True), np.float64)

    def _unit(self, values: Floats) -> Floats:
        centred = values - self._state["mean"]
        length = np.linalg.norm(centred, axis=1, keepdims=True)
        return np.asarray(centred / np.maximum(length, 1e-12), np.float64)

    def state(self) -> dict[str, NDArray[Any]]:
        """All that was learnt, as arrays by name, for a file."""
        return {"classes": self.classes, **self._state}

    @classmethod
    def of_state(cls, kind: ProbeKind, state: Mapping[str, NDArray[Any]]) -> Self:
        """The probe whose `state` these arrays are.

        Raises
        ------
        DataError
            One is missing.
        """
        needed = {"classes", "mean", "scale"} | (
            {"values", "numbers"} if kind == "knn" else {"weights", "bias"}
        )
        lost = sorted(needed - set(state))
        if lost:
            raise DataError("the state of a probe is not whole", got=f"no {lost[0]}", allowed=sorted(needed))
        made = cls(kind)
        made.classes = np.asarray(state["classes"])
        made._state = {name: np.asarray(state[name], np.float64) for name in needed - {"classes"}}
        return made


def _discriminant(scaled: Floats, numbers: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """
    Weights (class, feature) and a bias of each class, of Gaussians with one covariance and the shares of classes.

    A column varies within classes by what one row as far out as the deviation of all would make, at least: few rows that
    happen to be alike do not make it decide alone.
    """
    shares = np.bincount(numbers) / len(numbers)
    parts = [scaled[numbers == each] for each in range(len(shares))]
    means = np.stack([part.mean(axis=0) for part in parts])
    covariance = sum((share * _shrunk(part) for share, part in zip(shares, parts, strict=True)), np.zeros(()))
    diagonal = np.diagonal(covariance)
    floor = 1.0 / len(numbers) if diagonal.any() else 1.0  # one row a class: the nearest mean
    added = np.maximum(floor - diagonal, 1e-6 * max(float(diagonal.mean()), floor))
    weights = np.linalg.solve(covariance + np.diag(added), means.T).T
    return weights, np.log(shares) - 0.5 * (weights * means).sum(axis=1)


def _shrunk(rows: Floats) -> Floats:
    """The covariance of rows, shrunk towards that of columns which do not know of each other."""
    from sklearn.covariance import ledoit_wolf  # late: heavy

    spread = rows.std(axis=0)
    if not spread.any():
        return np.zeros((spread.size, spread.size))
    unit = (rows - rows.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    return np.asarray(ledoit_wolf(unit, assume_centered=True)[0] * spread * spread[:, None], np.float64)

"""`Model`: what learns classes from a table of numbers; fitted by a library, kept as arrays, told by these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from skysift.classify.options import TableOptions

__all__ = ["Arrays", "Columns", "Draw", "Floats", "Ints", "Model", "logistic", "softmax"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Arrays: TypeAlias = Mapping[str, NDArray[Any]]
Draw: TypeAlias = Callable[[str, float, float, bool], float]
"""draw(name, low, high, logarithmic) -> a value of a search."""

O = TypeVar("O", bound=TableOptions)  # noqa: E741


class Model(ABC, Generic[O]):
    """
    Classes from numbers.

    Attributes
    ----------
    blanks
        Whether it learns from NaN itself; other models see medians in their place, and flags.
    """

    blanks: ClassVar[bool] = False

    @abstractmethod
    def fit(self, values: Floats, targets: Ints, weights: Floats, options: O) -> None:
        """Learn the classes 0, 1, ... of rows that count by their weights."""

    @abstractmethod
    def told(self, values: Floats) -> Floats:
        """The probability of each class: (row, class)."""

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that is needed to tell again."""

    @abstractmethod
    def restore(self, arrays: Arrays) -> None:
        """Become what `arrays` told of."""

    @staticmethod
    @abstractmethod
    def drawn(draw: Draw) -> dict[str, Any]:
        """Options of one trial of a search."""


@dataclass(frozen=True, eq=False)
class Columns:
    """
    Numbers as a model sees them that cannot learn from NaN: in units of their spread, with flags for what is missing.

    Attributes
    ----------
    middle, width
        Of each column.
    flagged
        Columns that have a flag, for some rows learnt from lack them.
    """

    middle: Floats
    width: Floats
    flagged: Ints

    @classmethod
    def of(cls, values: Floats) -> Columns:
        """Those of rows to learn from; a column without any number is 0."""
        finite = np.isfinite(values)
        n = np.maximum(finite.sum(axis=0), 1)
        kept = np.where(finite, values, 0.0)
        mean = kept.sum(axis=0) / n
        width = np.sqrt((np.where(finite, values - mean, 0.0) ** 2).sum(axis=0) / n)
        middle = np.array(
            [
                np.median(column[good]) if good.any() else 0.0
                for column, good in zip(values.T, finite.T, strict=True)
            ]
        )
        usable = width > 1e-12 * np.maximum(np.abs(mean), 1e-30)
        return cls(middle, np.where(usable, width, 1.0), np.flatnonzero(~finite.all(axis=0)))

    def __call__(self, values: Floats) -> Floats:
        """The numbers as the model sees them."""
        scaled = (values - self.middle) / self.width
        seen = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=10.0, neginf=-10.0), -10.0, 10.0)
        return np.hstack([seen, ~np.isfinite(values[:, self.flagged])])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What it keeps."""
        return {"columns.middle": self.middle, "columns.width": self.width, "columns.flagged": self.flagged}

    @classmethod
    def restored(cls, arrays: Arrays) -> Columns:
        """What `arrays` told of."""
        return cls(*(arrays[f"columns.{name}"] for name in ("middle", "width", "flagged")))


def softmax(scores: Floats) -> Floats:
    """Probabilities of scores: (row, class)."""
    grown = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def logistic(score: Floats) -> Floats:
    """Probabilities of two classes from one score: (row, 2)."""
    told = 1.0 / (1.0 + np.exp(-np.clip(score, -500.0, 500.0)))
    return np.stack([1.0 - told, told], axis=1)

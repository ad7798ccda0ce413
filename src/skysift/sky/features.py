"""`Features`: a table of numbers about sources, each column with its unit and its meaning; NaN where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UnknownName, UsageError
from skysift.base.provenance import Provenance

__all__ = ["EMBEDDING", "Feature", "Features"]

EMBEDDING = "embedding"
"""The group of features that an encoder gives."""

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Feature:
    """
    A column of numbers.

    Attributes
    ----------
    name, unit, doc
        What it is called, its unit (empty for none), and what it means.
    group
        What it was made by: ``flux``, ``shape``, ``embedding`` ...
    """

    name: str
    unit: str = ""
    doc: str = ""
    group: str = ""


@dataclass(frozen=True, eq=False)
class Features:
    """
    Numbers about sources.

    Attributes
    ----------
    names
        Of the sources, one a row.
    columns
        What the numbers are.
    values
        (row, column); NaN where there is none.
    facts
        What else is known of each row, by column, that is no feature: ``label``, ``ra``, ``dec``, flags, errors ...
    provenance
        How they were made.
    """

    names: tuple[str, ...]
    columns: tuple[Feature, ...]
    values: Floats
    facts: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.names), len(self.columns)):
            raise UsageError(
                "features do not fit their names",
                got=self.values.shape,
                allowed=(len(self.names), len(self.columns)),
            )
        twice = [each for each in self.titles if self.titles.count(each) > 1]
        if twice:
            raise UsageError("a feature stands twice in the table", got=twice[0])

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Features({len(self)} rows, {len(self.columns)} columns)"

    @property
    def titles(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(each.name for each in self.columns)

    def __getitem__(self, name: str) -> Floats:
        """A column by its name."""
        return np.asarray(self.values[:, self._place(name)])

    def _place(self, name: str) -> int:
        if name not in self.titles:
            raise UnknownName("the table has no such feature", got=name, allowed=self.titles)
        return self.titles.index(name)

    def select(self, chosen: Sequence[int] | NDArray[Any]) -> Features:
        """Some of the rows, by number or by a mask."""
        at = np.arange(len(self))[np.asarray(chosen)] if len(chosen) else np.empty(0, np.int64)
        facts = {name: values[at] for name, values in self.facts.items()}
        return replace(self, names=tuple(self.names[k] for k in at), values=self.values[at], facts=facts)

    def only(self, names: Sequence[str]) -> Features:
        """Some of the columns, in this order.

        Raises
        ------
        UnknownName
            One is not there.
        """
        at = [self._place(name) for name in names]
        return replace(self, columns=tuple(self.columns[k] for k in at), values=self.values[:, at])

    def group(self, *groups: str) -> Features:
        """The columns of some groups."""
        return self.only([each.name for each in self.columns if each.group in groups])

    def beside(self, other: Features) -> Features:
        """The same rows with the columns of another table after those of this one; rows go together by name.

        Raises
        ------
        UsageError
            A row is not in the other table, or a column is in both.
        """
        place = {name: k for k, name in enumerate(other.names)}
        lost = [name for name in self.names if name not in place]
        if lost:
            raise UsageError(
                "a row is not in the other table", got=lost[0], todo="make both of the same sources"
            )
        rows = np.array([place[name] for name in self.names], np.int64)
        facts = {**{name: values[rows] for name, values in other.facts.items()}, **self.facts}
        values = np.concatenate([self.values, other.values[rows]], axis=1)
        return Features(self.names, (*self.columns, *other.columns), values, facts, self.provenance)

    def labels(self, column: str = "label") -> tuple[str, ...]:
        """A column of facts as texts, one a row; empty where nothing is said.

        Raises
        ------
        UnknownName
            There is no such column.
        """
        if column not in self.facts:
            raise UnknownName("the table has no such column", got=column, allowed=sorted(self.facts))
        return tuple(str(each).strip() for each in self.facts[column])

"""`Matcher`: two catalogues in, pairs of their rows out; and the two that go by position alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.match.entries import Entries
from skysift.match.options import MatchOptions, NearestOptions, OneToOneOptions
from skysift.match.sky import Pairs, nearest, one_to_one

__all__ = ["Candidates", "Matcher", "NearestMatcher", "OneToOneMatcher"]

Menu = TypeVar("Menu", bound=MatchOptions)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs that a matcher weighed, and which of them it chose.

    Parameters
    ----------
    pairs
        Rows and separations; (n,).
    chosen
        True for the pairs that are matches; (n,).
    probability
        That the pair is no chance, where the matcher tells; else NaN; (n,).
    weight
        What the choice was made by, the larger the better: share of overlap, likelihood ratio; else NaN; (n,).
    facts
        Numbers met on the way, such as Q.
    """

    pairs: Pairs
    chosen: NDArray[np.bool_]
    probability: NDArray[np.float64]
    weight: NDArray[np.float64]
    facts: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def all(cls, pairs: Pairs) -> Candidates:
        """Pairs that are all matches, of which nothing else is known."""
        unknown = np.full(len(pairs), np.nan)
        return cls(pairs, np.ones(len(pairs), np.bool_), unknown, unknown)

    def select(self, picked: NDArray[np.bool_] | NDArray[np.int64]) -> Candidates:
        """The candidates where a mask is true, or with these numbers."""
        return Candidates(
            self.pairs.select(picked),
            self.chosen[picked],
            self.probability[picked],
            self.weight[picked],
            self.facts,
        )

    def __len__(self) -> int:
        return len(self.pairs)


class Matcher(ABC, Generic[Menu]):
    """What pairs the rows of two catalogues: the plug-ins of the kind ``matcher``.

    Parameters
    ----------
    options
        Its choices.
    """

    name = ""
    lists_all = False
    """True where `candidates` gives also pairs that are not chosen."""
    takes_islands = False
    """True where catalogues have to bring their islands."""
    exclusive = True
    """True where no right row is given to two left rows."""
    weight = ""
    """What `Candidates.weight` is, in a word; empty where there is none."""

    def __init__(self, options: Menu) -> None:
        self.options = options

    def radius(self, left: Entries, right: Entries) -> float:
        """How far apart a pair can be (arcsec).

        Raises
        ------
        UsageError
            No radius was given and the catalogues tell nothing to make one of.
        """
        if self.options.radius is not None:
            return self.options.radius
        sizes = [float(np.nanmedian(each.size)) for each in (left, right) if np.isfinite(each.size).any()]
        if not sizes:
            if not len(left) or not len(right):
                return 0.0
            raise UsageError(
                f"neither {left.name} nor {right.name} tells sizes that a radius could follow",
                todo="give a radius in arcsec (--radius)",
            )
        return 0.5 * max(sizes)

    def prepared(self, left: Entries, right: Entries, radius: float) -> Matcher[Menu]:
        """The matcher with what it has to learn from the two catalogues first; itself where that is nothing."""
        return self

    @abstractmethod
    def candidates(self, left: Entries, right: Entries, radius: float) -> Candidates:
        """The pairs that can be matches, those that are chosen among them, in the order (left, right).

        Parameters
        ----------
        left, right
            The catalogues.
        radius
            How far apart a pair can be (arcsec).
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.options!r})"


class NearestMatcher(Matcher[NearestOptions]):
    """Each left row with the nearest right row, which several left rows may share."""

    name = "nearest"
    exclusive = False

    def candidates(self, left: Entries, right: Entries, radius: float) -> Candidates:
        """The nearest right row of each left row; all are chosen."""
        return Candidates.all(nearest(left.ra, left.dec, right.ra, right.dec, radius))


class OneToOneMatcher(Matcher[OneToOneOptions]):
    """Pairs in which no row comes twice, the closest first."""

    name = "one-to-one"

    def candidates(self, left: Entries, right: Entries, radius: float) -> Candidates:
        """The pairs of the greedy rule; all are chosen."""
        return Candidates.all(one_to_one(left.ra, left.dec, right.ra, right.dec, radius))

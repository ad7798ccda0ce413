"""`Extractor`: a group of features; and how each of its columns is declared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.seen import Seen
from skysift.classify.features.view import View
from skysift.sky.features import Feature

__all__ = ["Columns", "Extractor"]

Floats: TypeAlias = NDArray[np.float64]
Columns: TypeAlias = Mapping[str, Floats]


class Extractor(ABC):
    """
    A group of features: what its columns are for some bands, and their values for some pictures.

    Attributes
    ----------
    title
        What the group tells, in a few words.
    needs
        What pictures must have for it.
    """

    title: ClassVar[str]
    needs: ClassVar[str] = ""

    def applies(self, view: View, options: FeaturesOptions) -> bool:
        """Whether the group has columns for such pictures."""
        return True

    @abstractmethod
    def columns(self, view: View, options: FeaturesOptions) -> tuple[Feature, ...]:
        """What the columns are; their group is set by who asks."""

    @abstractmethod
    def measure(self, seen: Seen) -> Columns:
        """Values of each column, one a picture; NaN where there is none."""

"""`Parts` of a map that may be one object, `Bridges` between them, and the evidence for `Pairs` of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from skysift.base.errors import UsageError

__all__ = ["TERMS", "Bridge", "Bridges", "Pairs", "Parts", "probability_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TERMS = ("prior", "flux", "size", "alignment", "contact", "bridge", "core", "brightness")
"""What the log odds of a pair are the sum of."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What may be joined: sources, islands or segments that are not yet one, one row a part.

    Parameters
    ----------
    x, y
        Centroids (arcsec) in a plane that touches the sky.
    flux, peak, rms
        Flux density (Jy), peak and noise (Jy/beam); signs are not looked at.
    shape
        Covariance ``(n, 3)`` (xx, xy, yy; arcsec^2) of the emission without the beam; 0 where nothing is left.
    extended
        Whether it is larger than the beam.
    beam
        FWHM (arcsec): the geometric mean of the axes.
    area
        Of the map (arcsec^2).
    frequency
        Hz; NaN where not known.

    Raises
    ------
    UsageError
        Columns differ in length, or a flux or a position is not finite.
    """

    x: Floats
    y: Floats
    flux: Floats
    peak: Floats
    rms: Floats
    shape: Floats
    extended: Bools
    beam: float
    area: float
    frequency: float = float("nan")

    def __post_init__(self) -> None:
        n = len(self.x)
        for name in ("y", "flux", "peak", "rms", "shape", "extended"):
            if len(getattr(self, name)) != n:
                raise UsageError(
                    "the columns of parts differ in length",
                    got=f"{name}: {len(getattr(self, name))}",
                    allowed=str(n),
                )
        for name in ("x", "y", "flux"):
            if not np.isfinite(getattr(self, name)).all():
                raise UsageError("a part has no position or no flux", got=f"{name} that is not finite")
        if not (self.beam > 0.0 and self.area > 0.0):
            raise UsageError(
                "parts need a beam and an area", got=f"beam {self.beam:g}, area {self.area:g} arcsec^2"
            )

    def __len__(self) -> int:
        return len(self.x)

    def select(self, rows: Ints) -> Parts:
        """These parts."""
        columns = ("x", "y", "flux", "peak", "rms", "shape", "extended")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})


@dataclass(frozen=True, eq=False)
class Bridges:
    """What the map shows between the parts of pairs, ``(pair,)``; NaN where there is nothing to see.

    Parameters
    ----------
    mean, error
        Mean brightness of the strip between the two, a beam wide, and its error (Jy/beam).
    gap
        Length of the line between the two centroids that is on neither (arcsec).
    """

    mean: Floats
    error: Floats
    gap: Floats


Bridge: TypeAlias = Callable[[Ints, Ints], Bridges]
"""What looks at the map between pairs of parts, given by their rows."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """The evidence for every pair that was considered, one row a pair.

    Attributes
    ----------
    first, second
        Rows of the brighter and the fainter part.
    separation
        In arcsec.
    expected
        Chance neighbours at least as bright as the fainter part within the separation, by the local density.
    flux_ratio
        Of the fainter to the brighter part.
    turn_first, turn_second
        Angles (deg, 0 to 90) from the line between the two to their major axes; NaN for what has none.
    bend
        By how much the arms of a pair with a core are bent at it (deg); NaN without core.
    bridges
        What the map shows between them.
    core
        Row of the part that stands between them as a core does; -1 for none.
    ring
        Whether the two lie like arcs of one circle.
    terms
        Name of `TERMS` -> its part of the log odds.
    joined
        Whether the two are parts of one object in the end.
    """

    first: Ints
    second: Ints
    separation: Floats
    expected: Floats
    flux_ratio: Floats
    turn_first: Floats
    turn_second: Floats
    bend: Floats
    bridges: Bridges
    core: Ints
    ring: Bools
    terms: Mapping[str, Floats]
    joined: Bools

    @property
    def odds(self) -> Floats:
        """Log odds of being one object."""
        return np.asarray(sum(self.terms.values()))

    @property
    def probability(self) -> Floats:
        """Probability of being one object, by the evidence for this pair alone."""
        return probability_of(self.odds)

    @property
    def reason(self) -> npt.NDArray[np.str_]:
        """The term that speaks loudest for the decision; ``ring`` for an alignment as on a circle."""
        table = np.stack([self.terms[name] for name in TERMS], axis=1)
        loudest = np.where(self.joined, table.argmax(axis=1), table.argmin(axis=1))
        names = np.array(TERMS)[loudest]
        names = np.where((names == "prior") & ~self.joined, "chance", names)
        names = np.where((names == "prior") & self.joined, "near", names)
        return np.asarray(np.where((names == "alignment") & self.ring & self.joined, "ring", names), np.str_)

    def __len__(self) -> int:
        return len(self.first)


def probability_of(odds: Floats) -> Floats:
    """Probabilities of log odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -50.0, 50.0))))

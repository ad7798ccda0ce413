"""`Measured`: what the kernels gave, before it is a catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from skysift.measure import island as row

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Columns: TypeAlias = dict[str, npt.NDArray[Any]]
"""Columns of a table on its way to be one."""


@dataclass(frozen=True, eq=False)
class Measured:
    """
    What the kernels of `measure.island` gave, for all islands of a map.

    Attributes
    ----------
    components
        ``(component, N_COMPONENT)``, sorted by island; the island column counts from 0.
    pairs
        ``(pair, 3)``: two components and the covariance of their fluxes.
    islands
        ``(island, N_ISLAND)``.
    boxes
        ``(island, 4)`` half-open ``(y0, y1, x0, x1)``.
    flags
        ``(island,)``: bits that the kernels do not know of.
    source
        ``(component,)``: source of each component, from 0.
    source_peak
        ``(source,)``: highest brightness of its components together, without sign.
    beams, units
        ``(component, 3)``: covariance (xx, xy, yy; pixels squared) of a point as each component was fitted with it,
        and of the beam that Jy/beam means there.
    gain
        ``(component,)``: area of the one over that of the other, by which fluxes are larger than what was fitted.
    """

    components: Floats
    pairs: Floats
    islands: Floats
    boxes: Ints
    flags: Ints
    source: Ints
    source_peak: Floats
    beams: Floats
    units: Floats
    gain: Floats

    def select(self, kept: npt.NDArray[np.bool_]) -> "Measured":
        """The islands where a mask ``(island,)`` is true, with their components; both numbered anew in their order."""
        owner = self.components[:, row.ISLAND].astype(np.int64)
        mine = kept[owner]
        number = np.cumsum(kept) - 1
        components = self.components[mine].copy()
        components[:, row.ISLAND] = number[owner[mine]]
        place = np.cumsum(mine) - 1
        linked = mine[self.pairs[:, 0].astype(np.int64)]  # both of a pair belong to one island
        pairs = self.pairs[linked].copy()
        pairs[:, :2] = place[pairs[:, :2].astype(np.int64)]
        sources, source = np.unique(self.source[mine], return_inverse=True)
        return Measured(
            components,
            pairs,
            self.islands[kept],
            self.boxes[kept],
            self.flags[kept],
            source.reshape(-1).astype(np.int64),
            self.source_peak[sources],
            self.beams[mine],
            self.units[mine],
            self.gain[mine],
        )


def regrouped(
    parts: Sequence[Measured], owners: Sequence[Ints], islands: Floats, boxes: Ints, flags: Ints
) -> Measured:
    """
    The components of several measurements under new islands.

    Parameters
    ----------
    parts
        What was measured.
    owners
        For each part, the new island of each of its islands.
    islands, boxes, flags
        Of the new islands: ``(island, N_ISLAND)``, ``(island, 4)``, ``(island,)``.
    """
    owner = np.concatenate(
        [
            own[part.components[:, row.ISLAND].astype(np.int64)]
            for part, own in zip(parts, owners, strict=True)
        ]
    )
    components = np.concatenate([part.components for part in parts])
    components[:, row.ISLAND] = owner
    n_before = np.cumsum([0, *(len(part.components) for part in parts)])
    s_before = np.cumsum([0, *(len(part.source_peak) for part in parts)])
    order = np.argsort(owner, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    pairs = np.concatenate(
        [part.pairs + np.array([n, n, 0.0]) for part, n in zip(parts, n_before[:-1], strict=True)]
    )
    pairs[:, :2] = place[pairs[:, :2].astype(np.int64)]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    source = np.concatenate([part.source + s for part, s in zip(parts, s_before[:-1], strict=True)])[order]
    old, first, source = np.unique(source, return_index=True, return_inverse=True)
    rank = np.empty(len(old), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(old))  # numbered in the order of their components
    peak = np.empty(len(old))
    peak[rank] = np.concatenate([part.source_peak for part in parts])[old]
    joined = (
        np.concatenate([getattr(part, name) for part in parts])[order] for name in ("beams", "units", "gain")
    )
    return Measured(components[order], pairs, islands, boxes, flags, rank[source.reshape(-1)], peak, *joined)

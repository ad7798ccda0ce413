"""`Measured`: what the kernels gave, before it is a catalogue."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

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

"""MOC: areas of sky as cells of HEALPix, by `mocpy`, in the IVOA's FITS form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.sky.healpix import cell_area

__all__ = ["holes_of", "moc_area", "moc_cells", "moc_of", "write_moc"]

Ints = NDArray[np.int64]


def moc_of(order: int, cells: Ints) -> Any:
    """The MOC (`mocpy.MOC`) of cells of one order."""
    from mocpy import MOC  # late: it brings matplotlib

    if not len(cells):
        return MOC.new_empty(order)
    return MOC.from_healpix_cells(cells.astype(np.uint64), order, order)


def holes_of(moc: Any) -> Any:
    """The MOC of what an area encloses without holding it: all pieces of the rest of the sky but the largest.

    Cells belong together where they share an edge.
    """
    from mocpy import MOC  # late: it brings matplotlib

    none = MOC.new_empty(moc.max_order)
    if moc.empty():
        return none
    pieces = sorted(moc.complement().split(), key=lambda piece: -float(piece.sky_fraction))
    return none.union(*pieces[1:]) if len(pieces) > 1 else none


def moc_cells(moc: Any) -> Ints:
    """The cells of a MOC at its own order."""
    return np.sort(moc.flatten().astype(np.int64))


def moc_area(moc: Any) -> float:
    """Area of a MOC (square degrees)."""
    return float(moc.sky_fraction) * 12 * cell_area(0)


def write_moc(moc: Any, path: Path) -> None:
    """Write a MOC as FITS."""
    moc.save(path, "fits", overwrite=True)

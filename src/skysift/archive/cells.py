"""Cells of HEALPix that a region touches, as ranges of numbers: what confines a search on the sky."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from skysift.archive.regions import Area, basis_of, middle_of, vector_of
from skysift.sky.healpix import cells_at, centres_of
from skysift.sky.systems import vectors

__all__ = ["ORDER", "cells_of", "cells_touching", "common_cells"]

ORDER = 12
"""The order of the cells that rows are kept by: 51.5 arcsec."""
_ENOUGH = 250  # cells at one order before smaller ones stop paying

Ranges = list[tuple[int, int]]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def cells_of(ra: Floats, dec: Floats) -> Ints:
    """The cells that hold places (deg); -1 where a place is none."""
    return cells_at(ORDER, ra, dec)


def cells_touching(area: Area) -> Ranges | None:
    """The cells that a region touches, first and last of each run; None where that is most of the sky.

    A few cells more may be among them, never fewer.
    """
    center, radius = _cone(area)
    if radius > 60.0:
        return None
    cells, found = np.arange(12, dtype=np.int64), []
    for order in range(ORDER + 1):
        reach = _reach(order)
        away = _separations(order, cells, center)
        near = away <= radius + reach
        within = (
            near & (away <= radius - reach) if area.kind == "CIRCLE" else np.zeros(len(cells), dtype=bool)
        )
        found.append(_runs(cells[within], order))
        cells = cells[near & ~within]
        if order == ORDER or len(cells) > _ENOUGH:
            found.append(_runs(cells, order))
            break
        cells = (4 * cells[:, np.newaxis] + np.arange(4)).ravel()
    return _merged(np.concatenate(found))


def common_cells(first: Ranges, second: Ranges) -> Ranges:
    """The cells that are in both."""
    found, i, j = [], 0, 0
    while i < len(first) and j < len(second):
        low, high = max(first[i][0], second[j][0]), min(first[i][1], second[j][1])
        if low <= high:
            found.append((low, high))
        if first[i][1] < second[j][1]:
            i += 1
        else:
            j += 1
    return found


def _cone(area: Area) -> tuple[Floats, float]:
    """The middle of a cone that holds the region, as a vector, and its radius (deg)."""
    if area.kind in ("CIRCLE", "POINT"):
        return np.array(vector_of(*area.numbers[:2])), area.numbers[2] if area.kind == "CIRCLE" else 1e-9
    c, _, _ = basis_of(vector_of(*middle_of(area)))
    corners = np.array([vector_of(*corner) for corner in area.corners])
    return np.array(c), float(np.degrees(np.arccos(np.clip(corners @ np.array(c), -1.0, 1.0))).max()) + 1e-9


def _reach(order: int) -> float:
    """The largest distance (deg) between the centre of a cell and its corners (Gorski et al.'s library)."""
    side = 1 << order
    a = _zphi(2.0 / 3.0, math.pi / (4 * side))
    t = (1.0 - 1.0 / side) ** 2
    b = _zphi(1.0 - t / 3.0, 0.0)
    return math.degrees(math.acos(min(1.0, float(np.dot(a, b))))) * (1.0 + 1e-9) + 1e-9


def _zphi(z: float, phi: float) -> Floats:
    across = math.sqrt(1.0 - z * z)
    return np.array([across * math.cos(phi), across * math.sin(phi), z])


def _separations(order: int, cells: Ints, center: Floats) -> Floats:
    chords = np.linalg.norm(vectors(*centres_of(order, cells)) - center, axis=-1)
    angles: Floats = np.degrees(2.0 * np.arcsin(np.minimum(1.0, chords / 2.0)))
    return angles


def _runs(cells: Ints, order: int) -> Ints:
    """First and last cell at the finest order of cells of an order, (n, 2)."""
    width = 4 ** (ORDER - order)
    return np.stack([cells * width, (cells + 1) * width - 1], axis=1)


def _merged(runs: Ints) -> Ranges:
    """Runs in order, joined where they touch."""
    if not len(runs):
        return []
    runs = runs[np.argsort(runs[:, 0], kind="stable")]
    new = np.concatenate([[True], runs[1:, 0] > runs[:-1, 1] + 1])
    first = runs[new, 0]
    last = runs[np.concatenate([new[1:], [True]]), 1]
    return [(int(a), int(b)) for a, b in zip(first, last, strict=True)]

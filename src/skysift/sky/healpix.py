"""HEALPix in the nested scheme: the cell that holds a place, the centre of a cell, the size of cells.

Cells of one order have one area, which is what makes them fit for areas of sky (Gorski et al. 2005, ApJ 622,
759). Order k has 12 x 4^k cells.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MAX_ORDER", "cell_area", "cell_width", "cells_at", "centres_of"]

MAX_ORDER = 24
"""The finest order: cells of 0.013 arcsec."""

_ROW = np.array([2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4])  # of the lowest corner of each base cell, in base cells
_COLUMN = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])  # likewise, in half base cells
_SPREAD = (
    (32, 0x00000000FFFFFFFF),
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def cell_area(order: int) -> float:
    """Area of a cell (square degrees)."""
    return float(4.0 * math.pi * math.degrees(1.0) ** 2 / (12 * 4**order))


def cell_width(order: int) -> float:
    """Square root of the area of a cell (arcsec)."""
    return 3600.0 * math.sqrt(cell_area(order))


def cells_at(order: int, ra: ArrayLike, dec: ArrayLike) -> Ints:
    """Numbers of the cells that hold these positions (deg); -1 for a position that is not finite."""
    lon, lat = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
    known = np.isfinite(lon) & np.isfinite(lat)
    lon, lat = np.where(known, lon, 0.0), np.radians(np.where(known, lat, 0.0))
    side = 1 << order
    z = np.sin(lat)
    turn = np.mod(lon / 90.0, 4.0)  # quarters of a circle, [0, 4)
    turn = np.where(turn >= 4.0, 0.0, turn)

    # the belt: two families of diagonals
    up, down = side * (0.5 + turn), side * z * 0.75
    rising, falling = np.floor(up - down).astype(np.int64), np.floor(up + down).astype(np.int64)
    a, b = rising // side, falling // side
    face = np.where(a == b, a | 4, np.where(a < b, a, b + 8))
    x, y = falling % side, side - 1 - rising % side

    # the caps
    quarter = np.minimum(turn.astype(np.int64), 3)
    part = turn - quarter
    far = side * np.cos(lat) * np.sqrt(3.0 / (1.0 + np.abs(z)))  # rows from the pole
    first = np.clip((part * far).astype(np.int64), 0, side - 1)
    second = np.clip(((1.0 - part) * far).astype(np.int64), 0, side - 1)
    cap, north = np.abs(z) > 2.0 / 3.0, z > 0
    face = np.where(cap, np.where(north, quarter, quarter + 8), face)
    x = np.where(cap, np.where(north, side - 1 - second, first), x)
    y = np.where(cap, np.where(north, side - 1 - first, second), y)
    return np.where(known, face * (side * side) + _spread(x) + 2 * _spread(y), -1).astype(np.int64)


def centres_of(order: int, cells: ArrayLike) -> tuple[Floats, Floats]:
    """Right ascensions and declinations (deg) of the centres of cells."""
    number = np.asarray(cells, dtype=np.int64)
    side = 1 << order
    face, inside = number // (side * side), number % (side * side)
    x, y = _gather(inside), _gather(inside >> 1)
    row = _ROW[face] * side - x - y - 1  # rings from the north pole, from 1
    north, south = row < side, row > 3 * side
    ring = np.where(north, row, np.where(south, 4 * side - row, side))  # cells a quarter of the ring
    cap = (ring / side) ** 2 / 3.0
    z = np.where(north, 1.0 - cap, np.where(south, cap - 1.0, (2 * side - row) * (2.0 / (3.0 * side))))
    across = np.where(north | south, np.sqrt(cap * (2.0 - cap)), np.sqrt(np.maximum(1.0 - z * z, 0.0)))
    place = _COLUMN[face] * ring + x - y
    place = np.where(place < 0, place + 8 * ring, place)
    return 45.0 * place / ring, np.degrees(np.arctan2(z, across))


def _spread(value: Ints) -> Ints:
    """The bits of numbers below 2^31 at the even places."""
    bits = value.astype(np.int64)
    for shift, mask in _SPREAD[1:]:
        bits = (bits | (bits << shift)) & mask
    return bits


def _gather(value: Ints) -> Ints:
    """The bits at the even places, as numbers."""
    bits = value & _SPREAD[-1][1]
    for (shift, _), (_, mask) in zip(_SPREAD[:0:-1], _SPREAD[-2::-1], strict=True):
        bits = (bits | (bits >> shift)) & mask
    return bits

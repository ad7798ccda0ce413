"""Who is near whom on the sky: pairs of rows of two lists of positions, by a tree of unit vectors.

All functions take ICRS degrees and arcsec, and give `Pairs` in the order (left, right). A position that is
NaN has no neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

__all__ = ["Pairs", "nearest", "one_to_one", "one_to_one_of", "separation", "unit_vectors", "within"]

_ARCSEC = np.pi / 180.0 / 3600.0


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of rows of two lists, with their separation.

    Parameters
    ----------
    left, right
        Row numbers; (n,).
    separation
        In arcsec; (n,).
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    separation: NDArray[np.float64]

    def select(self, picked: NDArray[np.bool_] | NDArray[np.int64]) -> Pairs:
        """The pairs where a mask is true, or with these numbers."""
        return Pairs(self.left[picked], self.right[picked], self.separation[picked])

    def __len__(self) -> int:
        return int(self.left.size)

    def __repr__(self) -> str:
        return f"Pairs({len(self)})"


def unit_vectors(ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float64]:
    """Positions on the unit sphere (n, 3) of ICRS degrees."""
    lon, lat = np.radians(np.asarray(ra, dtype=np.float64)), np.radians(np.asarray(dec, dtype=np.float64))
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def separation(ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike) -> NDArray[np.float64]:
    """Angles between positions (arcsec), row by row; exact for small ones."""
    chord = np.linalg.norm(unit_vectors(ra1, dec1) - unit_vectors(ra2, dec2), axis=-1)
    return np.asarray(2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)) / _ARCSEC)


def within(
    ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike, radius: float | NDArray[np.float64]
) -> Pairs:
    """All pairs no further apart than `radius` (arcsec; one number, or one a left row)."""
    (here, rows1), (there, rows2) = _known(ra1, dec1), _known(ra2, dec2)
    reach = np.broadcast_to(np.asarray(radius, dtype=np.float64), np.shape(np.asarray(ra1)))[rows1]
    if not rows1.size or not rows2.size:
        return _none()
    chord = 2.0 * np.sin(np.minimum(reach * _ARCSEC, np.pi) / 2.0)
    lists = cKDTree(there).query_ball_point(here, chord * (1.0 + 1e-12))
    count = np.fromiter((len(each) for each in lists), dtype=np.int64, count=len(lists))
    left = np.repeat(np.arange(rows1.size), count)
    right = np.concatenate([np.asarray(each, dtype=np.int64) for each in lists]) if count.sum() else left
    return _ordered(rows1[left], rows2[right], _angle(here[left], there[right]))


def nearest(
    ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike, radius: float | NDArray[np.float64]
) -> Pairs:
    """For each left row the nearest right row within `radius` (arcsec); a right row may come more than once."""
    (here, rows1), (there, rows2) = _known(ra1, dec1), _known(ra2, dec2)
    reach = np.broadcast_to(np.asarray(radius, dtype=np.float64), np.shape(np.asarray(ra1)))[rows1]
    if not rows1.size or not rows2.size:
        return _none()
    right = np.asarray(cKDTree(there).query(here)[1])
    angle = _angle(here, there[right])
    close = angle <= reach
    return _ordered(rows1[close], rows2[right[close]], angle[close])


def one_to_one(
    ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike, radius: float | NDArray[np.float64]
) -> Pairs:
    """Pairs within `radius` in which no row comes twice: the closest pair first, then the closest of the rest."""
    pairs = within(ra1, dec1, ra2, dec2, radius)
    return one_to_one_of(pairs, pairs.separation)


def one_to_one_of(pairs: Pairs, cost: NDArray[np.float64]) -> Pairs:
    """Those of `pairs` in which no row comes twice, the lowest cost first; equal costs go by (left, right)."""
    order = np.lexsort((pairs.right, pairs.left, cost))
    used_left: set[int] = set()
    used_right: set[int] = set()
    kept = []
    for row, a, b in zip(
        order.tolist(), pairs.left[order].tolist(), pairs.right[order].tolist(), strict=True
    ):
        if a not in used_left and b not in used_right:
            used_left.add(a)
            used_right.add(b)
            kept.append(row)
    chosen = np.sort(np.asarray(kept, dtype=np.int64))
    return pairs.select(chosen)


def _known(ra: ArrayLike, dec: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Unit vectors of the rows that have a position, and their numbers."""
    vectors = unit_vectors(ra, dec)
    rows = np.flatnonzero(np.isfinite(vectors).all(axis=1)).astype(np.int64)
    return vectors[rows], rows


def _angle(here: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.float64]:
    chord = np.linalg.norm(here - there, axis=1)
    return np.asarray(2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)) / _ARCSEC)


def _ordered(left: NDArray[np.int64], right: NDArray[np.int64], angle: NDArray[np.float64]) -> Pairs:
    order = np.lexsort((right, left))
    return Pairs(left[order], right[order], angle[order])


def _none() -> Pairs:
    none = np.empty(0, dtype=np.int64)
    return Pairs(none, none, np.empty(0))

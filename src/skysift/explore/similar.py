"""Look-alikes of sources, and pairs that are nearly the same source: on the sky, or by their features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import SizeError

__all__ = ["MOST", "NearDuplicate", "look_alikes", "near_duplicates"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

MOST = 100_000  # sources that are searched exactly
_NEAREST = 9  # neighbours that are looked at for pairs, the source itself among them
_ARCSEC = 3600.0 * 180.0 / np.pi


@dataclass(frozen=True)
class NearDuplicate:
    """
    Two sources that are nearly one.

    Attributes
    ----------
    first, second
        Their rows.
    separation
        On the sky (arcsec); NaN where positions lack.
    distance
        In the space, in units of the median distance of nearest neighbours.
    why
        Which of both made them a pair.
    """

    first: int
    second: int
    separation: float
    distance: float
    why: str


def look_alikes(
    coordinates: Floats, rows: Sequence[int] | Ints, k: int, metric: str = "euclidean"
) -> tuple[Floats, Ints]:
    """The nearest sources of some (source, neighbour), with their distances; the source itself is none of them.

    Raises
    ------
    SizeError
        There are more sources than are searched exactly.
    """
    from sklearn.neighbors import NearestNeighbors  # late: heavy

    if len(coordinates) > MOST:
        raise SizeError("too many sources for an exact search", got=len(coordinates), allowed=f"up to {MOST}")
    at = np.asarray(rows, np.int64)
    k = min(k, len(coordinates) - 1)
    if k < 1 or not at.size:
        return np.empty((at.size, 0)), np.empty((at.size, 0), np.int64)
    search = NearestNeighbors(n_neighbors=min(k + 1, len(coordinates)), metric=metric).fit(coordinates)
    far, near = search.kneighbors(coordinates[at])
    other = near != at[:, None]
    other[other.all(axis=1), -1] = False  # copies may have pushed the source itself out
    shape = (at.size, near.shape[1] - 1)
    return far[other].reshape(shape), near[other].reshape(shape)


def near_duplicates(
    coordinates: Floats,
    ra: Floats | None,
    dec: Floats | None,
    *,
    radius: float,
    alike: float,
    most: int = 10_000,
) -> tuple[NearDuplicate, ...]:
    """Pairs of sources that are nearly one, the nearest in the space first.

    Parameters
    ----------
    coordinates
        Where the sources lie in the space; NaN rows are looked at on the sky only.
    ra, dec
        ICRS (deg); None where they are not known.
    radius
        How near on the sky (arcsec).
    alike
        How near in the space, in units of the median distance of nearest neighbours.
    most
        Pairs at most; the nearest in the space are kept.
    """
    n = len(coordinates)
    unit, near = _close(coordinates, lambda unit: alike * unit)
    codes = [near]
    around = None
    if ra is not None and dec is not None:
        around = _directions(ra, dec)
        codes.append(_close(around, lambda _: 2.0 * np.sin(radius / _ARCSEC / 2.0))[1])
    both = np.unique(np.concatenate(codes))
    a, b = np.divmod(both, n)
    distance = np.linalg.norm(coordinates[a] - coordinates[b], axis=1) / (unit if unit > 0.0 else 1.0)
    apart = np.full(both.size, np.nan)
    if around is not None:
        chord = np.linalg.norm(around[a] - around[b], axis=1)
        apart = 2.0 * np.arcsin(np.minimum(1.0, chord / 2.0)) * _ARCSEC
    order = np.lexsort((both, np.where(np.isnan(distance), np.inf, distance)))[:most]
    by_features, on_sky = np.isin(both, codes[0]), np.isin(both, codes[-1]) & (len(codes) > 1)
    why = np.where(by_features & on_sky, "features and sky", np.where(on_sky, "sky", "features"))
    return tuple(
        NearDuplicate(int(a[k]), int(b[k]), float(apart[k]), float(distance[k]), str(why[k])) for k in order
    )


def _close(places: Floats, limit_of: Callable[[float], float]) -> tuple[float, Ints]:
    """The median distance of nearest neighbours, and pairs within a limit, as first row times their number plus second.

    Of each place the nearest few are looked at: many copies of one are told by chains of pairs and not by all pairs.
    """
    from scipy.spatial import cKDTree  # late: heavy

    good = np.flatnonzero(np.isfinite(places).all(axis=1))
    if good.size < 2:
        return float("nan"), np.empty(0, np.int64)
    found = cKDTree(places[good]).query(places[good], k=min(_NEAREST, good.size))
    far, near = np.asarray(found[0]), np.asarray(found[1], np.int64)
    unit = float(np.median(far[:, 1]))
    limit = limit_of(unit)
    row, column = np.nonzero(far <= limit)
    one, other = good[row], good[near[row, column]]
    apart = one != other
    low, high = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
    return unit, np.unique(low * len(places) + high) if limit > 0.0 else np.empty(0, np.int64)


def _directions(ra: Floats, dec: Floats) -> Floats:
    """Unit vectors of positions in degrees."""
    a, d = np.deg2rad(np.asarray(ra, np.float64)), np.deg2rad(np.asarray(dec, np.float64))
    return np.column_stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])

"""Who is near whom on the sky: pairs of rows of two lists of positions.

All functions take ICRS degrees and arcsec, and give `Pairs` in the order (left, right). A position that is
NaN has no neighbour. Memory is that of the rows and of the pairs that come out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.sky.units import ARCSEC

__all__ = [
    "Pairs",
    "count_near",
    "nearest",
    "offset_by",
    "offsets",
    "one_to_one",
    "one_to_one_of",
    "separation",
    "unit_vectors",
    "within",
]

_ZONES = 1 << 20  # at most so many, however small the radius
_ROUNDING = 1.0 + 1e-12  # a pair exactly at the radius counts

_Floats: TypeAlias = NDArray[np.float64]


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

    @classmethod
    def none(cls) -> Pairs:
        """No pairs."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(nothing, nothing, np.empty(0))

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
    return np.asarray(2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)) / ARCSEC)


def offsets(
    ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far east and north the second positions lie of the first (arcsec), along great circles.

    East is RA times cos(dec) where the two are close; the pair is the separation turned by the position angle.
    """
    there, (east_of, north_of) = unit_vectors(ra2, dec2), _directions(ra1, dec1)
    x, y = np.sum(there * east_of, axis=-1), np.sum(there * north_of, axis=-1)
    far, angle = np.hypot(x, y), separation(ra1, dec1, ra2, dec2)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(far > 0, angle / far, 0.0)
    return x * ratio, y * ratio


def offset_by(
    ra: ArrayLike, dec: ArrayLike, east: ArrayLike, north: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The positions (deg) that lie `east` and `north` (arcsec, along a great circle) of these."""
    x, y = np.asarray(east, dtype=np.float64)[..., None], np.asarray(north, dtype=np.float64)[..., None]
    far = np.hypot(x, y) * ARCSEC
    along = np.sinc(far / np.pi) * ARCSEC  # sin(far) / far
    east_of, north_of = _directions(ra, dec)
    moved = unit_vectors(ra, dec) * np.cos(far) + (east_of * x + north_of * y) * along
    lat = np.degrees(np.arctan2(moved[..., 2], np.hypot(moved[..., 0], moved[..., 1])))
    return np.degrees(np.arctan2(moved[..., 1], moved[..., 0])) % 360.0, lat


def _directions(ra: ArrayLike, dec: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors (n, 3) that point east and north at positions (deg)."""
    lon, lat = np.radians(np.asarray(ra, dtype=np.float64)), np.radians(np.asarray(dec, dtype=np.float64))
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)], axis=-1)
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=-1)
    return east, north


@dataclass(frozen=True, eq=False)
class _Zoned:
    """Rows with a position, sorted by zone of declination and right ascension within it."""

    height: float  # of a zone, deg
    begin: NDArray[np.int64]  # (zones + 1,)
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    vectors: NDArray[np.float64]  # (n, 3)
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, ra: ArrayLike, dec: ArrayLike, height: float) -> _Zoned:
        lon, lat = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
        rows = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat)).astype(np.int64)
        lon, lat = lon[rows] % 360.0, lat[rows]
        zones = int(180.0 / height) + 1
        zone = np.clip(((lat + 90.0) / height).astype(np.int64), 0, zones - 1)
        order = np.lexsort((lon, zone))
        begin = np.searchsorted(zone[order], np.arange(zones + 1)).astype(np.int64)
        lon, lat = lon[order], lat[order]
        return cls(height, begin, lon, lat, unit_vectors(lon, lat), rows[order])

    def __len__(self) -> int:
        return int(self.rows.size)


def within(
    ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike, radius: float | NDArray[np.float64]
) -> Pairs:
    """All pairs no further apart than `radius` (arcsec; one number, or one a left row)."""
    from skysift.match.zones import count_within, fill_within  # late: the compiled code

    reach = _reach(ra1, radius)
    there = _Zoned.of(ra2, dec2, _height(reach))
    rows, query = _query(ra1, dec1, reach)
    if not rows.size or not len(there):
        return Pairs.none()
    where = (there.height, there.begin, there.ra, there.vectors)
    count = np.empty(rows.size, np.int64)
    count_within(*query, *where, count)
    first = np.concatenate([[0], np.cumsum(count)])
    right, chord = np.empty(first[-1], np.int64), np.empty(first[-1])
    fill_within(*query, *where, there.rows, first, right, chord)
    return Pairs(np.repeat(rows, count), right, _angle(chord))


def count_near(
    ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike, radius: float | NDArray[np.float64]
) -> NDArray[np.int64]:
    """How many right rows lie within `radius` (arcsec) of each left row; (left,)."""
    from skysift.match.zones import count_within  # late: the compiled code

    reach = _reach(ra1, radius)
    there = _Zoned.of(ra2, dec2, _height(reach))
    rows, query = _query(ra1, dec1, reach)
    near = np.zeros(reach.shape, np.int64)
    if rows.size and len(there):
        count = np.empty(rows.size, np.int64)
        count_within(*query, there.height, there.begin, there.ra, there.vectors, count)
        near[rows] = count
    return near


def nearest(
    ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike, radius: float | NDArray[np.float64]
) -> Pairs:
    """For each left row the nearest right row within `radius` (arcsec); a right row may come more than once."""
    from skysift.match.zones import closest_of_all  # late: the compiled code

    reach = _reach(ra1, radius)
    there = _Zoned.of(ra2, dec2, _height(reach))
    rows, query = _query(ra1, dec1, reach)
    if not rows.size or not len(there):
        return Pairs.none()
    found = np.empty(rows.size, np.int64)
    closest_of_all(*query, there.height, there.begin, there.ra, there.vectors, there.rows, found)
    return _paired(ra1, dec1, ra2, dec2, rows[found >= 0], found[found >= 0])


def one_to_one(
    ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike, radius: float | NDArray[np.float64]
) -> Pairs:
    """Pairs within `radius` in which no row comes twice: the closest pair first, then the closest of the rest."""
    from skysift.match.zones import pair_up  # late: the compiled code

    reach = _reach(ra1, radius)
    height = _height(reach)
    here, there = _Zoned.of(ra1, dec1, height), _Zoned.of(ra2, dec2, height)
    if not len(here) or not len(there):
        return Pairs.none()
    mine = reach[here.rows]
    partner = np.empty(len(here), np.int64)
    pair_up(
        here.ra,
        here.dec,
        here.vectors,
        mine / 3600.0,
        _limit(mine),
        here.begin,
        here.rows,
        height,
        there.begin,
        there.ra,
        there.dec,
        there.vectors,
        there.rows,
        partner,
    )
    some = partner >= 0
    left, right = here.rows[some], partner[some]
    order = np.argsort(left)
    return _paired(ra1, dec1, ra2, dec2, left[order], right[order])


def one_to_one_of(pairs: Pairs, cost: NDArray[np.float64]) -> Pairs:
    """Those of `pairs` in which no row comes twice, the lowest cost first; equal costs go by (left, right)."""
    from skysift.match.zones import first_come  # late: the compiled code

    if not len(pairs):
        return pairs
    order = np.lexsort((pairs.right, pairs.left, cost))
    kept = np.empty(len(pairs), np.bool_)
    size = (int(pairs.left.max()) + 1, int(pairs.right.max()) + 1)
    first_come(pairs.left[order], pairs.right[order], *size, kept)
    return pairs.select(np.sort(order[kept]))


def _reach(ra: ArrayLike, radius: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """The radius of each left row (arcsec), at most half the sky; one that is not a number reaches nothing."""
    each = np.broadcast_to(np.asarray(radius, dtype=np.float64), np.shape(np.asarray(ra)))
    return np.minimum(np.where(np.isnan(each), -1.0, each), 180.0 * 3600.0)


def _height(reach: NDArray[np.float64]) -> float:
    """The height of zones (deg) for the widest reach (arcsec)."""
    widest = float(reach.max(initial=0.0)) / 3600.0
    return max(widest, 180.0 / _ZONES)


def _limit(reach: NDArray[np.float64]) -> NDArray[np.float64]:
    """The squared chord of a reach (arcsec); below zero where nothing is reached."""
    chord = 2.0 * np.sin(np.maximum(reach, 0.0) * ARCSEC / 2.0) * _ROUNDING
    return np.where(reach < 0, -1.0, chord * chord)


def _query(
    ra: ArrayLike, dec: ArrayLike, reach: NDArray[np.float64]
) -> tuple[NDArray[np.int64], tuple[_Floats, _Floats, _Floats, _Floats, _Floats]]:
    """The numbers of the left rows that have a position, and what the compiled searches take of them."""
    lon, lat = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
    rows = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat) & (reach >= 0)).astype(np.int64)
    lon, lat, mine = lon[rows] % 360.0, lat[rows], reach[rows]
    return rows, (lon, lat, unit_vectors(lon, lat), mine / 3600.0, _limit(mine))


def _angle(square: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles (arcsec) of squared chords."""
    return np.asarray(2.0 * np.arcsin(np.minimum(np.sqrt(square) / 2.0, 1.0)) / ARCSEC)


def _paired(
    ra1: ArrayLike,
    dec1: ArrayLike,
    ra2: ArrayLike,
    dec2: ArrayLike,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
) -> Pairs:
    """Pairs of these rows, with their separations."""
    lon1, lat1, lon2, lat2 = (np.asarray(each, dtype=np.float64) for each in (ra1, dec1, ra2, dec2))
    chord = unit_vectors(lon1[left] % 360.0, lat1[left]) - unit_vectors(lon2[right] % 360.0, lat2[right])
    return Pairs(left, right, _angle(np.sum(chord * chord, axis=-1)))

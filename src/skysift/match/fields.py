"""Which rows of overlapping fields are one source, and which of them counts.

Two rows of different fields may be one where they lie within

    r^2 = (n_sigma)^2 (s1^2 + s2^2) + (share x beam)^2,

s being the position errors, the beam the wider one. The best pairs (smallest distance over r) join first, and
a group never takes a second row of a field. A row that finds no partner but lies inside the fitted ellipse of
a resolved row of another field, or holds such rows, belongs to the same object, which one field split and the
other did not. So does a row that an edge cut, of which the place is not known well, beside a brighter row of
another field that is whole, unless the field of the cut row has the brighter source whole as well.

Of each object the rows of one field count: of that where the object is not cut by an edge or by blank pixels,
and among those of the one with the lowest rms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skysift.match.sky import Pairs, offsets, within

__all__ = ["FieldRows", "Resolved", "resolve_fields"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_WINGS = 2.0  # FWHM: so far out a Gaussian of S/N 10^5 falls below the noise
_LEAST_PIECE = 0.1  # of the flux of a whole: less is another source that happens to lie there


@dataclass(frozen=True, eq=False)
class FieldRows:
    """The rows of all fields, in an order that does not depend on that of the fields; (n,) each.

    Parameters
    ----------
    ra, dec
        ICRS (deg); NaN for a row without a position, which has no partner.
    error
        Of the position per axis (arcsec).
    beam
        FWHM of the field's beam, geometric mean (arcsec).
    major, minor, pa
        Fitted ellipse (arcsec, deg).
    resolved
        Larger than the beam.
    flux
        Jy.
    rms
        Noise at the position (Jy/beam).
    cut
        Part of the source may lie outside of the field or under blank pixels.
    field
        Number of the field.
    """

    ra: Floats
    dec: Floats
    error: Floats
    beam: Floats
    major: Floats
    minor: Floats
    pa: Floats
    resolved: Bools
    flux: Floats
    rms: Floats
    cut: Bools
    field: Ints

    def __len__(self) -> int:
        return len(self.ra)


@dataclass(frozen=True, eq=False)
class Resolved:
    """What became of each row; (n,) each.

    Parameters
    ----------
    primary
        True for the rows that count.
    counterpart
        The row that counts instead of a row that does not; -1 for those that count.
    group
        Number of the first row of the group of partners, of which there is one at most in each field.
    detected
        How many fields have rows of the object.
    """

    primary: Bools
    counterpart: Ints
    group: Ints
    detected: Ints


def resolve_fields(rows: FieldRows, *, n_sigma: float = 5.0, beam_share: float = 0.5) -> Resolved:
    """Which rows are one object, and which rows of it count.

    Parameters
    ----------
    rows
        Of all fields.
    n_sigma
        How many errors two positions of one source may lie apart.
    beam_share
        Likewise, in beams, added in quadrature: astrometry of the fields, and how each splits what is extended.
    """
    from skysift.match.grouping import join_rows  # late: the compiled code

    n = len(rows)
    group = np.arange(n, dtype=np.int64)
    near = _near(rows, n_sigma, beam_share)
    if len(near):
        join_rows(near.left, near.right, rows.field, group)
    size = np.bincount(group, minlength=n)[group] if n else group
    links = [
        Pairs(group, np.arange(n), np.zeros(n)),
        _pieces(rows, group, size == 1),
        _stumps(rows, group, size == 1),
    ]
    whole = _connected(
        n, *(np.concatenate([getattr(each, side) for each in links]) for side in ("left", "right"))
    )
    owner = _owner(rows, whole)
    primary = rows.field == owner
    return Resolved(primary, _counterpart(rows, primary, group, whole), group, _n_fields(rows, whole))


def _near(rows: FieldRows, n_sigma: float, beam_share: float) -> Pairs:
    """Pairs of rows of different fields that may be one, the best first; left before right."""
    beam = rows.beam
    error = np.where(np.isfinite(rows.error), np.minimum(rows.error, beam), 0.5 * beam)
    widest, worst = float(beam.max(initial=0.0)), float(error.max(initial=0.0))
    reach = np.sqrt(n_sigma**2 * (error**2 + worst**2) + (beam_share * widest) ** 2)
    pairs = within(rows.ra, rows.dec, rows.ra, rows.dec, reach)
    pairs = pairs.select((pairs.left < pairs.right) & (rows.field[pairs.left] != rows.field[pairs.right]))
    left, right = pairs.left, pairs.right
    limit = n_sigma**2 * (error[left] ** 2 + error[right] ** 2)
    limit += (beam_share * np.maximum(beam[left], beam[right])) ** 2
    cost = pairs.separation**2 / limit
    pairs, cost = pairs.select(cost <= 1.0), cost[cost <= 1.0]
    return pairs.select(np.lexsort((pairs.right, pairs.left, cost)).astype(np.int64))


def _pieces(rows: FieldRows, group: Ints, alone: Bools) -> Pairs:
    """(whole, piece): resolved rows of one field and the rows of another that lie in their ellipses.

    One of the two at least has no partner. Where it is the whole, its field must not have the piece as well,
    and the piece must hold a fair part of the flux.
    """
    wide = np.flatnonzero(rows.resolved & (rows.major > 0) & (rows.minor > 0)).astype(np.int64)
    pairs = within(rows.ra[wide], rows.dec[wide], rows.ra, rows.dec, 0.5 * rows.major[wide])
    whole, piece = wide[pairs.left], pairs.right
    kept = (rows.field[whole] != rows.field[piece]) & (group[whole] != group[piece])
    kept &= alone[piece] | (alone[whole] & ~_has(rows, group, piece, rows.field[whole]))
    with np.errstate(invalid="ignore"):
        kept &= ~alone[whole] | (np.abs(rows.flux[piece]) > _LEAST_PIECE * np.abs(rows.flux[whole]))
    kept[kept] = _inside(rows, whole[kept], piece[kept])
    return Pairs(whole[kept], piece[kept], pairs.separation[kept])


def _stumps(rows: FieldRows, group: Ints, alone: Bools) -> Pairs:
    """(whole, stump): rows that an edge cut and that have no partner, with whole and brighter rows of other fields.

    The centre of what was cut may lie outside of its field: so far away that its wings just reach inside. A source
    that a field has whole has no stump there.
    """
    cut, good = (np.flatnonzero(each).astype(np.int64) for each in (rows.cut & alone, ~rows.cut))
    reach = _WINGS * np.fmax(rows.major[good], rows.beam[good])
    pairs = within(rows.ra[good], rows.dec[good], rows.ra[cut], rows.dec[cut], reach)
    whole, stump = good[pairs.left], cut[pairs.right]
    with np.errstate(invalid="ignore"):
        kept = (rows.field[whole] != rows.field[stump]) & (
            np.abs(rows.flux[whole]) > np.abs(rows.flux[stump])
        )
    kept &= ~_has(rows, group, whole, rows.field[stump], ~rows.cut)
    return Pairs(whole[kept], stump[kept], pairs.separation[kept])


def _has(rows: FieldRows, group: Ints, row: Ints, field: Ints, among: Bools | None = None) -> Bools:
    """Whether the groups of these rows hold a row of these fields, among some of all rows."""
    most = int(rows.field.max(initial=0)) + 1
    there = group * most + rows.field
    there = np.unique(there if among is None else there[among])
    return np.isin(group[row] * most + field, there)


def _inside(rows: FieldRows, whole: Ints, piece: Ints) -> Bools:
    """Whether the centre of each piece lies in the ellipse at half maximum of its whole."""
    east, north = offsets(rows.ra[whole], rows.dec[whole], rows.ra[piece], rows.dec[piece])
    angle = np.radians(np.nan_to_num(rows.pa[whole]))
    along = east * np.sin(angle) + north * np.cos(angle)
    across = east * np.cos(angle) - north * np.sin(angle)
    distance = np.hypot(along / (0.5 * rows.major[whole]), across / (0.5 * rows.minor[whole]))
    return np.asarray(distance <= 1.0)


def _connected(n: int, left: Ints, right: Ints) -> Ints:
    """The number of the object of each row."""
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1]).astype(np.int64)


def _owner(rows: FieldRows, whole: Ints) -> Ints:
    """For each row the field whose rows of its object count."""
    if not len(rows):
        return np.empty(0, np.int64)
    _, part, begin = _parts(rows, whole)
    order = np.argsort(part, kind="stable")
    cut = np.maximum.reduceat(rows.cut[order].astype(np.int64), begin)
    rms = np.minimum.reduceat(np.where(np.isfinite(rows.rms), rows.rms, np.inf)[order], begin)
    of, field = whole[order][begin], rows.field[order][begin]
    best = np.lexsort((field, rms, cut, of))
    first = best[np.unique(of[best], return_index=True)[1]]
    return field[first][whole]  # objects are numbered from 0 without gaps


def _parts(rows: FieldRows, whole: Ints) -> tuple[Ints, Ints, Ints]:
    """Keys of (object, field), the number of each row's key, and where each begins in rows sorted by it."""
    most = int(rows.field.max(initial=0)) + 1
    keys, part, count = np.unique(whole * most + rows.field, return_inverse=True, return_counts=True)
    return keys // most, part.astype(np.int64), (np.cumsum(count) - count).astype(np.int64)


def _n_fields(rows: FieldRows, whole: Ints) -> Ints:
    """How many fields have rows of each row's object."""
    if not len(rows):
        return np.empty(0, np.int64)
    of = _parts(rows, whole)[0]
    return np.bincount(of)[whole].astype(np.int64)


def _counterpart(rows: FieldRows, primary: Bools, group: Ints, whole: Ints) -> Ints:
    """The row that counts instead: the partner, else the brightest one of the object."""
    n = len(rows)
    partner, brightest = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    counts = np.flatnonzero(primary)
    partner[group[counts]] = counts  # a group has one row of the field that counts at most
    faint_first = counts[np.lexsort((-counts, np.nan_to_num(np.abs(rows.flux[counts]))))]
    brightest[whole[faint_first]] = faint_first
    chosen = np.where(partner[group] >= 0, partner[group], brightest[whole])
    return np.where(primary, -1, chosen).astype(np.int64)

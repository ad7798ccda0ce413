"""`LikelihoodMatcher`: who the counterpart is, by likelihood ratio.

The ratio of a candidate (Sutherland & Saunders 1992, MNRAS 259, 413; de Ruiter et al. 1977, A&AS 28, 211) is

    L = q(m) f(x, y) / n(m)

with f the density of true counterparts about the position, a Gaussian of both catalogues' errors; n(m) the
density of unrelated rows on the sky, and q(m) that of counterparts, per bin of flux m. Its reliability is

    R_j = L_j / (sum_i L_i + 1 - Q)

over the candidates i of one row. Q, the share of rows that have a counterpart at all, comes from the empty
fields (Fleuren et al. 2012, MNRAS 423, 2407): the share of rows without any candidate within r, over that of
shifted positions, is 1 - Q F(r). q(m) is what candidates of real rows have more of than those of shifted ones
(Ciliegi et al. 2003, A&A 398, 901).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.match.chance import shifted
from skysift.match.entries import Entries
from skysift.match.matcher import Candidates, Matcher
from skysift.match.offsets import robust_scatter
from skysift.match.options import LikelihoodOptions
from skysift.match.sky import Pairs, nearest, offsets, one_to_one, one_to_one_of, within

__all__ = ["LikelihoodMatcher", "share_with_counterpart"]

Floats = NDArray[np.float64]

_REACH = 5.0  # combined errors
_WORST = 5.0  # times the median error; rows that are less certain do not set how far all are looked for
_LEAST_ERROR = 1e-3  # arcsec; no position is better than this
_BINS = 12  # of flux
_ROWS = 200_000  # shifted rows that are enough
_RADII = np.linspace(0.1, 1.0, 10)  # of the search radius, at which empty fields are counted
_Q_RANGE = (0.01, 0.99)


@dataclass(frozen=True, eq=False)
class _Field:
    """What was learnt of two catalogues before their pairs were weighed.

    `q` is the share of left rows with a counterpart, `error` the position error of rows that tell none
    (arcsec), `density` that of unrelated rows (per square arcsec). A right row whose ln(flux) lies between
    `edges` i - 1 and i has the prior odds ``odds[i + 1]``, q(m) / n(m) in square arcsec; without a flux ``odds[0]``.
    """

    q: float
    error: float
    density: float
    edges: Floats
    odds: Floats


class LikelihoodMatcher(Matcher[LikelihoodOptions]):
    """Pairs by likelihood ratio, reliable ones only, no row twice."""

    name = "likelihood"
    lists_all = True
    weight = "likelihood_ratio"

    def __init__(self, options: LikelihoodOptions, field: _Field | None = None) -> None:
        super().__init__(options)
        self._field = field

    def radius(self, left: Entries, right: Entries) -> float:
        """Five combined errors of the less certain rows, unless a radius was given (arcsec).

        The less certain are those at the 99th percentile, or with five times the median error where that is less:
        a failed fit may tell an error of degrees.

        Raises
        ------
        UsageError
            Neither errors nor sizes are known, and no radius was given.
        """
        if self.options.radius is not None or not len(left) or not len(right):
            return self.options.radius or 0.0
        error = self._typical_error(left, right)
        wide = []
        for each in (left, right):
            usual, most = np.percentile(np.hypot(*_errors(each, error)), [50, 99])
            wide.append(min(float(most), _WORST * float(usual)))
        return _REACH * math.hypot(*wide, self.options.extra_error * math.sqrt(2.0)) / math.sqrt(2.0)

    def prepared(self, left: Entries, right: Entries, radius: float) -> LikelihoodMatcher:
        """The matcher with what these catalogues tell of Q, of the field and of missing errors."""
        if not len(left) or not len(right) or radius <= 0:
            return self
        error = self._typical_error(left, right)
        away = self._away(left, radius)
        n_away = sum(int(each.placed.sum()) for each in away)
        looked = max(math.pi * radius**2 * n_away, 1e-300)
        chance = np.concatenate(
            [within(each.ra, each.dec, right.ra, right.dec, radius).right for each in away]
        )
        q = self.options.q
        if q is None:
            q = share_with_counterpart(left, right, away, radius, self._sigma(left, right, error))
        density = max(chance.size, 0.5) / looked
        edges, odds = np.empty(0), np.full(2, q / density)
        if self.options.prior == "flux":
            pairs = within(left.ra, left.dec, right.ra, right.dec, radius)
            area = math.pi * radius**2 * int(left.placed.sum())
            edges, odds = _flux_odds(right.flux, pairs.right, area, chance, looked, q)
        return LikelihoodMatcher(self.options, _Field(q, error, density, edges, odds))

    def candidates(self, left: Entries, right: Entries, radius: float) -> Candidates:
        """All pairs within the radius with likelihood ratio (`weight`) and reliability (`probability`)."""
        field = (self if self._field else self.prepared(left, right, radius))._field
        if field is None:
            return Candidates.all(Pairs.none())
        pairs = within(left.ra, left.dec, right.ra, right.dec, radius)
        east, north = self._pair_errors(left.take(pairs.left), right.take(pairs.right), field.error)
        dx, dy = offsets(
            left.ra[pairs.left], left.dec[pairs.left], right.ra[pairs.right], right.dec[pairs.right]
        )
        f = np.exp(-0.5 * ((dx / east) ** 2 + (dy / north) ** 2)) / (2.0 * math.pi * east * north)
        ratio = f * field.odds[_bins(right.flux[pairs.right], field.edges)]
        total = np.bincount(pairs.left, weights=ratio, minlength=len(left))
        reliability = ratio / (total[pairs.left] + 1.0 - field.q)
        good = np.flatnonzero(reliability >= max(self.options.reliability, 1e-300))
        kept = one_to_one_of(pairs.select(good), -ratio[good])
        key, wanted = (each.left * (len(right) + 1) + each.right for each in (pairs, kept))
        facts = {"q": field.q, "density": field.density}
        return Candidates(pairs, np.isin(key, wanted), reliability, ratio, facts)

    def _typical_error(self, left: Entries, right: Entries) -> float:
        """The position error per axis of rows that tell none (arcsec): given, or what the distances of pairs tell.

        Raises
        ------
        UsageError
            Errors are missing and nothing tells how far pairs may lie apart.
        """
        given = self.options.default_error
        lacking = any(not np.all((each.ra_err > 0) & (each.dec_err > 0)) for each in (left, right))
        if given is not None or not lacking:
            return given or 0.0
        reach = super().radius(left, right)
        found = one_to_one(left.ra, left.dec, right.ra, right.dec, reach)
        if not len(found):
            return reach / _REACH
        x, y = offsets(
            left.ra[found.left], left.dec[found.left], right.ra[found.right], right.dec[found.right]
        )
        away = np.concatenate([x - np.median(x), y - np.median(y)])
        return max(robust_scatter(away), _LEAST_ERROR) / math.sqrt(2.0)

    def _pair_errors(self, left: Entries, right: Entries, error: float) -> tuple[Floats, Floats]:
        """Combined errors east and north of pairs (arcsec)."""
        mine, theirs = _errors(left, error), _errors(right, error)
        extra = self.options.extra_error
        east, north = (np.sqrt(mine[axis] ** 2 + theirs[axis] ** 2 + extra**2) for axis in (0, 1))
        return np.maximum(east, _LEAST_ERROR), np.maximum(north, _LEAST_ERROR)

    def _sigma(self, left: Entries, right: Entries, error: float) -> Floats:
        """The combined error per axis of each left row with a typical right row (arcsec)."""
        mine, theirs = _errors(left, error), _errors(right, error)
        typical = float(np.median(theirs[0] * theirs[1]))
        return np.sqrt(mine[0] * mine[1] + typical + max(self.options.extra_error, _LEAST_ERROR) ** 2)

    def _away(self, left: Entries, radius: float) -> list[Entries]:
        """Copies of the left rows moved to where nothing belongs to them."""
        options = self.options
        copies = min(max(3, math.ceil(_ROWS / max(len(left), 1))), 50)
        edges = (radius * options.shift_min, radius * options.shift_max)
        return [shifted(left, *edges, options.random_seed, f"field {copy}") for copy in range(copies)]


def share_with_counterpart(
    left: Entries, right: Entries, away: list[Entries], radius: float, sigma: Floats
) -> float:
    """Q: the share of left rows that have a counterpart in the right catalogue, from the empty fields.

    Parameters
    ----------
    left, right
        The catalogues.
    away
        Copies of the left rows at places where nothing belongs to them.
    radius
        Of the search (arcsec).
    sigma
        Combined error per axis of each left row (arcsec).
    """
    radii = radius * _RADII
    empty = _empty_share(left, right, radii)
    field = np.mean([_empty_share(each, right, radii) for each in away], axis=0)
    placed = left.placed
    share = np.array([np.mean(1.0 - np.exp(-(r**2) / (2.0 * sigma[placed] ** 2))) for r in radii])
    n = max(int(placed.sum()), 1)
    some = field > 0
    if not some.any():
        return _Q_RANGE[1]
    seen = 1.0 - empty[some] / field[some]
    variance = np.maximum(empty[some] * (1.0 - empty[some]), 1.0 / n) / n / field[some] ** 2
    q = float(np.sum(seen * share[some] / variance) / np.sum(share[some] ** 2 / variance))
    return min(max(q, _Q_RANGE[0]), _Q_RANGE[1])


def _empty_share(left: Entries, right: Entries, radii: Floats) -> Floats:
    """The share of left rows with no right row within each radius."""
    found = nearest(left.ra, left.dec, right.ra, right.dec, float(radii[-1]))
    distance = np.sort(found.separation)
    n = max(int(left.placed.sum()), 1)
    return 1.0 - np.searchsorted(distance, radii, side="right") / n


def _flux_odds(
    flux: Floats, seen: NDArray[np.int64], area: float, chance: NDArray[np.int64], looked: float, q: float
) -> tuple[Floats, Floats]:
    """Edges of bins of ln(flux) with equally many candidates, and q(m) / n(m) (arcsec^2) in each.

    Parameters
    ----------
    flux
        Of the right rows (Jy).
    seen, area
        Right rows near left ones, one a pair, and the area in which they were looked for (arcsec^2).
    chance, looked
        The same of shifted left rows.
    q
        Share of the left rows that have a counterpart.
    """
    levels = _level(flux)[seen]
    told = levels[np.isfinite(levels)]
    count = int(min(_BINS, max(1, told.size // 50)))
    edges = np.quantile(told, np.linspace(0, 1, count + 1)[1:-1]) if told.size else np.empty(0)
    n_bins = edges.size + 2
    real = np.bincount(_bins(flux[seen], edges), minlength=n_bins)
    field = np.bincount(_bins(flux[chance], edges), minlength=n_bins) + 0.5  # no bin is surely empty
    excess = np.maximum(real - field / looked * area, 0.0)
    if not excess.sum() > 0:
        return np.empty(0), np.full(2, q * looked / field.sum())
    excess = np.maximum(excess, 0.01 * excess.mean())
    return edges, q * excess / excess.sum() / (field / looked)


def _bins(flux: Floats, edges: Floats) -> NDArray[np.int64]:
    """The bin of each flux: 0 of what has none, else from 1 on."""
    level = _level(flux)
    place = 1 + np.searchsorted(edges, np.nan_to_num(level), side="right")
    return np.where(np.isfinite(level), place, 0).astype(np.int64)


def _level(flux: Floats) -> Floats:
    """ln(flux); NaN of what is not positive."""
    return np.log(np.where(flux > 0, flux, np.nan))


def _errors(entries: Entries, error: float) -> tuple[Floats, Floats]:
    """The position errors of the rows (arcsec), `error` where they tell none."""
    told = (entries.ra_err > 0) & (entries.dec_err > 0)
    return np.where(told, entries.ra_err, error), np.where(told, entries.dec_err, error)

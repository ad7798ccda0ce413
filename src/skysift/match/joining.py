"""`join_parts`: which parts of a map are one object, with a probability and the evidence for every pair.

Lobes of a radio galaxy, the knots of a bent tail, pieces of a shell lie apart in a map. Whether they belong together is
asked of each pair of neighbours: prior odds of a companion against a neighbour by chance, times a Bayes factor for each
kind of evidence (`skysift.match.evidence`). Objects are made of the likeliest pairs first, and not by single links
(`skysift.match.agglomerate`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from skysift.base.errors import UsageError
from skysift.match.agglomerate import agglomerate
from skysift.match.evidence import (
    abundance,
    aligned,
    between,
    bridged,
    companions,
    like_brightness,
    like_flux,
    physical,
    sized,
)
from skysift.match.nearby import Nearby, nearby, slope_of_counts
from skysift.match.options import JoinOptions

__all__ = ["TERMS", "Bridge", "Bridges", "Joins", "Pairs", "Parts", "join_parts"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TERMS = ("prior", "flux", "size", "alignment", "bridge", "core", "brightness")
"""What the log odds of a pair are the sum of."""

FWHM = float(np.sqrt(8.0 * np.log(2.0)))
MOST = 3.0  # chance neighbours expected: with more a pair is not looked at
FAR = 300.0  # beams
NEAREST = 0.5  # beams; parts that are nearer count as so far apart
HOPELESS = -4.0  # log odds without the bridge, below which the map is not asked for one
FAINTEST = 0.02  # quantile of the fluxes that stands for the limit of the map
AMONG = 8  # parts near the middle of a pair that may be its core
CORE_SEEN = 1.0  # log Bayes factor above which what stands between two parts counts as their core
LARGEST = 800  # parts that are looked at together


@dataclass(frozen=True, eq=False)
class Parts:
    """What may be joined: sources, islands or segments that are not yet one, one row a part.

    Parameters
    ----------
    x, y
        Centroids (arcsec) in a plane that touches the sky.
    flux, peak, rms
        Flux density (Jy), peak and noise (Jy/beam); signs are not looked at.
    shape
        Covariance ``(n, 3)`` (xx, xy, yy; arcsec^2) of the emission without the beam; 0 where nothing is left.
    extended
        Whether it is larger than the beam.
    beam
        FWHM (arcsec): the geometric mean of the axes.
    area
        Of the map (arcsec^2).
    frequency
        Hz; NaN where not known.

    Raises
    ------
    UsageError
        Columns differ in length, or a flux or a position is not finite.
    """

    x: Floats
    y: Floats
    flux: Floats
    peak: Floats
    rms: Floats
    shape: Floats
    extended: Bools
    beam: float
    area: float
    frequency: float = float("nan")

    def __post_init__(self) -> None:
        n = len(self.x)
        for name in ("y", "flux", "peak", "rms", "shape", "extended"):
            if len(getattr(self, name)) != n:
                raise UsageError(
                    "the columns of parts differ in length",
                    got=f"{name}: {len(getattr(self, name))}",
                    allowed=str(n),
                )
        for name in ("x", "y", "flux"):
            if not np.isfinite(getattr(self, name)).all():
                raise UsageError("a part has no position or no flux", got=f"{name} that is not finite")
        if not (self.beam > 0.0 and self.area > 0.0):
            raise UsageError(
                "parts need a beam and an area", got=f"beam {self.beam:g}, area {self.area:g} arcsec^2"
            )

    def __len__(self) -> int:
        return len(self.x)

    def select(self, rows: Ints) -> Parts:
        """These parts."""
        columns = ("x", "y", "flux", "peak", "rms", "shape", "extended")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})


@dataclass(frozen=True, eq=False)
class Bridges:
    """What the map shows between the parts of pairs, ``(pair,)``; NaN where there is nothing to see.

    Parameters
    ----------
    mean, error
        Mean brightness of the strip between the two, a beam wide, and its error (Jy/beam).
    gap
        Length of the line between the two centroids that is on neither (arcsec).
    """

    mean: Floats
    error: Floats
    gap: Floats


Bridge: TypeAlias = Callable[[Ints, Ints], Bridges]
"""What looks at the map between pairs of parts, given by their rows."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """The evidence for every pair that was considered, one row a pair.

    Attributes
    ----------
    first, second
        Rows of the brighter and the fainter part.
    separation
        In arcsec.
    expected
        Chance neighbours at least as bright as the fainter part within the separation, by the local density.
    flux_ratio
        Of the fainter to the brighter part.
    turn_first, turn_second
        Angles (deg, 0 to 90) from the line between the two to their major axes; NaN for what has none.
    bend
        By how much the arms of a pair with a core are bent at it (deg); NaN without core.
    bridges
        What the map shows between them.
    core
        Row of the part that stands between them as a core does; -1 for none.
    ring
        Whether the two lie like arcs of one circle.
    terms
        Name of `TERMS` -> its part of the log odds.
    joined
        Whether the two are parts of one object in the end.
    """

    first: Ints
    second: Ints
    separation: Floats
    expected: Floats
    flux_ratio: Floats
    turn_first: Floats
    turn_second: Floats
    bend: Floats
    bridges: Bridges
    core: Ints
    ring: Bools
    terms: Mapping[str, Floats]
    joined: Bools

    @property
    def odds(self) -> Floats:
        """Log odds of being one object."""
        return np.asarray(sum(self.terms.values()))

    @property
    def probability(self) -> Floats:
        """Probability of being one object, by the evidence for this pair alone."""
        return _probability(self.odds)

    @property
    def reason(self) -> npt.NDArray[np.str_]:
        """The term that speaks loudest for the decision; ``ring`` for an alignment as on a circle."""
        table = np.stack([self.terms[name] for name in TERMS], axis=1)
        loudest = np.where(self.joined, table.argmax(axis=1), table.argmin(axis=1))
        names = np.array(TERMS)[loudest]
        names = np.where((names == "prior") & ~self.joined, "chance", names)
        names = np.where((names == "prior") & self.joined, "near", names)
        return np.asarray(np.where((names == "alignment") & self.ring & self.joined, "ring", names), np.str_)

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, eq=False)
class Joins:
    """Which parts are one object.

    Attributes
    ----------
    object
        Number of the object of each part ``(n,)``, from 0, in the order of their first parts.
    probability
        Of each object: that all its parts are one; NaN for an object of one part.
    pairs
        The evidence.
    """

    object: Ints
    probability: Floats
    pairs: Pairs

    def __len__(self) -> int:
        return len(self.probability)

    def __repr__(self) -> str:
        several = int(np.isfinite(self.probability).sum())
        return f"Joins({len(self.object)} parts, {len(self)} objects, {several} of several parts)"


def join_parts(parts: Parts, bridge: Bridge | None = None, options: JoinOptions | None = None) -> Joins:
    """
    The objects that parts make, with the evidence for every pair that was considered.

    The order of the parts plays no role.

    Parameters
    ----------
    parts
        What may be joined.
    bridge
        What looks at the map between two parts; without it nothing is known of bridges and gaps.
    options
        Least probability and largest distance.
    """
    options = options or JoinOptions()
    order = np.lexsort((np.abs(parts.flux), parts.y, parts.x))  # so that the order of the parts plays no role
    sorted_parts = parts.select(order)
    pairs = _evidence(sorted_parts, None if bridge is None else _reordered(bridge, order), options)
    links = _lifted(len(parts), pairs)
    least = float(np.log(options.join_probability / (1.0 - options.join_probability)))
    group, lowest = _objects(len(parts), links, least)
    back = np.empty(len(parts), np.int64)
    back[order] = np.arange(len(parts))
    heads, first, number = np.unique(group[back], return_index=True, return_inverse=True)
    rank = np.empty(len(heads), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(heads))
    probability = np.empty(len(heads))
    probability[rank] = np.where(np.isfinite(lowest[heads]), _probability(lowest[heads]), np.nan)
    joined = group[pairs.first] == group[pairs.second]
    pairs = _of_rows(pairs, order, joined)
    return Joins(rank[number], probability, pairs)


def _probability(odds: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -50.0, 50.0))))


def _reordered(bridge: Bridge, order: Ints) -> Bridge:
    def look(first: Ints, second: Ints) -> Bridges:
        return bridge(order[first], order[second])

    return look


def _of_rows(pairs: Pairs, order: Ints, joined: Bools) -> Pairs:
    """The pairs with the rows that the parts were given in."""
    core = np.where(pairs.core >= 0, order[pairs.core], -1) if len(order) else pairs.core
    return replace(pairs, first=order[pairs.first], second=order[pairs.second], core=core, joined=joined)


def _evidence(parts: Parts, bridge: Bridge | None, options: JoinOptions) -> Pairs:
    """All that tells for or against each pair of neighbours."""
    flux = np.maximum(np.abs(parts.flux), np.finfo(float).tiny)
    reach = options.join_reach or FAR * parts.beam
    near = nearby(parts.x, parts.y, flux, parts.area, MOST, reach) if len(parts) > 1 else _none(len(parts))
    i, j = near.first, near.second
    major, minor, angle = _axes(parts.shape)
    extended = parts.extended & (major > 0.0)
    slope = slope_of_counts(flux)
    separation = np.maximum(near.separation, NEAREST * parts.beam)
    expected = near.density[j] * np.pi * separation**2
    line = np.arctan2(parts.y[j] - parts.y[i], parts.x[j] - parts.x[i])
    thin = np.where(extended, 1.0 - minor / np.where(major > 0.0, major, 1.0), 0.0)
    straight, ring = aligned(angle[i] - line, angle[j] - line, thin[i], thin[j])
    field = _sizes(major[extended], len(parts))
    at_scale = (parts.frequency / 1.4e9) ** 0.7 if np.isfinite(parts.frequency) else 1.0
    terms = {
        "prior": physical((flux[i] + flux[j]) * at_scale, separation, expected, parts.beam),
        "flux": like_flux(flux[j] / flux[i], slope),
        "size": sized(major[i], extended[i], separation, parts.beam, field)
        + sized(major[j], extended[j], separation, parts.beam, field),
        "alignment": straight,
        "brightness": _brightness(flux, major, minor, extended, i, j),
    }
    core, terms["core"], bend = _cores(parts, flux, near, slope)
    bridges = _look(parts, bridge, i, j, np.sum(list(terms.values()), axis=0))
    terms["bridge"] = bridged(bridges.mean, bridges.error, parts.peak[j])
    best = np.full(len(parts), -np.inf)
    np.maximum.at(best, j, np.sum(list(terms.values()), axis=0))
    faintest = float(np.quantile(flux, FAINTEST)) if len(flux) else 1.0
    usual = companions(flux, at_scale, faintest, parts.beam, near.density, MOST)
    terms["prior"] = terms["prior"] + abundance(best[np.isfinite(best)], usual)
    turn = [np.where(thin[k] > 0.0, _turn(angle[k] - line), np.nan) for k in (i, j)]
    return Pairs(
        first=i,
        second=j,
        separation=near.separation,
        expected=near.expected,
        flux_ratio=flux[j] / flux[i],
        turn_first=turn[0],
        turn_second=turn[1],
        bend=bend,
        bridges=bridges,
        core=core,
        ring=ring,
        terms={name: terms[name] for name in TERMS},
        joined=np.zeros(len(i), np.bool_),
    )


def _none(n: int) -> Nearby:
    rows, values = np.empty(0, np.int64), np.empty(0)
    return Nearby(rows, rows, values, values, np.ones(n))


def _axes(shape: Floats) -> tuple[Floats, Floats, Floats]:
    """FWHM of the axes, and the angle (rad) of the major one from x towards y, of covariances ``(n, 3)``."""
    xx, xy, yy = shape.T
    mean, radius = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    major, minor = (FWHM * np.sqrt(np.maximum(mean + sign * radius, 0.0)) for sign in (1.0, -1.0))
    return major, minor, 0.5 * np.arctan2(2.0 * xy, xx - yy)


def _turn(angle: Floats) -> Floats:
    """An angle between two axes, 0 to 90 deg."""
    return np.degrees(np.arccos(np.minimum(np.abs(np.cos(angle)), 1.0)))


def _sizes(major: Floats, n: int) -> tuple[float, float, float]:
    """Share of extended parts, mean and spread of the logarithm of their sizes; held by broad guesses where few."""
    share = (len(major) + 2.0) / (n + 10.0)
    ln = np.log(major)
    middle = float(np.median(ln)) if len(major) else 0.0
    spread = max(0.6, float(np.sqrt((np.square(ln - middle).sum() + 5.0) / (len(major) + 5.0))))
    return share, middle, spread


def _brightness(flux: Floats, major: Floats, minor: Floats, extended: Bools, i: Ints, j: Ints) -> Floats:
    """Log Bayes factor of the surface brightnesses of two extended parts."""
    solid = np.maximum(minor, 0.2 * major) * major
    value = np.log(flux / np.where(extended, solid, 1.0))
    spread = max(1.2, float(np.sqrt(2.0) * np.std(value[extended]))) if extended.sum() > 4 else 1.5
    both = extended[i] & extended[j]
    return np.where(both, like_brightness(np.exp(value[i] - value[j]), spread), 0.0)


def _cores(parts: Parts, flux: Floats, near: Nearby, slope: float) -> tuple[Ints, Floats, Floats]:
    """The part that stands between each pair most as a core does (-1: none), its log Bayes factor, and the bend at it."""
    i, j = near.first, near.second
    place = np.stack([parts.x, parts.y], axis=1)
    if not len(i) or len(parts) < 3:
        return np.full(len(i), -1, np.int64), np.zeros(len(i)), np.full(len(i), np.nan)
    among = np.arange(1, min(AMONG, len(parts)) + 1)
    k = np.asarray(cKDTree(place).query(0.5 * (place[i] + place[j]), k=among)[1], np.int64)
    arm = place[j] - place[i]
    square = np.maximum((arm**2).sum(axis=1), (1e-6 * parts.beam) ** 2)
    off = place[k] - place[i][:, None]  # (pair, candidate, axis)
    along = (off * arm[:, None]).sum(axis=2) / square[:, None]
    across = (off[..., 1] * arm[:, None, 0] - off[..., 0] * arm[:, None, 1]) / square[:, None]
    own = (k == i[:, None]) | (k == j[:, None])
    share = flux[k] / (flux[i] + flux[j])[:, None]
    value = between(along, across, near.density[k] * np.maximum(square, parts.beam**2)[:, None], share, slope)
    value = np.where(own, -np.inf, value)
    best = value.argmax(axis=1)
    row = np.arange(len(i))
    value, along, across = value[row, best], along[row, best], across[row, best]
    seen = value > CORE_SEEN
    bend = np.degrees(np.arctan2(np.abs(across), along) + np.arctan2(np.abs(across), 1.0 - along))
    return (
        np.where(seen, k[row, best], -1),
        np.where(np.isfinite(value), value, 0.0),
        np.where(seen, bend, np.nan),
    )


def _look(parts: Parts, bridge: Bridge | None, i: Ints, j: Ints, odds: Floats) -> Bridges:
    """What the map shows between the pairs that a bridge could make one."""
    nothing = np.full((3, len(i)), np.nan)
    wanted = np.flatnonzero(odds > HOPELESS) if bridge is not None else np.empty(0, np.int64)
    if bridge is not None and len(wanted):
        seen = bridge(i[wanted], j[wanted])
        nothing[:, wanted] = seen.mean, seen.error, seen.gap
    return Bridges(*nothing)


@dataclass(frozen=True, eq=False)
class _Links:
    """Pairs of parts ``(pair,)`` and their log odds."""

    first: Ints
    second: Ints
    odds: Floats


def _lifted(n: int, pairs: Pairs) -> _Links:
    """The pairs with their log odds; a core belongs to two parts at least as likely as these to each other with it."""
    seen = np.flatnonzero(pairs.core >= 0)
    ends = np.concatenate([pairs.first[seen], pairs.second[seen]])
    core = np.tile(pairs.core[seen], 2)
    lift = np.tile(np.minimum(pairs.odds[seen], pairs.terms["core"][seen] + 1.0), 2)
    low = np.concatenate([np.minimum(pairs.first, pairs.second), np.minimum(core, ends)])
    high = np.concatenate([np.maximum(pairs.first, pairs.second), np.maximum(core, ends)])
    key, number = np.unique(low * n + high, return_inverse=True)
    odds = np.full(len(key), -np.inf)
    np.maximum.at(odds, number, np.concatenate([pairs.odds, lift]))
    return _Links(key // max(n, 1), key % max(n, 1), odds)


def _objects(n: int, pairs: _Links, least: float) -> tuple[Ints, Floats]:
    """First part of each part's object, and there the log odds of its weakest join."""
    group, lowest = np.arange(n), np.full(n, np.inf)
    label = _held_together(n, pairs, min(least, 0.0))
    order = np.lexsort((np.arange(n), label))
    size = np.bincount(label, minlength=1)
    several = size > 1
    members = order[several[label[order]]]
    if not len(members):
        return group, lowest
    begin = np.concatenate([[0], np.cumsum(size[several])])
    number = np.cumsum(several) - 1  # of each label among those with several
    place = np.empty(n, np.int64)
    place[members] = np.arange(len(members)) - begin[number[label[members]]]
    inside = (label[pairs.first] == label[pairs.second]) & several[label[pairs.first]]
    rows = np.flatnonzero(inside)
    of = number[label[pairs.first[rows]]]
    rows, of = rows[np.argsort(of, kind="stable")], np.sort(of)
    first = np.searchsorted(of, np.arange(len(begin)))
    agglomerate(
        members,
        begin.astype(np.int64),
        place[pairs.first[rows]],
        place[pairs.second[rows]],
        pairs.odds[rows],
        first.astype(np.int64),
        least,
        group,
        lowest,
    )
    return group, lowest


def _held_together(n: int, pairs: _Links, least: float) -> Ints:
    """Label of each part; parts that likely pairs hold together share one, few enough to be looked at together."""
    label = np.zeros(n, np.int64)
    bound = least
    while True:
        inside = (label[pairs.first] == label[pairs.second]) & (pairs.odds > bound)
        crowded = np.bincount(label, minlength=1)[label] > LARGEST
        if bound > least:
            inside = (
                inside & crowded[pairs.first]
                | (label[pairs.first] == label[pairs.second]) & ~crowded[pairs.first]
            )
        graph = coo_array((np.ones(inside.sum()), (pairs.first[inside], pairs.second[inside])), shape=(n, n))
        label = connected_components(graph, directed=False)[1].astype(np.int64)
        if np.bincount(label, minlength=1).max(initial=0) <= LARGEST:
            return label
        bound += 1.0

"""`weigh`: the evidence for every pair of neighbours among parts of a map, from what is known of the parts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from skysift.match.evidence import (
    Sizes,
    abundance,
    aligned,
    between,
    bridged,
    companions,
    like_brightness,
    like_flux,
    linked,
    octaves,
    physical,
    sized,
)
from skysift.match.nearby import Nearby, nearby, slope_of_counts
from skysift.match.options import JoinOptions
from skysift.match.parts import TERMS, Bridge, Bridges, Pairs, Parts, probability_of

__all__ = ["weigh"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FWHM = float(np.sqrt(8.0 * np.log(2.0)))
MOST = 3.0  # chance neighbours expected: with more a pair is not looked at
FAR = 300.0  # beams
NEAREST = 0.5  # beams; parts that are nearer count as so far apart
HOPELESS = -5.0  # log odds without the bridge, below which the map is not asked for one
FAINTEST = 0.02  # quantile of the fluxes that stands for the limit of the map
LIMIT, OVER = 3.0, 1.035  # sigma where islands end, and how far above it a part is at least
AMONG = 8  # parts near the middle of a pair that may be its core
CORE_SEEN = 1.0  # log Bayes factor above which what stands between two parts counts as their core
WINDOW, HELD = 20, 5.0  # parts fainter and brighter that are like a part, and by how many all are held
AGAIN = 2  # rounds in which sizes are compared with those of parts that stand alone
RESOLVED, RESOLVED_AT = 5.0, (0.2, 1.5)  # resolved from the root of 5 / (S/N) beams on, within bounds


def weigh(parts: Parts, bridge: Bridge | None, options: JoinOptions) -> Pairs:
    """
    All that tells for or against each pair of neighbours being one object; none of them is joined yet.

    Parameters
    ----------
    parts, bridge, options
        As for `skysift.match.joining.join_parts`.
    """
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
    sizes = _sizes(parts, extended, major, np.ones(len(parts)))
    most = _rarer(parts, major * extended, i, j, separation, expected)
    at_scale = (parts.frequency / 1.4e9) ** 0.7 if np.isfinite(parts.frequency) else 1.0
    none = np.zeros(len(i))
    terms = {
        "prior": physical((flux[i] + flux[j]) * at_scale, separation, expected, parts.beam),
        "flux": like_flux(flux[j] / flux[i], slope[j]),
        "size": sized(sizes, sizes, (i, j), (none, none), separation, most),
        "alignment": straight,
        "brightness": _brightness(flux, major, minor, extended, i, j),
    }
    core, terms["core"], bend = _cores(parts, flux, near, slope)
    bridges = _look(parts, bridge, i, j, _total(terms))
    alone = 1.0 - probability_of(_total(terms))
    terms["bridge"] = bridged(bridges.mean, bridges.error, parts.peak[j], alone)
    seen = (major * extended, minor * extended)
    wide = [_reach(parts, k, seen[0][k], seen[1][k], angle[k] - line) for k in (i, j)]
    terms["contact"] = linked(bridges.gap, separation, wide[0] + wide[1], parts.beam)
    prior = terms["prior"]
    terms["prior"] = prior + _abundance(parts, flux, at_scale, near, separation, terms)
    for _ in range(AGAIN):  # what parts that stand alone are like is told by who does not
        member, taken = _taken(len(parts), i, j, probability_of(_total(terms)))
        alike = [_sizes(parts, extended, major, weight) for weight in (1.0 - member, member)]
        terms["size"] = sized(alike[0], alike[1], (i, j), taken, separation, most)
        terms["prior"] = prior + _abundance(
            parts, flux, at_scale, near, separation, {**terms, "prior": prior}
        )
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


def _abundance(
    parts: Parts, flux: Floats, at_scale: float, near: Nearby, separation: Floats, terms: Mapping[str, Floats]
) -> Floats:
    """By how much the log odds of each pair change for the companions that this map has."""
    odds = _total(terms)
    if not len(odds):
        return odds
    faintest = float(np.quantile(flux, FAINTEST))
    places, expected = companions(flux, at_scale, faintest, parts.beam, near.density, MOST)
    apart = np.log(np.maximum(separation / parts.beam, 1.0))
    order = np.lexsort((-odds, near.second))  # the likeliest pair of each fainter part
    best = order[np.unique(near.second[order], return_index=True)[1]]
    factor = abundance(odds[best], apart[best], places, expected)
    return np.asarray(factor @ octaves(apart))


def _taken(n: int, i: Ints, j: Ints, probability: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    """How likely each part ``(n,)`` is one with another, and each end of a pair with another than that of the pair."""
    pair = np.tile(np.arange(len(i)), 2)
    part, value = np.concatenate([i, j]), np.tile(probability, 2)
    order = np.lexsort((pair, -value, part))
    rank = np.arange(len(order)) - np.searchsorted(part[order], part[order])
    best, second, owner = np.zeros(n), np.zeros(n), np.full(n, -1)
    first, next_ = order[rank == 0], order[rank == 1]
    best[part[first]], owner[part[first]] = value[first], pair[first]
    second[part[next_]] = value[next_]
    mine = np.arange(len(i))
    taken = [np.where(owner[rows] == mine, second[rows], best[rows]) for rows in (i, j)]
    return best, (taken[0], taken[1])


def _total(terms: Mapping[str, Floats]) -> Floats:
    """The log odds, summed in the order of the names."""
    return np.asarray(np.sum([terms[name] for name in TERMS if name in terms], axis=0))


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


def _sizes(parts: Parts, extended: Bools, major: Floats, weight: Floats) -> Sizes:
    """How often parts as bright as each are extended, and how large those are; held by all where few are alike."""
    n = len(parts)
    snr = np.abs(parts.peak) / parts.rms
    order = np.argsort(snr, kind="stable")
    half = max(WINDOW, n // 20)
    start, stop = np.maximum(np.arange(n) - half, 0), np.minimum(np.arange(n) + half + 1, n)
    ln = np.log(np.where(extended, major, 1.0))
    large = extended * weight
    middle = float(np.median(ln[extended])) if extended.any() else np.log(parts.beam)
    middle = float(((ln * large).sum() + HELD * middle) / (large.sum() + HELD))
    share = (extended.sum() + 2.0) / (n + 10.0)
    share = (large.sum() + HELD * share) / (weight.sum() + HELD)
    totals = np.zeros((3, n + 1))
    totals[:, 1:] = np.cumsum([large[order], (ln * large)[order], weight[order]], axis=1)
    number, sum_, all_ = totals[:, stop] - totals[:, start]
    shares, middles = np.empty(n), np.empty(n)
    shares[order] = (number + HELD * share) / (all_ + HELD)
    middles[order] = (sum_ + HELD * middle) / (number + HELD)
    rest = (weight * np.square(ln - middles))[extended].sum()
    spread = max(0.6, float(np.sqrt((rest + 5.0) / (large.sum() + 5.0))))
    limit = parts.beam * np.clip(np.sqrt(RESOLVED / snr), *RESOLVED_AT)
    return Sizes(major, extended, limit, shares, middles, spread)


def _rarer(parts: Parts, size: Floats, i: Ints, j: Ints, separation: Floats, expected: Floats) -> Floats:
    """By how much fewer neighbours as large as the fainter part chance puts so near: at most so much its size tells."""
    larger = len(size) - np.searchsorted(np.sort(size), size) - 1
    others = np.maximum(larger[j] - (size[i] >= size[j]), 0.5)
    return np.maximum(np.log(expected * parts.area / (others * np.pi * separation**2)), 0.0)


def _brightness(flux: Floats, major: Floats, minor: Floats, extended: Bools, i: Ints, j: Ints) -> Floats:
    """Log Bayes factor of the surface brightnesses of two extended parts."""
    solid = np.maximum(minor, 0.2 * major) * major
    value = np.log(flux / np.where(extended, solid, 1.0))
    spread = max(1.2, float(np.sqrt(2.0) * np.std(value[extended]))) if extended.sum() > 4 else 1.5
    both = extended[i] & extended[j]
    return np.where(both, like_brightness(np.exp(value[i] - value[j]), spread), 0.0)


def _cores(parts: Parts, flux: Floats, near: Nearby, slope: Floats) -> tuple[Ints, Floats, Floats]:
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
    value = between(
        along, across, near.density[k] * np.maximum(square, parts.beam**2)[:, None], share, slope[k]
    )
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


def _reach(parts: Parts, rows: Ints, major: Floats, minor: Floats, turn: Floats) -> Floats:
    """How far Gaussians with the beam are above the limit of islands, in a direction (arcsec)."""
    width = np.sqrt(parts.beam**2 + (major * np.cos(turn)) ** 2 + (minor * np.sin(turn)) ** 2)
    over = np.maximum(np.abs(parts.peak[rows]) / (LIMIT * parts.rms[rows]), OVER)
    return np.asarray(0.5 * width * np.sqrt(np.log2(over)))


def _look(parts: Parts, bridge: Bridge | None, i: Ints, j: Ints, odds: Floats) -> Bridges:
    """What the map shows between the pairs that a bridge could make one."""
    nothing = np.full((3, len(i)), np.nan)
    wanted = np.flatnonzero(odds > HOPELESS) if bridge is not None else np.empty(0, np.int64)
    if bridge is not None and len(wanted):
        seen = bridge(i[wanted], j[wanted])
        nothing[:, wanted] = seen.mean, seen.error, seen.gap
    return Bridges(*nothing)

"""Which parts of a map may belong together, and how many neighbours chance alone would put so near.

Nothing here looks at all pairs: the parts stand in KD-trees by level of brightness, and each is asked for the nearest
that are at least as bright as itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

__all__ = ["Nearby", "nearby", "slope_of_counts"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WIDER = 1.4  # numbers of parts of a level of brightness, over those of the next brighter one
NEAREST = 24  # parts that are looked at, of those of a level or brighter
COUNTED = 10  # of the brighter ones, whose distance tells the density
HELD = 4.0  # neighbours' worth of the density of the whole map that the local one is held by
WITHIN, SLOPE_HELD = (
    0.3,
    10.0,
)  # of the logarithm of the flux, for slopes of counts; parts' worth of the slope of all
STRIPS = 24  # of a disc, whose area within the map is summed


@dataclass(frozen=True, eq=False)
class Nearby:
    """Pairs that may be one object.

    Attributes
    ----------
    first, second
        Rows of the brighter and of the fainter part ``(pair,)``, sorted by the latter, then by distance.
    separation
        Distance of the two.
    expected
        Neighbours at least as bright as the fainter one that chance puts within the separation.
    density
        Of each part ``(n,)``: independent parts at least as bright on a unit of area, where it stands.
    """

    first: Ints
    second: Ints
    separation: Floats
    expected: Floats
    density: Floats


def nearby(x: Floats, y: Floats, flux: Floats, area: float, most: float, reach: float) -> Nearby:
    """
    The pairs of parts with no more than `most` chance neighbours expected within their separation.

    The density of parts at least as bright as a part is that of the tenth nearest of these, held by that of the whole map
    where there are few. One of them is left out of the count: the one that may belong to the part.

    Parameters
    ----------
    x, y
        Positions ``(n,)`` in a plane.
    flux
        Positive, ``(n,)``; of two alike the first counts as the brighter.
    area
        Of the map, in the units of the positions.
    most
        Expected chance neighbours beyond which a pair is not looked at.
    reach
        Largest separation.
    """
    n = len(x)
    rank = np.empty(n, np.int64)  # the brightest first, of two alike the first
    rank[np.argsort(-flux, kind="stable")] = np.arange(n)
    level = np.ceil(np.log(np.maximum(rank + 1, NEAREST) / NEAREST) / np.log(WIDER)).astype(np.int64)
    place = np.stack([x, y], axis=1)
    number = np.full((n, NEAREST), n, np.int64)
    distance = np.full((n, NEAREST), np.inf)
    for one in np.unique(level):
        those = np.flatnonzero(level <= one)
        asking = np.flatnonzero(level == one)
        near = min(NEAREST + 1, len(those))
        found = cKDTree(place[those]).query(place[asking], k=np.arange(1, near + 1))
        d, k = np.asarray(found[0]), those[np.asarray(found[1])]
        own = k == asking[:, None]
        own[~own.any(axis=1), -1] = True  # so many in one place that it is not among its nearest
        kept = (len(asking), near - 1)
        distance[asking, : near - 1], number[asking, : near - 1] = (
            d[~own].reshape(kept),
            k[~own].reshape(kept),
        )
    brighter = np.append(rank, n)[number] < rank[:, None]
    density = _density(place, rank, area, distance, brighter)
    expected = density[:, None] * np.pi * distance**2
    second, column = np.nonzero(brighter & (expected <= most) & (distance <= reach))
    return Nearby(
        number[second, column],
        second,
        distance[second, column],
        expected[second, column],
        density,
    )


def _density(
    place: Floats, rank: Ints, area: float, distance: Floats, brighter: npt.NDArray[np.bool_]
) -> Floats:
    """Independent parts at least as bright as each on a unit of area ``(n,)``."""
    n = len(rank)
    whole = np.maximum(rank - 1.0, 0.5) / area
    running = np.cumsum(brighter, axis=1)
    counted = np.minimum(running[:, -1], COUNTED)
    at = np.argmax(running >= np.maximum(counted, 1)[:, None], axis=1)
    radius = np.where(counted > 1, distance[np.arange(n), at], 0.0)
    low, high = place.min(axis=0), place.max(axis=0)
    searched = _disc_in_box(place, radius, low, high)
    return np.asarray((np.maximum(counted - 1, 0) + HELD) / (searched + HELD / whole))


def _disc_in_box(place: Floats, radius: Floats, low: Floats, high: Floats) -> Floats:
    """Area of discs ``(n,)`` within a box from the corner `low` to `high`."""
    t = (np.arange(STRIPS) + 0.5) / STRIPS * 2.0 - 1.0
    x = place[:, :1] + radius[:, None] * t
    half = radius[:, None] * np.sqrt(1.0 - t**2)
    tall = np.minimum(place[:, 1:] + half, high[1]) - np.maximum(place[:, 1:] - half, low[1])
    inside = (x >= low[0]) & (x <= high[0])
    within = np.where(inside, np.maximum(tall, 0.0), 0.0).sum(axis=1) * 2.0 * radius / STRIPS
    # the box is that of the parts: what stands on its border has a quarter of its disc inside at least
    return np.asarray(np.maximum(within, 0.25 * np.pi * radius**2))


def slope_of_counts(flux: Floats) -> Floats:
    """
    The slope b of the counts N(>S) ~ S^-b at the flux of each part, from 0.2 to 3.

    From the parts within 0.3 of the logarithm of its flux, held by the slope of all above the median.
    """
    n = len(flux)
    if not n:
        return np.empty(0)
    ln = np.log(flux)
    ranked = np.sort(ln)
    above = ranked[n // 2 :] - ranked[n // 2]
    usual = float(np.clip((len(above) + SLOPE_HELD) / (above.sum() + SLOPE_HELD), 0.5, 2.0))
    within = np.searchsorted(ranked, ln + WITHIN, side="right") - np.searchsorted(ranked, ln - WITHIN)
    brighter = n - np.searchsorted(ranked, ln)
    return np.clip((within + SLOPE_HELD * usual) / (2.0 * WITHIN * brighter + SLOPE_HELD), 0.2, 3.0)

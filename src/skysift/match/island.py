"""`IslandMatcher`: rows are one where the islands that hold them share sky, by the maps of labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.match.entries import Entries, Islands
from skysift.match.matcher import Candidates, Matcher
from skysift.match.options import IslandOptions
from skysift.match.sky import Pairs, offset_by, offsets, one_to_one_of, separation

__all__ = ["IslandMatcher", "shared_areas"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class IslandMatcher(Matcher[IslandOptions]):
    """Pairs whose islands share sky; those that share most first, no row twice."""

    name = "island"
    lists_all = True
    takes_islands = True
    weight = "overlap"

    def radius(self, left: Entries, right: Entries) -> float:
        """The scale of the search for chance matches (arcsec): half the median width of the larger islands."""
        if self.options.radius is not None:
            return self.options.radius
        wide = [
            float(np.sqrt(np.median(each.islands.mask.area) * each.islands.frame.pixel_area))
            for each in (left, right)
            if each.islands is not None and each.islands.mask.n_labels
        ]
        return 0.5 * max(wide, default=0.0)

    def candidates(self, left: Entries, right: Entries, radius: float) -> Candidates:
        """All pairs whose islands share sky; chosen are those that share enough of the smaller one.

        Rows that are no part of an island match nothing; nor do rows of other catalogues than the first, where
        `left` holds several.
        """
        for each in (left, right):
            if each.islands is None and len(each):
                raise UsageError(
                    f"{each.name} has no map of labels, so that its islands are not known",
                    todo="give output folders with labels.fits and --table islands or components",
                )
        if left.islands is None or right.islands is None:
            return Candidates.all(Pairs.none())
        one, other, common = shared_areas(left, right)
        areas = [
            each.mask.area.astype(np.float64) * each.frame.pixel_area
            for each in (left.islands, right.islands)
        ]
        first, second = (
            area[np.searchsorted(each.mask.labels, label)]
            for area, each, label in zip(areas, (left.islands, right.islands), (one, other), strict=True)
        )
        pairs, place = _rows(left, right, one, other)
        share = np.minimum(common / np.minimum(first, second), 1.0)[place]
        whole = (common / (first + second - common))[place]
        enough = np.flatnonzero(share >= self.options.overlap)
        # components of one pair of islands share as much: the nearest of them are one
        order = np.lexsort((pairs.separation[enough], -whole[enough]))
        rank = np.empty(enough.size)
        rank[order] = np.arange(enough.size)
        kept = one_to_one_of(pairs.select(enough), rank)
        key, wanted = (each.left * (len(right) + 1) + each.right for each in (pairs, kept))
        return Candidates(pairs, np.isin(key, wanted), np.full(len(pairs), np.nan), share)


def shared_areas(left: Entries, right: Entries) -> tuple[Ints, Ints, Floats]:
    """Labels (left, right) of islands that share sky, and how much (arcsec^2).

    The pixels of the map with the finer ones are looked up in the other. Islands of rows that were moved move
    with them.

    Raises
    ------
    UsageError
        A catalogue has no islands.
    """
    if left.islands is None or right.islands is None:
        raise UsageError("islands are not known")
    swapped = right.islands.frame.pixel_area < left.islands.frame.pixel_area
    fine, coarse = (right, left) if swapped else (left, right)
    mine, theirs = fine.islands, coarse.islands
    assert mine is not None
    assert theirs is not None
    x, y, label = _pixels(mine)
    ra, dec = mine.frame.to_sky(x, y)
    east, north = _steps(fine, label)
    back = _step_of_all(coarse)
    if np.any(east) or np.any(north) or any(back):
        ra, dec = offset_by(ra, dec, east - back[0], north - back[1])
    found = _lookup(theirs, *theirs.frame.to_pixel(ra, dec))
    some = (found > 0) & (label > 0)
    pairs, count = np.unique(np.stack([label[some], found[some]], axis=1), axis=0, return_counts=True)
    area = count.astype(np.float64) * mine.frame.pixel_area
    return (pairs[:, 1], pairs[:, 0], area) if swapped else (pairs[:, 0], pairs[:, 1], area)


def _pixels(islands: Islands) -> tuple[Floats, Floats, Ints]:
    """Every pixel of every island: x, y and label."""
    mask = islands.mask
    length = mask.stop - mask.start
    first = np.cumsum(length) - length
    x = np.arange(int(length.sum())) - np.repeat(first - mask.start, length)
    return x.astype(np.float64), np.repeat(mask.row, length).astype(np.float64), np.repeat(mask.label, length)


def _lookup(islands: Islands, x: Floats, y: Floats) -> Ints:
    """The label at pixel positions; 0 outside of islands and of the map."""
    mask = islands.mask
    ny, nx = mask.shape
    known = np.isfinite(x) & np.isfinite(y)
    column, row = (np.floor(np.where(known, each, -9.0) + 0.5).astype(np.int64) for each in (x, y))
    inside = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
    if not len(mask.row):
        return np.zeros(x.shape, np.int64)
    key = row * nx + column
    run = np.searchsorted(mask.row * nx + mask.start, key, side="right") - 1
    held = inside & (run >= 0)
    held &= key < (mask.row * nx + mask.stop)[run]
    return np.where(held, mask.label[run], 0)


def _steps(entries: Entries, label: Ints) -> tuple[Floats, Floats]:
    """How far (east, north; arcsec) the island with each label was moved, by the first of its rows."""
    if entries.origin is None or entries.labels is None or not len(entries):
        return np.zeros(label.shape), np.zeros(label.shape)
    east, north = offsets(*entries.origin, entries.ra, entries.dec)
    known, first = np.unique(entries.labels, return_index=True)
    place = np.minimum(np.searchsorted(known, label), known.size - 1)
    hit = known[place] == label
    return np.where(hit, east[first][place], 0.0), np.where(hit, north[first][place], 0.0)


def _step_of_all(entries: Entries) -> tuple[float, float]:
    """The median step by which rows were moved (east, north; arcsec)."""
    if entries.origin is None or not entries.placed.any():
        return 0.0, 0.0
    east, north = offsets(*entries.origin, entries.ra, entries.dec)
    return float(np.nanmedian(east)), float(np.nanmedian(north))


def _rows(left: Entries, right: Entries, one: Ints, other: Ints) -> tuple[Pairs, Ints]:
    """All pairs of rows of these pairs of labels, in the order (left, right), and which pair each belongs to."""
    sides = []
    for entries, label in ((left, one), (right, other)):
        labels = np.zeros(len(entries), np.int64) if entries.labels is None else entries.labels
        order = np.argsort(labels, kind="stable")
        begin, end = (np.searchsorted(labels[order], label, side=side) for side in ("left", "right"))
        sides.append((order, begin, end - begin))
    (mine, begin, n), (theirs, start, m) = sides
    count = n * m
    place = np.repeat(np.arange(count.size), count)
    step = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    a = mine[begin[place] + step // np.maximum(m[place], 1)]
    b = theirs[start[place] + step % np.maximum(m[place], 1)]
    order = np.lexsort((b, a))
    a, b = a[order], b[order]
    far = separation(left.ra[a], left.dec[a], right.ra[b], right.dec[b])
    return Pairs(a, b, far), place[order]

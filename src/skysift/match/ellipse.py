"""`EllipseMatcher`: sources are one where their ellipses overlap, whatever the distance of their centres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.match.entries import Entries
from skysift.match.matcher import Candidates, Matcher
from skysift.match.options import EllipseOptions
from skysift.match.sky import Pairs, offsets, one_to_one_of, within

__all__ = ["EllipseMatcher", "overlaps"]

_LARGE = 4.0  # median sizes; rows larger than this are looked up the other way round


class EllipseMatcher(Matcher[EllipseOptions]):
    """Pairs whose ellipses overlap; those that overlap most first, no row twice."""

    name = "ellipse"
    lists_all = True
    weight = "overlap"

    def radius(self, left: Entries, right: Entries) -> float:
        """The scale of the search for chance matches (arcsec): half the median FWHM of the larger sources.

        Raises
        ------
        UsageError
            A catalogue tells no sizes, and none was given.
        """
        for each in (left, right):
            if len(each) and self.options.size is None and not np.isfinite(each.size).any():
                raise UsageError(
                    f"{each.name} tells no sizes, so that its ellipses are not known",
                    todo="give --set size=ARCSEC, or match by position",
                )
        return super().radius(self._sized(left), self._sized(right))

    def candidates(self, left: Entries, right: Entries, radius: float) -> Candidates:
        """All pairs whose ellipses share area; chosen are those that share enough of it.

        `Candidates.weight` is the share of the smaller one's area that lies in the other. Of several the one
        with the largest common area over that of both together is chosen, and no row twice.
        """
        left, right = self._sized(left), self._sized(right)
        pairs = self._near(left, right)
        if self.options.radius is not None:
            pairs = pairs.select(pairs.separation <= self.options.radius)
        common, smaller, union = overlaps(left.take(pairs.left), right.take(pairs.right), self.options.scale)
        some = common > 0
        pairs, share = pairs.select(some), np.minimum(common[some] / smaller[some], 1.0)
        enough = np.flatnonzero(share >= self.options.overlap)
        kept = one_to_one_of(pairs.select(enough), -common[some][enough] / union[some][enough])
        key, wanted = (each.left * (len(right) + 1) + each.right for each in (pairs, kept))
        return Candidates(pairs, np.isin(key, wanted), np.full(len(pairs), np.nan), share)

    def _sized(self, entries: Entries) -> Entries:
        """The rows with the size that was given where they have none."""
        size = self.options.size
        unsized = ~np.isfinite(entries.size)
        if size is None or not unsized.any():
            return entries
        major, minor = np.where(unsized, size, entries.major), np.where(unsized, size, entries.minor)
        return replace(entries, major=major, minor=minor)

    def _near(self, left: Entries, right: Entries) -> Pairs:
        """Pairs whose major axes reach each other; few large rows do not widen the search of all."""
        scale = self.options.scale / 2.0
        known = np.isfinite(right.size)
        large = known & (right.major > _LARGE * np.median(right.major[known])) if known.any() else known
        half = np.where(np.isfinite(left.size), left.major, np.nan) * scale
        parts = []
        for rows, swapped in ((np.flatnonzero(known & ~large), False), (np.flatnonzero(large), True)):
            there = right.take(rows)
            theirs = there.major * scale
            if not rows.size or not np.isfinite(half).any():
                continue
            if swapped:
                found = within(there.ra, there.dec, left.ra, left.dec, theirs + np.nanmax(half))
                found = Pairs(found.right, found.left, found.separation)
            else:
                found = within(left.ra, left.dec, there.ra, there.dec, half + theirs.max())
            touch = found.separation <= half[found.left] + theirs[found.right]
            found = found.select(touch)
            parts.append(Pairs(found.left, rows[found.right], found.separation))
        if not parts:
            return Pairs.none()
        joined = Pairs(
            *(
                np.concatenate([getattr(each, name) for each in parts])
                for name in ("left", "right", "separation")
            )
        )
        return joined.select(np.lexsort((joined.right, joined.left)))


def overlaps(
    left: Entries, right: Entries, scale: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Common area, area of the smaller ellipse, and area of both together (arcsec^2), pair by pair.

    Parameters
    ----------
    left, right
        The rows of each pair; each needs a size.
    scale
        Size of the ellipses, in FWHM.
    """
    from skysift.match.overlaps import overlap_areas  # late: the compiled code

    east, north = offsets(left.ra, left.dec, right.ra, right.dec)
    axes = [
        np.stack(
            [each.major * scale / 2.0, each.minor * scale / 2.0, np.radians(np.nan_to_num(each.pa))], axis=1
        )
        for each in (left, right)
    ]
    common = np.empty(len(left))
    overlap_areas(axes[0], axes[1], east, north, common)
    first, second = (np.pi * each[:, 0] * each[:, 1] for each in axes)
    return common, np.minimum(first, second), first + second - common

"""What came of a matching, as lines that a person reads: counts, chance, offsets, flux ratios."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from skysift.flow.style import digits
from skysift.match.duplicates import Duplicates
from skysift.match.offsets import median_of
from skysift.match.result import Join, Match, Tally

__all__ = ["duplicates_lines", "index_of", "join_lines", "match_lines", "pair"]


def match_lines(match: Match) -> list[str]:
    """All lines about a matching; every row of every catalogue is accounted for."""
    lines = [
        f"{match.kind}: {len(match):,} rows, {int(match.matched.sum()):,} of them in two catalogues or more",
        *(_tally_line(each) for each in match.tallies),
    ]
    for join in match.joins:
        if join.rows and match.tallies[join.number - 1].rows:
            lines += join_lines(join, by_overlap=match.kind in ("ellipse", "island"))
        else:
            lines.append(f"{join.name}: nothing to match, for want of rows")
    index = index_of(match)
    if index.size:
        middle, error, width = median_of(index)
        lines.append(
            f"  spectral index {pair(middle, error)}, scatter {digits(width)} ({index.size:,} pairs)"
        )
    return lines


def index_of(match: Match) -> NDArray[np.float64]:
    """The spectral indices of the pairs of two catalogues; none of more catalogues, or where they are not known."""
    if "spectral_index" not in match.table or len(match.tallies) > 2:
        return np.zeros(0)
    index = match["spectral_index"]
    return np.asarray(index[np.isfinite(index)])


def join_lines(join: Join, *, by_overlap: bool = False) -> list[str]:
    """What is told of one catalogue matched to the rows before it, within a radius or by overlap."""
    chance, sky, scale = join.chance, join.astrometry, join.flux_scale
    how = "by overlap" if by_overlap else f"within {digits(join.radius)} arcsec"
    lines = [f"{join.name}: {join.matched:,} of {join.rows:,} rows matched {how}"]
    if chance.trials:
        lines.append(
            f"  {pair(chance.false, chance.false_err)} of them by chance ({chance.rate:.2%}), "
            f"by {chance.trials} shifted copies"
            if join.matched
            else f"  shifted rows match in {chance.fraction:.2%} of cases, by {chance.trials} shifted copies"
        )
    if "q" in join.facts:
        lines.append(f"  Q = {join.facts['q']:.3f} of the rows have a counterpart, by the empty fields")
    if sky.n:
        lines.append(
            f"  offset east {pair(sky.east, sky.east_err)}, north {pair(sky.north, sky.north_err)} arcsec; "
            f"scatter {digits(sky.east_scatter)}, {digits(sky.north_scatter)} arcsec ({sky.n:,} pairs)"
        )
    if sky.plane:
        for name, fit, error in zip(("east", "north"), sky.plane, sky.plane_err, strict=True):
            slopes = ", ".join(pair(fit[i], error[i]) for i in (1, 2))
            lines.append(
                f"  offset {name} at the centre {pair(fit[0], error[0])} arcsec; per degree east, north: {slopes}"
            )
    if scale.n:
        lines.append(
            f"  flux ratio {pair(scale.ratio, scale.ratio_err)}, scatter {scale.scatter:.1%} ({scale.n:,} pairs)"
        )
    if scale.n_scale and scale.scale != scale.ratio:
        lines.append(f"  flux scale {pair(scale.scale, scale.scale_err)} by the expected spectral index")
    if join.corrected:
        lines.append(f"  {' and '.join(join.corrected)} were corrected by this before matching")
    return lines


def duplicates_lines(found: Duplicates) -> list[str]:
    """All lines about the duplicates of a catalogue."""
    within = f"duplicates within {digits(found.radius)} arcsec, in {found.groups:,} groups"
    lines = [f"{found.name}: {len(found):,} of {found.rows:,} rows are {within}"]
    if found.repeated:
        lines.append(f"  {found.repeated:,} rows share their number with others")
    return lines


def pair(value: float, error: float) -> str:
    """A value with its error, to two digits of the error."""
    if not math.isfinite(error) or error <= 0:
        return digits(value)
    places = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:,.{places}f} \u00b1 {error:,.{places}f}"


def _tally_line(tally: Tally) -> str:
    parts = [f"{tally.matched:,} matched", f"{tally.alone:,} alone"]
    if tally.alone:
        parts.append(f"{tally.common:,} of these in the common sky")
    if tally.unplaced:
        parts.append(f"{tally.unplaced:,} of these without position")
    if tally.shared:
        parts.append(f"{tally.shared:,} in several rows")
    if tally.repeated:
        parts.append(f"{tally.repeated:,} under a number of others")
    return f"  {tally.name}: {tally.rows:,} rows: {', '.join(parts)}"

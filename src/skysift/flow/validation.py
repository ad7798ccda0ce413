"""`match_page`: one self-contained HTML page about matched catalogues; and how a field is cut from a survey."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

import skysift
from skysift.flow.figures import Picture
from skysift.flow.match_charts import (
    Pairs,
    chart_of_distance,
    chart_of_fluxes,
    chart_of_map,
    chart_of_offsets,
    chart_of_ratios,
    chart_of_separations,
    pairs_of,
)
from skysift.flow.match_text import index_of, match_lines, pair
from skysift.flow.page import render
from skysift.flow.style import digits
from skysift.match.entries import Entries
from skysift.match.offsets import median_of
from skysift.match.result import Match
from skysift.match.sky import separation, unit_vectors

__all__ = ["in_field", "match_page", "reach_of"]

_LISTED = 20  # of the pairs that are farthest off

Fact = tuple[str, str]


@dataclass(frozen=True)
class _Section:
    """All that the page says of one catalogue against the reference."""

    title: str
    lead: str
    numbers: tuple[Fact, ...]
    charts: tuple[Picture, ...]
    table: tuple[Fact, ...]
    odd_heads: tuple[str, ...]
    odd: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _Page:
    """All that the template shows."""

    title: str
    lead: str
    notes: tuple[str, ...]
    sections: tuple[_Section, ...]
    lines: tuple[str, ...]
    facts: tuple[tuple[str, tuple[Fact, ...]], ...]
    footer: str


def match_page(match: Match, title: str = "", lead: str = "") -> str:
    """The page of a matching, as HTML that needs no other file."""
    reference = match.tallies[0].name
    others = ", ".join(each.name for each in match.joins)
    page = _Page(
        title or f"{others} against {reference}",
        lead or f"Matched {match.kind}; offsets and ratios are {others} minus, or over, {reference}.",
        match.notes,
        tuple(_section(match, join.number) for join in match.joins),
        tuple(match_lines(match)),
        (("Options", tuple((name, _text(value)) for name, value in match.options.items())),),
        f"Made by skysift {skysift.__version__}.",
    )
    return render(page, "validation.html.jinja")


def in_field(reference: Entries, catalogue: Entries, margin: float) -> Entries:
    """The rows of a survey within the circle that holds a catalogue, and `margin` (arcsec) about it."""
    if not catalogue.placed.any():
        return reference.take(np.zeros(len(reference), np.bool_))
    (ra, dec), reach = reach_of(catalogue)
    with np.errstate(invalid="ignore"):
        return reference.take(separation(ra, dec, reference.ra, reference.dec) <= reach + margin)


def reach_of(catalogue: Entries) -> tuple[tuple[float, float], float]:
    """The middle (ra, dec; deg) of rows of which one at least has a position, and how far (arcsec) they reach from it."""
    placed = catalogue.take(catalogue.placed)
    middle = unit_vectors(placed.ra, placed.dec).mean(axis=0)
    ra, dec = (
        math.degrees(math.atan2(middle[1], middle[0])),
        math.degrees(math.atan2(middle[2], math.hypot(*middle[:2]))),
    )
    return (ra, dec), float(np.max(separation(ra, dec, placed.ra, placed.dec)))


def _section(match: Match, number: int) -> _Section:
    pairs = pairs_of(match, number)
    join = pairs.join
    sky, scale, chance = join.astrometry, join.flux_scale, join.chance
    numbers = [
        (f"{pairs.east.size:,}", f"pairs of {match.tallies[0].rows:,} rows of the reference"),
        (pair(sky.east, sky.east_err), "offset east, arcsec"),
        (pair(sky.north, sky.north_err), "offset north, arcsec"),
        (f"{digits(sky.east_scatter)}, {digits(sky.north_scatter)}", "scatter east, north, arcsec"),
        (pair(scale.ratio, scale.ratio_err), "median flux ratio"),
        (f"{scale.scatter:.1%}" if scale.n else "\u2013", "scatter of the flux ratio"),
        (f"{chance.rate:.2%}" if math.isfinite(chance.rate) else "\u2013", "matches by chance"),
    ]
    heads, odd = _odd(match, number, pairs)
    how = "by overlap" if match.kind in ("ellipse", "island") else f"within {digits(join.radius)} arcsec"
    bare = [each.name for each in (match.tallies[0], match.tallies[number - 1]) if not each.rows]
    if bare:
        told = f"Nothing to match, for want of rows in {' and in '.join(bare)}."
        return _Section(f"{join.name} against {pairs.reference}", told, (), (), (), (), ())
    return _Section(
        f"{join.name} against {pairs.reference}",
        f"Pairs {how}. Medians, errors and scatter are those of the bright pairs "
        f"(S/N of {match.options['min_snr']:g} in both, as far as it is known).",
        tuple(numbers),
        (
            chart_of_offsets(pairs),
            chart_of_map(pairs),
            chart_of_fluxes(pairs),
            chart_of_ratios(pairs),
            chart_of_distance(pairs),
            chart_of_separations(pairs),
        ),
        _numbers_table(match, number, pairs),
        heads,
        odd,
    )


def _numbers_table(match: Match, number: int, pairs: Pairs) -> tuple[Fact, ...]:
    """Every number that was measured, in rows."""
    join = pairs.join
    sky, scale, chance = join.astrometry, join.flux_scale, join.chance
    mine, theirs = match.tallies[0], match.tallies[number - 1]
    rows = [
        (f"rows of {mine.name}", f"{mine.rows:,}"),
        (f"rows of {theirs.name}", f"{theirs.rows:,}"),
        ("pairs", f"{pairs.east.size:,}"),
        *(
            (f"alone in {each.name}", f"{each.alone:,}, {each.common:,} of these in the common sky")
            for each in (mine, theirs)
        ),
        ("radius", f"{digits(join.radius)}\u2033"),
        (
            "expected chance matches",
            f"{pair(chance.false, chance.false_err)} ({chance.trials} shifted copies)",
        ),
        ("bright pairs of the offsets", f"{sky.n:,}"),
        ("median offset east", f"{pair(sky.east, sky.east_err)}\u2033"),
        ("median offset north", f"{pair(sky.north, sky.north_err)}\u2033"),
        ("robust scatter east", f"{digits(sky.east_scatter)}\u2033"),
        ("robust scatter north", f"{digits(sky.north_scatter)}\u2033"),
        ("bright pairs of the fluxes", f"{scale.n:,}"),
        ("median flux ratio", pair(scale.ratio, scale.ratio_err)),
        ("robust scatter of ln ratio", digits(scale.scatter)),
    ]
    if scale.n_scale and scale.scale != scale.ratio:
        rows.append(("flux scale by the expected index", pair(scale.scale, scale.scale_err)))
    rows += _index_rows(match)
    for name, fit, error in (
        zip(("east", "north"), sky.plane, sky.plane_err, strict=True) if sky.plane else ()
    ):
        rows.append((f"offset {name}, change per degree east", f"{pair(fit[1], error[1])}\u2033"))
        rows.append((f"offset {name}, change per degree north", f"{pair(fit[2], error[2])}\u2033"))
    return tuple(rows)


def _index_rows(match: Match) -> list[Fact]:
    """The spectral index that the pairs of two catalogues have."""
    index = index_of(match)
    if not index.size:
        return []
    middle, error, width = median_of(index)
    return [
        ("median spectral index", pair(middle, error)),
        ("robust scatter of the index", digits(width)),
    ]


def _odd(match: Match, number: int, pairs: Pairs) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The pairs that are farthest off in place or in flux, measured in scatters."""
    sky, scale = pairs.join.astrometry, pairs.join.flux_scale
    if not pairs.east.size or not sky.n:
        return (), ()
    with np.errstate(invalid="ignore", divide="ignore"):
        far = np.hypot(
            (pairs.east - sky.east) / sky.east_scatter, (pairs.north - sky.north) / sky.north_scatter
        )
        bright = np.abs(np.log(pairs.ratio / scale.ratio)) / scale.scatter
    measure = np.fmax(np.nan_to_num(far, posinf=0.0), np.nan_to_num(bright, posinf=0.0))
    order = np.argsort(-measure, kind="stable")[:_LISTED]
    rows = np.flatnonzero((match["row_1"] >= 0) & (match[f"row_{number}"] >= 0))[order]
    heads = (
        "id",
        "RA [deg]",
        "Dec [deg]",
        "east [\u2033]",
        "north [\u2033]",
        "flux ratio",
        "in scatters: place",
        "flux",
    )
    listed = tuple(
        (
            f"{match[f'id_{number}'][row]}",
            f"{match['ra_1'][row]:.5f}",
            f"{match['dec_1'][row]:+.5f}",
            f"{pairs.east[at]:.2f}",
            f"{pairs.north[at]:.2f}",
            digits(float(pairs.ratio[at])),
            f"{far[at]:.1f}",
            f"{bright[at]:.1f}",
        )
        for row, at in zip(rows.tolist(), order.tolist(), strict=True)
    )
    return heads, listed


def _text(value: object) -> str:
    return "\u2013" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

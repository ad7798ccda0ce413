"""Several catalogues become one table: each is matched in turn to the rows that there are so far.

A row stands where the first catalogue that has it puts it, so that chains of near neighbours do not drift, and
a source that the reference lacks can still be matched among the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skysift.base.errors import UsageError
from skysift.match.chance import chance_matches
from skysift.match.columns import CANDIDATES, EACH, FURTHER, MATCHES, numbered
from skysift.match.entries import Entries
from skysift.match.matcher import Candidates, Matcher
from skysift.match.offsets import Astrometry, FluxScale, astrometry, bright, flux_scale
from skysift.match.overlap import inside
from skysift.match.result import Join, Match, ResultTable, Tally
from skysift.match.sky import count_near, offsets, unit_vectors
from skysift.match.spectral import index_limits, local_rms, spectra
from skysift.sky.schema import Column
from skysift.sky.table import Values

__all__ = ["match_catalogues"]

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Step:
    """One catalogue matched to the rows so far: what is told, its entries as corrected, columns of its pairs."""

    join: Join
    right: Entries
    left: Ints  # rows so far that found a partner
    rows: Ints  # their partners
    found: Candidates  # of these pairs
    candidates: Candidates | None
    n_near: Ints  # of every row so far


def match_catalogues(catalogues: Sequence[Entries], matcher: Matcher[Any], *, correct: bool = False) -> Match:
    """Which rows of several catalogues are one source; every row of each comes out, matched or not.

    Parameters
    ----------
    catalogues
        Two or more; the first is the reference.
    matcher
        How pairs are found.
    correct
        Take measured offsets and, at one frequency or by the expected index, ratios of flux scales away from
        each further catalogue, and match again.

    Raises
    ------
    UsageError
        There are less than two catalogues, or nothing tells how near a pair must be.
    """
    if len(catalogues) < 2:
        raise UsageError(
            "matching takes two catalogues or more",
            got=len(catalogues),
            todo="duplicates in one: duplicates()",
        )
    so_far = replace(catalogues[0], names=None)
    rows = [
        np.arange(len(so_far), dtype=np.int64)
    ]  # row of each catalogue in each row of the result, -1 for none
    used, steps = [catalogues[0]], []
    for number, given in enumerate(catalogues[1:], start=2):
        step = _match_next(so_far, given, number, matcher, correct)
        partner = np.full(len(so_far), -1, np.int64)
        partner[step.left] = step.rows
        alone = np.setdiff1d(np.arange(len(given), dtype=np.int64), step.rows)
        rows = [np.concatenate([each, np.full(alone.size, -1, np.int64)]) for each in rows]
        rows.append(np.concatenate([partner, alone]))
        so_far = Entries.concat([so_far, step.right.take(alone)])
        used.append(step.right)
        steps.append(step)
    columns = _columns(so_far, used, rows, steps, matcher)
    declared = tuple(columns)
    table = ResultTable("matches", {each.name: columns[each] for each in declared}, declared)
    joins = tuple(step.join for step in steps)
    reach = max(join.radius for join in joins)
    tallies = tuple(_tally(number, used, rows, reach) for number in range(len(used)))
    return Match(
        table,
        tallies,
        joins,
        _all_candidates(steps, matcher),
        matcher.name,
        {**matcher.options.to_dict(), "correct": correct},
        tuple(_notes(used, steps, tallies)),
    )


def _match_next(left: Entries, right: Entries, number: int, matcher: Matcher[Any], correct: bool) -> _Step:
    """The next catalogue matched to the rows so far."""
    radius = matcher.radius(left, right)
    ready = matcher.prepared(left, right, radius)
    found = ready.candidates(left, right, radius)
    sky, scale = _compare(left, right, found, matcher)
    corrected: list[str] = []
    if correct and sky.n:
        right = sky.correct(right)
        corrected.append("positions")
        if scale.factor != 1.0:
            right = right.brightened(1.0 / scale.factor)
            corrected.append("fluxes")
        ready = matcher.prepared(left, right, radius)
        found = ready.candidates(left, right, radius)
    pairs = found.select(found.chosen)
    chance = chance_matches(ready, left, right, radius, pairs)
    join = Join(
        right.name,
        number,
        radius,
        int(left.placed.sum()),
        len(pairs),
        chance,
        sky,
        scale,
        tuple(corrected),
        dict(found.facts),
    )
    n_near = count_near(left.ra, left.dec, right.ra, right.dec, radius)
    every = found if matcher.lists_all else None
    return _Step(join, right, pairs.pairs.left, pairs.pairs.right, pairs, every, n_near)


def _compare(
    left: Entries, right: Entries, found: Candidates, matcher: Matcher[Any]
) -> tuple[Astrometry, FluxScale]:
    """Offsets and flux ratios of the pairs that are bright and alone with each other, as measured."""
    options = matcher.options
    pairs = found.pairs.select(found.chosen)
    once = np.bincount(pairs.right, minlength=len(right))[pairs.right] == 1
    one, other = left.take(pairs.left[once]), right.take(pairs.right[once])
    good = bright(one, other, options.min_snr)
    one, other = one.take(good), other.take(good)
    plane = options.offset_model == "plane"
    return astrometry(one, other, plane=plane), flux_scale(one, other, options.expected_index)


# -- the table


def _columns(
    so_far: Entries,
    used: Sequence[Entries],
    rows: Sequence[Ints],
    steps: Sequence[_Step],
    matcher: Matcher[Any],
) -> dict[Column, Values]:
    """Every column of the table of matches."""
    n = len(so_far)
    known = {
        "match_id": np.arange(1, n + 1),
        "n_catalogues": np.sum([mine >= 0 for mine in rows], axis=0),
        "ra": so_far.ra,
        "dec": so_far.dec,
        "remarks": _remarks(so_far, used, rows),
        **_spectral(so_far, used, rows, matcher),
    }
    columns = {each: known[each.name] for each in MATCHES if each.name in known}
    for number, (each, mine) in enumerate(zip(used, rows, strict=True), start=1):
        has = mine >= 0
        values: dict[str, Values] = {
            "id": np.where(has, each.ids[mine] if len(each) else 0, 0),
            "row": mine,
        }
        if each.names is not None:
            values["name"] = np.where(has, each.names[mine], "") if len(each) else np.full(n, "", "<U1")
        values |= {name: _pick(getattr(each, name), mine) for name in ("ra", "dec", "flux", "flux_err")}
        if number > 1:
            values |= _pair_columns(so_far, each, mine, steps[number - 2], matcher)
        columns |= {
            numbered(column, number): values[column.name]
            for column in (*EACH, *FURTHER)
            if column.name in values
        }
    return columns


def _pair_columns(
    so_far: Entries, right: Entries, mine: Ints, step: _Step, matcher: Matcher[Any]
) -> dict[str, Values]:
    """What is told of the pairs of one catalogue, in the rows of the table."""
    nothing = np.full(mine.size, np.nan)
    separation, probability, weight, ratio = (nothing.copy() for _ in range(4))
    east, north = nothing.copy(), nothing.copy()
    at = step.left
    pairs = step.found
    separation[at] = pairs.pairs.separation
    east[at], north[at] = offsets(so_far.ra[at], so_far.dec[at], right.ra[step.rows], right.dec[step.rows])
    density = step.join.chance.density
    by_place = np.exp(-math.pi * density * pairs.pairs.separation**2)  # Downes et al. 1986, MNRAS 218, 31
    probability[at] = np.where(np.isnan(pairs.probability), by_place, pairs.probability)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio[at] = np.where(so_far.flux[at] != 0, right.flux[step.rows] / so_far.flux[at], np.nan)
    n_near = np.zeros(mine.size, np.int64)
    n_near[: step.n_near.size] = step.n_near
    values: dict[str, Values] = {
        "separation": separation,
        "east": east,
        "north": north,
        "probability": probability,
        "flux_ratio": ratio,
        "n_near": n_near,
    }
    if matcher.weight:
        weight[at] = pairs.weight
        values[matcher.weight] = weight
    return values


def _spectral(
    so_far: Entries, used: Sequence[Entries], rows: Sequence[Ints], matcher: Matcher[Any]
) -> dict[str, Values]:
    """Spectral indices and their limits; nothing where the catalogues are at one frequency."""
    options = matcher.options
    flux, error, frequency = (
        np.stack([_pick(getattr(each, name), mine) for each, mine in zip(used, rows, strict=True)], axis=1)
        for name in ("flux", "flux_err", "frequency")
    )
    middle = [
        float(np.nanmedian(each.frequency)) if np.isfinite(each.frequency).any() else math.nan
        for each in used
    ]
    known = [each for each in middle if math.isfinite(each)]
    if not known or max(known) / min(known) < 1.01:
        return {}
    found = spectra(
        flux,
        error,
        frequency,
        reference=middle[0],
        curved=options.curvature,
        scale_error=options.flux_scale_error,
    )
    limits, at = np.full(flux.shape, np.nan), np.full(flux.shape, np.nan)
    for place, (each, mine) in enumerate(zip(used, rows, strict=True)):
        absent = np.flatnonzero(mine < 0)
        rms, where = local_rms(so_far.ra[absent], so_far.dec[absent], each)
        limits[absent, place], at[absent, place] = options.limit * rms, where
    least, most = index_limits(flux, frequency, limits, at)
    values: dict[str, Values] = {
        "spectral_index": found.index,
        "spectral_index_err": found.index_err,
        "spectral_index_min": least,
        "spectral_index_max": most,
    }
    if options.curvature:
        values |= {"curvature": found.curvature, "curvature_err": found.curvature_err}
    return values


def _remarks(so_far: Entries, used: Sequence[Entries], rows: Sequence[Ints]) -> NDArray[np.str_]:
    """What is odd about each row, in words."""
    repeated, shared = np.zeros(len(so_far), np.bool_), np.zeros(len(so_far), np.bool_)
    for each, mine in zip(used, rows, strict=True):
        has = mine >= 0
        twice = each.repeated
        repeated[has] |= twice[mine[has]]
        often = np.bincount(mine[has], minlength=len(each)) > 1
        shared[has] |= often[mine[has]]
    texts = np.full(len(so_far), "", dtype="<U40")
    for odd, words in ((~so_far.placed, "no position"), (repeated, "duplicate id"), (shared, "shared")):
        texts[odd] = [f"{text}, {words}" if text else words for text in texts[odd].tolist()]
    width = max(1, int(np.strings.str_len(texts).max(initial=1)))
    return texts.astype(f"<U{width}")


def _pick(values: Floats, mine: Ints) -> Floats:
    """The values of these rows; NaN where a row is -1."""
    if not values.size:
        return np.full(mine.size, np.nan)
    return np.where(mine >= 0, values[mine], np.nan)


# -- what is told


def _tally(number: int, used: Sequence[Entries], rows: Sequence[Ints], margin: float) -> Tally:
    """Where the rows of one catalogue are; `margin` (arcsec) widens the outlines of the others."""
    entries, mine = used[number], rows[number]
    count = np.sum([each >= 0 for each in rows], axis=0)
    matched = np.zeros(len(entries), np.bool_)
    matched[mine[(mine >= 0) & (count > 1)]] = True
    often = np.bincount(mine[mine >= 0], minlength=len(entries)) > 1
    n = len(entries)
    alone = entries.take(~matched)
    among = np.zeros(len(alone), np.bool_)
    for other in (each for place, each in enumerate(used) if place != number):
        among |= inside(other, alone.ra, alone.dec, margin)
    return Tally(
        entries.name,
        n,
        int(matched.sum()),
        n - int(matched.sum()),
        int(among.sum()),
        int((~entries.placed).sum()),
        int(entries.repeated.sum()),
        int(often.sum()),
    )


def _all_candidates(steps: Sequence[_Step], matcher: Matcher[Any]) -> ResultTable | None:
    """All pairs that were weighed, catalogue after catalogue."""
    if not matcher.lists_all:
        return None
    parts: list[dict[str, Values]] = []
    for step in steps:
        found = step.candidates
        if found is None:
            continue
        values: dict[str, Values] = {
            "match_id": found.pairs.left + 1,
            "catalogue": np.full(len(found), step.join.number),
            "id": step.right.ids[found.pairs.right],
            "row": found.pairs.right,
            "separation": found.pairs.separation,
            "probability": found.probability,
            matcher.weight: found.weight,
            "chosen": found.chosen,
        }
        parts.append(values)
    declared = tuple(each for each in CANDIDATES if each.name in parts[0])
    return ResultTable(
        "candidates",
        {each.name: np.concatenate([part[each.name] for part in parts]) for each in declared},
        declared,
    )


def _notes(used: Sequence[Entries], steps: Sequence[_Step], tallies: Sequence[Tally]) -> list[str]:
    """What is odd about the catalogues and their matching, one line each."""
    notes = []
    for tally in tallies:
        if not tally.rows:
            notes.append(f"{tally.name} has no rows")
        if tally.unplaced:
            notes.append(
                f"{tally.name}: {tally.unplaced} of {tally.rows} rows have no position and match nothing"
            )
        if tally.repeated:
            notes.append(
                f"{tally.name}: {tally.repeated} rows share their number with others; rows are told by row"
            )
    first = used[0]
    for step in steps:
        right = step.right
        if not step.join.matched and len(first) and len(right):
            far = _apart(first, right)
            if far > max(3600.0, 20.0 * step.join.radius):
                notes.append(
                    f"{first.name} and {right.name} have no common sky: "
                    f"their nearest rows are {far / 3600.0:.3g} degrees apart"
                )
    return notes


def _apart(left: Entries, right: Entries) -> float:
    """The least distance between rows of two catalogues (arcsec)."""
    here, there = (unit_vectors(each.ra[each.placed], each.dec[each.placed]) for each in (left, right))
    if not len(here) or not len(there):
        return 0.0
    chord = float(np.min(cKDTree(there).query(here)[0]))
    return math.degrees(2.0 * math.asin(min(chord / 2.0, 1.0))) * 3600.0

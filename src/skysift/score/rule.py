"""`match`: which found row is which true object, by one stated rule that all scores share.

`skysift.score.matching.rule_text` tells the rule in sentences; every report carries them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.match.sky import Pairs, one_to_one_of, within
from skysift.score.matching import DIRECTIONS, Fate, Matching, notes_of, notes_of_truth, rule_text
from skysift.score.options import RuleOptions
from skysift.score.sides import Floats, Ints, Rows, Truths, found_rows, true_objects
from skysift.score.visibility import NoiseMap
from skysift.sky.catalogue import Catalogue
from skysift.sky.detections import Footprints
from skysift.sky.table import Table
from skysift.sky.truth import Truth

__all__ = ["match", "table_of"]


def match(catalogue: Catalogue, truth: Truth, options: RuleOptions) -> Matching:
    """Which found row is which true object.

    Raises
    ------
    UsageError
        The catalogue lacks the table, one side has no positions, or nothing tells the size of the beam.
    """
    table = table_of(catalogue, options.table)
    noise = None if options.rms_map is None else NoiseMap.open(options.rms_map, options.beam)
    beam = _beam(truth, options, noise)
    found, known, inside = found_rows(table, truth)
    truths = true_objects(truth, options.merge * beam if math.isfinite(beam) else 0.0, beam, noise)
    true = truths.rows
    if noise is not None:
        inside &= np.isfinite(noise.at(found.ra, found.dec, found.x, found.y))
    findable = ~(true["snr"] < options.faintest)
    radius = _radius(true, beam, options)
    if len(true) and len(found) and not np.isfinite(radius).all():
        raise UsageError(
            "nothing tells how near a found row must be: truth without sizes and without a beam",
            todo="give the FWHM of the beam (arcsec), --set beam=6 for all kinds or --set counts.beam=6 for one",
        )
    sides = _Sides(truths, findable, radius, _radius(truths.members, beam, options), options)
    searched = np.flatnonzero(inside)
    seen = found.select(searched)
    outcome = sides.match(seen)
    fate = np.full(len(found), Fate.LOST, dtype=np.int8)
    fate[known] = Fate.OUTSIDE
    artefact_of = np.full(len(found), -1, dtype=np.int64)
    artefact_of[searched] = _artefacts(seen, truth, truths.artefacts, beam)
    fate[searched] = sides.fates(seen, outcome, artefact_of[searched] >= 0)
    found_of = (
        np.where(outcome.found_of >= 0, searched[outcome.found_of], -1) if searched.size else outcome.found_of
    )
    truth_of = np.full(len(found), -1, dtype=np.int64)
    truth_of[searched] = outcome.truth_of
    return Matching(
        found=found,
        truths=truths,
        findable=findable,
        found_of=found_of,
        alone=outcome.alone,
        truth_of=truth_of,
        artefact_of=artefact_of,
        fate=fate,
        chance=_chance(sides, seen, truth, options, beam),
        beam=beam,
        noise=noise,
        rule=rule_text(options, beam),
        notes=(*notes_of_truth(truth), *notes_of(table, found, seen, truths, on_map=truth.frame is not None)),
    )


def table_of(catalogue: Catalogue, name: str) -> Table:
    """The table with the rows that are scored.

    Raises
    ------
    UsageError
        It has no rows, but another table of the catalogue has.
    """
    table = catalogue.table(name)
    other = "components" if name == "sources" else "sources"
    if not len(table) and len(catalogue.table(other)):
        raise UsageError(
            f"the catalogue has no {name}",
            got=f"{len(catalogue.table(other))} {other}",
            todo=f"set table={other}",
        )
    return table


@dataclass(frozen=True, eq=False)
class _Outcome:
    found_of: Ints  # (n_true,)
    alone: NDArray[np.bool_]  # (n_true,)
    truth_of: Ints  # (n_found,)
    member: NDArray[np.bool_]  # (n_found,) matched a member only
    near: Pairs  # (true, found) within the radius, whatever their fluxes


@dataclass(frozen=True, eq=False)
class _Sides:
    """The true side, ready to be matched with any found rows."""

    truths: Truths
    findable: NDArray[np.bool_]
    radius: Floats
    member_radius: Floats
    options: RuleOptions

    def match(self, found: Rows) -> _Outcome:
        """One to one with the objects, then what is left over with the members of merged ones."""
        true, members = self.truths.rows, self.truths.members
        near = within(true.ra, true.dec, found.ra, found.dec, self.radius)
        chosen = self._best(near, true, found, self.findable, self.radius)
        found_of = np.full(len(true), -1, dtype=np.int64)
        truth_of = np.full(len(found), -1, dtype=np.int64)
        found_of[chosen.left], truth_of[chosen.right] = chosen.right, chosen.left
        alone, member = found_of >= 0, np.zeros(len(found), dtype=np.bool_)
        if len(members):
            left = np.flatnonzero(truth_of < 0)
            rest = found.select(left)
            close = within(members.ra, members.dec, rest.ra, rest.dec, self.member_radius)
            bright = ~(members["snr"] < self.options.faintest)
            more = self._best(close, members, rest, bright, self.member_radius)
            group, row = self.truths.member_of[more.left], left[more.right]
            member[row], truth_of[row] = True, group
            order = np.lexsort((row, members["flux"][more.left]))  # of several, the brightest stays
            late = order[found_of[group[order]] < 0]
            found_of[group[late]] = row[late]
        return _Outcome(found_of, alone, truth_of, member, near)

    def _best(
        self, near: Pairs, true: Rows, found: Rows, allowed: NDArray[np.bool_], radius: Floats
    ) -> Pairs:
        """The pairs that agree, one to one."""
        here, there = true[self.options.flux][near.left], found[self.options.flux][near.right]
        error = self._error(found)[near.right]
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = np.abs(np.log(np.maximum(there, 0.0) / here))
            same = apart <= math.log(self.options.flux_factor) * (1.0 + 1e-9) + 1e-12
            same |= np.abs(there - here) <= self.options.flux_sigma * error
            distance = np.nan_to_num(near.separation / radius[near.left])
        good = np.flatnonzero(same & allowed[near.left])
        cost = np.hypot(distance, np.minimum(np.nan_to_num(apart, nan=10.0), 10.0) / math.log(2.0))
        return one_to_one_of(near.select(good), cost[good])

    def _error(self, found: Rows) -> Floats:
        """The error of the flux of found rows: their own; that of the peak where they have none, which is their rms."""
        name = f"{self.options.flux}_err"
        own = found[name]
        if name == "flux_err":
            own = np.where(np.isfinite(own), own, found["flux_int_err"])
        return np.nan_to_num(np.where(np.isfinite(own), own, found["rms"]))

    def fates(self, found: Rows, outcome: _Outcome, on_artefact: NDArray[np.bool_]) -> NDArray[np.int8]:
        """What became of each found row."""
        fate = np.full(len(found), Fate.FALSE, dtype=np.int8)
        near = outcome.near
        bright = self.findable[near.left]
        taken = outcome.found_of[near.left] >= 0
        fate[near.right[~bright]] = Fate.FAINT
        fate[on_artefact] = Fate.ARTEFACT
        fate[near.right[bright & ~taken]] = Fate.FLUX
        fate[near.right[bright & taken]] = Fate.DUPLICATE
        fate[outcome.truth_of >= 0] = Fate.MATCHED
        fate[outcome.member] = Fate.MEMBER
        return fate


def _beam(truth: Truth, options: RuleOptions, noise: NoiseMap | None) -> float:
    """FWHM of the beam (arcsec, geometric mean): of the truth, the option, the map of the noise; else NaN."""
    if truth.beam is not None and not truth.beam.is_point:
        return math.sqrt(truth.beam.major * truth.beam.minor)
    if options.beam is not None:
        return options.beam
    return math.nan if noise is None else math.sqrt(noise.image.beam.major * noise.image.beam.minor)


def _radius(true: Rows, beam: float, options: RuleOptions) -> Floats:
    """How far from each true object a found row may lie (arcsec)."""
    own = options.radius * np.sqrt(true["major"] * true["minor"])
    return np.asarray(np.fmax(own, options.radius_min * beam))


def _artefacts(found: Rows, truth: Truth, artefacts: Rows, beam: float) -> Ints:
    """The artefact of the truth that each found row lies on: in its mask, or within a beam of it without masks."""
    hit = np.full(len(found), -1, dtype=np.int64)
    if not len(artefacts) or not len(found):
        return hit
    if len(truth.detections):
        prints = truth.detections.select(artefacts.row).footprints
        place = _holding(prints, np.rint(found.y).astype(np.int64), np.rint(found.x).astype(np.int64))
        return np.where(place >= 0, artefacts.row[place], -1)
    near = within(found.ra, found.dec, artefacts.ra, artefacts.dec, np.nan_to_num(beam))
    hit[near.left[::-1]] = artefacts.row[near.right[::-1]]
    return hit


def _holding(prints: Footprints, y: Ints, x: Ints) -> Ints:
    """The object in whose footprint each pixel lies, -1 where there is none; of several any one of them."""
    if not len(prints):
        return np.full(y.shape, -1, dtype=np.int64)
    span = int(max(prints.stop.max(), x.max(initial=0))) + 2
    order = np.lexsort((prints.start, prints.row))
    start, stop = (prints.row * span + prints.start)[order], (prints.row * span + prints.stop)[order]
    furthest = np.maximum.accumulate(stop)  # runs of several objects may overlap
    owner = np.searchsorted(furthest, furthest, side="left")  # the run that reaches furthest so far
    pixel = y * span + x
    place = np.searchsorted(start, pixel, side="right") - 1
    inside = (place >= 0) & (furthest[place] > pixel)
    return np.where(inside, prints.index[order][owner[place]], -1)


def _chance(
    sides: _Sides, seen: Rows, truth: Truth, options: RuleOptions, beam: float
) -> dict[str, tuple[int, int]]:
    """Direction -> (rows shifted that stay on the map, how many of them match)."""
    result: dict[str, tuple[int, int]] = {}
    if not len(seen) or not math.isfinite(beam):
        return result
    step = options.shift * beam / 3600.0
    for name, (east, north) in list(DIRECTIONS.items())[: options.shifts]:
        dec = np.clip(seen.dec + north * step, -90.0, 90.0)
        ra = seen.ra + east * step / np.maximum(np.cos(np.radians(dec)), 1e-6)
        stays = np.ones(len(seen), dtype=np.bool_)
        if truth.frame is not None and truth.frame.celestial:
            x, y = truth.frame.to_pixel(ra, dec)
            ny, nx = truth.frame.shape
            stays = (x >= -0.5) & (x < nx - 0.5) & (y >= -0.5) & (y < ny - 0.5)
        moved = Rows(seen.row, ra, dec, seen.x, seen.y, seen.columns).select(stays)
        result[name] = (len(moved), int(np.sum(sides.match(moved).truth_of >= 0)))
    return result

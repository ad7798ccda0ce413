"""`Matching`: who is who between a catalogue and a truth, what became of every row, and the rule in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from skysift.match.sky import separation
from skysift.score.intervals import share_numbers
from skysift.score.options import RuleOptions
from skysift.score.scorer import Number
from skysift.score.sides import Floats, Ints, Rows, Truths
from skysift.score.visibility import NoiseMap
from skysift.sky.table import Table
from skysift.sky.truth import Truth

__all__ = [
    "APART",
    "DIRECTIONS",
    "FATES",
    "Fate",
    "Matching",
    "chance_numbers",
    "chance_table",
    "circles_meet",
    "is_injected",
    "notes_of",
    "notes_of_truth",
    "rule_text",
]

APART = "catalogue and truth have no sky in common"
DIFFUSE = (
    "the map holds diffuse emission that belongs to no object of the truth: what is found of it counts as false, so "
    "reliability and precision are low where it is bright"
)
ONLY_INJECTED = (
    "the truth knows only what was injected, and nothing of what the map held before: completeness and fluxes mean "
    "something; reliability is left out, and false rows, purity and precision mean nothing"
)

FATES: dict[str, str] = {
    "matched": "found rows that are a true object",
    "member": "found rows that are one of several objects that count as one",
    "duplicate": "found rows within the radius of a true object that another row is",
    "other_flux": "found rows within the radius of a true object, with another flux",
    "artefact": "found rows on an artefact of the truth",
    "faint": "found rows within the radius of true objects too faint to match, and of no other",
    "false": "found rows of which the truth knows nothing",
    "outside": "found rows off the map of the truth, which count neither way",
    "no_position": "found rows without a position, which count neither way",
}


class Fate(IntEnum):
    """The places of `FATES`."""

    MATCHED = 0
    MEMBER = 1
    DUPLICATE = 2
    FLUX = 3
    ARTEFACT = 4
    FAINT = 5
    FALSE = 6
    OUTSIDE = 7
    LOST = 8


DIRECTIONS: dict[str, tuple[float, float]] = {  # towards (east, north)
    "north": (0.0, 1.0),
    "east": (1.0, 0.0),
    "south": (0.0, -1.0),
    "west": (-1.0, 0.0),
    "north-east": (math.sqrt(0.5), math.sqrt(0.5)),
    "south-east": (math.sqrt(0.5), -math.sqrt(0.5)),
    "south-west": (-math.sqrt(0.5), -math.sqrt(0.5)),
    "north-west": (-math.sqrt(0.5), math.sqrt(0.5)),
}


@dataclass(frozen=True, eq=False)
class Matching:
    """Who is who between a catalogue and a truth.

    Parameters
    ----------
    found
        All rows of the catalogue, in the order of its table.
    truths
        The true objects.
    findable
        True for those that are bright enough to match, (n_true,).
    found_of
        The found row of each true object, -1 where there is none, (n_true,).
    alone
        True where that row matched the object itself, not only one of several that were merged, (n_true,).
    truth_of
        The true object of each found row, -1 where there is none, (n_found,).
    artefact_of
        The row of the truth's table that is the artefact which a found row lies on, -1 elsewhere, (n_found,).
    fate
        What became of each found row: its place in `FATES`, (n_found,).
    chance
        Direction of the shift -> (rows shifted that stay on the map, rows of these that match).
    beam
        FWHM of the beam (arcsec); NaN where not known.
    noise
        The map of the noise that was given.
    rule
        The rule in sentences.
    notes
        What was odd, one line each.
    """

    found: Rows
    truths: Truths
    findable: NDArray[np.bool_]
    found_of: Ints
    alone: NDArray[np.bool_]
    truth_of: Ints
    artefact_of: Ints
    fate: NDArray[np.int8]
    chance: Mapping[str, tuple[int, int]]
    beam: float
    noise: NoiseMap | None
    rule: str
    notes: tuple[str, ...]

    @property
    def true(self) -> Rows:
        """The true objects that can be found, merged."""
        return self.truths.rows

    @property
    def detected(self) -> NDArray[np.bool_]:
        """True for the true objects that were found, (n_true,)."""
        return np.asarray(self.found_of >= 0)

    @property
    def used(self) -> NDArray[np.bool_]:
        """True for the found rows that count, (n_found,)."""
        return np.asarray(self.fate < Fate.OUTSIDE)

    @property
    def real(self) -> NDArray[np.bool_]:
        """True for the found rows that are true objects, (n_found,)."""
        return np.asarray(self.fate <= Fate.MEMBER)

    @cached_property
    def pairs(self) -> tuple[Ints, Ints]:
        """True objects and the found rows that match them themselves: (pair,) of each."""
        true = np.flatnonzero(self.alone & (self.found_of >= 0))
        return true, self.found_of[true]

    def numbers(self) -> dict[str, Number]:
        """How many rows became what, and how many matches chance makes; every row is counted once."""
        numbers: dict[str, Number] = {
            "n_truth": int(self.findable.sum()),
            "n_truth_faint": int((~self.findable).sum()),
            "n_truth_merged": self.truths.merged,
            "n_truth_artefacts": len(self.truths.artefacts),
            "n_truth_outside": self.truths.outside,
            "n_truth_without_position": self.truths.without_position,
            "n_detected": int(self.detected.sum()),
            "n_found": len(self.found),
        }
        count = np.bincount(self.fate, minlength=len(FATES))
        numbers |= {f"n_{name}": int(count[place]) for place, name in enumerate(FATES)}
        return numbers | chance_numbers(self.chance)

    def tables(self) -> dict[str, dict[str, list[object]]]:
        """What became of the found rows, and the matches of each shifted catalogue."""
        count = np.bincount(self.fate, minlength=len(FATES)).tolist()
        return {
            "found_rows": {"fate": list(FATES), "n": count, "meaning": list(FATES.values())},
            "chance": chance_table(self.chance),
        }

    def __repr__(self) -> str:
        return f"Matching({int(self.detected.sum())} of {int(self.findable.sum())} true, {len(self.found)} found)"


def chance_numbers(chance: Mapping[str, tuple[int, int]]) -> dict[str, Number]:
    """The chance rate with its interval, of: direction of the shift -> (rows shifted, rows of these that match)."""
    n, k = sum(n for n, _ in chance.values()), sum(k for _, k in chance.values())
    return {**share_numbers("chance_rate", k, n)}


def chance_table(chance: Mapping[str, tuple[int, int]]) -> dict[str, list[object]]:
    """The matches of each shifted catalogue."""
    return {
        "direction": list(chance),
        "n": [n for n, _ in chance.values()],
        "n_matched": [k for _, k in chance.values()],
        "rate": [k / n if n else math.nan for n, k in chance.values()],
    }


def notes_of(table: Table, found: Rows, seen: Rows, truths: Truths, *, on_map: bool) -> tuple[str, ...]:
    """What was odd about the rows of either side, one line each.

    Parameters
    ----------
    table, found
        All rows of the catalogue.
    seen
        Those that lie where truths were looked for.
    truths
        The true objects.
    on_map
        Whether the truth has a map, on which `seen` then lies.
    """
    notes = []
    twice = len(table) - int(np.unique(table.ids).size)
    if twice:
        notes.append(
            f"{twice} rows of the catalogue share their number with another; they are scored as they are"
        )
    lost = int(np.sum(~(np.isfinite(found.ra) & np.isfinite(found.dec))))
    if lost:
        notes.append(f"{lost} rows of the catalogue have no position and count neither way")
    if truths.without_position:
        notes.append(f"{truths.without_position} objects of the truth have no position and count neither way")
    unknown = int(np.sum(~np.isfinite(truths.rows["snr"])))
    if unknown:
        notes.append(f"{unknown} objects of the truth have no S/N and count as bright enough")
    true = truths.rows
    if len(found) and (truths.outside or len(true)):
        met = len(seen) > 0 and len(true) > 0
        if not (met and (on_map or circles_meet((seen.ra, seen.dec), (true.ra, true.dec)))):
            notes.append(APART)
    return tuple(notes)


def is_injected(truth: Truth) -> bool:
    """Whether the truth knows only what was put into a map, and nothing of what the map held before."""
    told = truth.catalogue.provenance
    return told is not None and told.kind == "simulator" and told.finder == "inject"


def notes_of_truth(truth: Truth) -> tuple[str, ...]:
    """What the truth does not know of its map, one line each."""
    told = truth.catalogue.provenance
    if told is None or told.kind != "simulator":
        return ()
    if is_injected(truth):
        return (ONLY_INJECTED,)
    diffuse = told.options.get("diffuse", 0.0)
    return (DIFFUSE,) if isinstance(diffuse, int | float) and diffuse > 0.0 else ()


def circles_meet(*sets: tuple[Floats, Floats]) -> bool:
    """Whether the circles around two sets of positions (ra, dec; deg) come within a minute of arc of each other."""
    circles = []
    for where in sets:
        good = np.isfinite(where[0]) & np.isfinite(where[1])
        lon, lat = np.radians(where[0][good]), np.radians(where[1][good])
        mean = np.array(
            [np.mean(np.cos(lat) * np.cos(lon)), np.mean(np.cos(lat) * np.sin(lon)), np.mean(np.sin(lat))]
        )
        ra, dec = (
            np.degrees(np.arctan2(mean[1], mean[0])),
            np.degrees(np.arctan2(mean[2], np.hypot(*mean[:2]))),
        )
        circles.append((ra, dec, float(np.max(separation(ra, dec, where[0][good], where[1][good])))))
    (ra1, dec1, reach1), (ra2, dec2, reach2) = circles
    return float(separation(ra1, dec1, ra2, dec2)) <= reach1 + reach2 + 60.0


def rule_text(options: RuleOptions, beam: float) -> str:
    """The rule in sentences."""
    told = f"{beam:.4g} arcsec" if math.isfinite(beam) else "not known"
    text = (
        f"Rows of the table {options.table} are compared with the objects of the truth; the beam is {told} (FWHM, "
        "geometric mean). "
    )
    if options.merge > 0 and math.isfinite(beam):
        text += (
            f"Truths within {options.merge:g} beams of each other are merged first, chain by chain: fluxes add up, "
            "the position is the flux-weighted mean, the class that of the brightest. "
        )
    else:
        text += "Truths are not merged. "
    text += (
        f"Truth whose peak is below {options.faintest:g} sigma never matches. "
        f"A found row may match within {options.radius:g} of the convolved FWHM of the truth (geometric mean), at "
        f"least {options.radius_min:g} beams, where the two values of {options.flux} agree within a factor "
        f"{options.flux_factor:g} or {options.flux_sigma:g} errors of the found one. "
        "Matches are one to one, the nearest in position and flux together first (distance over radius and log2 of "
        "the flux ratio, in quadrature). A row left over may match one member of a merged truth alone: it is real, "
        "and the merged truth counts as found. "
        "Artefacts of the truth are no objects: a row that matches nothing and lies on the mask of one is counted "
        "as such, and is not real. "
    )
    if options.shifts and math.isfinite(beam):
        names = ", ".join(list(DIRECTIONS)[: options.shifts])
        text += (
            f"The chance rate is the share of found rows that match when all are shifted by {options.shift:g} beams "
            f"({names}). "
        )
    return text + "Intervals are of 95 %."

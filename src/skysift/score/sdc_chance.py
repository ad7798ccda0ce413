"""What chance makes of the lists of the SKA Science Data Challenges, and whether two of them are of one sky."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from skysift.match.sky import offset_by
from skysift.score.matching import APART, DIRECTIONS, chance_numbers, chance_table, circles_meet
from skysift.score.options import ChanceOptions
from skysift.score.scorer import Number, ReportTable
from skysift.score.sdc_terms import SdcScore
from skysift.sky.table import Table, Values

__all__ = ["chance_of", "notes_of_lists"]


def chance_of(
    score: Callable[[dict[str, Values]], SdcScore],
    found: Mapping[str, Values],
    true: Mapping[str, Values],
    places: Sequence[tuple[str, str]],
    beam: float,
    options: ChanceOptions,
) -> tuple[dict[str, Number], ReportTable, str]:
    """How many matches chance makes: numbers, a table by direction, and the sentence that tells it.

    Parameters
    ----------
    score
        Scores a list of detections.
    found, true
        The lists.
    places
        Names of the columns of right ascension and declination (deg), the first for what stays on the field.
    beam
        Of the map (arcsec).
    options
        How far and how often to shift.
    """
    step = options.shift * beam
    chance: dict[str, tuple[int, int]] = {}
    for name, (east, north) in list(DIRECTIONS.items())[: options.shifts]:
        moved = dict(found)
        for ra, dec in places:
            moved[ra], moved[dec] = offset_by(found[ra], found[dec], east * step, north * step)
        stays = _within_field(moved, true, places[0])
        shifted = score({column: values[stays] for column, values in moved.items()})
        chance[name] = (shifted.n_det, shifted.n_match)
    told = (
        f" The chance rate is the share of detections that match when all are shifted by {step:.4g} arcsec "
        f"({', '.join(chance)})."
        if chance
        else ""
    )
    return chance_numbers(chance), chance_table(chance), told


def notes_of_lists(catalogue: Table, truth: Table, ids: Values) -> tuple[str, ...]:
    """What is odd about two lists: rows under one id (of `ids`, those of the detections), and skies apart."""
    twice = len(ids) - int(np.unique(ids).size)
    told = f"{twice} detections share their id with another; of those of one id one can match"
    return ((told,) if twice else ()) + _apart(catalogue, truth)


def _apart(found: Table, true: Table) -> tuple[str, ...]:
    here, there = (
        (each["ra"], each["dec"], np.isfinite(each["ra"]) & np.isfinite(each["dec"]))
        for each in (found, true)
    )
    if not here[2].any() or not there[2].any() or circles_meet(here[:2], there[:2]):
        return ()
    return (APART,)


def _within_field(
    moved: Mapping[str, Values], true: Mapping[str, Values], place: tuple[str, str]
) -> NDArray[np.bool_]:
    """True for rows in the box of right ascension and declination that holds the truth."""
    known = np.isfinite(true[place[0]]) & np.isfinite(true[place[1]])
    if not known.any():
        return np.ones(len(moved[place[0]]), dtype=np.bool_)
    first = float(true[place[0]][known][0])
    inside = np.ones(len(moved[place[0]]), dtype=np.bool_)
    for name, turned in zip(place, (True, False), strict=True):
        here, there = (
            (each[name] - first + 180.0) % 360.0 - 180.0 if turned else each[name] for each in (moved, true)
        )
        inside &= (here >= np.min(there[known])) & (here <= np.max(there[known]))
    return inside

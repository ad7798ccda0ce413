"""What is learnt from, as the command line names it: sets of pictures, cut-outs of maps, places that are excluded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import DataError, UsageError
from skysift.base.parallel import Crew
from skysift.base.provenance import InputRecord
from skysift.flow.learning.cuts import CUTS, cuts_of
from skysift.flow.learning.plan import Plan
from skysift.flow.learning.pool import Pool, pool_of, positions
from skysift.flow.stamp_places import read_places
from skysift.flow.steps.match import records
from skysift.learn.pictures import PictureSource
from skysift.learn.scale import Preparation
from skysift.stamps.opening import open_pictures

__all__ = ["excluded_places", "pool_from"]

Floats: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[str, int, int], None]


def excluded_places(paths: Sequence[Path]) -> tuple[Floats, Floats]:
    """Right ascensions and declinations (deg) of sets of pictures and of catalogues.

    Raises
    ------
    UsageError
        One tells no position.
    """
    ra, dec = [np.empty(0)], [np.empty(0)]
    for path in paths:
        place = _places_of(path)
        if not np.isfinite(place[0]).any():
            raise UsageError(
                "what is excluded tells no positions", got=path.name, allowed="columns ra and dec in degrees"
            )
        ra.append(place[0])
        dec.append(place[1])
    return np.concatenate(ra), np.concatenate(dec)


def _places_of(path: Path) -> tuple[Floats, Floats]:
    try:
        pictures = open_pictures(path)
    except (DataError, UsageError):
        listed = read_places(path)
        return listed.ra, listed.dec
    return positions(pictures.facts, len(pictures))


def pool_from(
    pictures: Sequence[Path],
    maps: Sequence[Path],
    cut: str,
    plan: Plan,
    excluded: tuple[Floats, Floats],
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[Pool, tuple[InputRecord, ...], dict[str, Any]]:
    """The pool, what was read, and what a card tells of it.

    Parameters
    ----------
    pictures, maps
        Sets of pictures, and maps to cut some from.
    cut
        Where: random, sources, or a catalogue.
    plan
        How pictures are prepared and chosen.
    excluded
        Places (ra, dec) whose neighbourhood is left out.
    workers, progress
        Who does it, and who is told.

    Raises
    ------
    UsageError
        No picture is left.
    """
    preparation = Preparation.of(plan.prepare)
    opened = [open_pictures(path) for path in pictures]
    sources: list[PictureSource] = [*opened]
    side = preparation.size * preparation.bin
    if maps:
        crew = Crew(workers, progress=progress)
        seed = plan.train.random_seed
        sources += cuts_of(maps, cut, side, plan.pool, random_seed=seed, crew=crew)
    pool = pool_of(
        sources, preparation, same=plan.pool.same, random_seed=plan.train.random_seed, progress=progress
    )
    pool = pool.without(*excluded, plan.pool.apart)
    if not len(pool):
        raise UsageError(
            "no picture is left: all are near places that are excluded",
            got=f"{pool.counts['excluded']} pictures near such places",
        )
    facts = {
        "sets": [path.name for path in pictures],
        "maps": [path.name for path in maps],
        **({"cut": cut if cut in CUTS else Path(cut).name} if maps else {}),
    }
    listed = [Path(cut)] if maps and cut not in CUTS else []
    origins = (each.origin for each in opened if each.origin is not None)
    return pool, (*origins, *records([*maps, *listed])), facts

"""`search`: the images and cubes of the shelf about a place, a band, a velocity, a time, of a survey.

What VLKB calls a search, and what SIA asks: rows come one after the other, each with how it overlaps the region.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import sqlalchemy
from sqlalchemy import and_, select
from sqlalchemy.engine import Engine

from skysift.archive.footprints import union
from skysift.archive.holdings import Entry, entry_of
from skysift.archive.policy import User, readable
from skysift.archive.regions import Area, contains, intersects, middle_of, parse_region, separation, vector_of
from skysift.archive.rows import entries, obscore, surveys
from skysift.base.errors import OptionError, RegionError
from skysift.io.sql import told

__all__ = ["Found", "Overlap", "Survey", "search", "surveys_of"]

Overlap: TypeAlias = Literal["full", "partial", "inside", ""]
_BLOCK = 500
_EQUAL = {  # words that rows are asked for by, and the columns of ObsCore
    "collection": "obs_collection",
    "facility": "facility_name",
    "instrument": "instrument_name",
    "target": "target_name",
    "kind": "dataproduct_type",
    "did": "obs_publisher_did",
}
_OF_ENTRY = ("survey", "species", "transition")


@dataclass(frozen=True)
class Found:
    """An image or cube that a search found.

    Parameters
    ----------
    entry
        What it is on the shelf.
    observation
        Its row of ObsCore.
    overlap
        ``full``: it covers all of the region; ``inside``: it lies wholly in it; ``partial``; empty where no region
        was asked for.
    """

    entry: Entry
    observation: Mapping[str, Any]
    overlap: Overlap

    @property
    def region(self) -> Area | None:
        """What it covers of the sky."""
        told_region = self.observation["s_region"]
        return parse_region(told_region) if told_region else None


@dataclass(frozen=True)
class Survey:
    """A survey, or the part of it in one line of one species.

    Parameters
    ----------
    name, species, transition
        What it is called.
    description
        In words; empty where nobody described it.
    datasets
        How many images and cubes of it there are for this user.
    em_min, em_max
        Wavelengths (m) that they cover; None where that is not known.
    footprint
        What they cover of the sky, as a MOC in JSON; empty where that is not known.
    """

    name: str
    species: str
    transition: str
    description: str
    datasets: int
    em_min: float | None
    em_max: float | None
    footprint: str


def search(
    engine: Engine,
    user: User,
    *,
    pos: Area | str | None = None,
    band: tuple[float, float] | None = None,
    velocity: tuple[float, float] | None = None,
    time: tuple[float, float] | None = None,
    polarisation: str | None = None,
    after: str = "",
    count: int | None = None,
    **equal: str,
) -> Iterator[Found]:
    """The images and cubes that a user may see and that fit.

    Parameters
    ----------
    engine
        The database.
    user
        Who asks.
    pos
        They overlap this region (`skysift.archive.regions.parse_region` reads texts, Galactic ones too).
    band
        They overlap these wavelengths (m); infinite for an open end.
    velocity
        They overlap these velocities (km/s, radio convention).
    time
        They overlap this time (MJD).
    polarisation
        They hold this state: ``I``, ``Q``, ...
    after
        Only entries of an id after this one: they come in the order of their ids.
    count
        How many at most.
    equal
        ``collection``, ``facility``, ``instrument``, ``target``, ``kind``, ``did``, ``survey``, ``species``,
        ``transition``: they are so called.

    Raises
    ------
    OptionError
        There is no such word, or an interval runs backwards.
    RegionError
        The region cannot be read.
    """
    area = parse_region(pos) if isinstance(pos, str) else pos
    conditions = [readable(user, entries), *_equal(equal)]
    for interval, low, high in (
        (band, "em_min", "em_max"),
        (velocity, "v_min", "v_max"),
        (time, "t_min", "t_max"),
    ):
        if interval is not None:
            conditions += _overlapping(interval, low, high)
    if polarisation is not None:
        conditions.append(obscore.c.pol_states.contains(f"/{polarisation.upper()}/", autoescape=True))
    if area is not None:
        conditions.append(_about(area))
    return _rows(engine, conditions, area, after, count)


def surveys_of(engine: Engine, user: User) -> list[Survey]:
    """The surveys of which a user may see something, with what it covers."""
    names = tuple(entries.c[name] for name in _OF_ENTRY)
    statement = (
        select(*names, obscore.c.em_min, obscore.c.em_max, entries.c.footprint)
        .join(obscore, obscore.c.entry == entries.c.id)
        .where(readable(user, entries), entries.c.survey != "")
        .order_by(*names)
    )
    with told(), engine.connect() as connection:
        described = {
            (row.name, row.species, row.transition): row.description
            for row in connection.execute(select(surveys).where(readable(user, surveys)))
        }
        found: dict[tuple[str, str, str], list[Any]] = {}
        for row in connection.execute(statement):
            found.setdefault((row.survey, row.species, row.transition), []).append(row)
    for key in described:
        found.setdefault(key, [])
    return [
        Survey(
            *key,
            described.get(key, ""),
            len(rows),
            min((row.em_min for row in rows if row.em_min is not None), default=None),
            max((row.em_max for row in rows if row.em_max is not None), default=None),
            union([row.footprint for row in rows if row.footprint]),
        )
        for key, rows in sorted(found.items())
    ]


def _equal(equal: Mapping[str, str]) -> list[sqlalchemy.ColumnElement[bool]]:
    conditions = []
    for name, value in equal.items():
        if name in _EQUAL:
            conditions.append(obscore.c[_EQUAL[name]] == value)
        elif name in _OF_ENTRY:
            conditions.append(entries.c[name] == value)
        else:
            raise OptionError("nothing is searched by this", got=name, allowed=[*_EQUAL, *_OF_ENTRY])
    return conditions


def _overlapping(interval: tuple[float, float], low: str, high: str) -> list[sqlalchemy.ColumnElement[bool]]:
    first, last = interval
    if not first <= last:
        raise OptionError("an interval runs backwards", got=interval)
    conditions = []
    if math.isfinite(last):
        conditions.append(obscore.c[low] <= last)
    if math.isfinite(first):
        conditions.append(obscore.c[high] >= first)
    return conditions or [obscore.c[low].is_not(None)]


def _about(area: Area) -> sqlalchemy.ColumnElement[bool]:
    """A band of declinations: what lies outside of it cannot overlap."""
    middle = middle_of(area)
    if area.kind == "CIRCLE":
        radius = area.numbers[2]
    else:
        v = vector_of(*middle)
        radius = max(separation(v, vector_of(*corner)) for corner in area.corners)
    reach = obscore.c.s_fov / 2.0 + (radius + 1e-6)
    return and_(obscore.c.s_dec >= middle[1] - reach, obscore.c.s_dec <= middle[1] + reach)


def _rows(
    engine: Engine,
    conditions: list[sqlalchemy.ColumnElement[bool]],
    area: Area | None,
    after: str,
    count: int | None,
) -> Iterator[Found]:
    given, last = 0, after
    while count is None or given < count:
        statement = (
            select(entries, *(c for c in obscore.c if c.name != "entry"))
            .join(obscore, obscore.c.entry == entries.c.id)
            .where(*conditions, entries.c.id > last)
            .order_by(entries.c.id)
            .limit(_BLOCK)
        )
        with told(), engine.connect() as connection:  # no connection is held while the rows are used
            rows = connection.execute(statement).all()
        for row in rows:
            overlap = _overlap(row.s_region, area)
            if overlap is None:
                continue
            yield Found(
                entry_of(row), {c.name: getattr(row, c.name) for c in obscore.c if c.name != "entry"}, overlap
            )
            given += 1
            if count is not None and given >= count:
                return
        if len(rows) < _BLOCK:
            return
        last = rows[-1].id


def _overlap(text: str | None, area: Area | None) -> Overlap | None:
    """How a map overlaps a region; None where it does not."""
    if area is None:
        return ""
    try:
        own = parse_region(text or "")
    except RegionError:
        return None
    if not intersects(own, area):
        return None
    if contains(own, area):
        return "full"
    return "inside" if contains(area, own) else "partial"

"""Rows of one catalogue that are the same source twice: at one place, or under one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skysift.base.errors import UsageError
from skysift.match.columns import DUPLICATES
from skysift.match.entries import Entries
from skysift.match.result import ResultTable
from skysift.match.sky import Pairs, separation, within
from skysift.sky.table import Values

__all__ = ["Duplicates", "duplicates"]


@dataclass(frozen=True, eq=False, repr=False)
class Duplicates:
    """The rows of a catalogue that stand in it twice or more.

    Parameters
    ----------
    table
        One row a duplicate, group by group, the brightest of each first.
    name
        Of the catalogue.
    rows, groups
        Rows of the catalogue, and groups of duplicates among them.
    repeated
        Rows whose number another row has too.
    radius
        Within which two rows are one (arcsec).
    """

    table: ResultTable
    name: str
    rows: int
    groups: int
    repeated: int
    radius: float

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"Duplicates({self.name}: {len(self)} of {self.rows} rows, in {self.groups} groups)"


def duplicates(entries: Entries, radius: float | None = None) -> Duplicates:
    """The rows that are one with another, by position or by number; groups are joined through common members.

    Parameters
    ----------
    entries
        The catalogue.
    radius
        Rows within this distance are one (arcsec); half the median FWHM where not given.

    Raises
    ------
    UsageError
        No radius is given and the catalogue tells no sizes.
    """
    if radius is None:
        if len(entries) and not np.isfinite(entries.size).any():
            raise UsageError(
                f"{entries.name} tells no sizes that a radius could follow", todo="give a radius in arcsec"
            )
        radius = 0.5 * float(np.nanmedian(entries.size)) if len(entries) else 0.0
    near = within(entries.ra, entries.dec, entries.ra, entries.dec, radius)
    near = near.select(near.left != near.right)
    same = _same_number(entries)
    n = len(entries)
    left, right = np.concatenate([near.left, same.left]), np.concatenate([near.right, same.right])
    links = coo_array((np.ones(left.size, np.int8), (left, right)), shape=(n, n))
    count, group = connected_components(links, directed=False) if n else (0, np.empty(0, np.int64))
    members = np.bincount(group, minlength=count)
    rows = np.flatnonzero(members[group] > 1) if n else np.empty(0, np.int64)
    first = np.full(count, n, np.int64)
    np.minimum.at(first, group, np.arange(n))
    faintness = -np.nan_to_num(entries.flux[rows], nan=-np.inf)
    rows = rows[np.lexsort((rows, faintness, first[group[rows]]))]
    table = _table(entries, rows, group[rows].astype(np.int64), members, near, same)
    return Duplicates(
        table, entries.name, n, int((members > 1).sum()), int(entries.repeated.sum()), float(radius)
    )


def _same_number(entries: Entries) -> Pairs:
    """Each row with the next one of the same number, both ways; the separation is NaN."""
    order = np.argsort(entries.ids, kind="stable")
    twice = entries.ids[order][1:] == entries.ids[order][:-1]
    a, b = order[:-1][twice], order[1:][twice]
    left, right = np.concatenate([a, b]), np.concatenate([b, a])
    return Pairs(left, right, np.full(left.size, np.nan))


def _table(
    entries: Entries,
    rows: NDArray[np.int64],
    group: NDArray[np.int64],
    members: NDArray[np.int64],
    near: Pairs,
    same: Pairs,
) -> ResultTable:
    """The rows of the groups, with their nearest partners."""
    other = np.full(len(entries), -1, np.int64)
    if len(same):
        other[same.left] = same.right
    order = np.lexsort((near.right, near.separation, near.left))
    nearest, place = np.unique(near.left[order], return_index=True)
    other[nearest] = near.right[order][place]
    partner = other[rows]
    by_place, by_number = np.isin(rows, near.left), np.isin(rows, same.left)
    both = np.where(by_place & by_number, "position, id", np.where(by_place, "position", "id"))
    _, number = np.unique(_first_seen(group), return_inverse=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = entries.flux[partner] / entries.flux[rows]
    known: dict[str, Values] = {
        "group": number + 1,
        "n_group": members[group],
        "id": entries.ids[rows],
        "row": rows,
        "ra": entries.ra[rows],
        "dec": entries.dec[rows],
        "flux": entries.flux[rows],
        "flux_err": entries.flux_err[rows],
        "other_id": entries.ids[partner],
        "separation": separation(
            entries.ra[rows], entries.dec[rows], entries.ra[partner], entries.dec[partner]
        ),
        "flux_ratio": ratio,
        "remarks": both.astype(np.str_) if rows.size else np.empty(0, "<U1"),
    }
    if entries.names is not None:
        known["name"] = entries.names[rows]
    declared = tuple(each for each in DUPLICATES if each.name in known)
    return ResultTable("duplicates", {each.name: known[each.name] for each in declared}, declared)


def _first_seen(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each member the place of its group's first member: groups in the order in which they come."""
    _, first, place = np.unique(group, return_index=True, return_inverse=True)
    return np.asarray(first[place])

"""Part of a finding: some sources, with all that belongs to them and numbers without gaps."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from skysift.find.finding import Finding
from skysift.find.joined import islands_of
from skysift.match.result import ResultTable
from skysift.measure.characterise import counts
from skysift.sky.box import Box
from skysift.sky.catalogue import Catalogue

__all__ = ["selected", "sources_in"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def selected(finding: Finding, keep: Bools) -> Finding:
    """
    The finding without some of its sources.

    Their components go with them, and the islands that held nothing else. All is numbered anew; names stay. A source
    on top of an extended one that goes has no parent any more.

    Parameters
    ----------
    keep
        ``(source,)`` which stay.
    """
    before = finding.catalogue
    sources, components, islands = before.sources, before.components, before.islands
    stays = np.isin(components["source_id"], sources.ids[keep])
    row, island = _links(finding)
    had, has = island, island[keep[row]]
    island_stays = np.isin(islands.ids, has) | ~np.isin(islands.ids, had)
    new_source, new_island = _numbers(sources.ids, keep), _numbers(islands.ids, island_stays)
    kept = sources.select(keep)
    number = new_source(kept.ids)
    columns: dict[str, Ints] = {"source_id": number}
    if "island_id" in kept:
        columns["island_id"] = new_island(kept["island_id"])
    if "parent_id" in kept:
        parent = new_source(kept["parent_id"])
        columns["parent_id"] = parent
        count = np.bincount(parent, minlength=len(kept) + 1)
        columns["n_children"] = count[number]
    few = components.select(stays)
    few = few.with_columns(
        {
            "component_id": np.arange(1, len(few) + 1),
            "source_id": new_source(few["source_id"]),
            "island_id": new_island(few["island_id"]),
        }
    )
    left = islands.select(island_stays)
    links = np.stack([few["island_id"], few["source_id"]], axis=1)
    if "island_id" in kept:
        links = np.concatenate([links, np.stack([columns["island_id"], number], axis=1)])
    links = np.unique(links, axis=0)
    held = np.bincount(links[:, 0], minlength=len(left) + 1)[1:]
    left = left.with_columns({"island_id": np.arange(1, len(left) + 1), "n_sources": held})
    catalogue = Catalogue(left, kept.with_columns(columns), few, before.provenance)
    old = islands.ids[island_stays]
    lines = np.isin(finding.spines.owner, sources.ids[keep])
    spines = finding.spines.select(lines)
    return replace(
        finding,
        catalogue=catalogue,
        mask=finding.mask.relabel(old, np.arange(1, len(old) + 1)),
        gaussians=finding.gaussians[stays],
        facts={**finding.facts, "counts": dict(counts(catalogue))},
        spines=spines.given_to(new_source(spines.owner)),
        segments=new_island(finding.segments[lines]),
        tables={
            name: _of_pairs(table, new_source, new_island) if isinstance(table, ResultTable) else table
            for name, table in finding.tables.items()
        },
    )


def _of_pairs(
    table: ResultTable, source: Callable[[Ints], Ints], island: Callable[[Ints], Ints]
) -> ResultTable:
    """A table of pairs of sources without those of which one has gone, by the new numbers; other tables as they are."""
    columns = dict(table.columns)
    if "source_id_1" not in columns:
        return table
    for name in columns:
        if name.startswith(("source_id_", "core_id")):
            columns[name] = source(columns[name])
        elif name.startswith("island_id_"):
            columns[name] = island(columns[name])
    both = (columns["source_id_1"] > 0) & (columns["source_id_2"] > 0)
    return ResultTable(table.kind, {name: values[both] for name, values in columns.items()}, table.declared)


def _links(finding: Finding) -> tuple[Ints, Ints]:
    """Rows of sources and numbers of islands that they have pixels on."""
    row, island = islands_of(finding.catalogue)
    ids = finding.catalogue.sources.ids
    of_segment = np.searchsorted(ids, finding.spines.owner)  # sources are numbered in their order
    return np.concatenate([row, of_segment]), np.concatenate([island, finding.segments])


def sources_in(finding: Finding, area: Box) -> Bools:
    """Which sources ``(source,)`` have an island that meets an area."""
    mask = finding.mask
    meets = (mask.row >= area.y0) & (mask.row < area.y1) & (mask.start < area.x1) & (mask.stop > area.x0)
    row, island = _links(finding)
    inside = np.zeros(len(finding.catalogue.sources), np.bool_)
    inside[row[np.isin(island, mask.label[meets])]] = True
    return inside


def _numbers(ids: Ints, keep: Bools) -> Callable[[Ints], Ints]:
    """What gives new numbers, from 1 in the order of the rows, to those that stay, and 0 to all others."""
    order = np.argsort(ids[keep], kind="stable")
    old = ids[keep][order]

    def number(wanted: Ints) -> Ints:
        if not len(old):
            return np.zeros(len(wanted), np.int64)
        place = np.minimum(np.searchsorted(old, wanted), len(old) - 1)
        return np.asarray(np.where(old[place] == wanted, order[place] + 1, 0))

    return number

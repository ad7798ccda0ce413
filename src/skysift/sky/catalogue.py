"""`Catalogue`: what was found, as three linked tables with the columns of the schema.

A component belongs to one island and one source (`island_id`, `source_id`); islands and sources overlap many
to many, through their components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UnknownName, UsageError
from skysift.base.registry import Registry
from skysift.sky import schema
from skysift.sky.schema import TableName
from skysift.sky.table import ID_OF, Rows, Table, Values

if TYPE_CHECKING:
    from skysift.base.provenance import Provenance

__all__ = ["Catalogue", "Rows", "Table", "TableFormat", "Values", "table_format"]


class TableFormat(Protocol):
    """What writes and reads tables: the plug-ins of the kind ``format``."""

    suffixes: tuple[str, ...]

    def write(
        self, catalogue: Catalogue, path: Path, table: TableName | None = None, *, overwrite: bool = False
    ) -> tuple[Path, ...]:
        """The files written: one table into the file `path`, or all three into the folder `path`."""

    def read(self, path: Path) -> Table:
        """The table in a file."""


@dataclass(frozen=True)
class Catalogue:
    """What was found in a map: islands, the sources they are made of, and the Gaussian components of these.

    Its length is the number of sources. `provenance` says how it was made, where that is known.

    Raises
    ------
    UsageError
        A table is not of the kind of its place.
    """

    islands: Table
    sources: Table
    components: Table
    provenance: Provenance | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in schema.TABLES:
            table: Table = getattr(self, name)
            if table.kind != name:
                raise UsageError(f"the {name} of a catalogue must be a table of {name}", got=table.kind)

    @classmethod
    def empty(cls, provenance: Provenance | None = None) -> Catalogue:
        """A catalogue of nothing: three tables with every column and no rows."""
        return cls(Table.empty("islands"), Table.empty("sources"), Table.empty("components"), provenance)

    @classmethod
    def concat(cls, catalogues: Sequence[Catalogue], provenance: Provenance | None = None) -> Catalogue:
        """The rows of several catalogues, one after the other, numbered anew from 1 so that links hold.

        Names stay as they are. Unless given, the provenance is that of the catalogues where all share one,
        else none.

        Raises
        ------
        UsageError
            The tables of the catalogues differ in their columns.
        """
        if not catalogues:
            return cls.empty(provenance)
        counts = dict.fromkeys(ID_OF.values(), 0)
        numbered = []
        for each in catalogues:
            numbered.append(_renumber(each, counts))
            for kind, key in ID_OF.items():
                counts[key] += len(each.table(kind))
        tables = {kind: Table.concat([each.table(kind) for each in numbered]) for kind in schema.TABLES}
        if provenance is None and all(each.provenance == catalogues[0].provenance for each in catalogues):
            provenance = catalogues[0].provenance
        return cls(tables["islands"], tables["sources"], tables["components"], provenance)

    def table(self, name: str) -> Table:
        """The table with this name.

        Raises
        ------
        UnknownName
            There is no such table.
        """
        if name not in schema.TABLES:
            raise UnknownName("no such table", got=name, allowed=schema.TABLES)
        result: Table = getattr(self, name)
        return result

    def select(self, rows: Rows) -> Catalogue:
        """These sources, with the components that belong to them and the islands that hold these.

        Numbers stay as they are. Counts in the kept rows (`n_sources` of an island) stay those of the map.

        Parameters
        ----------
        rows
            A mask over the sources, or row numbers of sources.

        Raises
        ------
        UsageError
            The mask is not as long as the table of sources, or a number is not that of a row.
        """
        sources = self.sources.select(rows)
        components = self.components.select(np.isin(self.components["source_id"], sources.ids))
        islands = self.islands.select(np.isin(self.islands.ids, components["island_id"]))
        return Catalogue(islands, sources, components, self.provenance)

    def join(self, left: TableName, right: TableName) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The links between two tables: pairs of row numbers (left, right), each once, in order.

        Islands and sources are linked where they have a component in common.

        Raises
        ------
        UnknownName
            There is no such table.
        """
        components = self.components
        rows = []
        for name in (left, right):
            table = self.table(name)
            rows.append(_rows_of(components[ID_OF[table.kind]], table.ids))
        linked = (rows[0] >= 0) & (rows[1] >= 0)
        pairs = np.unique(np.stack([rows[0][linked], rows[1][linked]], axis=1), axis=0)  # (pair, side)
        return pairs[:, 0], pairs[:, 1]

    def write(
        self,
        path: str | Path,
        format: str | None = None,
        table: TableName | None = "sources",
        *,
        overwrite: bool = False,
    ) -> tuple[Path, ...]:
        """The files that were written: one table into the file `path`, or all three into a folder.

        Nothing is left half-written: a file comes under its name only when it is whole.

        Parameters
        ----------
        path
            A file, or a folder where `table` is None.
        format
            ``fits``, ``votable``, ``parquet``, ``csv`` or the name of a plug-in; told by the suffix of `path`
            where not given.
        table
            The table to write.
        overwrite
            Replace what is there.

        Raises
        ------
        UnknownName
            There is no such format, or the suffix is not that of a format.
        OutputError
            The file exists and `overwrite` is false, or the place cannot be written.
        """
        writer = (
            table_format(Path(path))
            if format is None
            else Registry[type[TableFormat]]("format").load(format)()
        )
        return writer.write(self, Path(path), table, overwrite=overwrite)

    def __len__(self) -> int:
        return len(self.sources)

    def __bool__(self) -> bool:
        return any(len(self.table(name)) > 0 for name in schema.TABLES)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self.table(name))} {name}" for name in ("sources", "components", "islands"))
        made = self.provenance
        return f"Catalogue({counts}{f', by {made.finder} of skysift {made.version}' if made else ''})"


def _rows_of(wanted: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of each wanted id among `ids`; -1 where there is none."""
    if not ids.size:
        return np.full(wanted.shape, -1, dtype=np.int64)
    order = np.argsort(ids, kind="stable")
    place = np.minimum(np.searchsorted(ids, wanted, sorter=order), ids.size - 1)
    rows = order[place]
    return np.where(ids[rows] == wanted, rows, -1).astype(np.int64)


def _renumber(catalogue: Catalogue, counts: Mapping[str, int]) -> Catalogue:
    """The catalogue with its islands, sources and components numbered by row, from one past `counts`.

    Raises
    ------
    UsageError
        A component belongs to an island or a source that is not in the catalogue.
    """
    tables = {}
    for kind in schema.TABLES:
        table = catalogue.table(kind)
        changed = {}
        for owner, key in ID_OF.items():
            if key in table:
                rows = _rows_of(table[key], catalogue.table(owner).ids)
                if np.any(rows < 0):
                    raise UsageError(
                        f"a row of the {kind} belongs to none of the {owner}",
                        got=int(table[key][rows < 0][0]),
                    )
                changed[key] = rows + counts[key] + 1
        tables[kind] = table.with_columns(changed)
    return Catalogue(tables["islands"], tables["sources"], tables["components"], catalogue.provenance)


def table_format(path: Path) -> TableFormat:
    """The format whose files end as this path does.

    Raises
    ------
    UnknownName
        No format has files that end so.
    """
    registry = Registry[type[TableFormat]]("format")
    suffixes: list[str] = []
    for name in registry.names():
        made = registry.load(name)()
        if path.name.lower().endswith(made.suffixes):
            return made
        suffixes.extend(made.suffixes)
    raise UnknownName(
        "no table format has files that end so", got=path.name, allowed=suffixes, todo="name the format"
    )

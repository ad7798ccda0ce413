"""`Match`: what came of matching catalogues: a table of all rows, and what is told of each step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UnknownName, UsageError
from skysift.match.chance import Chance
from skysift.match.offsets import Astrometry, FluxScale
from skysift.sky.schema import Column
from skysift.sky.table import Values

if TYPE_CHECKING:
    from astropy.table import Table as AstropyTable

__all__ = ["Join", "Match", "ResultTable", "Tally"]


@dataclass(frozen=True, eq=False, repr=False)
class ResultTable:
    """A table that is not one of a catalogue: equal-length columns with their declarations, read only.

    Parameters
    ----------
    kind
        What its rows are, such as ``matches``.
    columns
        Name -> values, in order.
    declared
        Their declarations.

    Raises
    ------
    UsageError
        Columns and declarations differ, or columns differ in length.
    """

    kind: str
    columns: Mapping[str, Values]
    declared: tuple[Column, ...]

    def __post_init__(self) -> None:
        names = [each.name for each in self.declared]
        if names != list(self.columns) or len({len(values) for values in self.columns.values()}) > 1:
            raise UsageError(
                f"the columns of the table {self.kind} are not as declared",
                got=list(self.columns),
                allowed=names,
            )
        kinds = {"int64": np.int64, "float64": np.float64, "bool": np.bool_, "str": np.str_}
        filled: dict[str, Values] = {
            each.name: np.asarray(self.columns[each.name]).astype(kinds[each.dtype], copy=False)
            for each in self.declared
        }
        object.__setattr__(self, "columns", MappingProxyType(filled))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self.columns)

    def select(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> ResultTable:
        """These rows, by a mask or by their numbers."""
        return ResultTable(
            self.kind, {name: values[rows] for name, values in self.columns.items()}, self.declared
        )

    def to_astropy(self) -> AstropyTable:
        """An astropy table with units, descriptions and UCDs; its columns are copies."""
        from astropy.table import Table as AstropyTable  # late: astropy.table is slow to import

        result = AstropyTable(
            {name: values.copy() for name, values in self.columns.items()}, meta={"table": self.kind}
        )
        for each in self.declared:
            column = result[each.name]
            column.unit, column.description = each.unit or None, each.meaning
            column.meta["ucd"] = each.ucd
        return result

    def __getitem__(self, name: str) -> Values:
        if name not in self.columns:
            raise UnknownName(f"the table {self.kind} has no such column", got=name, allowed=self.columns)
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __repr__(self) -> str:
        return f"ResultTable({self.kind!r}, {len(self)} rows, {len(self.columns)} columns)"


@dataclass(frozen=True)
class Tally:
    """Where the rows of one catalogue are.

    Parameters
    ----------
    name
        Of the catalogue.
    rows
        In the catalogue; each is in the table of matches.
    matched, alone
        Rows that another catalogue has too, and rows that none has.
    common
        Rows of `alone` within the outline of another catalogue's rows, where a partner could have been.
    unplaced
        Rows without a position, which are part of `alone`.
    repeated
        Rows whose number another row has too.
    shared
        Rows that stand in more than one row of the matches.
    """

    name: str
    rows: int
    matched: int
    alone: int
    common: int
    unplaced: int
    repeated: int
    shared: int


@dataclass(frozen=True)
class Join:
    """One step: a catalogue matched to the rows that there were so far.

    Parameters
    ----------
    name, number
        Of the catalogue.
    radius
        Of the search (arcsec).
    rows
        That there were so far, with a position.
    matched
        How many of them found a partner.
    chance
        How many of these are false.
    astrometry, flux_scale
        Offsets and flux ratios as measured, before any correction.
    corrected
        What was taken away: ``positions``, ``fluxes``, both or nothing.
    facts
        Numbers that the matcher met, such as Q.
    """

    name: str
    number: int
    radius: float
    rows: int
    matched: int
    chance: Chance
    astrometry: Astrometry
    flux_scale: FluxScale
    corrected: tuple[str, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class Match:
    """What came of matching catalogues.

    Columns are reached as ``match["separation_2"]``.

    Parameters
    ----------
    table
        One row a source, rows without a partner included.
    tallies
        Where the rows of each catalogue are.
    joins
        What is told of each catalogue after the first.
    candidates
        All pairs that were weighed, for kinds that weigh several; else None.
    kind, options
        How it was done.
    notes
        What was odd, one line each.
    """

    table: ResultTable
    tallies: tuple[Tally, ...]
    joins: tuple[Join, ...]
    candidates: ResultTable | None
    kind: str
    options: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def matched(self) -> NDArray[np.bool_]:
        """True for rows that two catalogues or more have."""
        return np.asarray(self.table["n_catalogues"] > 1)

    def to_dict(self) -> dict[str, Any]:
        """What is told of the matching, without the table, as JSON-safe values; what is not known is null."""
        told = {
            "kind": self.kind,
            "options": dict(self.options),
            "rows": len(self.table),
            "matched": int(self.matched.sum()),
            "catalogues": [asdict(each) for each in self.tallies],
            "joins": [asdict(each) | {"facts": dict(each.facts)} for each in self.joins],
            "notes": list(self.notes),
        }
        return dict(_plain(told))

    def to_astropy(self) -> AstropyTable:
        """The rows as an astropy table with units, descriptions and UCDs."""
        return self.table.to_astropy()

    def __getitem__(self, name: str) -> Values:
        return self.table[name]

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        names = ", ".join(each.name for each in self.tallies)
        return f"Match({self.kind!r}, {names}: {len(self)} rows, {int(self.matched.sum())} matched)"


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value

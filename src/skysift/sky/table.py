"""`Table`: one table of a catalogue, with the columns of the schema.

`skysift.sky.catalogue` links three of them into a `Catalogue`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UnknownName, UsageError
from skysift.sky import schema
from skysift.sky.schema import Column, TableName

if TYPE_CHECKING:
    from astropy.table import Table as AstropyTable

__all__ = ["ID_OF", "Rows", "Table", "Values"]

Values: TypeAlias = NDArray[Any]  # one column: int64, float64, bool or str, one value a row
Rows: TypeAlias = NDArray[np.bool_] | NDArray[np.int64]  # a mask over the rows, or row numbers

ID_OF: dict[TableName, str] = {"islands": "island_id", "sources": "source_id", "components": "component_id"}


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """One table of a catalogue: equal-length columns, read only, those of the schema and perhaps more.

    Columns are reached as ``table["flux_int"]`` or ``table.flux_int``, rows as ``table[:5]`` or
    ``table[mask]``. Two tables are equal when they are of one kind and have the same columns with the same
    values; NaN equals NaN.

    Parameters
    ----------
    kind
        ``islands``, ``sources`` or ``components``.
    columns
        Name -> values: every column of the schema for this table, and those declared in `extra`.
    extra
        Declarations of columns that are not in the schema.

    Raises
    ------
    UnknownName
        The kind of table, or a column, is not known.
    UsageError
        A column is missing, is of another kind or another length, or holds text that cannot be written
        everywhere.
    """

    kind: TableName
    columns: Mapping[str, Values]
    extra: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        declared = (*schema.columns(self.kind), *self.extra)
        names = [each.name for each in declared]
        if len(set(names)) != len(names):
            raise UsageError(
                f"a column of the table {self.kind} is declared twice",
                got=_twice(names),
                allowed="each name once",
            )
        unknown = [name for name in self.columns if name not in names]
        if unknown:
            raise UnknownName(f"the table {self.kind} has no such column", got=unknown[0], allowed=names)
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise UsageError(
                f"the table {self.kind} lacks columns",
                got=", ".join(missing),
                allowed="every column of the schema",
            )
        filled = {each.name: _as_column(self.columns[each.name], each) for each in declared}
        lengths = {name: len(values) for name, values in filled.items()}
        if len(set(lengths.values())) > 1:
            raise UsageError(
                f"the columns of the table {self.kind} differ in length", got=lengths, allowed="one length"
            )
        object.__setattr__(self, "columns", MappingProxyType(filled))
        object.__setattr__(self, "extra", tuple(self.extra))

    @classmethod
    def from_columns(
        cls, kind: TableName, columns: Mapping[str, ArrayLike], extra: Sequence[Column] = ()
    ) -> Table:
        """A table of these columns, each brought to the kind of value that its declaration states.

        Whole numbers are accepted where the schema wants float64; float64 where it wants whole numbers only
        if nothing is lost.

        Raises
        ------
        UnknownName
            The kind of table, or a column, is not known.
        UsageError
            A column is missing, is of another kind or another length.
        """
        return cls(kind, {name: np.asarray(values) for name, values in columns.items()}, tuple(extra))

    @classmethod
    def empty(cls, kind: TableName, extra: Sequence[Column] = ()) -> Table:
        """A table with every column and no rows.

        Raises
        ------
        UnknownName
            There is no such kind of table.
        """
        declared = (*schema.columns(kind), *extra)
        return cls(
            kind, {each.name: np.empty(0, dtype=_numpy_dtype(each)) for each in declared}, tuple(extra)
        )

    @classmethod
    def concat(cls, tables: Sequence[Table]) -> Table:
        """The rows of several tables of one kind and one set of columns; ids stay as they are.

        Raises
        ------
        UsageError
            There are no tables, or their kinds or columns differ.
        """
        if not tables:
            raise UsageError(
                "no tables to join",
                got=0,
                allowed="at least one",
                todo="use Table.empty for a table without rows",
            )
        first = tables[0]
        for other in tables[1:]:
            if other.kind != first.kind or other.names != first.names:
                raise UsageError("tables to join must have the same columns", got=f"{first!r} and {other!r}")
        joined = {name: np.concatenate([each.columns[name] for each in tables]) for name in first.names}
        return cls(first.kind, joined, first.extra)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self.columns)

    @property
    def declared(self) -> tuple[Column, ...]:
        """The declarations of the columns, in order."""
        return (*schema.columns(self.kind), *self.extra)

    @property
    def ids(self) -> NDArray[np.int64]:
        """The numbers of the rows: `component_id`, `source_id` or `island_id`."""
        return self.columns[ID_OF[self.kind]]

    def select(self, rows: Rows) -> Table:
        """The rows where a mask is true, or those with the given numbers, in that order.

        Raises
        ------
        UsageError
            The mask is not as long as the table, or a number is not that of a row.
        """
        picked = _row_numbers(rows, len(self))
        return Table(self.kind, {name: values[picked] for name, values in self.columns.items()}, self.extra)

    def sort_by(self, *names: str, descending: bool = False) -> Table:
        """The rows ordered by one or more columns, the first named counting most.

        Equal rows keep their order; NaN come last.

        Raises
        ------
        UnknownName
            The table has no such column.
        """
        order = np.arange(len(self), dtype=np.int64)
        for name in reversed(names):
            order = order[_stable_order(self[name][order], descending)]
        return self.select(order)

    def with_columns(self, columns: Mapping[str, ArrayLike], extra: Sequence[Column] = ()) -> Table:
        """The table with some columns replaced, and with further ones that are declared in `extra`.

        Raises
        ------
        UnknownName
            A column is neither in the table nor declared.
        UsageError
            A column is of another kind or another length.
        """
        changed = {**self.columns, **{name: np.asarray(values) for name, values in columns.items()}}
        return Table(self.kind, changed, (*self.extra, *extra))

    def to_astropy(self) -> AstropyTable:
        """An astropy table with the units, descriptions and UCDs of the schema; its columns are copies."""
        from astropy.table import Table as AstropyTable  # late: astropy.table is slow to import

        result = AstropyTable(
            {name: values.copy() for name, values in self.columns.items()}, meta={"table": self.kind}
        )
        for each in self.declared:
            column = result[each.name]
            column.unit = each.unit or None
            column.description = each.meaning
            column.meta["ucd"] = each.ucd
        return result

    @overload
    def __getitem__(self, name: str) -> Values: ...
    @overload
    def __getitem__(self, name: slice | Rows) -> Table: ...
    def __getitem__(self, name: str | slice | Rows) -> Values | Table:
        if isinstance(name, slice):
            return self.select(np.arange(len(self))[name])
        if not isinstance(name, str):
            return self.select(name)
        if name not in self.columns:
            raise UnknownName(f"the table {self.kind} has no such column", got=name, allowed=self.columns)
        return self.columns[name]

    def __getattr__(self, name: str) -> Values:
        columns = self.__dict__.get("columns", {})
        if name not in columns:
            raise AttributeError(f"the table {self.__dict__.get('kind')} has no column {name!r}")
        return columns[name]  # type: ignore[no-any-return]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.columns]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.ids)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        if self.kind != other.kind or self.names != other.names or len(self) != len(other):
            return False
        return all(_same(self.columns[name], other.columns[name]) for name in self.columns)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        more = f" + {len(self.extra)}" if self.extra else ""
        return f"Table({self.kind!r}, {len(self)} rows, {len(self.columns) - len(self.extra)}{more} columns)"

    def __reduce__(self) -> tuple[object, ...]:
        return Table, (self.kind, dict(self.columns), self.extra)


def _numpy_dtype(declared: Column) -> np.dtype[Any]:
    return np.dtype("<U1" if declared.dtype == "str" else declared.dtype)


def _as_column(values: Values, declared: Column) -> Values:
    """The values as a read-only array of the declared kind.

    Raises
    ------
    UsageError
        The values are of another kind, or are not a list of single values.
    """
    given = np.asarray(values)
    if given.ndim != 1:
        raise UsageError(
            f"the column {declared.name} must have one value a row", got=f"an array of shape {given.shape}"
        )
    kind = given.dtype.kind
    if given.size == 0:
        result = np.empty(0, dtype=_numpy_dtype(declared))
    elif declared.dtype == "str" and kind == "U":
        result = _as_text(given, declared.name)
    elif declared.dtype == "bool" and kind == "b":
        result = given.astype(np.bool_)
    elif declared.dtype == "float64" and kind in "fiu":
        result = given.astype(np.float64)
    elif declared.dtype == "int64" and (kind in "iu" or _whole(given)):
        result = given.astype(np.int64)
    else:
        raise UsageError(
            f"the column {declared.name} holds another kind of value",
            got=str(given.dtype),
            allowed=declared.dtype,
        )
    result.setflags(write=False)
    return result


def _whole(given: Values) -> bool:
    """True for floats that are all finite whole numbers which int64 holds exactly."""
    return given.dtype.kind == "f" and bool(np.all((np.abs(given) <= 2.0**53) & (np.floor(given) == given)))


def _as_text(given: Values, name: str) -> Values:
    """The texts as an array as wide as the longest of them.

    They must be printable ASCII without blanks at the ends, which every format keeps.

    Raises
    ------
    UsageError
        A text has other characters.
    """
    text = given.astype(np.str_)
    codes = text.view(np.uint32).reshape(len(text), -1)  # (row, character); 0 after the end
    width = max(1, int(np.max(np.sum(codes != 0, axis=1), initial=1)))
    plain = np.all((codes == 0) | ((codes >= 32) & (codes < 127)))
    if not plain or np.any(np.strings.strip(text) != text):
        raise UsageError(
            f"the column {name} holds text that not every format can keep",
            allowed="printable ASCII without blanks at its ends",
        )
    return text.astype(f"<U{width}")


def _same(left: Values, right: Values) -> bool:
    if left.dtype.kind != right.dtype.kind:
        return False
    return bool(np.array_equal(left, right, equal_nan=left.dtype.kind == "f"))


def _row_numbers(rows: Rows, length: int) -> NDArray[np.int64]:
    """The numbers of the rows that a mask or a list of numbers picks.

    Raises
    ------
    UsageError
        The mask has another length, or a number is not that of a row.
    """
    given = np.asarray(rows)
    if given.dtype.kind == "b":
        if given.shape != (length,):
            raise UsageError("a mask must have one value a row", got=given.shape, allowed=f"({length},)")
        return np.flatnonzero(given).astype(np.int64)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise UsageError(
            "rows are picked by a mask or by row numbers", got=f"{given.dtype} of shape {given.shape}"
        )
    picked = given.astype(np.int64)
    if picked.size and (picked.min() < -length or picked.max() >= length):
        raise UsageError(
            "no such row",
            got=int(picked.max() if picked.max() >= length else picked.min()),
            allowed=f"0 to {length - 1}",
        )
    return picked


def _stable_order(values: Values, descending: bool) -> NDArray[np.int64]:
    """The order of the values, equal ones as they come, NaN last in both directions."""
    if not descending:
        return np.argsort(values, kind="stable").astype(np.int64)
    number = np.unique(values, return_inverse=True)[1].astype(np.int64)  # rank among the distinct values
    if values.dtype.kind == "f":
        number[np.isnan(values)] = -1
    return np.argsort(-number, kind="stable").astype(np.int64)


def _twice(names: Sequence[str]) -> str:
    return ", ".join(sorted({name for name in names if list(names).count(name) > 1}))

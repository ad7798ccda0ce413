"""What the formats of tables share: a catalogue becomes files, the columns of a file become a `Table`."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from astropy.units import Unit
from numpy.typing import NDArray

from skysift.base.errors import FormatError, OutputError, SkysiftError, UsageError
from skysift.base.provenance import Provenance
from skysift.io.output import whole_file
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue
from skysift.sky.schema import Column, Kind, TableName
from skysift.sky.table import ID_OF, Table, Values

__all__ = [
    "FileFormat",
    "FoundColumn",
    "WritableTable",
    "provenance_from_json",
    "provenance_to_json",
    "reading",
    "table_from_columns",
]


class WritableTable(Protocol):
    """What can be written: columns with their declarations; a `Table`, or what matching makes."""

    @property
    def kind(self) -> str:
        """What the rows are."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""

    @property
    def declared(self) -> tuple[Column, ...]:
        """The declarations of the columns, in order."""

    def select(self, rows: NDArray[np.int64]) -> WritableTable:
        """The rows with these numbers."""

    def __getitem__(self, name: str) -> Values:
        """The values of a column."""

    def __len__(self) -> int:
        """The number of rows."""


class FileFormat(ABC):
    """A format of tables, one table a file; the base of the plug-ins of the kind ``format``."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]  # the first is the one that is written

    def write(
        self,
        catalogue: Catalogue,
        path: str | Path,
        table: TableName | None = None,
        *,
        overwrite: bool = False,
    ) -> tuple[Path, ...]:
        """The files written: one table into the file `path`, or all three into the folder `path`.

        The bytes depend on the catalogue and nothing else. A file comes under its name only when it is whole.

        Raises
        ------
        UnknownName
            There is no such table.
        OutputError
            A file exists and `overwrite` is false, or the place cannot be written.
        StorageError
            The disk is full.
        """
        if table is not None:
            return (
                self.write_table(catalogue.table(table), path, catalogue.provenance, overwrite=overwrite),
            )
        folder = Path(path)
        targets = {name: folder / f"{name}{self.suffixes[0]}" for name in schema.TABLES}
        taken = [target for target in targets.values() if target.exists()]
        if taken and not overwrite:
            raise OutputError(
                "the file exists", got=str(taken[0]), todo="choose another folder, or overwrite it"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder ({error.strerror})", got=str(folder)) from error
        for name, target in targets.items():
            self.write_table(catalogue.table(name), target, catalogue.provenance, overwrite=overwrite)
        return tuple(targets.values())

    def write_table(
        self,
        table: WritableTable,
        path: str | Path,
        provenance: Provenance | None = None,
        *,
        overwrite: bool = False,
    ) -> Path:
        """The file written: this table.

        Raises
        ------
        OutputError
            The file exists and `overwrite` is false, or the place cannot be written.
        StorageError
            The disk is full.
        """
        with whole_file(path, overwrite=overwrite) as part:
            self._save(table, provenance, part)
        return Path(path)

    def read(self, path: str | Path) -> Table:
        """The table in a file.

        Raises
        ------
        UsageError
            There is no such file.
        FormatError
            The file is not of this format, or not a table of skysift.
        """
        return self.load(path)[0]

    def load(self, path: str | Path) -> tuple[Table, Provenance | None]:
        """The table in a file, and how it was made where the file tells.

        Raises
        ------
        UsageError
            There is no such file.
        FormatError
            The file is not of this format, or not a table of skysift.
        """
        if not Path(path).is_file():
            raise UsageError("no such file", got=str(path))
        return self._load(Path(path))

    @abstractmethod
    def _save(self, table: WritableTable, provenance: Provenance | None, path: Path) -> None:
        """Write the file."""

    @abstractmethod
    def _load(self, path: Path) -> tuple[Table, Provenance | None]:
        """Read the file, which exists."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


@dataclass(frozen=True, eq=False)
class FoundColumn:
    """A column as a file has it: values, and what the file says of them; None where it cannot say."""

    values: Values
    unit: str | None = None
    ucd: str | None = None
    meaning: str | None = None


def table_from_columns(found: Mapping[str, FoundColumn], path: Path) -> Table:
    """The table that these columns of a file are; columns that the schema does not know are kept at its end.

    Raises
    ------
    FormatError
        They are not those of a table of skysift, or one has another unit or another kind of values.
    """
    kind = _kind_of(found, path)
    declared = schema.columns(kind)
    for each in declared:
        unit = found[each.name].unit
        if unit is not None and not _same_unit(unit, each.unit):
            raise FormatError(
                f"{path}: the column {each.name} has another unit", got=unit, allowed=each.unit or "none"
            )
    extra = tuple(
        Column(
            name,
            _dtype_of(column.values, name, path),
            column.unit or "",
            column.ucd or "",
            column.meaning or "",
            (kind,),
        )
        for name, column in found.items()
        if name not in schema.names(kind)
    )
    try:
        return Table(kind, {name: column.values for name, column in found.items()}, extra)
    except UsageError as error:
        raise FormatError(f"{path}: {error}") from error


@contextmanager
def reading(path: Path, format_name: str, *errors: type[Exception]) -> Iterator[None]:
    """Inside, what a library raises about a broken file becomes a FormatError of one line.

    Raises
    ------
    FormatError
        A library raised one of `errors`.
    """
    try:
        yield
    except SkysiftError:
        raise
    except errors as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise FormatError(f"{path} cannot be read as {format_name} ({reason})") from error


def provenance_to_json(provenance: Provenance) -> str:
    """The provenance as one line of ASCII."""
    return json.dumps(provenance.to_dict(), ensure_ascii=True)


def provenance_from_json(text: str, path: Path) -> Provenance:
    """The provenance that `provenance_to_json` told of.

    Raises
    ------
    FormatError
        The text is something else.
    """
    with reading(
        path, "a table of skysift: its provenance is broken", ValueError, KeyError, TypeError, AttributeError
    ):
        return Provenance.from_dict(json.loads(text))


def _kind_of(found: Mapping[str, FoundColumn], path: Path) -> TableName:
    """The table of the schema whose columns are all there.

    Raises
    ------
    FormatError
        There is none.
    """
    for kind in ("components", "sources", "islands"):
        if ID_OF[kind] in found:
            missing = [name for name in schema.names(kind) if name not in found]
            if not missing:
                return kind
            raise FormatError(
                f"{path} is not a table of skysift: it lacks columns of {kind}", got=", ".join(missing)
            )
    raise FormatError(
        f"{path} is not a table of skysift",
        got=f"the columns {', '.join(list(found)[:6])}" if found else "no columns",
        allowed=[f"a table with {key}" for key in ID_OF.values()],
    )


def _same_unit(found: str, declared: str) -> bool:
    """True where two strings mean one unit, however they are spelt."""
    if found == declared:
        return True
    return bool(Unit(found, parse_strict="silent") == Unit(declared))


def _dtype_of(values: Values, name: str, path: Path) -> Kind:
    """The kind of values of a column that the schema does not know.

    Raises
    ------
    FormatError
        A table of skysift has no such values.
    """
    kinds: dict[str, Kind] = {"b": "bool", "i": "int64", "u": "int64", "f": "float64", "U": "str"}
    kind = np.asarray(values).dtype.kind
    if kind not in kinds or np.asarray(values).ndim != 1:
        raise FormatError(f"{path}: the column {name} holds values that no table can", got=str(values.dtype))
    return kinds[kind]

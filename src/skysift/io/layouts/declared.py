"""`DeclaredLayout`: a layout that is a list of columns, each with its name, its unit and its place in the schema.

What reads and writes is the same for all of them; a layout adds what is peculiar to it by `complete` (after
reading) and `fill` (before writing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, UnknownName, UsageError
from skysift.io.format import FoundColumn
from skysift.io.layouts.containers import Foreign, is_number, load, sight
from skysift.io.layouts.conversion import factor, sexagesimal_degrees
from skysift.io.layouts.writing import Columns, save_csv, save_fits, save_text, save_votable
from skysift.io.output import whole_file
from skysift.sky import schema
from skysift.sky.flags import flag
from skysift.sky.schema import Column, Kind, TableName
from skysift.sky.table import ID_OF, Table, Values

__all__ = [
    "DeclaredLayout",
    "Filled",
    "Marks",
    "Place",
    "Places",
    "Written",
    "recast",
    "table_of",
    "values_of",
]

Filled: TypeAlias = dict[str, Values]
Places: TypeAlias = Mapping[TableName, "tuple[Place, ...]"]
Marks: TypeAlias = Mapping[TableName, frozenset[str]]
Written: TypeAlias = Literal["fits", "votable", "csv", "text"]

_SUFFIXES: Mapping[str, Written] = {
    ".fits": "fits", ".fit": "fits", ".fts": "fits",
    ".vot": "votable", ".votable": "votable", ".xml": "votable",
    ".csv": "csv",
}  # fmt: skip
_ANGLES = ("pa", "pa_deconv")
_DTYPES: Mapping[Kind, Any] = {"int64": np.int64, "float64": np.float64, "bool": np.bool_, "str": np.str_}
_BLANK: Mapping[Kind, Any] = {"int64": 0, "float64": np.nan, "bool": False, "str": ""}


@dataclass(frozen=True)
class Place:
    """One column of a foreign layout.

    Parameters
    ----------
    theirs
        Its name there.
    ours
        The column of the schema that it is; empty where the schema has none, or where the layout itself
        makes one from the other.
    unit
        Its unit there; that of a file, where the file tells one, goes before it.
    dtype
        The kind of its values, for a column without `ours`.
    also
        Other names that versions of the program gave it.
    needed
        A file without it is refused.
    unknown
        The number that stands there for what is not known.
    ucd
        Its UCD there, where it is not that of the schema.
    further
        It is written only where the table has the column `ours`.
    constant
        What is written where there is nothing to write.
    special
        The layout converts it in its own way, by `complete` and `fill`.
    """

    theirs: str
    ours: str = ""
    unit: str = ""
    dtype: Kind = "float64"
    also: tuple[str, ...] = ()
    needed: bool = False
    unknown: float | None = None
    ucd: str = ""
    further: bool = False
    constant: float | str | None = None
    special: bool = False

    @property
    def declared(self) -> Column:
        """The column as a file of this layout declares it."""
        if not self.ours:
            return Column(self.theirs, self.dtype, self.unit, self.ucd, "", ("components",))
        own = schema.column(self.ours)
        dtype = self.dtype if self.dtype != "float64" else own.dtype
        return Column(self.theirs, dtype, self.unit, self.ucd or own.ucd, own.meaning, own.tables)


class DeclaredLayout:
    """A layout declared by its columns; the base of the plug-ins of the kind ``layout`` that are lists of columns."""

    name: ClassVar[str]
    title: ClassVar[str]
    places: ClassVar[Mapping[TableName, tuple[Place, ...]]]
    marks: ClassVar[
        Mapping[TableName, frozenset[str]]
    ]  # names that tell such a table; the first that fits is it
    suffixes: ClassVar[tuple[str, ...]]
    sky: ClassVar[tuple[str, str]]  # names of the position columns

    @property
    def tables(self) -> tuple[TableName, ...]:
        """The kinds of tables that it holds, the usual one first."""
        return tuple(self.places)

    def matches(self, path: Path) -> bool:
        """True where the names of the columns are those of this layout."""
        return self._kind_of(sight(path).names) is not None

    def read(self, path: Path) -> Table:
        """The catalogue as a table of the schema.

        Raises
        ------
        UsageError
            There is no such file.
        FormatError
            The file is broken, is of another layout, lacks a column, or has one in a unit that cannot be
            converted.
        """
        kind = self._kind_of(sight(path).names)
        if kind is None:
            raise FormatError(
                f"{path} is no catalogue of {self.title}",
                got=f"the columns {', '.join(sight(path).names[:6])}" if sight(path).names else "no columns",
                allowed=[f"{table} with {', '.join(sorted(names))}" for table, names in self.marks.items()],
            )
        foreign = load(path)
        places = self.places[kind]
        missing = [each.theirs for each in places if each.needed and _found(foreign, each) is None]
        if missing:
            raise FormatError(f"{path} lacks columns of {self.title}", got=", ".join(missing))
        filled: Filled = {}
        for each in places:
            column = _found(foreign, each)
            if each.ours and column is not None and not each.special:
                filled[each.ours] = values_of(column, each.ours, path, unit=each.unit, unknown=each.unknown)
        self.complete(kind, filled, foreign)
        return table_of(kind, filled, path, len(foreign))

    def write(self, table: Table, path: Path, *, overwrite: bool = False) -> Path:
        """The file written: this table in this layout; sources stand for components, and the other way round.

        Raises
        ------
        UsageError
            The layout has no place for a table of this kind.
        UnknownName
            The layout is not written into files that end so.
        OutputError
            The file exists and `overwrite` is false, or it cannot be written.
        StorageError
            The disk is full.
        """
        kind = self.kind_for(table.kind)
        container = self._container(path)
        given = recast(table, kind)
        made = self.fill(kind, given)
        columns: list[tuple[Column, Values]] = []
        for each in self.places[kind]:
            if each.further and each.ours not in given:
                continue
            if each.theirs in made:
                values = made[each.theirs]
            elif each.ours in given and not each.special:
                values = _theirs(given[each.ours], each)
            else:
                blank = each.constant if each.constant is not None else _BLANK[each.declared.dtype]
                values = np.full(len(given), blank)
                values = values.astype(np.float64 if values.dtype.kind == "f" else values.dtype)
            columns.append((each.declared, values))
        with whole_file(path, overwrite=overwrite) as part:
            self.save(columns, given, container, part)
        return path

    def kind_for(self, kind: TableName) -> TableName:
        """The table of the layout that takes a table of this kind.

        Raises
        ------
        UsageError
            There is none.
        """
        if kind in self.places:
            return kind
        other: Mapping[TableName, TableName] = {"sources": "components", "components": "sources"}
        if other.get(kind) in self.places:
            return other[kind]
        raise UsageError(f"the layout {self.name} has no {kind}", got=kind, allowed=self.tables)

    def save(self, columns: Columns, table: Table, container: Written, path: Path) -> None:
        """Write the columns that are those of a table."""
        if container == "fits":
            save_fits(columns, path, self.title)
        elif container == "votable":
            save_votable(columns, path, self.title, f"{self.name} {table.kind}", self.sky)
        elif container == "csv":
            save_csv(columns, path)
        else:
            save_text(columns, path, (), tabs=True, bare=True)

    def complete(self, kind: TableName, filled: Filled, foreign: Foreign) -> None:
        """Add to the columns that were read what the layout tells in its own way."""

    def fill(self, kind: TableName, table: Table) -> Filled:
        """The columns, by their foreign names, that the layout makes in its own way."""
        return {}

    def _kind_of(self, names: tuple[str, ...]) -> TableName | None:
        there = set(names)
        return next((kind for kind, wanted in self.marks.items() if wanted <= there), None)

    def _container(self, path: Path) -> Written:
        """The container that the end of a file's name asks for.

        Raises
        ------
        UnknownName
            The layout is not written so.
        """
        suffix = path.suffix.lower()
        if suffix not in self.suffixes:
            raise UnknownName(
                f"the layout {self.name} is not written into files that end so",
                got=path.name,
                allowed=self.suffixes,
            )
        return _SUFFIXES.get(suffix, "text")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _found(foreign: Foreign, place: Place) -> FoundColumn | None:
    return next(
        (foreign.columns[name] for name in (place.theirs, *place.also) if name in foreign.columns), None
    )


def values_of(
    column: FoundColumn,
    ours: str,
    path: Path,
    *,
    unit: str = "",
    unknown: float | None = None,
    untold: str = "",
) -> Values:
    """The values of a foreign column as the column `ours` of the schema has them: unit, kind, range of angles.

    Parameters
    ----------
    column
        As the file has it; its own unit goes before `unit`.
    ours
        The column of the schema.
    path
        For messages.
    unit
        The unit of the layout.
    unknown
        The number that stands for what is not known.
    untold
        What to do where neither the file nor the layout tells a unit and one is needed.

    Raises
    ------
    FormatError
        The unit cannot be converted, or the values are of another kind.
    """
    declared = schema.column(ours)
    values = column.values
    if declared.dtype == "str":
        text = values
        if values.dtype.kind != "U":
            text = np.char.mod("%d" if values.dtype.kind in "iu" else "%g", values)
            text = np.where(text == "nan", "", text)
        return _printable(text)
    found = column.unit or unit
    if values.dtype.kind == "U":
        if ours in ("ra", "dec"):
            values, found = _angles(values, ours, path), "deg"
        else:
            values = _no_numbers(values, ours, path)
    if declared.dtype == "int64":
        if values.dtype.kind == "f":
            whole = np.where(np.isfinite(values), values, 0.0)
            if np.any(np.floor(whole) != whole):
                raise FormatError(f"{path}: the column for {ours} does not hold whole numbers")
            return whole.astype(np.int64)
        return values.astype(np.int64)
    if declared.dtype == "bool":
        known = np.where(np.isnan(values), 0, values) if values.dtype.kind == "f" else values
        return np.asarray(known != 0)
    return _numbers(values.astype(np.float64), declared, found, path, unknown, untold)


def _numbers(
    numbers: NDArray[np.float64], declared: Column, found: str, path: Path, unknown: float | None, untold: str
) -> NDArray[np.float64]:
    """Numbers in the unit of the schema; errors below 0 and the number for the unknown are NaN."""
    scale: float | None = 1.0
    if declared.unit:
        if not found and untold:
            raise FormatError(f"{path} does not tell the unit of the column for {declared.name}", todo=untold)
        scale = factor(found, declared.unit) if found else 1.0
    if scale is None:
        raise FormatError(
            f"{path}: the unit of the column for {declared.name} cannot be converted",
            got=found,
            allowed=f"what {declared.unit} can be made of",
        )
    if unknown is not None:
        numbers = np.where(numbers == unknown, np.nan, numbers)
    if declared.name.endswith("_err"):
        numbers = np.where(numbers < 0, np.nan, numbers)
    result = numbers if scale == 1.0 else numbers * scale
    if declared.name in _ANGLES:
        return _within(result, 180.0)
    return _within(result, 360.0) if declared.name == "ra" else result


def _within(angles: NDArray[np.float64], circle: float) -> NDArray[np.float64]:
    """Angles in [0, circle); those that are there already keep every bit."""
    with np.errstate(invalid="ignore"):
        turned = np.mod(angles, circle)
    turned = np.where(turned == circle, 0.0, turned)
    return np.where((angles >= 0) & (angles < circle), angles, turned)


def _angles(texts: Values, ours: str, path: Path) -> NDArray[np.float64]:
    angles = sexagesimal_degrees(texts, hours=ours == "ra")
    return _no_numbers(texts, ours, path) if angles is None else angles


def _no_numbers(texts: Values, ours: str, path: Path) -> NDArray[np.float64]:
    """NaN for texts that are all blank.

    Raises
    ------
    FormatError
        They are not.
    """
    blank = np.isin(np.strings.lower(texts), ["", "nan", "--", "null", "none"])
    if not np.all(blank):
        raise FormatError(
            f"{path}: the column for {ours} does not hold numbers", got=_first_word(texts[~blank])
        )
    return np.full(len(texts), np.nan)


def _first_word(texts: Values) -> str:
    """The first of the texts that is no number, else the first."""
    return next((str(text) for text in texts if not is_number(str(text))), str(texts[0]))


def _printable(texts: Values) -> Values:
    """Texts without what no format can keep: other characters than printable ASCII become ``?``."""
    plain = np.array(texts, dtype=np.str_)
    if not plain.size:
        return np.empty(0, dtype="<U1")
    codes = plain.view(np.uint32).reshape(len(plain), -1).copy()
    codes[(codes != 0) & ((codes < 32) | (codes > 126))] = ord("?")
    return np.strings.strip(codes.view(plain.dtype).reshape(len(plain)))


def _theirs(values: Values, place: Place) -> Values:
    """Values of the schema as the place has them."""
    own = schema.column(place.ours)
    if own.dtype == "float64":
        scale = factor(place.unit, own.unit) if own.unit and place.unit else 1.0
        assert scale is not None, place
        result = values if scale == 1.0 else values * (1.0 / scale)
        if place.unknown is not None:
            result = np.where(np.isnan(result), place.unknown, result)
        return np.asarray(result)
    return values.astype(np.int64) if own.dtype == "bool" else values


def table_of(kind: TableName, filled: Filled, path: Path, length: int) -> Table:
    """The table of these columns; the others say that nothing is known.

    Ids are numbered from 1 where there are none, ``flux`` is ``flux_int``, ``snr`` is worked out, and rows
    without a position have the flag ``off_sky``.

    Raises
    ------
    FormatError
        A number of a row comes twice, or a declination lies beyond the poles.
    """
    columns: Filled = {}
    for each in schema.columns(kind):
        blank = np.full(length, _BLANK[each.dtype], dtype=_DTYPES[each.dtype])
        columns[each.name] = np.asarray(filled.get(each.name, blank)).copy()
    further = tuple(each for each in schema.further(kind) if each.name in filled)
    columns |= {each.name: np.asarray(filled[each.name]) for each in further}
    key = ID_OF[kind]
    if key not in filled:
        columns[key] = np.arange(1, length + 1)
    ids, counts = np.unique(columns[key], return_counts=True)
    if np.any(counts > 1):
        raise FormatError(
            f"{path}: a number of the {kind} comes more than once",
            got=f"{int(ids[counts > 1][0])}, {int(counts[counts > 1][0])} times",
            todo="`--from named` numbers the rows anew",
        )
    if np.any(np.abs(columns["dec"]) > 90):
        worst = columns["dec"][np.abs(columns["dec"]) > 90][0]
        raise FormatError(
            f"{path}: a declination lies beyond the poles", got=float(worst), allowed="-90 to 90 deg"
        )
    if "flux" in columns and "flux" not in filled:
        columns["flux"], columns["flux_err"] = columns["flux_int"].copy(), columns["flux_int_err"].copy()
    if "snr" not in filled:
        rms = np.where(columns["rms"] > 0, columns["rms"], np.nan)
        columns["snr"] = columns["flux_peak"] / rms
    lost = ~(np.isfinite(columns["ra"]) & np.isfinite(columns["dec"]))
    columns["flags"] = columns["flags"] | np.where(lost, flag("off_sky"), 0)
    return Table(kind, columns, further)


def recast(table: Table, kind: TableName) -> Table:
    """The table as one of another kind: the columns that both have, the numbers of the rows, the rest unknown."""
    if table.kind == kind:
        return table
    shared = {name: table[name] for name in schema.names(kind) if name in table}
    shared[ID_OF[kind]] = table.ids
    further = tuple(each for each in schema.further(kind) if each.name in table)
    shared |= {each.name: table[each.name] for each in further}
    filled = {
        each.name: shared.get(each.name, np.full(len(table), _BLANK[each.dtype], dtype=_DTYPES[each.dtype]))
        for each in (*schema.columns(kind), *further)
    }
    return Table(kind, filled, further)

"""What a foreign file holds: names, values and units of its columns, in whatever container they are.

Containers are FITS, VOTable, Parquet, CSV, text with a line of names (behind ``#`` or not, separated by blanks
or tabs, perhaps with a line of units), and the machine-readable tables of CDS.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, SkysiftError, UsageError
from skysift.io.cards import read_hdus
from skysift.io.format import FoundColumn, reading
from skysift.sky.table import Values

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Container", "Foreign", "Sight", "is_number", "load", "sight"]

Container: TypeAlias = Literal["fits", "votable", "parquet", "csv", "text", "mrt", ""]

_HEAD = 2**18  # bytes in which the names of the columns are looked for
_UNIT_WORD = re.compile(r"--|\[[^\]]*\]|\([^)]*\)")


@dataclass(frozen=True)
class Sight:
    """What the beginning of a file tells: its container, the names of its columns, their units, its comments."""

    container: Container
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    comments: str = ""
    delimiter: str = ""  # of a text: a tab, or nothing for blanks
    skip: int = 0  # lines of a text before its rows that are no comments


@dataclass(frozen=True, eq=False)
class Foreign:
    """The columns of a foreign file, and what its header tells by name."""

    path: Path
    container: Container
    columns: Mapping[str, FoundColumn]
    told: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return next((len(each.values) for each in self.columns.values()), 0)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """The numbers of a column; NaN where there is none, or it is blank.

        Raises
        ------
        FormatError
            It holds texts.
        """
        found = self.columns.get(name)
        if found is None or (found.values.dtype.kind == "U" and not np.any(found.values != "")):
            return np.full(len(self), np.nan)
        if found.values.dtype.kind == "U":
            raise FormatError(
                f"{self.path}: the column {name} does not hold numbers", got=str(found.values[0])
            )
        return found.values.astype(np.float64)

    def texts(self, name: str) -> Values:
        """The texts of a column, whole numbers as texts; empty where there is none."""
        found = self.columns.get(name)
        if found is None:
            return np.full(len(self), "", dtype="<U1")
        return found.values if found.values.dtype.kind == "U" else np.char.mod("%d", found.values)


def sight(path: Path) -> Sight:
    """What the beginning of a file tells; of a file that is no table, a sight without container.

    Raises
    ------
    UsageError
        There is no such file.
    """
    if not path.is_file():
        raise UsageError("no such file", got=str(path))
    facts = path.stat()
    return _sight(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=8)
def _sight(path: Path, _size: int, _changed: int) -> Sight:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"SIMPLE  ="):
        return _fits_sight(path)
    if head.startswith(b"PAR1"):
        return _parquet_sight(path)
    if b"\0" in head:
        return Sight("")
    text = head.decode("utf-8", "replace")
    if re.search(r"<(\w+:)?VOTABLE\b", text):
        return _votable_sight(text)
    lines = text.splitlines()
    if any("Byte-by-byte" in line for line in lines[:400]):
        return _mrt_sight(lines)
    return _text_sight(lines[:-1] if len(head) == _HEAD else lines)


def load(path: Path) -> Foreign:
    """The columns of a file; texts without blanks around them, missing numbers as NaN.

    Raises
    ------
    UsageError
        There is no such file.
    FormatError
        The file is no table, or is broken.
    """
    seen = sight(path)
    if seen.container == "fits":
        return _load_fits(path)
    if seen.container == "votable":
        return _load_votable(path)
    if seen.container == "parquet":
        return _load_parquet(path)
    if seen.container == "mrt":
        return _load_mrt(path)
    if seen.container in ("csv", "text"):
        return _load_text(path, seen)
    raise FormatError(f"{path} is no table", allowed="FITS, VOTable, Parquet, CSV, text or a table of CDS")


# -- FITS


def _fits_sight(path: Path) -> Sight:
    try:
        hdus = read_hdus(str(path))
    except SkysiftError:
        return Sight("fits")
    table = next((hdu for hdu in hdus if hdu.kind == "table"), None)
    if table is None:
        return Sight("fits")
    numbers = range(1, table.header.count("TFIELDS") + 1)
    return Sight(
        "fits",
        tuple(table.header.text(f"TTYPE{number}") for number in numbers),
        tuple(table.header.text(f"TUNIT{number}") for number in numbers),
    )


def _load_fits(path: Path) -> Foreign:
    from astropy.io import fits  # late: sights do without

    broken = (OSError, ValueError, KeyError, IndexError, TypeError, UserWarning)
    with reading(path, "FITS", *broken), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message=".*truncated.*")
        with fits.open(path, memmap=False) as hdus:
            kinds = (fits.BinTableHDU, fits.TableHDU)
            tables = [
                each for each in hdus if isinstance(each, kinds) and not isinstance(each, fits.CompImageHDU)
            ]
            if not tables:
                raise FormatError(f"{path} holds no table")
            hdu = tables[0]
            if hdu.data is None:
                return Foreign(path, "fits", {})
            columns = {}
            for each in hdu.columns:
                values = np.asarray(hdu.data[each.name])
                if values.ndim == 1 and values.dtype.kind in "SUiufb":
                    gone = values == each.null if isinstance(each.null, int) else None
                    columns[each.name] = FoundColumn(_plain(values, gone), each.unit or None)
            told = {str(key): str(value) for key, value in hdu.header.items() if key}
    return Foreign(path, "fits", columns, told)


# -- VOTable


def _votable_sight(text: str) -> Sight:
    names, units = [], []
    for tag in re.findall(r"<(?:\w+:)?FIELD\b([^>]*)>", text):
        told = dict(re.findall(r"(\w+)\s*=\s*[\"']([^\"']*)[\"']", tag))
        names.append(told.get("name", ""))
        units.append(told.get("unit", ""))
    return Sight("votable", tuple(names), tuple(units))


def _load_votable(path: Path) -> Foreign:
    from astropy.io.votable import parse  # late: sights do without

    broken = (ValueError, TypeError, KeyError, IndexError, OSError, SyntaxError)
    with reading(path, "VOTable", *broken), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        document = parse(path, verify="ignore")
        table = next(iter(document.iter_tables()), None)
        if table is None:
            raise FormatError(f"{path} holds no table")
        columns = {}
        for each in table.fields:
            values = table.array[each.ID]
            if values.ndim == 1:
                unit = None if each.unit is None else str(each.unit)
                columns[each.name] = FoundColumn(
                    _plain(np.ma.getdata(values), np.ma.getmaskarray(values)), unit
                )
        told = {str(each.name): str(each.value) for each in (*table.params, *table.infos)}
        systems = [*document.coordinate_systems]
        for resource in document.resources:
            told |= {str(each.name): str(each.value) for each in resource.infos}
            systems += resource.coordinate_systems
        told["COOSYS"] = " ".join(str(each.system) for each in systems if each.system)
    return Foreign(path, "votable", columns, told)


# -- Parquet


def _parquet_sight(path: Path) -> Sight:
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError):
        return Sight("parquet")
    units = [(each.metadata or {}).get(b"unit", b"").decode() for each in schema]
    return Sight("parquet", tuple(schema.names), tuple(units))


def _load_parquet(path: Path) -> Foreign:
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.parquet as pq

    with reading(path, "Parquet", pa.ArrowException, OSError):
        content = pq.read_table(path, use_threads=False)
        units = sight(path).units
        columns = {}
        for name, unit in zip(content.column_names, units, strict=True):
            column = content.column(name)
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                columns[name] = FoundColumn(_texts(column), unit or None)
            elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
                columns[name] = FoundColumn(_plain(np.asarray(column.to_numpy()), None), unit or None)
            elif pa.types.is_boolean(column.type) and column.null_count == 0:
                columns[name] = FoundColumn(np.asarray(column.to_numpy(), dtype=np.bool_), unit or None)
    return Foreign(path, "parquet", columns)


# -- tables of CDS


def _mrt_sight(lines: list[str]) -> Sight:
    form = re.compile(r"^\s*(?:\d+\s*-\s*)?\d+\s+[AIFED]\d+(?:\.\d+)?\s+(\S+)\s+(\S+)")
    found = [match.groups() for match in map(form.match, lines) if match]
    return Sight("mrt", tuple(name for _, name in found), tuple(unit for unit, _ in found))


def _load_mrt(path: Path) -> Foreign:
    from astropy.io import ascii as tables  # late: it is slow to import

    broken = (ValueError, TypeError, KeyError, IndexError, OSError, tables.InconsistentTableError)
    with reading(path, "a machine-readable table of CDS", *broken), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = tables.read(path, format="mrt")
        columns = {}
        for name in content.colnames:
            column = content[name]
            unit = None if column.unit is None else str(column.unit)
            gone = np.ma.getmaskarray(np.ma.asarray(column))
            columns[name] = FoundColumn(_plain(np.asarray(np.ma.getdata(column)), gone), unit)
    return Foreign(path, "mrt", columns)


# -- CSV and text


def _text_sight(lines: list[str]) -> Sight:
    """The names of a text: a line of them without ``#``, or the last comment with as many words as the rows."""
    filled = [line for line in lines if line.strip()]
    comments = [line for line in filled if line.lstrip().startswith("#")]
    rows = [line for line in filled if not line.lstrip().startswith("#")]
    told = "\n".join(comments)
    if rows and "," in rows[0] and not comments:
        names = next(csv.reader(rows[:1]))
        if all(names) and not any(map(is_number, names)):
            return _named("csv", names, (), told, ",", 1)
    if rows and not any(map(is_number, rows[0].split())) and len(rows[0].split()) > 2 and "," not in rows[0]:
        delimiter = "\t" if "\t" in rows[0].strip() else ""
        return _named("text", _words(rows[0], delimiter), (), told, delimiter, 1)
    if not comments:
        return Sight("")
    return _commented(comments, rows, told)


def _commented(comments: list[str], rows: list[str], told: str) -> Sight:
    """The sight of a text whose names stand in a comment, perhaps with units in the one behind it."""
    bare = [line.lstrip().lstrip("#").strip() for line in comments]
    delimiter = "\t" if "\t" in (rows[0].strip() if rows else bare[-1]) else ""
    wide = [words for words in (_words(line, delimiter) for line in bare) if len(words) > 4]
    if rows:
        count = len(_words(rows[0], delimiter))
        wide = [words for words in wide if len(words) in (count, count + 1)]
    if not wide:
        return Sight("")
    units: list[str] = []
    if all(_UNIT_WORD.fullmatch(word) for word in wide[-1]):
        units = wide.pop()
    if not wide:
        return Sight("")
    return _named("text", wide[-1], units, told, delimiter, 0)


def _named(
    container: Container, words: list[str], units: list[str] | tuple[()], told: str, delimiter: str, skip: int
) -> Sight:
    """A sight with the units that stand in brackets behind the names: ``x_wcs(deg)``."""
    names, found = [], list(units) if len(units) == len(words) else [""] * len(words)
    for number, word in enumerate(words):
        match = re.fullmatch(r"([^()\[\]]+?)\s*[\[(]([^()\[\]]*)[\])]", word.strip())
        unit = match is not None and re.search(r"jy|deg|arcs|arcm|hz|pix", match.group(2), re.IGNORECASE)
        names.append(match.group(1) if match and unit else word.strip())
        if match and unit:
            found[number] = match.group(2)
    return Sight(container, tuple(names), tuple(found), told, delimiter, skip)


def _words(line: str, delimiter: str) -> list[str]:
    return [word.strip() for word in line.split(delimiter)] if delimiter else line.split()


def is_number(word: str) -> bool:
    """True for a text that is a number, ``nan`` and ``inf`` too."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def _load_text(path: Path, seen: Sight) -> Foreign:
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.csv as pc

    names = list(seen.names)
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise FormatError(f"{path} has columns of one name", got=", ".join(double))
    with reading(path, "a text table", pa.ArrowException, OSError, UnicodeDecodeError):
        content = _rows(path, seen)
        if not content.strip():
            empty = np.empty(0)
            return Foreign(path, seen.container, {name: FoundColumn(empty) for name in names})
        count = _fields(content.split(b"\n", 1)[0], seen)
        if count == len(names) - 1 and names[-1] == "comment":  # Selavy leaves the last column blank
            names.pop()
        table = pc.read_csv(
            pa.BufferReader(content),
            read_options=pc.ReadOptions(column_names=names, use_threads=False),
            parse_options=pc.ParseOptions(
                delimiter="," if seen.container == "csv" else "\t", newlines_in_values=seen.container == "csv"
            ),
            convert_options=pc.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    columns = {
        name: FoundColumn(_typed(table.column(name)), unit or None)
        for name, unit in zip(names, seen.units, strict=False)
    }
    return Foreign(path, seen.container, columns, {"comments": seen.comments})


def _rows(path: Path, seen: Sight) -> bytes:
    """The rows alone, the words of a text of blanks separated by tabs."""
    content = path.read_bytes().replace(b"\r\n", b"\n")
    if seen.container == "csv":
        return content.partition(b"\n")[2]
    content = content.lstrip(b" \n")
    while content.startswith(b"#"):
        content = content.partition(b"\n")[2].lstrip(b" \n")
    if b"#" in content:
        content = re.sub(rb"(?m)^[ \t]*#.*(\n|\Z)", b"", content)
    if seen.skip:
        content = content.partition(b"\n")[2]
    if not seen.delimiter:
        content = content.replace(b"\t", b" ")
        while b"  " in content:  # whole passes over the bytes: far cheaper than a look at each line
            content = content.replace(b"  ", b" ")
        content = content.replace(b"\n ", b"\n").replace(b" \n", b"\n").strip(b" ").replace(b" ", b"\t")
    while b"\n\n" in content:
        content = content.replace(b"\n\n", b"\n")
    return content


def _fields(line: bytes, seen: Sight) -> int:
    return len(line.split(b"\t")) if seen.container == "text" else len(seen.names)


# -- values


def _typed(column: pa.ChunkedArray) -> Values:
    """Texts as whole numbers where all are, else as numbers, else as texts; blanks are NaN among numbers."""
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(column)
    blank = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(["", "nan", "null", "none", "--"]))
    filled = pc.if_else(blank, pa.scalar(None, pa.string()), trimmed)
    for kind in (pa.int64(), pa.float64()):
        if kind == pa.int64() and filled.null_count:
            continue
        try:
            numbers = pc.cast(filled, kind)
        except pa.ArrowInvalid:
            continue
        if filled.null_count == len(filled) and pc.all(pc.equal(trimmed, "")).as_py():
            break  # blank numbers or blank texts: nobody knows
        return np.asarray(numbers.to_numpy())
    return _texts(trimmed)


def _texts(column: pa.ChunkedArray) -> Values:
    import pyarrow.compute as pc  # late: it is slow to import

    filled = pc.fill_null(column, "")
    return (
        np.strings.strip(np.array(filled.to_pylist(), dtype=np.str_)) if len(filled) else np.empty(0, "<U1")
    )


def _plain(values: Values, gone: Values | None) -> Values:
    """Plain values in native order: missing numbers are NaN, missing texts empty, texts without blanks around."""
    if values.dtype.kind in "OSU":
        text = np.array(
            [_text(value) for value in values] if values.dtype.kind == "O" else values, dtype=np.str_
        )
        if gone is not None and len(text):
            text = np.where(gone, "", text)
        return np.strings.strip(text) if len(text) else np.empty(0, "<U1")
    if values.dtype.kind == "b":
        return values.astype(np.bool_)
    native = values.astype(values.dtype.newbyteorder("="))
    if gone is not None and np.any(gone):
        return np.where(gone, np.nan, native.astype(np.float64))
    return native


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

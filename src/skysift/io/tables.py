"""Tables in FITS, Parquet and CSV; and any table of skysift, told by what the file holds.

`skysift.io.open` calls `read_catalogue`: a file gives a catalogue with that one table filled, an output
folder of ``skysift find`` one with all three. `is_table` tells from its first bytes whether a file may hold a
table; `read_table` gives the table alone. What is not a table of skysift raises a FormatError of one line.
"""

from __future__ import annotations

import csv
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from skysift.base.errors import FormatError, UsageError
from skysift.base.provenance import Provenance
from skysift.io.format import (
    FileFormat,
    FoundColumn,
    WritableTable,
    provenance_from_json,
    provenance_to_json,
    reading,
    table_from_columns,
)
from skysift.io.votable import VOTableFormat, votable_text
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue
from skysift.sky.schema import Column
from skysift.sky.table import Table, Values

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "CsvFormat",
    "FitsFormat",
    "ParquetFormat",
    "is_table",
    "load_table",
    "read_catalogue",
    "read_table",
]

_PROVENANCE_CARD = "PROVJSON"


class FitsFormat(FileFormat):
    """FITS binary tables, one a file, in the first extension.

    TUNIT, TDISP, TUCD and TCOMM come from the schema; the provenance is told by cards that people read
    (CREATOR, FINDER, HISTORY) and by one that programs read (PROVJSON).
    """

    name = "fits"
    suffixes = (".fits", ".fit", ".fts")

    def _save(self, table: WritableTable, provenance: Provenance | None, path: Path) -> None:
        columns = [
            fits.Column(
                each.name,
                _fits_format(table[each.name]),
                each.unit or None,
                disp=_fits_display(each),
                array=table[each.name],
            )
            for each in table.declared
        ]
        hdu = fits.BinTableHDU.from_columns(columns, nrows=len(table), name=table.kind.upper())
        for number, each in enumerate(table.declared, start=1):
            hdu.header[f"TUCD{number}"] = each.ucd
            hdu.header[f"TCOMM{number}"] = each.meaning
        hdu.header["RADESYS"] = ("ICRS", "frame of ra and dec")
        if provenance is not None:
            for keyword, value, comment in provenance.cards():
                hdu.header.append((keyword, value, comment), end=True)
            hdu.header[_PROVENANCE_CARD] = provenance_to_json(provenance)
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, output_verify="exception")

    def _load(self, path: Path) -> tuple[Table, Provenance | None]:
        broken = (OSError, ValueError, KeyError, IndexError, TypeError, UserWarning)
        with reading(path, "FITS", *broken), warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*truncated.*")
            with fits.open(path, memmap=False) as hdus:
                hdu = next((each for each in hdus if isinstance(each, fits.BinTableHDU)), None)
                if hdu is None:
                    raise FormatError(f"{path} holds no table", got=[type(each).__name__ for each in hdus])
                found = _fits_columns(hdu)
                told = hdu.header.get(_PROVENANCE_CARD)
        return table_from_columns(found, path), None if told is None else provenance_from_json(told, path)


class ParquetFormat(FileFormat):
    """Parquet, with unit, UCD and meaning in the metadata of each column.

    The metadata of the file hold the provenance and, as the VOParquet convention has it, a VOTable without
    data.
    """

    name = "parquet"
    suffixes = (".parquet", ".pq")

    def _save(self, table: WritableTable, provenance: Provenance | None, path: Path) -> None:
        import pyarrow as pa  # late: it is slow to import
        import pyarrow.parquet as pq

        metadata: dict[str, str] = {"skysift.table": table.kind}
        if provenance is not None:
            metadata["skysift.provenance"] = provenance_to_json(provenance)
        metadata["IVOA.VOTable-Parquet.version"] = "1.0"
        metadata["IVOA.VOTable-Parquet.content"] = votable_text(
            table.select(np.empty(0, np.int64)), provenance
        )
        fields = [
            pa.field(
                each.name,
                _arrow_type(each),
                metadata={"unit": each.unit, "ucd": each.ucd, "description": each.meaning},
            )
            for each in table.declared
        ]
        arrays = [
            pa.array(table[each.name], type=field.type)
            for each, field in zip(table.declared, fields, strict=True)
        ]
        pq.write_table(
            pa.table(arrays, schema=pa.schema(fields, metadata=metadata)), path, compression="zstd"
        )

    def _load(self, path: Path) -> tuple[Table, Provenance | None]:
        import pyarrow as pa  # late: it is slow to import
        import pyarrow.parquet as pq

        with reading(path, "Parquet", pa.ArrowException, OSError):
            content = pq.read_table(path, use_threads=False)
            found = {}
            for field in content.schema:
                told = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
                values = _arrow_values(content.column(field.name))
                found[field.name] = FoundColumn(
                    values, told.get("unit"), told.get("ucd"), told.get("description")
                )
            provenance = (content.schema.metadata or {}).get(b"skysift.provenance")
        return table_from_columns(found, path), None if provenance is None else provenance_from_json(
            provenance.decode(), path
        )


class CsvFormat(FileFormat):
    """CSV: a line of names, then a line a row; no comments, all digits, NaN as an empty cell.

    It has no place for units and provenance; a column that the schema does not know is read as it looks.
    """

    name = "csv"
    suffixes = (".csv",)

    def _save(self, table: WritableTable, provenance: Provenance | None, path: Path) -> None:
        import pyarrow as pa  # late: it is slow to import
        import pyarrow.csv as pc

        arrays = []
        for each in table.declared:
            values = table[each.name]
            blank = np.isnan(values) if each.dtype == "float64" else None
            arrays.append(pa.array(values, type=_arrow_type(each), mask=blank))
        text = [table[each.name] for each in table.declared if each.dtype == "str"]
        quoting = (
            "needed" if any(_needs_quotes(values) for values in (*text, np.array(table.names))) else "none"
        )
        options = pc.WriteOptions(quoting_style=quoting, quoting_header=quoting)
        pc.write_csv(pa.table(arrays, names=list(table.names)), path, options)

    def _load(self, path: Path) -> tuple[Table, Provenance | None]:
        import pyarrow as pa  # late: it is slow to import
        import pyarrow.csv as pc

        with reading(path, "CSV", pa.ArrowException, OSError, UnicodeDecodeError, csv.Error):
            with path.open(encoding="utf-8", newline="") as lines:
                names = next(csv.reader(lines), [])
            known = {
                each.name: _arrow_type(each)
                for each in (*schema.COLUMNS, *schema.FURTHER)
                if each.name in names
            }
            if not set(names) & {"component_id", "source_id", "island_id"}:
                return table_from_columns({name: FoundColumn(np.empty(0)) for name in names}, path), None
            content = pc.read_csv(
                path,
                read_options=pc.ReadOptions(use_threads=False),
                convert_options=pc.ConvertOptions(
                    column_types=known, null_values=[""], strings_can_be_null=False
                ),
            )
            found = {name: FoundColumn(_arrow_values(content.column(name))) for name in content.column_names}
        return table_from_columns(found, path), None


def read_table(path: str | Path) -> Table:
    """The table in a file, whatever its format: told by content, not by name.

    Raises
    ------
    UsageError
        There is no such file.
    FormatError
        The file is not a table, or not one of skysift.
    """
    return load_table(path)[0]


def load_table(path: str | Path) -> tuple[Table, Provenance | None]:
    """The table in a file, and how it was made where the file tells.

    Raises
    ------
    UsageError
        There is no such file.
    FormatError
        The file is not a table, or not one of skysift.
    """
    reader = _format_of(Path(path))
    if reader is None:
        raise FormatError(f"{path} is no table", allowed="FITS, VOTable, Parquet or CSV")
    return reader.load(path)


def is_table(path: str | Path) -> bool:
    """True where a file begins as VOTable, Parquet or CSV does; not for FITS, which may be a map as well.

    Raises
    ------
    UsageError
        There is no such file.
    """
    found = _format_of(Path(path))
    return found is not None and not isinstance(found, FitsFormat)


def read_catalogue(path: str | Path) -> Catalogue:
    """The catalogue in an output folder of ``skysift find``, or in a file of one table, the others empty.

    Raises
    ------
    UsageError
        There is no such file or folder.
    FormatError
        It holds no table of skysift.
    """
    place = Path(path)
    found = (
        [load_table(each) for each in table_files(place).values()] if place.is_dir() else [load_table(place)]
    )
    tables = {table.kind: table for table, _ in found}
    filled = {kind: tables.get(kind, Table.empty(kind)) for kind in schema.TABLES}
    provenance = next((told for _, told in found if told is not None), None)
    return Catalogue(filled["islands"], filled["sources"], filled["components"], provenance)


def table_files(folder: Path) -> dict[schema.TableName, Path]:
    """The files of the tables in an output folder, all of one format.

    Raises
    ------
    UsageError
        It is the folder of a made sky, which holds truths.
    FormatError
        The folder does not hold the three tables in any format.
    """
    for each in (FitsFormat, ParquetFormat, VOTableFormat, CsvFormat):
        files = {kind: folder / f"{kind}{each.suffixes[0]}" for kind in schema.TABLES}
        if all(file.is_file() for file in files.values()):
            return files
    truths = sorted(each.parent.name for each in folder.glob("truth*/sources.fits"))
    if truths:
        raise UsageError(
            f"{folder} is an output folder of `skysift simulate`, and no catalogue",
            allowed=[str(folder / name) for name in truths],
            todo="name the truth inside it",
        )
    raise FormatError(
        f"{folder} is not an output folder of `skysift find`",
        allowed="one that holds islands, sources and components",
    )


def _format_of(path: Path) -> FileFormat | None:
    """The format that the first bytes of a file are of.

    Raises
    ------
    UsageError
        There is no such file.
    """
    if not path.is_file():
        raise UsageError("no such file", got=str(path))
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"SIMPLE  ="):
        return FitsFormat()
    if head.startswith(b"PAR1"):
        return ParquetFormat()
    if re.search(rb"<(\w+:)?VOTABLE\b", head):
        return VOTableFormat()
    first = head.splitlines()[0] if head else b""
    if b"," in first and first.isascii() and b"\0" not in head:
        return CsvFormat()
    return None


def _fits_format(values: Values) -> str:
    """The TFORM of a column."""
    kind = values.dtype.kind
    return f"{values.dtype.itemsize // 4}A" if kind == "U" else {"i": "K", "f": "D", "b": "L"}[kind]


def _fits_display(each: Column) -> str | None:
    """The TDISP of a column of floats: F14.6 for .6f, G14.4 for .4g."""
    if each.dtype != "float64" or not each.display:
        return None
    return f"{each.display[-1].upper()}14.{each.display[1:-1]}"


def _fits_columns(hdu: Any) -> dict[str, FoundColumn]:
    """The columns of a binary table in native byte order, texts without their blanks at the end."""
    found = {}
    for number, each in enumerate(hdu.columns, start=1):
        values = np.asarray(hdu.data[each.name])
        if values.dtype.kind in "SU":
            values = np.strings.rstrip(values.astype(np.str_))
        elif values.dtype.kind in "iuf":
            values = values.astype(values.dtype.newbyteorder("="))
        header = hdu.header
        told = (header.get(f"TUCD{number}"), header.get(f"TCOMM{number}"))
        found[each.name] = FoundColumn(values, each.unit or "", *told)
    return found


def _arrow_type(each: Column) -> pa.DataType:
    import pyarrow as pa  # late: it is slow to import

    return {"int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(), "str": pa.string()}[each.dtype]


def _arrow_values(column: pa.ChunkedArray) -> Values:
    """The values of a column; missing floats are NaN, missing texts are empty."""
    import pyarrow as pa  # late: it is slow to import

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array([text or "" for text in column.to_pylist()], dtype=np.str_)
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    return np.asarray(column.to_numpy())


def _needs_quotes(values: Values) -> bool:
    return any(bool(np.any(np.strings.find(values, character) >= 0)) for character in ',"')

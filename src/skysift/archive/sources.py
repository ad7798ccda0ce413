"""Any catalogue as columns and blocks of rows: FITS, VOTable, Parquet, CSV; told by content, read in blocks.

Units, UCDs and descriptions come from the file; what skysift itself has written is declared in its schema.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from skysift.archive.fields import Field
from skysift.archive.storage import Stored, beyond_ascii, column_values
from skysift.archive.uploads import upload_of
from skysift.base.errors import FormatError
from skysift.io.format import reading
from skysift.io.votable_door import Bounds, read_upload
from skysift.sky import schema
from skysift.sky.further import FURTHER

__all__ = ["BLOCK", "RowSource", "is_catalogue", "noted", "open_rows"]

BLOCK = 20_000
_ANY = Bounds(size=1 << 40, rows=1 << 40, columns=4000)
_FITS_TYPES = {
    "L": "boolean",
    "B": "short",
    "I": "short",
    "J": "int",
    "K": "long",
    "E": "float",
    "D": "double",
    "A": "char",
}
_UNSIGNED = {("I", 2**15): "int", ("J", 2**31): "long", ("K", 2**63): "double", ("B", -(2**7)): "short"}
"""Whole numbers of the other sign than FITS has: those of a zero point; the type that holds them all."""
_BROKEN = (OSError, ValueError, KeyError, IndexError, TypeError, UserWarning)


@dataclass(eq=False)
class RowSource:
    """A catalogue that is read in blocks; close it, or use it as a context.

    Parameters
    ----------
    fields
        Its columns.
    blocks
        Gives the blocks: the values of each column as the database keeps them.
    description
        What the file says it holds.
    stack
        What is open.
    """

    fields: tuple[Field, ...]
    blocks: Callable[[], Iterator[list[Sequence[Stored]]]]
    description: str = ""
    stack: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        """Close the file."""
        self.stack.close()

    def __enter__(self) -> RowSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_catalogue(path: Path) -> bool:
    """Whether a file begins as a table does: VOTable, Parquet, CSV, or FITS without an image."""
    return _kind(path) is not None


def open_rows(path: Path) -> RowSource:
    """The columns and rows of a catalogue.

    Raises
    ------
    FormatError
        The file is no table, or is broken.
    """
    kind = _kind(path)
    if kind is None:
        raise FormatError("the file is no table", got=path.name, allowed="FITS, VOTable, Parquet or CSV")
    with reading(path, kind, *_BROKEN):
        source = _READERS[kind](path)
    if not source.fields:
        source.close()
        raise FormatError("the table has no columns", got=path.name)
    return replace(source, fields=tuple(_named(source.fields)))


def noted(source: RowSource, beyond: set[str]) -> RowSource:
    """The same rows; the columns of texts with letters beyond ASCII are added to `beyond` as the rows go by."""

    def blocks() -> Iterator[list[Sequence[Stored]]]:
        for block in source.blocks():
            beyond.update(beyond_ascii(source.fields, block))
            yield block

    return replace(source, blocks=blocks)


def _kind(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"SIMPLE  ="):
        from skysift.io.cards import read_hdus

        hdus = read_hdus(str(path))
        return (
            None if any(hdu.has_image for hdu in hdus) or not any(h.kind == "table" for h in hdus) else "FITS"
        )
    if head.startswith(b"PAR1"):
        return "Parquet"
    if re.search(rb"<(\w+:)?VOTABLE\b", head):
        return "VOTable"
    lines = head.splitlines()
    first = next((line for line in lines if not line.startswith(b"#")), b"")
    return "CSV" if b"," in first and b"\0" not in head else None


def _named(fields: Sequence[Field]) -> Iterator[Field]:
    """The columns with names that differ by more than their case, and their names in the database."""
    known: set[str] = set()
    for number, each in enumerate(fields, start=1):
        name = each.name.strip() or f"col{number}"
        while name.lower() in known:
            name += "_"
        known.add(name.lower())
        yield _declared(replace(each, name=name, column=f"c{number}"))


def _declared(each: Field) -> Field:
    """What skysift's own schema says of a column whose file says nothing."""
    own = _OWN.get(each.name)
    if own is None or each.ucd:
        return each
    return replace(
        each,
        unit=each.unit or own.unit,
        ucd=own.ucd,
        description=each.description or own.meaning,
    )


_OWN = {
    each.name: each
    for kind in schema.TABLES
    for each in (*schema.columns(kind), *(each for each in FURTHER if kind in each.tables))
}


def _fits(path: Path) -> RowSource:
    from astropy.io import fits  # heavy

    stack = ExitStack()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hdus = stack.enter_context(fits.open(path, memmap=True, lazy_load_hdus=True))
        hdu = next(each for each in hdus if isinstance(each, fits.BinTableHDU | fits.TableHDU))
        fields, kept = [], []
        for number, column in enumerate(hdu.columns, start=1):
            each = _fits_field(column, hdu.header, number)
            if each is not None:
                fields.append(each)
                kept.append(column.name)
        nulls = {column.name: column.null for column in hdu.columns if column.null not in (None, "")}
        in_bytes = isinstance(hdu, fits.BinTableHDU)

    def blocks() -> Iterator[list[Sequence[Stored]]]:
        count = int(hdu.header["NAXIS2"])
        for start in range(0, count, BLOCK):
            part = hdu.data[start : start + BLOCK]
            values: list[Sequence[Stored]] = []
            for each, name in zip(fields, kept, strict=True):
                cells = np.asarray(part[name])
                if each.datatype == "double" and cells.dtype.kind in "iu":
                    cells = cells.astype(np.float64)
                found = column_values(each, cells)
                if name in nulls and each.number and in_bytes:  # TNULL is of the numbers as they are stored
                    gone = part.view(np.ndarray)[name] == nulls[name]
                    found = [
                        None if none else value for value, none in zip(found, gone.tolist(), strict=True)
                    ]
                values.append([None if v == "" else v for v in found] if each.text else found)
            yield values

    return RowSource(tuple(fields), blocks, str(hdu.header.get("EXTNAME", "")), stack)


def _fits_field(column: Any, header: Any, number: int) -> Field | None:
    """What FITS tells of a column; None for one that no row of a database can hold."""
    found = re.fullmatch(r"(\d*)([A-Z])(\d*).*", str(column.format))
    if found is None:
        return None
    if found[2] in "AIFED" and found[3] and not found[1]:  # an ASCII table: A10, I6, F8.3, E12.4
        datatype, count = (
            {"A": "char", "I": "long"}.get(found[2], "double"),
            int(found[3]) if found[2] == "A" else 1,
        )
    else:
        datatype, count = _FITS_TYPES.get(found[2], ""), int(found[1] or 1)
        scale, zero = column.bscale or 1, column.bzero or 0
        if datatype not in ("", "boolean", "char") and (scale != 1 or zero != 0):
            datatype = _UNSIGNED.get((found[2], zero), "double") if scale == 1 else "double"
    if not datatype or count == 0:
        return None
    size = ("*" if datatype == "char" else "") if datatype == "char" or count == 1 else str(count)
    unit = _unit(column.unit)
    return Field(
        column.name,
        datatype,
        size,
        unit=unit,
        ucd=str(header.get(f"TUCD{number}", "")).strip(),
        description=str(header.get(f"TCOMM{number}", "")).strip(),
    )


def _unit(told: Any) -> str:
    """A unit as VOUnits write it, where it is known."""
    text = "" if told is None else str(told).strip()
    if not text or text in ("None", "-", "---"):
        return ""
    from astropy.units import Unit

    for written in (text, text.lower(), text.lower().replace("jy", "Jy")):  # FITS files of old write JY/BEAM
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return str(Unit(written).to_string("vounit")).replace(" ", ".")
            except (ValueError, TypeError):
                continue
    return text


def _votable(path: Path) -> RowSource:
    with path.open("rb") as file:
        upload = upload_of("catalogue", read_upload(file, _ANY))

    def blocks() -> Iterator[list[Sequence[Stored]]]:
        for start in range(0, len(upload), BLOCK):
            yield [column[start : start + BLOCK] for column in upload.columns[: len(upload.held.fields)]]

    return RowSource(upload.held.fields, blocks)


def _parquet(path: Path) -> RowSource:
    import pyarrow.parquet as pq

    stack = ExitStack()
    file = stack.enter_context(pq.ParquetFile(path))
    kept = [each for each in file.schema_arrow if _arrow_type(each.type)]

    def blocks() -> Iterator[list[Sequence[Stored]]]:
        for batch in file.iter_batches(batch_size=BLOCK, columns=[each.name for each in kept]):
            yield _from_arrow(fields, batch)

    fields = tuple(
        replace(_arrow_field(each), datatype="double") if _is_beyond_long(file, each) else _arrow_field(each)
        for each in kept
    )
    return RowSource(fields, blocks, stack=stack)


def _is_beyond_long(file: Any, each: Any) -> bool:
    """Whether a column of unsigned numbers has some that no signed one of 64 bits is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_uint64(each.type):
        return False
    batches = file.iter_batches(batch_size=BLOCK, columns=[each.name])
    return any((pc.max(batch.column(0)).as_py() or 0) >= 2**63 for batch in batches)


def _csv(path: Path) -> RowSource:
    import pyarrow as pa
    from pyarrow import csv

    told = [line for line in _comments(path) if line]
    options = csv.ReadOptions(block_size=1 << 22, skip_rows=len(told))
    convert = csv.ConvertOptions(strings_can_be_null=True)
    stack = ExitStack()
    reader = stack.enter_context(csv.open_csv(path, read_options=options, convert_options=convert))
    fields = tuple(_arrow_field(each) for each in reader.schema)

    def blocks() -> Iterator[list[Sequence[Stored]]]:
        with reading(path, "CSV", pa.ArrowInvalid, ValueError):
            for batch in reader:
                for start in range(0, batch.num_rows, BLOCK):
                    yield _from_arrow(fields, batch.slice(start, BLOCK))

    return RowSource(fields, blocks, stack=stack)


def _comments(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith("#"):
                return
            yield line


def _from_arrow(fields: Sequence[Field], batch: Any) -> list[Sequence[Stored]]:
    found: list[Sequence[Stored]] = []
    for each, column in zip(fields, batch.columns, strict=True):
        cells = column.to_pylist()
        if each.datatype in ("float", "double") and not each.arraysize:
            cells = [None if value is None or value != value else float(value) for value in cells]
        elif each.text:
            cells = [None if value is None or value == "" else _plain(value) for value in cells]
        elif each.truth:
            cells = [None if value is None else int(value) for value in cells]
        found.append(cells)
    return found


def _plain(value: Any) -> str:
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text.replace("\0", "")


def _arrow_type(kind: Any) -> str:
    import pyarrow as pa

    for test, name in (
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_int8, "short"),
        (pa.types.is_uint8, "short"),
        (pa.types.is_int16, "short"),
        (pa.types.is_uint16, "int"),
        (pa.types.is_int32, "int"),
        (pa.types.is_integer, "long"),
        (pa.types.is_float16, "float"),
        (pa.types.is_float32, "float"),
        (pa.types.is_floating, "double"),
        (pa.types.is_decimal, "double"),
        (pa.types.is_temporal, "timestamp"),
        (pa.types.is_string, "char"),
        (pa.types.is_large_string, "char"),
        (pa.types.is_null, "char"),
    ):
        if test(kind):
            return name
    return ""


def _arrow_field(each: Any) -> Field:
    kind = _arrow_type(each.type)
    told = {key.decode(): value.decode() for key, value in (each.metadata or {}).items()}
    xtype = "timestamp" if kind == "timestamp" else ""
    datatype = "char" if kind in ("timestamp", "") else kind
    return Field(
        each.name,
        datatype,
        "*" if datatype == "char" else "",
        xtype,
        _unit(told.get("unit")),
        told.get("ucd", ""),
        description=told.get("description", told.get("meaning", "")),
    )


_READERS: dict[str, Callable[[Path], RowSource]] = {
    "FITS": _fits,
    "VOTable": _votable,
    "Parquet": _parquet,
    "CSV": _csv,
}

"""FITS binary tables: rows are first laid down on disk, since a header tells how many there are and how wide.

What is missing is NaN in columns of floats, the value of TNULL in those of whole numbers, an empty text. Bytes
are written as short ones, which have a value to spare for that. FITS has ASCII alone: other letters become ``?``, and
a comment names the columns.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from skysift.io.answers.cells import Declared, array_of, numbers_of, textual
from skysift.io.answers.rows import Rows

__all__ = ["written_fits"]

_BLOCK = 2000  # rows at once
_RECORD = 2880
_KINDS = {
    "boolean": ("L", "S1"),
    "unsignedByte": ("I", ">i2"),
    "short": ("I", ">i2"),
    "int": ("J", ">i4"),
    "long": ("K", ">i8"),
    "float": ("E", ">f4"),
    "double": ("D", ">f8"),
}
_NULLS = {"unsignedByte": -(2**15), "short": -(2**15), "int": -(2**31), "long": -(2**63)}


def written_fits(
    fields: Sequence[Declared],
    rows: Rows,
    *,
    infos: Sequence[tuple[str, str]] = (),
    further: str = "",
) -> Iterator[bytes]:
    """A FITS file with one binary table; it has no room for `further`."""
    widths, lossy = [1] * len(fields), set()
    with tempfile.TemporaryFile() as held:
        every = iter(rows)
        while block := list(islice(every, _BLOCK)):
            for number, field in enumerate(fields):
                if textual(field) or array_of(field):
                    widths[number] = max(widths[number], *(_width(field, row[number]) for row in block))
                if textual(field) and not all(str(row[number]).isascii() for row in block):
                    lossy.add(number)
            pickle.dump([tuple(row) for row in block], held)
        yield fits.PrimaryHDU().header.tostring().encode("ascii")
        yield _header(fields, widths, rows, infos, [fields[number].name for number in sorted(lossy)])
        layout = np.dtype([(f"f{n}", *_layout(field, widths[n])) for n, field in enumerate(fields)])
        held.seek(0)
        for block in _blocks(held, rows.count):
            table = np.zeros(len(block), layout)
            for number, field in enumerate(fields):
                table[f"f{number}"] = _column(field, [row[number] for row in block], widths[number])
            yield table.tobytes()
        yield b"\0" * (-rows.count * layout.itemsize % _RECORD)


def _blocks(held: IO[bytes], count: int) -> Iterator[list[Sequence[object]]]:
    """The rows that were laid down, block by block; this process alone wrote them."""
    while count > 0:
        block: list[Sequence[object]] = pickle.load(held)
        count -= len(block)
        yield block


def _width(field: Declared, value: object) -> int:
    if value is None:
        return 1
    return len(_bytes(value)) if textual(field) else len(numbers_of(value))


def _layout(field: Declared, width: int) -> tuple[Any, ...]:
    """The type of a column in the bytes of a row."""
    if textual(field):
        return (f"S{width}",)
    code = _KINDS[field.datatype][1]
    return (code, (width,)) if array_of(field) else (code,)


def _column(field: Declared, values: list[object], width: int) -> NDArray[Any]:
    """The values of a column of one block."""
    if textual(field):
        return np.array([b"" if value is None else _bytes(value) for value in values], dtype=f"S{width}")
    code = _KINDS[field.datatype][1]
    if field.datatype == "boolean" and not array_of(field):
        return np.array([b"\0" if value is None else b"T" if value else b"F" for value in values], dtype=code)
    missing = np.nan if code in (">f4", ">f8") else _NULLS.get(field.datatype, 0)
    if array_of(field):
        table = np.full((len(values), width), missing, dtype=code)
        for row, value in enumerate(values):
            if value is not None:
                numbers = numbers_of(value)
                table[row, : len(numbers)] = numbers
        return table
    return np.array([missing if value is None else value for value in values], dtype=code)


def _bytes(value: object) -> bytes:
    return str(value).encode("ascii", "replace")


def _header(
    fields: Sequence[Declared],
    widths: Sequence[int],
    rows: Rows,
    infos: Sequence[tuple[str, str]],
    lossy: Sequence[str],
) -> bytes:
    columns = []
    for field, width in zip(fields, widths, strict=True):
        code = "A" if textual(field) else _KINDS[field.datatype][0]
        form = f"{width}{code}" if textual(field) or array_of(field) else code
        null = _NULLS.get(field.datatype) if not array_of(field) else None
        columns.append(
            fits.Column(name=_ascii(field.name), format=form, unit=_ascii(field.unit) or None, null=null)
        )
    header = fits.BinTableHDU.from_columns(fits.ColDefs(columns), nrows=0).header
    header["NAXIS2"] = rows.count
    for number, field in enumerate(fields, 1):
        if field.ucd:
            header[f"TUCD{number}"] = _ascii(field.ucd)
        if field.description:
            header[f"TCOMM{number}"] = _ascii(field.description)
    for name, value in infos:
        header.add_comment(_ascii(f"{name}: {value}"))
    for name in lossy:
        header.add_comment(f"letters beyond ASCII became ? in the column {_ascii(name)}")
    if rows.failure is not None:
        header.add_comment("the rows end early: the query failed")
    if rows.overflow:
        header.add_comment(f"there are more rows than these {rows.count}")
    text: str = header.tostring()
    return text.encode("ascii")


def _ascii(text: str) -> str:
    """A text as a header takes it."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)

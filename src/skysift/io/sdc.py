"""Lists of the SKA Science Data Challenges as text: 12 columns (SDC1) or 9 (SDC2), by blanks or commas.

A line of names may come first; where it names the columns of the challenge their order is that of the line, else
the challenge's. Lines before it that begin with ``#`` are skipped. `skysift.io.sdc_rows` says what the columns
mean.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skysift.base.errors import FormatError, SkysiftWarning, UsageError
from skysift.io.format import reading
from skysift.io.output import whole_file
from skysift.io.sdc_rows import SDC1, SDC2, Columns, sdc1_table, sdc1_truth_rows, sdc2_table
from skysift.sky.table import Table
from skysift.sky.truth import Truth

__all__ = [
    "is_sdc1",
    "is_sdc2",
    "read_rows",
    "read_sdc1_table",
    "read_sdc2_table",
    "write_rows",
    "write_truth_sdc1",
]

_HEAD = 65536  # bytes that tell what a file is
_BLOCK = 1 << 24  # bytes that are read together
_MISSING = ["", "nan", "NaN", "NAN", "-nan", "NA", "N/A", "null", "None", "--", "-"]
_WHOLE = {"size", "class", "id"}


@dataclass(frozen=True)
class _Style:
    """How a list is laid out: bytes before its rows, what parts the fields, and the columns in their order."""

    skip: int
    comma: bool
    names: tuple[str, ...]
    rows: bool


def is_sdc1(path: str | Path) -> bool:
    """True for a text of 12 columns that is a list of SDC1, told by its beginning; false for no file."""
    return _style(Path(path), SDC1) is not None


def is_sdc2(path: str | Path) -> bool:
    """True for a text of 9 columns that is a list of SDC2, told by its beginning; false for no file."""
    return _style(Path(path), SDC2) is not None


def read_sdc1_table(path: str | Path) -> Table:
    """The sources in a list of SDC1; rows that lack a value are left out, with a warning that counts them.

    Raises
    ------
    UsageError
        There is no such file.
    FormatError
        It is no list of SDC1, or a row is broken.
    """
    return sdc1_table(_whole_rows(Path(path), SDC1))


def read_sdc2_table(path: str | Path) -> Table:
    """The sources in a list of SDC2; rows that lack a value are left out, with a warning that counts them.

    Raises
    ------
    UsageError
        There is no such file.
    FormatError
        It is no list of SDC2, or a row is broken.
    """
    return sdc2_table(_whole_rows(Path(path), SDC2))


def read_rows(path: str | Path, names: tuple[str, ...]) -> Columns:
    """The columns of a list, NaN where a row lacks a value; whole numbers as such where no row lacks one.

    Parameters
    ----------
    path
        The text.
    names
        The columns of the challenge: `SDC1` or `SDC2`.

    Raises
    ------
    UsageError
        There is no such file.
    FormatError
        It is no list of the challenge, or a row is broken.
    """
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.csv as pc

    file = Path(path)
    if not file.is_file():
        raise UsageError("no such file", got=str(file))
    style = _style(file, names)
    if style is None:
        raise FormatError(
            f"{file} is no list of the challenge",
            allowed=f"{len(names)} columns of numbers: {' '.join(names)}",
        )
    options = {
        "read_options": pc.ReadOptions(
            use_threads=False, column_names=list(style.names), block_size=2 * _BLOCK
        ),
        "parse_options": pc.ParseOptions(delimiter="," if style.comma else " "),
    }
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    kinds = {name: pa.int64() if name == "id" else pa.float64() for name in names}
    for block in _blocks(file, style):
        with reading(file, "a list of the challenge", pa.ArrowException):
            try:
                content = pc.read_csv(pa.BufferReader(block), **options, convert_options=_convert(kinds))
            except pa.ArrowInvalid:  # ids such as 12.0
                kinds["id"] = pa.float64()
                content = pc.read_csv(pa.BufferReader(block), **options, convert_options=_convert(kinds))
        for name in names:
            parts[name].append(content.column(name).to_numpy())
    found = {name: np.concatenate(each) if each else np.empty(0) for name, each in parts.items()}
    return {name: _as_whole(values) if name in _WHOLE else values for name, values in found.items()}


def write_rows(rows: Columns, path: str | Path, *, header: bool = True, overwrite: bool = False) -> Path:
    """The list that was written, parted by blanks; every number with the digits that give it back.

    Parameters
    ----------
    rows
        By the names of a challenge.
    path
        The file.
    header
        Begin with a line of names, as submissions do; lists of truth have none.
    overwrite
        Replace what is there.

    Raises
    ------
    OutputError
        The file exists and `overwrite` is false, or it cannot be written.
    """
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.csv as pc

    with whole_file(path, overwrite=overwrite) as part:
        options = pc.WriteOptions(
            delimiter=" ", include_header=header, quoting_style="none", quoting_header="none"
        )
        pc.write_csv(
            pa.table({name: np.ascontiguousarray(values) for name, values in rows.items()}), part, options
        )
    return Path(path)


def write_truth_sdc1(truth: Truth, path: str | Path, *, overwrite: bool = False) -> Path:
    """The list of SDC1 that was written of a truth, without artefacts and without a line of names.

    Raises
    ------
    OutputError
        The file exists and `overwrite` is false, or it cannot be written.
    """
    return write_rows(sdc1_truth_rows(truth), path, header=False, overwrite=overwrite)


# -- reading


def _whole_rows(path: Path, names: tuple[str, ...]) -> Columns:
    """The rows that lack nothing, ids and codes as whole numbers.

    Raises
    ------
    UsageError
        There is no such file.
    FormatError
        It is no list of the challenge, or ids or codes are no whole numbers.
    """
    rows = read_rows(path, names)
    good = np.all([~np.isnan(each) for each in rows.values()], axis=0)
    if not good.all():
        told = f"{path}: {np.sum(~good)} of {good.size} rows lack a value and are left out"
        warnings.warn(told, SkysiftWarning, stacklevel=3)
    kept = {name: _as_whole(each[good]) if name in _WHOLE else each[good] for name, each in rows.items()}
    for name in _WHOLE & set(names):
        if kept[name].dtype.kind != "i":
            wrong = kept[name][kept[name] % 1.0 != 0.0]
            raise FormatError(f"{path}: the column {name} must hold whole numbers", got=float(wrong[0]))
    return kept


def _convert(kinds: dict[str, object]) -> object:
    import pyarrow.csv as pc  # late: it is slow to import

    return pc.ConvertOptions(column_types=kinds, null_values=_MISSING, strings_can_be_null=True)


def _as_whole(values: np.ndarray) -> np.ndarray:
    """The values as whole numbers where all of them are."""
    if values.dtype.kind == "i" or not np.all((np.floor(values) == values) & (np.abs(values) < 2.0**53)):
        return values
    return values.astype(np.int64)


def _style(path: Path, names: tuple[str, ...]) -> _Style | None:
    """How the list in a file is laid out; None where it holds no such list."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD)
    whole = len(head) < _HEAD
    if b"\0" in head or not head.isascii():
        return None
    lines = head.splitlines(keepends=True)
    if not whole:
        lines = lines[:-1]  # it may go on
    skip, headed = 0, False
    titles: tuple[str, ...] = ()
    for line in lines:
        text = line.decode().strip()
        fields = tuple(_fields(text))
        if text and all(_is_number(each) for each in fields):
            order = titles if set(titles) == set(names) else names
            fits = len(fields) == len(names) and _plausible(dict(zip(order, fields, strict=True)))
            return _Style(skip, "," in text, order, rows=True) if fits else None
        skip += len(line)
        if text and not text.startswith("#"):
            if headed:
                return None  # words, and not only in the first line
            headed = True
        titles = tuple(_fields(text.lstrip("# ").lower())) or titles
    return _Style(skip, False, titles, rows=False) if whole and set(titles) == set(names) else None


def _fields(text: str) -> list[str]:
    return [each.strip() for each in text.split(",")] if "," in text else text.split()


def _is_number(text: str) -> bool:
    if text in _MISSING:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return not re.search(r"[_x]", text)


def _plausible(row: dict[str, str]) -> bool:
    """True where the values of the first row can be what their columns are."""
    values = {name: float("nan") if text in _MISSING else float(text) for name, text in row.items()}
    whole = all(values[name] % 1.0 == 0.0 or values[name] != values[name] for name in _WHOLE & set(values))
    latitudes = [value for name, value in values.items() if name.startswith("dec")]
    frequency = values.get("central_freq", 1e9)
    return whole and not any(abs(value) > 90.0 for value in latitudes) and not frequency < 1e7


def _blocks(path: Path, style: _Style) -> Iterator[bytes]:
    """The rows of a list in blocks of whole lines, fields parted by one blank or one comma."""
    if not style.rows:
        return
    with path.open("rb") as file:
        file.seek(style.skip)
        rest = b""
        while data := file.read(_BLOCK):
            end = data.rfind(b"\n") + 1
            if not end:
                rest += data
                continue
            yield from _tidy(rest + data[:end], style.comma)
            rest = data[end:]
        yield from _tidy(rest, style.comma)


def _tidy(data: bytes, comma: bool) -> Iterator[bytes]:
    """The lines without needless blanks; nothing where there are none."""
    data = data.replace(b"\r\n", b"\n").replace(b"\t", b" ")
    if comma:
        data = data.replace(b" ", b"")
    else:
        if b"  " in data:
            data = re.sub(b" {2,}", b" ", data)
        if b"\n " in data or b" \n" in data:
            data = re.sub(b" ?\n ?", b"\n", data)
    data = data.strip()
    if data:
        yield data

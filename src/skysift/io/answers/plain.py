"""CSV, TSV and JSON, streamed."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence

from skysift.io.answers.cells import Declared, array_of, numbers_of, text_of, textual
from skysift.io.answers.rows import Rows

__all__ = ["written_csv", "written_json", "written_tsv"]

_BLOCK = 500  # rows made into text at once
_TABS = str.maketrans({"\t": " ", "\n": " ", "\r": " "})


def written_csv(
    fields: Sequence[Declared],
    rows: Rows,
    *,
    infos: Sequence[tuple[str, str]] = (),
    further: str = "",
) -> Iterator[bytes]:
    """CSV with a line of names; it has no room for `infos` and `further`."""
    tellers = [text_of(field) for field in fields]
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\r\n")
    writer.writerow([field.name for field in fields])
    for number, row in enumerate(rows, 1):
        writer.writerow(
            ["" if value is None else tell(value) for tell, value in zip(tellers, row, strict=True)]
        )
        if number % _BLOCK == 0:
            yield held.getvalue().encode()
            held.seek(0)
            held.truncate()
    yield held.getvalue().encode()


def written_tsv(
    fields: Sequence[Declared],
    rows: Rows,
    *,
    infos: Sequence[tuple[str, str]] = (),
    further: str = "",
) -> Iterator[bytes]:
    """Values between tabs, with a line of names; tabs and ends of lines within texts become spaces."""
    tellers = [text_of(field) for field in fields]
    piece = ["\t".join(field.name.translate(_TABS) for field in fields)]
    for row in rows:
        cells = ["" if value is None else tell(value) for tell, value in zip(tellers, row, strict=True)]
        piece.append("\t".join(cell.translate(_TABS) for cell in cells))
        if len(piece) == _BLOCK:
            yield ("\n".join(piece) + "\n").encode()
            piece = []
    if piece:
        yield ("\n".join(piece) + "\n").encode()


def written_json(
    fields: Sequence[Declared],
    rows: Rows,
    *,
    infos: Sequence[tuple[str, str]] = (),
    further: str = "",
) -> Iterator[bytes]:
    """One object: ``columns`` (what each declares), ``rows``, then ``status`` (``OK``, ``OVERFLOW``, ``ERROR``)."""
    columns = [
        {
            name: getattr(field, name)
            for name in ("name", "datatype", "arraysize", "xtype", "unit", "ucd", "utype", "description")
            if getattr(field, name)
        }
        for field in fields
    ]
    head = {"info": dict(infos), "columns": columns}
    yield json.dumps(head)[:-1].encode() + b', "rows": [\n'
    piece: list[str] = []
    first = True
    for row in rows:
        piece.append(
            json.dumps(
                [_plain(field, value) for field, value in zip(fields, row, strict=True)], allow_nan=False
            )
        )
        if len(piece) == _BLOCK:
            yield (("" if first else ",\n") + ",\n".join(piece)).encode()
            piece, first = [], False
    if piece:
        yield (("" if first else ",\n") + ",\n".join(piece)).encode()
    status = "ERROR" if rows.failure else "OVERFLOW" if rows.overflow else "OK"
    yield f'\n], "status": "{status}"}}\n'.encode()


def _plain(field: Declared, value: object) -> object:
    """A value as JSON has it: what is not a number is null."""
    if value is None or textual(field):
        return None if value is None else str(value)
    if array_of(field):
        numbers = numbers_of(value)
        if field.datatype not in ("float", "double"):
            return [int(each) for each in numbers]
        return [each if math.isfinite(each) else None for each in numbers]
    if field.datatype == "boolean":
        return bool(value)
    if field.datatype in ("float", "double"):
        number = float(value)  # type: ignore[arg-type]
        return number if math.isfinite(number) else None
    return int(value)  # type: ignore[call-overload]

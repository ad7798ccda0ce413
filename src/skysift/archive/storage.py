"""How columns are kept in the database: its types, and how values of files become values of rows and back.

Whole numbers are kept as long ones, numbers in double precision, true and false as 1 and 0, times, shapes and
lists of numbers as texts (as DALI writes them). NaN is a missing value. A column remembers what it was:
`skysift.archive.fields.Field`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Double, Text
from sqlalchemy.types import TypeEngine

from skysift.archive.fields import Field
from skysift.io.field import Cell

__all__ = ["beyond_ascii", "column_values", "from_row", "lettered", "sql_name", "sql_type"]

Stored = str | float | int | None


def sql_type(each: Field, dialect: str) -> TypeEngine[Any]:
    """The type of a column in the database; texts are compared byte by byte."""
    if each.truth or each.whole:
        return BigInteger()
    if each.number:
        return Double()
    return Text(collation="C") if dialect == "postgresql" else Text()


def sql_name(each: Field, dialect: str) -> str:
    """The same, as SQL."""
    if each.truth or each.whole:
        return "BIGINT"
    if each.number:
        return "DOUBLE PRECISION"
    return 'TEXT COLLATE "C"' if dialect == "postgresql" else "TEXT"


def column_values(each: Field, values: Sequence[Any] | np.ndarray[Any, Any]) -> list[Stored]:
    """The values of a column as the database keeps them; masked, NaN and NaT are missing."""
    masked = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    plain = (
        values.filled() if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "OSU" else values
    )
    data = np.ma.getdata(plain) if isinstance(plain, np.ndarray) else None
    found: list[Stored]
    if data is not None and data.ndim == 1 and data.dtype.kind in "iub":
        found = data.astype(np.int64).tolist()
    elif data is not None and data.ndim == 1 and data.dtype.kind == "f":
        found = [None if value != value else value for value in data.astype(np.float64).tolist()]
    else:
        found = [_stored(each, value) for value in values]
    if masked is not None and masked.ndim == 1 and masked.any():
        found = [None if gone else value for value, gone in zip(found, masked.tolist(), strict=True)]
    return found


def _stored(each: Field, value: Any) -> Stored:
    if value is None or value is np.ma.masked:
        return None
    if each.text:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        return text.replace("\0", "")
    if each.array:
        return value if isinstance(value, str) else " ".join(repr(item) for item in np.ravel(value).tolist())
    number = float(value)
    if math.isnan(number):
        return None
    return int(value) if each.whole or each.truth else number


def beyond_ascii(fields: Sequence[Field], columns: Sequence[Sequence[Stored]]) -> set[str]:
    """The columns (in the database) of texts that have letters beyond ASCII."""
    return {
        each.column
        for each, values in zip(fields, columns, strict=True)
        if each.text and not all(value is None or str(value).isascii() for value in values)
    }


def lettered(fields: Sequence[Field], beyond: Collection[str]) -> tuple[Field, ...]:
    """The columns, with texts of letters beyond ASCII declared as such: ``char`` has none of them."""
    return tuple(replace(each, datatype="unicodeChar") if each.column in beyond else each for each in fields)


def from_row(each: Field) -> Callable[[Any], Cell]:
    """What makes a value of the result from a value of the database."""
    if each.truth:
        return lambda value: None if value is None else bool(value)
    if each.whole:
        return lambda value: None if value is None else int(value)
    if each.number:
        return lambda value: None if value is None else float(value)
    return lambda value: None if value is None else str(value)

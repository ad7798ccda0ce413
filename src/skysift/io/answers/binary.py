"""Rows as the bytes of BINARY2: a bit per column that says what is missing, then the values, big end first."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import TypeAlias

from skysift.io.answers.cells import Declared, array_of, numbers_of, textual

__all__ = ["row_packer"]

Packer: TypeAlias = Callable[[object], bytes]

_CODES = {"unsignedByte": "B", "short": "h", "int": "i", "long": "q", "float": "f", "double": "d"}
_MISSING = {"float": math.nan, "double": math.nan}


def row_packer(fields: Sequence[Declared]) -> Callable[[Sequence[object]], bytes]:
    """The function that makes a row its bytes."""
    packers = [_packer(field) for field in fields]
    length = (len(fields) + 7) // 8

    def packed(row: Sequence[object]) -> bytes:
        missing = 0
        for number, value in enumerate(row):
            if value is None:
                missing |= 1 << (8 * length - 1 - number)
        values = [pack(value) for pack, value in zip(packers, row, strict=True)]
        return missing.to_bytes(length, "big") + b"".join(values)

    return packed


def _packer(field: Declared) -> Packer:
    if textual(field):
        return _text_packer(field)
    if array_of(field):
        return _array_packer(field)
    if field.datatype == "boolean":
        return lambda value: b"?" if value is None else b"T" if value else b"F"
    single = struct.Struct(f">{_CODES[field.datatype]}")
    empty = single.pack(_MISSING.get(field.datatype, 0))
    if field.datatype in _MISSING:
        return lambda value: empty if value is None else single.pack(float(value))  # type: ignore[arg-type]
    return lambda value: empty if value is None else single.pack(int(value))  # type: ignore[call-overload]


def _text_packer(field: Declared) -> Packer:
    size, varies = _size(field.arraysize)
    wide = field.datatype == "unicodeChar"

    def packed(value: object) -> bytes:
        text = "" if value is None else str(value)
        if wide:  # two bytes a letter: what lies beyond is not in that alphabet
            text = "".join(letter if ord(letter) < 0x10000 else "\ufffd" for letter in text)
        if varies:
            text = text[:size] if size else text
        else:
            text = text[:size].ljust(size, "\0")
        raw = text.encode("utf-16-be", "replace") if wide else text.encode("ascii", "replace")
        return struct.pack(">i", len(text)) + raw if varies else raw

    return packed


def _array_packer(field: Declared) -> Packer:
    size, varies = _size(field.arraysize)
    code = _CODES.get(field.datatype, "b")

    def packed(value: object) -> bytes:
        numbers = [] if value is None else numbers_of(value)
        if not varies:
            numbers = (numbers + [_MISSING.get(field.datatype, 0)] * size)[:size]
        plain: Sequence[float] = numbers if code in "fd" else [int(each) for each in numbers]
        raw = struct.pack(f">{len(plain)}{code}", *plain)
        return struct.pack(">i", len(plain)) + raw if varies else raw

    return packed


def _size(arraysize: str) -> tuple[int, bool]:
    """How many elements, and whether that is only the most (0 for no limit)."""
    varies = arraysize.endswith("*")
    known = [int(part) for part in arraysize.rstrip("*").split("x") if part]
    if varies and (not known or arraysize.endswith("x*")):
        return 0, True
    return math.prod(known) if known else 1, varies

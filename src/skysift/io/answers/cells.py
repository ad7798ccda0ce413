"""One value as text, by what its column declares."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeAlias

import numpy as np

__all__ = ["Declared", "Told", "array_of", "numbers_of", "text_of"]

Told: TypeAlias = Callable[[object], str]


class Declared(Protocol):
    """What is read of the declaration of a column; `skysift.io.field.Field` has it all."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def datatype(self) -> str:
        """As VOTable has it."""

    @property
    def arraysize(self) -> str:
        """As VOTable has it."""

    @property
    def xtype(self) -> str:
        """What a value stands for."""

    @property
    def unit(self) -> str:
        """Its unit."""

    @property
    def ucd(self) -> str:
        """What kind of quantity it is."""

    @property
    def utype(self) -> str:
        """Its place in a data model."""

    @property
    def description(self) -> str:
        """Its meaning."""


def textual(field: Declared) -> bool:
    """Whether a column holds texts."""
    return field.datatype in ("char", "unicodeChar")


def array_of(field: Declared) -> bool:
    """Whether a value of a column is an array of numbers."""
    return not textual(field) and field.arraysize not in ("", "1")


def text_of(field: Declared) -> Told:
    """The function that makes a value of a column, which is not None, its text."""
    if textual(field):
        return str
    one = _SCALARS.get(field.datatype, str)
    if not array_of(field):
        return one
    return lambda value: value if isinstance(value, str) else " ".join(one(each) for each in _several(value))


def numbers_of(value: object) -> list[float]:
    """The numbers of an array: of its text, or of a list."""
    if isinstance(value, str):
        return [float(word) for word in value.split()]
    return [math.nan if each is None else float(each) for each in _several(value)]


def _several(value: object) -> list[Any]:
    return list(value) if isinstance(value, Iterable) else [value]


def _double(value: object) -> str:
    number = float(value)  # type: ignore[arg-type]
    return repr(number) if math.isfinite(number) else _odd(number)


def _single(value: object) -> str:
    number = float(value)  # type: ignore[arg-type]
    return str(np.float32(number)) if math.isfinite(number) else _odd(number)


def _odd(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "+Inf" if number > 0 else "-Inf"


def _whole(value: object) -> str:
    return str(int(value))  # type: ignore[call-overload]


def _truth(value: object) -> str:
    return "true" if value else "false"


_SCALARS: dict[str, Told] = {
    "double": _double,
    "float": _single,
    "boolean": _truth,
    "unsignedByte": _whole,
    "short": _whole,
    "int": _whole,
    "long": _whole,
}

"""`Column`: the declaration of one catalogue column, and the kinds of columns that come often.

The columns themselves are declared in `skysift.sky.schema` and `skysift.sky.further`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "FLUX", "MAJOR", "MINOR", "OF_C", "OF_CI", "OF_CS", "OF_CSI", "OF_I", "OF_S", "OF_SI", "PEAK", "Column", "Kind",
    "TableName", "angle", "arcsec", "brightness", "degrees", "flux", "integer", "pixel",
]  # fmt: skip

TableName: TypeAlias = Literal["components", "sources", "islands"]
Kind: TypeAlias = Literal["int64", "float64", "bool", "str"]

OF_C: tuple[TableName, ...] = ("components",)
OF_S: tuple[TableName, ...] = ("sources",)
OF_I: tuple[TableName, ...] = ("islands",)
OF_CS: tuple[TableName, ...] = ("components", "sources")
OF_CI: tuple[TableName, ...] = ("components", "islands")
OF_SI: tuple[TableName, ...] = ("sources", "islands")
OF_CSI: tuple[TableName, ...] = ("components", "sources", "islands")


@dataclass(frozen=True)
class Column:
    """The declaration of one column.

    Parameters
    ----------
    name
        Its name, the same in every table and every format.
    dtype
        ``int64``, ``float64``, ``bool`` or ``str``.
    unit
        A VOUnit string; empty for a number without unit.
    ucd
        What kind of quantity it is, as UCD1+.
    meaning
        One sentence.
    tables
        The tables that have it.
    display
        How a person sees one value: a format specification of Python.
    """

    name: str
    dtype: Kind
    unit: str
    ucd: str
    meaning: str
    tables: tuple[TableName, ...]
    display: str = ""

    def show(self, value: object) -> str:
        """One value as a person reads it; what is not a number shows as a dash."""
        if self.dtype == "float64":
            return "-" if value != value else format(value, self.display)  # NaN is not itself
        return str(value)


def integer(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...], unit: str = "") -> Column:
    """A whole number."""
    return Column(name, "int64", unit, ucd, meaning, tables, "d")


def pixel(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...] = OF_CSI) -> Column:
    """A position on the pixels of the map."""
    return Column(name, "float64", "pixel", ucd, meaning, tables, ".3f")


def degrees(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...] = OF_CSI) -> Column:
    """A position on the sky (deg)."""
    return Column(name, "float64", "deg", ucd, meaning, tables, ".6f")


def angle(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...] = OF_CS) -> Column:
    """An angle (deg)."""
    return Column(name, "float64", "deg", ucd, meaning, tables, ".1f")


def arcsec(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...] = OF_CS) -> Column:
    """A length on the sky (arcsec)."""
    return Column(name, "float64", "arcsec", ucd, meaning, tables, ".3f")


def brightness(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...] = OF_CSI) -> Column:
    """A brightness (Jy/beam)."""
    return Column(name, "float64", "Jy/beam", ucd, meaning, tables, ".4g")


def flux(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...] = OF_CS) -> Column:
    """A flux density (Jy)."""
    return Column(name, "float64", "Jy", ucd, meaning, tables, ".4g")


PEAK = "phot.flux.density;stat.max;em.radio"
FLUX = "phot.flux.density;em.radio"
MAJOR = "phys.angSize.smajAxis"
MINOR = "phys.angSize.sminAxis"

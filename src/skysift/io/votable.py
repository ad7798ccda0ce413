"""Tables in VOTable: units, UCDs and meanings from the schema, the provenance in INFO elements.

Rows are written as TABLEDATA, which every viewer reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from astropy.io.votable import parse
from astropy.units import UnrecognizedUnit

from skysift.base.errors import FormatError
from skysift.base.provenance import InputRecord, Provenance
from skysift.io.format import FileFormat, FoundColumn, WritableTable, reading, table_from_columns
from skysift.sky.schema import Column
from skysift.sky.table import Table, Values

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["VOTableFormat", "votable_parts", "votable_text"]

_BLOCK = 10_000  # rows made into text at once
_DATATYPES = {
    "int64": 'datatype="long"',
    "float64": 'datatype="double"',
    "bool": 'datatype="boolean"',
    "str": 'datatype="char" arraysize="*"',
}
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="http://www.ivoa.net/xml/VOTable/v1.3 http://www.ivoa.net/xml/VOTable/VOTable-1.4.xsd">
<RESOURCE type="results" name="skysift">
"""
_OPTION = "option."


class VOTableFormat(FileFormat):
    """VOTable 1.4, one table a file."""

    name = "votable"
    suffixes = (".vot", ".votable", ".xml")

    def _save(self, table: WritableTable, provenance: Provenance | None, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(_parts(table, provenance))

    def _load(self, path: Path) -> tuple[Table, Provenance | None]:
        with reading(path, "VOTable", ValueError, TypeError, KeyError, IndexError, OSError, SyntaxError):
            document = parse(path, verify="ignore")
            table = next(iter(document.iter_tables()), None)
            if table is None:
                raise FormatError(f"{path} holds no table")
            found = {}
            for field in table.fields:
                values = _values(table.array[field.ID])
                found[field.name] = FoundColumn(values, _unit_text(field.unit), field.ucd, field.description)
            holders = [document, *document.resources, table]
            provenance = _provenance([(info.name, info.value) for holder in holders for info in holder.infos])
        return table_from_columns(found, path), provenance


def votable_text(table: WritableTable, provenance: Provenance | None = None) -> str:
    """A whole VOTable as text."""
    return "".join(_parts(table, provenance))


def _parts(table: WritableTable, provenance: Provenance | None) -> Iterator[str]:
    """The text of a VOTable, piece by piece."""
    columns = [(each, table[each.name]) for each in table.declared]
    about = f"The {table.kind} of a catalogue made by skysift"
    yield from votable_parts(columns, table.kind, about, list(_infos(provenance)))


def votable_parts(
    columns: Sequence[tuple[Column, Values]],
    name: str,
    about: str,
    infos: Sequence[tuple[str, str]] = (),
    sky: tuple[str, str] = ("ra", "dec"),
) -> Iterator[str]:
    """The text of a VOTable of any columns, piece by piece.

    Parameters
    ----------
    columns
        Declarations and values.
    name, about
        Name and description of the table.
    infos
        Names and values of INFO elements.
    sky
        The columns of the ICRS position.
    """
    yield _HEAD
    for key, value in infos:
        yield f"<INFO name={quoteattr(key)} value={quoteattr(_printable(value))}/>\n"
    on_sky = sky if set(sky) <= {each.name for each, _ in columns} else ()
    if on_sky:
        yield '<COOSYS ID="icrs" system="ICRS"/>\n'
    length = len(columns[0][1]) if columns else 0
    yield f'<TABLE name="{name}" nrows="{length}">\n'
    yield f"<DESCRIPTION>{escape(_printable(about))}</DESCRIPTION>\n"
    for each, _ in columns:
        yield _field(each, on_sky)
    yield "<DATA>\n<TABLEDATA>\n"
    for start in range(0, length, _BLOCK):
        yield from _rows([values[start : start + _BLOCK] for _, values in columns])
    yield "</TABLEDATA>\n</DATA>\n</TABLE>\n</RESOURCE>\n</VOTABLE>\n"


def _field(each: Column, on_sky: tuple[str, ...]) -> str:
    """The FIELD element of a column."""
    attributes = [f"name={quoteattr(each.name)}", _DATATYPES[each.dtype]]
    if each.unit:
        attributes.append(f"unit={quoteattr(each.unit)}")
    if each.ucd:
        attributes.append(f"ucd={quoteattr(each.ucd)}")
    if each.name in on_sky:
        attributes.append('ref="icrs"')
    meaning = f"<DESCRIPTION>{escape(_printable(each.meaning))}</DESCRIPTION>" if each.meaning else ""
    return f"<FIELD {' '.join(attributes)}>{meaning}</FIELD>\n"


def _rows(columns: Sequence[Values]) -> Iterator[str]:
    """The rows as TR elements, a line each."""
    import pyarrow.compute as pc  # late: it is slow to import

    cells = [_cells(values) for values in columns]
    for row in pc.binary_join_element_wise(*cells, "</TD><TD>").to_pylist():
        yield f"<TR><TD>{row}</TD></TR>\n"


def _cells(values: Values) -> pa.Array:
    """The text of each value, with all digits that tell it from its neighbours."""
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.compute as pc

    kind = values.dtype.kind
    if kind == "f":
        text = pc.cast(pa.array(values), pa.string())
        for special, where in (
            ("NaN", np.isnan(values)),
            ("+Inf", values == np.inf),
            ("-Inf", values == -np.inf),
        ):
            if np.any(where):
                text = pc.if_else(pa.array(where), special, text)
        return text
    if kind == "b":
        return pc.if_else(pa.array(values), "T", "F")
    if kind == "U":
        text = pa.array(values, type=pa.string())
        for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = pc.replace_substring(text, character, entity)
        return text
    return pc.cast(pa.array(values), pa.string())


def _values(column: Any) -> Values:
    """A column as astropy gives it, as plain values: missing floats are NaN, missing texts empty.

    Raises
    ------
    FormatError
        Whole numbers or truth values are missing.
    """
    masked = np.ma.getmaskarray(column)
    values = np.ma.getdata(column)
    if values.dtype.kind in "OSU":
        return np.array(
            ["" if gone else str(text) for text, gone in zip(values, masked, strict=True)], dtype=np.str_
        )
    if values.dtype.kind == "f":
        return np.where(masked, np.nan, values)
    if np.any(masked):
        raise FormatError("a column without room for missing values lacks some", got=str(values.dtype))
    return np.asarray(values)


def _unit_text(unit: Any) -> str:
    """A unit as astropy has it, as a VOUnit string; one that astropy does not know stays as it is."""
    if unit is None:
        return ""
    return str(unit) if isinstance(unit, UnrecognizedUnit) else str(unit.to_string("vounit"))


def _infos(provenance: Provenance | None) -> Iterator[tuple[str, str]]:
    """The provenance as names and values, from which `_provenance` makes it again."""
    if provenance is None:
        return
    yield "creator", f"skysift {provenance.version}"
    yield "finder", provenance.finder
    if provenance.options.get("flux_scale", "unknown") != "unknown":
        yield "flux_scale", str(provenance.options["flux_scale"])
    for name, value in provenance.options.items():
        yield f"{_OPTION}{name}", json.dumps(value)
    for record in provenance.inputs:
        yield "input", json.dumps(record.to_dict())
    for note in provenance.notes:
        yield "note", note


def _provenance(infos: list[tuple[str, str]]) -> Provenance | None:
    """The provenance that INFO elements tell; None where they are of something else."""
    told = dict(infos)
    if not told.get("creator", "").startswith("skysift ") or "finder" not in told:
        return None
    return Provenance(
        version=told["creator"].removeprefix("skysift "),
        finder=told["finder"],
        options={
            name.removeprefix(_OPTION): json.loads(value) for name, value in infos if name.startswith(_OPTION)
        },
        inputs=tuple(InputRecord.from_dict(json.loads(value)) for name, value in infos if name == "input"),
        notes=tuple(value for name, value in infos if name == "note"),
    )


def _printable(text: str) -> str:
    """The text without the control characters that XML does not allow."""
    return "".join(character if character >= " " else " " for character in text)

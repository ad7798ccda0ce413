"""The door for VOTables that strangers send: no DTD, nothing fetched, nothing unpacked, and bounds on all sizes.

The text is first walked through once by the parser of XML alone, which keeps nothing; only what passes is read
as a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO
from xml.parsers import expat

import numpy as np
from astropy.io.votable import parse

from skysift.base.errors import FormatError
from skysift.io.field import Cell, Field, Row

__all__ = ["Bounds", "UploadedTable", "check_upload", "read_upload"]

_BLOCK = 1 << 16
_DEPTH = 32  # elements within elements
_LONGEST_NAME = 64


@dataclass(frozen=True)
class Bounds:
    """How large a table from outside may be.

    Parameters
    ----------
    size
        Bytes of the file.
    rows
        Rows of the table.
    columns
        Columns of the table.
    """

    size: int = 64 << 20
    rows: int = 200_000
    columns: int = 500


@dataclass(frozen=True)
class UploadedTable:
    """A table that somebody sent: its columns as declared, and its rows.

    Parameters
    ----------
    fields
        The columns, with the datatypes, units and UCDs that the file declares.
    rows
        The values; what is missing, and what is not a number, is None.
    """

    fields: tuple[Field, ...]
    rows: tuple[Row, ...]


def read_upload(file: BinaryIO, bounds: Bounds | None = None) -> UploadedTable:
    """The first table of a VOTable that is not to be trusted.

    Parameters
    ----------
    file
        The file, open for reading, and one that can go back to its start.
    bounds
        How large it may be.

    Raises
    ------
    FormatError
        It is not a VOTable, is larger than allowed, or holds what is not taken from strangers: a DTD, entities,
        streams of elsewhere, packed streams.
    """
    bounds = bounds or Bounds()
    check_upload(file, bounds)
    try:
        document = parse(file, verify="ignore")
    except (ValueError, TypeError, KeyError, IndexError, OSError, SyntaxError, AttributeError) as error:
        raise FormatError("the uploaded table is not a VOTable", got=str(error)) from error
    table = next(iter(document.iter_tables()), None)
    if table is None:
        raise FormatError("the uploaded VOTable holds no table")
    if len(table.array) > bounds.rows:
        raise _too_large("rows", len(table.array), bounds.rows)
    fields = tuple(_field(each) for each in table.fields)
    names = [each.name.lower() for each in fields]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FormatError("columns of the uploaded table have one name", got=", ".join(twice))
    columns = [
        _cells(table.array[found.ID], field) for found, field in zip(table.fields, fields, strict=True)
    ]
    return UploadedTable(fields, tuple(zip(*columns, strict=True)))


class _Walk:
    """What the parser of XML meets, checked as it comes."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.depth = self.rows = self.columns = 0
        self.first = ""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Check the start of an element."""
        name = name.rpartition(":")[2].upper()
        self.first = self.first or name
        if self.first != "VOTABLE":
            raise FormatError("the uploaded table is not a VOTable", got=f"an element {name}")
        self.depth += 1
        if self.depth > _DEPTH:
            raise FormatError("the elements of the uploaded VOTable lie too deep", allowed=f"{_DEPTH} levels")
        if name == "STREAM":
            self._stream(attributes)
        elif name == "TR":
            self.rows += 1
            if self.rows > self.bounds.rows:
                raise _too_large("rows", f"more than {self.bounds.rows}", self.bounds.rows)
        elif name == "FIELD":
            self.columns += 1
            if self.columns > self.bounds.columns:
                raise _too_large("columns", f"more than {self.bounds.columns}", self.bounds.columns)
        elif name == "TD" and "encoding" in attributes:
            raise FormatError("cells of the uploaded VOTable are packed", todo="write them as plain text")

    def _stream(self, attributes: dict[str, str]) -> None:
        if "href" in {each.lower() for each in attributes}:
            raise FormatError(
                "the uploaded VOTable has its rows elsewhere: a STREAM with an href is not followed",
                todo="send the rows within the file",
            )
        encoding = attributes.get("encoding", "base64")
        if encoding != "base64":
            raise FormatError("the uploaded VOTable is packed", got=encoding, allowed="base64")

    def end(self, _name: str) -> None:
        """Leave an element."""
        self.depth -= 1

    def document_type(self, *_: object) -> None:
        """Refuse a DTD."""
        raise FormatError(
            "the uploaded VOTable has a DTD; that is not taken", todo="leave <!DOCTYPE ...> out"
        )


def check_upload(file: BinaryIO, bounds: Bounds | None = None) -> None:
    """Go through a file once, and leave it at its start: what passes may be read by any reader of VOTables.

    Raises
    ------
    FormatError
        See `read_upload`.
    """
    bounds = bounds or Bounds()
    walk = _Walk(bounds)
    parser = expat.ParserCreate()
    parser.StartElementHandler = walk.begin
    parser.EndElementHandler = walk.end
    parser.StartDoctypeDeclHandler = walk.document_type
    parser.EntityDeclHandler = walk.document_type
    file.seek(0)
    size = 0
    try:
        while block := file.read(_BLOCK):
            size += len(block)
            if size > bounds.size:
                raise _too_large("bytes", f"more than {bounds.size}", bounds.size)
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise FormatError("the uploaded table is not XML", got=str(error)) from error
    file.seek(0)


def _too_large(what: str, got: object, allowed: int) -> FormatError:
    return FormatError(f"the uploaded table has too many {what}", got=got, allowed=f"{allowed} or fewer")


def _field(found: Any) -> Field:
    """The declaration of a column as the file has it.

    Raises
    ------
    FormatError
        It has no name, or is of a kind that no table of a database holds.
    """
    name = (found.name or found.ID or "").strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable() or '"' in name:
        raise FormatError(
            "a column of the uploaded table has no name that can be used",
            got=name,
            allowed=f"1 to {_LONGEST_NAME} characters, without quotation marks",
        )
    unit = "" if found.unit is None else str(getattr(found.unit, "to_string", lambda: found.unit)())
    return Field(
        name,
        found.datatype,
        "" if found.arraysize in (None, "1") else found.arraysize,
        found.xtype or "",
        unit,
        found.ucd or "",
        found.utype or "",
        " ".join((found.description or "").split()),
    )


def _cells(column: Any, field: Field) -> list[Cell]:
    """The values of a column: what is missing, or is not a number, as None."""
    values, masked = np.ma.getdata(column), np.ma.getmaskarray(column)
    if field.textual:
        return [None if np.all(gone) else str(each) for each, gone in zip(values, masked, strict=True)]
    if field.several:
        return [_array(each, gone) for each, gone in zip(values, masked, strict=True)]
    if values.dtype.kind == "f":
        masked = masked | np.isnan(values)
    plain = values.tolist()
    return [None if gone else value for value, gone in zip(plain, masked.tolist(), strict=True)]


def _array(values: Any, gone: Any) -> str | None:
    """An array as the text that DALI writes; None where all of it is missing."""
    numbers = np.ma.getdata(values)
    if numbers.size == 0 or np.all(gone) or np.all(np.ma.getmaskarray(values)):
        return None
    return " ".join(repr(each) for each in numbers.ravel().tolist())

"""VOTable 1.4, streamed: rows as TABLEDATA or BINARY2; overflow and late errors are told after the rows."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from skysift.base.errors import SkysiftError
from skysift.io.answers.binary import row_packer
from skysift.io.answers.cells import Declared, text_of
from skysift.io.answers.rows import Rows

__all__ = [
    "error_document",
    "field_ids",
    "info",
    "tabledata",
    "written_binary2",
    "written_tabledata",
    "xml_text",
]

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="http://www.ivoa.net/xml/VOTable/v1.3 http://www.ivoa.net/xml/VOTable/VOTable-1.4.xsd">
"""
_COOSYS = '<COOSYS ID="{id}" system="ICRS"/>\n'
_BLOCK = 3 * 16384  # bytes that become base64 at once; a multiple of 3
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_SKY = ("pos.eq.ra", "pos.eq.dec", "POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN")


def xml_text(text: str) -> str:
    """A text as XML holds it: escaped, without the characters that XML does not have."""
    return escape(_FORBIDDEN.sub(" ", text))


def attribute(text: str) -> str:
    """A text as the value of an attribute, with its quotes."""
    return quoteattr(_FORBIDDEN.sub(" ", " ".join(text.split("\n"))))


def info(name: str, value: str, text: str = "") -> str:
    """An INFO element."""
    return f"<INFO name={attribute(name)} value={attribute(value)}>{xml_text(text)}</INFO>\n"


def error_document(message: str, infos: Iterable[tuple[str, str]] = ()) -> str:
    """The VOTable that says what went wrong, as DALI wants it."""
    told = "".join(info(name, value) for name, value in infos)
    return f'{_HEAD}<RESOURCE type="results">\n{info("QUERY_STATUS", "ERROR", message)}{told}</RESOURCE>\n</VOTABLE>\n'


def cone_error_document(message: str) -> str:
    """The VOTable by which a cone search says what went wrong."""
    return (
        f'{_HEAD}<INFO ID="Error" name="Error" value={attribute(message)}/>\n'
        f'<RESOURCE type="results">\n{info("QUERY_STATUS", "ERROR", message)}</RESOURCE>\n</VOTABLE>\n'
    )


def field_ids(fields: Sequence[Declared]) -> list[str]:
    """An ID for each column: its name, where XML takes that for one, and nobody else has it."""
    taken: set[str] = set()
    found = []
    for number, field in enumerate(fields, 1):
        wanted = field.name if _NAME.fullmatch(field.name) else f"col{number}"
        while wanted in taken:
            wanted = f"{wanted}_{number}"
        taken.add(wanted)
        found.append(wanted)
    return found


def written_tabledata(
    fields: Sequence[Declared],
    rows: Rows,
    *,
    infos: Sequence[tuple[str, str]] = (),
    further: str = "",
) -> Iterator[bytes]:
    """A whole VOTable with its rows as TABLEDATA, piece by piece.

    Parameters
    ----------
    fields, rows
        The columns and the values.
    infos
        Names and values of INFO elements.
    further
        More RESOURCE elements: the descriptors of services.
    """
    yield _begun(fields, infos)
    yield b"<DATA>\n<TABLEDATA>\n"
    yield from tabledata(fields, rows)
    yield b"</TABLEDATA>\n</DATA>\n"
    yield _ended(rows, further)


def tabledata(fields: Sequence[Declared], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """The rows as TR elements, in pieces."""
    tellers = [text_of(field) for field in fields]
    piece: list[str] = []
    for row in rows:
        cells = [
            "<TD/>" if value is None else f"<TD>{xml_text(tell(value))}</TD>"
            for tell, value in zip(tellers, row, strict=True)
        ]
        piece.append(f"<TR>{''.join(cells)}</TR>\n")
        if len(piece) == 500:
            yield "".join(piece).encode()
            piece = []
    yield "".join(piece).encode()


def written_binary2(
    fields: Sequence[Declared],
    rows: Rows,
    *,
    infos: Sequence[tuple[str, str]] = (),
    further: str = "",
) -> Iterator[bytes]:
    """A whole VOTable with its rows as BINARY2, piece by piece; parameters as of `written_tabledata`."""
    yield _begun(fields, infos)
    yield b'<DATA>\n<BINARY2>\n<STREAM encoding="base64">\n'
    packed = row_packer(fields)
    held = bytearray()
    for row in rows:
        held += packed(row)
        while len(held) >= _BLOCK:
            yield base64.b64encode(held[:_BLOCK]) + b"\n"
            del held[:_BLOCK]
    yield base64.b64encode(held) + b"\n</STREAM>\n</BINARY2>\n</DATA>\n"
    yield _ended(rows, further)


def _begun(fields: Sequence[Declared], infos: Sequence[tuple[str, str]]) -> bytes:
    ids = field_ids(fields)
    on_sky = {field.ucd.partition(";")[0] for field in fields} & set(_SKY)
    frame = next(name for name in ("icrs", "system_icrs", "frame_of_skysift") if name not in ids)
    parts = [_HEAD, '<RESOURCE type="results">\n', info("QUERY_STATUS", "OK")]
    parts += [info(name, value) for name, value in infos]
    if on_sky:
        parts.append(_COOSYS.format(id=frame))
    parts.append('<TABLE name="results">\n')
    for name, field in zip(ids, fields, strict=True):
        place = frame if field.ucd.partition(";")[0] in _SKY else ""
        parts.append(_field(field, name, place))
    return "".join(parts).encode()


def _field(field: Declared, name: str, frame: str) -> str:
    said = {
        "ID": name,
        "name": field.name,
        "datatype": field.datatype,
        "arraysize": "" if field.arraysize == "1" else field.arraysize,
        "xtype": field.xtype,
        "unit": field.unit,
        "ucd": field.ucd,
        "utype": field.utype,
        "ref": frame,
    }
    attributes = " ".join(f"{key}={attribute(value)}" for key, value in said.items() if value)
    if not field.description:
        return f"<FIELD {attributes}/>\n"
    return f"<FIELD {attributes}><DESCRIPTION>{xml_text(field.description)}</DESCRIPTION></FIELD>\n"


def _ended(rows: Rows, further: str) -> bytes:
    """The end of the document; how the rows ended is known only now."""
    parts = ["</TABLE>\n"]
    if rows.failure is not None:
        parts.append(info("QUERY_STATUS", "ERROR", _message(rows.failure)))
    elif rows.overflow:
        parts.append(info("QUERY_STATUS", "OVERFLOW", f"there are more rows than {rows.count}"))
    return "".join([*parts, "</RESOURCE>\n", further, "</VOTABLE>\n"]).encode()


def _message(error: SkysiftError) -> str:
    return "the service failed" if error.kind == "fatal" else str(error)

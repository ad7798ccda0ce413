"""The headers of a FITS file as they are on disk: read at once, broken cards included, data left alone.

Real headers hold cards that the standard forbids (``BMAJ= NaN``, texts without quotes, cards cut short). A
reader that refuses them, or warns about each, is of no use at the door, so this one keeps what can be read
and lists the rest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from skysift.base.errors import FormatError
from skysift.base.store import Bytes, reading

__all__ = ["CardText", "Hdu", "Header", "read_hdus"]

CardText: TypeAlias = str | float | int | bool | None
HduKind: TypeAlias = Literal["image", "compressed", "table", "other"]

_BLOCK = 2880
_LONGEST_HEADER = 20_000 * _BLOCK  # bytes; a file without END is not read to its end
_NO_VALUE = {"COMMENT", "HISTORY", "", "END", "CONTINUE"}


@dataclass(frozen=True)
class Header:
    """The cards of one HDU: keyword to value (the first of each name), and the lines of HISTORY.

    Parameters
    ----------
    values
        Keyword to value.
    history
        Texts of the HISTORY cards.
    unread
        Cards whose value could not be read, as they are.
    """

    values: Mapping[str, CardText] = field(default_factory=dict)
    history: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    def number(self, key: str) -> float | None:
        """The value of a card as a number; None where there is no card or it holds none (NaN stays NaN)."""
        value = self.values.get(key)
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, str):
            try:
                return float(value.replace("D", "E").replace("d", "e"))
            except ValueError:
                return None
        return float(value)

    def text(self, key: str) -> str:
        """The value of a card as a text without blanks around it; empty where there is none."""
        value = self.values.get(key)
        return "" if value is None else str(value).strip()

    def true(self, key: str) -> bool:
        """True where the card says T."""
        return self.values.get(key) is True or self.text(key).upper() in ("T", "TRUE")

    def count(self, key: str, default: int = 0) -> int:
        """The value of a card as a whole number.

        Raises
        ------
        FormatError
            The card holds something else.
        """
        value = self.number(key)
        if value is None and key not in self.values:
            return default
        if value is None or not math.isfinite(value) or value != int(value) or value < 0:
            raise FormatError(
                "a structural card of the FITS header is broken", got=f"{key} = {self.values[key]!r}"
            )
        return int(value)


@dataclass(frozen=True)
class Hdu:
    """One HDU of a file: number, name, kind, header, and where its data are (bytes).

    Parameters
    ----------
    index
        Number, from 0.
    name, version
        EXTNAME (``PRIMARY`` for the first where it has none) and EXTVER.
    kind
        ``image``, ``compressed`` (fpack'd image in a table), ``table`` or ``other``.
    header
        Its cards; for a compressed image those of the image.
    start, size
        First byte and number of bytes of the data, padding not counted.
    file_size
        Bytes of the whole file.
    """

    index: int
    name: str
    version: int
    kind: HduKind
    header: Header
    start: int
    size: int
    file_size: int

    @property
    def axes(self) -> tuple[int, ...]:
        """Lengths of the axes in FITS order: NAXIS1, NAXIS2, ..."""
        key = "ZNAXIS" if self.kind == "compressed" else "NAXIS"
        return tuple(self.header.count(f"{key}{i + 1}") for i in range(self.header.count(key)))

    @property
    def bitpix(self) -> int:
        """BITPIX of the image."""
        value = self.header.number("ZBITPIX" if self.kind == "compressed" else "BITPIX")
        return 0 if value is None or not math.isfinite(value) else int(value)

    @property
    def has_image(self) -> bool:
        """True for an image of two axes or more that holds pixels."""
        return self.kind in ("image", "compressed") and len(self.axes) >= 2 and math.prod(self.axes) > 0

    @property
    def truncated(self) -> bool:
        """True where the file ends before the data do."""
        return self.start + self.size > self.file_size

    def __str__(self) -> str:
        axes = self.axes if self.kind != "other" else ()
        shape = " x ".join(str(n) for n in reversed(axes))
        kind = "empty" if self.kind == "image" and not axes else self.kind
        return " ".join(part for part in (f"[{self.index}]", self.name, kind, shape) if part)


def read_hdus(path: str) -> tuple[Hdu, ...]:
    """The HDUs of a FITS file; only headers are read.

    Raises
    ------
    UsageError
        There is no such file, it is a directory, or it may not be read.
    FormatError
        The file is empty, not FITS, or ends within its first header.
    TransientError
        The server of a URL does not answer.
    """
    with reading(path) as file:
        _check_first_bytes(file.read(512, 0), path)
        hdus: list[Hdu] = []
        start = 0
        while start < file.size and (not hdus or file.read(8, start) == b"XTENSION"):
            block = _header_block(file, start)
            if block is None:
                if not hdus:
                    raise FormatError(
                        "the FITS header has no end",
                        got=f"{path} ({file.size} bytes)",
                        todo="the file is truncated: fetch it again",
                    )
                break  # what comes after a broken header cannot be found
            hdus.append(_hdu(len(hdus), block, start + len(block), file.size))
            start = hdus[-1].start + -(-hdus[-1].size // _BLOCK) * _BLOCK
        return tuple(hdus)


def _check_first_bytes(first: bytes, path: str) -> None:
    """Say what a file is that is not FITS."""
    if not first:
        raise FormatError("the file is empty", got=path)
    if first.startswith(b"SIMPLE  ="):
        return
    if first.startswith(b"\x1f\x8b"):
        raise FormatError(
            "the file is packed by gzip",
            got=path,
            todo="unpack it by gunzip, or pack it by fpack, which is read as it is",
        )
    if first.startswith((b"BZh", b"\xfd7zXZ", b"PK\x03\x04", b"\x1f\x9d")):
        raise FormatError("the file is packed as a whole", got=path, todo="unpack it first")
    is_text = all(byte in b"\t\n\r\f" or 32 <= byte < 127 or byte > 159 for byte in first)
    begin = f"text '{first[:24].decode('latin-1')}'" if is_text else f"bytes {first[:12].hex(' ')} (hex)"
    raise FormatError("the file is not FITS", got=f"{path}, which begins with the {begin}")


def _header_block(file: Bytes, start: int) -> bytes | None:
    """The blocks of one header up to END; None where the file ends first."""
    block = b""
    while len(block) < _LONGEST_HEADER:
        more = file.read(_BLOCK, start + len(block))
        for i in range(0, len(more), 80):
            if more[i : i + 80].rstrip() == b"END":
                return block + more.ljust(_BLOCK)
        if len(more) < _BLOCK:
            return None
        block += more
    return None


def _hdu(index: int, block: bytes, start: int, file_size: int) -> Hdu:
    header = _header(block)
    naxis = [header.count(f"NAXIS{i + 1}") for i in range(header.count("NAXIS"))]
    groups = header.true("GROUPS") and naxis[:1] == [0]
    pixels = math.prod(naxis[1:] if groups else naxis) if naxis else 0
    bytes_per_value = abs(int(header.number("BITPIX") or 0)) // 8
    size = bytes_per_value * header.count("GCOUNT", 1) * (header.count("PCOUNT") + pixels) if naxis else 0
    extension = header.text("XTENSION")
    kind: HduKind = "other"
    if index == 0 or extension in ("IMAGE", "IUEIMAGE"):
        kind = "other" if groups else "image"
    elif extension in ("BINTABLE", "A3DTABLE"):
        kind = "compressed" if header.true("ZIMAGE") else "table"
    elif extension == "TABLE":
        kind = "table"
    name = header.text("EXTNAME") or ("PRIMARY" if index == 0 else "")
    return Hdu(index, name, int(header.number("EXTVER") or 1), kind, header, start, size, file_size)


def _header(block: bytes) -> Header:
    values: dict[str, CardText] = {}
    history: list[str] = []
    unread: list[str] = []
    longer = ""  # keyword of a text that goes on in CONTINUE cards
    for i in range(0, len(block), 80):
        card = block[i : i + 80].decode("ascii", "replace")
        key, mark, rest = card[:8].strip().upper(), card[8:9], card[9:]
        if key == "END" and not card[8:].strip():
            break
        if key == "CONTINUE" and longer:
            text = _value(card[8:])
            values[longer] = str(values[longer])[:-1] + (text if isinstance(text, str) else "")
            longer = longer if str(values[longer]).endswith("&") else ""
            continue
        longer = ""
        if key == "HISTORY":
            history.append(card[8:].rstrip())
        if key == "HIERARCH" and "=" in card:
            key, _, rest = card[8:].partition("=")
            key, mark = key.strip().upper(), "="
        if mark != "=" and "=" in card[:9] and key not in _NO_VALUE:
            key, _, rest = card.partition("=")
            key, mark = key.strip().upper(), "="
        if key in _NO_VALUE or mark != "=":
            continue
        try:
            value = _value(rest)
        except ValueError:
            unread.append(card.rstrip())
            continue
        values.setdefault(key, value)
        longer = key if isinstance(value, str) and value.endswith("&") else ""
    return Header(values, tuple(history), tuple(unread))


_STRING = re.compile(r"\s*'((?:[^']|'')*)'")


def _value(text: str) -> CardText:
    """The value of a card's text after ``=``.

    Raises
    ------
    ValueError
        The text is none that FITS knows.
    """
    string = _STRING.match(text)
    if string:
        return string.group(1).replace("''", "'").rstrip()
    if text.lstrip().startswith("'"):
        raise ValueError("a text without end")
    bare = text.split("/", 1)[0].strip()
    if bare in ("T", "F"):
        return bare == "T"
    if not bare:
        return None
    try:
        return int(bare)
    except ValueError:
        return float(bare.replace("D", "E").replace("d", "e"))

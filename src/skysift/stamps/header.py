"""The header of a part of a map: the map's own cards, with the axes and the reference pixels of the part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from skysift.base.errors import SkysiftError
from skysift.base.store import name_of, reading
from skysift.io.beams import map_beam
from skysift.io.cards import Hdu, Header
from skysift.io.headers import Plane
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.stamps.axes import Run, spectral_axis
from skysift.stamps.window import turn_of

__all__ = ["card", "history", "padded", "part_cards", "shape_of"]

_BLOCK = 2880
_STRUCTURE = re.compile(
    r"(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|BLANK|CHECKSUM|DATASUM"
    r"|DATAMIN|DATAMAX|TFIELDS|THEAP|T(TYPE|FORM|UNIT|NULL|SCAL|ZERO|DISP|DIM)\d+|Z(IMAGE|TILE\d+|CMPTYPE"
    r"|NAME\d+|VAL\d+|BITPIX|NAXIS\d*|SIMPLE|TENSION|EXTEND|PCOUNT|GCOUNT|HECKSUM|DATASUM|QUANTIZ|DITHER0"
    r"|BLANK|SCALE|ZERO)|END)"
)
_UNITS = {
    "FREQ": "Hz", "VRAD": "m/s", "VELO": "m/s", "VOPT": "m/s", "FELO": "m/s", "WAVE": "m", "AWAV": "m"
}  # fmt: skip
_VERSIONS = ("", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ")  # of the world coordinates of a header


def shape_of(hdu: Hdu, plane: Plane, box: Box, runs: Sequence[Run]) -> tuple[int, ...]:
    """Lengths of the axes of a part in array order, none of the map's axes dropped."""
    lengths = list(hdu.axes)
    for axis, run in zip(plane.axes, runs, strict=True):
        lengths[axis - 1] = len(run)
    lengths[plane.y_axis - 1], lengths[plane.x_axis - 1] = box.shape
    return tuple(reversed(lengths))


def part_cards(
    path: str,
    hdus: Sequence[Hdu],
    hdu: Hdu,
    plane: Plane,
    frame: Frame,
    box: Box,
    runs: Sequence[Run],
    told: str,
    *,
    tables: bool,
) -> tuple[str, ...]:
    """The cards of a part of a map, without END.

    Parameters
    ----------
    path, hdus, hdu, plane, frame
        The map.
    box, runs
        What of it.
    told
        The same in words.
    tables
        Whether a table of beams comes behind it.
    """
    lengths = tuple(reversed(shape_of(hdu, plane, box, runs)))
    cards = [card("SIMPLE", True), card("BITPIX", -32), card("NAXIS", len(lengths))]
    cards += [card(f"NAXIS{i + 1}", n) for i, n in enumerate(lengths)]
    cards += [card("EXTEND", True)] if tables else []
    changed = _changed(hdu.header, plane, box, runs) | _moved_reference(frame, plane, box)
    unread, seen, skip = set(hdu.header.unread), set[str](), False
    for line in _raw_cards(path, hdus, hdu.index):
        key = line[:8].strip().upper()
        if key == "CONTINUE":
            cards += [] if skip else [line]
            continue
        skip = _STRUCTURE.fullmatch(key) is not None or line.rstrip() in unread
        if key not in ("", "COMMENT", "HISTORY", "HIERARCH"):
            skip = skip or key in seen
            seen.add(key)
        if not skip:
            comment = line.partition(" / ")[2].rstrip()
            cards.append(card(key, changed.pop(key), comment) if key in changed else line)
    cards += [card(key, value) for key, value in changed.items()]
    cards += _mended(path, hdus, hdu, plane, frame, beam=not tables)
    where = f"columns {box.x0} to {box.x1 - 1}, rows {box.y0} to {box.y1 - 1} (0-based)"
    return (*cards, *history(f"skysift: cut from {name_of(path)}, {told or 'all of it'}: {where}"))


def _changed(header: Header, plane: Plane, box: Box, runs: Sequence[Run]) -> dict[str, float]:
    """Cards whose value is another one in the part: reference pixels, and steps where planes are left out."""
    shifts = {plane.x_axis: (box.x0, 1), plane.y_axis: (box.y0, 1)}
    shifts |= {axis: (run.start, run.step) for axis, run in zip(plane.axes, runs, strict=True)}
    changed: dict[str, float] = {}
    for axis, (start, step) in shifts.items():
        if (start, step) == (0, 1):
            continue
        for version in _VERSIONS:
            key, pixel = f"CRPIX{axis}{version}", header.number(f"CRPIX{axis}{version}")
            if pixel is None and (version or f"CRVAL{axis}" not in header.values):
                continue
            changed[key] = ((1.0 if pixel is None else pixel) - 1.0 - start) / step + 1.0
            width = header.number(f"CDELT{axis}{version}")
            if step != 1 and width is not None:
                changed[f"CDELT{axis}{version}"] = width * step
        shift = header.number(f"LTV{axis}")
        if shift is not None:
            changed[f"LTV{axis}"] = shift - start
    return changed


def _moved_reference(frame: Frame, plane: Plane, box: Box) -> dict[str, float]:
    """Another reference point for a part that goes over the seam: readers refuse pixels beyond half a turn from it."""
    if (box.x0 >= 0 and box.x1 <= frame.shape[1]) or not turn_of(frame):
        return {}
    known, axis = dict(frame.cards), plane.x_axis
    middle = (box.x0 + box.x1) // 2
    away = (middle + 1.0 - float(known["CRPIX1"])) * float(frame.jacobian[0, 0]) / 3600.0
    return {
        f"CRVAL{axis}": (float(known["CRVAL1"]) + away) % 360.0,
        f"CRPIX{axis}": middle + 1.0 - box.x0,
    }


def _mended(path: str, hdus: Sequence[Hdu], hdu: Hdu, plane: Plane, frame: Frame, *, beam: bool) -> list[str]:
    """Cards that the map should have: a beam that only its history tells, the unit of its spectral axis."""
    header = hdu.header
    cards: list[str] = []
    if beam and "BMAJ" not in header.values:
        try:
            own, _ = map_beam(hdus, hdu, plane, frame, path)
        except SkysiftError:  # the map tells no beam: neither does the part
            pass
        else:
            told = (("BMAJ", own.major / 3600.0), ("BMIN", own.minor / 3600.0), ("BPA", own.pa))
            cards += [card(key, value, "[deg] beam") for key, value in told]
    axis = spectral_axis(header, plane.axes)
    if axis is not None and f"CUNIT{axis}" not in header.values:
        unit = _UNITS.get(header.text(f"CTYPE{axis}").upper()[:4])
        cards += [card(f"CUNIT{axis}", unit, "unit of the spectral axis")] if unit else []
    return cards


def _raw_cards(path: str, hdus: Sequence[Hdu], index: int) -> Iterator[str]:
    """The cards of one HDU as they are on disk, without END."""
    before = hdus[index - 1] if index else None
    begin = before.start + padded(before.size) if before else 0
    with reading(path) as file:
        block = file.read(hdus[index].start - begin, begin)
    for i in range(0, len(block), 80):
        line = block[i : i + 80].decode("ascii", "replace")
        if line.rstrip() == "END":
            return
        plain = line.isascii() and line.isprintable()
        yield line if plain else "".join(each if " " <= each <= "~" else " " for each in line)


def card(key: str, value: str | float | int | bool, comment: str = "") -> str:
    """One card of 80 characters; a float keeps its last digit."""
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        text = f"'{value.replace(chr(39), chr(39) * 2)[:66]:<8}'"
    else:
        text = f"{repr(value).upper():>20}"
    line = f"{key:<8}= {text}"
    return (f"{line} / {comment}" if comment else line)[:80].ljust(80)


def history(text: str) -> tuple[str, ...]:
    """A text as HISTORY cards."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return tuple(f"HISTORY {plain[start : start + 70]}".ljust(80) for start in range(0, len(plain), 70))


def padded(n: int) -> int:
    """Bytes of whole FITS blocks that hold `n` bytes."""
    return -(-n // _BLOCK) * _BLOCK

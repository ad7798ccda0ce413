"""The beam of a map: from the table of beams, the cards, or the history; each survey keeps it elsewhere."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from skysift.base.errors import HeaderError
from skysift.base.store import is_url
from skysift.io.cards import Hdu, Header
from skysift.io.headers import DEGREES, Plane
from skysift.sky.beam import Beam
from skysift.sky.frame import Frame

__all__ = ["map_beam"]

_SPECTRAL = ("FREQ", "VRAD", "VELO", "VOPT", "FELO", "WAVE")
_TOO_WIDE = 3.0  # map widths; a wider beam is in arcsec, where FITS wants degrees
_NARROWEST, _WIDEST = 0.05, 200.0  # pixels; widths of a beam that make sense
_HOW = "give the beam by --beam MAJ,MIN,PA (arcsec, arcsec, deg)"


def map_beam(
    hdus: Sequence[Hdu], hdu: Hdu, plane: Plane, frame: Frame, path: str
) -> tuple[Beam, tuple[str, ...]]:
    """The beam of the plane: from the table of beams, BMAJ/BMIN/BPA, or the AIPS history.

    Raises
    ------
    HeaderError
        There is none, it is not above zero, or it is told in arcsec where FITS wants degrees.
    """
    header = hdu.header
    table = next((other for other in hdus if other.kind == "table" and other.name.upper() == "BEAMS"), None)
    refused: list[str] = []
    if table is not None and not table.truncated and (header.true("CASAMBM") or _bad(header.number("BMAJ"))):
        beam, told = _beam_of_table(path, table, header, plane)
        if beam is not None:
            return beam, (told,)
        refused.append(told)
    found = _beam_of_cards(header, refused)
    if found is not None:
        _check_size(found[0], header, frame)
        return found
    from_history = _beam_of_history(header)
    if from_history is not None:
        return from_history, (f"the beam is read from the AIPS history: {from_history}",)
    if refused:
        raise HeaderError(
            "the beam in the header cannot be right",
            got=", ".join(refused),
            allowed="BMAJ and BMIN above 0",
            todo=_HOW,
        )
    raise HeaderError("the map has no beam (BMAJ, BMIN, BPA) in its header", todo=_HOW)


def _bad(value: float | None) -> bool:
    return value is None or not math.isfinite(value) or value <= 0


def _beam_of_cards(header: Header, refused: list[str]) -> tuple[Beam, tuple[str, ...]] | None:
    for keys, unit in ((("BMAJ", "BMIN", "BPA"), 3600.0), (("BMMAJ", "BMMIN", "BMPA"), 1.0)):
        major, minor, pa = (header.number(key) for key in keys)
        unread = [card.strip() for card in header.unread if card.startswith(keys[:2])]
        if (keys[0] in header.values and _bad(major)) or (keys[1] in header.values and _bad(minor)) or unread:
            refused += unread or [f"{key} = {header.values.get(key)}" for key in keys[:2]]
            continue
        if major is None:
            continue
        notes = []
        if minor is None:
            notes.append(f"no {keys[1]} in the header: the beam is taken as round")
            minor = major
        if pa is None or not math.isfinite(pa):
            if minor != major:
                notes.append(f"no {keys[2]} in the header: the beam's position angle is taken as 0")
            pa = 0.0
        elif abs(pa) > 360.0:
            notes.append(f"{keys[2]} = {pa:g} is beyond a full turn: {pa % 180.0:.4g} deg is taken")
        return Beam(major * unit, minor * unit, pa), tuple(notes)
    return None


def _check_size(beam: Beam, header: Header, frame: Frame) -> None:
    """Refuse a beam of another unit: far wider than the map, or far narrower than a pixel."""
    width = frame.beam_pixels(beam)[0]
    got = f"BMAJ = {header.values.get('BMAJ')}, which is {width:.3g} px"
    if width < _NARROWEST:
        raise HeaderError(
            "the beam in the header is far narrower than a pixel", got=got, allowed="degrees", todo=_HOW
        )
    if width > _TOO_WIDE * max(frame.shape) and 1.0 <= width / 3600.0 <= _WIDEST:
        todo = f"if it is in arcsec, say --beam {beam.major / 3600:g},{beam.minor / 3600:g},{beam.pa:g}"
        raise HeaderError(
            "the beam in the header is far wider than the map", got=got, allowed="degrees", todo=todo
        )


_AIPS_BEAM = re.compile(r"BMAJ=\s*(\S+)\s+BMIN=\s*(\S+)\s+BPA=\s*(\S+)")


def _beam_of_history(header: Header) -> Beam | None:
    """The beam of the last CLEAN in an AIPS history."""
    for line in reversed(header.history):
        match = _AIPS_BEAM.search(line)
        if match:
            try:
                major, minor, pa = (float(text.replace("D", "E")) for text in match.groups())
            except ValueError:
                continue
            if not _bad(major) and not _bad(minor) and math.isfinite(pa):
                return Beam(major * 3600.0, minor * 3600.0, pa)
    return None


def _beam_of_table(path: str, table: Hdu, header: Header, plane: Plane) -> tuple[Beam | None, str]:
    """The beam of the plane in the table of beams (CASA), and what to tell."""
    from astropy.io import fits  # heavy: only maps with a table of beams need it

    with fits.open(path, memmap=False, use_fsspec=is_url(path)) as hdus:
        rows, columns = hdus[table.index].data, hdus[table.index].columns
        names = [str(name).upper() for name in columns.names]
        wanted = np.ones(len(rows), dtype=bool)
        for column, kinds in (("CHAN", _SPECTRAL), ("POL", ("STOK",))):
            axis = next((i for i in plane.axes if header.text(f"CTYPE{i}").upper().startswith(kinds)), None)
            if column in names and axis is not None:
                wanted &= np.asarray(rows[column]) == plane.along(axis)
        picked = np.flatnonzero(wanted)
        if "BMAJ" not in names or "BMIN" not in names or picked.size == 0:
            return None, f"no row for plane {list(plane.index)} in the table {table.name}"
        row = rows[int(picked[0])]
        unit = str(columns["BMAJ"].unit or "arcsec").strip().lower()
        factor = 3600.0 * DEGREES.get(unit.upper(), 1 / 3600)
        major, minor = float(row["BMAJ"]) * factor, float(row["BMIN"]) * factor
        pa = float(row["BPA"]) if "BPA" in names else 0.0
    if _bad(major) or _bad(minor) or not math.isfinite(pa):
        told = f"BMAJ = {major:g}, BMIN = {minor:g}"
        return None, f"{told} in the table {table.name} for plane {list(plane.index)}"
    beam = Beam(major, minor, pa)
    return beam, f"the beam of the plane is read from the table {table.name}: {beam}"

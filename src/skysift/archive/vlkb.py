"""What the ViaLactea Knowledge Base calls its columns: filaments with their branches, band-merged compact sources.

Its tables come as any catalogue does. What their files do not say of columns of known names is said here (units,
UCDs), so that they have a Galactic position that is searched, and contours that are regions of ADQL:
``CONTAINS(POINT('GALACTIC', glon, glat), contour) = 1``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from skysift.archive.fields import Field
from skysift.archive.sources import RowSource
from skysift.archive.storage import Stored

__all__ = ["contour_region", "with_names_of_vlkb"]

_LON, _LAT = "pos.galactic.lon", "pos.galactic.lat"
_KNOWN = {
    "glon": ("deg", f"{_LON};meta.main", "Galactic longitude"),
    "glat": ("deg", f"{_LAT};meta.main", "Galactic latitude"),
    "glonft": ("deg", f"{_LON};meta.main", "Galactic longitude of the band-merged source"),
    "glatft": ("deg", f"{_LAT};meta.main", "Galactic latitude of the band-merged source"),
    "designationft": ("", "meta.id;meta.main", "Designation of the band-merged source"),
    "idfil_mos": ("", "meta.id.parent", "Number of the filament in its mosaic"),
    "idbranch": ("", "meta.id", "Number of the branch"),
    "flagspine": ("", "meta.code", "1 for a branch that is the spine of its filament"),
    "contour": ("", "pos.outline", "Outline of the filament, Galactic"),
    "contour1d": ("", "pos.outline", "Line of the branch, Galactic"),
}
_BAND = re.compile(r"(higal|band|flux|err_?flux|peak|fwhm)?_?(21|22|24|70|160|250|350|500|870|1100)(um)?")
_WAVELENGTH = {  # UCD1+ of the part of the spectrum, by micrometres
    21: "em.IR.15-30um", 22: "em.IR.15-30um", 24: "em.IR.15-30um", 70: "em.IR.60-100um", 160: "em.IR.FIR",
    250: "em.IR.FIR", 350: "em.IR.FIR", 500: "em.mm.400-750GHz", 870: "em.mm.300-400GHz", 1100: "em.mm.200-400GHz",
}  # fmt: skip
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_REGION = "adql:REGION"


def with_names_of_vlkb(source: RowSource) -> RowSource:
    """The same catalogue with what VLKB means by its columns, and its contours as regions."""
    fields = tuple(_named(each) for each in source.fields)
    regions = {k for k, each in enumerate(fields) if each.xtype == _REGION}

    def blocks() -> Iterator[list[Sequence[Stored]]]:
        for block in source.blocks():
            yield [
                [None if value is None else contour_region(str(value)) for value in column]
                if k in regions
                else column
                for k, column in enumerate(block)
            ]

    return RowSource(fields, blocks, source.description, source.stack)


def contour_region(text: str) -> str | None:
    """The polygon of a list of Galactic positions, however they are set apart; None for fewer than three."""
    numbers = [float(each) for each in _NUMBER.findall(text)]
    pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
    if len(pairs) > 1 and pairs[0] == pairs[-1]:
        pairs = pairs[:-1]  # a contour ends where it begins
    if len(pairs) < 3 or len(numbers) % 2:
        return None
    return "POLYGON GALACTIC " + " ".join(f"{lon!r} {lat!r}" for lon, lat in pairs)


def _named(each: Field) -> Field:
    known = _KNOWN.get(each.name.lower())
    if known is not None:
        unit, ucd, meaning = known
        xtype = _REGION if each.name.lower() == "contour" and each.text else each.xtype
        return replace(
            each,
            unit=each.unit or unit,
            ucd=each.ucd or ucd,
            description=each.description or meaning,
            xtype=xtype,
            indexed=each.indexed or ucd.startswith("meta.id"),
        )
    band = _BAND.fullmatch(each.name.lower())
    if band is None or each.ucd or not each.number:
        return each
    quantity = {"fwhm": "phys.angSize", "peak": "phot.flux.density;stat.max"}.get(
        band[1] or "", "phot.flux.density"
    )
    error = "stat.error;" if (band[1] or "").startswith("err") else ""
    micrometres = int(band[2])
    return replace(
        each,
        ucd=f"{error}{quantity};{_WAVELENGTH[micrometres]}",
        description=each.description or f"At {micrometres} micrometres",
    )

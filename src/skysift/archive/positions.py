"""Which columns of a table are its main position (by UCDs, then by names), and what confines a search by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skysift.archive.cells import cells_of
from skysift.archive.fields import Field
from skysift.archive.regions import GALACTIC
from skysift.archive.storage import Stored
from skysift.sky.systems import sky_of, vectors

__all__ = ["VECTORS", "place_columns", "position_of"]

VECTORS = ("hpx", "ux", "uy", "uz")
"""The columns beside a position: its cell and its unit vector, ICRS."""

_UCDS = (("pos.eq.ra", "pos.eq.dec", "ICRS"), ("pos.galactic.lon", "pos.galactic.lat", "GALACTIC"))
_NAMES = (
    ("ra", "dec", "ICRS"),
    ("ra_deg", "dec_deg", "ICRS"),
    ("radeg", "decdeg", "ICRS"),
    ("raj2000", "dej2000", "ICRS"),
    ("_raj2000", "_dej2000", "ICRS"),
    ("ra_icrs", "de_icrs", "ICRS"),
    ("ra2000", "dec2000", "ICRS"),
    ("glon", "glat", "GALACTIC"),
    ("glong", "glat", "GALACTIC"),
    ("glonft", "glatft", "GALACTIC"),
    ("l", "b", "GALACTIC"),
)


def position_of(fields: Sequence[Field]) -> tuple[Field, Field, str] | None:
    """Longitude, latitude and system (``ICRS`` or ``GALACTIC``) of the main position; None where there is none.

    Columns in degrees, or without unit, count.
    """
    usable = [each for each in fields if each.datatype in ("float", "double") and not each.arraysize]
    usable = [each for each in usable if each.unit.lower() in ("deg", "degree", "degrees", "")]
    for main in (";meta.main", ""):
        for lon, lat, system in _UCDS:
            a = [each for each in usable if each.ucd.lower() == lon + main]
            b = [each for each in usable if each.ucd.lower() == lat + main]
            if a and b:
                return a[0], b[0], system
    named = {each.name.lower(): each for each in usable}
    for lon, lat, system in _NAMES:
        if lon in named and lat in named:
            return named[lon], named[lat], system
    return None


def place_columns(
    fields: Sequence[Field], block: list[Sequence[Stored]], found: tuple[Field, Field, str]
) -> list[Sequence[Stored]]:
    """Cells and unit vectors of the positions of a block; missing where a position is."""
    index = {each.column: k for k, each in enumerate(fields)}
    lon, lat = (np.array(block[index[each.column]], dtype=np.float64) for each in found[:2])
    known = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90.0)
    xyz = vectors(np.where(known, lon, 0.0), np.where(known, lat, 0.0))
    if found[2] == "GALACTIC":
        xyz = xyz @ np.array(GALACTIC)
    ra, dec = (lon, lat) if found[2] == "ICRS" else sky_of(xyz)
    cells = cells_of(np.where(known, ra, 0.0), np.where(known, dec, 0.0))
    if known.all():
        return [cells.tolist(), *(xyz[:, k].tolist() for k in range(3))]
    return [
        [value if ok else None for value, ok in zip(column.tolist(), known.tolist(), strict=True)]
        for column in (cells, xyz[:, 0], xyz[:, 1], xyz[:, 2])
    ]

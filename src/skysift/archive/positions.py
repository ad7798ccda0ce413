"""Which columns of a table are its main position: told by UCDs, then by names."""

from __future__ import annotations

from collections.abc import Sequence

from skysift.archive.fields import Field

__all__ = ["position_of"]

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

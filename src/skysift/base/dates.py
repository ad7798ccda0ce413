"""`mjd_of`: the MJD of a date as FITS headers and people write it."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

__all__ = ["PLAUSIBLE", "mjd_of"]

PLAUSIBLE = (15000.0, 120000.0)
"""MJD of 1899 and of 2187: what lies outside is no time of an observation."""

_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
_DAY = 86400.0
_OLD = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2})")
_DATE = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?)?(?:Z|([+-])(\d{2}):(\d{2}))?"
)


def mjd_of(text: str) -> float:
    """The MJD (UTC) of a date, ``2011-01-28T06:12:30.5`` or the old ``28/01/91``; NaN for another text."""
    text = text.strip()
    old = _OLD.fullmatch(text)
    if old is not None:
        text = f"19{old[3]}-{int(old[2]):02d}-{int(old[1]):02d}"
    found = _DATE.fullmatch(text)
    if found is None:
        return math.nan
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        whole = datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return math.nan
    ahead = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0)) * (-1 if found[8] == "-" else 1)
    # a second of 60 is a leap second
    passed = timedelta(hours=hour, minutes=minute, seconds=second) + (whole - _MJD_ZERO) - ahead
    mjd = (passed.total_seconds() + float(found[7] or 0.0)) / _DAY
    return mjd if PLAUSIBLE[0] < mjd < PLAUSIBLE[1] else math.nan

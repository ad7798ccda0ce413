"""`map_epoch`: when a map was observed, as its header tells."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from skysift.base.errors import FormatError, UsageError
from skysift.io.cards import Header, read_hdus
from skysift.sky.image import SkyImage

__all__ = ["header_epoch", "map_epoch"]

_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
_DAY = 86400.0
_PLAUSIBLE = (15000.0, 120000.0)  # MJD of 1899 and of 2187


def map_epoch(image: SkyImage) -> float:
    """When a map was observed: the middle of the observation as far as the header tells it (MJD), else NaN."""
    if image.origin is None:
        return math.nan
    try:
        hdus = read_hdus(image.origin.path)
    except (FormatError, UsageError):
        return math.nan
    index = image.origin.hdu if isinstance(image.origin.hdu, int) else 0
    chosen = [hdus[index].header] if index < len(hdus) else []
    known = (header_epoch(header) for header in (*chosen, hdus[0].header))
    return next((epoch for epoch in known if math.isfinite(epoch)), math.nan)


def header_epoch(header: Header) -> float:
    """The middle of the observation (MJD) by a header: its mean, the middle of begin and end, else its begin."""
    mean = _time(header, "AVG")
    if math.isfinite(mean):
        return mean
    begin = next(
        (each for each in (_time(header, "BEG"), _time(header, "OBS")) if math.isfinite(each)), math.nan
    )
    end = _time(header, "END")
    if math.isfinite(begin) and begin <= end < begin + 365.0:
        return 0.5 * (begin + end)
    return begin


def _time(header: Header, word: str) -> float:
    """The time of the cards ``MJD-`` or ``DATE-`` with this word (MJD); NaN where neither tells one."""
    number = header.number(f"MJD-{word}")
    if number is not None and _PLAUSIBLE[0] < number < _PLAUSIBLE[1]:
        return number
    return _date(header.text(f"DATE-{word}"))


def _date(text: str) -> float:
    """The MJD of a date as FITS writes it, ``2011-01-28T06:12:30.5`` or the old ``28/01/91``; NaN for another text."""
    old = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{2})", text)
    if old is not None:
        text = f"19{old.group(3)}-{int(old.group(2)):02d}-{int(old.group(1)):02d}"
    found = re.match(r"(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?)?", text)
    if found is None:
        return math.nan
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        whole = datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return math.nan
    passed = timedelta(hours=hour, minutes=minute, seconds=second) + (whole - _MJD_ZERO)
    mjd = (passed.total_seconds() + float(found.group(7) or 0.0)) / _DAY
    return mjd if _PLAUSIBLE[0] < mjd < _PLAUSIBLE[1] else math.nan

"""`map_epoch`: when a map was observed, as its header tells."""

from __future__ import annotations

import math

from skysift.base.dates import PLAUSIBLE, mjd_of
from skysift.base.errors import FormatError, UsageError
from skysift.io.cards import Header, read_hdus
from skysift.sky.image import SkyImage

__all__ = ["header_epoch", "map_epoch"]


def map_epoch(image: SkyImage) -> float:
    """When a map was observed: the middle of the observation as far as the header tells it (MJD), else NaN."""
    if image.origin is None:
        return math.nan
    try:
        hdus = read_hdus(image.origin.path)
    except (FormatError, UsageError):
        return math.nan
    chosen = [hdu.header for hdu in hdus if image.origin.hdu in (hdu.index, hdu.name)]
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
    if number is not None and PLAUSIBLE[0] < number < PLAUSIBLE[1]:
        return number
    return mjd_of(header.text(f"DATE-{word}"))

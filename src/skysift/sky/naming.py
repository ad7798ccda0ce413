"""Names of sources by their position, in the form that the IAU recommends: ``ACRONYM JHHMMSS.s+DDMMSS``.

Coordinates are truncated, never rounded. The error of each position says how many digits its name has: the
form above from 0.1 to 10 arcsec, a digit more in both coordinates for each factor of ten below (two at most),
no tenths of RA up to 30 arcsec, and no seconds of declination beyond. Without sky coordinates a name tells
the pixel: ``ACRONYM X123.4Y567.8``.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UsageError

__all__ = ["names", "suffixes"]

TextArray: TypeAlias = NDArray[np.str_]

# (largest error in arcsec, decimals of the seconds of RA, of Dec); -1 leaves out the seconds
_LEVELS: tuple[tuple[float, int, int], ...] = (
    (0.01, 3, 2),
    (0.1, 2, 1),
    (10.0, 1, 0),
    (30.0, 0, 0),
    (np.inf, 0, -1),
)
_USUAL = 2  # the level of a position whose error is not known
_SLACK = 1e-7  # of the last digit: a position at a whole digit, but for float arithmetic, has that digit


def names(
    ra: ArrayLike,
    dec: ArrayLike,
    err_arcsec: ArrayLike,
    acronym: str = "SKYSIFT",
    *,
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
) -> TextArray:
    """One name a row; rows that would have one name get the suffixes a, b, c, ... in the order of the rows.

    Parameters
    ----------
    ra, dec
        ICRS degrees; rows that are not finite get a name by their pixel.
    err_arcsec
        Error of the position, arcsec; one for all or one a row. Unknown (NaN or 0) gives the usual digits
        ``HHMMSS.s+DDMMSS``.
    acronym
        What the names begin with.
    x, y
        Pixel positions, 0-based, for rows without sky coordinates.

    Raises
    ------
    UsageError
        The acronym is not plain, or the arrays do not fit each other.
    """
    if not acronym or not acronym.isascii() or not acronym.isprintable() or acronym != acronym.strip():
        raise UsageError(
            "the acronym of names must be printable ASCII", got=acronym, todo="use one such as SKYSIFT"
        )
    lon, lat = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
    if lon.ndim != 1 or lon.shape != lat.shape:
        raise UsageError("ra and dec must have one value a row", got=(lon.shape, lat.shape))
    err = np.broadcast_to(np.asarray(err_arcsec, dtype=np.float64), lon.shape)
    level = np.searchsorted([limit for limit, _, _ in _LEVELS], err, side="left")
    level = np.where(np.isfinite(err) & (err > 0), level, _USUAL)
    on_sky = np.isfinite(lon) & np.isfinite(lat)
    body = np.full(lon.shape, "", dtype="<U64")
    for number, (_, ra_digits, dec_digits) in enumerate(_LEVELS):
        here = on_sky & (level == number)
        body[here] = _sky_name(lon[here], lat[here], ra_digits, dec_digits)
    if not np.all(on_sky):
        body[~on_sky] = _pixel_name(x, y, ~on_sky)
    plain = np.strings.add(f"{acronym} ", body)
    return np.strings.add(plain, suffixes(plain)).astype(np.str_)


def suffixes(plain: TextArray) -> TextArray:
    """The suffix of each row: none for a name that stands alone, else a, b, ... z, aa, ab, ... row by row."""
    if not len(plain):
        return np.empty(0, dtype="<U1")
    _, group, count = np.unique(plain, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    first = np.cumsum(count) - count
    rank = np.empty(len(plain), dtype=np.int64)
    rank[order] = np.arange(len(plain)) - first[group[order]]
    letters = np.array([_letters(number) for number in range(int(count.max()))])
    return np.where(count[group] > 1, letters[rank], "")


def _sky_name(
    ra: NDArray[np.float64], dec: NDArray[np.float64], ra_digits: int, dec_digits: int
) -> TextArray:
    """``JHHMMSS.s+DDMMSS`` with so many decimals of the seconds."""
    circle = 86400 * 10**ra_digits
    turns = np.floor(np.mod(ra, 360.0) / 360.0 * circle + _SLACK)
    ticks = np.minimum(turns, circle - 1).astype(np.int64)  # 23:59:59.99 never becomes 24:00:00
    hours = _sexagesimal(ticks, ra_digits)
    steps = 3600.0 * 10.0**dec_digits if dec_digits >= 0 else 60.0
    last = np.floor(90.0 * steps)
    arc = np.minimum(np.floor(np.abs(dec) * steps + _SLACK), last).astype(np.int64)
    degrees = _sexagesimal(arc, dec_digits)
    sign = np.where(dec < 0, "-", "+")
    return np.strings.add(np.strings.add("J", hours), np.strings.add(sign, degrees))


def _sexagesimal(ticks: NDArray[np.int64], digits: int) -> TextArray:
    """AABBCC.c from whole numbers of the last digit; AABB where `digits` is -1."""
    if digits < 0:
        high, middle = np.divmod(ticks, 60)
        return _join(("%02d", high), ("%02d", middle))
    whole, part = np.divmod(ticks, 10**digits)
    minutes, seconds = np.divmod(whole, 60)
    high, middle = np.divmod(minutes, 60)
    text = _join(("%02d", high), ("%02d", middle), ("%02d", seconds))
    return _join(("%s", text), (f".%0{digits}d", part)) if digits else text


def _pixel_name(x: ArrayLike | None, y: ArrayLike | None, rows: NDArray[np.bool_]) -> TextArray:
    """``X123.4Y567.8``, truncated to tenths of a pixel towards minus infinity."""
    if x is None or y is None:
        return np.full(int(rows.sum()), "XnanYnan")
    tenths = [np.floor(np.asarray(each, dtype=np.float64)[rows] * 10.0 + _SLACK) / 10.0 for each in (x, y)]
    return _join(("X%.1f", tenths[0]), ("Y%.1f", tenths[1]))


def _join(*parts: tuple[str, NDArray[np.generic]]) -> TextArray:
    text = [np.char.mod(form, values) for form, values in parts]
    result = text[0]
    for each in text[1:]:
        result = np.strings.add(result, each)
    return result.astype(np.str_)


def _letters(number: int) -> str:
    """0 -> a, 25 -> z, 26 -> aa."""
    text = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        text = chr(ord("a") + digit) + text
    return text

"""Images of services: what SIA finds around a place, what SODA cuts out there; kept in the cache."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

import numpy as np

from skysift.base.errors import FormatError, SkysiftError, UsageError
from skysift.base.log import get_logger
from skysift.base.settings import settings
from skysift.io.fetch import Fetcher

__all__ = ["sia_images", "soda_image"]

_log = get_logger(__name__)

_LARGEST = 1 << 30  # bytes of one image
_IMAGE = "image/fits"  # where nothing says what a link leads to
_PLACES = ("access.reference", "access_url")  # utype of SIA, name of ObsCore: where an image lies
_MOST = 20  # images of one answer that are fetched
_LINKS = 20  # DataLinks of one answer that are followed, each one step deep
_DIGITS = 7  # of a degree: requests for one place are one request


@lru_cache(maxsize=1024)
def sia_images(
    url: str, ra: float, dec: float, radius: float, collection: str = "", *, trusted: bool = True
) -> tuple[str, ...]:
    """Paths of the FITS images that a Simple Image Access service (version 2) has around a place.

    Parameters
    ----------
    url
        Of the service.
    ra, dec, radius
        The place (ICRS, deg) and how far around it.
    collection
        Only images of this collection.
    trusted
        Whether the service may lie in a private network.

    Raises
    ------
    TransientError
        It does not answer.
    FormatError
        It answers something else than a table of images, or with DataLinks of which none of the first leads to one.
    """
    asked = {
        "POS": f"CIRCLE {ra:.{_DIGITS}f} {dec:.{_DIGITS}f} {radius:.{_DIGITS}f}",
        "RESPONSEFORMAT": "votable",
    }
    if collection:
        asked["COLLECTION"] = collection
    rows = _rows(_with(url, asked), _PLACES, trusted=trusted)
    found: list[str] = []
    links = 0
    for row in rows:
        place = next((row[name] for name in _PLACES if row.get(name)), "")
        form = row.get("access_format") or _IMAGE
        if not place or len(found) >= _MOST:
            continue
        if "datalink" in form.lower():
            links += 1
            found += _linked(urljoin(url, place), trusted=trusted) if links <= _LINKS else []
        elif "fits" in form.lower():
            found.append(urljoin(url, place))
    if links > _LINKS and not found:
        raise FormatError(
            "no image was found behind the DataLinks of the service",
            got=f"{links} rows around {ra:.5f}, {dec:.5f}, of which the first {_LINKS} lead to no FITS file",
            allowed="DataLinks whose row #this is FITS",
            todo="name a `collection` of images, or another service",
        )
    if links > _LINKS:
        _log.warning(
            "%s has %d DataLinks around %.5f, %.5f: the first %d were followed; a `collection` makes them fewer",
            url, links, ra, dec, _LINKS,
        )  # fmt: skip
    return tuple(_fetched(each, ".fits", trusted=trusted) for each in dict.fromkeys(found[:_MOST]))


def _linked(url: str, *, trusted: bool) -> list[str]:
    """The URLs of the images themselves among the links of a DataLink service; further links are not followed."""
    return [
        urljoin(url, row["access_url"])
        for row in _rows(url, ("access_url",), trusted=trusted)
        if row.get("semantics", "").rpartition("#")[2] == "this"
        and row.get("access_url")
        and "fits" in (row.get("content_type") or _IMAGE).lower()
    ]


def _rows(url: str, wanted: tuple[str, ...], *, trusted: bool) -> list[dict[str, str]]:
    """
    The rows of the first table of a VOTable behind a URL, as texts by the names of columns and their utypes.

    Of the columns `wanted` there has to be one.
    """
    place = _fetched(url, ".xml", trusted=trusted)
    from astropy.io.votable import parse  # late: heavy

    try:
        table = parse(place, verify="ignore").get_first_table()
        names = {(field.name or "").lower(): field.ID or field.name for field in table.fields}
        names |= {
            (field.utype or "").lower().removeprefix("obscore:"): field.ID or field.name
            for field in table.fields
            if field.utype
        }
        if not any(name in names for name in wanted):
            raise ValueError(f"its table has no column {wanted[-1]}")
        return [
            {name: "" if np.ma.is_masked(row[column]) else str(row[column]) for name, column in names.items()}
            for row in table.array
        ]
    except (KeyError, ValueError, IndexError, TypeError, SyntaxError) as error:
        Path(place).unlink(missing_ok=True)
        raise FormatError(
            "the service gives no table of images", got=url, todo=f"check its URL ({error})"
        ) from error


@lru_cache(maxsize=4096)
def soda_image(
    url: str, identifier: str, ra: float, dec: float, radius: float, *, trusted: bool = True
) -> str:
    """The path of what a SODA service cuts out of an image around a place; empty where it holds nothing there.

    Raises
    ------
    TransientError
        It does not answer.
    FormatError
        It answers something else than FITS.
    """
    circle = f"{ra:.{_DIGITS}f} {dec:.{_DIGITS}f} {1.1 * radius:.{_DIGITS}f}"
    asked = _with(url, {"ID": identifier, "CIRCLE": circle})
    try:
        place = _fetched(asked, ".fits", trusted=trusted)
    except UsageError as error:
        if "status 204" in str(error):  # what a service answers where nothing overlaps
            return ""
        raise
    with Path(place).open("rb") as file:
        first = file.read(9)
    if not first:  # 204: no content
        return ""
    if first != b"SIMPLE  =":
        text = Path(place).read_bytes()[:300].decode("latin-1")
        Path(place).unlink(missing_ok=True)
        if "NODATA" in text.upper().replace(" ", "") or "OVERLAP" in text.upper():
            return ""
        raise FormatError("the SODA service gives no FITS file", got=text, todo=asked)
    return place


def _with(url: str, values: dict[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(values)}"


def _fetched(url: str, suffix: str, *, trusted: bool) -> str:
    """The path of a file behind a URL, in the cache."""
    folder = settings().cache / "stamps"
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / (hashlib.sha256(url.encode()).hexdigest()[:32] + suffix)
    if not place.exists():
        host = urlsplit(url).hostname or ""
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            Fetcher(_LARGEST, (host,) if trusted else ()).fetch(url, part)
            part.replace(place)
        except SkysiftError:
            part.unlink(missing_ok=True)
            raise
    return str(place)

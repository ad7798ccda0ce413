"""What a request for cutouts asks, as SODA has it, and the cutouts.

The server makes one at once by it, the app ``cutout`` many as a job.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skysift.archive.policy import User
from skysift.archive.shelf import Entry, Shelf
from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.sky.box import Box
from skysift.stamps.cutout import Cut, cut
from skysift.stamps.region import Shape, parse_shape, system_of

__all__ = ["Cutting", "Part", "cut_part", "cutting_of", "entry_of", "file_name", "image_of", "interval"]

MOST_PARTS = 10_000
_LONGEST_ID = 500


@dataclass(frozen=True)
class Part:
    """One cutout that is wanted.

    Parameters
    ----------
    id
        Identifier of the map.
    shape, system
        The region, and its system; None for all of the sky that the map has.
    band, velocity
        Wavelengths (m) and velocities (km/s); None for all.
    pol
        Polarisations; none for all.
    pixels
        First and last pixel along the first and the second axis, and those of channels where they are bounded, as
        FITS counts them, from 1; none where a region or nothing bounds them.
    """

    id: str
    shape: Shape | None
    system: str
    band: tuple[float, float] | None
    velocity: tuple[float, float] | None
    pol: tuple[str, ...]
    pixels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cutting:
    """What a request asks: every map in every region and every band.

    Parameters
    ----------
    ids
        Identifiers of maps.
    shapes, system
        Regions, and the system that all of them are in.
    bands
        Intervals of wavelength (m).
    pol
        Polarisations.
    velocity
        An interval of velocity (km/s).
    pixels
        As for `Part`.

    Raises
    ------
    UsageError
        No map is named, or there would be too many cutouts, or pixels are bounded in two ways.
    """

    ids: tuple[str, ...]
    shapes: tuple[Shape, ...] = ()
    system: str = "ICRS"
    bands: tuple[tuple[float, float], ...] = ()
    pol: tuple[str, ...] = ()
    velocity: tuple[float, float] | None = None
    pixels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.ids:
            raise UsageError("no map is named", todo="give its identifier as ID")
        if self.pixels and (self.shapes or (len(self.pixels) > 4 and (self.bands or self.velocity))):
            raise UsageError(
                "PIXEL and a region or band bound the same", allowed="pixels, or places and wavelengths"
            )
        if len(self) > MOST_PARTS:
            raise UsageError(
                "too many cutouts are asked for", got=len(self), allowed=f"{MOST_PARTS} or fewer"
            )

    def __len__(self) -> int:
        return len(self.ids) * max(1, len(self.shapes)) * max(1, len(self.bands))

    def parts(self) -> Iterator[Part]:
        """The cutouts that are wanted, in order."""
        shapes: Sequence[Shape | None] = self.shapes or (None,)
        bands: Sequence[tuple[float, float] | None] = self.bands or (None,)
        for did, shape, band in itertools.product(self.ids, shapes, bands):
            yield Part(did, shape, self.system, band, self.velocity, self.pol, self.pixels)


def cutting_of(
    *,
    ids: Sequence[str],
    pos: Sequence[str] = (),
    possys: str = "",
    bands: Sequence[str] = (),
    pol: Sequence[str] = (),
    velocity: str = "",
    pixel: str = "",
) -> Cutting:
    """What the parameters of SODA ask.

    Parameters
    ----------
    ids, pos, possys, bands, pol, velocity, pixel
        As texts: identifiers, regions with their kind before them, the system of the regions, intervals (m),
        polarisations, an interval of velocity (km/s), pixels as for `Part`.

    Raises
    ------
    UsageError
        One of them is not allowed.
    """
    system = (possys or "ICRS").upper()
    system_of(system)
    return Cutting(
        tuple(ids),
        tuple(parse_shape(each) for each in pos),
        system,
        tuple(interval("BAND", each) for each in bands),
        tuple(word.upper() for text in pol for word in text.split()),
        interval("VELOCITY", velocity) if velocity else None,
        _pixels(pixel) if pixel else (),
    )


def _pixels(text: str) -> tuple[int, ...]:
    """The pixels that PIXEL bounds.

    Raises
    ------
    OptionError
        They are not two or three pairs of whole numbers from 1, each the smaller first.
    """
    words = text.split()
    found = tuple(int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 10)
    pairs = list(zip(found[::2], found[1::2], strict=False))
    if len(words) not in (4, 6) or len(found) != len(words) or not all(0 < a <= b for a, b in pairs):
        raise OptionError(
            "PIXEL is not allowed", got=text, allowed="x1 x2 y1 y2, or x1 x2 y1 y2 c1 c2, counted from 1"
        )
    return found


def interval(name: str, text: str) -> tuple[float, float]:
    """The two numbers of an interval; one number is an interval without width.

    Raises
    ------
    OptionError
        It is not one or two numbers, the smaller first.
    """
    words = text.replace("/", " ").split()
    try:
        numbers = [float(word) for word in words if word.isascii() and "_" not in word]
    except ValueError:
        numbers = []
    if not 1 <= len(words) <= 2 or len(numbers) != len(words) or any(math.isnan(each) for each in numbers):
        raise OptionError(
            f"{name} is not an interval", got=text, allowed="two numbers, such as 0.2 0.22 or 0.2 +Inf"
        )
    low, high = numbers[0], numbers[-1]
    if low > high:
        raise OptionError(f"the ends of the interval {name} are in the wrong order", got=text)
    return low, high


def entry_of(shelf: Shelf, did: str, user: User) -> Entry:
    """The entry of the shelf that an identifier names: ``ivo://AUTHORITY/COLLECTION?ID``, or the id alone.

    Raises
    ------
    UnknownName
        There is none that the user may see.
    UsageError
        The identifier is none.
    """
    text = did.strip()
    if not text or len(text) > _LONGEST_ID or not text.isprintable():
        raise UsageError(
            "the identifier cannot be read", got=text[:80], allowed="ivo://AUTHORITY/COLLECTION?ID"
        )
    return shelf.entry(text, user)


def image_of(shelf: Shelf, did: str, user: User) -> Entry:
    """The map or cube that an identifier names.

    Raises
    ------
    UnknownName
        There is none that the user may see.
    UsageError
        It is something else.
    """
    entry = entry_of(shelf, did, user)
    if entry.kind not in ("image", "cube"):
        raise UsageError("only maps and cubes are cut", got=entry.kind)
    if not entry.path.is_file():
        raise UnknownName("the file of this map is not there any more", got=entry.name)
    return entry


def cut_part(entry: Entry, part: Part) -> Cut:
    """The cutout of a map; an empty one where the map holds nothing of what was asked for.

    Raises
    ------
    SkysiftError
        The map cannot be cut.
    """
    velocity = None if part.velocity is None else (1e3 * part.velocity[0], 1e3 * part.velocity[1])
    region: Shape | Box | None = part.shape
    channels = None
    if part.pixels:
        x0, x1, y0, y1, *planes = part.pixels
        region = Box(y0 - 1, y1, x0 - 1, x1)
        channels = (planes[0] - 1, planes[1] - 1) if planes else None
    return cut(
        entry.path,
        region,
        hdu=entry.hdu if entry.hdu >= 0 else None,
        band=part.band,
        velocity=velocity,
        channels=channels,
        pol=part.pol or None,
        system=part.system,
    )


def file_name(entry: Entry, number: int | None = None) -> str:
    """The name of the file of a cutout."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in entry.name).strip("._")
    plain = (plain or "map").removesuffix(".fz").removesuffix(".fits")[:80]
    return f"{plain}-cutout.fits" if number is None else f"{number:05d}-{plain}.fits"

"""`Box`, a half-open window of pixels, and the regions that a person can type."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import RegionError

__all__ = ["Box", "PixelRegion", "Region", "SkyRegion", "circle_of", "parse_region"]


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A window of pixels, half-open: rows `y0 <= y < y1`, columns `x0 <= x < x1`.

    A box whose end does not lie beyond its start is empty: its shape and size are zero.
    """

    y0: int
    y1: int
    x0: int
    x1: int

    @classmethod
    def of(cls, shape: tuple[int, int]) -> Box:
        """The box of a whole map of this shape (ny, nx)."""
        return cls(0, int(shape[0]), 0, int(shape[1]))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (ny, nx)."""
        return max(self.y1 - self.y0, 0), max(self.x1 - self.x0, 0)

    @property
    def size(self) -> int:
        """Number of pixels."""
        ny, nx = self.shape
        return ny * nx

    @property
    def empty(self) -> bool:
        """True where the box holds no pixel."""
        return self.size == 0

    def expand(self, n: int) -> Box:
        """The box with `n` more pixels on every side; it may reach outside the map."""
        return Box(self.y0 - n, self.y1 + n, self.x0 - n, self.x1 + n)

    def shift(self, dy: int, dx: int) -> Box:
        """The box moved by `dy` rows and `dx` columns."""
        return Box(self.y0 + dy, self.y1 + dy, self.x0 + dx, self.x1 + dx)

    def intersect(self, other: Box) -> Box:
        """What both boxes hold; empty (with zero shape) where they do not meet."""
        y0, x0 = max(self.y0, other.y0), max(self.x0, other.x0)
        return Box(y0, max(min(self.y1, other.y1), y0), x0, max(min(self.x1, other.x1), x0))

    def union(self, other: Box) -> Box:
        """The smallest box that holds both; an empty box adds nothing."""
        if self.empty:
            return other
        if other.empty:
            return self
        return Box(
            min(self.y0, other.y0), max(self.y1, other.y1), min(self.x0, other.x0), max(self.x1, other.x1)
        )

    def holds(self, other: Box) -> bool:
        """True where every pixel of the other box lies in this one."""
        return other.empty or (
            self.y0 <= other.y0 and other.y1 <= self.y1 and self.x0 <= other.x0 and other.x1 <= self.x1
        )

    def contains(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
        """Which positions lie in a pixel of the box; a pixel reaches half a pixel around its centre.

        Parameters
        ----------
        x, y
            Positions (pixel, 0-based).
        """
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        inside = (y >= self.y0 - 0.5) & (y < self.y1 - 0.5) & (x >= self.x0 - 0.5) & (x < self.x1 - 0.5)
        return np.asarray(inside, dtype=np.bool_)

    def slices(self, origin: Box | None = None) -> tuple[slice, slice]:
        """The slices (y, x) that cut this box out of an array.

        Parameters
        ----------
        origin
            The box that the array covers; the whole map where left out.
        """
        dy, dx = (origin.y0, origin.x0) if origin is not None else (0, 0)
        return slice(self.y0 - dy, max(self.y1, self.y0) - dy), slice(
            self.x0 - dx, max(self.x1, self.x0) - dx
        )


@dataclass(frozen=True, slots=True)
class PixelRegion:
    """A region given in pixels."""

    box: Box

    def __str__(self) -> str:
        return f"{self.box.x0},{self.box.x1},{self.box.y0},{self.box.y1}"


@dataclass(frozen=True, slots=True)
class SkyRegion:
    """A circle on the sky: ICRS degrees."""

    ra: float
    dec: float
    radius_deg: float

    def __str__(self) -> str:
        return f"{self.ra:.9g},{self.dec:.9g},{self.radius_deg:.9g}deg"


Region: TypeAlias = PixelRegion | SkyRegion

_HOW = (
    "x0,x1,y0,y1 in whole pixels (0-based, ends not included), or RA,DEC,RADIUS such as 49.5,-36,0.5 or "
    "03:18:00,-36:00:00,10arcmin"
)
_RADIUS_UNITS = {
    "deg": 1.0,
    "d": 1.0,
    "arcmin": 1 / 60,
    "'": 1 / 60,
    "arcsec": 1 / 3600,
    '"': 1 / 3600,
    "": 1.0,
}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


def parse_region(text: str) -> Region:
    """The region that a text names: four numbers are pixels, three are a circle on the sky.

    Parameters
    ----------
    text
        ``x0,x1,y0,y1`` (pixels, 0-based, half-open) or ``RA,DEC,RADIUS``: ICRS, degrees or sexagesimal with
        colons (RA then in hours); the radius in degrees or with a unit: ``10arcmin``, ``30arcsec``.

    Raises
    ------
    RegionError
        The text is neither.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 4:
        return PixelRegion(_pixel_box(parts, text))
    if len(parts) == 3:
        return circle_of(parts, text, _HOW)
    raise RegionError("a region has three or four parts", got=text, allowed=_HOW)


def _pixel_box(parts: list[str], text: str) -> Box:
    if not all(re.fullmatch(r"[+-]?\d+", part) for part in parts):
        raise RegionError("a region of four parts is in whole pixels", got=text, allowed=_HOW)
    x0, x1, y0, y1 = (int(part) for part in parts)
    if x1 <= x0 or y1 <= y0:
        raise RegionError(
            "the region holds no pixel", got=text, allowed="x0 < x1 and y0 < y1, in the order x0,x1,y0,y1"
        )
    return Box(y0, y1, x0, x1)


def circle_of(parts: Sequence[str], text: str, allowed: str) -> SkyRegion:
    """The circle of three parts RA, DEC and RADIUS.

    Parameters
    ----------
    parts
        As `parse_region` reads them.
    text
        What was typed, for the message.
    allowed
        What would be right, for the message.

    Raises
    ------
    RegionError
        One of them cannot be read, or is out of range.
    """
    ra, dec = (_angle(parts[k], text, allowed, hours=k == 0) for k in (0, 1))
    match = re.fullmatch(rf"({_NUMBER})\s*([a-z'\"]*)", parts[2])
    if match is None or match.group(2) not in _RADIUS_UNITS:
        raise RegionError(
            "the radius of a region is a number, in degrees or with a unit", got=parts[2], allowed=allowed
        )
    radius = float(match.group(1)) * _RADIUS_UNITS[match.group(2)]
    if not 0 < radius <= 180:
        raise RegionError(
            "the radius of a region is out of range", got=parts[2], allowed="above 0, at most 180 deg"
        )
    if not -90 <= dec <= 90:
        raise RegionError(
            "the declination of a region is out of range", got=parts[1], allowed="-90 to 90 deg"
        )
    if not -360 <= ra <= 360:
        raise RegionError(
            "the right ascension of a region is out of range", got=parts[0], allowed="0 to 360 deg"
        )
    return SkyRegion(ra % 360.0, dec, radius)


def _angle(part: str, text: str, allowed: str, *, hours: bool) -> float:
    """Degrees of a decimal or sexagesimal angle."""
    if re.fullmatch(_NUMBER, part):
        return float(part)
    hours = hours and "d" not in part
    fields = re.sub(r"(?<=\d)[hdm]", ":", part.rstrip("s")).rstrip(":").split(":")
    digits = [fields[0].lstrip("+-"), *fields[1:]]
    if len(fields) in (2, 3) and all(re.fullmatch(r"\d+(\.\d*)?", field) for field in digits):
        value = sum(float(field) / 60**power for power, field in enumerate(digits))
        if all(float(field) < 60 for field in digits[1:]):
            return math.copysign(value, -1.0 if part.startswith("-") else 1.0) * (15.0 if hours else 1.0)
    raise RegionError("an angle of the region cannot be read", got=text, allowed=allowed)

"""DS9 regions: circles, ellipses, boxes, polygons and points in pixels, FK5, ICRS or galactic coordinates.

The class stands in a tag or in the text (``tag={extended}``); a region that names none is compact. Regions with a
minus sign are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from skysift.base.errors import FormatError
from skysift.io.marks.drawing import Floats, ellipse_prints, joined, polygon_prints
from skysift.io.marks.marks import Marks, checked, known_class
from skysift.sky.detections import Footprints
from skysift.sky.image import SkyImage
from skysift.sky.systems import System

__all__ = ["is_ds9", "read_ds9"]

_SKY = {"fk5": System("FK5", 2000.0), "j2000": System("FK5", 2000.0), "icrs": System("ICRS"),
        "galactic": System("Galactic")}  # fmt: skip
_PIXELS = ("image", "physical")
_SHAPE = re.compile(r"^([+-]?)\s*(circle|ellipse|box|polygon|point)\s*\(?([^()]*)\)?$", re.IGNORECASE)
_TOLD = re.compile(r"(?:tag|text)\s*=\s*(?:\{([^}]*)\}|\"([^\"]*)\"|'([^']*)')")
_SIZES = {'"': 1.0 / 3600.0, "'": 1.0 / 60.0, "d": 1.0}


def is_ds9(lines: list[str]) -> bool:
    """Whether lines of text are a region file: by the first one, or by a coordinate system and a shape."""
    if lines and lines[0].lower().startswith("# region file format: ds9"):
        return True
    return any(_SHAPE.match(part) for line in lines[:50] for part in _parts(line)[0])


def read_ds9(lines: list[str], path: Path, image: SkyImage, classes: Mapping[str, str]) -> Marks:
    """
    The objects of a region file.

    Raises
    ------
    FormatError
        A region cannot be read, or is in coordinates that the map does not have.
    OptionError
        A meaning that was given is no class.
    """
    checked(classes)
    named: dict[str, None] = {}
    system, prints, kinds, centres = "image", list[Footprints](), list[str](), list[tuple[float, float]]()
    excluded = untold = 0
    for number, line in enumerate(lines, start=1):
        parts, told = _parts(line)
        for part in parts:
            if part.lower() in (*_SKY, *_PIXELS):
                system = part.lower()
                continue
            found = _SHAPE.match(part)
            if found is None:
                if re.match(r"^[+-]?\s*[a-zA-Z]+\s*\(", part) or part.lower() in (
                    "fk4",
                    "ecliptic",
                    "b1950",
                    "wcs",
                ):
                    raise FormatError(
                        f"{path.name}, line {number}: a region that cannot be read",
                        got=part[:60],
                        allowed="circle, ellipse, box, polygon, point; image, physical, fk5, icrs, galactic",
                    )
                continue  # global settings
            if found[1] == "-":
                excluded += 1
                continue
            try:
                drawn, centre = _drawn(found[2].lower(), found[3], system, image, len(kinds))
            except (ValueError, IndexError) as error:
                raise FormatError(
                    f"{path.name}, line {number}: a region that cannot be read", got=part[:60]
                ) from error
            named |= dict.fromkeys(told)
            meant = [m for m in (known_class(each, classes) for each in told) if m is not None]
            untold += not meant
            kinds.append(meant[0] if meant else "compact")
            prints.append(drawn)
            centres.append(centre)
    notes = [f"{excluded} regions with a minus sign are left out"] if excluded else []
    if untold:
        notes.append(f"{untold} regions name no class in a tag or text: they are compact")
    middle = np.array(centres, np.float64).reshape(-1, 2)
    return Marks(tuple(kinds), joined(prints), middle, tuple(named), tuple(notes))


def _parts(line: str) -> tuple[list[str], list[str]]:
    """What stands between semicolons before the comment, and the tags and texts in that."""
    bare, _, comment = line.partition("#")
    told = [a or b or c for a, b, c in _TOLD.findall(comment)]
    return [part.strip() for part in bare.split(";") if part.strip()], told


def _drawn(
    shape: str, text: str, system: str, image: SkyImage, index: int
) -> tuple[Footprints, tuple[float, float]]:
    """The pixels of one region, and its centre."""
    words = [word for word in re.split(r"[\s,]+", text.strip()) if word]
    if shape == "polygon":
        if len(words) < 6 or len(words) % 2:
            raise ValueError("a polygon of fewer than three corners")
        corners = np.stack(_pixels(words[0::2], words[1::2], system, image), axis=1)
        if not np.isfinite(corners).all():
            return Footprints.empty(), (np.nan, np.nan)
        return polygon_prints([(index, corners)], image.shape), (np.nan, np.nan)
    (x,), (y,) = _pixels(words[:1], words[1:2], system, image)
    to_pixel = _steps(words, system, image) if system in _SKY else np.eye(2)
    if not np.isfinite([x, y]).all() or not np.isfinite(to_pixel).all():
        return Footprints.empty(), (np.nan, np.nan)
    if shape == "point":
        semi = np.full(2, 0.5 * max(image.frame.beam_pixels(image.beam)))
        to_pixel = np.eye(2)
        angle = 0.0
    else:
        if len(words) > (3 if shape == "circle" else 5):
            raise ValueError("an annulus is no shape with one outline")
        sizes = [_size(word, system) for word in words[2 : 3 if shape == "circle" else 4]]
        semi = np.array([sizes[0], sizes[-1]]) * (0.5 if shape == "box" else 1.0)
        if len(sizes) != (1 if shape == "circle" else 2) or not (semi > 0.0).all():
            raise ValueError("sizes above 0 are wanted")
        angle = np.radians(float(words[4])) if shape != "circle" and len(words) > 4 else 0.0
    # angles run from +x towards +y; on the sky +x is west
    flip = -1.0 if system in _SKY and shape != "point" else 1.0
    axes = np.array([[flip * np.cos(angle), -flip * np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed = to_pixel @ axes * semi  # columns: semi-axes in pixels
    if shape == "box":
        corners = np.array([x, y]) + np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) @ placed.T
        return polygon_prints([(index, corners)], image.shape), (float(x), float(y))
    form = placed @ placed.T
    drawn = ellipse_prints(
        np.array([x]), np.array([y]), np.array([[form[0, 0], form[0, 1], form[1, 1]]]), image.shape
    )
    return Footprints(drawn.row, drawn.start, drawn.stop, drawn.index + index), (float(x), float(y))


def _steps(words: list[str], system: str, image: SkyImage) -> Floats:
    """What takes (east, north) of a system at a position, in degrees, to pixels: by steps of an arcsecond."""
    lon, lat = _angle(words[0], hours=system != "galactic"), _angle(words[1], hours=False)
    step = 1.0 / 3600.0
    lons = np.array([lon, lon + step / max(np.cos(np.radians(lat)), 1e-6), lon])
    lats = np.array([lat, lat, lat + step])
    x, y = image.frame.to_pixel(*_SKY[system].to_icrs(lons, lats))
    return np.array([[x[1] - x[0], x[2] - x[0]], [y[1] - y[0], y[2] - y[0]]]) / step


def _pixels(first: list[str], second: list[str], system: str, image: SkyImage) -> tuple[Floats, Floats]:
    """Pixels (0-based) of positions."""
    if system in _PIXELS:
        return np.array([float(w) for w in first]) - 1.0, np.array([float(w) for w in second]) - 1.0
    if not image.frame.celestial:
        raise FormatError(
            "regions on the sky, and the map has no sky coordinates", got=system, allowed="image"
        )
    hours = system != "galactic"
    lon = np.array([_angle(word, hours=hours) for word in first])
    lat = np.array([_angle(word, hours=False) for word in second])
    return image.frame.to_pixel(*_SKY[system].to_icrs(lon, lat))


def _angle(word: str, *, hours: bool) -> float:
    """Degrees of a coordinate: a number, or sexagesimal."""
    if ":" not in word and not re.search(r"[hm]", word):
        return float(word.rstrip("d"))
    numbers = [float(each) for each in re.split(r"[:hdms]", word.strip("s")) if each]
    size = sum(abs(each) / 60.0**k for k, each in enumerate(numbers))
    by_hours = hours and "d" not in word
    return (-size if word.startswith("-") else size) * (15.0 if by_hours else 1.0)


def _size(word: str, system: str) -> float:
    """A length: in pixels, or on the sky in degrees."""
    unit = word[-1]
    if system in _PIXELS:
        if unit in _SIZES:
            raise ValueError("a size on the sky of a region in pixels")
        return float(word.rstrip("ip"))
    return float(word[:-1]) * _SIZES[unit] if unit in _SIZES else float(word)

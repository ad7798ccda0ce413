"""The pixels of a map that a region of the sky covers, and reading them where they reach beyond the map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.image import PixelSource
from skysift.sky.systems import System
from skysift.stamps.region import Shape

__all__ = ["Overlap", "Window", "read_box", "turn_of", "window_of"]

Floats = NDArray[np.float64]
Overlap: TypeAlias = Literal["full", "partial", "none"]

_GRID = 257  # pixels along a side at which a map is looked at, where the projection does not reach the region
_POLES = np.array([90.0, -90.0])
_CYLINDRICAL = ("CAR", "CEA", "MER", "CYP")
_WHOLE = 1e-6  # of a pixel that a turn of longitude may miss to be a whole number of pixels


@dataclass(frozen=True, slots=True)
class Window:
    """The pixels that a region covers: the box around them, what of it the map has, and how much that is.

    Parameters
    ----------
    asked
        The box around the region; it may reach outside the map.
    box
        What of it lies on the map; in a map all around the sky it may go over the seam, and then begins left of
        column 0 or ends beyond the last.
    overlap
        ``full``: the map holds all of the region; ``partial``; ``none``.
    """

    asked: Box
    box: Box
    overlap: Overlap


def window_of(frame: Frame, shape: Shape, system: System) -> Window:
    """The window of a region in a map.

    Parameters
    ----------
    frame
        Of the map.
    shape
        The region, in degrees of `system`.
    system
        The celestial system of the region.
    """
    lon, lat = shape.points()
    pole_lon, pole_lat = _poles(frame, shape, system)
    ra, dec = system.to_icrs(np.append(lon, pole_lon), np.append(lat, pole_lat))
    x, y = frame.to_pixel(ra, dec)
    turn = turn_of(frame)
    if turn:
        x = _unwrapped(frame, x, shape, system, turn)
    whole = Box.of(frame.shape)
    beyond = not (np.isfinite(x) & np.isfinite(y)).all()
    good = np.isfinite(x) & np.isfinite(y)
    asked = _around(x[good], y[good])
    if (
        beyond
    ):  # the projection does not reach all of the region: its pixels are looked for among those of the map
        asked = asked.union(_looked_for(frame, shape, system, whole))
    if turn:
        if asked.shape[1] >= turn:
            asked = Box(asked.y0, asked.y1, 0, turn)
        box = Box(max(asked.y0, 0), min(asked.y1, whole.y1), asked.x0, asked.x1)
        inside = (y[good] >= -0.5) & (y[good] <= whole.y1 - 0.5)
    else:
        box = asked.intersect(whole)
        inside = whole.contains(x[good], y[good])
    if box.empty:
        return Window(asked, Box(0, 0, 0, 0), "none")
    if inside.all() and not beyond:
        return Window(asked, box, "full")
    if inside.any() or _holds_any(frame, shape, system, box):
        return Window(asked, box, "partial")
    return Window(asked, Box(0, 0, 0, 0), "none")


def read_box(source: PixelSource, box: Box, turn: int = 0) -> NDArray[np.float32]:
    """The pixels of a box that may reach outside the plane: NaN there, or over the seam of a map all around the sky.

    Parameters
    ----------
    source
        The plane.
    box
        The box.
    turn
        Pixels of a whole turn along x, of a map that holds one; 0 for others.
    """
    whole = Box.of(source.shape)
    if whole.holds(box):
        return source.read(box)
    out = np.full(box.shape, np.nan, np.float32)
    for shift in range(box.x0 // turn, (box.x1 - 1) // turn + 1) if turn else (0,):
        there = box.shift(0, -shift * turn).intersect(whole)
        if not there.empty:
            out[there.shift(0, shift * turn).slices(box)] = source.read(there)
    return out


def turn_of(frame: Frame) -> int:
    """Pixels of a whole turn of longitude along x, for a map that holds one and repeats after it; 0 for others.

    Only where the reference point is on the equator: there, and only there, columns are longitudes.
    """
    known = dict(frame.cards)
    if frame.projection not in _CYLINDRICAL or known["CRVAL2"] != 0.0 or known.get("LONPOLE", 0.0) != 0.0:
        return 0
    step = np.linalg.inv(frame.jacobian) @ np.array([360.0 * 3600.0, 0.0])
    turn = round(abs(float(step[0])))
    if abs(abs(float(step[0])) - turn) > _WHOLE * turn or abs(float(step[1])) > _WHOLE * turn:
        return 0
    return turn if frame.shape[1] >= turn else 0


def _poles(frame: Frame, shape: Shape, system: System) -> tuple[Floats, Floats]:
    """The poles of the map's own system that the region holds, all around, in the region's system."""
    assert frame.system is not None
    around = np.repeat(np.arange(0.0, 360.0, 5.0), 2)
    lat = np.tile(_POLES, around.size // 2)
    place = system.from_icrs(*frame.system.to_icrs(around, lat * (1.0 - 1e-12)))
    held = shape.contains(*place)
    return place[0][held], place[1][held]


def _around(x: Floats, y: Floats) -> Box:
    """The box of all pixels that positions lie in."""
    if not x.size:
        return Box(0, 0, 0, 0)
    x0, y0 = math.floor(x.min() + 0.5), math.floor(y.min() + 0.5)
    return Box(y0, max(math.ceil(y.max() + 0.5), y0 + 1), x0, max(math.ceil(x.max() + 0.5), x0 + 1))


def _unwrapped(frame: Frame, x: Floats, shape: Shape, system: System, turn: int) -> Floats:
    """Columns moved by whole turns to where they are nearest to the middle of the region."""
    lon, lat = (np.array([each]) for each in shape.middle)
    middle = frame.to_pixel(*system.to_icrs(lon, lat))[0][0]
    return np.asarray(x - turn * np.round((x - middle) / turn))


def _looked_for(frame: Frame, shape: Shape, system: System, box: Box) -> Box:
    """The box of a map's pixels in the region, from a grid of them."""
    x, y, inside = _grid(frame, shape, system, box)
    if not inside.any():
        return Box(0, 0, 0, 0)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    y0, y1 = y[max(rows[0] - 1, 0)], y[min(rows[-1] + 1, y.size - 1)]
    x0, x1 = x[max(columns[0] - 1, 0)], x[min(columns[-1] + 1, x.size - 1)]
    return Box(int(y0), int(y1) + 1, int(x0), int(x1) + 1)


def _holds_any(frame: Frame, shape: Shape, system: System, box: Box) -> bool:
    return bool(_grid(frame, shape, system, box)[2].any())


def _grid(
    frame: Frame, shape: Shape, system: System, box: Box
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Columns and rows of a grid of pixels in a box, and which of them (y, x) lie in the region."""
    y = np.unique(np.linspace(box.y0, box.y1 - 1, _GRID).round().astype(np.int64))
    x = np.unique(np.linspace(box.x0, box.x1 - 1, _GRID).round().astype(np.int64))
    ra, dec = frame.to_sky(*np.meshgrid(x, y))
    good = np.isfinite(ra)
    inside = np.zeros(ra.shape, np.bool_)
    inside[good] = shape.contains(*system.from_icrs(ra[good], dec[good]))
    return x, y, inside

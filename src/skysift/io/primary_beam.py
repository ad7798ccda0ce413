"""`response`: what a map of a primary beam says at positions on the sky."""

from __future__ import annotations

import os
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates, maximum_filter

from skysift.base.errors import UsageError
from skysift.io.open import open_image
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.image import SkyImage

__all__ = ["response"]

Floats: TypeAlias = NDArray[np.float64]

_CELL = 2048  # pixels a side that are read together
_MARGIN = 16  # pixels around them, beyond which a cubic spline does not look


def response(path: str | os.PathLike[str], ra: ArrayLike, dec: ArrayLike) -> Floats:
    """The response of a primary beam at ICRS positions (deg), NaN outside its map and where that is blank.

    The map has pixels of its own; between them a cubic spline runs, or straight lines beside blank pixels.

    Parameters
    ----------
    path
        FITS map of the response, 1 on the axis.
    ra, dec
        ICRS degrees; (n,).

    Raises
    ------
    UsageError
        There is no such file, or the map has no place on the sky.
    FormatError
        The file holds no image.
    """
    # such a map has neither beam nor unit, which others must have; what is given here is not used
    image = open_image(path, beam=Beam(1.0, 1.0), unit="Jy/beam", pixel_scale=1.0)
    if not image.frame.celestial:
        raise UsageError("the map of the primary beam has no place on the sky", got=str(path))
    x, y = image.frame.to_pixel(ra, dec)
    ny, nx = image.shape
    values = np.full(x.shape, np.nan)
    inside = np.flatnonzero((x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5))
    cells_across = -(-nx // _CELL)
    cell = (
        np.rint(y[inside]).astype(np.int64) // _CELL * cells_across
        + np.rint(x[inside]).astype(np.int64) // _CELL
    )
    for number in np.unique(cell):
        rows = inside[cell == number]
        y0, x0 = int(number) // cells_across * _CELL, int(number) % cells_across * _CELL
        values[rows] = _interpolated(image, y0, x0, x[rows], y[rows])
    return values


def _interpolated(image: SkyImage, y0: int, x0: int, x: Floats, y: Floats) -> Floats:
    """Values at pixel positions in the cell that begins at (y0, x0)."""
    ny, nx = image.shape
    box = Box(
        max(y0 - _MARGIN, 0),
        min(y0 + _CELL + _MARGIN, ny),
        max(x0 - _MARGIN, 0),
        min(x0 + _CELL + _MARGIN, nx),
    )
    pixels = np.asarray(image.read(box), dtype=np.float64)
    at = np.stack([y - box.y0, x - box.x0])
    straight = map_coordinates(pixels, at, order=1, mode="nearest")
    blank = ~np.isfinite(pixels)
    if blank.all() or min(pixels.shape) < 4:
        return np.asarray(straight)
    smooth = map_coordinates(np.where(blank, 0.0, pixels), at, order=3, mode="nearest")
    if not blank.any():
        return np.asarray(smooth)
    beside = map_coordinates(blank.astype(np.float64), at, order=0, mode="nearest") > 0.0
    return np.where(np.isnan(straight) | beside, straight, _away_from(blank, at, smooth, straight))


def _away_from(blank: NDArray[np.bool_], at: Floats, smooth: Floats, straight: Floats) -> Floats:
    """The smooth values where no blank pixel is within the margin, else the straight ones."""
    near = maximum_filter(blank, size=2 * _MARGIN + 1)
    ny, nx = near.shape
    row = np.clip(np.rint(at[0]).astype(np.int64), 0, ny - 1)
    column = np.clip(np.rint(at[1]).astype(np.int64), 0, nx - 1)
    return np.where(near[row, column], straight, smooth)

"""The part of a map that a region covers."""

import numpy as np

from skysift.base.errors import RegionError
from skysift.sky.box import Box, PixelRegion, Region
from skysift.sky.frame import Frame


def area_of(region: Region | None, frame: Frame) -> Box:
    """
    The box of pixels that a region covers: itself, or what holds a circle on the sky; the whole map for None.

    Raises
    ------
    RegionError
        Where the region does not meet the map, or a sky region is given for a map without sky coordinates.
    """
    whole = Box.of(frame.shape)
    if region is None:
        return whole
    box = (
        region.box
        if isinstance(region, PixelRegion)
        else _circle(region.ra, region.dec, region.radius_deg, frame)
    )
    inside = box.intersect(whole)
    if inside.empty:
        ny, nx = frame.shape
        raise RegionError("the region does not meet the map", got=region, allowed=f"x 0 to {nx}, y 0 to {ny}")
    return inside


def _circle(ra: float, dec: float, radius: float, frame: Frame) -> Box:
    if not frame.celestial:
        raise RegionError(
            "a region on the sky needs a map with sky coordinates",
            got="a map in pixels",
            todo="give x0,x1,y0,y1",
        )
    x, y = frame.to_pixel(np.array([ra]), np.array([dec]))
    if not (np.isfinite(x[0]) and np.isfinite(y[0])):
        raise RegionError("the region lies outside the map's projection", got=f"{ra},{dec}")
    inverse = np.linalg.inv(frame.tangent(x, y))[0] * 3600.0 * radius  # (pixel, sky)
    half_x, half_y = np.hypot(*inverse[0]), np.hypot(*inverse[1])
    return Box(
        int(np.floor(y[0] - half_y)),
        int(np.ceil(y[0] + half_y)) + 1,
        int(np.floor(x[0] - half_x)),
        int(np.ceil(x[0] + half_x)) + 1,
    )

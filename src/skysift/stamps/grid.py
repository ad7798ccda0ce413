"""Pixels of one grid on another: interpolated, or by areas as `reproject` does it."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.extras import require
from skysift.sky.box import Box
from skysift.sky.frame import Frame

__all__ = ["Method", "north_up", "pixels_of", "reach_of", "regrid"]

Floats = NDArray[np.float64]
Method: TypeAlias = Literal["interpolate", "adaptive", "exact"]

_STEP = 24  # pixels between the places where the projections are asked; those between are interpolated
_EXACT = 1e-3  # pixels that an interpolated place may be off
_WHOLE = 1e-6  # pixels by which two grids may differ and be one


def north_up(ra: float, dec: float, size: int, scale: float) -> Frame:
    """A square frame around a place: TAN, north up and east left, ICRS.

    Parameters
    ----------
    ra, dec
        The place (deg), in the middle of the middle pixel, or between the middle two.
    size
        Pixels along a side.
    scale
        Size of a pixel (arcsec).
    """
    cards: dict[str, str | float | int] = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": ra,
        "CRVAL2": dec,
        "CRPIX1": size / 2.0 + 0.5,
        "CRPIX2": size / 2.0 + 0.5,
        "CDELT1": -scale / 3600.0,
        "CDELT2": scale / 3600.0,
        "RADESYS": "ICRS",
    }
    return Frame.from_cards(cards, (size, size), beam_plane="sky")


def pixels_of(frame: Frame, wanted: Frame) -> tuple[Floats, Floats]:
    """Positions (y, x), in the pixels of one frame, of the pixels of another; NaN where it does not reach.

    The projections are asked on a coarse grid, where that is good to a thousandth of a pixel.
    """
    ny, nx = wanted.shape
    if min(ny, nx) > 2 * _STEP:
        rows, columns = _nodes(ny), _nodes(nx)
        x, y = frame.to_pixel(*wanted.to_sky(*np.meshgrid(columns, rows)))
        if np.isfinite(x).all() and np.isfinite(y).all():
            down, along = _weights(ny), _weights(nx)
            full_x, full_y = down @ x @ along.T, down @ y @ along.T
            test_y, test_x = (np.arange(_STEP // 2, n, _STEP * max(1, n // 160)) for n in (ny, nx))
            right = frame.to_pixel(*wanted.to_sky(*np.meshgrid(test_x, test_y)))
            off = [
                np.abs(whole[np.ix_(test_y, test_x)] - part)
                for whole, part in zip((full_x, full_y), right, strict=True)
            ]
            if max(float(each.max()) for each in off) < _EXACT:  # NaN is not
                return full_x, full_y
    x, y = np.meshgrid(np.arange(nx), np.arange(ny))
    return frame.to_pixel(*wanted.to_sky(x, y))


def reach_of(frame: Frame, wanted: Frame, margin: int = 3) -> Box:
    """The box of a frame's pixels that another frame covers, and a margin; it may reach outside. Empty where none."""
    ny, nx = wanted.shape
    rows, columns = (np.linspace(-0.5, n - 0.5, 33) for n in (ny, nx))
    x, y = frame.to_pixel(*wanted.to_sky(*np.meshgrid(columns, rows)))
    good = np.isfinite(x) & np.isfinite(y)
    if not good.any():
        return Box(0, 0, 0, 0)
    low_x, low_y = math.floor(float(x[good].min())), math.floor(float(y[good].min()))
    high_x, high_y = math.ceil(float(x[good].max())), math.ceil(float(y[good].max()))
    return Box(low_y, high_y + 1, low_x, high_x + 1).expand(margin)


def regrid(
    data: NDArray[np.float32] | Floats,
    frame: Frame,
    wanted: Frame,
    method: Method = "interpolate",
    *,
    places: tuple[Floats, Floats] | None = None,
) -> NDArray[np.float32]:
    """Brightness on another grid (y, x); NaN where a blank pixel or none would be needed.

    Numbers per pixel are to be multiplied by the ratio of the pixel areas.

    Parameters
    ----------
    data, frame
        What there is.
    wanted
        The grid of the answer.
    method
        ``interpolate``: cubic splines; ``adaptive``: averages that fit the sizes of both pixels; ``exact``: the areas
        in which pixels overlap.
    places
        `pixels_of` these frames, for those who know it.
    """
    if method != "interpolate":
        return _by_areas(data, frame, wanted, method)
    x, y = pixels_of(frame, wanted) if places is None else places
    shift = _shift(x, y)
    if shift is not None:
        return _shifted(data, *shift, wanted.shape)
    from skysift.stamps.spline import interpolated  # late: compiled loops

    known = np.isfinite(data)
    if known.all():
        return interpolated(np.asarray(data, np.float64), y, x)
    if not known.any():
        return np.full(wanted.shape, np.nan, np.float32)
    from scipy.ndimage import distance_transform_edt, map_coordinates  # late: slow to import

    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    # what is blank is filled, so that splines beside it do not ring
    out = interpolated(np.asarray(data[tuple(nearest)], np.float64), y, x)
    at = np.stack([np.nan_to_num(y), np.nan_to_num(x)])
    out[map_coordinates(known.astype(np.float64), at, order=1, mode="nearest") <= 1.0 - 1e-6] = np.nan
    return out


def _by_areas(
    data: NDArray[np.float32] | Floats, frame: Frame, wanted: Frame, method: Method
) -> NDArray[np.float32]:
    require(f"the method {method}", "reproject")
    from reproject import reproject_adaptive, reproject_exact  # late: it brings dask and zarr

    function = reproject_exact if method == "exact" else reproject_adaptive
    more = {} if method == "exact" else {"conserve_flux": False}
    with np.errstate(invalid="ignore", divide="ignore"):
        out, covered = function(
            (np.asarray(data, np.float64), frame.wcs), wanted.wcs, shape_out=wanted.shape, **more
        )
    return np.where(covered > 0.5, out, np.nan).astype(np.float32)


def _shift(x: Floats, y: Floats) -> tuple[int, int] | None:
    """Whole pixels (down, along) by which a grid is the other one; None where it is not."""
    if not (np.isfinite(x[0, 0]) and np.isfinite(y[0, 0])):
        return None
    down, along = round(float(y[0, 0])), round(float(x[0, 0]))
    ny, nx = x.shape
    if not max(abs(x[0, 0] - along), abs(y[-1, -1] - down - ny + 1)) < _WHOLE:  # most are told by two corners
        return None
    off = max(
        float(np.abs(x - along - np.arange(nx)).max()), float(np.abs(y - down - np.arange(ny)[:, None]).max())
    )
    return (down, along) if off < _WHOLE else None


def _shifted(
    data: NDArray[np.float32] | Floats, down: int, along: int, shape: tuple[int, int]
) -> NDArray[np.float32]:
    out = np.full(shape, np.nan, np.float32)
    box = Box(down, down + shape[0], along, along + shape[1])
    there = box.intersect(Box.of((data.shape[0], data.shape[1])))
    if not there.empty:
        out[there.slices(box)] = data[there.slices()]
    return out


def _nodes(n: int) -> Floats:
    return np.append(np.arange(0, n - 1, _STEP, dtype=np.float64), float(n - 1))


@lru_cache(maxsize=64)
def _weights(n: int) -> Floats:
    """Matrix (n, nodes) of the cubic spline through values at the nodes."""
    from scipy.interpolate import make_interp_spline  # late: slow to import

    nodes = _nodes(n)
    weights: Floats = make_interp_spline(nodes, np.eye(nodes.size), k=min(3, nodes.size - 1))(np.arange(n))
    return weights

"""`inside`: which positions lie within the outline of a catalogue, where its rows could have been matched."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from skysift.match.entries import Entries
from skysift.match.sky import unit_vectors
from skysift.sky.units import ARCSEC

__all__ = ["inside"]

_WIDEST = math.cos(math.radians(75.0))  # rows farther from their middle have no outline on a tangent plane

Floats = NDArray[np.float64]


def inside(outline: Entries, ra: Floats, dec: Floats, margin: float) -> NDArray[np.bool_]:
    """True for positions within the convex outline of a catalogue's rows; (n,).

    The outline is that on the plane that touches the sky at the middle of the rows, on which great circles are
    straight. Rows all over the sky have none: every position lies among them. So have fewer than three rows, or
    rows in a line: no position does.

    Parameters
    ----------
    outline
        The catalogue.
    ra, dec
        The positions (deg); one that is not a number lies nowhere.
    margin
        How far beyond the outline still counts (arcsec).
    """
    known = np.isfinite(ra) & np.isfinite(dec)
    rows = unit_vectors(outline.ra[outline.placed], outline.dec[outline.placed])
    if len(rows) < 3:
        return np.zeros(ra.shape, np.bool_)
    middle = rows.mean(axis=0)
    length = float(np.linalg.norm(middle))
    if length < 1e-6 or float((rows @ middle).min()) < _WIDEST * length:
        return known
    middle = middle / length
    east = np.cross([0.0, 0.0, 1.0] if abs(middle[2]) < 0.9 else [1.0, 0.0, 0.0], middle)
    east /= np.linalg.norm(east)
    axes = np.stack([east, np.cross(middle, east)], axis=1)
    try:
        facets = ConvexHull((rows @ axes) / (rows @ middle)[:, None]).equations
    except QhullError:
        return np.zeros(ra.shape, np.bool_)
    places = unit_vectors(np.where(known, ra, 0.0), np.where(known, dec, 0.0))
    depth = places @ middle
    ahead = known & (depth > 0.05)
    flat = (places @ axes) / np.where(ahead, depth, 1.0)[:, None]
    beyond = np.full(ra.shape, -np.inf)
    for a, b, c in facets:  # (a, b) points outwards
        np.maximum(beyond, a * flat[:, 0] + b * flat[:, 1] + c, out=beyond)
    return np.asarray(ahead & (beyond <= margin * ARCSEC))

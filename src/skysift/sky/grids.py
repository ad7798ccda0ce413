"""Whether two maps have one grid of pixels."""

from __future__ import annotations

import math

import numpy as np

from skysift.sky.frame import Frame

__all__ = ["SAME_GRID", "grids_apart"]

SAME_GRID = 0.1  # pixels; grids that lie farther apart are not one

_LATTICE = 5  # places along each side that are looked at, from border to border


def grids_apart(one: Frame, other: Frame) -> float:
    """How far (pixel) the pixels of two maps of one shape lie apart, at the place where it is most.

    Infinite where the shapes differ or no pixel has a place in both; 0 where one of the two has no place on the sky.
    """
    if one.shape != other.shape:
        return math.inf
    if not (one.celestial and other.celestial):
        return 0.0
    y, x = (
        each.ravel()
        for each in np.meshgrid(*(np.linspace(0.0, n - 1.0, _LATTICE) for n in one.shape), indexing="ij")
    )
    there = np.stack(other.to_pixel(*one.to_sky(x, y)))
    known = np.isfinite(there).all(axis=0)
    if not known.any():
        return math.inf
    return float(np.hypot(*(there - np.stack([x, y]))[:, known]).max())

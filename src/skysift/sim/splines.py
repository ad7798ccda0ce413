"""Cubic B-splines over nodes of a lattice anchored to pixel (0, 0): smooth fields that any window draws alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.sky.box import Box

__all__ = ["over_box", "weights"]

Floats: TypeAlias = NDArray[np.float64]


def weights(position: Floats, step: float, *, steady: bool = False) -> tuple[NDArray[np.int64], Floats]:
    """The first of four nodes of each position, and their weights (n, 4).

    Parameters
    ----------
    position
        Along one axis (pixel); (n,).
    step
        Distance of the nodes (pixel).
    steady
        Weights whose squares add up to 1, so that independent nodes give the same variance everywhere; else they
        add up to 1 themselves.
    """
    place = position / step
    first = np.floor(place)
    t = place - first
    weight = (
        np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1)
        / 6.0
    )
    if steady:
        weight /= np.sqrt(np.sum(weight**2, axis=1))[:, np.newaxis]
    return first.astype(np.int64) - 1, weight


def over_box(box: Box, step: float, nodes: Callable[[Box], Floats], *, steady: bool = False) -> Floats:
    """The field (y, x) over a box of pixels, from what `nodes` gives for a window of the lattice."""
    first_y, weight_y = weights(np.arange(box.y0, box.y1, dtype=np.float64), step, steady=steady)
    first_x, weight_x = weights(np.arange(box.x0, box.x1, dtype=np.float64), step, steady=steady)
    low_y, low_x = int(first_y.min()), int(first_x.min())
    values = nodes(Box(low_y, int(first_y.max()) + 4, low_x, int(first_x.max()) + 4))
    along = np.zeros((values.shape[0], first_x.size))  # (node row, x)
    for k in range(4):
        along += weight_x[:, k] * values[:, first_x - low_x + k]
    out = np.zeros((first_y.size, first_x.size))
    for k in range(4):
        out += weight_y[:, k, np.newaxis] * along[first_y - low_y + k]
    return out

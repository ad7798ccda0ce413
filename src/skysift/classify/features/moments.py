"""Moments of the pixels of many sources at once: centroid, axes, Hu's invariants."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.classify.features.picked import Picked

__all__ = ["ZERNIKE", "Axes", "axes_of", "hu", "zernike"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

ZERNIKE = (
    (2, 0),
    (2, 2),
    (3, 1),
    (3, 3),
    (4, 0),
    (4, 2),
    (4, 4),
    (5, 1),
    (5, 3),
    (5, 5),
    (6, 0),
    (6, 2),
    (6, 4),
    (6, 6),
)


@dataclass(frozen=True, eq=False)
class Axes:
    """
    Centroid and axes of sources, one value a picture; NaN where there is no source.

    Attributes
    ----------
    y, x
        The centroid, from the middle of the picture (pixel).
    major, minor
        Rms along the axes (pixel); a pixel adds the rms of its own width.
    pa
        Angle of the major axis from x towards y (rad).
    """

    y: Floats
    x: Floats
    major: Floats
    minor: Floats
    pa: Floats

    def turned(self, y: Floats, x: Floats, row: Ints) -> tuple[Floats, Floats]:
        """Places from the centroid along the major and the minor axis."""
        dy, dx = y - self.y[row], x - self.x[row]
        cos, sin = np.cos(self.pa[row]), np.sin(self.pa[row])
        return cos * dx + sin * dy, cos * dy - sin * dx


def axes_of(source: Picked, weight: Floats) -> Axes:
    """Centroid and axes of weighted pixels."""
    with np.errstate(invalid="ignore", divide="ignore"):
        total = source.total(weight)
        y, x = source.total(weight * source.y) / total, source.total(weight * source.x) / total
        dy, dx = source.y - y[source.row], source.x - x[source.row]
        yy = source.total(weight * dy * dy) / total + 1.0 / 12.0
        xx = source.total(weight * dx * dx) / total + 1.0 / 12.0
        xy = source.total(weight * dy * dx) / total
        middle, apart = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
        major = np.sqrt(middle + apart)
        minor = np.sqrt(np.maximum(middle - apart, 1.0 / 12.0))
        return Axes(y, x, major, minor, 0.5 * np.arctan2(2.0 * xy, xx - yy))


def hu(source: Picked, weight: Floats, axes: Axes, total: Floats) -> Floats:
    """Hu's seven invariants (picture, 7), as the log10 of their size with their sign."""
    dy, dx = source.y - axes.y[source.row], source.x - axes.x[source.row]

    def eta(p: int, q: int) -> Floats:
        return np.asarray(source.total(weight * dx**p * dy**q) / total ** (1.0 + 0.5 * (p + q)))

    n20, n02, n11 = eta(2, 0), eta(0, 2), eta(1, 1)
    n30, n03, n21, n12 = eta(3, 0), eta(0, 3), eta(2, 1), eta(1, 2)
    a, b = n30 + n12, n21 + n03
    c, d = n30 - 3.0 * n12, 3.0 * n21 - n03
    values = np.stack(
        [
            n20 + n02,
            (n20 - n02) ** 2 + 4.0 * n11**2,
            c**2 + d**2,
            a**2 + b**2,
            c * a * (a**2 - 3.0 * b**2) + d * b * (3.0 * a**2 - b**2),
            (n20 - n02) * (a**2 - b**2) + 4.0 * n11 * a * b,
            np.abs(
                d * a * (a**2 - 3.0 * b**2) - c * b * (3.0 * a**2 - b**2)
            ),  # its sign tells left from right
        ],
        axis=-1,
    )
    return np.asarray(np.sign(values) * np.log10(np.maximum(np.abs(values), 1e-30)) * -1.0)


def zernike(source: Picked, weight: Floats, axes: Axes, total: Floats) -> Floats:
    """Sizes of Zernike's moments (picture, ZERNIKE) about the centroid, in a circle through the farthest pixel."""
    dy, dx = source.y - axes.y[source.row], source.x - axes.x[source.row]
    distance = np.hypot(dy, dx)
    r = distance / np.maximum(source.top(distance), 0.5)[source.row]
    turn = np.arctan2(dy, dx)
    out = []
    for n, m in ZERNIKE:
        radial = np.zeros_like(r)
        for k in range((n - m) // 2 + 1):
            below = factorial(k) * factorial((n + m) // 2 - k) * factorial((n - m) // 2 - k)
            radial += (-1.0) ** k * factorial(n - k) / below * r ** (n - 2 * k)
        real, imaginary = (source.total(weight * radial * each(m * turn)) for each in (np.cos, np.sin))
        out.append((n + 1) / np.pi * np.hypot(real, imaginary) / total)
    return np.stack(out, axis=-1)

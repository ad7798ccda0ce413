"""Noise of a map: white noise on a lattice of named blocks, brought to a spectrum, with an rms that varies."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from skysift.base.random import generator
from skysift.sim.splines import over_box, weights
from skysift.sky.box import Box

__all__ = ["Level", "NoiseLayer", "SmoothLevel", "gaussian_kernel", "unit_power"]

Floats = NDArray[np.float64]

BLOCK = 128  # pixels along the side of a block of white noise, which is drawn by a generator of its own
NODES = 16  # nodes along the side of a block of the smooth field
_FAR = 6.0  # sigma at which the kernel is cut


class Level(Protocol):
    """A brightness that varies over the map."""

    def over(self, box: Box) -> Floats:
        """The values (y, x) over a box."""

    def at(self, x: Floats, y: Floats) -> Floats:
        """The values at positions (pixel)."""


def unit_power(kernel: Floats) -> Floats:
    """The kernel with a sum of squares of 1: white noise of unit rms convolved with it has unit rms."""
    return np.asarray(kernel / math.sqrt(float(np.sum(kernel**2))))


def gaussian_kernel(covariance: Floats) -> Floats:
    """A Gaussian kernel (y, x) with a sum of squares of 1.

    Parameters
    ----------
    covariance
        xx, xy, yy (pixel^2).
    """
    xx, xy, yy = (float(value) for value in covariance)
    half = max(1, math.ceil(_FAR * math.sqrt(max(xx, yy))))
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    det = xx * yy - xy * xy
    return unit_power(np.exp(-0.5 * (yy * x * x - 2.0 * xy * x * y + xx * y * y) / det))


@dataclass(frozen=True, eq=False)
class SmoothLevel:
    """A brightness that wanders smoothly about a value: ``value * exp(spread * g)`` over a response.

    The field g has zero mean and unit variance: standard normal numbers on nodes `spacing` pixels apart,
    interpolated by cubic B-splines and divided by the root of the sum of squared weights, so that the variance
    is the same everywhere.

    Parameters
    ----------
    value
        The median (Jy/beam).
    spread
        Of the logarithm; 0 for a level that is the same everywhere.
    spacing
        Distance of the nodes (pixel).
    random_seed
        Of the nodes.
    names
        Of the generators.
    """

    value: float
    spread: float = 0.0
    spacing: float = 512.0
    random_seed: int = 0
    names: tuple[str, ...] = ("rms",)

    def over(self, box: Box) -> Floats:
        """The values (y, x) over a box."""
        if self.spread == 0.0:
            return np.full(box.shape, self.value)
        out = over_box(box, self.spacing, self._nodes, steady=True)
        return np.asarray(self.value * np.exp(self.spread * out))

    def at(self, x: Floats, y: Floats) -> Floats:
        """The values at positions (pixel)."""
        if self.spread == 0.0 or x.size == 0:
            return np.full(x.shape, self.value)
        first_y, weight_y = weights(y, self.spacing, steady=True)
        first_x, weight_x = weights(x, self.spacing, steady=True)
        low_y, low_x = int(first_y.min()), int(first_x.min())
        nodes = self._nodes(Box(low_y, int(first_y.max()) + 4, low_x, int(first_x.max()) + 4))
        out = np.zeros(x.shape)
        for j in range(4):
            for i in range(4):
                out += weight_y[:, j] * weight_x[:, i] * nodes[first_y - low_y + j, first_x - low_x + i]
        return np.asarray(self.value * np.exp(self.spread * out))

    def _nodes(self, window: Box) -> Floats:
        """The numbers on the nodes of a window, block by block."""
        return drawn(window, NODES, self.random_seed, *self.names)


@dataclass(frozen=True, eq=False)
class NoiseLayer:
    """Noise that is painted cell by cell: white noise through a kernel, times the local rms.

    Parameters
    ----------
    kernel
        (y, x), odd in both widths, with a sum of squares of 1.
    level
        The rms (Jy/beam).
    random_seed
        Of the white noise.
    names
        Of its generators.
    """

    kernel: Floats
    level: Level
    random_seed: int
    names: tuple[str, ...] = ("noise",)
    _turned: dict[tuple[int, int], NDArray[np.complex128]] = field(
        init=False, repr=False, default_factory=dict
    )

    def paint(self, box: Box) -> Floats:
        """The noise (y, x) over one cell of the lattice (Jy/beam)."""
        hy, hx = (n // 2 for n in self.kernel.shape)
        white = drawn(
            Box(box.y0 - hy, box.y1 + hy, box.x0 - hx, box.x1 + hx), BLOCK, self.random_seed, *self.names
        )
        size = (fft.next_fast_len(white.shape[0], True), fft.next_fast_len(white.shape[1], True))
        if size not in self._turned:
            self._turned[size] = fft.rfft2(self.kernel, s=size)
        # a circular convolution: what wraps round falls on the margins, which are cut off
        mixed = fft.irfft2(fft.rfft2(white, s=size) * self._turned[size], s=size)
        ny, nx = box.shape
        return np.asarray(mixed[2 * hy : 2 * hy + ny, 2 * hx : 2 * hx + nx] * self.level.over(box))


def drawn(box: Box, block: int, random_seed: int, *names: str) -> Floats:
    """Standard normal numbers (y, x) of a window of an endless plane, the same however it is cut.

    Parameters
    ----------
    block
        The plane is made of square blocks with this many numbers along a side, each with its own generator.
    """
    out = np.empty(box.shape)
    for j in range(box.y0 // block, -(-box.y1 // block)):
        for i in range(box.x0 // block, -(-box.x1 // block)):
            whole = Box(j * block, (j + 1) * block, i * block, (i + 1) * block)
            part = whole.intersect(box)
            numbers = generator(random_seed, *names, f"{j},{i}").standard_normal((block, block))
            out[part.slices(box)] = numbers[part.slices(whole)]
    return out

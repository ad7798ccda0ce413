"""What radio galaxies are drawn with: `Sketch`, the dice, and the strokes: jets, lobes, plumes.

Every stroke is a part of a sketch: arrays (galaxy, element) of Gaussians, for many galaxies at a time. Lengths are in
those of a side, x runs along the jets, y across.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dice", "Part", "Sketch", "cocoon", "doppler", "jet", "part", "path", "plume"]

Floats = NDArray[np.float64]

DIRECTIONS = np.arange(24) * np.pi / 24  # in which the extent of a sketch is taken
HALF_WIDTH = float(np.sqrt(2.0 * np.log(2.0)))  # half the FWHM of a Gaussian, in sigma


@dataclass(frozen=True, eq=False)
class Sketch:
    """Gaussians of n radio galaxies, m each: arrays (galaxy, element), lengths in those of a side.

    Parameters
    ----------
    x, y
        Place along the jets and across, from the core.
    flux
        Parts of the flux outside the core, whose sum is 1.
    along, across
        Sigmas.
    angle
        Of `along`, from the x axis towards y (rad).
    tilt
        Spectral index relative to the mean of what is outside the core.
    """

    x: Floats
    y: Floats
    flux: Floats
    along: Floats
    across: Floats
    angle: Floats
    tilt: Floats

    def covariance(self) -> tuple[Floats, Floats, Floats]:
        """The covariances xx, xy, yy."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        a, b = self.along**2, self.across**2
        return a * c * c + b * s * s, (a - b) * s * c, a * s * s + b * c * c

    def extent(self) -> Floats:
        """Largest extent (galaxy,) between the half-maximum contours of the Gaussians, the core among them."""
        xx, xy, yy = self.covariance()
        largest, lit = np.zeros(self.x.shape[0]), self.flux > 0.0
        for direction in DIRECTIONS:
            c, s = np.cos(direction), np.sin(direction)
            place = self.x * c + self.y * s
            reach = HALF_WIDTH * np.sqrt(np.maximum(xx * c * c + 2.0 * xy * s * c + yy * s * s, 0.0))
            upper = np.where(lit, place + reach, 0.0).max(axis=1, initial=0.0)
            lower = np.where(lit, place - reach, 0.0).min(axis=1, initial=0.0)
            largest = np.maximum(largest, upper - lower)
        return largest


class Part(NamedTuple):
    """Some Gaussians of n galaxies: the columns of a `Sketch`, fluxes relative to those of other parts."""

    x: Floats
    y: Floats
    flux: Floats
    along: Floats
    across: Floats
    angle: Floats
    tilt: Floats

    def times(self, factor: Floats) -> Part:
        """The same with other fluxes."""
        return self._replace(flux=self.flux * factor)

    def on(self, side: int) -> Part:
        """What was drawn towards +x, on a side: 1 leaves it, -1 mirrors it at the y axis."""
        return self._replace(x=side * self.x, angle=side * self.angle)


class Dice:
    """Random numbers of n galaxies: one a galaxy (n, 1), or one an element (n, m)."""

    def __init__(self, rng: np.random.Generator, n: int) -> None:
        self.rng, self.n = rng, n

    def normal(self, mean: float = 0.0, sigma: float = 1.0, m: int = 1) -> Floats:
        """Normal numbers."""
        return np.asarray(mean + sigma * self.rng.normal(size=(self.n, m)))

    def between(self, low: float, high: float, m: int = 1) -> Floats:
        """Uniform numbers."""
        return np.asarray(self.rng.uniform(low, high, size=(self.n, m)))

    def around(self, median: float, dex: float, m: int = 1) -> Floats:
        """Log-normal numbers."""
        return np.asarray(median * 10.0 ** (dex * self.rng.normal(size=(self.n, m))))

    def wave(self, t: Floats, turns: tuple[float, ...] = (0.6, 1.3, 2.7)) -> Floats:
        """Smooth random curves of unit rms over t in [0, 1], zero at t = 0."""
        curve = np.zeros(np.broadcast_shapes(t.shape, (self.n, 1)))
        for turn in turns:
            phase = self.between(0.0, 2.0 * np.pi)
            curve = curve + (np.sin(2.0 * np.pi * turn * t + phase) - np.sin(phase)) / turn
        return curve * 0.6


def part(
    x: Floats, y: Floats, flux: Floats, along: Floats, across: Floats, angle: Floats, tilt: Floats
) -> Part:
    """The columns of a part, each (galaxy, element)."""
    shape = np.broadcast_shapes(*(np.shape(each) for each in (x, y, flux, along, across, angle, tilt)))
    wide = [np.broadcast_to(each, shape) for each in (x, y, flux, along, across, angle, tilt)]
    return Part(*wide)


def doppler(dice: Dice, speed: float) -> Floats:
    """Brightness of the jet at +x relative to that at -x, at a random angle to the line of sight.

    The square root of (1 + b cos i)/(1 - b cos i) to the power 2.6, with b = `speed` (Laing et al. 1999, MNRAS 306,
    513), which multiplies one jet and divides the other.
    """
    toward = speed * dice.between(0.0, 0.85)
    return np.asarray(((1.0 + toward) / (1.0 - toward)) ** 1.3)


def jet(
    dice: Dice, side: int, reach: Floats, flux: Floats, bright: Floats, turn: Floats, m: int = 14
) -> Part:
    """A thin straight jet with knots, from the core to `reach` on one side."""
    t = (np.arange(m) + dice.between(0.2, 0.8, m)) / m
    x = side * reach * (0.02 + 0.96 * t)
    knots = dice.around(1.0, 0.30, m) * (1.0 - 0.35 * t)
    y = x * turn + reach * dice.normal(0.0, 0.003, m)
    boost = bright**side
    width = reach * (0.004 + 0.010 * t)
    return part(x, y, knots / m * flux * boost, reach * 0.42 / m, width, np.arctan(turn), np.asarray(0.15))


def cocoon(
    dice: Dice, side: int, inner: Floats, outer: Floats, width: Floats, turn: Floats, wing: Floats,
    rise: Floats, m: int, clump: float = 0.22,
) -> Part:  # fmt: skip
    """A lobe that is filled from `inner` to `outer`, brighter by `rise` towards its outer end."""
    t = (np.arange(m) + dice.between(0.0, 1.0, m)) / m
    half = width * np.sqrt(np.maximum(1.0 - t**5, 0.14)) * (0.62 + 0.38 * np.minimum(4.0 * t, 1.0))
    length = outer - inner
    across = half * dice.between(0.34, 0.52, m)
    along = np.maximum(length * dice.between(0.05, 0.10, m), 0.6 * across)
    x = inner + length * t
    x = np.minimum(x, outer - 1.0 * along * np.minimum(t * 1.3, 1.0))
    spine = 0.30 * width * dice.wave(t) + wing * (1.0 - t) ** 2 * length
    y = spine + half * dice.between(-0.62, 0.62, m)
    flux = (1.0 - rise + rise * t**1.5) * dice.around(1.0, clump, m) / m
    angle = dice.normal(0.0, 0.25, m)
    x, y = side * x, y + x * turn * side
    return part(x, y, flux, along, across, side * angle, 0.22 * (t - 0.5))


def plume(
    dice: Dice, x: Floats, y: Floats, heading: Floats, step: Floats, half: Floats, flux: Floats, tilt: Floats
) -> Part:
    """Gaussians along a path that fill its width: every one jumps across and differs in brightness."""
    m = x.shape[1]
    jump = half * dice.between(-0.45, 0.45, m)
    x, y = x - jump * np.sin(heading), y + jump * np.cos(heading)
    across = half * dice.between(0.42, 0.58, m)
    along = np.maximum(0.9 * step, 0.85 * across)
    return part(
        x, y, flux * dice.around(1.0, 0.14, m), along, across, heading + dice.normal(0.0, 0.15, m), tilt
    )


def path(heading: Floats, step: Floats) -> tuple[Floats, Floats]:
    """Places along a path of given headings (rad) and steps, from the core."""
    dx, dy = step * np.cos(heading), step * np.sin(heading)
    return (
        np.asarray(np.cumsum(dx, axis=1) - 0.5 * dx),
        np.asarray(np.cumsum(dy, axis=1) - 0.5 * dy),
    )

"""`Response`: what part of a source's flux a map shows, by where it lies, and what that makes of pixels and rows.

Interferometers see the sky through a primary beam. A map as it was imaged has even noise and fluxes that fall with the
response A of the beam (apparent); a map divided by A, such as a linear mosaic, has true fluxes and noise that grows as
1 / A. Both hold the same signal-to-noise, pixel by pixel. Noise is measured on the apparent map, where it is smooth;
everything else is done in true units.

The flux of a source follows the width w of the beam as d ln S = (d ln A / d ln w) d ln w, which is ``2 |ln A|`` for a
Gaussian. For a mosaic of Gaussian beams, whose response is ``R = sqrt(sum A^2)``, the sum obeys the equation of heat as
the beams widen, so the map of R tells it: ``d ln R / d ln w = 1 + s^2 (Laplacian of R^2) / (2 R^2)``, with ``s^2 =
w^2 / (16 ln 2)``; less the same where R is largest, for what is common to the map belongs to the flux scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.image import SkyImage
from skysift.sky.power_pattern import NULLS, bend, power, steepness
from skysift.sky.systems import vectors

__all__ = ["DishResponse", "MapResponse", "Response", "ResponseSource", "apparent_columns"]

Floats = npt.NDArray[np.float64]

LATTICE = 16  # pixels between the places where distances from the pointing are computed; cubics run between
_CELL = 512  # pixels a side that are read together
_STENCIL = 0.05  # of the width of the beam: step of the Laplacian


class ResponseSource(Protocol):
    """Where the response comes from: a map, or a formula."""

    def read(self, box: Box) -> Floats:
        """The response in a box (y, x); NaN where it is not known."""
        ...

    def at(self, x: Floats, y: Floats) -> Floats:
        """The response at pixel positions."""
        ...

    def steepness(self, x: Floats, y: Floats) -> Floats:
        """By how much the response grows there, relatively, as the beam widens: d ln A / d ln w."""
        ...


@dataclass(frozen=True, eq=False)
class Response:
    """
    The response of the primary beam over a map.

    Attributes
    ----------
    source
        Its values.
    corrected
        Whether the pixels of the map were divided by it before.
    cutoff
        Where it is lower, the map counts as blank.
    width_error
        Relative error of the width of the beam.
    maps
        The maps that it was read from.
    facts
        What to tell of it.
    notes
        What is odd about it, one line each.
    """

    source: ResponseSource
    corrected: bool
    cutoff: float
    width_error: float = 0.0
    maps: tuple[SkyImage, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def read(self, box: Box) -> npt.NDArray[np.float32]:
        """The response in a box (y, x), NaN below the cut-off and where it is not known."""
        values, below = self.parted(box)
        return np.where(below, np.float32(np.nan), values)

    def parted(self, box: Box) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """The response in a box (y, x), below the cut-off too, and where it is below or not known."""
        values = self.source.read(box)
        return values.astype(np.float32), ~(values >= self.cutoff)

    def at(self, x: Floats, y: Floats) -> Floats:
        """The response at pixel positions, below the cut-off too."""
        return self.source.at(np.asarray(x, np.float64), np.asarray(y, np.float64))

    def shown(self, x: Floats, y: Floats) -> Floats:
        """What part of a true flux stands in the pixels of the map at positions: all of it in one that is corrected."""
        return np.ones(np.shape(x)) if self.corrected else self.at(x, y)

    def error(self, x: Floats, y: Floats) -> Floats:
        """Relative error of true fluxes at positions, from that of the width of the beam."""
        if not self.width_error:
            return np.zeros(np.shape(x))
        return np.abs(self.source.steepness(x, y)) * self.width_error

    def slope(self, x: Floats, y: Floats, step: float) -> Floats:
        """Gradient (n, 2) of the logarithm of the response along x and y (per pixel); 0 where it is not known.

        Parameters
        ----------
        x, y
            Positions (pixel).
        step
            Pixels to each side, over which it is taken.
        """
        west, east, south, north = _around(self.at, x, y, step, step)[1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.stack([np.log(east / west), np.log(north / south)], axis=1) / (2.0 * step)
        return np.where(np.isfinite(found).all(axis=1, keepdims=True), found, 0.0)

    def flat(self, image: SkyImage) -> SkyImage:
        """The map with even noise: as it is, or times the response where it was divided by it."""
        if not self.corrected:
            return image
        return replace(image, pixels=_Apparent(image, self.source), origin=None, factor=1.0)


@dataclass(frozen=True, eq=False)
class _Apparent:
    """The pixels of a corrected map times the response."""

    image: SkyImage
    response: ResponseSource

    @property
    def shape(self) -> tuple[int, int]:
        return self.image.shape

    def read(self, box: Box) -> npt.NDArray[np.float32]:
        return (self.image.read(box) * self.response.read(box)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class MapResponse:
    """
    A response that a map tells.

    Attributes
    ----------
    image
        The map, on the pixels of the one it belongs to.
    weight
        The largest value of a map of weights (inverse variance), whose root over this is the response; 0 where the
        map is the response itself.
    width
        FWHM (y, x) of one beam in pixels, where it is known: of a mosaic it is needed for the error.
    top
        What `steepness` is, for beams of this width, where the response is largest.
    """

    image: SkyImage
    weight: float = 0.0
    width: tuple[float, float] | None = None
    top: float = 0.0

    def read(self, box: Box) -> Floats:
        """The response in a box; NaN where it is blank or not above 0."""
        values = self.image.read(box).astype(np.float64)
        values[~(values > 0.0)] = np.nan
        return np.sqrt(values / self.weight) if self.weight else values

    def at(self, x: Floats, y: Floats) -> Floats:
        """The response at positions: straight lines between pixels, the nearest pixel beside blank ones."""
        ny, nx = self.image.shape
        out = np.full(x.shape, np.nan)
        known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        u, v = np.clip(x[known], 0.0, nx - 1.0), np.clip(y[known], 0.0, ny - 1.0)
        i, j = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
        cell = j // _CELL * (nx // _CELL + 1) + i // _CELL
        for number in np.unique(cell).tolist():
            some = np.flatnonzero(cell == number)
            y0, x0 = number // (nx // _CELL + 1) * _CELL, number % (nx // _CELL + 1) * _CELL
            values = self.read(Box(y0, min(y0 + _CELL + 1, ny), x0, min(x0 + _CELL + 1, nx)))
            out[known[some]] = _bilinear(values, u[some] - x0, v[some] - y0)
        return out

    def steepness(self, x: Floats, y: Floats) -> Floats:
        """``2 |ln A|`` of a Gaussian beam; of a mosaic of beams of known width what its Laplacian tells."""
        middle = self.at(x, y)
        alone = -2.0 * np.log(np.minimum(middle, 1.0))
        if self.width is None:
            return np.asarray(alone)
        several = self.mosaic(x, y) - self.top
        return np.where(np.isfinite(several), several, alone)

    def mosaic(self, x: Floats, y: Floats) -> Floats:
        """``1 + s^2 Laplacian(R^2) / (2 R^2)`` at positions, for equal Gaussian beams at fixed places."""
        assert self.width is not None  # asked of mosaics only
        ny, nx = self.image.shape
        step_y, step_x = (max(1.0, _STENCIL * each) for each in self.width)
        x, y = np.clip(x, step_x, nx - 1.0 - step_x), np.clip(y, step_y, ny - 1.0 - step_y)
        middle, west, east, south, north = _around(self.at, x, y, step_x, step_y) ** 2
        variance_y, variance_x = (each**2 / (16.0 * math.log(2.0)) for each in self.width)
        bend = variance_x * (west - 2.0 * middle + east) / step_x**2
        bend += variance_y * (south - 2.0 * middle + north) / step_y**2
        return np.asarray(1.0 + bend / (2.0 * middle))


def _around(
    at: Callable[[Floats, Floats], Floats], x: Floats, y: Floats, step_x: float, step_y: float
) -> Floats:
    """Values (5, n) at positions and west, east, south and north of them, all read at once."""
    i, j = np.array([0.0, -1.0, 1.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0, -1.0, 1.0])
    u, v = x + step_x * i[:, np.newaxis], y + step_y * j[:, np.newaxis]
    return at(u.ravel(), v.ravel()).reshape(u.shape)


def _bilinear(values: Floats, x: Floats, y: Floats) -> Floats:
    """Values between pixels; that of the nearest pixel where one of the four is blank."""
    ny, nx = values.shape
    i, j = np.minimum(x.astype(np.int64), max(nx - 2, 0)), np.minimum(y.astype(np.int64), max(ny - 2, 0))
    u, v, i1, j1 = x - i, y - j, np.minimum(i + 1, nx - 1), np.minimum(j + 1, ny - 1)
    low = (1.0 - u) * values[j, i] + u * values[j, i1]
    high = (1.0 - u) * values[j1, i] + u * values[j1, i1]
    out = (1.0 - v) * low + v * high
    nearest = values[
        np.minimum(np.rint(y).astype(np.int64), ny - 1), np.minimum(np.rint(x).astype(np.int64), nx - 1)
    ]
    return np.asarray(np.where(np.isfinite(out), out, nearest))


@dataclass(frozen=True)
class DishResponse:
    """
    The power pattern of one dish over a map, within its main lobe.

    Attributes
    ----------
    frame
        Of the map.
    pattern
        Name of the pattern.
    width
        FWHM (arcsec).
    centre
        Where it points: ICRS (deg); x and y (pixel) on a map without sky coordinates.
    """

    frame: Frame
    pattern: str
    width: float
    centre: tuple[float, float]

    def read(self, box: Box) -> Floats:
        """The response in a box; distances are exact every 16 pixels of the map, cubics run between."""
        # nodes from one step before the box to two behind it, at multiples of the lattice
        first = box.y0 // LATTICE - 1, box.x0 // LATTICE - 1
        last = (box.y1 - 1) // LATTICE + 2, (box.x1 - 1) // LATTICE + 2
        y, x = np.mgrid[first[0] : last[0] + 1, first[1] : last[1] + 1].astype(np.float64) * LATTICE
        nodes = self._squares(x, y)
        along_y, weights_y = _cubic(np.arange(box.y0, box.y1), first[0])
        along_x, weights_x = _cubic(np.arange(box.x0, box.x1), first[1])
        # each sum in a fixed order: no number depends on the box
        rows = sum(weights_y[k][:, np.newaxis] * nodes[along_y + k] for k in range(4))
        squares = sum(weights_x[k] * np.asarray(rows)[:, along_x + k] for k in range(4))
        return self._power(np.asarray(squares))

    def at(self, x: Floats, y: Floats) -> Floats:
        """The response at pixel positions."""
        return self._power(self._squares(x, y))

    def steepness(self, x: Floats, y: Floats) -> Floats:
        """Derivatives d ln A / d ln w of the pattern; ``2 |ln A|`` for a Gaussian."""
        return steepness(self.pattern, self._rho(self._squares(x, y)))

    def bend(self, x: Floats, y: Floats) -> Floats:
        """By what part of ln(frequency)^2 the logarithm of the response bends; 2 ln A of a Gaussian."""
        return bend(self.pattern, self._rho(self._squares(x, y)))

    def _rho(self, squares: Floats) -> Floats:
        chord = np.sqrt(np.maximum(squares, 0.0))
        if self.frame.celestial:
            chord = 2.0 * np.degrees(np.arcsin(np.minimum(0.5 * chord, 1.0))) * 3600.0
        return np.asarray(chord / self.width)

    def _power(self, squares: Floats) -> Floats:
        rho = self._rho(squares)
        return np.where(rho < NULLS[self.pattern], power(self.pattern, rho), np.nan)

    def _squares(self, x: Floats, y: Floats) -> Floats:
        """Squared chords of the unit sphere to the pointing; squared arcsec on a map without sky coordinates."""
        if not self.frame.celestial:
            sy, sx = self.frame.scale
            return np.asarray(((x - self.centre[0]) * sx) ** 2 + ((y - self.centre[1]) * sy) ** 2)
        away = vectors(*self.frame.to_sky(x, y)) - vectors(*(np.array(each) for each in self.centre))
        return np.asarray(away[..., 0] ** 2 + away[..., 1] ** 2 + away[..., 2] ** 2)


def _cubic(pixels: npt.NDArray[np.int64], first: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """For each pixel the first of the four nodes around it, and their weights (4, pixel) (Lagrange)."""
    t = (pixels % LATTICE) / LATTICE
    weights = np.stack(
        [
            -t * (t - 1.0) * (t - 2.0) / 6.0,
            (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0,
            -(t + 1.0) * t * (t - 2.0) / 2.0,
            (t + 1.0) * t * (t - 1.0) / 6.0,
        ]
    )
    return pixels // LATTICE - 1 - first, weights


def apparent_columns(
    columns: Mapping[str, npt.NDArray[np.generic]], response: Response
) -> dict[str, npt.NDArray[np.generic]]:
    """
    What a corrected table has beside the others: the response, apparent fluxes and the beam's error term.

    Apparent is true times the response at the position of the row.

    Parameters
    ----------
    columns
        Of the table, in true units: x, y and fluxes.
    response
        Of the map.
    """
    x, y = np.asarray(columns["x"], np.float64), np.asarray(columns["y"], np.float64)
    seen = response.at(x, y)
    made: dict[str, npt.NDArray[np.generic]] = {
        f"{name}_apparent": np.asarray(columns[name], np.float64) * seen
        for name in ("flux_peak", "flux_int", "flux")
        if name in columns
    }
    main = np.abs(np.asarray(columns["flux" if "flux" in columns else "flux_int"], np.float64))
    return {**made, "flux_pb_cal_err": main * response.error(x, y), "primary_beam": seen}

"""How the noise goes together at each place of a map: its one measured autocorrelation, stretched as the beam is.

What an array and its imaging make of noise is a function of the lag in units of the beam. So where the beam varies
over a map, the autocorrelation is measured in units of the local beam, kept for the nominal one, and turned back at
every place. Of the matrices that turn one beam into another the symmetric one is taken: it stretches and does not
rotate, and exists for round beams too.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from skysift.measure.ellipse import FWHM
from skysift.sky.image import SkyImage

__all__ = ["Lags", "in_beams", "lags_at", "reaches", "reference_beam", "stretches", "zone_width"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST = 1e-3  # a weaker correlation is left out
ZONE, NARROWEST = (
    8.0,
    16,
)  # beams and pixels: so wide is a zone of one autocorrelation, on a lattice from pixel (0, 0)
REACH = 2.0  # beams (FWHM); beyond that there is no correlation


@dataclass(frozen=True, eq=False)
class Lags:
    """
    Where the noise is correlated, and by how much, at some places.

    Attributes
    ----------
    offsets, correlation
        ``(lag, 2)`` (dy, dx) and ``(lag,)``, zone after zone.
    first
        Zone i has the lags ``first[i]`` to ``first[i + 1]``.
    zones
        The zone of each place.
    """

    offsets: Ints
    correlation: Floats
    first: Ints
    zones: Ints

    @property
    def reach(self) -> int:
        """Rows that the farthest lag spans."""
        return int(np.abs(self.offsets[:, 0]).max(initial=0))


def reference_beam(image: SkyImage) -> Floats:
    """Covariance (xx, xy, yy; pixels squared) of the nominal beam at the middle of a map."""
    y, x = (np.array([0.5 * (n - 1)]) for n in image.shape)
    return np.asarray(np.asarray(image.frame.beam_covariance(image.beam, x, y))[0])


def zone_width(image: SkyImage) -> int:
    """Pixels along the side of a zone; all of the map where its beam does not vary."""
    if image.beams is None:
        return max(image.shape)
    xx, xy, yy = reference_beam(image)
    return max(NARROWEST, round(ZONE * FWHM * math.sqrt(math.sqrt(xx * yy - xy * xy))))


def lags_at(autocorrelation: Floats, image: SkyImage, x: Floats, y: Floats) -> Lags:
    """
    The lags of the noise at places of a map.

    Parameters
    ----------
    autocorrelation
        ``(dy, dx)``, as the mesh of the noise has it: that of the nominal beam.
    image
        The map.
    x, y
        The places (pixel), ``(n,)``.
    """
    if image.beams is None:
        n_y, n_x = (n // 2 for n in autocorrelation.shape)
        v, u = np.nonzero(np.abs(autocorrelation) > LEAST)
        offsets = np.stack([v - n_y, u - n_x], axis=1).astype(np.int64)
        values = np.ascontiguousarray(autocorrelation[v, u])
        return Lags(offsets, values, np.array([0, len(values)]), np.zeros(len(x), np.int64))
    width = zone_width(image)
    cell = np.stack([np.floor((y + 0.5) / width), np.floor((x + 0.5) / width)], axis=1)
    cells, zones = np.unique(cell, axis=0, return_inverse=True)
    middle_y, middle_x = (
        np.minimum((cells[:, k] + 0.5) * width - 0.5, image.shape[k] - 1.0) for k in range(2)
    )
    stretch, beams = stretches(image, middle_x, middle_y)
    n_y, n_x = reaches(beams)
    v, u = np.mgrid[-n_y : n_y + 1, -n_x : n_x + 1]
    offsets = np.stack([v.ravel(), u.ravel()], axis=1).astype(np.int64)
    value = _at(autocorrelation, np.einsum("zij,lj->zli", stretch, offsets[:, ::-1]))
    zone, lag = np.nonzero(np.abs(value) > LEAST)
    first = np.searchsorted(zone, np.arange(len(cells) + 1))
    return Lags(
        offsets[lag],
        value[zone, lag],
        first.astype(np.int64),
        zones.reshape(-1).astype(np.int64),
    )


def stretches(image: SkyImage, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Matrices ``(n, 2, 2)`` that take lags (dx, dy) at places to those of the nominal beam, and the beams there."""
    nominal = reference_beam(image)
    beams = np.asarray(image.beam_covariance(x, y))
    beams = np.where(np.isfinite(beams).all(axis=1, keepdims=True), beams, nominal)
    own, other = beams[:, [[0, 1], [1, 2]]], nominal[[[0, 1], [1, 2]]]
    root = _root(own)
    inverse = np.linalg.inv(root)
    return inverse @ _root(root @ other @ root) @ inverse, beams


def reaches(beams: Floats) -> tuple[int, int]:
    """Rows and columns as far as which noise seen with these beams ``(n, 3)`` goes together."""
    xx, yy = beams[:, 0].max(), beams[:, 2].max()
    return int(np.ceil(REACH * FWHM * np.sqrt(yy))), int(np.ceil(REACH * FWHM * np.sqrt(xx)))


def in_beams(
    products: list[tuple[Floats, Floats]], stretch: Floats | None, shape: tuple[int, int]
) -> tuple[Floats, Floats]:
    """
    Sums of products over lags, and how many: those of places with several beams, as if all had the nominal one.

    Parameters
    ----------
    products
        Sums and numbers ``(dy >= 0, dx)`` of each place.
    stretch
        See `stretches`; None where all have the nominal beam.
    shape
        Of the sums for the nominal beam: ``(ny + 1, 2 nx + 1)``.
    """
    if not products:
        return np.zeros(shape), np.zeros(shape)
    if stretch is None:
        sums, pairs = (np.add.reduce([each[k] for each in products]) for k in range(2))
        return sums, pairs
    n_y, n_x = shape[0] - 1, shape[1] // 2
    v, u = np.mgrid[0 : n_y + 1, -n_x : n_x + 1]
    sums, pairs = np.zeros(shape), np.zeros(shape)
    for each, back in zip(products, np.linalg.inv(stretch), strict=True):
        at = np.stack([u, v], axis=-1) @ back.T
        for total, half in zip((sums, pairs), each, strict=True):
            total += _at(np.concatenate([half[:0:-1, ::-1], half]), at)
    return sums, np.maximum(pairs, 0.0)


def _at(grid: Floats, lags: Floats) -> Floats:
    """Values of a grid (dy, dx) about its middle at lags ``(..., 2)`` (dx, dy); cubic between pixels, 0 beyond."""
    middle_y, middle_x = (n // 2 for n in grid.shape)
    at = np.stack([lags[..., 1] + middle_y, lags[..., 0] + middle_x])
    return np.asarray(map_coordinates(grid, at, order=3, mode="constant", cval=0.0))


def _root(matrix: Floats) -> Floats:
    """Symmetric square roots of symmetric positive matrices ``(n, 2, 2)``."""
    root = np.sqrt(np.linalg.det(matrix))[:, None, None]
    trace = np.trace(matrix, axis1=1, axis2=2)[:, None, None]
    return np.asarray((matrix + root * np.eye(2)) / np.sqrt(trace + 2.0 * root))

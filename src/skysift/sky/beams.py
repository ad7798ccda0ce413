"""`BeamGrid` and `BeamTable`: the beam of a map where it is not the same all over the map.

Both tell the beam at a place on the sky, as the covariance of its Gaussian. What lies between the places where
the beam is known is a weighted mean of covariances, not of axes and angles: an angle has no mean where beams are
round, and a covariance does. Each is first carried to the place along a great circle, so that a mean is right
near a pole too, where north turns fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UsageError
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.shapes import covariances
from skysift.sky.systems import vectors

__all__ = ["BeamGrid", "BeamMap", "BeamTable", "beam_covariances", "convergence", "turned"]

Floats: TypeAlias = NDArray[np.float64]

_CELL = 512  # pixels a side of a beam map that are read together
_NEIGHBOURS = 4  # rows of a table that tell the beam at a place
_SAME = 1e-9  # of a right angle, squared: nearer than this a row is at the place itself


@runtime_checkable
class BeamMap(Protocol):
    """What tells the beam at places on the sky; it is compared and travels by pickle."""

    def at(self, ra: ArrayLike, dec: ArrayLike) -> Floats:
        """Covariances (n, 3) (ee, en, nn; arcsec^2, sigma not FWHM) at ICRS positions (deg); NaN if not known."""
        ...


class Plane(Protocol):
    """A plane of numbers (y, x) that is read box by box, as `skysift.sky.image.PixelSource`."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (ny, nx)."""
        ...

    def read(self, box: Box) -> NDArray[np.float32]:
        """The numbers of a box, blanks as NaN."""
        ...


@dataclass(frozen=True)
class BeamGrid:
    """The beam on pixels of a map of its own: between them the bilinear mean of what the four around tell.

    Parameters
    ----------
    frame
        Where the pixels lie on the sky.
    major, minor
        Axes (FWHM) of the beam.
    pa
        Position angle (deg) of the major axis, from north of the frame's own system through east at the pixel.
    factor
        What the axes are multiplied by to be in arcsec.

    Raises
    ------
    UsageError
        The frame has no place on the sky, or a plane has another shape.
    """

    frame: Frame
    major: Plane
    minor: Plane
    pa: Plane
    factor: float = 3600.0

    def __post_init__(self) -> None:
        if not self.frame.celestial:
            raise UsageError("a map of beams needs a place on the sky", got=repr(self.frame))
        for plane in (self.major, self.minor, self.pa):
            if plane.shape != self.frame.shape:
                raise UsageError(
                    "a map of beams has planes of one shape", got=plane.shape, allowed=self.frame.shape
                )

    def at(self, ra: ArrayLike, dec: ArrayLike) -> Floats:
        """Covariances (n, 3) at ICRS positions (deg); NaN outside the grid and where the pixels around are blank."""
        ra, dec = _flat(ra, dec)
        x, y = self.frame.to_pixel(ra, dec)
        ny, nx = self.frame.shape
        out = np.full((ra.size, 3), np.nan)
        inside = np.flatnonzero((x >= -0.5) & (x <= nx - 0.5) & (y >= -0.5) & (y <= ny - 0.5))
        cell = np.floor(y[inside] / _CELL).astype(np.int64) * (nx // _CELL + 2)
        cell += np.floor(x[inside] / _CELL).astype(np.int64)
        for number in np.unique(cell):
            rows = inside[cell == number]
            out[rows] = self._mean(x[rows], y[rows], ra[rows], dec[rows])
        return out

    def _mean(self, x: Floats, y: Floats, ra: Floats, dec: Floats) -> Floats:
        """Covariances at positions of one cell."""
        ny, nx = self.frame.shape
        x, y = np.clip(x, 0.0, nx - 1.0), np.clip(y, 0.0, ny - 1.0)
        left, low = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        right, high = np.minimum(left + 1, nx - 1), np.minimum(low + 1, ny - 1)
        share_x, share_y = x - left, y - low
        column, row = np.stack([left, right, left, right], axis=1), np.stack([low, low, high, high], axis=1)
        weight = np.stack(
            [
                (1.0 - share_x) * (1.0 - share_y),
                share_x * (1.0 - share_y),
                (1.0 - share_x) * share_y,
                share_x * share_y,
            ],
            axis=1,
        )
        box = Box(int(row.min()), int(row.max()) + 1, int(column.min()), int(column.max()) + 1)
        place = (row - box.y0, column - box.x0)
        major, minor, pa = (
            np.asarray(plane.read(box), np.float64)[place] for plane in (self.major, self.minor, self.pa)
        )
        nodes = beam_covariances(major * self.factor, minor * self.factor, pa).reshape(-1, 3)
        nodes = self._to_icrs(nodes, column.ravel(), row.ravel())
        node_ra, node_dec = self.frame.to_sky(column.ravel(), row.ravel())
        shape = column.shape
        return mean_of(
            nodes.reshape(*shape, 3), node_ra.reshape(shape), node_dec.reshape(shape), weight, ra, dec
        )

    def _to_icrs(self, covariance: Floats, x: Floats, y: Floats) -> Floats:
        """Covariances with axes of the frame's own system, with ICRS axes."""
        angle = self.frame.north_angle(x, y)
        return turned(covariance, angle)


@dataclass(frozen=True)
class BeamTable:
    """The beam at some places, such as the fields of a mosaic: elsewhere a mean of the four nearest, by 1 / distance^2.

    Parameters
    ----------
    ra, dec
        ICRS degrees of each place.
    beams
        The beam there; its angle counts from ICRS north through east at the place.

    Raises
    ------
    UsageError
        There are no rows, or not as many beams as places.
    """

    ra: tuple[float, ...]
    dec: tuple[float, ...]
    beams: tuple[Beam, ...]

    def __post_init__(self) -> None:
        if not self.beams or not len(self.ra) == len(self.dec) == len(self.beams):
            raise UsageError(
                "a table of beams needs a beam at each of its places",
                got=f"{len(self.ra)} places and {len(self.beams)} beams",
                allowed="one row or more",
            )

    def at(self, ra: ArrayLike, dec: ArrayLike) -> Floats:
        """Covariances (n, 3) at ICRS positions (deg); a position that is NaN has none."""
        from scipy.spatial import cKDTree  # heavy: only tables of beams need it

        ra, dec = _flat(ra, dec)
        out = np.full((ra.size, 3), np.nan)
        good = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
        if not good.size:
            return out
        k = min(_NEIGHBOURS, len(self.beams))
        places = vectors(np.array(self.ra), np.array(self.dec))
        chord, near = cKDTree(places).query(vectors(ra[good], dec[good]), k=k)
        chord, near = np.reshape(chord, (-1, k)), np.reshape(near, (-1, k))
        weight = 1.0 / (chord**2 + _SAME**2)
        rows = np.array([(beam.major, beam.minor, beam.pa) for beam in self.beams])
        nodes = beam_covariances(*rows.T)
        node_ra, node_dec = np.array(self.ra)[near], np.array(self.dec)[near]
        out[good] = mean_of(nodes[near], node_ra, node_dec, weight, ra[good], dec[good])
        return out

    def nearest(self, ra: ArrayLike, dec: ArrayLike) -> Floats:
        """How far (deg) the nearest row is from each position."""
        ra, dec = _flat(ra, dec)
        places = vectors(np.array(self.ra), np.array(self.dec))
        chord = np.min(
            np.linalg.norm(vectors(ra, dec)[:, np.newaxis] - places[np.newaxis], axis=2), axis=1, initial=2.0
        )
        return np.asarray(np.degrees(2.0 * np.arcsin(np.clip(0.5 * chord, 0.0, 1.0))))


def beam_covariances(major: Floats, minor: Floats, pa: Floats) -> Floats:
    """Covariances (..., 3) of beams (FWHM, arcsec; deg); NaN where an axis is not above 0 or not a number."""
    good = (major > 0.0) & (minor > 0.0) & np.isfinite(major) & np.isfinite(minor) & np.isfinite(pa)
    axes = (np.where(good, each, 0.0) for each in (major, minor, pa))
    return np.where(good[..., np.newaxis], covariances(*axes), np.nan)


def convergence(ra: ArrayLike, dec: ArrayLike, to_ra: ArrayLike, to_dec: ArrayLike) -> Floats:
    """By how much (rad) the position angle of a great circle grows from one place (deg) to another."""
    lon = 0.5 * np.radians(np.asarray(to_ra, np.float64) - np.asarray(ra, np.float64))
    one, other = np.radians(dec), np.radians(to_dec)
    up = np.sin(0.5 * (one + other)) * np.sin(lon)
    return np.asarray(2.0 * np.arctan2(up, np.cos(0.5 * (one - other)) * np.cos(lon)))


def turned(covariance: Floats, angle: ArrayLike) -> Floats:
    """Covariances (..., 3) (ee, en, nn) turned by an angle (rad) from north through east."""
    ee, en, nn = covariance[..., 0], covariance[..., 1], covariance[..., 2]
    s, c = np.sin(angle), np.cos(angle)
    return np.stack(
        [
            c * c * ee + 2.0 * s * c * en + s * s * nn,
            (c * c - s * s) * en + s * c * (nn - ee),
            s * s * ee - 2.0 * s * c * en + c * c * nn,
        ],
        axis=-1,
    )


def mean_of(
    nodes: Floats, node_ra: Floats, node_dec: Floats, weight: Floats, ra: Floats, dec: Floats
) -> Floats:
    """Weighted means (n, 3) at places of covariances (n, k, 3) known at others, blank ones left out.

    Parameters
    ----------
    nodes
        Covariances (ee, en, nn; arcsec^2).
    node_ra, node_dec, weight
        Where they are known (deg), and how much each counts; (n, k).
    ra, dec
        The places (deg), (n,).
    """
    angle = convergence(node_ra, node_dec, ra[:, np.newaxis], dec[:, np.newaxis])
    there = turned(nodes, angle)
    known = np.asarray(np.isfinite(there).all(axis=2))
    weight = np.where(known, weight, 0.0)
    total = weight.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (np.where(known[..., np.newaxis], there, 0.0) * weight[..., np.newaxis]).sum(axis=1)
        return np.where(total[:, np.newaxis] > 0.0, mean / total[:, np.newaxis], np.nan)


def _flat(ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
    one, other = np.broadcast_arrays(
        np.atleast_1d(np.asarray(ra, np.float64)), np.atleast_1d(np.asarray(dec, np.float64))
    )
    return one.ravel(), other.ravel()

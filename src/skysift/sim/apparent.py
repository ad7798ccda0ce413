"""`Apparent`: objects as one map shows them: their Gaussians in pixels, with beam, attenuated and in part lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.measure.ellipse import to_sky
from skysift.sim.objects import Elements, Objects
from skysift.sky.beam import Beam
from skysift.sky.frame import Frame

__all__ = ["Apparent", "appear"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Apparent:
    """Objects as one map shows them.

    Parameters
    ----------
    owner
        The object of each Gaussian, in order.
    x, y
        Centres of the Gaussians (pixel).
    peak
        Brightness of the Gaussians at their centres (Jy/beam), before what the uv coverage loses.
    shape
        Their covariance with the beam (n, 3): xx, xy, yy (pixel^2).
    x_object, y_object
        Flux centroid of each object (pixel).
    flux_true, flux_seen
        Flux density of each object (Jy): its own at the map's frequency, and after the primary beam.
    kept
        The part of that which the uv coverage keeps.
    response
        Of the primary beam at the object.
    shape_seen
        Covariance of each object with the beam (n, 3): xx, xy, yy (pixel^2).
    sky, sky_seen
        Covariance of each object without and with the beam (n, 3): ee, en, nn (arcsec^2).
    """

    owner: Ints
    x: Floats
    y: Floats
    peak: Floats
    shape: Floats  # (elements, 3)
    x_object: Floats
    y_object: Floats
    flux_true: Floats
    flux_seen: Floats
    kept: Floats
    response: Floats
    shape_seen: Floats  # (objects, 3)
    sky: Floats  # (objects, 3)
    sky_seen: Floats  # (objects, 3)

    @property
    def flux_int(self) -> Floats:
        """What the map holds of each object (Jy)."""
        return self.flux_seen * self.kept

    def __len__(self) -> int:
        return int(self.x_object.size)

    def __repr__(self) -> str:
        return f"Apparent({len(self)} objects, {self.x.size} Gaussians)"


def appear(
    objects: Objects,
    elements: Elements,
    frame: Frame,
    beam: Beam,
    ratio: float,
    *,
    response: Callable[[Floats, Floats], Floats] | None = None,
    corrected: bool = False,
    kept: Callable[[Floats], Floats] | None = None,
) -> Apparent:
    """The objects as a map shows them.

    The tangent plane of each object is laid onto the pixels by the derivative of the projection at its
    position: exact for small objects, wrong by a part of 1e-4 of their size where this is a degree.

    Parameters
    ----------
    objects, elements
        What there is, and the Gaussians it is made of.
    frame, beam
        Of the map.
    ratio
        Frequency of the map over the reference frequency of the fluxes.
    response
        Of the primary beam at pixels (x, y), taken at the position of each object.
    corrected
        Whether the map is divided by the primary beam: then the objects are as bright as on the sky.
    kept
        The part of the flux that the uv coverage keeps of objects with these covariances (n, 3), without the beam
        (arcsec^2); all of it where None.
    """
    n, owner = len(objects), elements.owner
    x0, y0 = frame.to_pixel(objects.ra, objects.dec)
    tangent = frame.tangent(x0, y0)
    to_pixel = np.asarray(np.linalg.inv(tangent), dtype=np.float64) if n else tangent
    offset = np.stack([elements.east, elements.north], axis=1)  # (element, axis)
    step = np.einsum("nij,nj->ni", to_pixel[owner], offset)
    own = np.stack([elements.ee, elements.en, elements.nn], axis=1)
    beam_shape = frame.beam_covariance(beam, 0.0, 0.0)[0]
    shape = to_sky(own, to_pixel[owner]) + beam_shape  # the same algebra takes the sky to pixels
    attenuation = np.ones(n) if response is None else response(x0, y0)
    true = elements.at(ratio)
    flux = true if corrected else true * attenuation[owner]
    sky_beam = to_sky(np.broadcast_to(beam_shape, (n, 3)).astype(np.float64), tangent)
    det = shape[:, 0] * shape[:, 2] - shape[:, 1] ** 2
    peak = flux * frame.beam_area_pixels(beam) / (2.0 * math.pi * np.sqrt(det))
    total, centre, sky = _moments(owner, flux, offset, own, n)
    seen = sky + sky_beam
    middle = np.einsum("nij,nj->ni", to_pixel, centre)
    return Apparent(
        owner,
        x0[owner] + step[:, 0],
        y0[owner] + step[:, 1],
        peak,
        shape,
        x0 + middle[:, 0],
        y0 + middle[:, 1],
        _sum(owner, true, n),
        total,
        np.ones(n) if kept is None else kept(sky),
        attenuation,
        to_sky(sky, to_pixel) + beam_shape,
        sky,
        seen,
    )


def _moments(owner: Ints, flux: Floats, offset: Floats, own: Floats, n: int) -> tuple[Floats, Floats, Floats]:
    """Total, centroid (n, 2) and covariance (n, 3) of each object from its Gaussians."""
    total = _sum(owner, flux, n)
    weight = flux / np.where(total != 0.0, total, 1.0)[owner]
    centre = np.stack([_sum(owner, weight * offset[:, axis], n) for axis in (0, 1)], axis=1)
    away = offset - centre[owner]
    second = own + np.stack([away[:, 0] ** 2, away[:, 0] * away[:, 1], away[:, 1] ** 2], axis=1)
    sky = np.stack([_sum(owner, weight * second[:, part], n) for part in range(3)], axis=1)
    return total, centre, sky


def _sum(owner: Ints, values: Floats, n: int) -> Floats:
    """The sum over the Gaussians of each object."""
    return np.bincount(owner, values, n).astype(np.float64)

"""`drawing`: what made extended sources look like: each shape as Gaussians of a total flux of 1 around its centroid.

Discs, rings, arcs, ellipses and jets are laid onto a square lattice, a Gaussian a node whose FWHM and distance are 0.4
of the beam, and whose flux is the mean of 4 x 4 samples of the brightness: seen through the beam no lattice is left (the
ripple is below 1e-9), and edges are sharp to a fifth of a beam. Profiles that have no edge, Gaussians and Sersic's
(Sersic 1963, BAAA 6, 41), are sums of Gaussians of one centre (Hogg & Lang 2013, PASP 125, 719).

The size of a shape is its own solid angle without the beam: that of its uniform brightness, or that of the isophote
of 90 % of the flux where it has no edge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import gammaincinv

from skysift.sim.morphology import sketch
from skysift.sim.templates import Shape

__all__ = ["DRAWINGS", "REACH", "Drawing", "drawing"]

Floats = NDArray[np.float64]

STEP = 0.4  # of the beam: distance and FWHM of the Gaussians of a lattice
REACH = 1.8  # no shape reaches farther from its centroid than this many square roots of its own solid angle
_SAMPLES = 4
_FWHM = float(np.sqrt(8.0 * np.log(2.0)))
_ENCLOSED = 0.9
_TRUNCATED = 1e-4  # of the flux: where an edgeless profile ends for the eye


@dataclass(frozen=True, eq=False)
class Drawing:
    """One source: its Gaussians, a total flux of 1 around the centroid, and how far they reach.

    Parameters
    ----------
    shape
        The Gaussians (arcsec).
    radius
        Of the circle around the centroid that holds it (arcsec): its edge, or 90 % of the flux and some more.
    extent
        Largest extent (arcsec).
    core
        Part of the flux that is in the core, which lies at (`core_east`, `core_north`) arcsec; 0 for none.
    """

    shape: Shape
    radius: float
    extent: float
    core: float = 0.0
    core_east: float = 0.0
    core_north: float = 0.0


def drawing(name: str, area: float, separation: float, beam: float, rng: np.random.Generator) -> Drawing:
    """A source of one of `DRAWINGS`, turned and mirrored at random.

    Parameters
    ----------
    area
        Its own solid angle (arcsec^2), of those that are one piece.
    separation
        Distance of the ends (arcsec), of those in parts.
    beam
        FWHM of the narrow axis of the beam it will be seen with (arcsec).
    """
    return DRAWINGS[name](area, separation, beam, rng)


def _disc(area: float, separation: float, beam: float, rng: np.random.Generator) -> Drawing:
    """A uniform disc, little inclined."""
    ratio = rng.uniform(0.7, 1.0)
    a = np.sqrt(area / (np.pi * ratio))
    return _laid(lambda x, y: (x / a) ** 2 + (y / (ratio * a)) ** 2 <= 1.0, a, a, beam, rng, 2.0 * a)


def _ellipse(area: float, separation: float, beam: float, rng: np.random.Generator) -> Drawing:
    """An elongated source: as often a uniform ellipse as an elliptical Gaussian."""
    ratio, gaussian = rng.uniform(0.35, 0.8), rng.uniform() < 0.5
    if not gaussian:
        a = np.sqrt(area / (np.pi * ratio))
        return _laid(lambda x, y: (x / a) ** 2 + (y / (ratio * a)) ** 2 <= 1.0, a, a, beam, rng, 2.0 * a)
    sigma = np.sqrt(area / (np.pi * ratio * 2.0 * np.log(1.0 / (1.0 - _ENCLOSED))))
    return _profile(np.ones(1), np.array([sigma]), ratio, np.sqrt(area / (np.pi * ratio)), rng)


def _sersic(area: float, separation: float, beam: float, rng: np.random.Generator) -> Drawing:
    """A Sersic profile of an index between 0.7 and 2.5."""
    ratio, index = rng.uniform(0.5, 1.0), float(rng.choice(np.round(np.arange(0.7, 2.6, 0.1), 1)))
    share, sigma, radius = _sersic_sum(index)
    outer = np.sqrt(area / (np.pi * ratio))  # of the isophote of 90 %, along the major axis
    return _profile(share, sigma * outer / radius, ratio, outer, rng)


def _ring(area: float, separation: float, beam: float, rng: np.random.Generator) -> Drawing:
    """A ring, brighter on one side by up to a half."""
    ratio, wall = rng.uniform(0.75, 1.0), rng.uniform(0.2, 0.4)
    tilt = rng.uniform(0.0, 0.25)
    a = np.sqrt(area / (np.pi * ratio * (1.0 - (1.0 - wall) ** 2)))

    def light(x: Floats, y: Floats) -> Floats:
        rho = np.hypot(x / a, y / (ratio * a))
        return np.where((rho <= 1.0) & (rho >= 1.0 - wall), 1.0 + tilt * x / a, 0.0)

    return _laid(light, a, a, beam, rng, 2.0 * a)


def _arc(area: float, separation: float, beam: float, rng: np.random.Generator) -> Drawing:
    """A part of a ring, 80 to 220 degrees of it."""
    opening, wall = np.radians(rng.uniform(80.0, 220.0)), rng.uniform(0.2, 0.4)
    a = np.sqrt(area / (0.5 * opening * (1.0 - (1.0 - wall) ** 2)))
    half = 0.5 * opening

    def light(x: Floats, y: Floats) -> Floats:
        rho, turn = np.hypot(x, y) / a, np.abs(np.arctan2(y, x))
        return np.where((rho <= 1.0) & (rho >= 1.0 - wall) & (turn <= half), 1.0, 0.0)

    chord = 2.0 * a * np.sin(half) if half < 0.5 * np.pi else 2.0 * a
    return _laid(light, a, a, beam, rng, chord)


def _jet(area: float, separation: float, beam: float, rng: np.random.Generator) -> Drawing:
    """A core with two jets that end in two lobes, all of it connected, at times bent."""
    lobe, flat, thin = rng.uniform(0.22, 0.34), rng.uniform(0.65, 1.0), rng.uniform(0.06, 0.12)
    bend, uneven = np.radians(rng.uniform(-15.0, 15.0)), rng.uniform(0.75, 1.35)
    reach = np.array([1.0, rng.uniform(0.8, 1.0)])
    bright, core = rng.uniform(0.6, 1.2), rng.uniform(0.03, 0.12)
    own = 2.0 * np.pi * lobe**2 * flat + 2.0 * thin * (reach.sum() - 4.0 * lobe)
    unit = float(np.sqrt(area / own))

    def light(x: Floats, y: Floats) -> Floats:
        total = np.zeros(x.shape)
        for side, far, level in ((1.0, reach[0], 1.0), (-1.0, reach[1], uneven)):
            heading = side * bend
            along = side * (x * np.cos(heading) + y * np.sin(heading)) / unit
            across = (y * np.cos(heading) - x * np.sin(heading)) / unit
            middle = far - lobe
            inside = ((along - middle) / lobe) ** 2 + (across / (flat * lobe)) ** 2 <= 1.0
            on_jet = (along >= 0.0) & (along <= middle) & (np.abs(across) <= thin)
            total = np.maximum(total, np.where(inside, level, np.where(on_jet, bright, 0.0)))
        return total

    return _laid(light, unit, unit, beam, rng, unit * float(reach.sum()), core)


def _pair(area: float, separation: float, beam: float, rng: np.random.Generator) -> Drawing:
    """Two separate lobes without anything between."""
    return _parted(separation, beam, rng, core=0.0)


def _triple(area: float, separation: float, beam: float, rng: np.random.Generator) -> Drawing:
    """Two separate lobes with a core between them, a little off their line."""
    return _parted(separation, beam, rng, core=float(rng.uniform(0.05, 0.3)))


def _parted(separation: float, beam: float, rng: np.random.Generator, core: float) -> Drawing:
    """Lobes as elliptical Gaussians at the ends of two arms."""
    uneven = 10.0 ** rng.normal(0.0, 0.12)
    arm = separation / (1.0 + uneven) * np.array([1.0, uneven])
    bend = np.radians(rng.normal(0.0, 8.0))
    angle = np.array([0.5 * bend, np.pi - 0.5 * bend])
    flux = np.array([1.0, 10.0 ** rng.normal(0.0, 0.25)])
    flux = (1.0 - core) * flux / flux.sum()
    along = np.minimum(beam * rng.uniform(0.3, 1.6, 2), 0.25 * separation) / _FWHM
    across = along * rng.uniform(0.4, 1.0, 2)
    c, s = np.cos(angle), np.sin(angle)
    parts = [
        arm * c, arm * s, flux, along**2 * c * c + across**2 * s * s, (along**2 - across**2) * s * c,
        along**2 * s * s + across**2 * c * c,
    ]  # fmt: skip
    if core:
        parts = [np.append(each, value) for each, value in zip(parts, (0, 0, core, 0, 0, 0), strict=True)]
    return _turned(parts, rng, separation / 2.0 + beam, separation, core)


def _sketched(kind: str) -> Callable[[float, float, float, np.random.Generator], Drawing]:
    """A radio galaxy of `skysift.sim.morphology`, as those of the continuum."""

    def draw(area: float, separation: float, beam: float, rng: np.random.Generator) -> Drawing:
        core = float(min(0.02 * 10.0 ** (0.5 * rng.normal()), 0.5))
        drawn = sketch(kind, 1, rng)
        unit = separation / float(drawn.extent()[0])
        xx, xy, yy = (unit * unit * each[0] for each in drawn.covariance())
        parts = [unit * drawn.x[0], unit * drawn.y[0], (1.0 - core) * drawn.flux[0], xx, xy, yy]
        parts = [np.append(each, value) for each, value in zip(parts, (0, 0, core, 0, 0, 0), strict=True)]
        return _turned(parts, rng, 0.6 * separation + beam, separation, core)

    return draw


def _laid(
    light: Callable[[Floats, Floats], Floats], wide: float, high: float, beam: float,
    rng: np.random.Generator, extent: float, core: float = 0.0,
) -> Drawing:  # fmt: skip
    """A brightness as Gaussians on a lattice that covers (-wide, wide) and (-high, high)."""
    step = STEP * beam
    shift = rng.uniform(0.0, 1.0, 2) * step
    nodes = [np.arange(-np.ceil(side / step) - 1, np.ceil(side / step) + 2) * step for side in (high, wide)]
    inner = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    y, x = (each + by for each, by in zip(nodes, shift, strict=True))
    yy = (y[:, None] + inner * step).ravel()
    xx = (x[:, None] + inner * step).ravel()
    fine = light(xx[None, :] + 0.0 * yy[:, None], yy[:, None] + 0.0 * xx[None, :]).astype(np.float64)
    flux = fine.reshape(y.size, _SAMPLES, x.size, _SAMPLES).mean(axis=(1, 3))
    j, i = np.nonzero(flux)
    share = flux[j, i] / flux.sum() * (1.0 - core)
    sigma = np.full(share.size, (step / _FWHM) ** 2)
    parts = [x[i], y[j], share, sigma, 0.0 * sigma, sigma]
    if core:
        parts = [np.append(each, value) for each, value in zip(parts, (0, 0, core, 0, 0, 0), strict=True)]
    far = np.hypot(parts[0] - (parts[2] * parts[0]).sum(), parts[1] - (parts[2] * parts[1]).sum())
    return _turned(parts, rng, float(far.max()) + 0.5 * step, extent, core)


def _profile(share: Floats, sigma: Floats, ratio: float, outer: float, rng: np.random.Generator) -> Drawing:
    """Gaussians of one centre and axis ratio; `outer` is the semi-major axis of the isophote of 90 %."""
    none = np.zeros(share.size)
    parts = [none, none, share, sigma**2, none, (ratio * sigma) ** 2]
    return _turned(parts, rng, 1.2 * outer, 2.0 * outer, 0.0)


def _turned(
    parts: list[Floats], rng: np.random.Generator, radius: float, extent: float, core: float
) -> Drawing:
    """Around the centroid, turned and mirrored at random; a core is the last Gaussian."""
    east, north, share, ee, en, nn = (np.asarray(each, dtype=np.float64) for each in parts)
    shape = Shape(east - (share * east).sum(), north - (share * north).sum(), share, ee, en, nn)
    shape = shape.turned(float(rng.uniform(0.0, 360.0)), bool(rng.uniform() < 0.5))
    if not core:
        return Drawing(shape, radius, extent)
    return Drawing(shape, radius, extent, core, float(shape.east[-1]), float(shape.north[-1]))


@lru_cache(maxsize=64)
def _sersic_sum(index: float) -> tuple[Floats, Floats, float]:
    """A Sersic profile as Gaussians: shares of the flux, sigmas, and the radius of 90 % of it, in effective radii."""
    b = float(gammaincinv(2.0 * index, 0.5))
    radius = (float(gammaincinv(2.0 * index, _ENCLOSED)) / b) ** index
    last = (float(gammaincinv(2.0 * index, 1.0 - _TRUNCATED)) / b) ** index
    r = np.geomspace(0.02, last, 200)
    sigma = np.geomspace(0.02, 0.8 * last, 14)
    light = np.exp(-b * r ** (1.0 / index))
    columns = np.exp(-0.5 * (r[:, None] / sigma) ** 2) * r[:, None]
    norm = np.linalg.norm(columns, axis=0)
    strength, _ = nnls(columns / norm, light * r, maxiter=2000)
    share = strength / norm * sigma**2
    kept = share > 1e-6 * share.sum()
    return share[kept] / share[kept].sum(), sigma[kept], radius


DRAWINGS: Mapping[str, Callable[[float, float, float, np.random.Generator], Drawing]] = {
    "disc": _disc,
    "ring": _ring,
    "arc": _arc,
    "ellipse": _ellipse,
    "sersic": _sersic,
    "jet": _jet,
    "pair": _pair,
    "triple": _triple,
    "fr2": _sketched("FRII"),
    "bent": _sketched("bent"),
}

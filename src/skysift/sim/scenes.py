"""`scene_shape`: what nebulae of the Galactic plane look like: shells, clouds, comets, rings and filaments of Gaussians.

Each shape is drawn in units of its outer radius, with a total flux of 1. A shell is the projection of points on
a sphere, so that its limb is bright by itself; what makes it rough is a sum of plane waves that the points ride
on. Nothing here knows fluxes, distances or beams.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from skysift.sim.templates import Shape

__all__ = ["SCENES", "scene_shape"]

Floats = NDArray[np.float64]

_GOLDEN = np.pi * (3.0 - np.sqrt(5.0))


def scene_shape(name: str, rng: np.random.Generator) -> Shape:
    """A shape of one of the kinds in `SCENES`, at a random angle, around its centroid."""
    east, north, share, ee, en, nn = SCENES[name](rng)
    share = share / share.sum()
    middle_east, middle_north = (share * east).sum(), (share * north).sum()
    shape = Shape(east - middle_east, north - middle_north, share, ee, en, nn)
    return shape.turned(float(rng.uniform(0.0, 360.0)), bool(rng.uniform() < 0.5))


Parts = tuple[Floats, Floats, Floats, Floats, Floats, Floats]
"""East, north, share, ee, en, nn."""


def _round(x: Floats, y: Floats, share: Floats, sigma: Floats | float) -> Parts:
    """Round Gaussians."""
    square = np.broadcast_to(np.asarray(sigma, dtype=np.float64) ** 2, x.shape).copy()
    return x, y, share, square, np.zeros_like(square), square.copy()


def _along(x: Floats, y: Floats, share: Floats, heading: Floats, length: Floats, width: Floats) -> Parts:
    """Gaussians that are drawn out along a heading (rad, from +x): sigma `length` along, `width` across."""
    c, s = np.cos(heading), np.sin(heading)
    a, b = length**2, width**2
    return x, y, share, a * c * c + b * s * s, (a - b) * s * c, a * s * s + b * c * c


def _joined(*parts: Parts, flux: tuple[float, ...]) -> Parts:
    """Several parts, each with its part of the flux."""
    scaled = [(p[0], p[1], f * p[2] / p[2].sum(), *p[3:]) for p, f in zip(parts, flux, strict=True)]
    east, north, share, ee, en, nn = (np.concatenate([p[k] for p in scaled]) for k in range(6))
    return east, north, share, ee, en, nn


def _rough(points: Floats, rng: np.random.Generator, finest: float, slope: float = 1.0) -> Floats:
    """A random field of zero mean and unit variance at points (n, dimension): 40 plane waves.

    Parameters
    ----------
    finest
        Largest wave number; amplitudes fall with its power `slope`.
    """
    wave = np.exp(rng.uniform(np.log(1.2), np.log(finest), 40))
    direction = rng.normal(size=(40, points.shape[1]))
    direction /= np.linalg.norm(direction, axis=1)[:, np.newaxis]
    phase = points @ (direction * wave[:, np.newaxis]).T + rng.uniform(0.0, 2.0 * np.pi, 40)
    strength = wave**-slope
    return np.asarray(np.cos(phase) @ strength / np.sqrt(0.5 * np.sum(strength**2)))


def _sphere(n: int, rng: np.random.Generator) -> Floats:
    """Points (n, 3) spread evenly over a sphere, turned at random."""
    k = np.arange(n) + 0.5
    z, turn = 1.0 - 2.0 * k / n, _GOLDEN * k
    rho = np.sqrt(1.0 - z * z)
    points = np.stack([rho * np.cos(turn), rho * np.sin(turn), z], axis=1)
    basis, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return np.asarray((points + rng.normal(0.0, 0.3 / np.sqrt(n), points.shape)) @ basis)


def _surface(
    rng: np.random.Generator, n: int, *, thickness: float, contrast: float, dent: float, part: float
) -> Parts:
    """The wall of a shell.

    Parameters
    ----------
    thickness
        Of the wall.
    contrast
        Of its brightness (spread of the logarithm).
    dent
        Of its radius.
    part
        How much of it shines: 1 all, less a cap on one side.
    """
    points = _sphere(n, rng)
    radius = (1.0 - 0.5 * thickness) * (1.0 + dent * _rough(points, rng, 7.0, 1.3))
    weight = np.exp(contrast * _rough(points, rng, 11.0, 0.6))
    side = points @ _unit(rng)
    weight *= 1.0 / (1.0 + np.exp(-(side - (1.0 - 2.0 * part)) / 0.2))
    sigma = np.hypot(0.4 * thickness, 0.55 * np.sqrt(4.0 * np.pi / n)) * rng.uniform(0.75, 1.25, n)
    place = points * radius[:, np.newaxis]
    return _round(place[:, 0], place[:, 1] * rng.uniform(0.75, 1.0), weight, sigma)


def _unit(rng: np.random.Generator) -> Floats:
    """A direction that lies near the plane of the sky."""
    turn = rng.uniform(0.0, 2.0 * np.pi)
    v = np.array([np.cos(turn), np.sin(turn), rng.normal(0.0, 0.3)])
    return np.asarray(v / np.linalg.norm(v))


def _wisps(rng: np.random.Generator, n: int, part: float, width: float) -> Parts:
    """Thin arcs on a sphere, most of them near the limb: sheets seen edge on.

    Parameters
    ----------
    n
        How many.
    part
        Of the limb that has any.
    width
        Sigma across.
    """
    arcs: list[Parts] = []
    middle = rng.uniform(0.0, 2.0 * np.pi)
    steps = 40
    for _ in range(n):
        pole = np.array([0.0, 0.0, 1.0]) + rng.normal(0.0, 0.25 if rng.uniform() < 0.8 else 1.2, 3)
        pole /= np.linalg.norm(pole)
        first = np.cross(pole, [np.cos(middle + 1.0), np.sin(middle + 1.0), 0.1])
        first /= np.linalg.norm(first)
        second = np.cross(pole, first)
        long = rng.uniform(0.3, 1.2)
        begin = middle + np.pi * part * rng.uniform(-1.0, 1.0) - 0.5 * long
        start = np.arctan2(
            second[:2] @ [np.cos(begin), np.sin(begin)], first[:2] @ [np.cos(begin), np.sin(begin)]
        )
        turn = start + np.linspace(0.0, long, steps)
        radius = rng.uniform(0.88, 1.0) + 0.015 * _rough(turn[:, np.newaxis], rng, 8.0)
        ring = np.cos(turn)[:, np.newaxis] * first + np.sin(turn)[:, np.newaxis] * second
        tilt = rng.normal(0.0, 0.25)
        place = radius[:, np.newaxis] * (np.cos(tilt) * ring + np.sin(tilt) * pole)
        x, y = place[:, 0], place[:, 1]
        heading = np.arctan2(np.gradient(y), np.gradient(x))
        step = np.hypot(np.gradient(x), np.gradient(y))
        fade = np.hanning(steps + 2)[1:-1] * np.exp(0.6 * _rough(turn[:, np.newaxis], rng, 9.0))
        share = rng.lognormal(0.0, 0.6) * fade * np.maximum(step, 1e-4)
        across = np.full(steps, width * rng.uniform(0.6, 2.5))
        arcs.append(_along(x, y, share, heading, np.maximum(step, across), across))
    return _joined(*arcs, flux=tuple(float(arc[2].sum()) for arc in arcs))


def _haze(rng: np.random.Generator, size: float) -> Parts:
    """A smooth cloud, uneven and drawn out."""
    n = 40
    squeeze = rng.uniform(0.45, 1.0)
    x, y = rng.normal(0.0, size, n), rng.normal(0.0, size * squeeze, n)
    sigma = size * rng.uniform(0.35, 0.9, n)
    return _round(x, y, rng.lognormal(0.0, 0.6, n) * sigma, sigma)


def _shell(rng: np.random.Generator) -> Parts:
    """A supernova remnant's shell, limb and filaments."""
    wall = _surface(rng, 1400, thickness=rng.uniform(0.04, 0.15), contrast=0.75, dent=0.05, part=1.0)
    wisps = _wisps(rng, 26, 1.0, 0.012)
    filaments = rng.uniform(0.2, 0.45)
    return _joined(wall, wisps, flux=(1.0 - filaments, filaments))


def _partial_shell(rng: np.random.Generator) -> Parts:
    """A shell of which one side shines."""
    part = rng.uniform(0.25, 0.55)
    return _surface(rng, 1400, thickness=rng.uniform(0.04, 0.15), contrast=0.75, dent=0.05, part=part)


def _filled_shell(rng: np.random.Generator) -> Parts:
    """A composite remnant: a shell with a bright nebula inside."""
    wall = _surface(rng, 1200, thickness=0.12, contrast=0.6, dent=0.05, part=1.0)
    inside = _haze(rng, rng.uniform(0.12, 0.25))
    return _joined(wall, _wisps(rng, 12, 1.0, 0.012), inside, flux=(0.55, 0.15, 0.3))


def _clumpy(rng: np.random.Generator) -> Parts:
    """A cloud of clumps within clumps."""
    x, y, size, share = np.zeros(1), np.zeros(1), np.full(1, 0.42), np.ones(1)
    every = [(x, y, share, size)]
    for children, shrink in ((5, 0.6), (4, 0.6), (4, 0.6)):
        n = x.size * children
        away = rng.normal(0.0, 1.0, (2, n)) * np.repeat(size, children)
        x, y = np.repeat(x, children) + away[0], np.repeat(y, children) + away[1]
        share = np.repeat(share, children) * rng.lognormal(-0.35, 0.65, n) / children
        size = np.repeat(size, children) * shrink * rng.uniform(0.7, 1.3, n)
        every.append((x, y, share, size))
    x, y, share, size = (np.concatenate([level[k] for level in every]) for k in range(4))
    far = np.maximum(np.hypot(x, y) + size, 1.0)
    return _round(x / far, y / far, share, size)


def _thick_shell(rng: np.random.Generator) -> Parts:
    """An evolved HII region: a rough thick wall around a cavity, with clumps in it."""
    part = rng.uniform(0.6, 1.0)
    wall = _surface(rng, 900, thickness=rng.uniform(0.2, 0.45), contrast=0.8, dent=0.1, part=part)
    return _joined(wall, _wisps(rng, 14, part, 0.03), _clumpy(rng), flux=(0.7, 0.1, 0.2))


def _cometary(rng: np.random.Generator) -> Parts:
    """A bright bow and a fading tail."""
    t = np.linspace(-1.6, 1.6, 60)
    x, y = 0.55 - 0.45 * t**2, 0.6 * t
    inside = x > -1.0
    x, y, t = x[inside], y[inside], t[inside]
    share = np.exp(-1.1 * t**2) * np.exp(0.4 * _rough(t[:, np.newaxis], rng, 9.0))
    heading = np.arctan2(0.6 * np.ones_like(t), -0.9 * t)
    bow = _along(x, y, share, heading, np.full(t.size, 0.07), 0.05 + 0.05 * np.abs(t))
    n = 24
    back = rng.uniform(0.0, 1.3, n)
    tail = _round(
        0.4 - back,
        rng.normal(0.0, 0.16, n) * (0.6 + back),
        np.exp(-1.3 * back) * rng.lognormal(0, 0.4, n),
        0.12 + 0.1 * back,
    )
    return _joined(bow, tail, flux=(0.6, 0.4))


def _compact(rng: np.random.Generator) -> Parts:
    """One to three Gaussians."""
    n = int(rng.integers(1, 4))
    away = rng.normal(0.0, 0.3, (2, n)) * (np.arange(n) > 0)
    return _round(away[0], away[1], rng.lognormal(0.0, 0.5, n), rng.uniform(0.3, 0.55, n))


def _bubble(rng: np.random.Generator) -> Parts:
    """A thin ring, open on one side, with a faint inside."""
    n = 96
    turn = np.linspace(0.0, 2.0 * np.pi, n, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    thickness = rng.uniform(0.08, 0.25)
    radius = (1.0 - 0.5 * thickness) * (1.0 + 0.05 * _rough(circle, rng, 5.0, 1.5))
    gap = 1.0 / (1.0 + np.exp(-(circle @ _unit(rng)[:2] + rng.uniform(0.0, 1.0)) / 0.25))
    share = gap * np.exp(0.55 * _rough(circle, rng, 12.0, 0.5))
    width = np.full(n, 0.42 * thickness) * rng.uniform(0.8, 1.2, n)
    ring = _along(
        radius * circle[:, 0],
        radius * circle[:, 1] * rng.uniform(0.75, 1.0),
        share,
        turn + 0.5 * np.pi,
        np.maximum(width, 2.0 * np.pi / n),
        width,
    )
    inside = _haze(rng, rng.uniform(0.2, 0.35))
    filling = rng.uniform(0.05, 0.3)
    return _joined(ring, inside, flux=(1.0 - filling, filling))


def _ring(rng: np.random.Generator) -> Parts:
    """A small shell, as most planetary nebulae are."""
    return _surface(rng, 260, thickness=rng.uniform(0.15, 0.4), contrast=0.3, dent=0.03, part=1.0)


def _bipolar(rng: np.random.Generator) -> Parts:
    """Two lobes and a bright waist."""
    lobe = rng.uniform(0.35, 0.5)
    x = np.concatenate([np.linspace(lobe, 0.9, 6), -np.linspace(lobe, 0.9, 6), np.zeros(3)])
    y = np.concatenate([np.zeros(12), [-0.18, 0.0, 0.18]])
    share = np.concatenate([np.full(12, 0.05), np.full(3, 0.13)]) * rng.lognormal(0.0, 0.3, 15)
    return _round(x, y, share, np.concatenate([np.full(12, 0.2), np.full(3, 0.12)]))


def _filament(rng: np.random.Generator) -> Parts:
    """Some strands beside each other that wander along one way; the radius is half the length."""
    strands = []
    n = 70
    along = np.linspace(-1.0, 1.0, n)
    bend = 0.35 * _rough(1.5 * along[:, np.newaxis], rng, 3.0, 2.0)
    for _ in range(int(rng.integers(2, 8))):
        aside = rng.normal(0.0, 0.07) + 0.05 * _rough(3.0 * along[:, np.newaxis], rng, 4.0, 1.5)
        x, y = along * 0.9, 0.6 * bend + aside
        heading = np.arctan2(np.gradient(y), np.gradient(x))
        share = np.hanning(n + 2)[1:-1] ** 0.7 * np.exp(0.6 * _rough(6.0 * along[:, np.newaxis], rng, 5.0))
        width = (
            0.012
            * 10.0 ** rng.uniform(0.0, 0.9)
            * np.exp(0.25 * _rough(4.0 * along[:, np.newaxis], rng, 4.0))
        )
        strands.append(_along(x, y, share, heading, np.maximum(width, 0.03), width))
    return _joined(*strands, flux=tuple(rng.uniform(0.3, 1.0, len(strands)).tolist()))


def _point(rng: np.random.Generator) -> Parts:
    """What has no size."""
    return _round(np.zeros(1), np.zeros(1), np.ones(1), 0.0)


SCENES: Mapping[str, Callable[[np.random.Generator], Parts]] = {
    "shell": _shell,
    "partial-shell": _partial_shell,
    "filled-shell": _filled_shell,
    "thick-shell": _thick_shell,
    "clumpy": _clumpy,
    "cometary": _cometary,
    "compact": _compact,
    "bubble": _bubble,
    "ring": _ring,
    "bipolar": _bipolar,
    "filament": _filament,
    "point": _point,
}

"""`Array`: where antennas stand: layouts like those of known arrays, told by a few published numbers.

No layout is a survey of pads. Numbers of dishes, their diameters, the shortest and the longest spacing and the kind
of the layout are those of the arrays; where within it an antenna stands is drawn, once and for ever, with no two
nearer than the shortest spacing. What a map shows of an array follows from these: the width of the beam, the
level of its sidelobes, whether they are rings or spokes, and the largest scale.

- SKA-Mid-like: 133 dishes of 15 m beside MeerKAT's 64, a core about 1 km across, three spiral arms, 150 km between
  the farthest (SKAO, "SKA-Mid in numbers"; Swart et al. 2022, JATIS 8, 011021). How many stand in the core and how
  tightly the arms wind is declared here.
- MeerKAT-like: 64 dishes of 13.5 m, 70 % within 1 km, spacings from 29 m to 7.7 km (SARAO, "MeerKAT
  specifications"; Jonas & MeerKAT Team 2016, PoS MeerKAT2016, 001).
- ASKAP-like: 36 dishes of 12 m, 30 within 2 km, 6 on a Reuleaux triangle 6 km wide, spacings from 22 m (Gupta et
  al. 2008, ATNF; Hotan et al. 2021, PASA 38, e009).
- VLA-like: 27 dishes of 25 m on a Y, at distances that grow as n^1.716 along each arm, each configuration 3.285
  times smaller than the one before, arms of 21, 21 and 19 km in A (Napier, Thompson & Ekers 1983, Proc. IEEE 71, 1295).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UnknownName, UsageError
from skysift.base.random import generator

__all__ = ["ARRAYS", "Array", "array"]

Floats = NDArray[np.float64]

_VLA_POWER, _VLA_STEP, _VLA_ARM = (
    1.716,
    3.285,
    21_000.0,
)  # of the distances, from A to B to C to D, metres in A
_VLA_ARMS = ((355.0, 0.9), (115.0, 1.0), (236.0, 1.0))  # azimuth (deg, north through east), relative length
_TRIES = 100_000  # positions that are tried at most for a layout


@dataclass(frozen=True, eq=False)
class Array:
    """Antennas on a plane that touches the Earth.

    Parameters
    ----------
    name
        Of the array that it is like.
    latitude
        Of the site (deg).
    diameter
        Of a dish (m).
    east, north
        Where each antenna stands (m).
    """

    name: str
    latitude: float
    diameter: float
    east: Floats
    north: Floats

    @property
    def spacings(self) -> Floats:
        """Distances of all pairs of antennas (m)."""
        first, second = np.triu_indices(len(self), 1)
        return np.hypot(self.east[first] - self.east[second], self.north[first] - self.north[second])

    def stretch(self, factor: float) -> Array:
        """The same array, this many times larger."""
        return Array(self.name, self.latitude, self.diameter, self.east * factor, self.north * factor)

    def equatorial(self) -> Floats:
        """Positions (antenna, 3) in metres toward (hour angle 0, dec 0), (hour angle -6 h, dec 0) and the pole.

        Thompson, Moran & Swenson (2017), eq. 4.4, for antennas of one height.
        """
        s, c = math.sin(math.radians(self.latitude)), math.cos(math.radians(self.latitude))
        return np.stack([-self.north * s, self.east, self.north * c], axis=1)

    def __len__(self) -> int:
        return int(self.east.size)

    def __repr__(self) -> str:
        d = self.spacings
        return f"Array({self.name}-like, {len(self)} dishes of {self.diameter:g} m, {d.min():.0f} to {d.max():.0f} m)"


def array(name: str) -> Array:
    """The antennas of an array like the one of this name.

    Raises
    ------
    UnknownName
        There is none.
    """
    if name not in ARRAYS:
        raise UnknownName("there is no such array", got=name, allowed=ARRAYS)
    return ARRAYS[name]()


def _meerkat() -> Array:
    core = _core("meerkat", 45, sigma=210.0, radius=500.0, shortest=29.0)
    outer = _spirals(19, arms=3, inner=550.0, outer=7_700.0 / math.sqrt(3.0), turns=0.45)
    return _array("meerkat", -30.7111, 13.5, np.concatenate([core, outer]))


def _ska_mid() -> Array:
    core = _core("ska-mid", 129, sigma=350.0, radius=1_000.0, shortest=29.0)
    arms = _spirals(68, arms=3, inner=1_100.0, outer=150_000.0 / math.sqrt(3.0), turns=0.9)
    return _array("ska-mid", -30.7111, 15.0, np.concatenate([core, arms]))


def _askap() -> Array:
    core = _core("askap", 30, sigma=450.0, radius=1_000.0, shortest=22.0)
    corners = [(3_464.0, 90.0), (3_464.0, 210.0), (3_464.0, 330.0)]  # an equilateral triangle of 6 km
    sides = [
        (2_536.0, 30.0),
        (2_536.0, 150.0),
        (2_536.0, 270.0),
    ]  # the middles of its arcs, 6 km from a corner
    outer = np.array([_polar(r, angle) for r, angle in corners + sides])
    return _array("askap", -26.697, 12.0, np.concatenate([core, outer]))


def _vla(step: int) -> Array:
    n = np.arange(1, 10)
    r = _VLA_ARM / _VLA_STEP**step * (n / 9.0) ** _VLA_POWER
    r = r + 10.0 if step == 3 else r  # or dishes of 25 m would stand in one another
    places = [_polar(each * length, a) for a, length in _VLA_ARMS for each in r]
    return _array(f"vla-{'abcd'[step]}", 34.0788, 25.0, np.array(places))


ARRAYS: dict[str, Callable[[], Array]] = {
    "ska-mid": _ska_mid,
    "meerkat": _meerkat,
    "askap": _askap,
    "vla-a": lambda: _vla(0),
    "vla-b": lambda: _vla(1),
    "vla-c": lambda: _vla(2),
    "vla-d": lambda: _vla(3),
}


def _array(name: str, latitude: float, diameter: float, places: Floats) -> Array:
    return Array(name, latitude, diameter, places[:, 0].copy(), places[:, 1].copy())


def _polar(radius: float, azimuth: float) -> tuple[float, float]:
    """East and north of a place at a distance and an azimuth (deg, from north through east)."""
    return radius * math.sin(math.radians(azimuth)), radius * math.cos(math.radians(azimuth))


def _core(name: str, n: int, *, sigma: float, radius: float, shortest: float) -> Floats:
    """`n` places (m) of a Gaussian cloud within a circle, no two nearer than `shortest`; the first two just that."""
    rng = generator(0, "arrays", name)
    places = [(0.0, 0.0), (shortest, 0.0)]
    for place in rng.normal(0.0, sigma, (_TRIES, 2)).tolist():
        if len(places) == n:
            return np.array(places)
        near = min(math.hypot(place[0] - x, place[1] - y) for x, y in places)
        if near >= shortest and math.hypot(*place) <= radius:
            places.append((place[0], place[1]))
    raise UsageError("the core has no room for so many antennas", got=n)  # pragma: no cover


def _spirals(n: int, *, arms: int, inner: float, outer: float, turns: float) -> Floats:
    """`n` places on logarithmic spirals, their distances in equal ratios; each arm a third of a step behind."""
    k = np.arange(n)
    arm, step = k % arms, k // arms
    last = (n - 1) // arms
    r = outer * (inner / outer) ** (
        step / max(last, 1) * (1.0 + 0.3 * arm / arms) / (1.0 + 0.3 * (arms - 1) / arms)
    )
    angle = 2.0 * math.pi * (arm / arms + turns * np.log(r / inner) / math.log(outer / inner))
    return np.stack([r * np.sin(angle), r * np.cos(angle)], axis=1)

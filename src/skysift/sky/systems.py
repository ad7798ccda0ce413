"""The celestial systems that maps are drawn in, and the way from each to ICRS and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import HeaderError

if TYPE_CHECKING:
    from astropy.coordinates import BaseCoordinateFrame

__all__ = ["EQUATORIAL", "System", "sky_of", "vectors"]

Floats = NDArray[np.float64]

_BY_AXIS = {"GLON": "Galactic", "SLON": "Supergalactic", "ELON": "Ecliptic"}
EQUATORIAL = ("ICRS", "FK5", "FK4", "FK4-NO-E")


@dataclass(frozen=True, slots=True)
class System:
    """A celestial system: its name, and its equinox in years where it has one.

    ICRS, FK5, Galactic, Supergalactic and Ecliptic (mean, J2000) are rotations of each other and are turned
    by one matrix; FK4 (B1950) has the e-terms of aberration and goes through `astropy.coordinates`.
    """

    name: str
    equinox: float | None = None

    @classmethod
    def of(cls, longitude: str, radesys: str, equinox: float) -> System:
        """The system of a header.

        Parameters
        ----------
        longitude
            First letters of the CTYPE of the longitude axis: ``RA``, ``GLON``, ``SLON`` or ``ELON``.
        radesys, equinox
            RADESYS (may be empty) and EQUINOX (years; may be NaN).

        Raises
        ------
        HeaderError
            The system is none of those known here.
        """
        axis = longitude.strip("-").upper()
        if axis in _BY_AXIS:
            return cls(_BY_AXIS[axis])
        name = radesys.strip().upper()
        if not name:
            name = "ICRS" if math.isnan(equinox) else "FK5" if equinox >= 1984.0 else "FK4"
        if axis != "RA" or name not in EQUATORIAL:
            raise HeaderError(
                "the celestial system of the map is not known",
                got=f"{axis} {name}",
                allowed=f"RA/DEC in {', '.join(EQUATORIAL)}, {', '.join(_BY_AXIS)}",
                todo="reproject the map, or delete its CTYPE cards to work in pixels",
            )
        if name == "ICRS":
            return cls(name)
        return cls(name, equinox if math.isfinite(equinox) else 2000.0 if name == "FK5" else 1950.0)

    def __str__(self) -> str:
        usual = {"FK5": 2000.0, "FK4": 1950.0, "FK4-NO-E": 1950.0}.get(self.name)
        return self.name if usual is None or usual == self.equinox else f"{self.name} {self.equinox:g}"

    def to_icrs(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """ICRS right ascension and declination (deg) of positions in this system (deg)."""
        if self.name == "ICRS":
            return lon % 360.0, lat
        if self.name.startswith("FK4"):
            from astropy.coordinates import ICRS  # heavy: only B1950 maps need it

            return _through_astropy(self._frame(), ICRS(), lon, lat)
        return sky_of(_turned(vectors(lon, lat), _rotation(self)))

    def from_icrs(self, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
        """Longitude and latitude (deg) in this system of ICRS positions (deg)."""
        if self.name == "ICRS":
            return ra % 360.0, dec
        if self.name.startswith("FK4"):
            from astropy.coordinates import ICRS  # heavy: only B1950 maps need it

            return _through_astropy(ICRS(), self._frame(), ra, dec)
        return sky_of(_turned(vectors(ra, dec), _rotation(self).T))

    def _frame(self) -> BaseCoordinateFrame:
        """The same system in astropy."""
        # heavy: maps that are ICRS already do without
        from astropy.coordinates import (
            FK4,
            FK5,
            BarycentricMeanEcliptic,
            FK4NoETerms,
            Galactic,
            Supergalactic,
        )
        from astropy.time import Time

        if self.name == "FK5":
            return FK5(equinox=Time(self.equinox, format="jyear"))
        if self.name == "FK4":
            return FK4(equinox=Time(self.equinox, format="byear"))
        if self.name == "FK4-NO-E":
            return FK4NoETerms(equinox=Time(self.equinox, format="byear"))
        return {"Galactic": Galactic, "Supergalactic": Supergalactic, "Ecliptic": BarycentricMeanEcliptic}[
            self.name
        ]()


def vectors(lon: Floats, lat: Floats) -> Floats:
    """Unit vectors (n, 3) of directions in degrees."""
    a, b = np.radians(lon), np.radians(lat)
    c = np.cos(b)
    return np.stack([c * np.cos(a), c * np.sin(a), np.sin(b)], axis=-1)


def sky_of(v: Floats) -> tuple[Floats, Floats]:
    """Longitude in [0, 360) and latitude (deg) of vectors (n, 3); their length does not matter."""
    lon = np.degrees(np.arctan2(v[..., 1], v[..., 0])) % 360.0
    lat = np.degrees(np.arctan2(v[..., 2], np.hypot(v[..., 0], v[..., 1])))
    return np.where(lon == 360.0, 0.0, lon), lat


def _turned(v: Floats, matrix: Floats) -> Floats:
    """Vectors (n, 3) times a matrix, each alone: a BLAS product may round differently with another n."""
    return np.stack([v[..., 0] * row[0] + v[..., 1] * row[1] + v[..., 2] * row[2] for row in matrix], axis=-1)


@lru_cache(maxsize=16)
def _rotation(system: System) -> Floats:
    """The matrix (3, 3) that turns vectors of the system into ICRS."""
    from astropy.coordinates import ICRS  # heavy: maps that are ICRS already do without

    ra, dec = _through_astropy(
        system._frame(), ICRS(), np.array([0.0, 90.0, 0.0]), np.array([0.0, 0.0, 90.0])
    )
    u, _, vt = np.linalg.svd(
        vectors(ra, dec).T
    )  # the nearest true rotation: rounding must not stretch the sky
    matrix: Floats = u @ vt
    matrix.setflags(write=False)
    return matrix


def _through_astropy(
    start: BaseCoordinateFrame, end: BaseCoordinateFrame, lon: Floats, lat: Floats
) -> tuple[Floats, Floats]:
    from astropy.coordinates import SkyCoord, UnitSphericalRepresentation  # heavy, as above

    good = np.isfinite(lon) & np.isfinite(lat)
    out_lon, out_lat = np.full(lon.shape, np.nan), np.full(lat.shape, np.nan)
    if good.any():
        there = SkyCoord(lon[good], lat[good], unit="deg", frame=start).transform_to(end)
        sphere = there.represent_as(UnitSphericalRepresentation)
        out_lon[good], out_lat[good] = sphere.lon.deg % 360.0, sphere.lat.deg
    return out_lon, out_lat

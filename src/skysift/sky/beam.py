"""`Beam`: the elliptical Gaussian that a point source looks like."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError

__all__ = ["FWHM_PER_SIGMA", "Beam"]

FWHM_PER_SIGMA = math.sqrt(8.0 * math.log(2.0))
_NEGLIGIBLE = 1e-12  # of the variances; what rounding leaves when a beam is deconvolved from itself


@dataclass(frozen=True, slots=True)
class Beam:
    """An elliptical Gaussian: axes FWHM (arcsec), position angle (deg) from north through east, in [0, 180).

    Parameters
    ----------
    major, minor
        Full widths at half maximum (arcsec); a longer `minor` is exchanged with `major` and the angle
        turned by 90 degrees.
    pa
        Position angle of the major axis (deg).

    Raises
    ------
    UsageError
        An axis is negative or not a number, or the angle is not a number.
    """

    major: float
    minor: float
    pa: float = 0.0

    def __post_init__(self) -> None:
        major, minor, pa = float(self.major), float(self.minor), float(self.pa)
        if (
            not (math.isfinite(major) and math.isfinite(minor) and math.isfinite(pa))
            or major < 0
            or minor < 0
        ):
            raise UsageError(
                "a beam needs two axes in arcsec and an angle in degrees",
                got=(self.major, self.minor, self.pa),
                allowed="finite numbers, axes not negative",
            )
        if minor > major:
            major, minor, pa = minor, major, pa + 90.0
        pa %= 180.0
        object.__setattr__(self, "major", major)
        object.__setattr__(self, "minor", minor)
        object.__setattr__(self, "pa", 0.0 if pa == 180.0 else pa)

    @classmethod
    def of(cls, given: Beam | float | tuple[float, float, float]) -> Beam:
        """A beam as it is, a round one of this FWHM (arcsec), or one of (major, minor, pa)."""
        if isinstance(given, Beam):
            return given
        return cls(*given) if isinstance(given, tuple) else cls(given, given)

    @property
    def area(self) -> float:
        """Solid angle, pi / (4 ln 2) major minor (arcsec^2)."""
        return math.pi / (4.0 * math.log(2.0)) * self.major * self.minor

    @property
    def is_point(self) -> bool:
        """True for the beam of no width, which a point becomes once the beam is taken out of it."""
        return self.major == 0.0

    def to_covariance(self) -> NDArray[np.float64]:
        """Covariance matrix (2, 2) of the Gaussian (arcsec^2, sigma not FWHM), axes (east, north)."""
        a, b = (self.major / FWHM_PER_SIGMA) ** 2, (self.minor / FWHM_PER_SIGMA) ** 2
        s, c = math.sin(math.radians(self.pa)), math.cos(math.radians(self.pa))
        cross = (a - b) * s * c
        return np.array([[a * s * s + b * c * c, cross], [cross, a * c * c + b * s * s]])

    @classmethod
    def from_covariance(cls, covariance: NDArray[np.float64]) -> Beam:
        """The beam of a covariance matrix (2, 2), (arcsec^2, sigma not FWHM), axes (east, north).

        Raises
        ------
        UsageError
            The matrix is not that of a Gaussian: a variance is negative or not a number.
        """
        matrix = np.asarray(covariance, dtype=np.float64)
        ee, en, nn = float(matrix[0, 0]), 0.5 * float(matrix[0, 1] + matrix[1, 0]), float(matrix[1, 1])
        large, small, pa = _axes(ee, en, nn)
        if not math.isfinite(large) or small < -_NEGLIGIBLE * max(large, 0.0):
            raise UsageError(
                "the covariance is not that of a Gaussian",
                got=matrix.tolist(),
                allowed="variances not negative",
            )
        return cls(
            FWHM_PER_SIGMA * math.sqrt(max(large, 0.0)), FWHM_PER_SIGMA * math.sqrt(max(small, 0.0)), pa
        )

    def convolve(self, other: Beam) -> Beam:
        """The beam of a source of this shape seen through another beam; shapes add as covariances."""
        return Beam.from_covariance(self.to_covariance() + other.to_covariance())

    def deconvolve(self, other: Beam) -> Beam:
        """The shape that gives this one when seen through another beam.

        Raises
        ------
        UsageError
            There is none: this shape is narrower than the other beam in some direction.
        """
        large, small, pa = self._difference(other)
        if small < 0.0:
            raise UsageError(
                "the shape is narrower than the beam and cannot be deconvolved",
                got=self,
                allowed=f"wider than {other}",
            )
        return Beam(FWHM_PER_SIGMA * math.sqrt(large), FWHM_PER_SIGMA * math.sqrt(small), pa)

    def deconvolve_or_point(self, other: Beam) -> Beam:
        """As `deconvolve`; an axis narrower than the beam becomes zero instead, both zero for a point."""
        large, small, pa = self._difference(other)
        if large <= 0.0:
            return Beam(0.0, 0.0, 0.0)
        return Beam(FWHM_PER_SIGMA * math.sqrt(large), FWHM_PER_SIGMA * math.sqrt(max(small, 0.0)), pa)

    def _difference(self, other: Beam) -> tuple[float, float, float]:
        """Variances (large, small) and angle of this minus the other; zero where within rounding of zero."""
        mine, theirs = self.to_covariance(), other.to_covariance()
        d = mine - theirs
        large, small, pa = _axes(float(d[0, 0]), float(d[0, 1]), float(d[1, 1]))
        floor = _NEGLIGIBLE * float(np.trace(mine) + np.trace(theirs))
        large, small = (0.0 if abs(value) <= floor else value for value in (large, small))
        return large, small, pa if large > small else 0.0

    def __str__(self) -> str:
        return f'{self.major:.4g}" x {self.minor:.4g}", pa {self.pa:.4g} deg'


def _axes(ee: float, en: float, nn: float) -> tuple[float, float, float]:
    """Variances along the major and the minor axis, and the angle of the major axis (deg, north to east)."""
    mean, spread = 0.5 * (ee + nn), math.hypot(0.5 * (nn - ee), en)
    return (
        mean + spread,
        mean - spread,
        math.degrees(0.5 * math.atan2(2.0 * en, nn - ee)) if spread > 0.0 else 0.0,
    )

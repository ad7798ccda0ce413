"""`Smear`: how the channels and the integrations of an observation widen what lies away from the phase centre."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UsageError
from skysift.sky.beams import convergence
from skysift.sky.units import ARCSEC

__all__ = ["EARTH", "Smear"]

Floats: TypeAlias = NDArray[np.float64]

EARTH = 7.2921150e-5  # rad/s; of the rotation of the Earth


@dataclass(frozen=True)
class Smear:
    """How far a point away from the phase centre is drawn out: towards it by the bandwidth, around it by time.

    A visibility that was averaged over a channel, or over an integration, belongs to a stretch of the uv plane.
    In the image a source at (l, m) from the phase centre is the mean of sources along a line (Bridle & Schwab
    1999, ASP Conf. Ser. 180, 371): of the length ``(l, m) dnu / nu`` for a channel of width dnu, and
    ``omega dt (m sin dec, -l)`` for an integration dt on the rotating Earth. The latter is exact at the pole, and
    for sources north and south of the centre anywhere; for those east and west it holds for baselines that are
    spread alike in all directions. A line of length d has the variance d^2 / 12, so that the sum over a track looks
    like the beam convolved with a Gaussian of that variance. Its integrated flux is kept; of its peak remains, for a
    round beam theta_b and one of the two alone, ``1 / sqrt(1 + 2 ln 2 / 3 (d / theta_b)^2)`` (Condon et al. 1998,
    AJ 115, 1693, for NVSS). Beyond d = theta_b the line is no Gaussian any more, and the peak errs by some percent.

    Parameters
    ----------
    bandwidth
        Width of a channel over its frequency.
    turn
        By how much the Earth turns in an integration (rad).
    ra, dec
        The phase centre (ICRS degrees).

    Raises
    ------
    UsageError
        A number is negative or not one.
    """

    bandwidth: float
    turn: float
    ra: float
    dec: float

    def __post_init__(self) -> None:
        numbers = (self.bandwidth, self.turn, self.ra, self.dec)
        if not all(math.isfinite(each) for each in numbers) or self.bandwidth < 0.0 or self.turn < 0.0:
            raise UsageError("smearing needs finite numbers, widths not negative", got=numbers)

    def lines(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
        """The two lines (n, 2) (east, north; arcsec) that a point at ICRS positions (deg) is drawn out to."""
        ra, dec = np.atleast_1d(np.asarray(ra, np.float64)), np.atleast_1d(np.asarray(dec, np.float64))
        step = np.radians(ra - self.ra)
        one, other = math.radians(self.dec), np.radians(dec)
        # direction cosines about the phase centre
        east = np.cos(other) * np.sin(step)
        north = math.cos(one) * np.sin(other) - math.sin(one) * np.cos(other) * np.cos(step)
        angle = convergence(np.full_like(ra, self.ra), np.full_like(dec, self.dec), ra, dec)
        sine, cosine = np.sin(angle), np.cos(angle)

        def there(e: Floats, n: Floats, length: float) -> Floats:
            # axes of the phase centre become those of the place
            return np.stack([e * cosine + n * sine, n * cosine - e * sine], axis=1) * (length / ARCSEC)

        return there(east, north, self.bandwidth), there(north * math.sin(one), -east, self.turn)

    def covariance(self, ra: ArrayLike, dec: ArrayLike) -> Floats:
        """Covariances (n, 3) (ee, en, nn; arcsec^2) by which a point at ICRS positions (deg) is wider than the beam."""
        out = np.zeros((np.atleast_1d(ra).shape[0], 3))
        for line in self.lines(ra, dec):
            out += np.stack([line[:, 0] ** 2, line[:, 0] * line[:, 1], line[:, 1] ** 2], axis=1) / 12.0
        return out

"""Published counts and sizes of extragalactic radio sources at 1.4 GHz, by population.

The counts are a table of S^2.5 dN/dS, the Euclidean-normalised differential counts, between whose rows they are
power laws. It follows from

- star-forming galaxies: the local luminosity function and pure luminosity evolution of Novak et al. (2017, A&A
  602, A5), whose counts agree with the sky down to the sub-microjansky (Novak et al. 2018, A&A 614, A47);
- active galaxies below 0.25 mJy: the local luminosity function of Mauch & Sadler (2007, MNRAS 375, 931) with the
  luminosity evolution of Smolcic et al. (2017, A&A 602, A6);
- active galaxies of 2.5 mJy to 0.1 Jy: the total of Hopkins et al. (2003, AJ 125, 465) less the star-forming ones,
  and in between a mean of both, whose weight goes with the logarithm of the flux density;
- above 0.1 Jy, where the rounded coefficients of that fit tell nothing: a smooth line through what the complete
  bright samples count: 518 sources of 1 Jy at 5 GHz in 9.81 sr (Kuehr et al. 1981, A&AS 45, 367) and 233 of 2 Jy at
  2.7 GHz in 9.81 sr (Wall & Peacock 1985, MNRAS 216, 173), taken to 1.4 GHz by spectral indices of -0.75.

Luminosity functions are integrated in a flat universe (H0 = 70 km/s/Mpc, Omega_m = 0.3) to redshift 5.5 with spectral
indices of -0.7. The flat-spectrum part of the active galaxies is 0.22 at 1 Jy and 0.15 at 10-100 mJy (Condon 1984,
ApJ 287, 461), and rises to a half at 10 uJy and below as in the simulated sky of Bonaldi et al. (2019, MNRAS 482, 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UsageError

__all__ = ["COUNTS", "REFERENCE", "Counts", "disc_scale", "largest_size"]

Floats = NDArray[np.float64]

REFERENCE = 1.4e9  # Hz, of all flux densities that a made sky is drawn from

# log10 of S (Jy), and of S^2.5 dN/dS (Jy^1.5 / sr): star-forming, steep-spectrum, flat-spectrum
_TABLE = np.array(
    [
        (-8.0, -3.152, -4.261, -4.261),
        (-7.8, -2.896, -4.059, -4.059),
        (-7.6, -2.640, -3.858, -3.858),
        (-7.4, -2.385, -3.656, -3.656),
        (-7.2, -2.130, -3.454, -3.454),
        (-7.0, -1.876, -3.252, -3.252),
        (-6.8, -1.624, -3.051, -3.051),
        (-6.6, -1.376, -2.849, -2.849),
        (-6.4, -1.134, -2.648, -2.648),
        (-6.2, -0.900, -2.448, -2.448),
        (-6.0, -0.678, -2.247, -2.247),
        (-5.8, -0.471, -2.048, -2.048),
        (-5.6, -0.282, -1.848, -1.848),
        (-5.4, -0.113, -1.650, -1.650),
        (-5.2, 0.032, -1.453, -1.453),
        (-5.0, 0.152, -1.257, -1.257),
        (-4.8, 0.246, -1.045, -1.080),
        (-4.6, 0.312, -0.836, -0.906),
        (-4.4, 0.353, -0.630, -0.735),
        (-4.2, 0.368, -0.428, -0.568),
        (-4.0, 0.362, -0.229, -0.405),
        (-3.8, 0.338, -0.028, -0.259),
        (-3.6, 0.300, 0.167, -0.121),
        (-3.4, 0.254, 0.359, 0.011),
        (-3.2, 0.205, 0.520, 0.110),
        (-3.0, 0.158, 0.669, 0.192),
        (-2.8, 0.115, 0.813, 0.288),
        (-2.6, 0.080, 0.972, 0.397),
        (-2.4, 0.051, 1.159, 0.529),
        (-2.2, 0.028, 1.350, 0.662),
        (-2.0, 0.010, 1.541, 0.787),
        (-1.8, -0.004, 1.715, 0.962),
        (-1.6, -0.015, 1.879, 1.126),
        (-1.4, -0.024, 2.030, 1.277),
        (-1.2, -0.031, 2.168, 1.414),
        (-1.0, -0.037, 2.291, 1.537),
        (-0.8, -0.044, 2.350, 1.643),
        (-0.6, -0.051, 2.388, 1.723),
        (-0.4, -0.060, 2.405, 1.780),
        (-0.2, -0.073, 2.386, 1.800),
        (0.0, -0.090, 2.368, 1.818),
        (0.2, -0.110, 2.307, 1.787),
        (0.4, -0.130, 2.247, 1.755),
        (0.6, -0.148, 2.191, 1.714),
        (0.8, -0.166, 2.141, 1.664),
        (1.0, -0.191, 2.091, 1.614),
        (1.2, -0.233, 2.063, 1.586),
        (1.4, -0.302, 2.035, 1.558),
    ]
)

# log10 of S (Jy), median scale length (arcsec) of discs and its scatter (dex) that comes from their distances
_DISCS = np.array(
    [
        (-8.0, 0.143, 0.094),
        (-7.6, 0.143, 0.094),
        (-7.2, 0.143, 0.094),
        (-6.8, 0.144, 0.094),
        (-6.4, 0.145, 0.096),
        (-6.0, 0.149, 0.102),
        (-5.6, 0.156, 0.112),
        (-5.2, 0.168, 0.130),
        (-4.8, 0.186, 0.159),
        (-4.4, 0.217, 0.200),
        (-4.0, 0.275, 0.257),
        (-3.6, 0.400, 0.321),
        (-3.2, 0.677, 0.363),
        (-2.8, 1.211, 0.363),
        (-2.4, 2.109, 0.343),
        (-2.0, 3.525, 0.327),
        (-1.6, 5.708, 0.315),
        (-1.2, 9.032, 0.304),
        (-0.8, 13.998, 0.291),
        (-0.4, 21.236, 0.279),
        (0.0, 31.707, 0.293),
    ]
)
_DISC_SCATTER = 0.2  # dex, at one distance


@dataclass(frozen=True, eq=False)
class Counts:
    """Differential counts that are power laws between the rows of a table.

    Parameters
    ----------
    log_flux
        log10 of the flux density (Jy), rising.
    log_euclidean
        log10 of S^2.5 dN/dS (Jy^1.5 / sr) there.
    """

    log_flux: Floats
    log_euclidean: Floats

    def euclidean(self, flux: ArrayLike) -> Floats:
        """S^2.5 dN/dS (Jy^1.5 / sr) at flux densities (Jy).

        Raises
        ------
        UsageError
            A flux density lies outside the table.
        """
        log_flux = np.log10(np.asarray(flux, dtype=np.float64))
        low, high = self.log_flux[0], self.log_flux[-1]
        if np.any((log_flux < low - 1e-9) | (log_flux > high + 1e-9) | np.isnan(log_flux)):
            raise UsageError(
                "no counts are known at this flux density",
                got=flux,
                allowed=f"{10**low:g} to {10**high:g} Jy",
            )
        return np.asarray(10.0 ** np.interp(log_flux, self.log_flux, self.log_euclidean))

    def number(self, low: float, high: float) -> float:
        """Objects per steradian between two flux densities (Jy)."""
        return float(self._pieces(low, high)[2][-1])

    def draw(self, rng: np.random.Generator, n: int, low: float, high: float) -> Floats:
        """Flux densities (Jy) of `n` objects between two."""
        node, slope, cumulative = self._pieces(low, high)
        place = rng.random(n) * cumulative[-1]
        piece = np.clip(np.searchsorted(cumulative, place, side="right") - 1, 0, slope.size - 1)
        part = (place - cumulative[piece]) / (cumulative[piece + 1] - cumulative[piece])
        ratio, power = node[piece + 1] / node[piece], slope[piece]
        with np.errstate(divide="ignore", invalid="ignore"):
            curved = (1.0 + part * (ratio**power - 1.0)) ** (1.0 / power)
        drawn = node[piece] * np.where(power == 0.0, ratio**part, curved)
        return np.asarray(np.clip(drawn, low, high))

    def _pieces(self, low: float, high: float) -> tuple[Floats, Floats, Floats]:
        """Flux densities that bound power laws, the powers of N(S) between them, and the number up to each."""
        inside = 10.0**self.log_flux
        node = np.concatenate([[low], inside[(inside > low) & (inside < high)], [high]])
        density = self.euclidean(node) * node**-2.5
        slope = np.diff(np.log(density)) / np.diff(np.log(node)) + 1.0
        start, ratio = density[:-1] * node[:-1], node[1:] / node[:-1]
        flat = np.abs(slope) < 1e-12
        slope = np.where(flat, 0.0, slope)
        with np.errstate(divide="ignore", invalid="ignore"):
            number = np.where(flat, start * np.log(ratio), start * (ratio**slope - 1.0) / slope)
        return node, slope, np.concatenate([[0.0], np.cumsum(number)])


COUNTS = {
    "SFG": Counts(_TABLE[:, 0], _TABLE[:, 1]),
    "SS-AGN": Counts(_TABLE[:, 0], _TABLE[:, 2]),
    "FS-AGN": Counts(_TABLE[:, 0], _TABLE[:, 3]),
}


def disc_scale(flux: Floats, normal: Floats) -> Floats:
    """Exponential scale lengths (arcsec) of the discs of star-forming galaxies.

    A disc's scale length is 3 kpc today and shrinks as (1 + z)^-0.75, as that of late-type galaxies does (van der
    Wel et al. 2014, ApJ 788, 28); the redshifts at a flux density are those of the luminosity function of the
    counts. It scatters by 0.2 dex at one redshift (Shen et al. 2003, MNRAS 343, 978). At 10 uJy the median half-light
    radius is 0.30 arcsec, between what is measured at 3 GHz (Cotton et al. 2018, ApJ 856, 67; Jimenez-Andrade et
    al. 2019, A&A 625, A114). The distribution over redshift is taken as log-normal, which it is not quite.

    Parameters
    ----------
    flux
        Flux densities at 1.4 GHz (Jy).
    normal
        Standard normal numbers, one an object.
    """
    log_flux = np.log10(flux)
    median = np.interp(log_flux, _DISCS[:, 0], np.log10(_DISCS[:, 1]))
    scatter = np.hypot(np.interp(log_flux, _DISCS[:, 0], _DISCS[:, 2]), _DISC_SCATTER)
    return np.asarray(10.0 ** (median + scatter * normal))


def largest_size(flux: Floats, uniform: Floats) -> Floats:
    """Largest angular sizes (arcsec) of steep-spectrum active galaxies.

    Their median is 2 arcsec (S / mJy)^0.30, and the part that is larger than theta is exp(-ln 2 (theta /
    median)^0.62) (Windhorst et al. 1990, in Hubble Centennial Symposium, ASP Conf. 10, 389). Below 1 mJy, where star-
    forming galaxies begin to make that median, it stays at 2 arcsec. Sizes end at ten arcmin.

    Parameters
    ----------
    flux
        Flux densities at 1.4 GHz (Jy).
    uniform
        Numbers in [0, 1), one an object.
    """
    median = 2.0 * np.maximum(flux / 1e-3, 1.0) ** 0.30
    size = median * (-np.log1p(-uniform) / np.log(2.0)) ** (1.0 / 0.62)
    return np.asarray(np.minimum(size, 600.0))

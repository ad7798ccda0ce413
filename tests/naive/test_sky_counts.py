"""The tables of counts and sizes of discs, integrated again from the luminosity functions that they follow from."""

import numpy as np
import pytest

from skysift.sim.counts import COUNTS, disc_scale

HUBBLE, MATTER, LIGHT = 70.0, 0.3, 299792.458  # km/s/Mpc, 1, km/s
MPC = 3.0857e22  # m
JANSKY = 1e-26  # W / m^2 / Hz
INDEX = -0.7

Z = np.linspace(1e-3, 5.5, 2750)
EXPANSION = np.sqrt(MATTER * (1 + Z) ** 3 + 1 - MATTER)
STEPS = 0.5 * (1 / EXPANSION[1:] + 1 / EXPANSION[:-1]) * np.diff(Z)
COMOVING = LIGHT / HUBBLE * (Z[0] + np.concatenate([[0], np.cumsum(STEPS)]))  # Mpc
VOLUME = LIGHT / HUBBLE * COMOVING**2 / EXPANSION  # Mpc^3 / sr per unit redshift


def star_forming(power):
    """Galaxies per Mpc^3 and dex: Novak et al. (2017)."""
    x = power / 1.85e21
    return 3.55e-3 * x ** (1 - 1.22) * np.exp(-0.5 * (np.log10(1 + x) / 0.63) ** 2)


def active(power):
    """Galaxies per Mpc^3 and dex: Mauch & Sadler (2007)."""
    x = power / 10**24.59
    return 10**-5.5 / 0.4 / (x**1.27 + x**0.49)


def per_redshift(flux, function, power, slope):
    """dN/dS per steradian and unit redshift."""
    luminosity = 4 * np.pi * (COMOVING * (1 + Z) * MPC) ** 2 * flux * JANSKY * (1 + Z) ** (-1 - INDEX)
    return function(luminosity / (1 + Z) ** (power + slope * Z)) / (np.log(10) * flux) * VOLUME


def euclidean(flux, function, power, slope):
    return flux**2.5 * np.trapezoid(per_redshift(flux, function, power, slope), Z)


def hopkins(flux):
    """S^2.5 dN/dS of the total, Hopkins et al. (2003)."""
    x = np.log10(flux * 1e3)
    return 10 ** np.polyval([-0.008, 0.057, -0.121, -0.049, 0.376, 0.508, 0.859], x)


@pytest.mark.parametrize("flux", [1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-1])
def test_star_forming_galaxies_follow_from_their_luminosity_function(flux):
    assert COUNTS["SFG"].euclidean(flux) == pytest.approx(
        euclidean(flux, star_forming, 3.16, -0.32), rel=0.01
    )


@pytest.mark.parametrize("flux", [1e-7, 1e-6, 1e-5, 1e-4, 2e-4])
def test_faint_active_galaxies_follow_from_their_luminosity_function(flux):
    both = COUNTS["SS-AGN"].euclidean(flux) + COUNTS["FS-AGN"].euclidean(flux)
    assert both == pytest.approx(euclidean(flux, active, 2.88, -0.84), rel=0.01)


@pytest.mark.parametrize("flux", [10**-2.6, 1e-2, 10**-1.4, 1e-1])
def test_brighter_ones_are_the_rest_of_the_published_total(flux):
    assert sum(each.euclidean(flux) for each in COUNTS.values()) == pytest.approx(hopkins(flux), rel=0.01)


@pytest.mark.parametrize("flux", [1e-6, 10**-5.2, 1e-4, 1e-2])
def test_discs_are_those_of_late_type_galaxies_at_the_redshifts_of_the_counts(flux):
    number = per_redshift(flux, star_forming, 3.16, -0.32)
    arcsec = 3e-3 * (1 + Z) ** -0.75 / (COMOVING / (1 + Z)) * 206264.8
    order = np.argsort(arcsec)
    share = np.cumsum(number[order]) / number.sum()
    median = np.interp(0.5, share, arcsec[order])
    assert disc_scale(np.array([flux]), np.zeros(1))[0] == pytest.approx(median, rel=0.02)

"""Bands of the surveys, and what is published of the colours, spectral indices, fluxes and sizes of each class.

`Kind.ratios` are medians of log10 of the flux in a band over that at 1.4 GHz. Each kind says where its numbers come
from and how sure they are:

- ``measured``: medians of a published table of fluxes of many objects;
- ``quoted``: colours or ratios that papers quote, joined to one spectrum; bands that no paper names are filled in
  from the shape of the spectrum (Rayleigh-Jeans, modified black body);
- ``assumed``: an order of magnitude for which no table was at hand.

Scatter is of three parts: one of the infrared over the radio flux, one of the warmth of the dust (a tilt of the
spectrum), and one of each band. A sample made of this is made: it says how well colours of such a scatter can part
classes, not how well real sources are parted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["BANDS", "CLOUD", "KINDS", "STAR", "Band", "Chance", "Kind"]


@dataclass(frozen=True)
class Band:
    """
    A band of a survey of the infrared.

    Attributes
    ----------
    name
        As surveys of stamps are called.
    wavelength
        In um.
    beam
        FWHM (arcsec).
    depth
        Noise of a point source away from the Galactic plane (mJy).
    plane
        The same within a degree of the plane, where confusion and cirrus set it; orders of magnitude.
    longitude
        How far from the Galactic centre the survey goes (deg), within a degree of the plane; 0 for all of the sky.
    paper
        Which survey.
    """

    name: str
    wavelength: float
    beam: float
    depth: float
    plane: float
    longitude: float
    paper: str


BANDS: tuple[Band, ...] = (
    Band("wise_3_4", 3.35, 6.1, 0.016, 0.08, 0.0, "Wright2010"),
    Band("wise_4_6", 4.60, 6.4, 0.022, 0.08, 0.0, "Wright2010"),
    Band("irac_8", 7.87, 1.9, 0.08, 0.5, 65.0, "Benjamin2003"),
    Band("wise_12", 11.56, 6.5, 0.17, 2.0, 0.0, "Wright2010"),
    Band("wise_22", 22.09, 12.0, 1.1, 6.0, 0.0, "Wright2010"),
    Band("mips_24", 23.68, 6.0, 0.4, 2.5, 62.0, "Carey2009"),
    Band("higal_70", 70.0, 6.7, 40.0, 60.0, 180.0, "Molinari2016"),
    Band("higal_160", 160.0, 11.0, 80.0, 200.0, 180.0, "Molinari2016"),
    Band("higal_250", 250.0, 18.0, 60.0, 200.0, 180.0, "Molinari2016"),
    Band("higal_350", 350.0, 25.0, 60.0, 180.0, 180.0, "Molinari2016"),
    Band("higal_500", 500.0, 37.0, 60.0, 150.0, 180.0, "Molinari2016"),
)


@dataclass(frozen=True)
class Chance:
    """Something unrelated in the beam: its part of sources in the plane and away from it, its flux and spectrum."""

    band: str  # in which the flux is told
    plane: float
    sky: float
    flux: float  # median, log10 mJy, in the plane
    faint: float  # the same away from the plane
    scatter: float  # dex
    ratios: Mapping[str, float]  # log10 of the flux over that in the band


def _rayleigh_jeans(reference: float) -> dict[str, float]:
    return {band.name: 2.0 * math.log10(reference / band.wavelength) for band in BANDS}


STAR = Chance("wise_3_4", 0.5, 0.08, 0.3, -0.7, 0.5, _rayleigh_jeans(3.35))
CLOUD = Chance(
    "higal_160", 0.12, 0.002, 3.0, 1.5, 0.5,
    {
        "wise_3_4": -3.3, "wise_4_6": -3.3, "irac_8": -2.1, "wise_12": -2.0, "wise_22": -1.9, "mips_24": -1.9,
        "higal_70": -0.4, "higal_160": 0.0, "higal_250": -0.2, "higal_350": -0.6, "higal_500": -1.1,
    },
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """
    A class of sources.

    Attributes
    ----------
    name, title
        What it is called in tables, and written out.
    galactic
        Whether it is of the Galaxy.
    flux
        Median (log10 mJy at 1.4 GHz) and scatter (dex) of the flux, before faint ones are cut off.
    alpha
        Mean and scatter of the spectral index.
    size
        Median FWHM (arcsec) and scatter (dex); 0 for points.
    plane
        Part that is within a degree of the plane and 60 deg of the centre, in the catalogues of the class.
    ratios
        Median log10 of flux over that at 1.4 GHz, for the bands in their order.
    spread
        Scatter (dex) of the infrared over the radio flux, of the warmth (tilt from 3.4 to 500 um), of each band.
    sure
        ``measured``, ``quoted`` or ``assumed``.
    source
        Papers, and what is taken from each.
    """

    name: str
    title: str
    galactic: bool
    flux: tuple[float, float]
    alpha: tuple[float, float]
    size: tuple[float, float]
    plane: float
    ratios: tuple[float, ...]
    spread: tuple[float, float, float]
    sure: str
    source: str


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "galaxy", "radio galaxy", False, (0.9, 0.5), (-0.75, 0.30), (3.0, 0.4), 0.02,
            (-1.6, -1.74, -1.6, -1.45, -1.15, -1.1, -0.3, -0.1, -0.4, -0.7, -1.1), (0.7, 0.5, 0.15), "quoted",
            "WISE colours of radio galaxies, W1-W2 0.3, W2-W3 2.5, W3-W4 2.3 mag, and W1 about 16 mag at 5 mJy "
            "[Wright2010] [Gurkan2014]; far infrared of a cool galaxy, assumed",
        ),
        Kind(
            "qso", "quasar", False, (1.1, 0.6), (-0.45, 0.45), (0.0, 0.0), 0.02,
            (-1.4, -1.22, -0.98, -0.79, -0.41, -0.38, 0.0, 0.05, -0.2, -0.55, -1.0), (0.8, 0.3, 0.12), "quoted",
            "WISE colours of quasars, W1-W2 1.1, W2-W3 2.9, W3-W4 2.4 mag [Wright2010] [Stern2012]; W1 about 15.2 mag at "
            "10 mJy and far infrared, assumed",
        ),
        Kind(
            "pn", "planetary nebula", True, (1.2, 0.5), (-0.05, 0.25), (5.0, 0.3), 0.40,
            (-0.33, -0.20, 0.67, 1.10, 1.80, 1.80, 2.15, 1.80, 1.40, 1.00, 0.50), (0.45, 0.5, 0.2), "quoted",
            "8 um over radio 4.7 and IRAC colours [Cohen2011]; 12/8 um above 2, 160/24 um below 6 for nine in ten, two "
            "thirds peak at 70 um [Anderson2012]; longest bands of a grey body of about 60 K",
        ),
        Kind(
            "hii", "HII region", True, (2.0, 0.7), (-0.05, 0.25), (15.0, 0.4), 0.90,
            (0.35, 0.40, 1.50, 1.54, 1.95, 1.96, 3.20, 3.52, 3.15, 2.75, 2.25), (0.45, 0.45, 0.15), "measured",
            "medians and scatter of 8, 12, 22, 24, 70, 160 um over 20 cm of 590 regions [Makai2017]; grey body of 25 K "
            "beyond [Anderson2012]; 3.4 and 4.6 um from 8 um, assumed",
        ),
        Kind(
            "pulsar", "pulsar", True, (0.0, 0.5), (-1.60, 0.55), (0.0, 0.0), 0.40,
            (-5.0, -5.1, -5.3, -5.5, -5.8, -5.8, -6.0, -6.0, -6.0, -6.0, -6.0), (0.5, 0.1, 0.1), "quoted",
            "spectral index -1.60, scatter 0.54 [Jankowski2018]; no infrared counterpart but by chance",
        ),
        Kind(
            "yso", "young stellar object", True, (0.3, 0.5), (0.40, 0.50), (0.0, 0.0), 0.85,
            (1.1, 1.6, 1.9, 2.2, 2.8, 2.85, 3.8, 4.0, 3.65, 3.25, 2.7), (0.8, 0.7, 0.25), "assumed",
            "ionised jets, spectral index about 0.4 to 0.6 [Anglada2018]; spectra that rise to 22 um, peak beyond 70 um "
            "[Lumsden2013]; infrared over radio, assumed",
        ),
        Kind(
            "star", "radio star", True, (0.2, 0.5), (0.15, 0.55), (0.0, 0.0), 0.30,
            (2.3, 2.05, 1.62, 1.31, 0.90, 0.80, -0.2, -0.9, -1.3, -1.6, -1.9), (0.9, 0.4, 0.2), "assumed",
            "active, binary and early-type stars, flat to rising spectra [Wendker1995] [Gudel2002]; photospheres with a "
            "little excess at 22 um; infrared over radio, assumed",
        ),
    )
}  # fmt: skip

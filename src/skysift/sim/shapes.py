"""`shapes`: what galaxies of each population look like: sizes, shapes, cores and spectra, as Gaussians about a core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.sim.counts import disc_scale, largest_size
from skysift.sim.morphology import DISC_SIGMA, DISC_WEIGHT, sketch
from skysift.sim.options import PopulationOptions

__all__ = ["Shape", "shapes"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

THICKNESS = 0.2  # of a disc seen edge on, in its diameter
DISC_EXTENT = 7.8  # diameter that holds 90 % of the flux of an exponential disc, in scale lengths
FR2_FLUX = (-3.0, 0.0)  # log10 of S (Jy) between which the part of FR II rises
FR2_PART = (0.25, 0.75)

_CORE = {  # median part of the flux in the core, and scatter (dex)
    "FRI": (0.05, 0.4),
    "FRII": (0.008, 0.5),
    "bent": (0.03, 0.4),
    "head-tail": (0.05, 0.4),
    "double-double": (0.008, 0.5),
    "remnant": (0.0, 0.0),
    "compact": (0.02, 0.5),
}


@dataclass(frozen=True, eq=False)
class Shape:
    """Galaxies of one shape, as Gaussians about their cores: arrays (galaxy, element) and (galaxy,).

    Parameters
    ----------
    morphology
        Name of the finer class.
    flux
        Of the Gaussians, in any unit.
    east, north, ee, en, nn
        Place from the core (arcsec) and covariance (arcsec^2).
    spectral_index
        Of the Gaussians.
    core_fraction, angular_size
        Of the galaxies: part of the flux in the core; largest angular size (arcsec).
    """

    morphology: str
    flux: Floats
    east: Floats
    north: Floats
    ee: Floats
    en: Floats
    nn: Floats
    spectral_index: Floats
    core_fraction: Floats
    angular_size: Floats


def shapes(
    name: str, flux: Floats, options: PopulationOptions, rng: np.random.Generator
) -> Iterator[tuple[Numbers, Shape]]:
    """The shapes of objects of one population, kind by kind: rows of the objects, and what they look like.

    Parameters
    ----------
    name
        Population: SFG, SS-AGN or FS-AGN.
    flux
        Flux densities at 1.4 GHz (Jy).
    options
        Sizes, parts of each kind, and what is drawn in detail.
    rng
        Of the cell and the population.
    """
    return {"SFG": _discs, "SS-AGN": _steep, "FS-AGN": _flat}[name](flux, options, rng)


def _discs(
    flux: Floats, options: PopulationOptions, rng: np.random.Generator
) -> Iterator[tuple[Numbers, Shape]]:
    """Star-forming galaxies: exponential discs of any inclination.

    A disc at inclination i has the axis ratio q with q^2 = q0^2 + (1 - q0^2) cos^2 i and q0 = 0.2 (Hubble 1926, ApJ 64,
    321), cos i between 0 and 1 alike. The spectral index is -0.75 +- 0.2 (Condon 1992, ARA&A 30, 575; Smolcic et
    al. 2017, A&A 602, A1). Discs with scale lengths below `disc_limit` are one Gaussian of the same second moments.
    """
    n = flux.size
    scale = disc_scale(flux, rng.normal(size=n)) * options.size_scale
    ratio = np.sqrt(THICKNESS**2 + (1.0 - THICKNESS**2) * rng.random(n) ** 2)
    angle = rng.random(n) * np.pi
    index = rng.normal(-0.75, 0.2, size=n)
    whole = float((DISC_WEIGHT * DISC_SIGMA**2).sum())
    for chosen, weight, sigma in (
        (scale < options.disc_limit, np.ones(1), np.array([np.sqrt(whole)])),
        (scale >= options.disc_limit, DISC_WEIGHT, DISC_SIGMA),
    ):
        rows = np.flatnonzero(chosen)
        if not rows.size:
            continue
        square = (scale[rows, None] * sigma) ** 2
        flat, s, c = ratio[rows, None] ** 2, np.sin(angle[rows, None]), np.cos(angle[rows, None])
        none = np.zeros_like(square)
        yield (
            rows,
            Shape(
                morphology="disc",
                flux=none + weight,
                east=none,
                north=none,
                ee=square * (s * s + flat * c * c),
                en=square * (1.0 - flat) * s * c,
                nn=square * (c * c + flat * s * s),
                spectral_index=none + index[rows, None],
                core_fraction=np.zeros(rows.size),
                angular_size=DISC_EXTENT * scale[rows],
            ),
        )


def _steep(
    flux: Floats, options: PopulationOptions, rng: np.random.Generator
) -> Iterator[tuple[Numbers, Shape]]:
    """Steep-spectrum active galaxies: radio galaxies and quasars with lobes, of all kinds.

    Among the resolved, the options say how many have tails, two pairs of lobes, or are dead (a tenth or so each among
    surveyed ones: Mingo et al. 2019, MNRAS 488, 2701; Mahatma et al. 2019, A&A 622, A13; Jurlin et al. 2021, A&A 653,
    A110); of the others a quarter is FR II at 1 mJy and three quarters at 1 Jy (faint samples are mostly FR I, the
    3CRR mostly FR II: Mingo et al. 2019; Laing et al. 1983, MNRAS 204, 151). Cores have some per cent of the flux
    in FR I and one per cent in FR II (Morganti et al. 1997, MNRAS 284, 541; Mullin et al. 2008, MNRAS 390, 595), log-
    normal, 0.4 to 0.5 dex wide, and half at most. Lobes have spectral indices of -0.8 +- 0.2, dead ones -1.2 +- 0.2, and
    cores -0.1 +- 0.2, but never steeper than the lobes (Laing & Peacock 1980, MNRAS 190, 903; Murgia et al. 2011).
    """
    n = flux.size
    size = largest_size(flux, rng.random(n)) * options.size_scale
    kind = np.full(n, "compact", dtype="<U13")
    part, second = rng.random(n), rng.random(n)
    fr2 = second < np.interp(np.log10(flux), FR2_FLUX, FR2_PART)
    large = size >= options.lobe_limit
    kind[large] = np.where(fr2, "FRII", "FRI")[large]
    begin = 0.0
    for rare, share in (
        ("bent", options.bent),
        ("head-tail", options.head_tail),
        ("double-double", options.double_double),
        ("remnant", options.remnant),
    ):
        kind[large & (part >= begin) & (part < begin + share)] = rare
        begin += share
    for each in _CORE:
        rows = np.flatnonzero(kind == each)
        if not rows.size:
            continue
        median, dex = _CORE[each]
        core = np.minimum(median * 10.0 ** (dex * rng.normal(size=rows.size)), 0.5)
        lobes = np.clip(rng.normal(-1.2 if each == "remnant" else -0.8, 0.2, size=rows.size), -2.0, -0.5)
        index = np.maximum(rng.normal(-0.1, 0.2, size=rows.size), lobes + 0.1)
        yield rows, _radio_galaxy(each, each, size[rows], core, index, lobes, rng)


def _flat(
    flux: Floats, options: PopulationOptions, rng: np.random.Generator
) -> Iterator[tuple[Numbers, Shape]]:
    """Flat-spectrum active galaxies: a core that outshines what is around it.

    Three quarters of the flux, give or take a tenth, are in the core (as in the first SKA data challenge); the rest
    is a lobe seen end on, or a jet on one side where that is larger than `lobe_limit`. The whole has a spectral index
    of -0.1 +- 0.25, above -0.5 (de Zotti et al. 2010, A&ARv 18, 1), what is around the core -0.7. Sizes are an
    assumption: log-normal, 0.6 dex wide, with a median of 0.1 arcsec up to 1 mJy (where the challenge has hundredths
    to tenths) that grows as S^0.3 beyond, to 0.8 arcsec at 1 Jy (some blazars have jets and haloes of arcseconds).
    """
    n = flux.size
    size = 0.1 * np.maximum(flux / 1e-3, 1.0) ** 0.3 * 10.0 ** (0.6 * rng.normal(size=n)) * options.size_scale
    core = np.clip(rng.normal(0.75, 0.1, size=n), 0.3, 0.98)
    total = np.clip(rng.normal(-0.1, 0.25, size=n), -0.5, 1.0)
    rest = np.full(n, -0.7)
    index = (total - (1.0 - core) * rest) / core
    for kind, chosen in (("halo", size < options.lobe_limit), ("one-sided", size >= options.lobe_limit)):
        rows = np.flatnonzero(chosen)
        if rows.size:
            name = "compact" if kind == "halo" else kind
            yield rows, _radio_galaxy(kind, name, size[rows], core[rows], index[rows], rest[rows], rng)


def _radio_galaxy(
    kind: str,
    name: str,
    size: Floats,
    core: Floats,
    core_index: Floats,
    index: Floats,
    rng: np.random.Generator,
) -> Shape:
    """Radio galaxies of one kind with given largest sizes (arcsec), cores and spectra, turned any way."""
    n = size.size
    drawing = sketch(kind, n, rng)
    angle, mirror = rng.random((n, 1)) * 2.0 * np.pi, np.where(rng.random((n, 1)) < 0.5, -1.0, 1.0)
    unit = (size / drawing.extent())[:, None]
    s, c = np.sin(angle), np.cos(angle)
    xx, xy, yy = (unit * unit * each for each in drawing.covariance())
    x, y, xy = unit * drawing.x, unit * mirror * drawing.y, mirror * xy
    point = np.zeros((n, 1))

    def joined(first: Floats, rest: Floats) -> Floats:
        return np.concatenate([first, np.broadcast_to(rest, drawing.x.shape)], axis=1)

    return Shape(
        morphology=name,
        flux=joined(core[:, None], (1.0 - core)[:, None] * drawing.flux),
        east=joined(point, x * s + y * c),
        north=joined(point, x * c - y * s),
        ee=joined(point, xx * s * s + 2.0 * xy * s * c + yy * c * c),
        en=joined(point, (xx - yy) * s * c + xy * (c * c - s * s)),
        nn=joined(point, xx * c * c - 2.0 * xy * s * c + yy * s * s),
        spectral_index=joined(core_index[:, None], index[:, None] + drawing.tilt),
        core_fraction=core,
        angular_size=size,
    )

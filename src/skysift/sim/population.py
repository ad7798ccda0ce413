"""`draw`: the extragalactic sky of a field: star-forming galaxies and active galaxies, as objects and Gaussians.

The model is that of the simulated skies that surveys plan with (Wilman et al. 2008, MNRAS 388, 1335; Bonaldi et al.
2019, MNRAS 482, 2; the first SKA data challenge, Bonaldi et al. 2021, MNRAS 500, 3821), without redshifts: counts,
sizes, spectra and shapes at 1.4 GHz come from what is published of each population. What it leaves out: objects
are not clustered but Poisson, spectra are power laws, and nothing is polarised.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UsageError
from skysift.base.random import generator
from skysift.sim.counts import COUNTS, REFERENCE
from skysift.sim.objects import Elements, Objects
from skysift.sim.options import PopulationOptions
from skysift.sim.shapes import Shape, shapes
from skysift.sky.beam import FWHM_PER_SIGMA
from skysift.sky.systems import sky_of, vectors
from skysift.sky.units import ARCSEC

__all__ = ["REFERENCE", "beside", "cells_of", "draw"]

Floats = NDArray[np.float64]
Rectangle = tuple[float, float, float, float]

MOST = 5_000_000  # objects; each costs some 5 kB of memory, its rows of the truth among them
FARTHEST = 108000.0  # arcsec from the centre: beyond thirty degrees the tangent plane is no map of the sky


def draw(
    rectangle: Rectangle, centre: tuple[float, float], options: PopulationOptions, random_seed: int
) -> tuple[Objects, Elements]:
    """The objects of the sky whose centroids lie in a rectangle, and the Gaussians that they consist of.

    Cells of a fixed lattice in the tangent plane are drawn each with a generator of its own, so that an object is the
    same, bit for bit, whatever the rectangle. The order is that of the cells, rows from the south, then of
    the populations.

    Parameters
    ----------
    rectangle
        (east_min, east_max, north_min, north_max): arcsec in the plane that touches the sky at the centre.
    centre
        ICRS position (deg) of that point.
    options
        What there is.
    random_seed
        0 or more.

    Raises
    ------
    UsageError
        The rectangle is empty or reaches beyond thirty degrees from the centre, or more than five million objects
        are to be expected in it.
    """
    cells = cells_of(rectangle, options.cell)
    area = (rectangle[1] - rectangle[0]) * (rectangle[3] - rectangle[2]) * ARCSEC**2
    expected = _density(options) * area
    if expected > MOST:
        raise UsageError(
            "the sky would hold too many objects",
            got=f"{expected:.3g} brighter than {options.flux_min:.3g} Jy at 1.4 GHz",
            allowed=f"up to {MOST:,}",
            todo="draw only brighter ones (depth, flux_min) or a smaller field (n_pixels, pixel)",
        )
    parts = []
    for column, row in cells:
        parts.append(_cell(column, row, rectangle, centre, options, random_seed))
    counts = [len(objects) for objects, _ in parts]
    return Objects.concat([objects for objects, _ in parts]), Elements.concat(
        [each for _, each in parts], counts
    )


def _density(options: PopulationOptions) -> float:
    """Objects per steradian that are to be expected."""
    return options.density * sum(
        factor * COUNTS[name].number(options.flux_min, options.flux_max) for name, factor in _factors(options)
    )


def _factors(options: PopulationOptions) -> tuple[tuple[str, float], ...]:
    """The populations, and their numbers in units of the published ones."""
    return (("SFG", options.star_forming), ("SS-AGN", options.steep_agn), ("FS-AGN", options.flat_agn))


def cells_of(rectangle: Rectangle, cell: float) -> list[tuple[int, int]]:
    """The (column, row) of the lattice's cells that a rectangle touches; cell (0, 0) begins at the centre.

    Raises
    ------
    UsageError
        The rectangle is empty or reaches beyond thirty degrees from the centre.
    """
    east_min, east_max, north_min, north_max = rectangle
    if not (east_min < east_max and north_min < north_max) or max(map(abs, rectangle)) > FARTHEST:
        raise UsageError(
            "the rectangle of a made sky is not allowed",
            got=rectangle,
            allowed="east_min < east_max, north_min < north_max, within thirty degrees of the centre (arcsec)",
        )
    columns = range(math.floor(east_min / cell), math.ceil(east_max / cell))
    rows = range(math.floor(north_min / cell), math.ceil(north_max / cell))
    return [(column, row) for row in rows for column in columns]


def _cell(
    column: int,
    row: int,
    rectangle: Rectangle,
    centre: tuple[float, float],
    options: PopulationOptions,
    seed: int,
) -> tuple[Objects, Elements]:
    """What one cell holds of the rectangle.

    All of the cell is made before the rectangle cuts it, so that no rounding depends on the rectangle.
    """
    east_min, east_max, north_min, north_max = rectangle
    away = (np.hypot(column + 0.5, row + 0.5) * options.cell * ARCSEC) ** 2
    area = (options.cell * ARCSEC) ** 2 / (1.0 + away) ** 1.5  # sr; a tangent plane stretches the sky
    drawn: list[tuple[Objects, Elements]] = []
    for name, factor in _factors(options):
        rng = generator(seed, "population", name, str(column), str(row))
        mean = options.density * factor * area * COUNTS[name].number(options.flux_min, options.flux_max)
        n = int(rng.poisson(mean))
        east = (column + rng.random(n)) * options.cell
        north = (row + rng.random(n)) * options.cell
        flux = COUNTS[name].draw(rng, n, options.flux_min, options.flux_max)
        inside = (east >= east_min) & (east < east_max) & (north >= north_min) & (north < north_max)
        for rows, shape in shapes(name, flux, options, rng):
            ra, dec = beside(*centre, east[rows], north[rows])
            drawn.append(_on_sky(shape, inside[rows], ra, dec, flux[rows], name))
    drawn = drawn or [(Objects.empty(), Elements.empty())]
    counts = [len(objects) for objects, _ in drawn]
    return Objects.concat([objects for objects, _ in drawn]), Elements.concat(
        [each for _, each in drawn], counts
    )


def beside(ra: ArrayLike, dec: ArrayLike, east: Floats, north: Floats) -> tuple[Floats, Floats]:
    """ICRS positions (deg) at offsets (arcsec) in the planes that touch the sky at positions (deg)."""
    lon, lat = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
    a, d = np.radians(lon), np.radians(lat)
    zero = np.zeros_like(a)
    to_east = np.stack([-np.sin(a), np.cos(a), zero], axis=-1)
    to_north = np.stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)], axis=-1)
    place = vectors(lon, lat) + (east * ARCSEC)[:, None] * to_east + (north * ARCSEC)[:, None] * to_north
    return sky_of(place)


def _on_sky(
    shape: Shape, kept: NDArray[np.bool_], ra: Floats, dec: Floats, flux: Floats, name: str
) -> tuple[Objects, Elements]:
    """Objects of one shape whose centroids are at given positions (deg), and their Gaussians; only those `kept`."""
    weight = shape.flux / shape.flux.sum(axis=1, keepdims=True)
    x = (weight * shape.east).sum(axis=1, keepdims=True)
    y = (weight * shape.north).sum(axis=1, keepdims=True)
    east, north = shape.east - x, shape.north - y
    major, minor, pa = _axes(
        (weight * (shape.ee + east * east)).sum(axis=1),
        (weight * (shape.en + east * north)).sum(axis=1),
        (weight * (shape.nn + north * north)).sum(axis=1),
    )
    ra_core, dec_core = beside(ra, dec, -x[:, 0], -y[:, 0])
    apart = (x[:, 0] != 0.0) | (y[:, 0] != 0.0)
    objects = Objects(
        ra=ra,
        dec=dec,
        ra_core=np.where(apart, ra_core, ra),
        dec_core=np.where(apart, dec_core, dec),
        flux=flux,
        spectral_index=(weight * shape.spectral_index).sum(axis=1),
        core_fraction=shape.core_fraction,
        major=major,
        minor=minor,
        pa=pa,
        angular_size=shape.angular_size,
        morphology=np.full(flux.size, shape.morphology),
        object_type=np.full(flux.size, name),
    )
    lit = (weight > 0.0) & kept[:, None]
    number = np.cumsum(kept) - 1
    elements = Elements(
        owner=np.broadcast_to(number[:, None], lit.shape)[lit].astype(np.int64),
        east=east[lit],
        north=north[lit],
        flux=(weight * flux[:, None])[lit],
        ee=shape.ee[lit],
        en=shape.en[lit],
        nn=shape.nn[lit],
        spectral_index=shape.spectral_index[lit],
    )
    return objects.select(kept), elements


def _axes(ee: Floats, en: Floats, nn: Floats) -> tuple[Floats, Floats, Floats]:
    """FWHM of the two axes (arcsec) and position angle (deg, in [0, 180)) of covariances; 0 for what is round."""
    mean, half = 0.5 * (ee + nn), 0.5 * (nn - ee)
    radius = np.hypot(half, en)
    major = FWHM_PER_SIGMA * np.sqrt(np.maximum(mean + radius, 0.0))
    minor = FWHM_PER_SIGMA * np.sqrt(np.maximum(mean - radius, 0.0))
    pa = np.degrees(0.5 * np.arctan2(en, half)) % 180.0
    return major, minor, np.where(pa >= 180.0, 0.0, pa)

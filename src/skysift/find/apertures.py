"""Sums of pixels around known places, and in the footprints that an earlier run left as a map of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from skysift.base.parallel import ALONE, Crew
from skysift.find.correlation import lags_at, zone_width
from skysift.find.noise import Noise
from skysift.find.pieces import SHARED
from skysift.find.places import Places
from skysift.measure import aperture as column
from skysift.measure.aperture import sum_apertures, sum_footprints
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.grids import SAME_GRID, grids_apart
from skysift.sky.image import SkyImage
from skysift.sky.mask import Mask

__all__ = ["ApertureFluxes", "FootprintFluxes", "Footprints", "aperture_fluxes", "footprint_fluxes"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BAND = 128  # rows that are summed together; science, not machine: sums have this order


@dataclass(frozen=True, eq=False)
class ApertureFluxes:
    """
    Sums in round apertures; arrays ``(n, radius)``, NaN where too few pixels hold data.

    Attributes
    ----------
    flux, flux_err
        Jy, with its sign; as summed.
    correction
        What the flux is to be multiplied by to be that of a source of the shape that is fitted at the place: the
        inverse of the share of such a Gaussian that lies on the pixels that were summed.
    """

    flux: Floats
    flux_err: Floats
    correction: Floats


@dataclass(frozen=True, eq=False)
class Footprints:
    """The labels of an earlier run, and where their map lies."""

    mask: Mask
    frame: Frame


@dataclass(frozen=True, eq=False)
class FootprintFluxes:
    """Sums over the label that holds each place; (n,), NaN where the place has none or the map no data there."""

    flux: Floats
    flux_err: Floats
    beams: Floats


def aperture_fluxes(
    image: SkyImage,
    noise: Noise,
    places: Places,
    radii: Sequence[float],
    *,
    annulus: tuple[float, float] | None = None,
    min_good: float = 0.5,
    crew: Crew = ALONE,
) -> ApertureFluxes:
    """
    Sums in apertures that are round on the sky, with errors from the noise autocorrelation.

    Pixels on the rim count by the share of their area that lies inside, to a 64th.

    Parameters
    ----------
    image, noise
        The map, and what `measure_noise` found on it.
    places
        Where; see `places_on`.
    radii
        In arcsec.
    annulus
        Inner and outer radius (arcsec) of a ring whose median is taken off.
    min_good
        Share of an aperture that must hold data.
    crew
        Who does it.
    """
    n, k = len(places), len(radii)
    flux, error, correction = (np.full((n, k), np.nan) for _ in range(3))
    chosen = np.flatnonzero(image.box.contains(places.x, places.y))
    if not chosen.size or not k:
        return ApertureFluxes(flux, error, correction)
    tangent = image.frame.tangent(places.x[chosen], places.y[chosen])
    known = np.isfinite(tangent).all(axis=(1, 2))
    chosen, tangent = chosen[known], tangent[known]
    metric = np.einsum("nki,nkj->nij", tangent, tangent)
    metrics = np.ascontiguousarray(metric[:, [0, 0, 1], [0, 1, 1]])
    widest = max([*radii, *(annulus or ())])
    det = metrics[:, 0] * metrics[:, 2] - metrics[:, 1] ** 2
    ry, rx = (widest * np.sqrt(metrics[:, each] / det) + 2.0 for each in (0, 2))
    x, y = places.x[chosen], places.y[chosen]
    cell = np.stack([np.maximum(y - ry, 0) // SHARED[0], np.maximum(x - rx, 0) // SHARED[1]], axis=1)
    _, read = np.unique(cell, axis=0, return_inverse=True)
    order = np.argsort(read.reshape(-1), kind="stable")
    reads = np.split(order, np.flatnonzero(np.diff(read.reshape(-1)[order])) + 1)
    tasks = []
    for mine in reads:
        box = Box(
            int((y - ry)[mine].min()), int((y + ry)[mine].max()) + 2,
            int((x - rx)[mine].min()), int((x + rx)[mine].max()) + 2,
        )  # fmt: skip
        five = np.column_stack([x[mine], y[mine], places.shape[chosen[mine]]])
        tasks.append((box.intersect(image.box), np.ascontiguousarray(five), metrics[mine]))
    work = partial(_aperture_rows, image, noise, np.asarray(radii, np.float64), annulus or (0.0, 0.0))
    for mine, rows in zip(reads, crew.map("apertures", work, tasks), strict=True):
        at = chosen[mine]
        shape, beam = places.shape[at], places.beam[at]
        area = 2.0 * np.pi * np.sqrt(beam[:, 0] * beam[:, 2] - beam[:, 1] ** 2)
        own = 2.0 * np.pi * np.sqrt(shape[:, 0] * shape[:, 2] - shape[:, 1] ** 2)
        good = rows[..., column.GOOD] >= min_good
        flux[at] = np.where(good, rows[..., column.SUM] / area[:, None], np.nan)
        error[at] = np.where(good, np.sqrt(rows[..., column.VARIANCE]) / area[:, None], np.nan)
        with np.errstate(divide="ignore"):
            correction[at] = np.where(good, own[:, None] / rows[..., column.TEMPLATE], np.nan)
    return ApertureFluxes(flux, error, correction)


def _aperture_rows(
    image: SkyImage,
    noise: Noise,
    radii: Floats,
    annulus: tuple[float, float],
    task: tuple[Box, Floats, Floats],
) -> Floats:
    box, five, metrics = task
    tile = noise.tile(image, box)
    lags = lags_at(noise.mesh.correlation, image, five[:, 0], five[:, 1])
    rows = np.zeros((len(five), len(radii), column.N_APERTURE))
    sum_apertures(
        tile.data,
        tile.level,
        tile.rms,
        box.y0,
        box.x0,
        five,
        metrics,
        radii,
        *annulus,
        lags.offsets,
        lags.correlation,
        lags.first,
        lags.zones,
        rows,
    )
    return rows


def footprint_fluxes(
    image: SkyImage, noise: Noise, places: Places, labels: Ints, footprints: Footprints, crew: Crew = ALONE
) -> FootprintFluxes:
    """
    Sums over the labels that hold places, with errors from the noise autocorrelation.

    On a map with other pixels than the labels' a pixel belongs to the label that holds its middle.

    Parameters
    ----------
    image, noise
        The map, and what `measure_noise` found on it.
    places
        Where; the beam there turns sums into Jy.
    labels
        The label of each place; 0 for none.
    footprints
        The labels.
    crew
        Who does it.
    """
    most = int(max(footprints.mask.label.max(initial=0), labels.max(initial=0)))
    sums = np.zeros((most + 1, 3))
    same = grids_apart(image.frame, footprints.frame) < SAME_GRID
    boxes = [
        Box(y, min(y + _BAND, image.shape[0]), 0, image.shape[1]) for y in range(0, image.shape[0], _BAND)
    ]
    if same:
        filled = set((footprints.mask.row // _BAND).tolist())
        boxes = [box for box in boxes if box.y0 // _BAND in filled]
    for found, part in crew.map(
        "footprints", partial(_footprint_rows, image, noise, footprints, same), boxes
    ):
        sums[found] += part
    beam = places.beam
    area = 2.0 * np.pi * np.sqrt(beam[:, 0] * beam[:, 2] - beam[:, 1] ** 2)
    total, variance, pixels = sums[labels].T
    some = (labels > 0) & (pixels > 0)
    return FootprintFluxes(
        np.where(some, total / area, np.nan),
        np.where(some, np.sqrt(np.maximum(variance, 0.0)) / area, np.nan),
        np.where(some, pixels / area, np.nan),
    )


def _footprint_rows(
    image: SkyImage, noise: Noise, footprints: Footprints, same: bool, box: Box
) -> tuple[Ints, Floats]:
    """Labels that a band holds, and their sums there."""
    width = zone_width(image)
    row, column = np.mgrid[box.y0 // width : (box.y1 - 1) // width + 1, 0 : (image.shape[1] - 1) // width + 1]
    middles = ((each.ravel() + 0.5) * width - 0.5 for each in (column, row))
    lags = lags_at(noise.mesh.correlation, image, *middles)
    halo = lags.reach
    wide = Box(box.y0 - halo, box.y1 + halo, box.x0, box.x1).intersect(image.box)
    painted = footprints.mask.paint(wide) if same else _painted_on(image.frame, footprints, wide)
    found, compact = np.unique(painted, return_inverse=True)
    shift = 0 if found[0] == 0 else 1
    numbered: NDArray[np.int32] = (compact.reshape(painted.shape) + shift).astype(np.int32)
    sums = np.zeros((len(found) + shift, 3))
    if found[-1] > 0:
        tile = noise.tile(image, wide)
        first = box.y0 - wide.y0
        sum_footprints(
            tile.data, tile.level, tile.rms, numbered, first, first + box.shape[0], lags.offsets, lags.correlation,
            lags.first, lags.zones.reshape(row.shape), wide.y0 - width * int(row[0, 0]), wide.x0, width, sums,
        )  # fmt: skip
    return found.astype(np.int64), sums[shift:]


def _painted_on(frame: Frame, footprints: Footprints, box: Box) -> NDArray[np.int32]:
    """Labels on the pixels of another map."""
    y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1]
    there = footprints.frame.to_pixel(*frame.to_sky(x, y))
    known = np.isfinite(there[0]) & np.isfinite(there[1])
    u, v = (np.where(known, np.floor(each + 0.5), -1.0).astype(np.int64) for each in there)
    ny, nx = footprints.mask.shape
    inside = known & (u >= 0) & (v >= 0) & (u < nx) & (v < ny)
    painted = np.zeros(box.shape, np.int32)
    if inside.any():
        need = Box(
            int(v[inside].min()), int(v[inside].max()) + 1, int(u[inside].min()), int(u[inside].max()) + 1
        )
        labels = footprints.mask.paint(need)
        painted[inside] = labels[v[inside] - need.y0, u[inside] - need.x0]
    return painted

"""The noise of a map, measured once for every finder: two passes over a mesh that tiling cannot move."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from skysift.base.errors import UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.find.correlation import in_beams, reaches, reference_beam, stretches
from skysift.find.response import response_of
from skysift.io.open import open as open_product
from skysift.measure import noise as mesh
from skysift.measure.background import cell_statistics, correlate, mask_bright
from skysift.measure.noise import NoiseMesh
from skysift.measure.options import NoiseOptions
from skysift.measure.response import Response
from skysift.sky.box import Box
from skysift.sky.image import SkyImage
from skysift.sky.tiling import NoisyTile, Tiling

Floats = npt.NDArray[np.float64]

CORRELATED_CELLS = 100  # about so many cells measure the autocorrelation


@dataclass(frozen=True, eq=False)
class Noise:
    """
    Background and rms of a map: the mesh, or the maps that a user gave instead of it.

    Attributes
    ----------
    mesh
        What was measured; its autocorrelation serves the errors in any case.
    level_map, rms_map
        Given maps, on the pixels of the image and in its units, or None.
    response
        What part of the flux the image shows, by where; None where nothing is known of a primary beam. The mesh is
        that of the image with even noise; everything that is read from here is in true units.
    """

    mesh: NoiseMesh
    level_map: SkyImage | None = None
    rms_map: SkyImage | None = None
    response: Response | None = None

    @property
    def given(self) -> tuple[SkyImage, ...]:
        """The maps that a user gave."""
        beam = () if self.response is None else self.response.maps
        return tuple(one for one in (self.level_map, self.rms_map, *beam) if one is not None)

    def upside_down(self) -> "Noise":
        """The noise of the map with its sign turned."""
        level = None if self.level_map is None else self.level_map.upside_down()
        return replace(self, mesh=replace(self.mesh, level=-self.mesh.level), level_map=level)

    def data(self, image: SkyImage, box: Box) -> npt.NDArray[np.float32]:
        """Pixels of a box of the image in true units; blank where the response is below its cut-off."""
        pixels = image.read(box)
        if self.response is None:
            return pixels
        response = self.response.read(box)
        return np.where(
            np.isnan(response), response, pixels if self.response.corrected else pixels / response
        )

    def tile(self, image: SkyImage, box: Box) -> NoisyTile:
        """Pixels of a box of the image with their noise, in true units; blank where the noise is unknown."""
        data = image.read(box)
        level, rms = self.mesh.read(box)
        seen, below = (None, None) if self.response is None else self.response.parted(box)
        divided = self.response is not None and self.response.corrected
        if seen is not None:
            seen = np.where(seen > 0.0, seen, np.float32(np.nan))
        if seen is not None and divided:  # the mesh is of even noise, all other maps are in true units
            level, rms = level / seen, rms / seen
        if self.level_map is not None:
            level = self.level_map.read(box)
        if self.rms_map is not None:
            rms = self.rms_map.read(box)
        if seen is not None and not divided:
            data, level, rms = data / seen, level / seen, rms / seen
        unknown = ~(rms > 0.0)
        bad = unknown | ~np.isfinite(level) | self.mesh.padded(box)
        if below is not None:
            bad |= below
        if bad.any():
            data = np.where(bad, np.float32(np.nan), data)
            rms = np.where(unknown, np.float32(1.0), rms)  # a component may have its centre on a blank pixel
            level = np.where(bad, np.float32(0.0), level)
        return NoisyTile(box, data, level, rms, image.shape)


@dataclass(frozen=True)
class _Cells:
    """What a task of a pass needs beside its box."""

    image: SkyImage
    cell: int
    stride: int
    clip: float
    before: NoiseMesh | None = None
    mask_level: float = 0.0
    beam: tuple[float, float, float] = (1.0, 0.0, 1.0)
    lags: tuple[int, int] = (0, 0)
    every: int = 0
    near: npt.NDArray[np.bool_] | None = None
    signed: bool = False


class _Products(NamedTuple):
    """Products of a cell's noise over lags, how many, and the mean of that noise, all over the rms."""

    row: int
    column: int
    sums: Floats
    pairs: Floats
    mean: float


@dataclass(frozen=True, eq=False)
class _CellResult:
    first: tuple[int, int]
    stats: Floats
    fine: Floats | None = None
    correlations: tuple[_Products, ...] = ()


def pixels_within(beam: tuple[float, float, float]) -> npt.NDArray[np.int64]:
    """Pixel offsets ``(n, 2)`` (dy, dx) within one beam (FWHM as radius) of a pixel."""
    xx, xy, yy = beam
    reach_y, reach_x = int(np.ceil(mesh.FWHM * np.sqrt(yy))), int(np.ceil(mesh.FWHM * np.sqrt(xx)))
    y, x = np.mgrid[-reach_y : reach_y + 1, -reach_x : reach_x + 1]
    inside = (yy * x * x - 2 * xy * x * y + xx * y * y) / (xx * yy - xy * xy) <= mesh.FWHM**2
    return np.stack([y[inside], x[inside]], axis=1).astype(np.int64)


def _measure_cells(work: _Cells, box: Box) -> _CellResult:
    """Statistics of the cells in a box that starts and ends at cell borders or the map's edge."""
    shape = work.image.shape
    offsets = pixels_within(work.beam)
    halo = int(np.abs(offsets).max()) if work.before is not None else 0
    wide = box.expand(halo).intersect(Box(0, shape[0], 0, shape[1]))
    data = work.image.read(wide)
    masked = np.zeros(data.shape, np.uint8)
    rows, columns = (
        -(-box.y1 // work.cell) - box.y0 // work.cell,
        -(-box.x1 // work.cell) - box.x0 // work.cell,
    )
    stats = np.empty((rows, columns, 5))
    level = rms = np.empty((0, 0), np.float32)
    if work.before is not None:
        level, rms = work.before.read(wide)
        mask_bright(data, level, rms, work.mask_level, offsets, masked)
        if work.signed:
            mask_bright(-data, -level, rms, work.mask_level, offsets, masked)
    first = (box.y0 // work.cell, box.x0 // work.cell)
    cut = mesh.truncation(work.clip)
    everywhere = np.ones((rows, columns), np.bool_)
    cell_statistics(
        data,
        masked,
        wide.y0,
        wide.x0,
        work.cell,
        rows,
        columns,
        *first,
        work.stride,
        work.clip,
        cut,
        everywhere,
        stats,
    )
    if work.before is None:
        return _CellResult(first, stats)
    fine = None
    near = (
        work.near[first[0] : first[0] + rows, first[1] : first[1] + columns]
        if work.near is not None
        else everywhere[:0]
    )
    if near.any():
        n = mesh.REFINE
        fine = np.empty((n * rows, n * columns, 5))
        wanted = np.repeat(np.repeat(near, n, axis=0), n, axis=1)
        cell_statistics(
            data, masked, wide.y0, wide.x0, work.cell // n, n * rows, n * columns, n * first[0], n * first[1],
            work.stride, work.clip, cut, wanted, fine,
        )  # fmt: skip
    products = []
    for r in range(first[0], first[0] + rows):
        for c in range(first[1], first[1] + columns):
            if r % work.every != work.every // 2 or c % work.every != work.every // 2:
                continue  # not of `_correlated_cells`
            y0, x0 = r * work.cell - wide.y0, c * work.cell - wide.x0
            part = np.s_[
                y0 : min(y0 + work.cell, box.y1 - wide.y0), x0 : min(x0 + work.cell, box.x1 - wide.x0)
            ]
            z = (data[part].astype(np.float64) - level[part]) / rms[part]
            good = np.isfinite(z) & (masked[part] == 0) & (data[part] != 0.0)
            sums = np.zeros((work.lags[0] + 1, 2 * work.lags[1] + 1))
            pairs = np.zeros_like(sums)
            correlate(np.where(good, z, 0.0), good.astype(np.float64), *work.lags, sums, pairs)
            mean = float(z[good].mean()) if good.any() else 0.0
            products.append(_Products(r, c, sums, pairs, mean))
    return _CellResult(first, stats, fine, tuple(products))


def _collect(parts: Iterable[tuple[tuple[int, int], Floats]], shape: tuple[int, int]) -> Floats:
    """Statistics ``(row, column, 5)`` of all cells from parts that begin at (row, column)."""
    stats = np.full((*shape, 5), np.nan)
    stats[..., mesh.GOOD] = 0.0
    for (r, c), part in parts:
        stats[r : r + part.shape[0], c : c + part.shape[1]] = part
    return stats


def measure_noise(
    image: SkyImage,
    options: NoiseOptions,
    crew: Crew = ALONE,
    *,
    signed: bool = False,
) -> Noise:
    """
    Background, rms and noise autocorrelation of a map, the same for any tile size and number of workers.

    A first pass takes clipped statistics in cells of `mesh` beams. A second leaves out pixels above
    `mask_level` and one beam around them, measures the autocorrelation in cells spread over the map, and, near
    sources brighter than `bright`, cells three times finer.

    Parameters
    ----------
    image, options, crew
        The map, how its noise is measured, and who does it.
    signed
        Whether sources may be negative, as in Stokes Q, U and V or in a Taylor term: pixels below -`mask_level` are
        left out too.

    Raises
    ------
    UsageError
        Where a background or rms map is asked for but not given, or does not have the image's shape; where a primary
        beam does not fit the image.
    """
    response = response_of(image, options, crew)
    maps = replace(_given_maps(image, options), response=response)
    if response is not None:
        image = response.flat(image)
    covariance = reference_beam(image)
    beam = (float(covariance[0]), float(covariance[1]), float(covariance[2]))
    area = 2.0 * np.pi * np.sqrt(beam[0] * beam[2] - beam[1] ** 2)
    cell = mesh.cell_width(covariance, options.mesh, image.shape)
    minor = mesh.FWHM * np.sqrt(_smallest(beam))
    stride = max(1, min(round(minor / 2.2), cell // 16, max(image.shape) // 16))
    shape = (-(-image.shape[0] // cell), -(-image.shape[1] // cell))
    enough = min(0.1 * cell * cell, 20.0 * area)
    whole = Box(0, image.shape[0], 0, image.shape[1])
    boxes = list(Tiling(whole, crew.tile, anchor=cell))

    work = _Cells(image, cell, stride, options.clip, signed=signed)
    first = _collect(
        ((r.first, r.stats) for r in crew.map("noise, first pass", partial(_measure_cells, work), boxes)),
        shape,
    )
    rms = mesh.smooth_rms(first, enough)
    level = mesh.fill(np.where(np.isfinite(first[..., mesh.LEVEL]), first[..., mesh.LEVEL], np.nan))
    if not np.isfinite(rms).any():
        return replace(maps, mesh=NoiseMesh(cell, level, rms, np.ones((1, 1)), mesh.padding(first)))
    before = NoiseMesh(cell, *mesh.calm(level, rms), np.ones((1, 1)), np.zeros(rms.shape, np.bool_))

    every = max(1, int(np.sqrt(shape[0] * shape[1] / CORRELATED_CELLS)))
    lags = reaches(covariance[np.newaxis])
    stretch: Floats | None = None
    if image.beams is not None:
        stretch, beams = stretches(image, *_correlated_cells(shape, every, cell))
        lags = reaches(np.concatenate([beams, covariance[np.newaxis]]))
    near = _neighbourhood(first[..., mesh.PEAK] > options.bright * rms)
    work = replace(
        work, before=before, mask_level=options.mask_level, beam=beam, lags=lags, every=every, near=near
    )
    results = list(crew.map("noise, second pass", partial(_measure_cells, work), boxes))
    stats = _collect(((r.first, r.stats) for r in results), shape)
    stats[..., mesh.PEAK] = first[..., mesh.PEAK]
    rms = mesh.smooth_rms(stats, enough)
    products = sorted((p for r in results for p in r.correlations), key=lambda p: p[:2])

    def joined(parts: list[tuple[Floats, Floats]]) -> tuple[Floats, float]:
        n_y, n_x = reaches(covariance[np.newaxis])
        sums, pairs = in_beams(parts, stretch, (n_y + 1, 2 * n_x + 1))
        correlation = mesh.autocorrelation(sums, pairs, covariance, 100.0 * area)
        return correlation, max(float(correlation.sum()), float(stride * stride))

    correlation, samples = joined([(each.sums, each.pairs) for each in products])
    level, facts = mesh.significant_level(stats, rms, enough, samples, options.level_sigma)
    if options.background == "zero":
        level, facts = np.zeros_like(level), {"level": "zero", "level_share": 0.0}
    if options.background == "file":
        facts = {"level": "file"}
    else:
        after = replace(before, level=level)
        correlation, samples = joined([_about(each, before, after, image.box) for each in products])
    padding = mesh.padding(first)
    facts |= {
        "cell_pixels": cell,
        "noise_area_pixels": samples,
        "refined_nodes": 0,
        "empty_cells": int(padding.sum()),
    }
    found = NoiseMesh(cell, level, rms, correlation, padding, facts)
    finer = ((mesh.REFINE * r.first[0], mesh.REFINE * r.first[1]) for r in results if r.fine is not None)
    parts = list(zip(finer, (r.fine for r in results if r.fine is not None), strict=True))
    return replace(maps, mesh=_refine(found, parts, enough))


def _about(products: _Products, before: NoiseMesh, after: NoiseMesh, whole: Box) -> tuple[Floats, Floats]:
    """
    Sums and numbers of products about the level of another mesh than they were taken about.

    The level that a pass begins with is that of each cell alone: it has the noise of the cell in it, and what faint
    sources add. About that level noise seems to go together less, or more, than about the one that is taken off.
    """
    cell = before.cell
    box = Box(
        products.row * cell, (products.row + 1) * cell, products.column * cell, (products.column + 1) * cell
    ).intersect(whole)
    old, rms = before.read(box)
    new, _ = after.read(box)
    noisy = rms > 0.0
    if not noisy.any():
        return products.sums, products.pairs
    step = float(((new[noisy].astype(np.float64) - old[noisy]) / rms[noisy]).mean())
    return products.sums - products.pairs * (2.0 * step * products.mean - step**2), products.pairs


def _refine(coarse: NoiseMesh, parts: list[tuple[tuple[int, int], Floats]], enough: float) -> NoiseMesh:
    """The mesh, three times finer if the neighbourhood of a bright source is noisier than its surroundings."""
    if not parts:
        return coarse
    n = mesh.REFINE
    fine = _collect(parts, (n * coarse.rms.shape[0], n * coarse.rms.shape[1]))
    rms, refined = mesh.refined_rms(coarse.rms, fine, enough / n**2)
    if not refined:
        return coarse
    facts = {**coarse.facts, "refined_nodes": refined}
    empty = np.repeat(np.repeat(coarse.empty, n, axis=0), n, axis=1)
    return NoiseMesh(coarse.cell // n, mesh.refine(coarse.level), rms, coarse.correlation, empty, facts)


def _neighbourhood(bright: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The bright cells with their eight neighbours."""
    near = np.zeros_like(bright)
    for r, c in zip(*np.nonzero(bright), strict=True):
        near[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2] = True
    return near


def _given_maps(image: SkyImage, options: NoiseOptions) -> Noise:
    """The maps that stand in for the mesh, opened and checked."""
    if options.background == "file" and not options.background_file:
        raise UsageError(
            "background=file needs a map",
            got="no background_file",
            todo="give --set background_file=MAP.fits",
        )
    empty = NoiseMesh(
        1, np.zeros((1, 1)), np.full((1, 1), np.nan), np.ones((1, 1)), np.zeros((1, 1), np.bool_)
    )
    opened: list[SkyImage | None] = []
    for path in (options.background_file if options.background == "file" else None, options.rms_file):
        if path is None:
            opened.append(None)
            continue
        given = open_product(path, beam=image.beam)
        if not isinstance(given, SkyImage) or given.shape != image.shape:
            got = given.shape if isinstance(given, SkyImage) else "a catalogue"
            raise UsageError(
                f"{path} does not fit the map", got=got, allowed=f"an image of shape {image.shape}"
            )
        opened.append(given)
    level_map, rms_map = opened
    return Noise(empty, level_map, rms_map)


def _correlated_cells(shape: tuple[int, int], every: int, cell: int) -> tuple[Floats, Floats]:
    """Middles (x, y) of the cells that measure the autocorrelation, row by row."""
    row, column = np.mgrid[every // 2 : shape[0] : every, every // 2 : shape[1] : every]
    return (column.ravel() + 0.5) * cell - 0.5, (row.ravel() + 0.5) * cell - 0.5


def _smallest(covariance: tuple[float, float, float]) -> float:
    xx, xy, yy = covariance
    return 0.5 * (xx + yy) - float(np.hypot(0.5 * (xx - yy), xy))

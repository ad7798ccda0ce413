"""Where a map could see a source: the noise at a place, the area over which a peak stands out, its counts.

The visibility area of a peak S is the area over which S exceeds the detection threshold times the rms. The
differential source counts dN/dS are told in the Euclidean form S^2.5 dN/dS (Condon 1988, in Galactic and
Extragalactic Radio Astronomy; de Zotti et al. 2010, A&ARv 18, 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.io.open import open_image
from skysift.score.intervals import poisson, wilson
from skysift.sky.box import Box
from skysift.sky.image import SkyImage

__all__ = ["NoiseMap", "SourceCounts", "source_counts"]

Floats = NDArray[np.float64]

_STRIP = 1 << 24  # pixels that are read at once
_STEPS = 4000  # steps of log rms in which the area is counted: 0.2 % each over four decades and more


@dataclass(frozen=True)
class NoiseMap:
    """A map of the rms noise (Jy/beam); pixels that are not above zero were not searched."""

    image: SkyImage

    @classmethod
    def open(cls, path: str, beam: float | None = None) -> NoiseMap:
        """The map in a FITS file; `beam` (FWHM, arcsec) stands in where its header has none.

        Raises
        ------
        UsageError
            There is no such file.
        DataError
            It is no map.
        """
        return cls(open_image(path) if beam is None else open_image(path, beam=beam))

    def at(self, ra: Floats, dec: Floats, x: Floats, y: Floats) -> Floats:
        """The rms at positions (deg), or at the pixels `x`, `y` of a map without sky; NaN off the map."""
        frame = self.image.frame
        if frame.celestial:
            x, y = frame.to_pixel(ra, dec)
        ny, nx = frame.shape
        value = np.full(x.shape, np.nan)
        with np.errstate(invalid="ignore"):
            inside = np.flatnonzero((x >= -0.5) & (x < nx - 0.5) & (y >= -0.5) & (y < ny - 0.5))
        column, row = np.rint(x[inside]).astype(np.int64), np.rint(y[inside]).astype(np.int64)
        order = np.argsort(row, kind="stable")
        for box, pixels in self._strips():
            first, last = np.searchsorted(row[order], (box.y0, box.y1))
            some = order[first:last]
            value[inside[some]] = pixels[row[some] - box.y0, column[some]]
        return np.where(value > 0.0, value, np.nan)

    @property
    def area(self) -> float:
        """The area that was searched (deg^2)."""
        return float(self._cumulative[1][-1])

    def visible(self, peak: Floats, threshold: float) -> Floats:
        """The area (deg^2) over which a source of each peak (Jy/beam) exceeds `threshold` times the rms."""
        level, area = self._cumulative
        found = np.searchsorted(level, np.log(np.maximum(peak, 1e-300) / threshold), side="right")
        return np.where(np.isfinite(peak), np.concatenate([[0.0], area])[found], np.nan)

    def levels(self, n: int = 40) -> Floats:
        """The rms (Jy/beam) below which growing parts of the area lie, from the lowest to the highest."""
        level, area = self._cumulative
        if area[-1] == 0.0:
            return np.empty(0)
        part = np.linspace(0.0, 1.0, n) * area[-1]
        return np.asarray(np.exp(level[np.minimum(np.searchsorted(area, part), level.size - 1)]))

    @cached_property
    def _cumulative(self) -> tuple[Floats, Floats]:
        """Steps of log rms, and the area (deg^2) up to each."""
        low, high = math.inf, -math.inf
        for _, pixels in self._strips():
            good = pixels[pixels > 0.0]
            if good.size:
                low, high = min(low, float(good.min())), max(high, float(good.max()))
        if low > high:
            return np.zeros(1), np.zeros(1)
        edges = np.linspace(math.log(low), math.log(high) + 1e-6, _STEPS + 1)
        count = np.zeros(_STEPS, dtype=np.int64)
        for _, pixels in self._strips():
            count += np.histogram(np.log(pixels[pixels > 0.0].astype(np.float64)), edges)[0]
        return edges[:-1], np.asarray(
            np.cumsum(count) * (self.image.frame.pixel_area / 3600.0**2), dtype=np.float64
        )

    def _strips(self) -> Iterator[tuple[Box, NDArray[np.float32]]]:
        ny, nx = self.image.shape
        step = max(1, _STRIP // max(nx, 1))
        for y in range(0, ny, step):
            box = Box(y, min(y + step, ny), 0, nx)
            pixels = self.image.read(box)
            yield box, np.where(np.isfinite(pixels), pixels, np.float32(0.0))


@dataclass(frozen=True)
class SourceCounts:
    """Differential source counts in bins of flux, and what corrects them.

    The corrections are ratios of true to measured numbers in each bin of one sky whose truth is known: a made
    one, or a real map with sources injected. They multiply as

    corrected = measured * reliability * eddington * resolution / completeness

    where `completeness` is that of unresolved objects, `resolution` the ratio of that to the completeness of
    all objects, and `eddington` the number of detected objects by true flux over that by measured flux. In the sky
    itself they give back its truth; they are of use for another catalogue, whose objects should be as many in each
    bin relative to the next as those of the truth are.

    Parameters
    ----------
    flux, flux_low, flux_high
        Middle (geometric) and edges of the bins (Jy); (bin,).
    columns
        Numbers and corrections, each (bin,).
    """

    flux: Floats
    flux_low: Floats
    flux_high: Floats
    columns: dict[str, Floats]

    def table(self) -> dict[str, list[float]]:
        """All columns, in order."""
        edges = {"flux": self.flux, "flux_low": self.flux_low, "flux_high": self.flux_high}
        return {name: np.asarray(values).tolist() for name, values in {**edges, **self.columns}.items()}


def source_counts(
    edges: Floats,
    area: float,
    measured: Floats,
    real: NDArray[np.bool_],
    true: Floats,
    detected: NDArray[np.bool_],
    unresolved: NDArray[np.bool_],
    other: Floats | None = None,
) -> SourceCounts:
    """The counts of a catalogue with their corrections.

    Parameters
    ----------
    edges
        Of the bins of flux (Jy), (bin + 1,).
    area
        That was searched (deg^2).
    measured
        Fluxes of the found rows (Jy), (n_found,).
    real
        Which of them are real, (n_found,).
    true
        Fluxes of the true objects (Jy), (n_true,).
    detected, unresolved
        Which of these were found, and which are not larger than the beam, (n_true,).
    other
        Fluxes of another catalogue (Jy), (n_other,), whose counts are told in place of those of `measured`, with
        the noise of `measured` in their errors. Which of its rows are real is not known: reliability is 1, and
        true counts are NaN.

    Raises
    ------
    UsageError
        The edges do not grow.
    """
    if edges.size < 2 or np.any(np.diff(edges) <= 0.0):
        raise UsageError("edges of bins must grow", got=edges.tolist())

    def count(values: Floats) -> Floats:
        return np.histogram(values[np.isfinite(values)], edges)[0].astype(np.float64)

    n, n_real, n_true, n_detected = count(measured), count(measured[real]), count(true), count(true[detected])
    n_points, n_points_detected = count(true[unresolved]), count(true[unresolved & detected])
    with np.errstate(divide="ignore", invalid="ignore"):
        reliability, eddington = n_real / n, n_detected / n_real
        whole = n_detected / n_true
        if other is not None:
            n, reliability = count(other), np.ones(n.size)
        completeness = np.where(n_points_detected > 0, n_points_detected / n_points, whole)
        resolution = completeness / whole
        factor = reliability * eddington * resolution / completeness
        factor = np.where(np.isfinite(factor), factor, math.nan)
        middle = np.sqrt(edges[1:] * edges[:-1])
        scale = middle**2.5 / np.diff(edges) / (area * (math.pi / 180.0) ** 2)  # Jy^1.5 / sr for one source
        low, high = poisson(n)
        c_low, c_high = wilson(n_detected, n_true)
        # relative errors of the number and of the completeness, one side at a time, in quadrature
        down = np.hypot((n - low) / n, (c_high - whole) / whole)
        up = np.hypot((high - n) / n, (whole - c_low) / whole)
        if other is not None:  # the ratio rests on real rows that are not those counted
            r_low, r_high = poisson(n_real)
            down, up = np.hypot(down, 1.0 - n_real / r_high), np.hypot(up, n_real / r_low - 1.0)
        corrected = n * factor * scale
    empty = n == 0
    columns = {
        "n": n,
        "n_low": low,
        "n_high": high,
        "euclidean": n * scale,
        "euclidean_low": low * scale,
        "euclidean_high": high * scale,
        "reliability": reliability,
        "completeness": completeness,
        "resolution": resolution,
        "eddington": eddington,
        "factor": factor,
        "corrected": np.where(empty, math.nan, corrected),
        "corrected_low": np.where(empty, math.nan, corrected * np.maximum(1.0 - down, 0.0)),
        "corrected_high": np.where(empty, math.nan, corrected * (1.0 + up)),
        "n_true": n_true,
        "true": n_true * scale if other is None else np.full(n.size, math.nan),
    }
    return SourceCounts(middle, edges[:-1], edges[1:], columns)

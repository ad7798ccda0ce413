"""The mean of many stamps, with its errors; a control at random positions tells what no source looks like.

A stack of n stamps has the noise of one of them over sqrt(n) only if the stamps are independent and the map is noise
and nothing else. So errors come from samples of the stamps drawn anew (bootstrap), which hold whatever made the stamps
differ; and a stack at random positions near the sources holds what the map has everywhere: a level, confusion,
sidelobes. The excess of one over the other is the sources.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import OptionError
from skysift.base.random import generator
from skysift.sky.frame import Frame
from skysift.sky.systems import sky_of, vectors
from skysift.stamps.making import Place

__all__ = ["Bin", "Stacked", "bins_of", "noise_of", "random_places", "stack"]

Floats = NDArray[np.float64]
Statistic: TypeAlias = Literal["mean", "median", "weighted"]

_BLOCK = 2**25  # pixels of all stamps that are looked at at once
_BORDER = 0.7  # of half the side: farther out the noise of a stamp is measured


@dataclass(frozen=True, eq=False)
class Stacked:
    """One stack: images (band, y, x).

    Parameters
    ----------
    image
        The mean, median or weighted mean; NaN where no stamp has a pixel.
    error
        Its standard error at each pixel, from the bootstrap; from the scatter of the stamps without one. NaN where
        fewer than two stamps have the pixel.
    count
        How many stamps have the pixel.
    samples
        Values of the middle pixel (sample, band) of the bootstrap.
    """

    image: NDArray[np.float32]
    error: NDArray[np.float32]
    count: NDArray[np.int32]
    samples: Floats


@dataclass(frozen=True)
class Bin:
    """Some rows: those whose value lies between two edges, the upper not included but in the last bin."""

    low: float
    high: float
    rows: tuple[int, ...]


def bins_of(values: Floats | None, n: int, edges: Sequence[float]) -> list[Bin]:
    """The bins of a column; one of all rows without it, quartiles without edges. NaN is in no bin.

    Raises
    ------
    OptionError
        No row lies between the edges, or all have one value.
    """
    if values is None:
        return [Bin(math.nan, math.nan, tuple(range(n)))]
    good = np.isfinite(values)
    if not edges:
        edges = (
            [float(each) for each in np.unique(np.quantile(values[good], [0.0, 0.25, 0.5, 0.75, 1.0]))]
            if good.any()
            else []
        )
    if len(edges) < 2:
        raise OptionError(
            "the column gives no bins", got="all rows have one value, or none", todo="choose edges"
        )
    out = []
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        last = k == len(edges) - 2
        inside = good & (values >= low) & ((values <= high) if last else (values < high))
        out.append(Bin(float(low), float(high), tuple(int(row) for row in np.flatnonzero(inside))))
    if not any(each.rows for each in out):
        raise OptionError("no row lies between the edges of the bins", got=list(edges))
    return out


def random_places(
    places: Sequence[Place], sides: Floats, reach: tuple[float, float], each: int, seed: int
) -> list[Place]:
    """Random positions around each source, evenly over a ring around it.

    Parameters
    ----------
    places
        The sources.
    sides
        Side of the stamp of each (arcsec).
    reach
        Inner and outer radius of the ring, in sides.
    each
        How many for a source.
    seed
        Of the positions.
    """
    rng = generator(seed, "stack", "control")
    low, high = reach
    out = []
    for place, side in zip(places, sides, strict=True):
        radius = np.radians(side / 3600.0) * np.sqrt(rng.uniform(low**2, high**2, each))
        angle = rng.uniform(0.0, 2.0 * math.pi, each)
        a, b = math.radians(place.ra), math.radians(place.dec)
        centre = vectors(np.array([place.ra]), np.array([place.dec]))
        east = np.array([-math.sin(a), math.cos(a), 0.0])
        north = np.array([-math.sin(b) * math.cos(a), -math.sin(b) * math.sin(a), math.cos(b)])
        way = np.sin(angle)[:, None] * east + np.cos(angle)[:, None] * north
        ra, dec = sky_of(np.cos(radius)[:, None] * centre + np.sin(radius)[:, None] * way)
        out += [Place(place.name, float(x), float(y), place.radius) for x, y in zip(ra, dec, strict=True)]
    return out


def noise_of(stamp: NDArray[np.float32]) -> Floats:
    """The robust scatter (band,) of the outer part of a stamp (band, y, x); NaN where all is blank."""
    ny, nx = stamp.shape[1:]
    y, x = np.mgrid[:ny, :nx]
    far = np.maximum(np.abs(2 * y / max(ny - 1, 1) - 1), np.abs(2 * x / max(nx - 1, 1) - 1)) >= _BORDER
    out = np.full(len(stamp), np.nan)
    for band, values in enumerate(stamp[:, far].astype(np.float64)):
        good = values[np.isfinite(values)]
        if good.size:
            out[band] = 1.4826 * np.median(np.abs(good - np.median(good)))
    return out


def stack(
    stamps: Any,
    rows: Sequence[int],
    statistic: Statistic,
    *,
    noise: Floats | None = None,
    clip: float = 0.0,
    bootstrap: int = 0,
    rng: np.random.Generator | None = None,
) -> Stacked:
    """The stack of some stamps; blank pixels count for nothing.

    Parameters
    ----------
    stamps
        Array (n, band, y, x), maybe on disk: some rows of pixels are looked at at a time.
    rows
        Which stamps.
    statistic
        ``mean``, ``median``, or ``weighted`` by 1/noise^2.
    noise
        Of each stamp in each band (n, band).
    clip
        Pixels so many robust sigma away from the median of all stamps are left out; 0 for none.
    bootstrap
        Samples drawn anew for the errors.
    rng
        Draws them.
    """
    n_bands, ny, nx = stamps.shape[1:]
    chosen = np.asarray(rows, np.int64)
    n = chosen.size
    image = np.full((n_bands, ny, nx), np.nan, np.float32)
    error, count = image.copy(), np.zeros((n_bands, ny, nx), np.int32)
    samples = np.full((bootstrap, n_bands), np.nan)
    if not n:
        return Stacked(image, error, count, samples)
    drawn = None if not bootstrap or rng is None else rng.integers(0, n, (bootstrap, n))
    for band in range(n_bands):
        weight = np.ones(n)
        if statistic == "weighted" and noise is not None:
            sigma = noise[chosen, band]
            weight = np.where(np.isfinite(sigma) & (sigma > 0.0), sigma, np.inf) ** -2.0
        step = max(1, _BLOCK // max(1, n * nx))
        for y in range(0, ny, step):
            here = slice(y, min(y + step, ny))
            data = np.asarray(stamps[chosen, band, here, :], np.float64).reshape(n, -1)
            data = _clipped(data, clip) if clip else data
            value, spread, seen = _statistic(data, weight, statistic)
            shape = (here.stop - y, nx)
            image[band, here], count[band, here] = value.reshape(shape), seen.reshape(shape)
            if drawn is not None:
                many = _resampled(data, weight, statistic, drawn)
                spread = np.where(seen > 1, _spread(many), np.nan)  # one stamp drawn anew is itself
                if y <= ny // 2 < here.stop:
                    samples[:, band] = many[:, (ny // 2 - y) * nx + nx // 2]
            error[band, here] = spread.reshape(shape)
    return Stacked(image, error, count, samples)


def _clipped(data: Floats, clip: float) -> Floats:
    """The stamps without pixels that are far from the median of all."""
    middle = _quiet_median(data)
    sigma = 1.4826 * _quiet_median(np.abs(data - middle))
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(data - middle) > clip * sigma, np.nan, data)


def _quiet_median(data: Floats) -> Floats:
    """Median over the stamps; NaN where all are blank, without a word."""
    known = np.isfinite(data)
    ordered = np.sort(np.where(known, data, np.inf), axis=0)
    n = known.sum(axis=0)
    low, high = np.maximum((n - 1) // 2, 0), np.maximum(n // 2, 0)
    at = np.arange(data.shape[1])
    with np.errstate(invalid="ignore"):
        out: Floats = 0.5 * (ordered[low, at] + ordered[np.minimum(high, len(data) - 1), at])
    return np.where(n > 0, out, np.nan)


def _statistic(
    data: Floats, weight: Floats, statistic: Statistic
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """The statistic over the stamps, its standard error by their scatter, and how many there are."""
    known = np.isfinite(data)
    seen = known.sum(axis=0)
    filled = np.where(known, data, 0.0)
    w = weight[:, None] * known
    total, squares = w.sum(axis=0), (w * w).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (w * filled).sum(axis=0) / total
        variance = (w * (filled - mean) ** 2 * known).sum(axis=0) / total
        independent = total**2 / squares
        spread = np.sqrt(variance / np.maximum(independent - 1.0, 1.0))
    spread = np.where(seen > 1, spread, np.nan)
    if statistic == "median":
        return _quiet_median(data), spread * math.sqrt(math.pi / 2.0), seen
    return mean, spread, seen


def _resampled(data: Floats, weight: Floats, statistic: Statistic, drawn: NDArray[np.int64]) -> Floats:
    """The statistic (sample, pixel) of the stamps drawn anew."""
    if statistic == "median":
        return np.stack([_quiet_median(data[rows]) for rows in drawn])
    known = np.isfinite(data)
    times = np.zeros((len(drawn), len(data)))
    np.add.at(times, (np.arange(len(drawn))[:, None], drawn), 1.0)
    times *= weight
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Floats = (times @ np.where(known, data, 0.0)) / (times @ known.astype(np.float64))
    return out


def _spread(many: Floats) -> Floats:
    known = np.isfinite(many)
    n = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, many, 0.0)
    mean = filled.sum(axis=0) / n
    variance = (((filled - mean) ** 2) * known).sum(axis=0) / np.maximum(n - 1, 1)
    return np.where(known.sum(axis=0) > 1, np.sqrt(variance), np.nan)


def in_beams(image: NDArray[np.float32], frame: Frame, radius: float) -> float:
    """Sum of the pixels within a radius (arcsec) of the middle."""
    ny, nx = image.shape
    y, x = np.mgrid[:ny, :nx]
    sy, sx = frame.scale
    inside = np.hypot((y - (ny - 1) / 2) * sy, (x - (nx - 1) / 2) * sx) <= radius
    return float(np.nansum(image[inside], dtype=np.float64))

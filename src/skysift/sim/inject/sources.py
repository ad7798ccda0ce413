"""Sources made for a real map: where they go, what they are and how bright: what `skysift.sim.made` puts in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skysift.base.errors import OptionError, UsageError
from skysift.base.random import generator
from skysift.sim.inject.options import InjectOptions
from skysift.sim.made import MadeSources, painted
from skysift.sim.templates import Shape, Template, read_templates
from skysift.sky.beam import FWHM_PER_SIGMA, Beam
from skysift.sky.box import Box
from skysift.sky.image import SkyImage

__all__ = ["Reader", "make_sources", "room", "values_at"]

Floats = NDArray[np.float64]
Reader: TypeAlias = Callable[[Box], NDArray[np.floating]]
"""The values of a box of the map, (y, x); NaN where there are none."""

_BAND = 256  # rows read at once
_TRIES = 60  # times that positions are drawn anew where they were too close to others


def make_sources(image: SkyImage, rms: Reader, options: InjectOptions, *part: str) -> MadeSources:
    """The sources that the options ask for, on pixels of the map that hold data.

    Parameters
    ----------
    image
        The map.
    rms
        Its noise; NaN where there is no data or no noise.
    options
        What is made.
    part
        Further names of the generator: other names, other sources.

    Raises
    ------
    UsageError
        The map holds no data, has no room for so many sources, or a template cannot be used.
    """
    beam = image.beam
    templates = read_templates(options.templates)
    low, high = _sizes(options, beam)
    apart = options.spacing * beam.major + (0.0 if options.kind == "points" else high)
    x, y = _places(image, rms, options, apart, *part)
    noise = values_at(rms, image.shape, x, y)
    size = _log_spaced(low, high, x.size, generator(options.random_seed, "inject", "sizes", *part))
    shapes = _shapes(options, size, beam, templates, *part)
    made = _seen(image, x, y, noise, size, shapes)
    return made.with_flux(_fluxes(made, options, *part))


def room(image: SkyImage, options: InjectOptions, crowding: float, share: float) -> int:
    """How many sources a round may hold, at least 1.

    Parameters
    ----------
    image, options
        The map, and what is put into it.
    crowding
        Beam areas of map for each source, at least.
    share
        Part of the map that holds data.
    """
    high = 0.0 if options.kind == "points" else _sizes(options, image.beam)[1]
    apart = options.spacing * image.beam.major + high
    area = share * image.shape[0] * image.shape[1] * image.frame.pixel_area
    return max(1, int(min(area / (crowding * image.beam.area), 0.5 * _capacity(area, apart))))


def values_at(read: Reader, shape: tuple[int, int], x: Floats, y: Floats) -> Floats:
    """What `read` gives at the pixels nearest to positions, band by band; NaN outside the map."""
    out = np.full(x.shape, np.nan)
    column, row = np.floor(x + 0.5).astype(np.int64), np.floor(y + 0.5).astype(np.int64)
    inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
    for band in np.unique(row[inside] // _BAND).tolist():
        box = Box(band * _BAND, min((band + 1) * _BAND, shape[0]), 0, shape[1])
        mine = inside & (row // _BAND == band)
        out[mine] = read(box)[row[mine] - box.y0, column[mine]]
    return out


# -- where


def _places(
    image: SkyImage, rms: Reader, options: InjectOptions, apart: float, *part: str
) -> tuple[Floats, Floats]:
    """Positions on data, no two nearer than `apart` (arcsec).

    Raises
    ------
    UsageError
        There is no data, or no room.
    """
    most = _capacity(image.shape[0] * image.shape[1] * image.frame.pixel_area, apart)
    if options.layout == "random" and options.number > most:
        raise _crowded(image, options, int(most))
    rng = generator(options.random_seed, "inject", "places", *part)
    scale = np.array([image.frame.scale[1], image.frame.scale[0]])
    kept = np.empty((0, 2))
    tries = _TRIES if options.layout == "random" else 1
    for _ in range(tries):
        if options.layout == "random":
            drawn = rng.uniform(0.0, 1.0, (2 * (options.number - len(kept)) + 64, 2))
            drawn = drawn * [image.shape[1], image.shape[0]] - 0.5
        else:
            drawn = _grid(image, options, rng)
        noise = values_at(rms, image.shape, drawn[:, 0], drawn[:, 1])
        drawn = drawn[noise > 0.0]
        every = np.concatenate([kept, drawn])
        if options.layout == "random" and apart > 0.0:
            pairs = cKDTree(every * scale).query_pairs(apart, output_type="ndarray")
            free = np.ones(len(every), dtype=np.bool_)
            free[pairs.max(axis=1)] = False  # of two, the one drawn later gives way
            every = every[free]
        kept = every[: options.number]
        if len(kept) == options.number:
            return kept[:, 0], kept[:, 1]
    if not len(kept):
        raise UsageError("the map holds no pixels with data and noise, so nothing can be put into it")
    if options.layout == "grid":
        return kept[:, 0], kept[:, 1]
    raise _crowded(image, options, len(kept))


def _capacity(area: float, apart: float) -> float:
    """How many discs of a diameter (arcsec) find room in an area (arcsec^2) when thrown at random, at most.

    They fill 0.547 of the plane before none fits any more (Feder 1980, J. Theor. Biol. 87, 237).
    """
    return 0.547 * area / (np.pi / 4.0 * apart**2) if apart > 0.0 else np.inf


def _crowded(image: SkyImage, options: InjectOptions, room: int) -> OptionError:
    ny, nx = image.shape
    return OptionError(
        f"the map of {nx} x {ny} pixels has no room for so many sources",
        got=f"number={options.number}, spacing={options.spacing:g} beams",
        allowed=f"about {room}",
        todo="lower number, spacing or size_high",
    )


def _grid(image: SkyImage, options: InjectOptions, rng: np.random.Generator) -> Floats:
    """Positions (n, 2) of a square grid of about as many cells as sources, shifted and jittered."""
    ny, nx = image.shape
    step = float(np.sqrt(nx * ny / options.number))
    shift = rng.uniform(0.0, 1.0, 2)
    along = np.arange(-1, int(max(nx, ny) / step) + 2)
    y, x = np.meshgrid((along + shift[0]) * step, (along + shift[1]) * step, indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    jitter = 0.5 * image.frame.beam_pixels(image.beam)[1]
    points += rng.uniform(-0.5, 0.5, points.shape) * min(jitter, 0.5 * step)
    inside = (points >= -0.5).all(axis=1) & (points[:, 0] < nx - 0.5) & (points[:, 1] < ny - 0.5)
    return np.asarray(points[inside])


# -- what


def _sizes(options: InjectOptions, beam: Beam) -> tuple[float, float]:
    """Smallest and largest size (arcsec)."""
    if options.kind == "points":
        return 0.0, 0.0
    usual = (1.0, 3.0) if options.kind == "gaussians" else (5.0, 15.0)
    low = usual[0] * beam.major if options.size_low is None else options.size_low
    high = usual[1] * beam.major if options.size_high is None else options.size_high
    if low > high:
        raise OptionError(
            "size_low must not exceed size_high",
            got=f"{low:g} and {high:g} arcsec",
            todo="give both: one was told, the other follows from the beam",
        )
    if options.kind == "templates" and low <= 0.0:
        raise OptionError("a template needs a size", got=f"size_low={low:g}", allowed="above 0 (arcsec)")
    return low, high


def _log_spaced(low: float, high: float, n: int, rng: np.random.Generator) -> Floats:
    """Values from low to high, evenly spread in the logarithm, in random order."""
    share = (rng.permutation(n) + rng.uniform(0.0, 1.0, n)) / n
    if low <= 0.0:
        return np.asarray(low + share * (high - low))
    return np.asarray(low * (high / low) ** share)


def _shapes(
    options: InjectOptions, size: Floats, beam: Beam, templates: Sequence[Template], *part: str
) -> list[tuple[str, Shape]]:
    """Name and shape of each source."""
    rng = generator(options.random_seed, "inject", "shapes", *part)
    angle, ratio = rng.uniform(0.0, 180.0, size.size), rng.uniform(options.axis_ratio, 1.0, size.size)
    if options.kind != "templates":
        name = "point" if options.kind == "points" else "gaussian"
        return [(name, _ellipse(s, q, pa)) for s, q, pa in zip(size, ratio, angle, strict=True)]
    which = rng.permutation(np.arange(size.size) % len(templates))
    mirrored = rng.uniform(size=size.size) < 0.5
    sigma = beam.minor / FWHM_PER_SIGMA
    return [
        (templates[k].name, templates[k].shape(float(s), sigma).turned(2.0 * pa, bool(flip)))
        for k, s, pa, flip in zip(which.tolist(), size, angle, mirrored, strict=True)
    ]


def _ellipse(major: float, ratio: float, angle: float) -> Shape:
    """One Gaussian; a point where it has no size."""
    covariance = Beam(major, ratio * major, angle).to_covariance()
    zero = np.zeros(1)
    return Shape(zero, zero, np.ones(1), covariance[:1, 0], covariance[:1, 1], covariance[1:, 1])


def _seen(
    image: SkyImage, x: Floats, y: Floats, noise: Floats, size: Floats, shapes: list[tuple[str, Shape]]
) -> MadeSources:
    """The sources as the map shows them, of total flux 1 each."""
    count = np.array([len(shape.share) for _, shape in shapes], dtype=np.int64)
    owner = np.repeat(np.arange(x.size, dtype=np.int64), count)
    east, north, share, ee, en, nn = (
        np.concatenate([getattr(shape, name) for _, shape in shapes])
        for name in ("east", "north", "share", "ee", "en", "nn")
    )
    to_pixels = np.linalg.inv(image.frame.tangent(x, y))[owner]
    offset = np.einsum("nij,nj->ni", to_pixels, np.stack([east, north], axis=1))
    own = np.stack([np.stack([ee, en], -1), np.stack([en, nn], -1)], -1)
    own = to_pixels @ own @ to_pixels.transpose(0, 2, 1)
    beam, unit = image.point_covariance(x, y)[owner], image.unit_covariance(x, y)[owner]
    xx, xy, yy = beam[:, 0] + own[:, 0, 0], beam[:, 1] + own[:, 0, 1], beam[:, 2] + own[:, 1, 1]
    unit_det = unit[:, 0] * unit[:, 2] - unit[:, 1] ** 2
    amplitude = share * np.sqrt(unit_det / (xx * yy - xy * xy))
    gaussians = np.stack([amplitude, x[owner] + offset[:, 0], y[owner] + offset[:, 1], xx, xy, yy], axis=1)
    begin = np.cumsum(count) - count
    peak = np.array(
        [
            gaussians[b, 0] if n == 1 else _peak(gaussians[b : b + n])
            for b, n in zip(begin.tolist(), count.tolist(), strict=True)
        ]
    )
    moments = np.array([shape.moments() for _, shape in shapes]).reshape(-1, 3)
    return MadeSources(
        x, y, np.ones(x.size), peak, noise, moments[:, 0], moments[:, 1], moments[:, 2], size,
        np.array([name for name, _ in shapes]), owner, gaussians,
    )  # fmt: skip


def _peak(gaussians: Floats) -> float:
    """The brightest pixel of a sum of Gaussians."""
    return float(painted(gaussians, _box(gaussians, 1.0)).max())


def _box(gaussians: Floats, sigmas: float) -> Box:
    """The pixels within some sigmas of Gaussians."""
    reach_x, reach_y = sigmas * np.sqrt(gaussians[:, 3]), sigmas * np.sqrt(gaussians[:, 5])
    return Box(
        int(np.floor((gaussians[:, 2] - reach_y).min())),
        int(np.ceil((gaussians[:, 2] + reach_y).max())) + 1,
        int(np.floor((gaussians[:, 1] - reach_x).min())),
        int(np.ceil((gaussians[:, 1] + reach_x).max())) + 1,
    )


def _fluxes(made: MadeSources, options: InjectOptions, *part: str) -> Floats:
    """Total fluxes (Jy) of sources that have a total flux of 1 each."""
    rng = generator(options.random_seed, "inject", "fluxes", *part)
    if options.flux_low is not None and options.flux_high is not None:
        return _log_spaced(options.flux_low, options.flux_high, len(made), rng)
    snr = _log_spaced(options.snr_low, options.snr_high, len(made), rng)
    return np.asarray(snr * made.rms / made.flux_peak)

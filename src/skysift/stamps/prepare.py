"""From images around a source to aligned bands: units, background, beam, grid, neighbours, in an order that keeps flux.

Every band becomes surface brightness (Jy/arcsec^2) first. That is what a convolution by a Gaussian of unit volume and an
interpolation conserve: the flux of a source is its integral over the sky. Units come back at the end, as a factor:
the area of the beam that the band then has (Jy/beam), or of its pixels (Jy/pixel). Background, convolution and
regridding are linear, so their order does not matter but at blanks and edges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import HeaderError
from skysift.measure.convolve import common_beam, same_beam, smoothed
from skysift.sky.beam import FWHM_PER_SIGMA, Beam
from skysift.sky.frame import Frame
from skysift.sky.units import jansky_per_beam
from skysift.stamps.grid import reach_of, regrid
from skysift.stamps.options import MakingOptions
from skysift.stamps.patch import Image, Patch, StoredImage
from skysift.stamps.quality import quality

__all__ = ["Layer", "Neighbours", "common_of", "mask_neighbours", "prepare_band", "sky_beam", "unit_note"]

Floats = NDArray[np.float64]

_REACH = 6.0  # sigma of a Gaussian that a margin holds
_SLACK = 1e-3  # of the variances by which a beam may be too narrow: headers round
_WIDENED = 1.0005  # step by which a common beam is widened until all beams fit into it
_ROUND = 1.01  # ratio of axes below which the angle of a beam says nothing
_CLIPS = 10  # rounds of sigma clipping


@dataclass(frozen=True, eq=False)
class Layer:
    """One band of a stamp.

    Parameters
    ----------
    data
        Pixels (y, x), blanks as NaN.
    frame
        Their geometry.
    unit
        Their unit; empty where nothing tells it.
    beam
        What a point looks like in them, its angle from north; None where it is not known.
    frequency
        Hz; NaN where it is not known.
    image
        What it was made from.
    background, noise
        Level that was taken off, and the scatter of the pixels where it was measured, in the unit; NaN where none was.
    flags
        See `skysift.stamps.quality`.
    steps
        What was done, in words.
    """

    data: NDArray[np.float32]
    frame: Frame
    unit: str = ""
    beam: Beam | None = None
    frequency: float = math.nan
    image: str = ""
    background: float = math.nan
    noise: float = math.nan
    flags: int = 0
    steps: tuple[str, ...] = ()

    @property
    def coverage(self) -> float:
        """Part of the pixels that are not blank."""
        return float(np.isfinite(self.data).mean()) if self.data.size else 0.0


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Other sources near a stamp: ICRS degrees, and what of their size is known (FWHM, arcsec; 0 for points)."""

    ra: Floats
    dec: Floats
    size: Floats


def sky_beam(image: Image | Patch, ra: float, dec: float) -> Beam | None:
    """The beam of an image at a place, its angle from ICRS north; None where it is not known."""
    if image.beam is None:
        return None
    x, y = (np.atleast_1d(each) for each in image.frame.to_pixel(ra, dec))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return image.beam
    xx, xy, yy = image.frame.beam_covariance(image.beam, x, y)[0]
    tangent = image.frame.tangent(x, y)[0]
    covariance = tangent @ np.array([[xx, xy], [xy, yy]]) @ tangent.T
    if image.frame.beam_plane == "sky":  # the angle is exact, the axes are what the header says
        turned = Beam.from_covariance(covariance)
        return Beam(image.beam.major, image.beam.minor, turned.pa)
    return Beam.from_covariance(covariance)


def common_of(beams: Sequence[Beam | None], wanted: str | tuple[float, float, float]) -> Beam | None:
    """The beam that all bands are brought to; None where they keep their own."""
    if wanted == "native":
        return None
    if not isinstance(wanted, str):
        return Beam(*wanted)
    known = [beam for beam in beams if beam is not None]
    for one in sorted(known, key=lambda beam: -beam.area):
        if all(same_beam(each, one) or _holds(one, each) for each in known):
            return one
    if not known:
        return None
    north = max(known, key=lambda beam: beam.area).pa
    turned = {_rounded(beam, north) for beam in known}
    common = _common(tuple(sorted(turned, key=lambda beam: (beam.major, beam.minor, beam.pa))))
    common = Beam(common.major, common.minor, common.pa + north)
    while not all(_holds(common, each) for each in known):
        common = Beam(common.major * _WIDENED, common.minor * _WIDENED, common.pa)
    return common


def _holds(wide: Beam, beam: Beam) -> bool:
    return float(np.linalg.eigvalsh(wide.to_covariance() - beam.to_covariance())[0]) >= 0.0


def _rounded(beam: Beam, north: float) -> Beam:
    """A beam to about a thousandth: those of one field, their angles counted from one of them, are found to be the same.

    The search for a common beam takes a good part of a second, and would else be made anew at every place.
    """
    major, minor = (float(f"{axis:.3g}") for axis in (beam.major, beam.minor))
    return Beam(major, minor, round(beam.pa - north) if beam.major > _ROUND * beam.minor else 0.0)


@lru_cache(maxsize=4096)
def _common(beams: tuple[Beam, ...]) -> Beam:
    return common_beam(beams)


def prepare_band(
    image: Image, wanted: Frame, beam: Beam | None, options: MakingOptions, radius: float
) -> Layer:
    """One band of a stamp out of one image.

    Parameters
    ----------
    image
        The image.
    wanted
        The grid of the stamp.
    beam
        The beam that it is to have; None for its own.
    options
        What is done.
    radius
        Of the source (arcsec).
    """
    ny, nx = wanted.shape
    ra, dec = (float(each) for each in wanted.to_sky((nx - 1) / 2, (ny - 1) / 2))
    own = sky_beam(image, ra, dec)
    rest, flags = _rest(own, beam)
    margin = 0.0 if rest is None else _REACH * math.sqrt(max(float(np.linalg.eigvalsh(rest)[1]), 0.0))
    outer = radius * options.annulus[1] if options.background == "annulus" else 0.0
    margin = max(margin, outer - 0.5 * min(ny * wanted.scale[0], nx * wanted.scale[1]))
    patch = image.read(wanted, margin)
    data = patch.data.astype(np.float64)
    factor, unit = _brightness(patch, own)
    flags |= quality("unit") if unit else 0
    data *= factor
    steps = [] if patch.scale == 1.0 else [f"multiplied by {patch.scale:g}"]
    if not unit:
        steps.append(f"from {patch.unit or 'Jy/beam (no unit is told)'} to surface brightness")
    level, noise = math.nan, math.nan
    if options.background != "none":
        level, noise, told = _background(data, patch.frame, wanted, options, radius)
        if math.isfinite(level):
            data -= level
            steps.append(told)
        else:
            flags |= quality("no_background")
    seen = own
    if rest is not None and not flags & quality("wide_beam"):
        data = smoothed(data, _in_pixels(rest, patch.frame, ra, dec))
        seen = beam
        steps.append(f"convolved from {own} to {beam}")
    frame = wanted
    if options.grid == "north":
        out = regrid(data, patch.frame, wanted, options.method)
        steps.append(f"regridded ({options.method})")
    else:
        box = reach_of(patch.frame, wanted, 0)
        box = box.intersect(type(box).of(patch.frame.shape))
        out, frame = data[box.slices()].astype(np.float32), patch.frame.crop(box)
    back, final = _back(unit or options.units, seen, frame, patch, own, kept=bool(unit))
    if not final:
        flags |= quality("unit")
    out = (out * back).astype(np.float32, copy=False)
    flags |= quality("no_beam") if own is None else 0
    flags |= quality("blank") if np.isnan(out).any() else 0
    return Layer(
        out, frame, final or patch.unit, seen, patch.frequency, patch.name,
        level * back, noise * back, flags, tuple(steps),
    )  # fmt: skip


def unit_note(image: StoredImage) -> str:
    """What is wrong with the unit of an image; empty where nothing is."""
    if not image.unit.strip():
        return "no unit: taken as Jy/beam" if image.beam is not None else "neither unit nor beam"
    kept = _brightness(image, image.beam)[1]
    if not kept:
        return ""
    if "beam" in kept.lower() and image.beam is None:
        return f"unit {kept} but no beam: its numbers stay as they are"
    return f"unit {kept!r}, which does not lead to Jy: its numbers stay as they are"


def mask_neighbours(
    layer: Layer, around: Neighbours, options: MakingOptions, at: tuple[float, float]
) -> Layer:
    """A band with other sources masked, but for what lies nearer to its own source.

    Parameters
    ----------
    layer
        The band.
    around
        The other sources.
    options
        How wide a mask is, and what masked pixels become.
    at
        Where its own source is (ICRS, deg).
    """
    if not around.ra.size or not layer.data.size:
        return layer
    beam = layer.beam.major if layer.beam is not None else 3.0 * max(layer.frame.scale)
    x, y = layer.frame.to_pixel(np.append(around.ra, at[0]), np.append(around.dec, at[1]))
    sy, sx = layer.frame.scale
    rows, columns = np.mgrid[: layer.data.shape[0], : layer.data.shape[1]]
    own = np.hypot((columns - x[-1]) * sx, (rows - y[-1]) * sy)
    least = 0.5 * options.mask_beams * beam
    masked = np.zeros(layer.data.shape, np.bool_)
    for k in np.flatnonzero(np.isfinite(x[:-1]) & np.isfinite(y[:-1])):  # those on one stamp
        away = np.hypot((columns - x[k]) * sx, (rows - y[k]) * sy)
        masked |= (away <= max(least, 0.5 * options.mask_beams * math.hypot(beam, float(around.size[k])))) & (
            away < own
        )
    masked &= (own > least) & np.isfinite(layer.data)
    if not masked.any():
        return layer
    data = np.where(masked, np.float32(np.nan if options.mask_fill == "blank" else 0.0), layer.data)
    return replace(
        layer, data=data, flags=layer.flags | quality("masked"), steps=(*layer.steps, "neighbours masked")
    )


def _rest(own: Beam | None, wanted: Beam | None) -> tuple[Floats | None, int]:
    """Covariance (arcsec^2; east, north) of the Gaussian that makes one beam the other; flags where there is none."""
    if wanted is None or own is None or same_beam(own, wanted):
        return None, 0
    rest = wanted.to_covariance() - own.to_covariance()
    low, high = np.linalg.eigvalsh(rest)
    if low < -_SLACK * float(np.linalg.eigvalsh(own.to_covariance())[0]):
        return None, quality("wide_beam")
    if low < 0.0:  # rounding
        rest = rest - min(low, 0.0) * np.eye(2)
    return (rest if high > 0.0 else None), 0


def _in_pixels(covariance: Floats, frame: Frame, ra: float, dec: float) -> tuple[float, float, float]:
    """A covariance (east, north) in the pixels of a frame around a place: xx, xy, yy."""
    x, y = frame.to_pixel(ra, dec)
    inverse = np.linalg.inv(frame.tangent(x, y)[0])
    inside = inverse @ covariance @ inverse.T
    return float(inside[0, 0]), float(inside[0, 1]), float(inside[1, 1])


def _brightness(patch: Patch | StoredImage, own: Beam | None) -> tuple[float, str]:
    """The factor from the unit of an image to Jy/arcsec^2; where there is none 1, and the unit that is kept."""
    unit = patch.unit.strip()
    needs_beam = "beam" in unit.lower() or not unit
    if needs_beam and own is None:
        return 1.0, unit or "unknown"
    one = Beam(FWHM_PER_SIGMA, FWHM_PER_SIGMA) if own is None or not needs_beam else own
    try:
        per_beam = jansky_per_beam(
            unit, beam=one, pixel_area=patch.frame.pixel_area, frequency=patch.frequency
        ).factor
    except HeaderError:
        return 1.0, unit
    return per_beam / one.area, ""


def _back(
    unit: str, beam: Beam | None, frame: Frame, patch: Patch, own: Beam | None, *, kept: bool
) -> tuple[float, str]:
    """The factor from Jy/arcsec^2 to the unit that is wanted, and that unit; empty where it cannot be."""
    if kept:
        return 1.0, unit
    if unit == "keep":
        native = patch.unit.strip() or "Jy/beam"
        factor, _ = _brightness(replace(patch, frame=frame), beam)  # the beam and the pixels that it has now
        return 1.0 / factor, native
    if unit == "Jy/pixel":
        return frame.pixel_area, unit
    if beam is None:
        factor, _ = _brightness(replace(patch, frame=frame), own)
        return 1.0 / factor, ""
    return beam.area, unit


def _background(
    data: Floats, frame: Frame, wanted: Frame, options: MakingOptions, radius: float
) -> tuple[float, float, str]:
    """Level and scatter around a source; NaN where too much is blank."""
    ny, nx = wanted.shape
    place = wanted.to_sky((nx - 1) / 2, (ny - 1) / 2)
    x, y = frame.to_pixel(*place)
    sy, sx = frame.scale
    rows, columns = np.mgrid[: data.shape[0], : data.shape[1]]
    down, along = np.abs(rows - float(y)) * sy, np.abs(columns - float(x)) * sx
    if options.background == "annulus":
        away = np.hypot(down, along)
        low, high = options.annulus[0] * radius, options.annulus[1] * radius
        taken = (away >= low) & (away <= high)
        told = f"background in an annulus of {low:.4g} to {high:.4g} arcsec"
    else:
        high, wide = 0.5 * ny * wanted.scale[0], 0.5 * nx * wanted.scale[1]
        inside = (down <= high) & (along <= wide)
        taken = inside & ((down > 0.85 * high) | (along > 0.85 * wide))
        told = "background at the border"
    values = data[taken]
    good = values[np.isfinite(values)]
    if good.size < 8 or good.size < (1.0 - options.max_blank) * values.size:
        return math.nan, math.nan, ""
    level, noise = _robust(good, clip=options.estimator == "sigmaclip")
    return level, noise, f"{told} ({options.estimator}) taken off"


def _robust(values: Floats, *, clip: bool) -> tuple[float, float]:
    """Median and scatter, of what lies within three sigma of the median where it is clipped."""
    for _ in range(_CLIPS if clip else 1):
        middle = float(np.median(values))
        sigma = 1.4826 * float(np.median(np.abs(values - middle)))
        inside = np.abs(values - middle) <= 3.0 * sigma
        if not clip or inside.all() or sigma == 0.0:
            break
        values = values[inside]
    return (float(values.mean()) if clip else float(np.median(values))), sigma


def told_of(layer: Layer) -> dict[str, Any]:
    """What a table says of a band."""
    return {
        "image": layer.image,
        "coverage": layer.coverage,
        "flags": layer.flags,
        "background": layer.background,
        "noise": layer.noise,
    }

"""Stamps of one source: which images, on which grid, with which beam; what fails spoils its own band only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from skysift.base.errors import SkysiftError, UsageError
from skysift.sky.beam import Beam
from skysift.sky.frame import Frame
from skysift.stamps.grid import north_up
from skysift.stamps.options import LEAST_RADIUS, MakingOptions
from skysift.stamps.patch import Image
from skysift.stamps.prepare import Layer, Neighbours, common_of, mask_neighbours, prepare_band, sky_beam
from skysift.stamps.quality import quality
from skysift.stamps.surveys import Band, Survey

__all__ = ["Place", "Stamp", "grid_scale", "make_stamp", "refuse_too_large", "usual_radius"]

_USUAL = 1.0  # arcsec; pixels where nothing tells a better size
_LARGEST = 4096  # pixels along the side
_PER_BEAM = 4.0  # pixels across the minor axis of the common beam
_BEAMS, _PIXELS = 8.0, 32.0  # that a radius holds at least where nobody tells it


@dataclass(frozen=True)
class Place:
    """One source: its name, where it is (ICRS, deg) and its radius (arcsec; NaN where it is not known)."""

    name: str
    ra: float
    dec: float
    radius: float = math.nan


@dataclass(frozen=True, eq=False)
class Stamp:
    """The bands of one source, aligned where they were made on one grid.

    Parameters
    ----------
    place
        The source.
    frame
        The grid that was asked for.
    bands
        Names of the bands.
    layers
        One for each band.
    beam
        The beam that all bands were brought to; None where each has its own.
    errors
        What failed, one line each.
    """

    place: Place
    frame: Frame
    bands: tuple[str, ...]
    layers: tuple[Layer, ...]
    beam: Beam | None
    errors: tuple[str, ...] = ()

    @property
    def flags(self) -> int:
        """The bits of all bands."""
        bits = 0
        for layer in self.layers:
            bits |= layer.flags
        return bits

    @property
    def empty(self) -> bool:
        """True where no band has a pixel."""
        return all(layer.flags & (quality("none") | quality("failed")) for layer in self.layers)


def grid_scale(bands: Sequence[Band], options: MakingOptions) -> float:
    """Size of the pixels (arcsec) of all stamps of some bands."""
    if options.scale is not None:
        return options.scale
    surveys = [survey for band in bands for survey in band.surveys]
    beam = common_of(_beams(bands), options.beam)
    if beam is not None:
        return beam.minor / _PER_BEAM
    pixels = [size for survey in surveys if math.isfinite(size := survey.pixel())]
    return min(pixels, default=_USUAL)


def usual_radius(bands: Sequence[Band], options: MakingOptions, scale: float) -> float:
    """The radius (arcsec) of sources whose rows tell none: that of the options, or one whose stamps hold enough.

    The largest of 60 arcsec, eight beams and 32 pixels, so that there is sky around a source; where the number of
    pixels is chosen, half of the side.
    """
    if options.radius is not None:
        return options.radius
    if options.pixels is not None:
        return 0.5 * options.pixels * scale / options.factor
    beams = _beams(bands)
    common = common_of(beams, options.beam)
    wide = [math.sqrt(beam.major * beam.minor) for beam in (beams if common is None else [common])]
    return max(LEAST_RADIUS, _BEAMS * max(wide, default=0.0), _PIXELS * scale)


def _beams(bands: Sequence[Band]) -> list[Beam]:
    surveys = [survey for band in bands for survey in band.surveys]
    return [beam for survey in surveys if (beam := survey.usual_beam()) is not None]


def frame_of(place: Place, options: MakingOptions, scale: float) -> Frame:
    """The grid of a source's stamp.

    Raises
    ------
    UsageError
        The source has no position, or its stamp would be too large.
    """
    if not (math.isfinite(place.ra) and abs(place.dec) <= 90.0):
        raise UsageError("the source has no position on the sky", got=(place.ra, place.dec))
    side = options.side(place.radius)
    if options.pixels is not None:
        return north_up(
            place.ra, place.dec, options.pixels, scale if not options.radius_column else side / options.pixels
        )
    size = max(4, math.ceil(side / scale))
    if size > _LARGEST:
        raise _too_large(side, scale, options)
    return north_up(place.ra, place.dec, size, scale)


def refuse_too_large(sides: Sequence[float], scale: float, options: MakingOptions) -> None:
    """Refuse sources all of whose stamps would be too large; where some are, each of them fails by itself.

    Raises
    ------
    UsageError
        All of these sides (arcsec) are too large.
    """
    if options.pixels is None and sides and math.ceil(min(sides) / scale) > _LARGEST:
        raise _too_large(min(sides), scale, options)


def _too_large(side: float, scale: float, options: MakingOptions) -> UsageError:
    most = _LARGEST * scale / (2.0 * options.factor)
    return UsageError(
        "a stamp would be too large",
        got=f"a radius of {side / (2.0 * options.factor):.6g} arcsec, {math.ceil(side / scale)} pixels along the side",
        allowed=f"up to {most:.4g} arcsec, {_LARGEST} pixels of {scale:.3g} arcsec",
        todo="a radius that is typed without a unit is in degrees: write 60arcsec; or choose a larger scale",
    )


def make_stamp(
    place: Place,
    bands: Sequence[Band],
    options: MakingOptions,
    scale: float,
    around: Neighbours | None = None,
) -> Stamp:
    """The stamp of one source.

    Parameters
    ----------
    place
        The source.
    bands
        Where images are.
    options
        How they become bands.
    scale
        Size of a pixel (arcsec); see `grid_scale`.
    around
        Other sources nearby, to be masked.

    Raises
    ------
    UsageError
        The source has no position, or its stamp would be too large.
    """
    wanted = frame_of(place, options, scale)
    errors: list[str] = []
    found = [_images(band, wanted, errors) for band in bands]
    beams = [sky_beam(image, place.ra, place.dec) for images, _ in found for image in images[:1]]
    beam = common_of(beams, options.beam)
    radius = options.radius_of(place.radius)
    layers = []
    for band, (images, survey) in zip(bands, found, strict=True):
        layer = _layer(band, images, survey, wanted, beam, options, radius, errors)
        if around is not None and options.mask:
            layer = mask_neighbours(layer, around, options, (place.ra, place.dec))
        layers.append(layer)
    return Stamp(place, wanted, tuple(band.name for band in bands), tuple(layers), beam, tuple(errors))


def _images(band: Band, wanted: Frame, errors: list[str]) -> tuple[list[Image], Survey | None]:
    """The images of the first survey of a band that covers a stamp."""
    for survey in band.surveys:
        try:
            images = survey.covering(wanted)
        except (SkysiftError, OSError, ValueError) as error:
            errors.append(f"{survey.name}: {error}")
            continue
        if images:
            return images, survey
    return [], None


def _layer(
    band: Band,
    images: list[Image],
    survey: Survey | None,
    wanted: Frame,
    beam: Beam | None,
    options: MakingOptions,
    radius: float,
    errors: list[str],
) -> Layer:
    """One band of a stamp: of the best image that has pixels there, or the mean of all."""
    if survey is None:
        failed = any(error.startswith(tuple(f"{each.name}:" for each in band.surveys)) for error in errors)
        return _blank(wanted, "failed" if failed else "none")
    made: list[Layer] = []
    failed = False
    for image in images:
        try:
            layer = prepare_band(image, wanted, beam, options, radius)
        except (SkysiftError, OSError, ValueError, ArithmeticError) as error:
            errors.append(f"{band.name}: {image.name}: {error}")
            failed = True
            continue
        partial = 0 if image.covers(wanted)[0] == 1.0 else quality("partial")
        layer = replace(layer, flags=layer.flags | partial)
        if np.isfinite(layer.data).any():
            made.append(layer)
            if survey.options.several != "mosaic":
                break
    if not made:
        return _blank(wanted, "failed" if failed else "none")
    first, wide = made[0], quality("wide_beam")
    alike = [
        layer
        for layer in made
        if layer.unit == first.unit and layer.data.shape == first.data.shape
        if layer.flags & wide == first.flags & wide
    ]
    return made[0] if len(alike) == 1 else _mean(alike)


def _mean(layers: list[Layer]) -> Layer:
    """The mean of several layers of one grid."""
    stack = np.stack([layer.data for layer in layers]).astype(np.float64)
    count = np.isfinite(stack).sum(axis=0)
    total = np.where(np.isfinite(stack), stack, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        data = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    flags = quality("mosaic")
    for layer in layers:
        flags |= layer.flags & ~(quality("partial") | quality("blank"))
    flags |= quality("blank") if np.isnan(data).any() else 0
    first = layers[0]
    names = "+".join(layer.image for layer in layers)
    return replace(
        first, data=data, flags=flags, image=names, steps=(*first.steps, f"mean of {len(layers)} images")
    )


def _blank(wanted: Frame, why: str) -> Layer:
    return Layer(np.full(wanted.shape, np.nan, np.float32), wanted, flags=quality(why))

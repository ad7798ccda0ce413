"""`as_seen`: a map with what its options say of beams that vary and of smearing."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from skysift.base.errors import FormatError, UsageError
from skysift.base.provenance import InputRecord
from skysift.io.psf import read_psf
from skysift.measure.convolve import same_beam
from skysift.measure.options import BeamOptions, phase_centre_of
from skysift.sky.beam import FWHM_PER_SIGMA
from skysift.sky.beams import BeamTable
from skysift.sky.image import SkyImage
from skysift.sky.smear import EARTH, Smear
from skysift.sky.units import frequency_text

Floats = npt.NDArray[np.float64]

SAMPLES = 33  # places along each side of a map where its beam is looked at
UNLIKELY = 20.0  # times wider or narrower than the nominal beam: another unit
WIDE = 1.0  # beams; smearing by more than this is no Gaussian any more


def as_seen(image: SkyImage, options: BeamOptions) -> tuple[SkyImage, tuple[InputRecord, ...]]:
    """
    The map with the beams and the smearing that the options tell of, and what was read for it.

    Raises
    ------
    UsageError
        The map has no place on the sky, no place of it has a beam, or smearing by channels lacks the frequency.
    FormatError
        The file of beams holds none, or beams of another unit.
    """
    records: tuple[InputRecord, ...] = ()
    if options.psf_file is not None:
        image, record = _with_beams(image, options.psf_file)
        records = (record,)
    if options.channel_width is not None or options.integration_time is not None:
        image = _with_smear(image, options)
    return image, records


def seen_alike(other: SkyImage, image: SkyImage, what: str) -> SkyImage:
    """
    A map made from the same data as another, with what is known of the beams and the smearing of that one.

    Channels of the same width are a larger part of a lower frequency: smearing by them grows so.

    Parameters
    ----------
    other
        The map as it is.
    image
        The searched map, as `as_seen` gives it.
    what
        What the other is, for the message: ``Stokes V``.

    Raises
    ------
    UsageError
        The beam varies over the searched map, and the other has another nominal beam: how that one varies is not told.
    """
    if image.beams is not None:
        if not same_beam(other.beam, image.beam):
            raise UsageError(
                f"{what} ({other.name}) has another beam than {image.name}, whose beam varies over the map",
                got=f"{other.beam} against {image.beam}",
                todo="convolve the maps to one beam, or search without psf_file",
            )
        other = replace(other, beams=image.beams)
    if image.smear is None:
        return other
    ratio = image.frequency / other.frequency
    bandwidth = image.smear.bandwidth * (ratio if math.isfinite(ratio) else 1.0)
    return replace(other, smear=replace(image.smear, bandwidth=bandwidth))


def _with_beams(image: SkyImage, path: str) -> tuple[SkyImage, InputRecord]:
    """The map with the beams of a file, and notes on what they are."""
    _need_sky(image, "beams that vary over a map")
    beams, record = read_psf(path)
    ra, dec = _samples(image)
    if isinstance(beams, BeamTable):
        _check_near(beams, image, ra, dec, path)
    there = beams.at(ra, dec)
    known = np.isfinite(there).all(axis=1)
    if not known.any():
        raise UsageError(
            f"{path} tells no beam at any place of the map",
            got=f"{image.name}, about RA {np.nanmedian(ra):.4f}, Dec {np.nanmedian(dec):.4f}",
            allowed="a map or table of beams that covers the map",
        )
    high, low = _axes(there[known])
    factor = math.sqrt(float(np.median(high * low)) / (image.beam.major * image.beam.minor))
    if not 1.0 / UNLIKELY < factor < UNLIKELY:
        raise FormatError(
            f"{path} holds beams {factor:.3g} times as wide as that of the map",
            got=f'{np.median(high):.4g}" x {np.median(low):.4g}" against {image.beam}',
            todo="are the axes in degrees, or do they tell their unit?",
        )
    widths = np.sqrt(high * low)
    told = f'{widths.min():.4g}" to {widths.max():.4g}" (mean axis)'
    notes = [f"the beam over the map is that of {record.name}: {told} where the header has {image.beam}"]
    if not known.all():
        share = 100.0 * float(np.mean(~known))
        notes.append(
            f"{record.name} tells no beam for {share:.3g} % of the map: the nominal beam is taken there, "
            "and flagged"
        )
    return replace(image, beams=beams, notes=tuple(dict.fromkeys((*image.notes, *notes)))), record


def _check_near(beams: BeamTable, image: SkyImage, ra: Floats, dec: Floats, path: str) -> None:
    """Refuse a table whose rows are all farther from the map than it is wide."""
    ny, nx = image.shape
    diagonal = math.hypot(ny * image.frame.scale[0], nx * image.frame.scale[1]) / 3600.0
    near = float(beams.nearest(ra, dec).min())
    if near > diagonal:
        raise UsageError(
            f"{path} tells no beam near the map",
            got=f"the nearest row is {near:.3g} deg away from {image.name}",
            allowed=f"a row within {diagonal:.3g} deg, the diagonal of the map",
        )


def _with_smear(image: SkyImage, options: BeamOptions) -> SkyImage:
    """The map with its smearing, and a note on how strong it is."""
    _need_sky(image, "smearing")
    bandwidth = 0.0
    if options.channel_width is not None:
        if not image.frequency > 0.0:
            raise UsageError(
                "smearing by channels needs the frequency of the map",
                got=f"channel_width={options.channel_width:g} and no frequency",
                todo="give it by --frequency HZ",
            )
        if options.channel_width >= image.frequency:
            raise UsageError(
                "a channel is narrower than its frequency",
                got=f"channel_width={options.channel_width:g} Hz at {frequency_text(image.frequency)}",
            )
        bandwidth = options.channel_width / image.frequency
    ra, dec = (
        tuple(float(each) for each in image.frame.to_sky(*image.frame.reference))
        if options.phase_centre is None
        else phase_centre_of(options.phase_centre)
    )
    if not (math.isfinite(ra) and math.isfinite(dec)):
        raise UsageError(
            "the reference point of the map is no place on the sky", todo="give phase_centre=RA,DEC"
        )
    smear = Smear(bandwidth, EARTH * (options.integration_time or 0.0), ra, dec)
    there, other = _samples(image)
    lengths = np.max([np.hypot(*line.T) for line in smear.lines(there, other)], axis=0)
    worst = float(np.nanmax(lengths)) / math.sqrt(image.beam.major * image.beam.minor)
    notes = [f"points are smeared by up to {worst:.3g} beams, about RA {ra:.5f}, Dec {dec:.5f}"]
    if worst > WIDE:
        notes.append(
            f"smearing by more than {WIDE:g} beam is no Gaussian: fluxes that far from the phase centre err "
            "by some percent"
        )
    return replace(image, smear=smear, notes=tuple(dict.fromkeys((*image.notes, *notes))))


def _need_sky(image: SkyImage, what: str) -> None:
    if not image.frame.celestial:
        raise UsageError(f"{what} needs a map with a place on the sky", got=repr(image))


def _samples(image: SkyImage) -> tuple[Floats, Floats]:
    """ICRS degrees of places all over the map that its projection reaches."""
    ny, nx = image.shape
    x, y = np.meshgrid(np.linspace(0, nx - 1, SAMPLES), np.linspace(0, ny - 1, SAMPLES))
    ra, dec = image.frame.to_sky(x.ravel(), y.ravel())
    good = np.isfinite(ra)
    return ra[good], dec[good]


def _axes(covariance: Floats) -> tuple[Floats, Floats]:
    """Major and minor axes (FWHM, arcsec) of covariances ``(n, 3)``."""
    ee, en, nn = covariance.T
    mean, radius = 0.5 * (ee + nn), np.hypot(0.5 * (ee - nn), en)
    return FWHM_PER_SIGMA * np.sqrt(mean + radius), FWHM_PER_SIGMA * np.sqrt(np.maximum(mean - radius, 0.0))

"""`Fluxes`: what each band holds in the pixels of the source, with errors from the measured correlation of the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from skysift.classify.features.pixels import correlated_squares, correlation_widths
from skysift.classify.features.view import View

__all__ = ["Fluxes", "aperture_of", "factors_of", "fluxes_of", "per_beam", "sum_unit", "widths_of"]

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Pixels: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int32]
Texts: TypeAlias = NDArray[np.str_]

_COVERED = 0.5  # share of the source's pixels that a band must have


@dataclass(frozen=True, eq=False)
class Fluxes:
    """
    Fluxes of sources by band: (picture, band); NaN where a band has no data.

    Attributes
    ----------
    flux, error
        Sum above the level over the source's pixels, and 1 sigma of it.
    peak
        Brightest of these pixels.
    covered
        Share of these pixels where the band has data; the flux is that of these. NaN where there are none.
    missing
        Whether the band has no data there, or at less than half of the pixels, or those of another unit.
    """

    flux: Floats
    error: Floats
    peak: Floats
    covered: Floats
    missing: Bools


def per_beam(unit: str) -> bool:
    """Whether pixels are in Jy per beam."""
    return _written(unit) in ("jy/beam", "jybeam-1", "jybeam**-1")


def sum_unit(unit: str, *, beam: bool) -> str:
    """The unit of sums of pixels over what they hold.

    Parameters
    ----------
    unit
        Of the pixels.
    beam
        Whether their beam is known.
    """
    if _written(unit) in ("jy/pixel", "jy/pix", "jypixel-1") or (per_beam(unit) and beam):
        return "Jy"
    return "" if unit.strip() in ("", "unknown") else f"{unit.strip()} pixel"


def factors_of(view: View, units: Texts | None, beams: Floats) -> Floats:
    """What sums of pixels (picture, band) are multiplied by; NaN where a picture's unit or beam is not its band's.

    Parameters
    ----------
    view
        Of all pictures.
    units
        Of the pixels (picture, band), empty where there are none; None where all are as the view says.
    beams
        FWHM (picture, band), arcsec; NaN where it is not known.
    """
    factors = np.ones(beams.shape)
    for band, (unit, summed) in enumerate(zip(view.units, view.sums, strict=True)):
        if per_beam(unit) and summed == "Jy":
            factors[:, band] = 4.0 * math.log(2.0) / math.pi * (view.scale / beams[:, band]) ** 2
        if units is not None:
            factors[(units[:, band] != "") & (units[:, band] != unit), band] = np.nan
    return factors


def _written(unit: str) -> str:
    return unit.strip().lower().replace(" ", "")


def aperture_of(labels: Labels, reference: int, choice: str, widen: int) -> Bools:
    """The pixels (picture, band, y, x) over which bands are summed."""
    own: Bools = np.asarray(labels > 0, np.bool_)
    if choice == "reference":
        own = own[:, reference : reference + 1]
    elif choice == "union":
        own = np.asarray(own.any(axis=1, keepdims=True), np.bool_)
    if widen:
        own = np.asarray(binary_dilation(own, np.ones((1, 1, 3, 3), np.bool_), iterations=widen), np.bool_)
    return np.ascontiguousarray(np.broadcast_to(own, labels.shape))


def widths_of(pixels: Pixels, labels: Labels, level: Floats, noise: Floats) -> Floats:
    """Rms width (picture, band) of the autocorrelation of the noise (pixel)."""
    n, bands, ny, nx = pixels.shape
    one: Bools = np.asarray((labels > 0).any(axis=1), np.bool_)
    source = np.repeat(one[:, None], bands, axis=1).reshape(n * bands, ny, nx)
    out = np.zeros(n * bands)
    flat = np.ascontiguousarray(pixels.reshape(n * bands, ny, nx))
    correlation_widths(flat, source, level.ravel(), np.nan_to_num(noise).ravel(), out)
    return out.reshape(n, bands)


def fluxes_of(
    pixels: Pixels,
    apertures: Bools,
    level: Floats,
    noise: Floats,
    widths: Floats,
    factors: Floats,
    *,
    own: bool,
) -> Fluxes:
    """
    Fluxes of the sources in all bands.

    Parameters
    ----------
    pixels, apertures
        (picture, band, y, x).
    level, noise, widths
        (picture, band).
    factors
        (picture, band) what sums of pixels are multiplied by; NaN where there is no flux in the unit of the others.
    own
        Whether each band has its own aperture, which may be empty where it shows no source.
    """
    n, bands = level.shape
    flux, error, peak, covered = (np.full((n, bands), np.nan) for _ in range(4))
    missing = np.ones((n, bands), np.bool_)
    for band in range(bands):
        values = pixels[:, band].astype(np.float64) - level[:, band, None, None]
        finite = np.isfinite(values)
        there = apertures[:, band] & finite
        asked, held = apertures[:, band].sum(axis=(1, 2)), there.sum(axis=(1, 2))
        some = asked > 0
        covered[some, band] = held[some] / asked[some]
        each = factors[:, band]
        good = np.isfinite(noise[:, band]) & np.isfinite(each)
        if own:
            missing[:, band] = ~(good & finite.any(axis=(1, 2)))
        else:
            missing[:, band] = ~good | (held < _COVERED * asked)
        use = ~missing[:, band] & (held > 0)
        flux[use, band] = np.where(there, values, 0.0).sum(axis=(1, 2))[use] * each[use]
        peak[use, band] = np.where(there, values, -np.inf).max(axis=(1, 2))[use]
        squares = np.zeros(n)
        correlated_squares(there.astype(np.float64), widths[:, band], squares)
        error[use, band] = (np.sqrt(squares) * noise[:, band] * each)[use]
    return Fluxes(flux, error, peak, covered, missing)

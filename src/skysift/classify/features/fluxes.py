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

__all__ = ["Fluxes", "aperture_of", "flux_unit", "fluxes_of", "widths_of"]

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Pixels: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int32]

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
        Whether the band has no data there, or at less than half of the pixels.
    """

    flux: Floats
    error: Floats
    peak: Floats
    covered: Floats
    missing: Bools


def flux_unit(view: View) -> tuple[str, float]:
    """The unit of fluxes, and what the sum of pixels is multiplied by."""
    unit = view.unit.strip().lower().replace(" ", "")
    if unit in ("jy/beam", "jybeam-1", "jybeam**-1") and np.isfinite(view.beam_pixels):
        return "Jy", 4.0 * math.log(2.0) / (math.pi * view.beam_pixels**2)
    if unit in ("jy/pixel", "jy/pix", "jypixel-1"):
        return "Jy", 1.0
    return (f"{view.unit.strip()} pixel" if view.unit.strip() else ""), 1.0


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
    factor: float | Floats,
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
    factor
        What the sum of pixels is multiplied by, or one number a picture.
    own
        Whether each band has its own aperture, which may be empty where it shows no source.
    """
    n, bands = level.shape
    flux, error, peak, covered = (np.full((n, bands), np.nan) for _ in range(4))
    missing = np.ones((n, bands), np.bool_)
    each = np.broadcast_to(np.asarray(factor, np.float64), (n,))
    for band in range(bands):
        values = pixels[:, band].astype(np.float64) - level[:, band, None, None]
        finite = np.isfinite(values)
        there = apertures[:, band] & finite
        asked, held = apertures[:, band].sum(axis=(1, 2)), there.sum(axis=(1, 2))
        some = asked > 0
        covered[some, band] = held[some] / asked[some]
        good = np.isfinite(noise[:, band])
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

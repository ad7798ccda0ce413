"""`Seen`: some pictures with what all groups of features need: level, noise, the islands of the source, its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.classify.features.fluxes import Fluxes, aperture_of, factors_of, fluxes_of, widths_of
from skysift.classify.features.islands import (
    ALL,
    CONNECTED,
    PEAK_COLUMNS,
    RADIUS,
    label_islands,
    persistent_peaks,
)
from skysift.classify.features.moments import Axes, axes_of
from skysift.classify.features.noise import level_and_noise
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.picked import Picked, picked
from skysift.classify.features.view import View

__all__ = ["PEAKS", "Seen", "see"]

Pixels: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

PEAKS = 8  # of a picture whose numbers are kept
_KEEP = {"radius": RADIUS, "connected": CONNECTED, "all": ALL}


@dataclass(frozen=True, eq=False)
class Seen:
    """
    Some pictures and what is known of them.

    Attributes
    ----------
    view
        What holds for all of them.
    options
        Of the features.
    pixels
        (picture, band, y, x); NaN where there are no data.
    level, noise
        (picture, band).
    labels
        (picture, band, y, x): islands of the source.
    islands
        (picture, band): how many.
    factors
        (picture, band) what sums of pixels are multiplied by; NaN where there is no flux.
    beams
        (picture, band) FWHM (arcsec); NaN where it is not known.
    """

    view: View
    options: FeaturesOptions
    pixels: Pixels
    level: Floats
    noise: Floats
    labels: Labels
    islands: Ints
    factors: Floats
    beams: Floats

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def source(self) -> Picked:
        """The pixels of the source in the reference band."""
        return self.picked(self.view.reference)

    @cached_property
    def light(self) -> Floats:
        """What the pixels of the source weigh: their values, nothing where they are negative."""
        return np.clip(self.source.value, 0.0, None)

    @cached_property
    def axes(self) -> Axes:
        """Centroid and axes of the source in the reference band."""
        return axes_of(self.source, self.light)

    @cached_property
    def widths(self) -> Floats:
        """Rms width (picture, band) of the autocorrelation of the noise (pixel)."""
        return widths_of(self.pixels, self.labels, self.level, self.noise)

    @cached_property
    def fluxes(self) -> Fluxes:
        """Fluxes of the source in all bands."""
        apertures = aperture_of(self.labels, self.view.reference, self.options.aperture, self.options.widen)
        own = self.options.aperture == "own"
        return fluxes_of(self.pixels, apertures, self.level, self.noise, self.widths, self.factors, own=own)

    def picked(self, band: int) -> Picked:
        """The pixels of the source in a band."""
        labels = self.labels[:, band]
        row, y, x = np.nonzero(labels)
        value = self.pixels[row, band, y, x].astype(np.float64) - self.level[row, band]
        ny, nx = labels.shape[1:]
        return picked(
            row, y - 0.5 * (ny - 1), x - 0.5 * (nx - 1), value, labels[row, y, x].astype(np.int64), len(self)
        )

    @cached_property
    def peaks(self) -> tuple[Floats, Ints]:
        """Peaks of the source in the reference band and how many there are.

        (picture, PEAKS, PEAK_COLUMNS), brightest first, NaN where there is none; places from the middle of the picture.
        """
        band = self.view.reference
        values = (self.pixels[:, band] - self.level[:, band, None, None]).astype(np.float32)
        peaks = np.full((len(self), PEAKS, len(PEAK_COLUMNS)), np.nan)
        counts = np.zeros(len(self), np.int64)
        need = np.nan_to_num(self.options.prominence * self.noise[:, band], nan=np.inf)
        labels = np.ascontiguousarray(self.labels[:, band])
        persistent_peaks(values, labels, need, self.options.prominence_share, peaks, counts)
        ny, nx = values.shape[1:]
        peaks[..., 0] -= 0.5 * (ny - 1)
        peaks[..., 1] -= 0.5 * (nx - 1)
        return peaks, counts


def see(
    pixels: Pixels,
    view: View,
    options: FeaturesOptions,
    beams: Floats | None = None,
    units: NDArray[np.str_] | None = None,
) -> Seen:
    """Pictures with their level, noise and islands.

    Parameters
    ----------
    pixels
        (picture, band, y, x).
    view, options
        Of all of them.
    beams, units
        (picture, band), arcsec; as the view says where they are left out.
    """
    n, bands, ny, nx = pixels.shape
    if beams is None:
        beams = np.full((n, bands), view.beam)
    flat = np.ascontiguousarray(pixels.reshape(n * bands, ny, nx))
    level, noise = level_and_noise(flat, options.clip)
    ground, sigma = level[:, None, None].astype(np.float32), noise[:, None, None].astype(np.float32)
    significance: Pixels = (flat - ground) / sigma
    labels = np.zeros(flat.shape, np.int32)
    islands = np.zeros(n * bands, np.int64)
    radius = options.radius * 0.5 * min(ny, nx)
    label_islands(
        significance,
        options.grow,
        options.seed,
        options.min_pixels,
        _KEEP[options.neighbours],
        radius,
        labels,
        islands,
    )
    return Seen(
        view,
        options,
        pixels,
        level.reshape(n, bands),
        noise.reshape(n, bands),
        labels.reshape(pixels.shape),
        islands.reshape(n, bands),
        factors_of(view, units, beams),
        beams,
    )

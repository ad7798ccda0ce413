"""What segments are on the sky: columns of the sources table that only extended sources have."""

import numpy as np
import numpy.typing as npt

from skysift.measure.ellipse import FWHM
from skysift.measure.measured import Columns
from skysift.measure.morphology import SegmentShapes
from skysift.measure.segment import SegmentFluxes
from skysift.sky.image import SkyImage

Floats = npt.NDArray[np.float64]

# by how much lengths scatter from noise to noise (beams): a s^b n^c e^(d C) of a surface S/N s, an area of n beams, and
# a concentration C; fitted to segments of the finder `extended` (bench.shapes)
SCATTER = {
    "extent": (1.08, -0.75, 0.27, 0.43),
    "largest_angular_size": (0.94, -0.70, 0.36, 0.42),
    "width_mean": (0.27, -0.75, 0.42, 0.06),
}
USUAL = 1.8  # the concentration between discs and Gaussians
FAINTEST = 0.5  # surface S/N below which nothing was fitted
MOST = 0.5  # of a length: no error is larger


def extended_columns(fluxes: SegmentFluxes, shapes: SegmentShapes, image: SkyImage) -> Columns:
    """
    Columns of `skysift.sky.further` that tell of extended sources, one value a segment.

    Lengths are those on the map, turned into arcsec at the centroid: along the spine for `largest_angular_size`, along
    the extent for `extent`, and by the area of a pixel for `width_mean`. The beam is part of all of them. Their errors
    are how much they scatter as the outline follows the noise: `SCATTER`, half the length at most. The surface
    brightness and its S/N are the flux with the rim over the area of the segment without it.

    Parameters
    ----------
    fluxes, shapes
        Of the same segments.
    image
        The map that they were measured on.
    """
    tangent = image.frame.tangent(fluxes.x, fluxes.y)  # (n, sky, pixel)
    pixel = np.abs(tangent[:, 0, 0] * tangent[:, 1, 1] - tangent[:, 0, 1] * tangent[:, 1, 0])
    along = np.stack([np.cos(shapes.extent_angle), np.sin(shapes.extent_angle)], axis=1)
    east, north = np.einsum("nij,nj->in", tangent, along)
    extent = shapes.extent * np.hypot(east, north)
    solid = np.where(fluxes.n_pixels > 0, fluxes.n_pixels * pixel, np.nan)
    beams = np.where(fluxes.n_pixels > 0, fluxes.n_beams, np.nan)
    longer = np.where(shapes.closed, 1.0, shapes.length / shapes.extent) * extent
    turned = np.where(shapes.closed, longer, shapes.length * _stretch(tangent, shapes.spines))
    snr = fluxes.flux_int / beams / fluxes.rms
    xx, xy, yy = image.unit_covariance(fluxes.x, fluxes.y).T
    beam = FWHM * (xx * yy - xy * xy) ** 0.25 * np.sqrt(pixel)
    lengths = {
        "largest_angular_size": np.maximum(np.where(np.isfinite(turned), turned, longer), extent),
        "extent": extent,
        "width_mean": shapes.width * np.sqrt(pixel),
    }
    errors = {
        f"{name}_err": np.minimum(_scatter(name, snr, beams, shapes.concentration) * beam, MOST * length)
        for name, length in lengths.items()
    }
    return {
        "n_beams": fluxes.n_beams,
        "surface_brightness": fluxes.flux_int / solid,
        "surface_brightness_err": fluxes.flux_int_err / solid,
        "surface_snr": snr,
        **lengths,
        **errors,
        "extent_pa": np.mod(np.degrees(np.arctan2(east, north)), 180.0),
        "elongation": shapes.elongation,
        "concentration": shapes.concentration,
        "filling_factor": shapes.filling,
        "ringness": shapes.ringness,
        "bend": shapes.bend,
        "n_holes": shapes.n_holes,
        "n_peaks": shapes.n_peaks,
        "morphology": shapes.tag,
        "morphology_score": shapes.tag_score,
        "background_local": fluxes.background,
        "background_local_err": fluxes.background_err,
    }


def _scatter(name: str, snr: Floats, beams: Floats, concentration: Floats) -> Floats:
    """By how much a length scatters from noise to noise, in beams (FWHM)."""
    a, b, c, d = SCATTER[name]
    profile = np.where(np.isfinite(concentration), concentration, USUAL)
    return np.asarray(a * np.maximum(snr, FAINTEST) ** b * beams**c * np.exp(d * (profile - USUAL)))


def _stretch(tangent: Floats, spines: list[Floats]) -> Floats:
    """Arcsec a pixel along spines, each by the matrix of its segment; NaN for a spine without length."""
    owner = np.repeat(np.arange(len(spines)), [max(len(line) - 1, 0) for line in spines])
    if not owner.size:
        return np.full(len(spines), np.nan)
    steps = np.concatenate([np.diff(line, axis=0) for line in spines])
    on_map = np.bincount(owner, np.hypot(*steps.T), len(spines))
    on_sky = np.bincount(owner, np.hypot(*np.einsum("kij,kj->ik", tangent[owner], steps)), len(spines))
    return np.where(on_map > 0.0, on_sky / np.where(on_map > 0.0, on_map, 1.0), np.nan)

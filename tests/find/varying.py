"""Made mosaics whose beam is not the same all over them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from tests import images, skies

from skysift.sky.beam import Beam
from skysift.sky.beams import BeamTable
from skysift.sky.image import SkyImage

SCALE = 2.5  # arcsec of a pixel
LATTICE = 34
RMS = 1e-3
NARROW, WIDE = 10.0, 14.0  # arcsec at the left and at the right end
MINOR = 0.8  # of the major axis


@dataclass(frozen=True)
class Mosaic:
    """The map with its nominal beam, its sources, and the covariance (2, 2) of the beam at each of them (pixels)."""

    image: SkyImage
    truth: np.ndarray
    beams: np.ndarray


def beam_px(x: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The beam at columns x: it grows from left to right and turns by 60 degrees."""
    share = np.asarray(x) / (width - 1)
    major = (NARROW + (WIDE - NARROW) * share) / SCALE
    return major, MINOR * major, 60.0 * share


def varying_noise(shape: tuple[int, int], kind: str, seed: int) -> np.ndarray:
    """Noise of unit variance correlated as the beam of its column."""
    knots = np.linspace(0, shape[1] - 1, 9)
    fields = [
        skies.correlated_noise(
            shape, (*np.array(beam_px(x, shape[1])).tolist(),), kind, skies.generator(seed, "noise")
        )
        for x in knots
    ]
    place = np.arange(shape[1]) / knots[1]
    low = np.minimum(place.astype(int), len(knots) - 2)
    share = place - low
    every = np.stack(fields)
    columns = np.arange(shape[1])
    mixed = (1 - share) * every[low, :, columns].T + share * every[low + 1, :, columns].T
    norm = np.sqrt(
        (1 - share) ** 2 + share**2 + 2 * share * (1 - share) * 0.995
    )  # neighbours are nearly the same field
    return mixed / norm


def mosaic(
    *,
    snr: float = 50.0,
    size: float = 0.0,
    shape: tuple[int, int] = (400, 900),
    noise: str = "beam",
    seed: int = 1,
) -> Mosaic:
    """Sources of one peak on a lattice, seen with a beam that varies along the map."""
    n = (shape[0] // LATTICE) * (shape[1] // LATTICE)
    sources = skies.population(shape, (4.0, 4.0, 0.0), n_points=n, lattice=LATTICE, seed=seed)
    beams = skies.covariance(*beam_px(sources["x"], shape[1]))
    own = skies.covariance(size, 0.6 * size, 40.0) if size else np.zeros((2, 2))
    seen = beams + own
    sources["total"] = snr * RMS * np.sqrt(np.linalg.det(seen) / np.linalg.det(beams))
    data = RMS * varying_noise(shape, noise, seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for source, covariance in zip(sources, seen, strict=True):
        x0, y0 = int(source["x"]), int(source["y"])
        part = np.s_[max(y0 - 25, 0) : y0 + 26, max(x0 - 25, 0) : x0 + 26]
        d = np.stack([x[part] - source["x"], y[part] - source["y"]])
        inverse = np.linalg.inv(covariance)
        data[part] += snr * RMS * np.exp(-0.5 * np.einsum("i...,ij,j...", d, inverse, d))
    middle = np.array(beam_px(shape[1] / 2, shape[1]))
    image = SkyImage.from_array(
        data.astype(np.float32),
        beam=Beam(middle[0] * SCALE, middle[1] * SCALE, float(middle[2])),
        frame=images.frame(shape, scale=(SCALE, SCALE)),
        frequency=1.4e9,
        name="mosaic",
    )
    return Mosaic(image, sources, beams)


def table_of(image: SkyImage, n: int = 19) -> BeamTable:
    """The beam of a mosaic at n places along it, and as many rows."""
    x, y = np.meshgrid(np.linspace(0, image.shape[1] - 1, n), np.linspace(0, image.shape[0] - 1, n))
    ra, dec = image.frame.to_sky(x.ravel(), y.ravel())
    major, minor, pa = beam_px(x.ravel(), image.shape[1])
    beams = [Beam(a * SCALE, b * SCALE, c) for a, b, c in zip(major, minor, pa, strict=True)]
    return BeamTable(tuple(ra.tolist()), tuple(dec.tolist()), tuple(beams))


def write_cube(path, image: SkyImage, n: int = 41) -> None:
    """The beam of a mosaic as a cube of n x n pixels of its own: axes and angle in degrees."""
    from astropy.io import fits
    from astropy.wcs import WCS

    ny, nx = image.shape
    steps = ((ny - 1) / (n - 1), (nx - 1) / (n - 1))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = [180.0, -30.0]
    wcs.wcs.crpix = [(nx / 2 + 0.5 - 1) / steps[1] + 1, (ny / 2 + 0.5 - 1) / steps[0] + 1]
    wcs.wcs.cdelt = [-SCALE * steps[1] / 3600, SCALE * steps[0] / 3600]
    column = np.broadcast_to(np.arange(n) * steps[1], (n, n))
    major, minor, pa = beam_px(column, nx)
    planes = np.stack([major * SCALE / 3600, minor * SCALE / 3600, pa]).astype(np.float32)
    fits.PrimaryHDU(planes, wcs.to_header()).writeto(path, overwrite=True)


def with_beams(image: SkyImage) -> SkyImage:
    """The map with its true beams."""
    return replace(image, beams=table_of(image))

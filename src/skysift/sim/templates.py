"""Templates: images of real objects without noise, as the few Gaussians that they are to a beam.

The blocks of a template that are narrower than the beam it will be seen with become Gaussians that keep the
flux, the centroid and the second moments of their pixels, so that flux is conserved to rounding, and what the
beam shows of the object is kept to third order in the width of a block.

A template is taken as the sky itself: what its own telescope had blurred stays part of the object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from skysift.base.errors import DataError, UsageError
from skysift.io.format import reading

__all__ = ["Shape", "Template", "read_templates"]

Floats = NDArray[np.float64]

_SUFFIXES = (".fits", ".fit", ".fits.gz")
_FAINT = 1e-3  # of the peak; what is fainter does not count as extent
_BLOCK = 1.0  # sigma of the beam: width of a block
_LEFT_OUT = 1e-5  # of the flux: the faintest blocks, whose share the others get
_SMOOTH = (
    0.9  # pixels: sigma with which the pixels of a template grow together where they are wider than that
)


@dataclass(frozen=True, eq=False)
class Shape:
    """Gaussians of a total flux of 1 around their centroid: offsets (arcsec), shares, covariances (arcsec^2)."""

    east: Floats
    north: Floats
    share: Floats
    ee: Floats
    en: Floats
    nn: Floats

    def turned(self, angle: float, mirrored: bool = False) -> Shape:
        """The shape turned by an angle (deg, from north through east), after it was mirrored in east."""
        s, c = np.sin(np.radians(angle)), np.cos(np.radians(angle))
        sign = -1.0 if mirrored else 1.0
        east, en = sign * self.east, sign * self.en
        return Shape(
            c * east + s * self.north,
            c * self.north - s * east,
            self.share,
            c * c * self.ee + 2.0 * s * c * en + s * s * self.nn,
            (c * c - s * s) * en + s * c * (self.nn - self.ee),
            s * s * self.ee - 2.0 * s * c * en + c * c * self.nn,
        )

    def moments(self) -> tuple[float, float, float]:
        """Covariance ee, en, nn (arcsec^2) of the whole, around its centroid."""
        return (
            float((self.share * (self.ee + self.east**2)).sum()),
            float((self.share * (self.en + self.east * self.north)).sum()),
            float((self.share * (self.nn + self.north**2)).sum()),
        )


@dataclass(frozen=True, eq=False)
class Template:
    """The image of an object, brightness in any unit, north up, east to the left.

    Parameters
    ----------
    name
        The file's stem.
    pixels
        (y, x), not negative.
    """

    name: str
    pixels: Floats

    @property
    def extent(self) -> float:
        """Largest extent of what is brighter than a thousandth of the peak (pixel)."""
        y, x = np.nonzero(self.pixels > _FAINT * self.pixels.max())
        return float(np.hypot(np.ptp(y) + 1.0, np.ptp(x) + 1.0))

    def shape(self, size: float, beam_sigma: float) -> Shape:
        """The Gaussians of the template at a size, for a beam.

        Parameters
        ----------
        size
            Largest extent on the sky (arcsec).
        beam_sigma
            Sigma of the narrow axis of the beam it will be seen with (arcsec).
        """
        pixel = size / self.extent
        width = max(1, int(_BLOCK * beam_sigma / pixel))
        ny, nx = self.pixels.shape
        padded = np.pad(self.pixels, ((0, -ny % width), (0, -nx % width)))
        blocks = padded.reshape(padded.shape[0] // width, width, padded.shape[1] // width, width)
        at = np.arange(width, dtype=np.float64)
        flux = blocks.sum(axis=(1, 3))
        x1, y1 = np.einsum("iajb,b->ij", blocks, at), np.einsum("iajb,a->ij", blocks, at)
        x2, y2 = np.einsum("iajb,b->ij", blocks, at**2), np.einsum("iajb,a->ij", blocks, at**2)
        xy = np.einsum("iajb,a,b->ij", blocks, at, at)
        i, j = np.nonzero(flux > _floor(flux))
        f = flux[i, j]
        mx, my = x1[i, j] / f, y1[i, j] / f
        xx = np.maximum(x2[i, j] / f - mx**2, 0.0)
        yy = np.maximum(y2[i, j] / f - my**2, 0.0)
        cross = xy[i, j] / f - mx * my
        grain = max(0.0, (_SMOOTH * pixel) ** 2 - beam_sigma**2) if width == 1 else 0.0
        x, y = j * width + mx, i * width + my
        share = f / f.sum()
        x, y = x - (share * x).sum(), y - (share * y).sum()
        scale = pixel * pixel
        return Shape(-x * pixel, y * pixel, share, xx * scale + grain, -cross * scale, yy * scale + grain)


def _floor(flux: Floats) -> float:
    """The flux below which blocks hold so little together that they are left out."""
    ordered = np.sort(flux, axis=None)
    few = int(np.searchsorted(np.cumsum(ordered), _LEFT_OUT * ordered.sum(), side="right"))
    return float(ordered[few - 1]) if few else 0.0


def read_templates(paths: Sequence[str | Path]) -> tuple[Template, ...]:
    """The templates in FITS files, and in the FITS files of folders, by name; cubes summed over their planes.

    Raises
    ------
    UsageError
        There is no such file, or a folder holds none.
    FormatError
        A file is not a FITS image.
    DataError
        An image holds no flux.
    """
    files: list[Path] = []
    for each in map(Path, paths):
        found = (
            sorted(p for p in each.iterdir() if p.name.lower().endswith(_SUFFIXES))
            if each.is_dir()
            else [each]
        )
        if not found or not found[0].is_file():
            raise UsageError("no template there", got=str(each), allowed="FITS images, or a folder of them")
        files += found
    return tuple(_read(path) for path in files)


def _read(path: Path) -> Template:
    with reading(path, "FITS image", OSError, ValueError, TypeError), fits.open(path) as hdus:
        data = next((hdu.data for hdu in hdus if hdu.data is not None and np.ndim(hdu.data) >= 2), None)
        if data is None or data.dtype.names is not None:
            raise DataError("the template holds no image", got=str(path))
        pixels = np.asarray(data, dtype=np.float64)
    pixels = np.where(np.isfinite(pixels), pixels, 0.0)
    plane = np.maximum(pixels.reshape(-1, *pixels.shape[-2:]).sum(axis=0), 0.0)
    if not plane.sum() > 0.0:
        raise DataError("the template holds no flux above zero", got=str(path))
    return Template(path.stem, plane)

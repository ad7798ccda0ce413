"""Maps seen through a wider beam: convolved by the Gaussian that is left, when read, the same for any tiling.

A Gaussian beam B becomes the beam C by a convolution with the Gaussian of covariance C - B. It is done in
windows of a lattice that begins at pixel (0, 0), each with a margin of six sigma, by the Gaussian's own Fourier
transform, exp(-2 pi^2 k C k): exact for a map that samples its beam, however narrow the rest is. A window does
not know which box was asked for, so that the numbers cannot depend on tiles.

Pixels in Jy/beam are multiplied by the ratio of the beam areas: the flux of a source stays what it was. Blank
pixels, and what lies beyond the map, have weight zero, and the sum of weights is divided out: blanks stay blank,
and a level reaches to the rim of the data as it is (a source at the rim keeps its brightness there, not the flux
that would have been smeared over it).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.image import PixelSource, SkyImage

__all__ = ["ConvolvedSource", "common_beam", "convolve", "same_beam", "smoothed"]

Floats = NDArray[np.float64]

CORE = 256  # pixels along the side of a window, at least
REACH = 6.0  # sigma of the Gaussian that a margin holds: e^-18 of it lies beyond
SAME = 1e-4  # of the axes; beams nearer to each other than this are one
_SLACK = 1e-3  # of the variances by which a beam may be too narrow: headers round
_WIDENED = 1.0005  # step by which a common beam is widened until all beams fit into it


@dataclass(frozen=True)
class ConvolvedSource:
    """The pixels of another source, seen through a wider beam.

    Parameters
    ----------
    source
        Where the pixels come from.
    frame
        Their geometry: a beam that keeps its shape on the sky is another ellipse of pixels in each window.
    beam
        That of the source.
    wanted
        That of what is read; no narrower than `beam` in any direction.
    """

    source: PixelSource
    frame: Frame
    beam: Beam
    wanted: Beam

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (ny, nx)."""
        return self.source.shape

    def read(self, box: Box) -> NDArray[np.float32]:
        """The convolved pixels of a box inside the plane: float32, blanks as NaN."""
        out = np.empty(box.shape, np.float32)
        margin, core = self._sizes()
        for row in range(box.y0 // core, -(-box.y1 // core)):
            for column in range(box.x0 // core, -(-box.x1 // core)):
                window = Box(row * core, (row + 1) * core, column * core, (column + 1) * core)
                part = window.intersect(box)
                out[part.slices(box)] = self._window(window, margin)[part.slices(window)]
        return out

    def _sizes(self) -> tuple[int, int]:
        """Pixels of a margin and of a window's side, from the beam at the reference point."""
        area = self.frame.with_beam_plane("image")
        widest = max(float(np.max(area.beam_covariance(self.wanted, 0.0, 0.0)[0, [0, 2]])), 0.0)
        rest = max(float(np.max(_rest(area, self.beam, self.wanted, 0.0, 0.0)[[0, 2]])), 0.0)
        # a margin for the widest of a beam fixed on the sky, whose pixels may be narrower than at the reference
        margin = math.ceil(REACH * math.sqrt(min(widest, 1.5 * rest))) + 2
        return margin, max(CORE, 4 * margin)

    def _window(self, window: Box, margin: int) -> NDArray[np.float32]:
        """One window of the lattice, from all pixels within its margin."""
        wide = window.expand(margin)
        inside = wide.intersect(Box.of(self.shape))
        data = np.zeros(wide.shape)
        data[inside.slices(wide)] = self.source.read(inside)
        known = np.zeros(wide.shape, np.bool_)
        known[inside.slices(wide)] = np.isfinite(data[inside.slices(wide)])
        seen = inside.intersect(window)
        y, x = 0.5 * (seen.y0 + seen.y1 - 1), 0.5 * (seen.x0 + seen.x1 - 1)
        xx, xy, yy = _rest(self.frame, self.beam, self.wanted, x, y)
        smooth = smoothed(data, (xx, xy, yy), known)[window.slices(wide)]
        return np.asarray(smooth * self._ratio(x, y), np.float32)

    def _ratio(self, x: float, y: float) -> float:
        """Area of the wider beam over that of the narrower one, in pixels of the map."""
        new, old = (self.frame.beam_covariance(beam, x, y)[0] for beam in (self.wanted, self.beam))
        return float(np.sqrt((new[0] * new[2] - new[1] ** 2) / (old[0] * old[2] - old[1] ** 2)))


def smoothed(
    data: NDArray[np.floating[Any]], covariance: Sequence[float], known: NDArray[np.bool_] | None = None
) -> Floats:
    """An array (y, x) convolved by a Gaussian of unit volume; blanks stay blank, and those beside lose nothing to them.

    Parameters
    ----------
    data
        The array; NaN is blank.
    covariance
        Of the Gaussian: xx, xy, yy (pixel^2).
    known
        Where `data` is not blank, for those who know it; what lies outside the array is blank too.
    """
    from scipy.fft import irfft2, next_fast_len, rfft2  # late: only maps that are convolved need it

    xx, xy, yy = covariance
    known = np.isfinite(data) if known is None else known
    whole = bool(known.all())
    filled = data if whole else np.where(known, data, 0.0)
    size = (next_fast_len(data.shape[0], real=True), next_fast_len(data.shape[1], real=True))
    ky, kx = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None, :]
    transfer = xx * kx * kx + 2.0 * xy * kx * ky  # in place from here: new pages cost as much as the numbers
    transfer += yy * ky * ky
    transfer *= -2.0 * np.pi**2
    np.exp(transfer, out=transfer)

    def through(values: NDArray[np.floating[Any]]) -> Floats:
        spectrum = rfft2(values, s=size)
        spectrum *= transfer
        made: Floats = irfft2(spectrum, s=size, overwrite_x=True)[: data.shape[0], : data.shape[1]]
        return made

    smooth = through(filled)
    if not whole:
        weight = through(known.astype(np.float64))
        smooth = np.where(known, smooth / np.where(known, weight, 1.0), np.nan)
    return smooth


def convolve(image: SkyImage, beam: Beam) -> SkyImage:
    """The image seen through a wider beam, convolved when it is read; itself where it has that beam already.

    Raises
    ------
    UsageError
        The image's own beam is wider in some direction, or varies over the map.
    """
    if image.beams is not None:
        raise UsageError(
            f"{image.name} cannot be convolved: its beam varies over the map",
            got=repr(image.beams)[:60],
            todo="search it without psf_file, or give a map that has one beam",
        )
    if same_beam(image.beam, beam):
        return image
    _check(image.beam, beam, image.name)
    source = ConvolvedSource(image.pixels, image.frame, image.beam, beam)
    note = f"{image.name} is convolved from its beam {image.beam} to {beam}"
    return replace(image, pixels=source, beam=beam, notes=(*image.notes, note))


def common_beam(beams: Sequence[Beam]) -> Beam:
    """The smallest beam into which each of these can be convolved.

    Where one of them is wide enough for all it is that one, else the smallest ellipse around them all
    (`radio_beam`).

    Raises
    ------
    UsageError
        There are no beams.
    """
    if not beams:
        raise UsageError("no beams to find a common one of", got=0, allowed="at least one")
    several = list(dict.fromkeys(beams))
    for one in sorted(several, key=lambda beam: (-beam.area, beam.major, beam.pa)):
        if all(same_beam(each, one) or _fits(each, one) for each in several):
            return one
    from astropy import units  # late: radio_beam brings much of astropy
    from radio_beam import Beams

    found = Beams(
        major=[each.major for each in several] * units.arcsec,
        minor=[each.minor for each in several] * units.arcsec,
        pa=[each.pa for each in several] * units.deg,
    ).common_beam()
    common = Beam(
        float(found.major.to_value(units.arcsec)),
        float(found.minor.to_value(units.arcsec)),
        float(found.pa.to_value(units.deg)),
    )
    while not all(_fits(each, common) for each in several):
        common = Beam(common.major * _WIDENED, common.minor * _WIDENED, common.pa)
    return common


def same_beam(one: Beam, other: Beam) -> bool:
    """Whether two beams are one, as far as fluxes can tell."""
    difference = np.abs(one.to_covariance() - other.to_covariance()).max()
    return bool(difference <= 2.0 * SAME * np.trace(other.to_covariance()) / 2.0)


def _rest(frame: Frame, beam: Beam, wanted: Beam, x: float, y: float) -> Floats:
    """Covariance (xx, xy, yy) of what is left of a beam when another is taken out of it (pixel^2)."""
    rest: Floats = frame.beam_covariance(wanted, x, y)[0] - frame.beam_covariance(beam, x, y)[0]
    return rest


def _narrowest(beam: Beam, wanted: Beam) -> float:
    """The smaller variance of what is left (arcsec^2); below zero where `wanted` is too narrow."""
    return float(np.linalg.eigvalsh(wanted.to_covariance() - beam.to_covariance())[0])


def _fits(beam: Beam, wanted: Beam) -> bool:
    return _narrowest(beam, wanted) >= 0.0


def _check(beam: Beam, wanted: Beam, name: str) -> None:
    smallest = float(np.linalg.eigvalsh(beam.to_covariance())[0])
    if _narrowest(beam, wanted) < -_SLACK * smallest:
        raise UsageError(
            f"{name} cannot be convolved to a beam that is narrower than its own",
            got=wanted,
            allowed=f"as wide as {beam} in every direction",
        )

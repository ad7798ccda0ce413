"""`Coverage`: which waves of the sky an array measures; the dirty beam, the noise and the lost scales that follow.

Approximations: antennas stand on a plane of one height and see one another only through (u, v), w is neglected, so
the beam is the same all over the map; samples are gridded to their nearest cell; the channels of the band weigh
the same; the restoring beam is reached by one Gaussian taper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from skysift.base.errors import UsageError
from skysift.base.random import generator
from skysift.sim.arrays import Array, array
from skysift.sim.gridding import count_samples, sum_errors
from skysift.sim.noise import gaussian_kernel, unit_power
from skysift.sim.options import InstrumentOptions
from skysift.sim.weighting import main_lobe, offsets, tapered, weighted
from skysift.sky.beam import Beam
from skysift.sky.units import ARCSEC, LIGHT

__all__ = [
    "Coverage",
    "dirty_beam",
    "hole",
    "largest_scale",
    "lost",
    "noise_kernel",
    "reach",
    "uv_coverage",
    "uv_filter",
]

Floats = NDArray[np.float64]

_CHANNELS = 7  # of the band
_FLAG_INTERVAL = 0.5  # hours that an antenna is lost at once
_LARGEST_SCALE = 0.6  # lambda over the shortest spacing, as the ALMA technical handbook defines it
_MISFIT = 0.05  # of the axes of a dirty beam, that a taper may leave
_LARGEST_REACH = 800  # pixels


class Samples(NamedTuple):
    """What was observed, as the kernels of the uv plane take it."""

    places: Floats  # (antenna, 3), metres
    hours: Floats  # (time,), rad
    sin_dec: float
    cos_dec: float
    cells: Floats  # (channel,), per metre
    used: NDArray[np.bool_]  # (antenna, interval)
    interval: NDArray[np.int64]  # (time,)


@dataclass(frozen=True, eq=False, repr=False)
class Coverage:
    """Samples of the uv plane on a grid, and their weights.

    Parameters
    ----------
    counts, weights
        Samples in each cell and their weight altogether, both signs of (u, v); float64 (ky, kx), in the order of a
        discrete Fourier transform over pixels; the weights sum to 1.
    beam
        The Gaussian that fits the main lobe of the dirty beam.
    pixel_scale
        Arcsec.
    shortest
        Smallest spacing of two antennas (wavelengths).
    samples
        What was observed.
    """

    counts: Floats
    weights: Floats
    beam: Beam
    pixel_scale: float
    shortest: float
    samples: Samples

    @property
    def size(self) -> int:
        """Pixels along each side of the map that the grid belongs to."""
        return int(self.weights.shape[0])

    @property
    def antennas(self) -> int:
        """Number of antennas."""
        return len(self.samples.places)

    def moments(self, minutes: float) -> Floats:
        """The hour angles counted in steps of so many minutes from the first."""
        since = (self.samples.hours - self.samples.hours[0]) * (12.0 * 60.0 / math.pi)
        return np.asarray(since / minutes)

    def errors(self, amplitude: Floats, phase: Floats, moments: Floats) -> Floats:
        """Image (y, x) of what gain errors leave around a point of 1 Jy/beam, the source at the first pixel.

        Parameters
        ----------
        amplitude, phase
            Relative error and phase error (rad) of each antenna at each node (antenna, node), two nodes or more;
            they go straight from node to node.
        moments
            The hour angles counted in nodes.
        """
        grid = np.zeros(self.weights.shape, np.complex128)
        each = np.divide(self.weights, self.counts, out=np.zeros_like(self.weights), where=self.counts > 0)
        sum_errors(*self.samples, each, amplitude, phase, moments, grid)
        return np.asarray(fft.ifft2(grid).real) * float(grid.size)

    def __repr__(self) -> str:
        filled = int(np.count_nonzero(self.counts))
        return f"Coverage({self.size} x {self.size} cells, {filled} filled, beam {self.beam})"


def uv_coverage(
    options: InstrumentOptions,
    beam: Beam,
    pixel_scale: float,
    dec: float,
    frequency: float,
    *,
    size: int | None = None,
    random_seed: int = 0,
) -> Coverage:
    """The cells that an array fills as the Earth turns, weighted and tapered for the wanted beam.

    Weights of a sample where the density of samples is N are natural: 1; uniform: ``1 / N``; or those of Briggs
    (1995, PhD thesis, New Mexico Tech): ``1 / (1 + N f^2)`` with ``f^2 = (5 10^-robust)^2 / <N>``. The density is
    smoothed over cells as wide as a field of 120 beams, as for the SKA data challenge 1. A Gaussian taper then
    brings the main lobe of the dirty beam to the wanted beam.

    Parameters
    ----------
    options
        Array, hours, weights.
    beam
        The wanted restoring beam.
    pixel_scale
        Arcsec.
    dec
        Declination of the field (deg).
    frequency
        Hz.
    size
        Pixels of the map that the grid belongs to; left out, 2.5 times the reach of the sidelobes or more.
    random_seed
        Of the antennas that are lost at times.

    Raises
    ------
    UsageError
        There is no array, the field does not rise, or the array cannot make the beam.
    """
    if options.array == "none":
        raise UsageError(
            "there is no array to see with", got="array=none", todo="give an array such as meerkat"
        )
    if size is None:
        size = max(512, 2 ** math.ceil(math.log2(2.5 * reach(options, beam, pixel_scale))))
    antennas = array(options.array)
    hours = _hours(options, antennas, dec)
    wanted = _pixel_covariance(beam, pixel_scale)
    if options.stretch:
        # first to about the right size, then by what the weights make of it
        antennas = antennas.stretch(
            LIGHT / frequency / (beam.minor * ARCSEC) / float(antennas.spacings.max())
        )
        found = _gridded(options, antennas, hours, pixel_scale, dec, frequency, size, random_seed)
        lobe = main_lobe(weighted(options, found[0], wanted))
        factor = math.sqrt(math.sqrt(np.linalg.det(lobe) / np.linalg.det(wanted))) * 1.25
        antennas = antennas.stretch(factor)
    counts, samples = _gridded(options, antennas, hours, pixel_scale, dec, frequency, size, random_seed)
    other = "" if options.stretch else ", or stretch=true"
    if not np.any(counts):
        raise UsageError(
            "all spacings of the array are finer than the pixels",
            got=f"array={options.array}",
            todo=f"give a more compact array or smaller pixels{other}",
        )
    weights, lobe = tapered(weighted(options, counts, wanted), wanted)
    made = _sky_beam(lobe, pixel_scale)
    if abs(made.major / beam.major - 1) > _MISFIT or abs(made.minor / beam.minor - 1) > _MISFIT:
        raise UsageError(
            f"an array like {options.array} cannot make this beam at {frequency / 1e6:.6g} MHz",
            got=beam,
            allowed=f"the nearest is {made}",
            todo=f"give another beam or array, or weighting=uniform{other}",
        )
    shortest = float(antennas.spacings.min()) * frequency / LIGHT
    return Coverage(counts, weights, made, pixel_scale, shortest, samples)


def reach(options: InstrumentOptions, beam: Beam, pixel_scale: float) -> int:
    """Pixels out to which sidelobes are painted: `sidelobe_radius` beams, at most 800 pixels."""
    fwhm = math.sqrt(beam.major * beam.minor) / pixel_scale
    return min(math.ceil(options.sidelobe_radius * fwhm), _LARGEST_REACH)


def dirty_beam(coverage: Coverage) -> Floats:
    """What a point of 1 Jy looks like before it is cleaned: (y, x), peak 1 at the pixel (size // 2, size // 2)."""
    image = np.asarray(fft.ifft2(coverage.weights).real) * float(coverage.weights.size)
    return np.asarray(fft.fftshift(image))


def largest_scale(coverage: Coverage) -> float:
    """The largest angular size that the array recovers (arcsec): 0.6 wavelengths over its shortest spacing."""
    return _LARGEST_SCALE / coverage.shortest / ARCSEC


def hole(coverage: Coverage) -> float:
    """Variance (arcsec^2) of the Gaussian whose transform is the hole of the uv plane.

    The hole is modelled as ``exp(-2 pi^2 C q^2)`` over baselines q and is half filled at the shortest spacing.
    """
    return math.log(2.0) / (2.0 * math.pi**2 * (coverage.shortest * ARCSEC) ** 2)


def lost(coverage: Coverage, ee: Floats, en: Floats, nn: Floats) -> Floats:
    """Part of the flux of Gaussians that stands in the hole of the uv plane, where deconvolution has to guess.

    A Gaussian of covariance S, filtered by ``exp(-2 pi^2 C q^2)``, is one of covariance S + C; its brightness falls by
    ``sqrt(det S / det (S + C))``: 0 for a point, which deconvolution brings back whole, 1 for what is much larger
    than the hole is wide.

    Parameters
    ----------
    ee, en, nn
        Covariances of the Gaussians themselves, without the beam (arcsec^2).
    """
    return _ratio(hole(coverage), ee, en, nn)


def uv_filter(
    coverage: Coverage, beam: Beam, ee: Floats, en: Floats, nn: Floats, bowl: float = 1.0
) -> Floats:
    """Part of the brightness of Gaussians that survives the missing short spacings and deconvolution.

    Deconvolution brings back all but ``b = bowl lost(S)`` of the flux that the hole takes. The map then shows the
    Gaussian of covariance T (S with the beam) less one of covariance T + C that holds b of its flux, the bowl. Of
    the peak ``1 - b sqrt(det T / det (T + C))`` is left: what photometry finds above the bowl.

    Parameters
    ----------
    beam
        Restoring beam.
    ee, en, nn
        Covariances of the Gaussians themselves, without the beam (arcsec^2).
    bowl
        The option: 0, deconvolution is perfect; 1, it brings back what is small beside the hole.
    """
    b = beam.to_covariance()
    seen = _ratio(hole(coverage), ee + b[0, 0], en + b[0, 1], nn + b[1, 1])
    return np.asarray(1.0 - bowl * lost(coverage, ee, en, nn) * seen)


def _ratio(variance: float, ee: Floats, en: Floats, nn: Floats) -> Floats:
    """How much lower the peaks of Gaussians are once they are smoothed by a round one of this variance."""
    own = np.maximum(ee * nn - en**2, 0.0)
    return np.asarray(np.sqrt(own / ((ee + variance) * (nn + variance) - en**2)))


def noise_kernel(
    options: InstrumentOptions,
    beam: Beam,
    pixel_scale: float,
    coverage: Coverage | None = None,
    *,
    radius: int = 96,
) -> Floats:
    """What white noise of unit rms is convolved with to become the noise of the map: (y, x), squares sum to 1.

    Parameters
    ----------
    options
        `noise_kernel` says which: a Gaussian, or the one of the uv coverage. The noise of a cell with N samples of
        weight w each is ``N w^2``; the kernel is the transform of its root. Its autocorrelation is the dirty beam
        for natural weights without a taper, and else that of the weights ``N w^2``; it is tapered to zero at `radius`,
        which smooths the spectrum and keeps it positive.
    beam
        Restoring beam, that the width of the Gaussian counts in.
    pixel_scale
        Arcsec.
    coverage
        Needed for the kernel of the uv coverage.
    radius
        Pixels from the middle to the border of the kernel of the uv coverage.

    Raises
    ------
    UsageError
        The kernel of the uv coverage is wanted without one.
    """
    if options.noise_kernel == "gaussian":
        shape = options.noise_width**2 * _pixel_covariance(beam, pixel_scale)
        return gaussian_kernel(np.array([shape[0, 0], shape[0, 1], shape[1, 1]]))
    if coverage is None:
        raise UsageError(
            "noise_kernel=array needs an array",
            got=f"array={options.array}",
            todo="give an array such as meerkat",
        )
    n = coverage.size
    radius = min(radius, n // 4)
    power = np.divide(coverage.weights**2, coverage.counts, out=np.zeros((n, n)), where=coverage.counts > 0)
    y, x = offsets(n)
    window = np.exp(-0.5 * (x * x + y * y) / (0.4 * radius) ** 2)
    smooth = fft.fft2(fft.ifft2(power).real * window).real
    kernel = fft.fftshift(fft.ifft2(np.sqrt(np.maximum(smooth, 0.0))).real)
    middle = slice(n // 2 - radius, n // 2 + radius + 1)
    edge = np.cos(0.5 * math.pi * np.clip(np.arange(-radius, radius + 1) / radius * 4.0 - 3.0, 0.0, 1.0))
    edge = np.minimum(edge, edge[::-1])
    kernel = kernel[middle, middle] * edge * edge[:, None]
    return unit_power(kernel)


def _hours(options: InstrumentOptions, antennas: Array, dec: float) -> Floats:
    """Hour angles (h) of the samples, those with the field above the limit of elevation."""
    start, end = options.hour_angle_start, options.hour_angle_end
    if end < start:
        raise UsageError("the observation ends before it begins", got=(start, end), allowed="start <= end")
    steps = math.floor((end - start) * 60.0 / options.time_step + 1e-9)
    hours = np.linspace(start, end, steps + 1) if steps else np.array([0.5 * (start + end)])
    lat, d = math.radians(antennas.latitude), math.radians(dec)
    sine = math.sin(lat) * math.sin(d) + math.cos(lat) * math.cos(d) * np.cos(np.radians(15.0 * hours))
    up = hours[sine > math.sin(math.radians(options.elevation_limit))]
    if not up.size:
        highest = 90.0 - abs(antennas.latitude - dec)
        raise UsageError(
            f"a field at declination {dec:g} is never high enough for an array like {options.array} in these hours",
            got=f"at most {highest:.1f} deg above the horizon, hours {start:g} to {end:g}",
            allowed=f"above {options.elevation_limit:g} deg",
            todo="give another array or declination, other hours, or a lower elevation_limit",
        )
    return np.asarray(up)


def _gridded(
    options: InstrumentOptions,
    antennas: Array,
    hours: Floats,
    pixel_scale: float,
    dec: float,
    frequency: float,
    size: int,
    random_seed: int,
) -> tuple[Floats, Samples]:
    """Samples in each cell of the grid, and what they were counted from."""
    channels = np.linspace(-0.5, 0.5, _CHANNELS) * options.bandwidth if options.bandwidth else np.zeros(1)
    cells = frequency * (1.0 + channels) / LIGHT * size * pixel_scale * ARCSEC
    interval = np.floor((hours - hours[0]) / _FLAG_INTERVAL + 1e-9).astype(np.int64)
    rng = generator(random_seed, "telescope", "flagged")
    used = rng.uniform(size=(len(antennas), int(interval[-1]) + 1)) >= options.flagged
    d = math.radians(dec)
    samples = Samples(
        antennas.equatorial(), np.radians(15.0 * hours), math.sin(d), math.cos(d), cells, used, interval
    )  # fmt: skip
    counts = np.zeros((size, size))
    count_samples(*samples, counts)
    return counts, samples


def _pixel_covariance(beam: Beam, pixel_scale: float) -> Floats:
    """Covariance of a beam in pixels squared, axes (x, y); x runs to the west."""
    c = beam.to_covariance() / pixel_scale**2
    return np.array([[c[0, 0], -c[0, 1]], [-c[0, 1], c[1, 1]]])


def _sky_beam(covariance: Floats, pixel_scale: float) -> Beam:
    c = covariance * pixel_scale**2
    return Beam.from_covariance(np.array([[c[0, 0], -c[0, 1]], [-c[0, 1], c[1, 1]]]))

"""`make_lines`: a cube with rotating discs of gas in noise, and what they are.

A disc is thin, its surface density a Gaussian; its rotation rises within its own size and is flat beyond. It is drawn by
clouds of gas, so that profiles have two horns where they should, and positions in a channel follow the speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from skysift.base.random import generator
from skysift.learn.fields import LABELS, LINE_LABELS, Field
from skysift.sim.options import LineCubeOptions
from skysift.sky.beam import FWHM_PER_SIGMA
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.shapes import covariances
from skysift.sky.truth import CLASSES

__all__ = ["LineCube", "make_lines"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

_CLOUDS = 8000  # of gas a disc
_PAD = 24  # pixels, channels beyond the cube, so that nothing comes back on its other side
_RISE = 0.5  # sizes (1 sigma) within which the rotation rises
_SHARE = 0.2  # of the peak, where the width of a line is told


@dataclass(frozen=True, eq=False)
class LineCube:
    """
    A made cube.

    Attributes
    ----------
    data
        ``(channel, y, x)`` Jy/beam.
    noise
        ``(channel,)`` rms, Jy/beam.
    beam
        ``(3,)`` covariance of the beam (xx, xy, yy; pixels squared).
    lines
        What there is, an array a parameter: ``x``, ``y`` (pixel), ``channel``, ``flux`` (Jy/beam times channels, the
        flux of a point in its peak), ``size`` (FWHM, pixel), ``w20`` (channels), ``angle`` of the receding half from x
        towards y (rad), ``inclination`` (rad), ``snr``.
    """

    data: Pixels
    noise: Floats
    beam: Floats
    lines: Mapping[str, Floats]

    def field(self, name: str, held: Box | None = None) -> Field:
        """The cube in units of its noise with its labels, to be learnt from; `held` is kept for validation."""
        lines, rms = self.lines, float(np.median(self.noise))
        n = len(lines["x"])
        size, turned = lines["size"], lines["angle"]
        sky = _on_sky(size, size * np.cos(lines["inclination"]), turned)
        told = {
            "x": lines["x"], "y": lines["y"], "xx": sky[:, 0], "xy": sky[:, 1], "yy": sky[:, 2],
            "snr_peak": lines["snr"], "snr_int": lines["flux"] / rms, "core": np.full(n, np.nan),
            "class": np.full(n, float(CLASSES.index("compact"))), "use": np.ones(n), "channel": lines["channel"],
            "w20": lines["w20"], "cos": np.cos(turned), "sin": np.sin(turned), "inclination": lines["inclination"],
        }  # fmt: skip
        assert tuple(told) == (*LABELS, *LINE_LABELS)
        corner = np.floor(np.stack([lines["y"], lines["x"]], axis=1) + 0.5).astype(np.int64)
        boxes = np.stack([corner[:, 0], corner[:, 0] + 1, corner[:, 1], corner[:, 1] + 1], axis=1)
        pixels = (self.data / self.noise[:, None, None]).astype(np.float32)
        xx, xy, yy = (float(each) for each in self.beam)
        return Field(name, pixels, Detections(boxes, np.ones(n), raw=told), (xx, xy, yy), held)


def make_lines(options: LineCubeOptions, random_seed: int) -> LineCube:
    """A cube of lines in noise; all follows from the options and the seed."""
    rng = generator(random_seed, "lines")
    n, shape = options.n_lines, (options.n_channels, options.n_pixels, options.n_pixels)
    major, minor, turn = (
        np.array([each]) for each in (options.beam_major, options.beam_minor, options.beam_angle)
    )
    beam = _on_sky(major, minor, np.radians(turn))[0]
    width = FWHM_PER_SIGMA * float(beam[0] * beam[2] - beam[1] ** 2) ** 0.25
    place = rng.uniform(-0.5, np.array(shape)[:, None] - 0.5, (3, n))
    inclination, angle = np.arccos(rng.uniform(0.0, 1.0, n)), rng.uniform(-np.pi, np.pi, n)
    size, speed, snr = (
        np.exp(rng.uniform(np.log(max(low, 1e-3)), np.log(max(high, 1e-3)), n))
        for low, high in (
            (width * options.size_min, width * options.size_max),
            (options.speed_min, options.speed_max),
            (options.snr_min, options.snr_max),
        )
    )
    at = _clouds(rng, size / FWHM_PER_SIGMA, speed, inclination, angle, options.dispersion)
    w20 = _widths(at[0], options.resolution / FWHM_PER_SIGMA)
    beams = np.sqrt((size**2 + width**2) * ((size * np.cos(inclination)) ** 2 + width**2)) / width**2
    correlated = max(1.0, 2.0 * np.sqrt(np.pi) * options.resolution / FWHM_PER_SIGMA)
    flux = snr * options.rms * np.sqrt(beams * w20 * correlated)
    clean = _deposited(at + place[:, :, None], flux, shape)
    depth = options.resolution / FWHM_PER_SIGMA
    area = 2.0 * np.pi * np.sqrt(beam[0] * beam[2] - beam[1] ** 2)
    signal = area * _smoothed(clean, beam, depth)[tuple(slice(_PAD, -_PAD) for _ in shape)]
    noise = _smoothed(rng.normal(size=shape), beam * options.noise_width**2, depth)
    noise *= options.rms / noise.std()
    lines = {
        "x": place[2], "y": place[1], "channel": place[0], "flux": flux, "size": size, "w20": w20, "angle": angle,
        "inclination": inclination, "snr": snr,
    }  # fmt: skip
    rms = np.full(options.n_channels, options.rms)
    return LineCube((signal + noise).astype(np.float32), rms, beam, lines)


def _on_sky(major: Floats, minor: Floats, angle: Floats) -> Floats:
    """Covariances ``(n, 3)`` (xx, xy, yy) of ellipses (FWHM) whose major axis lies at an angle from x towards y (rad)."""
    return covariances(major, minor, np.degrees(0.5 * np.pi - angle))


def _clouds(
    rng: np.random.Generator,
    sigma: Floats,
    speed: Floats,
    inclination: Floats,
    angle: Floats,
    dispersion: float,
) -> Floats:
    """Channel, y and x of each cloud from the middle of its disc ``(3, disc, cloud)``."""
    shape = (len(sigma), _CLOUDS)
    radius = np.sqrt(-2.0 * np.log1p(-rng.random(shape)))  # sizes
    around = rng.uniform(0.0, 2.0 * np.pi, shape)
    turning = speed[:, None] * np.tanh(radius / _RISE) * np.sin(inclination)[:, None]
    channel = turning * np.cos(around) + rng.normal(0.0, dispersion, shape)
    along = sigma[:, None] * radius * np.cos(around)
    across = sigma[:, None] * radius * np.sin(around) * np.cos(inclination)[:, None]
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.stack([channel, along * sin + across * cos, along * cos - across * sin])


def _widths(channel: Floats, depth: float) -> Floats:
    """Widths (channels) of lines at a fifth of their peak, as they are seen, from the channels of their clouds."""
    n = len(channel)
    if not n:
        return np.empty(0)
    half, fine = int(np.ceil(np.abs(channel).max() + 6.0 * depth)) + 1, 4
    bins = 2 * half * fine
    index = np.clip(((channel + half) * fine).astype(np.int64), 0, bins - 1)
    flat = np.bincount((index + bins * np.arange(n)[:, None]).ravel(), minlength=n * bins).reshape(n, bins)
    frequency = fft.rfftfreq(bins, 1.0 / fine)
    spectrum = fft.irfft(
        fft.rfft(flat, axis=1) * np.exp(-2.0 * (np.pi * max(depth, 0.5) * frequency) ** 2), bins, axis=1
    )
    above = spectrum >= _SHARE * spectrum.max(axis=1, keepdims=True)
    first, last = above.argmax(axis=1), bins - 1 - above[:, ::-1].argmax(axis=1)
    return np.asarray((last - first + 1) / fine, np.float64)


def _deposited(place: Floats, flux: Floats, shape: tuple[int, int, int]) -> Floats:
    """Clouds in the voxels that they lie in, each line with its flux, in a cube that is padded."""
    wide = tuple(side + 2 * _PAD for side in shape)
    index = np.floor(place + 0.5).astype(np.int64) + _PAD
    inside = ((index >= 0) & (index < np.array(wide)[:, None, None])).all(axis=0)
    share = np.broadcast_to(flux[:, None] / _CLOUDS, inside.shape)
    flat = np.ravel_multi_index(tuple(each[inside] for each in index), wide)
    summed: Floats = np.bincount(flat, share[inside], minlength=int(np.prod(wide))).astype(np.float64)
    return summed.reshape(wide)


def _smoothed(cube: Floats, beam: Floats, depth: float) -> Floats:
    """A cube smoothed by Gaussians of unit integral: covariance on the sky, standard deviation along the channels."""
    kz, ky, kx = fft.fftfreq(cube.shape[0]), fft.fftfreq(cube.shape[1]), fft.rfftfreq(cube.shape[2])
    on_sky = beam[0] * kx**2 + 2.0 * beam[1] * ky[:, None] * kx + beam[2] * ky[:, None] ** 2
    power = np.exp(-2.0 * np.pi**2 * (on_sky + (depth * kz[:, None, None]) ** 2))
    return np.asarray(fft.irfftn(fft.rfftn(cube) * power, cube.shape))

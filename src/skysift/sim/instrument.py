"""`Instrument`: what one map of a made sky is seen with: noise, primary beam, lost scales, artefacts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.sim.apparent import Apparent
from skysift.sim.artefacts import Artefacts
from skysift.sim.drawn import Layer
from skysift.sim.noise import Level, NoiseLayer, SmoothLevel
from skysift.sim.options import SkyOptions
from skysift.sim.primary_beam import primary_beam
from skysift.sim.sensitivity import radiometer
from skysift.sim.telescope import noise_kernel, uv_coverage, uv_filter
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.frame import Frame

__all__ = ["Instrument", "response_at", "rms_of"]

Floats = NDArray[np.float64]


def rms_of(options: SkyOptions, frequency: float) -> float:
    """The noise on the axis at a frequency (Jy/beam): that of the options at the first one, or the radiometer's."""
    made = radiometer(options.array, frequency, options.hours, options.bandwidth)
    if options.rms is None:
        return made
    first = options.frequencies[0]
    return options.rms * made / radiometer(options.array, first, options.hours, options.bandwidth)


def response_at(options: SkyOptions, frame: Frame, frequency: float, x: Floats, y: Floats) -> Floats:
    """The response of the primary beam at pixels (x, y) of a map at a frequency (Hz)."""
    (a, b), (c, d) = frame.jacobian
    x0, y0 = frame.reference
    dx, dy = x - x0, y - y0
    return primary_beam(options, frequency, a * dx + b * dy, c * dx + d * dy)


class Instrument:
    """What one map is seen with.

    Parameters
    ----------
    options
        All of the field and of the instrument.
    frame, beam, frequency
        Of the map.

    Attributes
    ----------
    level
        The rms noise over the map.
    noise
        The layer of noise.
    """

    def __init__(self, options: SkyOptions, frame: Frame, beam: Beam, frequency: float) -> None:
        self.options, self.frame, self.beam, self.frequency = options, frame, beam, frequency
        scale = frame.scale[0]
        self._name = f"{frequency:.17g}"
        self._coverage = None
        if options.array != "none":
            self._coverage = uv_coverage(
                options, beam, scale, options.dec, frequency, random_seed=options.random_seed
            )
        flat = SmoothLevel(
            rms_of(options, frequency),
            options.rms_spread,
            options.rms_scale * beam.major / scale,
            options.random_seed,
            ("rms",),
        )
        self.level: Level = _Grown(flat, self) if options.corrected else flat
        kernel = noise_kernel(options, beam, scale, self._coverage)
        self.noise = NoiseLayer(kernel, self.level, options.random_seed, ("noise", self._name))

    @property
    def rms(self) -> float:
        """The noise on the axis (Jy/beam)."""
        return rms_of(self.options, self.frequency)

    @property
    def tracks(self) -> float:
        """How many observations from the first hour angle to the last it takes to bring the noise so low."""
        options = self.options
        deep = (radiometer(options.array, self.frequency, options.hours, options.bandwidth) / self.rms) ** 2
        once = max(options.hour_angle_end - options.hour_angle_start, options.time_step / 60.0)
        return deep * options.hours / once

    def response(self, x: Floats, y: Floats) -> Floats:
        """The response of the primary beam at pixels (x, y)."""
        return response_at(self.options, self.frame, self.frequency, x, y)

    def blank(self, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Where a map that is divided by the primary beam is blank; nowhere in others."""
        if not self.options.corrected:
            return np.zeros(np.broadcast_shapes(np.shape(x), np.shape(y)), dtype=np.bool_)
        return self.response(x, y) < self.options.cutoff

    def kept(self, sky: Floats) -> Floats:
        """The part of the flux that the uv coverage keeps of objects: covariances (n, 3) without the beam (arcsec^2)."""
        if self._coverage is None or not self.options.artefacts:  # the bowls are a part of the artefacts
            return np.ones(len(sky))
        ee, en, nn = sky.T
        return uv_filter(self._coverage, self.beam, ee, en, nn, self.options.bowl)

    def artefacts(self, apparent: Apparent, peak: Floats, rms: Floats) -> Artefacts | None:
        """What calibration and deconvolution leave around the objects; None where there is nothing of it."""
        if self._coverage is None or not self.options.artefacts:
            return None
        made = Artefacts(
            self.options,
            self._coverage,
            self.beam,
            x=apparent.x_object,
            y=apparent.y_object,
            flux_peak=peak,
            flux_int=apparent.flux_seen,
            shape=apparent.shape_seen,
            rms=rms,
            random_seed=self.options.random_seed,
            name=self._name,
            tracks=self.tracks,
        )
        return None if made.empty else made

    def labels(self, artefacts: Artefacts | None) -> Detections:
        """Connected regions of the noise-free artefacts; `scores` are their peaks (Jy/beam), below zero for holes."""
        if artefacts is None:
            return Detections.empty()
        found = artefacts.labels(self.level.over, self.frame.shape)
        found = found.select(~self.blank(found["x"], found["y"]))
        return Detections(found.boxes, found["flux_peak"], found.footprints)

    def blanks(self) -> tuple[Layer, ...]:
        """A layer that is NaN where a map that is divided by the primary beam has no data."""
        return (_Blanks(self),) if self.options.corrected else ()


@dataclass(frozen=True, eq=False)
class _Grown:
    """A noise that is divided by the primary beam."""

    flat: Level
    instrument: Instrument

    def over(self, box: Box) -> Floats:
        y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1].astype(np.float64)
        return self.flat.over(box) / _above(self.instrument.response(x, y), self.instrument.options.cutoff)

    def at(self, x: Floats, y: Floats) -> Floats:
        return self.flat.at(x, y) / _above(self.instrument.response(x, y), self.instrument.options.cutoff)


def _above(response: Floats, cutoff: float) -> Floats:
    """The response, nowhere less than where the map is blank anyhow."""
    return np.maximum(response, max(cutoff, 1e-3))


@dataclass(frozen=True, eq=False)
class _Blanks:
    """Zero, and NaN where the response of the primary beam is below the cutoff."""

    instrument: Instrument

    def paint(self, box: Box) -> Floats:
        y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1].astype(np.float64)
        return np.where(self.instrument.blank(x, y), np.nan, 0.0)

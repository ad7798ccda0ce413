"""The menu of made cubes of lines."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from skysift.base.options import Options, option

__all__ = ["LineCubeOptions"]


class LineCubeOptions(Options):
    """Rotating discs in noise: a cube of galaxies in the 21 cm line, the continuum taken off."""

    n_pixels: int = option(96, unit="pixel", at_least=16, at_most=2048, doc="Pixels along each side.")
    n_channels: int = option(96, unit="channel", at_least=16, at_most=8192, doc="Channels.")
    n_lines: int = option(30, at_least=0, doc="Galaxies, anywhere in the cube.")
    rms: float = option(1.0, unit="Jy/beam", above=0.0, doc="Noise of a channel.")
    beam_major: float = option(
        5.0, unit="pixel", at_least=1.5, at_most=20.0, doc="Major axis (FWHM) of the beam."
    )
    beam_minor: float = option(
        4.0, unit="pixel", at_least=1.5, at_most=20.0, doc="Minor axis (FWHM) of the beam."
    )
    beam_angle: float = option(
        30.0, unit="deg", at_least=-180.0, at_most=180.0, doc="Angle of its major axis, from x towards y."
    )
    resolution: float = option(
        2.0,
        unit="channel",
        at_least=0.5,
        at_most=20.0,
        doc="Width (FWHM) of what a channel sees, of lines and of noise alike.",
    )
    noise_width: float = option(
        0.7,
        unit="beam",
        at_least=0.2,
        at_most=1.5,
        doc="Width of the kernel of the noise on the sky; with 0.7 it is correlated as the beam is.",
    )
    snr_min: float = option(
        3.0,
        unit="sigma",
        above=0.0,
        doc="Least signal over noise, of the line's flux in its beams and channels.",
    )
    snr_max: float = option(
        40.0, unit="sigma", above=0.0, doc="Largest; between them all decades have as many lines."
    )
    size_min: float = option(
        0.3, unit="beam", above=0.0, doc="Least size of a disc (FWHM of its surface density)."
    )
    size_max: float = option(2.5, unit="beam", above=0.0, doc="Largest size of a disc.")
    speed_min: float = option(
        3.0, unit="channel", at_least=0.0, doc="Least speed of rotation where it is flat, seen edge-on."
    )
    speed_max: float = option(16.0, unit="channel", at_least=0.0, doc="Largest speed of rotation.")
    dispersion: float = option(
        1.5, unit="channel", at_least=0.0, doc="Dispersion (1 sigma) of the gas in each place."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("snr", "size", "speed"):
            if getattr(self, f"{name}_max") < getattr(self, f"{name}_min"):
                raise ValueError(f"{name}_max is not below {name}_min")
        if self.beam_minor > self.beam_major:
            raise ValueError("beam_minor is not above beam_major")
        return self

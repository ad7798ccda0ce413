"""Which planes of a cube a band, a range of velocities or a list of polarisations asks for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import OptionError
from skysift.io.cards import Header
from skysift.io.headers import STOKES, Plane, map_frequency
from skysift.sky.units import LIGHT

__all__ = ["Run", "channel_run", "spectral_axis", "stokes_axis", "stokes_run", "wavelengths"]

Floats = NDArray[np.float64]

SPECTRAL = ("FREQ", "VRAD", "VELO", "VOPT", "FELO", "WAVE", "AWAV", "ENER")
POLARISATIONS = {name: code for code, name in STOKES.items()} | {"RL": -3, "LR": -4, "XY": -7, "YX": -8}
_METRES = {"": 1.0, "m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "angstrom": 1e-10}
_HERTZ = {"": 1.0, "hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9}
_SPEED = {"": 1.0, "m/s": 1.0, "m s-1": 1.0, "m.s-1": 1.0, "km/s": 1e3, "km s-1": 1e3, "km.s-1": 1e3}


@dataclass(frozen=True, slots=True)
class Run:
    """Planes along an axis: `start`, `start + step` ... before `stop` (0-based); empty where nothing is asked for."""

    start: int
    stop: int
    step: int = 1

    def __len__(self) -> int:
        return max(0, -(-(self.stop - self.start) // self.step))

    @property
    def indices(self) -> range:
        """The planes themselves."""
        return range(self.start, self.stop, self.step)


def spectral_axis(header: Header, axes: Sequence[int]) -> int | None:
    """FITS number of the spectral axis among `axes`; None where there is none."""
    return next((axis for axis in axes if header.text(f"CTYPE{axis}").upper().startswith(SPECTRAL)), None)


def stokes_axis(header: Header, axes: Sequence[int]) -> int | None:
    """FITS number of the axis of polarisation among `axes`; None where there is none."""
    return next((axis for axis in axes if header.text(f"CTYPE{axis}").upper().startswith("STOKES")), None)


def wavelengths(header: Header, axis: int, n: int) -> Floats:
    """Wavelengths (n + 1,) (m) of the borders of the channels of a linear spectral axis; NaN where not known."""
    world = _borders(header, axis, n)
    kind, unit = header.text(f"CTYPE{axis}").upper()[:4], header.text(f"CUNIT{axis}").lower()
    rest = header.number("RESTFRQ") or header.number("RESTFREQ") or math.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        match kind:
            case "FREQ":
                return np.asarray(LIGHT / (world * _HERTZ.get(unit, math.nan)))
            case "VRAD" | "VELO":
                return np.asarray(LIGHT / (rest * (1.0 - world * _SPEED.get(unit, math.nan) / LIGHT)))
            case "VOPT" | "FELO":
                return np.asarray(LIGHT / rest * (1.0 + world * _SPEED.get(unit, math.nan) / LIGHT))
            case "WAVE" | "AWAV":
                return np.asarray(world * _METRES.get(unit, math.nan))
    return np.full(n + 1, np.nan)


def velocities(header: Header, axis: int, n: int) -> Floats:
    """Velocities (n + 1,) (m/s) of the borders of the channels: the axis itself, or the radio convention."""
    kind, unit = header.text(f"CTYPE{axis}").upper()[:4], header.text(f"CUNIT{axis}").lower()
    if kind in ("VRAD", "VELO", "VOPT", "FELO"):
        return _borders(header, axis, n) * _SPEED.get(unit, math.nan)
    rest = header.number("RESTFRQ") or header.number("RESTFREQ") or math.nan
    return np.asarray(LIGHT * (1.0 - LIGHT / wavelengths(header, axis, n) / rest))


def channel_run(
    header: Header,
    plane: Plane,
    axis: int | None,
    n: int,
    *,
    band: tuple[float, float] | None = None,
    velocity: tuple[float, float] | None = None,
    channels: tuple[int, int] | None = None,
) -> Run:
    """The channels that a band, a range of velocities or numbers of channels asks for; all without any of them.

    A map without a spectral axis is one channel: it is inside where its frequency is not known.

    Parameters
    ----------
    header, plane
        Of the map.
    axis, n
        FITS number of the spectral axis, None where there is none, and its length.
    band
        Wavelengths (m), either may be infinite or 0; a channel that only touches a border is not taken.
    velocity
        Velocities (m/s), in the convention of the axis.
    channels
        First and last channel, 0-based, both included.

    Raises
    ------
    OptionError
        The channels are in the wrong order, or a line cube of velocities has no rest frequency for a band.
    """
    if channels is not None:
        first, last = (int(each) for each in channels)
        if not 0 <= first <= last:
            raise OptionError("the channels are not in order", got=channels, allowed="0 <= first <= last")
        run = Run(min(first, n), min(last + 1, n))
    else:
        run = Run(0, n)
    if axis is None:
        frequency = map_frequency(header, plane)[0]
        if band is not None and math.isfinite(frequency) and not _ordered(band, LIGHT / frequency):
            return Run(0, 0)
        return run
    for asked, values in ((band, wavelengths), (velocity, velocities)):
        if asked is None:
            continue
        borders = values(header, axis, n)
        if not np.isfinite(borders).all():
            raise OptionError(
                "the channels of the cube cannot be told by wavelength or velocity",
                got=f"CTYPE{axis} = {header.text(f'CTYPE{axis}')!r}, CUNIT{axis} = {header.text(f'CUNIT{axis}')!r}",
                todo="the header needs a known unit and, for velocities, RESTFRQ; or ask for channels by number",
            )
        low, high = sorted(asked)
        lower, upper = np.minimum(borders[:-1], borders[1:]), np.maximum(borders[:-1], borders[1:])
        if low == high:
            taken = np.flatnonzero((lower <= low) & (upper >= high))
        else:
            taken = np.flatnonzero((lower < high) & (upper > low))
        if not taken.size:
            return Run(0, 0)
        run = Run(max(run.start, int(taken[0])), min(run.stop, int(taken[-1]) + 1))
    return run


def stokes_run(header: Header, axis: int | None, n: int, asked: Sequence[str] | None) -> Run:
    """The planes of the polarisations that are asked for; all where none is.

    Polarisations that are not evenly spaced come with those between them. A map without an axis of polarisation
    is Stokes I, unless its card STOKES says otherwise.

    Raises
    ------
    OptionError
        There is no such polarisation.
    """
    if not asked:
        return Run(0, n)
    names = [name.strip().upper() for name in asked]
    unknown = [name for name in names if name not in POLARISATIONS]
    if unknown:
        raise OptionError("no such polarisation", got=unknown[0], allowed=POLARISATIONS)
    if axis is None:
        return Run(0, n if (header.text("STOKES").upper() or "I") in names else 0)
    world = header.number(f"CRVAL{axis}") or 1.0
    step, pixel = header.number(f"CDELT{axis}") or 1.0, header.number(f"CRPIX{axis}")
    codes = [round(world + (i + 1.0 - (1.0 if pixel is None else pixel)) * step) for i in range(n)]
    wanted = [i for i, code in enumerate(codes) if code in {POLARISATIONS[name] for name in names}]
    if not wanted:
        return Run(0, 0)
    gaps = {b - a for a, b in itertools.pairwise(wanted)}
    return Run(wanted[0], wanted[-1] + 1, gaps.pop() if len(gaps) == 1 else 1)


def _borders(header: Header, axis: int, n: int) -> Floats:
    """World values (n + 1,) half a channel before the first, between channels, and after the last."""
    pixel = header.number(f"CRPIX{axis}")
    step = header.number(f"CDELT{axis}") or header.number(f"CD{axis}_{axis}") or math.nan
    at = np.arange(n + 1) + 0.5 - (1.0 if pixel is None else pixel)
    value = header.number(f"CRVAL{axis}")
    return np.asarray((math.nan if value is None else value) + at * step)


def _ordered(band: tuple[float, float], value: float) -> bool:
    low, high = sorted(band)
    return low <= value <= high

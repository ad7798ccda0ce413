"""`radiometer`: the noise of a map by the radiometer equation."""

from __future__ import annotations

import math

__all__ = ["radiometer"]

# Antennas and system equivalent flux density of one (Jy) at 1.4 GHz: SKA-Mid from A/T = 1560 m2/K of all dishes
# (Braun et al. 2019, arXiv:1912.12699), MeerKAT from Tsys/eta = 20.5 K (Jonas & MeerKAT Team 2016, PoS
# MeerKAT2016, 001), ASKAP (Hotan et al. 2021, PASA 38, e009), VLA (Perley et al. 2011, ApJ 739, L1).
_ARRAYS: dict[str, tuple[int, float]] = {
    "ska-mid": (197, 349.0),
    "meerkat": (64, 396.0),
    "askap": (36, 1800.0),
    "vla": (27, 420.0),
}
_RECEIVER = 19.2  # K at any frequency, beside the sky's: a typical L-band receiver
_SKY, _SKY_AT, _SKY_INDEX = (
    20.0,
    408e6,
    -2.75,
)  # K; of a cold patch of the sky (Haslam et al. 1982, A&AS 47, 1)
_WEIGHTS = 2.0  # what weights for a compact beam cost against natural ones (Braun et al. 2019, for SKA-Mid)
_LEAST_BANDWIDTH = 1e-4  # of the frequency


def radiometer(array: str, frequency: float, hours: float, bandwidth: float) -> float:
    """Rms noise of Stokes I (Jy/beam) on the axis, without confusion.

    ``w SEFD / sqrt(2 N (N - 1) B t)`` for N antennas, two polarisations (Thompson, Moran & Swenson 2017, eq.
    6.62), with a factor w = 2 for weights. The SEFD of 1.4 GHz follows the temperature of the sky; apertures
    are equally efficient at all frequencies, an approximation that holds from 0.3 to 10 GHz to some tens of per cent.

    Parameters
    ----------
    array
        As in `InstrumentOptions`; ``none`` counts as SKA-Mid.
    frequency
        Hz.
    hours
        Integration time (h).
    bandwidth
        As part of the frequency.
    """
    family = next((name for name in _ARRAYS if array.startswith(name)), "ska-mid")
    n, sefd = _ARRAYS[family]
    sefd *= _temperature(frequency) / _temperature(1.4e9)
    band, seconds = max(bandwidth, _LEAST_BANDWIDTH) * frequency, 3600.0 * hours
    return _WEIGHTS * sefd / math.sqrt(2.0 * n * (n - 1) * band * seconds)


def _temperature(frequency: float) -> float:
    """System temperature (K): receiver and sky."""
    return _RECEIVER + _SKY * math.pow(frequency / _SKY_AT, _SKY_INDEX)

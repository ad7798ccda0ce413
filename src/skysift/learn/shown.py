"""What the networks of finders are shown of a map and told of its beam, in numbers; light."""

from __future__ import annotations

__all__ = [
    "CHANNELS",
    "COMPRESSED",
    "CONDITIONS",
    "FLOOR",
    "LAGS",
    "LEAST",
    "LINEAR",
    "MOST",
    "REACH",
    "TOLD",
]

CHANNELS = 4  # compressed, linear near zero, relative to the local maximum, whether there are data
COMPRESSED = 0.4  # asinh of the signal to noise, times this
LINEAR, LEAST, MOST = 0.2, -1.5, 3.0  # the signal to noise times the first, kept between the others
REACH = 3  # pixels; the local maximum is that of a square of 7
FLOOR = 4.0  # sigma; a lower maximum counts as this

LAGS = (1, 2, 3)  # pixels over which the colour of the noise is told
CONDITIONS = 4  # width of the beam, its elongation along and across the diagonal, sampling
TOLD = CONDITIONS + len(LAGS)  # those of the beam, and the colour of the noise

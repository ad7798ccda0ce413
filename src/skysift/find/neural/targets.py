"""What a network is to answer in each cell: which source it is near, and what that source looks like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel
from skysift.find.neural.shapes import beam_width
from skysift.measure.ellipse import FWHM

__all__ = [
    "HIGH", "LINE_PARAMETERS", "LOW", "PARAMETERS", "UNIT", "nearest_sources", "parameter_weights",
    "source_parameters",
]  # fmt: skip

Floats = NDArray[np.float64]

PARAMETERS = ("dx", "dy", "flux", "major", "minor", "cos", "sin", "core")
"""Offsets of the source from the middle of the cell (in units of 2.5 pixels); ln of flux over noise; ln of the
intrinsic axes over the beam; cosine and sine of twice the angle of the major axis, from x towards y; part of the flux
in the core."""

LINE_PARAMETERS = ("dx", "dy", "dz", "flux", "major", "w20", "cos", "sin", "inclination")
"""Of lines in cubes: the offset along the channels as well; ln of the line flux over noise (channels); ln of the size
over the beam; ln of the line's width at a fifth of its peak (channels); cosine and sine of the angle of the receding
half, from x towards y; inclination (rad)."""

UNIT = 2.5  # pixels: offsets of places are in units of this
LOW, HIGH = float(np.log(0.01)), float(np.log(3.0))  # of ln of the scales of errors
SMALLEST = 0.1  # beams: a source that is sharper counts as so wide
_NORMAL = 1e-12


@kernel
def nearest_sources(
    x: Floats,
    y: Floats,
    reach: Floats,
    ny: int,
    nx: int,
    stride: int,
    owner: NDArray[np.int32],
    distance: Floats,
) -> None:
    """
    For each cell, the nearest source within its reach (-1: none), and how far it is in units of its reach.

    Parameters
    ----------
    x, y
        Centres (pixel); (source,).
    reach
        How far from its centre a source is looked for (pixel); (source,).
    ny, nx
        Cells.
    stride
        Pixels across a cell.
    owner, distance
        Filled; (y, x).
    """
    owner[:] = -1
    distance[:] = np.inf
    half = 0.5 * (stride - 1)
    for k in range(x.shape[0]):
        low_y = max(0, int(np.ceil((y[k] - reach[k] - half) / stride)))
        high_y = min(ny - 1, int(np.floor((y[k] + reach[k] - half) / stride)))
        low_x = max(0, int(np.ceil((x[k] - reach[k] - half) / stride)))
        high_x = min(nx - 1, int(np.floor((x[k] + reach[k] - half) / stride)))
        for j in range(low_y, high_y + 1):
            for i in range(low_x, high_x + 1):
                away = np.sqrt((stride * i + half - x[k]) ** 2 + (stride * j + half - y[k]) ** 2) / reach[k]
                if away <= 1.0 and away < distance[j, i]:
                    distance[j, i] = away
                    owner[j, i] = k


def source_parameters(labels: Floats, beam: Floats) -> Floats:
    """
    Parameters of sources that do not depend on the cell, ``(source, 6)``: those of `PARAMETERS` from ``flux`` on.

    Parameters
    ----------
    labels
        ``(source, parameter)`` as `skysift.learn.fields.LABELS` names them.
    beam
        ``(3,)`` covariance of the beam (pixels squared).
    """
    xx, xy, yy = labels[:, 2], labels[:, 3], labels[:, 4]
    width = beam_width(beam)
    mean, half = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    major = np.maximum(FWHM * np.sqrt(np.maximum(mean + half, 0.0)) / width, SMALLEST)
    minor = np.maximum(FWHM * np.sqrt(np.maximum(mean - half, 0.0)) / width, SMALLEST)
    safe = np.where(half > _NORMAL, half, 1.0)
    cos = np.where(half > _NORMAL, 0.5 * (xx - yy) / safe, 0.0)
    sin = np.where(half > _NORMAL, xy / safe, 0.0)
    flux = np.log(np.maximum(labels[:, 6], 0.1))
    return np.stack([flux, np.log(major), np.log(minor), cos, sin, labels[:, 7]], axis=1)


def parameter_weights(values: Floats, snr: Floats) -> Floats:
    """
    How much each of `PARAMETERS` counts for sources ``(source, parameter)``.

    Angles count as far as the source is long and bright; the core fraction as far as it is known and the source bright.

    Parameters
    ----------
    values
        What `source_parameters` told of them.
    snr
        Peak over noise.
    """
    weights = np.ones((len(values), len(PARAMETERS)))
    long = 1.0 - np.hypot(1.0, np.exp(values[:, 2])) / np.hypot(1.0, np.exp(values[:, 1]))
    weights[:, 5] = weights[:, 6] = np.minimum(3.0 * (long * np.minimum(snr / 5.0, 2.0)), 2.0)
    weights[:, 7] = np.isfinite(values[:, 5]) * np.minimum(snr / 10.0, 1.0)
    return weights

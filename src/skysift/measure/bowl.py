"""Extended sources in a bowl: their surroundings are far below zero, as where an array lacks short spacings.

What an array without spacings below u sees of a source is the source less its own smoothing by about 1 / u. Around it
the map is negative, and the flux that is left, even above that level, is less than the true one: a lower limit. A level
that the background took from the source itself, and that is missing around it, is no bowl.
"""

import numpy as np
import numpy.typing as npt

from skysift.measure.segment import SegmentFluxes

__all__ = ["in_bowl"]

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

SURE = 5.0  # errors that the surroundings are below zero
DEEP = 0.1  # of the mean brightness of the source, by which they are at least
LARGE = 10.0  # beam areas of a source that an array may resolve out


def in_bowl(
    fluxes: SegmentFluxes, level: Pixels, labels: Labels, members: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """
    Which segments lie in a bowl: their surroundings are below zero by 5 errors and a tenth of their own brightness.

    That is the flux with the rim over the area of the segment.

    Parameters
    ----------
    fluxes
        What was summed over them, with the local level.
    level
        The background of the map (y, x).
    labels, members
        Number of the segment that each pixel belongs to, and those of the segments.
    """
    if not len(fluxes):
        return np.zeros(0, np.bool_)
    number = labels.ravel()
    count = np.bincount(number, minlength=int(members.max()) + 1)[members]
    above = np.bincount(number, np.nan_to_num(level, posinf=0.0, neginf=0.0).ravel(), int(members.max()) + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        brightness = fluxes.flux_int / fluxes.n_beams
        below = -(fluxes.background + np.maximum(above[members] / count, 0.0))
        deep = (below > SURE * fluxes.background_err) & (below > DEEP * brightness)
    return np.asarray(deep & (brightness > 0.0) & (fluxes.n_annulus > 0) & (fluxes.n_beams >= LARGE))

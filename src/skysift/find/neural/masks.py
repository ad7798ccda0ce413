"""Objects by their masks: what a network that tells the pixels of objects gives for a window, unet, rcnn and detr alike.

A `MaskDetector` says for one window, in units of the noise, which objects there are: their pixels (footprints, which
may overlap), class, probability of the class, score, centre and peak. All else is shared: windows on an anchored
lattice on several levels of binning (`levels`), doubles and who owns which pixel (`overlaps`), fluxes (`maskfinder`).
`as_masks` makes the answer from a plane of labels, `from_prints` from footprints that overlap.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from skysift.find.extended.runs import boxes_of
from skysift.find.neural.detector import Detector
from skysift.find.neural.footprints import runs_of
from skysift.sky.detections import Detections, Footprints

__all__ = ["MASK_RAW", "MaskDetector", "as_masks", "from_prints", "no_masks", "peaks_of"]

Floats = NDArray[np.float64]
Labels = NDArray[np.int32]
Pixels = NDArray[np.float32]

MASK_RAW = ("x", "y", "snr", "class", "class_score")
"""Raw parameters of an object with a mask: centre (pixel), peak over noise (of the map that was looked at), number in
`skysift.sky.truth.CLASSES` and its probability."""


class MaskDetector(Detector):
    """
    A network that finds objects with their pixels.

    `found` gives what `as_masks` or `from_prints` give: footprints in pixels of the window, and `MASK_RAW`. An object
    belongs to the window whose core holds its centre, if it and its neighbours agree; one that is wider than 1.5 times
    the margin is taken from a coarser level, where windows are of the map binned by 2 or 4 and the beam is told in binned
    pixels.
    """

    margin: int = 64

    @abstractmethod
    def found(self, answer: Pixels, z: Pixels, beam: Floats, least: float) -> Detections:
        """Objects with a score above `least` from the answer ``(channel, y, x)``, in pixels of the window."""

    def nothing(self) -> Detections:
        """No object, with the names of the parameters."""
        return no_masks()


def no_masks() -> Detections:
    """No object, with the names of the parameters."""
    return Detections.empty({name: np.empty(0) for name in MASK_RAW})


def as_masks(
    labels: Labels,
    z: Pixels,
    kinds: Floats,
    class_scores: Floats,
    scores: Floats,
    centres: Floats | None = None,
) -> Detections:
    """
    Objects of a window from a plane of labels ``(y, x)``: 1 to n, each on a pixel at least, and 0.

    Parameters
    ----------
    labels
        Which object each pixel belongs to.
    z
        The window in units of the noise ``(y, x)``.
    kinds, class_scores, scores
        Of each object ``(n,)``.
    centres
        ``(n, 2)`` (y, x); the middle of the pixels where not given.
    """
    return from_prints(runs_of(labels, 0, 0), z, kinds, class_scores, scores, centres)


def from_prints(
    prints: Footprints,
    z: Pixels,
    kinds: Floats,
    class_scores: Floats,
    scores: Floats,
    centres: Floats | None = None,
) -> Detections:
    """Objects of a window from footprints, of which each has a pixel at least; as `as_masks` otherwise."""
    n = len(scores)
    if not n:
        return no_masks()
    length = (prints.stop - prints.start).astype(np.float64)
    if centres is None:
        area = np.bincount(prints.index, length, n)
        middle = 0.5 * (prints.start + prints.stop - 1)
        centres = np.stack(
            [np.bincount(prints.index, length * each, n) / area for each in (prints.row, middle)], axis=1
        )
    raw = {
        "x": np.asarray(centres[:, 1], np.float64),
        "y": np.asarray(centres[:, 0], np.float64),
        "snr": peaks_of(prints, n, z),
        "class": np.asarray(kinds, np.float64),
        "class_score": np.asarray(class_scores, np.float64),
    }
    assert tuple(raw) == MASK_RAW
    return Detections(boxes_of(prints, n), np.asarray(scores, np.float64), prints, raw)


def peaks_of(prints: Footprints, n: int, z: Pixels) -> Floats:
    """The brightest pixel of each of n objects on a map ``(y, x)``, 0 at least; blank pixels count as 0."""
    length = prints.stop - prints.start
    within = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    values = z[np.repeat(prints.row, length), np.repeat(prints.start, length) + within]
    peak = np.zeros(n)
    np.maximum.at(peak, np.repeat(prints.index, length), np.nan_to_num(values).astype(np.float64))
    return peak

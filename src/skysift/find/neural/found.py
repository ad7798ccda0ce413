"""What a network found: detections with the parameters that it regressed, the nearest doubles taken out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel
from skysift.sky.detections import Detections

__all__ = ["RAW", "as_detections", "keep_best", "nothing_found", "without_doubles"]

Floats = NDArray[np.float64]

RAW = ("x", "y", "snr", "major", "minor", "cos", "sin", "core", "x_err", "snr_err", "major_err", "minor_err", "pa_err",
       "core_err", "class", "class_score", "reach")  # fmt: skip
"""Raw parameters of a detection: centre (pixel) and its error along an axis; flux over noise; intrinsic axes (FWHM,
pixel); cosine and sine of twice the angle of the major axis from x towards y; part of the flux in the core; errors of
these (relative for flux and axes, rad for the angle); number in `skysift.sky.truth.CLASSES` and its probability; how
near (pixel) a weaker detection is the same source."""


def nothing_found() -> Detections:
    """No detection, with the names of the parameters."""
    return Detections.empty({name: np.empty(0) for name in RAW})


def as_detections(columns: dict[str, Floats], scores: Floats) -> Detections:
    """Detections with these parameters; boxes are those of the ellipse of the source without the beam, a pixel at least.

    They are sorted by score, the best first; where scores are equal by row and column.
    """
    x, y, half = columns["x"], columns["y"], 0.5 * np.maximum(columns["major"], 1.0)
    order = np.lexsort((x, y, -scores))
    low_x, low_y = np.floor(x - half + 0.5), np.floor(y - half + 0.5)
    boxes = np.stack([low_y, np.maximum(np.floor(y + half + 0.5), low_y) + 1,
                      low_x, np.maximum(np.floor(x + half + 0.5), low_x) + 1], axis=1).astype(np.int64)  # fmt: skip
    raw = {name: np.asarray(columns[name], np.float64)[order] for name in RAW}
    return Detections(boxes[order], scores[order], raw=raw)


@kernel
def keep_best(x: Floats, y: Floats, reach: Floats, kept: NDArray[np.bool_]) -> None:
    """
    Keep what no better detection that is kept lies near to.

    Detections come the best first. Two are the same where they are nearer to each other than the larger reach of both.
    Candidates are looked up in a grid as wide as the largest reach.
    """
    n = x.shape[0]
    if n == 0:
        return
    wide = max(1.0, reach.max())
    x0, y0 = x.min(), y.min()
    nx, ny = int((x.max() - x0) / wide) + 1, int((y.max() - y0) / wide) + 1
    head = np.full(nx * ny, -1, np.int64)
    after = np.full(n, -1, np.int64)
    for k in range(n):
        i, j = int((x[k] - x0) / wide), int((y[k] - y0) / wide)
        good = True
        for b in range(max(0, j - 1), min(ny, j + 2)):
            for a in range(max(0, i - 1), min(nx, i + 2)):
                other = head[b * nx + a]
                while other >= 0 and good:
                    limit = max(reach[k], reach[other])
                    if (x[k] - x[other]) ** 2 + (y[k] - y[other]) ** 2 < limit * limit:
                        good = False
                    other = after[other]
        kept[k] = good
        if good:
            cell = j * nx + i
            after[k] = head[cell]
            head[cell] = k


def without_doubles(found: Detections) -> Detections:
    """The best of all detections of a source: greedily, the best score first."""
    order = np.lexsort((found["x"], found["y"], -found.scores))
    sorted_found = found.select(order)
    kept = np.zeros(len(sorted_found), np.bool_)
    keep_best(
        np.ascontiguousarray(sorted_found["x"]),
        np.ascontiguousarray(sorted_found["y"]),
        np.ascontiguousarray(sorted_found["reach"]),
        kept,
    )
    return sorted_found.select(kept)

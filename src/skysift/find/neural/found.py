"""What a network found: detections with the parameters that it regressed, the nearest doubles taken out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel
from skysift.sky.detections import Detections

__all__ = ["RAW", "as_detections", "best_of_each", "half_width", "keep_best", "nothing_found", "raw_columns",
           "without_doubles"]  # fmt: skip

Floats = NDArray[np.float64]

_BEYOND = 1e9  # pixels
_LARGEST = 128.0  # pixels: an axis (FWHM) that a network tells is no longer, it sees no farther
_BRIGHTEST = 25.0  # ln of flux over noise: what weights without sense tell ends here
_SAME = 0.5  # FWHM along the minor axis: nearer than this, two wide detections are the same source

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

    They are sorted by score, the best first; where scores are equal by row and column. What weights without sense place
    beyond all maps is left out.
    """
    good = (np.abs(columns["x"]) < _BEYOND) & (np.abs(columns["y"]) < _BEYOND)
    if not good.all():
        columns, scores = {name: values[good] for name, values in columns.items()}, scores[good]
    x, y, half = columns["x"], columns["y"], 0.5 * np.maximum(columns["major"], 1.0)
    order = np.lexsort((x, y, -scores))
    low_x, low_y = np.floor(x - half + 0.5), np.floor(y - half + 0.5)
    boxes = np.stack([low_y, np.maximum(np.floor(y + half + 0.5), low_y) + 1,
                      low_x, np.maximum(np.floor(x + half + 0.5), low_x) + 1], axis=1).astype(np.int64)  # fmt: skip
    raw = {name: np.asarray(columns[name], np.float64)[order] for name in RAW}
    return Detections(boxes[order], scores[order], raw=raw)


def raw_columns(
    x: Floats, y: Floats, flux: Floats, mean: Floats, scale: Floats, logits: Floats, unit: float, width: float
) -> dict[str, Floats]:
    """
    The raw parameters of what a network told of sources.

    Parameters
    ----------
    x, y
        Centres (pixel).
    flux
        Ln of flux over noise.
    mean
        ``(5, source)``: `skysift.find.neural.targets.PARAMETERS` from ``major`` on.
    scale
        ``(8, source)``: scales of the Laplace distributions of all of them.
    logits
        ``(class, source)``.
    unit
        Pixels that the scales of the centres are in.
    width
        Of the beam (pixel).
    """
    share = np.exp(logits - logits.max(axis=0))
    share /= share.sum(axis=0)
    most = max(float(np.log(_LARGEST / width)), -3.0)
    major, minor = (width * np.exp(np.clip(each, -3.0, most)) for each in (mean[0], mean[1]))
    length = np.maximum(np.hypot(mean[2], mean[3]), 1e-9)
    error = np.sqrt(2.0) * scale  # a Laplace distribution of scale b has a standard deviation of sqrt(2) b
    columns = {
        "x": x,
        "y": y,
        "snr": np.exp(np.minimum(flux, _BRIGHTEST)),
        "major": np.maximum(major, minor),
        "minor": np.minimum(major, minor),
        "cos": mean[2] / length,
        "sin": mean[3] / length,
        "core": np.clip(mean[4], 0.0, 1.0),
        "x_err": unit * np.sqrt(0.5 * (error[0] ** 2 + error[1] ** 2)),
        "snr_err": error[2],
        "major_err": error[3],
        "minor_err": error[4],
        "pa_err": np.minimum(
            0.5 * np.hypot(error[5], error[6]) / np.sqrt(2.0) / length, np.pi / np.sqrt(12.0)
        ),
        "core_err": error[7],
        "class": share.argmax(axis=0).astype(np.float64),
        "class_score": share.max(axis=0),
        "reach": np.full(x.size, 0.95 * width),
    }
    assert tuple(columns) == RAW
    return columns


@kernel
def keep_best(x: Floats, y: Floats, reach: Floats, kept: NDArray[np.bool_]) -> None:
    """
    Keep what no better detection that is kept lies near to.

    Detections come the best first. Two are the same where they are nearer to each other than the smaller reach of both.
    Candidates are looked up in a grid as wide as the largest reach.
    """
    n = x.shape[0]
    if n == 0:
        return
    wide = max(1.0, reach.max())
    x0, y0 = x.min(), y.min()
    nx, ny = int((x.max() - x0) / wide) + 1, int((y.max() - y0) / wide) + 1
    head = np.full(min(nx * ny, 4 * n + 17), -1, np.int64)  # cells share places, whatever the map's size
    after = np.full(n, -1, np.int64)
    for k in range(n):
        i, j = int((x[k] - x0) / wide), int((y[k] - y0) / wide)
        good = True
        for b in range(max(0, j - 1), min(ny, j + 2)):
            for a in range(max(0, i - 1), min(nx, i + 2)):
                other = head[(b * nx + a) % head.size]
                while other >= 0 and good:
                    limit = min(reach[k], reach[other])
                    if (x[k] - x[other]) ** 2 + (y[k] - y[other]) ** 2 < limit * limit:
                        good = False
                    other = after[other]
        kept[k] = good
        if good:
            cell = (j * nx + i) % head.size
            after[k] = head[cell]
            head[cell] = k


def without_doubles(found: Detections) -> Detections:
    """
    The best of all detections of a source: greedily, the best score first.

    Two are of the same source where they are nearer to each other than their reach; those that are wider than this
    also where they are nearer than half of the smaller minor axis. What is small on top of what is wide stays.
    """
    order = np.lexsort((found["x"], found["y"], -found.scores))
    best = found.select(order)
    return best.select(best_of_each(best))


def best_of_each(found: Detections) -> NDArray[np.bool_]:
    """Which of detections, the best first, `without_doubles` keeps."""
    kept = _kept(found, found["reach"])
    half = half_width(found["minor"])
    wide = kept & (half > found["reach"])
    kept[wide] = _kept(found.select(wide), half[wide])
    return kept


def half_width(minor: Floats) -> Floats:
    """How near (pixel) detections of these minor axes are the same source, where this is more than their reach."""
    return np.asarray(_SAME * minor)


def _kept(found: Detections, reach: Floats) -> NDArray[np.bool_]:
    """Which of detections, the best first, are kept."""
    kept = np.zeros(len(found), np.bool_)
    x, y = np.ascontiguousarray(found["x"]), np.ascontiguousarray(found["y"])
    keep_best(x, y, np.ascontiguousarray(reach), kept)
    return kept

"""What the answers of the grid head mean: the boxes that their own objectness recommends, the best of each source."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skysift.find.neural.boxes import best_boxes, hull_of_ellipse
from skysift.find.neural.detector import Detector
from skysift.find.neural.found import as_detections, nothing_found, raw_columns
from skysift.find.neural.inputs import channels, conditions, largest_near
from skysift.find.neural.shapes import beam_width
from skysift.find.neural.targets import HIGH, LOW, UNIT
from skysift.find.neural.yolo.gridnet import (
    AXES,
    CLASS,
    MEAN,
    OBJECT,
    SCALE,
    SOURCE,
    GridNet,
    boxes_of,
    parts_of,
)
from skysift.find.neural.yolo.options import GridOptions
from skysift.measure.ellipse import FWHM
from skysift.sky.detections import Detections

__all__ = ["GridDetector", "near_peaks", "priors_of", "target_boxes"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

_FULL = 2.0 * FWHM  # standard deviations across a box: twice the FWHM


def near_peaks(z: Pixels) -> Pixels:
    """Ln of the largest of the 3 x 3 pixels around each pixel ``(y, x)``, of 1 at least: what fluxes are told from."""
    top = np.empty(z.shape, np.float32)
    largest_near(np.ascontiguousarray(z, np.float32), 1, top)
    return np.asarray(np.log(np.maximum(top, np.float32(1.0))), np.float32)


def priors_of(options: GridOptions, beam: Floats) -> Pixels:
    """Sides ``(prior, axis)`` of the boxes that a cell begins from (pixel)."""
    return np.asarray(np.array(options.priors) * beam_width(beam), np.float32)


def target_boxes(labels: Floats, beam: Floats, largest: float) -> Floats:
    """
    Boxes of sources ``(source, 4)``: centre (y, x) and sides (y, x), in pixels from the outer edge of the first.

    They are the hulls of the ellipses with twice the axes (FWHM) of the source, of which none is below the width of
    the beam, as in the training set of Cornu et al. (2024); a side has no more than `largest` pixels.

    Parameters
    ----------
    labels
        ``(source, parameter)``, the first of `skysift.learn.fields.LABELS`: x, y, xx, xy, yy.
    beam
        ``(3,)`` covariance of the beam (pixels squared).
    largest
        Pixels.
    """
    xx, xy, yy = labels[:, 2], labels[:, 3], labels[:, 4]
    least = (2.0 * beam_width(beam) / _FULL) ** 2
    mean, half = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    wide, slim = np.maximum(mean + half, least), np.maximum(mean - half, least)
    safe = np.where(half > 0.0, half, 1.0)
    cos = np.where(half > 0.0, 0.5 * (xx - yy) / safe, 0.0)
    sin = np.where(half > 0.0, xy / safe, 0.0)
    middle, apart = 0.5 * (wide + slim), 0.5 * (wide - slim)
    covariance = np.array([[middle - apart * cos, apart * sin], [apart * sin, middle + apart * cos]])
    sides = np.minimum(hull_of_ellipse(np.moveaxis(covariance, 2, 0), _FULL), largest)
    return np.concatenate([labels[:, [1, 0]] + 0.5, sides], axis=1)


class GridDetector(Detector):
    """What the answers of the grid head mean."""

    def __init__(self, options: GridOptions) -> None:
        self.options = options
        self.stride = self.multiple = options.cell
        self.margin = max(32, 2 * options.cell)
        self.wide = options.coarse > 0.0

    def net(self) -> nn.Module:
        """The network, for weights to be put in."""
        return GridNet(self.options)

    def inputs(self, z: Pixels, beam: Floats) -> dict[str, Pixels]:
        """The inputs of the network for a window ``(y, x)`` in units of the noise and its beam ``(3,)``."""
        return {"image": channels(z)[None], "told": conditions(z, beam)[None]}

    def found(self, answer: Pixels, z: Pixels, beam: Floats, least: float) -> Detections:
        """Detections of a window, centres in its pixels, with a score above `least`; doubles among them.

        The score is the objectness, less where the probability of a source is below `doubted`.
        """
        options = self.options
        parts = parts_of(torch.from_numpy(np.ascontiguousarray(answer, np.float32))[None])
        boxes = boxes_of(parts, torch.from_numpy(priors_of(options, beam))[None], options.cell)
        told = parts.reshape(-1, parts.shape[-1]).numpy().astype(np.float64)  # (box, part)
        box = boxes.reshape(-1, 2 * AXES).numpy().astype(np.float64)
        with np.errstate(over="ignore"):
            objectness, probability = (1.0 / (1.0 + np.exp(-told[:, part])) for part in (OBJECT, SOURCE))
        score = objectness * np.minimum(probability / options.doubted, 1.0)
        row, column = (
            np.clip(np.floor(box[:, axis]).astype(np.int64), 0, z.shape[axis] - 1) for axis in range(AXES)
        )
        best = np.flatnonzero((score >= least) & np.isfinite(z[row, column]))
        if not best.size:
            return nothing_found()
        mean = told[best, MEAN].T
        flux = mean[0] + near_peaks(z)[row[best], column[best]]
        scale = np.exp(np.clip(told[best, SCALE].T, LOW, HIGH))
        columns = raw_columns(
            box[best, 1] - 0.5, box[best, 0] - 0.5, flux, mean[1:], scale, told[best, CLASS].T, UNIT,
            beam_width(beam),
        )  # fmt: skip
        columns["reach"] = np.full(best.size, options.near * beam_width(beam))
        return as_detections(columns, score[best])

    def single(self, found: Detections, beam: Floats) -> Detections:
        """The best of those whose boxes, as wide as their sources ask for, are one by their DIoU."""
        a, b = ((found[name] / FWHM) ** 2 for name in ("major", "minor"))
        mean, half = 0.5 * (a + b), 0.5 * (a - b)
        shapes = np.stack(
            [
                found["x"],
                found["y"],
                mean + half * found["cos"],
                half * found["sin"],
                mean - half * found["cos"],
            ],
            axis=1,
        )
        order = np.argsort(-found.scores, kind="stable")
        kept = np.zeros(len(found), np.bool_)
        best_boxes(target_boxes(shapes, beam, np.inf)[order], self.options.double, kept)
        return found.select(order[kept])

"""What the answers of the grid head mean: the boxes that their own objectness recommends, the best of each source."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skysift.find.neural.boxes import best_boxes
from skysift.find.neural.detector import Detector
from skysift.find.neural.found import as_detections, nothing_found, raw_columns
from skysift.find.neural.inputs import beam_condition, channels, largest_near
from skysift.find.neural.targets import beam_width
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
from skysift.sky.detections import Detections

__all__ = ["HIGH", "LOW", "UNIT", "GridDetector", "near_peaks", "priors_of"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

UNIT = 2.5  # pixels: scales of positions are in units of this
LOW, HIGH = float(np.log(0.01)), float(np.log(3.0))  # of the scales of errors


def near_peaks(z: Pixels) -> Pixels:
    """Ln of the largest of the 3 x 3 pixels around each pixel ``(y, x)``, of 1 at least: what fluxes are told from."""
    top = np.empty(z.shape, np.float32)
    largest_near(np.ascontiguousarray(z, np.float32), 1, top)
    return np.asarray(np.log(np.maximum(top, np.float32(1.0))), np.float32)


def priors_of(options: GridOptions, beam: Floats) -> Pixels:
    """Sides ``(prior, axis)`` of the boxes that a cell begins from (pixel)."""
    return np.asarray(np.array(options.priors) * beam_width(beam), np.float32)


class GridDetector(Detector):
    """What the answers of the grid head mean."""

    stride: ClassVar[int] = 8

    def __init__(self, options: GridOptions) -> None:
        self.options = options
        self.multiple = options.cell
        self.margin = max(32, 2 * options.cell)

    def net(self) -> nn.Module:
        """The network, for weights to be put in."""
        return GridNet(self.options)

    def inputs(self, z: Pixels, beam: Floats) -> dict[str, Pixels]:
        """The inputs of the network for a window ``(y, x)`` in units of the noise and its beam ``(3,)``."""
        return {"image": channels(z)[None], "told": beam_condition(beam[None])}

    def found(self, answer: Pixels, z: Pixels, beam: Floats, least: float) -> Detections:
        """Detections of a window, centres in its pixels, with an objectness above `least`; boxes that are one are one."""
        options = self.options
        parts = parts_of(torch.from_numpy(np.ascontiguousarray(answer, np.float32))[None])
        boxes = boxes_of(parts, torch.from_numpy(priors_of(options, beam))[None], options.cell)
        told = parts.reshape(-1, parts.shape[-1]).numpy().astype(np.float64)  # (box, part)
        box = boxes.reshape(-1, 2 * AXES).numpy().astype(np.float64)
        with np.errstate(over="ignore"):
            objectness, probability = (1.0 / (1.0 + np.exp(-told[:, part])) for part in (OBJECT, SOURCE))
        row, column = (
            np.clip(np.floor(box[:, axis]).astype(np.int64), 0, z.shape[axis] - 1) for axis in range(AXES)
        )
        likely = np.flatnonzero(
            (objectness >= least) & (probability >= options.doubted) & np.isfinite(z[row, column])
        )
        if not likely.size:
            return nothing_found()
        likely = likely[np.argsort(-objectness[likely], kind="stable")]
        kept = np.zeros(likely.size, np.bool_)
        best_boxes(np.ascontiguousarray(box[likely]), options.double, kept)
        best = likely[kept]
        mean = told[best, MEAN].T
        flux = mean[0] + near_peaks(z)[row[best], column[best]]
        scale = np.exp(np.clip(told[best, SCALE].T, LOW, HIGH))
        columns = raw_columns(
            box[best, 1] - 0.5, box[best, 0] - 0.5, flux, mean[1:], scale, told[best, CLASS].T, UNIT,
            beam_width(beam),
        )  # fmt: skip
        return as_detections(columns, objectness[best])

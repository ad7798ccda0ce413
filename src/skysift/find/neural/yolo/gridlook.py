"""What the answers of the grid head mean: the boxes that their own objectness recommends, the best of each source."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skysift.find.neural.boxes import best_boxes
from skysift.find.neural.detector import Detector
from skysift.find.neural.inputs import channels, conditions, largest_around
from skysift.find.neural.targets import HIGH, LOW
from skysift.find.neural.yolo.gridnet import GridNet, boxes_of, parts_of
from skysift.find.neural.yolo.lines import LineSources
from skysift.find.neural.yolo.options import BoxOptions, CubeOptions, GridOptions
from skysift.find.neural.yolo.sources import MapSources, Sources
from skysift.sky.detections import Detections

__all__ = ["BoxDetector", "CubeDetector", "GridDetector", "near_peaks", "priors_of"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]


def near_peaks(z: Pixels) -> Pixels:
    """Ln of the largest of the 3 pixels along each axis around each, of 1 at least: what fluxes are told from."""
    return np.asarray(np.log(np.maximum(largest_around(z, 1), np.float32(1.0))), np.float32)


def priors_of(options: BoxOptions, sources: Sources, beam: Floats) -> Pixels:
    """Sides ``(prior, axis)`` of the boxes that a cell begins from (pixel)."""
    return np.asarray(sources.scaled(np.array(options.priors), beam), np.float32)


class BoxDetector(Detector):
    """What the answers of the grid head mean, along two axes or three."""

    sources: ClassVar[Sources]
    near: float = 0.0

    def __init__(self, options: BoxOptions) -> None:
        self.options: BoxOptions = options
        self.stride = self.multiple = options.cell
        self.margin = max(32, 2 * options.cell)

    def net(self) -> nn.Module:
        """The network, for weights to be put in."""
        return GridNet(self.options)

    def inputs(self, z: Pixels, beam: Floats) -> dict[str, Pixels]:
        """The inputs of the network for a window ``(y, x)`` in units of the noise and its beam ``(3,)``."""
        return {"image": channels(z)[None], "told": conditions(z, beam)[None]}

    def nothing(self) -> Detections:
        """No detection, with the names of the parameters."""
        return self.sources.nothing()

    def found(self, answer: Pixels, z: Pixels, beam: Floats, least: float) -> Detections:
        """Detections of a window, centres in its pixels, with a score above `least`; doubles among them.

        The score is the objectness, less where the probability of a source is below `doubted`.
        """
        options, sources = self.options, self.sources
        axes, scale = sources.parts.axes, sources.parts.scale
        parts = parts_of(torch.from_numpy(np.ascontiguousarray(answer, np.float32))[None])
        priors = priors_of(options, sources, beam)
        boxes = boxes_of(parts, torch.from_numpy(priors)[None], options.cell)
        told = parts.reshape(-1, parts.shape[-1]).numpy().astype(np.float64)  # (box, part)
        box = boxes.reshape(-1, 2 * axes).numpy().astype(np.float64)
        with np.errstate(over="ignore"):
            objectness, probability = (
                1.0 / (1.0 + np.exp(-told[:, part]))
                for part in (sources.parts.objectness, sources.parts.source)
            )
        score = objectness * np.minimum(probability / options.doubted, 1.0)
        at = tuple(
            np.clip(np.floor(box[:, axis]).astype(np.int64), 0, z.shape[axis] - 1) for axis in range(axes)
        )
        best = np.flatnonzero((score >= least) & np.isfinite(z[at]))
        if not best.size:
            return self.nothing()
        flux = told[best, sources.parts.mean.start] + near_peaks(z)[tuple(each[best] for each in at)]
        said = told[best].T
        said[scale] = np.clip(said[scale], LOW, HIGH)
        return sources.detections(box[best, :axes] - 0.5, flux, said, beam, self.near, score[best])

    def single(self, found: Detections, beam: Floats) -> Detections:
        """The best of those whose boxes, as wide as their sources ask for, are one by their DIoU."""
        order = np.argsort(-found.scores, kind="stable")
        kept = np.zeros(len(found), np.bool_)
        boxes = self.sources.boxes(self.sources.rows(found), beam, np.full(self.sources.parts.axes, np.inf))
        best_boxes(boxes[order], self.options.double, kept)
        return found.select(order[kept])


class GridDetector(BoxDetector):
    """What the answers of the grid head mean on maps."""

    sources = MapSources()

    def __init__(self, options: GridOptions) -> None:
        super().__init__(options)
        self.wide = options.coarse > 0.0
        self.near = options.near


class CubeDetector(BoxDetector):
    """What the answers of the grid head mean in cubes."""

    sources = LineSources()

    def __init__(self, options: CubeOptions) -> None:
        super().__init__(options)
        self.margin = 2 * options.cell

"""`YoloFinder`: networks that look once; the dense head and others, behind one name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from skysift.find.neural.detector import Detector
from skysift.find.neural.finder import NeuralFinder
from skysift.find.neural.yolo.dense import DenseDetector, options_of
from skysift.find.neural.yolo.gridlook import GridDetector
from skysift.find.neural.yolo.options import GridOptions

__all__ = ["YoloFinder"]


class YoloFinder(NeuralFinder):
    """Sources by networks of the yolo family (Redmon et al. 2016, CVPR; Cornu et al. 2024, A&A 690, A211)."""

    models: ClassVar[Mapping[str, Callable[[Mapping[str, Any]], Detector]]] = {
        "yolo-dense": lambda card: DenseDetector(options_of(card)),
        "yolo-grid": lambda card: GridDetector(GridOptions.parse(dict(card))),
    }

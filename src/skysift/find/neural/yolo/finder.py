"""`YoloFinder`: networks that look once; the dense head and others, behind one name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from skysift.find.neural.detector import Detector
from skysift.find.neural.finder import NeuralFinder
from skysift.find.neural.options import YoloOptions
from skysift.find.neural.yolo.dense import DenseDetector
from skysift.find.neural.yolo.gridlook import GridDetector
from skysift.find.neural.yolo.options import DenseOptions, GridOptions
from skysift.learn.checkpoint import Checkpoint

__all__ = ["YoloFinder"]


def _told(card: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a card tells of; weights that say nothing of binned maps have never seen one."""
    return {"coarse": 0.0, **card}


class YoloFinder(NeuralFinder[YoloOptions]):
    """Sources by networks of the yolo family (Redmon et al. 2016, CVPR; Cornu et al. 2024, A&A 690, A211)."""

    models: ClassVar[Mapping[str, Callable[[Mapping[str, Any]], Detector]]] = {
        "yolo-dense": lambda card: DenseDetector(DenseOptions.parse(_told(card))),
        "yolo-grid": lambda card: GridDetector(GridOptions.parse(_told(card))),
    }

    def flips(self, weights: Checkpoint) -> int:
        """How many orientations of the map the network looks at: as it was told, or as the weights were calibrated."""
        return self.options.flips or int(weights.card.settings.get("flips", 1))

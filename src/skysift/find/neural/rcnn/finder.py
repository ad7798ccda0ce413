"""`RcnnFinder`: objects by masks that a network draws in two looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from skysift.find.neural.detector import Detector
from skysift.find.neural.maskfinder import MaskFinder
from skysift.find.neural.rcnn.decode import RcnnDetector
from skysift.find.neural.rcnn.options import RcnnModelOptions

__all__ = ["RcnnFinder"]


class RcnnFinder(MaskFinder):
    """Objects of five classes as caesar-mrcnn finds them (Riggi et al. 2023, A&C 42, 100682), by such a network."""

    models: ClassVar[Mapping[str, Callable[[Mapping[str, Any]], Detector]]] = {
        "rcnn": lambda card: RcnnDetector(RcnnModelOptions.parse(dict(card))),
    }

"""`DetrFinder`: objects by masks that a detection transformer draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from skysift.find.neural.detector import Detector
from skysift.find.neural.detr.decode import DetrDetector
from skysift.find.neural.detr.options import DetrModelOptions
from skysift.find.neural.maskfinder import MaskFinder

__all__ = ["DetrFinder"]


class DetrFinder(MaskFinder):
    """Objects of five classes, each told once by a query of a detection transformer (Carion et al. 2020, ECCV)."""

    models: ClassVar[Mapping[str, Callable[[Mapping[str, Any]], Detector]]] = {
        "detr": lambda card: DetrDetector(DetrModelOptions.parse(dict(card))),
    }

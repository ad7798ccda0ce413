"""`UnetFinder`: objects by what each pixel is part of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from skysift.find.neural.detector import Detector
from skysift.find.neural.maskfinder import MaskFinder
from skysift.find.neural.unet.unet import UnetDetector, options_of

__all__ = ["UnetFinder"]


class UnetFinder(MaskFinder):
    """Objects of any shape by a U-Net (Ronneberger et al. 2015, MICCAI) or an FC-DenseNet (Jegou et al. 2017, CVPRW)."""

    models: ClassVar[Mapping[str, Callable[[Mapping[str, Any]], Detector]]] = {
        "unet": lambda card: UnetDetector(options_of(card)),
    }

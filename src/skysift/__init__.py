"""Radio maps in, science-ready catalogues out.

>>> import skysift
>>> image = skysift.open("map.fits")                                    # doctest: +SKIP
>>> catalogue = skysift.find(image, "classic", seed=5, grow=3)          # doctest: +SKIP
>>> catalogue.components.to_astropy()                                   # doctest: +SKIP

The names below are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from skysift.client.client import Client
    from skysift.find import find
    from skysift.find.finding import Finding
    from skysift.flow.injecting import completeness, inject
    from skysift.flow.judging import judge
    from skysift.flow.measurements import Measurements
    from skysift.flow.measuring import measure_at
    from skysift.flow.surveying import survey
    from skysift.io.open import open
    from skysift.match import match
    from skysift.score import score
    from skysift.score.scorer import Report
    from skysift.sim.simulating import simulate
    from skysift.sky.beam import Beam
    from skysift.sky.box import Box
    from skysift.sky.catalogue import Catalogue
    from skysift.sky.detections import Detections
    from skysift.sky.frame import Frame
    from skysift.sky.image import SkyImage
    from skysift.sky.mask import Mask
    from skysift.sky.tiling import Tiling

__all__ = [
    "Beam",
    "Box",
    "Catalogue",
    "Client",
    "Detections",
    "Finding",
    "Frame",
    "Mask",
    "Measurements",
    "Report",
    "SkyImage",
    "Tiling",
    "__version__",
    "completeness",
    "find",
    "inject",
    "judge",
    "match",
    "measure_at",
    "open",
    "score",
    "simulate",
    "survey",
]

# `find`, `match` and `score` are not among them: their folders are themselves called as the verbs (see their __init__)
_HOMES = {
    "Beam": "skysift.sky.beam",
    "Box": "skysift.sky.box",
    "Catalogue": "skysift.sky.catalogue",
    "Client": "skysift.client.client",
    "Detections": "skysift.sky.detections",
    "Finding": "skysift.find.finding",
    "Frame": "skysift.sky.frame",
    "Mask": "skysift.sky.mask",
    "Measurements": "skysift.flow.measurements",
    "Report": "skysift.score.scorer",
    "SkyImage": "skysift.sky.image",
    "Tiling": "skysift.sky.tiling",
    "completeness": "skysift.flow.injecting",
    "inject": "skysift.flow.injecting",
    "judge": "skysift.flow.judging",
    "measure_at": "skysift.flow.measuring",
    "open": "skysift.io.open",
    "simulate": "skysift.sim.simulating",
    "survey": "skysift.flow.surveying",
}


def __getattr__(name: str) -> object:
    if name in ("find", "match", "score"):
        return importlib.import_module(f"skysift.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'skysift' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"TYPE_CHECKING", "annotations", "importlib"})

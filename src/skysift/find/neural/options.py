"""The menus of learned finders; light: nothing here imports torch."""

from __future__ import annotations

from typing import Literal

from skysift.base.options import option
from skysift.find.options import FinderOptions

__all__ = ["NeuralOptions", "YoloOptions"]


class NeuralOptions(FinderOptions):
    """What every learned finder is told."""

    weights: str = option(
        "yolo",
        doc="Name of weights that `skysift models` lists, or the path of a file that `skysift train` wrote.",
    )
    threshold: float | None = option(
        None,
        at_least=0.0,
        at_most=1.0,
        doc="Sources with a lower score are left out; null: as the weights were calibrated.",
    )
    classes: tuple[str, ...] = option(
        ("compact", "extended", "extended-multisland", "flagged"),
        doc="Classes that the catalogue has; spurious ones are artefacts.",
    )
    free_snr: float = option(
        10.0,
        unit="sigma",
        at_least=0.0,
        doc="Position and shape are fitted to the map where the flux exceeds its error by this factor; fainter sources "
        "keep those that the network gave them.",
    )
    device: str = option("auto", doc="Where the network runs: auto, cpu, cuda or cuda:N.")
    engine: Literal["torch", "onnx", "openvino"] = option(
        "torch", doc="What runs the network; onnx and openvino are faster on a CPU."
    )
    precision: Literal["auto", "float32", "bfloat16"] = option(
        "float32",
        doc="Numbers that the network is run with; bfloat16 is faster and good to a few thousandths.",
    )


class YoloOptions(NeuralOptions):
    """A network that looks once: sources, what they look like, how sure it is, and their classes."""

"""The menu of the model detr; light: nothing here imports torch."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from skysift.base.options import Options, option
from skysift.sky.truth import CLASSES

__all__ = ["N_KINDS", "N_LEVELS", "DetrModelOptions"]

N_LEVELS = 4  # of the pyramid: strides 4, 8, 16, 32
N_KINDS = len(CLASSES) + 1  # the last is: nothing


class DetrModelOptions(Options):
    """Objects as a set, by a detection transformer: queries that are laid on likely places, and a mask for each."""

    widths: tuple[int, ...] = option((24, 48, 64, 96, 128), doc="Channels at the strides 2, 4, 8, 16, 32.")
    depths: tuple[int, ...] = option((1, 2, 2, 2, 1), doc="Residual blocks at each of them.")
    pyramid: int = option(56, at_least=4, doc="Channels of the pyramid, the same at all its strides.")
    hidden: int = option(
        128, at_least=8, doc="Numbers of a query; over the heads they are a power of 2 for each."
    )
    heads: int = option(8, at_least=1, doc="Heads of the attention.")
    layers: int = option(3, at_least=1, at_most=8, doc="Layers of the decoder.")
    points: int = option(4, at_least=1, doc="Places that a head looks at on each stride of the pyramid.")
    inner: int = option(256, at_least=8, doc="Numbers inside a layer's two linear maps.")
    queries: int = option(500, at_least=8, at_most=1000, doc="Queries of a window, on its likeliest places.")
    learnt: int = option(192, at_least=8, at_most=1000, doc="Queries of a crop in training.")
    denoised: int = option(
        32,
        at_least=1,
        at_most=500,
        doc="Objects of a crop in training from whose boxes, moved by chance, further queries begin.",
    )
    faintest: float = option(
        4.0, unit="sigma", at_least=0.0, doc="Fainter objects (peak over noise) are neither right nor wrong."
    )
    coarse: float = option(
        0.4,
        at_least=0.0,
        at_most=1.0,
        doc="Part of the batches that are binned by 2 or 4, as the map is for wide objects; small crops less.",
    )
    places: float = option(1.0, above=0.0, doc="Weight of the places in the loss.")
    boxes: float = option(1.0, above=0.0, doc="Weight of the boxes of places in the loss.")
    classes: float = option(2.0, above=0.0, doc="Weight of the class in the loss.")
    class_weights: tuple[float, ...] = option(
        (1.5, 1.0, 2.0, 2.5, 2.0, 1.0),
        doc="Weights in it of spurious, compact, extended, extended-multisland, flagged and nothing.",
    )
    refined: float = option(2.0, above=0.0, doc="Weight of the boxes of queries in the loss.")
    masks: float = option(1.0, above=0.0, doc="Weight of the masks in the loss.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not len(self.widths) == len(self.depths) == N_LEVELS + 1:
            raise ValueError(f"widths and depths have {N_LEVELS + 1} values, for the strides 2, 4, 8, 16, 32")
        if min(self.widths) < 1 or min(self.depths) < 0:
            raise ValueError("widths are 1 or more, depths 0 or more")
        if len(self.class_weights) != N_KINDS or min(self.class_weights) <= 0.0:
            raise ValueError(f"class_weights has {N_KINDS} values above 0")
        each = self.hidden // self.heads
        if each * self.heads != self.hidden or each & (each - 1):
            raise ValueError(f"hidden over heads is a power of 2, not {self.hidden} / {self.heads}")
        return self

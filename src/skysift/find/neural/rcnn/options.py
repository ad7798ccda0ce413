"""The menu of the model rcnn; light: nothing here imports torch."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from skysift.base.options import Options, option
from skysift.sky.truth import CLASSES

__all__ = ["N_KINDS", "N_LEVELS", "RcnnModelOptions"]

N_LEVELS = 4  # of the pyramid: strides 4, 8, 16, 32
N_KINDS = len(CLASSES) + 1  # the last is: nothing


class RcnnModelOptions(Options):
    """Objects by their masks: places that are proposed, and a closer look at each."""

    widths: tuple[int, ...] = option((24, 48, 64, 96, 128), doc="Channels at the strides 2, 4, 8, 16, 32.")
    depths: tuple[int, ...] = option((1, 2, 2, 2, 1), doc="Residual blocks at each of them.")
    pyramid: int = option(48, at_least=4, doc="Channels of the pyramid, the same at all its strides.")
    hidden: int = option(128, at_least=4, doc="Numbers that the class and the box of a place are told from.")
    proposals: int = option(
        192, at_least=8, at_most=500, doc="Places of a window that are looked at closely, the likeliest."
    )
    learnt: int = option(
        40, at_least=8, at_most=500, doc="Places of a crop that are looked at closely in training."
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
    classes: float = option(1.0, above=0.0, doc="Weight of the class in the loss.")
    class_weights: tuple[float, ...] = option(
        (1.5, 1.0, 2.0, 2.5, 2.0, 1.0),
        doc="Weights in it of spurious, compact, extended, extended-multisland, flagged and nothing.",
    )
    refined: float = option(1.0, above=0.0, doc="Weight of the refined boxes in the loss.")
    masks: float = option(1.0, above=0.0, doc="Weight of the masks in the loss.")
    double: float = option(
        0.5,
        above=0.0,
        below=1.0,
        doc="IoU with the box of a better object beyond which a box is the same object.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not len(self.widths) == len(self.depths) == N_LEVELS + 1:
            raise ValueError(f"widths and depths have {N_LEVELS + 1} values, for the strides 2, 4, 8, 16, 32")
        if min(self.widths) < 1 or min(self.depths) < 0:
            raise ValueError("widths are 1 or more, depths 0 or more")
        if len(self.class_weights) != N_KINDS or min(self.class_weights) <= 0.0:
            raise ValueError(f"class_weights has {N_KINDS} values above 0")
        return self

"""The menus of the yolo models; light: nothing here imports torch."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from skysift.base.options import Options, option

__all__ = ["DenseOptions"]


class DenseOptions(Options):
    """One prediction a cell of 2 x 2 pixels: for maps on which sources crowd."""

    widths: tuple[int, ...] = option((32, 64, 96), doc="Channels at the strides 2, 4, 8, ...")
    depths: tuple[int, ...] = option((2, 2, 3), doc="Residual blocks at each of them.")
    positive: float = option(
        0.6, unit="beam", above=0.0, doc="Cells whose middle is nearer to a source than this are to find it."
    )
    ignored: float = option(
        1.0, unit="beam", above=0.0, doc="Cells between `positive` and this are neither right nor wrong."
    )
    faintest: float = option(
        2.0, unit="sigma", at_least=0.0, doc="Fainter objects (peak over noise) are not learnt."
    )
    objectness: float = option(1.0, above=0.0, doc="Weight of the objectness in the loss.")
    shapes: float = option(0.15, above=0.0, doc="Weight of each parameter of a source in the loss.")
    classes: float = option(0.3, above=0.0, doc="Weight of the class in the loss.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.widths) != len(self.depths) or not 1 <= len(self.widths) <= 5:
            raise ValueError("widths and depths have the same length, 1 to 5")
        if self.ignored < self.positive:
            raise ValueError("ignored is not smaller than positive")
        return self

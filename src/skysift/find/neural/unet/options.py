"""The menu of the model unet; light: nothing here imports torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from skysift.base.options import Options, option

__all__ = ["UnetModelOptions"]


class UnetModelOptions(Options):
    """What each pixel is part of: its class, how far inside its object it is, and where the object's centre lies."""

    body: Literal["residual", "tiramisu"] = option(
        "residual", doc="Residual U-Net, or FC-DenseNet (Jegou et al. 2017, CVPRW), which is slower."
    )
    widths: tuple[int, ...] = option(
        (32, 48, 64, 96, 96),
        doc="Channels at the strides 2, 4, 8, ...; of the tiramisu at the first alone, the rest follow from `growth`.",
    )
    depths: tuple[int, ...] = option(
        (1, 2, 2, 2, 2), doc="Residual blocks at each of them; layers of each dense block of the tiramisu."
    )
    growth: int = option(12, at_least=4, doc="Channels that each layer of the tiramisu adds.")
    faintest: float = option(
        4.0, unit="sigma", at_least=0.0, doc="Objects that are as bright (peak over noise) are learnt."
    )
    doubtful: float = option(
        2.5,
        unit="sigma",
        at_least=0.0,
        doc="Fainter ones are background; those between this and `faintest` are neither right nor wrong.",
    )
    class_weights: tuple[float, ...] = option(
        (0.6, 1.5, 1.0, 1.0, 2.0, 1.5),
        doc="Weights in the cross entropy of background, spurious, compact, extended, extended-multisland, flagged.",
    )
    dice: float = option(0.5, at_least=0.0, doc="Weight of the soft Dice loss of the classes.")
    core: float = option(1.0, above=0.0, doc="Weight of how far inside its object a pixel is.")
    centre: float = option(0.3, above=0.0, doc="Weight of the way to the centre of the object.")
    coarse: float = option(
        0.4,
        at_least=0.0,
        at_most=1.0,
        doc="Part of the batches that are shown binned, two thirds of them by 2, the others by 4.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.widths) != len(self.depths) or not 1 <= len(self.widths) <= 5:
            raise ValueError("widths and depths have the same length, 1 to 5")
        if min(*self.widths, *self.depths) < 1:
            raise ValueError("widths and depths are 1 at least")
        if self.doubtful > self.faintest:
            raise ValueError("doubtful is not larger than faintest")
        if len(self.class_weights) != 6 or min(self.class_weights) <= 0.0:
            raise ValueError("class_weights are six numbers above 0")
        return self

"""The menus of the yolo models; light: nothing here imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from skysift.base.options import Options, option

__all__ = ["BoxOptions", "CubeOptions", "DenseOptions", "GridOptions", "HeadOptions", "TrunkOptions"]


class TrunkOptions(Options):
    """What all heads have: the trunk that they look through, and what they learn."""

    widths: tuple[int, ...] = option((32, 64, 96), doc="Channels at the strides 2, 4, 8, ...")
    depths: tuple[int, ...] = option((2, 2, 3), doc="Residual blocks at each of them.")
    faintest: float = option(
        2.0, unit="sigma", at_least=0.0, doc="Fainter objects (peak over noise) are not learnt."
    )
    shapes: float = option(0.15, above=0.0, doc="Weight of each parameter of a source in the loss.")

    @model_validator(mode="after")
    def _as_many_depths(self) -> Self:
        if len(self.widths) != len(self.depths) or not 1 <= len(self.widths) <= 5:
            raise ValueError("widths and depths have the same length, 1 to 5")
        return self


class HeadOptions(TrunkOptions):
    """What the heads for maps have, too."""

    coarse: float = option(
        0.1,
        at_least=0.0,
        below=1.0,
        doc="Part of the batches that are shown binned, two thirds of them by 2, the others by 4, as the map is for wide "
        "sources; 0: the network looks at the map itself alone.",
    )
    classes: float = option(0.3, above=0.0, doc="Weight of the class in the loss.")


class DenseOptions(HeadOptions):
    """One prediction a cell of 2 x 2 pixels: for maps on which sources crowd."""

    positive: float = option(
        0.6, unit="beam", above=0.0, doc="Cells whose middle is nearer to a source than this are to find it."
    )
    ignored: float = option(
        1.0, unit="beam", above=0.0, doc="Cells between `positive` and this are neither right nor wrong."
    )
    objectness: float = option(1.0, above=0.0, doc="Weight of the objectness in the loss.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.ignored < self.positive:
            raise ValueError("ignored is not smaller than positive")
        return self


class BoxOptions(TrunkOptions):
    """Several boxes a cell, each with a size of its own to begin from, along two axes or three."""

    n_axes: ClassVar[int] = 2

    widths: tuple[int, ...] = option(
        (32, 64, 128), doc="Channels at the strides 2, 4, 8, ...; the last stride is the side of a cell."
    )
    depths: tuple[int, ...] = option((1, 2, 4), doc="Residual blocks at each of them.")
    if TYPE_CHECKING:  # each declares its own: what a side is measured in differs
        priors: tuple[tuple[float, ...], ...]
    empty: tuple[float, ...] = option(
        (0.15,), doc="Weight in the loss of a box of each prior that is to find nothing."
    )
    early: int = option(
        1000,
        unit="crop",
        at_least=0,
        doc="Boxes are given to sources by chance until so many crops were seen.",
    )
    forced: float = option(
        0.9,
        at_least=0.0,
        at_most=1.0,
        doc="Probability that a source gets the box of the prior nearest in size.",
    )
    random: float = option(
        0.02, at_least=0.0, at_most=1.0, doc="Probability that a source gets a box by chance."
    )
    poor: float = option(
        -0.1,
        at_least=-1.0,
        at_most=1.0,
        doc="DIoU below which a source gets the box of the prior nearest in size.",
    )
    good: float = option(
        0.5,
        above=0.0,
        below=1.0,
        doc="DIoU with a source beyond which a box that is not its own is not wrong.",
    )
    believed: float = option(
        -0.3,
        at_least=-1.0,
        below=1.0,
        doc="DIoU that a box needs for its objectness and probability to be learnt.",
    )
    described: float = option(
        -0.1,
        at_least=-1.0,
        below=1.0,
        doc="DIoU that a box needs for parameters and class of its source to be learnt.",
    )
    double: float = option(
        0.3, at_least=0.0, at_most=1.0, doc="DIoU with a better box beyond which a box is the same source."
    )
    doubted: float = option(
        0.1,
        above=0.0,
        at_most=1.0,
        doc="Boxes with a lower probability of a source score less, in proportion.",
    )
    position: float = option(36.0, above=0.0, doc="Weight of the position in the loss.")
    size: float = option(2.0, above=0.0, doc="Weight of the sides of the box in the loss.")
    probability: float = option(0.5, above=0.0, doc="Weight of the probability of a source in the loss.")
    objectness: float = option(2.0, above=0.0, doc="Weight of the objectness in the loss.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.priors or len(self.priors) != len(self.empty):
            raise ValueError("priors and empty have the same length, 1 or more")
        if any(len(prior) != self.n_axes for prior in self.priors):
            raise ValueError(f"priors have {self.n_axes} sides")
        if min(side for prior in self.priors for side in prior) <= 0.0:
            raise ValueError("priors are above 0")
        if min(self.empty) < 0.0:
            raise ValueError("empty is 0 or more")
        return self

    @property
    def cell(self) -> int:
        """Pixels across a cell."""
        return int(2 ** len(self.widths))


class GridOptions(HeadOptions, BoxOptions):
    """Several boxes a cell, each with a size of its own to begin from: for maps with sources of many sizes."""

    priors: tuple[tuple[float, float], ...] = option(
        (*((2.4, 2.4),) * 6, (3.6, 4.8), (4.8, 3.6), (9.6, 9.6)),
        unit="beam",
        doc="Height and width of the boxes of a cell; several of one size tell sources apart that share a cell.",
    )
    empty: tuple[float, ...] = option(
        (*(0.15,) * 6, *(0.05,) * 3),
        doc="Weight in the loss of a box of each prior that is to find nothing.",
    )
    near: float = option(
        0.95, unit="beam", at_least=0.0, doc="Nearer than this to a better box, a box is the same source."
    )


class CubeOptions(BoxOptions):
    """Several boxes a cell of a cube: for galaxies in the 21 cm line, and other lines that are some channels wide."""

    n_axes: ClassVar[int] = 3

    widths: tuple[int, ...] = option(
        (16, 32, 64), doc="Channels at the strides 2, 4, 8, ...; the last stride is the side of a cell."
    )
    depths: tuple[int, ...] = option((1, 2, 3), doc="Residual blocks at each of them.")
    faintest: float = option(
        2.0,
        unit="sigma",
        at_least=0.0,
        doc="Fainter lines (signal over noise of the whole line) are not learnt.",
    )
    priors: tuple[tuple[float, float, float], ...] = option(
        ((12.0, 2.4, 2.4), (30.0, 2.4, 2.4), (30.0, 3.6, 3.6), (48.0, 6.0, 6.0)),
        doc="Channels, height and width of the boxes of a cell; the last two in units of the beam.",
    )
    empty: tuple[float, ...] = option(
        (0.15, 0.15, 0.15, 0.15),
        doc="Weight in the loss of a box of each prior that is to find nothing.",
    )
    double: float = option(
        0.0,
        above=-1.0,
        at_most=1.0,
        doc="DIoU with a better box beyond which a box is the same source.",
    )

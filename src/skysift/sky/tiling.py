"""Windows of a map: tiles that cover it once, and the blocks of islands that share one read."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skysift.base.errors import UsageError
from skysift.base.settings import SMALLEST_TILE
from skysift.sky.box import Box


@dataclass(frozen=True)
class Tiling:
    """
    Tiles that cover a box once, in map order.

    Parameters
    ----------
    area
        Half-open box of pixels to cover.
    tile
        A tile holds about the square of this many pixels, 64 or more; it is wider than high, for files are read
        along rows. Says how much is read at once and nothing else: no result depends on it.
    anchor
        Tiles start at multiples of this (a mesh cell, say), so that none of those is cut.

    Raises
    ------
    UsageError
        Where the tile is smaller than 64 pixels.
    """

    area: Box
    tile: int = 1024
    anchor: int = 1

    def __post_init__(self) -> None:
        if self.tile < SMALLEST_TILE:
            raise UsageError(
                "the tile is too small",
                got=self.tile,
                allowed=f"{SMALLEST_TILE} pixels or more",
                todo="give --tile 1024",
            )

    @property
    def steps(self) -> tuple[int, int]:
        """Height and width of a tile in pixels: multiples of the anchor, as wide as the area if that leaves 64 rows."""
        pixels = self.tile * self.tile
        width = min(max(self.area.shape[1], self.tile), pixels // SMALLEST_TILE)
        height = pixels // width
        return max(self.anchor, height // self.anchor * self.anchor), -(-width // self.anchor) * self.anchor

    def __iter__(self) -> Iterator[Box]:
        height, width = self.steps
        for y in range(self.area.y0 // height * height, self.area.y1, height):
            for x in range(self.area.x0 // width * width, self.area.x1, width):
                box = Box(y, y + height, x, x + width).intersect(self.area)
                if box.size:
                    yield box

    def __len__(self) -> int:
        return len(list(iter(self)))


@dataclass(frozen=True, eq=False)
class NoisyTile:
    """
    Pixels of one window with the noise that was measured for them.

    Attributes
    ----------
    box
        Where the window lies, half-open pixels of the map.
    data, level, rms
        Brightness, background and noise, float32 ``(y, x)``, Jy/beam; NaN in ``data`` where the map is blank.
    whole
        Shape of the map.
    """

    box: Box
    data: npt.NDArray[np.float32]
    level: npt.NDArray[np.float32]
    rms: npt.NDArray[np.float32]
    whole: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Piece:
    """
    Merged objects of one neighbourhood, read once more from the map, with their labels.

    Attributes
    ----------
    tile
        Pixels and noise around the objects.
    labels
        int32 ``(y, x)``: number of the object that a pixel belongs to, 0 for none. Other objects of the
        neighbourhood are labelled too, so that nobody takes their pixels.
    members
        Labels of the objects that this piece answers for, ascending.
    boxes
        int64 ``(object, 4)``: the members' boxes ``(y0, y1, x0, x1)`` in pixels of the map.
    sign
        int64 ``(object,)``: 1, or -1 for objects that were found in the inverted map.
    beams
        float64 ``(object, 3)``: covariance (xx, xy, yy) of the beam at each object, pixels squared.
    """

    tile: NoisyTile
    labels: npt.NDArray[np.int32]
    members: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.int64]
    sign: npt.NDArray[np.int64]
    beams: npt.NDArray[np.float64]

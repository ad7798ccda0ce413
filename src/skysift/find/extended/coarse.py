"""Giants on a coarser map: blocks of pixels, read strip by strip, so that memory stays bounded."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skysift.find.extended.residual import Residual
from skysift.measure.distance import square_distances
from skysift.sky.box import Box
from skysift.sky.mask import Mask

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

STRIP = 1 << 22  # pixels that are read at once, about


@dataclass(frozen=True, eq=False)
class Blocks:
    """
    A box of a map in blocks of `factor` x `factor` pixels, anchored to the map's first pixel.

    Attributes
    ----------
    y0, x0
        The first block, in blocks.
    data, level, rms
        Means of the pixels with data ``(y, x)``; NaN in ``data`` where fewer than half have any.
    labels
        1 where at least half of the pixels belong to the segment, 2 elsewhere where any belongs to another.
    blocked
        Further blocks of which any pixel is hidden, or belongs to the segment beyond its rim.
    """

    y0: int
    x0: int
    data: Pixels
    level: Pixels
    rms: Pixels
    labels: Labels
    blocked: Bools


def blocks_of(
    residual: Residual, box: Box, factor: int, mask: Mask, label: int, hidden: Mask, rim: float
) -> Blocks:
    """
    The blocks that cover a box.

    Parameters
    ----------
    residual
        The map without compact sources.
    factor
        Pixels along the side of a block.
    mask, label
        Segments, and which of them is meant.
    hidden
        Pixels that tell nothing of the background.
    rim
        Pixels around the segment that are summed with it: blocks there with less than half of their pixels in the
        segment are free.
    """
    whole = Box.of(residual.image.shape)
    y0, x0 = box.y0 // factor, box.x0 // factor
    y1, x1 = -(-box.y1 // factor), -(-box.x1 // factor)
    shape = (y1 - y0, x1 - x0)
    data, level, rms = (np.empty(shape, np.float32) for _ in range(3))
    labels, blocked, partly = np.zeros(shape, np.int32), np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    height = max(1, STRIP // (factor * factor * shape[1]))
    for top in range(y0, y1, height):
        bottom = min(top + height, y1)
        wide = Box(top * factor, bottom * factor, x0 * factor, x1 * factor)
        strip = wide.intersect(whole)
        tile = residual.tile(strip)
        painted = mask.paint(strip)
        part = np.s_[top - y0 : bottom - y0]
        good = np.isfinite(tile.data)
        room = ((0, wide.shape[0] - strip.shape[0]), (0, wide.shape[1] - strip.shape[1]))

        def summed(values: npt.NDArray[np.generic], rows: int = bottom - top, room: object = room) -> Floats:
            padded = np.pad(np.asarray(values, np.float64), room)  # type: ignore[call-overload]
            return np.asarray(padded.reshape(rows, factor, shape[1], factor).sum(axis=(1, 3)))

        count = summed(good)
        some = np.maximum(count, 1.0)
        mean = summed(np.where(good, tile.data, 0.0)) / some
        data[part] = np.where(count >= 0.5 * factor * factor, mean, np.nan)
        level[part] = summed(np.where(good, tile.level, 0.0)) / some
        rms[part] = np.where(count > 0.0, summed(np.where(good, tile.rms, 0.0)) / some, 1.0)
        own = summed(painted == label)
        mine = own >= 0.5 * factor * factor
        others = summed((painted > 0) & (painted != label)) > 0.0
        labels[part] = np.where(mine, 1, np.where(others, 2, 0))
        blocked[part] = (summed(hidden.paint(strip) > 0) > 0.0) & (labels[part] == 0)
        partly[part] = (own > 0.0) & (labels[part] == 0)
    if partly.any():
        away = np.empty(shape, np.int32)
        square_distances(labels == 1, away)
        blocked |= partly & (away > (rim / factor) ** 2)
    return Blocks(y0, x0, data, level, rms, labels, blocked)


def block_noise(correlation: Floats, factor: int) -> tuple[float, Ints, Floats]:
    """
    Noise of a mean over a block in units of that of a pixel, and how those of blocks go together.

    Parameters
    ----------
    correlation
        Autocorrelation of the noise of pixels ``(dy, dx)``, 1 at its centre.

    Returns
    -------
    tuple
        The ratio, lags ``(n, 2)`` (dy, dx) in blocks, and the correlation at each.
    """
    n_y, n_x = correlation.shape[0] // 2, correlation.shape[1] // 2

    def shares(n: int) -> Floats:
        """How often a lag of pixels occurs between two blocks ``(lag of blocks, lag of pixels)``."""
        far = -(-n // factor)
        lags = np.arange(-n, n + 1)
        apart = np.abs(lags - factor * np.arange(-far, far + 1)[:, None])
        return np.asarray(np.maximum(factor - apart, 0.0) / factor**2)

    table = shares(n_y) @ correlation @ shares(n_x).T
    v, u = (np.arange(k) - k // 2 for k in table.shape)
    middle = float(table[len(v) // 2, len(u) // 2])
    used = table > 1e-3 * middle
    lags = np.stack(np.meshgrid(v, u, indexing="ij"), axis=-1)[used]
    return float(np.sqrt(middle)), np.ascontiguousarray(lags, np.int64), table[used] / middle

"""`Residual`: a map without its compact sources: what a model describes is subtracted, what none does is left blank."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from skysift.find.noise import Noise
from skysift.measure import island as row
from skysift.measure.gaussian import SUPPORT, model_in
from skysift.measure.measured import Measured
from skysift.sky.box import Box
from skysift.sky.detections import Footprints
from skysift.sky.image import SkyImage
from skysift.sky.mask import Mask
from skysift.sky.shapes import determinants
from skysift.sky.tiling import NoisyTile

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]

COMPACT = 0.9  # of the flux of a compact island is in compact Gaussians
RESOLVED = 2.5  # sigma by which a Gaussian is wider than the beam
LEFT = 5.0  # sigma; what the model of a compact source leaves at most
LEFT_SHARE = 0.02  # of its peak, where that is more: gains and pixels are no better known


@dataclass(frozen=True, eq=False)
class Residual:
    """
    A map without some of its Gaussians.

    Attributes
    ----------
    image, noise
        The map, and its background and noise.
    gaussians
        ``(n, 6)``: amplitude (Jy/beam), x, y, covariance (xx, xy, yy; pixels squared) of what is subtracted.
    hidden
        Pixels (label 1) that no model describes; they are blank.
    sign
        -1: the map is looked at upside down.
    """

    image: SkyImage
    noise: Noise = field(repr=False)
    gaussians: Floats
    hidden: Mask
    sign: int = 1

    @cached_property
    def _by_row(self) -> tuple[Ints, Floats, float]:
        """The Gaussians in the order of y, these, and how many rows the largest of them reaches."""
        order = np.argsort(self.gaussians[:, 2], kind="stable")
        return (
            order,
            self.gaussians[order, 2],
            float(np.sqrt(SUPPORT * self.gaussians[:, 5].max(initial=0.0))),
        )

    def model(self, box: Box) -> Floats:
        """What is subtracted in a box, ``(y, x)``, Jy/beam; no more is looked at than the rows of the box."""
        order, y, reach = self._by_row
        first, last = np.searchsorted(y, (box.y0 - reach - 1.0, box.y1 + reach + 1.0))
        near = np.sort(order[first:last])  # in their own order, so that no sum depends on the box
        return model_in(box, self.gaussians[near])

    def tile(self, box: Box) -> NoisyTile:
        """Pixels of a box with their noise; hidden ones are blank."""
        tile = self.noise.tile(self.image, box)
        data = (tile.data - self.model(box)).astype(np.float32)
        if len(self.hidden):
            data[self.hidden.paint(box) > 0] = np.nan
        if self.sign < 0:
            return NoisyTile(box, -data, -tile.level, tile.rms, tile.whole)
        return NoisyTile(box, data, tile.level, tile.rms, tile.whole)

    def snr(self, box: Box) -> Pixels:
        """Signal to noise of a box, float32 ``(y, x)``; NaN where there are no data."""
        tile = self.tile(box)
        return np.asarray((tile.data - tile.level) / tile.rms, np.float32)


def is_compact(measured: Measured, largest: float) -> Bools:
    """
    Which islands ``(n,)`` are compact: compact Gaussians hold nine tenths of their flux.

    A Gaussian is compact up to `largest` beam areas, or up to twice that where noise may have widened it. Islands
    without a component are not compact.
    """
    rows = measured.components
    owner = rows[:, row.ISLAND].astype(np.int64)
    n = len(measured.islands)
    ratio = np.sqrt(determinants(rows[:, row.XX : row.YY + 1]) / determinants(measured.beams))
    flux = np.abs(rows[:, row.FLUX])
    vague = (ratio <= 2.0 * largest) & ~(rows[:, row.RESOLUTION] > RESOLVED)
    small = np.bincount(owner, flux * ((ratio <= largest) | vague), n)
    whole = np.bincount(owner, flux, n)
    return np.asarray((whole > 0.0) & (small >= COMPACT * whole))


def is_described(measured: Measured) -> Bools:
    """Which islands ``(n,)`` their Gaussians describe: what they leave is noise, or a small part of the peak."""
    islands = measured.islands
    left = np.abs(islands[:, row.I_REST_PEAK])
    snr = np.abs(islands[:, row.I_PEAK]) / islands[:, row.I_RMS]
    return np.asarray(left <= np.maximum(LEFT, LEFT_SHARE * snr))


def around(footprints: Footprints, chosen: Bools, radius: tuple[int, int], shape: tuple[int, int]) -> Mask:
    """
    The pixels within some rows and columns of the chosen footprints, as one label.

    Parameters
    ----------
    radius
        Half axes (y, x) of the ellipse that is put around each pixel.
    """
    pick = chosen[footprints.index]
    rows, start, stop = footprints.row[pick], footprints.start[pick], footprints.stop[pick]
    if not len(rows):
        return Mask.empty(shape)
    tall, wide = radius
    dy = np.arange(-tall, tall + 1)
    half = np.floor(wide * np.sqrt(np.maximum(1.0 - (dy / max(tall, 1)) ** 2, 0.0))).astype(np.int64)
    row_ = (rows[:, None] + dy).ravel()
    first, last = (start[:, None] - half).ravel(), (stop[:, None] + half).ravel()
    inside = (row_ >= 0) & (row_ < shape[0])
    first, last = np.maximum(first, 0), np.minimum(last, shape[1])
    runs = Footprints(row_[inside], first[inside], last[inside], np.zeros(int(inside.sum()), np.int64))
    return Mask(runs.row, runs.start, runs.stop, runs.index + 1, shape)

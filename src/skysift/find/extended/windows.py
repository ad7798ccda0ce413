"""Windows of a lattice that is anchored to the first pixel of the map: what is not local gives the same in any tile."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from skysift.find.extended.scales import ENOUGH, levels_of, significance, smooth_step, smoothed_variance
from skysift.find.extended.segmenter import Segmenter, Setting
from skysift.sky.box import Box

Pixels = npt.NDArray[np.float32]

LARGEST = 1024  # pixels from window to window: what one window holds stays in memory


@dataclass(frozen=True)
class Lattice:
    """
    Windows that overlap, and their cores, which cover every pixel once.

    Attributes
    ----------
    step
        Pixels from core to core; the first begins at the first pixel of the map.
    margin
        Pixels of a window around its core.
    shape
        Rows and columns of the map, which cuts windows and cores.
    """

    step: int
    margin: int
    shape: tuple[int, int]

    @property
    def halo(self) -> int:
        """Pixels around a box that the windows of its pixels reach."""
        return self.step - 1 + self.margin

    def within(self, box: Box) -> Iterator[tuple[Box, Box]]:
        """Core and window of each window that lies in a box: of all pixels that are `halo` away from its border."""
        whole = Box.of(self.shape)
        rows, columns = (
            range(low // self.step, -(-high // self.step))
            for low, high in ((box.y0, box.y1), (box.x0, box.x1))
        )
        for i, j in product(rows, columns):
            core = Box(i * self.step, (i + 1) * self.step, j * self.step, (j + 1) * self.step)
            window = core.expand(self.margin).intersect(whole)
            if box.holds(window):
                yield core.intersect(whole), window


class WindowedSegmenter(Segmenter):
    """
    A segmenter that looks at windows of a lattice; a pixel takes its value from the window whose core holds it.

    Attributes
    ----------
    lattice
        The windows.
    """

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        options, beam = setting.options, setting.beam
        step = min(2 ** int(np.ceil(np.log2(options.window_step * beam))), LARGEST)  # whole cores fit tiles
        self.lattice = Lattice(step, int(np.ceil(options.window_margin * beam)), setting.shape)

    @property
    def halo(self) -> int:
        """The reach of a window."""
        return self.lattice.halo

    def maps(self, z: Pixels, box: Box) -> list[Pixels]:
        """What `look` says of each window in its core; NaN outside of the cores."""
        found = [np.full(z.shape, np.nan, np.float32) for _ in self.scales]
        for core, window in self.lattice.within(box):
            part = np.ascontiguousarray(z[_place(window, box)])
            if np.isnan(part[_place(core, window)]).all():
                continue
            for out, values in zip(found, self.look(part), strict=True):
                inner = values[_place(core, window)]
                out[_place(core, box)] = np.where(np.isfinite(part[_place(core, window)]), inner, np.nan)
        return found

    @abstractmethod
    def look(self, z: Pixels) -> list[Pixels]:
        """For each scale, the significance (sigma) of emission in one window, float32 ``(y, x)``.

        Parameters
        ----------
        z
            Signal to noise of the window; NaN where there are no data.
        """

    def smoothed(self, z: Pixels, beams: float) -> Pixels:
        """Significance of a window smoothed to about so many beams (FWHM), float32 ``(y, x)``; 0 with few data."""
        level = levels_of(self.setting.beam, max(beams, 1.0))[-1]
        sigma = float(np.sqrt(smoothed_variance(self.setting.correlation, level)))
        good = np.isfinite(z)
        sums, weights = np.where(good, z, 0.0).astype(np.float64), good.astype(np.float64)
        room, half, out = np.empty(z.shape), np.empty(z.shape), np.empty(z.shape, np.float32)
        for k in range(level):
            smooth_step(sums, 2**k, room, half)
            sums, room = room, sums
            smooth_step(weights, 2**k, room, half)
            weights, room = room, weights
        significance(sums, weights, sigma, ENOUGH, out)
        return np.nan_to_num(out, copy=False)


def _place(inner: Box, outer: Box) -> tuple[slice, slice]:
    """Where a box lies in an array of another."""
    return np.s_[inner.y0 - outer.y0 : inner.y1 - outer.y0, inner.x0 - outer.x0 : inner.x1 - outer.x0]

"""`ContourSegmenter`: contours that move to where two levels, inside and outside, describe a window best."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label
from skimage.segmentation import chan_vese

from skysift.find.extended.regions import Lags, Regions
from skysift.find.extended.segmenter import Setting
from skysift.find.extended.windows import WindowedSegmenter

Pixels = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

WIDTH = 1.0  # beams; smoothing of the map that contours are drawn on
LOW, HIGH = -3.0, 6.0  # sigma; what is brighter counts as this, not to be all that is inside
LENGTH = 3.0  # sigma squared a pixel: what a contour costs
LUCK = 1.0  # sigma; a contour is put where noise is brightest, and the mean inside of it is so much too high
STEP = 0.5  # of the level set
STILL = 1e-3  # change of the level set at which it stops
TOUCH = np.ones((3, 3), np.int64)  # pixels that meet at corners are connected


class ContourSegmenter(WindowedSegmenter):
    """
    How significant what lies inside of each closed contour is, on the smoothed map; 0 outside.

    Active contours without edges (Chan & Vese 2001, IEEE Trans. Image Process. 10, 266). The level set is real
    valued; the binary one of scikit-image keeps a state between calls, so that results would depend on their order.
    """

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.lags = Lags.of(setting.correlation)

    @property
    def scales(self) -> tuple[str, ...]:
        """One: the width of the smoothing in beams."""
        return (f"{WIDTH:g}",)

    def look(self, z: Pixels) -> list[Pixels]:
        """The mean inside of each contour above the mean outside of all, over its noise, less what luck gives."""
        options = self.setting.options
        inside = contour(self.smoothed(z, WIDTH), options.contour_start, options.contour_steps)
        return [self._significance(z, inside)]

    def _significance(self, z: Pixels, inside: Bools) -> Pixels:
        """Of the region of each pixel inside; 0 outside."""
        good = np.isfinite(z)
        labels, n = label(inside & good, TOUCH)
        if not n:
            return np.zeros(z.shape, np.float32)
        outside = good & ~inside
        level = float(z[outside].mean(dtype=np.float64)) if outside.any() else 0.0
        regions = Regions.of(labels.astype(np.int64) - 1, z, self.lags)
        value = np.maximum((regions.mean - level) / regions.noise - LUCK, 0.0)
        return np.append(value, 0.0)[labels - 1].astype(np.float32)


def contour(values: Pixels, start: float, steps: int) -> Bools:
    """
    Which pixels ``(y, x)`` lie inside of contours that begin where `values` (sigma) cross a threshold.

    Parameters
    ----------
    start
        The threshold; nothing is inside where no pixel reaches it.
    steps
        Iterations at most.
    """
    if min(values.shape) < 3 or not (values > start).any():
        return np.zeros(values.shape, np.bool_)
    image = np.clip(values, LOW, HIGH).astype(np.float64)
    weight = float(np.ptp(image)) ** 2  # the levels are scaled to 0 .. 1
    inside = chan_vese(  # type: ignore[no-untyped-call]
        image,
        mu=LENGTH,
        lambda1=weight,
        lambda2=weight,
        tol=STILL,
        max_num_iter=steps,
        dt=STEP,
        init_level_set=image - start,
    )
    return np.asarray(inside, np.bool_)

"""`SaliencySegmenter`: superpixels that stand out from those around them, at several sizes."""

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from skysift.find.extended.regions import Lags, Regions, superpixels
from skysift.find.extended.segmenter import Setting
from skysift.find.extended.windows import WindowedSegmenter

Pixels = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

SIZES = (1.0, 1.5, 2.0)  # sides of the superpixels, in those of the smallest
MEDIAN = float(np.sqrt(np.pi / 2.0))  # noise of a median over that of a mean


class SaliencySegmenter(WindowedSegmenter):
    """
    How much superpixels differ from the nearest others, on the mean of several sizes.

    The saliency of CAESAR (Riggi et al. 2016, MNRAS 460, 1486) with two differences: a superpixel is compared to its
    nearest neighbours only, so that cost is linear in pixels, and the difference is in units of its own noise.
    Superpixels of each size end elsewhere, and the mean tells where most of them see the border of a source.
    """

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.lags = Lags.of(setting.correlation)

    @property
    def scales(self) -> tuple[str, ...]:
        """One: the sides of the superpixels in beams."""
        return (f"{'/'.join(f'{k * self.setting.options.superpixel_size:g}' for k in SIZES)}",)

    def look(self, z: Pixels) -> list[Pixels]:
        """The saliency of each pixel in sigma; as the mean of numbers of 1 sigma it scatters by 1 sigma at most."""
        options, beam = self.setting.options, self.setting.beam
        total = np.zeros(z.shape)
        for k in SIZES:
            side = k * options.superpixel_size
            values = self.smoothed(z, 0.5 * side)
            labels = superpixels(values, side * beam, options.superpixel_contrast)
            total += saliency(Regions.of(labels, z, self.lags), options.saliency_neighbours)[labels]
        return [(total / len(SIZES)).astype(np.float32)]


def saliency(regions: Regions, neighbours: int) -> Floats:
    """
    How far each region lies above the median of its nearest regions, in units of the noise of the difference.

    NaN for regions without data.
    """
    out = np.full(len(regions.count), np.nan)
    has = np.flatnonzero(regions.count)
    if not len(has):
        return out
    places = np.stack([regions.y[has], regions.x[has]], axis=1)
    mean, noise = regions.mean[has], regions.noise[has]
    k = min(neighbours + 1, len(has))
    if k < 2:
        out[has] = mean / noise
        return out
    near = np.asarray(cKDTree(places).query(places, k)[1])[:, 1:]
    around = np.median(mean[near], axis=1)
    spread = MEDIAN * np.sqrt((noise[near] ** 2).mean(axis=1) / near.shape[1])
    out[has] = (mean - around) / np.hypot(noise, spread)
    return out

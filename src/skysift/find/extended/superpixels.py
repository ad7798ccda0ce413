"""`SuperpixelSegmenter`: superpixels that are merged with their neighbours while their means agree."""

import numpy as np
import numpy.typing as npt

from skysift.find.extended.regions import Lags, Regions, superpixels
from skysift.find.extended.segmenter import Setting
from skysift.find.extended.windows import WindowedSegmenter

Pixels = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SIDE = 2.0  # of the superpixels that are merged, in those of the smallest: their means tell more than noise


class SuperpixelSegmenter(WindowedSegmenter):
    """
    How far the regions that superpixels merge to lie above the level of their window.

    As the hierarchical clustering of CAESAR (Riggi et al. 2016, MNRAS 460, 1486), on a graph that holds neighbours
    only: no matrix of all pairs.
    """

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.lags = Lags.of(setting.correlation)
        self.correlated = float(max(setting.correlation.sum(), 1.0))  # pixels that noise is alike in

    @property
    def scales(self) -> tuple[str, ...]:
        """One: the side of the superpixels in beams."""
        return (f"{SIDE * self.setting.options.superpixel_size:g}",)

    def look(self, z: Pixels) -> list[Pixels]:
        """The significance of the region of each pixel."""
        options, beam = self.setting.options, self.setting.beam
        side = SIDE * options.superpixel_size
        labels = superpixels(self.smoothed(z, 0.5 * side), side * beam, options.superpixel_contrast)
        labels = np.where(np.isfinite(z), labels, -1)
        most = options.superpixel_sure * beam**2
        labels = merge(labels, z, self.correlated, options.superpixel_merge, most)
        regions = Regions.of(labels, z, self.lags)
        value = (regions.mean - level(regions)) / regions.noise
        return [np.append(value, np.nan)[labels].astype(np.float32)]


def level(regions: Regions) -> float:
    """The mean that half of the pixels of a window do not exceed."""
    has = np.flatnonzero(regions.count)
    order = has[np.argsort(regions.mean[has], kind="stable")]
    below = np.cumsum(regions.count[order])
    return float(regions.mean[order[np.searchsorted(below, 0.5 * below[-1])]])


def merge(labels: Ints, z: Pixels, correlated: float, limit: float, most: float) -> Ints:
    """
    Labels of regions, from 0, after neighbours whose means agree were merged, those that agree best first.

    The distance of two is that of Ward (1963, J. Am. Stat. Assoc. 58, 236) in units of noise, (difference of the means)^2
    over its variance, with that of a mean of n pixels 1 / (1 + n / correlated), as for Gaussian weights and Gaussian
    noise. Two merge when each is the nearest of the other: many pairs in one round, in the order that one by one from
    a heap would take.

    Parameters
    ----------
    labels
        Superpixels ``(y, x)``, from 0; -1 where there are no data.
    z
        Signal to noise ``(y, x)``.
    correlated
        Pixels in which noise is alike: the sum of its autocorrelation.
    limit
        Regions farther apart (sigma) do not merge.
    most
        The mean of more pixels than this is taken to be no better known, for merged regions are chosen to be alike.
    """
    n = int(labels.max()) + 1
    good = labels >= 0
    count: Floats = np.bincount(labels[good], minlength=n).astype(np.float64)
    total = np.bincount(labels[good], z[good].astype(np.float64), n)
    home = np.arange(n)  # the region of each superpixel
    a, b = _edges(
        np.concatenate([labels[:, :-1].ravel(), labels[:-1].ravel()]),
        np.concatenate([labels[:, 1:].ravel(), labels[1:].ravel()]),
    )
    while len(a):
        mean = total / np.maximum(count, 1.0)
        variance = 1.0 / (1.0 + np.minimum(count, most) / correlated)
        distance = (mean[a] - mean[b]) ** 2 / (variance[a] + variance[b])
        near = np.flatnonzero(distance < limit**2)
        order = near[np.argsort(distance[near], kind="stable")]
        rank = np.arange(len(order))
        best = np.full(n, len(order))
        np.minimum.at(best, a[order], rank)
        np.minimum.at(best, b[order], rank)
        chosen = order[(best[a[order]] == rank) & (best[b[order]] == rank)]
        if not len(chosen):
            break
        into = np.arange(n)
        into[b[chosen]] = a[chosen]
        home = into[home]
        count = np.asarray(np.bincount(into, count, n), np.float64)
        total = np.asarray(np.bincount(into, total, n), np.float64)
        a, b = _edges(into[a], into[b])
    _, compact = np.unique(home, return_inverse=True)
    return np.where(good, np.append(compact, -1)[labels], -1)


def _edges(one: Ints, other: Ints) -> tuple[Ints, Ints]:
    """Pairs of different regions that touch, each once, the smaller number first, in order."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    real = (low >= 0) & (low != high)
    width = int(high.max(initial=0)) + 1
    key = np.unique(low[real] * width + high[real])
    return key // width, key % width

"""The noise of a map, read from its negative pixels: boxes that stand for it, and how far below zero they are."""

import numpy as np
import numpy.typing as npt

from skysift.sky.box import Box

Ints = npt.NDArray[np.int64]

STEP = 0.01  # sigma; of the histograms of negative significance
BINS = 2000
HALF = 0.6826894921370859  # of the absolute values of a Gaussian lie within 1 sigma
SAMPLE = 256  # pixels along the side of a box that stands for its neighbourhood
FEW_SAMPLES = 25  # boxes that are all looked at
FEWEST = 1000  # negative pixels from which the noise of a scale is read


def samples(shape: tuple[int, int]) -> list[Box]:
    """Boxes of a lattice from the first pixel on that stand for a map: all of a small one, every fifth of a large."""
    rows, columns = (-(-n // SAMPLE) for n in shape)
    every = 1 if rows * columns <= FEW_SAMPLES else 5
    return [
        Box(i * SAMPLE, (i + 1) * SAMPLE, j * SAMPLE, (j + 1) * SAMPLE).intersect(Box.of(shape))
        for i in range(rows)
        for j in range(columns)
        if (i + 2 * j) % every == 0
    ]


def tally(values: npt.NDArray[np.floating]) -> Ints:
    """Counts ``(bin,)`` of how far below zero (sigma) values are; NaN counts nowhere."""
    below = -values[values < 0.0]
    bins = np.minimum((below / STEP).astype(np.int64), BINS - 1)
    return np.bincount(bins, minlength=BINS)


def scatter(counts: Ints) -> float:
    """Noise (sigma) of a scale from the counts of its negative pixels, 1 where there are too few."""
    total = int(counts.sum())
    if total < FEWEST:
        return 1.0
    below = np.cumsum(counts) / total
    k = int(np.searchsorted(below, HALF))
    before = below[k - 1] if k else 0.0
    return float(STEP * (k + (HALF - before) / max(below[k] - before, 1e-12)))

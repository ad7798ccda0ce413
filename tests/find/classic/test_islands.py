"""Thresholds become fragments; the false-discovery rate becomes a threshold."""

import numpy as np
import pytest
from scipy.stats import norm

from skysift.find.classic.islands import fdr_threshold, fragments
from skysift.find.finder import HISTOGRAM_STEP
from skysift.sky.box import Box
from skysift.sky.tiling import NoisyTile

WHOLE = (40, 50)


def tile(data: np.ndarray, y0: int, x0: int) -> NoisyTile:
    data = data.astype(np.float32)
    box = Box(y0, y0 + data.shape[0], x0, x0 + data.shape[1])
    return NoisyTile(box, data, np.full_like(data, 1.0), np.full_like(data, 2.0), WHOLE)


def test_fragments_hold_a_seed_or_touch_the_border_of_their_tile():
    """Level 1 and rms 2: the thresholds 5 and 3 sigma are 11 and 7."""
    data = np.zeros((10, 12))
    data[2, 2:5] = 8.0, 12.0, 7.0  # a seed
    data[5, 5:7] = 8.0  # no seed, inside
    data[8, 10:] = 8.0  # no seed, at the right border
    data[0, 8] = 8.0  # no seed, at the upper border
    found = fragments(tile(data, 10, 20), 5.0, 3.0, 1, 1)
    assert found.boxes.tolist() == [[10, 11, 28, 29], [12, 13, 22, 25], [18, 19, 30, 32]]
    assert found["seeded"].tolist() == [0, 1, 0]
    assert found["sign"].tolist() == [1, 1, 1]
    assert found.scores.tolist() == [3.5, 5.5, 3.5]
    assert found.footprints.area(3).tolist() == [1, 3, 2]


def test_the_border_of_the_map_is_no_border_of_a_tile():
    data = np.zeros(WHOLE)
    data[0, 5] = data[20, 49] = data[39, 10] = data[30, 0] = 8.0
    assert len(fragments(tile(data, 0, 0), 5.0, 3.0, 1, 1)) == 0


def test_negative_fragments_are_those_of_the_inverted_map():
    data = np.full((10, 12), 1.0)
    data[4, 4:6] = -10.0
    assert len(fragments(tile(data, 10, 20), 5.0, 3.0, 1, 1)) == 0
    found = fragments(tile(data, 10, 20), 5.0, 3.0, 1, -1)
    assert found["sign"].tolist() == [-1]
    assert found.scores.tolist() == [5.5]


def test_blank_pixels_part():
    data = np.zeros((10, 12))
    data[4, 3:8] = 20.0
    data[4, 5] = np.nan
    assert len(fragments(tile(data, 10, 20), 5.0, 3.0, 1, 1)) == 2


def histogram(z: np.ndarray) -> np.ndarray:
    positive = z[z >= 0]
    return np.bincount(np.minimum((positive / HISTOGRAM_STEP).astype(int), 3999), minlength=4000)


@pytest.mark.parametrize("share", [0.2, 0.05, 0.01])
def test_the_share_of_false_pixels_is_the_one_asked_for(share):
    """Benjamini & Hochberg: of what lies above the threshold, no more than the share is noise."""
    rng = np.random.default_rng(1)
    noise, real = rng.standard_normal(400000), rng.uniform(3, 9, 4000)
    threshold = fdr_threshold(histogram(np.concatenate([noise, real])), share)
    false, true = (noise >= threshold).sum(), (real >= threshold).sum()
    assert false / (false + true) == pytest.approx(share, rel=0.25, abs=0.002)


def test_it_is_the_procedure_on_sorted_pixels():
    rng = np.random.default_rng(2)
    z = np.concatenate([rng.standard_normal(20000), rng.uniform(3, 8, 300)])
    p = np.sort(norm.sf(z))
    passing = np.flatnonzero(p <= 0.05 * np.arange(1, len(p) + 1) / len(p))
    assert fdr_threshold(histogram(z), 0.05) == pytest.approx(
        norm.isf(p[passing[-1]]), abs=3 * HISTOGRAM_STEP
    )


def test_pure_noise_has_no_threshold():
    z = np.random.default_rng(3).standard_normal(100000)
    assert fdr_threshold(histogram(z), 1e-4) > z.max()
    assert fdr_threshold(np.zeros(4000, np.int64), 0.1) == np.inf

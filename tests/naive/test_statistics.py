"""Clipped statistics of mesh cells against plain numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysift.measure.background import cell_statistics, clipped, mask_bright, select
from skysift.measure.noise import GOOD, HIDDEN, LEVEL, PEAK, RMS, truncation

CLIP = 3.0


def plain_clip(values: np.ndarray) -> tuple[float, float]:
    """Mean and truncation-corrected deviation within CLIP of the level, until nothing changes."""
    median = np.median(values) if len(values) % 2 else np.sort(values)[len(values) // 2]
    deviation = np.sort(np.abs(values - median))[len(values) // 2]
    level, rms = median, 1.4826 * deviation or np.sqrt(((values - median) ** 2).mean())
    kept = -1
    for _ in range(30):
        inside = values[np.abs(values - level) <= CLIP * rms]
        if len(inside) < 2 or len(inside) == kept:
            break
        kept = len(inside)
        level, rms = inside.mean(), inside.std() / truncation(CLIP)
    return level, rms


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 400), bright=st.integers(0, 30), seed=st.integers(0, 10**6))
def test_clipped_level_and_rms(n, bright, seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(0.3, 2.0, n), rng.uniform(10, 1000, min(bright, n // 4))])
    level, rms, _ = clipped(values, len(values), CLIP, truncation(CLIP))
    assert (level, rms) == pytest.approx(plain_clip(values), rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=50), st.data())
def test_select_is_the_kth_of_the_sorted(values, data):
    k = data.draw(st.integers(0, len(values) - 1))
    assert select(np.array(values), len(values), k) == sorted(values)[k]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("origin", [(0, 0), (24, 12)])
def test_cells_hold_the_statistics_of_their_pixels(stride, origin):
    rng = np.random.default_rng(8)
    cell, shape = 12, (43, 56)  # the last cells are cut by the map's edge
    data = rng.normal(0.1, 1.0, shape).astype(np.float32)
    data[rng.random(shape) < 0.2] = np.nan
    masked = (rng.random(shape) < 0.1).astype(np.uint8)
    rows, columns = -(-shape[0] // cell), -(-shape[1] // cell)
    out = np.empty((rows, columns, 5))
    wanted = np.ones((rows, columns), np.bool_)
    wanted[1, 2] = False
    first = (origin[0] // cell, origin[1] // cell)
    cell_statistics(
        data, masked, *origin, cell, rows, columns, *first, stride, CLIP, truncation(CLIP), wanted, out
    )
    for r in range(rows):
        for c in range(columns):
            if not wanted[r, c]:
                assert out[r, c, GOOD] == 0
                assert np.isnan(out[r, c, [LEVEL, RMS]]).all()
                continue
            window = np.s_[r * cell : (r + 1) * cell, c * cell : (c + 1) * cell]
            pixels, hidden = data[window][::stride, ::stride], masked[window][::stride, ::stride] == 1
            finite = np.isfinite(pixels)
            values = pixels[finite & ~hidden].astype(float)
            assert out[r, c, GOOD] == len(values) * stride**2
            assert out[r, c, PEAK] == np.nanmax(data[window])
            assert out[r, c, HIDDEN] == pytest.approx((finite & hidden).sum() / finite.sum())
            assert out[r, c, [LEVEL, RMS]] == pytest.approx(plain_clip(values), rel=1e-9)


def test_a_cell_without_pixels_has_no_statistics():
    data = np.full((8, 16), np.nan, np.float32)
    data[3, 9] = 1.0  # one pixel is no noise
    out = np.zeros((1, 2, 5))
    nothing, wanted = np.zeros((8, 16), np.uint8), np.ones((1, 2), np.bool_)
    cell_statistics(data, nothing, 0, 0, 8, 1, 2, 0, 0, 1, CLIP, truncation(CLIP), wanted, out)
    assert out[0, :, GOOD].tolist() == [0, 1]
    assert np.isnan(out[0][:, [LEVEL, RMS]]).all()


def test_bright_pixels_are_masked_with_their_surroundings():
    data = np.zeros((12, 14), np.float32)
    data[0, 0] = data[6, 7] = 10.0
    data[9, 3] = np.nan
    level, rms = np.full_like(data, 1.0), np.full_like(data, 2.0)
    offsets = np.array([(dy, dx) for dy in (-1, 0, 1) for dx in (-2, -1, 0, 1, 2)])
    masked = np.zeros(data.shape, np.uint8)
    mask_bright(data, level, rms, 4.0, offsets, masked)
    expected = np.zeros(data.shape, np.uint8)
    expected[:2, :3] = 1
    expected[5:8, 5:10] = 1
    np.testing.assert_array_equal(masked, expected)
    mask_bright(
        data, level, rms, 4.5, offsets, masked := np.zeros_like(masked)
    )  # (10 - 1) / 2 is not above 4.5
    assert not masked.any()

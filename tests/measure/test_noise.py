"""Cell statistics become a smooth rms and a level that is worth subtracting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysift.measure import noise
from skysift.measure.noise import GOOD, HIDDEN, LEVEL, PEAK, RMS, NoiseMesh
from skysift.sky.box import Box

CELL = 60
BEAM = np.array([2.9, 0.0, 2.9])


def cells(
    rows: int, columns: int, *, rms: float = 1.0, level: float = 0.0, scatter: float = 0.0
) -> np.ndarray:
    """Statistics of full cells of pure noise."""
    rng = np.random.default_rng(1)
    stats = np.zeros((rows, columns, 5))
    stats[..., GOOD] = CELL * CELL
    stats[..., RMS] = rms * (1 + scatter * rng.standard_normal((rows, columns)))
    stats[..., LEVEL] = level + scatter * rms * rng.standard_normal((rows, columns))
    stats[..., PEAK] = 4 * rms
    return stats


@pytest.mark.parametrize("clip", [2.0, 2.5, 3.0, 4.0, 8.0])
def test_the_truncation_is_the_rms_of_a_cut_gaussian(clip):
    z = np.linspace(-clip, clip, 200001)
    weight = np.exp(-0.5 * z**2)
    assert noise.truncation(clip) == pytest.approx(np.sqrt((weight * z**2).sum() / weight.sum()), rel=1e-5)


@given(
    st.floats(1, 40),
    st.floats(0.3, 1),
    st.floats(4, 40),
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
)
def test_cells_are_as_wide_as_asked_in_beams_and_can_be_cut_in_three(major, ratio, mesh, shape):
    covariance = np.array([major**2, 0.0, (ratio * major) ** 2]) / noise.FWHM**2
    width = noise.cell_width(covariance, mesh, shape)
    mean = major * np.sqrt(ratio)
    assert width % noise.REFINE == 0
    assert width >= noise.REFINE
    assert width <= max(mesh * mean + 1.5, noise.REFINE)
    if max(shape) > 4 * mesh * mean and mesh * mean > 3:
        assert width == pytest.approx(mesh * mean, abs=1.5)


def test_a_smooth_rms_is_the_mean_of_the_neighbourhood():
    stats = cells(9, 9, scatter=0.05)
    smooth = noise.smooth_rms(stats, 100)
    assert smooth[4, 4] == pytest.approx(np.sqrt((stats[3:6, 3:6, RMS] ** 2).mean()))
    assert smooth.std() < 0.5 * stats[..., RMS].std()
    assert noise.smooth_rms(cells(3, 4, rms=2.5), 100) == pytest.approx(np.full((3, 4), 2.5))


def test_one_noisy_cell_does_not_spread():
    stats = cells(7, 7)
    stats[3, 3, RMS] = 30.0
    smooth = noise.smooth_rms(stats, 100)
    smooth[3, 3] = 1.0
    assert smooth == pytest.approx(np.ones((7, 7)))


@settings(max_examples=40)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6), st.floats(0, 0.95))
def test_the_rms_has_no_holes(rows, columns, seed, blank):
    rng = np.random.default_rng(seed)
    stats = cells(rows, columns, scatter=0.1)
    empty = rng.random((rows, columns)) < blank
    stats[empty, GOOD] = rng.integers(0, 3, empty.sum())
    stats[empty, RMS] = stats[empty, LEVEL] = np.nan
    smooth = noise.smooth_rms(stats, 100)
    assert np.isfinite(smooth).all() == (not empty.all())
    assert (smooth[np.isfinite(smooth)] > 0).all()


def test_few_pixels_are_better_than_none():
    stats = cells(2, 2)
    stats[..., GOOD] = 5
    assert noise.smooth_rms(stats, 1000) == pytest.approx(np.ones((2, 2)))
    stats[..., GOOD] = 0
    assert np.isnan(noise.smooth_rms(stats, 1000)).all()


def test_holes_are_filled_from_their_nearest_neighbours():
    mesh = np.full((3, 20), np.nan)
    mesh[:, 0], mesh[:, -1] = 1.0, 3.0
    filled = noise.fill(mesh)
    assert np.isfinite(filled).all()
    assert filled[1, 1:4].tolist() == [1, 1, 1]
    assert filled[1, -4:-1].tolist() == [3, 3, 3]
    assert np.isnan(noise.fill(np.full((2, 2), np.nan))).all()


def test_a_quiet_neighbourhood_gains_no_scatter_and_a_noisy_one_is_taken():
    coarse = np.ones((3, 3))
    fine = np.full((9, 9, 5), np.nan)
    fine[..., GOOD] = 400
    fine[..., RMS] = 1 + 0.1 * np.random.default_rng(1).standard_normal((9, 9))
    rms, refined = noise.refined_rms(coarse, fine, 100)
    assert refined == 0
    assert rms == pytest.approx(np.ones((9, 9)))
    fine[3:6, 3:6, RMS] = 4.0
    rms, refined = noise.refined_rms(coarse, fine, 100)
    assert refined > 0
    assert rms[4, 4] == 4.0
    assert rms[0, 0] == 1.0


def test_the_widest_source_is_counted_in_cells():
    stats = cells(8, 10)
    assert noise.largest_source(stats) == 0
    stats[2:4, 3:8, HIDDEN] = 0.9
    stats[6, 9, HIDDEN] = 0.6
    stats[0, 0, HIDDEN] = 0.4
    assert noise.largest_source(stats) == 5
    stats[4, 8, HIDDEN] = stats[5, 9, HIDDEN] = 0.9  # touching at corners makes one of all
    assert noise.largest_source(stats) == 7


class TestLevel:
    """The level is subtracted where it is significant against its error, and smooth."""

    AREA = 40.0  # pixels of one independent sample

    def level(self, stats: np.ndarray, threshold: float = 3.0):
        return noise.significant_level(stats, np.ones(stats.shape[:2]), 100, self.AREA, threshold)

    def test_zero_for_noise(self):
        error = np.sqrt(self.AREA) / CELL
        for seed in range(20):
            stats = cells(12, 12)
            stats[..., LEVEL] = error * np.random.default_rng(seed).standard_normal((12, 12))
            level, facts = self.level(stats, 4.5)
            assert not level.any()
            assert facts["level"] == "zero"

    def test_an_offset_is_found_everywhere(self):
        stats = cells(12, 12, level=0.5)
        stats[..., LEVEL] += 0.1 * np.random.default_rng(1).standard_normal((12, 12))
        level, facts = self.level(stats)
        assert level == pytest.approx(np.full((12, 12), 0.5), abs=0.15)
        assert facts["level_share"] == 1.0
        assert facts["level"] != "zero"

    def test_a_source_of_several_cells_is_no_background(self):
        stats = cells(12, 12)
        stats[4:7, 4:7, LEVEL] = 3.0
        stats[4:7, 4:7, HIDDEN] = 0.8
        level, _ = self.level(stats)
        assert not level.any()

    def test_cells_that_know_nothing_do_not_count(self):
        stats = cells(12, 12)
        stats[:6, :, GOOD] = 3
        stats[:6, :, LEVEL] = 100.0
        stats[0, :, LEVEL] = np.nan
        level, _ = self.level(stats)
        assert not level.any()
        stats[..., GOOD] = 0
        assert not self.level(stats)[0].any()


def mesh_of(rms: np.ndarray, empty: np.ndarray | None = None, cell: int = 6) -> NoiseMesh:
    empty = np.zeros(rms.shape, bool) if empty is None else empty
    return NoiseMesh(cell, np.zeros(rms.shape), rms, np.ones((1, 1)), empty)


def test_a_mesh_says_whether_there_is_noise():
    flat = np.full((2, 2), np.nan)
    assert not mesh_of(flat).valid
    flat[0, 1] = 1.0
    assert mesh_of(flat).valid


def test_a_mesh_is_read_in_float32():
    level, rms = mesh_of(np.full((2, 2), 1e-30)).read(Box(0, 3, 5, 9))
    assert level.dtype == rms.dtype == np.float32
    assert level.shape == rms.shape == (3, 4)
    assert not level.any()
    assert (rms == np.float32(1e-30)).all()


def test_cells_of_padding_are_told_by_pixel():
    empty = np.zeros((3, 4), bool)
    assert not mesh_of(np.ones((3, 4)), empty).padded(Box(0, 9, 0, 9)).any()
    empty[1, 2] = True
    padded = np.broadcast_to(mesh_of(np.ones((3, 4)), empty).padded(Box(4, 14, 10, 20)), (10, 10))
    expected = np.zeros((10, 10), bool)
    expected[2:8, 2:8] = True
    np.testing.assert_array_equal(padded, expected)

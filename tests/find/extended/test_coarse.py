"""Giants are measured in blocks of pixels, and give what their pixels give."""

from types import SimpleNamespace

import numpy as np
import pytest
from tests.find.extended.extended_skies import disc, seen, sky

from skysift.find.extended import fluxes
from skysift.find.extended.coarse import block_noise, blocks_of
from skysift.find.run import find
from skysift.sky.box import Box
from skysift.sky.mask import Mask

SIZE = (300, 330)


@pytest.fixture(scope="module")
def image():
    shape = disc(SIZE, 150, 140, 90) & ~disc(SIZE, 150, 140, 60)
    return sky(SIZE, seen(shape, 8.0), seen(disc(SIZE, 290, 40, 14), 8.0), seed=3)


def test_blocks_give_what_pixels_give(image, monkeypatch):
    fine = find(image, "extended").sources
    monkeypatch.setattr(fluxes, "LARGEST", 64)
    coarse = find(image, "extended").sources
    assert len(fine) == len(coarse) == 2
    order = np.argsort(-fine["flux"])
    k = order[0]
    # the small one is none of a giant's business
    assert coarse["flux"][order[1]] == fine["flux"][order[1]]
    assert coarse["flux"][k] == pytest.approx(fine["flux"][k], rel=0.01)
    assert coarse["flux_err"][k] == pytest.approx(fine["flux_err"][k], rel=0.25)
    assert coarse["n_beams"][k] == pytest.approx(fine["n_beams"][k], rel=0.02)
    assert coarse["rms"][k] == pytest.approx(fine["rms"][k], rel=0.02)
    for name in ("x", "y"):
        assert coarse[name][k] == pytest.approx(fine[name][k], abs=0.5)
    for name in ("extent", "major", "minor", "width_mean", "largest_angular_size"):
        assert coarse[name][k] == pytest.approx(fine[name][k], rel=0.1)
    assert coarse["morphology"][k] == fine["morphology"][k]


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_the_noise_of_blocks(factor):
    rng = np.random.default_rng(2)
    white = rng.normal(size=(600, 600))
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 1.4) ** 2)
    noise = np.apply_along_axis(
        np.convolve, 0, np.apply_along_axis(np.convolve, 1, white, kernel, "same"), kernel, "same"
    )
    noise = noise[:600, :600] / noise[20:-20, 20:-20].std()
    line = np.correlate(kernel, kernel, "full")
    line /= line.max()
    quiet, lags, correlation = block_noise(np.outer(line, line), factor)
    n = 600 // factor
    blocks = noise[: n * factor, : n * factor].reshape(n, factor, n, factor).mean(axis=(1, 3))
    assert quiet == pytest.approx(blocks.std(), rel=0.05)
    table = {tuple(lag): value for lag, value in zip(lags.tolist(), correlation.tolist(), strict=True)}
    assert table[(0, 0)] == 1.0
    beside = (blocks[:, 1:] * blocks[:, :-1]).mean() / blocks.var()
    assert table.get((0, 1), 0.0) == pytest.approx(beside, abs=0.03)


def test_a_giant_may_be_all_that_there_is(monkeypatch):
    shape = disc(SIZE, 150, 140, 90) & ~disc(SIZE, 150, 140, 60)
    monkeypatch.setattr(fluxes, "LARGEST", 64)
    assert len(find(sky(SIZE, seen(shape, 8.0), seed=3), "extended").sources) == 1


def test_blocks_know_other_segments_and_leave_the_rim_free():
    labels, hidden = np.zeros((40, 80), np.int32), np.zeros((40, 80), np.int32)
    labels[:, 4:21], labels[:, 47:60], labels[20, 65:70], hidden[3, 30] = 7, 3, 7, 1
    flat = np.zeros(labels.shape, "f4")

    def tile(box):
        part = flat[box.y0 : box.y1, box.x0 : box.x1]
        return SimpleNamespace(data=part, level=part, rms=part + 1)

    residual = SimpleNamespace(image=SimpleNamespace(shape=labels.shape), tile=tile)
    masks = Mask.from_labels(labels), Mask.from_labels(hidden)
    blocks = blocks_of(residual, Box(0, 40, 0, 80), 4, masks[0], 7, masks[1], rim=5.0)
    # columns 4 to 21 are blocks 1 to 5, of the last one pixel column; the neighbour has a column of block 11
    row = [0] + 4 * [1] + 6 * [0] + 4 * [2] + 5 * [0]
    assert (blocks.labels == row).all()
    expected = np.zeros((10, 20), bool)
    expected[0, 7] = True  # hidden
    expected[5, 16:18] = True  # of the segment, but far from what holds half of a block
    assert np.array_equal(blocks.blocked, expected)
    bare = blocks_of(residual, Box(0, 40, 0, 80), 4, masks[0], 7, masks[1], rim=3.0)
    assert bare.blocked[:, 5].all()  # no rim: the outline is no surroundings

"""Giants are measured in blocks of pixels, and give what their pixels give."""

import numpy as np
import pytest
from tests.find.extended.extended_skies import disc, seen, sky

from skysift.find.extended import fluxes
from skysift.find.extended.coarse import block_noise
from skysift.find.run import find

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

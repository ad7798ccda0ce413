from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from tests.images import MAPS, finding, image, painted

from skysift.flow import overview as module
from skysift.flow.overview import bands, overview, preview
from skysift.sky.box import Box


def reader(pixels):
    return lambda box: pixels[box.slices()]


def naive(pixels, factor, pick):
    rows, columns = (-(-size // factor) for size in pixels.shape)
    out = np.full((rows, columns), np.nan, np.float32)
    for i in range(rows):
        for j in range(columns):
            block = pixels[i * factor : (i + 1) * factor, j * factor : (j + 1) * factor]
            block = block[np.isfinite(block)]
            if block.size:
                out[i, j] = pick(block)
    return out


@pytest.fixture
def pixels():
    made = np.random.default_rng(3).normal(size=(71, 53)).astype(np.float32)
    made[5:20, 7:30] = np.nan
    return made


@pytest.mark.parametrize(
    ("how", "pick"),
    [("mean", np.mean), ("max", np.max), ("extreme", lambda block: block[np.argmax(np.abs(block))])],
)
@pytest.mark.parametrize("longest", [9, 30, 500])
def test_a_preview_holds_blocks_whatever_the_bands(pixels, how, pick, longest, monkeypatch):
    monkeypatch.setattr(module, "BAND", 600)
    seen = preview(reader(pixels), Box.of(pixels.shape), longest=longest, how=how)
    assert seen.factor == max(1, -(-71 // longest))
    np.testing.assert_allclose(seen.pixels, naive(pixels, seen.factor, pick), rtol=1e-6, atol=1e-6)
    assert seen.extent[0] == seen.extent[2] == -0.5


def test_a_preview_of_a_part_knows_where_it_is(pixels):
    seen = preview(reader(pixels), Box(30, 60, 10, 50), longest=20)
    np.testing.assert_allclose(seen.pixels, naive(pixels[30:60, 10:50], 2, np.mean), rtol=1e-6, atol=1e-6)
    assert seen.extent == (9.5, 49.5, 29.5, 59.5)


@pytest.mark.parametrize(("shape", "step"), [((1, 5_000_000), 3), ((4000, 3), 7), ((10, 10), 1)])
def test_bands_cover_a_map_once(shape, step):
    boxes = list(bands(Box.of(shape).shift(5, 7), step))
    assert boxes[0].y0 == 5
    assert boxes[-1].y1 == shape[0] + 5
    assert all((box.x0, box.x1) == (7, shape[1] + 7) for box in boxes)
    assert all(one.y1 == other.y0 for one, other in pairwise(boxes))
    assert all((box.y0 - 5) % step == 0 for box in boxes)


def maps(shape, seed=1):
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    rms = np.full(shape, 2e-3, np.float32)
    level = np.linspace(-1e-3, 3e-3, shape[0], dtype=np.float32)[:, None] * np.ones(shape, np.float32)
    labels = np.zeros(shape, np.int32)
    return {
        "data": noise * rms + level,
        "background": level,
        "rms": rms,
        "residual": noise * rms,
        "labels": labels,
    }


def test_the_histogram_counts_every_pixel_and_finds_the_width_of_the_noise(monkeypatch):
    monkeypatch.setattr(module, "BAND", 4000)
    made = maps((300, 300))
    made["labels"][100:200, 100:200] = 7
    made["residual"][100:200, 100:200] *= 30
    made["data"][:3] = made["residual"][:3] = made["rms"][:3] = np.nan
    seen = overview({name: reader(pixels) for name, pixels in made.items()}, Box(0, 300, 0, 300))
    histogram = seen.histogram
    assert histogram.everywhere.sum() + histogram.beyond == 297 * 300 == seen.n_good
    assert histogram.outside.sum() == 297 * 300 - 10_000
    assert histogram.half_width == pytest.approx(1.0, abs=0.01)
    assert seen.rms_median == pytest.approx(2e-3)
    assert seen.background_span == pytest.approx((-1e-3, 3e-3))


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1)])
def test_a_map_without_data_has_an_overview(shape):
    made = {name: np.full(shape, np.nan, np.float32) for name in ("data", "background", "rms", "residual")}
    made["labels"] = np.zeros(shape, np.int32)
    seen = overview({name: reader(pixels) for name, pixels in made.items()}, Box.of(shape))
    assert seen.n_good == 0
    assert np.isnan(seen.rms_median)
    assert np.isnan(seen.histogram.half_width)


def test_absurd_values_do_not_break_the_overview():
    made = maps((50, 50))
    made["data"][3, 3] = made["residual"][3, 3] = 1e30
    seen = overview({name: reader(pixels) for name, pixels in made.items()}, Box(0, 50, 0, 50))
    assert seen.histogram.beyond == 1


def test_what_fills_a_map_beyond_its_data_is_not_searched():
    sky = painted((240, 300))
    data = sky.read()
    data[:, 180:] = 3.2e-7  # a constant, as some mosaics have it
    data[:20, :50] = np.nan
    found = finding(image(data))
    read = {name: partial(found.read, name) for name in MAPS} | {"data": found.data}
    seen = overview(read, Box.of(data.shape))
    assert seen.n_good == pytest.approx(240 * 180 - 20 * 50, rel=0.1)
    assert seen.n_good == (np.isfinite(data) & np.isfinite(found.read("rms", Box.of(data.shape)))).sum()

"""Segmenters that look at windows: what they find, and that it does not depend on who asks for which box."""

import numpy as np
import pytest
from tests.find.extended import made

from skysift import Beam, SkyImage, find
from skysift.find.extended.windows import Lattice
from skysift.sky.box import Box

METHODS = ("saliency", "superpixels", "contour")
SHAPE = (300, 340)
SMALL = {"window_step": 10.0, "window_margin": 6.0}  # windows of 64 and 24 pixels, so that there are many


@pytest.mark.parametrize("method", METHODS)
def test_a_disc_is_found(method):
    z, _ = made.noise(SHAPE, 1)
    true = made.disc(SHAPE, 140, 200, 22)
    segments = made.found(method, z + 2.5 * true)
    mask = segments.to_mask(SHAPE).paint(Box.of(SHAPE)) > 0
    assert (mask & true).sum() > 0.7 * (mask | true).sum()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("sign", [1, -1])
def test_noise_gives_nothing(method, seed, sign):
    z, _ = made.noise((512, 512), seed)
    assert len(made.found(method, z, sign)) == 0


@pytest.mark.parametrize("method", METHODS)
def test_a_pixel_is_the_same_whatever_the_box(method):
    z, _ = made.noise(SHAPE, 3)
    z = z + 3.0 * made.disc(SHAPE, 150, 170, 30)
    z[40:60, 250:300] = np.nan
    one = made.segmenter(method, SHAPE, **SMALL)
    whole = one.maps(z, Box.of(SHAPE))
    for asked in (Box(130, 170, 150, 190), Box(0, 50, 240, 340), Box(101, 102, 7, 300)):
        wide = asked.expand(one.halo).intersect(Box.of(SHAPE))
        part = one.maps(np.ascontiguousarray(z[wide.y0 : wide.y1, wide.x0 : wide.x1]), wide)
        for all_, some in zip(whole, part, strict=True):
            expected = all_[asked.y0 : asked.y1, asked.x0 : asked.x1]
            got = some[asked.y0 - wide.y0 : asked.y1 - wide.y0, asked.x0 - wide.x0 : asked.x1 - wide.x0]
            assert expected.tobytes() == got.tobytes()
            assert (np.isnan(got) == np.isnan(z[asked.y0 : asked.y1, asked.x0 : asked.x1])).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_source_that_windows_cut_is_one_segment(method):
    z, _ = made.noise(SHAPE, 4)
    true = made.disc(SHAPE, 128, 192, 40)  # where four cores of 64 pixels meet
    segments = made.found(method, z + 3.0 * true, **SMALL)
    whole = segments.area > 0.5 * true.sum()
    assert whole.sum() == 1
    assert segments.select(segments.area > made.BEAM**2).boxes.shape[0] == 1
    assert segments == made.found(method, z + 3.0 * true, tile=80, **SMALL)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 5), (12, 12)])
def test_tiny_maps(method, shape):
    z, _ = made.noise(shape, 5)
    for each in made.segmenter(method, shape).maps(z, Box.of(shape)):
        assert each.shape == shape
        assert each.dtype == np.float32


@pytest.mark.parametrize("method", METHODS)
def test_a_map_without_data(method):
    z = np.full((90, 70), np.nan, np.float32)
    for each in made.segmenter(method, z.shape).maps(z, Box.of(z.shape)):
        assert np.isnan(each).all()
    assert len(made.found(method, z)) == 0


@pytest.mark.parametrize("method", METHODS)
def test_significance_is_in_sigma(method):
    """A disc of twice the brightness is about twice as significant."""
    z, _ = made.noise(SHAPE, 6)
    true = made.disc(SHAPE, 140, 200, 25)
    core = made.disc(SHAPE, 140, 200, 12)
    middles = [
        np.median(made.segmenter(method, SHAPE).maps(z + height * true, Box.of(SHAPE))[0][core])
        for height in (4.0, 8.0)
    ]
    assert middles[1] == pytest.approx(2.0 * middles[0], rel=0.25)


def test_cores_cover_the_map_once():
    lattice = Lattice(64, 10, (200, 130))
    count = np.zeros((200, 130), int)
    for core, window in lattice.within(Box.of((200, 130))):
        assert window.holds(core)
        count[core.y0 : core.y1, core.x0 : core.x1] += 1
    assert (count == 1).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_finder_takes_it_by_name(method):
    z, _ = made.noise((200, 200), 7)
    data = 1e-4 * (z + 4.0 * made.disc((200, 200), 90, 110, 22))
    image = SkyImage.from_array(data, beam=Beam(8, 8), pixel_scale=2)
    whole, cut = (find(image, "extended", method=method, tile=tile, **SMALL) for tile in (1024, 64))
    assert (whole.sources["structure"] == "E").sum() == 1
    assert whole == cut

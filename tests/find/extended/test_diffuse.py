"""Diffuse emission: whether there is any, what it is, and the segments that it runs together."""

import numpy as np
import pytest
from tests import images
from tests.find.extended import made

from skysift.base.parallel import Crew
from skysift.find.extended.diffuse import diffuse_emission, diffuse_reach, has_diffuse
from skysift.find.extended.options import ExtendedOptions
from skysift.find.extended.search import on_diffuse
from skysift.find.extended.segmenter import Setting
from skysift.find.extended.segments import find_segments
from skysift.find.extended.smooth import SmoothSegmenter, WaveletSegmenter
from skysift.find.run import make_finder, search
from skysift.sim.diffuse import DiffuseLayer, power_law_kernel
from skysift.sky.box import Box

SHAPE = (400, 420)
ALONE = Crew(workers=1)


def setting(shape=SHAPE, diffuse=True, **options):
    return Setting(ExtendedOptions(**options), made.BEAM, made.noise((8, 8), 0)[1], shape, diffuse)


def glow(shape=SHAPE, seed=3, rms=1.0, outer=20.0):
    """A field as that of the Galactic plane, up to `outer` times 2 beams wide."""
    layer = DiffuseLayer(power_law_kernel(3.5, outer), 8.0, rms, 0.7, seed)
    return layer.paint(Box.of(shape)).astype("f4")


def found(z, diffuse=True, tile=1024):
    one = SmoothSegmenter(setting(z.shape, diffuse))
    return find_segments(made.Made(z), [one], 5.0, 2.2, Crew(workers=1, tile=tile), smallest=50.0)[0]


def iou(segments, true):
    """The largest overlap of a segment with a mask."""
    painted = segments.to_mask(true.shape).paint(Box.of(true.shape))
    shares = [
        (true & (painted == k)).sum() / (true | (painted == k)).sum()
        for k in np.unique(painted[true])
        if k > 0
    ]
    return max(shares, default=0.0)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_map_tells_whether_it_holds_diffuse_emission(seed):
    z, _ = made.noise(SHAPE, seed)
    sources = 6.0 * made.disc(SHAPE, 100, 120, 40) + 2.0 * made.disc(SHAPE, 260, 250, 90)
    plain = setting(diffuse=False)
    assert not has_diffuse(made.Made(z + sources), plain, ALONE)
    both = z + sources + glow(seed=seed, rms=0.7, outer=10.0)  # which noise is measured with
    assert has_diffuse(made.Made(both / np.float32(1.17)), plain, ALONE)


def test_artefacts_and_a_source_that_fills_the_map_are_not_diffuse_emission():
    z, _ = made.noise(SHAPE, 3)
    plain = setting(diffuse=False)
    stripes = np.sin(np.arange(SHAPE[1]) / 12.0).astype("f4")
    assert not has_diffuse(made.Made(z + stripes), plain, ALONE)
    large = 30.0 * made.disc(SHAPE, 200, 200, 150) - 1.0  # in its bowl
    assert not has_diffuse(made.Made(z + large), plain, ALONE)


def test_options_decide_before_the_map_does():
    quiet = made.Made(made.noise(SHAPE, 1)[0])
    for options, expected in (
        ({"diffuse": "yes"}, True),
        ({"diffuse_scale": 20.0}, True),
        ({"diffuse": "no", "diffuse_scale": 20.0}, False),
        ({"diffuse": "yes", "method": "wavelet"}, False),
        ({"diffuse": "yes", "method": "wavelet+smooth"}, True),
    ):
        assert on_diffuse(quiet, ExtendedOptions(**options), ALONE) is expected


def test_noise_gives_no_diffuse_emission_and_a_level_is_itself():
    z, _ = made.noise(SHAPE, 5)
    assert abs(diffuse_emission(z, setting()).mean()) < 0.02
    level = np.full(SHAPE, -1.0, "f4")
    level[40:50, 30:60] = np.nan
    assert diffuse_emission(level, setting()) == pytest.approx(
        -1.0, abs=1e-6
    )  # up to the border, and below blanks


def hump(wide, high):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (high * np.exp(-0.5 * ((x - 200.0) ** 2 + (y - 200.0) ** 2) / wide**2)).astype("f4")


def test_diffuse_emission_is_that_below_sources():
    z, _ = made.noise(SHAPE, 6)
    diffuse, disc = hump(50.0, 1.5), made.disc(SHAPE, 210, 190, 14)
    emission = diffuse_emission(z + diffuse + 6.0 * disc, setting())
    assert np.sqrt(np.mean((emission - diffuse) ** 2)) < 0.3
    assert abs((emission - diffuse)[disc].mean()) < 0.6  # of 6


def test_what_is_bright_is_not_diffuse():
    assert diffuse_emission(hump(80.0, 30.0), setting()).max() == pytest.approx(4.0, abs=0.2)


def test_emission_is_the_same_in_any_box():
    z = made.noise(SHAPE, 7)[0] + glow()
    one = setting()
    far = diffuse_reach(one)
    assert far < 200
    whole = diffuse_emission(z, one)
    box = Box(190, 210, 200, 230)
    wide = box.expand(far).intersect(Box.of(SHAPE))
    part = diffuse_emission(np.ascontiguousarray(z[wide.slices()]), one)
    inner = part[box.y0 - wide.y0 : box.y1 - wide.y0, box.x0 - wide.x0 : box.x1 - wide.x0]
    assert inner.tobytes() == np.ascontiguousarray(whole[box.slices()]).tobytes()


def test_a_source_on_diffuse_emission_has_its_own_outline():
    z, _ = made.noise(SHAPE, 8)
    true = made.disc(SHAPE, 210, 190, 14)
    both = z + hump(40.0, 3.0) + 6.0 * true
    assert iou(found(both, diffuse=False), true) < 0.3
    assert iou(found(both), true) > 0.7


def test_segmenters_that_do_not_take_it_off_find_the_same():
    z = made.noise(SHAPE, 9)[0] + glow(seed=9) + 4.0 * made.disc(SHAPE, 130, 126, 15)
    off, on = (
        find_segments(
            made.Made(z), [WaveletSegmenter(setting(SHAPE, diffuse))], 5.0, 2.2, ALONE, smallest=50.0
        )[0]
        for diffuse in (False, True)
    )
    assert len(on) > 1
    assert on == off
    quiet = images.painted((90, 100))
    for given, taken in (({"method": "wavelet"}, False), ({}, True)):
        facts = search(quiet, make_finder("extended", diffuse="yes", **given)).facts
        assert facts["diffuse_emission"] is taken


def test_segments_do_not_depend_on_tiles():
    z = made.noise(SHAPE, 9)[0] + glow(seed=9) + 4.0 * made.disc(SHAPE, 130, 126, 15)
    one = found(z)
    assert len(one) > 1
    assert one == found(z, tile=90)


def test_pieces_that_hold_the_flux_are_sources_and_peaks_of_a_disc_are_not():
    z, _ = made.noise(SHAPE, 10)
    left, right = made.disc(SHAPE, 100, 100, 10), made.disc(SHAPE, 100, 135, 10)
    bridge = np.zeros(SHAPE, bool)
    bridge[92:108, 100:135] = True
    faint = made.disc(SHAPE, 280, 280, 15)
    segments = found(z + 12.0 * (left | right) + 1.1 * (bridge & ~left & ~right) + 3.0 * faint)
    assert min(iou(segments, left), iou(segments, right)) > 0.6
    assert iou(segments, faint) > 0.5


def test_a_map_without_segments_is_searched_too():
    assert len(found(np.zeros(SHAPE, "f4"))) == 0

"""Maps seen through a wider beam: flux, shape, blanks, and no trace of tiles."""

import pickle

import numpy as np
import pytest
from tests import images, skies

from skysift.base.errors import UsageError
from skysift.measure.convolve import ConvolvedSource, common_beam, convolve, same_beam
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.image import ArraySource, SkyImage

NARROW, WIDE = Beam(5.4, 5.4), Beam(15.0, 12.0, 30.0)
PIXEL = 1.5


def gaussian(shape, beam, x, y, peak=1.0):
    """A point source of this peak, as a beam shows it on square pixels with east to the left."""
    cov = skies.covariance(beam.major / PIXEL, beam.minor / PIXEL, beam.pa)
    p = np.linalg.inv(cov)
    dy, dx = np.mgrid[: shape[0], : shape[1]] - np.array([y, x])[:, None, None]
    return peak * np.exp(-0.5 * (p[0, 0] * dx**2 + 2 * p[0, 1] * dx * dy + p[1, 1] * dy**2))


def point(shape=(120, 150), at=(71.3, 60.6)):
    return SkyImage.from_array(gaussian(shape, NARROW, *at), beam=NARROW, pixel_scale=PIXEL)


def test_a_point_source_keeps_its_flux_and_gets_exactly_the_beam_asked_for():
    seen = convolve(point(), WIDE)
    data = seen.read().astype(float)
    assert seen.beam == WIDE
    np.testing.assert_allclose(data, gaussian(data.shape, WIDE, 71.3, 60.6), atol=2e-5)
    flux = data.sum() * PIXEL**2 / WIDE.area
    assert abs(flux - 1.0) < 5e-5


def test_a_beam_that_is_hardly_wider_is_reached_too():
    nearly = Beam(5.6, 5.5, 80.0)
    data = convolve(point(), nearly).read().astype(float)
    np.testing.assert_allclose(data, gaussian(data.shape, nearly, 71.3, 60.6), atol=2e-4)
    assert abs(data.sum() * PIXEL**2 / nearly.area - 1.0) < 1e-4


def test_no_number_depends_on_the_box_that_is_read():
    rng = np.random.default_rng(1)
    data = rng.normal(0, 1, (600, 700))
    data[200:230, 300:400] = np.nan
    seen = convolve(SkyImage.from_array(data, beam=NARROW, pixel_scale=PIXEL), WIDE)
    whole = seen.read()
    for box in (Box(0, 64, 0, 64), Box(250, 262, 100, 700), Box(599, 600, 0, 700), Box(190, 400, 255, 513)):
        np.testing.assert_array_equal(seen.read(box), whole[box.slices()])
    np.testing.assert_array_equal(seen.cut(Box(100, 400, 50, 600)).read(), whole[100:400, 50:600])
    again = pickle.loads(pickle.dumps(seen))
    np.testing.assert_array_equal(again.read(Box(190, 300, 290, 420)), whole[190:300, 290:420])


def test_blanks_stay_blank_and_a_level_reaches_the_rim():
    data = np.full((100, 130), 2.0)
    data[40:60, 30:70] = np.nan
    seen = convolve(SkyImage.from_array(data, beam=NARROW, pixel_scale=PIXEL), WIDE).read()
    np.testing.assert_array_equal(np.isnan(seen), np.isnan(data))
    ratio = WIDE.area / NARROW.area
    np.testing.assert_allclose(seen[np.isfinite(seen)], 2.0 * ratio, rtol=1e-5)


def test_a_map_without_data_stays_so():
    seen = convolve(SkyImage.from_array(np.full((40, 50), np.nan), beam=NARROW, pixel_scale=PIXEL), WIDE)
    assert np.isnan(seen.read()).all()


def test_a_beam_on_the_sky_follows_the_pixels():
    frame = images.frame((60, 400), projection="CAR", centre=(10.0, 0.0), scale=(1.5, 1.5)).with_beam_plane(
        "sky"
    )
    frame = Frame(frame.shape, frame.scale, frame.cards, frame.projection, frame.system, "sky")
    source = ConvolvedSource(ArraySource(np.ones((60, 400))), frame, NARROW, WIDE)
    np.testing.assert_allclose(source.read(Box(0, 60, 0, 400)), WIDE.area / NARROW.area, rtol=1e-4)


def test_the_same_beam_changes_nothing_and_a_narrower_one_is_refused():
    image = point()
    assert convolve(image, Beam(5.4, 5.4, 12.0)) is image
    with pytest.raises(UsageError, match="narrower than its own"):
        convolve(image, Beam(6.0, 5.0))


@pytest.mark.parametrize(
    "beams",
    [
        [Beam(10, 8, 20), Beam(10, 8, 110)],
        [Beam(5, 5), Beam(12, 6, 45), Beam(11, 7, 135), Beam(9, 9)],
        [Beam(30, 5, 0), Beam(20, 18, 90), Beam(25, 6, 60)],
    ],
)
def test_every_beam_fits_into_the_common_one(beams):
    common = common_beam(beams)
    for each in beams:
        common.deconvolve(each)
    assert common.area < 1.7 * max(each.major for each in beams) ** 2 * Beam(1, 1).area
    assert common_beam(beams[::-1]).area == pytest.approx(common.area, rel=2e-2)


def test_one_beam_that_is_wide_enough_is_the_common_one():
    assert common_beam([Beam(5, 4, 10), Beam(20, 15, 80), Beam(5, 4, 10)]) == Beam(20, 15, 80)
    assert same_beam(common_beam([NARROW, NARROW]), NARROW)

"""Beams that vary: what they are between the places where they are known, and what smearing makes of them."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from tests import images

from skysift.base.errors import UsageError
from skysift.sky.beam import FWHM_PER_SIGMA, Beam
from skysift.sky.beams import BeamGrid, BeamMap, BeamTable, beam_covariances, convergence
from skysift.sky.image import ArraySource, SkyImage
from skysift.sky.smear import EARTH, Smear


def upper(beam: Beam) -> np.ndarray:
    matrix = beam.to_covariance()
    return matrix[[0, 0, 1], [0, 1, 1]]


def grid(frame, major, minor, pa) -> BeamGrid:
    planes = (
        ArraySource(np.broadcast_to(np.asarray(each, float), frame.shape)) for each in (major, minor, pa)
    )
    return BeamGrid(frame, *planes, 1.0)


def sky(shape=(9, 11), **place) -> BeamGrid:
    frame = images.frame(shape, scale=(400.0, 400.0), **place)
    x = np.linspace(0.0, 1.0, shape[1])
    return grid(frame, 10.0 + 4.0 * x, 8.0 + 2.0 * x, 30.0)


def test_a_node_has_its_own_beam():
    beams = sky()
    for x, y in ((0, 0), (10, 8), (4, 3)):
        ra, dec = beams.frame.to_sky(x, y)
        share = x / 10
        expected = upper(Beam(10.0 + 4.0 * share, 8.0 + 2.0 * share, 30.0))
        # the place is the node to within rounding
        assert beams.at(ra, dec)[0] == pytest.approx(expected, rel=1e-6)


def test_between_nodes_covariances_are_averaged_not_axes():
    """Two beams across each other give a round one, not one at the mean angle."""
    frame = images.frame((1, 2), scale=(60.0, 60.0))
    beams = grid(frame, 12.0, 8.0, np.array([[10.0, 100.0]]))
    ee, en, nn = beams.at(*frame.to_sky(0.5, 0.0))[0]
    assert ee == pytest.approx(nn, rel=1e-3)
    assert abs(en) < 1e-3 * ee
    assert ee == pytest.approx((12.0**2 + 8.0**2) / 2 / FWHM_PER_SIGMA**2, rel=1e-3)


@pytest.mark.parametrize("centre", [(180.0, -30.0), (10.0, 89.9), (0.0, 0.0)])
def test_a_round_beam_is_the_same_everywhere_even_at_a_pole(centre):
    frame = images.frame((9, 9), scale=(400.0, 400.0), centre=centre)
    y, x = np.mgrid[0:8.5:0.5, 0:8.5:0.5]
    there = grid(frame, 9.0, 9.0, 0.0).at(*frame.to_sky(x.ravel(), y.ravel()))
    size = 81.0 / FWHM_PER_SIGMA**2
    np.testing.assert_allclose(there[:, [0, 2]], size, rtol=1e-6)
    np.testing.assert_allclose(there[:, 1], 0.0, atol=1e-6 * size)


def test_angles_count_from_the_north_of_the_beam_map_and_arrive_in_icrs():
    """A galactic map of beams: what points to the galactic pole does so in ICRS too."""
    frame = images.frame((5, 5), scale=(60.0, 60.0), axes=("GLON", "GLAT"), centre=(30.0, 10.0))
    beams = grid(frame, 12.0, 6.0, 0.0)
    ra, dec = frame.to_sky(2.0, 2.0)
    ahead = frame.to_sky(2.0, 2.1)
    angle = math.degrees(math.atan2((ahead[0] - ra) * math.cos(math.radians(dec)), ahead[1] - dec))
    np.testing.assert_allclose(beams.at(ra, dec)[0], upper(Beam(12.0, 6.0, angle)), rtol=1e-3)


def test_blank_pixels_and_the_outside_are_not_known():
    frame = images.frame((5, 5), scale=(60.0, 60.0))
    major = np.full((5, 5), 10.0)
    major[:3, :3] = np.nan
    major[4, 4] = -1.0
    beams = grid(frame, major, 8.0, 0.0)
    x, y = np.array([0.0, 1.2, 2.5, 4.0, 9.0]), np.array([0.0, 1.2, 2.5, 4.0, 2.0])
    known = np.isfinite(beams.at(*frame.to_sky(x, y))).all(axis=1)
    assert known.tolist() == [False, False, True, False, False]


def test_a_table_has_its_rows_and_means_between_them():
    beams = BeamTable((10.0, 10.5), (0.0, 0.0), (Beam(10, 10), Beam(14, 14)))
    there = FWHM_PER_SIGMA**2 * beams.at([10.0, 10.25, 10.5, np.nan], [0.0, 0.0, 0.0, 0.0])[:, 0]
    assert there[:3] == pytest.approx([100.0, (100.0 + 196.0) / 2, 196.0], rel=1e-6)
    assert np.isnan(there[3])
    assert beams.nearest([11.5], [0.0]) == pytest.approx([1.0])
    one = BeamTable((10.0,), (0.0,), (Beam(10, 8, 20),))
    np.testing.assert_allclose(one.at(10.2, 0.1)[0], upper(Beam(10, 8, 20)), rtol=1e-3)


def test_maps_of_beams_compare_and_pickle():
    for beams in (sky(), BeamTable((10.0,), (0.0,), (Beam(10, 8, 20),))):
        assert isinstance(beams, BeamMap)
        assert pickle.loads(pickle.dumps(beams)) == beams
    image = replace(images.image(np.zeros((20, 20)), centre=(180.0, -30.0)), beams=sky())
    assert pickle.loads(pickle.dumps(image)) == image
    assert image != replace(image, beams=None)
    assert image.cut(images.Box(2, 9, 3, 8)).beams == image.beams


def test_what_is_no_map_of_beams_is_refused():
    with pytest.raises(UsageError, match="place on the sky"):
        grid(images.Frame.pixels_only((3, 3), (1.0, 1.0)), 1.0, 1.0, 0.0)
    with pytest.raises(UsageError, match="one row or more"):
        BeamTable((), (), ())
    plane = ArraySource(np.ones((2, 2)))
    with pytest.raises(UsageError, match="planes of one shape"):
        BeamGrid(images.frame((3, 3)), plane, plane, plane)


def image_with(beams=None, smear=None, *, shape=(200, 300), **place) -> SkyImage:
    image = SkyImage.from_array(np.zeros(shape), beam=Beam(12, 9, 40), frame=images.frame(shape, **place))
    return replace(image, beams=beams, smear=smear)


def test_an_image_has_the_beam_of_its_map_of_beams_in_pixels():
    """One beam on the sky in a map of beams is that of a frame whose beam is fixed on the sky."""
    image = image_with(BeamTable((180.0,), (-30.0,), (Beam(12, 9, 40),)), rotation=20.0)
    x, y = np.array([10.0, 150.0, 290.0]), np.array([20.0, 100.0, 180.0])
    expected = image.frame.with_beam_plane("sky").beam_covariance(image.beam, x, y)
    np.testing.assert_allclose(image.beam_covariance(x, y), expected, rtol=2e-3)
    assert image.beam_known(x, y).all()
    assert not image.even


def test_where_the_map_of_beams_is_blank_the_nominal_beam_is_taken():
    frame = images.frame((5, 5), scale=(60.0, 60.0))
    image = image_with(grid(frame, np.full((5, 5), np.nan), 9.0, 0.0))
    np.testing.assert_array_equal(
        image.beam_covariance(5.0, 5.0), image.frame.beam_covariance(image.beam, 5.0, 5.0)
    )
    assert not image.beam_known(5.0, 5.0).any()


def test_what_is_not_per_beam_has_the_unit_of_the_nominal_beam():
    beams = BeamTable((180.0,), (-30.0,), (Beam(24, 18, 40),))
    image = image_with(beams)
    own, nominal = image.beam_covariance(5, 5), image.frame.beam_covariance(image.beam, 5, 5)
    np.testing.assert_array_equal(image.unit_covariance(5, 5), own)
    np.testing.assert_array_equal(replace(image, per_beam=False).unit_covariance(5, 5), nominal)
    kelvin = SkyImage.from_array(np.zeros((9, 9)), beam=10.0, pixel_scale=2.0, unit="K", frequency=1e9)
    assert not kelvin.per_beam
    assert image.per_beam


# -- smearing


def test_bandwidth_draws_out_towards_the_centre_and_time_around_it():
    """At the pole, where both are exact: lines of the length theta dnu / nu and theta omega dt."""
    theta, smear = 0.5, Smear(0.01, EARTH * 10.0, 0.0, 90.0)
    ra = np.array([0.0, 77.0, 200.0])
    radial, around = smear.lines(ra, np.full(3, 90.0 - theta))
    arcsec = math.sin(math.radians(theta)) * 3600 * 180 / math.pi
    np.testing.assert_allclose(
        np.abs(radial[:, 1]), 0.01 * arcsec, rtol=1e-9
    )  # north is away from the centre
    np.testing.assert_allclose(radial[:, 0], 0.0, atol=1e-6)
    np.testing.assert_allclose(np.abs(around[:, 0]), 10.0 * EARTH * arcsec, rtol=1e-9)
    np.testing.assert_allclose(around[:, 1], 0.0, atol=1e-6)


def test_at_the_equator_time_moves_nothing_that_lies_north():
    _, around = Smear(0.0, EARTH * 10.0, 150.0, 0.0).lines([150.0, 150.5], [0.5, 0.0])
    assert np.hypot(*around[0]) == pytest.approx(0.0, abs=1e-9)
    assert np.hypot(*around[1]) == pytest.approx(EARTH * 10.0 * 0.5 * 3600, rel=1e-3)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_what_is_left_of_a_peak_is_that_of_the_papers(share):
    """Condon et al. (1998) for channels; for time at the pole 1.22e-9 (theta / theta_b)^2 t^2 (Bridle & Schwab)."""
    beam, theta = 10.0, 0.4
    arcsec = math.sin(math.radians(theta)) * 3600 * 180 / math.pi
    bandwidth = share * beam / arcsec

    def kept(smear: Smear) -> float:
        ee, en, nn = smear.covariance([0.0], [90.0 - theta])[0] + upper(Beam(beam, beam))
        return math.sqrt((beam / FWHM_PER_SIGMA) ** 4 / (ee * nn - en**2))

    expected = 1.0 / math.sqrt(1.0 + 2.0 * math.log(2.0) / 3.0 * share**2)
    assert kept(Smear(bandwidth, 0.0, 0.0, 90.0)) == pytest.approx(expected, rel=1e-9)
    # of a square channel and a Gaussian beam, without the Gaussian in place of the line
    b = share * math.sqrt(math.log(2.0))
    exact = math.sqrt(math.pi) / (2.0 * b) * math.erf(b)
    assert expected == pytest.approx(exact, rel=4e-3)
    seconds = 0.1 * share * beam / arcsec / EARTH
    loss = 1.0 - kept(Smear(0.0, EARTH * seconds, 0.0, 90.0))
    assert loss == pytest.approx(1.22e-9 * (arcsec / beam) ** 2 * seconds**2, rel=2e-2)


def test_smearing_is_the_same_around_any_centre():
    """Lines turn with the sky: in the pixels of a map about its reference point they are radial."""
    smear = Smear(0.01, 0.0, 180.0, 80.0)
    image = image_with(smear=smear, shape=(4001, 4001), centre=(180.0, 80.0))
    x, y = np.array([100.0, 3000.0, 3900.0]), np.array([200.0, 3700.0, 2000.0])
    rest = image.point_covariance(x, y) - image.beam_covariance(x, y)
    dx, dy = x - 2000.0, y - 2000.0
    np.testing.assert_allclose(rest[:, 1] / rest[:, 0], dy / dx, rtol=1e-3, atol=1e-3)
    length = 0.01 * np.hypot(dx, dy)
    np.testing.assert_allclose(np.sqrt(12 * (rest[:, 0] + rest[:, 2])), length, rtol=1e-3)


def test_nonsense_is_refused():
    with pytest.raises(UsageError, match="not negative"):
        Smear(-0.1, 0.0, 0.0, 0.0)


def test_the_angle_of_a_great_circle_grows_towards_the_pole():
    assert np.degrees(convergence(0.0, 45.0, 10.0, 45.0)) == pytest.approx(7.08, abs=0.01)
    assert convergence(10.0, 0.0, 60.0, 0.0) == pytest.approx(0.0, abs=1e-12)


def test_axes_that_are_none_have_no_covariance():
    assert (
        np.isnan(
            beam_covariances(
                np.array([0.0, -1.0, np.nan, 5.0]), np.array([5.0, 5.0, 5.0, np.nan]), np.zeros(4)
            )
        )
        .any(axis=1)
        .all()
    )

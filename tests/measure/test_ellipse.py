"""Shapes on the sky: conventions against astropy, errors against samples, deconvolution."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import images

from skysift.measure.ellipse import FWHM, ellipses, to_sky
from skysift.sky.beam import Beam

NOTHING = np.zeros((1, 3, 3))
SHAPE = (400, 500)

FRAMES = {
    "SIN": {"centre": (30.0, -30.0)},
    "non-square pixels": {"scale": (19.0, 11.0)},
    "mirrored": {"mirrored": True},
    "turned": {"rotation": 35.0, "scale": (3.0, 2.0)},
    "near the pole": {"centre": (123.0, 89.95)},
    "at the pole": {"centre": (0.0, -90.0), "projection": "TAN"},
    "Galactic": {"centre": (327.0, 2.0), "axes": ("GLON", "GLAT"), "projection": "TAN"},
    "Galactic CAR": {"centre": (327.0, 0.0), "axes": ("GLON", "GLAT"), "projection": "CAR"},
    "far from the centre": {"centre": (10.0, 60.0), "scale": (60.0, 60.0)},
    "AIT": {"centre": (0.0, 0.0), "projection": "AIT", "scale": (200.0, 200.0)},
}
PLACES = [(250.0, 200.0), (40.0, 350.0), (470.5, 20.25)]


def covariance(major: float, minor: float, pa: float) -> np.ndarray:
    """(ee, en, nn) of axes given as FWHM, by the definition of a position angle."""
    t = np.radians(pa)
    along, across = np.array([np.sin(t), np.cos(t)]), np.array([np.cos(t), -np.sin(t)])
    c = (major**2 * np.outer(along, along) + minor**2 * np.outer(across, across)) / FWHM**2
    return np.array([c[0, 0], c[0, 1], c[1, 1]])


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize(("x", "y"), PLACES)
@pytest.mark.parametrize("pa", [0.0, 33.0, 90.0, 150.0])
def test_an_ellipse_drawn_by_astropy_is_measured_on_the_sky(name, x, y, pa):
    frame = images.frame(SHAPE, **FRAMES[name])
    major, minor = (0.4, 0.2) if "pole" in name else (8.0, 5.0)  # small, so that the sky is flat
    ra, dec = frame.to_sky(x, y)
    centre = SkyCoord(ra * u.deg, dec * u.deg, frame="icrs")
    ends = []
    for length, angle in ((major, pa), (minor, pa + 90)):
        tips = [
            centre.directional_offset_by((angle + turn) * u.deg, length / FWHM * u.arcsec)
            for turn in (0, 180)
        ]
        px, py = frame.wcs.world_to_pixel(SkyCoord(tips))
        ends.append(np.array([px[0] - px[1], py[0] - py[1]]) / 2)
    pixel = sum(np.outer(end, end) for end in ends)
    shape = np.array([[pixel[0, 0], pixel[0, 1], pixel[1, 1]]])
    e = ellipses(to_sky(shape, frame.tangent([x], [y])), NOTHING)
    assert e.major[0] == pytest.approx(major, rel=2e-4)
    assert e.minor[0] == pytest.approx(minor, rel=2e-4)
    assert (e.pa[0] - pa + 90) % 180 - 90 == pytest.approx(0.0, abs=0.03)
    assert 0 <= e.pa[0] < 180


@settings(deadline=None)
@given(st.floats(1, 100), st.floats(0.1, 0.95), st.floats(0, 179.9))
def test_axes_and_angle_come_back(major, ratio, pa):
    e = ellipses(covariance(major, ratio * major, pa)[None], NOTHING)
    assert e.major[0] == pytest.approx(major)
    assert e.minor[0] == pytest.approx(ratio * major)
    assert (e.pa[0] - pa + 90) % 180 - 90 == pytest.approx(0.0, abs=1e-6)
    assert e.major_err[0] == e.minor_err[0] == e.pa_err[0] == 0.0


def test_errors_are_those_of_samples():
    centre = covariance(20.0, 12.0, 40.0)
    root = np.array([[0.5, 0, 0], [0.1, 0.3, 0], [-0.1, 0.1, 0.4]])
    cov = root @ root.T
    e = ellipses(centre[None], cov[None])
    many = centre + np.random.default_rng(1).standard_normal((4000, 3)) @ root.T
    s = ellipses(many, np.zeros((4000, 3, 3)))
    for name in ("major", "minor", "pa"):
        assert getattr(e, name + "_err")[0] == pytest.approx(np.std(getattr(s, name)), rel=0.06)
        assert np.median(getattr(s, name)) == pytest.approx(getattr(e, name)[0], rel=0.01)


def test_noise_does_not_elongate():
    """Round shapes with noise: their axes differ by no more, in the median, than a sigma."""
    sigma = 1.0
    cov = np.diag([2 * sigma**2, sigma**2, 2 * sigma**2])
    round_ = covariance(20.0, 20.0, 0.0)
    many = round_ + np.random.default_rng(2).multivariate_normal(np.zeros(3), cov, 4000)
    e = ellipses(many, np.tile(cov, (4000, 1, 1)))
    plain = ellipses(many, np.zeros((4000, 3, 3)))
    assert np.median(e.major - e.minor) < 0.8 * np.median(plain.major - plain.minor)
    np.testing.assert_allclose(e.major**2 + e.minor**2, plain.major**2 + plain.minor**2)


@settings(deadline=None)
@given(
    st.floats(2, 20),
    st.floats(0.3, 0.95),
    st.floats(0, 179),
    st.floats(3, 30),
    st.floats(0.3, 0.95),
    st.floats(0, 179),
)
def test_what_is_left_of_a_convolved_shape_is_the_deconvolved_beam(b_major, b_ratio, b_pa, major, ratio, pa):
    beam, true = Beam(b_major, b_ratio * b_major, b_pa), Beam(major, ratio * major, pa)
    seen = beam.convolve(true)
    left = covariance(seen.major, seen.minor, seen.pa) - covariance(beam.major, beam.minor, beam.pa)
    e = ellipses(left[None], NOTHING)
    assert e.major[0] == pytest.approx(true.major, rel=1e-6)
    assert e.minor[0] == pytest.approx(true.minor, rel=1e-5, abs=1e-4)
    assert (e.pa[0] - pa + 90) % 180 - 90 == pytest.approx(0.0, abs=0.01)


def test_what_is_smaller_than_nothing_is_zero():
    left = np.array([[-1.0, 0.2, 3.0], [-1.0, 0.0, -2.0], [0.0, 0.0, 0.0]])
    cov = np.tile(np.diag([0.3, 0.1, 0.3]), (3, 1, 1))
    e = ellipses(left, cov)
    assert (e.major[0] > 0, e.minor[0]) == (True, 0.0)
    assert e.major[1] == e.minor[1] == 0.0
    assert np.isnan(e.pa[1])
    for values in (e.major_err, e.minor_err):
        assert np.isfinite(values).all()
        assert (values > 0).all()
    assert ((e.pa_err[[0, 1]] > 0) & (e.pa_err[[0, 1]] <= 90)).all()


def test_the_error_of_a_vanishing_axis_is_finite_and_steady():
    """Through zero the error of an axis neither jumps nor blows up."""
    left = np.stack([np.linspace(-2, 4, 61), np.zeros(61), np.full(61, 20.0)], axis=1)
    e = ellipses(left, np.tile(np.diag([0.5, 0.1, 0.5]), (61, 1, 1)))
    assert np.isfinite(e.minor_err).all()
    assert e.minor_err.max() <= FWHM * np.sqrt(2 * np.sqrt(0.5))
    assert (np.diff(e.minor) >= 0).all()

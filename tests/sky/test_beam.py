"""The algebra of Gaussian beams: areas, convolution, deconvolution."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysift.base.errors import UsageError
from skysift.sky.beam import FWHM_PER_SIGMA, Beam

SIZE = st.floats(0.01, 1000.0)
MODEST = st.builds(Beam, st.floats(1.0, 30.0), st.floats(1.0, 30.0), st.floats(0.0, 180.0))
BEAMS = st.builds(Beam, SIZE, SIZE, st.floats(-720.0, 720.0))


def close(a: Beam, b: Beam, tolerance: float = 1e-6) -> bool:
    scale = max(a.major, b.major) ** 2
    return bool(np.allclose(a.to_covariance(), b.to_covariance(), atol=tolerance * scale, rtol=0))


@given(BEAMS)
def test_axes_are_ordered_and_the_angle_is_a_half_turn(beam):
    assert beam.major >= beam.minor
    assert 0.0 <= beam.pa < 180.0


@given(BEAMS)
def test_covariance_and_back(beam):
    again = Beam.from_covariance(beam.to_covariance())
    assert close(again, beam)
    assert again.area == pytest.approx(beam.area, rel=1e-5)


@given(BEAMS)
def test_area_is_the_integral_of_a_gaussian_of_peak_one(beam):
    assert beam.area == pytest.approx(2 * math.pi * math.sqrt(np.linalg.det(beam.to_covariance())), rel=1e-6)


@given(BEAMS, BEAMS)
def test_convolution_commutes_and_widens(a, b):
    both = a.convolve(b)
    assert close(both, b.convolve(a))
    assert both.major >= max(a.major, b.major) * (1 - 1e-12)
    assert both.minor >= max(a.minor, b.minor) * (1 - 1e-12)
    assert both.area >= a.area


@given(BEAMS, BEAMS, BEAMS)
def test_convolution_associates(a, b, c):
    assert close(a.convolve(b).convolve(c), a.convolve(b.convolve(c)))


@given(MODEST, MODEST)
def test_deconvolution_undoes_convolution(source, beam):
    again = source.convolve(beam).deconvolve(beam)
    assert close(again, source, 1e-8)
    assert close(source.convolve(beam).deconvolve_or_point(beam), source, 1e-8)


def test_known_values():
    assert Beam(10.0, 10.0).area == pytest.approx(113.309, rel=1e-5)  # pi / (4 ln 2) 10^2
    both = Beam(3.0, 3.0).convolve(Beam(4.0, 4.0))
    assert (both.major, both.minor) == pytest.approx((5.0, 5.0))
    along_east = Beam(20.0, 10.0, 90.0).to_covariance() * FWHM_PER_SIGMA**2
    assert along_east == pytest.approx(np.array([[400.0, 0.0], [0.0, 100.0]]))
    north_east = Beam(20.0, 1e-9, 45.0).to_covariance()
    assert north_east[0, 1] > 0  # from north through east: both grow together


def test_a_beam_without_itself_is_a_point():
    beam = Beam(45.3, 30.1, 33.0)
    assert beam.deconvolve(beam).is_point
    assert beam.deconvolve_or_point(beam) == Beam(0.0, 0.0, 0.0)


def test_what_is_narrower_than_the_beam_cannot_be_deconvolved():
    with pytest.raises(UsageError, match="narrower than the beam"):
        Beam(10.0, 4.0, 0.0).deconvolve(Beam(5.0, 5.0))
    partly = Beam(10.0, 4.0, 20.0).deconvolve_or_point(Beam(5.0, 5.0))
    assert partly.major == pytest.approx(math.sqrt(75.0))
    assert (partly.minor, partly.pa) == pytest.approx((0.0, 20.0))
    assert Beam(3.0, 2.0).deconvolve_or_point(Beam(5.0, 5.0)).is_point


@pytest.mark.parametrize(
    "axes", [(math.nan, 1.0, 0.0), (-1.0, 1.0, 0.0), (1.0, math.inf, 0.0), (1.0, 1.0, math.nan)]
)
def test_axes_that_are_none_are_refused(axes):
    with pytest.raises(UsageError, match="arcsec"):
        Beam(*axes)


def test_a_covariance_of_nothing_is_refused():
    with pytest.raises(UsageError, match="covariance"):
        Beam.from_covariance(np.array([[1.0, 0.0], [0.0, -1.0]]))


def test_a_beam_is_a_value():
    beam = Beam(45.0, 30.0, 190.0)
    assert beam == Beam(45.0, 30.0, 10.0) == Beam(30.0, 45.0, 100.0)
    assert pickle.loads(pickle.dumps(beam)) == beam
    assert len({beam, Beam(45.0, 30.0, 10.0)}) == 1
    assert "45" in str(beam)
    assert "pa=10" in repr(beam)

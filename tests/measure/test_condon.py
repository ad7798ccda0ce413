"""Condon's errors against his closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysift.measure.condon import condon_errors

FWHM = np.sqrt(8 * np.log(2))
snrs = st.floats(3, 1e5)


def errors(snr, major, minor, beam_major, beam_minor):
    return condon_errors(np.array([snr]), np.array([major]), np.array([minor]), beam_major, beam_minor)


@given(snrs, st.floats(1, 100), st.floats(0.2, 1))
def test_a_point_source(snr, major, ratio):
    """For a source as large as the beam all of Condon's rho are sqrt(2) snr."""
    minor = ratio * major
    e = errors(snr, major, minor, major, minor)
    assert e.peak[0] == pytest.approx(1 / snr)
    assert e.flux[0] == pytest.approx(np.sqrt(3) / snr)
    assert e.major[0] == pytest.approx(major / snr)
    assert e.minor[0] == pytest.approx(minor / snr)
    assert e.along_major[0] == pytest.approx(major / (FWHM * snr))
    assert e.along_minor[0] == pytest.approx(minor / (FWHM * snr))
    if ratio < 0.99:
        pa = np.sqrt(2) * major * minor / (major**2 - minor**2) / snr
        assert e.pa[0] == pytest.approx(min(np.degrees(pa), 90.0))


@given(snrs, st.floats(1, 50))
def test_a_round_source_of_any_size(snr, size):
    """rho^2 = (theta / 2)^2 (1 + theta^-2)^3 snr^2, for all of the three exponents, with the beam as unit."""
    e = errors(snr, size, size, 1.0, 1.0)
    relative = np.sqrt(2) / (size / 2 * (1 + size**-2) ** 1.5 * snr)
    assert e.peak[0] == pytest.approx(relative)
    assert e.major[0] == pytest.approx(relative * size)
    assert e.minor[0] == pytest.approx(relative * size)
    assert e.flux[0] == pytest.approx(relative * np.sqrt(1 + 2 / size**2))
    assert e.pa[0] == 90.0  # nothing to be known


@given(snrs, st.floats(2, 30), st.floats(0.3, 0.9), st.floats(0.1, 10))
def test_axes_come_in_their_unit_and_errors_fall_as_the_signal_grows(snr, major, ratio, unit):
    one = errors(snr, major, ratio * major, 1.0, 0.5)
    scaled = errors(snr, unit * major, unit * ratio * major, unit, 0.5 * unit)
    brighter = errors(2 * snr, major, ratio * major, 1.0, 0.5)
    for name in ("peak", "flux"):
        assert getattr(scaled, name)[0] == pytest.approx(getattr(one, name)[0])
    for name in ("major", "minor", "along_major", "along_minor"):
        assert getattr(scaled, name)[0] == pytest.approx(unit * getattr(one, name)[0])
    for name in ("peak", "flux", "major", "minor", "along_major", "along_minor"):
        assert getattr(brighter, name)[0] == pytest.approx(getattr(one, name)[0] / 2)


def test_negative_sources_have_the_errors_of_positive_ones():
    assert errors(-7.0, 3, 2, 2, 1).flux[0] == errors(7.0, 3, 2, 2, 1).flux[0] > 0

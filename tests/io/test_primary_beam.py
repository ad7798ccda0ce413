import numpy as np
import pytest
from astropy.io import fits

from skysift.base.errors import UsageError
from skysift.io.primary_beam import response

CARDS = {
    "CTYPE1": "RA---SIN",
    "CTYPE2": "DEC--SIN",
    "CRVAL1": 10.0,
    "CRVAL2": -30.0,
    "CRPIX1": 31.0,
    "CRPIX2": 26.0,
    "CDELT1": -0.05,
    "CDELT2": 0.05,
    "RADESYS": "ICRS",
}
FWHM = 1.0  # deg


def truth(ra, dec):
    """A Gaussian beam, by the sine projection."""
    a, b, b0 = np.radians(ra - 10.0), np.radians(dec), np.radians(-30.0)
    east = np.cos(b) * np.sin(a)
    north = np.sin(b) * np.cos(b0) - np.cos(b) * np.sin(b0) * np.cos(a)
    return np.exp(-4 * np.log(2) * np.degrees(np.hypot(east, north)) ** 2 / FWHM**2)


@pytest.fixture
def map_of(tmp_path):
    """map_of(change): the path of a map of a Gaussian beam, its pixels changed."""

    def write(change=lambda pixels: pixels, cards=CARDS):
        y, x = np.mgrid[:50, :60]
        r2 = (0.05 * (x - 30)) ** 2 + (0.05 * (y - 25)) ** 2
        pixels = change(np.exp(-4 * np.log(2) * r2 / FWHM**2))
        fits.PrimaryHDU(pixels.astype("f4"), fits.Header(cards)).writeto(tmp_path / "pb.fits", overwrite=True)
        return tmp_path / "pb.fits"

    return write


def places(n=200):
    angle, radius = np.arange(n) * 2.4, np.linspace(0, 1.0, n)
    return 10.0 + radius * np.cos(angle) / np.cos(np.radians(30)), -30.0 + radius * np.sin(angle)


def test_the_response_between_coarse_pixels(map_of):
    ra, dec = places()
    assert response(map_of(), ra, dec) == pytest.approx(truth(ra, dec), abs=2e-5)


def test_windows_do_not_show(map_of, monkeypatch):
    ra, dec = places()
    whole = response(map_of(), ra, dec)
    monkeypatch.setattr("skysift.io.primary_beam._CELL", 20)
    assert response(map_of(), ra, dec) == pytest.approx(whole, abs=1e-8)


def test_outside_the_map_and_where_it_is_blank_there_is_none(map_of):
    def blanked(pixels):
        pixels[:10] = np.nan
        return pixels

    ra, dec = np.array([10.0, 10.0, 50.0, np.nan, 10.0]), np.array([-30.0, -31.2, -30.0, -30.0, -30.3])
    values = response(map_of(blanked), ra, dec)
    assert list(np.isnan(values)) == [False, True, True, True, False]
    assert values[[0, 4]] == pytest.approx(truth(ra, dec)[[0, 4]], abs=5e-3)


def test_a_map_without_a_place_on_the_sky_is_refused(map_of):
    with pytest.raises(UsageError, match="the map of the primary beam has no place on the sky"):
        response(map_of(cards={"CDELT1": 1.0, "CDELT2": 1.0}), [10.0], [-30.0])


def test_no_positions(map_of):
    assert response(map_of(), [], []).size == 0


def test_the_map_of_the_challenge(data_folder):
    path = data_folder / "challenge" / "SDC1_PrimaryBeam_B1.fits"
    values = response(path, [0.0, 359.67, 180.0], [-30.0, -29.67, 30.0])
    assert values[0] == pytest.approx(1.0, abs=2e-3)
    assert 0.8 < values[1] < values[0]
    assert np.isnan(values[2])

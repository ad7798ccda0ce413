"""Every real map opens and tells what its observers know of it."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning
from astropy.wcs import WCS, FITSFixedWarning

from skysift.base.errors import HeaderError
from skysift.io.open import open_image

# name: shape, projection, system, beam (arcsec, deg), frequency (MHz), words of the notes
MAPS = {
    "continuum/SUMSS_J0318M36": ((828, 1408), "SIN", "FK5", (76.56, 45.0, 0.0), 843.0, ["843 MHz"]),
    "continuum/SUMSS_J0336M36": ((828, 1408), "SIN", "FK5", (76.56, 45.0, 0.0), 843.0, ["843 MHz"]),
    "continuum/SUMSS_J0320M40": ((906, 1408), "SIN", "FK5", (70.01, 45.0, 0.0), 843.0, ["843 MHz"]),
    "continuum/VLA_FornaxA_1510MHz": ((512, 512), "SIN", "FK5", (14.0, 14.0, 0.0), 1510.0, []),
    "continuum/ATCA_ScorpioS17Field": (
        (1000, 1000),
        "NCP",
        "FK5",
        (6.5, 6.5, 0.0),
        1447.46,
        ["telescope pointed"],
    ),
    "continuum/ATCA_ScorpioExtendedSourceField": (
        (1000, 1000),
        "NCP",
        "FK5",
        (6.5, 6.5, 0.0),
        1447.46,
        ["telescope pointed"],
    ),
    "continuum/Aegean_1904-66_SIN": ((192, 192), "SIN", "FK5", (864.0, 864.0, 0.0), 1420.41, []),
    "continuum/PyBDSF_ch0_I": (
        (129, 129),
        "SIN",
        "FK5",
        (54.0, 54.0, 0.0),
        math.nan,
        ["23.5 Hz", "Jy/beam is assumed"],
    ),
    "continuum/AMI-LA_GRB120422A": ((512, 512), "SIN", "FK5", (54.24, 24.65, 5.01), 16505.19, []),
    "continuum/AMI-LA_SWIFT554620_17GHz": ((512, 512), "SIN", "FK5", (61.49, 23.75, 13.55), 16879.93, []),
    "continuum/LOFAR_GRB201006A_144MHz": ((256, 256), "SIN", "FK5", (32.47, 17.96, 38.69), 143.65, []),
    "continuum/LOFAR_LSMTool_test_image_144MHz": (
        (500, 500),
        "SIN",
        "FK5",
        (27.07, 23.99, 45.45),
        143.65,
        ["undersampled"],
    ),
    "challenge/SDC1_B1_1000h_0.05tr": ((160, 174), "SIN", "FK5", (1.5, 1.5, 0.0), 560.0, []),
    "cubes/NGC2903_HI_pyFAT": ((89, 70), "NCP", "FK4", (57.42, 48.32, 0.0), 1417.78, ["113 planes"]),
    "cubes/WSRT_NGC4036_sofia_subcube": (
        (52, 51),
        "NCP",
        "FK5",
        (37.81, 37.56, 82.70),
        1416.10,
        ["100 planes", "full turn"],
    ),
    "cubes/ALMA_NGC4321_CO_subset": (
        (50, 100),
        "SIN",
        "FK5",
        (1.718, 1.718, 0.0),
        229211.8,
        ["50 planes", "in K"],
    ),
    "multiwave/gc_bolocam_gps": (
        (638, 640),
        "CAR",
        "Galactic",
        (33.0, 33.0, 0.0),
        math.nan,
        ["no frequency"],
    ),
}


@pytest.mark.parametrize("name", MAPS)
def test_a_real_map_tells_what_is_known_of_it(data_folder, name):
    shape, projection, system, beam, frequency, notes = MAPS[name]
    path = data_folder / f"{name}.fits"
    image = open_image(path)
    assert image.shape == shape
    assert (image.frame.projection, image.frame.name) == (projection, system)
    assert (image.beam.major, image.beam.minor, image.beam.pa) == pytest.approx(beam, rel=2e-4, abs=0.006)
    assert image.frequency / 1e6 == pytest.approx(frequency, rel=1e-4, nan_ok=True)
    assert len(image.notes) == len(notes), image.notes
    for words in notes:
        assert any(words in note for note in image.notes), image.notes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VerifyWarning)  # BLANK with floats
        data = fits.getdata(path)
    data = data[(0,) * (data.ndim - 2)] * image.factor
    assert np.allclose(image.read(), data, rtol=1e-6, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", MAPS)
def test_positions_of_a_real_map_are_those_of_astropy(data_folder, name):
    path = data_folder / f"{name}.fits"
    image = open_image(path)
    y, x = (np.array([0.0, 3.0, n - 1.0]) for n in image.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        warnings.simplefilter("ignore", VerifyWarning)
        theirs = WCS(fits.getheader(path)).celestial.pixel_to_world(x, y).icrs
    ra, dec = image.frame.to_sky(x, y)
    assert np.allclose(theirs.ra.deg, ra, rtol=0, atol=1e-9)
    assert np.allclose(theirs.dec.deg, dec, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["galaxy0001", "sidelobe0001", "galaxy0002"])
def test_cutouts_without_any_geometry_need_the_size_of_a_pixel(data_folder, name):
    (path,) = (data_folder / "labelled").glob(f"caesar_*_{name}.fits")
    with pytest.raises(HeaderError, match="--pixel-scale"):
        open_image(path)
    image = open_image(path, pixel_scale=1.8)
    assert not image.frame.celestial
    assert image.frame.scale == (1.8, 1.8)
    assert any("pixel positions only" in note for note in image.notes)

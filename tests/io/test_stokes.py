"""Which planes of a file are which Stokes parameter, by the many ways in which headers tell."""

import numpy as np
import pytest
from astropy.io import fits
from tests import skies

from skysift.io.stokes import StokesPlane, is_cosmo, stokes_planes

BEAM = (4.0, 4.0, 0.0)
PLANE = np.zeros((8, 9), np.float32)


def axis(number, value, step=1.0):
    return {
        f"CTYPE{number}": "STOKES",
        f"CRVAL{number}": value,
        f"CRPIX{number}": 1.0,
        f"CDELT{number}": step,
    }


def written(tmp_path, data=PLANE, **cards):
    path = tmp_path / "map.fits"
    skies.write(path, data if data.ndim == 2 else data.reshape(-1, data.shape[-1]), BEAM)
    header = fits.getheader(path)
    for key, value in cards.items():
        header[key] = value
    fits.PrimaryHDU(data, header).writeto(path, overwrite=True)
    return path


def test_an_axis_of_one_pixel_tells(tmp_path):
    path = written(
        tmp_path, PLANE[None, None], **axis(4, 4.0), CTYPE3="FREQ", CRVAL3=1e9, CDELT3=1e6, CRPIX3=1.0
    )
    assert stokes_planes(path) == (StokesPlane("V", str(path), (0, 0)),)


def test_an_axis_that_the_array_does_without_tells(tmp_path):
    path = written(tmp_path, WCSAXES=3, **axis(3, 3.0))
    assert stokes_planes(path) == (StokesPlane("U", str(path), ()),)


def test_a_card_tells(tmp_path):
    path = written(tmp_path, STOKES="q")
    assert [each.letter for each in stokes_planes(path)] == ["Q"]
    assert stokes_planes(written(tmp_path)) == ()


def test_a_cube_has_several_and_keeps_the_channel_of_the_searched_map(tmp_path):
    cube = np.zeros((4, 3, 8, 9), np.float32)
    path = written(tmp_path, cube, **axis(4, 1.0), CTYPE3="FREQ", CRVAL3=1e9, CDELT3=1e6, CRPIX3=1.0)
    found = stokes_planes(path, beside=(0, 2))
    assert [(each.letter, each.plane) for each in found] == [
        ("I", (0, 2)),
        ("Q", (1, 2)),
        ("U", (2, 2)),
        ("V", (3, 2)),
    ]
    assert [each.plane for each in stokes_planes(path)][1] == (1, 0)


def test_correlations_are_no_stokes_parameters(tmp_path):
    path = written(tmp_path, np.zeros((4, 8, 9), np.float32), **axis(3, -1.0, -1.0))
    assert stokes_planes(path) == ()


@pytest.mark.parametrize(
    ("cards", "expected"), [({}, False), ({"POLCCONV": "COSMO"}, True), ({"POLCCONV": "IAU"}, False)]
)
def test_the_convention_of_cosmologists_is_read(tmp_path, cards, expected):
    assert is_cosmo(written(tmp_path, **axis(3, 3.0), **cards)) is expected

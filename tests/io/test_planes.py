"""The planes of a cube: each with its beam and frequency, those without data left out."""

from zipfile import ZipFile

import numpy as np
import pytest
from tests.io.fits_maps import NONE, noise, write_map

from skysift.base.errors import HeaderError
from skysift.io.planes import open_planes

SPECTRAL = {"CTYPE3": "FREQ", "CRVAL3": 1.0e9, "CRPIX3": 1.0, "CDELT3": 1.0e8, "CUNIT3": "Hz"}


def cube(n=4):
    return np.stack([noise(seed=k) for k in range(n)])


def test_every_plane_has_its_frequency(tmp_path):
    planes, notes = open_planes(write_map(tmp_path / "cube.fits", cube(), **SPECTRAL))
    assert [round(each.frequency / 1e8) for each in planes] == [10, 11, 12, 13]
    assert planes[2].name == "cube, plane 2"
    np.testing.assert_array_equal(planes[2].read(), cube()[2])
    assert notes == ()


def test_planes_without_data_are_left_out_and_told(tmp_path):
    data = cube(6)
    data[1], data[3:5] = np.nan, 0.0
    planes, notes = open_planes(write_map(tmp_path / "cube.fits", data, **SPECTRAL))
    assert len(planes) == 3
    assert notes == ("cube has no data in planes 1, 3-4: left out",)


def test_a_map_without_a_spectral_axis_is_one_plane(tmp_path):
    (image,), notes = open_planes(write_map(tmp_path / "map.fits"))
    assert image.name == "map"
    assert notes == ()
    path = write_map(tmp_path / "empty.fits", np.full((30, 40), np.nan, np.float32))
    assert open_planes(path) == ((), ("empty holds no data: it is left out",))


def test_a_cube_of_something_else_is_refused(tmp_path):
    path = write_map(tmp_path / "cube.fits", cube(), CTYPE3="TIME")
    with pytest.raises(HeaderError, match=r"no spectral axis: got .*TIME"):
        open_planes(path)


def test_a_plane_with_data_but_without_a_beam_is_refused(tmp_path):
    path = write_map(tmp_path / "cube.fits", cube(), **SPECTRAL, BMAJ=NONE, BMIN=NONE)
    with pytest.raises(HeaderError, match="plane 0: the map has no beam"):
        open_planes(path)
    blank = write_map(tmp_path / "blank.fits", 0 * cube(), **SPECTRAL, BMAJ=NONE, BMIN=NONE)
    assert open_planes(blank)[0] == ()


def test_askap_cubes_have_one_beam_a_plane(tmp_path, data_folder):
    archive = data_folder / "cubes" / "ASKAP_EMU_1743-51_subcubes.zip"
    with ZipFile(archive) as file:
        path = file.extract(file.namelist()[0], tmp_path)
    planes, notes = open_planes(path)
    assert len(planes) == 35
    assert notes[0].endswith("has no beam in plane 10: left out")  # it was flagged: beam 0, pixels of 1e-14
    assert planes[0].beam.major == pytest.approx(14.58, abs=0.01)
    assert planes[-1].beam.major == pytest.approx(11.09, abs=0.01)
    assert planes[0].frequency == pytest.approx(803.49e6, rel=1e-4)
    assert planes[-1].frequency == pytest.approx(1083.49e6, rel=1e-4)

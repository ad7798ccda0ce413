"""A map as HiPS: places agree with another program, brightness stays at every zoom, no tile where no map is."""

import numpy as np
import pytest
from astropy.coordinates import ICRS
from astropy.io import fits
from astropy.wcs import WCS
from mocpy import MOC
from reproject.hips._utils import tile_header
from tests.archive.shelves import write_map

from skysift.base.errors import OptionError, UnknownName
from skysift.sky.healpix import cell_area
from skysift.stamps.hips import HipsMap


@pytest.fixture
def path(tmp_path):
    """A map of 200 pixels (0.01 deg) whose value is the declination, with blanks in a corner."""
    path = write_map(tmp_path / "map.fits", 10.0, 20.0, size=200)
    with fits.open(path, mode="update") as hdus:
        del hdus[0].header["DATE-OBS"]
        y, x = np.mgrid[:200, :200]
        hdus[0].data[:] = WCS(hdus[0].header).wcs_pix2world(x, y, 0)[1]
        hdus[0].data[:20, :20] = np.nan
    return path


@pytest.fixture
def hips(path, tmp_path):
    return HipsMap(path, tmp_path / "hips")


def test_pixels_of_tiles_lie_where_another_program_has_them(hips):
    assert hips.order == 4  # 12.9 arcsec of 36
    seen = 0
    for cell in hips.cells(4).tolist():
        data = fits.getdata(hips.tile(4, cell))
        assert data.shape == (512, 512)
        header = tile_header(level=4, index=cell, frame=ICRS(), tile_dims=512)
        y, x = np.nonzero(np.isfinite(data))
        dec = WCS(header).wcs_pix2world(x, y, 0)[1]
        away = np.abs(data[y, x] - dec)
        seen += len(away)
        assert np.quantile(away, 0.9) < 1e-4  # linear between pixels; at the border half a pixel of 0.01
        assert away.max() < 0.006
    assert seen * cell_area(4 + 9) == pytest.approx(4.0 - 0.04, rel=0.01)


def test_coarse_tiles_show_means(path, tmp_path):
    with fits.open(path, mode="update") as hdus:
        rng = np.random.default_rng(3)
        hdus[0].data[:] = 5.0 + rng.normal(0, 1.0, (200, 200))
    hips = HipsMap(path, tmp_path / "hips")
    for order in (0, 1, 2):
        values = [fits.getdata(hips.tile(order, cell)) for cell in hips.cells(order).tolist()]
        good = np.concatenate([each[np.isfinite(each)] for each in values])
        assert good.mean() == pytest.approx(5.0, abs=0.3)
        assert good.std() < 0.5
    assert not list(hips.folder.glob("*.part*"))


def test_where_there_is_no_map_there_is_no_tile(hips):
    with pytest.raises(UnknownName, match="does not reach"):
        hips.tile(3, 700)
    with pytest.raises(UnknownName, match="no such tile"):
        hips.tile(0, 12)
    with pytest.raises(OptionError, match="0 to 4"):
        hips.tile(5, 0)


def test_what_it_tells_of_itself(hips):
    told = dict(
        (part.strip() for part in line.split("=", 1))
        for line in hips.properties(did="ivo://x/y?z", title="a\nmap", unit="Jy/beam").splitlines()
    )
    assert told["hips_order"] == "4"
    assert told["obs_title"] == "a map"
    assert float(told["hips_initial_ra"]) == pytest.approx(10.0, abs=0.01)
    assert float(told["hips_initial_fov"]) == pytest.approx(2.0, rel=0.01)
    low, high = (float(each) for each in told["hips_pixel_cut"].split())
    assert 19.0 < low < high < 21.0
    area = MOC.from_fits(str(hips.moc()))
    assert area.max_order == 4
    assert area.sky_fraction == pytest.approx(float(told["moc_sky_fraction"]), rel=1e-4)

"""Maps and tables of beams at the door."""

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from skysift.base.errors import FormatError, UsageError
from skysift.io.psf import read_psf
from skysift.sky.beam import FWHM_PER_SIGMA, Beam
from skysift.sky.beams import BeamGrid, BeamTable


def write_cube(path, planes, unit: str = "", **cards):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [180.0, -30.0], [2.0, 2.0], [-0.5, 0.5]
    header = wcs.to_header()
    header.update(cards | ({"BUNIT": unit} if unit else {}))
    fits.PrimaryHDU(np.asarray(planes, np.float32), header).writeto(path)
    return str(path)


def planes(n: int = 3, shape=(3, 4)):
    return np.stack([np.full(shape, each) for each in (12 / 3600, 9 / 3600, 40.0, 1.0)[:n]])


def size_at(beams, ra=180.0, dec=-30.0):
    ee, en, nn = beams.at(ra, dec)[0]
    return FWHM_PER_SIGMA**4 * (ee * nn - en**2)


@pytest.mark.parametrize("extra", ["three", "four", "degenerate"])
def test_a_cube_of_axes_and_angle_is_a_grid(tmp_path, extra):
    data = planes(4 if extra == "four" else 3)
    path = write_cube(tmp_path / "psf.fits", data[None] if extra == "degenerate" else data)
    beams, record = read_psf(path)
    assert isinstance(beams, BeamGrid)
    assert size_at(beams) == pytest.approx((12 * 9) ** 2, rel=1e-5)
    assert record.name == "psf.fits"
    assert record.checksum.startswith("sha256:")


def test_a_cube_may_say_that_it_is_in_arcsec(tmp_path):
    data = planes()
    data[:2] *= 3600
    beams, _ = read_psf(write_cube(tmp_path / "psf.fits", data, "arcsec"))
    assert size_at(beams) == pytest.approx((12 * 9) ** 2, rel=1e-5)


def rows(**columns):
    return Table(
        {
            "ra": [180.0, 181.0],
            "dec": [-30.0, -30.0],
            "bmaj": [12 / 3600] * 2,
            "bmin": [9 / 3600] * 2,
            "bpa": [40.0, 40.0],
        }
        | columns
    )


@pytest.mark.parametrize("name", ["psf.fits", "psf.xml", "psf.csv"])
def test_a_table_has_a_beam_a_row_in_any_format(tmp_path, name):
    kind = {"fits": "fits", "xml": "votable", "csv": "ascii.csv"}[name.rpartition(".")[2]]
    rows().write(tmp_path / name, format=kind)
    beams, _ = read_psf(tmp_path / name)
    assert isinstance(beams, BeamTable)
    assert beams.ra == (180.0, 181.0)
    assert beams.beams[0].major == pytest.approx(12.0)


def test_units_and_other_names_of_columns_are_understood(tmp_path):
    table = rows()
    table["bmaj"], table["bmin"] = [12.0, 13.0] * units.arcsec, [9.0, 9.5] * units.arcsec
    table.rename_columns(
        ["ra", "dec", "bmaj", "bmin", "bpa"], ["RAJ2000", "DEJ2000", "PSF_a", "PSF_b", "PSF_PA"]
    )
    table.write(tmp_path / "psf.fits")
    beams, _ = read_psf(tmp_path / "psf.fits")
    assert beams.beams[1].major == pytest.approx(13.0)
    assert beams.beams[1].pa == pytest.approx(40.0)


def test_rows_without_a_beam_are_left_out(tmp_path):
    rows(bmaj=[np.nan, 12 / 3600]).write(tmp_path / "psf.fits")
    beams, _ = read_psf(tmp_path / "psf.fits")
    assert beams.ra == (181.0,)
    assert beams.beams == (Beam(12 / 3600 * 3600, 9 / 3600 * 3600, 40.0),)


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"bmaj": [-1.0, 1.0]}, "axes above 0"),
        ({"dec": [-100.0, 0.0]}, "-90 to 90"),
        ({"bmaj": ["wide", "narrow"]}, "does not hold numbers"),
        ({"bmaj": [np.nan, np.nan]}, "holds no beam"),
    ],
)
def test_tables_that_hold_no_beams_are_refused_in_one_line(tmp_path, columns, what):
    rows(**columns).write(tmp_path / "psf.csv", format="ascii.csv")
    with pytest.raises(FormatError, match=what) as caught:
        read_psf(tmp_path / "psf.csv")
    assert "\n" not in str(caught.value)


def test_a_table_needs_its_columns_and_rows(tmp_path):
    table = rows()
    table.remove_column("bpa")
    table.write(tmp_path / "few.fits")
    with pytest.raises(FormatError, match="no column bpa"):
        read_psf(tmp_path / "few.fits")
    rows()[:0].write(tmp_path / "none.fits")
    with pytest.raises(FormatError, match="without rows"):
        read_psf(tmp_path / "none.fits")
    kelvin = rows()
    kelvin["bmaj"].unit = "K"
    kelvin.write(tmp_path / "kelvin.fits")
    with pytest.raises(FormatError, match="is no angle"):
        read_psf(tmp_path / "kelvin.fits")


def test_what_is_neither_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such file of beams"):
        read_psf(tmp_path / "gone.fits")
    with pytest.raises(FormatError, match="no map of beams"):
        read_psf(write_cube(tmp_path / "plane.fits", planes()[0]))
    with pytest.raises(FormatError, match="no map of beams"):
        read_psf(write_cube(tmp_path / "two.fits", planes(2)))
    fits.PrimaryHDU(planes().astype(np.float32)).writeto(tmp_path / "nowhere.fits")
    with pytest.raises(FormatError, match="no place on the sky"):
        read_psf(tmp_path / "nowhere.fits")
    (tmp_path / "words.txt").write_text("nothing to see\n")
    with pytest.raises(FormatError):
        read_psf(tmp_path / "words.txt")

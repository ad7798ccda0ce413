"""Catalogues of LoTSS: mJy, errors of positions in arcsec, names instead of numbers."""

import numpy as np
import pytest
from astropy.io import fits

from skysift.io.layouts.reading import layout_of, read_any, reader

COLUMNS = {
    "Source_Name": ("22A", "", ["ILTJ010000.00+300000.0", "ILTJ010100.00+300100.0"]),
    "RA": ("D", "deg", [15.0, 15.25]),
    "E_RA": ("D", "arcsec", [0.1, 0.2]),
    "DEC": ("D", "deg", [30.0, 30.0167]),
    "E_DEC": ("D", "arcsec", [0.3, 0.4]),
    "Peak_flux": ("D", "mJy/beam", [1.5, 20.0]),
    "E_Peak_flux": ("D", "mJy/beam", [0.1, 0.2]),
    "Total_flux": ("D", "mJy", [2.5, 45.0]),
    "E_Total_flux": ("D", "mJy", [0.2, 0.5]),
    "Maj": ("D", "arcsec", [7.0, 21.5]),
    "E_Maj": ("D", "arcsec", [0.5, 0.25]),
    "Min": ("D", "arcsec", [6.0, 9.0]),
    "E_Min": ("D", "arcsec", [0.5, 0.25]),
    "DC_Maj": ("D", "arcsec", [3.0, 20.0]),
    "E_DC_Maj": ("D", "arcsec", [0.5, 0.25]),
    "DC_Min": ("D", "arcsec", [0.0, 6.5]),
    "E_DC_Min": ("D", "arcsec", [0.5, 0.25]),
    "PA": ("D", "deg", [45.0, 180.0]),
    "E_PA": ("D", "deg", [10.0, 1.0]),
    "DC_PA": ("D", "deg", [45.0, 179.0]),
    "E_DC_PA": ("D", "deg", [10.0, 1.0]),
    "Isl_rms": ("D", "mJy/beam", [0.1, 0.25]),
    "S_Code": ("1A", "", ["S", "Z"]),
    "Mosaic_ID": ("8A", "", ["P015+30", "P015+30"]),
    "Number_Pointings": ("J", "", [3, 4]),
    "Masked_Fraction": ("D", "", [0.0, 0.0]),
}


def write(path, with_units=True, **changes):
    columns = [
        fits.Column(name, form, unit if with_units else None, array=values)
        for name, (form, unit, values) in (COLUMNS | changes).items()
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    return path


@pytest.mark.parametrize("with_units", [True, False])
def test_units_and_conventions_become_ours(tmp_path, with_units):
    path = write(tmp_path / "lotss.fits", with_units)
    assert layout_of(path) == "lotss"
    table = read_any(path)
    assert list(table["source_id"]) == [1, 2]
    assert table["name"][0] == "ILTJ010000.00+300000.0"
    assert list(table["flux_int"]) == pytest.approx([0.0025, 0.045])
    assert list(table["flux_peak"]) == pytest.approx([0.0015, 0.02])
    assert list(table["ra_err"]) == [0.1, 0.2]
    assert list(table["major"]) == [7.0, 21.5]
    assert list(table["minor_deconv"]) == [0.0, 6.5]
    assert list(table["pa"]) == [45.0, 0.0]
    assert list(table["snr"]) == pytest.approx([15.0, 80.0])
    assert list(table["structure"]) == ["S", "M"]
    assert np.isnan(table["frequency"]).all()


def test_a_unit_of_the_file_goes_before_that_of_the_survey(tmp_path):
    path = write(tmp_path / "jy.fits", Total_flux=("D", "Jy", [2.5, 45.0]))
    assert list(read_any(path)["flux_int"]) == [2.5, 45.0]


def test_what_is_written_is_read_and_has_the_columns_of_the_survey(tmp_path):
    table = read_any(write(tmp_path / "lotss.fits"))
    path = reader("lotss").write(table, tmp_path / "again.fits")
    with fits.open(path) as hdus:
        assert hdus[1].columns.names == list(COLUMNS)
        assert hdus[1].data["Total_flux"] == pytest.approx([2.5, 45.0])
    again = read_any(path)
    for name in ("name", "structure"):
        assert np.array_equal(again[name], table[name])
    for name in ("ra", "dec", "flux_int", "flux_peak", "major", "pa", "rms"):
        assert np.allclose(again[name], table[name])

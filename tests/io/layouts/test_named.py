"""Tables with any names: usual ones are found, others are told, units are never guessed."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from skysift.base.errors import FormatError, UsageError
from skysift.io.layouts.reading import layout_of, read_any

CSV = """Name,RAJ2000,DEJ2000,Sint(mJy),e_Sint,Maj(arcsec),PA
A,10.0,-30.0,25.0,1.5,45.0,-20
B,-0.5,-30.5,5.0,0.5,40.0,190
"""


def write(tmp_path, text, name="list.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_usual_names_and_units_in_brackets(tmp_path):
    path = write(tmp_path, CSV)
    assert layout_of(path) == "named"
    table = read_any(path, options={"flux_unit": "mJy"})
    assert list(table["name"]) == ["A", "B"]
    assert list(table["ra"]) == [10.0, 359.5]
    assert list(table["flux_int"]) == pytest.approx([0.025, 0.005])
    assert list(table["flux_int_err"]) == pytest.approx([0.0015, 0.0005])
    assert list(table["major"]) == [45.0, 40.0]
    assert list(table["pa"]) == [160.0, 10.0]


def test_names_and_units_by_options(tmp_path):
    path = write(tmp_path, "n,lon,lat,s,w\n1,10.0,-30.0,25.0,0.75\n")
    assert layout_of(path) == ""
    options = {
        "ra": "lon",
        "dec": "lat",
        "flux_peak": "s",
        "major": "w",
        "flux_unit": "mJy/beam",
        "size_unit": "arcmin",
    }
    table = read_any(path, "named", {**options, "kind": "components"})
    assert table.kind == "components"
    assert (table["ra"][0], table["flux_peak"][0], table["major"][0]) == pytest.approx((10.0, 0.025, 45.0))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ra,dec,flux\n10,-30,25\n", "does not tell the unit of the column for flux_int: say it by --set flux_unit=mJy"),
        ("ra,dec,flux_Jy,maj\n10,-30,25,4\n", "the unit of the column for major: say it by --set size_unit=arcsec"),
        ("ra,dec,flux(K)\n10,-30,25\n", "does not tell the unit"),
        ("ra,dec,flux_Jy\n10,-93,25\n", "a declination lies beyond the poles: got -93.0"),
        ("ra,dec,flux_Jy\n10,-30,faint\n", "the column for flux_int does not hold numbers: got 'faint'"),
        ("ra,dec,flux_Jy\n10,-30\n", "cannot be read as a text table"),
        ("ra,dec,flux_Jy,flux_Jy\n10,-30,1,2\n", "has columns of one name: got 'flux_Jy'"),
        ("x,y,flux_Jy\n10,-30,1\n", "is no catalogue that is known: got 'the columns x, y, flux_Jy'"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, text, told):
    with pytest.raises(FormatError) as error:
        read_any(write(tmp_path, text))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_column_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match="has no such column for ra: got 'alpha'"):
        read_any(write(tmp_path, CSV), "named", {"ra": "alpha"})


@pytest.mark.parametrize(
    "texts", [("00:40:00.0", "-30:00:36"), ("0 40 00", "-30 00 36"), ("0h40m00.0s", "-30d00m36s")]
)
def test_positions_as_text(tmp_path, texts):
    table = read_any(write(tmp_path, f"ra,dec,flux_Jy\n{texts[0]},{texts[1]},1\n,,2\n"))
    assert np.allclose(table["ra"], [10.0, np.nan], equal_nan=True)
    assert np.allclose(table["dec"], [-30.01, np.nan], equal_nan=True)
    assert list(table["flags"] != 0) == [False, True]


def test_other_frames(tmp_path):
    galactic = read_any(write(tmp_path, "glon,glat,flux_Jy\n300.0,0.5,1\n"))
    wanted = SkyCoord(300.0, 0.5, unit="deg", frame="galactic").icrs
    assert (galactic["ra"][0], galactic["dec"][0]) == pytest.approx((wanted.ra.deg, wanted.dec.deg))
    old = read_any(write(tmp_path, "ra,dec,flux_Jy\n10.0,-30.0,1\n"), "named", {"frame": "fk4"})
    assert 0.5 < old["ra"][0] - 10.0 < 0.7  # half a century of precession


def test_blanks_are_not_known(tmp_path):
    table = read_any(write(tmp_path, "ra,dec,flux_Jy,rms_Jy,name\n10,-30,,0.1,\n11,-31,5,,B\n"))
    assert np.allclose(table["flux_int"], [np.nan, 5.0], equal_nan=True)
    assert np.allclose(table["rms"], [0.1, np.nan], equal_nan=True)
    assert list(table["name"]) == ["", "B"]


def test_the_reference_catalogue(data_folder):
    table = read_any(data_folder / "labelled" / "NVSS_SUMSS_components_70k.fits")
    assert len(table) == 70372
    assert np.isfinite(table["flux_int"]).all()
    assert 40 < np.median(table["major"]) < 80  # arcsec, out of degrees
    assert 0.01 < np.median(table["flux_int"]) < 1  # Jy
    assert np.all((table["pa"] >= 0) & (table["pa"] < 180))


def test_a_list_in_galactic_coordinates(data_folder):
    table = read_any(data_folder / "labelled" / "WISE_HII_V3.0.csv")
    icrs = SkyCoord(table["ra"], table["dec"], unit="deg")
    assert np.percentile(np.abs(icrs.galactic.b.deg), 95) < 10  # the plane

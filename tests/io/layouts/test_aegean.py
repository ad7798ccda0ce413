"""Tables of Aegean: -1 is unknown, angles are in (-90, 90], positions come as text too."""

import numpy as np
import pytest
from astropy.io import ascii as texts
from astropy.table import Table as AstropyTable

from skysift.io.layouts.reading import read_any, reader
from skysift.sky.flags import describe

NAMES = (
    "island,source,background,local_rms,ra_str,dec_str,ra,err_ra,dec,err_dec,peak_flux,err_peak_flux,int_flux,"
    "err_int_flux,a,err_a,b,err_b,pa,err_pa,flags,residual_mean,residual_std,uuid,psf_a,psf_b,psf_pa"
)
ROWS = [
    (
        "4,0,0.001,0.002,01:00:00.00,-10:00:00.00,15.0,0.0001,-10.0,0.0002,0.5,0.01,0.75,0.02,60.0,1.0,40.0,0.5,-30.0,2.0,"
        "0,0.0,0.0,aaa-1,45.0,45.0,0.0"
    ),
    (
        "4,1,0.001,0.002,01:00:10.00,-10:00:00.00,15.04,-1,-10.0,-1,0.05,-1,0.05,-1,45.0,-1,45.0,-1,0.0,-1,"
        "20,0.0,0.0,aaa-2,45.0,45.0,0.0"
    ),
]


@pytest.fixture
def comp(tmp_path):
    path = tmp_path / "out_comp.csv"
    path.write_text("\n".join([NAMES, *ROWS]) + "\n")
    return path


def test_units_and_conventions_become_ours(comp):
    table = read_any(comp)
    assert (table.kind, len(table)) == ("components", 2)
    assert list(table["component_id"]) == [1, 2]
    assert list(table["island_id"]) == [4, 4]
    assert list(table["name"]) == ["4_0", "4_1"]
    assert list(table["foreign_id"]) == ["aaa-1", "aaa-2"]
    first = {name: values[0] for name, values in table.columns.items()}
    assert (first["ra_err"], first["dec_err"]) == pytest.approx((0.36, 0.72))
    assert (first["flux_peak"], first["flux_int"]) == (0.5, 0.75)
    assert (first["major"], first["minor"], first["pa"]) == (60.0, 40.0, 150.0)
    assert first["snr"] == 250.0


def test_an_error_of_minus_one_is_not_known(comp):
    table = read_any(comp)
    for name in ("ra_err", "dec_err", "flux_peak_err", "flux_int_err", "major_err", "minor_err", "pa_err"):
        assert list(np.isnan(table[name])) == [False, True], name


def test_flags_that_have_ours(comp):
    assert [describe(value) for value in read_any(comp)["flags"]] == [[], ["fit_failed", "beam_shaped"]]


def test_what_is_written_is_as_aegean_has_it(comp, tmp_path):
    path = reader("aegean").write(read_any(comp), tmp_path / "out.csv")
    theirs = texts.read(path)
    assert list(theirs.colnames) == NAMES.split(",")
    assert list(theirs["source"]) == [0, 1]
    assert list(theirs["pa"]) == [-30.0, 0.0]
    assert list(theirs["err_pa"]) == [2.0, -1.0]
    assert list(theirs["ra_str"]) == ["01:00:00.00", "01:00:09.60"]
    assert list(theirs["dec_str"]) == ["-10:00:00.00"] * 2
    assert read_any(path)["flags"].tolist() == read_any(comp)["flags"].tolist()


@pytest.mark.parametrize("suffix", [".fits", ".vot", ".tab", ".csv"])
def test_every_container_holds_the_same(comp, tmp_path, suffix):
    table = read_any(comp)
    assert read_any(reader("aegean").write(table, tmp_path / f"out{suffix}")) == table


def test_the_real_table(data_folder):
    path = data_folder / "continuum" / "Aegean_1904_comp.fits"
    table, theirs = read_any(path), AstropyTable.read(path)
    assert len(table) == 51
    assert np.allclose(table["flux_int"], theirs["int_flux"])
    assert np.allclose(table["major"], theirs["a"])
    known = theirs["err_ra"] > 0
    assert np.allclose(table["ra_err"][known], 3600 * theirs["err_ra"][known])
    assert np.isnan(table["ra_err"][~known]).all()
    assert 0 < np.sum(~known) < 10
    assert np.all((table["pa"] >= 0) & (table["pa"] < 180))
    assert np.allclose(np.tan(np.radians(table["pa"])), np.tan(np.radians(theirs["pa"])), rtol=1e-4)

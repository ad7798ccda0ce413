import re

import pytest
from astropy.io.votable.ucd import parse_ucd
from astropy.units import Unit

from skysift.base.errors import UnknownName
from skysift.sky import schema
from skysift.sky.schema import COLUMNS, FURTHER, TABLES, Column

ORDER = {
    "components": """
        component_id source_id island_id name x y x_err y_err ra dec ra_err dec_err position_cal_err
        flux_peak flux_peak_err flux_int flux_int_err flux_beam flux_beam_err flux flux_err flux_cal_err
        major minor pa major_err minor_err pa_err major_deconv minor_deconv pa_deconv major_deconv_err
        minor_deconv_err resolved rms background snr residual_rms residual_peak structure frequency flags
    """,
    "sources": """
        source_id name x y x_err y_err ra dec ra_err dec_err position_cal_err flux_peak flux_peak_err
        flux_int flux_int_err flux flux_err flux_cal_err major minor pa major_err minor_err pa_err
        major_deconv minor_deconv pa_deconv resolved rms background snr residual_rms residual_peak
        n_components n_islands structure frequency flags
    """,
    "islands": """
        island_id name x y ra dec x_min x_max y_min y_max n_pixels n_beams flux_peak flux_int flux_int_err
        rms background snr residual_rms residual_peak n_components n_sources frequency flags
    """,
}


@pytest.mark.parametrize("table", TABLES)
def test_names_and_order_stay(table):
    assert schema.names(table) == tuple(ORDER[table].split())


@pytest.mark.parametrize("column", [*COLUMNS, *FURTHER], ids=lambda each: each.name)
def test_every_column_is_declared_in_full(column: Column):
    assert re.fullmatch("[a-z][a-z0-9_]*", column.name)
    assert column.dtype in ("int64", "float64", "bool", "str")
    assert column.tables
    assert set(column.tables) <= set(TABLES)
    assert column.meaning[0].isupper()
    assert column.meaning.endswith(".")
    assert "\n" not in column.meaning
    assert column.meaning.isascii()
    assert parse_ucd(column.ucd, check_controlled_vocabulary=True)
    if column.unit:
        assert Unit(column.unit, format="vounit") == Unit(column.unit)
        assert Unit(column.unit, format="fits")


def test_a_column_is_declared_once():
    assert len({each.name for each in (*COLUMNS, *FURTHER)}) == len(COLUMNS) + len(FURTHER)


@pytest.mark.parametrize("column", [*COLUMNS, *FURTHER], ids=lambda each: each.name)
def test_an_error_has_the_ucd_of_what_it_is_the_error_of(column: Column):
    if column.name.endswith("_err"):
        kind, quantity = column.ucd.split(";")[:2]
        if column.name.endswith(("_cal_err", "_leakage_err", "_pb_err", "_trunc_err", "clean_bias_err")):
            assert kind == "stat.error.sys"
        else:
            assert kind == "stat.error"
            assert quantity == schema.column(column.name.removesuffix("_err")).ucd.split(";")[0]


def test_errors_of_sky_positions_are_arcsec_on_the_sky():
    assert schema.column("ra").unit == schema.column("dec").unit == "deg"
    assert schema.column("ra_err").unit == schema.column("dec_err").unit == "arcsec"
    assert "cos(dec)" in schema.column("ra_err").meaning


def test_show():
    assert schema.column("ra").show(12.3456789) == "12.345679"
    assert schema.column("ra").show(float("nan")) == "-"
    assert schema.column("flux").show(0.00123456) == "0.001235"
    assert schema.column("source_id").show(7) == "7"
    assert schema.column("structure").show("S") == "S"


def test_unknown_names_are_told():
    with pytest.raises(
        UnknownName, match="no such table: got 'stars'; allowed: islands, sources, components"
    ):
        schema.columns("stars")
    with pytest.raises(UnknownName, match="no such column: got 'fluxx'"):
        schema.column("fluxx")

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysift.base.errors import UsageError
from skysift.sky.naming import names, suffixes


def name(ra: float, dec: float, err: float = 1.0, **more: object) -> str:
    return str(names([ra], [dec], err, **more)[0])


@pytest.mark.parametrize(
    ("ra", "dec", "told"),
    [
        (49.5, -37.25, "J031800.0-371500"),
        (0.0, 0.0, "J000000.0+000000"),
        (359.99999999, 0.0, "J235959.9+000000"),  # 23:59:59.99 is not rounded up to 24 or 0 hours
        (360.0, 0.0, "J000000.0+000000"),
        (-0.001, 0.0, "J235959.7+000000"),
        (-1e-20, 0.0, "J235959.9+000000"),
        (10.0, -0.00001, "J004000.0-000000"),  # the sign of a declination just below zero
        (10.0, -0.5, "J004000.0-003000"),
        (10.0, -0.0, "J004000.0+000000"),
        (10.0, 89.9999999, "J004000.0+895959"),
        (10.0, 90.0, "J004000.0+900000"),
        (10.0, -90.0, "J004000.0-900000"),
        (
            15 * (1 + 2 / 60 + 3.49 / 3600),
            4 + 5 / 60 + 6.9 / 3600,
            "J010203.4+040506",
        ),  # truncated, not rounded
    ],
)
def test_coordinates_are_truncated(ra, dec, told):
    assert name(ra, dec) == f"SKYSIFT {told}"


@pytest.mark.parametrize(
    ("err", "told"),
    [
        (0.001, "J031807.829-371508.64"),
        (0.05, "J031807.82-371508.6"),
        (0.5, "J031807.8-371508"),
        (5.0, "J031807.8-371508"),
        (20.0, "J031807-371508"),
        (60.0, "J031807-3715"),
        (np.nan, "J031807.8-371508"),
        (0.0, "J031807.8-371508"),
    ],
)
def test_the_error_says_how_many_digits(err, told):
    assert name(49.53262345, -37.2524011, err) == f"SKYSIFT {told}"


def test_each_row_has_the_digits_of_its_own_error():
    both = names([49.5, 10.0], [-37.25, 1.0], [0.05, 20.0])
    assert both.tolist() == ["SKYSIFT J031800.00-371500.0", "SKYSIFT J004000+010000"]


@settings(deadline=None)
@given(st.floats(0, 360), st.floats(-90, 90), st.sampled_from([0.005, 0.05, 0.5, 20.0]))
def test_a_name_is_never_beyond_its_position(ra, dec, err):
    told = re.fullmatch(r"SKYSIFT J(\d\d)(\d\d)([\d.]+)([+-])(\d\d)(\d\d)([\d.]+)", name(ra, dec, err))
    assert told
    hours, minutes, seconds, sign, degrees, arcmin, arcsec = told.groups()
    assert int(hours) < 24
    assert int(minutes) < 60
    assert float(seconds) < 60
    assert int(arcmin) < 60
    assert float(arcsec) < 60
    named = 15 * (int(hours) + int(minutes) / 60 + float(seconds) / 3600)
    assert -1e-9 <= (ra % 360) - named <= 15.001 / 3600
    assert (sign == "-") == (dec < 0)
    assert -1e-9 <= abs(dec) - (int(degrees) + int(arcmin) / 60 + float(arcsec) / 3600) <= 1.001 / 3600


def test_a_clash_gets_suffixes_in_the_order_of_the_rows():
    same = names([10.0, 20.0, 10.00001, 10.0], [1.0, 1.0, 1.0, 1.0], 1.0)
    assert same.tolist() == [
        "SKYSIFT J004000.0+010000a",
        "SKYSIFT J012000.0+010000",
        "SKYSIFT J004000.0+010000b",
        "SKYSIFT J004000.0+010000c",
    ]
    many = names([10.0] * 800, [1.0] * 800, 1.0)
    assert len(set(many.tolist())) == 800
    assert many[0].endswith("a")
    assert many[25].endswith("z")
    assert many[26].endswith("aa")
    assert many[27].endswith("ab")
    assert many[799].endswith("adt")


def test_rows_without_sky_coordinates_are_named_by_pixel():
    told = names(
        [np.nan, 10.0, np.nan], [np.nan, 1.0, np.nan], 1.0, x=[123.45, 0.0, -0.01], y=[567.89, 0.0, 0.0]
    )
    assert told.tolist() == ["SKYSIFT X123.4Y567.8", "SKYSIFT J004000.0+010000", "SKYSIFT X-0.1Y0.0"]


def test_nothing_has_no_names():
    assert names([], [], []).shape == (0,)
    assert names([], [], 1.0).dtype.kind == "U"
    assert suffixes(np.empty(0, dtype="<U1")).shape == (0,)


def test_the_acronym_is_a_choice():
    assert name(10.0, 1.0, acronym="EMU PD") == "EMU PD J004000.0+010000"
    for bad in ("", " X", "µ", "A\n"):
        with pytest.raises(UsageError, match="acronym"):
            name(10.0, 1.0, acronym=bad)


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="one value a row"):
        names([1.0, 2.0], [1.0], 1.0)

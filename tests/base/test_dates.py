"""One reader of dates for headers and for people."""

import math

import pytest

from skysift.base.dates import mjd_of


@pytest.mark.parametrize(
    ("text", "mjd"),
    [
        ("2020-01-01", 58849.0),
        ("2020-01-01T12:00:00.0", 58849.5),
        ("2020-01-01 12:00", 58849.5),
        (" 2020-01-01T12:00:00+06:00", 58849.25),
        ("2016-12-31T23:59:60.5", 57754.0 + 0.5 / 86400.0),
        ("31/12/99", 51543.0),
        ("1999-12-31T00:00:00Z", 51543.0),
        ("unknown", math.nan),
        ("2011-13-45", math.nan),
        ("2020-01-01 or so", math.nan),
        ("1820-01-01", math.nan),
        ("", math.nan),
    ],
)
def test_dates_of_headers(text, mjd):
    assert mjd_of(text) == pytest.approx(mjd, nan_ok=True, abs=1e-6)

import numpy as np
import pytest

from skysift.flow.rows import flag_rows, sexagesimal, source_listing, with_error
from skysift.flow.style import prefixed, span
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import flag
from skysift.sky.table import Table


def table(kind, rows, **given):
    """A table of `rows` rows, blank but for what is given."""
    kinds = {"float64": np.nan, "int64": 0, "bool": False, "str": "S"}
    return Table.from_columns(
        kind, {each.name: np.full(rows, kinds[each.dtype]) for each in schema.columns(kind)} | given
    )


@pytest.mark.parametrize(
    ("value", "places", "signed", "text"),
    [
        (3.263888888, 2, False, "03:15:50.00"),
        (23.99999999, 1, False, "00:00:00.0"),
        (-36.7459, 1, True, "\u221236:44:45.2"),
        (-0.0001, 1, True, "\u221200:00:00.4"),
        (89.9999999, 0, True, "+90:00:00"),
        (float("nan"), 1, True, "\u2013"),
    ],
)
def test_sexagesimal_carries_over(value, places, signed, text):
    assert sexagesimal(value, places, signed=signed) == text


@pytest.mark.parametrize(
    ("value", "error", "texts"),
    [
        (746.123, 2.19, ("746.1", "2.2")),
        (746.123, 37.3, ("746", "37")),
        (0.0123456, 0.000123, ("0.01235", "0.00012")),
        (1.5, float("nan"), ("1.5", "")),
        (1.5, 0.0, ("1.5", "")),
        (float("nan"), 1.0, ("\u2013", "")),
        (1e4, 1e-12, ("1e+04", "1e-12")),
    ],
)
def test_a_value_shows_to_the_second_digit_of_its_error(value, error, texts):
    cell = with_error(value, error)
    assert (cell.value, cell.error) == texts


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([2.0], "Jy"),
        ([0.3], "mJy"),
        ([2e-5], "\u00b5Jy"),
        ([2e-9], "nJy"),
        ([], "Jy"),
        ([np.nan, 0, 3e-3], "mJy"),
    ],
)
def test_units_are_handy(values, unit):
    assert prefixed("Jy", values)[1] == unit


def test_a_span_is_never_empty():
    for values in (np.zeros(4), np.full(3, -2.0), np.full(2, np.nan), np.array([1.0, 2.0])):
        low, high = span(values, 1, 99)
        assert low < high


def test_sources_are_listed_on_the_sky_or_in_pixels():
    listing = source_listing(table("sources", 2, ra=[10.0, 20.0], dec=[-1.0, 2.0]), np.array([1, 0]))
    assert [head.title for head in listing.heads[1:3]] == ["RA", "Dec"]
    assert listing.rows[0][1].value == "01:20:00.00"
    listing = source_listing(table("sources", 1, x=[3.25], y=[4.0]), np.array([0]))
    assert [head.title for head in listing.heads[1:3]] == ["x [px]", "y [px]"]
    assert listing.rows[0][1].value == "3.25"
    assert source_listing(table("sources", 0), np.array([], int)).rows == ()


def test_flags_that_occur_are_counted():
    flags = np.array([flag("edge") | flag("moments"), flag("edge"), 0])
    catalogue = Catalogue(table("islands", 0), table("sources", 3, flags=flags), table("components", 1))
    assert [(row.name, row.sources, row.components) for row in flag_rows(catalogue)] == [
        ("edge", 2, 0),
        ("moments", 1, 0),
    ]

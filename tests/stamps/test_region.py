"""Regions of the sky: what they hold, near RA 0 and at the poles, and what is refused."""

import numpy as np
import pytest

from skysift.base.errors import RegionError
from skysift.stamps.region import Circle, Polygon, Range, parse_shape, system_of


def test_a_circle_holds_what_is_nearer_than_its_radius():
    circle = Circle(0.1, 0.0, 0.5)
    inside = circle.contains([359.7, 0.59, 0.61, 0.1], [0.0, 0.0, 0.0, 0.49])
    assert inside.tolist() == [True, True, False, True]
    lon, lat = circle.points()
    away = np.hypot((lon - 0.1 + 180) % 360 - 180, lat)
    np.testing.assert_allclose(away[:720], 0.5, rtol=1e-4)
    assert (away[720:] <= 0.46).all()


def test_a_circle_about_a_pole_goes_all_around():
    circle = Circle(123.0, 89.5, 1.0)
    assert circle.contains(np.arange(0.0, 360.0, 10.0), np.full(36, 89.6)).all()
    assert not circle.contains(303.0, 89.4)


def test_a_polygon_has_great_circles_for_sides():
    polygon = Polygon(((350.0, 60.0), (10.0, 60.0), (10.0, 62.0), (350.0, 62.0)))
    top = np.degrees(
        np.arctan(np.tan(np.radians(62.0)) / np.cos(np.radians(10.0)))
    )  # of the upper side, at RA 0
    assert polygon.contains(0.0, top - 1e-4)
    assert not polygon.contains(0.0, top + 1e-4)
    assert not polygon.contains([180.0, 0.0, np.nan], [-61.0, -61.0, 61.0]).any()


@pytest.mark.parametrize("turned", [False, True])
def test_a_polygon_may_be_concave_and_run_either_way(turned):
    corners = [(10.0, 0.0), (14.0, 0.0), (14.0, 4.0), (12.0, 1.0), (10.0, 4.0)]
    polygon = Polygon(tuple(corners[::-1] if turned else corners))
    assert polygon.contains([12.0, 10.2, 13.9], [0.5, 2.0, 2.0]).all()
    assert not polygon.contains(12.0, 2.0)


def test_a_range_may_go_through_zero_and_be_open():
    small = Range(359.0, 1.0, -1.0, 1.0)
    assert small.width == 2.0
    assert small.middle == (0.0, 0.0)
    assert small.contains([359.5, 0.5, 1.5, 180.0], [0.0, 0.5, 0.0, 0.0]).tolist() == [
        True,
        True,
        False,
        False,
    ]
    assert Range(-np.inf, np.inf, 89.0, np.inf).contains(77.0, 90.0)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("CIRCLE 12 34 0.5", Circle(12, 34, 0.5)),
        ("circle 1.2e1 34 .5", Circle(12, 34, 0.5)),
        ("RANGE 12 13 33 34", Range(12, 13, 33, 34)),
        ("RANGE -Inf +Inf 33 34", Range(0, 360, 33, 34)),
        ("POLYGON 12 34 13 34 13 35 12 34", Polygon(((12, 34), (13, 34), (13, 35)))),
    ],
)
def test_regions_are_read_from_texts(text, region):
    assert parse_shape(text) == region
    assert parse_shape(str(region)) == region


def test_regions_are_read_from_numbers():
    assert parse_shape([12.0, 34.0, 0.5], "circle") == Circle(12, 34, 0.5)
    assert parse_shape("12 34,0.5", "CIRCLE") == Circle(12, 34, 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CIRCLE",
        "CIRCLE 1 2",
        "CIRCLE 1 2 x",
        "CIRCLE 1 2 0",
        "CIRCLE 1 2 NaN",
        "CIRCLE 1 91 1",
        "CIRCLE 400 0 1",
        "BOX 1 2 3 4",
        "POLYGON 1 2 3 4",
        "POLYGON 1 2 3 4 5",
        "POLYGON 1 2 3 4 5 6 7",
        "POLYGON 0 0 120 0 240 0",
        "POLYGON 0 0 1 0 2 0",
        "RANGE 1 2 4 3",
        "1 2 3",
    ],
)
def test_what_is_no_region_is_refused_in_one_line(text):
    with pytest.raises(RegionError) as told:
        parse_shape(text)
    assert "\n" not in str(told.value)


def test_systems_have_names_in_any_case():
    assert system_of("galactic") == system_of("GAL")
    with pytest.raises(RegionError, match="ICRS, GALACTIC"):
        system_of("B1950")

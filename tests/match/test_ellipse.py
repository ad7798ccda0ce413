"""Common areas of ellipses against closed forms, and matching by them."""

import numpy as np
import pytest

import skysift
from skysift.base.errors import UsageError
from skysift.match.ellipse import overlaps
from skysift.match.entries import Entries


def one(major, minor, pa, east=0.0, north=0.0, name="one"):
    dec = np.asarray(north, float) / 3600
    return Entries.from_columns(name, np.asarray(east, float) / 3600, dec, major=major, minor=minor, pa=pa)


def lens(r: float, d: float) -> float:
    """Common area of two circles of radius r at a distance d."""
    return 2 * r**2 * np.arccos(d / (2 * r)) - d / 2 * np.sqrt(4 * r**2 - d**2)


@pytest.mark.parametrize("distance", [0.01, 2.0, 5.0, 9.9])
@pytest.mark.parametrize("angle", [0.0, 37.0, 90.0])
def test_two_circles_share_a_lens(distance, angle):
    turn = np.radians(angle)
    common, smaller, union = overlaps(
        one(10.0, 10.0, 0.0), one(10.0, 10.0, 50.0, distance * np.sin(turn), distance * np.cos(turn))
    )
    area = np.pi * 25
    assert common[0] == pytest.approx(lens(5.0, distance), abs=1e-4 * area)
    assert smaller[0] == pytest.approx(area)
    assert union[0] == pytest.approx(2 * area - lens(5.0, distance), abs=1e-4 * area)


def test_an_ellipse_within_another_is_shared_whole():
    common, smaller, _ = overlaps(one(20.0, 12.0, 30.0), one(6.0, 2.0, 130.0, 0.5, -0.4))
    assert common[0] == pytest.approx(np.pi * 3, rel=1e-4)
    assert smaller[0] == pytest.approx(np.pi * 3)


def test_crossed_ellipses_share_what_their_formula_says():
    a, b = 10.0, 4.0  # half axes; both centred, one turned by 90 degrees
    expected = 4 * a * b * np.arctan(b / a)
    common, _, _ = overlaps(one(2 * a, 2 * b, 0.0), one(2 * a, 2 * b, 90.0))
    assert common[0] == pytest.approx(expected, rel=2e-4)


def test_position_angles_run_from_north_through_east():
    pointing = one(40.0, 4.0, 45.0)
    north_east, north_west = one(4.0, 4.0, 0.0, 10.0, 10.0), one(4.0, 4.0, 0.0, -10.0, 10.0)
    common, smaller, _ = overlaps(pointing, north_east)
    assert common[0] > 0.7 * smaller[0]
    assert overlaps(pointing, north_west)[0][0] == 0


def test_what_does_not_touch_shares_nothing():
    assert overlaps(one(10.0, 10.0, 0.0), one(10.0, 10.0, 0.0, 10.001, 0.0))[0][0] == 0


def test_the_size_is_a_choice():
    pair = one(10.0, 10.0, 0.0), one(10.0, 10.0, 0.0, 15.0, 0.0)
    assert overlaps(*pair)[0][0] == 0
    assert overlaps(*pair, 2.0)[0][0] == pytest.approx(lens(10.0, 15.0), rel=1e-3)


def test_a_long_source_is_found_by_what_lies_far_from_its_middle():
    left = Entries.from_columns("long", [0.0, 0.1], [0.0, 0.0], major=[200.0, 10.0], minor=10.0, pa=0.0)
    right = Entries.from_columns("lobe", [0.0, 0.1], [80 / 3600, 30 / 3600], major=10.0, minor=10.0, pa=0.0)
    match = skysift.match(left, right, kind="ellipse")
    assert match["row_2"].tolist() == [0, -1, 1]
    assert match["overlap_2"][0] > 0.7
    swapped = skysift.match(right, left, kind="ellipse")
    assert swapped["row_2"].tolist() == [0, -1, 1]


def test_a_giant_among_many_meets_those_that_it_covers():
    ra = np.linspace(0, 0.1, 60)
    small = Entries.from_columns("small", ra, 0.0 * ra, major=4.0, minor=4.0, pa=0.0)
    mixed = Entries.from_columns(
        "mixed",
        np.append(ra, 0.05),
        np.append(0.0 * ra, 0.0),
        major=np.append(np.full(60, 4.0), 300.0),
        minor=4.0,
        pa=0.0,
    )
    match = skysift.match(small, mixed, kind="ellipse")
    assert match["row_2"].tolist()[:60] == list(range(60))
    giant = match.candidates["row"] == 60
    assert giant.sum() == 0 or not match.candidates["chosen"][giant].any()
    along = Entries.from_columns("mixed", [0.05], [0.0], major=300.0, minor=4.0, pa=90.0)
    assert len(skysift.match(small, along, kind="ellipse", radius=200.0).candidates) == 50


def test_rows_without_a_size_match_nothing_unless_one_is_given():
    left = Entries.from_columns("a", [0.0, 0.1], [0.0, 0.0], major=[10.0, np.nan], minor=10.0)
    right = Entries.from_columns("b", [0.0, 0.1], [0.0, 0.0], major=10.0, minor=10.0)
    assert skysift.match(left, right, kind="ellipse")["row_2"].tolist() == [0, -1, 1]
    assert skysift.match(left, right, kind="ellipse", size=10.0)["row_2"].tolist() == [0, 1]


def test_a_catalogue_without_sizes_is_told_in_a_line():
    left = Entries.from_columns("points", [0.0], [0.0])
    with pytest.raises(UsageError, match="points tells no sizes"):
        skysift.match(left, left, kind="ellipse")

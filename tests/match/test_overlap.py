"""Which positions lie within the outline of a catalogue."""

import numpy as np
import pytest

import skysift
from skysift.match.entries import Entries
from skysift.match.overlap import inside


def square(name: str, ra: float, dec: float, width: float = 1.0) -> Entries:
    """The corners of a square of `width` degrees and its middle."""
    x, y = np.array([-1, 1, 1, -1, 0]) * width / 2, np.array([-1, -1, 1, 1, 0]) * width / 2
    return Entries.from_columns(name, (ra + x / np.cos(np.radians(dec))) % 360, dec + y, major=9.0, minor=9.0)


@pytest.mark.parametrize("ra", [0.0, 0.2, 180.0])
def test_an_outline_holds_what_its_corners_hold(ra):
    here = square("A", ra, 0.0)
    x = np.array([0.3, -0.45, 0.6, 0.0, 0.0, np.nan, 180.0])
    y = np.array([0.3, 0.45, 0.0, -0.6, 0.5005, 0.0, 0.0])
    assert inside(here, (ra + x) % 360, y, 5.0).tolist() == [True, True, False, False, True, False, False]
    assert not inside(here, np.array([ra]), np.array([0.5005]), 0.0)[0]


def test_a_pole_is_inside_rows_about_it():
    ring = Entries.from_columns("ring", np.arange(0.0, 360.0, 30.0), np.full(12, 89.0))
    assert inside(ring, np.array([77.0, 10.0]), np.array([90.0, 88.0]), 0.0).tolist() == [True, False]


def test_the_whole_sky_holds_all_and_a_line_nothing():
    every = Entries.from_columns("sky", np.arange(0.0, 360.0, 10.0), np.tile([-50.0, 50.0], 18))
    line = Entries.from_columns("line", [10.0, 10.0, 10.0], [1.0, 2.0, 3.0])
    assert inside(every, np.array([3.0]), np.array([89.0]), 0.0)[0]
    assert not inside(line, np.array([10.0]), np.array([2.0]), 1.0)[0]


def test_rows_alone_are_counted_in_the_common_sky_too():
    left, right = square("A", 10.0, -30.0), square("B", 12.6, -30.0)
    right_of_it = skysift.match(left, right)
    assert [(each.alone, each.common) for each in right_of_it.tallies] == [(5, 0), (5, 0)]
    nearer = skysift.match(left, square("B", 10.3, -30.05))
    assert [(each.alone, each.common) for each in nearer.tallies] == [(5, 2), (5, 2)]

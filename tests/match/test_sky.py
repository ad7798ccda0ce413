"""Pairs on the sky: poles, the wrap of right ascension, rows without a position, bare closed forms."""

import numpy as np
import pytest

from skysift.match.sky import (
    Pairs,
    count_near,
    nearest,
    offset_by,
    offsets,
    one_to_one,
    one_to_one_of,
    separation,
    within,
)


def rows(pairs: Pairs) -> list[tuple[int, int]]:
    return list(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))


def test_a_pair_across_zero_hours_is_a_pair():
    found = within([359.9999, 0.0001], [0.0, 0.0], [0.0001, 359.9999], [0.0, 0.0], 1.0)
    assert rows(found) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert found.separation == pytest.approx([0.72, 0.0, 0.0, 0.72], abs=1e-6)


def test_right_ascensions_may_be_given_beyond_their_range():
    assert rows(within([-0.0001], [10.0], [359.9999], [10.0], 1.0)) == [(0, 0)]


def test_at_the_pole_all_right_ascensions_are_near():
    ra = np.arange(0, 360, 30.0)
    found = within(ra, np.full(12, 89.9999), [200.0], [90.0], 1.0)
    assert len(found) == 12
    assert found.separation == pytest.approx(np.full(12, 0.36), abs=1e-6)


def test_a_row_without_a_position_has_no_neighbour():
    for search in (within, nearest, one_to_one):
        assert rows(search([np.nan, 1.0], [0.0, 0.0], [1.0, 1.0], [0.0, np.nan], 10.0)) == [(1, 0)]
    assert count_near([np.nan, 1.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0], 10.0).tolist() == [0, 2]


@pytest.mark.parametrize("search", [within, nearest, one_to_one])
def test_nothing_has_no_pairs(search):
    assert len(search([], [], [1.0], [1.0], 10.0)) == 0
    assert len(search([1.0], [1.0], [], [], 10.0)) == 0


def test_a_pair_exactly_at_the_radius_counts():
    assert len(within([10.0], [0.0], [10.0], [5 / 3600], 5.0)) == 1
    assert len(within([10.0], [0.0], [10.0], [5 / 3600], 4.9999)) == 0


def test_each_left_row_may_have_its_own_radius():
    radius = np.array([1.0, 10.0, np.nan])
    found = within([10.0, 10.0, 10.0], [0.0, 0.0, 0.0], [10.0], [5 / 3600], radius)
    assert rows(found) == [(1, 0)]


def test_the_nearest_may_be_shared_and_pairs_may_not():
    ra, dec = [10.0, 10.0], [0.0, 2 / 3600]
    assert rows(nearest(ra, dec, [10.0], [1.5 / 3600], 5.0)) == [(0, 0), (1, 0)]
    assert rows(one_to_one(ra, dec, [10.0], [1.5 / 3600], 5.0)) == [(1, 0)]


def test_who_loses_the_closest_takes_the_next():
    left, right = np.array([0.0, 3.0]) / 3600, np.array([2.0, 5.5]) / 3600
    zero = np.zeros(2)
    assert rows(one_to_one(zero, left, zero, right, 6.0)) == [(0, 1), (1, 0)]


def test_equal_costs_go_by_rows():
    pairs = Pairs(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.ones(4))
    assert rows(one_to_one_of(pairs, np.ones(4))) == [(0, 0), (1, 1)]
    assert rows(one_to_one_of(pairs, np.array([2.0, 1.0, 1.0, 2.0]))) == [(0, 1), (1, 0)]


def test_half_the_sky_is_within_half_a_turn():
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, 200), np.degrees(np.arcsin(rng.uniform(-1, 1, 200)))
    assert count_near([40.0], [20.0], ra, dec, 180 * 3600.0).tolist() == [200]
    assert count_near([40.0], [20.0], ra, dec, 90 * 3600.0)[0] == np.sum(
        separation(40.0, 20.0, ra, dec) <= 90 * 3600
    )


@pytest.mark.parametrize("dec", [0.0, 60.0, -89.999, 90.0])
def test_steps_and_offsets_undo_each_other(dec):
    rng = np.random.default_rng(4)
    east, north = rng.uniform(-500, 500, (2, 50))
    ra = np.full(50, 350.0)
    moved = offset_by(ra, np.full(50, dec), east, north)
    back = offsets(ra, np.full(50, dec), *moved)
    assert back[0] == pytest.approx(east, abs=1e-7)
    assert back[1] == pytest.approx(north, abs=1e-7)
    assert separation(ra, np.full(50, dec), *moved) == pytest.approx(np.hypot(east, north), abs=1e-7)


def test_east_is_towards_larger_right_ascension():
    east, north = offsets(10.0, 60.0, 10.001, 60.0)
    assert east == pytest.approx(1.8, rel=1e-6)
    assert north == pytest.approx(0.0, abs=1e-4)

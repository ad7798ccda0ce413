"""Rows that are one source twice."""

import numpy as np
import pytest

from skysift.base.errors import UsageError
from skysift.match.duplicates import duplicates
from skysift.match.entries import Entries


def catalogue(ra, dec, **columns):
    return Entries.from_columns("A", np.asarray(ra) / 3600, np.asarray(dec) / 3600, **columns)


def test_near_rows_are_a_group_and_the_brightest_comes_first():
    entries = catalogue([0.0, 100.0, 2.0, 200.0, 4.5], np.zeros(5), flux=[1.0, 1.0, 3.0, 1.0, 2.0])
    found = duplicates(entries, 3.0)
    assert found.table["row"].tolist() == [2, 4, 0]
    assert found.table["group"].tolist() == [1, 1, 1]
    assert found.table["other_id"].tolist() == [1, 3, 3]
    assert found.table["separation"] == pytest.approx([2.0, 2.5, 2.0])
    assert found.table["flux_ratio"] == pytest.approx([1 / 3, 1.5, 3.0])
    assert (found.groups, len(found), found.rows) == (1, 3, 5)


def test_one_number_twice_is_told_wherever_the_rows_are():
    entries = catalogue([0.0, 1000.0, 2.0], np.zeros(3), ids=[7, 7, 9], flux=1.0)
    found = duplicates(entries, 3.0)
    told = dict(zip(found.table["row"].tolist(), found.table["remarks"].tolist(), strict=True))
    assert told == {0: "position, id", 1: "id", 2: "position"}
    assert found.repeated == 2


def test_no_duplicates_and_no_rows():
    assert len(duplicates(catalogue([0.0, 100.0], [0.0, 0.0]), 3.0)) == 0
    assert len(duplicates(catalogue([], []), 3.0)) == 0
    assert len(duplicates(catalogue([], []))) == 0


def test_the_radius_follows_the_sizes():
    entries = catalogue([0.0, 4.0], [0.0, 0.0], major=10.0, minor=10.0)
    assert duplicates(entries).radius == pytest.approx(5.0)
    assert len(duplicates(entries)) == 2
    with pytest.raises(UsageError, match="tells no sizes"):
        duplicates(catalogue([0.0], [0.0]))


def test_rows_without_a_position_are_no_duplicates_of_each_other():
    assert len(duplicates(catalogue([np.nan, np.nan, 0.0], np.zeros(3)), 3.0)) == 0

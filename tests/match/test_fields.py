"""Rows of overlapping fields that are one source, and which of them counts."""

import numpy as np
import pytest

from skysift.match.fields import FieldRows, resolve_fields
from skysift.match.sky import offset_by


def rows(**columns):
    """Rows at (east, north) arcsec of a place near the pole, where degrees of RA are short; n is told by `east`."""
    n = len(columns["east"])
    ra, dec = offset_by(
        np.full(n, 359.999), np.full(n, -80.0), columns.pop("east"), columns.pop("north", np.zeros(n))
    )
    filled = {
        "error": 0.2, "beam": 10.0, "major": 10.0, "minor": 10.0, "pa": 0.0, "resolved": False, "flux": 1.0,
        "rms": 1e-4, "cut": False, "field": 0,
    } | columns  # fmt: skip
    return FieldRows(
        ra=ra, dec=dec, **{k: np.broadcast_to(np.asarray(v), n).copy() for k, v in filled.items()}
    )


def test_the_lowest_rms_counts():
    done = resolve_fields(rows(east=[0, 1, -1], rms=[3e-4, 1e-4, 2e-4], field=[0, 1, 2]))
    assert done.primary.tolist() == [False, True, False]
    assert done.counterpart.tolist() == [1, -1, 1]
    assert done.detected.tolist() == [3, 3, 3]


def test_what_is_cut_by_an_edge_loses_whatever_its_rms():
    done = resolve_fields(rows(east=[0, 1], rms=[1e-4, 9e-4], cut=[True, False], field=[0, 1]))
    assert done.primary.tolist() == [False, True]
    both = resolve_fields(rows(east=[0, 1], rms=[1e-4, 9e-4], cut=True, field=[0, 1]))
    assert both.primary.tolist() == [True, False]


def test_rows_of_one_field_are_never_one():
    done = resolve_fields(rows(east=[0, 1, 2], field=[0, 0, 1]))
    assert done.primary.sum() == 2
    assert np.unique(done.group).size == 2
    assert done.group[1] == done.group[2]  # the nearest


def test_a_chain_over_fields_takes_one_row_of_each():
    done = resolve_fields(rows(east=[0, 3, 6, 9], field=[0, 1, 0, 1], rms=[1e-4, 2e-4] * 2))
    assert [np.sum(done.group == group) for group in np.unique(done.group)] == [2, 2]
    assert done.primary.tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("far", "error", "one"), [(4.9, 0.1, True), (5.6, 0.1, False), (8.5, 1.2, True), (8.5, 0.5, False)]
)
def test_how_near_follows_from_errors_and_beams(far, error, one):
    done = resolve_fields(rows(east=[0, far], error=error, field=[0, 1]))
    assert (done.detected[0] == 2) == one
    assert np.hypot(5 * error * np.sqrt(2), 5.0) > far if one else True


def test_pieces_follow_the_field_that_counts():
    """One field has a wide source, the other its two lobes."""
    pieces = {
        "east": [0, -12, 13], "field": [0, 1, 1], "major": [40, 10, 10], "minor": [12, 10, 10],
        "pa": 90.0, "resolved": [True, False, False], "flux": [2.0, 1.1, 0.9],
    }  # fmt: skip
    whole = resolve_fields(rows(**pieces, rms=[1e-4, 2e-4, 2e-4]))
    assert whole.primary.tolist() == [True, False, False]
    assert whole.counterpart.tolist() == [-1, 0, 0]
    split = resolve_fields(rows(**pieces, rms=[2e-4, 1e-4, 1e-4]))
    assert split.primary.tolist() == [False, True, True]
    assert split.counterpart.tolist() == [1, -1, -1]  # the brighter piece


def test_a_compact_neighbour_within_a_wide_source_stays():
    """Both fields see the wide source and the compact one; a faint source in a wide one is not a piece of it."""
    done = resolve_fields(
        rows(
            east=[0, 0.5, 15, 15.3, -15],
            field=[0, 1, 0, 1, 1],
            rms=[1e-4, 2e-4, 1e-4, 2e-4, 2e-4],
            major=[60, 60, 10, 10, 10],
            minor=[20, 20, 10, 10, 10],
            pa=90.0,
            resolved=[True, True, False, False, False],
            flux=[5, 5, 1, 1, 0.1],
        )
    )
    assert done.primary[:4].tolist() == [True, False, True, False]


def test_what_an_edge_cut_follows_the_whole_row_beside_it():
    """The centre lies outside of field 1, whose row is a stump of its wing; alone a stump counts."""
    done = resolve_fields(
        rows(east=[0, 13], field=[0, 1], cut=[False, True], flux=[1, 0.01], rms=[2e-4, 1e-4])
    )
    assert done.primary.tolist() == [True, False]
    assert done.counterpart.tolist() == [-1, 0]
    brighter = rows(east=[0, 13], field=[0, 1], cut=[False, True], flux=[1, 2])
    assert resolve_fields(brighter).primary.all()


def test_what_an_edge_cut_is_a_source_of_its_own_where_its_field_has_the_brighter_one_whole():
    """Field 1 sees the bright source as field 0 does, and beside it one that field 0 did not find."""
    seen = {"east": [0, 0.5, 13], "field": [0, 1, 1], "flux": [1, 1, 0.9], "rms": [2e-4, 1e-4, 1e-4]}
    done = resolve_fields(rows(**seen, cut=[False, False, True]))
    assert done.primary.tolist() == [False, True, True]
    assert done.counterpart.tolist() == [1, -1, -1]
    assert done.detected.tolist() == [2, 2, 1]
    stumps = resolve_fields(rows(**seen, cut=[False, True, True]))  # both are its wings
    assert stumps.primary.tolist() == [True, False, False]


def test_nothing_and_rows_without_a_place():
    empty = resolve_fields(rows(east=np.empty(0)))
    assert len(empty.primary) == len(empty.counterpart) == 0
    lost = rows(east=[0, 0], field=[0, 1])
    lost.ra[:] = np.nan
    assert resolve_fields(lost).primary.all()


def test_the_order_of_rows_does_not_matter():
    rng = np.random.default_rng(5)
    n = 400
    east, north = rng.uniform(0, 600, (2, n))
    given = {
        "east": np.concatenate([east, east + rng.normal(0, 1, n)]),
        "north": np.concatenate([north, north + rng.normal(0, 1, n)]),
        "field": np.repeat([0, 1], n), "rms": rng.uniform(1, 2, 2 * n), "error": 0.7,
    }  # fmt: skip
    one = resolve_fields(rows(**given))
    mixed = rng.permutation(2 * n)
    other = resolve_fields(rows(**{k: v[mixed] if np.ndim(v) else v for k, v in given.items()}))
    assert np.array_equal(one.primary[mixed], other.primary)
    assert one.primary.sum() < 1.02 * n
    assert np.bincount(one.group)[one.group].max() == 2

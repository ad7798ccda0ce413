"""Matching does not mind which catalogue is first, how rows are ordered, or where on the sky they are."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.match.made import seen, sky

import skysift
from skysift.match.entries import Entries
from skysift.match.sky import unit_vectors

KINDS = ("one-to-one", "ellipse")
few = settings(max_examples=25, deadline=None)


def crowd(seed: int) -> tuple[Entries, Entries]:
    """Two catalogues so dense that rows compete for partners."""
    rng = np.random.default_rng(seed)
    truth = sky(60, seed=seed, width=0.02)
    return tuple(
        seen(
            name,
            truth,
            seed + k,
            own=20,
            sigma=2.0,
            keep=0.8,
            major=rng.uniform(9, 15),
            pa=rng.uniform(0, 180),
        )[0]
        for k, name in ((1, "A"), (2, "B"))
    )


def pairs(left: Entries, right: Entries, **how) -> set[tuple[int, int]]:
    """Pairs by number."""
    match = skysift.match(left, right, trials=0, **how)
    both = (match["row_1"] >= 0) & (match["row_2"] >= 0)
    return set(zip(match["id_1"][both].tolist(), match["id_2"][both].tolist(), strict=True))


@few
@given(st.integers(0, 10**6), st.sampled_from(KINDS))
def test_pairs_are_the_same_whoever_comes_first(seed, kind):
    left, right = crowd(seed)
    assert pairs(left, right, kind=kind) == {(a, b) for b, a in pairs(right, left, kind=kind)}


@few
@given(st.integers(0, 10**6), st.sampled_from((*KINDS, "nearest", "likelihood")))
def test_pairs_are_the_same_in_any_order_of_rows(seed, kind):
    left, right = crowd(seed)
    rng = np.random.default_rng(seed)
    mixed = [each.take(rng.permutation(len(each))) for each in (left, right)]
    how = {"kind": kind} if kind != "likelihood" else {"kind": kind, "q": 0.7, "radius": 12.0}
    if kind == "likelihood":  # the density is measured on shifted rows, whose steps follow the order of rows
        assert len(pairs(left, right, **how) ^ pairs(*mixed, **how)) <= 4
    else:
        assert pairs(left, right, **how) == pairs(*mixed, **how)


@few
@given(st.integers(0, 10**6), st.floats(0, 360), st.floats(0.0, np.pi))
def test_pairs_are_the_same_anywhere_on_the_sky(seed, turn, tilt):
    left, right = crowd(seed)
    rotation = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
    moved = []
    for each in (left, right):
        x, y, z = rotation @ unit_vectors(each.ra + turn, each.dec).T
        moved.append(
            each.moved(np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y))))
        )
    for kind in ("nearest", "one-to-one"):
        assert pairs(left, right, kind=kind) == pairs(*moved, kind=kind)


@few
@given(st.integers(0, 10**6))
def test_pairs_are_the_same_across_zero_hours(seed):
    left, right = crowd(seed)
    moved = [each.moved((each.ra - 10.0) % 360, each.dec) for each in (left, right)]
    for kind in KINDS:
        assert pairs(left, right, kind=kind) == pairs(*moved, kind=kind)


@few
@given(st.integers(0, 10**6), st.sampled_from((*KINDS, "likelihood")))
def test_no_row_is_lost_or_comes_twice(seed, kind):
    left, right = crowd(seed)
    match = skysift.match(left, right, kind=kind, trials=0)
    for number, each in ((1, left), (2, right)):
        rows = match[f"row_{number}"]
        assert sorted(rows[rows >= 0].tolist()) == list(range(len(each)))

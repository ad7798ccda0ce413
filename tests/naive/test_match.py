"""The searches by zones against loops over all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysift.match.ellipse import overlaps
from skysift.match.entries import Entries
from skysift.match.sky import count_near, nearest, one_to_one, one_to_one_of, separation, within


def greedy(distance: np.ndarray, radius: float) -> list[tuple[int, int]]:
    """The closest pair of all, then the closest of those whose rows are still free."""
    pairs = sorted((distance[a, b], a, b) for a, b in zip(*np.nonzero(distance <= radius), strict=True))
    found, left, right = [], set(), set()
    for _, a, b in pairs:
        if a not in left and b not in right:
            found.append((int(a), int(b)))
            left.add(a)
            right.add(b)
    return sorted(found)


@st.composite
def skies(draw):
    """Two lists of positions in a patch anywhere, poles and the wrap of right ascension included, and a radius."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n, m = draw(st.integers(0, 25)), draw(st.integers(0, 25))
    kind = draw(st.sampled_from(["wrap", "pole", "all", "lattice"]))
    radius = {"wrap": 9.0, "pole": 20.0, "all": 60 * 3600.0, "lattice": 9.0}[kind]

    def positions(size: int) -> tuple[np.ndarray, np.ndarray]:
        if kind == "all":
            return rng.uniform(0, 360, size), np.degrees(np.arcsin(rng.uniform(-1, 1, size)))
        if kind == "pole":
            return rng.uniform(0, 360, size), 90 - rng.uniform(0, 40, size) / 3600
        ra, dec = rng.uniform(-30, 30, size), rng.uniform(-30, 30, size)
        if kind == "lattice":  # equal distances, rows on top of each other
            ra, dec = 3 * np.round(ra / 3), 3 * np.round(dec / 3)
        return ra / 3600 % 360, dec / 3600

    return (*positions(n), *positions(m), radius)


def distances(ra1, dec1, ra2, dec2) -> np.ndarray:
    return np.array(
        [
            [float(separation(a, b, c, d)) for c, d in zip(ra2, dec2, strict=True)]
            for a, b in zip(ra1, dec1, strict=True)
        ]
    ).reshape(len(ra1), len(ra2))


@settings(max_examples=120, deadline=None)
@given(skies())
def test_the_searches_find_what_loops_find(made):
    *lists, radius = made
    distance = distances(*lists)
    reach = radius * (1 + 1e-9)  # pairs of the lattice lie exactly at the radius
    found = within(*lists, reach)
    expected = np.argwhere(distance <= reach)
    assert np.stack([found.left, found.right], axis=1).tolist() == expected.tolist()
    assert found.separation == pytest.approx(distance[found.left, found.right], rel=1e-7, abs=1e-7)
    assert count_near(*lists, reach).tolist() == np.sum(distance <= reach, axis=1).tolist()
    closest = nearest(*lists, reach)
    assert closest.left.tolist() == np.flatnonzero(np.any(distance <= reach, axis=1)).tolist()
    if len(closest):
        assert closest.separation == pytest.approx(distance.min(axis=1)[closest.left], rel=1e-7, abs=1e-7)


@settings(max_examples=120, deadline=None)
@given(skies())
def test_the_chain_of_closest_rows_is_the_greedy_rule(made):
    *lists, radius = made
    reach = radius * (1 + 1e-9)
    pairs = within(*lists, reach)
    distance = np.full((len(lists[0]), len(lists[2])), np.inf)
    distance[pairs.left, pairs.right] = np.round(pairs.separation, 6)
    listed = one_to_one_of(pairs, np.round(pairs.separation, 6))
    assert list(zip(listed.left.tolist(), listed.right.tolist(), strict=True)) == greedy(distance, reach + 1)
    chained, sorted_ = one_to_one(*lists, reach), one_to_one_of(pairs, pairs.separation)
    assert np.sort(chained.separation) == pytest.approx(np.sort(sorted_.separation), rel=1e-7, abs=1e-7)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_areas_in_common_are_those_of_many_points(seed):
    rng = np.random.default_rng(seed)
    shapes = [
        {"major": 10 * b, "minor": 10 * b * q, "pa": pa}
        for b, q, pa in zip(
            rng.uniform(0.5, 2, 2), rng.uniform(0.2, 1, 2), rng.uniform(0, 180, 2), strict=True
        )
    ]
    east, north = rng.uniform(-6, 6, 2)
    first = Entries.from_columns("a", [0.0], [0.0], **shapes[0])
    second = Entries.from_columns("b", [east / 3600], [north / 3600], **shapes[1])
    x, y = rng.uniform(-12, 12, (2, 200_000))
    inside = np.ones(x.size, bool)
    for shape, (cx, cy) in zip(shapes, ((0, 0), (east, north)), strict=True):
        angle = np.radians(shape["pa"])
        along = (x - cx) * np.sin(angle) + (y - cy) * np.cos(angle)
        across = (x - cx) * np.cos(angle) - (y - cy) * np.sin(angle)
        inside &= (2 * along / shape["major"]) ** 2 + (2 * across / shape["minor"]) ** 2 <= 1
    counted = 24**2 * inside.mean()
    assert overlaps(first, second)[0][0] == pytest.approx(
        counted, abs=5 * 24**2 * np.sqrt(inside.mean() / x.size) + 0.05
    )

"""The rule that makes sources of components, against the same rule written slowly."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.skies import covariance

from skysift.match.group import SAMPLES, group_components, source_peaks

FWHM = np.sqrt(8 * np.log(2))


def brightness(p: np.ndarray, x: float, y: float) -> float:
    total = 0.0
    for row in p:
        s = np.array([[row[3], row[4]], [row[4], row[5]]])
        d = np.array([x - row[1], y - row[2]])
        q = d @ np.linalg.solve(s, d)
        total += row[0] * np.exp(-0.5 * q) if q < 40 else 0.0
    return total


def width(row: np.ndarray, direction: np.ndarray) -> float:
    """FWHM of a component's cut through its centre along a direction."""
    s = np.array([[row[3], row[4]], [row[4], row[5]]])
    return float(FWHM / np.sqrt(direction @ np.linalg.solve(s, direction)))


def sources(p: np.ndarray, rms: np.ndarray, first: np.ndarray, dip: float) -> list[int]:
    """The rule: no dip between the centres, or one within `dip` rms for a pair that is near."""
    group = list(range(len(p)))
    for start, stop in pairwise(first):
        for a in range(start, stop):
            for b in range(a + 1, stop):
                step = p[b, 1:3] - p[a, 1:3]
                distance = np.hypot(*step)
                line = [
                    brightness(p[start:stop], *(p[a, 1:3] + step * t)) for t in np.linspace(0, 1, SAMPLES + 1)
                ]
                depth = min(line[0], line[-1]) - min(line)
                near = distance <= (width(p[a], step / distance) + width(p[b], step / distance)) / 2
                if depth <= 1e-9 * min(line[0], line[-1]) or (depth <= dip * (rms[a] + rms[b]) / 2 and near):
                    joined = {group[a], group[b]}
                    group = [min(joined) if each in joined else each for each in group]
    names = {each: number for number, each in enumerate(dict.fromkeys(group))}
    return [names[each] for each in group]


def grouped(p: np.ndarray, rms: np.ndarray, first: np.ndarray, dip: float) -> list[int]:
    source = np.full(len(p), -1, np.int64)
    number = group_components(p, rms, first, dip, source)
    assert number == len(set(source.tolist()))
    return source.tolist()


def crowd(seed: int, sizes: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Components, their noise and where islands begin."""
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    p = np.empty((n, 6))
    p[:, 0], p[:, 1:3] = rng.uniform(3, 40, n), rng.uniform(0, 22, (n, 2))
    for row in p:
        c = covariance(rng.uniform(5, 9), rng.uniform(3, 5), rng.uniform(0, 180))
        row[3:] = c[0, 0], c[0, 1], c[1, 1]
    return p, rng.uniform(0.5, 1.5, n), np.concatenate([[0], np.cumsum(sizes)])


crowds = st.builds(crowd, st.integers(0, 10**6), st.lists(st.integers(1, 5), min_size=1, max_size=3))


@settings(max_examples=60, deadline=None)
@given(crowds, st.floats(0, 12))
def test_sources_are_those_of_the_rule(made, dip):
    assert grouped(*made, dip) == sources(*made, dip)


@settings(max_examples=40, deadline=None)
@given(crowds, st.floats(0, 12))
def test_the_peak_of_a_source_is_the_brightest_of_its_centres(made, dip):
    p, _, first = made
    source = np.array(grouped(*made, dip))
    peak = np.empty(source.max() + 1)
    source_peaks(p, first, source, peak)
    for number, value in enumerate(peak):
        mine = p[source == number]
        assert value == pytest.approx(max(brightness(mine, *row[1:3]) for row in mine))
        assert value >= mine[:, 0].max()


@pytest.mark.parametrize(
    ("distance", "dip", "together"),
    [(4.0, 0.0, True), (4.9, 0.0, False), (4.9, 3.0, True), (5.1, 99.0, False), (30.0, 99.0, False)],
)
def test_a_pair(distance, dip, together):
    c = covariance(5, 5, 0)
    p = np.array([[10.0, 20 + x, 20, c[0, 0], 0, c[1, 1]] for x in (0, distance)])
    assert (grouped(p, np.ones(2), np.array([0, 2]), dip) == [0, 0]) == together
    assert grouped(p, np.ones(2), np.array([0, 1, 2]), dip) == [0, 1]  # in islands of their own


def test_joining_is_transitive():
    c = covariance(5, 5, 0)
    p = np.array([[10.0, x, 0, c[0, 0], 0, c[1, 1]] for x in (0, 8, 4, 20)])
    assert grouped(p, np.ones(4), np.array([0, 4]), 0.0) == [0, 0, 0, 1]

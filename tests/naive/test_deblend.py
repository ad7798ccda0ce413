"""Peaks of islands by their prominence against slow floods."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.naive.floods import flood
from tests.skies import correlated_noise

from skysift.find.classic.deblend import island_peaks

BEAM = np.array([2.0, 0.3, 1.5])


def prominences(height: np.ndarray, inside: np.ndarray) -> dict[tuple[int, int], float]:
    """Each summit's rise above the highest saddle to higher ground; infinite for the highest."""
    found = {}
    padded = np.pad(np.where(inside, height, -np.inf), 1, constant_values=-np.inf)
    for y, x in zip(*np.nonzero(inside), strict=True):
        me = height[y, x]
        if padded[y : y + 3, x : x + 3].max() > me:
            continue
        saddle = -np.inf
        for level in np.sort(height[inside & (height < me)])[::-1]:
            labels = flood(inside & (height >= level), corners=True)
            if height[labels == labels[y, x]].max() > me:
                saddle = level
                break
        found[(int(y), int(x))] = me - saddle
    return found


def peaks(
    data: np.ndarray,
    labels: np.ndarray,
    prominence: float,
    sign: float = 1.0,
    origin: tuple[int, int] = (0, 0),
    level: float = 0.0,
    rms: float = 1.0,
) -> list[np.ndarray]:
    """The start values of each label, as the kernel gives them."""
    members = np.unique(labels[labels > 0]).astype(np.int64)
    boxes = np.empty((len(members), 4), np.int64)
    for box, me in zip(boxes, members, strict=True):
        y, x = np.nonzero(labels == me)
        box[:] = y.min() + origin[0], y.max() + 1 + origin[0], x.min() + origin[1], x.max() + 1 + origin[1]
    out, first = np.empty((data.size, 6)), np.empty(len(members) + 1, np.int64)
    n = island_peaks(
        data,
        np.full_like(data, level),
        np.full_like(data, rms),
        labels.astype(np.int32),
        *origin,
        members,
        boxes,
        sign,
        np.tile(BEAM, (len(members), 1)),
        prominence,
        out,
        first,
    )
    assert first[-1] == n
    return [out[a:b] for a, b in pairwise(first)]


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    st.integers(0, 10**6),
    st.floats(0.05, 3.0),
    st.booleans(),
    st.sampled_from([1.0, -1.0]),
)
def test_peaks_are_the_summits_that_are_prominent(shape, seed, prominence, smooth, sign):
    rng = np.random.default_rng(seed)
    z = correlated_noise(shape, (3, 3, 0), "convolved", rng) if smooth else rng.standard_normal(shape)
    data = (sign * z).astype(np.float32)
    data[rng.random(shape) < 0.1] = np.nan
    height = sign * data.astype(float)
    labels = flood(height > -0.3, corners=True)
    found = peaks(data, labels, prominence, sign)
    assert len(found) == labels.max()
    for number, rows in enumerate(found, 1):
        expected = {
            place for place, rise in prominences(height, labels == number).items() if rise >= prominence
        }
        assert {(int(row[2]), int(row[1])) for row in rows} == expected
        assert [row[0] for row in rows] == sorted((height[place] for place in expected), reverse=True)
        for row in rows:  # as large as the beam at least, or just the beam
            shape_of = np.array([[row[3], row[4]], [row[4], row[5]]])
            assert np.linalg.det(shape_of) >= BEAM[0] * BEAM[2] - BEAM[1] ** 2 - 1e-12
            assert row[3] >= BEAM[0]
            assert row[5] >= BEAM[2]


def test_a_lone_peak_starts_with_the_moments_of_its_island():
    y, x = np.mgrid[0:30, 0:40]
    data = (50 * np.exp(-((x - 20) ** 2) / 60 - (y - 14) ** 2 / 30)).astype(np.float32)
    labels = (data > 3).astype(np.int32)
    (rows,) = peaks(data, labels, 1.0, origin=(100, 200))
    w = np.where(labels == 1, data, 0).astype(float)
    w /= w.sum()
    mx, my = (w * x).sum(), (w * y).sum()
    moments = [(w * (x - mx) ** 2).sum(), (w * (x - mx) * (y - my)).sum(), (w * (y - my) ** 2).sum()]
    assert rows[0] == pytest.approx([50, 220, 114, *moments], rel=1e-6, abs=1e-6)


def test_heights_are_above_the_level_in_units_of_the_rms():
    data = np.array([[9.0, 3.0, 6.0]], np.float32)
    labels = np.ones((1, 3), np.int32)
    for rms, number in ((1.0, 2), (1.5, 2), (1.6, 1)):  # the second peak rises 3 above its saddle
        (rows,) = peaks(data, labels, 2.0, level=1.0, rms=rms)
        assert len(rows) == number
        assert rows[0][0] == 8.0


def test_two_equal_summits_are_both_peaks_and_a_plateau_is_one():
    data = np.array([[9, 1, 9], [1, 1, 1], [4, 4, 4]], np.float32)
    (rows,) = peaks(data, np.ones((3, 3), np.int32), 2.0)
    assert len(rows) == 3
    assert sorted(row[0] for row in rows) == [4, 9, 9]

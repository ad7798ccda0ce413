"""Islands by runs, tiles and merging against a plain flood fill."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.naive.floods import flood
from tests.skies import correlated_noise

from skysift.find.classic.islands import fragments
from skysift.match.merge import merge_fragments
from skysift.sky.box import Box
from skysift.sky.runs import touching_runs
from skysift.sky.tiling import NoisyTile

SEED, GROW = 2.5, 1.5


def islands(z: np.ndarray, corners: bool, signs: tuple[int, ...]) -> np.ndarray:
    """Islands above GROW that hold a pixel above SEED, of all signs, in the order of their first pixels."""
    found = []
    for sign in signs:
        labels = flood(sign * z >= GROW, corners)
        found += [labels == n for n in range(1, labels.max() + 1) if (sign * z)[labels == n].max() >= SEED]
    found.sort(key=lambda pixels: np.flatnonzero(pixels)[0])
    return sum((n * pixels.astype(int) for n, pixels in enumerate(found, 1)), np.zeros(z.shape, int))


def tiles(shape: tuple[int, int], height: int, width: int) -> list[Box]:
    whole = Box.of(shape)
    return [
        Box(y, y + height, x, x + width).intersect(whole)
        for y in range(0, shape[0], height)
        for x in range(0, shape[1], width)
    ]


def merged(z: np.ndarray, boxes: list[Box], corners: bool, signs: tuple[int, ...]) -> np.ndarray:
    parts = []
    for box in boxes:
        data = np.ascontiguousarray(z[box.slices()], np.float32)
        tile = NoisyTile(box, data, np.zeros_like(data), np.ones_like(data), z.shape)
        parts += [fragments(tile, SEED, GROW, int(corners), sign) for sign in signs]
    objects = merge_fragments(parts, int(corners))
    labels = objects.to_mask(z.shape).paint() if len(objects) else np.zeros(z.shape, int)
    peaks = [(sign * z)[labels == n].max() for n, sign in enumerate(objects["sign"], 1)]
    np.testing.assert_allclose(objects.scores, peaks)
    return labels


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    seed=st.integers(0, 10**6),
    blank=st.sampled_from([0.0, 0.1, 0.5]),
    smooth=st.booleans(),
    corners=st.booleans(),
    signs=st.sampled_from([(1,), (1, -1)]),
    tile=st.tuples(st.integers(1, 31), st.integers(1, 31)),
)
def test_fragments_of_any_tiles_merge_into_the_islands_of_a_flood_fill(
    shape, seed, blank, smooth, corners, signs, tile
):
    rng = np.random.default_rng(seed)
    z = correlated_noise(shape, (3, 3, 0), "convolved", rng) if smooth else 2 * rng.standard_normal(shape)
    z = np.where(rng.random(shape) < blank, np.nan, z).astype(np.float32)
    with np.errstate(invalid="ignore"):
        expected = islands(z, corners, signs)
    np.testing.assert_array_equal(merged(z, tiles(shape, *tile), corners, signs), expected)


@pytest.mark.parametrize("reach", [0, 1])
def test_touching_runs_are_those_of_a_flood_fill(reach):
    inside = np.random.default_rng(5).random((40, 50)) < (0.45 if reach else 0.6)
    runs = []
    for y, row in enumerate(inside):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        runs += [(y, start, stop) for start, stop in edges.reshape(-1, 2)]
    roots = touching_runs(np.array(runs), reach)
    labels = flood(inside, bool(reach))
    painted = np.zeros(inside.shape, int)
    for (y, start, stop), root in zip(runs, roots, strict=True):
        painted[y, start:stop] = root + 1
    pairs = {(int(a), int(b)) for a, b in zip(labels[inside], painted[inside], strict=True)}
    assert len(pairs) == labels.max() == len(set(roots.tolist()))
    assert all(roots[root] == root for root in roots)

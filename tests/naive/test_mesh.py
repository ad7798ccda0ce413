"""Meshes between pixels against the plain formula of bilinear interpolation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysift.measure.background import interpolate
from skysift.measure.noise import REFINE, NoiseMesh, refine
from skysift.sky.box import Box


def plain(mesh: np.ndarray, cell: int, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Bilinear between cell centres, constant beyond the outer ones."""
    rows, columns = mesh.shape
    v = np.clip((y + 0.5) / cell - 0.5, 0, rows - 1)[:, None]
    u = np.clip((x + 0.5) / cell - 0.5, 0, columns - 1)[None, :]
    r, c = np.floor(v).astype(int), np.floor(u).astype(int)
    below, right = np.minimum(r + 1, rows - 1), np.minimum(c + 1, columns - 1)
    f, g = v - r, u - c
    return (
        (1 - f) * (1 - g) * mesh[r, c]
        + (1 - f) * g * mesh[r, right]
        + f * (1 - g) * mesh[below, c]
        + f * g * mesh[below, right]
    )


meshes = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 12), st.integers(0, 10**6))


@settings(max_examples=60, deadline=None)
@given(meshes, st.integers(0, 40), st.integers(0, 40), st.integers(1, 30), st.integers(1, 30))
def test_interpolation_is_the_plain_formula(made, y0, x0, height, width):
    rows, columns, cell, seed = made
    mesh = np.random.default_rng(seed).uniform(1, 2, (rows, columns))
    out = np.empty((height, width), np.float32)
    interpolate(mesh, cell, y0, x0, out)
    expected = plain(mesh, cell, np.arange(y0, y0 + height), np.arange(x0, x0 + width))
    np.testing.assert_allclose(out, expected, rtol=3e-7)


@settings(max_examples=60, deadline=None)
@given(meshes, st.lists(st.integers(0, 60), min_size=4, max_size=4, unique=True))
def test_a_pixel_has_one_value_in_every_box(made, edges):
    rows, columns, cell, seed = made
    rng = np.random.default_rng(seed)
    shape = (rows, columns)
    level, rms, nowhere = rng.normal(0, 1, shape), rng.uniform(1, 2, shape), np.zeros(shape, bool)
    mesh = NoiseMesh(cell, level, rms, np.ones((1, 1)), nowhere)
    whole, box = Box(0, 61, 0, 61), Box(*sorted(edges[:2]), *sorted(edges[2:]))
    for all_of_it, part in zip(mesh.read(whole), mesh.read(box), strict=True):
        assert part.dtype == np.float32
        np.testing.assert_array_equal(part, all_of_it[box.slices()])


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 5)])
def test_a_finer_mesh_is_the_coarse_one_read_at_its_nodes(shape):
    mesh = np.random.default_rng(1).uniform(1, 2, shape)
    nodes = [np.arange(REFINE * n) for n in shape]
    np.testing.assert_allclose(refine(mesh), plain(mesh, REFINE, *nodes), rtol=1e-12)

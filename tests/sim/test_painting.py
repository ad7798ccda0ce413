"""Gaussians are painted whole: their flux, their shape, and nothing that depends on cells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysift.sim.drawn import DrawnSource
from skysift.sim.painting import CELL, GaussianLayer, reach_of
from skysift.sky.box import Box


def layer(x, y, peak, shape, size, floor=0.0):
    arrays = (np.atleast_1d(np.asarray(each, dtype=float)) for each in (x, y, peak))
    return GaussianLayer(*arrays, np.atleast_2d(np.asarray(shape, dtype=float)), size, floor)


def whole(*layers, size):
    return DrawnSource(size, layers).read(Box.of(size)).astype(np.float64)


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(100.0, 156.0),
    y=st.floats(100.0, 156.0),
    major=st.floats(1.0, 12.0),
    ratio=st.floats(0.3, 1.0),
    angle=st.floats(0.0, np.pi),
)
def test_pixels_add_up_to_the_flux(x, y, major, ratio, angle):
    minor = max(1.0, ratio * major)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    c = turn @ np.diag([major**2, minor**2]) @ turn.T
    painted = whole(layer(x, y, 1.0, [c[0, 0], c[0, 1], c[1, 1]], (256, 256)), size=(256, 256))
    assert painted.sum() == pytest.approx(2 * np.pi * major * minor, rel=1e-4)


def test_a_pixel_is_the_gaussian_there():
    painted = whole(layer(30.3, 40.7, 2.0, [9.0, 2.0, 4.0], (80, 64)), size=(80, 64))
    y, x = np.mgrid[:80, :64]
    dx, dy = x - 30.3, y - 40.7
    q = (4.0 * dx**2 - 2 * 2.0 * dx * dy + 9.0 * dy**2) / (9.0 * 4.0 - 2.0**2)
    expected = np.where(q < 23.0, 2.0 * np.exp(-0.5 * q), 0.0)
    assert np.abs(painted - expected).max() < 2.1e-5


def test_a_bright_gaussian_is_followed_until_it_is_faint():
    size = (200, 200)
    painted = whole(layer(100, 100, 1e6, [4.0, 0.0, 4.0], size, floor=0.01), size=size)
    assert 0.0 < painted[painted > 0].min() < 0.1
    assert reach_of(np.array([1e6]), 0.01)[0] == pytest.approx(2 * np.log(1e8))


def test_what_lies_across_cells_has_no_seam():
    size = (2 * CELL, 2 * CELL)
    painted = whole(layer(CELL - 0.5, CELL - 0.5, 1.0, [25.0, 0.0, 25.0], size), size=size)
    part = painted[CELL - 30 : CELL + 30, CELL - 30 : CELL + 30]
    assert np.allclose(part, part[::-1, ::-1], atol=1e-7)
    assert painted.sum() == pytest.approx(2 * np.pi * 25.0, rel=1e-4)


def test_bytes_do_not_depend_on_what_is_read():
    rng = np.random.default_rng(5)
    size, n = (700, 1300), 400
    made = layer(
        rng.uniform(-20, 1320, n),
        rng.uniform(-20, 720, n),
        rng.lognormal(size=n),
        np.column_stack([rng.uniform(1, 90, n), np.zeros(n), rng.uniform(1, 90, n)]),
        size,
    )
    at_once = DrawnSource(size, (made,)).read(Box.of(size))
    pieces = DrawnSource(size, (made,))
    for box in (Box(0, 700, 300, 301), Box(511, 513, 0, 1300), Box(123, 456, 789, 1290)):
        assert pieces.read(box).tobytes() == at_once[box.slices()].tobytes()


def test_a_drawn_source_travels_by_pickle():
    import pickle

    source = DrawnSource((64, 64), (layer(30, 30, 1.0, [4.0, 0.0, 4.0], (64, 64)),))
    before = source.read(Box.of((64, 64)))
    assert np.array_equal(pickle.loads(pickle.dumps(source)).read(Box.of((64, 64))), before)

"""The elliptical Gaussian: value, derivatives and bounds against formulas and finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.skies import covariance

from skysift.measure.gaussian import add_gaussians, bound_shape, curvature, jacobian_row, paint_gaussians

BEAM = np.array([4.0, 1.0, 3.0])


def value(p: np.ndarray, x: float, y: float) -> float:
    s = np.array([[p[3], p[4]], [p[4], p[5]]])
    d = np.array([x - p[1], y - p[2]])
    return float(p[0] * np.exp(-0.5 * d @ np.linalg.solve(s, d)))


@st.composite
def components(draw: st.DrawFn) -> np.ndarray:
    """One Gaussian somewhere around (0, 0)."""
    major, ratio = draw(st.floats(1.5, 20)), draw(st.floats(0.3, 1))
    c = covariance(major, ratio * major, draw(st.floats(0, 180)))
    place = draw(st.tuples(st.floats(-3, 3), st.floats(-3, 3)))
    return np.array([draw(st.floats(0.1, 100)), *place, c[0, 0], c[0, 1], c[1, 1]])


at = st.tuples(st.floats(-6, 6), st.floats(-6, 6))


def derivative(function, p: np.ndarray, k: int) -> np.ndarray:
    """Central difference of fourth order."""
    h = 1e-3 * max(abs(p[k]), 0.1)
    up = [function(p + n * h * np.eye(6)[k]) for n in (-2, -1, 1, 2)]
    return (up[0] - 8 * up[1] + 8 * up[2] - up[3]) / (12 * h)


@settings(max_examples=80, deadline=None)
@given(components(), at)
def test_value_and_jacobian(p, place):
    out = np.full(8, -1.0)
    got = jacobian_row(*place, p[None], 0, True, out, 1)
    q = -2 * np.log(max(value(p, *place) / p[0], 1e-300))
    if q >= 40:
        assert got == 0
        assert not out[1:7].any()
        return
    assert got == pytest.approx(value(p, *place), rel=1e-10)
    expected = [derivative(lambda each: value(each, *place), p, k) for k in range(6)]
    np.testing.assert_allclose(out[1:7], expected, rtol=1e-5, atol=1e-7 * p[0])
    assert out[0] == out[7] == -1  # nothing else is touched
    held = np.full(8, -1.0)
    jacobian_row(*place, p[None], 0, False, held, 1)
    np.testing.assert_array_equal(held[1:4], out[1:4])
    assert (held[4:] == -1).all()


@settings(max_examples=80, deadline=None)
@given(components(), at, st.booleans())
def test_curvature(p, place, free):
    out = np.empty((6, 6))
    curvature(*place, p[None], 0, free, out)
    if value(p, *place) < 3e-9 * p[0]:
        return

    def gradient(each: np.ndarray) -> np.ndarray:
        row = np.empty(6)
        jacobian_row(*place, each[None], 0, True, row, 0)
        return row

    expected = np.stack([derivative(gradient, p, k) for k in range(6)])
    n = 6 if free else 3
    np.testing.assert_allclose(out[:n, :n], expected[:n, :n], rtol=1e-5, atol=1e-6 * p[0])
    np.testing.assert_array_equal(out[:n, :n], out[:n, :n].T)


def test_painting_and_adding_are_sums_of_values():
    rng = np.random.default_rng(2)
    p = np.empty((4, 6))
    p[:, 0], p[:, 1], p[:, 2] = rng.normal(0, 5, 4), rng.uniform(0, 30, 4), rng.uniform(10, 40, 4)
    for row in p:
        c = covariance(rng.uniform(4, 9), rng.uniform(2, 4), rng.uniform(0, 180))
        row[3:] = c[0, 0], c[0, 1], c[1, 1]
    y, x = np.mgrid[10:40, 0:30].astype(float)
    expected = np.array([sum(value(each, u, v) for each in p) for u, v in zip(x.flat, y.flat, strict=True)])
    total = np.ones(x.size)
    add_gaussians(x.ravel(), y.ravel(), p, 0, 4, -2.0, total)
    np.testing.assert_allclose(total, 1 - 2 * expected, atol=1e-7)
    for box in ((10, 40, 0, 30), (20, 23, 5, 19)):
        out = np.zeros((box[1] - box[0], box[3] - box[2]))
        paint_gaussians(p, box[0], box[2], out)
        window = expected.reshape(x.shape)[box[0] - 10 : box[1] - 10, box[2] : box[3]]
        np.testing.assert_allclose(out, window, atol=1e-7)
    only = np.zeros(x.size)
    add_gaussians(x.ravel(), y.ravel(), p, 1, 2, 1.0, only)
    np.testing.assert_allclose(
        only, [value(p[1], u, v) for u, v in zip(x.flat, y.flat, strict=True)], atol=1e-7
    )


@settings(max_examples=80, deadline=None)
@given(components(), st.floats(0.2, 1.0), st.floats(1.5, 20.0))
def test_shapes_are_held_between_multiples_of_the_beam(p, low, high):
    beam = np.array([[BEAM[0], BEAM[1]], [BEAM[1], BEAM[2]]])
    root = np.linalg.cholesky(beam)

    def relative(row: np.ndarray) -> np.ndarray:
        s = np.array([[row[3], row[4]], [row[4], row[5]]])
        return np.linalg.solve(root, np.linalg.solve(root, s).T)

    bounded = p.copy()
    outside = bound_shape(bounded[None], 0, BEAM, low, high)
    before = np.linalg.eigvalsh(relative(p))
    after, axes = np.linalg.eigh(relative(bounded))
    assert outside == (before[0] < low or before[1] > high)
    np.testing.assert_allclose(after, np.clip(before, low, high), rtol=1e-8)
    if after[1] > after[0] * (1 + 1e-3):  # the axes stay where they were
        turned = axes.T @ relative(p) @ axes
        assert abs(turned[0, 1]) < 1e-6 * before[1]
    np.testing.assert_array_equal(bounded[:3], p[:3])

"""What a network is shown and is to answer, and what is made of its answers, against slow twins."""

import numpy as np
import pytest
from scipy import ndimage
from tests import skies

from skysift.find.neural.footprints import nearest, runs_of
from skysift.find.neural.found import (
    RAW,
    as_detections,
    keep_best,
    nothing_found,
    raw_columns,
    without_doubles,
)
from skysift.find.neural.inputs import (
    CHANNELS,
    TOLD,
    beam_condition,
    channels,
    conditions,
    largest_near,
    noise_colour,
)
from skysift.find.neural.orientations import join_nearest
from skysift.find.neural.targets import nearest_sources, source_parameters

rng = np.random.default_rng(3)


def blank_map(shape=(37, 51)):
    z = rng.normal(size=shape).astype(np.float32)
    z[rng.random(shape) < 0.2] = np.nan
    return z


@pytest.mark.parametrize("reach", [1, 3])
def test_the_largest_near_a_pixel_is_that_of_a_square(reach):
    z = blank_map()
    found = np.empty(z.shape, np.float32)
    largest_near(z, reach, found)
    filled = np.where(np.isnan(z), -np.inf, z)
    wanted = ndimage.maximum_filter(filled, size=2 * reach + 1, mode="constant", cval=-np.inf)
    assert np.array_equal(found, wanted)


def test_channels_are_bounded_and_blank_pixels_are_zero():
    z = blank_map()
    z[5, 5], z[6, 6] = 1e6, -1e6
    seen = channels(z)
    assert seen.shape == (CHANNELS, *z.shape)
    assert np.isfinite(seen).all()
    assert np.abs(seen).max() < 6.0
    assert (seen[:, np.isnan(z)] == 0.0).all()
    assert (seen[3] == np.isfinite(z)).all()
    assert seen[2, 5, 5] == 1.0
    quiet = np.isfinite(z) & (np.abs(z) < 3)
    assert seen[0][quiet] == pytest.approx(0.4 * np.arcsinh(z[quiet]), rel=1e-6)
    assert seen[1][quiet] == pytest.approx(np.clip(0.2 * z[quiet], -1.5, 3.0), rel=1e-6)


def test_the_beam_is_told_by_width_elongation_and_angle():
    told = []
    for beam in ((2.5, 2.5, 0.0), (5.0, 5.0, 0.0), (4.0, 2.0, 0.0), (4.0, 2.0, 90.0), (4.0, 2.0, 45.0)):
        c = skies.covariance(*beam)
        told.append(beam_condition(np.array([[c[0, 0], c[0, 1], c[1, 1]]]))[0])
    assert told[0] == pytest.approx(np.zeros(4), abs=1e-5)
    assert told[1] == pytest.approx([np.log(2), 0, 0, -0.5], abs=1e-5)
    assert told[2][1] == pytest.approx(-np.log(2), abs=1e-5)  # north: along y
    assert told[3][1] == pytest.approx(np.log(2), abs=1e-5)
    assert told[4][1:3] == pytest.approx([0.0, -np.log(2)], abs=1e-5)  # towards -x, +y


def test_cells_belong_to_the_nearest_source_in_reach():
    ny, nx, stride = 20, 26, 2
    n = 30
    x, y, reach = rng.uniform(-4, 56, n), rng.uniform(-4, 44, n), rng.uniform(1.0, 6.0, n)
    owner, distance = np.empty((ny, nx), np.int32), np.empty((ny, nx))
    nearest_sources(x, y, reach, ny, nx, stride, owner, distance)
    for j in range(ny):
        for i in range(nx):
            away = np.hypot(stride * i + 0.5 - x, stride * j + 0.5 - y) / reach
            best = int(np.argmin(away))
            if away[best] <= 1.0:
                assert owner[j, i] == best
                assert distance[j, i] == pytest.approx(away[best])
            else:
                assert owner[j, i] == -1
                assert distance[j, i] == np.inf


def test_parameters_of_a_source_are_those_of_its_ellipse():
    beam = skies.covariance(4.0, 4.0, 0.0)
    own = skies.covariance(8.0, 2.0, 30.0)
    wide = [0, 0, own[0, 0], own[0, 1], own[1, 1], 9.0, 40.0, 0.3, 1, 1]
    labels = np.array([wide, [0, 0, 0, 0, 0, 5.0, 5.0, np.nan, 1, 1]])
    flux, major, minor, cos, sin, core = source_parameters(
        labels, np.array([beam[0, 0], beam[0, 1], beam[1, 1]])
    ).T
    assert flux == pytest.approx(np.log([40.0, 5.0]))
    assert major == pytest.approx([np.log(2.0), np.log(0.1)])
    assert minor == pytest.approx([np.log(0.5), np.log(0.1)])
    angle = np.radians(90.0 + 30.0)  # from x towards y, of what is 30 degrees from y towards -x
    assert (cos[0], sin[0]) == pytest.approx((np.cos(2 * angle), np.sin(2 * angle)))
    assert (cos[1], sin[1]) == (0.0, 0.0)
    assert core[0] == 0.3


def found_at(x, y, scores, reach):
    columns = dict.fromkeys(RAW, np.ones(len(x))) | {"x": x, "y": y, "reach": reach}
    return as_detections({name: np.asarray(columns[name], float) for name in RAW}, scores)


def test_of_doubles_the_best_stays():
    n = 400
    x, y = rng.uniform(0, 60, n), rng.uniform(0, 60, n)
    scores, reach = np.round(rng.uniform(0, 1, n), 2), rng.uniform(1.0, 4.0, n)
    kept = without_doubles(found_at(x, y, scores, reach))
    order = np.lexsort((x, y, -scores))
    wanted = []
    for k in order:
        if all(np.hypot(x[k] - x[m], y[k] - y[m]) >= min(reach[k], reach[m]) for m in wanted):
            wanted.append(k)
    assert kept["x"].tolist() == x[wanted].tolist()
    assert kept.scores.tolist() == scores[wanted].tolist()
    mixed = rng.permutation(n)
    assert without_doubles(found_at(x[mixed], y[mixed], scores[mixed], reach[mixed])) == kept
    assert len(without_doubles(nothing_found())) == 0
    keep_best(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.bool_))


def test_how_far_sources_are_apart_changes_no_double():
    """Two on opposite ends of a map beyond all maps, each seen twice, need no grid of all its pixels."""
    x, y = np.array([0.0, 1e6, 1e6 - 0.5, 0.5]), np.array([0.0, 1e6, 1e6 + 0.5, 0.5])
    kept = np.zeros(4, np.bool_)
    keep_best(x, y, np.ones(4), kept)
    assert kept.tolist() == [True, True, False, False]
    group = np.full(4, -1, np.int64)
    assert join_nearest(x, y, np.ones(4), np.zeros(4), np.array([0, 1, 0, 1]), 2, group) == 2
    assert group.tolist() == [0, 1, 1, 0]


def test_where_two_are_as_near_the_better_is_joined():
    x, y = np.array([5.0, 3.0, 7.0]), np.zeros(3)
    group = np.full(3, -1, np.int64)
    assert join_nearest(x, y, np.full(3, 3.0), np.zeros(3), np.array([0, 1, 1]), 2, group) == 2
    assert group.tolist() == [0, 0, 1]


def test_a_wide_source_that_is_seen_twice_is_found_once_and_what_lies_on_it_stays():
    x, y, scores = [50.0, 56.0, 50.0, 75.0], [50.0, 52.0, 53.0, 50.0], np.array([0.7, 0.8, 0.9, 0.6])
    columns = dict.fromkeys(RAW, np.ones(4)) | {
        "x": x, "y": y, "reach": np.full(4, 2.0), "major": [60.0, 50.0, 1.0, 50.0], "minor": [30.0, 24.0, 1.0, 30.0]
    }  # fmt: skip
    found = as_detections({name: np.asarray(columns[name], float) for name in RAW}, scores)
    kept = without_doubles(found)
    assert sorted(kept["x"].tolist()) == [50.0, 56.0, 75.0]  # the first is the second
    assert kept["major"][kept["x"] == 50.0].tolist() == [1.0]


def test_no_axis_is_longer_than_a_network_sees():
    mean = np.array([[9.0, 2.0], [0.5, 1.0], [1.0, 1.0], [0.0, 0.0], [0.5, 0.5]])
    columns = raw_columns(
        np.zeros(2), np.zeros(2), np.zeros(2), mean, np.ones((8, 2)), np.zeros((5, 2)), 2.5, width=2.0
    )
    assert columns["major"] == pytest.approx([128.0, 2.0 * np.exp(2.0)])


def test_pixels_belong_to_the_nearest_source_by_its_own_width():
    ny, nx, y0, x0 = 30, 40, 100, 200
    n = 25
    x, y = x0 + rng.uniform(-3, nx + 3, n), y0 + rng.uniform(-3, ny + 3, n)
    c = skies.covariance(rng.uniform(3, 8, n), 2.5, rng.uniform(0, 180, n))
    shape = np.stack([c[:, 0, 0], c[:, 0, 1], c[:, 1, 1]], axis=1)
    z = rng.normal(1.0, 1.0, (ny, nx)).astype(np.float32)
    z[3:6, 4:9] = np.nan
    owner = np.zeros((ny, nx), np.int32)
    nearest(x, y, shape, 0.75, z, 0.5, y0, x0, owner)
    middle = {}
    for k in range(n):
        at = int(np.floor(y[k] + 0.5)) - y0, int(np.floor(x[k] + 0.5)) - x0
        if 0 <= at[0] < ny and 0 <= at[1] < nx and np.isfinite(z[at]):
            middle.setdefault(at, k)
    for j in range(ny):
        for i in range(nx):
            if (j, i) in middle:
                assert owner[j, i] == middle[j, i] + 1
                continue
            dx, dy = i + x0 - x, j + y0 - y
            q = (shape[:, 2] * dx * dx - 2 * shape[:, 1] * dx * dy + shape[:, 0] * dy * dy) / (
                shape[:, 0] * shape[:, 2] - shape[:, 1] ** 2
            )
            best = int(np.argmin(q))
            taken = z[j, i] >= 0.5 and q[best] <= (0.75 * 2.3548) ** 2
            assert owner[j, i] == (best + 1 if taken else 0)
    runs = runs_of(owner, y0, x0)
    painted = np.zeros((ny, nx), np.int32)
    for row, start, stop, index in zip(runs.row, runs.start, runs.stop, runs.index, strict=True):
        painted[row - y0, start - x0 : stop - x0] = index + 1
    assert np.array_equal(painted, owner)


def test_the_colour_of_noise_is_told_whatever_the_sources():
    white = rng.normal(size=(256, 256)).astype(np.float32)
    assert np.abs(noise_colour(white)).max() < 0.02
    told = []
    for width in (0.8, 1.2, 1.8):
        smooth = ndimage.gaussian_filter(rng.normal(size=(256, 256)), width)
        smooth = (smooth / smooth.std()).astype(np.float32)
        colour = noise_colour(smooth)
        expected = [0.5 * np.log(1.0 - np.exp(-(lag**2) / (4.0 * width**2))) for lag in (1, 2, 3)]
        assert colour == pytest.approx(expected, abs=0.04)  # of the correlation exp(-d^2 / (4 s^2))
        bright = smooth.copy()
        at = rng.integers(8, 248, (2, 60))
        for y, x in at.T:
            bright[y - 2 : y + 3, x - 2 : x + 3] += 50.0
        assert noise_colour(bright) == pytest.approx(colour, abs=0.1)
        told.append(colour)
    assert (np.diff([each[0] for each in told]) < -0.1).all()
    holes = white.copy()
    holes[rng.uniform(size=holes.shape) < 0.3] = np.nan
    assert np.abs(noise_colour(holes)).max() < 0.03
    assert (noise_colour(np.full((64, 64), np.nan, np.float32)) == 0.0).all()
    assert np.allclose(noise_colour(white.T), noise_colour(white))
    beam = np.array([2.0, 0.3, 1.0])
    assert conditions(white, beam).shape == (TOLD,)
    assert np.array_equal(conditions(white, beam)[:4], beam_condition(beam[None])[0])

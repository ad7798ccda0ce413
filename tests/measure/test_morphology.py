"""Shapes of segments against closed forms and against other programs."""

import numpy as np
import pytest
from scipy import ndimage, sparse
from skimage.measure import regionprops

from skysift.measure import form
from skysift.measure.morphology import SegmentShapes, segment_shapes
from skysift.measure.shape import count_holes, hull
from skysift.measure.spine import SLANT, STRAIGHT, way_lengths
from skysift.measure.tags import TAGS, tags

SIGMA = 1.5
BEAM = np.array([SIGMA**2, 0.0, SIGMA**2])
Y, X = np.mgrid[:141, :141] - 70.0
R, TURN = np.hypot(X, Y), np.degrees(np.arctan2(Y, X))

LIGHT = {
    "disc": (R <= 25) * 1.0,
    "gaussian": np.exp(-(R**2) / (2 * 9.0**2)),
    "ring": ((R <= 30) & (R >= 22)) * 1.0,
    "shell": np.where(R >= 22, 1.0, 0.3) * (R <= 30),
    "oval ring": ((np.hypot(X, 1.6 * Y) <= 42) & (np.hypot(X, 1.6 * Y) >= 32)) * 1.0,
    "arc": ((R <= 33) & (R >= 27) & (np.abs(TURN) <= 90)) * 1.0,
    "bar": ((np.abs(X + Y) <= 50 * np.sqrt(2)) & (np.abs(X - Y) <= 4 * np.sqrt(2))) * 1.0,
    "double": np.exp(-((np.abs(X) - 25) ** 2 + Y**2) / (2 * 6.0**2)),
}


def shapes_of(
    *names: str, noise: float = 0.0, level: float = 0.05, shift: tuple[int, int] = (0, 0)
) -> SegmentShapes:
    """The shapes one above the other, each seen with the beam; pixels above a part of the peak belong to it."""
    rng = np.random.default_rng(9)
    seen = np.concatenate([ndimage.gaussian_filter(LIGHT[name], SIGMA) for name in names])
    labels = np.zeros(seen.shape, np.int32)
    for k in range(len(names)):
        part = slice(141 * k, 141 * k + 141)
        labels[part][seen[part] > level * seen[part].max()] = k + 1
    data = (seen + noise * rng.standard_normal(seen.shape)).astype(np.float32)
    rms = np.full_like(data, max(noise, 1e-4))
    return segment_shapes(
        data, np.zeros_like(data), rms, labels, *shift, np.arange(len(names)) + 1, BEAM
    )  # fmt: skip


def test_a_ring_is_a_ring_and_a_disc_is_none():
    found = dict(zip(LIGHT, shapes_of(*LIGHT).ringness, strict=True))
    assert found["ring"] > 0.98
    assert found["oval ring"] > 0.98
    assert 0.55 < found["shell"] < 0.75  # the beam and the shells that light is summed in blur the rim
    assert found["arc"] == pytest.approx(0.5, abs=0.05)
    assert found["disc"] < 0.02
    assert found["gaussian"] < 0.02
    assert found["bar"] < 0.15
    noisy = dict(zip(LIGHT, shapes_of(*LIGHT, noise=0.3).ringness, strict=True))
    assert noisy["ring"] > 0.9
    assert noisy["disc"] < 0.15


def test_lengths_run_along_the_ridge():
    found = shapes_of("arc", "bar", "disc", "ring", "double")
    wing = 2 * SIGMA  # from an edge to where a twentieth is left is 1.64 sigma
    assert found.length[:2] == pytest.approx([np.pi * 30 + 2 * wing, 100 + 2 * wing], rel=0.05)
    assert found.length[2:] == pytest.approx([51 + 2 * wing, 61 + 2 * wing, 50 + 2 * 2.45 * 6.2], rel=0.05)
    assert found.width[:2] == pytest.approx([6 + 3.28 * SIGMA, 8 + 3.28 * SIGMA], rel=0.12)
    assert found.extent[:2] == pytest.approx([66 + wing, 100 + wing], rel=0.06)
    assert np.degrees(found.extent_angle[1]) % 180 == pytest.approx(45, abs=6)
    assert found.bend[:2] == pytest.approx([90, 180], abs=4)
    assert np.isnan(found.bend[[2, 3]]).all()
    assert found.closed.tolist() == [False, False, False, True, False]


def test_spines_lie_on_the_ridge():
    arc, ring = shapes_of("arc", "ring", shift=(500, 900)).spines
    assert np.hypot(arc[2:-2, 0] - 970, arc[2:-2, 1] - 570) == pytest.approx(30, abs=1.0)
    assert np.hypot(ring[:, 0] - 970, ring[:, 1] - 711) == pytest.approx(26, abs=1.0)
    assert np.array_equal(ring[0], ring[-1])


def test_concentrations_are_those_of_the_profiles():
    found = shapes_of("disc", "gaussian", "ring", level=1e-3)
    assert found.concentration[0] == pytest.approx(5 * np.log10(2), abs=0.05)
    assert found.concentration[1] == pytest.approx(2.5 * np.log10(np.log(5) / np.log(1.25)), abs=0.05)
    assert found.concentration[2] < 0.8


def test_peaks_are_counted_by_how_they_stand_out():
    assert shapes_of("double", "gaussian").n_peaks.tolist() == [2, 1]
    assert shapes_of("double", "gaussian", noise=0.1).n_peaks.tolist() == [2, 1]
    assert shapes_of("double", noise=0.4).n_peaks.tolist() == [1]  # nothing stands out by 5 sigma


@pytest.mark.parametrize("seed", range(6))
def test_hull_and_holes_are_those_of_scikit_image(seed):
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.standard_normal((60, 80)), 3)
    labels, _ = ndimage.label(field > 0, np.ones((3, 3)))
    region = max(regionprops(labels), key=lambda each: each.area)
    inside = np.ascontiguousarray(region.image)
    area, extent, angle = hull(inside)
    corners = np.argwhere(inside)
    across = np.sqrt(((corners[:, None] - corners[None]) ** 2).sum(axis=-1)).max()
    assert extent == pytest.approx(across + 1, abs=0.8)
    assert area == pytest.approx(region.area_convex, rel=0.03)
    along = corners @ np.array([np.sin(angle), np.cos(angle)])
    assert np.ptp(along) == pytest.approx(across, abs=1.0)
    assert count_holes(inside, 1.0) == 1 - region.euler_number
    assert count_holes(inside, 10.0) <= count_holes(inside, 1.0)


def test_ways_are_the_shortest():
    rng = np.random.default_rng(2)
    open_ = ndimage.gaussian_filter(rng.standard_normal((24, 30)), 1.5) > -0.1
    open_[[0, -1]] = open_[:, [0, -1]] = False
    for outside in (0, 4):
        cost = np.where(open_, 1, outside).astype(np.int8)
        cost[[0, -1]] = cost[:, [0, -1]] = 0
        graph = sparse.lil_matrix((cost.size, cost.size))
        for v, u in np.argwhere(cost):
            for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
                if cost[v + dy, u + dx]:
                    length = (SLANT if dy and dx else STRAIGHT) * max(cost[v, u], cost[v + dy, u + dx])
                    graph[v * 30 + u, (v + dy) * 30 + u + dx] = length
        start = int(np.flatnonzero(cost == 1)[0])
        distance = np.empty(cost.size, np.int32)
        farthest = way_lengths(cost.ravel(), 30, start, distance)
        twin = sparse.csgraph.dijkstra(graph.tocsr(), directed=False, indices=start)
        reached = np.isfinite(twin)
        assert np.array_equal(distance[reached], twin[reached])
        assert (distance[~reached & (cost.ravel() > 0)] == np.iinfo(np.int32).max).all()
        assert distance[farthest] == twin[reached & (cost.ravel() == 1)].max()


def test_pieces_that_do_not_touch_are_one():
    found = shapes_of("double", level=0.3)
    assert found.n_peaks[0] == 2
    assert found.length[0] == pytest.approx(50 + 2 * 1.55 * 6.2, rel=0.06)
    assert found.bend[0] == pytest.approx(180, abs=3)


def test_shapes_do_not_depend_on_the_tile_and_come_in_any_order():
    whole = shapes_of("arc", "double", "ring")
    moved = shapes_of("arc", "double", "ring", shift=(30, 40))
    assert np.allclose(moved.spines[0] - whole.spines[0], [40, 30])
    joined = SegmentShapes.concat([whole.select(np.array([2])), whole.select(np.array([1, 0]))])
    back = joined.select(np.array([2, 1, 0]))
    for name in ("length", "extent", "width", "ringness", "n_peaks", "tag", "tag_score", "closed"):
        assert np.array_equal(getattr(back, name), getattr(whole, name)), name
    assert all(np.array_equal(a, b) for a, b in zip(back.spines, whole.spines, strict=True))
    assert len(back) == 3


@pytest.mark.parametrize("name", ["arc", "bar", "oval ring", "double", "shell"])
def test_a_shape_is_the_same_however_it_lies(name):
    seen = ndimage.gaussian_filter(LIGHT[name], SIGMA) + 0.02 * np.random.default_rng(6).standard_normal(
        X.shape
    )
    inside = ndimage.gaussian_filter(LIGHT[name], SIGMA) > 0.05
    rows = []
    for turn in range(4):
        for mirrored in (False, True):
            data, labels = (np.rot90(each, turn) for each in (seen, inside))
            if mirrored:
                data, labels = data[:, ::-1], labels[:, ::-1]
            data = np.ascontiguousarray(data, np.float32)
            zero, labels = np.zeros_like(data), np.ascontiguousarray(labels, np.int32)
            rows.append(segment_shapes(data, zero, zero + 0.02, labels, 0, 0, np.array([1]), BEAM))
    for field, off in {
        "length": 0.04, "extent": 0.01, "width": 0.04, "concentration": 1e-3, "filling": 1e-6, "ringness": 0.06,
        "elongation": 1e-6, "n_peaks": 0.0, "n_holes": 0.0,
    }.items():  # fmt: skip
        values = np.array([getattr(each, field)[0] for each in rows], float)
        assert np.ptp(values) <= off * values.max() + 1e-9, field
    assert len({each.tag[0] for each in rows}) == 1


def test_clear_shapes_get_their_tags_with_probabilities():
    wanted = {
        "disc": "disc",
        "gaussian": "blob",
        "ring": "ring",
        "shell": "ring",
        "arc": "arc",
        "double": "double",
    }
    found = shapes_of(*wanted, noise=0.05)
    assert found.tag.tolist() == list(wanted.values())
    assert (found.tag_score > 0.5).all()
    assert (found.tag_score <= 1).all()


def test_one_pixel_and_no_pixel_have_shapes_too():
    data = np.ones((9, 9), np.float32)
    labels = np.zeros((9, 9), np.int32)
    labels[4, 5], labels[7, 1] = 1, 2
    data[7, 1] = np.nan
    found = segment_shapes(data, 0 * data, 0.1 + 0 * data, labels, 0, 0, np.array([1, 2, 3]), BEAM)
    assert found.extent[0] == 1
    assert found.length[0] == 1
    assert found.tag[0] in TAGS
    assert np.isnan(found.length[1:]).all()
    assert found.tag.tolist()[1:] == ["", ""]
    assert [len(line) for line in found.spines] == [found.spines[0].shape[0], 0, 0]
    assert len(segment_shapes(data, data, data, labels, 0, 0, np.array([], np.int64), BEAM)) == 0
    assert tags(np.empty((0, form.N_SHAPE)))[0].size == 0

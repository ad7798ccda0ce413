"""True masks against their definition, object by object with plain arrays."""

import numpy as np
import pytest
from scipy import ndimage

from skysift.base.errors import UsageError
from skysift.sim.masks import true_masks, union
from skysift.sky.detections import Footprints


def naive(x, y, peak, shape, sigma, size):
    """(mask in the map, level, peak pixel, islands, pixels of the whole mask) of one object."""
    pad = 400
    gy, gx = np.mgrid[-pad : size[0] + pad, -pad : size[1] + pad]
    image = np.zeros(gy.shape)
    for k in range(len(x)):
        xx, xy, yy = shape[k]
        dx, dy = gx - x[k], gy - y[k]
        q = (yy * dx**2 - 2 * xy * dx * dy + xx * dy**2) / (xx * yy - xy**2)
        image += peak[k] * np.exp(-0.5 * q)
    ordered = np.sort(image.ravel())[::-1]
    inside = ordered[np.searchsorted(np.cumsum(ordered), 0.9 * image.sum())]
    level = min(sigma, inside)
    mask = image >= level
    islands = ndimage.label(mask, np.ones((3, 3)))[1]
    return mask[pad:-pad, pad:-pad], level, image.max(), islands, int(mask.sum())


def scene(seed, n=25, size=(90, 110)):
    rng = np.random.default_rng(seed)
    owner, x, y, peak, shape = [], [], [], [], []
    for each in range(n):
        cx, cy = rng.uniform(-5, size[1] + 5), rng.uniform(-5, size[0] + 5)
        bright = 10 ** rng.uniform(-0.7, 2)
        for _ in range(rng.integers(1, 5)):
            owner.append(each)
            x.append(cx + rng.normal(0, 8))
            y.append(cy + rng.normal(0, 8))
            peak.append(bright * rng.uniform(0.3, 1))
            a, b = rng.uniform(1.2, 20, 2)
            shape.append((a, 0.5 * np.sqrt(a * b) * rng.uniform(-1, 1), b))
    sigma = rng.uniform(0.5, 1.5, n)
    return (np.array(owner), *(np.array(each, dtype=float) for each in (x, y, peak, shape)), sigma, size)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_masks_are_what_they_are_defined_to_be(seed):
    owner, x, y, peak, shape, sigma, size = scene(seed)
    made = true_masks(owner, x, y, peak, shape, sigma, size)
    for each in range(sigma.size):
        mine = owner == each
        mask, level, top, islands, pixels = naive(
            x[mine], y[mine], peak[mine], shape[mine], sigma[each], size
        )
        assert made.level[each] == pytest.approx(level, rel=2e-3)
        assert made.peak[each] >= top * (1 - 1e-6)
        assert made.peak[each] < 1.15 * top
        assert abs(made.n_all[each] - pixels) <= 0.01 * pixels + 1
        if np.isclose(made.level[each], level, rtol=1e-9):
            assert made.n_islands[each] == islands
        painted = np.zeros(size, dtype=bool)
        runs = made.detections.footprints
        for r in np.flatnonzero(runs.index == each):
            painted[runs.row[r], runs.start[r] : runs.stop[r]] = True
        assert np.sum(painted != mask) <= 0.01 * pixels + 1
        assert made.n_inside[each] == painted.sum()
        if painted.any():
            rows, columns = np.nonzero(painted)
            box = (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)
            assert tuple(made.detections.boxes[each]) == box


def test_a_mask_does_not_depend_on_workers():
    *parts, size = scene(4, n=60)
    one, two = true_masks(*parts, size), true_masks(*parts, size, workers=2)
    assert one.detections == two.detections
    assert np.array_equal(one.level, two.level)


def test_a_bright_point_is_masked_at_one_sigma_and_a_faint_one_at_nine_tenths_of_its_flux():
    one, none = np.ones(1), np.zeros(1, dtype=np.int64)
    shape = np.array([[4.0, 0.0, 4.0]])
    bright = true_masks(none, 50 * one, 50 * one, 100 * one, shape, one, (100, 100))
    assert bright.level[0] == 1.0
    assert bright.n_all[0] == pytest.approx(np.pi * 4.0 * 2 * np.log(100), rel=0.03)
    faint = true_masks(none, 50 * one, 50 * one, 0.5 * one, shape, one, (100, 100))
    assert faint.level[0] == pytest.approx(0.05, rel=0.1)


def test_regions_of_overlapping_footprints_are_found():
    painted = np.zeros((3, 40, 40), dtype=bool)
    painted[0, 5:10, 5:30] = painted[1, 9:20, 28:35] = painted[2, 30:35, 0:4] = True
    row, start, stop, index = [], [], [], []
    for each, y in np.ndindex(3, 40):
        xs = np.flatnonzero(painted[each, y])
        if xs.size:
            row.append(y), start.append(xs[0]), stop.append(xs[-1] + 1), index.append(each)
    runs, region, held = union(Footprints(*(np.array(each) for each in (row, start, stop, index))))
    assert set(region) == {0, 1}
    labels, n = ndimage.label(painted.any(axis=0), np.ones((3, 3)))
    assert n == 2
    for (y, a, _), mine in zip(runs, region, strict=True):
        assert labels[y, a] == mine + 1
    assert len(held) == len(row)


def test_an_object_that_no_memory_holds_is_refused():
    far = np.array([0.0, 20_000.0])
    shape = np.tile([4.0, 0.0, 4.0], (2, 1))
    with pytest.raises(UsageError, match="covers too many pixels"):
        true_masks(np.array([0, 0]), far, far, np.ones(2), shape, np.ones(1), (64, 64))

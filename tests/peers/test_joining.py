"""The rule by which joined sources are judged, on a small made sky of pairs."""

from types import SimpleNamespace

import numpy as np
import pytest
from bench.joining import judged, several, spread
from scipy import ndimage

import skysift


@pytest.fixture(scope="module")
def field():
    """A small made sky of separate lobes, and one component in every lobe."""
    ((image, truth),) = skysift.simulate(
        "extended",
        shapes=("pair",),
        n_pixels=500,
        density=0.0,
        random_seed=3,
        brightness_low=6.0,
        extended=0.6,
        separation_high=12.0,
    )
    rows = []
    for number in np.flatnonzero(truth.sources["class"] != "flagged"):
        prints = truth.detections.select(np.array([number])).footprints
        mask = np.zeros(image.shape, bool)
        for row, start, stop in zip(prints.row, prints.start, prints.stop, strict=True):
            mask[row, start:stop] = True
        labels, n = ndimage.label(mask, np.ones((3, 3)))
        rows += [(*ndimage.center_of_mass(mask, labels, k + 1), number) for k in range(n)]
    y, x, owner = np.array(rows).T
    parts = {"x": x, "y": y, "flux": np.ones(x.size), "island": np.arange(x.size)}
    return SimpleNamespace(truth=truth), parts, owner.astype(int)


def test_what_is_joined_rightly_is_whole_and_pure(field):
    sky, parts, owner = field
    result = judged(sky, parts, owner)
    assert result.whole.size > 3
    assert result.whole.all()
    assert result.pure.all()
    assert np.allclose(result.separation, result.separation_found)
    assert (result.separation < 13.0).all()


def test_what_is_not_joined_is_not_whole(field):
    sky, parts, owner = field
    result = judged(sky, parts, np.arange(owner.size))
    assert not result.whole.any()
    assert result.pure.size == 0


def test_one_source_of_everything_is_whole_but_not_pure(field):
    sky, parts, owner = field
    result = judged(sky, parts, np.zeros(owner.size, dtype=int))
    assert result.whole.all()
    assert result.pure.tolist() == [False]


def test_chance_neighbours_are_those_as_bright_as_the_second():
    parts = {
        "x": np.array([0.0, 3.0, 50.0]),
        "y": np.array([0.0, 4.0, 0.0]),
        "flux": np.array([5.0, 2.0, 1.0]),
    }
    apart, chance = spread(np.array([0, 0, -1]), {**parts, "island": np.arange(3)}, 1e4)
    assert apart.tolist() == [5.0]
    assert chance == pytest.approx([np.pi * 25.0 * 2 / 1e4])


def test_several_islands_are_counted_once_each():
    assert several(np.array([1, 1, 2, 2, 3]), np.array([1, 2, 3, 3, 4])).tolist() == [1]

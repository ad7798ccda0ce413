"""From features to coordinates and a map: gaps, weights, and that no source depends on the others that come with it."""

import numpy as np
import pytest
from tests.explore.samples import blobs

from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.explore.layout import map_of, place
from skysift.explore.options import ExploreOptions
from skysift.explore.space import make_space
from skysift.sky.features import Feature, Features


def table(values, groups=None):
    names = tuple(f"s{k}" for k in range(len(values)))
    groups = groups or ["shape"] * values.shape[1]
    return Features(names, tuple(Feature(f"f{k}", group=g) for k, g in enumerate(groups)), values)


def test_components_are_those_of_the_standardised_features():
    features = blobs(groups=1)
    space, notes = make_space(features, ExploreOptions(variance=1.0))
    standard = space.standard(features.values)
    assert np.median(standard, axis=0) == pytest.approx(0.0, abs=1e-12)
    assert np.subtract(*np.percentile(standard, [75, 25], axis=0)) == pytest.approx(1.349, abs=1e-3)
    coordinates = space.of(features)
    assert notes == ()
    np.testing.assert_allclose(np.cov(coordinates.T), np.diag(space.spread**2), atol=1e-9)
    assert (np.diff(space.spread) <= 0).all()
    np.testing.assert_allclose(coordinates @ space.axes + space.mean, standard, atol=1e-9)
    white, _ = make_space(features, ExploreOptions(variance=1.0, whiten=True))
    np.testing.assert_allclose(white.of(features).std(axis=0, ddof=1), 1.0)


def test_a_source_lies_where_it_lies_whoever_comes_with_it():
    features = blobs(strange=5)
    space, _ = make_space(features, ExploreOptions())
    whole = space.of(features)
    for rows in ([7], [7, 3], list(range(len(features)))[::-1]):
        np.testing.assert_array_equal(space.of(features.select(rows)), whole[rows])


def test_gaps_are_marked_or_filled_or_dropped():
    values = blobs(groups=1).values.copy()
    values[::3, 1] = np.nan
    values[4] = np.nan
    marked, _ = make_space(table(values), ExploreOptions(variance=1.0))
    assert marked.marked.tolist() == [False, True, False, False, False, False]
    assert marked.standard(values).shape[1] == 7
    assert np.isnan(marked.of(table(values))[4]).all()
    assert np.isfinite(np.delete(marked.of(table(values)), 4, axis=0)).all()
    filled, _ = make_space(table(values), ExploreOptions(missing="median"))
    assert filled.standard(values)[0, 1] == 0.0
    dropped, notes = make_space(table(values), ExploreOptions(missing="drop"))
    assert dropped.titles == ("f0", "f2", "f3", "f4", "f5")
    assert "f1" in notes[0]


def test_groups_of_features_weigh_alike():
    rng = np.random.default_rng(3)
    features = table(rng.normal(size=(400, 18)), ["shape"] * 2 + ["embedding"] * 16)
    space, _ = make_space(features, ExploreOptions())
    power = space.standard(features.values).var(axis=0)
    assert power[:2].sum() == pytest.approx(power[2:].sum(), rel=0.1)
    space, _ = make_space(features, ExploreOptions(balance=False))
    assert space.weight.tolist() == [1.0] * 18


def test_features_that_say_nothing_are_told():
    values = blobs(groups=1).values.copy()
    values[:, 0], values[:, 2] = 5.0, np.nan
    space, notes = make_space(table(values), ExploreOptions())
    assert space.titles == ("f1", "f3", "f4", "f5")
    assert "2 features that tell nothing apart are left out: f0, f2" in notes[0]
    with pytest.raises(UsageError, match="no feature tells the sources apart"):
        make_space(table(np.ones((9, 2))), ExploreOptions())
    with pytest.raises(UsageError, match="three sources or more"):
        make_space(table(values[:2]), ExploreOptions())
    with pytest.raises(UnknownName, match="no such feature"):
        space.of(table(values[:, :2]))
    with pytest.raises(OptionError, match="clusterer is one of"):
        ExploreOptions(clusterer="kmeans", clusterers=("hdbscan",))


def test_new_sources_lie_among_their_neighbours_whoever_comes_with_them():
    features = blobs(n=40)
    space, _ = make_space(features, ExploreOptions())
    coordinates = space.of(features)
    positions, maker = map_of(coordinates, ExploreOptions(map="pca"))
    assert maker == "pca"
    np.testing.assert_array_equal(positions, coordinates[:, :2])
    again, weights, rows = place(coordinates, coordinates, positions, 10)
    np.testing.assert_array_equal(again, positions)
    assert (rows[:, 0] == np.arange(len(features))).all()
    new = coordinates + np.random.default_rng(1).normal(scale=0.3, size=coordinates.shape)
    whole, weights, rows = place(new, coordinates, positions, 10)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    np.testing.assert_array_equal(place(new[5:6], coordinates, positions, 10)[0], whole[5:6])
    np.testing.assert_array_equal(place(new[::-1], coordinates, positions, 10)[0], whole[::-1])
    beside = np.linalg.norm(whole - positions, axis=1)
    assert np.median(beside) < 0.2 * np.std(positions)
    # the weights before they are made to sum to one sum to log2(k), as those of UMAP's graph do
    apart = np.linalg.norm(new[:, None] - coordinates[rows], axis=2)
    share = weights / weights[:, :1]
    assert share.sum(axis=1) == pytest.approx(np.log2(10), rel=1e-6)
    assert (np.diff(apart, axis=1) >= 0).all()

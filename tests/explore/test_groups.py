"""Groups, their stability, ids matched between runs, the table of models."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from tests.explore.samples import blobs

from skysift.base.registry import Registry
from skysift.explore.cluster import by_size, silhouette
from skysift.explore.exploring import _as_before
from skysift.explore.reference import Reference
from skysift.explore.stability import agreement, best_of, grouped, matched, table_of

NAMES = Registry("clusterer").names()


@pytest.mark.parametrize("name", NAMES)
def test_groups_that_lie_apart_are_found(name):
    features = blobs(n=50, groups=3, far=12.0)
    labels = Registry("clusterer").make(name).labels(features.values, 1)
    truth = np.unique(features.facts["kind"], return_inverse=True)[1]
    inside = labels >= 0
    assert inside.mean() > 0.9
    assert adjusted_rand_score(truth[inside], labels[inside]) > 0.99
    np.testing.assert_array_equal(labels, Registry("clusterer").make(name).labels(features.values, 1))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [1, 2, 4])
def test_few_sources_are_no_error(name, n):
    labels = Registry("clusterer").make(name).labels(np.arange(2.0 * n).reshape(n, 2), 1)
    assert labels.shape == (n,)


@pytest.mark.parametrize("name", ["kmeans", "mixture"])
def test_a_number_that_is_given_is_kept(name):
    labels = Registry("clusterer").make(name, number=5).labels(blobs().values, 1)
    assert np.unique(labels).tolist() == [0, 1, 2, 3, 4]
    assert (np.diff(np.bincount(labels)) <= 0).all()


def test_noise_stays_noise():
    features = blobs(n=60, strange=4)
    labels = Registry("clusterer").make("hdbscan").labels(features.values, 1)
    assert (labels[-4:] == -1).all()


def test_ids_go_by_size():
    assert by_size(np.array([7, 7, -1, 3, 3, 3, 9])).tolist() == [1, 1, -1, 0, 0, 0, 2]
    assert by_size(np.array([5, 2])).tolist() == [0, 1]
    assert by_size(np.array([-1, -1])).tolist() == [-1, -1]


def test_the_rand_index_is_that_of_the_literature():
    rng = np.random.default_rng(2)
    for _ in range(5):
        one, other = rng.integers(0, 4, 90), rng.integers(-1, 3, 90)
        assert agreement(one, other) == pytest.approx(adjusted_rand_score(one, other))
    assert agreement(np.zeros(5, int), np.zeros(5, int)) == 1.0


def test_ids_are_matched_by_overlap():
    before = np.array([0, 0, 0, 1, 1, 1, 2, 2, -1])
    now = np.array([2, 2, 2, 0, 0, 1, 1, 1, -1])
    assert matched(now, before).tolist() == [0, 0, 0, 1, 1, 2, 2, 2, -1]
    assert matched(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0])).tolist() == [0, 0, 1, 1]
    assert matched(np.array([0, -1]), np.array([-1, 4])).tolist() == [5, -1]


def test_stability_tells_groups_from_a_cloud():
    model = Registry("clusterer").make("kmeans", number=3)
    apart = grouped("kmeans", model, blobs(far=12.0).values, 5, 1)
    cloud = grouped("kmeans", model, blobs(groups=1, n=180).values, 5, 1)
    assert apart.stability > 0.98
    assert min(apart.kept) > 0.98
    assert cloud.stability < 0.7
    assert cloud.merit < apart.merit
    assert best_of([cloud, apart]) is apart
    assert (
        best_of([grouped("one", Registry("clusterer").make("kmeans", number=1), blobs().values, 0, 1)])
        is None
    )
    (row,) = table_of([apart])
    assert (row["model"], row["groups"], row["noise"]) == ("kmeans", 3, 0.0)
    assert row["silhouette"] == pytest.approx(silhouette(blobs(far=12.0).values, apart.labels))


def test_a_new_group_gets_no_id_of_an_earlier_one():
    before = np.array([0, 0, 0, 0, 1, 1])
    assert matched(np.array([0, 0, 0, 1, 2, 2]), before, 5).tolist() == [0, 0, 0, 5, 1, 1]
    earlier = Reference(None, tuple("abcdefgh"), None, None, np.array([0, 0, 0, 0, 1, 1, 2, 3]))
    labels = _as_before(np.array([0, 0, 0, 1, 2, 2, 1]), (*"abcdef", "new"), earlier)
    assert labels.tolist() == [0, 0, 0, 4, 1, 1, 4]  # 2 and 3 are of sources that the new run has none of

"""`Probe`: simple classifiers of vectors of features."""

import numpy as np
import pytest

from skysift.base.errors import UsageError
from skysift.learn.probe import Probe


def clouds(n, seed=0, width=12, classes=2):
    rng = np.random.default_rng(seed)
    numbers = np.arange(n) % classes
    middle = np.random.default_rng(99).normal(size=(classes, width))
    return middle[numbers] + rng.normal(size=(n, width)) * np.linspace(0.3, 3.0, width), numbers


def test_the_discriminant_is_bayes_rule_of_gaussians_where_rows_are_many():
    values, numbers = clouds(40_000)
    probe = Probe("discriminant").fit(values, numbers)
    middle = np.random.default_rng(99).normal(size=(2, 12))
    sigma = np.linspace(0.3, 3.0, 12)
    fresh, _ = clouds(200, seed=5)
    likely = -0.5 * (((fresh[:, None] - middle) / sigma) ** 2).sum(axis=2)  # (row, class)
    true = np.exp(likely - likely.max(axis=1, keepdims=True))
    true /= true.sum(axis=1, keepdims=True)
    assert np.abs(probe.probabilities(fresh) - true).max() < 0.06


@pytest.mark.parametrize("classes", [2, 3])
def test_the_discriminant_learns_from_fewer_rows_than_features(classes):
    values, numbers = clouds(18, width=60, classes=classes)
    fresh, true = clouds(300, seed=3, width=60, classes=classes)
    assert (Probe("discriminant").fit(values, numbers).predict(fresh) == true).mean() > 0.8


def test_one_row_a_class_is_the_nearest_mean():
    probe = Probe("discriminant").fit(np.array([[0.0, 1.0], [4.0, 1.0]]), np.array(["a", "b"]))
    assert probe.predict(np.array([[1.0, 7.0], [3.0, -7.0]])).tolist() == ["a", "b"]


def test_a_column_that_tells_few_rows_apart_by_itself_does_not_decide_alone():
    rng = np.random.default_rng(4)
    numbers = np.arange(10) % 2
    values = rng.normal(size=(10, 5)) + 2.0 * numbers[:, None]
    values[:, 0] = numbers
    probe = Probe("discriminant").fit(values, numbers)
    assert probe.predict(np.array([[0.45, 2.0, 2.0, 2.0, 2.0], [0.55, 0.0, 0.0, 0.0, 0.0]])).tolist() == [
        1,
        0,
    ]
    assert probe.predict(values).tolist() == numbers.tolist()


@pytest.mark.parametrize("kind", ["linear", "discriminant", "knn"])
def test_a_probe_is_its_state(kind):
    values, numbers = clouds(60, classes=3)
    values[4, 2] = np.nan
    probe = Probe(kind).fit(values, numbers)
    again = Probe.of_state(kind, probe.state())
    told = probe.probabilities(values)
    assert np.isnan(told[4]).all()
    assert np.array_equal(told, again.probabilities(values), equal_nan=True)


def test_a_kind_that_is_not_known():
    with pytest.raises(UsageError, match=r"forest.*linear, discriminant, knn"):
        Probe("forest")

"""What is strange: every method finds what lies apart, quantiles are calibrated, ranks are whole."""

import warnings

import numpy as np
import pytest
from tests.explore.samples import blobs

from skysift.base.registry import Registry
from skysift.explore.outliers import combined, quantiles, ranks

NAMES = Registry("outlier").names()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "reconstruction"])
def test_what_lies_apart_comes_first(name):
    features = blobs(n=80, strange=4)
    scores = Registry("outlier").make(name).scores(features.values, None, 1)
    assert set(np.argsort(-scores)[:4]) == set(range(240, 244))
    np.testing.assert_array_equal(scores, Registry("outlier").make(name).scores(features.values, None, 1))


def test_what_lies_off_the_sheet_of_the_others_is_given_back_badly():
    rng = np.random.default_rng(6)
    values = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 9)) + rng.normal(scale=0.05, size=(300, 9))
    values[::75] = (
        rng.normal(size=(4, 9)) * values.std()
    )  # as large as the others, in directions that they do not have
    method = Registry("outlier").make("reconstruction")
    scores = method.scores(values, None, 1)
    assert quantiles(scores)[::75].min() > 0.95
    np.testing.assert_array_equal(scores, method.scores(values, None, 1))


@pytest.mark.parametrize("name", NAMES)
def test_a_new_source_is_judged_by_itself(name):
    features = blobs(n=80)
    method = Registry("outlier").make(name)
    new = np.concatenate([features.values[:3] + 0.01, features.values[:1] + 300.0])
    whole = method.scores(features.values, new, 1)
    assert whole.argmax() == 3
    np.testing.assert_allclose(method.scores(features.values, new[3:], 1), whole[3:], rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_copies_and_few_sources_are_no_error(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = Registry("outlier").make(name).scores(np.repeat(blobs(n=4).values, 3, axis=0), None, 1)
        assert np.isfinite(scores).all()
        assert Registry("outlier").make(name).scores(np.zeros((3, 2)), None, 1).shape == (3,)


def test_quantiles_are_calibrated():
    rng = np.random.default_rng(4)
    scores = rng.exponential(size=2000)
    own = quantiles(scores)
    assert np.sort(own) == pytest.approx((np.arange(2000) + 0.5) / 2000)
    new = quantiles(rng.exponential(size=4000), scores)
    assert np.mean(new > 0.9) == pytest.approx(0.1, abs=0.02)
    assert quantiles(np.array([-1.0, 99.0]), scores) == pytest.approx([0.5 / 2001, 2000.5 / 2001])
    assert quantiles(np.zeros(4)).tolist() == [0.5] * 4


def test_ranks_and_the_rank_of_all():
    assert ranks(np.array([0.1, np.nan, 0.9, 0.9])).tolist() == [3, 4, 1.5, 1.5]
    assert ranks(np.array([np.nan, 0.2, np.nan])).tolist() == [2.5, 1, 2.5]
    q = {"a": np.array([0.1, 0.5, 0.99]), "b": np.array([0.2, 0.6, 0.5])}
    assert combined(q).argmax() == 2  # strange by one method and plain by another counts
    assert combined(q)[0] == pytest.approx(-0.5 * (np.log(0.9) + np.log(0.8)))

"""Planted anomalies: as bright and as large as what they replace, of all kinds, by a seed alone."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from skysift.base.errors import UsageError
from skysift.base.random import generator
from skysift.sim.planted import KINDS, flux_and_size, plant, source_of

BEAM = 3.0


def doubles(n, side=120, seed=0):
    """Cut-outs of double sources with a core and a ground of zero, as from 0 to 255."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - side / 2.0
    out = []
    for _ in range(n):
        angle, far, wide = rng.uniform(0, 2 * np.pi), rng.uniform(4, 20), rng.uniform(1.3, 4.0)
        u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        image = sum(np.exp(-0.5 * (((u - s * far) / wide) ** 2 + (v / wide) ** 2)) for s in (-1, 1))
        image = image + 0.2 * np.exp(-0.5 * (u / far) ** 2 - 0.5 * (v / wide) ** 2)
        image = np.maximum(image / image.max() - 0.03, 0.0)
        out.append(255 * image / image.max())
    return np.array(out, np.float32).round()


@pytest.fixture(scope="module")
def sample():
    return doubles(120)


@pytest.fixture(scope="module")
def planted(sample):
    return plant(sample, generator(1, "planted"), 40)


def seen(images):
    return np.array([flux_and_size(each, source_of(each)) for each in np.asarray(images, np.float64)])


def test_flux_and_size_are_those_of_the_hosts(sample, planted):
    before, after = seen(sample[planted.rows]), seen(planted.images)
    ratio = after / before
    assert np.median(np.abs(np.log(ratio)), axis=0) == pytest.approx([0.0, 0.0], abs=0.12)
    assert (np.diff(planted.rows) > 0).all()
    assert planted.images.max(axis=(1, 2)) == pytest.approx(255.0)
    assert set(planted.kinds) <= set(KINDS)
    assert len(set(planted.kinds)) >= 4


def test_a_classifier_of_flux_and_size_cannot_tell_them(sample, planted):
    rest = np.delete(sample, planted.rows, axis=0)
    values = np.log(np.concatenate([seen(rest), seen(planted.images)]))
    truth = np.arange(len(values)) >= len(rest)
    model = RandomForestClassifier(100, min_samples_leaf=8, random_state=1)
    guess = cross_val_predict(model, values, truth, cv=5, method="predict_proba")[:, 1]
    assert roc_auc_score(truth, guess) < 0.6


def test_whole_numbers_stay_whole_numbers(sample, planted):
    assert not np.mod(planted.images, 1.0).any()
    faint = [image[image > 0].min() for image in planted.images]
    assert np.median(faint) == np.median([image[image > 0].min() for image in sample])
    halves = plant(sample / 2.0, generator(1, "planted"), 10)
    assert np.mod(halves.images, 0.5).any()


def test_the_form_does_tell_them(sample, planted):
    """A ring has less than its share of flux half way out from its core, a double has none of its own there."""
    for kind in ("ring", "shell"):
        rows = [k for k, each in enumerate(planted.kinds) if each == kind]
        assert rows
        for k in rows:
            image = planted.images[k].astype(float)
            y, x = np.indices(image.shape) - image.shape[0] / 2.0
            angle = np.arctan2(y, x)[(image > 0) & (np.hypot(y, x) > 3.0)]
            assert np.histogram(angle, 8, (-np.pi, np.pi))[0].min() > 0, kind  # light all around


def test_chance_comes_from_the_generator_alone(sample, planted):
    again = plant(sample, generator(1, "planted"), 40)
    np.testing.assert_array_equal(again.images, planted.images)
    other = plant(sample, generator(2, "planted"), 5)
    assert set(other.rows.tolist()) != set(planted.rows[:5].tolist())


def test_points_take_no_anomaly():
    y, x = np.mgrid[:60, :60] - 30.0
    point = 255 * np.exp(-0.5 * ((x**2 + y**2) / (BEAM / 2.3548) ** 2))
    images = np.array([point] * 4, np.float32).round()
    with pytest.raises(UsageError, match="too few cut-outs show a source that is resolved"):
        plant(images, generator(1, "planted"), 2)
    with pytest.raises(UsageError, match="more anomalies than cut-outs"):
        plant(images, generator(1, "planted"), 5)

"""Classifiers of tables: they learn, keep, judge alike again, and tell in one line what cannot be."""

import dataclasses

import numpy as np
import pytest
from tests.classify.tables import labelled, tagged

from skysift.base.errors import DataError, UsageError
from skysift.base.registry import Registry
from skysift.classify.classifier import open_model

FAST = {"calibration_folds": 2}


def made(name, **options):
    return Registry("classifier").make(name, **FAST | options)


@pytest.mark.parametrize("data", [labelled(), tagged()], ids=["one label", "tags"])
@pytest.mark.parametrize(
    "name", ["lightgbm", "forest", "boosting", "logistic", "svc", "mlp", "qda", "neighbours"]
)
def test_a_saved_classifier_judges_as_before(name, data, tmp_path):
    classifier = made(name)
    classifier.fit(data)
    path = tmp_path / "mine.safetensors"
    classifier.save(path, task="a test")
    again = open_model(path)
    before, after = classifier.predict(data.features), again.predict(data.features)
    assert after.labels == before.labels
    assert np.array_equal(after.probabilities, before.probabilities)
    assert np.array_equal(after.ood, before.ood)
    assert again.classes == data.classes
    if data.many:
        right = after.probabilities >= 0.5
        assert np.mean(right == data.targets) > 0.85
    else:
        assert np.allclose(after.probabilities.sum(axis=1), 1.0)
        assert np.mean(np.argmax(after.probabilities, axis=1) == data.targets) > 0.9


def test_one_class_cannot_be_learnt():
    with pytest.raises(UsageError, match="all of one class: got '240 of FRI'; allowed: two classes or more"):
        made("lightgbm").fit(labelled(classes=("FRI",)))


@pytest.mark.parametrize("name", ["lightgbm", "forest", "boosting", "logistic"])
def test_a_feature_that_a_fold_does_not_know_breaks_nothing(name):
    data = labelled(n=60)
    values = data.features.values.copy()
    values[1:, 0] = np.nan  # in the fold that leaves the first source out nobody has it
    features = dataclasses.replace(data.features, values=values)
    classifier = made(name)
    classifier.fit(dataclasses.replace(data, features=features))
    assert np.isfinite(classifier.predict(features).probabilities).all()


def test_too_few_of_a_class_cannot_be_calibrated():
    data = labelled(n=60)
    few = data.select(np.flatnonzero((data.targets != 2) | (np.arange(60) < 10)))
    with pytest.raises(UsageError, match="too few sources of a class for 5 folds: got '3 of Compact'"):
        made("lightgbm", calibration_folds=5).fit(few)


def test_a_file_of_another_version_is_told(tmp_path):
    import json

    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    classifier = made("lightgbm")
    classifier.fit(labelled())
    path = tmp_path / "mine.safetensors"
    classifier.save(path)
    with safe_open(path, "pt") as opened:
        card = json.loads(opened.metadata()["card"])
    for change, told in (
        ({"settings": {**card["settings"], "layout": 99}}, "is of another version of skysift: .*layout 99"),
        ({"options": {**card["options"], "newest": 1}}, "made by another version of skysift.*newest"),
        (
            {"settings": {key: each for key, each in card["settings"].items() if key != "classes"}},
            "another version",
        ),
    ):
        save_file(load_file(path), tmp_path / "other.safetensors", {"card": json.dumps({**card, **change})})
        with pytest.raises(DataError, match=told):
            open_model(tmp_path / "other.safetensors")


def test_a_network_that_finds_sources_is_no_classifier():
    with pytest.raises(
        UsageError, match=r"these weights are no classifier: got 'yolo\.safetensors, of the model yolo"
    ):
        open_model("yolo")

"""Scores as probabilities: growing with those of the network, true of detections that did not count, kept by a card."""

import numpy as np
import pytest

from skysift.base.errors import UnknownName
from skysift.base.random import generator
from skysift.find.neural.calibration import Calibration, calibration_error, fitted, limits_of, threshold_of
from skysift.learn.checkpoint import Card, read_card, write_checkpoint


def drawn(name, n=6000):
    """Scores of which the part s^3 is true."""
    rng = generator(1, name)
    raw = rng.uniform(0.15, 1.0, n)
    return raw, rng.uniform(size=n) < raw**3


def test_scores_become_the_part_of_true_ones():
    calibration = fitted(*drawn("fit"))
    raw, true = drawn("held out")
    assert calibration.scores(raw) == pytest.approx(raw**3, abs=0.07)
    assert calibration_error(raw, true) > 0.15
    assert calibration_error(calibration.scores(raw), true) < 0.03


def test_no_order_of_scores_changes():
    calibration = fitted(*drawn("fit", 900))
    assert (np.diff(calibration.raw) > 0).all()
    assert (np.diff(calibration.score) > 0).all()
    raw = np.sort(generator(1, "order").uniform(size=500))
    told = calibration.scores(raw)
    assert (np.diff(told) > 0).all()
    assert told.min() > 0.0
    assert told.max() < 1.0
    back = np.array([calibration.raw_of(each) for each in told])
    assert back == pytest.approx(raw, abs=1e-9)


def test_none_is_certain_and_pools_that_fall_are_joined():
    raw = np.linspace(0.2, 0.99, 100)
    sure = fitted(raw, np.ones(100, bool))
    assert sure.scores(raw).max() < 1.0
    assert sure.score[1:-1].max() < 0.99
    assert (np.diff(sure.score) > 0).all()
    falling = fitted(raw, raw < 0.5)
    assert falling.raw.size == 3
    assert falling.scores(np.array([0.6])) == pytest.approx(0.38, abs=0.05)


def test_scores_stay_as_they_are_where_a_card_tells_nothing():
    raw = generator(1, "plain").uniform(size=50)
    assert np.array_equal(Calibration.of({}).scores(raw), raw)
    assert Calibration.of({}).raw_of(0.37) == 0.37


def test_a_card_keeps_the_table_and_the_thresholds(tmp_path):
    calibration = fitted(*drawn("fit", 500))
    settings = {
        "threshold": 0.55,
        "thresholds": {"sdc1": 0.55, "purity=0.99": 0.93},
        "calibration": calibration.to_dict(),
    }
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, {}, Card("yolo-dense", "a", settings=settings))
    card = read_card(path)
    again = Calibration.of(card.settings)
    assert np.array_equal(again.raw, calibration.raw)
    assert np.array_equal(again.score, calibration.score)
    assert threshold_of(card) == 0.55
    assert threshold_of(card, "purity=0.99") == 0.93
    with pytest.raises(
        UnknownName, match=r"not calibrated for this setting: got 'f1'; allowed: purity=0.99, sdc1"
    ):
        threshold_of(card, "f1")


def test_each_class_has_the_limit_that_it_was_calibrated_for():
    own = {"f1": {"compact": 0.3, "flagged": 0.7}}
    settings = {
        "threshold": 0.5,
        "thresholds": {"f1": 0.5, "purity=0.9": 0.8},
        "class_thresholds": own,
        "calibrated_on": {"goal": "f1"},
    }
    card = Card("unet", "base", settings=settings)
    assert limits_of(card).tolist() == [0.5, 0.3, 0.5, 0.5, 0.7]
    assert limits_of(card, "f1").tolist() == [0.5, 0.3, 0.5, 0.5, 0.7]
    assert limits_of(card, "purity=0.9").tolist() == [0.8] * 5
    assert limits_of(Card("unet", "base")).tolist() == [0.5] * 5

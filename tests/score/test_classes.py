"""Confusion, precision, recall and calibration against what was put in."""

import numpy as np
import pytest
from tests.score import worlds

from skysift.base.errors import UsageError
from skysift.score.classes import NOTHING, ClassesScorer, calibration
from skysift.score.options import ClassesOptions
from skysift.sky import schema

PLACE = worlds.frame()


def score(catalogue, truth, **options):
    return ClassesScorer(ClassesOptions(**options)).score(catalogue, truth)


def rows(n, classes, snr=20.0):
    at = np.arange(n) * 50.0 + 50.0
    return worlds.sources(PLACE, at, at, np.full(n, snr), classes=classes)


def test_confusion_is_counted_by_hand():
    true = rows(6, ["compact"] * 3 + ["extended"] * 2 + ["spurious"])
    found = rows(6, ["compact", "compact", "extended", "extended", "compact", "spurious"]).select(
        np.array([0, 1, 2, 3, 5])
    )
    report = score(worlds.catalogue(sources=found), worlds.truth_of(true, PLACE))
    table = report.tables["confusion"]
    assert table["true"] == ["compact", "extended", "spurious", NOTHING]
    assert table["compact"] == [2, 0, 0, 0]
    assert table["extended"] == [1, 1, 0, 0]
    assert table["spurious"] == [0, 0, 1, 0]
    assert table[NOTHING] == [0, 1, 0, 0]
    classes = report.tables["classes"]
    assert classes["class"] == ["compact", "extended", "spurious"]
    assert classes["precision"] == pytest.approx([1.0, 0.5, 1.0])
    assert classes["recall"] == pytest.approx([2 / 3, 1.0, 1.0])
    assert classes["recall_all"] == pytest.approx([2 / 3, 0.5, 1.0])
    assert classes["f1"] == pytest.approx([0.8, 2 / 3, 1.0])
    assert report.numbers["macro_f1"] == pytest.approx(np.mean([0.8, 2 / 3, 1.0]))
    assert report.numbers["accuracy"] == pytest.approx(4 / 5)


def test_a_truth_against_itself_is_all_right():
    true = rows(8, ["compact", "extended"] * 4)
    truth = worlds.truth_of(true, PLACE)
    numbers = score(truth.catalogue, truth).numbers
    assert numbers["accuracy"] == numbers["macro_f1"] == numbers["macro_f1_all"] == 1.0


def test_scores_that_are_probabilities_are_calibrated():
    rng = np.random.default_rng(5)
    p = rng.random(40_000)
    table, numbers = calibration(p, rng.random(p.size) < p, 10)
    assert numbers["ece"] < 0.01
    assert numbers["brier"] == pytest.approx(1 / 6, abs=0.005)  # the mean of p (1 - p)
    inside = [
        a <= s <= b for a, s, b in zip(table["right_low"], table["score"], table["right_high"], strict=True)
    ]
    assert sum(inside) >= 8


def test_scores_that_are_too_sure_are_seen():
    rng = np.random.default_rng(6)
    _, numbers = calibration(np.full(10_000, 0.95), rng.random(10_000) < 0.6, 10)
    assert numbers["ece"] == pytest.approx(0.35, abs=0.02)


def test_what_is_no_probability_is_counted():
    _, numbers = calibration(np.array([0.5, np.nan, 1.5, -0.1, 1.0]), np.ones(5, bool), 10)
    assert numbers["n_scored"] == 2
    assert numbers["n_score_invalid"] == 3


@pytest.mark.parametrize(("column", "n"), [("class_score", 3), ("score", 4)])
def test_a_score_is_of_the_class_or_of_being_real(column, n):
    place, truth = worlds.sky(3, low=50, classes=("compact",))
    found = worlds.found_in(truth, place, n_false=1, score=column, classes=("compact", "extended"))
    report = score(found, truth)
    assert report.numbers["n_scored"] == n
    assert f"The column {column} is taken" in report.rule


def test_a_catalogue_without_classes_cannot_be_scored():
    place, truth = worlds.sky(3, classes=("compact",))
    with pytest.raises(UsageError, match="the catalogue has no column 'class'"):
        score(worlds.found_in(truth, place), truth)
    with pytest.raises(UsageError, match="the truth has no column 'morphology'"):
        score(worlds.catalogue(sources=truth.sources[:0]), truth, column="morphology")
    has = worlds.table(
        "sources", schema.further("sources", "morphology"), ra=[150.0], dec=[-30.0], morphology=["disc"]
    )
    with pytest.raises(UsageError, match=r"no column 'class'.*set classes\.column=morphology"):
        score(worlds.catalogue(sources=has), truth)
    with pytest.raises(UsageError, match=r"no column 'object_type'.*; set classes\.column=class"):
        score(truth.catalogue, truth, column="object_type")
    with pytest.raises(UsageError, match=r"classify it first"):
        score(worlds.found_in(truth, place), truth)

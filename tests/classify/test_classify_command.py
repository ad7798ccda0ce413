"""``skysift classify`` from end to end on made tables and pictures; what cannot be is told in one line."""

import csv
import json
import re

import numpy as np
import pytest
from tests.classify.tables import CLASSES, table
from tests.commands import called

from skysift.base.store import checksum
from skysift.io.features import write_features


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a table of features, and a classifier that was trained on it."""
    folder = tmp_path_factory.mktemp("classify")
    features, _ = table(180)
    write_features(features, folder / "known.parquet")
    done = called(
        "classify", "train", folder / "known.parquet", "--task", "first4", "--out", folder / "mine",
        "--set", "trees=40", "--set", "calibration_folds=3", "--quiet",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no source of Bent: these classes are left out" in done.stderr
    return folder


def test_training_writes_one_file_and_what_it_is_worth(place):
    assert {each.name for each in (place / "mine").iterdir()} == {
        "model.safetensors", "classes.csv", "confusion.csv", "doubtful.csv", "report.html", "manifest.json",
    }  # fmt: skip
    told = json.loads((place / "mine" / "manifest.json").read_text())
    assert told["finder"] == "classify-train"
    assert told["options"]["classifier"]["trees"] == 40
    assert told["counts"] == {"sources": 180, "FRI": 60, "FRII": 60, "Compact": 60}
    assert all(float(row["f1"]) > 0.85 for row in rows_of(place / "mine" / "classes.csv"))
    assert "Confusion of classes" in (place / "mine" / "report.html").read_text()


def test_prediction_has_the_columns_that_are_promised(place):
    features, targets = table(90, seed=5)
    values = features.values.copy()
    values[3] = np.nan
    values[4] = 40.0
    strange = type(features)(features.names, features.columns, values)
    write_features(strange, place / "new.parquet")
    done = called("classify", "predict", place / "mine", place / "new.parquet", "--out", place / "new.csv")
    assert done.returncode == 0, done.stderr
    assert (
        "1 of 90 sources cannot be told, such as s0003: not one number that the classifier goes by is known"
        in done.stderr
    )
    story = json.loads((place / "new.csv.json").read_text())
    assert [each["name"] for each in story["inputs"]] == ["model.safetensors", "new.parquet"]
    assert story["inputs"][0]["checksum"] == checksum(str(place / "mine" / "model.safetensors"))[0]
    rows = rows_of(place / "new.csv")
    assert list(rows[0]) == ["name", "label", "probability", "p_FRI", "p_FRII", "p_Compact", "ood"]
    assert rows[3] == {"name": "s0003", **dict.fromkeys(list(rows[0])[1:], "")}
    assert float(rows[4]["ood"]) > 0.99
    good = [k for k in range(90) if k not in (3, 4)]
    right = [rows[k]["label"] == CLASSES[targets[k]] for k in good]
    assert np.mean(right) > 0.85
    for k in good:
        shares = [float(rows[k][f"p_{name}"]) for name in CLASSES]
        assert sum(shares) == pytest.approx(1.0, abs=1e-4)
        assert float(rows[k]["probability"]) == max(shares)
    assert np.mean([float(rows[k]["ood"]) < 0.95 for k in good]) > 0.85
    told = json.loads((place / "new.csv.json").read_text())
    assert told["errors"] == {"s0003": "not one number that the classifier goes by is known"}


def test_evaluation_shows_the_majority_beside(place):
    done = called(
        "classify", "evaluate", place / "known.parquet", "--folds", "3", "--repeats", "2", "--model", "logistic",
        "--set", "calibration_folds=2", "--out", place / "judged",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    beside = rows_of(place / "judged" / "contenders.csv")
    assert [row["model"] for row in beside] == ["logistic", "majority class", "features, lightgbm"]
    assert float(beside[0]["accuracy"]) > 0.85
    assert float(beside[1]["accuracy"]) == pytest.approx(1 / 3)
    assert len(rows_of(place / "judged" / "folds.csv")) == 3 * 3 * 2
    told = rows_of(place / "judged" / "predictions.csv")
    assert len(told) == 180 * 2
    assert {(row["repeat"], row["fold"]) for row in told} == {(r, f) for r in "12" for f in "123"}
    folds = [row for row in rows_of(place / "judged" / "folds.csv") if row["model"] == "logistic"]
    report = json.loads((place / "judged" / "evaluation.json").read_text())["reports"]["logistic"]
    for name in ("accuracy", "macro_f1", "ece", "log_loss"):  # all of them over all folds of both repeats
        values = [float(row[name]) for row in folds]
        assert float(beside[0][name]) == pytest.approx(np.mean(values), abs=1e-5)
        assert float(beside[0][f"{name}_sd"]) == pytest.approx(np.std(values, ddof=1), abs=1e-5)
        assert report[name] == pytest.approx(np.mean(values), abs=1e-5)
        assert f"{np.mean(values):.3f} +- {np.std(values, ddof=1):.3f}" in done.stdout or name == "log_loss"
    classes = rows_of(place / "judged" / "classes.csv")
    assert [int(row["n_true"]) for row in classes] == [60, 60, 60]
    assert np.mean([float(row["f1"]) for row in classes]) == pytest.approx(
        float(beside[0]["macro_f1"]), abs=1e-5
    )
    counted = rows_of(place / "judged" / "confusion.csv")
    assert sum(int(row[name]) for row in counted for name in CLASSES) == 360
    page = (place / "judged" / "report.html").read_text()
    assert all(text in page for text in ("majority class", "Confusion", "calibration error"))
    assert (place / "judged" / "reliability.png").read_bytes().startswith(b"\x89PNG")


def test_reasons_name_the_features_that_made_the_classes(place):
    done = called("classify", "explain", place / "mine", place / "known.parquet", "--out", place / "why")
    assert done.returncode == 0, done.stderr
    top = [row["feature"] for row in rows_of(place / "why" / "features.csv")[:3]]
    assert set(top) == {"f0", "f1", "f2"}
    reasons = rows_of(place / "why" / "reasons.csv")
    assert {row["rank"] for row in reasons} == {"1", "2", "3", "4", "5"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["learn", "x"], "no such action of classify: got 'learn'"),
        (["predict", "mine"], "classify predict takes MODEL INPUT: got 'mine'"),
        (["predict", "mine", "new.parquet", "--out", "x"], "--out is no CSV: got 'x'"),
        (["train", "known.parquet"], "--out is missing"),
        (["predict", "mine", "known.parquet", "--task", "fr", "--out", "x.csv"], "--task is not of classify predict"),
        (["train", "known.parquet", "--task", "nova", "--out", "x"], "no such task: got 'nova'"),
        (["train", "known.parquet", "--task", "real", "--out", "x"], "the task real does not know a label: got 'FRI'"),
        (["train", "known.parquet", "--class", "FRI", "--out", "x"], "all of one class: got '60 of FRI'"),
        (["train", "known.parquet", "--model", "magic", "--out", "x"], "no such classifier: got 'magic'"),
        (["train", "known.parquet", "--column", "kind", "--out", "x"], "no label is known of the rows"),
        (["train", "nowhere.npz", "--out", "x"], "there is nothing at this place: got 'nowhere.npz'"),
        (["evaluate", "known.parquet", "--folds", "50", "--out", "x", "--class", "FRI", "--class", "few"],
         "no row is of this class: got 'few'"),
        (["evaluate", "known.parquet", "--fixed", "nowhere", "--out", "x"], "no such list of folds: got 'nowhere'"),
        (["predict", "nowhere", "known.parquet", "--out", "x.csv"], "no weights of this name: got 'nowhere'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_in_one_line(words, told, place, monkeypatch):
    monkeypatch.chdir(place)
    done = called("classify", *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.startswith("skysift: error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (place / "x").exists()


def test_rows_that_are_not_learnt_from_are_counted_and_listed(tmp_path):
    features, targets = table(120)
    values = features.values.copy()
    values[:2] = np.nan
    codes = np.array(["100", "200"])[targets % 2]
    codes[5:8] = "310"
    codes[9] = ""
    write_features(
        type(features)(features.names, features.columns, values, {"label": codes}), tmp_path / "codes.parquet"
    )
    how = ("--set", "trees=20", "--set", "calibration_folds=2")
    done = called(
        "classify", "train", tmp_path / "codes.parquet", "--task", "fr", "--out", tmp_path / "fr", *how
    )
    assert done.returncode == 0, done.stderr
    assert "codes" not in done.stderr
    assert (
        "without  6 of 120 rows: its label is of no class of the task fr (3), nothing can be measured on it (2), "
        "it has no label (1) (left_out.csv)"
    ) in done.stdout
    assert re.search(r"left out accuracy .* of 114, majority class 0\.\d+, macro F1", done.stdout)
    lost = rows_of(tmp_path / "fr" / "left_out.csv")
    assert [(row["name"], row["label"]) for row in lost] == [
        ("s0005", "310"), ("s0006", "310"), ("s0007", "310"), ("s0009", ""), ("s0000", "FRI"), ("s0001", "FRII"),
    ]  # fmt: skip
    told = json.loads((tmp_path / "fr" / "manifest.json").read_text())
    assert "left_out.csv" in [each["name"] for each in told["outputs"]]
    assert "left_out.csv lists them" in (tmp_path / "fr" / "report.html").read_text()
    done = called("classify", "train", tmp_path / "codes.parquet", "--out", tmp_path / "raw", *how)
    assert "the labels look like codes: --task fr tells FR I against FR II" in done.stderr


def test_too_few_of_a_class_for_the_folds(place, tmp_path):
    features, _ = table(60)
    few = features.select(np.r_[0:40, 40:60:7])
    labels = np.array(["a"] * 40 + ["b"] * (len(few) - 40))
    write_features(type(few)(few.names, few.columns, few.values, {"label": labels}), tmp_path / "few.parquet")
    done = called("classify", "evaluate", tmp_path / "few.parquet", "--out", tmp_path / "x")
    assert done.returncode == 2
    assert "too few sources of a class for 5 folds: got '3 of b'" in done.stderr


def test_labels_come_from_a_table_and_may_be_tags(place, tmp_path):
    features, targets = table(150, seed=8)
    bare = type(features)(features.names, features.columns, features.values)
    write_features(bare, tmp_path / "bare.parquet")
    lines = ["name,label"] + [
        f"{name},{'bent|double' if k == 0 else ('bent' if k == 1 else 'double')}"
        for name, k in zip(features.names, targets, strict=True)
    ]
    (tmp_path / "tags.csv").write_text("\n".join(lines))
    done = called(
        "classify", "train", tmp_path / "bare.parquet", "--labels", tmp_path / "tags.csv", "--out", tmp_path / "m",
        "--set", "trees=30", "--set", "calibration_folds=2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = called(
        "classify", "predict", tmp_path / "m", tmp_path / "bare.parquet", "--out", tmp_path / "t.csv"
    )
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "t.csv")
    assert list(rows[0])[3:] == ["p_bent", "p_double", "ood"]
    wanted = [line.partition(",")[2] for line in lines[1:]]
    assert np.mean([row["label"] == each for row, each in zip(rows, wanted, strict=True)]) > 0.85

"""Weights on labelled fields: the reports of `skysift score`, of what a network finds there."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from tests.commands import called
from tests.fields import made_field

from skysift.base.errors import DataError, OutputError
from skysift.find.neural.judge import find_in_field, rows_of_field
from skysift.find.neural.known import detector_of
from skysift.find.neural.sides import sides_of
from skysift.flow.steps.evaluate import EvaluateStep
from skysift.flow.training.learnt import learnt_from
from skysift.flow.training.options import EvaluateOptions
from skysift.learn.checkpoint import load_into, read_checkpoint
from skysift.learn.hub import weights_of
from skysift.score.matching import Fate
from skysift.score.options import ClassesOptions
from skysift.score.rule import match
from skysift.sky.detections import Detections

CPU = torch.device("cpu")


def judged_by(read, fields, out, threshold=None):
    """The reports of weights, on the CPU."""
    return EvaluateStep(EvaluateOptions(threshold=threshold, device="cpu")).evaluate(read, fields, out)


def with_artefacts(field, n):
    """A field whose first labels are said to be artefacts."""
    kind = field.labels["class"].copy()
    kind[:n] = 0.0
    labels = Detections(field.labels.boxes, field.labels.scores, raw={**field.labels.raw, "class": kind})
    return replace(field, labels=labels)


@pytest.fixture(scope="module")
def fields():
    return [made_field(100, held=True), with_artefacts(made_field(101, held=True), 5)]


@pytest.fixture(scope="module")
def looked(weights):
    torch.set_num_threads(1)
    read = weights_of(str(weights))
    net = detector_of(read).net()
    load_into(net, read)
    return read, detector_of(read), net.eval()


@pytest.fixture(scope="module")
def evaluated(looked, fields, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluated") / "out"
    return judged_by(looked[0], fields, out), out


def test_both_sides_hold_all_fields_side_by_side(looked, fields):
    _, detector, net = looked
    catalogue, truth = sides_of(detector, net, fields, CPU, 0.2)
    n_found = sum(len(find_in_field(detector, net, field, CPU, 0.2, spurious=True)) for field in fields)
    assert len(catalogue.sources) == n_found
    assert len(truth) == sum(len(field.labels) for field in fields)
    assert (~truth.real).sum() == 5
    first, second = len(fields[0].labels), len(truth)
    assert truth.sources["ra"][:first].max() < truth.sources["ra"][first:second].min()
    matched = match(catalogue, truth, ClassesOptions())
    bright = matched.true["snr"] > 20.0
    assert matched.detected[bright].mean() > 0.7
    true, found = matched.pairs
    end = 0.5 * (truth.sources["ra"][:first].max() + truth.sources["ra"][first:second].min())
    assert np.array_equal(matched.true.ra[true] < end, matched.found.ra[found] < end)


def test_artefacts_are_left_out_where_nobody_asks(fields):
    assert len(rows_of_field(fields[1])["id"]) == len(rows_of_field(fields[1], spurious=True)["id"]) - 5


def test_scorers_judge_what_scores_enough_and_calibration_is_of_all(evaluated, looked, fields):
    made, out = evaluated
    counts, classes, sdc1 = made.reports
    assert made.threshold == looked[0].card.threshold
    _, detector, net = looked
    found, truth = sides_of(detector, net, fields, CPU, 0.15)
    above = int((found.sources["score"] >= made.threshold).sum())
    assert sdc1.numbers["N_det"] == above < len(found.sources)
    assert sdc1.numbers["N_truth"] == truth.real.sum() < len(truth)
    assert counts.numbers["completeness"] > 0.4
    assert counts.numbers["reliability"] > 0.5  # some lie on what is said to be an artefact
    assert classes.numbers["n_scored"] == len(found.sources)
    table = classes.tables["calibration"]
    assert sum(table["n"][:9]) > 0
    matched = match(found, truth, ClassesOptions())
    real = (matched.fate <= Fate.MEMBER) & (found.sources["score"] >= 0.9)
    assert table["n_right"][9] == real.sum()
    names = {
        "report.json",
        "report.html",
        "manifest.json",
        "classes_calibration.png",
        "counts_completeness_snr.csv",
    }
    assert names <= {each.name for each in out.iterdir()}
    written = json.loads((out / "report.json").read_text())
    assert written["sdc1"]["N_det"] == above
    assert f"small with a score of {made.threshold:g}" in written["sdc1"]["rule"]


def test_earlier_reports_stay(evaluated, looked, fields):
    with pytest.raises(OutputError):
        judged_by(looked[0], fields, evaluated[1])


def test_the_threshold_can_be_told(evaluated, looked, fields, tmp_path):
    made = judged_by(looked[0], fields, tmp_path / "out", threshold=0.1)
    assert made.reports[2].numbers["N_det"] > evaluated[0].reports[2].numbers["N_det"]


def test_fields_of_nothing_but_artefacts_are_refused(looked, tmp_path):
    field = made_field(100, 96, held=True)
    with pytest.raises(DataError, match="no object to be found"):
        judged_by(looked[0], [with_artefacts(field, len(field.labels))], tmp_path / "out")


def test_scores_are_those_that_finders_tell(evaluated, looked, fields, tmp_path):
    read = looked[0]
    table = {"raw": [0.0, 0.5, 1.0], "score": [0.0, 0.9, 1.0]}
    card = replace(read.card, settings={**read.card.settings, "calibration": table, "threshold": 0.9})
    made = judged_by(replace(read, card=card), fields, tmp_path / "out")
    catalogue, _ = sides_of(*looked[1:], fields, CPU, 0.15)
    assert made.reports[2].numbers["N_det"] == (catalogue.sources["score"] >= 0.5).sum()
    low = made.reports[1].tables["calibration"]["n"]
    assert low != evaluated[0].reports[1].tables["calibration"]["n"]
    assert sum(low) == len(catalogue.sources)


SKY = {"n_pixels": 160, "frequency": 5.6e8, "hours": 100, "array": "none", "artefacts": False, "cell": 100}
RECIPE = {
    "name": "mini", "model": "yolo-dense", "fields": [{"simulator": "continuum", "number": 1, "validation": 1,
                                                       "options": SKY}],
}  # fmt: skip


def test_the_command_takes_a_recipe(tmp_path, weights):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    out = tmp_path / "out"
    told = called("evaluate", weights, recipe, "--out", out, "--device", "cpu")
    assert told.returncode == 0, told.stderr
    threshold = read_checkpoint(weights).card.threshold
    assert f"1 field, scores of {threshold:g} or more" in told.stdout
    manifest = json.loads((out / "manifest.json").read_text())
    (field,) = manifest["facts"]["fields"]
    assert field["simulator"] == "continuum"
    assert field["random_seed"] > 0
    assert [each["name"] for each in manifest["inputs"]] == [
        "weights: small.safetensors",
        "fields: recipe.yaml",
    ]
    again = called("evaluate", weights, recipe, "--out", out)
    assert again.returncode == 2
    told = called("evaluate", weights, recipe, "--out", tmp_path / "b", "--threshold", "7")
    assert told.returncode == 2
    assert "option 'threshold' is not allowed: got 7.0" in told.stderr


def test_weights_that_tell_pixels_are_judged_by_class(unet_weights, tmp_path):
    read = read_checkpoint(unet_weights)
    fields = [made_field(seed, 192, held=True, density=0.15) for seed in (300, 301)]
    made = judged_by(read, fields, tmp_path / "out", 0.5)
    (report,) = made.reports
    assert report.kind == "masks"
    numbers, table = report.numbers, report.tables["classes"]
    assert table["class"] == ["compact"]  # nothing else is there, or was found
    assert numbers["completeness"] == table["completeness"][0] > 0.6
    assert numbers["reliability"] == table["reliability"][0] > 0.2
    assert table["reliability_low"][0] < table["reliability"][0] <= table["reliability_high"][0]
    bright = sum(int((each.labels["snr_peak"] >= 7.0).sum()) for each in fields)
    assert table["n"] == [bright] == [numbers["n_true"]]
    assert 0.2 < numbers["ap50_mask"] <= 1.0
    assert 0.2 < numbers["ap50_box"] <= 1.0
    confusion = report.tables["confusion"]
    assert confusion["compact"][1] + confusion["nothing"][1] >= bright
    assert sum(report.tables["calibration"]["n"]) == numbers["n_scored"] >= numbers["n_found"]
    found = report.tables["threshold"]["n"]
    assert found == sorted(found, reverse=True)
    assert found[report.tables["threshold"]["threshold"].index(0.5)] == numbers["n_found"]
    names = {each.name for each in (tmp_path / "out").iterdir()}
    assert {
        "report.html",
        "masks_classes.csv",
        "masks_confusion.png",
        "masks_calibration.png",
        "masks_f1.png",
    } <= names
    faint = replace(fields[0], labels=fields[0].labels.select(fields[0].labels["snr_peak"] < 7.0))
    with pytest.raises(DataError, match="no object to be found"):
        judged_by(read, [faint], tmp_path / "b")


def test_fields_that_were_trained_on_are_told(looked, fields, tmp_path):
    read = looked[0]
    sky = {"simulator": "continuum", "options": {"random_seed": 5}}
    files = {"map": "a.fits", "checksums": {"map": "sha256:aa", "labels": "sha256:bb"}}
    told = (
        {**sky, "held": 0.0},
        {"simulator": "continuum", "options": {"random_seed": 6}, "held": 1.0},
        {**files, "held": 0.2},
    )
    card = replace(read.card, training={"fields": told})
    facts = (
        {**sky, "held": 1.0},  # was trained on
        {**told[1]},  # was kept for validation
        {"simulator": "extended", "options": {"random_seed": 5}, "held": 1.0},
        {**files, "map": "renamed.fits", "held": 1.0},  # four fifths were trained on
        {**files, "held": 0.2},  # the same upper rows
        {**files, "checksums": {"map": "sha256:cc"}, "held": 1.0},  # another map of this name
        {"map": "a.fits", "held": 1.0},  # no checksum is known
        {},
    )
    shown = [replace(fields[0], facts=each) for each in facts]
    trained, kept = learnt_from(card, shown)
    assert trained == "3 of 8 fields were trained on, which flatters the weights"
    assert kept.startswith("2 of 8 fields were kept for validation, by which the best step")
    assert learnt_from(card, shown[2:3]) == ()
    made = judged_by(replace(read, card=card), shown[:1], tmp_path / "out")
    assert made.notes == ("1 of 1 fields were trained on, which flatters the weights",)
    assert made.notes[0] in (tmp_path / "out" / "report.html").read_text()

"""``skysift calibrate``: what is chosen on known fields holds on others, and finders and judges tell it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from tests import images, skies
from tests.commands import called
from tests.fields import made_field
from tests.flow.test_training import RECIPE

from skysift import judge
from skysift.base.errors import OptionError, OutputError, UsageError
from skysift.cli.calibrate import summary
from skysift.find.neural.calibration import Calibration, calibration_error
from skysift.find.neural.judge import LEAST, Answers, find_in_field, numbers_at
from skysift.find.neural.known import detector_of
from skysift.find.run import make_finder, search
from skysift.flow.steps.calibrate import CalibrateStep
from skysift.flow.training.labelled_fields import held_fields
from skysift.flow.training.options import CalibrateOptions
from skysift.learn.checkpoint import load_into, read_checkpoint, write_checkpoint
from skysift.learn.fields import write_field
from skysift.sky.detections import Detections

GOALS = ("sdc1", "f1", "purity=0.97")


def calibrated(read, fields, out, goals=(), **more):
    """Calibrate on the CPU."""
    return CalibrateStep(CalibrateOptions(goals=goals, device="cpu", **more)).calibrate(read, fields, out)


@pytest.fixture(scope="module")
def weights(weights, tmp_path_factory):
    """A network that is too sure of itself."""
    read = read_checkpoint(weights)
    tensors = {name: value.clone() for name, value in read.tensors.items()}
    tensors["head.bias"][0] += 2.0
    path = tmp_path_factory.mktemp("sure") / "sure.safetensors"
    write_checkpoint(path, tensors, read.card)
    return path


@pytest.fixture(scope="module")
def made(weights, tmp_path_factory):
    out = tmp_path_factory.mktemp("calibrate") / "new.safetensors"
    fields = [made_field(seed, 256, held=True) for seed in range(300, 306)]
    return calibrated(read_checkpoint(weights), fields, out, GOALS), out


@pytest.fixture(scope="module")
def other(weights):
    """What the network finds in fields that took no part."""
    read = read_checkpoint(weights)
    detector = detector_of(read)
    net = detector.net()
    load_into(net, read)
    fields = [made_field(seed, 256, held=True) for seed in range(400, 406)]
    place = torch.device("cpu")
    return [Answers(each, find_in_field(detector, net.eval(), each, place, LEAST)) for each in fields]


def test_scores_are_probabilities_on_other_fields(made, other):
    calibration = Calibration.of(read_checkpoint(made[1]).card.settings)
    raws = [each.found.scores for each in other]
    true = []
    for each in other:
        match = np.zeros(len(each.found), bool)
        match[each.score(~match).matches.left] = True
        true.append(match)
    raw, right = np.concatenate(raws), np.concatenate(true)
    error = calibration_error(calibration.scores(raw), right)
    assert error < 0.06
    assert error < 0.7 * calibration_error(raw, right)
    assert made[0].errors[1] < made[0].errors[0]


def test_thresholds_reach_what_they_are_for(made, other):
    chosen, _ = made
    after = chosen.after
    assert after["purity=0.97"]["purity"] >= 0.97
    assert after["sdc1"]["points"] >= 0.98 * chosen.before["points"]
    assert after["sdc1"]["points"] >= 0.98 * max(each["points"] for each in after.values())  # matched anew
    assert after["f1"]["f1"] >= max(each["f1"] for each in after.values()) - 0.002
    assert chosen.card.threshold == chosen.thresholds["sdc1"]
    calibration = Calibration.of(chosen.card.settings)
    scores = [calibration.scores(each.found.scores) for each in other]
    assert numbers_at(other, scores, chosen.thresholds["purity=0.97"])["purity"] > 0.94


def test_finds_of_which_none_is_true_earn_nothing(other):
    found = other[0].found
    far = replace(found, raw={**found.raw, "x": found["x"] + 1e4}).select(np.arange(2))
    numbers = numbers_at([Answers(other[0].field, far)], [far.scores], 0.0)
    assert numbers["n_found"] == 2.0
    assert numbers["mean"] == numbers["purity"] == 0.0


def test_only_the_settings_of_the_card_change(made, weights):
    old, new = read_checkpoint(weights), read_checkpoint(made[1])
    assert {**old.card.to_dict(), "settings": 0} == {**new.card.to_dict(), "settings": 0}
    assert all(torch.equal(old.tensors[name], new.tensors[name]) for name in old.tensors)
    told = new.card.settings["calibrated_on"]
    assert told["goal"] == "sdc1"
    assert told["fields"] == [{"name": f"made-{seed}"} for seed in range(300, 306)]
    assert told["weights"] == old.checksum
    assert told["detections"] == made[0].n_found


def test_finders_and_judges_tell_calibrated_scores(made, weights, tmp_path):
    sources = skies.population((260, 250), (4.0, 4.0, 0.0), n_points=30, snr=(5, 40), margin=12, seed=5)
    data, _ = skies.paint((260, 250), (4.0, 4.0, 0.0), sources=sources, seed=5)
    image = images.image(data, (4.0, 4.0, 0.0), centre=(80.0, 30.0))
    calibration = Calibration.of(made[0].card.settings)
    before = search(image, make_finder("yolo", weights=str(weights), threshold=calibration.raw_of(0.5)))
    after = search(image, make_finder("yolo", weights=str(made[1]), threshold=0.5))
    a, b = before.catalogue.sources, after.catalogue.sources
    assert len(a) == len(b) > 10
    assert np.array_equal(a["flux"], b["flux"])
    assert np.array_equal(calibration.scores(a["score"]), b["score"])
    assert not np.array_equal(a["score"], b["score"])
    assert after.facts["calibrated_on"]["goal"] == "sdc1"
    assert "calibrated_on" not in before.facts
    assert after.catalogue.provenance.inputs[-1].checksum == read_checkpoint(made[1]).checksum
    usual, pure = (
        search(image, make_finder("yolo", weights=str(made[1]), setting=each))
        for each in (None, "purity=0.97")
    )
    assert usual.facts["threshold"] == made[0].thresholds["sdc1"]
    assert pure.facts["threshold"] == made[0].thresholds["purity=0.97"]
    assert pure.catalogue.sources["score"].min() >= pure.facts["threshold"]
    said = [judge(after.catalogue, image, weights=str(each))["score"] for each in (weights, made[1])]
    assert np.array_equal(calibration.scores(said[0]), said[1])


def test_what_cannot_be_is_told_in_a_line(made, weights, tmp_path):
    read = read_checkpoint(weights)
    few = [made_field(1, 96, held=True)]
    with pytest.raises(UsageError, match="the fields hold too little for a calibration: got "):
        calibrated(read, few, tmp_path / "a.safetensors")
    fields = [made_field(seed, 256, held=True) for seed in range(300, 303)]
    with pytest.raises(
        UsageError, match=r"too few detections to tell such a purity: .*; allowed: 10000 or more"
    ):
        calibrated(read, fields, tmp_path / "a.safetensors", ["purity=0.9999"])
    halves = [replace(each, labels=each.labels.select(np.arange(0, len(each.labels), 2))) for each in fields]
    with pytest.raises(
        UsageError, match=r"no threshold reaches this purity .*: got 'purity=0.9'; allowed: up to 0\.[3-7]"
    ):
        calibrated(read, halves, tmp_path / "a.safetensors", ["purity=0.9"])
    assert not list(tmp_path.iterdir())
    with pytest.raises(OptionError, match=r"best is no goal; there are sdc1, f1, purity=0.99"):
        CalibrateOptions(goals=("best",))
    with pytest.raises(OptionError, match=r"purity=99 is no goal; a purity is written purity=X, 0 < X < 1"):
        CalibrateOptions(goals=("purity=99",))
    with pytest.raises(UsageError, match=r"not calibrated for this setting: got 'f1'; allowed: none"):
        search(images.painted((80, 80)), make_finder("yolo", weights=str(weights), setting="f1"))
    with pytest.raises(OptionError, match="threshold and setting say the same"):
        make_finder("yolo", threshold=0.6, setting="f1")


def test_a_command_calibrates_on_a_folder_of_fields_and_a_recipe(weights, tmp_path):
    for seed in range(310, 314):
        write_field(tmp_path / "fields" / str(seed), made_field(seed, 256, held=seed > 310))
    out = tmp_path / "new.safetensors"
    done = called("calibrate", weights, tmp_path / "fields", "--out", out, "--goal", "f1", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "detections in 3 fields" in done.stdout
    assert read_checkpoint(out).card.settings["calibrated_on"]["goal"] == "f1"
    told = called("calibrate", weights, tmp_path / "fields", "--out", out, "--device", "cpu")
    assert "the file exists" in told.stderr
    small = tmp_path / "half.safetensors"
    done = called(
        "calibrate", weights, tmp_path / "fields", "--out", small, "--goal", "f1", "--half", "--device", "cpu"
    )
    assert done.returncode == 0, done.stderr
    assert small.stat().st_size < 0.7 * out.stat().st_size
    both = [read_checkpoint(path).card.settings["calibrated_on"]["detections"] for path in (small, out)]
    assert both[0] == pytest.approx(both[1], rel=0.02)
    write_field(tmp_path / "trained" / "one", made_field(310))
    (tmp_path / "mini.yaml").write_text(yaml.safe_dump(RECIPE))
    for args, match in (
        ((tmp_path / "none.yaml",), "there is no such recipe, folder of fields or map"),
        ((tmp_path / "trained",), "holds no field that is kept for validation"),
        ((weights,), "a map goes with its labels"),
        ((tmp_path / "fields", "--set", "train.steps=3"), "--set goes with a recipe"),
        ((tmp_path / "mini.yaml", "--labels", weights), "--labels goes with a map"),
        ((tmp_path / "fields", "--goal", "best"), "best is no goal"),
    ):
        said = called("calibrate", weights, *args, "--out", tmp_path / "x.safetensors")
        assert said.returncode == 2, said.stderr
        assert match in said.stderr
        assert said.stderr.count("\n") == 1
    assert (
        "--out is no file of weights" in called("calibrate", weights, out, "--out", tmp_path / "x.pt").stderr
    )


def test_fields_of_a_recipe_are_those_for_validation_and_others_by_seed(tmp_path):
    from skysift.base.parallel import ALONE

    path = tmp_path / "mini.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    (one,) = held_fields(path, tmp_path / "work", ALONE)
    (two,) = held_fields(path, tmp_path / "work", ALONE, changes={"train.random_seed": "2"})
    assert one.held is not None
    assert one.facts["options"]["random_seed"] != two.facts["options"]["random_seed"]


def test_orientations_that_were_calibrated_are_looked_at(weights, tmp_path):
    fields = [made_field(seed, 256, held=True) for seed in range(300, 303)]
    made = calibrated(read_checkpoint(weights), fields, tmp_path / "two.safetensors", flips=2)
    assert made.card.settings["flips"] == 2
    told = search(images.painted((80, 80)), make_finder("yolo", weights=str(tmp_path / "two.safetensors")))
    assert told.facts["flips"] == 2
    with pytest.raises(
        OptionError, match=r"option 'flips' is not allowed: got 3; allowed: 1 \| 2 \| 4 \| 8 or null"
    ):
        CalibrateOptions(flips=3)


def test_labels_of_no_account_are_neither_right_nor_wrong(weights):
    """Every second label left out of both sides: what is found of them is gone, what is false stays."""
    read = read_checkpoint(weights)
    detector = detector_of(read)
    net = detector.net()
    load_into(net, read)
    field, place = made_field(410, 256, held=True), torch.device("cpu")
    use = np.where(np.arange(len(field.labels)) % 2, 0.0, 1.0)
    labels = Detections(
        field.labels.boxes, field.labels.scores, field.labels.footprints, {**field.labels.raw, "use": use}
    )
    answers = [
        Answers(each, find_in_field(detector, net.eval(), each, place, LEAST))
        for each in (field, replace(field, labels=labels))
    ]
    whole, half = (numbers_at([each], [each.found.scores], 0.6) for each in answers)
    assert half["purity"] == pytest.approx(whole["purity"] / (2.0 - whole["purity"]), abs=0.06)
    assert half["completeness"] == pytest.approx(whole["completeness"], abs=0.1)


@pytest.mark.parametrize("kind", ["unet_weights", "rcnn_weights"])
def test_weights_that_tell_pixels_are_calibrated(kind, request, tmp_path):
    """Scores become the share of finds that match; the threshold of f1 is the best, that of a purity reaches it."""
    read = read_checkpoint(request.getfixturevalue(kind))
    fields = [made_field(seed, 256, held=True, density=0.15) for seed in range(300, 306)]
    out = tmp_path / "new.safetensors"
    made = calibrated(read, fields, out, ("f1", "purity=0.65"))
    assert made.after["f1"]["f1"] >= max(each["f1"] for each in (made.before, *made.after.values()))
    assert made.after["purity=0.65"]["purity"] >= 0.65
    assert made.after["f1"]["completeness_compact"] > 0.6
    assert made.errors[1] < 0.2
    assert made.errors[1] < max(made.errors[0], 0.1)
    card = read_checkpoint(out).card
    several = {**card.settings, "class_thresholds": {"f1": {"compact": 0.25, "flagged": 0.75}}}
    text = summary(replace(made, card=replace(card, settings=several)), read.card, out)
    assert "detections in 6 fields" in text
    assert [line.split()[:3] for line in text.splitlines() if "by class" in line] == [["f1", "by", "class"]]
    assert ", 0.25 (compact), " in text
    assert card.threshold == made.thresholds["f1"]
    assert card.settings["flips"] == 1
    told = search(
        images.painted((96, 96)), make_finder(read.card.model, weights=str(out), setting="purity=0.65")
    )
    assert told.facts["threshold"] == made.thresholds["purity=0.65"]
    with pytest.raises(OptionError, match=r"have no such goal: got 'sdc1'; allowed: f1, purity=X"):
        calibrated(read, fields, tmp_path / "a.safetensors", ("sdc1",))
    with pytest.raises(OptionError, match=r"look in one orientation: got 'flips=2'; allowed: 1"):
        calibrated(read, fields, tmp_path / "a.safetensors", flips=2)
    assert calibrated(read, fields, tmp_path / "b.safetensors").card.settings["calibrated_on"]["goal"] == "f1"


def test_what_is_wrong_is_told_before_skies_are_made(weights, tmp_path):
    def never():
        raise AssertionError("the skies were made")
        yield

    read = read_checkpoint(weights)
    with pytest.raises(UsageError, match="no such device: got 'gpu'"):
        CalibrateStep(CalibrateOptions(device="gpu")).calibrate(read, never(), tmp_path / "a.safetensors")
    with pytest.raises(OutputError, match="no such folder"):
        calibrated(read, never(), tmp_path / "none" / "a.safetensors")
    (tmp_path / "b.safetensors").touch()
    with pytest.raises(OutputError, match="the file exists"):
        calibrated(read, never(), tmp_path / "b.safetensors")

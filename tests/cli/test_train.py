"""``skysift train`` and ``skysift models``: a recipe on a made sky, and what is told of weights."""

import importlib.util
import json
import re

import pytest
import torch
import yaml
from tests.commands import called
from tests.flow.test_training import RECIPE

from skysift.learn.checkpoint import Card, write_checkpoint
from skysift.learn.options import SelectionOptions


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("train")


@pytest.fixture(scope="module")
def trained(folder):
    (folder / "mini.yaml").write_text(yaml.safe_dump(RECIPE))
    return called(
        "train", folder / "mini.yaml", "--out", folder / "out", "--threads", "1", "--set", "train.steps=3"
    )


def test_it_trains_and_tells(folder, trained):
    assert trained.returncode == 0, trained.stderr
    assert "yolo-dense, 3 steps, best after 3" in trained.stdout
    assert (folder / "out" / "mini.safetensors").exists()


def test_models_tells_of_weights(folder, trained):
    done = called("models", folder / "out" / "mini.safetensors")
    assert done.returncode == 0, done.stderr
    assert "mini: a try" in done.stdout
    assert "trained on  2 continuum skies (0.051 Mpix, 560 MHz); 3 steps" in done.stdout
    assert "kept        1 continuum sky (0.026 Mpix, 560 MHz), for validation" in done.stdout
    assert "at a threshold of 0." in done.stdout
    told = json.loads(called("models", folder / "out" / "mini.safetensors", "--json").stdout)
    assert told[0]["model"] == "yolo-dense"
    assert told[0]["checksum"].startswith("sha256:")


def test_models_tells_how_weights_went_on(tmp_path):
    fields = [{"name": "map-0", "map": "own.fits", "labels": "own.reg", "held": 0.2}]
    limits = SelectionOptions(peak=5, put_back=0.8).to_dict()
    training = {
        "fields": fields, "step": 40, "started_from": "sha256:" + "0123456789abcdef" * 4, "before": {"score": 0.5},
        "improved": False, "selection": limits, "put_back": 12,
    }  # fmt: skip
    card = Card("yolo-dense", "own", "my map", training=training, numbers={"score": 0.4})
    write_checkpoint(tmp_path / "own.safetensors", {"a": torch.zeros(3)}, card)
    told = called("models", tmp_path / "own.safetensors").stdout.splitlines()
    assert told[:7] == [
        "own: my map",
        "  model       yolo-dense, 3 parameters, 0.0 MB",
        "  trained on  own.fits; 40 steps",
        "  kept        the upper 20% of own.fits, for validation",
        "  begun with  sha256:0123456789abcdef",
        "  selection   labels from 5 sigma (peak) and 0 sigma (flux), others ignored, 12 put back",
        "  measured    score 0.400 (before 0.500)",
    ]
    assert told[-1] == "  warning     not better than the weights that they began with"


def test_models_tells_what_thresholds_were_chosen_on():
    told = called("models", "yolo").stdout.splitlines()
    at = next(k for k, line in enumerate(told) if line.startswith("  calibrated  on 10 fields, "))
    assert told[at - 1].startswith("  measured    ")
    assert told[at - 1].endswith(
        ", at the best threshold"
    )  # that of the card is of scores that were calibrated since
    assert re.match(r" {14}sdc1 at 0\.54: .*points 12,639, purity 0\.944", told[at + 1])
    assert re.match(r" {14}purity=0.99 at 0\.93: .*purity 0\.991", told[at + 2])


def test_models_tells_which_part_began_with_an_encoder(tmp_path):
    begun = {"started_from": "sha256:" + "0123456789abcdef" * 4, "started_part": "pyramid", "encoder": "maps"}
    card = Card("rcnn", "own", "my map", training={"fields": [], "step": 40, **begun}, numbers={"score": 0.4})
    write_checkpoint(tmp_path / "own.safetensors", {"a": torch.zeros(3)}, card)
    told = called("models", tmp_path / "own.safetensors").stdout.splitlines()
    assert "  begun with  sha256:0123456789abcdef (the encoder maps: pyramid; the rest fresh)" in told


def test_bad_calls_are_told_in_a_line(folder):
    for args, match in (
        (("train", folder / "none.yaml", "--out", folder / "x"), "there is no such recipe"),
        (
            ("train", folder / "mini.yaml", "--out", folder / "x", "--device", "tpu"),
            "no such device: got 'tpu'",
        ),
        (("models", "nothing"), "no weights of this name: got 'nothing'"),
    ):
        done = called(*args)
        assert done.returncode == 2
        assert match in done.stderr
        assert done.stderr.count("\n") == 1
        assert not (folder / "x").exists()


def test_without_the_extra_its_name_is_told(folder, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "skysift.base.extras.find_spec", lambda name: None if name == "torch" else found(name)
    )
    done = called("models")
    assert done.returncode == 2
    assert "needs the extra learn" in done.stderr
    assert "make install EXTRAS=learn" in done.stderr

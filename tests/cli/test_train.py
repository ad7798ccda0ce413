"""``skysift train`` and ``skysift models``: a recipe on a made sky, and what is told of weights."""

import importlib.util
import json

import pytest
import yaml
from tests.commands import called
from tests.flow.test_training import RECIPE


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
    assert "trained on  continuum, 3 steps" in done.stdout
    told = json.loads(called("models", folder / "out" / "mini.safetensors", "--json").stdout)
    assert told[0]["model"] == "yolo-dense"
    assert told[0]["checksum"].startswith("sha256:")


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

"""A network as ONNX: the answers of torch, whatever runs it; nothing is written where they are not."""

import hashlib
import json

import numpy as np
import pytest
import torch
from tests.commands import called

from skysift.find.neural.yolo.dense import DenseDetector, DenseNet
from skysift.find.neural.yolo.options import DenseOptions
from skysift.flow.steps import export as step
from skysift.learn import engine
from skysift.learn.checkpoint import Card, write_checkpoint

OPTIONS = DenseOptions(widths=(8, 16), depths=(1, 1))


@pytest.fixture(scope="module")
def net():
    """A network with answers of the size that trained ones give."""
    torch.set_num_threads(1)
    torch.manual_seed(5)
    made = DenseNet(OPTIONS)
    torch.nn.init.normal_(made.head.weight, std=0.3)
    return made.eval()


@pytest.fixture(scope="module")
def file(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "made.safetensors"
    write_checkpoint(path, net.state_dict(), Card("yolo-dense", "made", "tests", OPTIONS.to_dict()))
    return path


@pytest.fixture(scope="module")
def windows():
    return step.random_windows(DenseDetector(OPTIONS), seed=3)


@pytest.fixture(scope="module")
def exported(file, tmp_path_factory):
    out = tmp_path_factory.mktemp("onnx") / "made.onnx"
    return out, called("export", file, "--out", out)


def runners(net, windows, kind, precision="float32"):
    given = engine.runner(net, "torch", example=windows[0], key="", device="cpu")
    key = f"test-{hashlib.sha256(repr(net.state_dict()).encode()).hexdigest()[:12]}"
    return given, engine.runner(net, kind, example=windows[0], key=key, precision=precision)


def test_the_windows_are_of_several_sizes_and_numbers(windows):
    assert len({each["image"].shape for each in windows}) == 3
    assert {each["image"].shape[0] for each in windows} == {1, 2}


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_an_engine_gives_the_answers_of_torch(kind, net, windows):
    one, other = runners(net, windows, kind)
    assert one(windows[0]).std() > 0.1
    assert step.largest_difference(one, other, windows) < step.TOLERANCE


def test_bfloat16_is_near(net, windows):
    one, other = runners(net, windows, "openvino", "bfloat16")
    for inputs in windows:
        right, near = (1.0 / (1.0 + np.exp(-each(inputs)[:, 0])) for each in (one, other))
        assert np.abs(right - near).max() < 0.05  # of the objectness


def test_the_file_serves_and_its_card_tells_of_it(exported, net, windows):
    out, said = exported
    assert said.returncode == 0
    assert "equal" in said.stdout
    assert "made.json" in said.stdout
    told = json.loads(out.with_suffix(".json").read_text())
    assert told["model"] == "yolo-dense"
    assert told["onnx"]["checksum"] == "sha256:" + hashlib.sha256(out.read_bytes()).hexdigest()
    assert told["onnx"]["inputs"]["image"] == ["window", 4, "row", "column"]
    assert 0.0 <= told["onnx"]["largest_difference"] < step.TOLERANCE
    one = engine.runner(net, "torch", example=windows[0], key="", device="cpu")
    assert step.largest_difference(one, engine.onnx_runner(out), windows) < step.TOLERANCE


def test_other_answers_are_refused_and_nothing_is_written(file, tmp_path, monkeypatch):
    out = tmp_path / "wrong.onnx"
    right = engine.onnx_runner
    monkeypatch.setattr(step, "onnx_runner", lambda path: lambda inputs: right(path)(inputs) + 2e-4)
    said = called("export", file, "--out", out)
    assert said.returncode == 1
    assert "other answers than torch" in said.stderr
    assert list(tmp_path.iterdir()) == []


def test_answers_of_another_shape_or_no_number_differ(windows):
    def same(inputs):
        return inputs["image"]

    def cut(inputs):
        return inputs["image"][:, :1]

    def blank(inputs):
        return np.full_like(inputs["image"], np.nan)

    assert step.largest_difference(same, same, windows) == 0.0
    assert step.largest_difference(same, cut, windows) == np.inf
    assert step.largest_difference(same, blank, windows) == np.inf


def test_bad_requests_are_one_line(exported, file, tmp_path):
    out, _ = exported
    assert "the file exists" in called("export", file, "--out", out).stderr
    assert "allowed: FILE.onnx" in called("export", file, "--out", tmp_path / "made.pt").stderr
    assert "no weights of this name" in called("export", "nothing", "--out", tmp_path / "a.onnx").stderr
    odd = tmp_path / "odd.safetensors"
    write_checkpoint(odd, {"a": torch.zeros(1)}, Card("another", "odd"))
    said = called("export", odd, "--out", tmp_path / "a.onnx")
    assert said.returncode == 2
    assert "of a model that no finder looks through: got 'another'" in said.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["odd.safetensors"]

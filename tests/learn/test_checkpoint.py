"""Weights and their card in one file: they come back, and what is not what it should be is refused."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from skysift.base.errors import DataError, UnknownName, UsageError
from skysift.find.neural.yolo.options import DenseOptions
from skysift.learn import hub
from skysift.learn.checkpoint import (
    Card,
    halved,
    load_into,
    made_by_card,
    read_card,
    read_checkpoint,
    write_checkpoint,
)
from skysift.learn.device import device_named, out_of_memory, precision_on

CARD = Card(
    "yolo-dense", "try", "a task", {"widths": (4, 8)}, {"steps": 3}, {"score": 0.5}, {"threshold": 0.4}, "0.1"
)


def net():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 1, 1))


def test_weights_and_card_come_back(tmp_path):
    made, path = net(), tmp_path / "try.safetensors"
    checksum = write_checkpoint(path, made.state_dict(), CARD)
    read = read_checkpoint(path, checksum)
    assert read.card == Card(**CARD.to_dict())
    assert read_card(path) == read.card
    assert read.checksum == checksum
    other = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 1, 1))
    load_into(other, read)
    for name, value in made.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
    assert [each.name for each in tmp_path.iterdir()] == ["try.safetensors"]


def test_numbers_of_sixteen_bits_take_half_the_room_and_are_refused_where_they_do_not_fit(tmp_path):
    wide = nn.Conv2d(16, 32, 3)
    write_checkpoint(tmp_path / "whole.safetensors", wide.state_dict(), CARD)
    half = halved(read_checkpoint(tmp_path / "whole.safetensors"))
    write_checkpoint(tmp_path / "half.safetensors", half.tensors, CARD)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "whole")]
    assert sizes[0] < 0.55 * sizes[1]
    other = nn.Conv2d(16, 32, 3)
    load_into(other, read_checkpoint(tmp_path / "half.safetensors"))
    assert other.weight.dtype == torch.float32
    assert torch.allclose(other.weight, wide.weight, rtol=1e-3, atol=1e-7)
    assert not torch.equal(other.weight, wide.weight)
    with torch.no_grad():
        wide.bias[3] = 7e4
    write_checkpoint(tmp_path / "far.safetensors", wide.state_dict(), CARD)
    with pytest.raises(DataError, match="do not fit numbers of 16 bits: got 'bias'"):
        halved(read_checkpoint(tmp_path / "far.safetensors"))


def test_a_wrong_checksum_is_refused(tmp_path):
    path = tmp_path / "try.safetensors"
    checksum = write_checkpoint(path, net().state_dict(), CARD)
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    with pytest.raises(DataError, match=r"try.safetensors is not what it should be: its checksum differs"):
        read_checkpoint(path, checksum)


def test_an_unknown_field_of_the_card_is_refused(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "new.safetensors"
    for told, match in (
        ({**CARD.to_dict(), "secret": 1}, "does not know: got 'secret'"),
        ({**CARD.to_dict(), "format": 99}, "got 'format 99'"),
        ({"task": "x"}, "does not tell its model and name"),
    ):
        save_file({"a": torch.zeros(1)}, path, metadata={"card": json.dumps(told)})
        with pytest.raises(DataError, match=match):
            read_card(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(DataError, match="has no card"):
        read_card(path)
    path.write_bytes(b"not weights at all")
    with pytest.raises(DataError, match="not a file of weights"):
        read_card(path)
    exported = path.rename(tmp_path / "net.onnx")
    with pytest.raises(
        DataError, match=r"got 'net.onnx'; .*give the weights that it was made of, with engine=onnx"
    ):
        read_card(exported)
    with pytest.raises(UsageError, match="no such file of weights"):
        read_card(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 3)), "has more than it takes: 1.bias"),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 1, 1), nn.Conv2d(1, 1, 1)), "it lacks 2.bias"),
        (nn.Sequential(nn.Conv2d(1, 2, 5), nn.Conv2d(2, 1, 1)), "has another shape of 0.weight"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(tmp_path, other, match):
    path = tmp_path / "try.safetensors"
    write_checkpoint(path, net().state_dict(), CARD)
    with pytest.raises(DataError, match=match):
        load_into(other, read_checkpoint(path))


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    broken = net()
    with torch.no_grad():
        broken[0].bias[1] = torch.nan
    write_checkpoint(tmp_path / "broken.safetensors", broken.state_dict(), CARD)
    with pytest.raises(
        DataError, match=r"weights of broken.safetensors are not numbers: got '1 of 4 parts .* 0.bias'"
    ):
        load_into(net(), read_checkpoint(tmp_path / "broken.safetensors"))


def test_a_threshold_that_is_no_number_is_refused(tmp_path):
    path = tmp_path / "odd.safetensors"
    write_checkpoint(path, net().state_dict(), Card("yolo-dense", "odd", settings={"threshold": "high"}))
    with pytest.raises(DataError, match=r"the card of odd.* has settings that cannot be read"):
        read_card(path)


def test_weights_are_found_by_name_or_path(tmp_path, monkeypatch):
    path = tmp_path / "try.safetensors"
    checksum = write_checkpoint(path, net().state_dict(), CARD)
    assert hub.weights_of(str(path)).card.name == "try"
    monkeypatch.setattr(hub, "shipped", lambda: {"try": hub.Shipped("try", path, checksum)})
    assert hub.weights_of("try").checksum == checksum
    with pytest.raises(UnknownName, match="no weights of this name: got 'trie'; allowed: try, a path"):
        hub.weights_of("trie")
    monkeypatch.setattr(hub, "shipped", lambda: {"try": hub.Shipped("try", path, "sha256:0")})
    with pytest.raises(DataError, match="checksum differs"):
        hub.weights_of("try")


def test_what_ships_is_what_the_index_says():
    for name, one in hub.shipped().items():
        assert read_checkpoint(one.path, one.checksum).card.name == name


def test_devices_by_name():
    assert device_named("cpu").type == "cpu"
    assert device_named("auto").type in ("cpu", "cuda")
    with pytest.raises(UsageError, match="no such device: got 'gpu'; allowed: auto, cpu, cuda, cuda:N"):
        device_named("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(
            UsageError, match=r"no such GPU, or torch cannot use it: got 'cuda'.*--device cpu"
        ):
            device_named("cuda")
    assert precision_on(torch.device("cpu"), "float32") is None
    assert precision_on(torch.device("cpu"), "bfloat16") is torch.bfloat16
    assert out_of_memory(torch.OutOfMemoryError("x"))
    assert not out_of_memory(RuntimeError("something else"))


def test_an_option_that_is_not_known_is_told_as_it_is(tmp_path):
    write_checkpoint(tmp_path / "odd.safetensors", net().state_dict(), replace(CARD, options={"novel": 1}))
    odd = read_checkpoint(tmp_path / "odd.safetensors")
    with pytest.raises(
        DataError, match=r"odd.safetensors has options .*: no such option: got 'novel'; allowed: .*widths"
    ):
        made_by_card(DenseOptions.parse, odd)

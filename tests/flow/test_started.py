"""A finder that begins with an encoder: its way down is the encoder's, all else is fresh, and the card tells so."""

import numpy as np
import pytest
import torch
import yaml
from tests.flow.test_training import SKY
from torch.nn import functional

from skysift.base.errors import OptionError
from skysift.base.random import generator
from skysift.base.registry import Registry
from skysift.find.neural.inputs import CHANNELS, TOLD, channels
from skysift.flow.steps.train import train_products
from skysift.flow.training.recipe import read_recipe
from skysift.learn.checkpoint import read_checkpoint, write_checkpoint
from skysift.learn.embed import encoder_card
from skysift.learn.layers.blocks import SLOPE
from skysift.learn.layers.detector import shown
from skysift.learn.layers.encoder import make_encoder
from skysift.learn.options import EncoderOptions
from skysift.learn.scale import Preparation
from skysift.learn.start import begun_with

WIDTHS, DEPTHS = (8, 12, 16, 20, 24), (1, 0, 1, 1, 1)
MODELS = {
    "rcnn": ("pyramid", {"pyramid": 8, "hidden": 16}),
    "unet": ("body", {}),
    "yolo-dense": ("trunk", {}),
}


def encoder(folder, *, name="maps", **chosen):
    torch.manual_seed(5)
    options = EncoderOptions(**{"backbone": "detector", "widths": WIDTHS, "depths": DEPTHS, **chosen})
    net = make_encoder(options)
    with torch.no_grad():
        for each in net.parameters():
            each.add_(0.05 * torch.randn(each.shape))  # as if it had learnt
    preset = "noise" if options.backbone == "detector" else "asinh"
    card = encoder_card(name, "a try", options, 1, Preparation(preset, 32, 1), {"method": "simclr"}, {})
    write_checkpoint(folder / f"{name}.safetensors", net.state_dict(), card)
    return net.eval(), read_checkpoint(folder / f"{name}.safetensors")


def learner(model, **more):
    registry = Registry("model")
    given = {"widths": WIDTHS, "depths": DEPTHS, **MODELS.get(model, ("", {}))[1], **more}
    if model == "unet":
        given["depths"] = tuple(max(1, each) for each in given["depths"])
    return registry.load(model)(registry.options(model)(**given))


def noisy(side=64):
    z = generator(1, "noisy").standard_normal((side, side)).astype(np.float32)
    z[20:24, 30:34] += 40.0
    return z


def test_an_encoder_is_shown_what_finders_are_shown():
    z = noisy()
    z[:9, 50:] = np.nan
    seen = shown(torch.from_numpy(np.nan_to_num(z))[None, None])[0].numpy()
    np.testing.assert_allclose(seen, channels(z), rtol=1e-5, atol=1e-6)
    empty = shown(torch.zeros(1, 1, 8, 8))
    assert empty.shape == (1, CHANNELS, 8, 8)
    assert not empty.any()


@pytest.mark.parametrize("model", MODELS)
def test_the_way_down_of_a_finder_is_that_of_the_encoder(model, tmp_path):
    depths = tuple(max(1, each) for each in DEPTHS) if model == "unet" else DEPTHS
    taught, start = encoder(tmp_path, depths=depths)
    made = learner(model)
    weights, part = begun_with(made, start, random_seed=3)
    assert part == MODELS[model][0]
    net = made.net()
    net.load_state_dict(dict(weights))
    way = net.get_submodule(part).eval()
    z = noisy()
    with torch.no_grad():
        own = way.levels(torch.from_numpy(channels(z))[None], torch.zeros(1, TOLD))
        told = taught.levels(torch.from_numpy(z)[None, None])
    assert [each.shape[2] for each in own] == [32, 16, 8, 4, 2]
    for one, other in zip(own, told, strict=True):
        torch.testing.assert_close(functional.leaky_relu(one, SLOPE), other, rtol=1e-4, atol=1e-5)


def test_what_the_encoder_does_not_have_is_as_fresh_as_without_it(tmp_path):
    _, start = encoder(tmp_path)
    made = learner("rcnn")
    weights, _ = begun_with(made, start, random_seed=3)
    torch.manual_seed(3)
    fresh = made.net().state_dict()
    assert list(weights) == list(fresh)
    down = [name for name in fresh if name.split(".")[:2][-1] in ("stem", "down", "blocks")]
    assert {name.removeprefix("pyramid.") for name in down} == {
        name.removeprefix("trunk.") for name in start.tensors
    }
    for name, value in fresh.items():
        same = torch.equal(value, weights[name])
        assert same != (name in down), name


@pytest.mark.parametrize(
    ("model", "chosen", "told"),
    [
        (
            "rcnn",
            {"widths": (8, 12, 16), "depths": (1, 1, 1)},
            (
                r"another shape than the model rcnn: got 'widths \[8, 12, 16\], depths \[1, 1, 1\]'; "
                r"allowed: widths \[8, 12, 16, 20, 24\], depths \[1, 0, 1, 1, 1\]; .*encoder.widths"
            ),
        ),
        (
            "rcnn",
            {"backbone": "resnet", "widths": (24, 48, 64, 96, 128), "depths": (1, 2, 2, 2, 1)},
            r"cannot start a finder.*got 'backbone resnet'.*encoder.backbone=detector",
        ),
        ("yolo-grid", {}, r"no encoder can start the model yolo-grid.*rcnn"),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused(model, chosen, told, tmp_path):
    _, start = encoder(tmp_path, **chosen)
    with pytest.raises(OptionError, match=told):
        begun_with(learner(model), start, random_seed=1)


def test_a_training_begins_with_an_encoder_and_its_card_tells_so(tmp_path):
    _, start = encoder(tmp_path, widths=(8, 12), depths=(1, 1))
    recipe = {
        "name": "mini",
        "model": "yolo-dense",
        "options": {"widths": [8, 12], "depths": [1, 1]},
        "train": {"steps": 2, "batch": 2, "crop": 64, "validate_every": 1, "learning_rate": 1e-5},
        "fields": [{"simulator": "continuum", "number": 1, "validation": 1, "options": SKY}],
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    done = train_products(read_recipe(path), tmp_path / "out", device="cpu", threads=1, start=start)
    told = done.card.training
    assert (told["encoder"], told["started_part"], told["started_from"]) == ("maps", "trunk", start.checksum)
    assert (done.before, done.improved) == (None, None)  # a part alone cannot be judged
    after = read_checkpoint(tmp_path / "out" / "mini.safetensors")
    for name, value in start.tensors.items():
        assert (after.tensors[name] - value).abs().max() < 1e-3, name  # two short steps away
    other = {**recipe, "options": {"widths": [8, 16], "depths": [1, 1]}}
    path.write_text(yaml.safe_dump(other))
    with pytest.raises(OptionError, match="another shape"):
        train_products(read_recipe(path), tmp_path / "other", device="cpu", threads=1, start=start)
    assert not (tmp_path / "other" / "mini.safetensors").exists()

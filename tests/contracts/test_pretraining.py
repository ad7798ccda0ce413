"""What every method that learns without labels promises: its loss falls, features stay spread, it goes on and travels."""

import csv
import pickle
import re

import numpy as np
import pytest
import torch

from skysift.base.errors import OptionError, UsageError
from skysift.base.random import generator
from skysift.base.registry import Registry
from skysift.learn.layers.encoder import make_encoder
from skysift.learn.loop import LOG, train
from skysift.learn.options import EncoderOptions, SelectionOptions, ViewOptions
from skysift.learn.pictures import PictureSet
from skysift.learn.pretrain.method import Pretraining, encoder_weights, rank, spread
from skysift.learn.pretrain.options import PretrainOptions

NAMES = Registry("pretraining").names()
CPU = torch.device("cpu")
SMALL = {
    "hidden": 32,
    "out": 16,
    "prototypes": 16,
    "white": 24,
    "memory": 64,
    "momentum": 0.9,
    "teacher_temperature": 0.07,
    "decoder_dim": 16,
    "decoder_depth": 1,
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pictures(n=96, side=24):
    """Single, double and extended sources."""
    rng = generator(1, "pictures")
    y, x = np.mgrid[:side, :side] - side / 2
    made = np.zeros((n, 1, side, side), np.float32)
    for k in range(n):
        apart, wide = (rng.uniform(0.0, 6.0) if k % 2 else 0.0), rng.uniform(1.0, 3.0 if k % 3 else 6.0)
        for sign in (-1, 1):
            made[k, 0] += np.exp(-((x - sign * apart) ** 2 + y**2) / 2 / wide**2)
    return PictureSet(made / made.max(axis=(2, 3), keepdims=True), {"rms": np.full((n, 1), 0.02, np.float32)})


def learner(name, **more):
    registry = Registry("pretraining")
    fields = registry.options(name).model_fields
    options = registry.options(name)(**{key: value for key, value in SMALL.items() if key in fields})
    vit = EncoderOptions(backbone="vit", dim=32, depth=2, heads=2, patch=6)
    encoder = vit if name == "mae" else EncoderOptions(width=8, blocks=(1, 1))
    return registry.load(name)(options, encoder, ViewOptions(**more), 1)


def how(epochs=20, **more):
    given = {"epochs": epochs, "batch": 48, "learning_rate": 3e-3, "average": 0.8, "precision": "float32"}
    return PretrainOptions(**{**given, **more}).loop(96)


def logged(folder):
    with (folder / LOG).open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("name", NAMES)
def test_its_loss_falls_and_its_features_do_not_collapse(name, tmp_path):
    made = train(learner(name), pictures(), how(), tmp_path, device=CPU)
    rows = logged(tmp_path)
    losses = [sum(float(value) for key, value in row.items() if key.startswith("loss_")) for row in rows]
    assert np.mean(losses[-2:]) < losses[0]
    assert made.step == made.steps  # the last is kept
    assert made.numbers["spread"] > 0.01
    assert made.numbers["rank"] > 1.02  # two numbers tell all of these pictures
    encoder = make_encoder(learner(name).encoder)
    encoder.load_state_dict(encoder_weights(made.weights))


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_on_where_it_was_broken_off(name, tmp_path):
    whole = train(learner(name), pictures(), how(2, checks=2), tmp_path / "a", device=CPU)
    state = tmp_path / "b"

    class Broken(Exception):
        pass

    def progress(stage, done, total):
        if done == 3:
            raise Broken

    with pytest.raises(Broken):
        train(learner(name), pictures(), how(2, checks=2), state, device=CPU, progress=progress)
    again = train(learner(name), pictures(), how(2, checks=2), state, device=CPU)
    for key, value in encoder_weights(whole.weights).items():
        torch.testing.assert_close(encoder_weights(again.weights)[key], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [each for each in NAMES if each not in ("mae", "all4one")])
def test_smaller_views_are_learnt_too(name, tmp_path):
    made = train(learner(name, local=2, local_size=12), pictures(), how(1), tmp_path, device=CPU)
    assert np.isfinite(made.numbers["spread"])


@pytest.mark.parametrize("name", NAMES)
def test_it_travels(name):
    one = learner(name)
    again = pickle.loads(pickle.dumps(one))
    assert isinstance(again, Pretraining)
    assert (again.name, again.options, again.encoder) == (name, one.options, one.encoder)


def test_a_collapse_is_seen():
    rng = generator(1, "collapse")
    apart, same = rng.standard_normal((200, 8)), np.ones((200, 8)) + 1e-4 * rng.standard_normal((200, 8))
    assert spread(apart) == pytest.approx(1.0, abs=0.05)
    assert spread(same) < 1e-3
    assert rank(apart) == pytest.approx(8.0, abs=0.5)
    assert rank(apart[:, :1] * np.ones((1, 8))) == pytest.approx(1.0, abs=0.01)


def test_what_does_not_fit_is_told():
    with pytest.raises(OptionError, match=r"mae leaves patches out.*backbone=resnet.*allowed: vit"):
        Registry("pretraining").make("mae").net()
    with pytest.raises(OptionError, match=r"white is too small.*white=64, out=64"):
        Registry("pretraining").make("wmse", white=64).net()
    with pytest.raises(OptionError, match=r"out is a multiple of heads"):
        Registry("pretraining").make("all4one", out=30).net()


@pytest.mark.parametrize(
    ("accumulate", "told"),
    [
        (1, r" \(train.batch=256\): got 96; allowed: 256 or more; give --set train.batch=32, or more"),
        (
            8,
            r" \(train.batch=256, train.accumulate=8\): got 96; allowed: 2048 or more; give --set train.batch=4, or",
        ),
        (64, r".*give more pictures"),
    ],
)
def test_a_batch_that_pictures_do_not_fill_is_told_with_one_that_they_do(accumulate, told):
    learner, how = Registry("pretraining").make("simclr"), PretrainOptions().loop(96)
    how = how.model_copy(update={"accumulate": accumulate})
    with pytest.raises(UsageError, match=f"fewer pictures than a batch has{told}"):
        learner.feed(pictures(), how, None)
    if accumulate < 64:
        mended = int(told.rpartition("batch=")[2].partition(",")[0])
        learner.feed(pictures(), how.model_copy(update={"batch": mended}), None)


@pytest.mark.parametrize("accumulate", [1, 8, 24])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_told_where_there_are_few_pictures_is_taken(name, accumulate):
    registry, how = Registry("pretraining"), PretrainOptions().loop(96)
    how = how.model_copy(update={"accumulate": accumulate})
    encoder = learner(name).encoder
    with pytest.raises(UsageError) as told:
        registry.load(name)(registry.options(name)(), encoder).feed(pictures(), how, None)
    given = dict(re.findall(r"--set (\S+)=(\d+)", str(told.value)))
    mended = how.model_copy(update={"batch": int(given.pop("train.batch"))})
    made = registry.load(name)(registry.options(name).parse(given), encoder)
    batch = made.numbered(made.feed(pictures(), mended, None).at(0)[: mended.batch], 0, 1)
    assert all(torch.isfinite(each) for each in made.loss(made.net(), batch).values())


def test_fewer_pictures_than_can_be_made_white_are_told_alone():
    how = PretrainOptions().loop(96).model_copy(update={"accumulate": 32})
    with pytest.raises(UsageError, match=r"allowed: 8192 or more; give more pictures$"):
        Registry("pretraining").make("wmse").feed(pictures(), how, None)


@pytest.mark.parametrize(("white", "told"), [(96, "train.batch=96, or"), (72, "train.batch=72, or")])
def test_white_stays_where_there_are_as_many_pictures(white, told):
    registry = Registry("pretraining")
    made = registry.load("wmse")(registry.options("wmse")(white=white))
    with pytest.raises(UsageError, match=f"give --set {told} more pictures"):
        made.feed(pictures(), PretrainOptions().loop(96), None)


@pytest.mark.parametrize("name", ["mae", "all4one"])
def test_parts_are_refused_where_nothing_looks_at_them(name):
    with pytest.raises(OptionError, match=r"views\.local does nothing"):
        learner(name, local=2)


def test_batches_that_cannot_be_made_white_are_refused(tmp_path):
    with pytest.raises(OptionError, match="batch is smaller than white"):
        train(learner("wmse"), pictures(), how(1, batch=16), tmp_path, device=CPU)


def test_mae_always_leaves_something_out():
    load, options = Registry("pretraining").load("mae"), Registry("pretraining").options("mae")
    with pytest.raises(OptionError, match="multiple of 4"):
        options.parse({"decoder_dim": 10})
    for side, left_out in ((24, 0.01), (8, 0.75)):
        vit = EncoderOptions(backbone="vit", dim=32, depth=2, heads=2, patch=6)
        made = load(options(left_out=left_out, decoder_dim=16), vit, ViewOptions(), 1)
        data = pictures(8, side)
        feed = made.feed(data, how(1, batch=8), SelectionOptions())
        batch = made.numbered(feed.at(0), 0, 1)
        if side == 24:
            assert float(made.loss(made.net(), batch)["distance"].detach()) > 0.0
        else:
            with pytest.raises(OptionError, match="too few patches"):
                made.loss(made.net(), batch)

"""The loop: it learns, goes on where it was broken off, stops at what is no number, and halves what does not fit."""

import csv

import numpy as np
import pytest
import torch
from tests.fields import made_field
from torch import nn

from skysift.base.errors import DataError, UsageError
from skysift.base.options import Options
from skysift.learn.detector import FieldLearner
from skysift.learn.loop import LOG, STATE, train
from skysift.learn.optim import Average, make_optimizer, rate
from skysift.learn.options import TrainOptions
from skysift.sky.detections import Detections

CPU = torch.device("cpu")
FIELDS = [made_field(0, 64), made_field(1, 64, held=True)]


class Mean(FieldLearner[Options]):
    """A model with one weight that is to become the mean of what it sees, plus one."""

    name = "mean"

    def __init__(self, spoil=None, memory=None):
        super().__init__(Options())
        self.spoil, self.memory, self.seen = spoil, memory, []

    def net(self):
        return nn.Conv2d(1, 1, 1)

    def batch(self, crops):
        return {"image": torch.from_numpy(np.stack([crop.pixels for crop in crops])[:, None])}

    def loss(self, net, batch):
        self.seen.append(len(batch["image"]))
        if self.memory is not None and len(batch["image"]) > self.memory:
            raise torch.OutOfMemoryError("no more")
        wrong = (net(batch["image"]) - batch["image"] - 1.0).square().mean()
        return {"square": wrong * (float("nan") if len(self.seen) == self.spoil else 1.0)}

    def look(self, net, field, device):
        return Detections.empty()

    def validate(self, net, fields, device):
        return {
            "score": -float(
                (net.weight.detach() - 1.0).square().sum() + (net.bias.detach() - 1.0).square().sum()
            )
        }


def options(**chosen):
    usual = {"steps": 20, "batch": 4, "crop": 32, "validate_every": 5, "learning_rate": 0.05, "average": 0.5}
    return TrainOptions(**{**usual, **chosen})


def logged(folder):
    with (folder / LOG).open(newline="") as lines:
        return list(csv.DictReader(lines))


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_it_learns_and_keeps_the_best(tmp_path):
    made = train(Mean(), FIELDS, options(steps=120, validate_every=20), tmp_path, device=CPU)
    assert made.numbers["score"] > -0.05
    assert (made.steps, made.stopped) == (120, "")
    rows = logged(tmp_path)
    assert [int(row["step"]) for row in rows] == list(range(20, 121, 20))
    assert float(rows[-1]["loss_square"]) < 0.1 * float(rows[0]["loss_square"])
    assert float(rows[made.step // 20 - 1]["score"]) == pytest.approx(
        made.numbers["score"], rel=1e-3, abs=1e-6
    )


def test_a_training_that_was_broken_off_goes_on_to_the_same_weights(tmp_path):
    whole = train(Mean(), FIELDS, options(), tmp_path / "whole", device=CPU, key="k")
    with pytest.raises(DataError, match="the loss is not a number at step 13"):
        train(Mean(spoil=13), FIELDS, options(), tmp_path / "broken", device=CPU, key="k")
    again = train(Mean(), FIELDS, options(), tmp_path / "broken", device=CPU, key="k")
    assert same(whole.weights, again.weights)
    assert (again.step, again.steps) == (whole.step, 20)
    whole_rows, rows = logged(tmp_path / "whole"), logged(tmp_path / "broken")
    assert [row["score"] for row in whole_rows] == [row["score"] for row in rows]


def test_the_state_of_another_training_is_refused(tmp_path):
    train(Mean(), FIELDS, options(steps=5), tmp_path, device=CPU, key="one")
    with pytest.raises(UsageError, match=r"holds another training.*--fresh"):
        train(Mean(), FIELDS, options(steps=5), tmp_path, device=CPU, key="two")


def test_a_loss_that_is_no_number_leaves_the_last_good_weights(tmp_path):
    with pytest.raises(
        DataError, match=r"not a number at step 8: got .square nan.; .*lower learning_rate.*--start"
    ):
        train(Mean(spoil=8), FIELDS, options(), tmp_path, device=CPU)
    stored = torch.load(tmp_path / STATE, weights_only=True)
    assert stored["step"] == 5
    assert all(torch.isfinite(value).all() for value in stored["net"].values())


def test_batches_that_memory_does_not_suffice_for_are_run_in_parts(tmp_path):
    small = Mean(memory=1)
    made = train(small, FIELDS, options(steps=5), tmp_path / "small", device=CPU)
    assert max(small.seen[-5:]) == 1
    whole = train(Mean(), FIELDS, options(steps=5, precision="float32"), tmp_path / "whole", device=CPU)
    for name, value in made.weights.items():
        assert torch.allclose(value, whole.weights[name], atol=2e-2)
    with pytest.raises(torch.OutOfMemoryError):
        train(Mean(memory=0), FIELDS, options(steps=1), tmp_path / "none", device=CPU)


def test_accumulated_batches_are_one_step(tmp_path):
    parts = Mean()
    a = train(parts, FIELDS, options(batch=2, accumulate=2, precision="float32"), tmp_path / "a", device=CPU)
    b = train(Mean(), FIELDS, options(precision="float32"), tmp_path / "b", device=CPU)
    assert set(parts.seen) == {2}
    for name, value in a.weights.items():
        assert torch.allclose(value, b.weights[name], atol=1e-5)


def test_patience_ends_a_training(tmp_path):
    class Worse(Mean):
        def validate(self, net, fields, device):
            self.n = getattr(self, "n", 0) + 1
            return {"score": -self.n}

    made = train(Worse(), FIELDS, options(steps=100, patience=3), tmp_path, device=CPU)
    assert (made.step, made.steps) == (5, 20)
    assert made.stopped == "no better score in 3 validations"


def test_a_training_that_patience_ended_ends_again(tmp_path):
    class Worse(Mean):
        def validate(self, net, fields, device):
            return {"score": -float(net.weight.sum() ** 2) - 1.0}

    first = train(Worse(), FIELDS, options(steps=100, patience=1), tmp_path, device=CPU)
    again = train(Worse(), FIELDS, options(steps=100, patience=1), tmp_path, device=CPU)
    assert first.stopped == again.stopped != ""
    assert (first.step, first.steps) == (again.step, again.steps)
    assert same(first.weights, again.weights)


def test_rows_that_came_after_the_state_was_kept_are_not_told_twice(tmp_path):
    train(Mean(), FIELDS, options(steps=10), tmp_path, device=CPU)
    with (tmp_path / LOG).open("a") as out:
        out.write("15,99,0,0,0\n")
    train(Mean(), FIELDS, options(steps=20), tmp_path, device=CPU)
    rows = logged(tmp_path)
    assert [int(row["step"]) for row in rows] == [5, 10, 15, 20]
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)


def test_the_learning_rate_rises_and_falls():
    menu = options(steps=1000, learning_rate=0.1, warmup=0.1, last_rate=0.01)
    rates = [rate(step, menu) for step in range(1000)]
    assert rates[0] == pytest.approx(0.001)
    assert max(rates) == pytest.approx(0.1)
    assert rates.index(max(rates)) == pytest.approx(100, abs=1)
    assert rates[550] == pytest.approx(0.1 * (0.01 + 0.99 * 0.5), rel=0.01)
    assert rates[-1] == pytest.approx(0.001, rel=0.01)


def test_biases_do_not_decay_and_the_average_follows():
    net = nn.Conv2d(1, 1, 1)
    groups = make_optimizer(net, options(weight_decay=0.1)).param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert groups[1]["params"][0] is net.bias
    average = Average(net, 0.9)
    before = average.values["bias"].clone()
    with torch.no_grad():
        net.bias.add_(1.0)
    average.update(net, 1000)
    assert average.values["bias"] == pytest.approx(before + 0.1, abs=1e-6)


def test_no_option_of_the_loop_is_out_of_bounds():
    with pytest.raises(UsageError, match="crop is a multiple of 32 pixels, not 100"):
        TrainOptions(crop=100)
    with pytest.raises(UsageError, match="learning_rate"):
        TrainOptions(learning_rate=0.0)

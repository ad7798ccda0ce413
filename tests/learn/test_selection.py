"""Labels below the limits are ignored or as if nothing were there; those that are found all the same are put back."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.fields import made_field
from torch import nn

from skysift.base.errors import DataError, OptionError, UsageError
from skysift.base.options import Options
from skysift.find.neural.detr.model import DetrLearner
from skysift.find.neural.rcnn.model import RcnnLearner
from skysift.find.neural.unet.unet import UnetLearner
from skysift.find.neural.yolo.dense import DenseLearner
from skysift.find.neural.yolo.options import DenseOptions
from skysift.learn.checkpoint import load_into, read_checkpoint
from skysift.learn.detector import FieldLearner
from skysift.learn.loop import train
from skysift.learn.options import SelectionOptions, TrainOptions
from skysift.learn.putback import found_again, matched
from skysift.learn.samples import cut, label_table
from skysift.learn.selection import selected, unselected
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES

CPU = torch.device("cpu")


def detections(x, y, scores=None, **raw):
    n = len(x)
    boxes = np.tile([0, 1, 0, 1], (n, 1))
    values = {"x": np.asarray(x, float), "y": np.asarray(y, float)}
    return Detections(
        boxes, np.ones(n) if scores is None else np.asarray(scores, float), raw={**values, **raw}
    )


class Counts(FieldLearner[Options]):
    """A model whose weight becomes the number of labels that it is to learn; it finds every second label."""

    name = "counts"

    def __init__(self, spoil=None):
        super().__init__(Options())
        self.spoil, self.step, self.seen = spoil, 0, []

    def net(self):
        return nn.Linear(1, 1, bias=False)

    def batch(self, crops):
        told = [float((crop.labels[:, 9] > 0.0).sum()) for crop in crops]
        return {"learnt": torch.tensor(told)[:, None]}

    def loss(self, net, batch):
        self.step += 1
        self.seen.append(float(batch["learnt"].mean()))
        wrong = (net(torch.ones(len(batch["learnt"]), 1)) - batch["learnt"]).square().mean()
        return {"square": wrong * (float("nan") if self.step == self.spoil else 1.0)}

    def look(self, net, field, device):
        assert field.held is None
        raw = field.labels.raw
        return detections(raw["x"][::2], raw["y"][::2], np.full(len(raw["x"][::2]), 0.8))

    def validate(self, net, fields, device):
        return {"score": float(net.weight.detach())}


def test_labels_below_the_limits_are_ignored_or_not_there():
    field = made_field(1)
    peak, flux = field.labels["snr_peak"], field.labels["snr_int"]
    options = SelectionOptions(peak=20.0, flux=60.0)
    low = unselected(field, options)
    assert np.array_equal(low, (peak < 20.0) | (flux < 60.0))
    assert 0 < low.sum() < len(low)
    ignored = selected(field, options)
    assert np.array_equal(ignored.labels["use"], np.where(low, 0.0, 1.0))
    assert np.array_equal(ignored.labels["x"], field.labels["x"])
    negative = selected(field, SelectionOptions(peak=20.0, flux=60.0, below="negative"))
    assert np.array_equal(negative.labels["x"], field.labels["x"][~low])
    back = np.flatnonzero(low)[:3]
    assert selected(field, options, back).labels["use"][back].tolist() == [1.0, 1.0, 1.0]
    assert selected(field, SelectionOptions()) is field
    raw = {**field.labels.raw, "snr_peak": np.where(np.arange(len(peak)) % 5, peak, -3.0)}
    labels = field.labels
    some = replace(field, labels=Detections(labels.boxes, labels.scores, labels.footprints, raw))
    assert (
        selected(some, SelectionOptions()) is some
    )  # no limit leaves nothing out, however faint or negative
    assert not unselected(some, SelectionOptions(flux=1e-3)).any()


@pytest.mark.parametrize(("below", "wanted"), [("ignored", -1), ("negative", 0)])
def test_a_network_is_not_punished_for_what_is_ignored(below, wanted):
    field = made_field(2)
    peak = np.asarray(field.labels["snr_peak"])
    chosen = selected(field, SelectionOptions(peak=float(np.median(peak)), below=below))
    learner = DenseLearner(DenseOptions(widths=(8,), depths=(1,)))
    near = learner.batch([cut(chosen, Box(0, 192, 0, 192), label_table(chosen))])["near"][0].numpy()
    x, y = (np.floor((field.labels[name] + 0.5) / 2).astype(int) for name in ("x", "y"))
    far = np.hypot(*(field.labels[name][:, None] - field.labels[name] for name in ("x", "y")))
    np.fill_diagonal(far, np.inf)
    alone = (far.min(axis=1) > 14.0) & (x > 4) & (y > 4) & (x < 91) & (y < 91)
    faint = peak < np.median(peak)
    assert (alone & faint).any()
    assert (near[y[alone & faint], x[alone & faint]] == wanted).all()
    assert (near[y[alone & ~faint], x[alone & ~faint]] == 1).all()


def test_what_is_found_goes_to_labels_above_the_limits_first_then_to_the_brightest():
    labels = detections(
        [10.0, 11.0, 30.0, 31.0, 50.0], [10.0] * 5, snr_int=np.array([90.0, 5.0, 4.0, 6.0, 7.0])
    )
    low = np.array([False, True, True, True, True])
    found = detections([10.4, 30.4, 53.0], [10.0, 10.0, 10.0])
    assert matched(labels, low, ~low, found, 2.0).tolist() == [3]
    assert matched(labels, low, ~low, detections([49.0, 51.0], [10.0, 10.0]), 2.0).tolist() == [4]
    assert matched(labels, low, ~low, detections([], []), 2.0).size == 0
    nobody = np.zeros(5, bool)  # what is too faint to be learnt does not hide what it is near to
    assert matched(labels, low, nobody, detections([10.4], [10.0]), 2.0).tolist() == [1]
    assert matched(labels, low, ~low, detections([10.4], [10.0]), 2.0).size == 0
    assert matched(labels, np.ones(5, bool), np.zeros(5, bool), found, 2.0).tolist() == [0, 3]


def test_artefacts_and_what_has_no_place_put_nothing_back():
    spurious, compact = float(CLASSES.index("spurious")), float(CLASSES.index("compact"))
    labels = detections(
        [10.0, 30.0, 50.0, np.nan, 70.0], [10.0] * 5, snr_int=np.full(5, 9.0),
        **{"class": np.array([compact, spurious, compact, compact, compact])},
    )  # fmt: skip
    low = np.array([True, True, True, True, False])
    found = detections(
        [10.0, 30.0, 50.0, np.nan], [10.0] * 4, **{"class": np.array([spurious, spurious, compact, compact])}
    )
    assert matched(labels, low, ~low, found, 2.0).tolist() == [1, 2]
    nowhere = np.array([False, False, False, True, False])
    assert matched(labels, low & ~nowhere, nowhere, found, 2.0).tolist() == [1, 2]
    assert matched(labels, nowhere, ~nowhere, found, 2.0).size == 0


def test_what_a_model_does_not_tell_cannot_be_put_back(tmp_path):
    low = SelectionOptions(peak=30.0, put_back=0.1)
    learner = DenseLearner(DenseOptions(widths=(8,), depths=(1,)))
    with pytest.raises(
        UsageError, match=r"put_back is too low for this model: got 0.1; allowed: 0.15 or more"
    ):
        train(learner, fields(), HOW, tmp_path / "low", device=CPU, selection=low)
    assert not (tmp_path / "low").exists()
    assert learner.least == 0.15
    assert UnetLearner.least == RcnnLearner.least == DetrLearner.least == 0.3


def test_a_trained_network_puts_faint_labels_back(weights):
    read = read_checkpoint(weights)
    learner = DenseLearner(DenseOptions.parse(read.card.options))
    net = learner.net()
    load_into(net, read)
    field = made_field(200)
    options = SelectionOptions(peak=25.0, put_back=0.8)
    low = unselected(field, options)
    (rows,) = found_again(learner, net.eval(), [field], options, CPU)
    assert low[rows].all()
    assert len(rows) > 0.6 * (low & (field.labels["snr_peak"] > 10.0)).sum()
    (none,) = found_again(learner, net, [field], SelectionOptions(peak=25.0, put_back=0.9999), CPU)
    assert len(none) < len(rows)


def fields():
    held = made_field(1, 96)
    return [made_field(0, 96), type(held)(held.name, held.pixels, held.labels, held.beam, Box(64, 96, 0, 96))]


HOW = TrainOptions(steps=20, batch=4, crop=64, validate_every=5, learning_rate=0.05, average=0.5)
LIMITS = SelectionOptions(peak=30.0, put_back=0.7, put_back_after=0.6)


def test_labels_are_put_back_on_the_way_and_a_broken_training_goes_on_the_same(tmp_path):
    whole_learner = Counts()
    whole = train(whole_learner, fields(), HOW, tmp_path / "whole", device=CPU, selection=LIMITS)
    wanted = 0
    for one in fields():
        low = unselected(one, LIMITS)
        low[1::2] = False
        if one.held is not None:
            low &= ~one.held.contains(one.labels["x"], one.labels["y"])
        wanted += int(low.sum())
    assert 0 < whole.put_back <= wanted
    assert whole.put_back > 0.5 * wanted  # finds within half a beam of a bright label are that one
    assert np.mean(whole_learner.seen[12:]) > np.mean(whole_learner.seen[:12]) + 0.5
    for step in (9, 14, 19):  # before they were put back, after, and after a state that knows of it
        folder = tmp_path / f"broken-{step}"
        with pytest.raises(DataError):
            train(Counts(spoil=step), fields(), HOW, folder, device=CPU, selection=LIMITS)
        again = train(Counts(), fields(), HOW, folder, device=CPU, selection=LIMITS)
        assert again.put_back == whole.put_back
        assert all(torch.equal(whole.weights[name], again.weights[name]) for name in whole.weights)


def test_without_limits_nothing_changes(tmp_path):
    plain = train(Counts(), fields(), HOW, tmp_path / "plain", device=CPU)
    same = train(Counts(), fields(), HOW, tmp_path / "same", device=CPU, selection=SelectionOptions())
    assert plain.put_back is same.put_back is None
    assert torch.equal(plain.weights["weight"], same.weights["weight"])


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"put_back": 0.8}, "put_back does nothing without a limit"),
        ({"below": "negative"}, "below does nothing without a limit"),
        ({"peak": 3, "put_back_after": 0.3}, "put_back_after does nothing without put_back"),
        ({"peak": 3, "put_back": 1.0}, "put_back"),
        ({"below": "gone", "peak": 3}, "ignored"),
    ],
)
def test_options_that_would_do_nothing_are_refused(told, match):
    with pytest.raises(OptionError, match=match):
        SelectionOptions.parse(told)

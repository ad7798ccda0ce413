"""The grid head: its targets, its loss against a slow twin, what its answers mean, and that it can learn a batch."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests import skies
from tests.fields import made_field, overfit_grid
from tests.find.neural.objects import Answers

from skysift.base.errors import OptionError
from skysift.find.neural.found import without_doubles
from skysift.find.neural.shapes import beam_width
from skysift.find.neural.yolo.grid import SURE, GridLearner
from skysift.find.neural.yolo.gridlook import GridDetector, near_peaks
from skysift.find.neural.yolo.gridnet import MAPS, boxes_of, parts_of
from skysift.find.neural.yolo.options import GridOptions
from skysift.find.neural.yolo.sources import sky_boxes
from skysift.learn.loop import train
from skysift.learn.options import TrainOptions
from skysift.learn.samples import Crop, cut, label_table, turned
from skysift.sky.box import Box

OPTIONS = GridOptions(widths=(8, 8, 12), depths=(1, 1, 1), faintest=4.0, described=-0.5)
K = len(OPTIONS.priors)
N_PARTS, SOURCE, OBJECT, MEAN, SCALE, CLASS = (
    len(MAPS), MAPS.source, MAPS.objectness, MAPS.mean, MAPS.scale, MAPS.kind,
)  # fmt: skip


def crop_of(seed, size=64):
    field = made_field(seed, size, density=1.5)
    return cut(field, Box(0, size, 0, size), label_table(field))


# -- targets


def test_boxes_are_twice_the_source_but_never_less_than_twice_the_beam():
    beam = skies.covariance(4.0, 4.0, 0.0)
    told = np.array([beam[0, 0], beam[0, 1], beam[1, 1]])
    rows = np.zeros((4, 10))
    rows[:, :2] = (10.0, 20.0)
    for row, shape in zip(rows[1:], ((12.0, 6.0, 0.0), (12.0, 1.0, 90.0), (500.0, 400.0, 0.0)), strict=True):
        c = skies.covariance(*shape)
        row[2:5] = c[0, 0], c[0, 1], c[1, 1]
    boxes = sky_boxes(rows, told, np.full(2, 100.0))
    assert boxes[:, :2].tolist() == [[20.5, 10.5]] * 4
    assert boxes[0, 2:] == pytest.approx([8.0, 8.0])  # a point
    assert boxes[1, 2:] == pytest.approx([24.0, 12.0])  # long along y
    assert boxes[2, 2:] == pytest.approx([8.0, 24.0])  # long along x, thinner than the beam
    assert boxes[3, 2:].tolist() == [100.0, 100.0]


def test_boxes_turn_with_their_crop():
    crop = crop_of(1)
    for kind in range(8):
        other = turned(crop, kind)
        a, b = (sky_boxes(each.labels, each.beam, np.full(2, 60.0)) for each in (crop, other))
        for axis, flip in ((0, kind & 2), (1, kind & 1)):
            if flip:
                a[:, axis] = 64.0 - a[:, axis]
        assert b == pytest.approx(a[:, [1, 0, 3, 2]] if kind & 4 else a)


def test_chance_follows_from_seed_and_number():
    learner, crops = GridLearner(OPTIONS), [crop_of(1), crop_of(2)]
    one, again, next_, other = (
        learner.numbered(crops, number, seed) for number, seed in ((5, 1), (5, 1), (6, 1), (5, 2))
    )
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["draws"], next_["draws"])
    assert not torch.equal(one["draws"], other["draws"])
    few = GridLearner(OPTIONS.replace(early=6))
    assert [bool(few.numbered(crops, number, 1)["early"].all()) for number in range(5)] == [True] * 3 + [
        False
    ] * 2


# -- loss


def naive_loss(learner, answer, batch):
    """The terms by loops over boxes, given who answers for whom."""
    options = learner.options
    given = learner._given(*_boxes_and_batch(learner, answer, batch))
    terms = dict.fromkeys(("position", "size", "probability", "objectness", "shapes", "classes"), 0.0)
    parts = answer.detach().double().numpy().reshape(len(answer), K, N_PARTS, *answer.shape[2:])
    count = max(len(given.target), 1)

    def entropy(logit, wanted):
        p = 1.0 / (1.0 + math.exp(-logit))
        return -wanted * math.log(p) - (1.0 - wanted) * math.log(1.0 - p)

    for m in range(len(given.target)):
        n, j, i, k = (int(each[m]) for each in given.at)
        t, close, said = int(given.target[m]), float(given.close[m]), parts[n, k, :, j, i]
        target, prior = batch["boxes"][n, t].numpy(), batch["priors"][n, k].numpy()
        corner, place = 8.0 * np.array([j, i]), 1.0 / (1.0 + np.exp(-said[:2]))
        terms["position"] += 0.5 * ((place - (target[:2] - corner) / 8.0) ** 2).sum()
        growth = np.clip(np.log(target[2:] / prior), -1.2, 1.2)
        terms["size"] += 0.5 * ((1.2 * np.tanh(said[2:4] / 1.2) - growth) ** 2).sum()
        if close > options.believed:
            terms["probability"] += entropy(said[SOURCE], SURE)
            terms["objectness"] += entropy(said[OBJECT], min(max(0.5 + 0.5 * close, 1.0 - SURE), SURE))
        if close > options.described:
            centre = corner + 8.0 * place
            y, x = (min(int(each), 63) for each in centre)
            wanted = batch["values"][n, t].double().numpy()
            wanted[0] -= float(batch["peaks"][n, y, x])
            error = np.abs(np.concatenate([(centre - target[:2])[::-1] / 2.5, said[MEAN] - wanted]))
            scale = np.clip(said[SCALE], math.log(0.01), math.log(3.0))
            weight = batch["weights"][n, t].double().numpy()
            terms["shapes"] += ((error * np.exp(-scale) + scale) * weight).sum()
            logits = said[CLASS]
            terms["classes"] += math.log(np.exp(logits).sum()) - logits[int(batch["kind"][n, t])]
    for n, j, i, k in given.empty.nonzero().tolist():
        for name, part in (("probability", SOURCE), ("objectness", OBJECT)):
            terms[name] += options.empty[k] * entropy(parts[n, k, part, j, i], 1.0 - SURE)
    return {name: getattr(options, name) * value / count for name, value in terms.items()}


def _boxes_and_batch(learner, answer, batch):
    return boxes_of(parts_of(answer.detach()), batch["priors"], learner.options.cell), batch


def test_the_loss_is_that_of_loops():
    learner = GridLearner(OPTIONS)
    batch = learner.batch([crop_of(1), crop_of(2)])
    torch.manual_seed(3)
    answer = torch.randn(2, K * N_PARTS, 8, 8)
    terms = {name: value.detach() for name, value in learner.loss(Answers(answer), batch).items()}
    expected = naive_loss(learner, answer, batch)
    for name, value in terms.items():
        assert float(value) == pytest.approx(expected[name], rel=1e-4), name
        assert float(value) > 0 or name == "shapes"


def test_a_batch_without_sources_weighs_no_more_than_one_with_some():
    torch.manual_seed(3)
    learner = GridLearner(OPTIONS)
    net = learner.net()
    full = [crop_of(seed) for seed in range(4)]
    empty = [replace(each, labels=each.labels[:0], rows=each.rows[:0]) for each in full]
    with torch.no_grad():
        some, none = (learner.loss(net, learner.batch(crops * 20)) for crops in (full, empty))
    for name in ("probability", "objectness"):
        assert float(none[name]) < 4.0 * float(some[name]), name
    assert float(none["position"]) == float(none["shapes"]) == float(none["classes"]) == 0.0


def test_poor_boxes_learn_their_place_alone():
    """Where no DIoU reaches the limits of the cascade, neither objectness nor parameters have a gradient."""
    learner = GridLearner(OPTIONS.replace(believed=0.999, described=0.999, empty=(0.0,) * K))
    batch = learner.batch([crop_of(1)])
    net = Answers(torch.zeros(1, K * N_PARTS, 8, 8))
    sum(learner.loss(net, batch).values()).backward()
    slope = net.answer.grad.reshape(K, N_PARTS, 8, 8).abs().sum(dim=(0, 2, 3))
    assert (slope[:4] > 0).all()
    assert (slope[4:] == 0).all()


def test_what_is_not_to_be_learnt_is_neither_right_nor_wrong():
    crop = crop_of(1)
    learner = GridLearner(OPTIONS)
    hidden = crop.labels.copy()
    hidden[:, 9] = 0.0
    batch = learner.batch([Crop(crop.pixels, hidden, crop.rows, crop.beam)])
    boxes, _ = _boxes_and_batch(learner, torch.zeros(1, K * N_PARTS, 8, 8), batch)
    given = learner._given(boxes, batch)
    assert not len(given.target)
    bright = hidden[hidden[:, 5] >= 4.0]
    inside = bright[((bright[:, :2] > -0.5) & (bright[:, :2] < 63.5)).all(axis=1)]
    i, j = ((inside[:, axis] + 0.5).astype(int) // 8 for axis in (0, 1))
    assert not given.empty[0, j, i].any()
    assert given.empty.any()
    loss = learner.loss(Answers(torch.zeros(1, K * N_PARTS, 8, 8)), batch)
    assert all(torch.isfinite(value) for value in loss.values())


def test_blank_cells_are_neither_right_nor_wrong():
    crop = crop_of(1)
    pixels = crop.pixels.copy()
    pixels[:16] = np.nan
    learner = GridLearner(OPTIONS)
    batch = learner.batch([Crop(pixels, crop.labels[:0], crop.rows[:0], crop.beam)])
    boxes, _ = _boxes_and_batch(learner, torch.zeros(1, K * N_PARTS, 8, 8), batch)
    given = learner._given(boxes, batch)
    assert not given.empty[0, :2].any()
    assert given.empty[0, 2:].all()


# -- answers


def test_perfect_answers_give_the_labels_back():
    crop = crop_of(4)
    learner = GridLearner(OPTIONS)
    batch = learner.batch([crop])
    answer = torch.zeros(1, K, N_PARTS, 8, 8)
    answer[:, :, [SOURCE, OBJECT]] = -8.0
    boxes, _ = _boxes_and_batch(learner, answer.flatten(1, 2), batch)
    given = learner._given(boxes, batch)
    peaks = near_peaks(crop.pixels)
    for m in range(len(given.target)):
        _, j, i, k = (int(each[m]) for each in given.at)
        t = int(given.target[m])
        target, prior = batch["boxes"][0, t], batch["priors"][0, k]
        place = (target[:2] / 8.0 - torch.tensor([j, i])).clamp(1e-6, 1 - 1e-6)
        answer[0, k, :2, j, i] = torch.logit(place).float()
        answer[0, k, 2:4, j, i] = (
            1.2 * torch.atanh(torch.log(target[2:] / prior).clamp(-1.199, 1.199) / 1.2)
        ).float()
        answer[0, k, [SOURCE, OBJECT], j, i] = 8.0
        answer[0, k, MEAN, j, i] = batch["values"][0, t]
        y, x = (min(int(each), 63) for each in target[:2])
        answer[0, k, MEAN.start, j, i] -= float(peaks[y, x])
        answer[0, k, SCALE, j, i] = -3.0
        answer[0, k, CLASS.start + int(batch["kind"][0, t]), j, i] = 9.0
    found = GridDetector(OPTIONS).found(answer.flatten(1, 2)[0].numpy(), crop.pixels, crop.beam, 0.5)
    assert len(found) == len(given.target) > 5
    labels = crop.labels[np.unique(given.target.numpy())]
    width = beam_width(crop.beam)
    for row in labels:
        at = int(np.argmin(np.hypot(found["x"] - row[0], found["y"] - row[1])))
        assert (found["x"][at], found["y"][at]) == pytest.approx((row[0], row[1]), abs=1e-3)
        assert found["snr"][at] == pytest.approx(row[6], rel=1e-3)
        mean, half = 0.5 * (row[2] + row[4]), np.hypot(0.5 * (row[2] - row[4]), row[3])
        for name, value in (("major", mean + half), ("minor", max(mean - half, 0.0))):
            assert found[name][at] == pytest.approx(max(skies.FWHM * np.sqrt(value), 0.1 * width), rel=1e-3)
        if half > 0.1:
            assert found["cos"][at] == pytest.approx(0.5 * (row[2] - row[4]) / half, abs=1e-3)
            assert found["sin"][at] == pytest.approx(row[3] / half, abs=1e-3)
        assert found["class"][at] == row[8]
        assert found["class_score"][at] > 0.99


def test_boxes_that_are_doubted_score_low_and_those_on_no_data_are_not_told():
    answer = np.zeros((K, N_PARTS, 8, 8), np.float32)
    answer[:, [SOURCE, OBJECT]] = -9.0
    answer[0, [SOURCE, OBJECT], 2, 2] = 5.0
    z, beam = np.zeros((64, 64), np.float32), np.array([2.9, 0.0, 2.9])
    detector = GridDetector(OPTIONS)

    def found(z):
        return detector.found(answer.reshape(-1, 8, 8), z, beam, 0.5)

    assert (found(z)["x"].tolist(), found(z)["y"].tolist()) == ([19.5], [19.5])
    blank = z.copy()
    blank[16:24, 16:24] = np.nan
    assert not len(found(blank))
    answer[0, SOURCE, 2, 2] = -5.0
    assert not len(found(z))
    low = detector.found(answer.reshape(-1, 8, 8), z, beam, 0.0)
    assert len(low) == 64 * K
    assert low.scores.max() == pytest.approx(10.0 / (1 + math.exp(-5)) / (1 + math.exp(5)), rel=1e-5)


def test_doubles_are_one_and_what_lies_on_a_large_source_stays():
    answer = np.zeros((K, N_PARTS, 8, 8), np.float32)
    answer[:, [SOURCE, OBJECT]] = -9.0
    answer[:6, [SOURCE, OBJECT], 2, 2] = np.arange(6, dtype=np.float32)[:, None]
    answer[2, :2, 2, 2] = -4.0  # another place in the cell
    answer[8, [SOURCE, OBJECT], 2, 2] = 9.0
    answer[8, MEAN, 2, 2] = (3.0, math.log(10.0), math.log(9.0), 1.0, 0.0, 0.0)
    detector = GridDetector(OPTIONS)
    z, beam = np.zeros((64, 64), np.float32), np.array([1.1, 0.0, 1.1])
    found = detector.single(detector.found(answer.reshape(-1, 8, 8), z, beam, 0.4), beam)
    assert found.scores.tolist() == pytest.approx([1 / (1 + math.exp(-logit)) for logit in (9, 5, 2)])
    assert not len(detector.single(found.select(found.scores > 1.0), beam))


# -- learning


def test_it_learns_a_batch_by_heart():
    options, net, losses, crops = overfit_grid()
    assert losses[-1] < 0.3 * losses[0]
    detector, ratios = GridDetector(options.replace(near=0.5)), []
    for crop in crops:
        given = detector.inputs(crop.pixels, crop.beam)
        with torch.no_grad():
            answer = net(*(torch.from_numpy(each) for each in given.values()))[0].numpy()
        found = detector.found(answer, crop.pixels, crop.beam, 0.5)
        found = without_doubles(detector.single(found, crop.beam))
        inside = (np.abs(crop.labels[:, :2] - 31.5) < 32.0).all(axis=1)
        rows = crop.labels[inside & (crop.labels[:, 5] >= options.faintest)]
        away = np.hypot(found["x"] - rows[:, :1], found["y"] - rows[:, 1:2])
        assert (away.min(axis=1) < 1.25).all()
        ratios += (found["snr"][away.argmin(axis=1)] / rows[:, 6]).tolist()
    assert len(ratios) > 20
    assert np.quantile(np.abs(np.log(ratios)), 0.7) < 0.1


def test_a_training_can_be_repeated(tmp_path):
    """Chance of crops and boxes follows from the seed; another seed is another training."""
    torch.set_num_threads(1)
    how = TrainOptions(steps=3, batch=2, crop=64, validate_every=3, precision="float32")
    fields = [made_field(0, 96, density=1.5), made_field(3, 64, held=True)]

    def weights(folder, options, seed):
        made = train(
            GridLearner(options),
            fields,
            how.replace(random_seed=seed),
            tmp_path / folder,
            device=torch.device("cpu"),
        )
        return torch.cat([each.ravel() for each in made.weights.values()])

    chance = OPTIONS.replace(early=4, random=0.5)
    one = weights("one", chance, 1)
    assert torch.isfinite(one).all()
    assert torch.equal(one, weights("again", chance, 1))
    assert not torch.equal(one, weights("other", chance, 2))
    assert not torch.equal(one, weights("later", chance.replace(early=0), 1))


# -- options


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"priors": [], "empty": []}, "1 or more"),
        ({"empty": [0.1]}, "same length"),
        ({"priors": [[1.0, 0.0]], "empty": [0.1]}, "above 0"),
        ({"priors": [[1.0, 1.0]], "empty": [-0.1]}, "0 or more"),
        ({"widths": [8, 8]}, "same length"),
        ({"good": 0.0}, "good"),
        ({"forced": 1.5}, "forced"),
        ({"described": 1.0}, "described"),
    ],
)
def test_options_that_cannot_be_are_refused(wrong, told):
    with pytest.raises(OptionError, match=told):
        GridOptions(**wrong)


def test_the_side_of_a_cell_is_the_last_stride():
    assert GridOptions().cell == 8
    assert GridOptions(widths=(8, 8, 8, 8), depths=(1, 1, 1, 1)).cell == 16
    assert GridOptions.parse(GridOptions().to_dict()) == GridOptions()

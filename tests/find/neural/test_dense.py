"""The dense head: its targets, its loss against a slow twin, what its answers mean, and that it can learn a crop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests import skies
from tests.fields import made_field
from torch.nn import functional

from skysift.base.errors import OptionError
from skysift.find.neural.found import without_doubles
from skysift.find.neural.inputs import TOLD
from skysift.find.neural.yolo.dense import DenseDetector, DenseLearner, local_peaks
from skysift.find.neural.yolo.options import DenseOptions
from skysift.learn.samples import cut, label_table
from skysift.sky.box import Box
from skysift.sky.truth import CLASSES

OPTIONS = DenseOptions(widths=(12, 16), depths=(1, 1), faintest=4.0)
N = 8


def crop_of(seed, size=64):
    field = made_field(seed, size)
    return cut(field, Box(0, size, 0, size), label_table(field))


def answers_of(batch, peaks):
    """What a perfect network would answer to a batch."""
    near, target, kind = batch["near"], batch["target"], batch["kind"]
    n, ny, nx = near.shape
    answer = torch.zeros(n, 1 + 2 * N + len(CLASSES), ny, nx)
    answer[:, 0] = torch.where(near == 1, 8.0, -8.0)
    answer[:, 1 : 1 + N] = target
    answer[:, 1 + N : 1 + 2 * N] = -3.0
    for k in range(len(CLASSES)):
        answer[:, 1 + 2 * N + k] = torch.where(kind == k, 6.0, -6.0)
    return answer


def test_perfect_answers_give_the_labels_back():
    crop = crop_of(3)
    learner = DenseLearner(OPTIONS)
    batch = learner.batch([crop])
    answer = answers_of(batch, local_peaks(crop.pixels))[0].numpy()
    found = without_doubles(DenseDetector(OPTIONS).found(answer, crop.pixels, crop.beam, 0.5))
    bright = crop.labels[(crop.labels[:, 5] >= 4.0)]
    inside = bright[(np.abs(bright[:, :2] - 31.5) < 31.0).all(axis=1)]
    for row in inside:
        away = np.hypot(found["x"] - row[0], found["y"] - row[1])
        at = int(np.argmin(away))
        if away[at] > 1e-3:  # another source of the same cells is nearer to all of them
            others = np.hypot(bright[:, 0] - row[0], bright[:, 1] - row[1])
            assert np.sort(others)[1] < 4.0
            continue
        assert found["snr"][at] == pytest.approx(row[6], rel=1e-3)
        mean, half = 0.5 * (row[2] + row[4]), np.hypot(0.5 * (row[2] - row[4]), row[3])
        floor = 0.1 * skies.FWHM * (crop.beam[0] * crop.beam[2] - crop.beam[1] ** 2) ** 0.25
        assert found["major"][at] == pytest.approx(max(skies.FWHM * np.sqrt(mean + half), floor), rel=1e-3)
        assert found["minor"][at] == pytest.approx(
            max(skies.FWHM * np.sqrt(max(mean - half, 0)), floor), rel=1e-2
        )
        if half > 1.0:
            assert found["cos"][at] == pytest.approx(0.5 * (row[2] - row[4]) / half, abs=1e-3)
            assert found["sin"][at] == pytest.approx(row[3] / half, abs=1e-3)
        assert CLASSES[int(found["class"][at])] == "compact"
        assert found["class_score"][at] > 0.99
    assert len(found) <= len(bright)


def test_the_loss_is_that_of_a_slow_twin():
    learner = DenseLearner(OPTIONS)
    batch = learner.batch([crop_of(1, 64), crop_of(2, 64)])
    drawn = np.random.default_rng(5).normal(size=(2, 1 + 2 * N + len(CLASSES), 32, 32))
    answer = torch.from_numpy(drawn.astype(np.float32))
    made = learner.loss(lambda image, told: answer, batch)
    near, count = batch["near"].numpy(), 0
    objectness = shapes = classes = 0.0
    for b in range(2):
        for j in range(32):
            for i in range(32):
                a = answer[b, :, j, i].double().numpy()
                state = near[b, j, i]
                if state < 0:
                    continue
                p = 1 / (1 + np.exp(-a[0]))
                objectness -= np.log(p) if state == 1 else np.log(1 - p)
                if state == 1:
                    count += 1
                    for k in range(N):
                        scale = np.clip(a[1 + N + k], np.log(0.01), np.log(3.0))
                        miss = abs(a[1 + k] - float(batch["target"][b, k, j, i]))
                        shapes += float(batch["weight"][b, k, j, i]) * (miss / np.exp(scale) + scale)
                    logits = a[1 + 2 * N :]
                    classes += np.log(np.exp(logits).sum()) - logits[int(batch["kind"][b, j, i])]
    assert count > 5
    assert float(made["objectness"]) == pytest.approx(objectness / count, rel=1e-4)
    assert float(made["shapes"]) == pytest.approx(OPTIONS.shapes * shapes / count, rel=1e-4)
    assert float(made["classes"]) == pytest.approx(OPTIONS.classes * classes / count, rel=1e-4)


def test_a_batch_without_sources_weighs_no_more_than_one_with_some():
    torch.manual_seed(3)
    learner = DenseLearner(OPTIONS)
    net = learner.net()
    full, empty = crop_of(6, 64), crop_of(6, 64)
    empty = replace(empty, labels=empty.labels[:0], rows=empty.rows[:0])
    with torch.no_grad():
        some, none = (learner.loss(net, learner.batch([each] * 4)) for each in (full, empty))
    assert float(none["objectness"]) < 2.0 * float(some["objectness"])
    assert float(none["shapes"]) == float(none["classes"]) == 0.0


def test_objects_that_are_not_to_be_learnt_are_neither_right_nor_wrong():
    crop = crop_of(4)
    near = DenseLearner(OPTIONS).batch([crop])["near"][0].numpy()
    bright = np.flatnonzero(crop.labels[:, 5] >= 4.0)
    at = bright[np.argmax(crop.labels[bright, 5])]
    j, i = (int((crop.labels[at, k] - 0.5) / 2 + 0.5) for k in (1, 0))
    assert near[j, i] == 1
    crop.labels[at, 9] = 0.0
    hidden = DenseLearner(OPTIONS).batch([crop])["near"][0].numpy()
    assert hidden[j, i] == -1
    assert (hidden == 1).sum() < (near == 1).sum()


def test_cells_without_data_are_neither_right_nor_wrong():
    crop = crop_of(4)
    crop.pixels[:20, :20] = np.nan
    near = DenseLearner(OPTIONS).batch([crop])["near"][0].numpy()
    assert not (near[:10, :10] == 0).any()


def test_it_learns_one_crop_by_heart():
    torch.set_num_threads(1)
    torch.manual_seed(2)
    crop = crop_of(6, 64)
    learner = DenseLearner(OPTIONS)
    net, batch = learner.net(), learner.batch([crop])
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    first = last = 0.0
    for step in range(150):
        optimizer.zero_grad()
        loss = torch.stack(list(learner.loss(net, batch).values())).sum()
        loss.backward()
        optimizer.step()
        first, last = (float(loss.detach()) if step == 0 else first), float(loss.detach())
    assert last < 0.2 * first
    with torch.no_grad():
        answer = net(batch["image"], batch["told"])[0].numpy()
    found = without_doubles(DenseDetector(OPTIONS).found(answer, crop.pixels, crop.beam, 0.5))
    bright = crop.labels[(crop.labels[:, 5] >= 4.0) & (np.abs(crop.labels[:, :2] - 31.5) < 31).all(axis=1)]
    away = np.hypot(found["x"][:, None] - bright[:, 0], found["y"][:, None] - bright[:, 1])
    assert (away.min(axis=0) < 1.5).mean() > 0.85
    assert (away.min(axis=1) < 1.5).mean() > 0.85


def test_a_network_looks_no_farther_than_the_margin_nearly():
    torch.manual_seed(1)
    detector = DenseDetector(DenseOptions())
    net = detector.net().eval()
    with torch.no_grad():
        for parameter in net.head.parameters():
            parameter.normal_(std=0.1)
        image = torch.randn(1, 4, 160, 160)
        told = torch.zeros(1, TOLD)
        other = image.clone()
        other[:, :, :, :8] = torch.randn(1, 4, 160, 8)
        change = (net(image, told) - net(other, told)).abs().amax(dim=(0, 1))
    assert change[:, 2].max() > 1e-3
    scale = functional.relu(net(image, told)).amax()
    assert change[:, (8 + detector.margin) // 2 :].max() < 1e-2 * scale


def test_options_out_of_bounds_are_told():
    with pytest.raises(OptionError, match="widths and depths have the same length"):
        DenseOptions(widths=(8, 16), depths=(1,))
    with pytest.raises(OptionError, match="ignored is not smaller than positive"):
        DenseOptions(positive=1.0, ignored=0.5)

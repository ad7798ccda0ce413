"""Parts of the model rcnn against slow twins: features of boxes, who answers for what, losses, drawn masks."""

import numpy as np
import pytest
import torch
from tests.find.neural.objects import crop_of

from skysift.base.errors import OptionError
from skysift.find.neural.rcnn.assign import iou, level_of, objects_of, places_of, whose
from skysift.find.neural.rcnn.decode import drawn
from skysift.find.neural.rcnn.loss import giou, mask_targets, middle_loss
from skysift.find.neural.rcnn.net import refined, within
from skysift.find.neural.rcnn.options import RcnnModelOptions
from skysift.find.neural.rcnn.roi import STRIDES, aligned, flattened, widened
from skysift.learn.samples import Crop
from skysift.sky.truth import CLASSES


def boxes_by_chance(rng, n, size=96.0):
    corner = rng.uniform(-4, size - 8, (n, 2))
    return np.concatenate([corner, corner + rng.uniform(2, 60, (n, 2))], axis=1).astype(np.float32)


def bilinear(plane, y, x):
    ny, nx = plane.shape
    y, x = min(max(y, 0.0), ny - 1.0), min(max(x, 0.0), nx - 1.0)
    a, b = int(np.floor(y)), int(np.floor(x))
    c, d = min(a + 1, ny - 1), min(b + 1, nx - 1)
    fy, fx = y - a, x - b
    return (plane[a, b] * (1 - fx) + plane[a, d] * fx) * (1 - fy) + (
        plane[c, b] * (1 - fx) + plane[c, d] * fx
    ) * fy


def test_features_of_boxes_are_those_of_a_slow_twin():
    rng = np.random.default_rng(3)
    levels = [
        torch.from_numpy(rng.normal(size=(2, 3, 128 // s, 96 // s)).astype(np.float32)) for s in STRIDES
    ]
    boxes = np.stack([boxes_by_chance(rng, 9), boxes_by_chance(rng, 9)])
    boxes[0, 0] = [-10.0, 3.0, 118.0, 9.0]  # longer than 14 cells of the two finest levels
    got = aligned(*flattened(levels), torch.from_numpy(boxes), 5).numpy()
    assert got.shape == (2, 9, 3, 5, 5)
    used = set()
    for n in range(2):
        for k in range(9):
            y0, x0, y1, x1 = boxes[n, k]
            level = 0
            while level < 3 and max(y1 - y0, x1 - x0) > 14 * STRIDES[level]:
                level += 1
            used.add(level)
            for c in range(3):
                for j in range(5):
                    for i in range(5):
                        y = (y0 + (j + 0.5) * (y1 - y0) / 5) / STRIDES[level] - 0.5
                        x = (x0 + (i + 0.5) * (x1 - x0) / 5) / STRIDES[level] - 0.5
                        wanted = bilinear(levels[level][n, c].numpy(), y, x)
                        assert got[n, k, c, j, i] == pytest.approx(wanted, abs=1e-4)
    assert used == {0, 1, 2}


def test_features_of_a_ramp_are_the_ramp_and_gradients_reach_it():
    ramp = torch.arange(32.0).repeat(32, 1)[None, None].requires_grad_()
    levels = [ramp, *(torch.zeros(1, 1, 32 // k, 32 // k) for k in (2, 4, 8))]
    box = torch.tensor([[[20.0, 24.0, 40.0, 64.0]]])
    made = aligned(*flattened(levels), box, 4)
    assert torch.allclose(made[0, 0, 0, 0], (24 + 10 * (torch.arange(4) + 0.5)) / 4 - 0.5)
    made.sum().backward()
    assert float(ramp.grad.sum()) == pytest.approx(16.0)


def area(box):
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def slow_iou(a, b):
    shared = area([max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])])
    return shared / (area(a) + area(b) - shared)


def test_overlaps_of_boxes_are_those_of_a_slow_twin():
    rng = np.random.default_rng(4)
    a, b = boxes_by_chance(rng, 12), boxes_by_chance(rng, 12)
    pairs = iou(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    own = giou(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    for i in range(12):
        for j in range(12):
            assert pairs[i, j] == pytest.approx(slow_iou(a[i], b[j]), abs=1e-5)
        around = [*np.minimum(a[i, :2], b[i, :2]), *np.maximum(a[i, 2:], b[i, 2:])]
        union = (
            area(a[i])
            + area(b[i])
            - slow_iou(a[i], b[i]) * (area(a[i]) + area(b[i])) / (1 + slow_iou(a[i], b[i]))
        )
        assert own[i] == pytest.approx(slow_iou(a[i], b[i]) - (area(around) - union) / area(around), abs=1e-4)
    assert giou(torch.from_numpy(a), torch.from_numpy(a)).numpy() == pytest.approx(1.0)


def test_who_answers_for_what_is_that_of_a_slow_twin():
    rng = np.random.default_rng(5)
    objects = boxes_by_chance(rng, 6)
    state = np.array([1, 1, 1, 0, 0, -1])
    near = objects[rng.integers(0, 6, 60)]
    boxes = np.concatenate([near + rng.normal(0, 4, near.shape).astype(np.float32), boxes_by_chance(rng, 40)])
    owner, what = whose(
        torch.from_numpy(boxes)[None], torch.from_numpy(objects)[None], torch.from_numpy(state)[None]
    )
    for k, box in enumerate(boxes):
        close = [slow_iou(box, objects[m]) if state[m] == 1 else -1.0 for m in range(6)]
        hidden = max(
            area([*np.maximum(box[:2], objects[m][:2]), *np.minimum(box[2:], objects[m][2:])])
            / max(area(box), 1e-9)
            for m in (3, 4)
        )
        wanted = 1 if max(close) >= 0.5 else -1 if max(close) >= 0.4 or hidden > 0.3 else 0
        assert int(what[0, k]) == wanted
        if wanted == 1:
            assert int(owner[0, k]) == int(np.argmax(close))
    assert set(what[0].tolist()) == {-1, 0, 1}


def test_the_loss_of_middles_is_that_of_a_slow_twin():
    rng = np.random.default_rng(6)
    logit, target = rng.normal(size=40), rng.uniform(0, 0.9, 40)
    target[[3, 17]] = 1.0
    counts = rng.random(40) > 0.2
    wanted = 0.0
    for x, t, c in zip(logit, target, counts, strict=True):
        p = 1 / (1 + np.exp(-x))
        wanted -= (1 - p) ** 2 * np.log(p) if t == 1.0 else c * (1 - t) ** 4 * p**2 * np.log(1 - p)
    got = middle_loss(*(torch.from_numpy(each.astype(np.float64)) for each in (logit, target, counts)))
    assert float(got) == pytest.approx(wanted / 2)


def test_a_batch_without_middles_weighs_no_more_than_one_with_some():
    crop = crop_of()
    target = torch.from_numpy(places_of(objects_of(crop, 4.0), crop.pixels.shape).middle)[None].expand(8, -1)
    logit = torch.full_like(target, -4.6)
    logit[:, ::100] = 0.0  # a few that err
    counts = torch.ones_like(target)
    some, none = middle_loss(logit, target, counts), middle_loss(logit, torch.zeros_like(target), counts)
    assert float(none) < 2.0 * float(some)


def test_what_reaches_into_a_crop_is_learnt_where_enough_of_it_is_seen():
    crop = crop_of()
    part = Crop(
        crop.pixels[:, 36:], crop.labels.copy(), crop.rows, crop.beam, np.ascontiguousarray(crop.mask[:, 36:])
    )
    part.labels[:, 0] -= 36.0  # the centre of the disc is beyond the crop
    objects = objects_of(part, 4.0)
    disc = list(objects.row).index(2)
    assert part.labels[2, 0] < -0.5
    assert objects.learnt[disc]
    y, x = np.nonzero(part.mask == 3)
    assert objects.boxes[disc].tolist() == [y.min(), x.min(), y.max() + 1, x.max() + 1]
    for change in ("faint", "compact", "narrow"):
        other = Crop(part.pixels.copy(), part.labels.copy(), part.rows, part.beam, part.mask.copy())
        if change == "faint":
            other.pixels[other.mask == 3] = 1.0
        elif change == "compact":
            other.labels[2, 8] = CLASSES.index("compact")
        else:
            other.mask[other.mask == 3] = 0
            other.mask[55:65, 0] = 3
        seen = objects_of(other, 4.0)
        assert not seen.learnt[list(seen.row).index(2)]


def test_cells_are_told_of_objects_by_their_size_and_place():
    crop = crop_of()
    objects = objects_of(crop, 4.0)
    kinds = [CLASSES[k] for k in objects.kind]
    assert sorted(kinds) == ["compact", "compact", "extended", "extended-multisland", "spurious"]
    for box, row in zip(objects.boxes, objects.row, strict=True):
        y, x = np.nonzero(crop.mask == row + 1)
        assert box.tolist() == [y.min(), x.min(), y.max() + 1, x.max() + 1]
    places = places_of(objects, crop.pixels.shape)
    level = level_of(objects.boxes)
    begin, seen = 0, 0
    for number, stride in enumerate(STRIDES):
        n = 96 // stride
        middle = places.middle[begin : begin + n * n].reshape(n, n)
        weight = places.weight[begin : begin + n * n].reshape(n, n)
        told = places.boxes[begin : begin + n * n].reshape(n, n, 4)
        assert int((middle == 1.0).sum()) == int((level == number).sum())
        for box in objects.boxes[level == number]:
            j, i = int(0.5 * (box[0] + box[2]) / stride), int(0.5 * (box[1] + box[3]) / stride)
            assert middle[j, i] == weight[j, i] == 1.0
            assert told[j, i].tolist() == box.tolist()
            seen += 1
        begin += n * n
    assert seen == 5
    assert places.counts.all()


def test_what_is_faint_or_not_to_be_learnt_hides_its_cells_but_not_what_is_spurious():
    crop = crop_of()
    crop.labels[2, 9] = 0.0  # the extended one
    crop.labels[4, 5] = 3.0  # the spurious one
    objects = objects_of(crop, 4.0)
    assert len(objects) == 4
    assert not objects.learnt[list(objects.row).index(2)]
    places = places_of(objects, crop.pixels.shape)
    fine = places.counts[: 24 * 24].reshape(24, 24)
    y0, x0, y1, x1 = objects.boxes[list(objects.row).index(2)]
    hidden = np.zeros((24, 24), bool)
    hidden[int(y0 // 4) : int(np.ceil(y1 / 4)), int(x0 // 4) : int(np.ceil(x1 / 4))] = True
    assert np.array_equal(fine, ~hidden)


def test_targets_of_masks_are_the_pixels_under_their_parts():
    crop = crop_of()
    objects = objects_of(crop, 4.0)
    boxes = widened(torch.from_numpy(objects.boxes.astype(np.float32)), 1.4)
    label = torch.from_numpy(objects.row + 1)
    got = mask_targets(torch.from_numpy(crop.mask)[None].expand(len(objects), -1, -1), label, boxes).numpy()
    for k, (y0, x0, y1, x1) in enumerate(boxes.numpy()):
        for j in range(28):
            for i in range(28):
                y, x = (
                    int(np.floor(y0 + (j + 0.5) * (y1 - y0) / 28)),
                    int(np.floor(x0 + (i + 0.5) * (x1 - x0) / 28)),
                )
                inside = 0 <= y < 96 and 0 <= x < 96
                assert got[k, j, i] == (inside and crop.mask[y, x] == label[k])


def test_masks_are_drawn_as_a_slow_twin_draws_them():
    rng = np.random.default_rng(7)
    boxes = boxes_by_chance(rng, 8).astype(np.float64)
    boxes[7] = [-30.0, -30.0, -2.0, -2.0]  # beyond the map
    masks, kinds, scores = rng.random((8, 28, 28)), rng.random((8, 5)), np.linspace(0.9, 0.2, 8)
    z = np.ones((96, 96), np.float32)
    z[40:50] = np.nan
    found = drawn(boxes, masks, kinds, scores, z)
    at = 0
    for k in range(8):
        wanted = np.zeros((96, 96), bool)
        y0, x0, y1, x1 = boxes[k]
        for y in range(max(0, int(np.floor(y0))), min(96, int(np.ceil(y1)))):
            for x in range(max(0, int(np.floor(x0))), min(96, int(np.ceil(x1)))):
                v, u = (y + 0.5 - y0) / (y1 - y0) * 28 - 0.5, (x + 0.5 - x0) / (x1 - x0) * 28 - 0.5
                wanted[y, x] = np.isfinite(z[y, x]) and bilinear(masks[k], v, u) >= 0.5
        if not wanted.any():
            continue
        got = np.zeros((96, 96), bool)
        prints = found.footprints
        for r in np.flatnonzero(prints.index == at):
            got[prints.row[r], prints.start[r] : prints.stop[r]] = True
        assert np.array_equal(got, wanted)
        assert found.scores[at] == scores[k]
        assert found["class"][at] == kinds[k].argmax()
        assert found["class_score"][at] == pytest.approx(kinds[k].max() / kinds[k].sum())
        y, x = np.nonzero(wanted)
        assert (found["x"][at], found["y"][at]) == (pytest.approx(x.mean()), pytest.approx(y.mean()))
        at += 1
    assert at == len(found) == 7


def test_boxes_move_and_stay_within_the_map():
    box = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    moved = refined(box, torch.tensor([[0.5, -0.25, np.log(2.0), 0.0]]))
    assert moved.numpy() == pytest.approx(np.array([[10.0, 10.0, 50.0, 50.0]]), abs=1e-4)
    cut = within(torch.tensor([[-5.0, 90.0, -1.0, 130.0]]), torch.zeros(1, 4, 96, 96))
    assert cut.tolist() == [[0.0, 90.0, 1.0, 96.0]]


def test_options_out_of_bounds_are_told():
    with pytest.raises(OptionError, match="widths and depths have 5 values"):
        RcnnModelOptions(widths=(8, 16), depths=(1, 1))
    with pytest.raises(OptionError, match="class_weights has 6 values"):
        RcnnModelOptions(class_weights=(1.0, 1.0))
    with pytest.raises(OptionError, match="widths are 1 or more"):
        RcnnModelOptions(depths=(1, -1, 1, 1, 1))

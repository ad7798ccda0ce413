"""Parts of the model detr against slow twins: costs and matches, goals, how boxes lie, masks, the attention of groups."""

import importlib.util
from itertools import permutations

import numpy as np
import pytest
import torch
from tests.find.neural.objects import crop_of
from tests.find.neural.test_rcnn_parts import area, boxes_by_chance, slow_iou

from skysift.base.errors import OptionError, UsageError
from skysift.find.neural.detr.loss import cells_of, detr_loss, goals
from skysift.find.neural.detr.matching import costs, matched
from skysift.find.neural.detr.model import DetrLearner
from skysift.find.neural.detr.net import DetrNet, Looked, Masks, relations
from skysift.find.neural.detr.options import N_KINDS, DetrModelOptions
from skysift.find.neural.rcnn.net import mask_boxes
from skysift.find.neural.rcnn.roi import STRIDES, aligned, flattened

SMALL = DetrModelOptions(
    widths=(8, 8, 8, 8, 8), depths=(0, 1, 0, 0, 0), pyramid=8, hidden=16, heads=2, layers=2, points=2, inner=16,
    queries=12, learnt=12, denoised=4, coarse=0.0,
)  # fmt: skip


def small_net(seed=1):
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    return DetrNet(SMALL)


def test_costs_are_those_of_a_slow_twin():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(2, 7, N_KINDS)).astype(np.float32)
    boxes = np.stack([boxes_by_chance(rng, 7) for _ in range(2)])
    objects = np.stack([boxes_by_chance(rng, 4) for _ in range(2)])
    kind = rng.integers(0, N_KINDS - 1, (2, 4))
    got = costs(*(torch.from_numpy(each) for each in (logits, boxes, kind, objects))).numpy()
    for n in range(2):
        for q in range(7):
            p = np.exp(logits[n, q]) / np.exp(logits[n, q]).sum()
            for k in range(4):
                a, b = boxes[n, q].astype(float), objects[n, k].astype(float)
                share = slow_iou(a, b)
                union = (area(a) + area(b)) / (1.0 + share)
                around = area([*np.minimum(a[:2], b[:2]), *np.maximum(a[2:], b[2:])])
                overlap = share - (around - union) / around
                away = [abs(a[d] + a[d + 2] - b[d] - b[d + 2]) / 2 / (b[d + 2] - b[d]) for d in (0, 1)]
                wanted = 2 * (1 - p[kind[n, k]]) + 2 * (1 - overlap) + sum(away)
                assert got[n, q, k] == pytest.approx(wanted + 1000 * (max(away) > 2), rel=1e-4)
    assert 0 < (got < 1000).sum() < got.size


def test_the_match_is_the_cheapest_of_all_and_leaves_out_what_is_not_to_be_found():
    rng = np.random.default_rng(2)
    cost = rng.uniform(0, 4, (3, 5, 6))
    wanted = np.ones((3, 6), bool)
    wanted[0, [1, 3]] = False
    wanted[1] = False
    owner = matched(torch.from_numpy(cost), torch.from_numpy(wanted)).numpy()
    assert (owner[1] == -1).all()
    for n in (0, 2):
        columns = np.flatnonzero(wanted[n])
        few = min(len(columns), 5)
        told = [(q, k) for q, k in enumerate(owner[n]) if k >= 0]
        assert len(told) == len({k for _, k in told}) == few
        assert {k for _, k in told} <= set(columns.tolist())
        best = (
            min(
                sum(cost[n, q, k] for q, k in zip(order, columns, strict=True))
                for order in permutations(range(5), len(columns))
            )
            if len(columns) <= 5
            else min(
                sum(cost[n, q, k] for q, k in enumerate(order)) for order in permutations(columns.tolist(), 5)
            )
        )
        assert sum(cost[n, q, k] for q, k in told) == pytest.approx(best)


def test_a_query_far_from_all_objects_answers_for_none():
    boxes = torch.tensor([[[0.0, 0.0, 8.0, 8.0], [60.0, 60.0, 68.0, 68.0]]])
    objects = torch.tensor([[[1.0, 1.0, 9.0, 9.0], [30.0, 0.0, 38.0, 8.0]]])
    cost = costs(torch.zeros(1, 2, N_KINDS), boxes, torch.ones(1, 2, dtype=torch.long), objects)
    assert matched(cost, torch.ones(1, 2, dtype=torch.bool)).tolist() == [[0, -1]]
    assert matched(cost * torch.nan, torch.ones(1, 2, dtype=torch.bool)).tolist() == [[-1, -1]]


def test_queries_on_what_is_left_out_are_neither_right_nor_wrong():
    objects = torch.tensor([[[0.0, 0.0, 10.0, 10.0], [30.0, 30.0, 60.0, 60.0], [0.0, 0.0, 0.0, 0.0]]])
    state, kind = torch.tensor([[1, 0, -1]]), torch.tensor([[2, 1, 0]])
    boxes = torch.tensor(
        [
            [
                [0.0, 0.0, 10.0, 10.0],  # answers for the first
                [1.0, 1.0, 11.0, 11.0],  # tells the first once more
                [35.0, 35.0, 45.0, 45.0],  # in what is left out
                [80.0, 0.0, 90.0, 10.0],  # on nothing
                [0.0, 30.0, 10.0, 40.0],
            ]
        ]
    )
    owner = torch.tensor([[0, -1, -1, -1, -1]])
    nothing = N_KINDS - 1
    assert goals(owner, boxes, kind, objects, state).tolist() == [[2, nothing, -1, nothing, nothing]]


def test_how_boxes_lie_is_that_of_a_slow_twin_and_does_not_know_where_they_are():
    boxes = boxes_by_chance(np.random.default_rng(3), 6)
    likely = torch.linspace(-2.0, 1.0, 6)
    got = relations(torch.from_numpy(boxes)[None], likely[None])[0].numpy()
    for i, a in enumerate(boxes.astype(float)):
        for j, b in enumerate(boxes.astype(float)):
            side_a, side_b = a[2:] - a[:2], b[2:] - b[:2]
            apart = np.log1p(np.abs(a[:2] + a[2:] - b[:2] - b[2:]) / 2 / side_a)
            wanted = [*apart, *np.log(side_a / side_b), slow_iou(a, b), np.tanh(0.6 * (j - i))]
            assert got[i, j] == pytest.approx(wanted, abs=1e-4)
    moved = relations(torch.from_numpy(boxes)[None] + 100.0, likely[None])[0].numpy()
    assert moved == pytest.approx(got, abs=1e-4)


def test_boxes_begin_from_the_cell_that_holds_their_middle_on_the_level_of_their_size():
    shapes = [(96 // stride, 96 // stride) for stride in STRIDES]
    boxes = torch.tensor([[[10.0, 20.0, 16.0, 26.0], [10.0, 20.0, 50.0, 30.0], [-8.0, 60.0, 4.0, 99.0]]])
    fine, second = 24 * 24, 12 * 12
    assert cells_of(boxes, shapes).tolist() == [[3 * 24 + 5, fine + 3 * 12 + 3, fine + 0 * 12 + 9]]
    wide = torch.tensor([[[0.0, 0.0, 90.0, 90.0]]])
    assert cells_of(wide, shapes).tolist() == [[fine + second + 2 * 6 + 2]]


def test_a_mask_is_that_of_a_slow_twin():
    rng = np.random.default_rng(4)
    torch.manual_seed(4)
    masks = Masks(8, 16)
    levels = [
        torch.from_numpy(rng.normal(size=(1, 12, 96 // s, 96 // s)).astype(np.float32)) for s in STRIDES
    ]
    fine, shapes = flattened(levels)
    looked = Looked(fine, fine, list(shapes), fine, fine)
    boxes = torch.tensor([[[10.0, 12.0, 40.0, 30.0], [50.0, 60.0, 58.0, 66.0]]])
    state = torch.from_numpy(rng.normal(size=(1, 2, 16)).astype(np.float32))
    with torch.no_grad():
        got = masks(looked, boxes, state).numpy()
        inner, outer = masks.inner(state)[0].numpy(), masks.outer(state)[0].numpy()
        seen = aligned(fine, shapes, mask_boxes(boxes), 14)[0].numpy()
    assert got.shape == (1, 2, 28, 28)
    for k in range(2):
        first, second = inner[k, :112].reshape(8, 14), outer[k, :32].reshape(4, 8)
        for j in range(14):
            for i in range(14):
                x = np.array([*seen[k, :, j, i], (j + 0.5) / 7 - 1, (i + 0.5) / 7 - 1])
                h = first @ x + inner[k, 112:]
                told = second @ np.where(h > 0, h, 0.05 * h) + outer[k, 32:]
                part = got[0, k, 2 * j : 2 * j + 2, 2 * i : 2 * i + 2].ravel()
                assert part == pytest.approx(told, abs=1e-4)


def test_queries_of_one_group_do_not_know_of_the_other():
    net = small_net().eval()
    crop = crop_of()
    batch = DetrLearner(SMALL).batch([crop])
    image, told = batch["image"], batch["told"]
    with torch.no_grad():
        looked = net.first(image, told)
        index, boxes, likely = net.proposed(looked, image, 12)
        alone = net.decoder(looked, net.begun(looked, index), boxes, likely, told, image, 12)
        more = torch.cat([boxes, batch["near"], batch["far"]], dim=1)
        cells = torch.cat([index, cells_of(more[:, 12:], looked.shapes)], dim=1)
        likely = torch.gather(looked.logits, 1, cells)
        both = net.decoder(looked, net.begun(looked, cells), more, likely, told, image, 12)
        one = net.decoder(looked, net.begun(looked, cells), more, likely, told, image, 20)
    assert torch.allclose(both.kinds[-1][:, :12], alone.kinds[-1], atol=1e-5)
    assert torch.allclose(both.state[:, :12], alone.state, atol=1e-5)
    assert not torch.allclose(one.state[:, :12], alone.state, atol=1e-5)


def test_places_beside_a_likelier_one_are_asked_later_and_blank_ones_never_before_others():
    net = small_net()
    crop = crop_of()
    image = DetrLearner(SMALL).batch([crop])["image"]
    image[:, -1, :, 48:] = 0.0
    with torch.no_grad():
        looked = net.first(image, torch.zeros(1, 7))
    n = len(looked.logits[0])
    logits = torch.where(looked.logits > -20.0, -5.0 * torch.ones(1, n), looked.logits)
    logits[0, 5 * 24 + 5], logits[0, 5 * 24 + 6], logits[0, 15 * 24 + 3] = 3.0, 2.0, 0.0
    made = Looked(looked.cells, looked.fine, looked.shapes, logits, looked.boxes)
    index = net.proposed(made, image, 2)[0][0].tolist()
    assert index == [5 * 24 + 5, 15 * 24 + 3]
    assert 5 * 24 + 6 in net.proposed(made, image, 3)[0][0].tolist()
    half = int((logits > -20.0).sum())
    assert float(net.proposed(made, image, half)[2].min()) > -20.0


def test_all_weights_learn_and_what_is_left_out_changes_no_target_of_others():
    net, learner = small_net(), DetrLearner(SMALL)
    batch = learner.batch([crop_of(1), crop_of(2)])
    terms = detr_loss(net, batch, SMALL)
    torch.stack(list(terms.values())).sum().backward()
    still = [name for name, each in net.named_parameters() if each.grad is None or not each.grad.abs().sum()]
    # those that begin at zero hide what is before them in the first step
    assert all(name.startswith(("decoder.changes", "decoder.kinds")) for name in still), still
    crop = crop_of()
    crop.labels[:, 9] = 0.0
    left = learner.batch([crop])
    assert (left["state"] == 0).all()
    assert (left["of"] == -1).all()
    lone = detr_loss(net, left, SMALL)
    assert float(lone["masks"].detach()) == float(lone["refined"].detach()) == 0.0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"widths": (8, 8)}, "widths and depths have 5 values"),
        ({"class_weights": (1.0, 1.0)}, "class_weights has 6 values"),
        ({"hidden": 96, "heads": 8}, "power of 2"),
        ({"queries": 2000}, "1000"),
    ],
)
def test_options_that_make_no_network_are_refused(given, said):
    with pytest.raises(OptionError, match=said):
        DetrModelOptions.parse(given)


def test_without_the_library_it_says_which_extra_brings_it(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "skysift.base.extras.find_spec", lambda name: None if name == "transformers" else found(name)
    )
    with pytest.raises(UsageError, match="the model detr needs the extra learn"):
        small_net()

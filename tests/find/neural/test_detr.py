"""The model detr as a whole: it learns by heart, each object once, blank maps hold nothing, ONNX is equal."""

from functools import cache

import numpy as np
import pytest
import torch
from tests import images, skies
from tests.find.neural.objects import SIZE, crop_of

from skysift.base.errors import DataError
from skysift.find.neural.detr.decode import DetrDetector
from skysift.find.neural.detr.model import DetrLearner
from skysift.find.neural.detr.net import KIND, MASK, SIDE
from skysift.find.neural.detr.options import DetrModelOptions
from skysift.find.run import find, make_finder
from skysift.learn.samples import turned
from skysift.sky.schema import TABLES

OPTIONS = DetrModelOptions(
    widths=(12, 16, 24, 24, 24),
    depths=(1, 1, 1, 1, 1),
    pyramid=24,
    hidden=32,
    heads=4,
    layers=2,
    inner=64,
    queries=32,
    learnt=24,
    denoised=6,
    coarse=0.0,
)
KINDS = (0, 4)


@cache
def overfit():
    """A small network that learnt one scene, turned two ways, by heart; losses, first and last."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    learner, crops = DetrLearner(OPTIONS), [turned(crop_of(), kind) for kind in KINDS]
    net, losses, steps = learner.net(), [], 130
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * min(1.0, (step + 1) / 20) * (0.51 + 0.5 * np.cos(np.pi * step / steps))
        loss = torch.stack(list(learner.loss(net, learner.numbered(crops, step, 1)).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    return net.eval(), losses


def answer_of(net, pixels, beam):
    detector = DetrDetector(OPTIONS)
    given = [torch.from_numpy(each) for each in detector.inputs(pixels, beam).values()]
    with torch.no_grad():
        return net(*given)[0].numpy()


def seen(net, crop, least=0.5):
    return DetrDetector(OPTIONS).found(answer_of(net, crop.pixels, crop.beam), crop.pixels, crop.beam, least)


def plane(found, k, size=SIZE):
    made = np.zeros((size, size), bool)
    prints = found.footprints
    for r in np.flatnonzero(prints.index == k):
        made[prints.row[r], prints.start[r] : prints.stop[r]] = True
    return made


def test_it_learns_crops_by_heart():
    net, losses = overfit()
    assert losses[-1] < 0.25 * losses[0]
    for kind in KINDS:
        crop = turned(crop_of(), kind)
        found = seen(net, crop)
        shares = []
        for k, label in enumerate(crop.labels):
            mask = crop.mask == k + 1
            same = [m for m in range(len(found)) if found["class"][m] == label[8]]
            iou = [(plane(found, m) & mask).sum() / (plane(found, m) | mask).sum() for m in same]
            shares.append(max(iou, default=0.0))
        assert sum(share > 0.7 for share in shares) >= 4, shares
        assert len(seen(net, crop, 0.85)) == len(crop.labels)  # each once


def test_turned_maps_give_turned_answers():
    net, _ = overfit()
    crop = crop_of()
    first = seen(net, crop)
    for kind in KINDS[1:]:
        other = seen(net, turned(crop, kind))
        x, y = first["x"], first["y"]
        if kind & 1:
            x = SIZE - 1 - x
        if kind & 2:
            y = SIZE - 1 - y
        if kind & 4:
            x, y = y, x
        away = np.hypot(x[:, None] - other["x"], y[:, None] - other["y"])
        sure = first.scores > 0.6
        assert sure.sum() >= 4
        assert (away[sure].min(axis=1) < 2.0).all()
        nearest = away[sure].argmin(axis=1)
        assert np.array_equal(other["class"][nearest], first["class"][sure])


def test_blank_windows_and_blank_parts_hold_nothing():
    net, _ = overfit()
    crop = crop_of()
    nothing = seen(
        net, type(crop)(np.full((SIZE, SIZE), np.nan, np.float32), crop.labels, crop.rows, crop.beam), 0.1
    )
    assert len(nothing) == 0
    assert set(nothing.raw) == set(DetrDetector(OPTIONS).nothing().raw)
    part = crop.pixels.copy()
    part[:, 48:] = np.nan
    found = DetrDetector(OPTIONS).found(answer_of(net, part, crop.beam), part, crop.beam, 0.1)
    assert len(found)
    assert (found.boxes[:, 3] <= 48).all()
    noise = np.random.default_rng(9).normal(size=(SIZE, SIZE)).astype(np.float32)
    empty = DetrDetector(OPTIONS).found(answer_of(net, noise, crop.beam), noise, crop.beam, 0.5)
    assert len(empty) <= 2


def test_a_batch_without_objects_has_a_loss():
    learner = DetrLearner(OPTIONS)
    crop = crop_of()
    empty = type(crop)(crop.pixels, crop.labels[:0], crop.rows[:0], crop.beam, np.zeros_like(crop.mask))
    torch.manual_seed(2)
    terms = learner.loss(learner.net(), learner.numbered([empty, empty], 3, 1))
    assert set(terms) == {"places", "boxes", "classes", "refined", "masks"}
    assert all(np.isfinite(float(each.detach())) for each in terms.values())
    assert float(terms["masks"].detach()) == float(terms["refined"].detach()) == 0.0


def test_the_same_number_gives_the_same_batch():
    learner, crops = DetrLearner(OPTIONS), [crop_of(1), crop_of(2)]
    one, same, other = (learner.numbered(crops, number, 5) for number in (8, 8, 9))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["near"], other["near"])
    assert torch.equal(one["boxes"], other["boxes"])


def test_some_batches_are_binned_as_far_as_the_coarsest_cells_fit():
    for size, widths in ((64, {64, 32}), (96, {96}), (128, {128, 64, 32})):
        learner, crop = DetrLearner(OPTIONS.replace(coarse=0.6)), crop_of(size=size)
        made = {learner.numbered([crop], number, 1)["image"].shape[-1] for number in range(30)}
        assert made == widths


def test_answers_are_probabilities_and_places_are_as_many_for_every_window():
    net, _ = overfit()
    for size in (64, 96, 128):
        pixels = np.random.default_rng(3).normal(size=(size, size)).astype(np.float32)
        answer = answer_of(net, pixels, crop_of().beam)
        assert answer.shape == (MASK.stop, OPTIONS.queries, 1)
        assert answer[KIND].sum(axis=0) == pytest.approx(1.0, abs=1e-5)
        assert answer[MASK].min() >= 0.0
        assert answer[MASK].max() <= 1.0
    assert MASK.stop - MASK.start == SIDE * SIDE


def test_onnx_gives_the_answers_of_torch(tmp_path):
    pytest.importorskip("onnxruntime")
    from skysift.flow.steps.export import largest_difference, random_windows
    from skysift.learn.engine import export, onnx_runner, runner

    net, _ = overfit()
    windows = random_windows(DetrDetector(OPTIONS))[1:]
    export(net, windows[0], tmp_path / "net.onnx")
    ours = runner(net, "torch", example=windows[0], key="", device="cpu")
    assert largest_difference(ours, onnx_runner(tmp_path / "net.onnx"), windows) < 1e-4


@pytest.fixture(scope="module")
def finder(detr_weights):
    return make_finder("detr", weights=str(detr_weights))


def sky():
    shape, beam = (200, 430), (4.0, 4.0, 0.0)
    sources = skies.population(
        shape, beam, n_points=12, rms=images.RMS, snr=(30, 300), lattice=60, margin=20, seed=5
    )
    data, truth = skies.paint(shape, beam, rms=images.RMS, sources=sources, seed=5)
    data[:, :9] = np.nan
    return images.image(data, beam, centre=(80.0, 30.0)), truth


def test_tiles_and_workers_change_nothing_and_bright_points_are_found(finder):
    image, truth = sky()
    whole = find(image, finder)
    cut = find(image, finder, tile=150, workers=2)
    for kind in TABLES:
        assert whole.table(kind) == cut.table(kind)
    table = whole.sources
    x, y = np.asarray(table["x"]), np.asarray(table["y"])
    seen = truth["x"] > 15
    assert (
        np.hypot(x[:, None] - truth["x"][seen], y[:, None] - truth["y"][seen]).min(axis=0) < 2.0
    ).mean() > 0.5
    assert not (x < 9).any()


def test_weights_of_another_model_are_refused(weights):
    image, _ = sky()
    with pytest.raises(DataError, match="another kind of model"):
        find(image, make_finder("detr", weights=str(weights)))

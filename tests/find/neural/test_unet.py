"""The model unet: its targets, its loss against a slow twin, what its answers mean, and that it can learn a crop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from tests import skies
from tests.fields import made_field

from skysift.base.errors import OptionError
from skysift.find.neural import maskjudge
from skysift.find.neural.coarser import coarser, on_some_level
from skysift.find.neural.maskjudge import judged_masks
from skysift.find.neural.pairing import mask_ap50, matched_in, true_in
from skysift.find.neural.unet.bodies import N_ANSWERS, N_KINDS, UnetNet
from skysift.find.neural.unet.decode import DEPTH, SEED, objects_of, pieces_of, together
from skysift.find.neural.unet.options import UnetModelOptions
from skysift.find.neural.unet.targets import IGNORED, UNIT, insides, targets_of
from skysift.find.neural.unet.unet import UnetDetector, UnetLearner
from skysift.flow.steps.export import TOLERANCE, largest_difference, random_windows
from skysift.learn import engine
from skysift.learn.fields import LABELS, Field
from skysift.learn.samples import Crop, cut, label_table
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints
from skysift.sky.truth import CLASSES

OPTIONS = UnetModelOptions(widths=(12, 16), depths=(1, 1))
BEAM = np.array([3.0, 0.0, 3.0])
MULTI, EXTENDED, COMPACT = (CLASSES.index(name) for name in ("extended-multisland", "extended", "compact"))


def crop_of(seed, size=64):
    field = made_field(seed, size)
    return cut(field, Box(0, size, 0, size), label_table(field), masks=True)


def scene(size=96):
    """A ring, a pair of lobes with a gap, a point on the ring, a faint and an unwanted object: crop with its mask."""
    y, x = np.mgrid[:size, :size]
    away = np.hypot(y - 30, x - 30)
    mask = np.zeros((size, size), np.int32)
    mask[(away > 10) & (away < 17)] = 1
    mask[np.hypot(y - 70, x - 20) < 6] = 2
    mask[np.hypot(y - 70, x - 60) < 6] = 2
    mask[np.hypot(y - 30, x - 44) < 3] = 3
    mask[np.hypot(y - 80, x - 85) < 3] = 4
    mask[np.hypot(y - 10, x - 85) < 3] = 5
    labels = np.zeros((5, 10))
    labels[:, 0], labels[:, 1] = [30, 40, 44, 85, 85], [30, 70, 30, 80, 10]
    labels[:, 5] = [9.0, 8.0, 30.0, 3.0, 20.0]
    labels[:, 8] = [EXTENDED, MULTI, COMPACT, COMPACT, COMPACT]
    labels[:, 9] = [1, 1, 1, 1, 0]
    pixels = np.where(mask > 0, 8.0, 0.0).astype(np.float32)
    pixels[mask == 3] = 30.0
    return Crop(pixels, labels, np.arange(5), BEAM, mask)


def answers_of(made):
    """What a perfect network would answer."""
    answer = np.full((N_ANSWERS, *made.kind.shape), -8.0, np.float32)
    for k in range(N_KINDS):
        answer[k][np.maximum(made.kind, 0) == k] = 8.0
    core = np.clip(made.core, 1e-4, 1.0 - 1e-4)
    answer[N_KINDS] = np.log(core / (1.0 - core))
    answer[N_KINDS + 1 :] = made.way
    return answer


def test_targets_tell_class_centre_and_what_is_neither_right_nor_wrong():
    crop = scene()
    crop.pixels[90:, :5] = np.nan
    made = targets_of(crop, OPTIONS)
    kinds = {k: set(np.unique(made.kind[crop.mask == k]).tolist()) for k in range(1, 6)}
    assert kinds == {1: {EXTENDED + 1}, 2: {MULTI + 1}, 3: {COMPACT + 1}, 4: {IGNORED}, 5: {IGNORED}}
    assert (made.kind[90:, :5] == IGNORED).all()
    assert made.kind[0, 0] == 0
    y, x = 70, 22
    assert UNIT * np.sinh(made.way[:, y, x]) == pytest.approx([0.0, 18.0], abs=1e-4)
    assert made.weight[y, x] == pytest.approx(1.0 / np.sqrt((crop.mask == 2).sum()))
    assert made.weight[0, 0] == 0.0 == made.core[0, 0]
    faint = targets_of(crop, OPTIONS.replace(doubtful=3.5))
    assert set(np.unique(faint.kind[crop.mask == 4])) == {0}


def test_insides_are_those_of_a_slow_twin():
    own = scene().mask
    got = insides(own)
    for k in range(1, 6):
        pieces, n = ndimage.label(own == k, structure=np.ones((3, 3)))
        for piece in range(1, n + 1):
            here = pieces == piece
            away = ndimage.distance_transform_edt(own == k)
            # the distance to the nearest pixel of the border of the object, and one
            border = here & ~ndimage.binary_erosion(own == k)
            j, i = np.nonzero(here)
            by, bx = np.nonzero(border)
            slow = np.hypot(j[:, None] - by, i[:, None] - bx).min(axis=1) + 1.0
            assert got[j, i] == pytest.approx(slow / slow.max(), abs=1e-6)
            assert away.max() > 0
    assert (got[own == 0] == 0).all()


def test_perfect_answers_give_the_objects_back():
    crop = scene()
    found = objects_of(answers_of(targets_of(crop, OPTIONS)), crop.pixels, BEAM, 0.5)
    assert sorted(found["class"].tolist()) == [COMPACT, EXTENDED, MULTI]
    for kind, label in ((EXTENDED, 1), (MULTI, 2), (COMPACT, 3)):
        row = int(np.flatnonzero(found["class"] == kind)[0])
        prints = found.select([row]).footprints
        seen = np.zeros(crop.mask.shape, bool)
        for line, start, stop in zip(prints.row, prints.start, prints.stop, strict=True):
            seen[line, start:stop] = True
        true = crop.mask == label
        assert (seen & true).sum() > 0.85 * (
            seen | true
        ).sum()  # where two touch, a pixel or so may change hands
        if kind != EXTENDED:  # that of a whole ring is where its pixels are
            assert found["x"][row] == pytest.approx(crop.labels[label - 1, 0], abs=0.3)
            assert found["y"][row] == pytest.approx(crop.labels[label - 1, 1], abs=0.3)
        assert found["class_score"][row] > 0.85
        sure = found["class_score"][row] * (1.0 - np.exp(-found["snr"][row] / 5.0))
        assert found.scores[row] == pytest.approx(sure, abs=0.01)
    assert not len(
        objects_of(answers_of(targets_of(crop, OPTIONS)), np.full_like(crop.pixels, np.nan), BEAM, 0.5)
    )


def test_touching_objects_are_parted_and_parts_without_a_seed_kept():
    core = np.zeros((9, 20))
    some = np.zeros((9, 20), bool)
    some[2:7, 2:16] = True
    core[4, 4], core[4, 13] = 0.9, 0.8
    core[4, 5:13] = np.abs(np.arange(5, 13) - 8.5) / 12.0
    some[8, 18] = True
    pieces = pieces_of(core, some, np.zeros(some.shape, bool))
    assert pieces[4, 4] != pieces[4, 13] != 0
    assert len(np.unique(pieces)) == 4
    assert ((pieces > 0) == some).all()


def slow_pieces(core, some, compact):
    """The pieces as sets of pixels: basins from the top, one where the ridge that parts two is not deep enough."""
    pixels = sorted(zip(*np.nonzero(some), strict=True), key=lambda at: (-core[at], at))
    rank = {at: number for number, at in enumerate(pixels)}
    basins = {}  # of each pixel its basin, a list whose first pixel is its top
    for y, x in pixels:
        near = [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        near = [at for at in near if at in basins]
        basins[y, x] = basins[min(near, key=rank.get)] if near else []
        basins[y, x].append((y, x))
        for at in near:
            high, low = sorted((basins[y, x], basins[at]), key=lambda each: rank[each[0]])
            shallow = core[low[0]] - core[y, x] < DEPTH and compact[low[0]] == compact[high[0]]
            if high is not low and (core[low[0]] < SEED or shallow):
                high.extend(low)
                basins.update(dict.fromkeys(low, high))
    return {frozenset(each) for each in basins.values()}


@pytest.mark.parametrize("seed", range(8))
def test_pieces_are_those_of_a_slow_twin(seed):
    rng = np.random.default_rng(seed)
    core = ndimage.gaussian_filter(rng.random((30, 40)), 1.0 + 0.2 * seed)
    core = (core - core.min()) / np.ptp(core)
    if seed % 2:
        core = np.round(core, 1)  # plateaus
    some = ndimage.gaussian_filter(rng.random(core.shape), 1.5) > 0.48
    compact = ndimage.gaussian_filter(rng.random(core.shape), 2.0) > 0.52
    pieces = pieces_of(core, some, compact)
    mine = {frozenset(zip(*np.nonzero(pieces == k), strict=True)) for k in range(1, pieces.max() + 1)}
    assert mine == slow_pieces(core, some, compact)
    assert len(mine) > 3


def test_a_large_object_whose_inside_is_told_with_noise_is_one_piece():
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:120, :160]
    some = np.hypot(y - 60, x - 45) < 40
    some |= np.hypot(y - 60, x - 122) < 35
    core = np.where(some, 0.45 + 0.05 * rng.standard_normal(some.shape), 0.0)
    core[60, 82:92] = 0.05  # a bridge
    core[58:63, 30:60] = core[58:63, 110:135] = 0.9
    some[60, 80:92] = True
    pieces = pieces_of(core, some, np.zeros(some.shape, bool))
    assert pieces.max() == 2
    assert (pieces[60, 45], pieces[60, 122]) == (pieces[90, 45], pieces[85, 122])
    assert pieces[60, 45] != pieces[60, 122]


def test_pieces_that_point_at_one_centre_are_one_object():
    middle = np.array([[0.0, 0.0], [0.0, 40.0], [0.0, 46.0], [90.0, 90.0]])
    centre = np.array([[0.0, 19.0], [0.0, 21.0], [0.0, 46.0], [90.0, 90.0]])
    assert together(middle, centre, np.ones(4, bool)).tolist() == [1, 1, 2, 3]
    assert together(middle, centre, np.array([False, True, True, True])).tolist() == [1, 2, 3, 4]


def test_the_loss_is_that_of_a_slow_twin():
    learner = UnetLearner(OPTIONS)
    batch = learner.batch([scene(), crop_of(2, 96)])
    drawn = np.random.default_rng(5).normal(size=(2, N_ANSWERS, 96, 96)).astype(np.float32)
    answer = torch.from_numpy(drawn)
    made = learner.loss(lambda image, told: answer, batch)
    kind, core, way, weight = (batch[name].numpy() for name in ("kind", "core", "way", "weight"))
    cross = norm = inside = n_inside = missed = 0.0
    both, either, present = np.zeros(N_KINDS), np.zeros(N_KINDS), set()
    for b in range(2):
        for j in range(96):
            for i in range(96):
                a, k = drawn[b, :, j, i].astype(float), int(kind[b, j, i])
                if k == IGNORED:
                    continue
                share = np.exp(a[:N_KINDS]) / np.exp(a[:N_KINDS]).sum()
                present.add(k)
                cross -= OPTIONS.class_weights[k] * np.log(share[k])
                norm += OPTIONS.class_weights[k]
                both[k] += share[k]
                either += share
                either[k] += 1.0
                p, t = 1.0 / (1.0 + np.exp(-a[N_KINDS])), core[b, j, i]
                much = 4.0 if k > 0 else 1.0
                inside -= much * (t * np.log(p) + (1.0 - t) * np.log(1.0 - p))
                n_inside += much
                missed += weight[b, j, i] * np.abs(a[N_KINDS + 1 :] - way[b, :, j, i]).sum()
    some = sorted(present)
    assert len(some) >= 4
    assert float(made["classes"]) == pytest.approx(cross / norm, rel=1e-4)
    dice = np.mean([1.0 - 2.0 * both[k] / either[k] for k in some])
    assert float(made["dice"]) == pytest.approx(OPTIONS.dice * dice, rel=1e-4)
    assert float(made["core"]) == pytest.approx(OPTIONS.core * inside / n_inside, rel=1e-4)
    assert float(made["centre"]) == pytest.approx(OPTIONS.centre * missed / weight.sum(), rel=1e-4)


def test_batches_are_shown_on_all_levels_by_their_number_alone():
    learner, crop = UnetLearner(OPTIONS.replace(coarse=0.6)), crop_of(1)
    sizes = [learner.numbered([crop], number, 3)["image"].shape[-1] for number in range(30)]
    assert set(sizes) == {64, 32, 16}
    assert sizes == [learner.numbered([crop], number, 3)["image"].shape[-1] for number in range(30)]
    small = coarser(crop, 2)
    assert small.beam == pytest.approx(crop.beam / 4)
    at = np.argmax(crop.labels[:, 5])
    assert small.labels[at, :2] == pytest.approx((crop.labels[at, :2] - 0.5) / 2)
    x, y = np.round(small.labels[at, :2]).astype(int)
    assert small.mask[y, x] > 0


def test_what_is_learnt_of_a_binned_crop_goes_by_its_own_noise():
    beam, size = (4.0, 4.0, 0.0), 256
    sigma = beam[0] / skies.FWHM
    noise = skies.correlated_noise((size, size), beam, "convolved", np.random.default_rng(3))
    flat = 3.8 * (np.hypot(*(np.mgrid[:size, :size] - 80.0)) < 40)
    labels = np.array([[80.0, 80.0, 400.0, 0.0, 400.0, 3.8, 900.0, np.nan, EXTENDED, 1.0]])
    pixels = (flat + noise / noise.std()).astype(np.float32)
    crop = Crop(
        pixels, labels, np.arange(1), np.array([sigma**2, 0.0, sigma**2]), (flat > 0).astype(np.int32)
    )
    assert set(np.unique(targets_of(crop, OPTIONS).kind[crop.mask == 1])) == {IGNORED}
    small = coarser(crop, 4)
    assert small.labels[0, 5] == pytest.approx(small.pixels[15:25, 15:25].mean(), rel=0.08)
    assert small.pixels[small.mask == 0].std() == pytest.approx(1.0, rel=0.1)
    assert set(np.unique(targets_of(small, OPTIONS).kind[small.mask == 1])) == {EXTENDED + 1}


def test_it_learns_one_crop_by_heart():
    torch.set_num_threads(1)
    torch.manual_seed(2)
    crop = scene(64)
    crop.pixels[:] += np.random.default_rng(1).normal(size=crop.pixels.shape).astype(np.float32)
    learner = UnetLearner(OPTIONS)
    net, batch = learner.net(), learner.batch([crop])
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    first = last = 0.0
    for step in range(160):
        optimizer.zero_grad()
        loss = torch.stack(list(learner.loss(net, batch).values())).sum()
        loss.backward()
        optimizer.step()
        first, last = (float(loss.detach()) if step == 0 else first), float(loss.detach())
    assert last < 0.3 * first
    with torch.no_grad():
        answer = net(batch["image"], batch["told"])[0].numpy()
    found = objects_of(answer, crop.pixels, BEAM, 0.5)
    assert EXTENDED in found["class"]
    assert COMPACT in found["class"]


@pytest.mark.parametrize("body", ["residual", "tiramisu"])
def test_onnx_gives_the_answers_of_torch(body, tmp_path):
    torch.set_num_threads(1)
    torch.manual_seed(5)
    options = UnetModelOptions(body=body, widths=(8, 8), depths=(2, 1), growth=6)
    net = UnetNet(options)
    torch.nn.init.normal_(net.head.weight, std=0.3)
    windows = random_windows(UnetDetector(options), seed=3)
    engine.export(net.eval(), windows[0], tmp_path / "net.onnx")
    right = engine.runner(net, "torch", example=windows[0], key="", device="cpu")
    answer = right(windows[0])
    assert answer.shape[1:] == (N_ANSWERS, *windows[0]["image"].shape[2:])
    assert answer.std() > 0.1
    assert largest_difference(right, engine.onnx_runner(tmp_path / "net.onnx"), windows) < TOLERANCE


def test_masks_are_judged_by_class(monkeypatch):
    field = made_field(3, 128, held=True)
    labels = field.labels
    n = len(labels)
    same = found_as(field)
    bright = int((labels["snr_peak"] >= 7.0).sum())
    matched = matched_in(same, field)
    assert matched.right.all()
    assert (matched.bright & (matched.by >= 0)).sum() == bright
    assert mask_ap50([(same, true_in(field))])["compact"] == pytest.approx(1.0)
    half = same.select(np.arange(n) % 2 == 0)
    met = int((labels["snr_peak"][::2] >= 7.0).sum())
    assert mask_ap50([(half, true_in(field))])["compact"] == pytest.approx(met / bright, abs=0.02)
    monkeypatch.setattr(maskjudge, "objects_of_field", lambda *_: same)
    numbers = judged_masks(UnetDetector(OPTIONS), None, [field, made_field(4)], torch.device("cpu"))
    assert numbers["score"] == numbers["completeness_compact"] == numbers["reliability_compact"] == 1.0
    assert numbers["ap50"] == pytest.approx(1.0)
    assert "completeness_extended" not in numbers


def found_as(field, scores=None):
    """What a network would find that finds all labels, with their masks."""
    labels = field.labels
    n = len(labels)
    raw = {"x": labels["x"], "y": labels["y"], "snr": labels["snr_peak"], "class": labels["class"],
           "class_score": np.ones(n)}  # fmt: skip
    return Detections(
        labels.boxes, np.linspace(0.9, 0.6, n) if scores is None else scores, labels.footprints, raw
    )


def with_use(field, use, **more):
    labels = field.labels
    raw = {**labels.raw, "use": np.asarray(use, float), **more}
    return replace(field, labels=Detections(labels.boxes, labels.scores, labels.footprints, raw))


def test_threads_change_nothing_of_what_is_found_in_a_field():
    torch.manual_seed(4)
    field, detector = made_field(5, 700, held=True), UnetDetector(OPTIONS)
    net = detector.net().eval()
    with torch.no_grad():
        net.head.bias[:4] = -1.0
        torch.nn.init.normal_(net.head.weight, std=0.2)
    one, many = (
        maskjudge.objects_of_field(detector, net, field, torch.device("cpu"), 0.02, threads)
        for threads in (1, 4)
    )
    assert len(one) > 8
    assert one == many


def test_what_is_left_out_of_both_sides_counts_neither_right_nor_wrong(monkeypatch):
    field = made_field(3, 128, held=True)
    found = found_as(field)
    use = np.arange(len(found)) % 2
    half = with_use(field, use)
    monkeypatch.setattr(maskjudge, "objects_of_field", lambda *_: found)
    numbers = judged_masks(UnetDetector(OPTIONS), None, [half], torch.device("cpu"))
    assert numbers["reliability_compact"] == numbers["completeness_compact"] == 1.0
    assert numbers["ap50"] == pytest.approx(1.0)
    # of another class too; but what lies on no label is wrong
    other = with_use(field, use, **{"class": np.where(use > 0, COMPACT, EXTENDED)})
    again = judged_masks(UnetDetector(OPTIONS), None, [other], torch.device("cpu"))
    assert again["reliability_compact"] == again["ap50"] == 1.0
    fewer = replace(field, labels=field.labels.select(use > 0))
    wrong = judged_masks(UnetDetector(OPTIONS), None, [fewer], torch.device("cpu"))
    assert wrong["completeness_compact"] == 1.0
    assert wrong["reliability_compact"] < 0.7


def test_masks_of_a_crowd_are_compared_without_a_table_of_all_pairs():
    n, size = 40000, 4000
    rng = np.random.default_rng(1)
    y, x = (rng.integers(0, size - 3, n) for _ in range(2))
    row = (y[:, None] + np.arange(3)).ravel()
    index = np.repeat(np.arange(n), 3)
    prints = Footprints(row, x[index], x[index] + 3, index)
    raw = {name: np.zeros(n) for name in LABELS}
    raw |= {"x": x + 1.0, "y": y + 1.0, "snr_peak": np.full(n, 20.0), "snr_int": np.full(n, 20.0)}
    raw |= {"use": np.ones(n), "class": np.where(np.arange(n) % 3, COMPACT, EXTENDED).astype(float)}
    labels = Detections(np.stack([y, y + 3, x, x + 3], axis=1), np.ones(n), prints, raw)
    field = Field(
        "crowd", np.broadcast_to(np.float32(0), (size, size)), labels, (3.0, 0.0, 3.0), Box.of((size, size))
    )
    one = matched_in(found_as(field), field)
    assert one.right.all()
    assert (one.by >= 0).all()
    precision = mask_ap50([(found_as(field), true_in(field))])
    assert precision["compact"] == precision["extended"] == pytest.approx(1.0)


def test_pieces_of_one_object_are_those_of_a_slow_twin():
    rng = np.random.default_rng(6)
    for n in (0, 1, 60, 200):
        middle = rng.uniform(0, 150, (n, 2))
        centre = np.round((middle + rng.normal(0, 12, (n, 2))) / 20) * 20 + rng.normal(0, 2, (n, 2))
        may = rng.random(n) > 0.2
        group = np.arange(n)
        for a in range(n):
            for b in range(n):
                apart = np.hypot(*(middle[a] - middle[b]))
                reach = max(np.hypot(*(centre[k] - middle[k])) for k in (a, b))
                if may[a] and may[b] and np.hypot(*(centre[a] - centre[b])) < 0.35 * apart < 1.4 * reach:
                    group[group == group[b]] = group[a]
        first = {}
        wanted = [first.setdefault(each, len(first) + 1) for each in group.tolist()]
        assert together(middle, centre, may).tolist() == wanted
        assert n < 60 or len(first) < n  # some are joined


def test_many_pieces_are_joined_without_a_table_of_all_pairs():
    n = 200000
    middle = np.stack(np.divmod(np.arange(n), 500), axis=1) * 6.0
    centre = middle + np.array([0.0, 2.0]) * (-1.0) ** (np.arange(n)[:, None])
    assert len(np.unique(together(middle, centre, np.ones(n, bool)))) == n // 2


def test_options_out_of_bounds_are_told():
    for given, told in (
        ({"widths": (8,), "depths": (1, 1)}, "widths and depths have the same length"),
        ({"doubtful": 5.0}, "doubtful is not larger than faintest"),
        ({"class_weights": (1.0, 1.0)}, "class_weights are six numbers"),
    ):
        with pytest.raises(OptionError, match=told):
            UnetModelOptions(**given)


@pytest.mark.parametrize(
    ("side", "drawn", "binned"), [(96, 0.0, 1), (128, 0.0, 4), (192, 0.0, 2), (192, 0.2, 2), (192, 0.9, 1)]
)
def test_crops_are_binned_as_far_as_the_cells_fit(side, drawn, binned):
    field = made_field(1, 192)
    crop = cut(field, Box(0, side, 0, side), label_table(field), masks=True)
    (made,) = on_some_level([crop], drawn, 0.4, 32)
    assert made.pixels.shape == (side // binned, side // binned)

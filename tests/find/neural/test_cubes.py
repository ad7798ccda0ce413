"""The grid head in cubes: inputs, targets, loss and answers against slow twins, and that it can learn."""

import math
from functools import cache, partial

import numpy as np
import pytest
import torch
from tests.find.neural.test_boxes import naive_overlap

from skysift.base.errors import DataError, OptionError, UsageError
from skysift.find.neural.blocks import Residual, Trunk, unshuffled
from skysift.find.neural.inputs import LAGS, TOLD, channels, conditions, largest_around, noise_colour
from skysift.find.neural.known import detector_of
from skysift.find.neural.shapes import beam_width
from skysift.find.neural.yolo.cubelearner import CubeLearner, _run, matched_lines
from skysift.find.neural.yolo.cubes import MODEL, find_lines, lines_in
from skysift.find.neural.yolo.grid import SURE
from skysift.find.neural.yolo.gridlook import CubeDetector, near_peaks
from skysift.find.neural.yolo.gridnet import CUBES, boxes_of, parts_of
from skysift.find.neural.yolo.lines import LINES, LineSources
from skysift.find.neural.yolo.options import CubeOptions
from skysift.learn.checkpoint import Card, write_checkpoint
from skysift.learn.cubes import CubeSamples, cut_cube, turned_cube
from skysift.learn.fields import LABELS, LINE_LABELS, read_field, write_field
from skysift.learn.hub import weights_of
from skysift.learn.loop import train
from skysift.learn.options import TrainOptions
from skysift.learn.samples import label_table
from skysift.sim.cubes import make_lines
from skysift.sim.options import LineCubeOptions
from skysift.sky.box import Box
from skysift.sky.detections import Detections

PRIORS = ((12.0, 2.4, 2.4), (12.0, 2.4, 2.4), (30.0, 3.0, 3.0))
OPTIONS = CubeOptions(
    widths=(8, 12, 16), depths=(1, 1, 1), priors=PRIORS, empty=(0.15,) * 3, faintest=4.0, described=-0.5
)
K, PARTS, SIZE, CELL = 3, len(CUBES), 32, 8
MADE = LineCubeOptions(
    n_pixels=40, n_channels=48, n_lines=14, snr_min=12.0, snr_max=60.0, speed_max=9.0, size_max=1.5
)
NAMES = (*LABELS, *LINE_LABELS)


@cache
def field_of(seed):
    return make_lines(MADE, seed).field(f"made-{seed}")


def crop_of(seed):
    field = field_of(seed)
    return cut_cube(field, label_table(field), Box(4, 4 + SIZE, 4, 4 + SIZE), 8, SIZE)


class Answers(torch.nn.Module):
    """A network that always answers the same."""

    def __init__(self, answer):
        super().__init__()
        self.answer = torch.nn.Parameter(answer)

    def forward(self, image, told):
        return self.answer


# -- what is shown and told


def test_cells_become_channels_along_three_axes_as_along_two():
    plane = torch.arange(2 * 3 * 4 * 6, dtype=torch.float32).reshape(2, 3, 4, 6)
    flat = unshuffled(plane[:, :, None].expand(2, 3, 2, 4, 6), 2)
    assert flat.shape == (2, 24, 1, 2, 3)
    one_z = flat[:, :, 0].reshape(2, 3, 2, 4, 2, 3)[:, :, 0].reshape(2, 12, 2, 3)
    assert torch.equal(one_z, unshuffled(plane, 2))
    cube = torch.randn(1, 1, 4, 4, 4)
    assert torch.equal(unshuffled(cube, 2)[0, :, 1, 0, 1], cube[0, 0, 2:4, 0:2, 2:4].reshape(-1))


def test_a_trunk_of_three_axes_is_one_of_two_where_its_kernels_see_one_plane():
    """The middle plane of kernels of three axes is a kernel of two: the same features, plane by plane."""
    torch.manual_seed(1)
    flat, deep = Residual(3, 2), Residual(3, 2, axes=3)
    with torch.no_grad():
        for name, value in flat.state_dict().items():
            own = deep.state_dict()[name]
            if value.ndim == 4:
                own.zero_()
                own[:, :, 1] = value
            else:
                own.copy_(value)
    x, told = torch.randn(2, 3, 5, 8, 8), torch.randn(2, 2)
    made = deep(x, told)
    for k in range(5):
        assert torch.allclose(made[:, :, k], flat(x[:, :, k], told), atol=1e-5)
    assert Trunk(4, (6, 8), (1, 1), 10, axes=3)(torch.randn(1, 4, 8, 16, 12), torch.randn(1, 10)).shape == (
        1, 6, 4, 8, 6,
    )  # fmt: skip


@pytest.mark.parametrize("reach", [1, 3])
def test_the_largest_around_a_voxel_is_that_of_a_cube(reach):
    z = np.random.default_rng(3).normal(size=(6, 9, 7)).astype(np.float32)
    z[2, 3, 4] = np.nan
    made = largest_around(z, reach)
    for place in np.ndindex(z.shape):
        near = z[tuple(slice(max(0, at - reach), at + reach + 1) for at in place)]
        assert made[place] == np.nanmax(near)
    assert channels(z).shape == (4, *z.shape)
    assert (channels(z)[:, 2, 3, 4] == 0.0).all()


def test_the_colour_of_the_noise_is_told_along_the_channels_too():
    rng = np.random.default_rng(1)
    white = rng.normal(size=(40, 48, 48)).astype(np.float32)
    assert np.abs(noise_colour(white)).max() < 0.03
    smooth = (white[1:] + white[:-1]) / np.float32(np.sqrt(2.0))
    on_sky, along = noise_colour(smooth)[: len(LAGS)], noise_colour(smooth)[len(LAGS) :]
    assert np.abs(on_sky).max() < 0.03
    assert along[0] == pytest.approx(
        np.log(np.sqrt(0.5)), abs=0.03
    )  # neighbours share half of their variance
    assert np.abs(along[1:]).max() < 0.03
    assert conditions(white, np.array([3.0, 0.0, 3.0])).shape == (TOLD + len(LAGS),)


# -- targets


def test_boxes_of_lines_are_twice_as_wide_as_they_are_along_each_axis():
    rows = np.zeros((3, len(NAMES)))
    at = {name: k for k, name in enumerate(NAMES)}
    rows[:, [at["x"], at["y"], at["channel"]]] = (10.0, 20.0, 30.0)
    rows[:, at["w20"]] = (1.5239 * 8.0, 0.1, 1e6)  # a Gaussian with a FWHM of 8 channels
    rows[0, at["xx"]], rows[0, at["yy"]] = (12.0 / 2.35482) ** 2, (6.0 / 2.35482) ** 2
    beam = np.array([1.0, 0.0, 1.0]) * (4.0 / 2.35482) ** 2
    boxes = LineSources().boxes(rows, beam, np.array([90.0, 50.0, 50.0]))
    assert boxes[:, :3].tolist() == [[30.5, 20.5, 10.5]] * 3
    assert boxes[0, 3:] == pytest.approx([16.0, 12.0, 24.0], rel=1e-3)
    assert boxes[1, 3:] == pytest.approx([2.0, 8.0, 8.0], rel=1e-3)
    assert boxes[2, 3] == 90.0


def test_labels_turn_with_their_cube():
    """Where the gas is that recedes fastest, and how the light is spread, follow the labels however a crop is turned."""
    options = MADE.replace(
        n_pixels=48, n_lines=1, size_min=1.5, size_max=1.5, speed_min=6.0, snr_min=1e6, snr_max=1e6
    )
    field = make_lines(options, 25).field("one")  # in the middle of this crop, inclined by 55 degrees
    crop = cut_cube(field, label_table(field), Box(14, 46, 6, 38), 1, 32)
    boxes = LineSources().boxes(crop.labels, crop.beam, np.full(3, np.inf))
    z, y, x = np.indices((32, 32, 32)).astype(np.float64)
    for kind in range(16):
        turned = turned_cube(crop, kind)
        row = dict(zip(NAMES, turned.labels[0], strict=True))
        light = np.maximum(turned.pixels.astype(np.float64), 0.0)
        light /= light.sum()
        at = [(light * each).sum() for each in (x, y, z)]
        assert at == pytest.approx([row["x"], row["y"], row["channel"]], abs=0.25)
        fast = light * (z - at[2])
        slope = np.array([(fast * (x - at[0])).sum(), (fast * (y - at[1])).sum()])
        away = np.angle(complex(*slope) / complex(row["cos"], row["sin"]))
        assert abs(away) < 0.35
        cross = (light * (x - at[0]) * (y - at[1])).sum()
        assert cross == pytest.approx(row["xy"] + turned.beam[1], abs=0.4)
        assert (light * (x - at[0]) ** 2).sum() == pytest.approx(
            row["xx"] + turned.beam[0], rel=0.15, abs=0.2
        )
        there = LineSources().boxes(turned.labels, turned.beam, np.full(3, np.inf))
        order = [0, 2, 1, 3, 5, 4] if kind & 8 else [0, 1, 2, 3, 4, 5]
        assert there[:, 3:] == pytest.approx(boxes[:, order][:, 3:])


def test_a_field_of_a_cube_can_be_kept(tmp_path):
    field = make_lines(MADE, 1).field("kept", held=Box(20, 40, 0, 40))
    write_field(tmp_path / "kept", field)
    again = read_field(tmp_path / "kept")
    assert (again.shape, len(again.pixels), again.held) == ((40, 40), 48, Box(20, 40, 0, 40))
    assert np.array_equal(label_table(again), label_table(field), equal_nan=True)
    assert "48 channels of 40 x 40" in repr(again)
    with pytest.raises(UsageError, match="lack a parameter: got 'w20'"):
        type(field)(
            "bare", field.pixels,
            Detections(field.labels.boxes, field.labels.scores,
                       raw={name: each for name, each in field.labels.raw.items() if name != "w20"}),
            field.beam,
        )  # fmt: skip


def test_crops_of_cubes_follow_from_seed_and_number_and_keep_off_what_is_held():
    field = make_lines(MADE, 3).field("held", held=Box(36, 40, 0, 40))
    samples = CubeSamples([field], 32, 3, 7)
    for a, b in zip(samples.at(4), CubeSamples([field], 32, 3, 7).at(4), strict=True):
        assert np.array_equal(a.pixels, b.pixels)
        assert np.array_equal(a.labels, b.labels, equal_nan=True)
    assert not np.array_equal(samples.at(4)[0].pixels, samples.at(5)[0].pixels)
    assert all(crop.pixels.shape == (32, 32, 32) for crop in samples.at(1))
    shallow = make_lines(MADE.replace(n_channels=20), 3).field("shallow")
    with pytest.raises(
        UsageError, match="shallow has fewer channels than a crop: got 20; allowed: 32 or more"
    ):
        CubeSamples([shallow], 32, 1, 1).at(0)
    with pytest.raises(UsageError, match=r"lines have no classes: got 'balanced=0\.5'"):
        CubeSamples([field], 32, 1, 1, balanced=0.5)


# -- loss


def naive_loss(learner, answer, batch):
    """The terms by loops over boxes, given who answers for whom."""
    options = learner.options
    given = learner._given(boxes_of(parts_of(answer), batch["priors"], CELL), batch)
    terms = dict.fromkeys(("position", "size", "probability", "objectness", "shapes"), 0.0)
    parts = answer.double().numpy().reshape(len(answer), K, PARTS, *answer.shape[2:])
    count = max(len(given.target), 0.01 * len(answer) * 64 * K, 1)

    def entropy(logit, wanted):
        p = 1.0 / (1.0 + math.exp(-logit))
        return -wanted * math.log(p) - (1.0 - wanted) * math.log(1.0 - p)

    for m in range(len(given.target)):
        n, z, j, i, k = (int(each[m]) for each in given.at)
        t, close, said = int(given.target[m]), float(given.close[m]), parts[n, k, :, z, j, i]
        target, prior = batch["boxes"][n, t].numpy(), batch["priors"][n, k].numpy()
        corner, place = CELL * np.array([z, j, i]), 1.0 / (1.0 + np.exp(-said[:3]))
        terms["position"] += 0.5 * ((place - (target[:3] - corner) / CELL) ** 2).sum()
        growth = np.clip(np.log(target[3:] / prior), -1.2, 1.2)
        terms["size"] += 0.5 * ((1.2 * np.tanh(said[3:6] / 1.2) - growth) ** 2).sum()
        if close > options.believed:
            terms["probability"] += entropy(said[6], SURE)
            terms["objectness"] += entropy(said[7], min(max(0.5 + 0.5 * close, 1.0 - SURE), SURE))
        if close > options.described:
            centre = corner + CELL * place
            wanted = batch["values"][n, t].double().numpy()
            wanted[0] -= float(batch["peaks"][(n, *(min(int(each), SIZE - 1) for each in centre))])
            error = np.abs(np.concatenate([(centre - target[:3])[::-1] / 2.5, said[8:14] - wanted]))
            scale = np.clip(said[14:23], math.log(0.01), math.log(3.0))
            weight = batch["weights"][n, t].double().numpy()
            terms["shapes"] += ((error * np.exp(-scale) + scale) * weight).sum()
    for n, z, j, i, k in given.empty.nonzero().tolist():
        for name, part in (("probability", 6), ("objectness", 7)):
            terms[name] += options.empty[k] * entropy(parts[n, k, part, z, j, i], 1.0 - SURE)
    return {name: getattr(options, name) * value / count for name, value in terms.items()}


def test_the_loss_is_that_of_loops():
    assert PARTS == 23
    learner = CubeLearner(OPTIONS)
    batch = learner.batch([crop_of(1), crop_of(2)])
    torch.manual_seed(3)
    answer = torch.randn(2, K * PARTS, 4, 4, 4)
    terms = {name: float(value.detach()) for name, value in learner.loss(Answers(answer), batch).items()}
    expected = naive_loss(learner, answer, batch)
    assert terms == pytest.approx(expected, rel=1e-4)
    assert min(terms[name] for name in terms if name != "shapes") > 0.0


def test_a_batch_without_lines_weighs_little_and_blank_cells_are_neither_right_nor_wrong():
    crop = crop_of(1)
    pixels = crop.pixels.copy()
    pixels[:8] = np.nan
    blank = type(crop)(pixels, crop.labels[:0], crop.rows[:0], crop.beam)
    learner = CubeLearner(OPTIONS)
    batch = learner.batch([blank])
    answer = torch.zeros(1, K * PARTS, 4, 4, 4)
    given = learner._given(boxes_of(parts_of(answer), batch["priors"], CELL), batch)
    assert not given.empty[0, 0].any()
    assert given.empty[0, 1:].all()
    terms = learner.loss(Answers(answer), batch)
    assert float(terms["position"].detach()) == float(terms["shapes"].detach()) == 0.0
    assert all(torch.isfinite(each) for each in terms.values())


# -- answers


def naive_found(answer, z, beam, least):
    """(score, centre, ln of flux, parameters) of each box by loops over cells and boxes."""
    told = answer.astype(np.float64).reshape(K, PARTS, *answer.shape[1:])
    rows = []
    for k, c, j, i in np.ndindex(K, *answer.shape[1:]):
        said = told[k, :, c, j, i]
        place = [CELL * (at + 1.0 / (1.0 + math.exp(-t))) for at, t in zip((c, j, i), said[:3], strict=True)]
        objectness, chance = (1.0 / (1.0 + math.exp(-said[part])) for part in (7, 6))
        score = objectness * min(chance / OPTIONS.doubted, 1.0)
        at = tuple(min(int(each), side - 1) for each, side in zip(place, z.shape, strict=True))
        if score < least or not math.isfinite(z[at]):
            continue
        near = z[tuple(slice(max(0, each - 1), each + 2) for each in at)]
        flux = said[8] + math.log(max(np.nanmax(near), 1.0))
        width = beam_width(beam)
        rows.append(
            [score, *(each - 0.5 for each in place), math.exp(flux), width * math.exp(max(said[9], -3.0)),
             math.exp(max(said[10], math.log(2.0))), math.atan2(said[12], said[11]),
             min(max(said[13], 0.0), math.pi / 2), math.sqrt(2.0) * min(max(math.exp(said[17]), 0.01), 3.0)]
        )  # fmt: skip
    return np.array(sorted(rows, key=lambda row: -row[0]))


def test_answers_are_read_as_loops_read_them():
    rng = np.random.default_rng(5)
    answer = rng.normal(size=(K * PARTS, 4, 4, 4)).astype(np.float32)
    z = rng.normal(size=(32, 32, 32)).astype(np.float32) * 3
    z[:8, :8] = np.nan
    beam = np.array([3.0, 0.5, 2.0])
    found = CubeDetector(OPTIONS).found(answer, z, beam, 0.6)
    rows = naive_found(answer, z, beam, 0.6)
    assert 20 < len(found) == len(rows) < 3 * 64
    assert tuple(found.raw) == LINES
    made = np.stack(
        [found.scores, found["channel"], found["y"], found["x"], found["snr"], found["major"], found["w20"],
         np.arctan2(found["sin"], found["cos"]), found["inclination"], found["snr_err"]], axis=1,
    )  # fmt: skip
    assert made == pytest.approx(rows, rel=1e-4, abs=1e-4)


def test_perfect_answers_give_the_labels_back():
    crop = crop_of(4)
    learner = CubeLearner(OPTIONS)
    batch = learner.batch([crop])
    answer = torch.zeros(1, K, PARTS, 4, 4, 4)
    answer[:, :, [CUBES.source, CUBES.objectness]] = -8.0
    boxes = boxes_of(parts_of(answer.flatten(1, 2)), batch["priors"], CELL)
    given, peaks = learner._given(boxes, batch), near_peaks(crop.pixels)
    for m in range(len(given.target)):
        _, c, j, i, k = (int(each[m]) for each in given.at)
        t, at = int(given.target[m]), (0, k, slice(None), c, j, i)
        target, said = batch["boxes"][0, t], answer[at]
        place = (target[:3] / CELL - torch.tensor([c, j, i])).clamp(1e-6, 1 - 1e-6)
        said[CUBES.place] = torch.logit(place).float()
        said[[CUBES.source, CUBES.objectness]] = 8.0
        said[CUBES.mean] = batch["values"][0, t]
        said[CUBES.mean.start] -= float(peaks[tuple(min(int(each), SIZE - 1) for each in target[:3])])
        answer[at] = said
    found = CubeDetector(OPTIONS).found(answer.flatten(1, 2)[0].numpy(), crop.pixels, crop.beam, 0.5)
    assert len(found) == len(given.target) > 4
    for values in crop.labels[np.unique(given.target.numpy())]:
        row = dict(zip(NAMES, values, strict=True))
        away = (
            np.abs(found["x"] - row["x"])
            + np.abs(found["y"] - row["y"])
            + np.abs(found["channel"] - row["channel"])
        )
        at = int(np.argmin(away))
        assert away[at] < 3e-3
        for name, label in (("snr", "snr_int"), ("w20", "w20"), ("inclination", "inclination")):
            assert found[name][at] == pytest.approx(row[label], rel=1e-3)
        assert found["major"][at] == pytest.approx(2.35482 * np.sqrt(row["xx"] + row["yy"]) / np.sqrt(
            1.0 + np.cos(row["inclination"]) ** 2), rel=1e-3)  # fmt: skip
        assert (found["cos"][at], found["sin"][at]) == pytest.approx((row["cos"], row["sin"]), abs=1e-3)


def test_of_lines_in_one_place_those_of_other_channels_stay():
    """Against loops over all pairs, the best first."""
    rng = np.random.default_rng(2)
    n = 60
    detector, beam = CubeDetector(OPTIONS), np.array([3.0, 0.0, 3.0])
    raw = {name: np.zeros(n) for name in LINES}
    raw |= {name: rng.uniform(0, 24, n) for name in ("x", "y")}
    raw |= {"channel": rng.uniform(0, 90, n), "w20": rng.uniform(4, 20, n), "major": rng.uniform(0.5, 6, n)}
    raw |= {"inclination": rng.uniform(0, 1.5, n)}
    angle = rng.uniform(-3, 3, n)
    raw |= {"cos": np.cos(angle), "sin": np.sin(angle)}
    raw["x"][:2], raw["y"][:2], raw["channel"][:2] = 12.0, 12.0, (20.0, 70.0)
    scores = np.linspace(0.99, 0.2, n)
    corner = np.floor(np.stack([raw["y"], raw["y"], raw["x"], raw["x"]], axis=1)).astype(np.int64) + [
        0,
        1,
        0,
        1,
    ]
    found = Detections(corner, scores, raw=raw)
    boxes = LineSources().boxes(LineSources().rows(found), beam, np.full(3, np.inf))
    kept = []
    for k in range(n):
        if all(naive_overlap(boxes[k], boxes[other])[1] <= OPTIONS.double for other in kept):
            kept.append(k)
    single = detector.single(found.select(rng.permutation(n)), beam)
    assert single.scores.tolist() == scores[kept].tolist()
    assert kept[:2] == [0, 1]
    assert len(kept) < n
    assert len(detector.single(detector.nothing(), beam)) == 0


# -- learning and finding


@cache
def overfit():
    """Options, net, losses and crops of a small network that learnt four crops by heart."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    options = CubeOptions(
        widths=(12, 20, 40), depths=(1, 1, 2), priors=PRIORS, empty=(0.15,) * 3, faintest=4.0
    )
    learner = CubeLearner(options)
    crops = [crop_of(seed) for seed in range(4)]
    batch, net, losses = learner.batch(crops), learner.net(), []
    optimizer, steps = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.0), 160
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1.0, (step + 1) / 10) * (0.51 + 0.5 * np.cos(np.pi * step / steps))
        loss = torch.stack(list(learner.loss(net, batch).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    return options, net.eval(), losses, crops


def test_it_learns_a_batch_by_heart():
    options, net, losses, crops = overfit()
    assert losses[-1] < 0.3 * losses[0]
    detector, run = CubeDetector(options), partial(_run, net, torch.device("cpu"))
    n_true = n_right = n_wrong = 0
    ratios = []
    for crop in crops:
        found = detector.found(run(detector.inputs(crop.pixels, crop.beam))[0], crop.pixels, crop.beam, 0.5)
        found = detector.single(found, crop.beam)
        place = crop.labels[:, [NAMES.index(name) for name in ("x", "y", "channel")]]
        inside = crop.labels[((place > -0.5) & (place < SIZE - 0.5)).all(axis=1)]
        raw = dict(zip(NAMES, inside.T, strict=True))
        row = matched_lines(found, raw, beam_width(crop.beam))
        n_true, n_right, n_wrong = n_true + len(inside), n_right + (row >= 0).sum(), n_wrong + (row < 0).sum()
        ratios += (found["snr"][row >= 0] / raw["snr_int"][row[row >= 0]]).tolist()
    assert n_true > 12
    assert n_right > 0.8 * n_true
    assert n_wrong < 0.1 * n_true
    assert np.quantile(np.abs(np.log(ratios)), 0.7) < 0.15


def weights_in(folder):
    options, net, _, _ = overfit()
    path = folder / "small.safetensors"
    card = Card(MODEL, "small", "tests", options.to_dict(), settings={"threshold": 0.5})
    write_checkpoint(path, net.state_dict(), card)
    return path


def test_lines_are_found_in_an_array_whatever_its_unit(tmp_path):
    path, made = weights_in(tmp_path), make_lines(MADE, 2)
    field, width = made.field("a"), beam_width(made.beam)
    found = find_lines(made.data, made.noise, made.beam, str(path))
    row = matched_lines(found, field.labels.raw, width)
    assert (row >= 0).sum() >= 3
    assert (np.diff(found.scores) <= 0.0).all()
    assert found.scores.min() >= 0.5
    other = find_lines(3e-4 * made.data, 3e-4, made.beam, str(path))
    assert other["x"] == pytest.approx(found["x"], abs=1e-2)
    assert other["snr"] == pytest.approx(found["snr"], rel=1e-2)
    assert len(find_lines(made.data, made.noise, made.beam, str(path), threshold=0.999)) == 0
    assert len(find_lines(np.full((9, 9, 9), np.nan), 1.0, made.beam, str(path))) == 0


def test_windows_answer_for_all_of_a_cube_once(monkeypatch):
    """A cube in many windows, looked at by what says that something is in the middle of each cell."""
    detector = CubeDetector(OPTIONS)
    answer = np.zeros((K, PARTS, 1, 1, 1), np.float32)
    answer[0, [CUBES.source, CUBES.objectness]] = 9.0
    answer[1:, [CUBES.source, CUBES.objectness]] = -9.0

    def run(inputs):
        grid = [side // CELL for side in inputs["image"].shape[2:]]
        return np.broadcast_to(answer, (K, PARTS, *grid)).reshape(1, -1, *grid)

    z, beam = np.zeros((40, 30, 50), np.float32), np.array([2.0, 0.0, 2.0])
    monkeypatch.setattr("skysift.find.neural.yolo.cubes._STEP", 16)
    monkeypatch.setattr(CubeDetector, "single", lambda self, found, beam: found)
    found = lines_in(z, beam, detector, run, 0.5)
    at = np.stack([found["channel"], found["y"], found["x"]], axis=1)
    middle = [np.arange(3.5, side, 8.0) for side in z.shape]
    expected = np.stack(np.meshgrid(*middle, indexing="ij"), axis=-1).reshape(-1, 3)
    assert at[np.lexsort(at.T[::-1])] == pytest.approx(expected)


def test_a_training_on_cubes_can_be_repeated(tmp_path):
    torch.set_num_threads(1)
    how = TrainOptions(steps=2, batch=2, crop=32, validate_every=2, precision="float32")
    fields = [field_of(0), make_lines(MADE, 3).field("held", held=Box(0, 40, 0, 40))]

    def weights(folder, seed):
        made = train(
            CubeLearner(OPTIONS),
            fields,
            how.replace(random_seed=seed),
            tmp_path / folder,
            device=torch.device("cpu"),
        )
        assert set(made.numbers) == {"score", "purity", "completeness", "threshold"}
        return torch.cat([each.ravel() for each in made.weights.values()])

    one = weights("one", 1)
    assert torch.isfinite(one).all()
    assert torch.equal(one, weights("again", 1))
    assert not torch.equal(one, weights("other", 2))


# -- what cannot be


def test_what_does_not_go_together_is_told(tmp_path):
    path, cube = str(weights_in(tmp_path)), np.zeros((8, 9, 10), np.float32)
    beam = (3.0, 0.0, 3.0)
    for given, told in (
        ((cube[0], 1.0, beam), r"a cube has three axes: got 'shape \(9, 10\)'"),
        ((cube, np.ones(9), beam), r"noise does not go with the cube: got 'shape \(9,\)'"),
        ((cube, np.ones((9, 10)), beam), "noise does not go with the cube"),
        ((cube, -1.0, beam), "noise is not below 0"),
        ((cube, 1.0, (3.0, 4.0, 3.0)), "the beam is not one"),
        ((cube, 1.0, (3.0, 3.0)), "the beam is not one"),
    ):
        with pytest.raises(UsageError, match=told):
            find_lines(*given, path)
    with pytest.raises(UsageError, match="does not look through cubes: got 'model yolo-dense'"):
        find_lines(cube, 1.0, beam, "yolo")
    with pytest.raises(DataError, match="of a model that no finder looks through: got 'yolo-cube'"):
        detector_of(weights_of(path))


def test_options_that_cannot_be_are_refused():
    with pytest.raises(OptionError, match="priors"):
        CubeOptions(priors=((4.0, 4.0),), empty=(0.1,))
    with pytest.raises(OptionError, match="same length"):
        CubeOptions(priors=PRIORS, empty=(0.1,))
    assert CubeOptions.parse(CubeOptions().to_dict()) == CubeOptions()
    assert CubeOptions().cell == 8

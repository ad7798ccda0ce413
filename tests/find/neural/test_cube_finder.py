"""Lines found in cubes: how answers are read against slow twins, that it learns, and what is refused."""

import math
from functools import cache, partial

import numpy as np
import pytest
import torch
from tests.fields import learnt
from tests.find.neural.cubes import CELL, MADE, NAMES, OPTIONS, PARTS, PRIORS, SIZE, K, crop_of, field_of
from tests.find.neural.test_boxes import naive_overlap

from skysift.base.errors import DataError, UsageError
from skysift.find.neural.known import detector_of
from skysift.find.neural.shapes import beam_width
from skysift.find.neural.yolo.cubelearner import CubeLearner, _run, matched_lines
from skysift.find.neural.yolo.cubes import MODEL, find_lines, lines_in
from skysift.find.neural.yolo.gridlook import CubeDetector, near_peaks
from skysift.find.neural.yolo.gridnet import CUBES, boxes_of, parts_of
from skysift.find.neural.yolo.lines import LINES, LineSources
from skysift.find.neural.yolo.options import CubeOptions
from skysift.learn.checkpoint import Card, write_checkpoint
from skysift.learn.hub import weights_of
from skysift.learn.loop import train
from skysift.learn.options import TrainOptions
from skysift.sim.cubes import make_lines
from skysift.sky.box import Box
from skysift.sky.detections import Detections

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
    options = CubeOptions(
        widths=(12, 20, 40), depths=(1, 1, 2), priors=PRIORS, empty=(0.15,) * 3, faintest=4.0
    )
    learner = CubeLearner(options)
    crops = [crop_of(seed) for seed in range(4)]
    net, losses = learnt(learner, crops, 160)
    return options, net, losses, crops


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

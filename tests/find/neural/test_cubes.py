"""The grid head in cubes: what it is shown and told, its targets and its loss against slow twins."""

import math

import numpy as np
import pytest
import torch
from tests.find.neural.cubes import CELL, MADE, NAMES, OPTIONS, PARTS, PRIORS, SIZE, K, crop_of
from tests.find.neural.objects import Answers

from skysift.base.errors import OptionError, UsageError
from skysift.find.neural.inputs import LAGS, TOLD, channels, conditions, largest_around, noise_colour
from skysift.find.neural.yolo.cubelearner import CubeLearner
from skysift.find.neural.yolo.grid import SURE
from skysift.find.neural.yolo.gridnet import boxes_of, parts_of
from skysift.find.neural.yolo.lines import LineSources
from skysift.find.neural.yolo.options import CubeOptions
from skysift.learn.cubes import CubeSamples, cut_cube, turned_cube
from skysift.learn.fields import read_field, write_field
from skysift.learn.layers.blocks import Residual, Trunk, unshuffled
from skysift.learn.samples import label_table
from skysift.sim.cubes import make_lines
from skysift.sky.box import Box
from skysift.sky.detections import Detections

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


# -- options


def test_options_that_cannot_be_are_refused():
    with pytest.raises(OptionError, match="priors"):
        CubeOptions(priors=((4.0, 4.0),), empty=(0.1,))
    with pytest.raises(OptionError, match="same length"):
        CubeOptions(priors=PRIORS, empty=(0.1,))
    assert CubeOptions.parse(CubeOptions().to_dict()) == CubeOptions()
    assert CubeOptions().cell == 8

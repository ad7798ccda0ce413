"""Encoders: shapes, features and maps; views; what is embedded, averaged over turns, and what is NaN; probes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from skysift.base.errors import DataError, OptionError, UsageError
from skysift.base.random import generator
from skysift.learn.augment import Views, blurred, torch_generator
from skysift.learn.checkpoint import read_checkpoint, write_checkpoint
from skysift.learn.embed import embed, encoder_card, encoder_of, preparation_of, vectors
from skysift.learn.hub import weights_of
from skysift.learn.layers.encoder import make_encoder
from skysift.learn.options import EncoderOptions, ViewOptions
from skysift.learn.probe import Probe
from skysift.learn.scale import Preparation, prepare, rms_of
from skysift.sky.features import Features

Y, X = np.mgrid[:48, :48]
SMALL = {
    "resnet": EncoderOptions(width=4, blocks=(1, 1)),
    "vit": EncoderOptions(backbone="vit", dim=16, depth=2, heads=2, patch=6),
}


def spot(y=24.0, x=24.0, wide_y=3.0, wide_x=3.0):
    return torch.from_numpy(np.exp(-((Y - y) ** 2) / 2 / wide_y**2 - (X - x) ** 2 / 2 / wide_x**2))[
        None, None
    ].float()


class Source:
    """Pictures in memory."""

    def __init__(self, pixels, facts=None):
        self.pixels = pixels.astype(np.float32)
        self.names = tuple(f"p{k}" for k in range(len(pixels)))
        self.bands = tuple(f"b{k}" for k in range(pixels.shape[1]))
        self.good = np.isfinite(self.pixels).any(axis=(1, 2, 3))
        self.facts = facts or {}

    def __len__(self):
        return len(self.pixels)

    def batches(self, size=256):
        for start in range(0, len(self), size):
            yield self.pixels[start : start + size]


@pytest.fixture(params=SMALL)
def options(request):
    return SMALL[request.param]


@pytest.fixture
def weights(options, tmp_path):
    torch.manual_seed(1)
    preparation = Preparation(size=24, bin=2)
    net = make_encoder(options, preparation.channels(2))
    card = encoder_card("small", "a test", options, 2, preparation, {"method": "simclr"}, {"linear": 0.9})
    write_checkpoint(tmp_path / "small.safetensors", net.state_dict(), card)
    return read_checkpoint(tmp_path / "small.safetensors")


# -- networks


def test_features_are_the_means_of_the_maps_and_any_channels_go_in(options):
    net = make_encoder(options, channels=3).eval()
    x = torch.randn(2, 3, 48, 48)
    maps = net.maps(x)
    assert maps.shape == (2, net.n_features, 48 // net.stride, 48 // net.stride)
    torch.testing.assert_close(net(x), maps.mean(dim=(2, 3)), rtol=1e-4, atol=1e-5)
    assert net(torch.randn(2, 3, 36, 36)).shape == (2, net.n_features)


def test_the_small_resnet_has_the_size_that_is_told():
    net = make_encoder(EncoderOptions())
    assert net.n_features == 128
    assert sum(each.numel() for each in net.parameters()) == pytest.approx(0.31e6, rel=0.02)


def test_a_transformer_looks_at_the_patches_that_are_kept_alone():
    net = make_encoder(SMALL["vit"]).eval()
    x = torch.randn(1, 1, 48, 48)
    kept = torch.tensor([[0, 9, 63]])
    other = x.clone()
    other[:, :, :6, 6:12] += 1.0  # patch 1, which is not kept
    torch.testing.assert_close(net.tokens(x, kept), net.tokens(other, kept))
    other[:, :, :6, :6] += 1.0
    assert not torch.allclose(net.tokens(x, kept), net.tokens(other, kept))


def test_patches_know_where_they_are():
    net = make_encoder(SMALL["vit"]).eval()
    a, b = (net(spot(y)) for y in (9.0, 39.0))
    assert (a - b).abs().max() > 1e-4


def test_the_way_down_of_finders_gives_features_of_every_stage():
    net = make_encoder(EncoderOptions(backbone="detector", widths=(4, 6, 10), depths=(1, 0, 1))).eval()
    x = torch.randn(2, 1, 33, 32)  # an odd row is not looked at
    assert [tuple(each.shape) for each in net.levels(x)] == [(2, 4, 16, 16), (2, 6, 8, 8), (2, 10, 4, 4)]
    assert (net.widths, net.n_features, net.stride, len(net.parts)) == ((4, 6, 10), 10, 8, 3)
    torch.testing.assert_close(net(x), net.maps(x).mean(dim=(2, 3)))
    assert vectors(net, x.numpy(), turns=1, stages=2).shape == (2, 2 * (6 + 10))
    with pytest.raises(OptionError, match=r"reads one band.*got '3 channels'"):
        make_encoder(EncoderOptions(backbone="detector"), channels=3)


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"dim": 18}, "multiple of 4"),
        ({"blocks": ()}, "whole numbers from 1"),
        ({"widths": (8, 16), "depths": (1, 1)}, "widths does nothing with backbone=resnet"),
        ({"backbone": "detector", "widths": (8, 16)}, "same length"),
        ({"backbone": "detector", "widths": (8, 0), "depths": (1, 1)}, "widths are 1 or more"),
    ],
)
def test_layers_that_do_not_fit_are_refused(chosen, told):
    with pytest.raises(OptionError, match=told):
        EncoderOptions(**chosen)


# -- views


def plain(**chosen):
    still = {"turn": False, "zoom": (1.0, 1.0), "shift": 0.0, "gamma": (1.0, 1.0), "noise": 0.0}
    return Views(ViewOptions(**{**still, **chosen}))


def drawn(views, n=1, **chosen):
    values = views.draw(n, torch_generator(1, "views"))
    return {**values, **{name: torch.full((n,), value) for name, value in chosen.items()}}


def test_nothing_drawn_changes_nothing():
    views = plain()
    torch.testing.assert_close(
        views.make(spot(20.0, 30.0), drawn(views)), spot(20.0, 30.0), atol=1e-4, rtol=0
    )


def test_turns_mirrors_scales_and_shifts_are_what_they_say():
    views = plain()
    wide = spot(24 - 0.5, 24 - 0.5, 3.0, 8.0)
    turned = views.make(wide, drawn(views, angle=math.pi / 2))
    torch.testing.assert_close(turned, wide.transpose(2, 3), atol=2e-3, rtol=0)
    mirrored = views.make(spot(20.0, 30.0), drawn(views, mirror=-1.0))
    torch.testing.assert_close(mirrored, spot(20.0, 17.0), atol=1e-3, rtol=0)
    larger = views.make(spot(23.5, 23.5), drawn(views, zoom=2.0))
    torch.testing.assert_close(larger, spot(23.5, 23.5, 6.0, 6.0), atol=0.03, rtol=0)
    moved = views.make(spot(23.5, 23.5), drawn(views, shift_x=1 / 8))
    torch.testing.assert_close(moved, spot(23.5, 17.5), atol=1e-3, rtol=0)


def test_a_view_of_a_part_keeps_the_scale():
    views = plain()
    part = views.make(spot(23.5, 23.5), drawn(views), size=24)
    torch.testing.assert_close(part, spot(23.5, 23.5)[:, :, 12:36, 12:36], atol=1e-3, rtol=0)


def test_a_blurred_source_has_the_width_of_both_and_its_flux():
    made = blurred(spot(wide_y=3.0, wide_x=3.0).double(), torch.tensor([4.0]))
    assert made.sum() == pytest.approx(float(spot().sum()), rel=1e-3)
    torch.testing.assert_close(made, spot(wide_y=5.0, wide_x=5.0).double() * 9 / 25, atol=1e-3, rtol=0)


def test_noise_is_in_units_of_that_of_the_picture():
    views = plain(noise=3.0)
    made = views.make(torch.zeros(2, 1, 48, 48), drawn(views, 2, noise=2.0), torch.tensor([[0.01], [0.05]]))
    assert made.std(dim=(1, 2, 3)).tolist() == pytest.approx([0.02, 0.1], rel=0.1)


def test_a_mask_blanks_the_part_that_was_drawn_and_gamma_bends():
    views = plain(mask=0.5)
    made = views.make(torch.ones(64, 1, 48, 48), drawn(views, 64, mask=0.5))
    assert (made == 0).float().mean() == pytest.approx(0.5, abs=0.03)
    bent = plain(gamma=(0.5, 2.0))
    torch.testing.assert_close(
        bent.make(torch.full((1, 1, 48, 48), 0.5), drawn(bent, gamma=2.0)), torch.full((1, 1, 48, 48), 0.25)
    )


def test_views_follow_from_the_seed_alone():
    views = Views(ViewOptions(blur=1.0, mask=0.2, gain=0.1, stretch=0.1))
    rms = torch.full((3, 1), 0.01)
    a, b, c = (
        views.make(spot().expand(3, -1, -1, -1), views.draw(3, torch_generator(seed, "views")), rms)
        for seed in (1, 1, 2)
    )
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert not torch.allclose(a, c)


def test_pixels_without_data_stay_without_where_they_are_told_apart():
    views, pixels = plain(noise=2.0, blur=1.0), torch.ones(1, 1, 48, 48)
    pixels[..., :20] = 0.0
    given = drawn(views, noise=2.0, blur=1.0), torch.ones(1, 1)
    noisy, kept = (views.make(pixels, *given, blank=blank) for blank in (False, True))
    assert (noisy[..., :19] != 0.0).all()
    assert (kept[..., :19] == 0.0).all()
    torch.testing.assert_close(kept[..., 21:], noisy[..., 21:])


def test_rms_is_what_noise_becomes():
    rng = generator(1, "rms")
    pixels = (5.0 * rng.standard_normal((2, 1, 96, 96))).astype(np.float32)
    pixels[1] = 0.0
    made = rms_of(pixels, Preparation(size=48, bin=2, steps="level"), rng)
    assert made.ravel() == pytest.approx([2.5, 0.0], rel=0.1)


# -- embedding


def test_a_row_each_and_nan_where_nothing_can_be_read(weights):
    rng = generator(1, "embed")
    pixels = rng.standard_normal((5, 2, 60, 60))
    pixels[2] = np.nan
    table = embed(Source(pixels, {"label": np.array(list("abcde"))}), weights, batch=2)
    assert isinstance(table, Features)
    assert table.titles[:2] == ("e000", "e001")
    assert np.isnan(table.values[2]).all()
    assert np.isfinite(np.delete(table.values, 2, 0)).all()
    assert table.labels() == tuple("abcde")
    assert {each.group for each in table.columns} == {"embedding"}
    whole = embed(Source(pixels), weights, batch=256)
    np.testing.assert_allclose(whole.values, table.values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("turns", [4, 8])
def test_features_do_not_change_where_a_picture_is_turned(weights, turns):
    pixels = generator(1, "turn").random((3, 2, 24, 24)).astype(np.float32)
    net = encoder_of(weights)
    same = vectors(net, np.rot90(pixels, 1, (2, 3)).copy(), turns=turns)
    np.testing.assert_allclose(same, vectors(net, pixels, turns=turns), rtol=1e-4, atol=1e-5)
    mirrored = vectors(net, pixels[..., ::-1].copy(), turns=turns)
    assert np.allclose(mirrored, same, rtol=1e-4, atol=1e-5) == (turns == 8)


def test_more_stages_give_means_and_largest_values_of_each():
    net = make_encoder(EncoderOptions(width=4, blocks=(1, 1, 1))).eval()
    pixels = generator(1, "stages").random((3, 1, 24, 24)).astype(np.float32)
    made = vectors(net, pixels, turns=8, stages=2)
    assert made.shape == (3, 2 * (16 + 8))
    last = net.maps(torch.from_numpy(pixels)).detach().numpy()
    one = vectors(net, pixels, turns=1, stages=2)
    np.testing.assert_allclose(one[:, :16], last.mean(axis=(2, 3)), rtol=1e-5)
    np.testing.assert_allclose(one[:, 16:32], last.max(axis=(2, 3)), rtol=1e-5)
    with pytest.raises(OptionError, match=r"other stages.*stages=4.*1 to 3"):
        vectors(net, pixels, stages=4)


def test_the_card_tells_the_preparation(weights):
    assert preparation_of(weights) == Preparation(size=24, bin=2)
    assert weights.card.training["method"] == "simclr"


def test_other_bands_and_other_weights_are_refused(weights, tmp_path):
    with pytest.raises(OptionError, match=r"another number of bands.*1 \(b0\).*allowed: 2"):
        embed(Source(np.ones((2, 1, 24, 24))), weights)
    with pytest.raises(OptionError, match=r"turns.*3.*1, 2, 4, 8"):
        vectors(encoder_of(weights), np.ones((1, 2, 24, 24), np.float32), turns=3)
    from dataclasses import replace

    other = replace(weights, card=replace(weights.card, model="yolo-dense"))
    with pytest.raises(OptionError, match=r"not the weights of an encoder.*yolo-dense"):
        encoder_of(other)


# -- probes


def groups(n=60, apart=4.0):
    rng = generator(1, "groups")
    values = rng.standard_normal((n, 6))
    labels = np.array(["a", "b", "c"])[np.arange(n) % 3]
    values[:, 0] += apart * (labels == "b")
    values[:, 1] += apart * (labels == "c")
    return values, labels


@pytest.mark.parametrize("kind", ["linear", "knn"])
def test_a_probe_tells_groups_apart_and_says_how_sure_it_is(kind):
    values, labels = groups()
    probe = Probe(kind).fit(values[:40], labels[:40])
    told = probe.probabilities(values[40:])
    assert told.sum(axis=1) == pytest.approx(1.0)
    assert (probe.predict(values[40:]) == labels[40:]).mean() > 0.8
    again = Probe.of_state(kind, probe.state())
    np.testing.assert_allclose(again.probabilities(values), probe.probabilities(values))


def test_two_classes_have_the_probabilities_of_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    values, labels = groups()
    chosen = labels != "c"
    values, labels = values[chosen], labels[chosen]
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    expected = LogisticRegression(C=0.1).fit(scaled, labels).predict_proba(scaled)
    np.testing.assert_allclose(Probe().fit(values, labels).probabilities(values), expected, atol=1e-4)


def test_rows_with_nan_are_not_learnt_and_get_nan():
    values, labels = groups()
    values[3] = np.nan
    told = Probe().fit(values, labels).probabilities(values)
    assert np.isnan(told[3]).all()
    assert np.isfinite(np.delete(told, 3, 0)).all()


def test_what_cannot_be_probed_is_told():
    values, labels = groups()
    with pytest.raises(UsageError, match=r"nothing to tell apart.*1 classes"):
        Probe().fit(values[labels == "a"], labels[labels == "a"])
    with pytest.raises(UsageError, match=r"another length"):
        Probe().fit(values, labels).probabilities(values[:, :2])
    with pytest.raises(UsageError, match="not learnt"):
        Probe().probabilities(values)
    with pytest.raises(UsageError, match="no such probe"):
        Probe("tree")
    with pytest.raises(DataError, match="not whole"):
        Probe.of_state("linear", {"classes": np.arange(2)})


def test_another_bin_shows_the_middle_in_finer_detail(weights):
    pixels = generator(3, "bin").random((3, 2, 96, 96)).astype(np.float32)
    preparation = preparation_of(weights)
    finer = replace(preparation, bin=preparation.bin + 1)
    made = embed(Source(pixels), weights, bin=finer.bin)
    assert np.array_equal(made.values, vectors(encoder_of(weights), prepare(pixels, finer), turns=4))
    assert not np.allclose(made.values, embed(Source(pixels), weights).values)
    with pytest.raises(OptionError, match="bin"):
        embed(Source(pixels), weights, bin=0)
    with pytest.raises(OptionError, match=r"bin is too large.*bin=13 for 96 pixels.*allowed: 1 to 12"):
        embed(Source(pixels), weights, bin=13)


def test_the_encoder_that_ships_tells_where_it_comes_from_and_doubles_from_singles():
    weights = weights_of("first-simclr")
    assert weights.card.training["method"] == "simclr"
    assert weights.card.training["train"]["random_seed"] == 1
    assert weights.path.stat().st_size < 2e6
    y, x = np.mgrid[:96, :96] - 48.0
    rng = generator(1, "shipped")
    pixels = 0.02 * rng.standard_normal((60, 1, 96, 96))
    label = np.arange(60) % 2
    for k in range(60):
        apart, angle = 14.0 * label[k], rng.uniform(0.0, 2.0 * np.pi)
        for sign in (-1.0, 1.0):
            dx, dy = sign * apart * np.cos(angle), sign * apart * np.sin(angle)
            pixels[k, 0] += np.exp(-((x - dx) ** 2 + (y - dy) ** 2) / 2.0 / 3.0**2)
    table = embed(Source(pixels), weights)
    assert table.values.shape == (60, 448)
    told = Probe().fit(table.values[:20], label[:20]).predict(table.values[20:])
    assert (told == label[20:]).mean() > 0.95

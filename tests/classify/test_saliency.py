"""Where a network looks, against networks whose answer is known: they look at one corner, or add up pixels."""

import numpy as np
import pytest
import torch
from tests.classify.spots import labelled, pictures_of
from torch import nn

from skysift.base.errors import UsageError
from skysift.classify.images import CnnClassifier
from skysift.classify.networks import PictureNet
from skysift.classify.options import CnnOptions, LooksOptions
from skysift.classify.saliency import grad_cam, occlusion
from skysift.flow.steps.explain_pictures import PicturesExplainStep
from skysift.learn.layers.resnet import ResNet


class Corner(nn.Module):
    """Class 1 speaks for light in the upper left corner, class 0 for none."""

    def __init__(self, strength=1.0):
        super().__init__()
        self.strength = strength

    def maps(self, x):
        seen = torch.nn.functional.avg_pool2d(x[:, :1], 4)
        here = torch.zeros_like(seen)
        here[:, :, 0, 0] = 1.0
        return torch.cat([seen * here, seen * (1 - here)], dim=1)

    def told(self, features):
        light = self.strength * features[:, 0]
        return torch.stack([-light, light], dim=1)

    def forward(self, x):
        return self.told(self.maps(x).mean(dim=(2, 3)))


def test_grad_cam_finds_the_corner():
    pixels = np.ones((2, 1, 16, 16), np.float32)
    pixels[1, 0, :8, :8] = 0.0
    seen = grad_cam(Corner(), pixels, [1, 1])
    assert seen.shape == (2, 16, 16)
    assert seen[0, 0, 0] == 1.0
    assert seen[0, 8:, 8:].max() == 0.0
    assert seen[1].max() == 0.0  # no light in the corner: nothing speaks for it
    assert grad_cam(Corner(), pixels, [0, 0]).max() == 0.0  # light there speaks against class 0


def test_grad_cam_of_a_mean_is_the_map_itself():
    class Mean(Corner):
        def maps(self, x):
            return x

        def told(self, features):
            return torch.cat([-features, features], dim=1)

    pixels = np.abs(np.random.default_rng(0).standard_normal((3, 1, 8, 8))).astype(np.float32)
    seen = grad_cam(Mean(), pixels, [1, 1, 1])
    assert np.allclose(seen, pixels[:, 0] / pixels[:, 0].max(axis=(1, 2), keepdims=True), atol=1e-6)


def test_hiding_the_corner_changes_the_probability_by_its_closed_form():
    pixels = np.ones((1, 1, 16, 16), np.float32)
    net = Corner(strength=32.0)
    fall = occlusion(said(net), pixels, [1], patch=4, stride=4)[0]
    light = 32.0 / 16.0  # mean over 4 x 4 maps of the one that has 1
    whole = 1 / (1 + np.exp(-2 * light))
    assert np.allclose(fall[:4, :4], whole - 0.5, atol=1e-6)
    assert np.allclose(fall[4:], 0.0)
    assert np.allclose(fall[:, 4:], 0.0)
    against = occlusion(said(net), pixels, [0], patch=4, stride=4)[0]
    assert np.allclose(against, -fall, atol=1e-6)
    tags = occlusion(said(net, many=True), pixels, [1], patch=4, stride=4)[0]
    assert np.allclose(tags[:4, :4], 1 / (1 + np.exp(-light)) - 0.5, atol=1e-6)


def said(net, many=False):
    """What a network tells of prepared pictures: probabilities."""

    def told(pixels):
        numbers = net(torch.from_numpy(pixels))
        return (numbers.sigmoid() if many else numbers.softmax(dim=1)).numpy()

    return told


@pytest.mark.parametrize(("patch", "stride"), [(5, 3), (16, 4), (20, 4)])
def test_squares_cover_all_of_the_picture(patch, stride):
    fall = occlusion(
        said(Corner(strength=32.0)), np.ones((1, 1, 16, 16), np.float32), [1], patch=patch, stride=stride
    )
    assert fall.shape == (1, 16, 16)
    assert (fall[0, :4, :4] > 0).all()


def test_a_real_network_is_left_as_it_was():
    net = PictureNet(ResNet(4, (1, 1)), 3).train()
    pixels = np.random.default_rng(0).standard_normal((2, 1, 16, 16)).astype(np.float32)
    seen = grad_cam(net, pixels, [0, 2])
    assert seen.shape == (2, 16, 16)
    assert net.training
    assert all(each.grad is None for each in net.parameters())


def test_a_page_of_pictures_shows_where_a_classifier_looks(tmp_path):
    data = labelled(60)
    menu = CnnOptions(
        size=24, bin=1, width=4, blocks=(1, 1), batch=16, epochs=6, learning_rate=1e-2, turns=1, device="cpu"
    )
    made = CnnClassifier(menu)
    made.fit(data)
    looks = PicturesExplainStep(LooksOptions(sources=7, patch=6, stride=6)).run(
        made, data.pictures, tmp_path / "why"
    )
    assert len(looks.names) == 7
    assert looks.cam.shape == looks.fall.shape == (7, 24, 24)
    with np.load(tmp_path / "why" / "maps.npz") as held:
        assert np.array_equal(held["occlusion"], looks.fall)
    rows = (tmp_path / "why" / "reasons.csv").read_text().splitlines()
    assert rows[0] == "name,label,probability,middle,largest_fall"
    assert len(rows) == 8
    assert "data:image/png" in (tmp_path / "why" / "report.html").read_text()
    with pytest.raises(UsageError, match="can be read"):
        PicturesExplainStep(LooksOptions()).run(
            made, pictures_of(np.full((2, 1, 24, 24), np.nan), ("b0",)), tmp_path / "no"
        )

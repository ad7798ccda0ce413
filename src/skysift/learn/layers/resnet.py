"""`ResNet`: residual layers (He et al. 2016, CVPR) for small images with any number of channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skysift.learn.layers.staged import Staged

__all__ = ["ResNet"]


class _Block(nn.Module):
    """Two convolutions of 3 x 3 beside a way past them."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(n_out)
        self.past: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.past = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Maps of images, half as large where the stride is 2."""
        out = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(out)) + self.past(x))


class ResNet(Staged):
    """
    Residual layers whose number of channels doubles while the image halves.

    Parameters
    ----------
    width
        Channels of the first stage.
    blocks
        Blocks of each stage; (1, 1, 1, 1) is a ResNet-10, (2, 2, 2, 2) a ResNet-18.
    channels_in
        Of the images.
    stem
        Stride of the first convolution; with 2 the first stage keeps its size, at half the cost.

    Attributes
    ----------
    n_features
        Length of a vector of features.
    stride
        Pixels of the image that a pixel of the last maps stands for.
    """

    def __init__(
        self, width: int = 16, blocks: Sequence[int] = (1, 1, 1, 1), channels_in: int = 1, stem: int = 1
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels_in, width, 2 + stem, stem, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        stages, n_in = [], width
        for k, n in enumerate(blocks):
            n_out = width * 2**k
            first = 1 if k == 0 and stem == 2 else 2
            steps = [_Block(n_in if j == 0 else n_out, n_out, first if j == 0 else 1) for j in range(n)]
            stages.append(nn.Sequential(*steps))
            n_in = n_out
        self.stages = nn.ModuleList(stages)
        self.n_features = n_in
        self.stride = 2 ** len(stages)
        for each in self.modules():
            if isinstance(each, nn.Conv2d):
                nn.init.kaiming_normal_(each.weight, mode="fan_out", nonlinearity="relu")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the maps of each stage, finest first."""
        return tuple(self.n_features // 2**k for k in range(len(self.stages) - 1, -1, -1))

    @property
    def parts(self) -> list[nn.Module]:
        """Stem and stages in their order: what is first sees the image first."""
        return [nn.ModuleList([self.stem, self.stem_norm]), *self.stages]

    def levels(self, x: Tensor) -> list[Tensor]:
        """The maps after each stage, (image, channel, y, x), finest first."""
        out, maps = torch.relu(self.stem_norm(self.stem(x))), []
        for stage in self.stages:
            out = stage(out)
            maps.append(out)
        return maps

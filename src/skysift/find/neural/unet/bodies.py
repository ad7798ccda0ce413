"""The bodies of the model unet: features of each cell of 2 x 2 pixels, and from them the answers of each pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.find.neural.inputs import CHANNELS, TOLD
from skysift.find.neural.unet.options import UnetModelOptions
from skysift.learn.layers.blocks import Condition, Trunk
from skysift.sky.truth import CLASSES

__all__ = ["N_ANSWERS", "N_KINDS", "UnetNet"]

N_KINDS = 1 + len(CLASSES)  # background first
N_ANSWERS = N_KINDS + 3  # the kinds, how far inside, the way to the centre (y, x)
_SLOPE = 0.05  # of the leaky rectifier below zero
_BACKGROUND = 2.0  # logit of the background where training begins


class DenseBlock(nn.Module):
    """Layers of which each sees what all before it made (Huang et al. 2017, CVPR), told of the beam."""

    def __init__(self, channels: int, n_layers: int, growth: int, told: int) -> None:
        super().__init__()
        self.condition = Condition(told, channels)
        layers = [nn.Conv2d(channels + k * growth, growth, 3, padding=1) for k in range(n_layers)]
        for each in layers:
            nn.init.kaiming_normal_(each.weight, a=_SLOPE)
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """What the layers made (n, layers x growth, y, x), without the input."""
        seen = self.condition(x, told)
        made: list[Tensor] = []
        for layer in self.layers:
            made.append(layer(functional.leaky_relu(seen, _SLOPE)))
            seen = torch.cat([seen, made[-1]], dim=1)
        return torch.cat(made, dim=1)


class Tiramisu(nn.Module):
    """
    Features at the stride 2 by FC-DenseNet (Jegou et al. 2017, CVPRW): dense blocks on the way down and up.

    It has no normalisation; its first layer sees cells of 2 x 2 pixels, so that it costs a quarter.
    """

    def __init__(self, channels: int, first: int, layers: tuple[int, ...], growth: int, told: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4 * channels, first, 3, padding=1)
        self.down, self.pools = nn.ModuleList(), nn.ModuleList()
        width, skips = first, []
        for n in layers[:-1]:
            self.down.append(DenseBlock(width, n, growth, told))
            width += n * growth
            skips.append(width)
            self.pools.append(nn.Conv2d(width, width, 1))
        self.middle = DenseBlock(width, layers[-1], growth, told)
        self.ups, self.up = nn.ModuleList(), nn.ModuleList()
        made = layers[-1] * growth
        for n, skip in zip(reversed(layers[:-1]), reversed(skips), strict=True):
            self.ups.append(nn.Conv2d(made, made, 1))
            self.up.append(DenseBlock(made + skip, n, growth, told))
            made = n * growth
        self.width = made

    def forward(self, image: Tensor, told: Tensor) -> Tensor:
        """Features (n, width, y / 2, x / 2) of images (n, channel, y, x)."""
        x = self.stem(functional.pixel_unshuffle(image, 2))
        kept: list[Tensor] = []
        for block, pool in zip(self.down, self.pools, strict=True):
            x = torch.cat([x, block(x, told)], dim=1)
            kept.append(x)
            x = functional.max_pool2d(pool(functional.leaky_relu(x, _SLOPE)), 2)
        x = self.middle(x, told)
        for up, block, skip in zip(self.ups, self.up, reversed(kept), strict=True):
            wide = functional.interpolate(up(x), scale_factor=2.0, mode="nearest")
            x = block(torch.cat([wide, skip], dim=1), told)
        return functional.leaky_relu(x, _SLOPE)


class UnetNet(nn.Module):
    """Logits of the kinds, logit of how far inside, and the way to the centre, of each pixel (n, answer, y, x)."""

    def __init__(self, options: UnetModelOptions) -> None:
        super().__init__()
        if options.body == "tiramisu":
            self.body: nn.Module = Tiramisu(CHANNELS, options.widths[0], options.depths, options.growth, TOLD)
            width = (
                options.depths[0] * options.growth
                if len(options.depths) > 1
                else options.depths[-1] * options.growth
            )
        else:
            self.body = Trunk(CHANNELS, options.widths, options.depths, TOLD)
            width = options.widths[0]
        self.head = nn.Conv2d(width, 4 * N_ANSWERS, 1)
        nn.init.normal_(self.head.weight, std=0.02)
        with torch.no_grad():
            assert self.head.bias is not None
            self.head.bias.zero_()
            self.head.bias[:4] = _BACKGROUND  # of the four pixels of a cell
            self.head.bias[4 * N_KINDS : 4 * N_KINDS + 4] = -_BACKGROUND

    def forward(self, image: Tensor, told: Tensor) -> Tensor:
        """Answers (n, answer, y, x) for images (n, channel, y, x) and beams (n, condition)."""
        return functional.pixel_shuffle(self.head(self.body(image, told)), 2)

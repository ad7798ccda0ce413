"""Parts that networks are built of, along two axes or three: residual blocks without normalisation, told of the beam.

Features are ``(n, channel, y, x)``, or ``(n, channel, z, y, x)`` where z is the spectral axis of a cube.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["CONVOLUTIONS", "SLOPE", "Condition", "Down", "Residual", "Trunk", "begin", "unshuffled"]

CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
"""By the number of axes."""

SLOPE = 0.05  # of the leaky rectifier below zero
_QUIET = 0.3  # factor of the second convolution of a block at the beginning: blocks begin close to identity


def begin(*layers: nn.Module) -> None:
    """Give layers fresh weights that keep the size of what goes through (He et al. 2015, ICCV)."""
    for layer in layers:
        assert isinstance(layer, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear))
        nn.init.kaiming_normal_(layer.weight, a=SLOPE)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def unshuffled(x: Tensor, factor: int) -> Tensor:
    """The pixels of cells, `factor` along each axis, as channels: (n, channel x pixel, ..., y / factor, x / factor)."""
    if x.ndim == 4:
        return functional.pixel_unshuffle(x, factor)
    n, channels, *sides = x.shape
    axes = len(sides)
    cells = x.reshape(n, channels, *(each for side in sides for each in (side // factor, factor)))
    inner = [3 + 2 * k for k in range(axes)]
    moved = cells.permute(0, 1, *inner, *(each - 1 for each in inner))
    return moved.reshape(n, channels * factor**axes, *(side // factor for side in sides))


class Condition(nn.Module):
    """What is told of the beam, as a scale and a shift for each channel (FiLM; Perez et al. 2018, AAAI)."""

    def __init__(self, told: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(told, 2 * channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """Features (n, channel, ...) as what is told (n, told) scales and shifts them."""
        scale, shift = self.linear(told)[(..., *(None,) * (x.ndim - 2))].chunk(2, dim=1)
        scaled: Tensor = x * (1.0 + scale) + shift
        return scaled


class Residual(nn.Module):
    """x + f(x) with two convolutions, each after a leaky rectifier (He et al. 2016, ECCV)."""

    def __init__(self, channels: int, told: int, axes: int = 2) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[axes]
        self.first = convolution(channels, channels, 3, padding=1)
        self.second = convolution(channels, channels, 3, padding=1)
        self.condition = Condition(told, channels)
        begin(self.first, self.second)
        with torch.no_grad():
            self.second.weight.mul_(_QUIET)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """Features of the same shape."""
        inner = self.condition(self.first(functional.leaky_relu(x, SLOPE)), told)
        result: Tensor = x + self.second(functional.leaky_relu(inner, SLOPE))
        return result


class Down(nn.Module):
    """
    The way down from a map, to features at the strides 2, 4, 8, ...; an encoder that learnt without labels has one, too.

    Parameters
    ----------
    channels
        Of the input.
    widths
        Channels at the strides 2, 4, 8, ...
    depths
        Blocks at each of them.
    told
        Numbers that are told of the beam.
    axes
        2 for maps, 3 for cubes.
    """

    def __init__(
        self, channels: int, widths: tuple[int, ...], depths: tuple[int, ...], told: int, axes: int = 2
    ) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[axes]
        self.stem = convolution(2**axes * channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(convolution(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(
            nn.ModuleList(Residual(width, told, axes) for _ in range(n))
            for width, n in zip(widths, depths, strict=True)
        )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at each stride."""
        return tuple(int(each.weight.shape[0]) for each in (self.stem, *self.down))

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks at each stride."""
        return tuple(len(each) for each in self.blocks)  # type: ignore[arg-type]

    def levels(self, image: Tensor, told: Tensor) -> list[Tensor]:
        """Features (n, width, ..., y / stride, x / stride) of images (n, channel, ..., y, x), the finest first."""
        x = self.stem(unshuffled(image, 2))
        kept: list[Tensor] = []
        for k, blocks in enumerate(self.blocks):
            if k:
                x = self.down[k - 1](functional.leaky_relu(x, SLOPE))
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, told)
            kept.append(x)
        return kept


class Trunk(Down):
    """
    Features at the stride 2 of the map, from strides 2, 4, 8, ... and back (Ronneberger et al. 2015, MICCAI).

    Parameters
    ----------
    channels, widths, depths, told, axes
        Of the way down; one block more follows on the way up at each stride.
    """

    def __init__(
        self, channels: int, widths: tuple[int, ...], depths: tuple[int, ...], told: int, axes: int = 2
    ) -> None:
        super().__init__(channels, widths, depths, told, axes)
        self.up = nn.ModuleList(CONVOLUTIONS[axes](b, a, 1) for a, b in pairwise(widths))
        self.after = nn.ModuleList(Residual(width, told, axes) for width in widths[:-1])

    def forward(self, image: Tensor, told: Tensor) -> Tensor:
        """Features (n, widths[0], ..., y / 2, x / 2) of images (n, channel, ..., y, x)."""
        *kept, x = self.levels(image, told)
        for k in range(len(self.up) - 1, -1, -1):
            wide = functional.interpolate(self.up[k](x), scale_factor=2.0, mode="nearest")
            x = self.after[k](kept[k] + wide, told)
        return functional.leaky_relu(x, SLOPE)

"""`DetectorEncoder`: the way down of the finders as an encoder, so that what it learns without labels can start them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.learn.layers.blocks import SLOPE, Down, begin
from skysift.learn.layers.staged import Staged
from skysift.learn.shown import CHANNELS, COMPRESSED, FLOOR, LEAST, LINEAR, MOST, REACH, TOLD

__all__ = ["DetectorEncoder", "shown"]


def shown(z: Tensor) -> Tensor:
    """
    The channels (image, `CHANNELS`, y, x) that the networks of finders read, of images in units of the noise.

    As `skysift.find.neural.inputs.channels` makes them; where an image is exactly 0, as beyond the border of a turned
    picture, there are no data.

    Parameters
    ----------
    z
        (image, 1, y, x), finite.
    """
    good = z != 0.0
    top = functional.max_pool2d(torch.where(good, z, -torch.inf), 2 * REACH + 1, 1, REACH)
    parts = [
        COMPRESSED * torch.asinh(z),
        (LINEAR * z).clamp(LEAST, MOST),
        (z / top.clamp(min=FLOOR)).clamp(min=-1.0),
        good.to(z.dtype),
    ]
    return torch.cat(parts, dim=1)


class DetectorEncoder(Staged):
    """
    The way down of the finders with masks: residual stages without normalisation, told nothing of the beam.

    Parameters
    ----------
    widths
        Channels at the strides 2, 4, 8, ...
    depths
        Blocks at each of them.

    Attributes
    ----------
    n_features
        Length of a vector of features.
    stride
        Pixels of the image that a pixel of the last maps stands for.
    trunk
        What a finder can begin with.
    """

    def __init__(self, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        self.trunk = Down(CHANNELS, tuple(widths), tuple(depths), TOLD)
        self.n_features, self.stride = widths[-1], 2 ** len(widths)
        begin(self.trunk.stem, *self.trunk.down)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the maps of each stage, finest first."""
        return self.trunk.widths

    @property
    def parts(self) -> list[nn.Module]:
        """Stages in their order: what is first sees the image first."""
        trunk = self.trunk
        into = (trunk.stem, *trunk.down)
        return [nn.ModuleList(each) for each in zip(into, trunk.blocks, strict=True)]

    def levels(self, x: Tensor) -> list[Tensor]:
        """The maps after each stage, (image, channel, y, x), finest first, of images (image, 1, y, x) over the noise."""
        ny, nx = (side - side % 2 for side in x.shape[2:])
        seen = shown(x[:, :, :ny, :nx])
        told = torch.zeros((len(x), TOLD), dtype=seen.dtype, device=seen.device)
        return [functional.leaky_relu(each, SLOPE) for each in self.trunk.levels(seen, told)]

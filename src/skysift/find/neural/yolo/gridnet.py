"""The network of the grid head, and what its numbers mean: boxes that grow from priors, a few for each cell.

Along two axes, of maps, or three, of cubes: what is said of ``(y, x)`` holds for ``(z, y, x)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.find.neural.inputs import CHANNELS, told_along
from skysift.find.neural.targets import LINE_PARAMETERS, PARAMETERS
from skysift.find.neural.yolo.options import BoxOptions
from skysift.learn.layers.blocks import CONVOLUTIONS, Residual, unshuffled
from skysift.sky.truth import CLASSES

__all__ = ["CUBES", "MAPS", "PARTS", "STRETCH", "GridNet", "Parts", "boxes_of", "parts_of", "stretched"]

STRETCH = 1.2  # ln: the most that a side differs from that of its prior
_SLOPE = 0.05  # of the leaky rectifier below zero
_PRIOR = 0.02  # objectness and probability at the beginning


@dataclass(frozen=True)
class Parts:
    """
    Where the numbers of a box stand: its place in the cell and its sides along each axis come first.

    Attributes
    ----------
    axes
        2 of maps, 3 of cubes.
    parameters
        How many parameters of a source are told of; the first are its position, which is that of the box.
    classes
        How many classes a source can be of.
    """

    axes: int
    parameters: int
    classes: int

    @property
    def place(self) -> slice:
        """Place in the cell."""
        return slice(self.axes)

    @property
    def sides(self) -> slice:
        """Ln of the sides over those of the prior, before `stretched`."""
        return slice(self.axes, 2 * self.axes)

    @property
    def source(self) -> int:
        """Logit of the probability that a source is here."""
        return 2 * self.axes

    @property
    def objectness(self) -> int:
        """Logit of the objectness."""
        return 2 * self.axes + 1

    @property
    def mean(self) -> slice:
        """The parameters but for the position."""
        return slice(self.objectness + 1, self.objectness + 1 + self.parameters - self.axes)

    @property
    def scale(self) -> slice:
        """Ln of the scales of all parameters."""
        return slice(self.mean.stop, self.mean.stop + self.parameters)

    @property
    def kind(self) -> slice:
        """Logits of the classes."""
        return slice(self.scale.stop, self.scale.stop + self.classes)

    def __len__(self) -> int:
        return int(self.kind.stop)


MAPS = Parts(2, len(PARAMETERS), len(CLASSES))
CUBES = Parts(3, len(LINE_PARAMETERS), 0)
PARTS = {each.axes: each for each in (MAPS, CUBES)}


class GridNet(nn.Module):
    """Numbers of each box of each cell ``(n, prior x part, y / cell, x / cell)``; the parts are those of `Parts`."""

    def __init__(self, options: BoxOptions) -> None:
        super().__init__()
        widths, axes = options.widths, options.n_axes
        parts, told, convolution = PARTS[axes], told_along(axes), CONVOLUTIONS[axes]
        self.stem = convolution(2**axes * CHANNELS, widths[0], 3, padding=1)
        self.down = nn.ModuleList(convolution(2**axes * a, b, 1) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(
            nn.ModuleList(Residual(width, told, axes) for _ in range(n))
            for width, n in zip(widths, options.depths, strict=True)
        )
        self.neck = convolution(widths[-1], 2 * widths[-1], 1)
        self.head = convolution(2 * widths[-1], len(options.priors) * len(parts), 1)
        nn.init.normal_(self.head.weight, std=0.01)
        with torch.no_grad():
            assert self.head.bias is not None
            self.head.bias.zero_()
            logit = float(np.log(_PRIOR / (1.0 - _PRIOR)))
            self.head.bias.view(-1, len(parts))[:, [parts.source, parts.objectness]] = logit

    def forward(self, image: Tensor, told: Tensor) -> Tensor:
        """Answers (n, prior x part, y / cell, x / cell) for images (n, channel, y, x) and beams (n, condition)."""
        x = self.stem(unshuffled(image, 2))
        for k, blocks in enumerate(self.blocks):
            if k:
                x = self.down[k - 1](unshuffled(functional.leaky_relu(x, _SLOPE), 2))
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, told)
        x = self.neck(functional.leaky_relu(x, _SLOPE))
        answer: Tensor = self.head(functional.leaky_relu(x, _SLOPE))
        return answer


def parts_of(answer: Tensor) -> Tensor:
    """An answer with the parts of each box apart, in the order of `Parts`: (n, y, x, prior, part)."""
    n, _, *grid = answer.shape
    apart = answer.reshape(n, -1, len(PARTS[len(grid)]), *grid)
    return apart.permute(0, *range(3, 3 + len(grid)), 1, 2)


def stretched(part: Tensor) -> Tensor:
    """Ln of the side of a box over that of its prior: as it was told, but no more than `STRETCH` either way."""
    return STRETCH * torch.tanh(part / STRETCH)


def boxes_of(parts: Tensor, priors: Tensor, cell: int) -> Tensor:
    """
    Boxes (n, y, x, prior, centre y, centre x, height, width), pixels from the outer edge of the first.

    Parameters
    ----------
    parts
        (n, y, x, prior, part).
    priors
        (n, prior, axis); pixel.
    cell
        Pixels across a cell.
    """
    grid = parts.shape[1:-2]
    axes = len(grid)
    place = torch.sigmoid(parts[..., :axes])
    corner = torch.meshgrid(
        *(torch.arange(each, device=parts.device, dtype=parts.dtype) for each in grid), indexing="ij"
    )
    centre = torch.stack([cell * (place[..., k] + corner[k][..., None]) for k in range(axes)], dim=-1)
    sides = priors[(slice(None), *(None,) * axes)] * torch.exp(stretched(parts[..., axes : 2 * axes]))
    return torch.cat([centre, sides], dim=-1)

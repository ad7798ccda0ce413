"""The network of the grid head, and what its numbers mean: boxes that grow from priors, a few for each cell."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.find.neural.blocks import Residual
from skysift.find.neural.inputs import CHANNELS, TOLD
from skysift.find.neural.targets import PARAMETERS
from skysift.find.neural.yolo.options import GridOptions
from skysift.sky.truth import CLASSES

__all__ = [
    "AXES", "CLASS", "MEAN", "N_PARTS", "OBJECT", "SCALE", "SOURCE", "STRETCH", "GridNet", "boxes_of", "parts_of",
    "stretched",
]  # fmt: skip

AXES = 2
STRETCH = 1.2  # ln: the most that a side differs from that of its prior
_SLOPE = 0.05  # of the leaky rectifier below zero
_PRIOR = 0.02  # objectness and probability at the beginning

_N = len(PARAMETERS)
SOURCE, OBJECT = (
    2 * AXES,
    2 * AXES + 1,
)  # logits of the probability that a source is here, and of the objectness
MEAN = slice(
    OBJECT + 1, OBJECT + 1 + _N - AXES
)  # the parameters but for the position, which is that of the box
SCALE = slice(MEAN.stop, MEAN.stop + _N)  # ln of the scales of all of them
CLASS = slice(SCALE.stop, SCALE.stop + len(CLASSES))
N_PARTS = CLASS.stop


class GridNet(nn.Module):
    """Numbers of each box of each cell ``(n, prior x part, y / cell, x / cell)``; the parts are those of `parts_of`."""

    def __init__(self, options: GridOptions) -> None:
        super().__init__()
        widths = options.widths
        self.stem = nn.Conv2d(4 * CHANNELS, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(4 * a, b, 1) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(
            nn.ModuleList(Residual(width, TOLD) for _ in range(n))
            for width, n in zip(widths, options.depths, strict=True)
        )
        self.neck = nn.Conv2d(widths[-1], 2 * widths[-1], 1)
        self.head = nn.Conv2d(2 * widths[-1], len(options.priors) * N_PARTS, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        with torch.no_grad():
            assert self.head.bias is not None
            self.head.bias.zero_()
            logit = float(np.log(_PRIOR / (1.0 - _PRIOR)))
            self.head.bias.view(-1, N_PARTS)[:, [SOURCE, OBJECT]] = logit

    def forward(self, image: Tensor, told: Tensor) -> Tensor:
        """Answers (n, prior x part, y / cell, x / cell) for images (n, channel, y, x) and beams (n, condition)."""
        x = self.stem(functional.pixel_unshuffle(image, 2))
        for k, blocks in enumerate(self.blocks):
            if k:
                x = self.down[k - 1](functional.pixel_unshuffle(functional.leaky_relu(x, _SLOPE), 2))
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, told)
        x = self.neck(functional.leaky_relu(x, _SLOPE))
        answer: Tensor = self.head(functional.leaky_relu(x, _SLOPE))
        return answer


def parts_of(answer: Tensor) -> Tensor:
    """
    An answer with its parts apart: (n, y, x, prior, part).

    Parts are the place in the cell (y, x) and the sides (y, x) of the box; logits of the probability of a source and of
    the objectness; `PARAMETERS` from ``flux`` on; ln of the scales of all `PARAMETERS`; logits of the classes.
    """
    n, _, ny, nx = answer.shape
    return answer.reshape(n, -1, N_PARTS, ny, nx).permute(0, 3, 4, 1, 2)


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
    place = torch.sigmoid(parts[..., :AXES])
    rows = torch.arange(parts.shape[1], device=parts.device, dtype=parts.dtype)[:, None, None]
    columns = torch.arange(parts.shape[2], device=parts.device, dtype=parts.dtype)[None, :, None]
    centre = torch.stack([cell * (place[..., 0] + rows), cell * (place[..., 1] + columns)], dim=-1)
    sides = priors[:, None, None] * torch.exp(stretched(parts[..., AXES : 2 * AXES]))
    return torch.cat([centre, sides], dim=-1)

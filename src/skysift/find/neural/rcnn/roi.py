"""RoIAlign: the features of a box as a small square, whatever its size, by bilinear sampling (He et al. 2017, ICCV)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["STRIDES", "aligned", "flattened", "widened"]

STRIDES = (4, 8, 16, 32)  # of the levels of a pyramid
_CELLS = 14  # a box that is wider than so many cells of a level is sampled on the next

Shapes = Sequence[tuple[int, int]]


def flattened(levels: Sequence[Tensor]) -> tuple[Tensor, Shapes]:
    """The cells of all levels (n, channel, y, x) one after the other (n, cell, channel), and the shape of each level."""
    rows = torch.cat([each.flatten(2) for each in levels], dim=2)
    return rows.transpose(1, 2), [(each.shape[2], each.shape[3]) for each in levels]


def widened(boxes: Tensor, factor: float, more: float = 0.0) -> Tensor:
    """Boxes (..., 4) as (y0, x0, y1, x1), wider by a factor about their middles, and by some pixels more."""
    middle = 0.5 * (boxes[..., :2] + boxes[..., 2:])
    half = 0.5 * (factor * (boxes[..., 2:] - boxes[..., :2]) + more)
    return torch.cat([middle - half, middle + half], dim=-1)


def aligned(cells: Tensor, shapes: Shapes, boxes: Tensor, size: int) -> Tensor:
    """
    Features of boxes (n, box, channel, size, size), sampled once in the middle of each part.

    A box is sampled on the finest level on which it is no wider than 14 cells; beyond the border features go on as they
    are at it.

    Parameters
    ----------
    cells, shapes
        As `flattened` gives them, at the strides `STRIDES`.
    boxes
        (n, box, 4): y0, x0, y1, x1; pixels from the outer edge of the first.
    size
        Parts along each side.
    """
    n, total, channels = cells.shape
    boxes = boxes.float()
    sides = boxes[..., 2:] - boxes[..., :2]
    longest = sides.amax(dim=-1)
    level = torch.zeros_like(longest)
    for stride in STRIDES[:-1]:
        level = level + (longest > _CELLS * stride).float()
    stride_of = STRIDES[0] * torch.pow(2.0, level)
    rows, columns, offset = (torch.zeros_like(longest) for _ in range(3))
    before: int | Tensor = 0
    for number, (ny, nx) in enumerate(shapes):
        here = (level == number).float()
        rows, columns, offset = rows + here * ny, columns + here * nx, offset + here * before
        before = before + ny * nx
    steps = (torch.arange(size, device=boxes.device, dtype=boxes.dtype) + 0.5) / size
    at = boxes[..., :2, None] + steps * sides[..., None]  # (n, box, axis, part)
    at = at / stride_of[..., None, None] - 0.5
    y, x = at[..., 0, :], at[..., 1, :]
    y = torch.minimum(y.clamp(min=0.0), rows[..., None] - 1.0)
    x = torch.minimum(x.clamp(min=0.0), columns[..., None] - 1.0)
    y0, x0 = torch.floor(y), torch.floor(x)
    y1 = torch.minimum(y0 + 1.0, rows[..., None] - 1.0)
    x1 = torch.minimum(x0 + 1.0, columns[..., None] - 1.0)
    fy, fx = (y - y0)[..., :, None], (x - x0)[..., None, :]
    first = offset[..., None, None] + torch.arange(n, device=boxes.device)[:, None, None, None] * total
    corners, weights = [], []
    for row, down in ((y0, 1.0 - fy), (y1, fy)):
        for column, along in ((x0, 1.0 - fx), (x1, fx)):
            corners.append(first + row[..., :, None] * columns[..., None, None] + column[..., None, :])
            weights.append(down * along)
    index, weight = (
        torch.stack(corners, dim=-1).long(),
        torch.stack(weights, dim=-1),
    )  # (n, box, y, x, corner)
    taken = functional.embedding(index.flatten(0, 3), cells.reshape(-1, channels))  # (part, corner, channel)
    made = torch.matmul(weight.flatten(0, 3).to(taken.dtype)[:, None], taken)
    return made.reshape(n, -1, size * size, channels).transpose(2, 3).reshape(n, -1, channels, size, size)

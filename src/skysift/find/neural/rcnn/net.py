"""The network of the model rcnn: a pyramid of features, places that objects are proposed at, and a closer look at each.

Places are proposed as in CenterNet2 (Zhou, Koltun & Kraehenbuehl 2021, arXiv:2103.07461): every cell of every level tells
how likely the middle of an object is there, where exactly it is, and how long the sides of the box are. Objects on radio
maps are 4 to 200 pixels wide and up to ten times longer than wide, so that anchors would need tens of boxes a cell;
middles need one, and the largest value near is the place, so that the graph needs no other suppression.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.find.neural.inputs import CHANNELS, TOLD
from skysift.find.neural.rcnn.options import N_KINDS, RcnnModelOptions
from skysift.find.neural.rcnn.roi import STRIDES, aligned, flattened, widened
from skysift.learn.layers.blocks import SLOPE, Down, begin

__all__ = [
    "BOX", "KIND", "MASK", "MASKED", "N_KINDS", "OBJECT", "SIDE", "Looked", "RcnnNet", "mask_boxes", "refined", "within",
]  # fmt: skip

SIDE = 28  # parts of a mask along each side of its box
OBJECT, BOX = (
    0,
    slice(1, 5),
)  # parts of the answer: probability of a middle; the box, in cells of the last level
KIND = slice(5, 5 + N_KINDS)  # probabilities of the classes
MASK = slice(KIND.stop, KIND.stop + SIDE * SIDE)  # probabilities of the pixels of the mask

_PRIOR = 0.01  # part of the cells that hold a middle, where the probability begins
_NOWHERE, _APART = -30.0, 1e-3  # logit where no place is, and less from cell to cell
MASKED = 1.15  # width of what a mask is told from, over that of the box
_SEEN, _AROUND = 1.2, 8.0  # the same for the class, and pixels more: what is near tells what it is
_KIND_PARTS, _MASK_PARTS = 8, SIDE // 2  # that a box is sampled in
_LARGEST = 3.0  # ln: no box has sides of more strides, or of less than their inverse

Looked = tuple[Tensor, list[tuple[int, int]], Tensor, Tensor]


def _begin_small(layer: nn.Conv2d | nn.Linear) -> None:
    """Fresh weights of what tells numbers: small, so that all begin close to zero."""
    nn.init.normal_(layer.weight, std=0.01)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class Pyramid(Down):
    """Features at the strides 4, 8, 16, 32, coarse ones added to finer (Lin et al. 2017, CVPR)."""

    def __init__(self, options: RcnnModelOptions) -> None:
        widths = options.widths
        super().__init__(CHANNELS, widths, options.depths, TOLD)
        self.lateral = nn.ModuleList(nn.Conv2d(width, options.pyramid, 1) for width in widths[1:])
        self.smooth = nn.ModuleList(
            nn.Conv2d(options.pyramid, options.pyramid, 3, padding=1) for _ in widths[1:]
        )
        begin(self.stem, *self.down, *self.lateral, *self.smooth)

    def forward(self, image: Tensor, told: Tensor) -> list[Tensor]:
        """Features (n, pyramid, y / stride, x / stride), the finest first."""
        levels = self.levels(image, told)[1:]
        kept = [side(functional.leaky_relu(x, SLOPE)) for side, x in zip(self.lateral, levels, strict=True)]
        for k in range(len(kept) - 2, -1, -1):
            kept[k] = kept[k] + functional.interpolate(kept[k + 1], scale_factor=2.0, mode="nearest")
        return [functional.leaky_relu(smooth(x), SLOPE) for smooth, x in zip(self.smooth, kept, strict=True)]


class Middles(nn.Module):
    """What each cell tells: logit of a middle, the way to it, and ln of the sides of the box; in strides."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.out = nn.Conv2d(channels, 5, 1)
        begin(self.first, self.second)
        _begin_small(self.out)
        with torch.no_grad():
            assert self.out.bias is not None
            self.out.bias[0] = float(np.log(_PRIOR / (1.0 - _PRIOR)))

    def forward(self, x: Tensor) -> Tensor:
        """Answers (n, 5, y, x)."""
        x = functional.leaky_relu(self.first(x), SLOPE)
        answer: Tensor = self.out(functional.leaky_relu(self.second(x), SLOPE))
        return answer


class ClassHead(nn.Module):
    """Logits of the classes and of nothing, and how the box is to change, from the features of boxes."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.narrow = nn.Conv2d(channels, channels // 2, 1)
        self.all = nn.Linear(channels // 2 * _KIND_PARTS**2 + 3, hidden)
        self.out = nn.Linear(hidden, N_KINDS + 4)
        begin(self.first, self.narrow, self.all)
        _begin_small(self.out)

    def forward(self, x: Tensor, size: Tensor) -> Tensor:
        """Answers (box, classes + 1 + 4) of features (box, channel, 8, 8) and sizes (box, 3)."""
        x = functional.leaky_relu(self.first(x), SLOPE)
        x = functional.leaky_relu(self.narrow(x), SLOPE).flatten(1)
        x = functional.leaky_relu(self.all(torch.cat([x, size.to(x.dtype)], dim=1)), SLOPE)
        answer: Tensor = self.out(x)
        return answer


class MaskHead(nn.Module):
    """Logits of the pixels of masks, twice as fine as the features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.finer = nn.ConvTranspose2d(channels, channels // 2, 2, stride=2)
        self.out = nn.Conv2d(channels // 2, 1, 1)
        begin(self.first, self.second, self.finer)
        _begin_small(self.out)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (box, 28, 28) of features (box, channel, 14, 14)."""
        x = functional.leaky_relu(self.first(x), SLOPE)
        x = functional.leaky_relu(self.second(x), SLOPE)
        answer: Tensor = self.out(functional.leaky_relu(self.finer(x), SLOPE))
        return answer[:, 0]


class RcnnNet(nn.Module):
    """All that is told of the places of a window (n, part, place, 1); parts are `OBJECT`, `BOX`, `KIND`, `MASK`."""

    def __init__(self, options: RcnnModelOptions) -> None:
        super().__init__()
        self.places = options.proposals
        self.pyramid = Pyramid(options)
        self.middles = Middles(options.pyramid)
        self.kinds = ClassHead(options.pyramid, options.hidden)
        self.masks = MaskHead(options.pyramid)

    def first(self, image: Tensor, told: Tensor) -> Looked:
        """Features of all cells, shapes of the levels, logits of middles (n, cell) and boxes (n, cell, 4)."""
        levels = self.pyramid(image, told)
        cells, shapes = flattened(levels)
        logits, boxes = [], []
        for stride, x in zip(STRIDES, levels, strict=True):
            answer = self.middles(x).float()
            blank = functional.max_pool2d(image[:, CHANNELS - 1 : CHANNELS], stride) <= 0.0
            logits.append(torch.where(blank, _NOWHERE, answer[:, :1]).flatten(1))
            ny, nx = answer.shape[2], answer.shape[3]
            y = torch.arange(ny, device=x.device, dtype=torch.float32)[:, None] + 0.5 + answer[:, 1]
            x = torch.arange(nx, device=x.device, dtype=torch.float32)[None, :] + 0.5 + answer[:, 2]
            half = 0.5 * torch.exp(answer[:, 3:].clamp(-_LARGEST, _LARGEST))
            edges = [y - half[:, 0], x - half[:, 1], y + half[:, 0], x + half[:, 1]]
            boxes.append(stride * torch.stack(edges, dim=-1).flatten(1, 2))
        return cells, list(shapes), torch.cat(logits, dim=1), torch.cat(boxes, dim=1)

    def proposed(self, looked: Looked, image: Tensor, places: int) -> tuple[Tensor, Tensor]:
        """Boxes (n, place, 4) and logits (n, place) of the likeliest places, in the order of their cells."""
        _, shapes, logits, boxes = looked
        alone, begin = [], 0
        for ny, nx in shapes:
            part = logits[:, begin : begin + ny * nx]
            begin = begin + ny * nx
            top = functional.max_pool2d(part.reshape(-1, 1, ny, nx), 3, stride=1, padding=1).flatten(1)
            alone.append((part >= top) & (part > _NOWHERE))
        # No two cells are equal beyond the places: which are taken where there are too few does not depend on the engine.
        number = torch.arange(logits.shape[1], device=logits.device, dtype=logits.dtype)
        likely = torch.where(torch.cat(alone, dim=1), logits, _NOWHERE - _APART * number)
        _, index = torch.topk(likely, places, dim=1)
        index, _ = torch.sort(index, dim=1)
        chosen = torch.gather(boxes, 1, index[..., None].expand(-1, -1, 4))
        return within(chosen, image), torch.gather(likely, 1, index)

    def told_of(self, looked: Looked, boxes: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of classes (n, box, classes + 1) and changes (n, box, 4) of boxes (n, box, 4)."""
        cells, shapes = looked[:2]
        seen = aligned(cells, shapes, widened(boxes, _SEEN, _AROUND), _KIND_PARTS).flatten(0, 1)
        sides = torch.log((boxes[..., 2:] - boxes[..., :2]).clamp(min=1.0) / 10.0)
        beam = told[:, None, :1].expand(-1, boxes.shape[1], -1)
        answer = self.kinds(seen, torch.cat([sides, beam], dim=2).flatten(0, 1)).float()
        answer = answer.reshape(boxes.shape[0], -1, N_KINDS + 4)
        return answer[..., :N_KINDS], answer[..., N_KINDS:]

    def masks_of(self, looked: Looked, boxes: Tensor) -> Tensor:
        """Logits (n, box, 28, 28) of the masks of boxes (n, box, 4); they reach as far as `mask_boxes`."""
        cells, shapes = looked[:2]
        seen = aligned(cells, shapes, mask_boxes(boxes), _MASK_PARTS).flatten(0, 1)
        logits: Tensor = self.masks(seen).float().reshape(boxes.shape[0], -1, SIDE, SIDE)
        return logits

    def forward(self, image: Tensor, told: Tensor) -> Tensor:
        """Answers (n, part, place, 1) for images (n, channel, y, x) and beams (n, condition)."""
        looked = self.first(image, told)
        boxes, logits = self.proposed(looked, image, self.places)
        kinds, changes = self.told_of(looked, boxes, told)
        boxes = within(refined(boxes, changes), image)
        masks = self.masks_of(looked, boxes)
        parts = [
            torch.sigmoid(logits)[..., None],
            boxes / STRIDES[-1],
            torch.softmax(kinds, dim=-1),
            torch.sigmoid(masks).flatten(2),
        ]
        return torch.cat(parts, dim=2).transpose(1, 2)[..., None]


def mask_boxes(boxes: Tensor) -> Tensor:
    """How far the masks of boxes reach."""
    return widened(boxes, MASKED)


def within(boxes: Tensor, image: Tensor) -> Tensor:
    """Boxes (..., 4) cut at the border of an image, a pixel wide at least."""
    ny, nx = image.shape[2], image.shape[3]
    y0, x0 = boxes[..., 0].clamp(0.0, ny - 1.0), boxes[..., 1].clamp(0.0, nx - 1.0)
    y1 = torch.maximum(boxes[..., 2].clamp(0.0, ny), y0 + 1.0)
    x1 = torch.maximum(boxes[..., 3].clamp(0.0, nx), x0 + 1.0)
    return torch.stack([y0, x0, y1, x1], dim=-1)


def refined(boxes: Tensor, changes: Tensor) -> Tensor:
    """Boxes (..., 4) with their middles moved in units of their sides, and ln of their sides changed."""
    sides = boxes[..., 2:] - boxes[..., :2]
    middle = 0.5 * (boxes[..., 2:] + boxes[..., :2]) + changes[..., :2] * sides
    half = 0.5 * sides * torch.exp(changes[..., 2:].clamp(-1.5, 1.5))
    return torch.cat([middle - half, middle + half], dim=-1)

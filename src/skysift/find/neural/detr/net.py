"""The network of the model detr: queries are laid on likely places, ask the map what is there, and draw its mask.

The decoder's layers are those of RT-DETRv2 (Lv et al. 2024, arXiv:2407.17140) as the library transformers has them:
queries attend to each other, then to a few places of every stride around their own box (deformable attention; Zhu et
al. 2021, ICLR). Three things differ, because windows are larger than crops of training and objects are small.

- Boxes are in pixels and are refined in units of their own sides, and what queries know of each other is how their boxes
  lie (Hou et al. 2024, ECCV), not where they lie in the window: nothing depends on the size of a window.
- Queries begin on the likeliest places of a pyramid that learns, in every cell, how near the middle of an object is, as
  rcnn's does: this is learnt from all cells at once, within a tenth of the steps that a decoder alone needs.
- A query makes the small network that tells its own mask from the features of its box (Tian, Shen & Chen 2020, ECCV).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.base.extras import require
from skysift.find.neural.detr.options import N_KINDS, DetrModelOptions
from skysift.find.neural.inputs import CHANNELS, TOLD
from skysift.find.neural.rcnn.net import (
    BOX,
    KIND,
    MASK,
    OBJECT,
    SIDE,
    Middles,
    Pyramid,
    mask_boxes,
    refined,
    within,
)  # fmt: skip
from skysift.find.neural.rcnn.options import RcnnModelOptions
from skysift.find.neural.rcnn.roi import STRIDES, aligned, flattened

__all__ = ["BOX", "KIND", "MASK", "OBJECT", "SIDE", "Asked", "DetrNet", "Looked", "relations"]

_SLOPE = 0.05  # of the leaky rectifier below zero
_NOWHERE, _APART = -30.0, 1e-3  # logit where no place is, and less from cell to cell
_BESIDE = 3.0  # less is the logit of a place beside a likelier one: it is asked when queries are left
_RELATIONS = 6  # numbers that tell how one box lies to another
_PARTS = SIDE // 2  # that a box is sampled in for its mask
_FEATURES, _INNER = 12, 8  # channels that a mask is told from, and between the two layers that tell it
_LEAST = -6.0  # logit of a place that a query takes over
_AWAY = -1e4  # added to an attention that must not be


class Looked:
    """What the pyramid says of some windows: features (n, cell, hidden) and for masks, shapes, logits, boxes of cells."""

    def __init__(
        self, cells: Tensor, fine: Tensor, shapes: list[tuple[int, int]], logits: Tensor, boxes: Tensor
    ) -> None:
        self.cells, self.fine, self.shapes, self.logits, self.boxes = cells, fine, shapes, logits, boxes


class Asked:
    """What queries tell, layer by layer: logits of classes, boxes, and the numbers (n, query, hidden) of the last."""

    def __init__(self, kinds: Sequence[Tensor], boxes: Sequence[Tensor], state: Tensor) -> None:
        self.kinds, self.boxes, self.state = kinds, boxes, state


def relations(boxes: Tensor, likely: Tensor) -> Tensor:
    """
    How boxes (n, box, 4) with logits (n, box) lie to each other (n, box, box, 6).

    ln(1 + distance) of the middles along y and x in units of the first's sides, ln of the ratios of the sides, what both
    share over what both cover, and how much likelier the second is, as the hyperbolic tangent of the difference.
    """
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1.0)
    middle = 0.5 * (boxes[..., 2:] + boxes[..., :2])
    apart = torch.log1p((middle[:, :, None] - middle[:, None]).abs() / sides[:, :, None])
    ratio = torch.log(sides[:, :, None]) - torch.log(sides[:, None])
    low = torch.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    high = torch.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    shared = (high - low).clamp(min=0.0).prod(dim=-1)
    area = sides.prod(dim=-1)
    share = shared / (area[:, :, None] + area[:, None] - shared).clamp(min=1.0)
    more = torch.tanh(likely[:, None] - likely[:, :, None])
    return torch.cat([apart, ratio, share[..., None], more[..., None]], dim=-1)


class Decoder(nn.Module):
    """Layers of RT-DETRv2's decoder; each tells the class of every query and how its box is to change."""

    def __init__(self, options: DetrModelOptions) -> None:
        super().__init__()
        require("the model detr", "transformers")
        from transformers.models.rt_detr_v2.configuration_rt_detr_v2 import RTDetrV2Config
        from transformers.models.rt_detr_v2.modeling_rt_detr_v2 import RTDetrV2DecoderLayer

        told: dict[str, Any] = {
            "d_model": options.hidden,
            "decoder_attention_heads": options.heads,
            "decoder_layers": options.layers,
            "decoder_ffn_dim": options.inner,
            "decoder_n_points": options.points,
            "decoder_n_levels": len(STRIDES),
            "num_feature_levels": len(STRIDES),
            "attn_implementation": "eager",  # the one that takes what is added to the attention everywhere
        }
        config = RTDetrV2Config(**told)
        hidden = options.hidden
        self.layers = nn.ModuleList(RTDetrV2DecoderLayer(config) for _ in range(options.layers))
        for layer in self.layers:
            _begin_attention(layer.encoder_attn, options)
        self.place = nn.Sequential(nn.Linear(2 + TOLD, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.near = nn.Sequential(
            nn.Linear(_RELATIONS, 2 * _RELATIONS), nn.ReLU(), nn.Linear(2 * _RELATIONS, options.heads)
        )
        self.kinds = nn.ModuleList(_silent(nn.Linear(hidden, N_KINDS)) for _ in self.layers)
        self.changes = nn.ModuleList(
            nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), _silent(nn.Linear(hidden, 4)))
            for _ in self.layers
        )
        self.trust = nn.Parameter(torch.full((options.layers,), 0.5))
        self.rival = nn.Parameter(torch.full((options.layers,), 4.0))

    def forward(
        self, looked: Looked, state: Tensor, boxes: Tensor, likely: Tensor, told: Tensor, image: Tensor,
        first: int,
    ) -> Asked:  # fmt: skip
        """
        What queries tell.

        Parameters
        ----------
        looked
            The windows.
        state, boxes, likely
            What each query begins with (n, query, hidden), (n, query, 4), and how likely its place is (n, query): a
            logit, to which all layers add what they find; less where a likelier query tells the same box.
        told
            (n, condition).
        image
            (n, channel, y, x); boxes stay within.
        first
            The first so many queries, and those after them, do not know of each other.
        """
        ny, nx = image.shape[2], image.shape[3]
        likely = likely.detach().clamp(min=_LEAST)
        shapes = torch.tensor(looked.shapes)  # the layers only check them
        kinds, all_boxes = [], []
        apart = _AWAY * self._strangers(boxes.shape[1], first, boxes.device)
        lie = relations(boxes, likely)
        for number, layer in enumerate(self.layers):
            boxes = boxes.detach()
            sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1.0)
            beam = told[:, None].expand(-1, boxes.shape[1], -1)
            size = self.place(torch.cat([torch.log(sides / 10.0), beam], dim=2))
            middle = 0.5 * (boxes[..., 2:] + boxes[..., :2])
            at = torch.stack(
                [middle[..., 1] / nx, middle[..., 0] / ny, sides[..., 1] / nx, sides[..., 0] / ny], dim=-1
            )
            near = self.near(lie).permute(0, 3, 1, 2)
            state = layer(
                state,
                object_queries_position_embeddings=size,
                reference_points=at[:, :, None],
                spatial_shapes=shapes,
                spatial_shapes_list=looked.shapes,
                encoder_hidden_states=looked.cells,
                encoder_attention_mask=near + apart.to(near.dtype),
            )
            boxes = within(refined(boxes, self.changes[number](state).float()), image)
            all_boxes.append(boxes)
            lie = relations(boxes.detach(), likely)
            rival = (lie[..., -2] * lie[..., -1].clamp(min=0.0) + apart).amax(dim=2).clamp(min=0.0)
            some = self.trust[number] * likely - self.rival[number] * rival
            kinds.append(self.kinds[number](state).float() + functional.pad(
                some[..., None].expand(-1, -1, N_KINDS - 1), (0, 1)
            ))  # fmt: skip
        return Asked(kinds, all_boxes, state)

    def _strangers(self, many: int, first: int, device: torch.device) -> Tensor:
        """1 where one of two queries (query, query) is one of the first and the other is not."""
        one = torch.arange(many, device=device) < first
        return (one[:, None] != one[None, :]).float()


def _silent(layer: nn.Linear) -> nn.Linear:
    """A layer that says 0 until it has learnt something."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _begin_attention(attention: Any, options: DetrModelOptions) -> None:
    """Fresh weights as in Deformable DETR: heads look in different directions, points ever farther away."""
    angle = torch.arange(options.heads, dtype=torch.float32) * (2.0 * torch.pi / options.heads)
    way = torch.stack([angle.cos(), angle.sin()], dim=-1)
    way = (way / way.abs().amax(dim=-1, keepdim=True))[:, None, None]
    far = torch.arange(1, options.points + 1, dtype=torch.float32)[None, None, :, None]
    begun = (way * far).expand(-1, len(STRIDES), -1, -1).flatten()
    with torch.no_grad():
        attention.sampling_offsets.weight.zero_()
        attention.sampling_offsets.bias.copy_(begun)
        attention.attention_weights.weight.zero_()
        attention.attention_weights.bias.zero_()


class Masks(nn.Module):
    """Logits of the pixels of masks, by a network of two layers that each query makes for itself."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(channels, _FEATURES, 3, padding=1)
        self.inner = nn.Linear(hidden, (_FEATURES + 2) * _INNER + _INNER)
        self.outer = nn.Linear(hidden, 4 * _INNER + 4)
        for each in (self.inner, self.outer):
            nn.init.normal_(each.weight, std=0.02)
            nn.init.normal_(each.bias, std=0.3)

    def forward(self, looked: Looked, boxes: Tensor, state: Tensor) -> Tensor:
        """Logits (n, box, 28, 28) of boxes (n, box, 4) whose queries ended with (n, box, hidden)."""
        n, m = boxes.shape[0], boxes.shape[1]
        seen = aligned(looked.fine.float(), looked.shapes, mask_boxes(boxes), _PARTS).flatten(3)
        steps = (torch.arange(_PARTS, device=boxes.device, dtype=seen.dtype) + 0.5) * (2.0 / _PARTS) - 1.0
        down, along = steps[:, None].expand(-1, _PARTS), steps[None, :].expand(_PARTS, -1)
        where = torch.stack([down, along]).flatten(1)[None, None].expand(n, m, -1, -1)
        x = torch.cat([seen, where], dim=2)  # (n, box, feature, part)
        inner, outer = self.inner(state).float(), self.outer(state).float()
        first = inner[..., :-_INNER].reshape(n, m, _INNER, _FEATURES + 2)
        second = outer[..., :-4].reshape(n, m, 4, _INNER)
        x = functional.leaky_relu(torch.matmul(first, x) + inner[..., -_INNER:, None], _SLOPE)
        x = torch.matmul(second, x) + outer[..., -4:, None]
        logits: Tensor = functional.pixel_shuffle(x.reshape(n * m, 4, _PARTS, _PARTS), 2)
        return logits.reshape(n, m, SIDE, SIDE)


class DetrNet(nn.Module):
    """All that is told of the queries of a window (n, part, query, 1); parts are `OBJECT`, `BOX`, `KIND`, `MASK`."""

    def __init__(self, options: DetrModelOptions) -> None:
        super().__init__()
        self.queries = options.queries
        self.pyramid = Pyramid(
            RcnnModelOptions(widths=options.widths, depths=options.depths, pyramid=options.pyramid)
        )
        self.middles = Middles(options.pyramid)
        self.cells = nn.Conv2d(options.pyramid, options.hidden, 1)
        self.begin = nn.Sequential(nn.Linear(options.hidden, options.hidden), nn.LayerNorm(options.hidden))
        self.decoder = Decoder(options)
        self.masks = Masks(options.pyramid, options.hidden)

    def first(self, image: Tensor, told: Tensor) -> Looked:
        """What the pyramid says of windows."""
        levels = self.pyramid(image, told)
        fine, shapes = flattened([self.masks.features(x) for x in levels])
        cells, _ = flattened([self.cells(x) for x in levels])
        logits, boxes = [], []
        for stride, x in zip(STRIDES, levels, strict=True):
            answer = self.middles(x).float()
            blank = functional.max_pool2d(image[:, CHANNELS - 1 : CHANNELS], stride) <= 0.0
            logits.append(torch.where(blank, _NOWHERE, answer[:, :1]).flatten(1))
            boxes.append(_boxes_of(answer, stride))
        return Looked(cells, fine, list(shapes), torch.cat(logits, dim=1), torch.cat(boxes, dim=1))

    def proposed(self, looked: Looked, image: Tensor, many: int) -> tuple[Tensor, Tensor, Tensor]:
        """The likeliest places: numbers of their cells (n, query), boxes (n, query, 4), logits; in the order of cells."""
        likely, begin = [], 0
        for ny, nx in looked.shapes:
            part = looked.logits[:, begin : begin + ny * nx]
            begin = begin + ny * nx
            top = functional.max_pool2d(part.reshape(-1, 1, ny, nx), 3, stride=1, padding=1).flatten(1)
            likely.append(torch.where(part >= top, part, part - _BESIDE))
        value = torch.cat(likely, dim=1)
        # No two cells are equal beyond the places: which are taken where there are too few does not depend on the engine.
        number = torch.arange(value.shape[1], device=value.device, dtype=value.dtype)
        value = torch.where(looked.logits > _NOWHERE, value, _NOWHERE - _APART * number)
        _, index = torch.topk(value, many, dim=1)
        index, _ = torch.sort(index, dim=1)
        chosen = torch.gather(looked.boxes, 1, index[..., None].expand(-1, -1, 4))
        return index, within(chosen, image), torch.gather(looked.logits, 1, index)

    def begun(self, looked: Looked, index: Tensor) -> Tensor:
        """What queries on cells (n, query) begin with (n, query, hidden)."""
        taken = torch.gather(looked.cells, 1, index[..., None].expand(-1, -1, looked.cells.shape[2]))
        begun: Tensor = self.begin(taken)
        return begun

    def forward(self, image: Tensor, told: Tensor) -> Tensor:
        """Answers (n, part, query, 1) for images (n, channel, y, x) and beams (n, condition)."""
        looked = self.first(image, told)
        index, boxes, logits = self.proposed(looked, image, self.queries)
        asked = self.decoder(looked, self.begun(looked, index), boxes, logits, told, image, self.queries)
        boxes = asked.boxes[-1]
        masks = self.masks(looked, boxes, asked.state)
        parts = [
            torch.sigmoid(logits)[..., None],
            boxes / STRIDES[-1],
            torch.softmax(asked.kinds[-1], dim=-1),
            torch.sigmoid(masks).flatten(2),
        ]
        return torch.cat(parts, dim=2).transpose(1, 2)[..., None]


def _boxes_of(answer: Tensor, stride: int) -> Tensor:
    """Boxes (n, cell, 4) in pixels that the cells of a level tell of (n, 5, y, x)."""
    ny, nx = answer.shape[2], answer.shape[3]
    y = torch.arange(ny, device=answer.device, dtype=torch.float32)[:, None] + 0.5 + answer[:, 1]
    x = torch.arange(nx, device=answer.device, dtype=torch.float32)[None, :] + 0.5 + answer[:, 2]
    half = 0.5 * torch.exp(answer[:, 3:].clamp(-3.0, 3.0))
    edges = [y - half[:, 0], x - half[:, 1], y + half[:, 0], x + half[:, 1]]
    return stride * torch.stack(edges, dim=-1).flatten(1, 2)

"""The loss of the model detr: places, then classes, boxes and masks of the queries that answer for objects."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from skysift.find.neural.detr.matching import costs, matched
from skysift.find.neural.detr.net import Asked, DetrNet, Looked
from skysift.find.neural.detr.options import N_KINDS, DetrModelOptions
from skysift.find.neural.rcnn.assign import LARGEST, whose
from skysift.find.neural.rcnn.loss import box_loss, mask_targets, middle_loss
from skysift.find.neural.rcnn.net import mask_boxes, within
from skysift.find.neural.rcnn.roi import STRIDES
from skysift.learn.learner import Batch

__all__ = ["cells_of", "detr_loss", "goals"]

_MASKS = 24  # of a crop that are looked at
_WIDE = 16.0  # pixels


def cells_of(boxes: Tensor, shapes: list[tuple[int, int]]) -> Tensor:
    """Numbers of the cells (n, box) that hold the middles of boxes (n, box, 4), on the levels for their sizes."""
    middle = 0.5 * (boxes[..., :2] + boxes[..., 2:])
    longest = (boxes[..., 2:] - boxes[..., :2]).amax(dim=-1)
    result, begin = torch.zeros_like(longest, dtype=torch.long), 0
    for number, (stride, (ny, nx)) in enumerate(zip(STRIDES, shapes, strict=True)):
        y = (middle[..., 0] / stride).long().clamp(0, ny - 1)
        x = (middle[..., 1] / stride).long().clamp(0, nx - 1)
        here = (
            longest > LARGEST * STRIDES[number - 1] if number else torch.ones_like(longest, dtype=torch.bool)
        )
        result = torch.where(here, begin + y * nx + x, result)
        begin += ny * nx
    return result


def goals(owner: Tensor, boxes: Tensor, kind: Tensor, objects: Tensor, state: Tensor) -> Tensor:
    """
    The class that each query is to tell (n, query): its object's, nothing, or -1 where neither would be wrong.

    Parameters
    ----------
    owner
        (n, query) the object that it answers for, -1 for none.
    boxes
        (n, query, 4).
    kind, objects, state
        Of the objects (n, object), (n, object, 4), (n, object); states as `whose` has them.
    """
    hidden = whose(boxes, objects, torch.where(state == 1, -1, state))[1] < 0
    of = torch.gather(kind, 1, owner.clamp(min=0))
    return torch.where(owner >= 0, of, torch.where(hidden, -1, N_KINDS - 1))


def detr_loss(net: DetrNet, batch: Batch, options: DetrModelOptions) -> dict[str, Tensor]:
    """
    The terms of the loss.

    Queries on the likeliest places are matched one to one with the objects, by what the last layer tells; all layers
    learn the same match. Further queries, of which the others do not know, begin from the boxes of objects moved by
    chance: those little moved are to find their object, those far moved that nothing is there (Zhang et al. 2023, ICLR).
    """
    image, told = batch["image"], batch["told"]
    objects, state, kind = batch["boxes"], batch["state"], batch["kind"]
    looked = net.first(image, told)
    places = middle_loss(looked.logits, batch["middle"], batch["counts"].float())
    weight = batch["weight"]
    found = _mean_loss(looked.boxes, batch["edges"], weight)

    with torch.no_grad():
        index, boxes, _ = net.proposed(looked, image, min(options.learnt, looked.logits.shape[1]))
        moved = within(torch.cat([batch["near"], batch["far"]], dim=1), image)
        index = torch.cat([index, cells_of(moved, looked.shapes)], dim=1)
        many, tried = boxes.shape[1], batch["near"].shape[1]
        boxes = torch.cat([boxes, moved], dim=1)
        likely = torch.gather(looked.logits, 1, index)
    asked = net.decoder(looked, net.begun(looked, index), boxes, likely, told, image, many)
    last = asked.boxes[-1].detach()
    with torch.no_grad():
        cost = costs(asked.kinds[-1][:, :many], last[:, :many], kind, objects)
        nothing = torch.full_like(batch["of"], -1)
        owner = torch.cat([matched(cost, state == 1), batch["of"], nothing], dim=1)
        goal = goals(owner, last, kind, objects, state)
        there = batch["of"] >= 0  # the others are places in a table
        goal[:, many : many + tried] = torch.where(there, goal[:, many : many + tried], -1)
        empty = whose(boxes[:, many + tried :], objects, state)[1] == 0
        goal[:, many + tried :] = torch.where(there & empty, N_KINDS - 1, -1)
    classes, refined = _layers(asked, owner, goal, objects, options)
    return {
        "places": options.places * places,
        "boxes": options.boxes * found,
        "classes": options.classes * classes,
        "refined": options.refined * refined,
        "masks": options.masks * _mask_loss(net, looked, asked, owner, batch),
    }


def _layers(
    asked: Asked, owner: Tensor, goal: Tensor, objects: Tensor, options: DetrModelOptions
) -> tuple[Tensor, Tensor]:
    """Cross entropy of the classes and loss of the boxes of queries, means over the layers."""
    weights = torch.tensor(options.class_weights, device=owner.device)
    counted = (weights[goal.clamp(min=0)] * (goal >= 0)).sum().clamp(min=1.0)
    true = torch.gather(objects, 1, owner.clamp(min=0)[..., None].expand(-1, -1, 4))
    right = owner >= 0
    classes, refined = [], []
    for kinds, boxes in zip(asked.kinds, asked.boxes, strict=True):
        cost = functional.cross_entropy(
            kinds.flatten(0, 1), goal.flatten(), weights, ignore_index=-1, reduction="sum"
        )
        classes.append(cost / counted)
        refined.append(_mean_loss(boxes, true, right.float()))
    return torch.stack(classes).mean(), torch.stack(refined).mean()


def _mean_loss(boxes: Tensor, true: Tensor, weight: Tensor) -> Tensor:
    """Mean loss of boxes (n, box, 4) with weights (n, box); those without are looked at as if they were right."""
    some = (weight > 0.0)[..., None]
    nothing = torch.tensor([0.0, 0.0, 1.0, 1.0], device=boxes.device)
    far = box_loss(torch.where(some, boxes, nothing), torch.where(some, true, nothing))
    return (far * weight).sum() / weight.sum().clamp(min=1.0)


def _mask_loss(net: DetrNet, looked: Looked, asked: Asked, owner: Tensor, batch: Batch) -> Tensor:
    """Cross entropy of the pixels of masks, and 1 less what masks and true ones share (Dice), a mean over queries."""
    boxes = asked.boxes[-1].detach()
    n, most = boxes.shape[0], min(_MASKS, boxes.shape[1])
    wide = (boxes[..., 2:] - boxes[..., :2]).amax(dim=2) > _WIDE
    draw = batch["draw"][:, : boxes.shape[1]] + 0.5 * wide  # wide ones are rarer, and have more to be learnt
    right = owner >= 0
    _, chosen = torch.topk(right * (1.0 + draw), most, dim=1)  # some that are right; others do not count
    some = torch.gather(boxes, 1, chosen[..., None].expand(-1, -1, 4))
    state = torch.gather(asked.state, 1, chosen[..., None].expand(-1, -1, asked.state.shape[2]))
    counts = torch.gather(right, 1, chosen).flatten()
    label = torch.gather(torch.gather(batch["label"], 1, owner.clamp(min=0)), 1, chosen).flatten()
    logits = net.masks(looked, some, state).flatten(0, 1)
    of = torch.arange(n, device=boxes.device)[:, None].expand(-1, most).flatten()
    target = mask_targets(batch["mask"][of], label, mask_boxes(some).flatten(0, 1))
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=(1, 2))
    p = torch.sigmoid(logits)
    shared = (p * target).sum(dim=(1, 2))
    dice = 1.0 - (2.0 * shared + 1.0) / (p.sum(dim=(1, 2)) + target.sum(dim=(1, 2)) + 1.0)
    return ((entropy + dice) * counts).sum() / counts.sum().clamp(min=1)

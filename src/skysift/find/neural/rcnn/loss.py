"""The loss of the model rcnn: middles, boxes, classes and masks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from skysift.find.neural.rcnn.assign import whose
from skysift.find.neural.rcnn.net import SIDE, RcnnNet, mask_boxes, refined, within
from skysift.find.neural.rcnn.options import N_KINDS, RcnnModelOptions
from skysift.learn.learner import Batch

__all__ = ["box_loss", "giou", "mask_targets", "middle_loss", "rcnn_loss"]

_MASKS = 16  # of a crop that are looked at
_FEWEST = 1e-3  # of the cells: a batch counts as if it held so many objects at least
_WIDE = 16.0  # pixels


def middle_loss(logit: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """
    The focal loss of middles (Zhou, Wang & Kraehenbuehl 2019, arXiv:1904.07850), over the number of middles.

    A middle costs -(1 - p)^2 ln p; any other cell that counts -(1 - t)^4 p^2 ln(1 - p). Where fewer than a thousandth of
    the cells hold a middle, the loss is divided by that many: what is found where nothing is weighs no more there.
    """
    p, log_p, log_q = torch.sigmoid(logit), functional.logsigmoid(logit), functional.logsigmoid(-logit)
    right = target >= 1.0
    cost = torch.where(right, -((1.0 - p) ** 2) * log_p, -((1.0 - target) ** 4) * p**2 * log_q * counts)
    return cost.sum() / right.sum().clamp(min=max(_FEWEST * right.numel(), 1.0))


def giou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of boxes (..., 4) with boxes (..., 4), less the part of the box around both that neither covers.

    Rezatofighi et al. (2019, CVPR).
    """
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0.0).prod(dim=-1)
    of_a, of_b = ((each[..., 2:] - each[..., :2]).clamp(min=0.0).prod(dim=-1) for each in (a, b))
    union = (of_a + of_b - shared).clamp(min=1e-9)
    around = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    whole = around.prod(dim=-1).clamp(min=1e-9)
    return shared / union - (whole - union) / whole


def box_loss(a: Tensor, b: Tensor) -> Tensor:
    """
    What boxes (..., 4) cost whose true ones are (..., 4): 1 - GIoU, and how far middle and ln of the sides are off.

    The overlap alone hardly tells a thin box where to go. The middle counts in units of the true sides; both terms are
    linear beyond 0.1 (Girshick 2015, ICCV).
    """
    side_a, side_b = ((each[..., 2:] - each[..., :2]).clamp(min=0.1) for each in (a, b))
    middle = 0.5 * (a[..., 2:] + a[..., :2] - b[..., 2:] - b[..., :2]) / side_b
    off = functional.smooth_l1_loss(torch.cat([middle, torch.log(side_a / side_b)], dim=-1),
                                    torch.zeros_like(a), beta=0.1, reduction="none").sum(dim=-1)  # fmt: skip
    return 1.0 - giou(a, b) + 0.5 * off


def mask_targets(mask: Tensor, label: Tensor, boxes: Tensor) -> Tensor:
    """Whether the pixel in the middle of each part of boxes (box, 4) has their label (box,), in masks (box, y, x)."""
    steps = (torch.arange(SIDE, device=boxes.device, dtype=boxes.dtype) + 0.5) / SIDE
    y = torch.floor(boxes[:, 0, None] + steps * (boxes[:, 2] - boxes[:, 0])[:, None]).long()
    x = torch.floor(boxes[:, 1, None] + steps * (boxes[:, 3] - boxes[:, 1])[:, None]).long()
    ny, nx = mask.shape[1:]
    inside = ((y >= 0) & (y < ny))[:, :, None] & ((x >= 0) & (x < nx))[:, None, :]
    number = torch.arange(len(boxes), device=boxes.device)[:, None, None]
    value = mask[number, y.clamp(0, ny - 1)[:, :, None], x.clamp(0, nx - 1)[:, None, :]]
    return ((value == label[:, None, None]) & inside).float()


def rcnn_loss(net: RcnnNet, batch: Batch, options: RcnnModelOptions) -> dict[str, Tensor]:
    """
    The terms of the loss.

    The places that are looked at closely are those that the network proposes, and the objects' boxes moved by chance
    (``tried``), so that all of it learns from the first step on.
    """
    image, told = batch["image"], batch["told"]
    objects, state = batch["boxes"], batch["state"]
    looked = net.first(image, told)
    logits, boxes = looked[2], looked[3]
    places = middle_loss(logits, batch["middle"], batch["counts"].float())
    weight = batch["weight"]
    at = weight > 0.0
    far = box_loss(boxes[at], batch["edges"][at])
    found = (far * weight[at]).sum() / weight.sum().clamp(min=1.0)

    with torch.no_grad():
        proposed, _ = net.proposed(looked, image, min(options.learnt, logits.shape[1]))
        tried = within(torch.cat([batch["tried"], proposed], dim=1), image)
        owner, what = whose(tried, objects, state)
        n_tried = batch["tried"].shape[1]
        what[:, :n_tried] = torch.where(state == -1, -1, what[:, :n_tried])  # places in a table
        of = torch.gather(batch["kind"], 1, owner)
        goal = torch.where(what == 1, of, torch.where(what == 0, N_KINDS - 1, -1))
        true = torch.gather(objects, 1, owner[..., None].expand(-1, -1, 4))
    kinds, changes = net.told_of(looked, tried, told)
    weights = torch.tensor(options.class_weights, device=kinds.device)
    counted = (weights[goal.clamp(min=0)] * (goal >= 0)).sum().clamp(min=1.0)
    classes = functional.cross_entropy(
        kinds.flatten(0, 1), goal.flatten(), weights, ignore_index=-1, reduction="sum"
    )
    right = what == 1
    better = refined(tried[right], changes[right])
    moved = box_loss(better, true[right])
    return {
        "places": options.places * places,
        "boxes": options.boxes * found,
        "classes": options.classes * classes / counted,
        "refined": options.refined * moved.sum() / right.sum().clamp(min=1),
        "masks": options.masks * _mask_loss(net, looked, batch, tried, owner, right),
    }


def _mask_loss(
    net: RcnnNet, looked: tuple[Tensor, list[tuple[int, int]], Tensor, Tensor], batch: Mapping[str, Tensor],
    boxes: Tensor, owner: Tensor, right: Tensor,
) -> Tensor:  # fmt: skip
    """Cross entropy of the pixels of masks, and 1 less what masks and true ones share (Dice), a mean over boxes."""
    n, most = boxes.shape[0], min(_MASKS, boxes.shape[1])
    wide = (boxes[..., 2:] - boxes[..., :2]).amax(dim=2) > _WIDE
    draw = batch["draw"][:, : boxes.shape[1]] + 0.5 * wide  # wide ones are rarer, and have more to be learnt
    _, chosen = torch.topk(right * (1.0 + draw), most, dim=1)  # some that are right; others do not count
    some = torch.gather(boxes, 1, chosen[..., None].expand(-1, -1, 4))
    counts = torch.gather(right, 1, chosen).flatten()
    label = torch.gather(torch.gather(batch["label"], 1, owner), 1, chosen).flatten()
    logits = net.masks_of((looked[0], looked[1], looked[2], looked[3]), some).flatten(0, 1)
    of = torch.arange(n, device=boxes.device)[:, None].expand(-1, most).flatten()
    target = mask_targets(batch["mask"][of], label, mask_boxes(some).flatten(0, 1))
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=(1, 2))
    p = torch.sigmoid(logits)
    shared = (p * target).sum(dim=(1, 2))
    dice = 1.0 - (2.0 * shared + 1.0) / (p.sum(dim=(1, 2)) + target.sum(dim=(1, 2)) + 1.0)
    return ((entropy + dice) * counts).sum() / counts.sum().clamp(min=1)

"""Which query answers for which object: the cheapest one-to-one choice (Kuhn 1955; Carion et al. 2020, ECCV)."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from skysift.find.neural.rcnn.assign import iou

__all__ = ["costs", "matched"]

_KIND, _SHARED, _MIDDLE = 2.0, 2.0, 1.0  # weights of the class, of what boxes share, and of their middles
_FAR = 2.0  # sides of an object, within which the middle of a query lies that answers for it
_NEVER = 1e3  # cost of a query farther away, and of what is not a number: the loss, that is none either, tells of it


def costs(kinds: Tensor, boxes: Tensor, kind: Tensor, objects: Tensor) -> Tensor:
    """
    What it costs that queries answer for objects (n, query, object).

    That is 2 (1 - p), p the probability of the object's class; 2 (1 - GIoU) of the boxes; and how far the middles are
    apart along y and x, in units of the object's sides; 1000 more where that is above 2.

    Parameters
    ----------
    kinds
        Logits of the classes and of nothing (n, query, class + 1).
    boxes
        Of the queries (n, query, 4).
    kind, objects
        Classes (n, object) and boxes (n, object, 4) of the objects.
    """
    p = torch.softmax(kinds, dim=-1)
    right = torch.gather(p, 2, kind[:, None].expand(-1, p.shape[1], -1))
    a, b = boxes[:, :, None], objects[:, None]
    around = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    whole = around.prod(dim=-1).clamp(min=1e-9)
    share = iou(boxes, objects)
    areas = (a[..., 2:] - a[..., :2]).prod(dim=-1) + (b[..., 2:] - b[..., :2]).prod(dim=-1)
    covered = areas / (1.0 + share)  # what both cover
    giou = share - (whole - covered) / whole
    sides = (b[..., 2:] - b[..., :2]).clamp(min=1.0)
    away = 0.5 * (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]).abs() / sides
    never = _NEVER * (away.amax(dim=-1) > _FAR)
    return _KIND * (1.0 - right) + _SHARED * (1.0 - giou) + _MIDDLE * away.sum(dim=-1) + never


def matched(cost: Tensor, wanted: Tensor) -> Tensor:
    """
    The object that each query answers for (n, query); -1: it answers for none.

    Parameters
    ----------
    cost
        (n, query, object).
    wanted
        Which objects are to be found (n, object); where there are more than queries near them, some are left.
    """
    table = torch.nan_to_num(cost.detach().float(), nan=_NEVER).cpu().numpy()
    which = wanted.cpu().numpy()
    result = torch.full(cost.shape[:2], -1, dtype=torch.long)
    for one, (each, use) in enumerate(zip(table, which, strict=True)):
        columns = use.nonzero()[0]
        query, place = linear_sum_assignment(each[:, columns])
        good = each[query, columns[place]] < _NEVER
        result[one, torch.from_numpy(query[good])] = torch.from_numpy(columns[place[good]])
    return result.to(cost.device)

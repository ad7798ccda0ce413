"""Boxes along any number of axes: how much two share, how far apart they are, and the best of those that are one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel

__all__ = ["best_boxes", "hull_of_ellipse", "overlap"]

Floats = NDArray[np.float64]


@kernel
def overlap(a: Floats, b: Floats) -> tuple[float, float]:
    """
    What two boxes share over what both cover (IoU), and that less how far they are apart (DIoU).

    A box is its centre along each axis, then its side along each. The distance of the centres is in units of the
    diagonal of the box that encloses both: DIoU is 1 for equal boxes and approaches -1 for distant ones. Zheng et
    al. (2020, AAAI) take the square of that ratio; its first power, as Cornu et al. (2024, A&A 690, A211), tells
    near boxes better apart.
    """
    axes = a.shape[0] // 2
    shared, of_a, of_b, apart, around = 1.0, 1.0, 1.0, 0.0, 0.0
    for d in range(axes):
        side_a, side_b = a[axes + d], b[axes + d]
        low_a, high_a, low_b, high_b = (
            a[d] - 0.5 * side_a, a[d] + 0.5 * side_a, b[d] - 0.5 * side_b, b[d] + 0.5 * side_b,
        )  # fmt: skip
        wide = max(high_a, high_b) - min(low_a, low_b)
        shared *= max(min(high_a, high_b) - max(low_a, low_b), 0.0)
        of_a *= side_a
        of_b *= side_b
        apart += (a[d] - b[d]) * (a[d] - b[d])
        around += wide * wide
    iou = shared / (of_a + of_b - shared)
    return iou, iou - np.sqrt(apart / around)


@kernel
def best_boxes(boxes: Floats, limit: float, kept: NDArray[np.bool_]) -> None:
    """
    Keep each box ``(box, 2 x axes)`` whose DIoU with no better box that is kept exceeds `limit`, above -1; best first.

    Boxes are looked at along the first axis, from their centres as far as the largest of them reaches.
    """
    n, axes = boxes.shape[0], boxes.shape[1] // 2
    if n == 0:
        return
    largest = boxes[:, axes].max()
    order = np.argsort(boxes[:, 0], kind="mergesort")
    place = np.empty(n, np.int64)
    for r in range(n):
        place[order[r]] = r
    for k in range(n):
        good = True
        for step in (-1, 1):
            r = place[k] + step
            while good and 0 <= r < n:
                other = order[r]
                if limit >= 0.0 and abs(boxes[other, 0] - boxes[k, 0]) > 0.5 * (largest + boxes[k, axes]):
                    break  # what shares nothing has a DIoU below 0
                if other < k and kept[other]:
                    good = not overlap(boxes[k], boxes[other])[1] > limit
                r += step
        kept[k] = good


def hull_of_ellipse(covariance: Floats, full: float) -> Floats:
    """
    Sides ``(ellipse, axis)`` of the boxes around ellipses, `full` standard deviations from edge to edge.

    Parameters
    ----------
    covariance
        ``(ellipse, axis, axis)``.
    full
        Length of an axis of the ellipse over the standard deviation along it.
    """
    return np.asarray(full * np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)))

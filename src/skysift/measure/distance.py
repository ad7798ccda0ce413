"""The kernel that tells how far each pixel is from the nearest of some."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Bools = npt.NDArray[np.bool_]


@kernel
def square_distances(inside: Bools, out: npt.NDArray[np.int32]) -> None:
    """
    Fill ``out (y, x)`` with the squared distance of each pixel to the nearest one that is ``inside``.

    In two passes, each linear in the pixels (Meijster, Roerdink & Hesselink 2000).
    """
    height, width = inside.shape
    far = height + width
    column = np.empty(width, np.int64)
    column[:] = far
    for v in range(height):
        for u in range(width):
            column[u] = 0 if inside[v, u] else min(column[u] + 1, far)
            out[v, u] = column[u]
    column[:] = far
    for v in range(height - 1, -1, -1):
        for u in range(width):
            column[u] = min(column[u] + 1, out[v, u])
            out[v, u] = column[u]
    square, place, begin = np.empty(width, np.int64), np.empty(width, np.int64), np.empty(width, np.int64)
    for v in range(height):
        for u in range(width):
            square[u] = out[v, u] * out[v, u]
        top = 0
        place[0], begin[0] = 0, 0
        for u in range(1, width):
            while top >= 0:
                old, new = begin[top] - place[top], begin[top] - u
                if old * old + square[place[top]] <= new * new + square[u]:
                    break
                top -= 1
            if top < 0:
                top = 0
                place[0], begin[0] = u, 0
                continue
            p = place[top]
            first = 1 + (u * u - p * p + square[u] - square[p]) // (2 * (u - p))
            if first < width:
                top += 1
                place[top], begin[top] = u, first
        for u in range(width - 1, -1, -1):
            out[v, u] = (u - place[top]) * (u - place[top]) + square[place[top]]
            if u == begin[top]:
                top -= 1

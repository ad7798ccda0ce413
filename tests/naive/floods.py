"""The slow way to label: a flood fill."""

import numpy as np


def flood(inside: np.ndarray, corners: bool) -> np.ndarray:
    """Connected pixels, numbered from 1 in the order of their first pixels."""
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i or j) and (corners or not (i and j))]
    labels = np.zeros(inside.shape, int)
    for start in zip(*np.nonzero(inside), strict=True):
        if labels[start]:
            continue
        labels[start] = number = labels.max() + 1
        front = [start]
        while front:
            y, x = front.pop()
            for i, j in steps:
                v, u = y + i, x + j
                if (
                    0 <= v < inside.shape[0]
                    and 0 <= u < inside.shape[1]
                    and inside[v, u]
                    and not labels[v, u]
                ):
                    labels[v, u] = number
                    front.append((v, u))
    return labels

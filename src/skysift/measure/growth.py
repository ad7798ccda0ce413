"""Kernels that grow segments ring by ring until their flux has converged (as ProFound does: Robotham et al. 2018)."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.measure.distance import square_distances

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

CLEAR = 2.0  # sigma; a ring below this adds noise and no flux


@kernel
def claimed_rings(
    data: Pixels, level: Pixels, rms: Pixels, labels: Labels, blocked: Bools, y0: int, x0: int, members: Ints,
    boxes: Ints, most: int, share: float, noise_area: float,
) -> Ints:  # fmt: skip
    """
    Pixels ``(n, 4)`` that segments claim around them: y, x (of the map), squared distance, position in ``members``.

    A ring holds the free pixels at a distance from r - 1 to r pixels. It is claimed if those before it are, if it adds
    more than ``share`` of the flux so far, and if that is more than twice its noise.

    Parameters
    ----------
    data, level, rms
        Pixels of a tile (y, x) whose first pixel is (y0, x0); NaN in ``data`` where the map is blank.
    labels
        Number of the segment that each pixel belongs to; 0 for none.
    blocked
        Further pixels that nobody may claim.
    members, boxes
        Labels ``(m,)`` and their boxes ``(m, 4)`` in pixels of the map.
    most
        Largest distance, pixels.
    noise_area
        Pixels whose noise goes together.
    """
    claims = np.empty((256, 4), np.int64)
    n_claims = 0
    for i in range(members.shape[0]):
        top, bottom = max(boxes[i, 0] - most - y0, 0), min(boxes[i, 1] + most - y0, data.shape[0])
        left, right = max(boxes[i, 2] - most - x0, 0), min(boxes[i, 3] + most - x0, data.shape[1])
        inside = labels[top:bottom, left:right] == members[i]
        distance = np.empty(inside.shape, np.int64)
        square_distances(inside, distance)
        total = 0.0
        sums, variances, counts = np.zeros(most + 1), np.zeros(most + 1), np.zeros(most + 1, np.int64)
        for v in range(inside.shape[0]):
            for u in range(inside.shape[1]):
                y, x = v + top, u + left
                if np.isnan(data[y, x]):
                    continue
                value = np.float64(data[y, x]) - level[y, x]
                if inside[v, u]:
                    total += value
                elif labels[y, x] == 0 and not blocked[y, x] and distance[v, u] <= most * most:
                    ring = int(np.ceil(np.sqrt(distance[v, u])))
                    sums[ring] += value
                    variances[ring] += np.float64(rms[y, x]) ** 2
                    counts[ring] += 1
        steps = 0
        for ring in range(1, most + 1):
            noise = np.sqrt(variances[ring] * noise_area)
            if counts[ring] == 0 or sums[ring] <= share * total or sums[ring] <= CLEAR * noise:
                break
            total += sums[ring]
            steps = ring
        if steps == 0:
            continue
        for v in range(inside.shape[0]):
            for u in range(inside.shape[1]):
                y, x = v + top, u + left
                if inside[v, u] or distance[v, u] > steps * steps or labels[y, x] != 0 or blocked[y, x]:
                    continue
                if np.isnan(data[y, x]):
                    continue
                if n_claims == claims.shape[0]:
                    more = np.empty((2 * n_claims, 4), np.int64)
                    more[:n_claims] = claims
                    claims = more
                claims[n_claims, 0], claims[n_claims, 1] = y + y0, x + x0
                claims[n_claims, 2], claims[n_claims, 3] = distance[v, u], i
                n_claims += 1
    return claims[:n_claims]

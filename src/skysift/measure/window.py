"""Kernels that choose the pixels of a fit."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]


@kernel
def gather(
    data: Pixels, level: Pixels, rms: Pixels, labels: Labels, me: int, top: int, bottom: int, left: int, right: int,
    sign: float, offsets: Ints, distance: Floats, index: Labels,
    x: Floats, y: Floats, z: Floats, noise: Floats, inside: Bools,
) -> int:  # fmt: skip
    """
    Number of pixels that belong to an island's fit, listed in x, y, z, noise, inside.

    These are the island's own pixels and the unlabelled ones within ``offsets`` (n, 2) of it that lie nearer to
    it (in ``distance``) than to any other island. Coordinates count from (top, left); ``index`` gets each
    pixel's number, or -1.
    """
    height, width = bottom - top, right - left
    own = np.full((height, width), np.inf)
    other = np.full((height, width), np.inf)
    for v in range(height):
        for u in range(width):
            label = labels[v + top, u + left]
            if label == 0:
                continue
            border = False
            for k in range(4):
                r, c = v + (k == 0) - (k == 1), u + (k == 2) - (k == 3)
                if not (0 <= r < height and 0 <= c < width) or labels[r + top, c + left] != label:
                    border = True
            if not border:
                continue
            for k in range(offsets.shape[0]):
                r, c = v + offsets[k, 0], u + offsets[k, 1]
                if 0 <= r < height and 0 <= c < width:
                    if label == me:
                        own[r, c] = min(own[r, c], distance[k])
                    else:
                        other[r, c] = min(other[r, c], distance[k])
    n = 0
    for v in range(height):
        for u in range(width):
            index[v, u] = -1
            label = labels[v + top, u + left]
            mine = label == me
            if not mine and (label != 0 or not own[v, u] < other[v, u]):
                continue
            value = data[v + top, u + left]
            if np.isnan(value):
                continue
            index[v, u] = n
            x[n], y[n] = u, v
            z[n] = sign * (np.float64(value) - level[v + top, u + left])
            noise[n] = rms[v + top, u + left]
            inside[n] = mine
            n += 1
    return n


@kernel
def restrict(
    x: Floats, y: Floats, z: Floats, noise: Floats, p: Floats, radius: float,
    out_x: Floats, out_y: Floats, out_z: Floats, out_noise: Floats, out_index: Labels,
) -> int:  # fmt: skip
    """Number of pixels within ``radius`` FWHM of the one component ``p (1, 6)``, copied to the lists and index given."""
    out_index[:] = -1
    det = p[0, 3] * p[0, 5] - p[0, 4] * p[0, 4]
    n = 0
    for i in range(x.shape[0]):
        dx, dy = x[i] - p[0, 1], y[i] - p[0, 2]
        q = (p[0, 5] * dx * dx - 2.0 * p[0, 4] * dx * dy + p[0, 3] * dy * dy) / det
        if q <= (radius * 2.3548) ** 2:
            out_x[n], out_y[n], out_z[n], out_noise[n] = x[i], y[i], z[i], noise[i]
            out_index[int(y[i]), int(x[i])] = n
            n += 1
    return n


@kernel
def thin(
    x: Floats, y: Floats, z: Floats, noise: Floats, every: int,
    out_x: Floats, out_y: Floats, out_z: Floats, out_noise: Floats, out_index: Labels,
) -> int:  # fmt: skip
    """Number of pixels on every ``every``-th row and column, copied to the lists and index given."""
    out_index[:] = -1
    n = 0
    for i in range(x.shape[0]):
        if int(x[i]) % every == 0 and int(y[i]) % every == 0:
            out_x[n], out_y[n], out_z[n], out_noise[n] = x[i], y[i], z[i], noise[i]
            out_index[int(y[i]), int(x[i])] = n
            n += 1
    return n

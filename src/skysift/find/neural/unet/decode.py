"""What the answers of the model unet mean: seeds grow to pieces, pieces that point at one centre are one object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel
from skysift.find.neural.masks import as_masks, no_masks
from skysift.find.neural.shapes import beam_area
from skysift.find.neural.unet.bodies import N_KINDS
from skysift.find.neural.unet.targets import UNIT
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES

__all__ = ["objects_of", "pieces_of", "together"]

Floats = NDArray[np.float64]
Labels = NDArray[np.int32]
Pixels = NDArray[np.float32]

SEED = 0.5  # how far inside a pixel must be to begin a piece
DEPTH = 0.3  # of that, the least depth of the ridge between two pieces
OBJECT = 0.5  # probability of being no background from which on a pixel is part of an object
AGREE = 0.35  # of the distance between two pieces: nearer centres are one
FAINT = 5.0  # sigma: objects whose peak is not well above this are less sure to be what they seem
LEAST = 0.2  # beam areas: smaller objects are none, nor those of fewer than 3 pixels
_COMPACT = CLASSES.index("compact")


def objects_of(answer: Pixels, z: Pixels, beam: Floats, least: float) -> Detections:
    """
    Objects of a window.

    Parameters
    ----------
    answer
        ``(answer, y, x)``: logits of the kinds, logit of how far inside, way to the centre (y, x) as asinh(d / 4).
    z
        The window in units of the noise ``(y, x)``; blank pixels belong to nothing.
    beam
        ``(3,)`` covariance (pixels squared).
    least
        Score of an object at least.
    """
    share = np.exp(answer[:N_KINDS] - answer[:N_KINDS].max(axis=0))
    share /= share.sum(axis=0)
    some = (1.0 - share[0] >= OBJECT) & np.isfinite(z)
    if not some.any():
        return no_masks()
    core = np.zeros(z.shape)
    core[some] = 1.0 / (1.0 + np.exp(-np.clip(answer[N_KINDS][some].astype(np.float64), -100.0, 100.0)))
    pieces = pieces_of(core, some, share[1:].argmax(axis=0) == _COMPACT)
    y, x = np.nonzero(pieces)
    who = pieces[y, x] - 1
    n = int(who.max()) + 1
    area = np.bincount(who, minlength=n).astype(np.float64)

    def mean(values: Pixels | Floats) -> Floats:
        return np.asarray(np.bincount(who, values, n) / area)

    way = UNIT * np.sinh(np.clip(answer[N_KINDS + 1 :, y, x].astype(np.float64), -6.0, 6.0))
    at = np.stack([y, x]).astype(np.float64)
    middle = np.stack([mean(each) for each in at], axis=1)
    centre = np.stack([mean(each) for each in at + way], axis=1)
    kinds = np.stack([mean(share[1 + k, y, x]) for k in range(len(CLASSES))], axis=1)
    group = together(middle, centre, kinds.argmax(axis=1) != _COMPACT)
    owner = np.concatenate([[0], group]).astype(np.int32)[pieces]
    return _objects(owner, share, core, z, centre, group, beam, least)


def pieces_of(core: Floats, some: NDArray[np.bool_], compact: NDArray[np.bool_]) -> Labels:
    """
    The pieces ``(y, x)``, from 1: a watershed on how far inside pixels are, without shallow basins.

    Basins are flooded from the top (Vincent & Soille 1991). Two that meet are one unless both are seeded and the ridge
    between them lies far enough below the lower top (its dynamics, Grimaud 1992) or one top of the two alone is compact.

    Parameters
    ----------
    core
        How far inside its object each pixel is ``(y, x)``, from 0 to 1.
    some
        Pixels that belong to an object.
    compact
        Pixels that are rather of a compact object than of another.
    """
    wide = np.zeros((some.shape[0] + 2, some.shape[1] + 2), np.int64)  # a rim of nothing
    at = np.flatnonzero(np.pad(some, 1))
    height = np.pad(core, 1).ravel()
    order = at[np.argsort(-height[at], kind="stable")]
    flooded(order, height, np.pad(compact, 1).ravel(), wide.shape[1], SEED, DEPTH, wide.ravel())
    _, number = np.unique(wide, return_inverse=True)
    return np.ascontiguousarray(number.reshape(wide.shape)[1:-1, 1:-1], dtype=np.int32)


@kernel
def flooded(
    order: NDArray[np.int64], height: Floats, kind: NDArray[np.bool_], width: int, seed: float, depth: float,
    owner: NDArray[np.int64],
) -> None:  # fmt: skip
    """
    Fill in the basin, 1 + its first pixel, of each pixel in `order`, the highest first; rows are `width` long.

    A pixel goes to the basin of the highest pixel around it.
    """
    for p in order:
        up = -1
        for dy in (-width, 0, width):
            for dx in (-1, 0, 1):
                q = p + dy + dx
                if owner[q] > 0 and (up < 0 or _above(height, q, up)):
                    up = q
        owner[p] = p + 1 if up < 0 else _top(owner, up) + 1
        for dy in (-width, 0, width):
            for dx in (-1, 0, 1):
                q = p + dy + dx
                if owner[q] == 0:
                    continue
                mine, other = _top(owner, p), _top(owner, q)
                high, low = (mine, other) if _above(height, mine, other) else (other, mine)
                shallow = height[low] - height[p] < depth and kind[low] == kind[high]
                if high != low and (height[low] < seed or shallow):
                    owner[low] = high + 1
    for p in order:
        owner[p] = _top(owner, p) + 1


@kernel
def _above(height: Floats, a: int, b: int) -> bool:
    return bool(height[a] > height[b] or (height[a] == height[b] and a < b))


@kernel
def _top(owner: NDArray[np.int64], p: int) -> int:
    """The first pixel of the basin that a pixel is in."""
    while owner[p] != p + 1:
        owner[p] = owner[owner[p] - 1]
        p = owner[p] - 1
    return p


def together(middle: Floats, centre: Floats, may: NDArray[np.bool_]) -> NDArray[np.int32]:
    """
    Numbers, from 1, of the objects that pieces belong to.

    Two pieces are of one object where the centres that they point at are much nearer to each other than they are.

    Parameters
    ----------
    middle, centre
        ``(piece, 2)``: where the pieces lie, and where they point at (y, x).
    may
        Which pieces may be one of several.
    """
    here = np.flatnonzero(may)
    here = here[np.argsort(centre[here, 0], kind="stable")]
    root = np.arange(len(middle))
    _join(np.ascontiguousarray(middle, np.float64), np.ascontiguousarray(centre, np.float64), here, root)
    _, group = np.unique(root, return_inverse=True)
    return np.asarray(group.ravel() + 1, np.int32)


@kernel
def _join(middle: Floats, centre: Floats, here: NDArray[np.int64], root: NDArray[np.int64]) -> None:
    """
    Fill in `root` the first piece of the object of each; ``here`` are the pieces that may be joined, by their centres' y.

    Pieces that are joined point at centres nearer to each other than ``AGREE`` times their distance, which is less than
    4 times the farther way to a centre: only those in such a strip are looked at.
    """
    n = here.shape[0]
    for i in range(n):
        a = here[i]
        reach = np.hypot(centre[a, 0] - middle[a, 0], centre[a, 1] - middle[a, 1])
        strip = 4.0 * AGREE * reach
        for step in (-1, 1):
            k = i + step
            while 0 <= k < n and abs(centre[here[k], 0] - centre[a, 0]) < strip:
                b = here[k]
                k += step
                if abs(centre[b, 1] - centre[a, 1]) >= strip:
                    continue
                apart = np.hypot(middle[b, 0] - middle[a, 0], middle[b, 1] - middle[a, 1])
                aim = np.hypot(centre[b, 0] - centre[a, 0], centre[b, 1] - centre[a, 1])
                if aim < AGREE * apart and apart < 4.0 * reach:
                    one, other = a, b
                    while root[one] != one:
                        one = root[one]
                    while root[other] != other:
                        other = root[other]
                    low, high = min(one, other), max(one, other)
                    root[high] = low
                    root[a], root[b] = low, low
    for i in range(root.shape[0]):
        root[i] = root[root[i]]  # roots are never after what hangs on them


def _objects(
    owner: Labels,
    share: Pixels,
    core: Floats,
    z: Pixels,
    centre: Floats,
    group: Labels,
    beam: Floats,
    least: float,
) -> Detections:
    """Objects from the number of each pixel's ``(y, x)``."""
    y, x = np.nonzero(owner)
    who = owner[y, x] - 1
    n = int(group.max())
    area = np.bincount(who, minlength=n).astype(np.float64)
    kinds = np.stack([np.bincount(who, share[1 + k, y, x], n) for k in range(len(CLASSES))], axis=1)
    whole = np.maximum(kinds.sum(axis=1), 1e-12)
    kind, class_score = kinds.argmax(axis=1), kinds.max(axis=1) / whole
    score = np.minimum(whole / np.maximum(area, 1.0), 1.0)
    weight = core[y, x] ** 2 + 1e-6
    total = np.maximum(np.bincount(who, weight, n), 1e-12)
    places = np.stack([np.bincount(who, weight * each, n) / total for each in (y, x)], axis=1)
    count = np.bincount(group - 1, minlength=n)
    aimed = np.stack([np.bincount(group - 1, centre[:, k], n) / np.maximum(count, 1) for k in (0, 1)], axis=1)
    places = np.where((count > 1)[:, None], aimed, places)
    smallest = max(3.0, LEAST * beam_area(beam))
    good = (area >= smallest) & (score >= least)
    if not good.any():
        return no_masks()
    number = np.concatenate([[0], np.cumsum(good) * good]).astype(np.int32)
    made = as_masks(number[owner], z, kind[good], class_score[good], score[good], places[good])
    sure = made.scores * made["class_score"] * (1.0 - np.exp(-made["snr"] / FAINT))
    made = Detections(made.boxes, sure, made.footprints, made.raw)
    return made.select(np.flatnonzero(sure >= least))

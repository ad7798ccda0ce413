"""Folds: which sources are left out together, by chance or fixed by name; and sources that two sets share."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.base.random import generator

__all__ = ["refuse_few", "stratified"]

Ints: TypeAlias = NDArray[np.int64]


def stratified(targets: NDArray[Any], n: int, random_seed: int, *names: str) -> Ints:
    """The fold of each source, 0 to n - 1, drawn so that each class is spread evenly over them.

    Parameters
    ----------
    targets
        (row,) class; or (row, class) tags, of which the rarest of each source decides.
    n
        Folds.
    random_seed, names
        What decides the draw.
    """
    rng = generator(random_seed, "classify", "folds", *names)
    if targets.ndim == 2:
        rarity = np.where(targets, targets.sum(axis=0), len(targets) + 1)
        targets = np.where(targets.any(axis=1), rarity.argmin(axis=1), targets.shape[1])
    fold = np.empty(len(targets), np.int64)
    begin = 0
    for kind in np.unique(targets):
        rows = rng.permutation(np.flatnonzero(targets == kind))
        fold[rows] = (begin + np.arange(len(rows))) % n
        begin += len(rows)
    return fold


def refuse_few(counts: NDArray[np.int64], classes: tuple[str, ...], n: int, what: str) -> None:
    """Refuse classes that have fewer sources than there are folds.

    Raises
    ------
    UsageError
        One has.
    """
    for name, count in zip(classes, counts, strict=True):
        if 0 < count < n:
            raise UsageError(
                f"too few sources of a class for {n} folds",
                got=f"{count} of {name}",
                allowed=f"{n} or more of each class",
                todo=f"{what}, leave the class out, or give more of it",
            )

"""Random numbers are handed in: a `Generator` split by name; there is no global seed anywhere."""

from __future__ import annotations

import hashlib

import numpy as np

from skysift.base.errors import UsageError

__all__ = ["generator"]


def generator(seed: int, *names: str) -> np.random.Generator:
    """A generator that depends on `seed` and on the names alone, whoever else draws and in whatever order.

    Parameters
    ----------
    seed
        0 or more.
    names
        The path of the use, such as ``"skies", "points"``; other names give independent numbers.

    Raises
    ------
    UsageError
        The seed is negative.
    """
    if seed < 0:
        raise UsageError("random_seed is not allowed", got=seed, allowed="a whole number, 0 or more")
    branch = tuple(_branch(name) for name in names)
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=branch))


def _branch(name: str) -> int:
    """A name as a number, the same on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")

"""`PictureSet`: prepared small images that a network learns from, with what is to be learnt; and batches of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.base.random import generator

__all__ = ["Picture", "PictureFeed", "PictureSet", "PictureSource"]

Pixels: TypeAlias = NDArray[np.float32]


class PictureSource(Protocol):
    """Small images as they were read, such as `skysift.stamps.pictures.Pictures`."""

    @property
    def names(self) -> tuple[str, ...]:
        """One each."""

    @property
    def bands(self) -> tuple[str, ...]:
        """What each plane is."""

    @property
    def facts(self) -> Mapping[str, NDArray[Any]]:
        """What is known of each, by column."""

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which can be read."""

    def __len__(self) -> int: ...

    def batches(self, size: int = 256) -> Iterator[Pixels]:
        """The pixels of all, so many at once: (row, band, y, x), NaN where there are no data."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One of a set: its row, its pixels (channel, y, x) and its targets by name."""

    row: int
    pixels: Pixels
    targets: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class PictureSet:
    """
    Prepared small images.

    Attributes
    ----------
    pixels
        (row, channel, y, x) float32, finite, as `skysift.learn.scale` prepares them; may lie on disk.
    targets
        What is to be learnt of each, by name: an array of one value or one vector a row.
    held
        Which rows are kept for validation; they are never learnt from.
    """

    pixels: Pixels
    targets: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    held: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def learnt(self) -> NDArray[np.int64]:
        """Rows that are learnt from."""
        return np.arange(len(self)) if self.held is None else np.flatnonzero(~self.held)

    @property
    def judged(self) -> NDArray[np.int64]:
        """Rows that are kept for validation."""
        return np.empty(0, np.int64) if self.held is None else np.flatnonzero(self.held)


class PictureFeed:
    """
    Batches of pictures without end: each picture once in every round, in an order drawn anew.

    Parameters
    ----------
    pictures
        What is drawn from.
    batch
        Pictures of a batch.
    random_seed
        With the number of a batch it decides which pictures that holds.
    classes
        Class of each row; where it is given every class is drawn as often, rows of rare ones several times a round.

    Raises
    ------
    UsageError
        There are fewer pictures than a batch has.
    """

    def __init__(
        self, pictures: PictureSet, batch: int, random_seed: int, classes: NDArray[np.int64] | None = None
    ) -> None:
        self.pictures, self.batch, self.seed, self.classes = pictures, batch, random_seed, classes
        self._rows = pictures.learnt
        if len(self._rows) < batch:
            raise UsageError(
                "there are fewer pictures than a batch has",
                got=len(self._rows),
                allowed=f"{batch} or more",
                todo="give a smaller batch, or more pictures",
            )

    @property
    def round(self) -> int:
        """Batches of a round."""
        return len(self._rows) // self.batch

    def at(self, number: int, rows: slice = slice(None)) -> list[Picture]:
        """The batch with this number, or some of its pictures."""
        turn, place = divmod(number, self.round)
        order = self._order(generator(self.seed, "pictures", str(turn)))
        chosen = order[place * self.batch : (place + 1) * self.batch][rows]
        targets = self.pictures.targets
        return [
            Picture(
                int(row),
                np.asarray(self.pictures.pixels[row], np.float32),
                {name: values[row] for name, values in targets.items()},
            )
            for row in chosen
        ]

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        if self.classes is None:
            return rng.permutation(self._rows)
        of = self.classes[self._rows]
        kinds = np.unique(of)
        each = -(-len(self._rows) // len(kinds))
        parts = []
        for kind in kinds:
            mine = self._rows[of == kind]
            whole = [rng.permutation(mine) for _ in range(-(-each // len(mine)))]
            parts.append(np.concatenate(whole)[:each])
        return rng.permutation(np.concatenate(parts))[: len(self._rows)]

"""`CubeSamples`: crops of cubes, turned and mirrored with their labels, along the channels too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.base.random import generator
from skysift.learn.fields import LABELS, LINE_LABELS, Field
from skysift.learn.samples import LEAST_DATA, TRIES, Crop, Samples, blank_everywhere, trained_on
from skysift.sky.box import Box

__all__ = ["CubeSamples", "cut_cube", "turned_cube"]

Floats: TypeAlias = NDArray[np.float64]

_AT = {name: k for k, name in enumerate((*LABELS, *LINE_LABELS))}
_MARGIN = 16.0  # pixels, channels: lines whose centre is so far outside of a crop are told too
_KINDS = 16  # ways to mirror along three axes and to swap x and y


def cut_cube(field: Field, table: Floats, box: Box, first: int, deep: int) -> Crop:
    """
    A crop of a cube.

    Parameters
    ----------
    field
        What is cut.
    table
        ``(object, parameter)``: the labels of the field as `skysift.learn.samples.label_table` gives them.
    box
        Of the crop on the sky, inside the field.
    first, deep
        Its first channel, and how many it has.
    """
    low = np.array([box.x0, box.y0, first], np.float64)
    high = np.array([box.x1, box.y1, first + deep], np.float64)
    place = [_AT["x"], _AT["y"], _AT["channel"]]
    at = table[:, place]
    rows = np.flatnonzero(((at > low - _MARGIN) & (at < high + _MARGIN)).all(axis=1))
    labels = table[rows].copy()
    labels[:, place] -= low
    pixels = np.array(field.pixels[(slice(first, first + deep), *box.slices())], np.float32)
    return Crop(pixels, labels, rows, np.array(field.beam))


def turned_cube(crop: Crop, kind: int) -> Crop:
    """A crop of a cube mirrored and transposed, labels and beam with it; `kind` 0 to 15, 0 leaves it as it is.

    Where the channels are mirrored, what receded approaches.
    """
    pixels, labels, beam = crop.pixels, crop.labels.copy(), crop.beam.copy()
    for bit, (name, turn) in enumerate((("x", ("cos",)), ("y", ("sin",)), ("channel", ("cos", "sin")))):
        if not kind & 1 << bit:
            continue
        axis = 2 - bit
        pixels = np.flip(pixels, axis)
        labels[:, _AT[name]] = crop.pixels.shape[axis] - 1 - labels[:, _AT[name]]
        labels[:, [_AT[each] for each in turn]] *= -1.0
        if name != "channel":
            labels[:, _AT["xy"]] *= -1.0
            beam[1] *= -1.0
    if kind & 8:
        pixels = np.swapaxes(pixels, 1, 2)
        for a, b in (("x", "y"), ("xx", "yy"), ("cos", "sin")):
            labels[:, [_AT[a], _AT[b]]] = labels[:, [_AT[b], _AT[a]]]
        beam[[0, 2]] = beam[[2, 0]]
    return Crop(np.ascontiguousarray(pixels), labels, crop.rows, beam)


class CubeSamples(Samples):
    """
    Batches of crops of cubes, without end: `Samples` that have as many channels as they are wide.

    Raises
    ------
    UsageError
        As for `Samples`; or a cube has fewer channels than a crop, or crops are to lie around objects by their class.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        crop: int,
        batch: int,
        random_seed: int,
        *,
        masks: bool = False,
        balanced: float = 0.0,
    ) -> None:
        if balanced > 0.0:
            raise UsageError(
                "crops of cubes are not balanced: lines have no classes",
                got=f"balanced={balanced}",
                allowed="0",
            )
        super().__init__(fields, crop, batch, random_seed, masks=masks)

    def at(self, number: int, rows: slice = slice(None)) -> list[Crop]:
        """The batch with this number, or some of its crops."""
        rng = generator(self.seed, "crops", str(number))
        drawn = [self._drawn(rng) for _ in range(self.batch)]
        return [
            turned_cube(cut_cube(self.fields[which], self._tables[which], box, first, self.crop), kind)
            for which, box, first, kind in drawn[rows]
        ]

    def _drawn(self, rng: np.random.Generator) -> tuple[int, Box, int, int]:
        """A crop by chance: the number of its cube, its place, its first channel, and how it is turned."""
        for _ in range(TRIES):
            which = int(rng.choice(len(self.fields), p=self._share))
            field = self.fields[which]
            y, x = (int(rng.integers(0, size - self.crop + 1)) for size in trained_on(field))
            if len(field.pixels) < self.crop:
                raise UsageError(
                    f"the cube {field.name} has fewer channels than a crop",
                    got=len(field.pixels),
                    allowed=f"{self.crop} or more",
                    todo="give a smaller crop, or cubes with more channels",
                )
            first = int(rng.integers(0, len(field.pixels) - self.crop + 1))
            kind, box = int(rng.integers(_KINDS)), Box(y, y + self.crop, x, x + self.crop)
            if field.held is not None and box.intersect(field.held).size:
                continue
            if (
                np.isfinite(field.pixels[(slice(first, first + self.crop), *box.slices())]).mean()
                > LEAST_DATA
            ):
                return which, box, first, kind
        raise blank_everywhere(self.fields)

"""`Samples`: crops of fields, turned and mirrored with their labels; which ones follows from seed and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.base.random import generator
from skysift.learn.fields import Field
from skysift.sky.box import Box
from skysift.sky.runs import paint_runs

__all__ = [
    "LEAST_DATA", "TRIES", "Crop", "Samples", "blank_everywhere", "cut", "label_table", "trained_on", "turned",
]  # fmt: skip

Floats = NDArray[np.float64]

_HIDDEN = 2.5  # sigma of a peak: fainter objects cover no other
_BRIGHT = 5.0  # sigma of a peak: crops are laid around objects that are seen
LEAST_DATA = 0.2  # part of a crop that is not blank
TRIES = 50  # for a crop that does not touch what is kept for validation, nor is blank


@dataclass(frozen=True, eq=False)
class Crop:
    """
    A piece of a field.

    Attributes
    ----------
    pixels
        ``(y, x)``, of a cube ``(channel, y, x)``, float32 in units of the noise; NaN where there are no data.
    labels
        ``(object, parameter)``: the raw parameters `Field.names` of the objects in and near it, in their order; pixels
        are those of the crop.
    rows
        Numbers of these objects in the field.
    beam
        ``(3,)`` covariance of the beam (xx, xy, yy; pixels squared).
    mask
        ``(y, x)`` int32: 1 + place of the object in `labels` that a pixel belongs to, 0 for none. Where masks
        overlap, the fainter object is on top, unless its peak is below 2.5 sigma.
    """

    pixels: NDArray[np.float32]
    labels: Floats
    rows: NDArray[np.int64]
    beam: Floats
    mask: NDArray[np.int32] | None = None


def cut(field: Field, box: Box, table: Floats, margin: float = 16.0, *, masks: bool = False) -> Crop:
    """
    A crop of a field.

    Parameters
    ----------
    field
        What is cut.
    box
        Of the crop; what lies beyond the field is NaN.
    table
        ``(object, parameter)``: the labels of the field as `label_table` gives them.
    margin
        Objects whose centre is so far outside (pixel) are told too.
    masks
        Whether the masks are painted.
    """
    x, y = table[:, 0], table[:, 1]
    near = (x > box.x0 - margin) & (x < box.x1 + margin) & (y > box.y0 - margin) & (y < box.y1 + margin)
    if masks and len(field.labels.footprints):
        boxes = field.labels.boxes
        near |= (
            (boxes[:, 0] < box.y1) & (boxes[:, 1] > box.y0) & (boxes[:, 2] < box.x1) & (boxes[:, 3] > box.x0)
        )
    rows = np.flatnonzero(near)
    labels = table[rows].copy()
    labels[:, 0] -= box.x0
    labels[:, 1] -= box.y0
    pixels = np.full(box.shape, np.nan, np.float32)
    inside = box.intersect(Box.of(field.shape))
    pixels[inside.shift(-box.y0, -box.x0).slices()] = field.pixels[inside.slices()]
    mask = _painted(field, rows, box) if masks else None
    return Crop(pixels, labels, rows, np.array(field.beam), mask)


def turned(crop: Crop, kind: int) -> Crop:
    """A crop mirrored and transposed, labels and beam with it; `kind` 0 to 7, 0 leaves it as it is."""
    pixels, labels, beam, mask = crop.pixels, crop.labels.copy(), crop.beam.copy(), crop.mask
    ny, nx = pixels.shape
    if kind & 1:
        pixels, mask = pixels[:, ::-1], None if mask is None else mask[:, ::-1]
        labels[:, 0] = nx - 1 - labels[:, 0]
        labels[:, 3] *= -1.0
        beam[1] *= -1.0
    if kind & 2:
        pixels, mask = pixels[::-1], None if mask is None else mask[::-1]
        labels[:, 1] = ny - 1 - labels[:, 1]
        labels[:, 3] *= -1.0
        beam[1] *= -1.0
    if kind & 4:
        pixels, mask = pixels.T, None if mask is None else mask.T
        labels[:, [0, 1]] = labels[:, [1, 0]]
        labels[:, [2, 4]] = labels[:, [4, 2]]
        beam[[0, 2]] = beam[[2, 0]]
    return Crop(
        np.ascontiguousarray(pixels),
        labels,
        crop.rows,
        beam,
        None if mask is None else np.ascontiguousarray(mask),
    )


class Samples:
    """
    Batches of crops, without end.

    Parameters
    ----------
    fields
        What is cut; a field is drawn in proportion to its pixels.
    crop
        Side of a crop (pixel).
    batch
        Crops of a batch.
    random_seed
        With the number of a batch it decides which crops it holds.
    masks
        Whether masks are painted.
    balanced
        Part of the crops that lie around an object of a class drawn by chance, each class as likely. Its centre is in
        their middle half, and they may reach beyond the map: what its border cuts is seen to be cut.

    Raises
    ------
    UsageError
        There is no field, or none is large enough for a crop.
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
        large = [field for field in fields if min(trained_on(field)) >= crop]
        if not large:
            widest = max((min(trained_on(field)) for field in fields), default=0)
            raise UsageError(
                "no field is large enough for a crop",
                got=f"{len(fields)} fields, the largest {widest} pixels wide",
                allowed=f"{crop} pixels or more",
                todo="give a smaller crop, or larger maps",
            )
        self.fields, self.crop, self.batch, self.seed, self.masks = large, crop, batch, random_seed, masks
        size = np.array([np.prod(trained_on(field)) for field in large], np.float64)
        self._share = size / size.sum()
        self._tables = [label_table(field) for field in large]
        self._balanced, self._seen = balanced, _seen_of(self._tables) if balanced > 0.0 else []

    def at(self, number: int, rows: slice = slice(None)) -> list[Crop]:
        """The batch with this number, or some of its crops."""
        rng = generator(self.seed, "crops", str(number))
        drawn = [self._one(rng) for _ in range(self.batch)]
        return [
            turned(cut(self.fields[which], box, self._tables[which], masks=self.masks), kind)
            for which, box, kind in drawn[rows]
        ]

    def _one(self, rng: np.random.Generator) -> tuple[int, Box, int]:
        """A crop by chance: the number of its field, its place, and how it is turned."""
        for _ in range(TRIES):
            around = bool(self._seen) and rng.random() < self._balanced
            which, y, x = self._around_an_object(rng) if around else self._anywhere(rng)
            field = self.fields[which]
            kind = int(rng.integers(8))
            box = Box(y, y + self.crop, x, x + self.crop)
            if field.held is not None and box.intersect(field.held).size:
                continue
            inside = box.intersect(Box.of(field.shape))
            if np.isfinite(field.pixels[inside.slices()]).sum() > LEAST_DATA * box.size:
                return which, box, kind
        raise blank_everywhere(self.fields)

    def _anywhere(self, rng: np.random.Generator) -> tuple[int, int, int]:
        """The number of a field, drawn by its size, and the first row and column of a crop inside it."""
        which = int(rng.choice(len(self.fields), p=self._share))
        y, x = (int(rng.integers(0, size - self.crop + 1)) for size in trained_on(self.fields[which]))
        return which, y, x

    def _around_an_object(self, rng: np.random.Generator) -> tuple[int, int, int]:
        """The number of a field, and the first row and column of a crop that has an object in its middle half."""
        objects = self._seen[int(rng.integers(len(self._seen)))]
        which, row = objects[int(rng.integers(len(objects)))]
        x, y = self._tables[which][row, :2]
        low, high = self.crop // 4, self.crop - self.crop // 4
        return int(which), int(y) - int(rng.integers(low, high)), int(x) - int(rng.integers(low, high))


def _seen_of(tables: Sequence[Floats]) -> list[NDArray[np.int64]]:
    """For each class that there is, the objects to be learnt that are bright enough: ``(object, 2)``, field and row."""
    parts = []
    for which, table in enumerate(tables):
        rows = np.flatnonzero((table[:, 5] >= _BRIGHT) & (table[:, 9] > 0.0))
        parts.append(np.stack([np.full(rows.size, which), rows, table[rows, 8].astype(np.int64)], axis=1))
    every = np.concatenate(parts)
    return [every[every[:, 2] == kind, :2] for kind in np.unique(every[:, 2])]


def blank_everywhere(fields: Sequence[Field]) -> UsageError:
    """What is said where no crop can be drawn."""
    return UsageError(
        "no crop was found that is not blank and does not touch what is kept for validation",
        got=f"{len(fields)} fields",
        todo="give a smaller crop, or keep less for validation",
    )


def trained_on(field: Field) -> tuple[int, int]:
    """Rows and columns, from the first pixel on, that crops are drawn from: those below the upper rows that are kept."""
    ny, nx = field.shape
    held = field.held
    if held is not None and held.y1 == ny and held.x0 == 0 and held.x1 == nx:
        return held.y0, nx
    return ny, nx


def label_table(field: Field) -> Floats:
    """The labels of a field as ``(object, parameter)``, parameters in the order of `Field.names`."""
    raw = field.labels.raw
    return np.stack([np.asarray(raw[name], np.float64) for name in field.names], axis=1)


def _painted(field: Field, rows: NDArray[np.int64], box: Box) -> NDArray[np.int32]:
    """Labels of a crop; the brightest first, so that what is fainter stays visible; what noise hides lies below all."""
    mask = np.zeros(box.shape, np.int32)
    peak, flux = (np.asarray(field.labels[name], np.float64)[rows] for name in ("snr_peak", "snr_int"))
    order = np.lexsort((-flux, peak >= _HIDDEN))
    chosen = field.labels.footprints.select(rows[order])
    paint_runs(chosen.row, chosen.start, chosen.stop, order[chosen.index] + 1, box.y0, box.x0, mask)
    return mask

"""`Detections`: what finders emit, and what training labels are.

A detection says *where* something is, by a box, a score, a footprint and raw parameters; how much it is,
`measure` says. Footprints of different detections may overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UnknownName, UsageError
from skysift.sky.box import Box
from skysift.sky.mask import IntArray, Mask, join_runs

__all__ = ["Detections", "Footprints"]


@dataclass(frozen=True, eq=False, repr=False)
class Footprints:
    """The pixels of several objects, as runs along rows; objects may share pixels.

    Runs are kept in the order (index, row, start); those of one object that overlap or meet are joined, so
    that two footprints of the same pixels are equal.

    Parameters
    ----------
    row, start, stop
        A run covers the pixels ``start <= x < stop`` of a row.
    index
        The number of the object that each run belongs to, from 0.

    Raises
    ------
    UsageError
        The arrays differ in length, a run is empty, or an index is below zero.
    """

    row: IntArray
    start: IntArray
    stop: IntArray
    index: IntArray

    def __post_init__(self) -> None:
        arrays = [np.asarray(each, dtype=np.int64) for each in (self.row, self.start, self.stop, self.index)]
        if len({each.shape for each in arrays}) != 1 or arrays[0].ndim != 1:
            raise UsageError("the runs of footprints differ in length", got=[each.shape for each in arrays])
        row, start, stop, index = arrays
        if np.any(start >= stop) or np.any(index < 0):
            raise UsageError("a run of a footprint is empty, or belongs to an object below 0")
        for name, value in zip(
            ("row", "start", "stop", "index"), join_runs(row, start, stop, index), strict=True
        ):
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @classmethod
    def empty(cls) -> Footprints:
        """The footprints of nothing."""
        none = np.empty(0, dtype=np.int64)
        return cls(none, none, none, none)

    def area(self, n: int) -> IntArray:
        """Number of pixels of each of the objects 0 to `n` - 1."""
        total = np.zeros(n, dtype=np.int64)
        np.add.at(total, self.index, self.stop - self.start)
        return total

    def shift(self, dy: int, dx: int) -> Footprints:
        """The same footprints, `dy` rows and `dx` columns further."""
        return Footprints(self.row + dy, self.start + dx, self.stop + dx, self.index)

    def select(self, picked: IntArray) -> Footprints:
        """The footprints of the objects `picked`, which become 0, 1, ...; one may come more than once."""
        first = np.searchsorted(self.index, picked, side="left")
        count = np.searchsorted(self.index, picked, side="right") - first
        new = np.repeat(np.arange(picked.size, dtype=np.int64), count)
        begin = np.cumsum(count) - count
        run = np.arange(int(count.sum()), dtype=np.int64) - np.repeat(begin - first, count)
        return Footprints(self.row[run], self.start[run], self.stop[run], new)

    def __len__(self) -> int:
        return int(self.row.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Footprints):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, f), getattr(other, f)) for f in ("row", "start", "stop", "index")
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Footprints({len(self)} runs, {int((self.stop - self.start).sum())} pixels)"

    def __reduce__(self) -> tuple[object, ...]:
        return Footprints, (self.row, self.start, self.stop, self.index)


@dataclass(frozen=True, eq=False, repr=False)
class Detections:
    """Where something was found: one row a detection.

    Parameters
    ----------
    boxes
        Half-open boxes (y0, y1, x0, x1), as whole numbers; (n, 4).
    scores
        How sure the finder is, in its own measure; (n,).
    footprints
        The pixels of each detection; a detection without runs has only its box.
    raw
        Further parameters as the finder gives them: name -> array with one row a detection.

    Raises
    ------
    UsageError
        The arrays differ in length, a box is empty, or a footprint belongs to no detection.
    """

    boxes: IntArray
    scores: NDArray[np.float64]
    footprints: Footprints = field(default_factory=Footprints.empty)
    raw: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        boxes = np.array(self.boxes)
        if boxes.size == 0:
            boxes = np.empty((0, 4), dtype=np.int64)
        if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind not in "iu":
            raise UsageError(
                "boxes are rows of four whole numbers", got=f"{boxes.dtype} of shape {boxes.shape}"
            )
        if np.any((boxes[:, 0] >= boxes[:, 1]) | (boxes[:, 2] >= boxes[:, 3])):
            raise UsageError("a box of a detection is empty", allowed="y0 < y1 and x0 < x1")
        scores = np.array(self.scores, dtype=np.float64)
        raw = {name: np.array(values) for name, values in self.raw.items()}
        lengths = {"scores": scores.shape[:1], **{name: values.shape[:1] for name, values in raw.items()}}
        wrong = {name: shape for name, shape in lengths.items() if shape != (len(boxes),)}
        if wrong or scores.ndim != 1:
            raise UsageError(
                "the arrays of detections differ in length", got=wrong, allowed=f"{len(boxes)} rows"
            )
        if len(self.footprints) and int(self.footprints.index[-1]) >= len(boxes):
            raise UsageError("a footprint belongs to no detection", got=int(self.footprints.index[-1]))
        boxes = boxes.astype(np.int64)
        for array in (boxes, scores, *raw.values()):
            array.setflags(write=False)
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "raw", MappingProxyType(raw))

    @classmethod
    def empty(cls, raw: Mapping[str, NDArray[Any]] | None = None) -> Detections:
        """Nothing found; `raw` gives the names and kinds of the raw parameters, of which no rows are kept."""
        none = {name: np.asarray(values)[:0] for name, values in (raw or {}).items()}
        return cls(np.empty((0, 4), dtype=np.int64), np.empty(0), Footprints.empty(), none)

    @classmethod
    def from_mask(cls, mask: Mask, scores: ArrayLike | None = None) -> Detections:
        """One detection a label of a mask, in the order of the labels; all scores are 1 where none are given.

        Raises
        ------
        UsageError
            There is not one score a label.
        """
        index = np.searchsorted(mask.labels, mask.label).astype(np.int64)
        given = np.ones(mask.n_labels) if scores is None else np.asarray(scores, dtype=np.float64)
        return cls(mask.boxes, given, Footprints(mask.row, mask.start, mask.stop, index))

    @classmethod
    def concat(cls, parts: Sequence[Detections]) -> Detections:
        """The detections of several sets, one after the other.

        Raises
        ------
        UsageError
            Their raw parameters have different names.
        """
        if not parts:
            return cls.empty()
        names = set(parts[0].raw)
        for part in parts[1:]:
            if set(part.raw) != names:
                raise UsageError(
                    "detections to join have different raw parameters",
                    got=sorted(part.raw),
                    allowed=sorted(names),
                )
        offsets = np.cumsum([0, *(len(part) for part in parts)])
        prints = [part.footprints for part in parts]
        joined = Footprints(
            np.concatenate([each.row for each in prints]),
            np.concatenate([each.start for each in prints]),
            np.concatenate([each.stop for each in prints]),
            np.concatenate([each.index + offset for each, offset in zip(prints, offsets, strict=False)]),
        )
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            joined,
            {name: np.concatenate([part.raw[name] for part in parts]) for name in parts[0].raw},
        )

    @cached_property
    def area(self) -> IntArray:
        """Number of pixels in the footprint of each detection."""
        return self.footprints.area(len(self))

    def select(self, rows: ArrayLike) -> Detections:
        """The detections where a mask is true, or those with the given row numbers, in that order.

        Raises
        ------
        UsageError
            The mask has another length, or a number is not that of a row.
        """
        given = np.asarray(rows)
        if given.dtype.kind == "b" and given.shape != (len(self),):
            raise UsageError(
                "a mask must have one value a detection", got=given.shape, allowed=f"({len(self)},)"
            )
        picked = np.flatnonzero(given) if given.dtype.kind == "b" else given.astype(np.int64)
        if picked.size and (picked.min() < 0 or picked.max() >= len(self)):
            raise UsageError(
                "no such detection",
                got=[int(picked.min()), int(picked.max())],
                allowed=f"0 to {len(self) - 1}",
            )
        raw = {name: values[picked] for name, values in self.raw.items()}
        return Detections(self.boxes[picked], self.scores[picked], self.footprints.select(picked), raw)

    def meets(self, box: Box) -> NDArray[np.bool_]:
        """Which detections have a pixel of their footprints in a box; (n,)."""
        runs = self.footprints
        inside = (runs.row >= box.y0) & (runs.row < box.y1) & (runs.start < box.x1) & (runs.stop > box.x0)
        result = np.zeros(len(self), dtype=np.bool_)
        result[runs.index[inside]] = True
        return result

    def shift(self, dy: int, dx: int) -> Detections:
        """The same detections, `dy` rows and `dx` columns further: from a tile's pixels to the map's."""
        moved = self.boxes + np.array([dy, dy, dx, dx], dtype=np.int64)
        return Detections(moved, self.scores, self.footprints.shift(dy, dx), self.raw)

    def to_mask(self, shape: tuple[int, int]) -> Mask:
        """The footprints as labels over a map of this shape; the detection of row i has the label i + 1.

        Raises
        ------
        UsageError
            Two footprints share a pixel, or one leaves the map.
        """
        runs = self.footprints
        return Mask(runs.row, runs.start, runs.stop, runs.index + 1, shape)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.raw:
            raise UnknownName("the detections have no such raw parameter", got=name, allowed=self.raw)
        return self.raw[name]

    def __len__(self) -> int:
        return len(self.boxes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Detections):
            return NotImplemented
        return (
            np.array_equal(self.boxes, other.boxes)
            and np.array_equal(self.scores, other.scores, equal_nan=True)
            and self.footprints == other.footprints
            and set(self.raw) == set(other.raw)
            and all(_same(self.raw[name], other.raw[name]) for name in self.raw)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        named = f", raw: {', '.join(self.raw)}" if self.raw else ""
        return f"Detections({len(self)} rows, {self.footprints!r}{named})"

    def __reduce__(self) -> tuple[object, ...]:
        return Detections, (self.boxes, self.scores, self.footprints, dict(self.raw))


def _same(left: NDArray[Any], right: NDArray[Any]) -> bool:
    both_float = left.dtype.kind in "fc" and right.dtype.kind in "fc"
    return left.dtype.kind == right.dtype.kind and bool(np.array_equal(left, right, equal_nan=both_float))
